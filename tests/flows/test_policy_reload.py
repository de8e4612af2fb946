"""A policy that changes while the service runs, over HTTP; and what it says when it is asked why."""

import asyncio
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

from bot import policies
from bot.config import Settings
from tests.servers import Live, live, until

ASKS = "rules: [{name: reads, tool: 'read_*', do: ask, approvers: [ana@example.com]}]"
ALLOWS = "rules: [{name: reads, tool: 'read_*', do: allow}]"
READ: dict[str, Any] = {"action": {"tool": "read_file", "args": {}}}


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_text(text, encoding=encoding)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy that is looked at often."""
    quick = policies.Policies.__init__
    monkeypatch.setattr(policies.Policies, "__init__", partialmethod(quick, every_s=0.02))
    path = tmp_path / "policy.yaml"
    path.write_text(ASKS)
    return path


async def metric(service: Live, line: str) -> bool:
    text: str = (await service.agent.call("GET", "/metrics")).body
    return line in text


async def test_asks_follow_the_changed_file_and_open_ones_keep_their_own(settings: Settings, file: Path) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        before = await service.agent.ask(**READ)
        assert before["state"] == "pending"
        write(file, ALLOWS)

        async def allowed() -> bool:
            return bool((await service.agent.ask(**READ))["state"] == "decided")

        await until(allowed)
        refused = await service.person.answer(before, {"kind": "approve", "revision": 1})
        assert refused.problem == "not-an-approver"


async def test_a_broken_file_changes_nothing_and_is_told_to_operators(settings: Settings, file: Path) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        write(file, "rules: [{name: reads, do: allow}, {name: reads, do: alow}]")

        async def told() -> bool:
            return any("has faults and was not taken" in each.text for each in await service.store.runs.notices(9))

        await until(told)
        assert (await service.agent.ask(**READ))["state"] == "pending"
        assert await metric(service, "andon_policy_trouble 1.0")
        assert await metric(service, 'andon_policy_loads{outcome="refused"} 1.0')
        await asyncio.sleep(0.2)
        assert len([each for each in await service.store.runs.notices(9) if "has faults" in each.text]) == 1


async def test_a_missing_file_asks_about_everything(settings: Settings, file: Path) -> None:
    remove(file)
    async with live(settings.model_copy(update={"policy": file})) as service:
        asked = await service.agent.ask(**READ)
        assert asked["state"] == "pending"

        async def told() -> bool:
            return any("so everything is asked" in each.text for each in await service.store.runs.notices(9))

        await until(told)
        assert await metric(service, "andon_policy_trouble 1.0")


async def test_people_learn_why_and_agents_do_not(settings: Settings, file: Path) -> None:
    """An agent could learn from it how to get by."""
    async with live(settings.model_copy(update={"policy": file})) as service:
        said = (await service.person.call("POST", "/v1/policy/explain", {"tool": "read_file"})).ok()
        assert (said["do"], said["rule"]) == ("ask", "reads")
        assert said["tried"] == [{"rule": "reads", "tool": "read_file", "matched": True, "why": "all of it matches"}]
        assert {"name": "approvers", "value": ["ana@example.com"], "source": "rule reads", "note": ""} in said["terms"]
        assert await service.person.inbox() == [], "nothing is opened"
        refused = await service.agent.call("POST", "/v1/policy/explain", {"tool": "read_file"})
        assert (refused.status, refused.problem) == (403, "forbidden")
        slip = await service.person.call("POST", "/v1/policy/explain", {"toool": "x"})
        assert (slip.status, slip.problem) == (422, "invalid-body")
