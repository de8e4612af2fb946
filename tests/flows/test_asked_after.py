"""An agent that acts first and asks afterwards, where the policy asks before: it is told to undo it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from andon import Andon, Approved, Rejected
from bot.config import Settings
from tests.people import Agent, Json
from tests.servers import Live, live, until

ACTED: dict[str, Any] = {"timing": "after", "reversible": True, "risks": [], "result": "sent"}
SEND: dict[str, Any] = {"tool": "send_email", "args": {"to": "a@example.com"}}


def under(settings: Settings, tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return settings.model_copy(update={"policy": path})


async def acted(agent: Agent, **more: Any) -> Json:
    return await agent.ask(**{**ACTED, "action": SEND, **more})


async def alerts(service: Live) -> list[str]:
    return [each.text for each in await service.store.runs.notices(20) if "asked afterwards" in each.text]


@pytest.mark.parametrize(
    "policy",
    [
        "rules: [{name: mail, tool: send_email, do: ask, approvers: [mira@example.com]}]",
        "defaults: {timeout: 1h}",
        "confidence_floor: 0.9\nrules: [{name: mail, do: allow}]",
        "confidence_floor: 0.9\nrules: [{name: mail, do: review}]",
        "rules: [{name: mail, do: ask, ramp: {ask: 1, review: 1}}]",
    ],
    ids=["a rule", "defaults", "allowed but unsure", "reviewed but unsure", "a ramp"],
)
async def test_what_people_are_asked_before_is_not_to_be_had_afterwards(
    settings: Settings, tmp_path: Path, policy: str
) -> None:
    async with live(under(settings, tmp_path, policy)) as service:
        done = await acted(service.agent, confidence=0.5)
        assert (done["state"], done["decision"]["kind"], done["decision"]["by"]["kind"]) == (
            "decided",
            "rejected",
            "policy",
        )
        assert done["decision"]["reason"].endswith("asks people before this, not after.")
        assert "Undo it now" in done["decision"]["message_for_agent"]
        assert await service.person.inbox() == []


async def test_operators_are_told_once_for_each_agent_and_rule(settings: Settings, tmp_path: Path) -> None:
    policy = "rules: [{name: mail, tool: send_email, do: ask}, {name: rest, do: ask}]"
    async with live(under(settings, tmp_path, policy)) as service:
        other = await service.new_agent("other")
        for agent in (service.agent, service.agent, other):
            await acted(agent)
        await acted(service.agent, action={"tool": "post", "args": {}})
        told = await alerts(service)
        assert sorted((each.split()[0], each.split("/")[1].split()[0]) for each in told) == [
            ("mailer", "mail"),
            ("mailer", "rest"),
            ("other", "mail"),
        ]


async def test_a_rule_may_leave_it_to_the_agent(settings: Settings, tmp_path: Path) -> None:
    policy = """
rules:
  - {name: mail, tool: send_email, do: ask, after: true}
  - {name: told, gate: told, do: ask, after: true}
"""
    async with live(under(settings, tmp_path, policy)) as service:
        assert (await acted(service.agent))["state"] == "pending"
        assert (await acted(service.agent, action={"tool": "pay", "args": {}}))["state"] == "decided"
        assert (await acted(service.agent, gate="told", action=None))["state"] == "pending"
        assert (await acted(service.agent, action=None))["decision"]["kind"] == "rejected", "no tool: the defaults"
        assert await alerts(service)


@pytest.mark.parametrize("do, state", [("allow", "decided"), ("notify", "decided"), ("review", "pending")])
async def test_what_is_not_asked_before_goes_on_as_it_did(
    settings: Settings, tmp_path: Path, do: str, state: str
) -> None:
    async with live(under(settings, tmp_path, f"rules: [{{name: mail, do: {do}}}]")) as service:
        done = await acted(service.agent)
        assert done["state"] == state
        assert done.get("decision", {"kind": "approved"})["kind"] == "approved"
        assert await alerts(service) == []


async def test_a_denied_one_is_to_be_undone(settings: Settings, tmp_path: Path) -> None:
    async with live(under(settings, tmp_path, "rules: [{name: mail, do: deny, reason: Never.}]")) as service:
        done = await acted(service.agent)
        assert done["decision"]["reason"] == "Never."
        assert "does not let this stand: Never. Undo it now" in done["decision"]["message_for_agent"]


async def test_a_service_without_a_policy_asks_afterwards_too(settings: Settings) -> None:
    async with live(settings) as service, Andon(service.url, service.agent.key) as andon:
        assert (await acted(service.agent))["state"] == "pending"
        async with andon.run("notes") as run:
            reviewed = asyncio.create_task(
                run.review("Wrote a note", why="You asked", result="note", undo=lambda: None)
            )

            async def shown() -> bool:
                return len(await service.person.inbox()) == 2

            await until(shown)
            (note,) = [each for each in await service.person.inbox() if each["ask"]["what"] == "Wrote a note"]
            (await service.person.approve(note)).ok()
            assert isinstance(await reviewed, Approved)


async def test_the_package_says_what_the_policy_says(settings: Settings, tmp_path: Path) -> None:
    policy = "defaults: {timeout: 1h}"
    async with (
        live(under(settings, tmp_path, policy)) as service,
        Andon(service.url, service.agent.key) as andon,
        andon.run("notes") as run,
    ):
        match await run.review("Wrote a note", why="You asked", result="note", undo=lambda: None):
            case Rejected(reason=reason):
                assert reason == "the policy asks people before this, not after."
            case other:
                pytest.fail(str(other))
