"""Calls to Redis that share a round trip: what one tick of the event loop asks for travels together.

A call by itself costs about four times what it costs in a batch, so batching is what makes the service fast; it changes no
order within a batch, and every script is safe to repeat, so a batch whose reply was lost is sent again.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import NoScriptError, RedisError

from bot.errors import StoreUnavailable


AT_ONCE: Final = 2
"""Batches under way at once: one is being read while the next is being written."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the hash it is called by."""

    name: str
    source: str
    sha: str


def load_script(name: str) -> Script:
    """Read `lua/<name>.lua` with the shared part before it."""
    folder = files("bot.store") / "lua"
    source = (folder / "_settle.lua").read_text() + "\n" + (folder / f"{name}.lua").read_text()
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # Redis names scripts by SHA-1


class Pipe:
    """Sends commands in batches."""

    def __init__(self, client: "redis.Redis") -> None:
        """Use `client`, which retries a lost connection itself."""
        self._client = client
        self._queue: list[tuple[tuple[Any, ...], Script | None, asyncio.Future[Any]]] = []
        self._under_way = 0
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """Send one command; the future has its reply.

        Raises (from the future):
            StoreUnavailable: Redis did not answer, or refused; the command may have been carried out.
        """
        return self._enqueue(command, None)

    def run(self, script: Script, keys: tuple[str, ...], *args: Any) -> asyncio.Future[Any]:
        """Run a script; raises as `call` does."""
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
                await self._execute([("SCRIPT LOAD", script.source) for script in missing.values()])
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
        for (_, _, future), reply in zip(batch, replies, strict=True):
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(_unavailable(reply))
            else:
                future.set_result(reply)

    async def _execute(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _unavailable(error: Exception) -> StoreUnavailable:
    unavailable = StoreUnavailable(
        f"the store did not confirm ({type(error).__name__}: {error}); the change may have been made, and repeating the call is safe"
    )
    unavailable.__cause__ = error
    return unavailable
