"""A run that promised signs of life and fell silent: people are told, and asked what became of what it was doing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from andon import Andon, ClaimRefused, Conflict, Run, wire
from bot.access import Access
from bot.beats import Beats
from bot.config import Settings
from bot.metrics import Metrics
from bot.store import Store, connect
from bot.unknown import TIMEOUT_S
from tests.people import Agent, Json, Person
from tests.servers import Live, live, until
from tests.store import asks

PATIENCE_MS = 15_000
POLICY = "rules: [{name: a, tool: '*', do: ask, ramp: {ask: 9, review: 9}, grants: [{label: all, scope: agent}]}]\n"
PROMISE: Json = {"name": "weekly-report", "heartbeat_s": 5}


async def start(agent: Agent, **more: object) -> str:
    return str((await agent.call("POST", "/v1/runs", {**PROMISE, **more})).ok()["id"])


async def beat(agent: Agent, run: str, **more: object) -> Json:
    return (await agent.call("POST", f"/v1/runs/{run}/heartbeat", more)).ok()


async def claimed(here: Live, run: str) -> Json:
    """Asked in this run, approved by Mira and claimed."""
    asked = await here.agent.ask(run=run)
    (await here.person.approve(asked)).ok()
    (await here.agent.claim(await here.agent.look(asked["id"]))).ok()
    return asked


async def fall_silent(here: Live, run: str, ms: int = PATIENCE_MS) -> None:
    """As if nothing had been heard for so long, while the service was there to hear."""
    pipe, keys = here.store._pipe, here.store.keys_of(run)

    async def listens() -> bool:
        return bool(await pipe.call("EXISTS", keys.beats_watch))

    await until(listens)
    for handoff_id in await here.store.beats.claimed(run):
        await pipe.call("HINCRBY", keys.handoff(handoff_id), "claimed_at", -ms)
        await pipe.call("ZINCRBY", keys.leases, -ms, handoff_id)
    await pipe.call("HINCRBY", keys.run(run), "beat_at", -ms)
    await pipe.call("HINCRBY", keys.beats_watch, "since", -ms - 60_000)
    await pipe.call("ZADD", keys.beats, "XX", "INCR", -ms, run)


async def is_lost(here: Live, run: str) -> bool:
    return "lost_since" in (await here.agent.call("GET", f"/v1/runs/{run}")).ok()


async def lost(here: Live, run: str) -> None:
    await fall_silent(here, run)
    await until(lambda: is_lost(here, run), what="the run is lost")


async def question_about(here: Live, asked: Json) -> Json:
    async def there() -> bool:
        return "question" in await here.agent.look(asked["id"])

    await until(there, what="people are asked")
    return await here.person.look((await here.agent.look(asked["id"]))["question"])


async def test_a_run_without_actions_in_flight_is_shown_as_lost_and_found_again(service: Live) -> None:
    run = await start(service.agent)
    assert (await beat(service.agent, run))["lost_after"]
    async with service.agent.events() as events:
        await events.next()
        await lost(service, run)
        told = await events.next()
        assert (told.name, told.data) == ("run.lost", {"run": run})
        (notice,) = await service.store.runs.notices(5)
        assert notice.text.startswith(
            "mailer has fallen silent in the run weekly-report: nothing was heard of it since "
        )
        assert notice.text.endswith("It was doing nothing that needs a person.")
        assert await service.person.inbox() == []
        found = await beat(service.agent, run)
        assert found["was_lost_since"]
        told = await events.next()
        assert (told.name, told.data) == ("run.found", {"run": run})
    shown = (await service.person.call("GET", f"/v1/runs/{run}")).ok()
    assert ("lost_since" in shown, shown["heartbeat_s"], shown["state"]) == (False, 5, "running")
    assert (await service.store.runs.notices(1))[0].text.startswith(
        "mailer is back in the run weekly-report, lost since "
    )
    metrics = (await service.person.call("GET", "/metrics")).body
    assert "andon_runs_lost_total 1.0" in metrics


async def test_what_it_was_doing_is_unknown_and_the_question_shows_exactly_what(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    first = await service.agent.look(asked["id"])
    assert (first["state"], question["id"] in first["question"], "outcome" in first) == ("claimed", True, False)
    assert first["unknown_since"] == first["claim"]["at"]
    assert (question["follows"], question["state"]) == (asked["id"], "pending")
    assert question["ask"]["question"] == "Did this happen? Send this e-mail to alice@example.com"
    assert [each["id"] for each in question["ask"]["candidates"]] == ["done", "not-done", "leave"]
    assert question["ask"]["timeout_s"] == TIMEOUT_S
    assert question["silence"].endswith("it stays unknown. Silence decides nothing.")
    handoff = await service.store.handoffs.load(question["id"])
    assert handoff
    assert handoff.action
    assert handoff.action.args == asked["ask"]["action"]["args"]
    assert handoff.route.because[0].startswith("try-1 claimed this at ")
    assert "it promised a sign of life every 5 s" in handoff.route.because[1]
    assert (await service.store.runs.notices(1))[0].text.endswith(
        "1 action may or may not have happened: people are asked about it."
    )


async def test_nobody_gets_a_permit_for_it_and_is_told_who_was_asked(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    decided = await service.agent.look(asked["id"])
    for claimant in ("try-1", "try-2"):
        refused = await service.agent.claim(decided, claimant=claimant)
        assert (refused.status, refused.problem) == (409, "already-claimed")
        assert "nobody knows whether it was done" in refused.body["detail"]
        assert f"whoever is in the inbox of web ({question['id']})" in refused.body["detail"]


@pytest.mark.parametrize(
    "choice, status, told", [("done", "executed", "it was done."), ("not-done", "failed", "it was not done.")]
)
async def test_a_person_s_word_is_its_outcome_and_a_late_report_is_kept(
    service: Live, choice: str, status: str, told: str
) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    decided = (await service.person.pick(question, choice)).ok()
    assert "Do not do it again" in decided["decision"]["message_for_agent"]
    closed = await service.agent.look(asked["id"])
    assert (closed["state"], closed["outcome"]["status"]) == ("closed", status)
    assert closed["outcome"]["by"]["id"] == "mira@example.com"
    assert closed["outcome"].get("result", closed["outcome"].get("error")) == f"said by mira: {told}"
    late = await service.agent.report(asked, "executed", claimant="try-1", result="sent")
    assert (late.status, late.problem) == (409, "outcome-conflict")
    kept = await service.agent.look(asked["id"])
    assert (kept["outcome"], kept["late_report"]["result"]) == (closed["outcome"], "sent")
    assert (await service.agent.claim(closed, claimant="try-2")).status == 409


async def test_the_agent_that_comes_back_first_closes_it_and_nobody_is_asked_any_more(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    assert (await service.agent.withdraw(question)).status == 403
    closed = (await service.agent.report(asked, "executed", claimant="try-1", result="sent")).ok()
    assert (closed["state"], closed["outcome"]["result"], "by" in closed["outcome"]) == ("closed", "sent", False)

    async def withdrawn() -> bool:
        return bool((await service.person.look(question["id"]))["state"] == "decided")

    await until(withdrawn, what="the question is taken back")
    assert (await service.person.look(question["id"]))["decision"]["kind"] == "withdrawn"
    late = await service.person.pick(question, "not-done")
    assert (late.status, late.problem) == (409, "already-decided")


async def test_silence_about_the_question_decides_nothing(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    await service.store._pipe.call("HSET", service.store.keys_of(question["id"]).handoff(question["id"]), "due_at", 1)
    await service.store._pipe.call("ZADD", service.store.keys_of(question["id"]).due, 1, question["id"])

    async def expired() -> bool:
        return bool((await service.person.look(question["id"]))["state"] == "decided")

    await until(expired)
    first = await service.agent.look(asked["id"])
    assert (first["state"], "unknown_since" in first) == ("claimed", True)
    assert (await service.agent.report(asked, "failed", claimant="try-1", error="no")).ok()["state"] == "closed"


async def test_it_is_asked_although_its_run_was_ended_and_only_once_it_may_be_answered(service: Live) -> None:
    """An abort ends what waits; what may have been done already is still to be told."""
    run = await start(service.agent)
    asked = await claimed(service, run)
    (await service.person.call("POST", f"/v1/runs/{run}/brake", {"action": "abort"})).ok()
    await lost(service, run)
    question = await question_about(service, asked)
    assert question["state"] == "pending"
    assert (await service.person.pick(question, "not-done")).ok()["state"] == "decided"


async def test_a_run_on_hold_falls_silent_as_well_and_its_question_waits_for_the_resume(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    (await service.person.call("POST", f"/v1/runs/{run}/brake", {"action": "stop"})).ok()
    await beat(service.agent, run)
    await lost(service, run)
    question = await question_about(service, asked)
    assert question["state"] == "held"
    assert (await service.person.pick(question, "done")).problem == "handoff-held"
    (await service.person.call("POST", f"/v1/runs/{run}/brake", {"action": "resume"})).ok()
    assert (await service.person.pick(question, "done")).ok()["state"] == "decided"


async def test_answers_and_checkpoints_are_no_actions_and_nobody_is_asked_about_them(service: Live) -> None:
    run = await start(service.agent)
    asked = await service.agent.ask_for(run=run)
    (await service.person.say(asked, "100")).ok()
    (await service.agent.claim(await service.agent.look(asked["id"]))).ok()
    await lost(service, run)

    async def forgotten() -> bool:
        return not await service.store.beats.claimed(run)

    await until(forgotten)
    assert "question" not in await service.agent.look(asked["id"])
    assert await service.person.inbox() == []


async def test_the_choice_of_an_action_is_asked_about_with_that_action(service: Live) -> None:
    run = await start(service.agent)
    book = {"id": "tp", "label": "TP 571", "action": {"tool": "book", "args": {"flight": "TP571"}}}
    asked = await service.agent.choose(book, {"id": "no", "label": "None"}, run=run)
    (await service.person.pick(asked, "tp")).ok()
    (await service.agent.claim(await service.agent.look(asked["id"]))).ok()
    await lost(service, run)
    question = await question_about(service, asked)
    handoff = await service.store.handoffs.load(question["id"])
    assert handoff
    assert handoff.action
    assert (handoff.action.tool, handoff.action.args) == ("book", {"flight": "TP571"})


async def test_a_last_sign_ends_the_promise_and_what_was_left_undone_is_asked_about(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    over = await beat(service.agent, run, last=True)
    assert over == {}
    await fall_silent(service, run)
    await question_about(service, asked)
    assert not await is_lost(service, run)


async def test_a_promise_is_five_seconds_to_an_hour(service: Live) -> None:
    for wrong in (4, 3601, 7.5, "30"):
        refused = await service.agent.call("POST", "/v1/runs", {**PROMISE, "heartbeat_s": wrong})
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "heartbeat_s")
    run = await service.agent.run()
    assert await beat(service.agent, run) == {}, "one that promised nothing may say that it is there"
    other = await service.new_agent("other")
    assert (await other.call("POST", f"/v1/runs/{run}/heartbeat", {})).status == 404
    assert (await service.person.call("POST", f"/v1/runs/{run}/heartbeat", {})).status == 403


async def test_grants_end_trust_starts_over_and_it_is_a_failure_of_its_run(settings: Settings, tmp_path: Path) -> None:
    """As after a failure, and for good: a person who says that it was done adds nothing."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    async with live(settings.model_copy(update={"policy": policy})) as here:
        first = await here.agent.ask(reversible=True)
        (await here.person.approve(first)).ok()
        (await here.agent.claim(await here.agent.look(first["id"]))).ok()
        (await here.agent.report(first, "executed", claimant="try-1")).ok()
        run = await start(here.agent)
        asked = await here.agent.ask(run=run, reversible=True)
        (await here.person.approve(asked, grant=0)).ok()
        (await here.agent.claim(await here.agent.look(asked["id"]))).ok()

        async def standing() -> tuple[int, int, str | None]:
            (ramp,) = (await here.person.call("GET", "/v1/trust")).ok()["ramps"]
            found = (await here.person.call("GET", "/v1/grants")).ok()["grants"]
            return len(found), ramp["good"], ramp.get("reset_why")

        assert await standing() == (1, 1, None)
        await lost(here, run)
        question = await question_about(here, asked)
        assert await standing() == (0, 0, "unknown")
        assert await here.store._pipe.call("HGET", here.store.keys_of(run).run(run), "failures") == b"1"
        (await here.person.pick(question, "done")).ok()
        assert await standing() == (0, 0, "unknown")
        assert await here.store._pipe.call("HGET", here.store.keys_of(run).run(run), "failures") == b"1"


