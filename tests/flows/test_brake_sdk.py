"""Somebody pulls the cord, and an agent of the package hears it: with the whole service, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from andon import Andon, Approved, Run, Steered, Stopped, wire
from andon._api import Api
from bot.config import Settings
from tests.people import Json
from tests.servers import Live, live, until

POLICY = """
defaults: {do: ask}
rules:
  - {name: shown, gate: review, do: ask, after: true}
  - {name: plans, gate: checkpoint, checkpoint: "plan *", do: ask}
"""


class Office:
    """The service, an agent of the package, and Mira, who pulls the cord."""

    def __init__(self, service: Live, andon: Andon) -> None:
        self.service = service
        self.andon = andon
        self.mira = service.person

    async def brake(self, run: Run | str, action: str, text: str | None = None) -> Json:
        """Pull or lift a run's brake."""
        run = run if isinstance(run, str) else run.id
        body = {"action": action} | ({} if text is None else {"text": text})
        return (await self.mira.call("POST", f"/v1/runs/{run}/brake", body)).ok()

    async def wide(self, action: str, **scope: Any) -> Json:
        """The same for a wider scope."""
        return (await self.mira.call("POST", "/v1/brakes", {"action": action, "scope": scope})).ok()

    async def card(self, count: int = 1) -> Json:
        """The card that waits, once so many do."""

        async def waits() -> bool:
            return len(await self.mira.inbox()) >= count

        await until(waits, what=f"{count} cards wait")
        return (await self.mira.inbox())[0]

    async def state(self, handoff: str) -> str:
        return str((await self.mira.look(handoff))["state"])

    async def comes_to(self, handoff: str, state: str) -> None:
        async def there() -> bool:
            return await self.state(handoff) == state

        await until(there, what=f"{handoff} is {state}")

    async def on(self) -> list[Json]:
        """The brakes that are on."""
        found: list[Json] = (await self.mira.call("GET", "/v1/brakes")).ok()["brakes"]
        return found


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with (
        live(settings.model_copy(update={"policy": path})) as service,
        Andon(service.url, service.agent.key) as andon,
    ):
        yield Office(service, andon)


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report", channel="#ops") as run:
        yield run


async def confirm(run: Run, what: str = "Send it", **more: Any) -> object:
    return await run.confirm(what, why="asked to", risks=["it may be wrong"], tool="send", args={"n": 1}, **more)


async def choose(run: Run) -> object:
    return await run.choose("Which?", ["one", "two"])


async def ask(run: Run) -> object:
    return await run.ask("Which version?")


async def review(run: Run) -> object:
    return await run.review("Made a draft", result="url", undo=lambda: None)


async def gate(run: Run) -> object:
    @run.gate(risks=["it may be wrong"])
    async def send(n: int) -> str:
        return f"sent {n}"

    return await send(1, why="asked to")


async def opened(run: Run) -> object:
    handoff = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    return await handoff.wait()


async def milestone(run: Run) -> object:
    return await run.checkpoint("plan A")


WAITS = [confirm, choose, ask, review, gate, opened, milestone]


async def stopped_by(work: Awaitable[object]) -> Stopped:
    """What it raises, soon."""
    async with asyncio.timeout(10):
        with pytest.raises(Stopped) as caught:
            await work
    return caught.value


async def steered_by(work: Awaitable[object]) -> Steered:
    """What it raises, soon."""
    async with asyncio.timeout(10):
        with pytest.raises(Steered) as caught:
            await work
    return caught.value


