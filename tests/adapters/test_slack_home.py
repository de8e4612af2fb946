"""The Home tab, and what people want to be told and asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from andon import wire
from bot.errors import BadRequest
from bot.handoff import Handoff, State
from bot.ports import BrakeOrder
from bot.talk import Settings
from tests.adapters.talkers import EMAIL, House, talkers
from tests.fakes.desk import MIRA
from tests.fakes.slack.people import Person
from tests.fakes.waiting import seen

Json = dict[str, Any]
TELL = "andon:setting:outcomes"
TWICE = "andon:setting:twice"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with talkers() as made:
        yield made


async def test_home_shows_what_waits_the_runs_of_my_channels_and_my_settings(house: House) -> None:
    run = house.run("#ops")
    house.ask({**EMAIL, "what": "the plan"}, run=run.id)

    shown = (await house.ana.open_home()).shown

    assert "1 waiting for a person" in shown
    assert "the plan" in shown
    assert "weekly-report · assistant · #ops · 1 waiting" in shown
    assert "Send me a direct message when what I decided is done" in shown


async def test_home_shows_nothing_of_channels_that_i_am_not_in(house: House) -> None:
    house.run(house.secret.id, name="layoffs")
    house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))

    mine, hers = (await house.ana.open_home()).shown, (await house.mira.open_home()).shown

    assert "fire" not in mine
    assert "layoffs" not in mine
    assert "fire" in hers
    assert "layoffs" in hers


async def test_a_run_of_a_channel_that_is_called_the_same_elsewhere_is_not_mine(house: House) -> None:
    """`#ops` of a run is a channel of its own workspace; another's has the same name."""
    other = house.cloud.team("T0SECOND")
    house.cloud.install(other)
    house.run(f"{other.id}/{house.ops.id}", name="theirs")

    assert "theirs" not in (await house.ana.open_home()).shown


async def test_runs_are_looked_up_only_where_the_bot_is(house: House) -> None:
    """People are in many more channels than the bot, and to name each is a call to Slack."""
    public = house.cloud.channel("public", [house.ana], bot=False)
    house.run(public.id, name="elsewhere")
    house.run("#ops")

    shown = (await house.ana.open_home()).shown

    assert "weekly-report" in shown
    assert "elsewhere" not in shown


async def test_a_channels_id_alone_means_the_first_workspace(house: House) -> None:
    """A run that names no workspace is not bound to a channel of another one."""
    house.run(house.ops.id)

    assert await house.seen.bound(f"{house.ops.team.id}/{house.ops.id}")
    assert await house.seen.bound(f"T0SECOND/{house.ops.id}") == []


async def test_runs_come_newest_first_and_at_most_twenty(house: House) -> None:
    for number in range(25):
        house.run("#ops", name=f"job-{number:02d}", number=number)
        house.cloud.clock.advance(1)
    house.desk.bound.reverse()  # as the desk has them: the latest started first

    shown = (await house.ana.open_home()).shown

    assert shown.index("job-24") < shown.index("job-23")
    assert "job-05" in shown
    assert "job-04" not in shown


async def test_a_guest_has_a_home_of_their_own_channels(house: House) -> None:
    house.ask({**EMAIL, "what": "in ops"})
    house.ask({**EMAIL, "what": "in secret"}, house.place(house.secret))

    shown = (await house.guest.open_home()).shown

    assert "in ops" in shown
    assert "in secret" not in shown


async def test_nobody_of_another_organisation_has_a_home(house: House) -> None:
    house.ask({**EMAIL, "what": "in ops"})

    await house.home.opened(house.ops.team.id, house.stranger.id)

    assert house.stranger.home is None


async def test_when_slack_does_not_say_where_i_am_home_stays_as_it_was(house: House) -> None:
    """An empty list would be a lie."""
    house.ask({**EMAIL, "what": "in ops"})
    await house.ana.open_home()
    house.parts.people.forget(house.ops.team.id, house.ana.id)
    house.cloud.refuses["users.conversations"] = "fatal_error"

    assert "in ops" in (await house.ana.open_home()).shown