async def test_two_replicas_lose_it_once_and_ask_once(settings: Settings) -> None:
    async with live(settings) as here, live(settings):
        runs = [await start(here.agent) for _ in range(10)]
        asked = [await claimed(here, run) for run in runs]
        await asyncio.gather(*(lost(here, run) for run in runs))
        questions = {(await question_about(here, each))["id"] for each in asked}
        assert len(questions) == 10
        assert {each["id"] for each in await here.person.inbox()} == questions
        assert len(await here.store.runs.notices(100)) == 10


async def test_an_hour_without_any_service_loses_nobody(settings: Settings) -> None:
    """All replicas were down; the agents' deadlines are long past when they come back."""
    async with live(settings) as here:
        runs = [await start(here.agent) for _ in range(5)]
        asked = [await claimed(here, run) for run in runs]
        for run in runs:
            await fall_silent(here, run, ms=0)
    assert settings.redis_url
    async with Store(connect(settings.redis_url.get_secret_value()), shards=settings.shards) as store:
        for run in runs:
            await store._pipe.call("ZINCRBY", store.keys_of(run).beats, -3_600_000, run)
        for each in asked:
            await store._pipe.call("ZINCRBY", store.keys_of(each["id"]).leases, -3_600_000, each["id"])
        for shard in store.shards:
            await shard.pipe.call("HINCRBY", shard.keys.beats_watch, "at", -3_600_000)
    async with live(settings) as here:

        async def looked() -> bool:
            moved = [await here.store._pipe.call("ZSCORE", here.store.keys_of(run).beats, run) for run in runs]
            now = (await here.store.now()).timestamp() * 1000
            return all(float(each or 0) > now for each in moved)

        await until(looked, what="each run has all of its time again")
        assert not any([await is_lost(here, run) for run in runs])
        assert await here.person.inbox() == []
        assert (await beat(here.agent, runs[0])).get("was_lost_since") is None


