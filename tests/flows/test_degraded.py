"""Silence approves nothing while the store may have been deaf; over HTTP, with a real store that goes away."""

from pathlib import Path

import pytest

from bot.config import Settings
from tests.people import Json
from tests.servers import Live, Valkey, live, until

POLICY = "rules: [{name: quick, do: ask, timeout: 4s, on_timeout: approve}]"


@pytest.fixture
def lenient(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


async def ask(here: Live) -> Json:
    return await here.agent.ask(reversible=True, on_timeout="approve", timeout_s=4)


async def test_silence_approves_where_the_store_answers(lenient: Settings) -> None:
    async with live(lenient) as here:
        assert (await here.agent.wait((await ask(here))["id"]))["decision"]["kind"] == "approved"


async def test_silence_approves_nothing_after_the_store_was_away(lenient: Settings, valkey: Valkey) -> None:
    """Restarted, if only for a moment: somebody may have pressed in vain."""
    async with live(lenient) as here:
        asked = await ask(here)
        valkey.kill()
        valkey.start()

        async def ended() -> bool:
            return bool((await here.agent.look(asked["id"])).get("decision"))

        await until(ended, within_s=20)
        decision = (await here.agent.look(asked["id"]))["decision"]
        assert (decision["kind"], decision["by"]["kind"]) == ("expired", "silence")
        assert "the store was away" in decision["message_for_agent"]


async def test_silence_approves_nothing_on_a_store_that_may_lose_answers(lenient: Settings) -> None:
    async with live(lenient.model_copy(update={"unsafe_store": True})) as here:
        decision = (await here.agent.wait((await ask(here))["id"]))["decision"]
        assert decision["kind"] == "expired"
        assert "ANDON_UNSAFE_STORE" in decision["message_for_agent"]


async def test_silence_approves_nothing_for_a_service_that_came_back_too_late(lenient: Settings) -> None:
    async with live(lenient) as first:
        asked = await ask(first)
    async with live(lenient) as second:
        decision = (await second.agent.wait(asked["id"]))["decision"]
        assert decision["kind"] == "expired"
        assert "started only a moment before" in decision["message_for_agent"]