# --- in step ---------------------------------------------------------------------------------------


def _publishes(house: House) -> int:
    return house.cloud.calls["views.publish"]


async def _settled(house: House) -> None:
    """Nobody is left to be shown anything."""
    assert await seen(lambda: not house.home._followed, within_s=10)


async def test_an_open_home_follows_what_changes(house: House) -> None:
    await house.ana.open_home()
    made = house.ask({**EMAIL, "what": "brand new"})

    await house.home.changed(made)

    assert await seen(lambda: house.ana.home and "brand new" in house.ana.home.shown, within_s=5)


async def test_only_those_who_look_on_and_may_see_it_are_shown_a_change(house: House) -> None:
    await house.ana.open_home()
    made = house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))
    before = _publishes(house)

    await house.home.changed(made)

    await _settled(house)
    assert _publishes(house) == before


async def test_a_home_that_was_opened_long_ago_is_left_alone(house: House) -> None:
    await house.ana.open_home()
    house.cloud.clock.advance(3601)
    before = _publishes(house)

    await house.home.changed(house.ask(EMAIL))

    assert not house.home._followed
    assert _publishes(house) == before


async def test_that_others_look_on_keeps_nobodys_home_in_step(house: House) -> None:
    await house.ana.open_home()
    house.cloud.clock.advance(40 * 60)
    await house.mira.open_home()
    house.cloud.clock.advance(30 * 60)

    await house.home.changed(house.ask({**EMAIL, "what": "brand new"}))

    assert await seen(lambda: house.mira.home and "brand new" in house.mira.home.shown, within_s=5)
    await _settled(house)
    assert house.ana.home
    assert "brand new" not in house.ana.home.shown


async def test_many_changes_at_once_are_two_publishes(house: House) -> None:
    """One at once and one when the pace allows, which shows the last of them."""
    await house.ana.open_home()
    before = _publishes(house)
    for _ in range(20):
        await house.home.changed(house.ask(EMAIL))
        assert len(house.home._followed) <= 1
        await asyncio.sleep(0.01)

    assert await seen(lambda: house.ana.home and "20 waiting" in house.ana.home.shown, within_s=10)
    await _settled(house)
    assert _publishes(house) <= before + 2


async def test_several_look_on_at_once(house: House) -> None:
    await asyncio.gather(*(house.home.opened(house.ops.team.id, each.id) for each in (house.ana, house.mira)))

    await house.home.changed(house.ask({**EMAIL, "what": "brand new"}))

    def is_shown() -> bool:
        return all(each.home and "brand new" in each.home.shown for each in (house.ana, house.mira))

    assert await seen(is_shown, within_s=5)


# --- settings --------------------------------------------------------------------------------------


async def test_a_setting_is_kept_and_shown(house: House) -> None:
    home = await house.ana.open_home()
    assert await house.standings.load(house.ops.team.id, house.ana.id) == Settings(outcomes="failures", twice=False)

    await home.select(TELL, "Always")
    await home.select(TWICE, "Yes")

    assert await house.standings.load(house.ops.team.id, house.ana.id) == Settings(outcomes="all", twice=True)
    assert await house.standings.load(house.ops.team.id, house.mira.id) == Settings()


async def test_a_setting_lasts_as_long_as_it_is_used(house: House) -> None:
    team = house.ops.team.id
    await house.standings.save(team, house.ana.id, Settings(twice=True))

    for _ in range(3):
        house.cloud.clock.advance(timedelta(days=390).total_seconds())
        assert (await house.standings.load(team, house.ana.id)).twice

    house.cloud.clock.advance(timedelta(days=401).total_seconds())
    assert not (await house.standings.load(team, house.ana.id)).twice


@pytest.mark.parametrize("key, value", [("outcomes", "some"), ("twice", "maybe"), ("nothing", "on")])
async def test_what_is_no_setting_is_refused(house: House, key: str, value: str) -> None:
    with pytest.raises(BadRequest):
        await house.standings.choose(house.ops.team.id, house.ana.id, key, value)