async def test_a_process_of_before_that_decides_the_question_leaves_nothing_undone(service: Live) -> None:
    """It knows of no outcome, and of no question: what it left is taken up."""
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    handoff = await service.store.handoffs.load(question["id"])
    assert handoff
    verdict = asks.read(handoff, wire.Choose(revision=1, choice="done")).verdict
    assert verdict
    assert (await service.store.handoffs.answer(handoff, verdict, answer_id="press")).word == "won"
    beats = Beats(service.store, Access(service.store, b"s" * 32), Metrics(waiting=lambda: 0, streams=lambda: 0))
    await beats.settle(asked["id"])
    closed = await service.agent.look(asked["id"])
    assert (closed["state"], closed["outcome"]["status"]) == ("closed", "executed")
    assert await service.store.unknown.due(await service.store.now() + timedelta(days=9)) == []


# --- what people see ---


async def test_the_console_says_since_when_it_is_lost_and_lets_people_say_what_happened(service: Live) -> None:
    run = await start(service.agent)
    asked = await claimed(service, run)
    await lost(service, run)
    question = await question_about(service, asked)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        _, _, token = (await service.sign_in()).partition("?token=")
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with browser.post(f"{service.url}/sign-in", data={"token": token}, headers=headers) as signed_in:
            assert signed_in.status == 200

        async def page(path: str) -> str:
            async with browser.get(f"{service.url}{path}") as response:
                assert response.status == 200
                return await response.text()

        its_run = await page(f"/runs/{run}")
        assert "Lost since " in its_run
        first = await page(f"/handoffs/{asked['id']}")
        assert "Unknown: the agent fell silent while doing this" in first
        asks_about = await page(f"/handoffs/{question['id']}")
        assert "may have run" in asks_about
        assert "alice@example.com" in asks_about
        for label in ("It was done", "It was not done", "Stop asking: leave it unknown"):
            assert label in asks_about
        assert "None of these" not in asks_about
        assert "try-1 claimed this at" in asks_about
        (await service.person.pick(question, "not-done")).ok()
        (await service.agent.report(asked, "executed", claimant="try-1", result="sent"))
        ended = await page(f"/handoffs/{asked['id']}")
        assert "mira said that this was not done" in ended
        assert "Reported later: done" in ended


