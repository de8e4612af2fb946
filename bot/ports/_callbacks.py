"""Endpoints of callbacks and dead letters, as operators use them."""

from collections.abc import Sequence
from typing import Protocol

from andon import wire


class CallbackDesk(Protocol):
    """Where callbacks go, and what could not be delivered there, as operators use it.

    Everything raises `StoreUnavailable` when nothing was confirmed, and what names an endpoint or a dead letter `Gone`
    when there is none. `by` is who does it, as `Actor.id` has it.
    """

    async def list(self) -> Sequence[wire.Endpoint]:
        """Every endpoint, the oldest first."""
        ...

    async def show(self, endpoint_id: str) -> wire.Endpoint:
        """One endpoint."""
        ...

    async def create(self, new: wire.EndpointCreate, by: str, *, key: str = "") -> wire.EndpointCreated:
        """Register one; its secret is told this once, and again to the same call: to one with the same `key`.

        Raises:
            IdempotencyKeyReused: Another endpoint was made with this key.
            Conflict: This one was, and has another secret by now.
            InvalidBody: The URL may not be sent to; the fault says why.
            TooMany: There are as many as can be.
        """
        ...

    async def rotate(self, endpoint_id: str, by: str, *, key: str = "") -> wire.EndpointCreated:
        """Give it a new secret, told as by `create`; the old one signs too for 24 h.

        Raises:
            Conflict: It was rotated once more since the call with this `key`, or by somebody else just now.
        """
        ...

    async def disable(self, endpoint_id: str, by: str, why: str | None = None) -> wire.Endpoint:
        """Send it nothing more; what would be sent becomes a dead letter."""
        ...

    async def enable(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Send to it again; its dead letters wait to be replayed."""
        ...

    async def remove(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Forget it, its secret and its dead letters; returns it as it stood."""
        ...

    async def test(self, endpoint_id: str) -> wire.EndpointTest:
        """Send it a callback of the type `endpoint.test`, once and now, and say what came of it."""
        ...

    async def dead_letters(self, endpoint_id: str | None = None, *, limit: int = 100) -> wire.DeadLetterList:
        """What was given up, the latest first: of one endpoint, or of all."""
        ...

    async def replay(self, delivery_id: str, by: str) -> wire.Replayed:
        """Send one dead letter again, from the start of the schedule."""
        ...

    async def replay_all(self, endpoint_id: str, by: str) -> wire.Replayed:
        """Send every dead letter of an endpoint again."""
        ...
