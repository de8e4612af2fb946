"""Calls to Slack: errors that say what to do, a pace that every process keeps, and no post sent twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from adapters.slack.api import NoAccess, SlackFailed, Unreachable
from adapters.slack.calls import _NO_ACCESS, _REASONS
from bot.errors import BotError, TooMany, Undeliverable
from tests.adapters.plumbing import Parts, plumbing
from tests.fakes.slack.cloud import SlackCloud

HOME = "T0ANDON"


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with SlackCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


async def post(parts: Parts, channel: str, text: str = "hello", **more: Any) -> Mapping[str, Any]:
    return await parts.api.call(HOME, "chat.postMessage", channel=channel, text=text, **more)


def shown(parts: Parts, channel: Any) -> list[str]:
    return [message.text for message in parts.cloud.cards(channel)]


# --- calls ---


async def test_a_message_arrives_as_it_was_sent(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops")
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": "Ünïcode & <tags>"}}]

    told = await post(parts, ops.id, "fallback", blocks=blocks, unfurl_links=False, thread_ts=None)

    (message,) = parts.cloud.cards(ops)
    assert (message.ts, message.text) == (told["ts"], "fallback")
    assert message.blocks[0]["text"]["text"] == "Ünïcode & <tags>"


async def test_reading_calls_take_flags_and_numbers(parts: Parts) -> None:
    """They go as a form: of the reading methods only some take JSON."""
    for number in range(5):
        parts.cloud.channel(f"#c{number}", archived=number == 0)

    pages = parts.api.pages(HOME, "users.conversations", "channels", exclude_archived=True, limit=2)

    assert [channel["name"] async for channel in pages] == ["c1", "c2", "c3", "c4"]
    assert parts.cloud.calls["users.conversations"] == 2


async def test_whose_token_it_is_is_asked_once(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops")

    await asyncio.gather(*(post(parts, ops.id, str(number)) for number in range(3)))

    assert parts.cloud.calls["auth.test"] == 1


# --- errors ---


async def test_a_bot_that_is_not_in_the_channel_says_how_to_invite_it(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops", bot=False)
    parts.api.named(HOME, ops.id, "#ops")

    with pytest.raises(Unreachable) as caught:
        await post(parts, ops.id)

    assert caught.value.code == "not_in_channel"
    assert str(caught.value) == "Andon is not in #ops; invite it there: /invite @andon"


@pytest.mark.parametrize("code", sorted(_REASONS))
async def test_every_place_that_cannot_be_reached_has_a_sentence(parts: Parts, code: str) -> None:
    """An operator reads it on the handoff, and knows what to do."""
    parts.cloud.refuses["chat.postMessage"] = code

    with pytest.raises(Unreachable) as caught:
        await post(parts, "C0OPS")

    assert isinstance(caught.value, Undeliverable)
    assert caught.value.code == code
    assert re.fullmatch(r"[^a-z{}][^{}]{20,}[^.]", str(caught.value))


@pytest.mark.parametrize("code", sorted(_NO_ACCESS - {"token_expired"}))
async def test_a_token_that_does_not_work_names_the_setting(parts: Parts, code: str) -> None:
    parts.cloud.refuses["chat.postMessage"] = code

    with pytest.raises(NoAccess) as caught:
        await post(parts, "C0OPS")

    assert "SLACK_BOT_TOKEN" in str(caught.value) or code == "missing_scope"
    assert "install the app again" in str(caught.value) or code != "missing_scope"


async def test_a_missing_scope_is_named(parts: Parts) -> None:
    parts.cloud.install(scopes=["chat:write"])

    with pytest.raises(NoAccess, match=r"users\.info: the app lacks users:read; add it under OAuth & Permissions"):
        await parts.api.call(HOME, "users.info", user="U1")


async def test_operators_are_told_once_of_one_fault(parts: Parts) -> None:
    await parts.installs.bot(HOME)
    parts.cloud.tokens[parts.cloud.token].is_revoked = True

    for _ in range(3):
        with pytest.raises(NoAccess):
            await parts.api.call(HOME, "users.info", user="U1")
    with pytest.raises(NoAccess):
        await parts.api.call(HOME, "users.lookupByEmail", email="a@b.c")

    assert len([about for about, _ in parts.desk.alerts if about == f"slack:{HOME}:token_revoked"]) == 2
    assert "SLACK_BOT_TOKEN" in parts.desk.alerts[0][1]


async def test_operators_are_told_of_a_token_that_never_worked(parts: Parts) -> None:
    parts.cloud.tokens.clear()

    with pytest.raises(NoAccess, match="invalid_auth; mend SLACK_BOT_TOKEN"):
        await post(parts, "C0OPS")

    assert parts.desk.alerts


async def test_another_refusal_keeps_what_slack_said_of_it(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops")

    with pytest.raises(SlackFailed) as caught:
        await post(parts, ops.id, blocks=[{"type": "section"}])

    assert caught.value.method == "chat.postMessage"
    assert caught.value.code.startswith("invalid_blocks")
    assert "(" in str(caught.value)


async def test_a_slack_that_is_down_is_told_as_such(parts: Parts) -> None:
    await parts.installs.bot(HOME)
    parts.cloud.is_down = True

    with pytest.raises(SlackFailed) as caught:
        await parts.api.call(HOME, "users.info", user="U1")

    assert caught.value.code == "http_503"


async def test_a_slack_that_does_not_answer_is_given_up(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    await parts.installs.bot(HOME)
    monkeypatch.setattr("adapters.slack.calls.TIMEOUT_S", 0.05)
    parts.cloud.hangs = True

    with pytest.raises(SlackFailed) as caught:
        await parts.api.call(HOME, "users.info", user="U1")

    parts.cloud.hangs = False
    assert caught.value.code == "timeout"


async def test_a_post_whose_reply_is_lost_is_not_sent_again(parts: Parts) -> None:
    """Whoever asked looks first whether it is there."""
    ops = parts.cloud.channel("#ops")
    await parts.installs.bot(HOME)
    parts.cloud.loses_replies = 1

    with pytest.raises(SlackFailed) as caught:
        await post(parts, ops.id, "once")

    assert caught.value.code == "connection"
    assert shown(parts, ops) == ["once"]


@pytest.mark.parametrize(
    "body, kind, status",
    [
        ("<html>proxy</html>", "text/html", 200),
        ("<html>proxy</html>", "text/html", 502),
        ("nonsense", "text/plain", 200),
        ("{", "application/json", 200),
        ("[]", "application/json", 200),
        ("[1]", "application/json", 200),
        ("null", "application/json", 200),
        ("\xff\xfe", "application/json", 200),
    ],
)
async def test_what_is_not_slack_s_answer_is_a_failure(body: str, kind: str, status: int) -> None:
    """A captive portal, a gateway, a wrong address."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body.encode("latin-1"), content_type=kind, status=status)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud = SlackCloud()
    cloud.api_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        async with plumbing(cloud) as parts:
            with pytest.raises(SlackFailed):
                await parts.api.call(HOME, "users.info", user="U1")
    finally:
        await runner.cleanup()