# --- the package ---


async def quickly(every_s: float) -> None:
    await asyncio.sleep(every_s / 50)


@asynccontextmanager
async def agent_of(here: Live) -> AsyncIterator[Andon]:
    async with Andon(here.url, here.agent.key, patience=timedelta(seconds=5)) as andon:
        yield andon


async def gated(run: Run, person: Person, gate: asyncio.Event) -> "asyncio.Task[str]":
    """An action that waits for `gate`, approved and begun."""
    begun = asyncio.Event()

    @run.gate(risks=["?"])
    async def send(to: str) -> str:
        begun.set()
        await gate.wait()
        return f"sent to {to}"

    task = asyncio.create_task(_call(send))

    async def asked() -> bool:
        return bool(await person.inbox())

    await until(asked)
    (waiting,) = await person.inbox()
    (await person.approve(waiting)).ok()
    await asyncio.wait_for(begun.wait(), 10)
    return task


async def _call(send: object) -> str:
    return str(await send("alice", why="She asked"))  # type: ignore[operator]  # it is gated


async def test_the_package_gives_signs_of_life_and_vouches_for_what_it_does(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("andon._heartbeat.rest", quickly)
    go_on = asyncio.Event()
    async with agent_of(service) as andon:
        async with andon.run("nightly", heartbeat=timedelta(seconds=5)) as run:
            assert run.info.heartbeat_s == 5
            task = await gated(run, service.person, go_on)
            (handoff_id,) = await service.store.beats.claimed(run.id)
            due = await service.store._pipe.call("ZSCORE", service.store.keys_of(handoff_id).leases, handoff_id)

            async def vouched() -> bool:
                now = await service.store._pipe.call("ZSCORE", service.store.keys_of(handoff_id).leases, handoff_id)
                return float(now) > float(due)

            await until(vouched, what="the lease moves on")
            go_on.set()
            assert await task == "sent to alice"
            assert await service.store.beats.claimed(run.id) == []
        assert not await service.store.beats.expected(), "leaving the run says that it is over"


async def test_a_process_that_hung_is_found_and_its_report_closes_what_was_asked(service: Live) -> None:
    go_on = asyncio.Event()
    async with agent_of(service) as andon, andon.run("nightly", heartbeat=5) as run:
        task = await gated(run, service.person, go_on)
        (handoff_id,) = await service.store.beats.claimed(run.id)
        await lost(service, run.id)
        question = await question_about(service, {"id": handoff_id})
        go_on.set()
        assert await task == "sent to alice"

        async def withdrawn() -> bool:
            return bool((await service.person.look(question["id"]))["state"] == "decided")

        await until(withdrawn)
    assert (await service.agent.look(handoff_id))["outcome"]["result"] == "sent to alice"


async def test_a_resumed_run_promises_again_and_gets_no_second_permit(service: Live) -> None:
    async with agent_of(service) as andon, andon.run("nightly", heartbeat=5) as run:
        handoff = await run.open(await _mail(run.id))
        (await service.person.approve(await service.person.look(handoff.id))).ok()
        await handoff.wait()
        await handoff.claim()
        await lost(service, run.id)
        question = await question_about(service, {"id": handoff.id})
        assert handoff.token
        async with agent_of(service) as later:
            again, same = await later.resume(handoff.token)

            async def found() -> bool:
                return not await is_lost(service, again.id)

            await until(found, what="its first sign of life comes at once")
            with pytest.raises(ClaimRefused, match="fell silent"):
                await same.claim()
        (await service.person.pick(question, "done")).ok()
        with pytest.raises(Conflict):
            await handoff.report("executed")


async def _mail(run: str) -> Json:
    return {
        "kind": "confirmation",
        "gate": "send_email",
        "run": run,
        "what": "Send it",
        "why": "She asked",
        "risks": ["?"],
        "action": {"tool": "send_email", "args": {"to": "alice"}},
    }


async def test_signs_of_life_survive_a_restart_of_the_service(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("andon._heartbeat.rest", quickly)
    async with live(settings) as here:
        port = int(here.url.rpartition(":")[2])
        andon = Andon(here.url, here.agent.key)
        await andon.__aenter__()
        context = andon.run("nightly", heartbeat=5)
        run = await context.__aenter__()
    try:
        async with live(settings.model_copy(update={"port": port})) as here:
            before = await here.store._pipe.call("HGET", here.store.keys_of(run.id).run(run.id), "beat_at")

            async def heard() -> bool:
                return bool(
                    await here.store._pipe.call("HGET", here.store.keys_of(run.id).run(run.id), "beat_at") != before
                )

            await until(heard, what="it is heard again")
            await context.__aexit__(None, None, None)
            await andon.__aexit__(None, None, None)
            assert not await here.store.beats.expected()
    finally:
        await andon.__aexit__(None, None, None)
