"""Calls to Redis that share a round trip: what one tick of the event loop asks for travels together.

A call by itself costs about four times what it costs in a batch, so batching is what makes the service fast. It changes
no order within a batch; and every script is safe to repeat, so a batch whose reply was lost is sent again.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import redis.asyncio as redis
from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from bot import failpoints
from bot.errors import StoreUnavailable

AT_ONCE: Final = 2
"""Batches under way at once, each on its own connection: one is being read while the next is being written."""

TRIES: Final = 6
"""Times that a batch is sent before its callers are told; with the pauses between them, about three seconds."""

REPLY_S: Final = 10.0
"""How long Redis may take over one batch."""


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

    def __init__(self, client: "redis.Redis") -> None:
        """Take connections from `client`'s pool, and keep them."""
        self._client = client
        self._queue: list[tuple[tuple[Any, ...], Script | None, asyncio.Future[Any]]] = []
        self._under_way = 0
        self._scheduled = False
        self._idle: list[AbstractConnection] = []
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
            replies = await self._execute([command for command, _, _ in batch])
            missing = {
                script.sha: script
                for (_, script, _), reply in zip(batch, replies, strict=True)
                if isinstance(reply, NoScriptError) and script
            }
            if missing:
                await self._execute([("SCRIPT", "LOAD", script.source) for script in missing.values()])
                again = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
                for i, reply in zip(again, await self._execute([batch[i][0] for i in again]), strict=True):
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

    async def _execute(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        packed = b"".join([pack_command(command) for command in commands])
        for tried in range(1, TRIES + 1):
            connection = self._idle.pop() if self._idle else await self._pool_connection()
            began = time.perf_counter()
            try:
                async with asyncio.timeout(REPLY_S):
                    return await _exchange(connection, packed, len(commands))
            except (RedisConnectionError, OSError, TimeoutError):
                self.note_trouble()
                await connection.disconnect(nowait=True)
                if tried == TRIES:
                    raise
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            finally:
                self._idle.append(connection)
                self.tripped(time.perf_counter() - began)
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.05 * 2**tried)  # noqa: S311  # jitter, no secret
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    async def _pool_connection(self) -> AbstractConnection:
        return await self._client.connection_pool.get_connection()  # type: ignore[no-untyped-call, no-any-return]  # redis-py's own gap

    async def close(self) -> None:
        """Wait for what is under way, then hang up."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        for connection in self._idle:
            await self._client.connection_pool.release(connection)
        self._idle.clear()


async def _exchange(connection: AbstractConnection, packed: bytes, count: int) -> list[Any]:
    """Send a batch and read its replies; an error reply is a value, so that the others are not lost."""
    await connection.send_packed_command(packed, check_health=False)
    replies: list[Any] = []
    for _ in range(count):
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except ResponseError as error:
            replies.append(error)
    return replies


def _nobody(*_: float) -> None:
    """Nobody watches."""


def _unavailable(error: Exception) -> StoreUnavailable:
    unavailable = StoreUnavailable(
        f"the store did not confirm ({type(error).__name__}: {error}); "
        "the change may have been made, and repeating the call is safe"
    )
    unavailable.__cause__ = error
    return unavailable
