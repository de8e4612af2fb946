"""The policy as it stands now: the file is looked at every second, and a good change replaces it.

A broken file never replaces a working one, a missing file at the start means that everything is asked, and a file that
goes away later leaves what it said. Each of these is told once, and so is each change that makes anything looser, also
when no process ran. Every process looks for itself, off the hot path.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from bot.brake.words import Vocabulary
from bot.errors import ConfigError, StoreUnavailable
from bot.handoff import Route
from bot.policy import Policy, Reach, Read, compare, read
from bot.risk import faults

log = logging.getLogger("andon")

EVERY_S: Final = 1.0
_NAMED: Final = 8
"""Faults that an alert reads out before it counts them."""

Alert = Callable[[str, str], Awaitable[None]]
"""Tells operators something, at most once an hour for what it is about."""

_TOLD: Final = 10
"""What became looser, at the most."""


class Memory(Protocol):
    """What outlives this process."""

    async def last(self) -> tuple[str, str]:
        """Version and text of the policy that was taken last; empty: none ever was. Raises `StoreUnavailable`."""
        ...

    async def keep(self, version: str, text: str) -> None:
        """Remember that this one was taken. Raises `StoreUnavailable`."""
        ...


Mark = tuple[int, int, int, int]
"""Inode, size and times of change: while it stays, so does the file."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands, and what its file is like."""

    policy: Policy
    warnings: tuple[str, ...] = ()
    trouble: str = ""
    """Why the file is not what stands; empty: it is."""


