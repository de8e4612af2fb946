"""The cord in Slack when something is slow or away: what was stopped is stopped, and what was not is said."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest

from adapters.slack import inbound
from bot.braking import Braking
from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.shelf import SealedShelf
from bot.store.outbox import Outbox
from tests.fakes.slack.people import Person
from tests.flows.cord import becomes, brakes, posts, run_in, said, scopes
from tests.flows.slack_house import House, house, told_below
from tests.people import Json
from tests.servers import until

AWAY = "I cannot reach my own store just now, so nothing was stopped."


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


class Away:
    """The store does not confirm what the adapter asks of it."""

    def __init__(self, patch: pytest.MonkeyPatch, *, seconds: float = 0.0) -> None:
        self.patch = patch
        self.seconds = seconds

    async def _fails(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(self.seconds)
        raise StoreUnavailable("it is away")

    def __enter__(self) -> Self:
        for name in ("load", "once", "save", "forget", "take", "turn"):
            self.patch.setattr(SealedShelf, name, self._fails)
        self.patch.setattr(Braking, "obey", self._fails)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


async def heard(slack: House, person: Person, containing: str) -> None:
    async def is_told() -> bool:
        return any(containing in text for text in slack.cloud.told(person))

    await until(is_told, what=f"{containing!r} in {slack.cloud.told(person)}")


# --- the store ---


@pytest.mark.parametrize("seconds", [0.0, 0.4])
async def test_a_stop_without_the_store_is_said_to_have_failed_and_counts_when_it_comes_again(
    slack: House, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Even where the store takes longer to fail than Slack waits: it is not acknowledged before it is known of."""
    monkeypatch.setattr(inbound, "ACK_S", 0.1)
    slack.cloud.retry_scale = 0.02
    await run_in(slack)
    with pytest.MonkeyPatch.context() as patch, Away(patch, seconds=seconds):
        await slack.ana.say(slack.ops, "stop")
        await heard(slack, slack.ana, AWAY)
        assert not slack.cloud.deliveries[-1].ok
    await said(slack, "Ana stopped every run in this channel.")
    assert len(await brakes(slack)) == 1
    assert len(slack.cloud.told(slack.ana)) == 1, "once, however often Slack sends it"


@pytest.mark.parametrize("how", ["mention", "thread", "emoji", "direct"])
async def test_whatever_way_it_was_said_whoever_said_it_is_told(slack: House, how: str) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    slack.cloud.retry_scale = 1_000
    with pytest.MonkeyPatch.context() as patch, Away(patch):
        match how:
            case "mention":
                await slack.ana.say(slack.ops, f"{slack.cloud.bot().mention} stop this, please")
            case "thread":
                await slack.ana.say(slack.ops, "stop, not this list", thread=card)
            case "emoji":
                await slack.ana.react(card, "octagonal_sign")
            case "direct":
                await slack.ana.dm("stop all")
        await heard(slack, slack.ana, AWAY)
    assert await brakes(slack) == []


async def test_talk_while_the_store_is_away_is_left_alone(slack: House) -> None:
    await run_in(slack)
    slack.cloud.retry_scale = 1_000
    with pytest.MonkeyPatch.context() as patch, Away(patch):
        await slack.ana.say(slack.ops, "please stop by my desk")
        await slack.ana.say(slack.ops, "hello")
        await asyncio.sleep(0.2)
    assert slack.cloud.ephemerals == []


async def test_a_command_without_the_store_says_so(slack: House) -> None:
    await run_in(slack)
    with pytest.MonkeyPatch.context() as patch, Away(patch):
        outcome = await slack.ana.command("/andon", "stop", channel=slack.ops)
        assert AWAY in outcome.shown
        outcome = await slack.ana.command("/andon", "resume", channel=slack.ops)
        assert "nothing was resumed" in outcome.shown


async def test_a_press_without_the_store_says_so(slack: House) -> None:
    await run_in(slack)
    asked, card = await slack.asked_card()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Braking, "obey", Away(patch)._fails)
        outcome = await slack.ana.press(card, "Stop this run")
        await outcome.hears("its store is away")
    assert await slack.state(asked) == "pending"


