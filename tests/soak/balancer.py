"""A TCP balancer in front of servers that come and go; it may lose replies, as networks do."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[], Awaitable[Line]]

_CHUNK: Final = 65_536


class Balancer:
    """Sends each new connection to the next server that takes it."""

    def __init__(self, servers: list[Open], *, lost: float = 0.0, seed: int = 0) -> None:
        """`lost` is the share of replies that never arrive: the connection breaks instead."""
        self._servers = servers
        self._turns = itertools.count()
        self._lost = lost
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.dropped = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            if line := await self._connect():
                there, back = line
                try:
                    await self._both(self._forth(reader, back), self._back(there, writer))
                finally:
                    back.transport.abort()
        except asyncio.CancelledError:
            pass  # the balancer closes: asyncio's server would log a cancelled connection as a failure
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _both(self, *ways: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self) -> Line | None:
        first = next(self._turns)
        for number in range(len(self._servers)):
            with contextlib.suppress(OSError):
                return await self._servers[(first + number) % len(self._servers)]()
        return None

    async def _forth(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                target.write(data)
                await target.drain()

    async def _back(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                if self._lost and self._random.random() < self._lost:
                    self.dropped += 1
                    return
                target.write(data)
                await target.drain()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def tcp(port: int) -> Open:
    """A server on this machine."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


def unix(path: str) -> Open:
    """A server on a socket file."""
    return lambda: asyncio.open_unix_connection(path)


@asynccontextmanager
async def balanced(servers: list[Open], *, lost: float = 0.0, seed: int = 0) -> AsyncIterator[Balancer]:
    """A balancer on a free port."""
    balancer = Balancer(servers, lost=lost, seed=seed)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.port = server.sockets[0].getsockname()[1]
    try:
        yield balancer
    finally:
        server.close()
        await balancer.close()
        await server.wait_closed()
