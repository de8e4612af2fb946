"""Follows a decision to its agent: notes that it arrived, or that nobody came for it, and has it sent again.

The agent has a decision when it read it (with its key, or with the handoff's own token), when an endpoint of its own
took it, or when it claimed. An event on its stream is none: the package reads after it, and so must others. What was
written to a connection that still stood counts as read; a process that dies before it notes that leaves a card that
says too little, and never one that says too much.
"""

import asyncio
import contextlib
import logging
from typing import Final, Literal

from andon import wire
from bot.cards import never_asked, sent_again
from bot.errors import Gone, StoreUnavailable
from bot.handoff import Change, Handoff, no_handoff
from bot.outbox import CallbackQueue
from bot.store import Store

log = logging.getLogger("andon.delivery")

How = Literal["poll", "stream", "callback"]

PAUSE_S: Final = 0.5
"""What was read is noted after one to two of these: an agent that goes on to claim needs no note."""
_MOST: Final = 20_000
"""Notes that may wait for a store that is away; what is beyond is left to the agent's next read."""


class Delivery:
    """What became of decisions on their way. Any number of processes may run it."""

    def __init__(
        self,
        store: Store,
        callbacks: CallbackQueue | None = None,
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        """Note it in the store.

        Args:
            store: Where the handoffs are.
            callbacks: The way to agents' endpoints; None: there are none, agents ask.
            pause_s: How long a read waits for a claim that makes its note needless, at least.
        """
        self._store = store
        self._callbacks = callbacks
        self._pause_s = pause_s
        self._young: dict[str, How] = {}
        self._ready: dict[str, How] = {}
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    # --- it arrived ---

    def was_read(self, handoff: Handoff, how: How) -> None:
        """The agent has just been told this; it is noted soon, and in the background."""
        if handoff.awaits_delivery and len(self._young) + len(self._ready) < _MOST:
            self._young.setdefault(handoff.id, how)
            if self._task is None:
                self._task = asyncio.create_task(self._note(), name="noting deliveries")

    def heard(self, change: Change) -> None:
        """Something happened, in whichever process: of what the agent acts on, its reading needs no note."""
        if change.event in {"claimed", "closed"}:
            self._young.pop(change.handoff, None)
            self._ready.pop(change.handoff, None)

    async def reached(self, handoff_id: str, how: How) -> None:
        """The agent has the decision; once it is noted, or has acted, this changes nothing.

        Raises:
            StoreUnavailable: It may have been noted; the same call again is safe.
        """
        if await self._store.arrivals.delivered(handoff_id, how) == "marked":
            log.info("handoff.delivered id=%s how=%s", handoff_id, how)

    async def stop(self) -> None:
        """Note at once what is still to be noted."""
        self._hurry.set()
        if self._task:
            await self._task

    async def _note(self) -> None:
        while self._young or self._ready:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s):
                    await self._hurry.wait()
            if self._hurry.is_set():
                self._ready |= self._young
                self._young = {}
            await self._note_ready()
            self._ready, self._young = self._ready | self._young, {}
        self._task = None

    async def _note_ready(self) -> None:
        noted, self._ready = self._ready, {}
        said = await asyncio.gather(*(self.reached(*each) for each in noted.items()), return_exceptions=True)
        for (handoff_id, how), error in zip(noted.items(), said, strict=True):
            if isinstance(error, StoreUnavailable) and not self._hurry.is_set():
                self._ready[handoff_id] = how
            elif error:
                log.error("delivery.unnoted id=%s error=%s", handoff_id, error)
        if self._ready:
            log.warning("delivery.waiting notes=%d detail=the store is away", len(self._ready))

    # --- it did not ---

    async def not_reached(self, handoff_id: str, why: str) -> None:
        """An endpoint of the agent cannot be given the decision; `why` is for people. An agent that has it, has it.

        Raises:
            StoreUnavailable: It may have been noted; the same call again is safe.
        """
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff and await self._store.arrivals.unreached(handoff, why, again=True) == "marked":
            log.warning("handoff.unreached id=%s agent=%s", handoff_id, handoff.agent)

    async def overdue(self, handoff_id: str) -> None:
        """Nobody came for the decision in time; raises as `not_reached`."""
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff is None:
            await self._store.arrivals.forget(handoff_id)
            return
        again = self._callbacks is not None and await self._callbacks.has_endpoints(handoff.agent)
        if await self._store.arrivals.unreached(handoff, never_asked(again=again), again=again, due=True) == "marked":
            log.warning("handoff.unreached id=%s agent=%s", handoff_id, handoff.agent)

    # --- again ---

    async def send_again(self, handoff_id: str, by: wire.Actor) -> str:
        """A person wants it sent again; returns what they are told. It decides nothing, and again is fine.

        Raises:
            Gone: There is no such handoff.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff is None:
            raise Gone(no_handoff(handoff_id), handoff=handoff_id)
        count = await self._callbacks.send_again(handoff) if handoff.awaits_delivery and self._callbacks else 0
        log.info("handoff.sent_again id=%s by=%s endpoints=%d", handoff_id, by.id, count)
        return sent_again(handoff, count)