class Policies:
    """Holds the current policy."""

    def __init__(self, path: Path | None = None, *, every_s: float = EVERY_S, reach: Reach | None = None) -> None:
        """Read the file; None: there is none to read, and everything is asked. `reach` is what people are reached by.

        Raises:
            ConfigError: There is a file, and it has faults or cannot be read.
        """
        self._path = path
        self._every_s = every_s
        self._reach = reach
        self._mark: Mark | None = None
        self._refused = ""
        self._kept = self._text = ""
        self._looked_back = False
        self._loads = {"loaded": 0, "refused": 0, "missing": 0}
        self._standing = self._first()
        self._watching: asyncio.Task[None] | None = None

    def current(self) -> Policy:
        """The policy that stands now. A handoff keeps the one that it was opened under."""
        return self._standing.policy

    def resumers(self) -> tuple[Route, Route]:
        """Who is named for lifting brakes, and who may where nobody is and nothing waits; none listed: any member."""
        policy = self.current()
        nowhere = Route(policy=policy.version, timeout_s=0, on_timeout="deny", to=())
        named, otherwise = policy.who(policy.brake.resume), policy.who(policy.defaults.approvers or ())
        return replace(nowhere, approvers=named), replace(nowhere, approvers=otherwise)

    def words(self) -> Vocabulary:
        """The words that pull and lift brakes now."""
        return self.current().brake.vocabulary

    @property
    def standing(self) -> Standing:
        """The policy with its warnings, and what is wrong with its file."""
        return self._standing

    @property
    def loads(self) -> dict[str, int]:
        """How often a file was `loaded`, `refused` for its faults, or found `missing`."""
        return dict(self._loads)

    def start(self, alert: Alert, memory: Memory | None = None) -> None:
        """Begin to look at the file; `memory` tells whether there was one before."""
        if self._path:
            self._watching = asyncio.create_task(self._watch(self._path, alert, memory))

    async def stop(self) -> None:
        """Look at it no more."""
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def _first(self) -> Standing:
        if self._path is None:
            return Standing(Policy())
        mark = _mark(self._path)
        if mark is None:
            self._loads["missing"] += 1
            trouble = f"there is no file {self._path}, so everything is asked; ANDON_POLICY names it"
            log.error("policy.missing path=%s detail=%s", self._path, trouble)
            return Standing(Policy(), trouble=trouble)
        found = _read(self._path, self._reach)
        self._mark = mark
        return self._taken(found)

    def _taken(self, found: Read) -> Standing:
        self._loads["loaded"] += 1
        self._text = found.text
        log.info("policy.loaded version=%s rules=%d", found.policy.version, len(found.policy.rules))
        warnings = _warnings(found)
        for warning in warnings:
            log.warning("policy.warning version=%s detail=%s", found.policy.version, warning)
        return Standing(found.policy, warnings)

    async def _watch(self, path: Path, alert: Alert, memory: Memory | None) -> None:
        if self._standing.trouble:
            await self._missed(path, alert, memory)
        seen = self._mark
        while True:
            try:
                await self._remember(memory, alert)
            except Exception:
                log.exception("policy.memory path=%s", path)
            await asyncio.sleep(self._every_s)
            try:
                seen = await self._look(path, seen, alert)
            except Exception:
                log.exception("policy.watch path=%s", path)

    async def _missed(self, path: Path, alert: Alert, memory: Memory | None) -> None:
        """Nothing to read at the start: that is another thing where there was a policy before."""
        last = ""
        if memory:
            with contextlib.suppress(StoreUnavailable):
                last, _ = await memory.last()
        trouble = self._standing.trouble
        if last:
            trouble = (
                f"the service ran with policy {last} before, and its file {path} is gone: everything is asked, any "
                "full member may answer, and nothing is refused; put the file back, or mend ANDON_POLICY"
            )
            log.error("policy.lost path=%s last=%s detail=%s", path, last, trouble)
            self._standing = Standing(self.current(), self._standing.warnings, trouble)
        await alert("policy missing", trouble)

    async def _remember(self, memory: Memory | None, alert: Alert) -> None:
        """Once for each version, and again until the store takes it; the first time, look back at what it has."""
        version = self.current().version
        if memory and version not in {"none", self._kept}:
            with contextlib.suppress(StoreUnavailable):
                if not self._looked_back:
                    last, text = await memory.last()
                    self._looked_back = True
                    if last not in {"", version}:
                        await self._changed_meanwhile(last, text, alert)
                await memory.keep(version, self._text)
                self._kept = version

    async def _changed_meanwhile(self, last: str, text: str, alert: Alert) -> None:
        """Tell what is looser than before the start; a text that cannot be read any more tells nobody what it said."""
        try:
            old = await asyncio.to_thread(read, text)
        except ConfigError:
            new = self.current().version
            trouble = f"the policy changed from {last} to {new} before this start, and what {last} said cannot be read"
            log.warning("policy.unlike from=%s to=%s detail=%s", last, new, trouble)
            await alert(f"policy unlike {last} {self._told_at}", f"{trouble}; look over what may be looser now")
        else:
            await self._loosened(old.policy, self.current(), alert)

    async def _look(self, path: Path, seen: Mark | None, alert: Alert) -> Mark | None:
        """Look once; returns what the file is like, for the next time. It is read when it stays as it was seen."""
        now = await asyncio.to_thread(_mark, path)
        if now is None and self._mark is not None:
            await self._gone(path, alert)
        elif now is not None and now == seen and now != self._mark:
            await self._changed(path, now, alert)
        return now

    async def _gone(self, path: Path, alert: Alert) -> None:
        self._mark, self._refused = None, ""
        self._loads["missing"] += 1
        trouble = f"the policy file {path} is gone; version {self.current().version} stays until there is one again"
        self._standing = Standing(self.current(), self._standing.warnings, trouble)
        log.error("policy.missing path=%s detail=%s", path, trouble)
        await alert("policy missing", trouble)

    async def _changed(self, path: Path, mark: Mark, alert: Alert) -> None:
        old = self.current()
        try:
            found = await asyncio.to_thread(_read, path, self._reach)
            if _is_bare(found.policy) and not _is_bare(old):
                raise ConfigError(["it has no rules, no defaults and no terms, and the one that stands has"])  # noqa: TRY301  # kept as any fault
        except ConfigError as error:
            if await asyncio.to_thread(_mark, path) is not None:
                await self._keep(path, error, alert)
                self._mark = mark
            return
        self._mark, self._refused = mark, ""
        if found.policy.version != self.current().version:
            self._standing = self._taken(found)
            await self._loosened(old, found.policy, alert)
        elif self._standing.trouble:
            self._standing = Standing(self.current(), _warnings(found))
            log.info("policy.mended version=%s", self.current().version)

    async def _loosened(self, old: Policy, new: Policy, alert: Alert) -> None:
        """Tell what the change lets through that was asked or refused before."""
        found = await asyncio.to_thread(compare, old, new)
        looser = [each for each in found.differences if each.way == "looser"]
        lines = [f"{each.about}: {each.says}{f' ({each.when})' if each.when else ''}" for each in looser[:_TOLD]]
        if len(looser) > _TOLD:
            lines.append(f"and {len(looser) - _TOLD} more; see `python -m bot policy diff`")
        if not found.complete:
            lines.append("there was too much to try all of it; see `python -m bot policy diff`")
        if lines:
            for line in lines:
                log.warning("policy.looser from=%s to=%s detail=%s", old.version, new.version, line)
            told = "\n".join(lines)
            await alert(
                f"policy looser {new.version} {self._told_at}",
                f"policy {new.version} is looser than {old.version} was:\n{told}",
            )

    @property
    def _told_at(self) -> str:
        """When its file changed: the same change is told once, whichever process takes it, and the next one again."""
        return str(self._mark[2] if self._mark else 0)

    async def _keep(self, path: Path, error: ConfigError, alert: Alert) -> None:
        """A broken file: what stands stays, and each content is told once."""
        told = "; ".join(error.faults)
        content = hashlib.sha256(told.encode()).hexdigest()[:12]
        if content == self._refused:
            return
        self._refused = content
        self._loads["refused"] += 1
        first, more = error.faults[:_NAMED], len(error.faults[_NAMED:])
        trouble = (
            f"the policy file {path} has faults and was not taken; version {self.current().version} stays: "
            + "; ".join([*first, *([f"and {more} more"] if more else [])])
        )
        self._standing = Standing(self.current(), self._standing.warnings, trouble)
        log.error("policy.refused path=%s faults=%d detail=%s", path, len(error.faults), told)
        await alert(f"policy {content}", trouble)


def _is_bare(policy: Policy) -> bool:
    """Does it say nothing about any ask? Who is who, and examples, say nothing."""
    said = policy.model_copy(update={"version": "none", "people": {}, "roles": {}, "examples": ()})
    return said == Policy()


def _warnings(found: Read) -> tuple[str, ...]:
    return (*found.warnings, *faults(found.policy.risk))


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(path: Path, reach: Reach | None) -> Read:
    """The file as it is.

    Raises:
        ConfigError: It cannot be read, or has faults.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot read the policy file {os.fspath(path)}: {error}; see ANDON_POLICY"]) from error
    return read(text, path.name, reach=reach)
