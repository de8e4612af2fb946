"""Ends connections that send nothing: a socket that never finishes its request must not cost a file for ever."""

import asyncio
import contextlib
import logging
import resource
from collections.abc import Callable, Collection
from typing import Final

from aiohttp.web_protocol import RequestHandler

log = logging.getLogger("andon.idle")

REQUEST_S: Final = 20.0
"""How long a connection may take to send a whole head, and how long a kept one may rest."""

_LOOK_S: Final = 5.0
_NEARLY_FULL: Final = 0.8


class IdleConnections:
    """Looks over the server's connections every few seconds."""

    def __init__(self, connections: Callable[[], Collection[RequestHandler]]) -> None:
        """End what has been without a request for `REQUEST_S`."""
        self._connections = connections
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="idle connections")

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        since: dict[RequestHandler, float] = {}
        while True:
            await asyncio.sleep(min(_LOOK_S, REQUEST_S / 2))
            now, connections = loop.time(), list(self._connections())
            since = {
                one: since.get(one, now)
                for one in connections
                if one._current_request is None  # noqa: SLF001  # aiohttp tells this nowhere else
            }
            for one, began in since.items():
                if now - began > REQUEST_S:
                    one.force_close()
                    if one.transport:
                        one.transport.abort()
            allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            if len(connections) > _NEARLY_FULL * allowed:
                log.warning("connections.many open=%d files_allowed=%d", len(connections), allowed)


def allow_many_files() -> None:
    """Raise this process's limit on open files to what the system allows: every waiting agent is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
