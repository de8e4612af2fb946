"""Which callbacks there are: one for each event and each endpoint that wants it, whoever queues it, however often."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from bot.access import Access
from bot.handoff import Handoff
from bot.store import Callback, Delivery, EndpointRecord, Store, event_number, when

_DECIDED: Final = "handoff.decided"
_NAMES: Final[Mapping[str, str]] = {
    **{
        event: f"handoff.{event}"
        for event in ("decided", "claimed", "closed", "revised", "held", "released", "questioned")
    },
    "steered": "run.steered",
    "trust_reset": "trust.reset",
    "braked": "brake.braked",
    "lifted": "brake.lifted",
}
"""Events of the store that endpoints can be told of, by their names on the event stream."""

_ONCE: Final = frozenset({_DECIDED, "handoff.claimed", "handoff.closed"})
"""What happens to a handoff once, so that it names the callback whichever entry of the stream told of it."""


class CallbackQueue:
    """The callbacks of all endpoints, before they are sent."""

    def __init__(self, store: Store, access: Access) -> None:
        """For the endpoints of `store`; `access` derives ids, so that all processes give the same."""
        self._records = store.endpoints
        self._access = access
        self.bell = asyncio.Event()
        """Set when something may be due; whoever sends clears it."""
        self.wanted = asyncio.Event()
        """Set while there are endpoints, as `endpoints` found it last."""

    async def endpoints(self) -> Sequence[EndpointRecord]:
        """Every endpoint; raises `StoreUnavailable`."""
        found = await self._records.all()
        if found:
            self.wanted.set()
        else:
            self.wanted.clear()
        return found

    def tells_of(self, event: Delivery) -> bool:
        """Can endpoints be told of this?"""
        return event.event in _NAMES

    async def add(self, event: Delivery, endpoints: Sequence[EndpointRecord], *, mark: str = "") -> None:
        """Queue what is not queued yet of one event, for those of the endpoints that want it; again is fine.

        `mark` tells the event's shard from the others.

        Raises:
            StoreUnavailable: Some may have been queued; the same call again is safe.
        """
        name, at = _NAMES[event.event], when(event_number(event.id)[0])
        about = {"handoff": event.handoff, "agent": event.agent, "run": event.run, "kind": event.kind}
        await asyncio.gather(
            *(
                self._records.queue(self._callback(each, name, at, entry=f"{event.id}{mark}", **about))
                for each in endpoints
                if each.wants(name, event.agent, at)
            )
        )

    async def send_again(self, handoff: Handoff) -> int:
        """Send a decision anew, at once, to every endpoint that wants it; returns to how many.

        One that is being sent just now is not counted; 0 too while nothing is decided. Raises as `add`.
        """
        if handoff.decision is None:
            return 0
        at, queued = handoff.decision.at, 0
        for each in await self._records.all():
            if not each.off and each.wants(_DECIDED, handoff.agent, max(at, each.created_at)):
                again = self._callback(*(each, _DECIDED, at), handoff=handoff.id, agent=handoff.agent, run=handoff.run)
                queued += await self._records.queue(again, "again")
        self.bell.set()
        return queued

    async def has_endpoints(self, agent: str) -> bool:
        """Is anybody told of this agent's decisions? Raises `StoreUnavailable`."""
        return any(
            not each.off and _DECIDED in each.events and each.agent in {"*", agent}
            for each in await self._records.all()
        )

    def _callback(
        self, endpoint: EndpointRecord, name: str, at: datetime, *, entry: str = "", handoff: str = "", **about: str
    ) -> Callback:
        webhook_id = self._access.derive_id("msg", handoff, name, "" if name in _ONCE else entry)
        made_of = self._access.derive_id("cb", endpoint.id, webhook_id)
        return Callback(made_of, endpoint.id, webhook_id, name, at, handoff, **about)
