"""Ids that say which shard their record is in. Those of the first shard have no mark, and look as ids always did."""

import re
from typing import Final

MOST: Final = 64
"""Shards that a mark can name."""

_MARKED: Final = re.compile(r"(?:[a-z]+_[A-Za-z0-9_-]{22}|\d+-\d+)-(\d\d)")
"""An id of ours has 128 bits, 22 characters, or is that of a stream's entry; only what comes after them is a mark."""


def mark(shard: int) -> str:
    """What ids of this shard end with."""
    return f"-{shard:02d}" if shard else ""


def shard_in(record_id: str) -> int:
    """The shard that an id names; 0 for one without a mark, whoever made it."""
    found = _MARKED.fullmatch(record_id)
    return int(found[1]) if found else 0


def mark_of(record_id: str) -> str:
    """The mark of an id, for another record that must be where that one is."""
    return mark(shard_in(record_id))


def unmarked(record_id: str) -> str:
    """The id without its mark."""
    return record_id.removesuffix(mark_of(record_id))
