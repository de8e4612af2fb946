"""The brakes, as a surface uses them."""

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from andon import wire
from bot.brake.order import BrakeOrder
from bot.brake.words import Typed, Where

Standing = Literal["member", "guest", "external", "outside"]
"""What a person is where they act: a full member of the workspace or tenant and of the conversation; a guest of the
workspace; somebody of another one; or a full member who is not in the conversation that has the card."""


class BrakeDesk(Protocol):
    """The brakes of runs, conversations, agents and everything, as a surface uses them."""

    async def obey(self, order: BrakeOrder, *, standing: Standing = "member") -> wire.BrakeReceipt:
        """Pull or lift a brake. When this returns, no claim in the scope succeeds, or all may again.

        Whoever sees the conversation may stop, pause and steer, and the surface knows who does. `resume` and `abort`
        are for those whom the policy's `brake.resume` lists; where it lists nobody, for whoever may answer one of the
        asks that are held, or that the policy's defaults list.

        Raises:
            NotAnApprover: This person may not lift it or end the run; the error's `detail` is a sentence for them.
            Gone: There is no such run.
            StoreUnavailable: Nothing was confirmed; the same order again is safe.
        """
        ...

    async def standing(self) -> Sequence[wire.Braked]:
        """Every brake that is on, the latest first."""
        ...

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        """What a message commands, by the words that hold now; None: it is no command."""
        ...
