"""Reading back what was opened, page by page, newest first; and what belongs to one run."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from bot.handoff import Handoff
from bot.store import Store

_PAGE: Final = 200


async def opened_since(store: Store, since: datetime, *, limit: int) -> AsyncIterator[Handoff]:
    """Handoffs that were opened since then, newest first; at most `limit` are read."""
    place, read = None, 0
    while read < limit:
        page, place = await store.handoffs.latest(place, min(_PAGE, limit - read))
        read += _PAGE
        for handoff in page:
            if handoff.opened_at < since:
                return
            yield handoff
        if place is None:
            return


async def asks_of(store: Store, run_id: str, *, limit: int) -> list[Handoff]:
    """A run's handoffs, the latest opened first: those that are open or acted on, then what ended lately."""
    ids = await store.runs.asks(run_id)
    found = await asyncio.gather(*(store.handoffs.load(each) for each in ids[:limit]))
    return sorted((each for each in found if each), key=lambda each: each.opened_at, reverse=True)
