"""Who is in a surface's groups, asked with patience that ends: a directory that hangs lets nobody through."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from andon import wire
from bot.errors import DirectoryDown
from bot.ports import Directory

PATIENCE: Final = timedelta(seconds=3)


@dataclass(slots=True)
class Roll:
    """What a directory said of one person."""

    within: list[str] = field(default_factory=list)
    """The groups that they are in."""
    known: set[str] = field(default_factory=set)
    """The groups that could be read."""
    unread: dict[str, str] = field(default_factory=dict)
    """Those that could not, and why."""


async def read(directory: Directory, person: wire.Actor, groups: Sequence[str]) -> Roll:
    """Ask for all groups at once, with `PATIENCE`: one that hangs keeps out nobody whom another lets in."""
    found = Roll()
    said = await asyncio.gather(*(_ask(directory, person, group) for group in groups))
    for group, is_in in zip(groups, said, strict=True):
        if isinstance(is_in, str):
            found.unread[group] = is_in
            continue
        found.known.add(group)
        if is_in:
            found.within.append(group)
    return found


async def _ask(directory: Directory, person: wire.Actor, group: str) -> bool | str:
    """Are they in it? Or why that cannot be told."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await directory.belongs(person, group)
    except DirectoryDown as error:
        return error.detail
    except TimeoutError:
        return f"the directory said nothing for {PATIENCE.total_seconds():g} s."
