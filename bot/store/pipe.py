"""Calls to Redis that share a round trip: what one tick of the event loop asks for travels together.

A call by itself costs about four times what it costs in a batch, so batching is what makes the service fast. It changes
no order within a batch; and every script is safe to repeat, so a batch whose reply was lost is sent again.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from bot import failpoints
from bot.errors import NotConfirmed, StoreUnavailable
from bot.store.topology import REPLY_S, Home, Topology, Unconfirmed

AT_ONCE: Final = 2
"""Batches under way at once, each on its own connection: one is being read while the next is being written."""

TRIES: Final = 6
"""Times that a batch is sent before its callers are told; with the pauses between them, about three seconds."""

UNCONFIRMED_S: Final = 1.0
"""After so long, a batch that no replica confirms is not sent again: chat platforms wait three seconds for a reply."""

GIVE_UP_S: Final = REPLY_S + 2
"""After so long no batch is sent again: a server that does not answer at all uses up the patience of one reply."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the hash it is called by."""

    name: str
    source: str
    sha: str


def load_script(name: str) -> Script:
    """Read `lua/<name>.lua` with the shared parts before it."""
    folder = files("bot.store") / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text() for part in ("_settle", "_brake", "_grants", name))
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # Redis names scripts by SHA-1


class Pipe:
    """Sends commands in batches."""

    def __init__(self, home: "Home | redis.Redis") -> None:
        """Send to `home`; a client stands for the one server that it is of."""
        self._home = home if isinstance(home, Home) else Topology.of(home).home("")
        self._queue: list[tuple[tuple[Any, ...], Script | None, asyncio.Future[Any]]] = []
        self._under_way = 0
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.troubled_at: datetime | None = None
        """When Redis last broke a connection or did not answer, if only for a moment."""

        self.tripped: Callable[[float], None] = _nobody
        self.troubled: Callable[[], None] = _nobody

    def note_trouble(self) -> None:
        """Redis has just failed us."""
        self.troubled_at = datetime.now(UTC)
        self.troubled()

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """Send one command; the future has its reply.

        Raises (from the future):
            StoreUnavailable: Redis did not answer, or refused; the command may have been carried out.
        """
        return self._enqueue(command, None)

    def run(self, script: Script, keys: tuple[str, ...], *args: Any) -> asyncio.Future[Any]:
        """Run a script; raises as `call` does."""
        if failpoints.armed:
            failpoints.hit(f"{script.name}.before")
        return self._enqueue(("EVALSHA", script.sha, len(keys), *keys, *args), script)

    def _enqueue(self, command: tuple[Any, ...], script: Script | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.append((command, script, future))
        if not self._scheduled and self._under_way < AT_ONCE:
            self._scheduled = True
            loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        self._scheduled = False
        batch, self._queue = self._queue, []
        if batch:
            self._under_way += 1
            task = asyncio.get_running_loop().create_task(self._send(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[tuple[tuple[Any, ...], Script | None, asyncio.Future[Any]]]) -> None:
        try:
            replies, failed = await self._execute([command for command, _, _ in batch])
            again = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)] if failed else ()
            if again:
                found, _ = await self._execute([_whole(*batch[i][:2]) for i in again])
                for i, reply in zip(again, found, strict=True):
                    replies[i] = reply
        except (RedisError, OSError, TimeoutError) as error:
            replies = [error] * len(batch)
        finally:
            self._under_way -= 1
            if self._queue and not self._scheduled:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._flush)
        for (_, script, future), reply in zip(batch, replies, strict=True):
            if failpoints.armed and script:
                failpoints.hit(f"{script.name}.after")
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(_unavailable(reply))
            else:
                future.set_result(reply)

    async def _execute(self, commands: list[tuple[Any, ...]]) -> tuple[list[Any], bool]:
        """Send them until each has a reply that is one; the replies, and whether there may be errors among them."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        replies: list[Any] = []
        left: Sequence[int] = ()
        for tried in range(1, TRIES + 1):
            over = tried == TRIES or clock() > begun + GIVE_UP_S
            sent_at = time.perf_counter()
            try:
                now = [commands[i] for i in left] if left else commands
                async with asyncio.timeout(self._home.reply_s):
                    found, failed = await self._home.exchange(now)
                    again = await self._home.again(now, found) if failed else ()
                if not left:
                    replies, left = found, range(len(commands)) if again else ()
                else:
                    for i, reply in zip(left, found, strict=True):
                        replies[i] = reply
                if not again or over:
                    return replies, failed or tried > 1
                left = [left[i] for i in again]
            except (RedisConnectionError, Unconfirmed, OSError, TimeoutError) as error:
                self.note_trouble()
                if over or (isinstance(error, Unconfirmed) and clock() > begun + UNCONFIRMED_S):
                    raise
            finally:
                self.tripped(time.perf_counter() - sent_at)
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.05 * 2**tried)  # noqa: S311  # jitter, no secret
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    async def block(self, *command: Any, wait_s: float) -> Any:
        """Send one command that may wait for `wait_s`, on a connection that is its own meanwhile.

        Raises:
            StoreUnavailable: Redis did not answer, or refused; the command may have been carried out.
        """
        try:
            async with asyncio.timeout(wait_s + self._home.reply_s):
                found, failed = await self._home.exchange([command])
                if failed:
                    await self._home.again([command], found)
        except (RedisError, OSError, TimeoutError) as error:
            self.note_trouble()
            raise _unavailable(error) from error
        (reply,) = found
        if isinstance(reply, Exception):
            self.note_trouble()
            raise _unavailable(reply) from reply
        return reply

    async def close(self) -> None:
        """Wait for what is under way, then hang up."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._home.close()


def _whole(command: tuple[Any, ...], script: Script | None) -> tuple[Any, ...]:
    """A script with its text: the server keeps it from now on."""
    return ("EVAL", script.source, *command[2:]) if script else command


def _nobody(*_: float) -> None:
    """Nobody watches."""


def _unavailable(error: Exception) -> StoreUnavailable:
    kind = NotConfirmed if isinstance(error, Unconfirmed) or "NOREPLICAS" in str(error) else StoreUnavailable
    unavailable = kind(
        f"the store did not confirm ({type(error).__name__}: {error}); "
        "the change may have been made, and repeating the call is safe"
    )
    unavailable.__cause__ = error
    return unavailable
