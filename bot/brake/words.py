"""Placeholder until the words come in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Where = Literal["channel", "thread", "bot"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A command."""

    action: Literal["stop", "pause", "steer", "resume", "abort"]
    target: str = ""
    text: str = ""


class Vocabulary:
    """Words."""

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        """Nothing."""
        self._more = more

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        """Nothing."""
        del where, agents
        return Typed("stop") if text.casefold() == "stop" else None
