"""Receivers of callbacks: servers on raw sockets, well-behaved or not, that keep what they were sent."""

import asyncio
import contextlib
import gzip
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from standardwebhooks import Webhook

from tests.servers import until


@dataclass(frozen=True)
class Request:
    """One request, as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    def verify(self, secret: str) -> None:
        """As the package itself checks it; raises when it does not fit."""
        Webhook(secret).verify(self.body, dict(self.headers))


Manner = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(status: int, headers: str = "", body: bytes = b"") -> Manner:
    """Answers so, at once."""

    async def manner(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return manner


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.sleep(60)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Writes its head a letter at a time."""
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
        writer.write(bytes([letter]))
        await writer.drain()
        await asyncio.sleep(0.2)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Takes it, and answers with more than anybody wants."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(16_000):
        writer.write(chunk)
        await writer.drain()


@cache
def _zeros() -> bytes:
    return gzip.compress(bytes(16 * 1024 * 1024), 9) * 64


async def bomb(writer: asyncio.StreamWriter) -> None:
    """Answers with a gigabyte of zeros in a megabyte."""
    body = _zeros()
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Hangs up with a reset."""
    transport: Any = writer.transport
    transport.abort()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Answers with what is no HTTP."""
    writer.write(b"\x00\xff\xfe not http at all\r\n\r\n" * 20)
    await writer.drain()


async def long_headers(writer: asyncio.StreamWriter) -> None:
    """Answers with a head that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200_000):
        writer.write(b"X-%d: %b\r\n" % (number, b"y" * 100))
        await writer.drain()


OK: Final = says(200)


class Receiver:
    """One server; `manner` is how it answers from now on, `once` how it answers next."""

    def __init__(self, manner: Manner = OK) -> None:
        self.manner = manner
        self.once: list[Manner] = []
        self.requests: list[Request] = []
        self.bytes = 0
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0
        self.scheme = "http"
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    async def got(self, count: int, within_s: float = 10.0) -> list[Request]:
        """The first `count` requests, once they are here."""

        async def enough() -> bool:
            return len(self.requests) >= count

        await until(enough, within_s=within_s, what=f"{count} requests; there are {len(self.requests)}")
        return self.requests[:count]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                head = await reader.readuntil(b"\r\n\r\n")
                self.bytes += len(head)
                line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
                headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(Request(line, headers, body))
                await (self.once.pop(0) if self.once else self.manner)(writer)
        except asyncio.CancelledError:
            pass
        finally:
            self.at_once -= 1
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def receiver(
    manner: Manner = OK, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    made = Receiver(manner)
    server = await asyncio.start_server(made.serve, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    made.scheme = "https" if tls else "http"
    try:
        yield made
    finally:
        server.close()
        await made.close()
