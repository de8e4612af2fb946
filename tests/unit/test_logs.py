"""One fact is one line, in either form, and no secret is in it, whoever logged it and however."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from pydantic import BaseModel, ValidationError

from bot import logs
from bot.redaction import HIDDEN, Redaction

KEY = "apk_live_AbCdEfGh_q8S0uJm2VnZ1x3C4v5B6n7M8a9S0d1F2g3H4j5K6l7Z8y9"
TOKEN = "w3K9xQ2mZ7vB1nC5rT8yU4iO6pA0sD2fG9hJ1kL3qWe"  # 43 characters, as 32 random bytes are written
PASSWORD = "pa/ss@w0rd-of-the-store"
SETTING = "8Q~abcdef0123456789-the-client-secret"

SECRETS = {
    "an API key": KEY,
    "a callback secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a callback private key": "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a callback signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "a bot token": "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "a token that is renewed": "xoxe.xoxb-1-MS0yLTE3NjUzNjcyNDgx-pdFZKVeTuE8sk7oOc",
    "a token that renews": "xoxe-1-My0xLTE3NjUzNjcyNDgxLTE5ODc0Njk4MzIz",
    "an app token": "xapp-1-A0123-1234567890-abcdefabcdefabcdef",
    "a Slack signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    "a JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "a random token": TOKEN,
    "a handoff's token": f"hf_aaaaaaaaaaaaaaaaaaaaaa.{TOKEN}",
    "a known setting": SETTING,
}

WAYS = {
    "alone": "{}",
    "in a sentence": "it was {}, and it failed",
    "in quotes": "headers={{'X-Key': '{}'}}",
    "in JSON": '{{"key":"{}"}}',
    "in a query": "GET /path?a=1&x={}&b=2",
    "twice": "{0} {0}",
}


class Console:
    """What was logged, and a logger to log it with."""

    def __init__(self, text: io.StringIO) -> None:
        self._text = text
        self.log = logging.getLogger("andon.test")

    @property
    def text(self) -> str:
        return self._text.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("andon")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)
    logging.captureWarnings(capture=False)


def console(form: logs.Form, level: logs.Level = "debug", trace: str = "") -> Console:
    out = io.StringIO()
    logs.set_up(form=form, level=level, secrets=[SETTING], trace=lambda: trace, to=out)
    return Console(out)


@pytest.fixture(params=["text", "json"])
def out(request: pytest.FixtureRequest) -> Console:
    return console(request.param)


def fail(error: Exception) -> NoReturn:
    raise error


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_secret_is_taken_out_wherever_it_stands(secret: str, way: str) -> None:
    cleaned = Redaction([SETTING]).clean(way.format(secret))
    assert secret not in cleaned
    assert secret[-12:] not in cleaned
    assert HIDDEN in cleaned


@pytest.mark.parametrize(
    "text",
    [
        f"Error 111 connecting to redis://andon:{PASSWORD}@store:6379/0",
        f"rediss://:{PASSWORD}@store:6379",
        f"redis+sentinel://u:{PASSWORD}@a:26379,b:26379/main",
        "https://ana:pa55w0rd-of-the-store@proxy.example.com/x",
        "Authorization: Bearer pa55w0rd-of-the-store",
        "{'Authorization': 'Basic cGE1NXcwcmQtb2YtdGhlLXN0b3Jl'} pa55w0rd"[:-9],
        "('authorization', 'Bearer pa55w0rd-of-the-store')",
        "headers: {b'Authorization': b'pa55w0rd-of-the-store'}",
        '{"client_secret": "pa55w0rd-of-the-store", "a": 1}',
        "grant_type=client_credentials&client_secret=pa55w0rd-of-the-store",
        "https://wss.example.com/link?ticket=pa55w0rd-of-the-store&app_id=1",
        "https://andon.example.com/sign-in?token=pa55w0rd-of-the-store",
        "https://hooks.example.com/actions/T0123456/123456/pa55w0rd-of-the-store",
    ],
)
def test_what_stands_where_secrets_stand_is_taken_out(text: str) -> None:
    cleaned = Redaction().clean(text)
    assert not {part for part in (PASSWORD, "w0rd", "of-the-store", "cGE1NXcw") if part in cleaned}


@pytest.mark.parametrize(
    "text",
    [
        "cards.posted id=hf_aaaaaaaaaaaaaaaaaaaaaa place=slack C0123ABCD 1700000000.000100",
        "SLACK_SIGNING_SECRET is empty; copy it from the app's Basic Information page",
        "digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "slack.token_renewed team=T0123",
        "teams.left conversation=19:Zs6cGVqdBF9A1uTrMQNwNeDDnnrvVVuCVg7xJVyoBuk1@thread.tacv2 team=x",
        "no token can be had for Teams: http://127.0.0.1:1 answers with 500",
        "policy.loaded version=3f2a/first rules=12",
        "connection to 127.0.0.1:6379 failed: https://example.com/a?b=c is fine",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction(["short"]).clean(text) == text


def test_it_is_quick_with_long_and_hostile_text() -> None:
    for text in (
        "a" * 2_000_000,
        "a." * 1_000_000,
        "a-" * 1_000_000,
        "eyJ" * 500_000,
        "redis://" * 100_000,
        "=" * 10**6,
    ):
        assert len(Redaction().clean(text)) <= 65_536 + 1_000


@pytest.mark.parametrize("name", ["andon", "aiohttp.client", "slack_sdk.web", "botbuilder", "redis", "asyncio", "any"])
def test_every_logger_is_cleaned(out: Console, name: str) -> None:
    """Guard: packages that log for themselves go through the same handler."""
    log = logging.getLogger(name)
    log.warning("failed with %s", KEY)
    log.warning("headers: Authorization: Bearer " + TOKEN)  # noqa: G003  # as packages do
    try:
        fail(ValueError(f"bad {KEY}"))
    except ValueError:
        log.exception("it failed", stack_info=True)
        log.exception("again")
    assert len(out.lines) >= 4
    assert KEY not in out.text
    assert TOKEN not in out.text


def test_a_causes_text_is_cleaned_too(out: Console) -> None:
    try:
        try:
            fail(OSError(f"redis://x:{PASSWORD}@store"))
        except OSError as cause:
            raise RuntimeError("outer") from cause
    except RuntimeError:
        out.log.exception("api.failed reference=%s", "abc")
    assert "RuntimeError" in out.text
    assert "OSError" in out.text
    assert "w0rd" not in out.text


def test_what_a_model_refused_is_not_in_a_traceback(out: Console) -> None:
    """An unforeseen pydantic error prints what it was given: an ask's arguments, most likely."""

    class Model(BaseModel):
        number: int

    given = {"number": "the {} song".format("canary's")}
    try:
        Model.model_validate(given)
    except ValidationError:
        out.log.exception("api.failed reference=%s", "abc")
    assert "int_parsing" in out.text
    assert "canary" not in out.text


