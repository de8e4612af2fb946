"""What the policy decides by itself, over HTTP."""

from datetime import datetime
from pathlib import Path

import pytest

from bot.config import Settings
from tests.people import Agent
from tests.servers import live

POLICY = """
defaults: {do: ask, timeout: 30m}
rules:
  - {name: reading, tool: "read_*", do: allow}
  - {name: drops, tool: "drop_*", do: deny, reason: "Tables are dropped by the database team."}
  - {name: quick, gate: quick, do: ask, timeout: 1s, on_timeout: approve}
"""


@pytest.fixture
def policy(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


async def test_an_allowed_action_is_decided_at_once_and_still_claimed(policy: Settings) -> None:
    async with live(policy) as service:
        agent: Agent = service.agent
        asked = await agent.ask(action={"tool": "read_file", "args": {"path": "a"}})
        assert (asked["state"], asked["decision"]["kind"]) == ("decided", "approved")
        assert asked["decision"]["by"]["kind"] == "policy"
        assert asked["decision"]["policy"].endswith("/reading")
        assert (await agent.claim(asked)).ok()["payload"] == '{"args":{"path":"a"},"tool":"read_file"}'
        assert await service.person.inbox() == []


async def test_a_denied_action_is_refused_at_once_with_the_rule_s_reason(policy: Settings) -> None:
    async with live(policy) as service:
        asked = await service.agent.ask(action={"tool": "drop_table", "args": {}})
        assert (asked["state"], asked["decision"]["kind"]) == ("decided", "rejected")
        assert asked["decision"]["reason"] == "Tables are dropped by the database team."
        assert "policy" in asked["decision"]["message_for_agent"]
        assert (await service.agent.claim(asked)).problem == "not-approved"


async def test_silence_approves_only_what_can_be_undone(policy: Settings) -> None:
    async with live(policy) as service:
        agent = service.agent
        consent = await agent.ask(gate="quick", reversible=True, on_timeout="approve")
        careful = await agent.ask(gate="quick", reversible=True)
        irreversible = await agent.ask(gate="quick")
        kinds = [(await agent.wait(h["id"]))["decision"]["kind"] for h in (consent, careful, irreversible)]
        assert kinds == ["approved", "expired", "expired"]
        decided = await agent.look(consent["id"])
        assert decided["decision"]["by"]["kind"] == "silence"
        assert (await agent.claim(decided)).status == 200


async def test_an_ask_cannot_wait_longer_than_the_policy_lets_it(policy: Settings) -> None:
    async with live(policy) as service:
        asked = await service.agent.ask(timeout_s=86_400)
        assert asked["expires_at"] > asked["opened_at"]
        page = (await service.agent.call("GET", f"/v1/handoffs/{asked['id']}")).ok()
        span = datetime.fromisoformat(page["expires_at"]) - datetime.fromisoformat(page["opened_at"])
        assert span.total_seconds() == 1800
