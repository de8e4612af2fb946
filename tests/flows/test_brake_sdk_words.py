"""Somebody pauses a run, or tells it something: its agent waits, or reads it and goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from andon import Approved, Run, wire
from andon._api import Api
from bot.config import Settings
from tests.flows.office import (
    Office,
    ask,
    choose,
    confirm,
    ends,
    gate,
    held_by,
    milestone,
    open_office,
    question,
    review,
    steered_by,
    stopped_by,
    task,
)
from tests.servers import until


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report", channel="#ops") as run:
        yield run


# --- a pause ---


async def test_a_pause_lets_a_call_wait_on(office: Office, run: Run) -> None:
    waiting = task(gate(run))
    card = await office.card()
    await office.brake(run, "pause")
    await office.comes_to(card["id"], "held")
    assert not await ends(waiting)
    assert held_by(run) == "pause"
    await office.brake(run, "resume")
    await office.comes_to(card["id"], "pending")
    (await office.mira.approve(card)).ok()
    assert await waiting == "sent 1"
    assert held_by(run) is None


async def test_a_pause_holds_up_what_would_ask_act_or_go_on_until_it_is_lifted(office: Office, run: Run) -> None:
    approved = task(confirm(run))
    (await office.mira.approve(await office.card())).ok()
    decision = await approved
    assert isinstance(decision, Approved)
    await office.brake(run, "pause")
    works = [
        task(run.claim(decision)),
        task(run.open(question(run))),
        task(run.checkpoint("drafted")),
        task(run.resumed()),
    ]
    done, _ = await asyncio.wait(works, timeout=0.5)
    assert not done
    await office.brake(run, "resume")
    permit, handoff, version, _ = await asyncio.wait_for(asyncio.gather(*works), 10)
    assert (permit.args, version) == ({"n": 1}, 1)
    assert await office.state(handoff.id) == "pending"


async def test_a_pause_that_becomes_a_stop_stops(office: Office, run: Run) -> None:
    waits = [task(ask(run))]
    await office.card()
    await office.brake(run, "pause")
    waits += [task(run.open(question(run))), task(run.checkpoint("drafted"))]
    assert not await ends(waits[-1])
    await office.brake(run, "stop")
    for wait in waits:
        await stopped_by(wait)


async def test_who_is_cancelled_in_a_pause_takes_the_ask_back(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    card = await office.card()
    await office.brake(run, "pause")
    await office.comes_to(card["id"], "held")
    unopened = task(confirm(run))
    assert not await ends(unopened)
    for each in (waiting, unopened):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each
    assert (await office.mira.look(card["id"]))["decision"]["kind"] == "withdrawn"


# --- a steer ---


@pytest.mark.parametrize("wait", [confirm, choose, ask, review, gate, milestone])
async def test_words_interrupt_a_call_that_waits_and_the_pauseends(
    office: Office, run: Run, wait: Callable[[Run], Awaitable[object]]
) -> None:
    waiting = task(wait(run))
    card = await office.card()
    await office.brake(run, "steer", "Change the recipient to Bob")
    steered = await steered_by(waiting)
    assert str(steered) == "mira says: Change the recipient to Bob. Take this into account before you go on."
    assert [(said.text, said.by.name) for said in steered.steers] == [("Change the recipient to Bob", "mira")]
    assert steered.version == (1 if wait is milestone else None)
    assert (await office.mira.look(card["id"]))["decision"]["kind"] == "withdrawn"
    assert await office.on() == []
    assert await run.checkpoint("replanned") == (2 if wait is milestone else 1), "they are not said twice"
    waiting = task(ask(run))
    (await office.mira.say(await office.card(), "1.4")).ok()
    assert await waiting == "1.4"
    assert run.brake is None


async def test_an_ask_with_a_key_of_the_callers_own_is_not_taken_back(office: Office, run: Run) -> None:
    waiting = task(run.ask("Which version?", idempotency_key="version"))
    card = await office.card()
    await office.brake(run, "steer", "The newest, I think")
    await steered_by(waiting)
    await office.comes_to(card["id"], "pending")
    waiting = task(run.ask("Which version?", idempotency_key="version"))
    (await office.mira.say(await office.card(), "1.4")).ok()
    assert await waiting == "1.4"


async def test_an_ask_that_was_opened_to_be_waited_for_is_not_taken_back(office: Office, run: Run) -> None:
    handoff = await run.open(question(run))
    waiting = task(handoff.wait())
    await until(lambda: _reads(office))
    await office.brake(run, "steer", "The newest, I think")
    await steered_by(waiting)
    await office.comes_to(handoff.id, "pending")


async def _reads(office: Office) -> bool:
    return office.andon._events._connected.is_set()


async def test_all_who_wait_hear_the_words_and_they_are_acknowledged_once(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []
    hear = Api.heard

    async def heard(self: Api, run_id: str, heard: wire.Heard) -> wire.Run:
        told.append(heard.steers)
        return await hear(self, run_id, heard)

    monkeypatch.setattr(Api, "heard", heard)
    waits = [task(ask(run)), task(confirm(run)), task(choose(run))]
    await office.card(count=3)
    await office.brake(run, "steer", "To Bob")
    assert {str(await steered_by(wait)) for wait in waits} == {
        "mira says: To Bob. Take this into account before you go on."
    }
    assert len(told) == 1
    assert await office.on() == []


async def test_words_meet_what_would_ask_or_act(office: Office, run: Run) -> None:
    approved = task(confirm(run))
    (await office.mira.approve(await office.card())).ok()
    decision = await approved
    assert isinstance(decision, Approved)
    for work in (run.claim(decision), ask(run), gate(run), run.resumed()):
        await office.brake(run, "steer", "To Bob")
        await steered_by(work)
        assert await office.on() == []
    assert await office.mira.inbox() == []


async def test_words_at_a_checkpoint_end_the_pause_as_well(office: Office, run: Run) -> None:
    await office.brake(run, "steer", "To Bob")
    steered = await steered_by(run.checkpoint("drafted", {"draft": 7}))
    assert steered.version == 1
    assert await office.on() == []
    assert await run.checkpoint("next") == 2


async def test_words_under_a_pause_are_read_at_once_and_do_not_lift_it(office: Office, run: Run) -> None:
    """Anybody may tell an agent something; to let it go on takes an approver."""
    waiting = task(gate(run))
    await office.card()
    await office.brake(run, "pause")
    await office.brake(run, "steer", "To Bob")
    assert "To Bob" in str(await steered_by(waiting))
    assert [each["action"] for each in await office.on()] == ["pause"]
    again = task(gate(run))
    assert not await ends(again)
    await office.brake(run, "resume")
    (await office.mira.approve(await office.card())).ok()
    assert await again == "sent 1"


async def test_words_under_a_stop_come_after_it(office: Office, run: Run) -> None:
    await office.brake(run, "stop")
    await office.brake(run, "steer", "To Bob")
    await stopped_by(run.checkpoint("drafted"))
    await office.brake(run, "resume")
    assert "To Bob" in str(await steered_by(run.checkpoint("drafted")))
    assert await run.checkpoint("next") == 3


async def test_words_that_a_wider_stop_hid_hold_nobody_after_it(office: Office, run: Run) -> None:
    await office.brake(run, "steer", "To Bob")
    await office.wide("stop", everything=True)
    await stopped_by(run.checkpoint("drafted"))
    await office.wide("resume", everything=True)
    assert "To Bob" in str(await steered_by(run.resumed()))
    assert await office.on() == []
    assert await run.checkpoint("next") == 2


async def test_an_acknowledgement_that_was_lost_is_made_up_for(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the pause would never end: the words are not raised twice, so nobody would acknowledge them."""
    hear = Api.heard

    async def lost(*_: object) -> wire.Run:
        raise TimeoutError

    waiting = task(ask(run))
    await office.card()
    monkeypatch.setattr(Api, "heard", lost)
    await office.brake(run, "steer", "To Bob")
    await steered_by(waiting)
    assert len(await office.on()) == 1
    monkeypatch.setattr(Api, "heard", hear)
    waiting = task(ask(run))
    (await office.mira.say(await office.card(), "1.4")).ok()
    assert await waiting == "1.4"
    assert await office.on() == []


async def test_words_whose_reader_is_cancelled_are_raised_again(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear, hears = Api.heard, asyncio.Event()

    async def stuck(*_: object) -> wire.Run:
        hears.set()
        await asyncio.sleep(60)
        raise AssertionError

    waiting = task(ask(run))
    await office.card()
    monkeypatch.setattr(Api, "heard", stuck)
    await office.brake(run, "steer", "To Bob")
    await hears.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    monkeypatch.setattr(Api, "heard", hear)
    assert "To Bob" in str(await steered_by(run.checkpoint("drafted")))
    assert await office.on() == []


async def test_two_people_one_after_the_other_are_both_heard(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    await office.card()
    await office.brake(run, "steer", "To Bob")
    await office.brake(run, "steer", "No, to Eve")
    said = [steer.text for steer in (await steered_by(waiting)).steers]
    if said == ["To Bob"]:
        said += [steer.text for steer in (await steered_by(run.checkpoint("drafted"))).steers]
    else:
        said = [steer.text for steer in (await steered_by(run.checkpoint("drafted"))).steers] + said
    assert said == ["To Bob", "No, to Eve"]
    assert await office.on() == []
