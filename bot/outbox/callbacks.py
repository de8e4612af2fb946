"""Signed callbacks: follows the events stream, and queues a callback for each endpoint that wants an event.

At least once, and with the same `webhook-id` each time, whoever queues it; `callbacks_sending` sends what is queued.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from bot.errors import StoreUnavailable
from bot.outbox.callback_queue import CallbackQueue
from bot.outbox.callbacks_sending import Sending
from bot.store import CALLBACKS, Delivery, Shard, Store, mark

log = logging.getLogger("andon.callbacks")

_PAGE: Final = 100
_WAIT: Final = timedelta(seconds=5)
_READER_FORGOTTEN: Final = timedelta(hours=1)
_APART: Final = timedelta(minutes=1)
"""More than the clocks of two shards' servers may differ by."""
_DELIVERIES: Final = 5
"""Processes that died of an event, after which it is given up."""


class Callbacks:
    """This process' share of the callbacks."""

    def __init__(
        self,
        store: Store,
        queue: CallbackQueue,
        sending: Sending,
        *,
        alert: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """Fill `queue` from the events of `store`, let `sending` send, and tell operators by `alert`."""
        self._shards = store.shards
        self._now = store.now
        self._waiting = queue
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

    # --- from events to callbacks ---

    async def _read(self, shard: Shard) -> None:
        while True:
            try:
                await shard.outbox.join(CALLBACKS)
                while True:
                    await self._waiting.wanted.wait()
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
                if not self._waiting.wanted.is_set():
                    await self._pass_over(shard)
                await shard.outbox.forget_readers(CALLBACKS, idle=_READER_FORGOTTEN)
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
            except Exception:  # as above
                log.exception("callbacks.crashed")
            await asyncio.sleep(idle.total_seconds() / 3)

    async def _pass_over(self, shard: Shard) -> None:
        """While there is no endpoint, let go of what is old; the clock is read before the look for one.

        So whoever registers one after the look wants nothing of what is let go.
        """
        now = await self._now()
        if not await self._waiting.endpoints():
            await shard.outbox.skip(CALLBACKS, now - _APART)

    async def _queue(self, shard: Shard, events: Sequence[Delivery]) -> None:
        """Queue a callback for whoever wants one of these, and only then let the events go."""
        wanted = [each for each in events if self._waiting.tells_of(each) and not (shard.number and _is_copy(each))]
        endpoints = await self._waiting.endpoints() if wanted else []
        done = {event.id for event in events}
        for event in wanted if endpoints else ():
            if event.number > _DELIVERIES:
                await self._bury(shard, event)
                done.discard(event.id)
                continue
            try:
                await self._waiting.add(event, endpoints, mark=mark(shard.number))
            except StoreUnavailable:
                raise
            except Exception:  # it comes again, and is given up when that goes on
                log.exception("callbacks.crashed event=%s id=%s", event.event, event.handoff)
                done.discard(event.id)
        await shard.outbox.done(CALLBACKS, done)
        if wanted and endpoints:
            self._waiting.bell.set()

    async def _bury(self, shard: Shard, event: Delivery) -> None:
        why = "whoever had it did not live to queue it"
        if await shard.outbox.bury(CALLBACKS, event, deliveries=event.number, reason=why):
            log.error("callbacks.buried event=%s id=%s detail=%s", event.event, event.handoff, why)
            await self._alert("callbacks buried", f"An event ({event.event} {event.handoff}) sends no callback: {why}.")


def _is_copy(event: Delivery) -> bool:
    """Is it about a brake that every shard has a copy of? Home tells of it, once."""
    return event.event in {"braked", "lifted"} and not event.run
