"""Who is on call: asked of plug-ins (entry points `andon.on_call`), fail closed.

Each is `async def people(name: str) -> list[str]`: e-mail addresses, or ids as the policy has them (`slack:U024…`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any, Final

from bot.errors import DirectoryDown

log = logging.getLogger("andon")

GROUP: Final = "andon.on_call"
FRESH: Final = timedelta(seconds=60)
PATIENCE: Final = timedelta(seconds=2)

Resolver = Callable[[str], Awaitable[Sequence[str]]]


class OnCall:
    """Asks every resolver, for all whom any of them names; keeps what it was told for at most a minute."""

    def __init__(self, resolvers: Mapping[str, Resolver], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`resolvers` by the names of their entry points."""
        self._resolvers = resolvers
        self._clock = clock
        self._known: dict[str, tuple[frozenset[str], float]] = {}

    async def people(self, name: str) -> frozenset[str]:
        """Who is on call for this now, or was a minute ago.

        Raises:
            DirectoryDown: Nobody tells, or they name nobody; whoever asks lets nobody through.
        """
        known = self._known.get(name)
        if known and known[1] > self._clock():
            return known[0]
        if not self._resolvers:
            raise DirectoryDown(f"no plug-in tells who is on call for {name}")
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                said = await asyncio.gather(*(resolver(name) for resolver in self._resolvers.values()))
            found = frozenset(_entry(each) for each in _flat(said))
        except Exception as error:  # a plug-in may raise anything, and none of it lets anybody through
            log.warning("on_call.failed name=%s detail=%s: %s", name, type(error).__name__, error)
            raise DirectoryDown(f"who is on call for {name} cannot be told now") from error
        if not found:
            raise DirectoryDown(f"nobody is on call for {name}")
        self._known[name] = (found, self._clock() + FRESH.total_seconds())
        return found


def _flat(said: Sequence[Any]) -> list[Any]:
    if any(isinstance(each, str | bytes) for each in said):
        raise TypeError("it is a list of people, not one text")
    return [entry for each in said for entry in each]


def _entry(entry: object) -> str:
    if not isinstance(entry, str) or not entry.strip():
        raise TypeError(f"{entry!r} names nobody")
    return entry.strip()


def plugged_in() -> OnCall:
    """With the resolvers that are installed. One that cannot be loaded fails like one that does not answer."""
    resolvers, broken = _load()
    for name, why in broken.items():
        log.error("on_call.not_loaded name=%s detail=%s", name, why)
    return OnCall({**resolvers, **dict.fromkeys(broken, _broken)})


def trouble() -> str:
    """Why nobody can tell who is on call, whoever is; empty: somebody can. Nothing is asked of the plug-ins."""
    resolvers, broken = _load()
    if broken:
        return "; ".join(f"the plug-in {name!r} cannot be loaded: {why}" for name, why in broken.items())
    return "" if resolvers else f"no plug-in tells who is on call (entry points `{GROUP}`)"


def _load() -> tuple[dict[str, Resolver], dict[str, str]]:
    """The resolvers that are installed, and why others cannot be loaded."""
    resolvers: dict[str, Resolver] = {}
    broken: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            resolvers[point.name] = point.load()
        except Exception as error:  # noqa: BLE001  # an import may raise anything; the others still work
            broken[point.name] = f"{type(error).__name__}: {error}"
    return resolvers, broken


async def _broken(name: str) -> Sequence[str]:
    raise DirectoryDown(f"a plug-in that tells who is on call for {name} cannot be loaded")
