"""F11: a surface is away for an ask's whole life. Silence decides against it, and nobody is asked later."""

from pathlib import Path

import pytest

from bot import consent
from bot.config import Settings
from tests.fakes.board import Board
from tests.flows.paper_house import OPS, replica, settled
from tests.people import Json

POLICY = "rules: [{name: quick, do: ask, timeout: 1s, on_timeout: approve}]"


async def decided_unseen(settings: Settings, tmp_path: Path) -> Json:
    """What becomes of an ask while its only surface is away."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with (
        Board("ops").serving() as board,
        replica(settings.model_copy(update={"policy": path}), board) as here,
    ):
        board.is_down = True
        asked = await here.agent.ask(to=[OPS], reversible=True, on_timeout="approve")
        found = await here.agent.wait(asked["id"])
        board.is_down = False
        await settled(here)
        assert not any(note.buttons for note in board.notes.values()), "what is over asks nobody"
    decision: Json = found["decision"]
    return decision


async def test_silence_while_nobody_could_be_shown_the_ask_is_a_no(settings: Settings, tmp_path: Path) -> None:
    """Even where the policy lets silence approve: nobody has seen it."""
    decision = await decided_unseen(settings, tmp_path)
    assert (decision["kind"], decision["by"]["kind"]) == ("expired", "silence")


async def test_without_a_look_at_the_card_silence_would_be_a_yes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch of this guard: nobody asks whether people were shown it."""
    monkeypatch.setattr(consent, "doubt", lambda _: "")
    assert (await decided_unseen(settings, tmp_path))["kind"] == "approved"
