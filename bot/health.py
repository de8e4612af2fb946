"""Was the store there to hear a no? Where it may not have been, silence approves nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

LOOKED_AT: Final = timedelta(seconds=60)
"""How long before a deadline the store must have answered all the time."""


class StoreHealth:
    """What this process saw of the store.

    The rule is simple, and errs on the safe side: silence counts as a yes only where nothing stood in the way of a no,
    as far as this process knows. It knows of nothing before it began to look.
    """

    def __init__(self, *, since: datetime, trouble: Callable[[], datetime | None], unsafe: bool = False) -> None:
        """`trouble` tells when the store last failed this process; `unsafe`: it runs on a store that it must not."""
        self._since = since
        self._trouble = trouble
        self._unsafe = unsafe

    def fault(self, opened_at: datetime, expires_at: datetime) -> str:
        """Why silence until this deadline may not approve; empty when it may."""
        if self._unsafe:
            return "the service runs on a store that may lose answers (ANDON_UNSAFE_STORE)"
        from_then = max(opened_at, expires_at - LOOKED_AT)
        if self._since > from_then:
            return "the service started only a moment before the time was up"
        trouble = self._trouble()
        if trouble is not None and trouble >= from_then:
            return "the store was away shortly before the time was up"
        return ""
