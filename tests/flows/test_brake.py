"""The brake over HTTP, with the whole service: who may, what agents and people are told, and what comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from andon import wire
from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.handoff import Change
from bot.hub import Hub
from bot.store.brakes import Brakes
from bot.store.feed import Feed
from tests.people import Agent, Json, Person, Reply
from tests.servers import Live, live
from tests.store import asks


async def pull(person: Person | Agent, run: str, action: str, *, key: str | None = None, **more: Any) -> Reply:
    return await person.call("POST", f"/v1/runs/{run}/brake", {"action": action, **more}, key=key)


async def wide(person: Person, action: str, scope: Json, **more: Any) -> Reply:
    return await person.call("POST", "/v1/brakes", {"action": action, "scope": scope, **more})


async def brakes(person: Person) -> list[Json]:
    found = (await person.call("GET", "/v1/brakes")).ok()["brakes"]
    assert isinstance(found, list)
    return found


@asynccontextmanager
async def under(settings: Settings, policy: str) -> AsyncIterator[Live]:
    path = Path(settings.state) / "policy.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(policy)
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


# --- what people and agents are told ---


async def test_agents_hear_before_any_card_is_moved(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late this process reads of the stop that it has just written."""
    order: list[str] = []
    tail, tell, hold = Feed.tail, Hub._tell_of_brake, Brakes._hold

    async def late(feed: Feed, after: str) -> AsyncIterator[list[Change]]:
        async for changes in tail(feed, after):
            await asyncio.sleep(0.1)
            yield changes

    def told(hub: Hub, *what: Any) -> None:
        order.append("agents")
        tell(hub, *what)

    async def held(brakes: Brakes, *what: Any) -> Any:
        order.append("cards")
        return await hold(brakes, *what)

    monkeypatch.setattr(Feed, "tail", late)
    monkeypatch.setattr(Hub, "_tell_of_brake", told)
    monkeypatch.setattr(Brakes, "_hold", held)
    async with live(settings) as here:
        await here.agent.ask()
        assert (await pull(here.person, await here.agent.run(), "stop")).ok()["held"] == 1
    assert order[0] == "agents"
    assert "cards" in order


async def test_a_stop_tells_what_it_held_and_what_it_cannot_recall(agent: Agent, mira: Person) -> None:
    run = await agent.run()
    flying, allowed, waiting = await agent.ask(), await agent.ask(), await agent.ask()
    for handoff in (flying, allowed):
        (await mira.approve(handoff)).ok()
    flying = await agent.look(flying["id"])
    permit = (await agent.claim(flying, claimant="worker-3")).ok()
    said = (await pull(mira, run, "stop", text="Not this list.")).ok()
    assert (said["did"], said["held"], said["runs"]) == ("pulled", 1, 1)
    assert said["brake"]["text"] == "Not this list."
    (told,) = said["in_flight"]
    assert (told["handoff"], told["claimant"]) == (flying["id"], "worker-3")
    assert told["claimed_at"][:19] == permit["claimed_at"][:19]
    held = await agent.look(waiting["id"])
    assert (held["state"], held["brake"]["by"]["id"]) == ("held", "mira@example.com")
    assert 0 < held["left_s"] <= 3600
    refused = await agent.claim(await agent.look(allowed["id"]))
    assert (refused.status, refused.problem) == (409, "stopped")
    assert refused.body["brake"] == said["brake"]
    assert "mira stopped this run: Not this list." in refused.body["detail"]
    assert (await mira.approve(held)).problem == "handoff-held"
    assert (await agent.open(await agent.confirmation())).problem == "stopped"
    looked = (await agent.call("GET", f"/v1/runs/{run}")).ok()
    assert (looked["state"], looked["brake"]) == ("held", said["brake"])


