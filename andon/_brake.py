"""What holds one run, as far as this process knows: what its calls raise then, and when they go on.

A stop or an abort ends what waits, a steer has words for it, and a pause lets it wait.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from andon import wire
from andon._api import Api
from andon._decisions import Aborted
from andon._errors import AndonError, RunHeld, Steered, Stopped
from andon._events import Events, Wait
from andon._http import backoff_s

if TYPE_CHECKING:
    from andon._handoff import Handoff

__all__ = ["GOODBYE_S", "RunBrake", "reread_s"]

T = TypeVar("T")

GOODBYE_S = 2.0
"""How long a call that is being ended goes on to tell the service."""

REREAD_S = 60.0
REREAD_SPREAD = 6
"""As `backoff_s` takes it: up to 13 s, so that many waits that began together do not read together."""

_FORCE = {"pause": 1, "steer": 2, "stop": 3, "abort": 4}
_AT_ONCE = 64
"""Words that one call acknowledges."""

_log = logging.getLogger("andon")


def reread_s() -> float:
    """Return when to read again what the stream says nothing of; it loses nothing, but it may be silent."""
    return REREAD_S + backoff_s(REREAD_SPREAD)


class RunBrake:
    """The brakes of one run.

    Attributes:
        latest: What was last known to hold it.
    """

    def __init__(self, api: Api, events: Events, run: wire.Run) -> None:
        self.latest = run.brake
        self._api = api
        self._events = events
        self._run = run
        self._waits: dict[Wait, None] = {}
        self._changes = 0
        self._told = 0
        self._looking: tuple[tuple[int, int], asyncio.Future[wire.Run | None]] | None = None
        self._words: tuple[wire.Steer, ...] = ()
        self._met: set[str] = set()
        self._acknowledged: set[str] = set()

    def ends(self, end: BaseException) -> bool:
        """Is it a stop that makes a caller leave like this? A task that one has cancelled leaves because of it, too."""
        if isinstance(end, asyncio.CancelledError):
            return self.latest is not None and _stops(self.latest)
        return isinstance(end, Stopped)

    # --- to wait ---

    @contextmanager
    def waiting(self, about: str) -> Iterator[Wait]:
        """Begin to wait for a handoff of the run, or for the run itself, and hear of brakes meanwhile."""
        with self._events.wait(about) as wait:
            self._waits[wait] = None
            self._events.listeners.add(self)
            try:
                yield wait
            finally:
                del self._waits[wait]
                if not self._waits:
                    self._events.listeners.discard(self)

    async def saw(self, wait: Wait, brake: wire.Braked | None) -> None:
        """Tell a wait what the service has just said that holds the run."""
        if brake is None:
            return
        self._note(brake)
        self._tell(wait, brake)
        if brake.steer and brake.steer in self._met:
            await self._acknowledge([brake.steer])

    def aborted(self, decision: Aborted) -> wire.Braked:
        """Return what ended the run, as well as it is known, where an ask was decided with it."""
        if self.latest is not None and self.latest.action == "abort":
            return self.latest
        scope = wire.BrakeScope(run=self._run.id)
        return wire.Braked(action="abort", scope=scope, by=decision.by, at=decision.at, text=decision.reason, epoch=0)

    def heed(self, brakes: Iterable[wire.Braked], handoff: "Handoff | None" = None, *, stops: bool = True) -> None:
        """Raise what these mean for a call that waits, if anything.

        Raises:
            Stopped: For a stop, unless it is what the call waits out (`stops` unset); and for an abort.
            Steered: Not acknowledged yet.
        """
        by_force = sorted(brakes, key=_force)
        if by_force and (by_force[-1].action == "abort" or (stops and _stops(by_force[-1]))):
            raise Stopped(by_force[-1], handoff)
        steers = [_words(brake) for brake in by_force if brake.action == "steer"]
        if steers:
            raise self.steered(steers)

    async def off(
        self, brake: wire.Braked | None = None, *, handoff: "Handoff | None" = None, stops: bool = True
    ) -> None:
        """Wait until nothing holds the run.

        Args:
            brake: What holds it, where the service has just said so; unset, it is asked.
            handoff: What the caller is about.
            stops: Does a stop end the waiting?

        Raises:
            Stopped, Steered: As `heed`; the words are acknowledged.
        """
        try:
            if brake is None and not self._events.is_up:  # where nothing holds it, no stream need be opened
                brake = self.latest = (await self._api.read_run(self._run.id, for_ever=True)).brake
                if brake is None:
                    return
            if brake is not None:
                self._note(brake)
                if brake.steer not in self._met:
                    self.heed([brake], handoff, stops=stops)
            with self.waiting(self._run.id) as wait:
                await self._events.connected()
                while True:
                    if wait.stale or not wait.brakes:
                        await self._look(wait)
                        if not wait.brakes:
                            return
                    self.heed(wait.brakes.values(), handoff, stops=stops)
                    await wait.rung(reread_s())
        except Steered as steered:
            await self.acknowledge(steered)
            raise

    async def when_off(self, call: Callable[[], Awaitable[T]], *, handoff: "Handoff | None" = None) -> T:
        """Make a call that the service refuses while a brake is on, as soon as none is.

        Raises:
            Stopped, Steered: As `off`.
        """
        while True:
            changes = self._changes
            try:
                done = await call()
            except RunHeld as held:
                await self.off(held.brake, handoff=handoff)
                continue
            if changes == self._changes:
                self.latest = None
            return done

    async def stops(self) -> AsyncGenerator[wire.Braked, None]:
        """Every stop and abort of the run, each pull once, those that are on first; does not end."""
        told: set[int] = set()
        with self.waiting(self._run.id) as wait:
            await self.saw(wait, self._run.brake)
            while True:
                for brake in sorted(wait.brakes.values(), key=_force):
                    if _stops(brake) and brake.epoch not in told:
                        told.add(brake.epoch)
                        yield brake
                if not wait.stale:
                    await wait.rung(reread_s())
                if wait.stale:
                    await self._events.connected()
                    await self._look(wait)

    async def _look(self, wait: Wait) -> None:
        """Read the run, with all who want to now: what a wait has heard of before is out of date then.

        What was read is of no use if anything was told meanwhile: the reply may be older.
        """
        run = None
        while run is None:
            wait.stale = False
            wait.brakes.clear()
            moment = self._moment
            found = await self._read(moment)
            run = found if moment == self._moment else None
        await self.saw(wait, run.brake)
        self.latest = max(wait.brakes.values(), key=_force, default=None)

    @property
    def _moment(self) -> tuple[int, int]:
        """The same as long as nothing was told that could change what is known of the run."""
        return self._told, self._events.gaps

    async def _read(self, moment: tuple[int, int]) -> wire.Run | None:
        """Read the run, or share a reading that began in the same moment; None: whoever did that was cancelled."""
        if self._looking is not None and self._looking[0] == moment:
            return await asyncio.shield(self._looking[1])
        read: asyncio.Future[wire.Run | None] = asyncio.get_running_loop().create_future()
        self._looking = mine = moment, read
        try:
            run = await self._api.read_run(self._run.id, for_ever=True)
            read.set_result(run)
        except Exception as error:
            read.set_exception(error)
            read.exception()  # perhaps nobody shares it
            raise
        finally:
            if not read.done():
                read.set_result(None)
            if self._looking is mine:
                self._looking = None
        return run

    # --- what the event stream says ---

    def pulled(self, brake: wire.Braked) -> None:
        """Hear of a pull."""
        meant = holds(brake, self._run)
        self._told += meant is not False
        match meant:
            case True:
                self._note(brake)
                # The latest first: a call that waits then raises by itself, before `on_stop` cancels its task.
                for wait in reversed(self._waits):
                    self._tell(wait, brake)
            case None:
                self._events.spoil(self._run.id)

    def lifted(self, brake: wire.Braked) -> None:
        """Hear that a brake is off."""
        if holds(brake, self._run) is False:
            return
        self._changes += 1
        self._told += 1
        if self.latest is not None and _key(self.latest) == _key(brake):
            self.latest = None
        for wait in self._waits:
            wait.brakes.pop(_key(brake), None)
            wait.ring()

    def _note(self, brake: wire.Braked) -> None:
        self._changes += 1
        if self.latest is None or _force(self.latest) <= _force(brake):
            self.latest = brake

    def _tell(self, wait: Wait, brake: wire.Braked) -> None:
        told = wait.brakes.get(_key(brake))
        if told is None or told.epoch != brake.epoch:
            if brake.steer in self._met:  # the service has not heard yet that they were read: no more than a pause
                brake = brake.model_copy(update={"action": "pause"})
            wait.brakes[_key(brake)] = brake
        wait.ring()

    # --- words ---

    def add_words(self, steers: Iterable[wire.Steer]) -> None:
        """Keep what people told the run until it is raised, but not what was raised before."""
        known = self._met | {steer.id for steer in self._words}
        self._words = (*self._words, *(steer for steer in steers if steer.id not in known))

    def steered(self, said: Iterable[wire.Steer] = (), *, version: int | None = None) -> Steered:
        """Take all words that were not raised yet, and these; there must be some."""
        taken = {steer.id: steer for steer in (*self._words, *said)}
        self._words = ()
        self._met.update(taken)
        return Steered(tuple(taken.values()), version=version)

    @property
    def has_words(self) -> bool:
        """Is there anything to raise?"""
        return bool(self._words)

    async def acknowledge(self, steered: Steered) -> None:
        """Tell the service, within two seconds, that these words are read, so that no pause outlasts them; once.

        A caller that is cancelled meanwhile never reads them: they are raised again.
        """
        try:
            await self._acknowledge([steer.id for steer in steered.steers])
        except asyncio.CancelledError:
            self._met.difference_update(steer.id for steer in steered.steers)
            self.add_words(steered.steers)
            raise

    async def _acknowledge(self, ids: list[str]) -> None:
        new = [steer for steer in ids if steer not in self._acknowledged]
        if not new:
            return
        self._acknowledged.update(new)
        done = False
        try:
            async with asyncio.timeout(GOODBYE_S):
                for first in range(0, len(new), _AT_ONCE):
                    steers = tuple(new[first : first + _AT_ONCE])
                    await self._api.heard(self._run.id, wire.Heard(steers=steers))
            done = True
        except (TimeoutError, AndonError, ValidationError) as error:
            # It is told again when the run meets the same brake once more.
            _log.debug("run.unheard id=%s cause=%s", self._run.id, type(error).__name__)
        finally:
            if not done:
                self._acknowledged.difference_update(new)


def holds(brake: wire.Braked, run: wire.Run) -> bool | None:
    """Does this pull hold the run? None: only the service knows."""
    scope = brake.scope
    if scope.agent is not None and scope.agent != run.agent:
        return False  # a run comes from runs of its own agent alone
    scopes = run.scopes or _scopes(run)
    if _place(scope) not in map(_place, scopes):
        all_told = bool(run.scopes) or run.parent is None  # an older service tells none
        return False if all_told and any(_place(scope)) else None
    if run.started_at <= (brake.said_at or brake.at):
        return True
    # What began while it was on is held, if it is on still; but for an abort, and not what began before it came.
    return None if run.started_at >= brake.at and brake.action != "abort" else False


def _scopes(run: wire.Run) -> list[wire.BrakeScope]:
    """What holds it as far as its own record says."""
    own = [wire.BrakeScope(run=run.id), wire.BrakeScope(agent=run.agent), wire.BrakeScope(everything=True)]
    if run.parent is not None:
        own.append(wire.BrakeScope(run=run.parent))
    if run.conversation is not None and run.conversation.channel is not None:
        own.append(wire.BrakeScope(conversation=run.conversation))
    return own


def _place(scope: wire.BrakeScope) -> tuple[object, ...]:
    """What tells one scope from another; all empty: one that only a newer version knows."""
    at = scope.conversation
    return scope.run, scope.agent, scope.everything, at and at.surface, at and at.channel


def _key(brake: wire.Braked) -> tuple[bool, wire.BrakeScope]:
    """What tells brakes that are on apart: each scope has one, and an abort besides."""
    return brake.action == "abort", brake.scope


def _force(brake: wire.Braked) -> int:
    return _FORCE[brake.action]


def _stops(brake: wire.Braked) -> bool:
    return brake.action in {"stop", "abort"}


def _words(brake: wire.Braked) -> wire.Steer:
    return wire.Steer(id=brake.steer or "", text=brake.text or "", by=brake.by, at=brake.at)
