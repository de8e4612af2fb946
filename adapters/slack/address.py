"""Where a message of ours is."""

from dataclasses import dataclass
from typing import Self

from bot.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Address:
    """One message: its workspace, its channel and its timestamp."""

    team: str
    channel: str
    ts: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` gives.

        Raises:
            BadRequest: It is none.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004  # team, channel, ts
            msg = f"{text[:80]!r} is no address of a message"
            raise BadRequest(msg)
        return cls(*parts)

    @property
    def text(self) -> str:
        """`T…/C…/1700000000.000100`: how a `CardRef` has it."""
        return f"{self.team}/{self.channel}/{self.ts}"
