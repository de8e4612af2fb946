"""Wakes whoever waits for a decision.

In this process from the script's own reply, in the others by the tail of the events.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, Self, TypeVar

from bot import failpoints
from bot.errors import TooMany
from bot.handoff import Change, Handoff, State
from bot.store import Shard, Store, event_number

_STREAM_LIMIT: Final = 5_000
"""Changes that a slow reader may lag behind before its stream is closed; it resumes from its last id."""

_CATCH_UP_S: Final = 1.0
_BEHIND: Final = timedelta(seconds=5)
"""A tail that has not seen what is older than this wakes nobody in time."""

WAITS_AT_ONCE: Final = 4
"""Polls that one key may hold open for one handoff: a process that restarts leaves one behind for a moment."""

LIFE: Final = frozenset({"lost", "found"})
"""Changes of a run that promised signs of life."""

TOLD_TO_AGENTS: Final = frozenset(
    {
        "revised",
        "decided",
        "claimed",
        "closed",
        "steered",
        "questioned",
        "trust_reset",
        "held",
        "released",
        "unknown",
        *LIFE,
    }
)

BRAKES: Final = frozenset({"braked", "lifted"})
"""Changes of a brake: their `agent` names all who are told, with a space around each, or is ` * `."""

QUIET: Final = frozenset(
    {"opened", "voted", "doubted", "reminded", "escalated", "reassigned", "replied", "stopped", "freed", "late"}
    | {"delivered", "unreached"}
)
"""What is not for whoever waits for a decision: people are called, or talk, or see how far it has come."""

_T = TypeVar("_T")

Waiter = asyncio.Future[Handoff | None]


class Recent:
    """Handoffs that this process has seen lately, as they stood: spares a read before a script that checks anyway.

    An entry is never older than the last change that the tail has told of, but the tail may be a moment behind.
    So it may be shown to nobody as the truth: only scripts, which check, and waits, which every change ends, use it.
    """

    def __init__(self, limit: int = 256) -> None:
        """Keep at most `limit` handoffs."""
        self._limit = limit
        self._handoffs: OrderedDict[str, Handoff] = OrderedDict()
        self._changed: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self._turns: OrderedDict[str, int] = OrderedDict()

    def get(self, handoff_id: str) -> Handoff | None:
        """As it stood."""
        return self._handoffs.get(handoff_id)

    def put(self, handoff: Handoff) -> None:
        """Keep it, unless a newer change has been told of."""
        told = self._changed.get(handoff.id)
        is_newest = told is None or told <= _age(handoff.state.value, handoff.revision, len(handoff.votes))
        if is_newest and self._turns.get(handoff.id, 0) <= _turn(handoff):
            _keep(self._handoffs, handoff.id, handoff, self._limit)

    def told(self, change: Change) -> None:
        """A change came by: drop what is older. A hold may follow a release, and the other way round."""
        if change.event in _HOLDS:
            _keep(self._turns, change.handoff, int(change.kind or 0), self._limit)
            self._handoffs.pop(change.handoff, None)
            return
        if change.event in _ON_ITS_WAY:
            self._handoffs.pop(change.handoff, None)
            return
        votes = int(change.kind or 0) if change.event == "voted" else 0
        # These leave the state as it is, and yet it stands otherwise.
        state = "" if change.event in {"unknown", "late"} else change.state
        age = _age(state, change.revision, votes)
        _keep(self._changed, change.handoff, age, self._limit)
        known = self._handoffs.get(change.handoff)
        if known and _age(known.state.value, known.revision, len(known.votes)) < age:
            del self._handoffs[change.handoff]


_ORDER: Final = {"pending": 0, "held": 0, "decided": 2, "claimed": 3, "closed": 4}
_HOLDS: Final = frozenset({"held", "released"})
_ON_ITS_WAY: Final = frozenset({"delivered", "unreached"})


def _turn(handoff: Handoff) -> int:
    """Which hold this is, or which wait after it, as `_brake.lua` counts them."""
    return 2 * handoff.stops + (handoff.state is State.HELD)


def _age(state: str, revision: int, votes: int) -> tuple[int, int, int]:
    return _ORDER.get(state, 5), revision, votes


def _keep(kept: OrderedDict[str, _T], key: str, value: _T, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)


class Stream:
    """Changes for one reader, in order, from the moment it was made."""

    __slots__ = ("_bell", "_changes", "_write", "closed")

    def __init__(self) -> None:
        """Start empty."""
        self._changes: list[Change] = []
        self._bell: asyncio.Future[None] | None = None
        self._write: Callable[[Change], bool] | None = None
        self.closed = False

    def push(self, change: Change) -> None:
        """Add a change; closes the stream when its reader is too slow."""
        if self._bell is not None and self._write is not None and self._write(change):
            return
        self._changes.append(change)
        if len(self._changes) > _STREAM_LIMIT:
            self.closed = True
        self._ring()

    def write_with(self, write: Callable[[Change], bool]) -> None:
        """Let changes that come while the reader waits in `take` go to `write` at once, without waking the reader.

        It says whether it took the change; one that it did not take goes to the reader.
        """
        self._write = write

    def close(self) -> None:
        """Let the reader go."""
        self.closed = True
        self._ring()

    def _ring(self) -> None:
        bell, self._bell = self._bell, None  # from now on the reader is at work, and nothing is written past it
        if bell is not None and not bell.done():
            bell.set_result(None)

    async def take(self, timeout_s: float | None = None) -> list[Change]:
        """What has come since the last call, waiting up to `timeout_s` for something; empty then, or when closed."""
        if not self._changes and not self.closed:
            bell = self._bell = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await bell
            except TimeoutError:
                pass
            finally:
                self._bell = None  # whoever is let go, cancelled among them, is written to no more
        changes, self._changes = self._changes, []
        return changes


class Wait:
    """One poll's wait. Ten thousand may be open at once, so it is small."""

    __slots__ = ("_mine", "_timer", "_waiters", "changed", "handoff_id")

    def __init__(self, waiters: dict[str, list[tuple[str, Waiter]]], handoff_id: str, who: str) -> None:
        """Wait as `who`; see `Hub.waiter`."""
        self.handoff_id = handoff_id
        self.changed: Waiter = asyncio.get_running_loop().create_future()
        """Resolved with the handoff, or with None when it must be read again or the time is up."""
        self._mine = (who, self.changed)
        self._waiters = waiters
        self._timer: asyncio.TimerHandle | None = None

    def at_most(self, seconds: float) -> Waiter:
        """What to await; resolved with None after so long."""
        self._timer = asyncio.get_running_loop().call_later(seconds, _let_go, self.changed, None)
        return self.changed

    def __enter__(self) -> Self:
        """Begin."""
        waiters = self._waiters.setdefault(self.handoff_id, [])
        who = self._mine[0]
        if len(waiters) >= WAITS_AT_ONCE and sum(key == who for key, _ in waiters) >= WAITS_AT_ONCE:
            msg = f"this key waits for {self.handoff_id} {WAITS_AT_ONCE} times already; one wait is enough"
            raise TooMany(msg, retry_after_s=5)
        waiters.append(self._mine)
        return self

    def __exit__(self, *_: object) -> None:
        """End, whether anything changed or not."""
        if self._timer:
            self._timer.cancel()
        left = self._waiters.get(self.handoff_id)
        if left and self._mine in left:
            left.remove(self._mine)
            if not left:
                del self._waiters[self.handoff_id]


