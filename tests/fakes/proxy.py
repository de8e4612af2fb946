"""A network between two processes, made worse on demand: a proxy that resets, holds, delays or loses what passes."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Mode = Literal["pass", "abort", "swallow", "delay", "drop-reply", "half-open"]
"""What happens to what passes.

- `abort`: every connection is reset, and so is every new one;
- `swallow`: connections stay and are taken, nothing arrives; it does once the network is back, as with TCP;
- `delay`: everything comes `delay_s` later;
- `drop-reply`: what was asked is carried out, then with `chance` the reply is lost and the connection reset;
- `half-open`: requests arrive, replies do not, and the connection stays.
"""


class Proxy:
    """Before one server: listens on a port of its own."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Lead to `host`:`port`; with `tls`, who connects speaks TLS to the proxy, which takes it off."""
        self._to = host, port
        self._tls = tls
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._random = random.Random(7)  # the same losses in every run
        self.mode: Mode = "pass"
        self.delay_s = 0.0
        self.chance = 1.0
        self.port = 0
        self.dropped = 0
        """Replies that were lost."""

    def turn(self, mode: Mode, *, delay_s: float = 0.0, chance: float = 1.0) -> None:
        """From now on, this happens."""
        self.mode, self.delay_s, self.chance = mode, delay_s, chance
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "abort":
            for pair in self._connections:
                for writer in pair:
                    writer.transport.abort()

    async def start(self, port: int = 0) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._listener
        self._listener.close()
        self.turn("abort")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "abort":
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        pair = writer, there_writer
        self._connections.add(pair)
        pumps = [
            asyncio.create_task(self._pump(reader, there_writer, is_reply=False)),
            asyncio.create_task(self._pump(there_reader, writer, is_reply=True)),
        ]
        self._tasks.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connections.discard(pair)
            for pump in pumps:
                pump.cancel()
            self._tasks.difference_update(pumps)
            for each in pair:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        try:
            while data := await reader.read(65_536):
                while self.mode == "swallow" or (self.mode == "half-open" and is_reply):
                    await self._changed.wait()
                if self.mode == "delay":
                    await asyncio.sleep(self.delay_s)
                if self.mode == "drop-reply" and is_reply and self._random.random() < self.chance:
                    self.dropped += 1
                    return
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            return


@asynccontextmanager
async def proxy(port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy before a server on loopback."""
    between = Proxy("127.0.0.1", port, tls=tls)
    await between.start()
    try:
        yield between
    finally:
        await between.stop()
