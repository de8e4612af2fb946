"""Somebody stops a run, and its agent hears it: with the whole service, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from andon import Andon, Approved, Run, Stopped
from andon._api import Api
from bot.config import Settings
from tests.flows.office import (
    WAITS,
    Office,
    ask,
    choose,
    confirm,
    ends,
    gate,
    held_by,
    is_pending,
    milestone,
    open_office,
    question,
    review,
    stopped_by,
    task,
)
from tests.people import Json
from tests.servers import until


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report", channel="#ops") as run:
        yield run


# --- a stop ---


@pytest.mark.parametrize("wait", WAITS)
async def test_every_call_that_waits_is_stopped_and_what_it_asked_is_on_hold(
    office: Office, run: Run, wait: Callable[[Run], Awaitable[object]]
) -> None:
    waiting = task(wait(run))
    card = await office.card()
    await office.brake(run, "stop", "Not before the audit")
    stopped = await stopped_by(waiting)
    assert (stopped.brake.action, stopped.brake.by.name, stopped.brake.text) == ("stop", "mira", "Not before the audit")
    assert stopped.brake.scope.run == run.id
    assert stopped.handoff
    assert stopped.handoff.id == card["id"]
    assert stopped.handoff.token
    assert run.brake == stopped.brake
    await office.comes_to(card["id"], "held")
    await office.brake(run, "resume")
    await office.comes_to(card["id"], "pending")


async def test_a_stop_is_a_sentence_for_a_language_model(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    await office.card()
    await office.brake(run, "stop", "Not before the audit")
    stopped = await stopped_by(waiting)
    assert str(stopped) == (
        f"mira stopped this run at {stopped.brake.at:%Y-%m-%d %H:%M} UTC: Not before the audit. Do not act, and do "
        "not reach the same end another way. What you asked is on hold and loses nothing. It may be resumed: wait for "
        "that, or end your work."
    )


async def test_what_would_ask_or_act_under_a_stop_is_stopped_and_opens_nothing(office: Office, run: Run) -> None:
    approved = task(confirm(run))
    card = await office.card()
    (await office.mira.approve(card)).ok()
    decision = await approved
    assert isinstance(decision, Approved)
    await office.brake(run, "stop")
    for work in (confirm(run), gate(run), ask(run), choose(run), run.claim(decision), run.open(question(run))):
        stopped = await stopped_by(work)
        assert stopped.handoff is None
        assert "on hold" not in str(stopped)
    assert await office.mira.inbox() == []
    await office.brake(run, "resume")
    assert (await run.claim(decision)).args == {"n": 1}, "given before the stop, it stands"


async def test_a_checkpoint_under_a_stop_is_saved(office: Office, run: Run) -> None:
    await office.brake(run, "stop")
    stopped = await stopped_by(run.checkpoint("drafted", {"draft": 7}))
    assert stopped.brake.by.name == "mira"
    saved = await run.load_checkpoint()
    assert saved
    assert (saved.version, saved.state) == (1, {"draft": 7})
    await stopped_by(run.go_on(saved))
    await office.brake(run, "resume")
    await run.go_on(saved)


@pytest.mark.parametrize(
    "scope", [{"agent": "mailer"}, {"everything": True}, {"conversation": {"surface": "web", "channel": "#ops"}}]
)
async def test_a_wider_stop_is_heard_as_well(office: Office, run: Run, scope: Json) -> None:
    waiting = task(ask(run))
    await office.card()
    await office.wide("stop", **scope)
    stopped = await stopped_by(waiting)
    assert stopped.brake.scope.model_dump(exclude_none=True) == scope


async def test_child_runs_stop_with_the_runs_they_come_from(office: Office, run: Run) -> None:
    """However deep, and with the conversation that only the first of them is bound to."""
    async with (
        office.andon.run("child", parent=run.id, channel="#dev") as child,
        office.andon.run("grandchild", parent=child.id, channel="#dev") as grandchild,
    ):
        for pull, lift in (
            (office.brake(run, "stop"), office.brake(run, "resume")),
            (_at_ops(office, "stop"), _at_ops(office, "resume")),
        ):
            waits = [task(ask(each)) for each in (child, grandchild)]
            await office.card(count=2)
            await pull
            for wait in waits:
                await stopped_by(wait)
            await lift


async def _at_ops(office: Office, action: str) -> Json:
    return await office.wide(action, conversation={"surface": "web", "channel": "#ops"})


async def test_other_runs_go_on(office: Office, run: Run) -> None:
    """Those of another conversation, another agent's, and the run that the stopped one comes from."""
    other = await office.service.new_agent("other")
    async with (
        office.andon.run("elsewhere", channel="#dev") as elsewhere,
        office.andon.run("child", parent=run.id) as child,
        office.andon.run("grandchild", parent=child.id) as grandchild,
        Andon(office.service.url, other.key) as theirs,
        theirs.run("theirs", channel="#dev") as their_run,
    ):
        waits = {each.id: task(ask(each)) for each in (elsewhere, run, their_run)}
        await office.card(count=3)
        await office.brake(grandchild, "stop")
        await office.wide("stop", agent="another")
        await office.wide("stop", conversation={"surface": "slack", "channel": "#ops"})
        for card in await office.mira.inbox():
            (await office.mira.say(card, "1.4")).ok()
        assert set(await asyncio.gather(*waits.values())) == {"1.4"}