HOSTILE = (
    "no\n2026-01-01 00:00:00,000 ERROR andon operator.needed about=x detail=forged\r\x1b[2J\u2028\u202eevil id=hf_x"
)


def test_a_value_cannot_make_a_second_line(out: Console) -> None:
    """Log injection: what people or agents typed may be in a `detail`."""
    out.log.warning("cards.failed id=%s detail=%s", "hf_1", HOSTILE)
    assert len(out.lines) == 1
    assert not {c for c in out.text[:-1] if not c.isprintable()}


def test_neither_can_an_exceptions_text(out: Console) -> None:
    try:
        fail(ValueError(HOSTILE))
    except ValueError:
        out.log.exception("cards.crashed id=%s", "hf_1")
    assert not [line for line in out.lines[1:] if not line.startswith("  | ")]


def test_nor_a_second_field() -> None:
    """The names of fields come from our own line, not from what is in a value."""
    out = console("json")
    out.log.warning("cards.failed id=%s try=%d detail=%s: %s", "hf_1", 3, "ValueError", 'x id=hf_2 level=error "}')
    (line,) = out.json
    assert line["event"] == "cards.failed"
    assert (line["id"], line["try"], line["level"]) == ("hf_1", 3, "warning")
    assert line["detail"] == 'ValueError: x id=hf_2 level=error "}'


def test_a_line_of_json_has_what_it_needs() -> None:
    out = console("json", trace="4bf92f3577b34da6a3ce929d0e0e4736")
    out.log.info("brake.%s action=%s by=%s epoch=%s", "pulled", "stop", "slack:U1", 7)
    logging.getLogger("other").info("no event of ours %s", "here")
    first, second = out.json
    assert first.pop("time").endswith("Z")
    told = {"event": "brake.pulled", "action": "stop", "by": "slack:U1", "epoch": 7}
    assert first == {"level": "info", "logger": "andon.test", "trace": "4bf92f3577b34da6a3ce929d0e0e4736"} | told
    assert second["message"] == "no event of ours here"


def test_text_has_the_trace_as_well() -> None:
    out = console("text", trace="4bf92f3577b34da6a3ce929d0e0e4736")
    out.log.info("cards.posted id=%s", "hf_1")
    assert out.text.endswith("INFO andon.test cards.posted id=hf_1 trace=4bf92f3577b34da6a3ce929d0e0e4736\n")


def test_a_long_value_is_cut_and_says_so(out: Console) -> None:
    out.log.warning("policy.refused faults=%d detail=%s", 2, "x" * 10_000)
    assert len(out.text) < 3_000
    assert "more)" in out.text


def test_the_level_is_ours_and_others_stay_at_info() -> None:
    out = console("text", "debug")
    out.log.debug("outbox.unconfirmed id=%s", "hf_1")
    for name in ("slack_sdk.web", "andon.slack.bolt", "aiohttp.client", "opentelemetry"):
        logging.getLogger(name).debug("a whole body")
    assert len(out.lines) == 1
    quiet = console("text", "error")
    quiet.log.warning("cards.failed id=%s", "hf_1")
    logging.getLogger("other").warning("x")
    assert quiet.text == ""


def test_a_line_that_cannot_be_written_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    out = console("text")

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(KEY)

    out.log.warning("cards.failed id=%s detail=%s", "hf_1", Broken())
    assert "log.unwritable logger=andon.test error=RuntimeError" in capsys.readouterr().err
    assert KEY not in out.text


def test_arguments_that_do_not_fit_are_not_shown() -> None:
    out = console("json")
    out.log.warning("cards.failed id=%s detail=%d", "hf_1", KEY)
    assert len(out.lines) == 1
    assert KEY not in out.text


async def test_what_the_event_loop_says_is_cleaned_as_well(out: Console) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": f"a task failed with {KEY}"})
    assert "a task failed" in out.text
    assert KEY not in out.text
