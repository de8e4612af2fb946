"""Keeps the digests of one surface in step with the store: one message a place, of at most ten handoffs at a time."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from andon import wire
from bot.errors import Gone, StoreUnavailable, Undeliverable
from bot.handoff import OPEN, Digest, Handoff
from bot.outbox.calling import Busy, Surface, Truth, place_key, place_name
from bot.ports import CardRef
from bot.store import Digests, Outbox, Page

log = logging.getLogger("andon.outbox")

_ROUNDS: Final = 50


@dataclass(slots=True)
class _Flight:
    """Those who want one place's digest shown: whoever asks while it is being shown is served by the next time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    served: int = 0
    users: int = 0


class Digesting:
    """The digests of one surface, in this process."""

    def __init__(self, surface: Surface, outbox: Outbox, digests: Digests, truth: Truth) -> None:
        """Several processes may show one digest: whoever writes last reads again, and so wrote what stands."""
        self._surface = surface
        self._outbox = outbox
        self._digests = digests
        self._truth = truth
        self._flights: dict[str, _Flight] = {}
        self._shown: dict[str, Digest] = {}

    async def gather(self, handoff: Handoff, place: wire.Place) -> bool:
        """Show it in the place's digest from now on; False when a card of its own was begun there."""
        return await self._digests.gather(handoff, self._surface.name, place_key(place))

    async def show(self, place: wire.Place, handoff: Handoff) -> None:
        """Make the place's digest equal to the store, this handoff among the rest.

        Raises:
            Undeliverable: The place can never show it.
        """
        key = place_key(place)
        if handoff.state not in OPEN:
            await self._digests.drop(self._surface.name, key, [handoff.id])
        flight = self._flights.setdefault(key, _Flight())
        flight.asked += 1
        flight.users += 1
        mine = flight.asked
        try:
            async with flight.lock:
                if flight.served < mine:
                    covers = flight.asked
                    await self._show(place, key)
                    flight.served = covers
        finally:
            flight.users -= 1
            if not flight.users:
                self._flights.pop(key, None)

    async def _show(self, place: wire.Place, key: str) -> None:
        for _ in range(_ROUNDS):
            page = await self._filled(key)
            if not page.id:
                return
            digest = await self._read(page)
            if not await self._write(place, key, digest):
                continue
            again = await self._read(await self._digests.page(self._surface.name, key))
            if again != digest:
                continue
            if any(row.state in OPEN for row in digest.rows) or not digest.waiting:
                return
            await self._weed(key)
            await self._digests.fill(self._surface.name, key, digest.id, ended=True)
        log.warning("digests.restless surface=%s place=%s", self._surface.name, place_name(place))

    async def _filled(self, key: str) -> Page:
        """The digest with as much on it as there is room for."""
        page = await self._digests.page(self._surface.name, key)
        if not page.waiting:
            return page
        if page.id and page.rows and all(row.state not in OPEN for row in (await self._read(page)).rows):
            return page  # its end is shown before the next one begins
        await self._weed(key)
        return await self._digests.fill(self._surface.name, key, page.id, ended=False) or page

    async def _weed(self, key: str) -> None:
        """What ended before there was room for it needs none."""
        while True:
            ids = await self._digests.next(self._surface.name, key)
            ended = [each for each in ids if not await self._is_open(each)]
            await self._digests.drop(self._surface.name, key, ended)
            if not ended:
                return

    async def _is_open(self, handoff_id: str) -> bool:
        try:
            return (await self._truth.look(handoff_id)).state in OPEN
        except Gone:
            return False

    async def _read(self, page: Page) -> Digest:
        rows = []
        for each in page.rows:
            with contextlib.suppress(Gone):
                rows.append(await self._truth.look(each))
        return Digest(page.id, tuple(rows), page.waiting)

    async def _write(self, place: wire.Place, key: str, digest: Digest) -> bool:
        """Make the message show it; False when it must be looked at again."""
        name, adapter = self._surface.name, self._surface.adapter
        placed = await self._outbox.placed(digest.id, key)
        for address in placed.addresses:
            if self._shown.get(address) == digest:
                continue
            ref = CardRef(name, address)
            try:
                call = partial(adapter.digest, digest, place, ref)
                await self._surface.slot(partial(self._surface.call, call, counted="updated"))
            except Undeliverable as error:
                log.warning("digests.lost id=%s place=%s detail=%s", digest.id, place_name(place), error)
                await self._outbox.drop_card(digest.id, key, address)
                self._shown.pop(address, None)
                return False
            self._shown[address] = digest
        if placed.addresses or not any(row.state in OPEN for row in digest.rows):
            return True
        await self._post(place, key, digest)
        return True

    async def _post(self, place: wire.Place, key: str, digest: Digest) -> None:
        pace = self._surface.pace
        # A digest that may have been posted by a process that died is posted again: a nuisance, and no second decision.
        if await self._outbox.begin_card(digest.id, key, self._surface.reader, lease=pace.taken_over) == "busy":
            raise Busy
        try:
            call = partial(self._surface.adapter.digest, digest, place, None)
            ref = await self._surface.slot(partial(self._surface.call, call, counted="posted"))
        except Exception:
            with contextlib.suppress(StoreUnavailable):
                await self._outbox.begin_card(digest.id, key, self._surface.reader, lease=timedelta())
            raise
        await self._outbox.save_digest(digest.id, key, ref.address)
        self._shown[ref.address] = digest
        log.info("digests.posted id=%s place=%s rows=%d", digest.id, place_name(place), len(digest.rows))
