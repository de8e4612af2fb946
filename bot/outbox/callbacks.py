"""Signed callbacks: follows the events stream, and queues a callback for each endpoint that wants an event.

At least once, and with the same `webhook-id` each time, whoever queues it; `callbacks_sending` sends what is queued.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.access import Access
from bot.errors import StoreUnavailable
from bot.outbox.callbacks_sending import Sending
from bot.outbox.calling import Truth
from bot.store import CALLBACKS, Callback, Delivery, EndpointRecord, Shard, Store, event_number, mark, when

log = logging.getLogger("andon.callbacks")

_PAGE: Final = 100
_WAIT: Final = timedelta(seconds=5)
_READER_FORGOTTEN: Final = timedelta(hours=1)
_DELIVERIES: Final = 5
"""Processes that died of an event, after which it is given up."""

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


_ONCE: Final = frozenset({"handoff.decided", "handoff.claimed", "handoff.closed"})
"""What happens to a handoff once, so that it names the callback whichever entry of the stream told of it."""


class Callbacks:
    """This process' share of the callbacks."""

    def __init__(
        self,
        store: Store,
        truth: Truth,
        access: Access,
        sending: Sending,
        *,
        alert: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """Queue for the endpoints of `store`, let `sending` send, and tell operators by `alert`."""
        self._shards = store.shards
        self._records = store.endpoints
        self._truth = truth
        self._access = access
        self._sending = sending
        self._alert = alert
        self._idle = sending.schedule.taken_over
        self._reader = secrets.token_hex(8)
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._loops = [asyncio.create_task(self._sending.run(), name="callbacks, sending")]
        for shard in self._shards:
            self._loops += [
                asyncio.create_task(self._read(shard), name="callbacks, reading"),
                asyncio.create_task(self._tend(shard), name="callbacks, taking over"),
            ]

    async def stop(self) -> None:
        """Finish what is being sent, within a few seconds, and leave the rest to the other processes."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._sending.finish()
        handed = (shard.outbox.hand_back(CALLBACKS, self._reader, idle=self._idle) for shard in self._shards)
        for said in await asyncio.gather(*handed, return_exceptions=True):
            if isinstance(said, BaseException) and not isinstance(said, StoreUnavailable):
                raise said

    async def send_again(self, handoff_id: str) -> int:
        """Send a decision anew, at once, to every endpoint that wants it; returns to how many.

        One that is being sent just now is not counted; 0 too while nothing is decided.

        Raises:
            Gone: There is no such handoff.
            StoreUnavailable: Some may have been queued; the same call again is safe.
        """
        handoff = await self._truth.look(handoff_id)
        if handoff.decision is None:
            return 0
        event, at, queued = "handoff.decided", handoff.decision.at, 0
        for endpoint in await self._records.all():
            if not endpoint.off and endpoint.wants(event, handoff.agent, max(at, endpoint.created_at)):
                again = self._callback(endpoint, event, at, handoff=handoff_id, agent=handoff.agent, run=handoff.run)
                queued += await self._records.queue(again, "again")
        self._sending.ring()
        return queued

    async def has_endpoints(self, agent: str) -> bool:
        """Is anybody told of this agent's decisions? Raises as `send_again`."""
        return any(
            not each.off and "handoff.decided" in each.events and each.agent in {"*", agent}
            for each in await self._records.all()
        )

    # --- from events to callbacks ---

    async def _read(self, shard: Shard) -> None:
        while True:
            try:
                await shard.outbox.join(CALLBACKS)
                while True:
                    await self._queue(shard, await shard.outbox.read(CALLBACKS, self._reader, limit=_PAGE, wait=_WAIT))
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
                await asyncio.sleep(1)
            except Exception:  # what was read is taken over again, and given up when that goes on
                log.exception("callbacks.crashed")
                await asyncio.sleep(1)

    async def _tend(self, shard: Shard) -> None:
        """Take over the events that a dead process left."""
        idle = self._idle
        while True:
            try:
                await shard.outbox.join(CALLBACKS)
                left = await shard.outbox.take_over(CALLBACKS, self._reader, idle=idle, limit=_PAGE)
                for each in left:  # one by one, so that one that nobody can live with takes no other along
                    await self._queue(shard, [each])
                await shard.outbox.forget_readers(CALLBACKS, idle=_READER_FORGOTTEN)
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
            except Exception:  # as above
                log.exception("callbacks.crashed")
            await asyncio.sleep(idle.total_seconds() / 3)

    async def _queue(self, shard: Shard, events: Sequence[Delivery]) -> None:
        """Queue a callback for whoever wants one of these, and only then let the events go."""
        wanted = [
            (event, name)
            for event in events
            if (name := _NAMES.get(event.event)) and not (shard.number and _is_copy(event))
        ]
        endpoints = await self._records.all() if wanted else []
        done = {event.id for event in events} - {event.id for event, _ in wanted}
        for event, name in wanted if endpoints else ():
            if event.number > _DELIVERIES:
                await self._bury(shard, event)
                continue
            try:
                at = when(event_number(event.id)[0])
                await asyncio.gather(
                    *(
                        self._records.queue(self._from_event(each, name, at, event, mark(shard.number)))
                        for each in endpoints
                        if each.wants(name, event.agent, at)
                    )
                )
            except StoreUnavailable:
                raise
            except Exception:  # it comes again, and is given up when that goes on
                log.exception("callbacks.crashed event=%s id=%s", event.event, event.handoff)
            else:
                done.add(event.id)
        if not endpoints:
            done |= {event.id for event, _ in wanted}
        await shard.outbox.done(CALLBACKS, done)
        if wanted and endpoints:
            self._sending.ring()

    async def _bury(self, shard: Shard, event: Delivery) -> None:
        why = "whoever had it did not live to queue it"
        if await shard.outbox.bury(CALLBACKS, event, deliveries=event.number, reason=why):
            log.error("callbacks.buried event=%s id=%s detail=%s", event.event, event.handoff, why)
            await self._alert("callbacks buried", f"An event ({event.event} {event.handoff}) sends no callback: {why}.")

    def _from_event(self, endpoint: EndpointRecord, name: str, at: datetime, event: Delivery, marked: str) -> Callback:
        about = {"handoff": event.handoff, "agent": event.agent, "run": event.run, "kind": event.kind}
        return self._callback(endpoint, name, at, entry=f"{event.id}{marked}", **about)

    def _callback(
        self, endpoint: EndpointRecord, name: str, at: datetime, *, entry: str = "", handoff: str = "", **about: str
    ) -> Callback:
        """The one callback of this event to this endpoint, whoever makes it, and however often."""
        webhook_id = self._access.derive_id("msg", handoff, name, "" if name in _ONCE else entry)
        made_of = self._access.derive_id("cb", endpoint.id, webhook_id)
        return Callback(made_of, endpoint.id, webhook_id, name, at, handoff, **about)


def _is_copy(event: Delivery) -> bool:
    """Is it about a brake that every shard has a copy of? Home tells of it, once."""
    return event.event in {"braked", "lifted"} and not event.run