async def test_thousands_who_wait_hear_by_the_event_and_ask_nothing(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that has just been stopped must not be read by all of them at once."""
    reads = 0
    for name in ("read", "read_run", "open", "claim", "withdraw"):
        call = getattr(Api, name)

        async def counted(*args: Any, _call: Any = call, **named: Any) -> Any:
            nonlocal reads
            reads += 1
            return await _call(*args, **named)

        monkeypatch.setattr(Api, name, counted)
    handoffs = [await run.open(question(run)) for _ in range(200)]
    waits = [task(handoff.wait()) for handoff in handoffs]

    async def all_have_read() -> bool:
        return reads == 400

    await until(all_have_read)
    await office.wide("stop", everything=True)
    for wait in waits:
        await stopped_by(wait)
    await office.comes_to(handoffs[-1].id, "held")
    assert reads == 400


async def test_a_wait_that_begins_under_a_stop_is_stopped(office: Office, run: Run) -> None:
    handoff = await run.open(question(run))
    await office.brake(run, "stop")
    await office.comes_to(handoff.id, "held")
    assert (await stopped_by(handoff.wait())).handoff is handoff
    async with Andon(office.service.url, office.service.agent.key) as later:
        assert handoff.token
        same, found = await later.resume(handoff.token)
        assert held_by(same) == "stop"
        assert (await stopped_by(found.wait())).handoff is found
        waiting = task(same.resumed())
        await office.brake(run, "resume")
        await asyncio.wait_for(waiting, 10)
        assert held_by(same) is None
        (await office.mira.say(await office.card(), "this")).ok()
        assert (await found.wait()).kind == "answered"


async def test_a_stop_that_came_while_the_stream_was_down_is_heard(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said meanwhile is told when the line is up again."""
    waiting = task(ask(run))
    await office.card()
    stream = office.andon._events._following
    assert stream
    events = office.andon._events
    events._following = None  # as if its line had broken, and stayed so for a while
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    await office.brake(run, "stop")
    events._following = asyncio.create_task(events._follow())
    await stopped_by(waiting)


# --- after a stop ---


async def test_asking_the_same_again_after_the_stop_comes_back_to_the_same_ask(office: Office, run: Run) -> None:
    for wait in (confirm, gate, ask, choose, review, milestone):
        waiting = task(wait(run))
        card = await office.card()
        await office.brake(run, "stop")
        await stopped_by(waiting)
        resumed = task(run.resumed())
        await office.brake(run, "resume")
        await resumed
        again = task(wait(run))
        await until(lambda id=card["id"]: is_pending(office, id))  # type: ignore[misc]
        (found,) = await office.mira.inbox()
        assert found["id"] == card["id"]
        answer = {"ask": {"kind": "answer", "answer": "1.4"}, "choose": {"kind": "choose", "choice": "1"}}
        (await office.mira.answer(found, answer.get(wait.__name__, {"kind": "approve"}))).ok()
        await again
        assert await office.mira.inbox() == []


async def test_the_same_words_later_are_another_ask(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    card = await office.card()
    await office.brake(run, "stop")
    await stopped_by(waiting)
    await office.brake(run, "resume")
    for known in (True, False):
        waiting = task(ask(run))
        found = await office.card()
        assert (found["id"] == card["id"]) is known
        (await office.mira.say(found, "1.4")).ok()
        assert await waiting == "1.4"


async def test_asks_with_the_same_words_come_back_one_by_one(office: Office, run: Run) -> None:
    waits = [task(ask(run)), task(ask(run))]
    await office.card(count=2)
    before = {card["id"] for card in await office.mira.inbox()}
    await office.brake(run, "stop")
    for wait in waits:
        await stopped_by(wait)
    await office.brake(run, "resume")
    waits = [task(ask(run)), task(ask(run))]
    await office.card(count=2)
    cards = await office.mira.inbox()
    assert {card["id"] for card in cards} == before
    for card in cards:
        (await office.mira.say(card, card["id"])).ok()
    assert set(await asyncio.gather(*waits)) == before


async def test_an_approval_that_was_given_before_the_stop_stands_after_it(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop came between the yes and the claim: nobody is asked again, and the gate's function runs once."""
    waiting = task(gate(run))
    card = await office.card()
    claim = Api.claim

    async def late(*args: Any) -> bytes:
        await office.brake(run, "stop")
        return await claim(*args)

    monkeypatch.setattr(Api, "claim", late)
    (await office.mira.approve(card)).ok()
    stopped = await stopped_by(waiting)
    assert stopped.handoff
    assert stopped.handoff.id == card["id"]
    monkeypatch.setattr(Api, "claim", claim)
    await office.brake(run, "resume")
    assert await gate(run) == "sent 1"
    assert (await office.mira.look(card["id"]))["outcome"]["status"] == "executed"


async def test_a_new_process_comes_back_with_its_own_key(office: Office) -> None:
    async with office.andon.run("report", idempotency_key="job") as run:
        waiting = task(run.ask("Which version?", idempotency_key="version"))
        card = await office.card()
        await office.brake(run, "stop")
        await stopped_by(waiting)
    async with (
        Andon(office.service.url, office.service.agent.key) as later,
        later.run("report", idempotency_key="job") as same,
    ):
        assert same.id == run.id
        assert (await stopped_by(same.ask("Which version?", idempotency_key="version"))).handoff
        await office.brake(run, "resume")
        await same.resumed()
        waiting = task(same.ask("Which version?", idempotency_key="version"))
        found = await office.card()
        assert found["id"] == card["id"]
        (await office.mira.say(found, "1.4")).ok()
        assert await waiting == "1.4"


async def test_resumed_waits_out_every_brake_that_holds_the_run(office: Office, run: Run) -> None:
    await run.resumed()
    await office.brake(run, "stop")
    await office.wide("stop", everything=True)
    waiting = task(run.resumed())
    assert not await ends(waiting)
    await office.brake(run, "resume")
    assert not await ends(waiting)
    await office.wide("resume", everything=True)
    await asyncio.wait_for(waiting, 10)
    assert run.brake is None


# --- abort ---


@pytest.mark.parametrize("wait", WAITS)
async def test_an_abort_ends_what_waits(office: Office, run: Run, wait: Callable[[Run], Awaitable[object]]) -> None:
    waiting = task(wait(run))
    card = await office.card()
    await office.brake(run, "abort", "Wrong customer")
    stopped = await stopped_by(waiting)
    assert stopped.brake.action == "abort"
    assert str(stopped).startswith("mira ended this run at ")
    assert str(stopped).endswith(": Wrong customer. Do not act, do not ask again, and end your work.")
    if wait is not review:  # what is done may still have to be undone
        await office.comes_to(card["id"], "decided")
        assert stopped.handoff
        assert (await stopped_by(stopped.handoff.wait())).brake.text == "Wrong customer"
    for later in (ask(run), gate(run), run.checkpoint("over"), run.resumed()):
        assert (await stopped_by(later)).brake.action == "abort"


async def test_resumed_hears_of_an_abort(office: Office, run: Run) -> None:
    await office.brake(run, "stop")
    waiting = task(run.resumed())
    assert not await ends(waiting)
    await office.brake(run, "abort")
    assert (await stopped_by(waiting)).brake.action == "abort"


async def test_an_ask_that_was_aborted_while_nobody_listened_is_stopped(office: Office, run: Run) -> None:
    handoff = await run.open(question(run))
    await office.brake(run, "abort", "Wrong customer")
    await office.comes_to(handoff.id, "decided")
    for _ in range(2):
        stopped = await stopped_by(handoff.wait())
        assert (stopped.brake.action, stopped.brake.by.name, stopped.brake.text) == ("abort", "mira", "Wrong customer")
    with pytest.raises(Stopped):
        await handoff.claim()


async def test_what_is_done_can_be_undone_after_an_abort(office: Office, run: Run) -> None:
    waiting = task(review(run))
    card = await office.card()
    await office.brake(run, "abort")
    stopped = await stopped_by(waiting)
    assert stopped.handoff
    again = task(stopped.handoff.wait())
    await until(lambda: is_pending(office, card["id"]))
    (await office.mira.reject(card, "Undo it")).ok()
    assert (await again).kind == "rejected"
    await stopped.handoff.report("undone")


# --- a run that starts under a brake ---


async def test_a_run_starts_under_a_brake_and_its_first_call_says_so(office: Office) -> None:
    await office.wide("stop", everything=True)
    async with office.andon.run("report") as run:
        assert held_by(run) == "stop"
        for wait in WAITS:
            await stopped_by(wait(run))
        waiting = task(run.resumed())
        await office.wide("resume", everything=True)
        await asyncio.wait_for(waiting, 10)