def task(work: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(work)


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
    for work in (confirm(run), gate(run), ask(run), choose(run), run.claim(decision), run.open(_question(run))):
        stopped = await stopped_by(work)
        assert stopped.handoff is None
        assert "on hold" not in str(stopped)
    assert await office.mira.inbox() == []
    await office.brake(run, "resume")
    assert (await run.claim(decision)).args == {"n": 1}, "given before the stop, it stands"


def _question(run: Run) -> Json:
    return {"kind": "input", "gate": "ask", "question": "What?"}


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
    handoffs = [await run.open(_question(run)) for _ in range(200)]
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
    handoff = await run.open(_question(run))
    await office.brake(run, "stop")
    await office.comes_to(handoff.id, "held")
    assert (await stopped_by(handoff.wait())).handoff is handoff
    async with Andon(office.service.url, office.service.agent.key) as later:
        assert handoff.token
        same, found = await later.resume(handoff.token)
        assert _held_by(same) == "stop"
        assert (await stopped_by(found.wait())).handoff is found
        waiting = task(same.resumed())
        await office.brake(run, "resume")
        await asyncio.wait_for(waiting, 10)
        assert _held_by(same) is None
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
        await until(lambda id=card["id"]: _is_pending(office, id))  # type: ignore[misc]
        (found,) = await office.mira.inbox()
        assert found["id"] == card["id"]
        answer = {"ask": {"kind": "answer", "answer": "1.4"}, "choose": {"kind": "choose", "choice": "1"}}
        (await office.mira.answer(found, answer.get(wait.__name__, {"kind": "approve"}))).ok()
        await again
        assert await office.mira.inbox() == []


async def _is_pending(office: Office, handoff: str) -> bool:
    return await office.state(handoff) == "pending"


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
    assert not await _ends(waiting)
    await office.brake(run, "resume")
    assert not await _ends(waiting)
    await office.wide("resume", everything=True)
    await asyncio.wait_for(waiting, 10)
    assert run.brake is None


async def _ends(work: asyncio.Task[Any], within_s: float = 0.3) -> bool:
    done, _ = await asyncio.wait([work], timeout=within_s)
    return bool(done)


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
    assert not await _ends(waiting)
    await office.brake(run, "abort")
    assert (await stopped_by(waiting)).brake.action == "abort"


async def test_an_ask_that_was_aborted_while_nobody_listened_is_stopped(office: Office, run: Run) -> None:
    handoff = await run.open(_question(run))
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
    await until(lambda: _is_pending(office, card["id"]))
    (await office.mira.reject(card, "Undo it")).ok()
    assert (await again).kind == "rejected"
    await stopped.handoff.report("undone")


# --- a pause ---


async def test_a_pause_lets_a_call_wait_on(office: Office, run: Run) -> None:
    waiting = task(gate(run))
    card = await office.card()
    await office.brake(run, "pause")
    await office.comes_to(card["id"], "held")
    assert not await _ends(waiting)
    assert _held_by(run) == "pause"
    await office.brake(run, "resume")
    await office.comes_to(card["id"], "pending")
    (await office.mira.approve(card)).ok()
    assert await waiting == "sent 1"
    assert _held_by(run) is None


def _held_by(run: Run) -> str | None:
    return run.brake.action if run.brake else None


async def test_a_pause_holds_up_what_would_ask_act_or_go_on_until_it_is_lifted(office: Office, run: Run) -> None:
    approved = task(confirm(run))
    (await office.mira.approve(await office.card())).ok()
    decision = await approved
    assert isinstance(decision, Approved)
    await office.brake(run, "pause")
    works = [
        task(run.claim(decision)),
        task(run.open(_question(run))),
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
    waits += [task(run.open(_question(run))), task(run.checkpoint("drafted"))]
    assert not await _ends(waits[-1])
    await office.brake(run, "stop")
    for wait in waits:
        await stopped_by(wait)


async def test_who_is_cancelled_in_a_pause_takes_the_ask_back(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    card = await office.card()
    await office.brake(run, "pause")
    await office.comes_to(card["id"], "held")
    unopened = task(confirm(run))
    assert not await _ends(unopened)
    for each in (waiting, unopened):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each
    assert (await office.mira.look(card["id"]))["decision"]["kind"] == "withdrawn"


# --- a steer ---


@pytest.mark.parametrize("wait", [confirm, choose, ask, review, gate, milestone])
async def test_words_interrupt_a_call_that_waits_and_the_pause_ends(
    office: Office, run: Run, wait: Callable[[Run], Awaitable[object]]
) -> None:
    waiting = task(wait(run))
    card = await office.card()
    await office.brake(run, "steer", "Change the recipient to Bob")
    steered = await steered_by(waiting)
    assert str(steered) == "mira says: Change the recipient to Bob Take this into account before you go on."
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
    handoff = await run.open(_question(run))
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
        "mira says: To Bob Take this into account before you go on."
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


# --- on_stop ---


async def forever(done: list[str], name: str) -> None:
    """Some work, and what it does at the end."""
    try:
        await asyncio.sleep(60)
    finally:
        done.append(name)


async def test_cancel_ends_the_task_and_its_group_and_cleanup_runs(office: Office) -> None:
    """Between calls as well: nothing of this asks anybody."""
    done: list[str] = []

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(forever(done, "child"))
            try:
                started.set_result(run)
                await forever(done, "body")
            finally:
                await asyncio.sleep(0)
                done.append("cleaned up")

    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    working = task(job())
    run = await started
    await office.brake(run, "stop", "Not before the audit")
    stopped = await stopped_by(working)
    assert (stopped.brake.text, stopped.brake.scope.run) == ("Not before the audit", run.id)
    assert done == ["body", "cleaned up", "child"]
    assert not working.cancelled()


async def test_cancel_takes_nothing_back_that_waits(office: Office) -> None:
    """Whether a call hears of the stop first or is cancelled by it: its ask is on hold, and waits after the resume."""
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(confirm(run))
            group.create_task(_shielded(ask(run)))
            started.set_result(run)
            await choose(run)

    working = task(job())
    await office.card(count=3)
    await office.brake(await started, "stop")
    assert (await stopped_by(working)).brake.action == "stop"
    await office.brake(await started, "resume")
    await office.card(count=3)


async def _shielded(work: Awaitable[object]) -> None:
    """Hears of the stop at once, and ends only when it is cancelled."""
    try:
        await work
    except Stopped:
        await asyncio.sleep(60)


async def test_a_call_that_waits_in_the_task_itself_names_its_ask(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            await ask(run)

    working = task(job())
    card = await office.card()
    await office.brake(await started, "stop")
    stopped = await stopped_by(working)
    assert stopped.handoff
    assert stopped.handoff.id == card["id"]


async def test_a_stop_leaves_errors_of_the_run_alone(office: Office) -> None:
    """What went wrong by itself is not hidden behind the stop, and the task may go on afterwards."""
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("the disk is away")

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(fails())
            started.set_result(run)
            await asyncio.sleep(60)

    async def whole() -> str:
        with pytest.RaisesGroup(OSError):
            await job()
        await asyncio.sleep(0)
        return "went on"

    working = task(whole())
    await office.brake(await started, "stop")
    assert await asyncio.wait_for(working, 10) == "went on"


async def test_a_cancellation_from_outside_stays_one(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            await asyncio.sleep(60)

    working = task(job())
    await started
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_cancellation_from_outside_at_a_stop_stays_one(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    cleaning = asyncio.Event()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            try:
                await asyncio.sleep(60)
            finally:
                cleaning.set()
                await asyncio.sleep(60)

    working = task(job())
    await office.brake(await started, "stop")
    await asyncio.wait_for(cleaning.wait(), 10)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_timeout_around_a_run_stays_one(office: Office) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), office.andon.run("report", on_stop="cancel"):
            await asyncio.sleep(60)


async def test_a_run_that_ends_by_itself_leaves_no_watcher(office: Office) -> None:
    async with office.andon.run("report", on_stop="cancel") as run:
        assert any(each.get_name() == "andon-on-stop" for each in asyncio.all_tasks())
    assert not any(each.get_name() == "andon-on-stop" for each in asyncio.all_tasks())
    await office.brake(run, "stop")
    await asyncio.sleep(0.1)
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr] # this is one


async def test_without_on_stop_nothing_watches_between_calls(office: Office, run: Run) -> None:
    await office.brake(run, "stop")
    assert await _ends(task(asyncio.sleep(0.2)), 5)
    assert office.andon._events._following is None
    assert run.brake is None, "as was last known"


@pytest.mark.parametrize("by_itself", [True, False], ids=["sync", "async"])
async def test_a_function_is_called_once_for_each_pull(office: Office, by_itself: bool) -> None:
    told: list[Stopped] = []

    async def later(stopped: Stopped) -> None:
        await asyncio.sleep(0)
        told.append(stopped)

    async def heard(count: int) -> None:
        async def enough() -> bool:
            return len(told) == count

        await until(enough)

    async with office.andon.run("report", on_stop=told.append if by_itself else later) as run:
        await office.brake(run, "pause")
        await office.brake(run, "stop", "one")
        await heard(1)
        await office.brake(run, "stop", "the same stop still")
        await office.brake(run, "resume")
        await office.wide("stop", everything=True)
        await heard(2)
        await office.wide("resume", everything=True)
        await office.brake(run, "steer", "To Bob")
        await office.brake(run, "abort")
        await heard(3)
        await asyncio.sleep(0.2)
    assert [(stopped.brake.action, stopped.brake.text) for stopped in told] == [
        ("stop", "one"),
        ("stop", None),
        ("abort", None),
    ]


async def test_a_function_that_fails_is_logged_and_called_again(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str | None] = []

    def fail(stopped: Stopped) -> None:
        told.append(stopped.brake.text)
        raise OSError("the disk is away")

    async with office.andon.run("report", on_stop=fail) as run:
        for number in ("1", "2"):
            await office.brake(run, "stop", number)
            await until(lambda number=number: _is_last(told, number))  # type: ignore[misc]
            await office.brake(run, "resume")
    assert told == ["1", "2"]
    assert caplog.text.count("on_stop.failed") == 2
    assert "the disk is away" in caplog.text


async def _is_last(told: list[str | None], text: str) -> bool:
    return told[-1:] == [text]


async def test_a_function_that_is_at_work_when_the_run_ends_is_cancelled(office: Office) -> None:
    done: list[str] = []
    begun = asyncio.Event()

    async def slow(_: Stopped) -> None:
        begun.set()
        await forever(done, "slow")

    async with office.andon.run("report", on_stop=slow) as run:
        await office.brake(run, "stop")
        await asyncio.wait_for(begun.wait(), 10)
    assert done == ["slow"]


# --- a run that starts under a brake ---


async def test_a_run_starts_under_a_brake_and_its_first_call_says_so(office: Office) -> None:
    await office.wide("stop", everything=True)
    async with office.andon.run("report") as run:
        assert _held_by(run) == "stop"
        for wait in WAITS:
            await stopped_by(wait(run))
        waiting = task(run.resumed())
        await office.wide("resume", everything=True)
        await asyncio.wait_for(waiting, 10)


async def test_with_on_stop_it_is_told_at_once(office: Office) -> None:
    await office.wide("stop", everything=True)
    told: list[Stopped] = []
    async with office.andon.run("report", on_stop=told.append):
        await until(lambda: _any(told))
    assert len(told) == 1

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel"):
            await asyncio.sleep(60)

    assert (await stopped_by(job())).brake.scope.everything


async def _any(told: list[Stopped]) -> bool:
    return bool(told)
