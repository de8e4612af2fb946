"""A response that says when all of it was written, so that what an agent was told is known."""

from collections.abc import Callable

from aiohttp import web


class Told(web.Response):
    """JSON for an agent; `written` is called when it went out to a connection that still stood."""

    def __init__(self, body: bytes, status: int = 200, *, written: Callable[[], None]) -> None:
        """Answer with `body`."""
        super().__init__(body=body, status=status, content_type="application/json")
        self._written = written

    async def write_eof(self, data: bytes = b"") -> None:
        """Write it; a connection that is gone raises here."""
        await super().write_eof(data)
        self._written()