async def test_a_stop_whose_reply_was_not_said_is_said_when_it_comes_again(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process, or the store, dies between the stop and its reply."""
    await run_in(slack)
    slack.cloud.retry_scale = 0.02
    real, calls = Braking.obey, 0

    async def dies_after(self: Braking, *args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        receipt = await real(self, *args, **more)
        if calls == 1:
            raise StoreUnavailable("it went away just after")
        return receipt

    monkeypatch.setattr(Braking, "obey", dies_after)
    await slack.ana.say(slack.ops, "stop")
    await said(slack, "Ana stopped every run in this channel.")
    assert calls == 2
    (held,) = await brakes(slack)
    assert held["epoch"] == 1


# --- Slack ---


async def test_a_stop_is_acknowledged_in_time_however_slow_slack_is(slack: House) -> None:
    """And it stops before Slack answers anything."""
    asked, _ = await _bound(slack)
    slack.cloud.hangs = True
    begun = time.monotonic()
    try:
        await slack.ana.say(slack.ops, "stop")
        assert slack.cloud.deliveries[-1].ack_status == 200
        assert time.monotonic() - begun < 3
        await becomes(slack, asked, "held")
        assert time.monotonic() - begun < 5, "Slack itself is given up after ten seconds"
    finally:
        slack.cloud.hangs = False
    await said(slack, "stopped every run in this channel.")


@pytest.mark.parametrize("method", ["users.info", "users.conversations", "conversations.info"])
async def test_a_stop_does_not_need_slack_to_say_who_it_was(slack: House, method: str) -> None:
    """Whoever Slack's own event comes from is in the conversation; that is enough to stop, and for nothing else."""
    asked, _ = await _bound(slack)
    slack.cloud.refuses[method] = "fatal_error"
    await slack.ana.say(slack.ops, "stop")
    await said(slack, "stopped every run in this channel.")
    await becomes(slack, asked, "held")
    if method == "conversations.info":
        return
    await slack.ana.say(slack.ops, "resume")
    await heard(slack, slack.ana, "Slack does not say now who you are, so nothing was resumed.")
    assert len(await brakes(slack)) == 1


async def _bound(slack: House) -> tuple[Json, Any]:
    """A card in the channel, of a run that names it as people do; its name was looked up, as for every card."""
    await run_in(slack, {"surface": "slack", "channel": "#ops"})
    return await slack.asked_card(to=None)


async def test_in_a_shared_channel_slack_must_say_who_it_was(slack: House) -> None:
    """A stranger's event looks like a colleague's where Slack leaves their workspace out."""
    eve = slack.cloud.user("eve", team=slack.cloud.team("T0OTHER"))
    shared = slack.cloud.channel("#shared", members=[slack.mira, eve], bot=True, shared=True)
    await run_in(slack, slack.place(shared))
    card = await slack.card(await slack.ask(to=[slack.place(shared)]), shared)
    slack.cloud.refuses["users.info"] = "fatal_error"
    await eve.say(shared, "stop")
    await eve.react(card, "octagonal_sign")
    await slack.until_settled()
    assert await brakes(slack) == []
    assert not posts(slack)


async def test_a_reply_that_slack_does_not_take_changes_nothing(slack: House) -> None:
    asked, card = await _bound(slack)
    slack.cloud.refuses["chat.postMessage"] = "fatal_error"
    await slack.ana.say(slack.ops, "stop")
    await becomes(slack, asked, "held")
    await card.shows("Ana stopped every run in its conversation")
    assert slack.cloud.deliveries[-1].ok


# --- over a socket, and from another process ---


async def test_over_a_socket_it_is_the_same(settings: Settings) -> None:
    async with house(settings, socket_mode=True) as slack:

        async def connected() -> bool:
            return bool(slack.cloud.sockets.connections)

        await until(connected, what="the service has connected")
        await run_in(slack)
        asked, card = await slack.asked_card()
        await slack.ana.say(slack.ops, "stop", thread=card)
        await told_below(card, "Ana stopped this run.")
        await becomes(slack, asked, "held")
        await slack.ana.react(card, "octagonal_sign")
        await told_below(card, "Already stopped by Ana")
        await slack.ana.command("/andon", "stop all", channel=slack.ops)
        await said(slack, "Ana stopped every agent.")
        assert {"stop": {"everything": True}} in await scopes(slack)


async def test_a_card_whose_address_is_not_stored_yet_is_known_by_itself(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is quick replies within the moment after it was posted."""

    async def not_yet(*_: object) -> None:
        return None

    monkeypatch.setattr(Outbox, "card_at", not_yet)
    run = await run_in(slack)
    await run_in(slack, name="another")
    asked = await slack.ask(run=run)
    card = await slack.card(asked)
    await slack.ana.say(slack.ops, "stop", thread=card)
    await told_below(card, "Ana stopped this run.")
    assert await scopes(slack) == [{"stop": {"run": run}}]
