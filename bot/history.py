"""Reading back what was opened, page by page, newest first."""

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
