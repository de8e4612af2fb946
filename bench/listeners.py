"""Many connections that only listen, in a process of their own that does as little as it can.

Run as `python -m bench.listeners PORT COUNT PID [FILE]`: connects so often, sends the n-th request of FILE (JSON, a
list) on the n-th connection, and prints a line. Then each line on its input is what to listen for, in hex; when the
last connection has had it, it prints when that was, and how much work process PID had done by then.
"""

import json
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

_TIMESTAMPS: Final = 35
"""SO_TIMESTAMPNS, which Python does not name. Source: Linux, include/uapi/asm-generic/socket.h, read 2026-11."""

_FIRST: Final = b"\n\n"
"""The end of a first event."""


class Listeners:
    """Connections, and what they have heard."""

    def __init__(self, port: int, sender: int, requests: list[str]) -> None:
        """Connect, ask, and wait until each request was answered."""
        self._sender = sender
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for text in requests:
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
            one.sendall(text.encode())
            one.setblocking(False)  # noqa: FBT003  # the socket's own signature
            self._sockets[one.fileno()] = one
            self._epoll.register(one.fileno(), select.EPOLLIN)
        if any(requests):
            self.listen(_FIRST)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)

    def serve(self) -> None:
        """Listen for what the input says, until it ends."""
        print("open", flush=True)
        while line := self._rest():
            mark = bytes.fromhex(line.strip())
            print("listening", flush=True)
            print(json.dumps(self.listen(mark)), flush=True)

    def listen(self, mark: bytes) -> dict[str, object]:
        """Read until each connection has had `mark`; times are seconds since 1970, work is CPU seconds."""
        missing, arrived, first = set(self._sockets), 0.0, b""
        while missing:
            for number, _ in self._epoll.poll():
                if number not in self._sockets:
                    continue
                data, notes, _, _ = self._sockets[number].recvmsg(16_384, 64)
                if not data:
                    raise ConnectionResetError("the other side closed a connection")
                if number in missing and mark in data:
                    missing.remove(number)
                    arrived, first = max(arrived, _arrived(notes)), first or data
        return {"arrived": arrived, "heard": time.time(), "work": worked(self._sender), "bytes": first.hex()}

    def _rest(self) -> str:
        """Read what nobody asked about until a line comes in."""
        while True:
            for number, _ in self._epoll.poll():
                if number == sys.stdin.fileno():
                    return sys.stdin.readline()
                self._sockets[number].recv(65_536)


def _arrived(notes: list[tuple[int, int, bytes]]) -> float:
    """When the kernel had it; now, while the kernel has only begun to note that."""
    if not notes:
        return time.time()
    seconds, ns = struct.unpack("qq", notes[0][2])
    return float(seconds + ns / 1e9)


def worked(process: int) -> float:
    """CPU seconds that a process's main thread has used, to the nanosecond; waiting for a processor is not among them.

    Source: Linux, Documentation/scheduler/sched-stats.rst, read 2026-11.
    """
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    port, count, sender, *files = sys.argv[1:]
    asked = json.loads(Path(files[0]).read_text()) if files else [""] * int(count)
    Listeners(int(port), int(sender), asked).serve()