async def test_a_stop_that_is_stored_is_confirmed_though_the_store_goes_away_right_after(
    agent: Agent, mira: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error would say that nothing was stopped. What is not swept yet is looked at by whoever comes to it."""
    handoff, allowed = await agent.ask(), await agent.ask()
    (await mira.approve(allowed)).ok()

    def away(*_: object) -> NoReturn:
        raise StoreUnavailable("not now")

    with monkeypatch.context() as patch:
        patch.setattr(Brakes, "settle", away)
        said = (await pull(mira, handoff["run"], "stop")).ok()
        assert (said["did"], said["held"]) == ("pulled", 0)
        assert (await mira.approve(handoff)).problem == "handoff-held"
        assert (await agent.claim(await agent.look(allowed["id"]))).problem == "stopped"


async def test_a_resume_gives_all_of_it_back(agent: Agent, mira: Person) -> None:
    run = await agent.run()
    allowed, waiting = await agent.ask(), await agent.ask()
    (await mira.approve(allowed)).ok()
    stopped = (await pull(mira, run, "stop")).ok()["brake"]
    assert await brakes(mira) == [stopped]
    lifted = (await pull(mira, run, "resume", epoch=stopped["epoch"])).ok()
    assert (lifted["did"], lifted["held"], lifted["brake"]) == ("lifted", 1, stopped)
    assert await brakes(mira) == []
    assert (await agent.claim(await agent.look(allowed["id"]))).ok()["claimant"] == "try-1"
    again = await agent.look(waiting["id"])
    assert again["state"] == "pending"
    assert "brake" not in again
    (await mira.approve(again)).ok()
    assert (await pull(mira, run, "resume")).ok()["did"] == "off"


async def test_a_poll_comes_back_when_it_is_held_and_again_when_it_is_released(agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    waiting = asyncio.create_task(agent.wait(handoff["id"]))
    await asyncio.sleep(0.05)
    await pull(mira, handoff["run"], "stop")
    assert (await waiting)["state"] == "held"
    held = asyncio.create_task(agent.call("GET", f"/v1/handoffs/{handoff['id']}?wait=30&state=held"))
    await asyncio.sleep(0.05)
    assert not held.done(), "who knows that it is held waits for what comes next"
    await pull(mira, handoff["run"], "resume")
    assert (await held).ok()["state"] == "pending"


async def test_agents_hear_first_of_the_brake_and_then_of_each_ask(service: Live, agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    other = await service.new_agent("other")
    async with agent.events() as events, other.events() as theirs:
        opened = await events.next()
        await theirs.next()
        stopped = (await pull(mira, handoff["run"], "stop", text="No.")).ok()["brake"]
        braked, held = await events.take(2)
        assert (braked.name, braked.data) == ("brake.braked", stopped)
        assert (held.name, held.data["handoff"]) == ("handoff.held", handoff["id"])
        await pull(mira, handoff["run"], "resume")
        assert [each.name for each in await events.take(2)] == ["brake.lifted", "handoff.released"]
        (await wide(mira, "stop", {"everything": True})).ok()
        assert (await theirs.next()).data["scope"] == {"everything": True}, "the first that concerns them"
    async with agent.events(opened.id) as again:
        names = [each.name for each in await again.take(5)]
    assert names == ["brake.braked", "handoff.held", "brake.lifted", "handoff.released", "brake.braked"]


async def test_a_checkpoint_is_saved_and_says_that_the_run_is_stopped(agent: Agent, mira: Person) -> None:
    run = await agent.run()
    stopped = (await pull(mira, run, "pause")).ok()["brake"]
    receipt = (await agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "half way", "state": {"n": 3}})).ok()
    assert (receipt["version"], receipt["brake"]) == (1, stopped)
    assert (await agent.call("GET", f"/v1/runs/{run}/checkpoint")).ok()["state"] == {"n": 3}


async def test_the_question_at_a_checkpoint_waits_behind_the_stop(settings: Settings) -> None:
    policy = "rules: [{name: plan, gate: checkpoint, do: ask}]"
    async with under(settings, policy) as here:
        run = await here.agent.run()
        await pull(here.person, run, "stop")
        receipt = (await here.agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "plan"})).ok()
        assert (await here.agent.look(receipt["handoff"]))["state"] == "held"
        await pull(here.person, run, "resume")
        (await here.person.approve(await here.agent.look(receipt["handoff"]))).ok()


async def test_a_steer_ends_when_its_agent_has_heard_it(agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    said = (await pull(mira, handoff["run"], "steer", text="Send it to Bob.")).ok()["brake"]
    held = await agent.look(handoff["id"])
    assert (held["brake"]["action"], held["brake"]["text"]) == ("steer", "Send it to Bob.")
    refused = await agent.open(await agent.confirmation())
    assert "mira says: Send it to Bob." in refused.body["detail"]
    run = (await agent.call("POST", f"/v1/runs/{handoff['run']}/heard", {"steers": [said["steer"]]})).ok()
    assert run["state"] == "running"
    assert (await agent.look(handoff["id"]))["state"] == "pending"
    assert await brakes(mira) == []


async def test_a_resume_says_that_words_which_nobody_read_still_hold_the_run(agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    run = handoff["run"]
    await pull(mira, run, "stop")
    assert (await pull(mira, run, "steer", text="Send it to Bob.")).ok()["did"] == "stands"
    said = (await pull(mira, run, "resume")).ok()
    assert (said["did"], [each["action"] for each in said["still"]]) == ("lifted", ["steer"])
    held = await agent.look(handoff["id"])
    assert (held["state"], held["brake"]["text"]) == ("held", "Send it to Bob.")
    (await agent.call("POST", f"/v1/runs/{run}/heard", {"steers": [held["brake"]["steer"]]})).ok()
    assert (await agent.look(handoff["id"]))["state"] == "pending"


async def test_whoever_may_not_resume_lifts_no_pause_by_telling_the_agent_something(
    settings: Settings,
) -> None:
    async with under(
        settings, "rules: [{name: mail, tool: send_email, do: ask, approvers: [ana@example.com]}]"
    ) as here:
        handoff = await here.agent.ask()
        await pull(here.person, handoff["run"], "pause")
        said = (await pull(here.person, handoff["run"], "steer", text="Go on.")).ok()["brake"]
        (await here.agent.call("POST", f"/v1/runs/{handoff['run']}/heard", {"steers": [said["steer"]]})).ok()
        assert (await here.agent.look(handoff["id"]))["brake"]["action"] == "pause"
        assert (await pull(here.person, handoff["run"], "resume")).status == 403


async def test_an_abort_ends_what_waits_and_says_so_to_the_agent(agent: Agent, mira: Person) -> None:
    run = await agent.run()
    allowed, waiting = await agent.ask(), await agent.ask()
    (await mira.approve(allowed)).ok()
    await pull(mira, run, "stop")
    (await pull(mira, run, "abort", text="The customer left.")).ok()
    decision = (await agent.wait(waiting["id"]))["decision"]
    assert (decision["kind"], decision["by"]["id"], decision["reason"]) == (
        "aborted",
        "mira@example.com",
        "The customer left.",
    )
    assert "mira ended this run: The customer left." in decision["message_for_agent"]
    assert (await agent.claim(await agent.look(allowed["id"]))).problem == "stopped"
    assert (await pull(mira, run, "resume")).ok()["did"] in {"lifted", "off"}
    assert (await agent.claim(await agent.look(allowed["id"]))).problem == "stopped"
    assert (await agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "aborted"


async def test_what_is_opened_under_a_brake_by_a_report_is_held_too(settings: Settings) -> None:
    """The review of what was done opens in the step of its outcome, and on hold."""
    policy = "rules: [{name: mail, tool: send_email, do: review}]"
    async with under(settings, policy) as here:
        done = await here.agent.ask(reversible=True)
        (await here.agent.claim(done)).ok()
        await pull(here.person, done["run"], "stop")
        review = (await here.agent.report(done, "executed", claimant="try-1")).ok()["review"]
        assert (await here.agent.look(review))["state"] == "held"
        await pull(here.person, done["run"], "resume")
        assert (await here.agent.look(review))["state"] == "pending"


# --- what a resume leaves ---

OPS: Json = {"conversation": {"surface": "web", "channel": "#ops"}}
MAILER: Json = {"agent": "mailer"}
ALL: Json = {"everything": True}


async def start(agent: Agent, name: str, **more: Any) -> str:
    """A run in the channel, unless told otherwise; it asks nothing."""
    body = {"name": name, "conversation": {"surface": "web", "channel": "#ops"}, **more}
    return str((await agent.call("POST", "/v1/runs", body)).ok()["id"])


def still(said: Json) -> list[Json]:
    return [each["scope"] for each in said.get("still", [])]


@pytest.mark.parametrize("asks_something", [True, False])
@pytest.mark.parametrize("scope", ["run", "conversation", "agent"])
async def test_a_resume_says_what_else_holds_it_whatever_its_scope(
    agent: Agent, mira: Person, scope: str, asks_something: bool
) -> None:
    run = await start(agent, "weekly")
    if asks_something:
        agent._run = run
        await agent.ask()
    lifted = {"run": {"run": run}, "conversation": OPS, "agent": MAILER}[scope]
    others = [each for each in (ALL, MAILER, OPS, {"run": run}) if each != lifted]
    for each in (lifted, *reversed(others)):
        (await wide(mira, "stop", each)).ok()
    for left in range(len(others), -1, -1):
        said = (await wide(mira, "resume", lifted)).ok()
        assert (said["did"], still(said)) == ("lifted", others[:left]), "the latest first"
        if left:
            (await wide(mira, "resume", others[left - 1])).ok()
            (await wide(mira, "stop", lifted)).ok()


async def test_a_resume_of_everything_says_all_that_is_on(agent: Agent, mira: Person) -> None:
    run, other = await start(agent, "weekly"), await start(agent, "daily")
    for each in (ALL, OPS, {"run": run}, {"agent": "nobody"}, {"run": other}):
        (await wide(mira, "pause", each)).ok()
    said = (await wide(mira, "resume", ALL)).ok()
    assert still(said) == [{"run": other}, {"agent": "nobody"}, {"run": run}, OPS]


async def test_a_resume_says_nothing_of_what_holds_others(service: Live, agent: Agent, mira: Person) -> None:
    run = await start(agent, "weekly")
    elsewhere: Json = {"conversation": {"surface": "web", "channel": "#dev"}}
    other = await start(await service.new_agent("other"), "theirs", **elsewhere)
    for each in ({"run": other}, {"agent": "other"}, elsewhere, {"agent": "nobody"}):
        (await wide(mira, "stop", each)).ok()
    for lifted in ({"run": run}, OPS, MAILER):
        (await wide(mira, "stop", lifted)).ok()
        assert still((await wide(mira, "resume", lifted)).ok()) == []


async def test_a_resume_names_what_holds_the_runs_below(agent: Agent, mira: Person) -> None:
    """A child run may be stopped by itself, or by a channel that its parent has nothing to do with."""
    run = await start(agent, "weekly")
    child = await start(agent, "child", parent=run, conversation={"surface": "web", "channel": "#dev"})
    agent._run = child
    await agent.ask()
    dev: Json = {"conversation": {"surface": "web", "channel": "#dev"}}
    for each in (dev, {"run": child}):
        (await wide(mira, "stop", each)).ok()
    for lifted in ({"run": run}, OPS, MAILER):
        (await wide(mira, "stop", lifted)).ok()
        assert still((await wide(mira, "resume", lifted)).ok()) == [{"run": child}, dev]


async def test_a_resume_does_not_name_a_brake_that_was_said_before_the_run_began(
    service: Live, agent: Agent, mira: Person
) -> None:
    """And came after it: that one never held it."""
    said_at = await service.store.now()
    await asks.pass_time(service.store, 5)
    run = await start(agent, "weekly")
    await asks.pass_time(service.store, 2)  # of two things within one millisecond the store cannot say which came first
    late = asks.order("stop", scope=wire.BrakeScope(agent="mailer"), said_at=said_at)
    assert (await service.store.brakes.obey(late, {"mailer"})).word == "pulled"
    (await pull(mira, run, "stop")).ok()
    assert still((await pull(mira, run, "resume")).ok()) == []


# --- who may ---


async def test_whoever_sees_it_may_stop_and_an_approver_resumes(settings: Settings) -> None:
    policy = "rules: [{name: mail, tool: send_email, do: ask, approvers: [boss@example.com]}]"
    async with under(settings, policy) as here:
        boss = await here.new_person("boss@example.com")
        handoff = await here.agent.ask()
        (await pull(here.person, handoff["run"], "stop")).ok()
        for action in ("resume", "abort"):
            refused = await pull(here.person, handoff["run"], action)
            assert (refused.status, refused.problem) == (403, "not-an-approver")
            assert "it takes somebody who may approve" in refused.body["detail"]
        assert (await here.agent.look(handoff["id"]))["state"] == "held"
        (await pull(boss, handoff["run"], "resume")).ok()
        assert (await here.agent.look(handoff["id"]))["state"] == "pending"


async def test_the_policy_may_name_who_resumes(settings: Settings) -> None:
    policy = "brake: {resume: [boss@example.com]}\nrules: [{name: mail, tool: send_email, do: ask}]"
    async with under(settings, policy) as here:
        boss = await here.new_person("boss@example.com")
        handoff = await here.agent.ask()
        (await pull(here.person, handoff["run"], "pause")).ok()
        assert (await pull(here.person, handoff["run"], "resume")).problem == "not-an-approver"
        (await pull(boss, handoff["run"], "resume")).ok()


async def test_with_nothing_held_the_defaults_name_who_resumes(settings: Settings) -> None:
    policy = "defaults: {approvers: [boss@example.com]}"
    async with under(settings, policy) as here:
        boss = await here.new_person("boss@example.com")
        (await wide(here.person, "stop", {"agent": "mailer"})).ok()
        assert (await wide(here.person, "resume", {"agent": "mailer"})).problem == "not-an-approver"
        (await wide(boss, "resume", {"agent": "mailer"})).ok()


async def test_the_defaults_do_not_resume_what_others_are_asked_about(settings: Settings) -> None:
    policy = """
        defaults: {approvers: [mira@example.com]}
        rules: [{name: mail, tool: send_email, do: ask, approvers: [boss@example.com]}]
    """
    async with under(settings, policy) as here:
        handoff = await here.agent.ask()
        (await pull(here.person, handoff["run"], "stop")).ok()
        assert (await pull(here.person, handoff["run"], "resume")).problem == "not-an-approver"


async def test_an_agent_pulls_no_brake_and_hears_only_its_own(service: Live, agent: Agent, mira: Person) -> None:
    run = await agent.run()
    assert (await pull(agent, run, "resume")).problem == "forbidden"
    assert (await agent.call("GET", "/v1/brakes")).problem == "forbidden"
    other = await service.new_agent("other")
    steer = (await pull(mira, run, "steer", text="Wait.")).ok()["brake"]["steer"]
    assert (await other.call("POST", f"/v1/runs/{run}/heard", {"steers": [steer]})).status == 404
    assert (await mira.call("POST", f"/v1/runs/{run}/heard", {"steers": [steer]})).problem == "forbidden"
    assert len(await brakes(mira)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"action": "dance"},
        {"action": "steer"},
        {"action": "stop", "epoch": 3},
        {"action": "stop", "scope": {"run": "x"}},
        {"action": "stop", "text": ""},
    ],
)
async def test_a_bad_order_is_refused_by_name(agent: Agent, mira: Person, body: Json) -> None:
    said = await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", body)
    assert (said.status, said.problem) == (422, "invalid-body")


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"agent": "mailer", "everything": True},
        {"conversation": {"surface": "slack"}},
        {"run": "report"},
        {"everything": False},
    ],
)
async def test_a_scope_is_exactly_one_thing(mira: Person, scope: Json) -> None:
    assert (await wide(mira, "stop", scope)).problem == "invalid-body"
    assert await brakes(mira) == []


async def test_a_run_that_is_not_there_is_not_found(mira: Person) -> None:
    for run in (f"run_{'x' * 22}", "report"):
        said = await pull(mira, run, "stop")
        assert (said.status, said.problem) == (404, "not-found")
    assert (await wide(mira, "steer", {"everything": True}, text="Wait.")).problem == "invalid-body"


async def test_one_key_is_one_order(service: Live, agent: Agent, mira: Person) -> None:
    run = await agent.run()
    ana = await service.new_person("ana@example.com")
    first = (await pull(mira, run, "stop", key="press")).ok()
    assert (await pull(mira, run, "stop", key="press")).ok()["brake"] == first["brake"]
    assert (await pull(ana, run, "stop", key="press")).ok()["did"] == "stands", "hers is another order"
    (await pull(mira, run, "resume", key="lift")).ok()
    assert (await pull(mira, run, "stop", key="press")).ok()["did"] == "pulled", "as it was told then"
    assert await brakes(mira) == []


# --- wherever it is looked at ---


async def test_what_this_process_knew_does_not_let_anybody_through(service: Live, agent: Agent, mira: Person) -> None:
    """Handoffs that were seen lately are kept in the process; a brake that another one pulled counts all the same."""
    handoff, run = await agent.ask(), await agent.run()
    await service.store.brakes.obey(asks.order("stop", scope=wire.BrakeScope(run=run)), set())
    assert (await mira.approve(handoff)).problem == "handoff-held"
    assert (await agent.open(await agent.confirmation())).problem == "stopped"
