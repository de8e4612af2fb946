"""What an agent could do with its own words to be asked less, and what it gets instead."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from tests.people import Json
from tests.servers import Live, live

Under = Callable[[str], AbstractAsyncContextManager[Live]]


@pytest.fixture
def under(settings: Settings, tmp_path: Path) -> Under:
    """A service under this policy."""

    @asynccontextmanager
    async def serve(policy: str) -> AsyncIterator[Live]:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        async with live(settings.model_copy(update={"policy": path})) as running:
            yield running

    return serve


async def fail(here: Live, **ask: Any) -> Json:
    """Something that the policy lets run, and that fails."""
    asked = await here.agent.ask(reversible=True, **ask)
    (await here.agent.claim(asked)).ok()
    return (await here.agent.report(asked, "failed", claimant="try-1", error="no route")).ok()


async def child(here: Live, parent: str) -> str:
    started: str = (await here.agent.call("POST", "/v1/runs", {"name": "a part", "parent": parent})).ok()["id"]
    return started


async def test_what_cannot_be_undone_is_asked_when_no_confidence_is_told(under: Under) -> None:
    async with under("confidence_floor: 0.9\nrules: [{name: a, tool: '*', do: allow}]\n") as here:
        untold = await here.agent.ask(reversible=False)
        assert untold["state"] == "pending"
        assert (await here.agent.ask(reversible=False, confidence=0.95))["state"] == "decided"
        assert (await here.agent.ask(reversible=True))["state"] == "decided"


async def test_a_grant_stands_at_its_gate_alone(under: Under) -> None:
    """A yes at one gate is none at another, which people may read quite differently."""
    rule = "{name: mail, tool: send_email, do: ask, grants: [{label: any, scope: agent}]}"
    async with under(f"rules: [{rule}]\n") as here:
        (await here.person.approve(await here.agent.ask(gate="reports"), grant=0)).ok()
        assert (await here.agent.ask(gate="reports"))["state"] == "decided"
        assert (await here.agent.ask(gate="invoices"))["state"] == "pending"


async def test_failures_follow_into_child_runs(under: Under) -> None:
    """Neither a fresh child run, nor a child's child, wipes the record of what they all come from."""
    async with under("escalate_on_failure: 2\nrules: [{name: a, tool: '*', do: allow}]\n") as here:
        root = await here.agent.run()
        first = await child(here, root)
        await fail(here, run=root)
        assert (await here.agent.ask(run=first))["state"] == "decided"
        await fail(here, run=await child(here, first))
        for run in (root, first, await child(here, root), await child(here, first)):
            assert (await here.agent.ask(run=run))["state"] == "pending", run


async def test_an_unsure_child_counts_for_all(under: Under) -> None:
    rules = "escalate_on_failure: 1\nconfidence_floor: 0.5\nrules: [{name: a, tool: '*', do: allow}]\n"
    async with under(rules) as here:
        root = await here.agent.run()
        await here.agent.ask(run=await child(here, root), confidence=0.1)
        assert (await here.agent.ask(run=root, confidence=0.9, reversible=True))["state"] == "pending"
