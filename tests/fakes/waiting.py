"""Wait for a condition with a deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def seen(look: Callable[[], T], *, within_s: float) -> T:
    """Look until there is something, at most so long; the last look's result, whatever it is."""
    deadline = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < deadline:  # noqa: ASYNC110 - anything may be looked at
        await asyncio.sleep(0.01)
    return found
