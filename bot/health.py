"""Was the store there to hear a no? Where it may not have been, silence approves nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

LOOKED_AT: Final = timedelta(seconds=60)
"""How long before a deadline the store must have answered all the time."""

CLOCKS_APART: Final = timedelta(seconds=2)
"""How far the store's clock may be from this process'."""


class StoreHealth:
    """What this process saw of the store.

    The rule is simple, and errs on the safe side: silence counts as a yes only where nothing stood in the way of a no,
    as far as this process knows. It knows of nothing before it began to look.
    """

    def __init__(
        self,
        *,
        since: datetime,
        trouble: Callable[[], datetime | None],
        apart: Callable[[], timedelta] = timedelta,
        unsafe: bool = False,
    ) -> None:
        """Know the store.

        `trouble` tells when it last failed this process, by this process' clock, and `apart` how far its clock is from
        that one; `unsafe`: it is a store that must not be run on.
        """
        self._since = since
        self._trouble = trouble
        self._apart = apart
        self._unsafe = unsafe

    def fault(self, opened_at: datetime, expires_at: datetime) -> str:
        """Why silence until this deadline may not approve; empty when it may."""
        if self._unsafe:
            return "the service runs on a store that may lose answers (ANDON_UNSAFE_STORE)"
        if abs(self._apart()) > CLOCKS_APART:  # else trouble before the deadline would seem to be long past
            return f"the service's clock and the store's are {abs(self._apart()).total_seconds():.0f} s apart"
        from_then = max(opened_at, expires_at - LOOKED_AT)
        if self._since > from_then:
            return "the service started only a moment before the time was up"
        trouble = self._trouble()
        if trouble is not None and trouble >= from_then:
            return "the store was away shortly before the time was up"
        return ""
