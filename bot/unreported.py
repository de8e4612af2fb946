"""Opens the review of what an agent did and never told of; it may not be spared by saying nothing."""

import logging
from collections.abc import Callable

from bot.access import Access
from bot.handoff import Handoff
from bot.reviews import follow_up, review_key
from bot.store import Crowding, Store, mark_of

log = logging.getLogger("andon.reviews")


class Unreported:
    """Any number of processes may run it: the review has one id, whoever opens it."""

    def __init__(self, store: Store, access: Access, crowding: Callable[[], Crowding]) -> None:
        """`access` derives the review's id, as an outcome does; past `crowding` its cards are gathered."""
        self._store = store
        self._access = access
        self._crowding = crowding

    async def review(self, handoff_id: str) -> None:
        """Open the review of one whose outcome is overdue, unless it was reported meanwhile.

        Raises:
            StoreUnavailable: It may have been opened; the same call again is safe.
        """
        first = await self._store.handoffs.load(handoff_id)
        made = first and follow_up(first, None, self._review_id(first))
        if not first or not made:
            await self._store.unreported.forget(handoff_id)
            return
        if await self._store.unreported.presume(first, made, self._crowding()) == "opened":
            log.warning("handoff.unreported id=%s agent=%s review=%s", handoff_id, first.agent, made.id)

    def _review_id(self, first: Handoff) -> str:
        return self._access.derive_id("hf", first.agent, review_key(first.id), mark=mark_of(first.id))
