"""Pages of a sorted list: places in it, from one that the page before ended with."""

from collections.abc import Iterable
from typing import Final

from bot.store.pipe import Pipe
from bot.store.records import flat

Place = tuple[int, str]
"""A place in a sorted list: Unix ms and the handoff's id."""

_SAME_MS: Final = 128
"""Entries of one millisecond that a page may have to skip again."""


async def places(pipe: Pipe, key: str, after: Place | None, limit: int, *, newest_first: bool) -> list[Place]:
    """The first places after one (None: from the beginning): `limit` of them, and one more where there are more."""
    edges = ("+inf", "-inf", "BYSCORE", "REV") if newest_first else ("-inf", "+inf", "BYSCORE")
    start: str | int = edges[0] if after is None else after[0]
    count = limit + 1 + (0 if after is None else _SAME_MS)
    raw = await pipe.call("ZRANGE", key, start, *edges[1:], "LIMIT", 0, count, "WITHSCORES")
    found = flat(raw)
    listed = [(int(float(found[i + 1])), found[i].decode()) for i in range(0, len(found), 2)]
    if after is not None:
        listed = [place for place in listed if (place < after if newest_first else place > after)]
    return listed[: limit + 1]


def merged(lists: Iterable[list[Place]], limit: int, *, newest_first: bool) -> tuple[list[Place], Place | None]:
    """One page of what several lists have, each as `places` gives it; and where the next page starts."""
    found = sorted((place for each in lists for place in each), reverse=newest_first)
    page = found[:limit]
    return page, page[-1] if page and len(found) > limit else None
