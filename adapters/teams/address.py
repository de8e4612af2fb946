"""Where a message of ours is."""

from dataclasses import dataclass
from typing import Final, Self

from bot.errors import BadRequest

_THREAD: Final = ";messageid="


@dataclass(frozen=True, slots=True)
class Address:
    """One message: its tenant, its conversation, in a channel with the thread, and its id there."""

    tenant: str
    conversation: str
    activity: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` gives.

        Raises:
            BadRequest: It is none.
        """
        tenant, _, rest = text.partition("/")
        conversation, _, activity = rest.rpartition("/")
        if not (tenant and conversation and activity):
            msg = f"{text[:80]!r} is no address of a message"
            raise BadRequest(msg)
        return cls(tenant, conversation, activity)

    @property
    def text(self) -> str:
        """`<tenant>/19:…@thread.tacv2;messageid=1700000000000/1700000000001`: how a `CardRef` has it."""
        return f"{self.tenant}/{self.conversation}/{self.activity}"

    @property
    def channel(self) -> str:
        """The conversation without its thread."""
        return self.conversation.partition(_THREAD)[0]