# --- what came of it -------------------------------------------------------------------------------


def _ended(
    house: House, status: Literal["executed", "failed", "undone", "undo_failed"], by: Person | None = None
) -> Handoff:
    who = by or house.ana
    actor = wire.Actor(kind="person", id=f"{who.team.id}/{who.id}", name=who.name, surface="slack")
    made = house.ask({**EMAIL, "what": "Send <!channel> the report"})
    decision = wire.Approved(
        by=actor, at=house.now, revision=1, digest=made.digest, args={}, message_for_agent="Go ahead."
    )
    error = "SMTP said no" if "failed" in status else None
    outcome = wire.Outcome(status=status, at=house.now, error=error)
    return replace(made, state=State.CLOSED, decision=decision, outcome=outcome)


async def test_who_decided_hears_of_a_failure_once(house: House) -> None:
    ended = _ended(house, "failed")

    await house.standings.ended(ended)
    await house.standings.ended(ended)

    (message,) = house.ana.dms
    assert "What you decided could not be done." in message.shown
    assert "SMTP said no" in message.shown
    assert "Send <!channel> the report" in message.shown
    assert "<!channel>" not in message.text
    assert "Open in the console" in message.shown


@pytest.mark.parametrize(
    "wanted, told", [("failures", ["failed", "undo_failed"]), ("all", ["executed", "failed", "undone", "undo_failed"])]
)
async def test_people_hear_of_the_ends_that_they_want_to(
    house: House, wanted: Literal["failures", "all"], told: list[str]
) -> None:
    await house.standings.save(house.ops.team.id, house.ana.id, Settings(outcomes=wanted))

    for status in ("executed", "failed", "undone", "undo_failed"):
        await house.standings.ended(_ended(house, status))

    assert len(house.ana.dms) == len(told)


async def test_who_wants_to_hear_nothing_hears_nothing(house: House) -> None:
    await house.standings.save(house.ops.team.id, house.ana.id, Settings(outcomes="none"))

    await house.standings.ended(_ended(house, "failed"))

    assert house.ana.dms == []


async def test_somebody_of_another_organisation_is_not_written_to(house: House) -> None:
    await house.standings.ended(_ended(house, "failed", house.stranger))

    assert house.cloud.calls["chat.postMessage"] == 0


async def test_a_message_that_slack_did_not_take_is_sent_the_next_time(house: House) -> None:
    ended = _ended(house, "failed")
    house.cloud.refuses["chat.postMessage"] = "fatal_error"
    await house.standings.ended(ended)

    del house.cloud.refuses["chat.postMessage"]
    await house.standings.ended(ended)

    assert len(house.ana.dms) == 1


async def test_decisions_from_elsewhere_are_told_nobody_here(house: House) -> None:
    ended = _ended(house, "failed")
    assert ended.decision
    web = ended.decision.by.model_copy(update={"surface": "web"})

    await house.standings.ended(replace(ended, decision=ended.decision.model_copy(update={"by": web})))
    await house.standings.ended(replace(ended, decision=None))
    await house.standings.ended(replace(ended, outcome=None))

    assert house.cloud.calls["chat.postMessage"] == 0


# --- what is stopped --------------------------------------------------------------------------------


async def test_resume_on_home_lifts_the_very_brake_that_was_shown(house: House) -> None:
    """Between the look and the press somebody may stop it anew."""
    await house.ana.open_home()
    await house.desk.braking.obey(BrakeOrder("1", wire.BrakeScope(everything=True), "stop", MIRA))
    home = await house.ana.open_home()
    assert "Mira stopped every agent" in home.shown
    await home.press("Resume every agent")
    order = house.desk.braking.orders[-1]
    assert (order.action, order.epoch, order.scope.everything) == ("resume", 1, True)
    assert order.said_at is not None
    assert "What is stopped" not in (await house.ana.open_home()).shown
