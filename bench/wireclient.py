"""A bare HTTP/1.1 client: one connection, one request at a time, no parsing beyond the length.

It costs little, so that what is measured is the service.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self) -> None:
        """Not connected yet; see `connect`."""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect one whole answer."""
        self._buffer += data
        head_end = self._buffer.find(_HEAD_END)
        if head_end < 0 or self._answer is None:
            return
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"content-length:")
        if at < 0:
            return
        line_end = head.find(b"\r\n", at)
        length = int(head[at + 15 : line_end if line_end > 0 else None])
        whole = head_end + 4 + length
        if len(self._buffer) >= whole:
            body = bytes(self._buffer[head_end + 4 : whole])
            del self._buffer[:whole]
            answer, self._answer = self._answer, None
            if not answer.done():
                answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the service closed the connection"))

    def send(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Send a whole request; the future has status and body."""
        assert self._transport  # `connect` made it
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.abort()


async def connect(port: int) -> Connection:
    """A connection to this machine's `port`."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body and "Content-Type" not in (headers or {}):
        lines.append("Content-Type: application/json")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def expect(answer: tuple[int, bytes], *statuses: int) -> bytes:
    """The body of an answer that had to succeed.

    Raises:
        RuntimeError: It did not.
    """
    status, body = answer
    if status not in statuses:
        msg = f"the service answered {status}: {body[:300]!r}"
        raise RuntimeError(msg)
    return body
