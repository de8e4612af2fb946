"""F11: a surface is away for an ask's whole life. Silence decides against it, and nobody is asked later."""

from pathlib import Path

from bot.config import Settings
from tests.fakes.board import Board
from tests.flows.paper_house import OPS, replica, settled

POLICY = "rules: [{name: quick, do: ask, timeout: 1s, on_timeout: approve}]"


async def test_silence_while_nobody_could_be_shown_the_ask_is_a_no(settings: Settings, tmp_path: Path) -> None:
    """Even where the policy lets silence approve: nobody has seen it."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with (
        Board("ops").serving() as board,
        replica(settings.model_copy(update={"policy": path}), board) as here,
    ):
        board.is_down = True
        asked = await here.agent.ask(to=[OPS], reversible=True, on_timeout="approve")
        decision = (await here.agent.wait(asked["id"]))["decision"]
        assert (decision["kind"], decision["by"]["kind"]) == ("expired", "silence")
        assert (await here.agent.claim(asked)).status == 409
        board.is_down = False
        await settled(here)
        assert not board.notes, "what is over asks nobody"
