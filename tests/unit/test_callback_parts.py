"""The pure parts of callbacks: when, signed how, and saying what."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from andon import wire
from bot.handoff import Handoff, Route, State, ask_payload, digest_of
from bot.outbox.callback_body import MOST_BYTES, body_of, handoff_data
from bot.outbox.schedule import Schedule, retry_after
from bot.outbox.signing import Unsignable, new_secret, sign

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")


# --- when ---


def test_ten_tries_within_eighteen_hours_and_then_it_is_given_up() -> None:
    schedule = Schedule()
    pauses = [schedule.pause(tries, None, lambda: 0.5) for tries in range(1, 11)]
    assert [each and each.total_seconds() for each in pauses] == [
        *(1, 5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, None)
    ]
    assert schedule.tries == 10


@given(tries=st.integers(1, 9), draw=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_a_fifth_shorter_or_longer_at_most(tries: int, draw: float) -> None:
    plain, drawn = Schedule().pause(tries, None, lambda: 0.5), Schedule().pause(tries, None, lambda: draw)
    assert plain
    assert drawn
    assert 0.799 <= drawn / plain <= 1.201


def test_a_receiver_is_left_alone_for_as_long_as_it_asks_and_no_shorter_than_planned() -> None:
    schedule = Schedule()
    assert schedule.pause(1, timedelta(minutes=3), lambda: 0.5) == timedelta(minutes=3)
    assert schedule.pause(9, timedelta(minutes=3), lambda: 0.5) == timedelta(hours=10)
    assert schedule.pause(10, timedelta(minutes=3), lambda: 0.5) is None


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("30", 30),
        ("0", 1),
        ("7200", 3_600),
        ("9" * 5_000, 3_600),
        (format_datetime(AT + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(AT - timedelta(days=9), usegmt=True), 1),
        (format_datetime(AT + timedelta(days=9), usegmt=True), 3_600),
        ("Sun, 22 Nov 2026 12:01:00 -0000", None),
        *((bad, None) for bad in ("", None, "soon", "-5", "1.5", "\u0663\u0660", "Mon, 99 Foo 2026 00:00:00 GMT")),
    ],
)
def test_retry_after_is_read_in_both_forms_and_kept_within_bounds(header: str | None, seconds: int | None) -> None:
    wanted = retry_after(header, AT)
    assert (wanted and wanted.total_seconds()) == seconds


# --- signed how ---


@given(body=st.text().map(lambda text: json.dumps({"x": text}).encode()), number=st.integers(0, 2**64))
def test_what_is_signed_is_what_the_package_verifies(body: bytes, number: int) -> None:
    secret = new_secret()
    headers = dict(sign([secret], f"msg_{number}", datetime.now(UTC), body))
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    for name, value in (("webhook-id", "msg_x"), ("webhook-timestamp", str(int(headers["webhook-timestamp"]) + 1))):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**headers, name: value})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_after_a_rotation_both_secrets_verify() -> None:
    old, new = new_secret(), new_secret()
    for order in ([new, old], [old, new]):
        headers = dict(sign(order, "msg_1", datetime.now(UTC), b"{}"))
        assert headers["webhook-signature"].count("v1,") == 2
        assert Webhook(old).verify(b"{}", headers) == Webhook(new).verify(b"{}", headers) == {}


def test_another_zone_is_the_same_moment() -> None:
    """The package takes the figures of any zone as if they were UTC."""
    secret, there = new_secret(), timezone(timedelta(hours=9))
    assert sign([secret], "msg_1", AT, b"{}") == sign([secret], "msg_1", AT.astimezone(there), b"{}")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_\u00fc", "whsec_a", "x", "\ud800"])
def test_there_is_one_error_for_all_that_cannot_be_signed(secret: str) -> None:
    with pytest.raises(Unsignable):
        sign([secret], "msg_1", AT, b"{}")


def test_a_time_without_a_zone_or_no_secret_is_never_signed() -> None:
    with pytest.raises(Unsignable):
        sign([new_secret()], "msg_1", AT.replace(tzinfo=None), b"{}")
    with pytest.raises(Unsignable):
        sign([], "msg_1", AT, b"{}")


def test_a_secret_is_32_random_bytes() -> None:
    one, two = new_secret(), new_secret()
    assert one != two
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32


# --- saying what ---


def handoff(ask: wire.Confirmation | wire.Input, decision: wire.Decision | None = None) -> Handoff:
    payload = ask_payload(ask)
    return Handoff(
        id="hf_1",
        agent="mailer",
        run=ask.run,
        run_name="weekly",
        requester=None,
        state=State.DECIDED if decision else State.PENDING,
        revision=1,
        digest=digest_of(payload),
        ask=ask,
        payload=payload,
        route=Route(policy="none", timeout_s=600, on_timeout="deny", to=()),
        opened_at=AT,
        expires_at=AT,
        decision=decision,
    )


def mail(body: str = "Here it is.") -> wire.Confirmation:
    action = wire.Action(tool="send_email", args={"to": "alice@example.com", "body": body})
    return wire.Confirmation(
        gate="send_email", run=f"run_{'r' * 22}", what="Send it", why="Asked", risks=("Gone",), action=action
    )


def question(schema: dict[str, Any]) -> wire.Input:
    return wire.Input(kind="input", gate="budget", run=f"run_{'r' * 22}", question="How much?", answer_schema=schema)


def said(of: Handoff) -> Any:
    return json.loads(body_of("handoff.decided", AT, handoff_data(of, token="hf_1.t", url="https://a/handoffs/hf_1")))


def test_arguments_are_never_in_it() -> None:
    yes = wire.Edited(
        by=MIRA, at=AT, revision=1, message_for_agent="Do it.", digest="0" * 64, args={"body": "CANARY"}, reason="ok"
    )
    document = said(handoff(mail("CANARY"), yes))
    assert "CANARY" not in json.dumps(document)
    assert document["data"]["decision"]["digest"] == "0" * 64


@pytest.mark.parametrize(
    "schema, shown",
    [
        ({"type": "string"}, True),
        ({"type": "string", "writeOnly": True}, False),
        ({"type": "string", "format": "password"}, False),
        ({"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}}, False),
        ({"anyOf": [{"type": "integer"}, {"type": "string", "writeOnly": True}]}, False),
        ({"type": "object", "properties": {"writeOnly": {"type": "boolean"}}}, True),
    ],
)
def test_an_answer_that_its_schema_hides_is_not_sent(schema: dict[str, Any], shown: bool) -> None:
    answer = wire.Answered(by=MIRA, at=AT, revision=1, message_for_agent="42", digest="0" * 64, answer="CANARY")
    data = said(handoff(question(schema), answer))["data"]
    assert ("answer" in data["decision"]) is shown
    assert data.get("left_out") == (None if shown else ["decision.answer"])


@given(
    letter=st.sampled_from(["a", "\u00e9", "\u20ac", "\U0001f600", '"', "\\", "\x00", "\ud800"]),
    name=st.integers(1, 30_000),
    long=st.integers(0, 30_000),
    longer=st.integers(0, 30_000),
)
def test_a_body_is_never_over_20_kib_and_says_what_it_leaves_out(
    letter: str, name: int, long: int, longer: int
) -> None:
    answer, message, by = letter * long, letter * longer, MIRA.model_copy(update={"name": letter * name})
    decision = wire.Answered(by=by, at=AT, revision=1, message_for_agent=message, digest="0" * 64, answer=answer)
    data = handoff_data(handoff(question({"type": "string"}), decision), token="t", url="u")
    body = body_of("handoff.decided", AT, data)
    assert len(body) <= MOST_BYTES
    document = json.loads(body)
    left = document["data"].get("left_out", [])
    for part in ("answer", "by", "message_for_agent"):
        assert (part in document["data"]["decision"]) is (f"decision.{part}" not in left)
    assert document["data"]["decision"]["kind"] == "answered"


def test_what_happened_and_when_is_said_first() -> None:
    assert body_of("endpoint.test", AT, {"endpoint": "ep_1"}) == (
        b'{"type":"endpoint.test","timestamp":"2026-11-22T12:00:00Z","data":{"endpoint":"ep_1"}}'
    )