def _let_go(waiter: Waiter, handoff: Handoff | None) -> None:
    if not waiter.done():
        waiter.set_result(handoff)


class Hub:
    """Who waits for what, in this process."""

    def __init__(
        self,
        store: Store,
        *,
        on_revoked: Callable[[str], None] | None = None,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        """Tail `store`'s changes once started; `on_revoked` hears the id of each revoked key, `on_change` of all."""
        self._store = store
        self._on_revoked = on_revoked
        self._on_change = on_change
        self._waiters: dict[str, list[tuple[str, Waiter]]] = {}
        self._agents: list[dict[str, set[Stream]]] = [{} for _ in store.shards]
        """By shard: each tells its agents of a brake, under ids of its own."""
        self._watchers: set[Stream] = set()
        self._tails: list[asyncio.Task[None]] = []
        self._told = ["0-0" for _ in store.shards]
        self._told_more: asyncio.Future[None] | None = None
        self._deciding: dict[str, bool] = {}
        self.recent = Recent()
        self.closing = False

    @property
    def waiting(self) -> int:
        """Waiters in this process."""
        return sum(len(waiters) for waiters in self._waiters.values())

    @property
    def streams(self) -> int:
        """Agents' event streams on this process."""
        return sum(len(streams) for agents in self._agents for streams in agents.values())

    async def start(self) -> None:
        """Tail from now on."""
        self._told = [await shard.feed.last_id() for shard in self._store.shards]
        self._tails = [asyncio.create_task(self._run(shard), name="hub tail") for shard in self._store.shards]

    async def stop(self) -> None:
        """Let everybody go: waiters read once more, streams end."""
        self.closing = True
        for handoff_id in list(self._waiters):
            self._release(handoff_id, None)
        for stream in [*self._watchers, *(s for agents in self._agents for some in agents.values() for s in some)]:
            stream.close()
        for tail in self._tails:
            tail.cancel()
        for tail in self._tails:
            with contextlib.suppress(asyncio.CancelledError):
                await tail

    async def _run(self, shard: Shard) -> None:
        async for changes in shard.feed.tail(self._told[shard.number]):
            for change in changes:
                self._tell(change, shard.number)
                if self._on_change:
                    self._on_change(change)
            self._told[shard.number] = changes[-1].id
            if self._told_more:
                self._told_more.set_result(None)
                self._told_more = None

    async def trouble(self) -> str:
        """Why who waits here may not be woken; empty: they are.

        Raises:
            StoreUnavailable: Nobody can say what has happened.
        """
        if not self._tails or any(tail.done() for tail in self._tails):
            return "it follows the changes no more"
        asked = (shard.vitals.behind(self._told[shard.number]) for shard in self._store.shards)
        found = await asyncio.gather(*asked, return_exceptions=True)
        if isinstance(found[0], BaseException):
            raise found[0]
        behind = max(each for each in found if isinstance(each, timedelta))  # a shard that is away is another part's
        return f"it is {behind.total_seconds():.0f} s behind the changes" if behind > _BEHIND else ""

    async def caught_up(self) -> None:
        """Wait, but not for long, until streams in this process have been given all that has happened by now.

        Raises:
            StoreUnavailable: Nobody can say what has happened.
        """
        newest = await asyncio.gather(*(shard.feed.last_id() for shard in self._store.shards))
        latest = [event_number(each) for each in newest]

        def is_behind() -> bool:
            return any(event_number(told) < last for told, last in zip(self._told, latest, strict=True))

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_S):
                while is_behind() and not self.closing:
                    self._told_more = self._told_more or asyncio.get_running_loop().create_future()
                    await asyncio.shield(self._told_more)

    def _tell(self, change: Change, shard: int) -> None:
        if change.event == "revoked":
            if self._on_revoked:
                self._on_revoked(change.agent)
            return
        if change.handoff:
            self.recent.told(change)
        if change.event not in QUIET:
            if change.handoff in self._deciding:
                self._deciding[change.handoff] = True
            else:
                self._release(change.handoff, None)
        is_copy = shard and change.event in BRAKES and not change.run  # home tells of it
        for stream in () if is_copy else self._watchers:
            stream.push(change)
        if change.event in BRAKES:
            self._tell_of_brake(change, self._agents[shard])
        elif change.event in TOLD_TO_AGENTS:
            for stream in self._agents[shard].get(change.agent, ()):
                stream.push(change)

    def _tell_of_brake(self, change: Change, agents: Mapping[str, set[Stream]]) -> None:
        all_of_them = change.agent == " * "
        told = agents.values() if all_of_them else [agents.get(name, ()) for name in change.agent.split()]
        for streams in told:
            for stream in streams:
                stream.push(change)

    @contextmanager
    def deciding(self, handoff_id: str) -> Iterator[None]:
        """While this process decides a handoff, its waiters wait for `wake` and not for the tail.

        The tail often hears of a change before the script's own reply is read; a waiter that it woke would have to read
        the store again. Whoever is still waiting at the end, after a change that somebody else made, is let go then.
        """
        outer = handoff_id in self._deciding
        self._deciding.setdefault(handoff_id, False)
        try:
            yield
        finally:
            if not outer and self._deciding.pop(handoff_id):
                self._release(handoff_id, None)

    def wake(self, handoff: Handoff) -> None:
        """Give the handoff, as it stands now, to everybody in this process who waits for it."""
        self.recent.put(handoff)
        self._release(handoff.id, handoff)
        failpoints.hit("wake.after")

    def _release(self, handoff_id: str, handoff: Handoff | None) -> None:
        for _, waiter in self._waiters.pop(handoff_id, ()):
            _let_go(waiter, handoff)

    def waiter(self, handoff_id: str, who: str) -> "Wait":
        """A wait for the next change, to be entered before reading the handoff, so that no change falls between.

        Raises:
            TooMany: On entering: `who` (a key) waits for this handoff several times already.
        """
        return Wait(self._waiters, handoff_id, who)

    def follows(self, agent: str) -> bool:
        """Does this agent follow its event stream, on this process?"""
        return any(agent in agents for agents in self._agents)

    @contextmanager
    def agent_stream(self, agent: str, shard: Shard) -> Iterator[Stream]:
        """What one agent is told, from now on, of its shard."""
        stream, agents = Stream(), self._agents[shard.number]
        agents.setdefault(agent, set()).add(stream)
        try:
            yield stream
        finally:
            agents[agent].discard(stream)
            if not agents[agent]:
                del agents[agent]

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Change]]:
        """Every change from now on; ends when the service shuts down, or when the reader is far too slow."""
        stream = Stream()
        self._watchers.add(stream)
        try:
            yield _each(stream)
        finally:
            self._watchers.discard(stream)


async def _each(stream: Stream) -> AsyncIterator[Change]:
    while not stream.closed:
        for change in await stream.take():
            yield change
