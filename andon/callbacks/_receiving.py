"""What every handler does with a request, whatever the framework."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from andon.callbacks._models import Callback
from andon.callbacks._seen import Seen, SeenInMemory, once
from andon.callbacks._verify import BODY_BYTES, Headers, InvalidCallback, Secrets

__all__ = ["BODY_BYTES", "TOO_LARGE", "Answer", "Handler", "Receiving"]

Handler = Callable[[Callback], Awaitable[None]]

_log = logging.getLogger("andon")


class Answer(NamedTuple):
    """A status, and headers; there is never a body, for a reason would help whoever forges."""

    status: int
    headers: dict[str, str]


_HANDLED: Final = Answer(204, {})
_SEEN_BEFORE: Final = Answer(200, {})
_REFUSED: Final = Answer(401, {})
TOO_LARGE: Final = Answer(413, {})
_FAILED: Final = Answer(500, {})
_BUSY: Final = Answer(503, {"Retry-After": "5"})


class Receiving:
    """Verifies, leaves out repeats, calls the handler, and says how it went.

    Raises:
        NotConfigured: At once, rather than at the first callback.
    """

    def __init__(self, handler: Handler, *, secret: str | Sequence[str] | None, seen: Seen | None) -> None:
        self._handler = handler
        self._secrets = Secrets(secret)
        self._seen = SeenInMemory() if seen is None else seen

    async def receive(self, headers: Headers, body: bytes) -> Answer:
        """Take one request. Only a cancellation gets out."""
        try:
            callback = self._secrets.verify(headers, body)
        except InvalidCallback as invalid:
            _log.info("callback.refused why=%s", invalid)
            return _REFUSED
        try:
            how = await once(self._seen, callback.id, lambda: self._handler(callback))
        except Exception:  # noqa: BLE001 - whatever the handler raises, the service is to send it again
            _log.exception("callback.failed id=%s type=%s", callback.id, callback.type)
            return _FAILED
        return {"done": _HANDLED, "duplicate": _SEEN_BEFORE, "busy": _BUSY}[how]
