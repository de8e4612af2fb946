"""Named points at which a service kills itself when it was told to, as a crash does at the worst moment. For tests.

`ANDON_FAILPOINT=answer.after` kills it (SIGKILL, so nothing is tidied up) when it first comes to that point, and
`answer.after:3` when it does so for the third time. A point of a script, `<script>.before` or `<script>.after`, is just
before it is sent, or when its reply has come and nobody knows of it yet. With none armed, a point is one comparison.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "open.before": "C1: nothing of the ask is written",
        "open.after": "C2: the handoff is written, and the agent was not told",
        "card.taken": "C3: the agent has its reply, and the card's turn has come; nothing is posted",
        "card.posted": "C4: the card is on the surface, and where it is was not remembered",
        "answer.before": "C5: the answer is verified, and nothing of it is written",
        "answer.after": "C6: the decision is written, and nobody was told",
        "wake.after": "C7: the decision is confirmed, who waits for it here is being told, and the person was not",
        "card.update": "C8: the person was told, and the card does not show it",
        "callback.taken": "C9: a callback is about to be sent",
        "callback.sent": "C10: the receiver has answered, and nobody noted what",
        "claim.after": "C12, on this side: the permit is given, and the agent does not have it",
        "outcome.after": "C13, on this side: the outcome is written, and the agent does not know",
        "brake.before": "C14: the order is verified, and no brake is on",
        "brake.after": "C15: the brake is on, nothing is swept, and nobody was told",
        "hold.after": "C15: a part of the sweep is done",
        "expire.before": "C16: the time is up, and silence has not decided",
        "expire.after": "C16: silence has decided, and nobody was told",
    }
)
"""Every point, with the step of docs/faults.md that it stands for."""


@dataclass(slots=True)
class Armed:
    """Where this process is to die: the time after the next `left` - 1."""

    name: str
    left: int = 1


armed: Armed | None = None
"""One for the whole process, as its death is."""


def parse(text: str) -> Armed:
    """Read `<name>` or `<name>:<nth>`.

    Raises:
        ValueError: There is no such point, or no such number.
    """
    name, colon, nth = text.partition(":")
    if name not in POINTS:
        msg = f"there is no point {name!r}; docs/faults.md lists them: {', '.join(POINTS)}"
        raise ValueError(msg)
    if colon and not (nth.isascii() and nth.isdigit() and int(nth)):
        msg = f"{nth!r} is no number of times; it is 1 or more, as in {name}:2"
        raise ValueError(msg)
    return Armed(name, int(nth) if colon else 1)


def arm(text: str) -> None:
    """Die at the point that `text` names; raises as `parse`."""
    global armed  # noqa: PLW0603  # one death for the process
    armed = parse(text)


def hit(name: str) -> None:
    """Come to a point, and perhaps no further."""
    if armed is None or armed.name != name:
        return
    armed.left -= 1
    if armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
