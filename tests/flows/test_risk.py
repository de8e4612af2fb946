"""Risk, confidence and failures as an agent and a person meet them, over HTTP."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.config import Settings
from tests.people import Agent
from tests.servers import live

SHELL = """
rules:
  - {name: harmless, tool: bash, when: "risk < 0.4", do: allow}
  - {name: dangerous, tool: bash, when: "risk >= 0.9", do: deny, reason: "No."}
"""
FAILING = """
confidence_floor: 0.5
escalate_on_failure: 2
rules:
  - {name: all-of-bash, tool: bash, do: allow}
"""
CHECKPOINT = """
rules:
  - {name: planned, tool: bash, checkpoint: "plan *", do: allow}
"""

With = Callable[[str], Settings]


@pytest.fixture
def ruled(settings: Settings, tmp_path: Path) -> With:
    def write(text: str) -> Settings:
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        return settings.model_copy(update={"policy": path})

    return write


async def bash(agent: Agent, command: str, **more: Any) -> Any:
    return await agent.ask(gate="bash", action={"tool": "bash", "args": {"command": command}}, **more)


async def test_what_only_reads_runs_what_destroys_is_refused_and_the_rest_is_asked(ruled: With) -> None:
    async with live(ruled(SHELL)) as service:
        looked, wiped, built = [await bash(service.agent, c) for c in ("git status", "rm -rf /", "make test")]
        assert (looked["state"], looked["decision"]["kind"]) == ("decided", "approved")
        assert (wiped["state"], wiped["decision"]["reason"]) == ("decided", "No.")
        assert built["state"] == "pending"
        handoff = await service.store.handoffs.load(built["id"])
        assert handoff
        assert handoff.route.risk
        assert handoff.route.risk.reasons == ("`make` runs the project's own code.",)


async def scorer(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> TestServer:
    app = web.Application()
    app.router.add_post("/", answer)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_a_scorer_at_an_address_decides_and_one_that_fails_makes_a_person_decide(ruled: With) -> None:
    """The same harmless command: allowed while the scorer says so, asked about as soon as it says nothing."""
    up = True

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"score": 0.1, "reasons": ["The house knows it."]}) if up else web.Response(status=503)

    server = await scorer(answer)
    try:
        async with live(ruled(f"risk: {{url: '{server.make_url('/')}', timeout: 2s}}\n{SHELL}")) as service:
            assert (await bash(service.agent, "make a"))["decision"]["kind"] == "approved"
            up = False
            refused = await bash(service.agent, "make b")
            assert refused["decision"]["kind"] == "rejected"  # a risk of 1.0 is what this policy refuses
            asked = await service.agent.ask(action={"tool": "other", "args": {}})
            handoff = await service.store.handoffs.load(asked["id"])
            assert handoff
            assert handoff.route.risk
            assert handoff.route.risk.score == 1.0
            assert "could not be scored" in handoff.route.risk.reasons[0]
    finally:
        await server.close()


async def fail(agent: Agent, command: str, status: str = "failed") -> Any:
    done = await bash(agent, command, confidence=0.9)
    assert done["decision"]["kind"] == "approved"
    assert (await agent.claim(done)).status == 200
    error = {"error": "it broke"} if status == "failed" else {}
    for _ in range(2):  # a report that comes twice counts once
        assert (await agent.report(done, status, claimant="try-1", **error)).status == 200
    return done


async def test_after_two_failures_in_its_run_an_agent_has_to_ask(ruled: With) -> None:
    async with live(ruled(FAILING)) as service:
        agent = service.agent
        await fail(agent, "a")
        await fail(agent, "fine", "executed")
        await fail(agent, "b")
        asked = await bash(agent, "c", confidence=0.9)
        assert asked["state"] == "pending"
        handoff = await service.store.handoffs.load(asked["id"])
        assert handoff
        assert handoff.route.because == ("In this run 2 actions have failed or were unsure.",)
        other = await service.new_agent("other")
        assert (await bash(other, "c", confidence=0.9))["state"] == "decided"  # its run is another


async def test_an_unsure_ask_counts_as_a_failure_once(ruled: With) -> None:
    async with live(ruled(FAILING)) as service:
        agent = service.agent
        for _ in range(3):  # the same ask again is the same ask
            assert (await bash(agent, "a", confidence=0.3, key="one"))["state"] == "pending"
        assert (await bash(agent, "sure", confidence=0.9))["state"] == "decided"
        await bash(agent, "b", confidence=0.49)
        assert (await bash(agent, "sure too", confidence=0.9))["state"] == "pending"


async def test_a_failed_undo_counts_and_a_run_that_is_gone_is_not_brought_back(ruled: With) -> None:
    async with live(ruled(FAILING)) as service:
        agent, keys = service.agent, service.own.keys
        first, second = await agent.review(), await agent.review(what="Created another draft")
        for each in (first, second):
            await service.person.reject(each, "Undo it.")
        run = await agent.run()
        assert (await agent.report(first, "undo_failed", error="no")).status == 200
        assert await service.store.runs.standing(run) == (1, "", True)
        await service.store._pipe.call("DEL", keys.run(run))
        assert (await agent.report(second, "undo_failed", error="no")).status == 200
        assert await service.store._pipe.call("EXISTS", keys.run(run)) == 0


async def test_a_rule_for_a_checkpoint_holds_from_that_checkpoint_on(ruled: With) -> None:
    async with live(ruled(CHECKPOINT)) as service:
        agent = service.agent
        assert (await bash(agent, "a"))["state"] == "pending"
        path = f"/v1/runs/{await agent.run()}/checkpoint"
        assert (await agent.call("PUT", path, {"name": "plan agreed", "state": {}})).status in {200, 201}
        assert (await bash(agent, "b"))["state"] == "decided"
