"""The cord in Teams when something is slow or away: what was stopped is stopped, and what was not is said."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest

from adapters.teams import inbound
from bot.braking import Braking
from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.shelf import SealedShelf
from tests.flows.teams_cord import STOP_SIGN, becomes, brakes, plain, posts, run_in, said, with_consent
from tests.flows.teams_house import House, house
from tests.servers import until

AWAY = "I cannot reach my own store just now, so nothing was stopped."


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent, may_be_refused=("answered with 503",)) as running:
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
        for name in ("load", "once", "save", "forget", "take", "turn", "load_lasting", "save_lasting", "lasting"):
            self.patch.setattr(SealedShelf, name, self._fails)
        self.patch.setattr(Braking, "obey", self._fails)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


# --- the store ---


@pytest.mark.parametrize("seconds", [0.0, 0.4])
async def test_a_stop_without_the_store_is_said_to_have_failed_and_counts_when_it_comes_again(
    teams: House, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Even where the store takes longer to fail than Teams waits: it is not acknowledged before it is known of."""
    monkeypatch.setattr(inbound, "ACK_S", 0.1)
    await run_in(teams)
    teams.cloud.retries = False
    with pytest.MonkeyPatch.context() as patch, Away(patch, seconds=seconds):
        await teams.ana.say(teams.ops, "stop")
        assert teams.cloud.deliveries[-1].ack.status == 503
        told = await said(teams, AWAY)
        await teams.cloud.redeliver_last("message")
        assert "or do it in the console" in plain(told)
    await teams.cloud.redeliver_last("message")
    await said(teams, "Ana stopped every run in this channel.")
    assert len(await brakes(teams)) == 1
    assert sum(AWAY in each for each in posts(teams)) == 1, "once, however often Teams sends it"


@pytest.mark.parametrize("how", ["mention", "thread", "reaction", "direct"])
async def test_whatever_way_it_was_said_whoever_said_it_is_told(teams: House, how: str) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    teams.cloud.retries = False
    with pytest.MonkeyPatch.context() as patch, Away(patch):
        match how:
            case "mention":
                await teams.ana.say(teams.ops, "stop this, please", mention=True)
            case "thread":
                await teams.ana.say(teams.ops, "stop", thread=card)
            case "reaction":
                await teams.ana.react(card, STOP_SIGN)
            case "direct":
                await teams.ana.dm("stop all")
        await said(teams, AWAY, teams.ana if how == "direct" else None)
    assert await brakes(teams) == []


async def test_talk_while_the_store_is_away_is_left_alone(teams: House) -> None:
    await run_in(teams)
    teams.cloud.retries = False
    with pytest.MonkeyPatch.context() as patch, Away(patch):
        await teams.ana.say(teams.ops, "please stop by my desk")
        await teams.ana.say(teams.ops, "hello")
        await teams.ana.say(teams.ops, "stop")
        await said(teams, AWAY)  # it came last, so the others are done with
    assert [AWAY in each for each in posts(teams)] == [True]


async def test_a_press_without_the_store_says_so(teams: House) -> None:
    await run_in(teams)
    asked, card = await teams.asked_card()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Braking, "obey", Away(patch)._fails)
        outcome = await teams.ana.press(card, "Stop this run")
        assert "its store is away" in outcome.said
    assert await teams.state(asked) == "pending"


async def test_a_stop_whose_reply_was_not_said_is_said_when_it_comes_again(
    teams: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process, or the store, dies between the stop and its reply."""
    await run_in(teams)
    real, calls = Braking.obey, 0

    async def dies_after(self: Braking, *args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        receipt = await real(self, *args, **more)
        if calls == 1:
            raise StoreUnavailable("it went away just after")
        return receipt

    monkeypatch.setattr(Braking, "obey", dies_after)
    await teams.ana.say(teams.ops, "stop")
    await said(teams, "Ana stopped every run in this channel.")
    assert calls == 2
    (held,) = await brakes(teams)
    assert held["epoch"] == 1


# --- Teams ---


async def test_a_stop_is_acknowledged_in_time_however_slow_teams_is(teams: House) -> None:
    """And it stops before Teams answers anything."""
    await run_in(teams)
    asked, _ = await teams.asked_card()
    teams.cloud.hangs = True
    begun = time.monotonic()
    try:
        await teams.ana.say(teams.ops, "stop")
        assert teams.cloud.deliveries[-1].ack.status == 200
        assert time.monotonic() - begun < 4
        await becomes(teams, asked, "held")
        assert time.monotonic() - begun < 6, "Teams itself is given up after ten seconds"
    finally:
        teams.cloud.hangs = False
    await said(teams, "stopped every run in this channel.")


@pytest.mark.parametrize("text", ["stop", "stop mailer"])
async def test_a_stop_does_not_need_teams_to_say_who_it_was(teams: House, text: str) -> None:
    """Whoever Teams' own activity comes from is in the conversation; that is enough to stop, and for nothing else."""
    await run_in(teams)
    asked, _ = await teams.asked_card()
    teams.cloud.refuse("member", "ServiceError", times=50)
    await teams.ana.say(teams.ops, text)
    told = await said(teams, "Ana stopped every run in this channel.")
    assert ("A guest can stop only what works in this conversation." in plain(told)) is (text != "stop")
    await becomes(teams, asked, "held")
    await teams.ana.say(teams.ops, "resume")
    await said(teams, "Teams does not say now who you are, so nothing was resumed.", teams.ana)
    assert len(await brakes(teams)) == 1


async def test_in_a_shared_channel_teams_must_say_who_it_was(teams: House) -> None:
    """There a stranger's activity looks like a colleague's."""
    await run_in(teams)
    teams.cloud.refuse("member", "ServiceError", times=50)
    words = await teams.ana.say(teams.ops, "hello")
    activity = teams.last("message").activity
    activity |= {"id": str(int(words.id) + 1), "text": "stop"}
    activity["channelData"]["channel"]["type"] = "shared"
    await teams.cloud.courier.send(activity)
    await said(teams, "Teams does not say now who you are, so nothing was stopped.", teams.ana)
    assert await brakes(teams) == []


async def test_a_reply_that_teams_does_not_take_changes_nothing(teams: House) -> None:
    await run_in(teams)
    asked, card = await teams.asked_card()
    teams.cloud.refuse("send", "ServiceError", times=20)
    await teams.ana.say(teams.ops, "stop")
    await becomes(teams, asked, "held")
    await card.shows("Ana stopped every run in its conversation")
    assert teams.cloud.deliveries[-1].ok


async def test_replies_wait_for_their_turn_and_are_all_said(teams: House) -> None:
    """Teams takes seven messages in a second; the stops themselves do not wait."""
    runs = [await run_in(teams, {"surface": "web"}, name=f"job-{number}") for number in range(9)]
    cards = [await teams.card(await teams.ask(run=run)) for run in runs]
    begun = time.monotonic()
    await asyncio.gather(*(teams.ana.say(teams.ops, "stop", thread=card) for card in cards))

    async def all_stopped() -> bool:
        return len(await brakes(teams)) == len(runs)

    await until(all_stopped, what="all are stopped")
    assert time.monotonic() - begun < 5

    async def all_told() -> bool:
        return sum("Ana stopped this run." in each for each in posts(teams)) == len(runs)

    await until(all_told, within_s=30, what="all were told")