# --- pace ---


async def waves(parts: Parts, channel: str, texts: list[str], *, seconds: int = 40) -> list[tuple[int, str]]:
    """Post all of them as the outbox does, each again when it is told to; returns what was posted in which second."""
    came: list[tuple[int, str]] = []
    again = dict.fromkeys(texts, 0.0)
    for second in range(seconds):
        for text, at in list(again.items()):
            if at <= second:
                try:
                    await post(parts, channel, text)
                except TooMany as error:
                    again[text] = second + error.retry_after_s
                else:
                    came.append((second, text))
                    del again[text]
        parts.cloud.clock.advance(1)
    assert not again, f"these never had their turn: {again}"
    return came


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits take no time: here the clock is moved instead."""

    async def sleep(_: float) -> None:
        """Go on at once."""

    monkeypatch.setattr("bot.turns.sleep", sleep)


async def test_thirty_cards_for_one_channel_go_out_one_a_second_in_the_order_of_asking(
    parts: Parts, quick: None
) -> None:
    ops = parts.cloud.channel("#ops")
    texts = [f"card {number:02d}" for number in range(30)]

    came = await waves(parts, ops.id, texts)

    assert [text for _, text in came] == texts
    assert shown(parts, ops) == texts
    assert max(sum(at == second for at, _ in came) for second in range(1, 40)) <= 2
    assert 25 <= came[-1][0] <= 29
    assert not [error for error in parts.cloud.errors if "ratelimited" in error]


async def test_who_asks_later_does_not_go_first(parts: Parts, quick: None) -> None:
    """A turn that was taken is kept for its card, so newcomers cannot starve it."""
    ops = parts.cloud.channel("#ops")
    for number in range(10):
        with_turn = number < 4  # a burst of three, and one that waits for less than a second
        if with_turn:
            await post(parts, ops.id, f"early {number}")
        else:
            with pytest.raises(TooMany):
                await post(parts, ops.id, f"early {number}")

    parts.cloud.clock.advance(5)
    with pytest.raises(TooMany):
        await post(parts, ops.id, "late")
    parts.cloud.clock.advance(2)
    for number in range(4, 10):
        await post(parts, ops.id, f"early {number}")

    assert shown(parts, ops) == [f"early {number}" for number in range(10)]


async def test_a_full_channel_delays_no_other(parts: Parts, quick: None) -> None:
    ops, quiet = parts.cloud.channel("#ops"), parts.cloud.channel("#quiet")
    for number in range(30):
        try:
            await post(parts, ops.id, str(number))
        except TooMany:
            continue

    await post(parts, quiet.id, "at once")

    assert shown(parts, quiet) == ["at once"]


async def test_a_card_keeps_its_turn_while_it_counts_minutes_down(parts: Parts, quick: None) -> None:
    """Its metadata says which card it is."""
    ops = parts.cloud.channel("#ops")
    for number in range(4):
        await post(parts, ops.id, str(number))
    meta = {"event_type": "andon_card", "event_payload": {"handoff": "hf_1"}}
    with pytest.raises(TooMany) as caught:
        await post(parts, ops.id, "30 minutes left", metadata=meta)
    with pytest.raises(TooMany):
        await post(parts, ops.id, "behind it")

    parts.cloud.clock.advance(caught.value.retry_after_s)
    await post(parts, ops.id, "29 minutes left", metadata=meta)

    assert shown(parts, ops)[-1] == "29 minutes left"


async def test_another_process_finds_the_turn_that_this_one_took(parts: Parts, quick: None) -> None:
    ops = parts.cloud.channel("#ops")
    for number in range(4):
        await post(parts, ops.id, str(number))
    with pytest.raises(TooMany) as caught:
        await post(parts, ops.id, "mine")

    parts.cloud.clock.advance(caught.value.retry_after_s)
    async with plumbing(parts.cloud, shelf=parts.shelf) as other:
        await post(other, ops.id, "mine")

    assert shown(parts, ops)[-1] == "mine"


async def test_short_waits_are_slept(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("bot.turns.sleep", sleep)
    ops = parts.cloud.channel("#ops")

    for number in range(4):
        await post(parts, ops.id, str(number))

    assert len(slept) == 1
    assert 0.5 < slept[0] <= 1.0


async def test_slack_s_own_limit_is_obeyed_to_its_end(parts: Parts, quick: None) -> None:
    ops = parts.cloud.channel("#ops")
    await parts.installs.bot(HOME)
    parts.cloud.refuses["users.info"] = "ratelimited"
    with pytest.raises(TooMany) as caught:
        await parts.api.call(HOME, "users.info", user="U1")
    called = parts.cloud.calls["users.info"]
    parts.cloud.refuses.clear()

    parts.cloud.clock.advance(caught.value.retry_after_s - 1)
    with pytest.raises(TooMany):
        await parts.api.call(HOME, "users.info", user="U1")
    assert parts.cloud.calls["users.info"] == called
    await post(parts, ops.id, "another method may go on")

    parts.cloud.clock.advance(1)
    with pytest.raises(Unreachable):
        await parts.api.call(HOME, "users.info", user="U1")


async def test_a_channel_that_slack_limits_delays_no_other(parts: Parts, quick: None) -> None:
    ops, quiet = parts.cloud.channel("#ops"), parts.cloud.channel("#quiet")
    parts.cloud.rate_limits.strict()
    await post(parts, ops.id, "1")
    with pytest.raises(TooMany):
        await post(parts, ops.id, "2")

    await post(parts, quiet.id, "at once")

    assert shown(parts, quiet) == ["at once"]


async def test_a_slack_without_patience_gets_all_cards_in_the_end(parts: Parts, quick: None) -> None:
    """One a second, to the letter, while we begin with a burst: its Retry-After sets us right."""
    ops = parts.cloud.channel("#ops")
    parts.cloud.rate_limits.strict()
    texts = [f"card {number:02d}" for number in range(12)]

    await waves(parts, ops.id, texts, seconds=90)

    assert sorted(shown(parts, ops)) == texts


async def test_turns_do_not_come_all_at_once_after_a_rest(parts: Parts, quick: None) -> None:
    ops = parts.cloud.channel("#ops")
    for number in range(4):
        await post(parts, ops.id, str(number))
    for number in range(4, 12):
        with pytest.raises(TooMany):
            await post(parts, ops.id, str(number))
    parts.cloud.clock.advance(2)
    parts.cloud.refuses["chat.postMessage"] = "ratelimited"
    with pytest.raises(TooMany) as caught:
        await post(parts, ops.id, "4")
    parts.cloud.refuses.clear()
    parts.cloud.clock.advance(caught.value.retry_after_s)

    went = 0
    for number in range(4, 12):
        try:
            await post(parts, ops.id, str(number))
            went += 1
        except TooMany:
            continue

    assert went <= 4


async def test_nothing_is_posted_without_a_turn(parts: Parts) -> None:
    """When the store is away, nobody knows whose turn it is."""
    ops = parts.cloud.channel("#ops")
    await parts.installs.bot(HOME)
    parts.shelf.is_down = True

    with pytest.raises(BotError, match="not confirmed"):
        await post(parts, ops.id)

    assert shown(parts, ops) == []
