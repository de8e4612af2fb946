"""Draws the states of a handoff from the one table of moves.

`python -m docs.diagram` writes them into architecture.md.
"""

from pathlib import Path
from typing import Final

from bot.handoff import MOVES, State

PAGE: Final = Path(__file__).parent / "architecture.md"
BEGIN: Final = "<!-- states: made by `python -m docs.diagram` -->\n"
END: Final = "<!-- end of states -->\n"

_WHY: Final = {
    (State.PENDING, State.HELD): "brake on",
    (State.PENDING, State.DECIDED): "answer, expiry, withdrawal",
    (State.HELD, State.PENDING): "brake off",
    (State.HELD, State.DECIDED): "withdrawal, abort",
    (State.DECIDED, State.CLAIMED): "claim",
    (State.DECIDED, State.CLOSED): "outcome of what was done already",
    (State.CLAIMED, State.CLOSED): "outcome",
}


def diagram() -> str:
    """The states and their moves in Mermaid's notation."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending: open", "    [*] --> decided: the policy alone"]
    for state in State:
        lines += [f"    {state} --> {to}: {_WHY[state, to]}" for to in sorted(MOVES[state])]
        if not MOVES[state]:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```", ""])


def page(text: str) -> str:
    """The page with the diagram as it is now."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + diagram() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
