"""The bare send loop: the same bytes to every connection by plain transports, and nothing else.

Run as `python -m bench.bare`; prints its port. A line on its input is the bytes to send, in hex; it answers with when
it began (seconds since 1970).
"""

import asyncio
import socket
import sys
import time
from typing import cast

import uvloop


class _Open(asyncio.Protocol):
    def __init__(self, transports: list[asyncio.Transport]) -> None:
        self._transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transports.append(cast("asyncio.Transport", transport))


async def _main() -> None:
    transports: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await loop.create_server(lambda: _Open(transports), sock=listener, backlog=4096)
    print(listener.getsockname()[1], flush=True)
    lines = asyncio.StreamReader(limit=1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        data = bytes.fromhex(line.decode())
        began = time.time()
        for transport in transports:
            transport.write(data)
        print(began, flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
