"""One HTTP session to the service: retries with jitter, problem documents into typed errors. Knows no ask."""

import asyncio
import itertools
import logging
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from andon._errors import ServiceError, ServiceUnavailable, error_from
from andon._trace import trace_headers

__all__ = ["Http", "backoff_s"]

BACKOFF_S = 0.2
BACKOFF_CAP_S = 15.0
ATTEMPT = aiohttp.ClientTimeout(total=30, connect=10)
# The service sends a comment every 15 s; three missed ones, and the line is dead.
STREAM = aiohttp.ClientTimeout(total=None, connect=10, sock_read=45)
NOTE_S = 3.0
"""How long an attempt may be silent before it is said."""
NOTE_EVERY_S = 60.0
WHAT_TO_DO = "start the service (`python -m bot serve`), or set ANDON_URL to its address"
OK = 200
REDIRECTS = 300
TRY_AGAIN = frozenset({429, 502, 503, 504})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_log = logging.getLogger("andon")
_random = random.SystemRandom()


def backoff_s(attempt: int) -> float:
    """Return how long to wait after failed attempt `attempt` (0 is the first): full jitter, at most 15 s."""
    return _random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(attempt, 16)))


class Http:
    """A session with the service, open within `async with`."""

    def __init__(self, url: str, key: str, *, patience: timedelta) -> None:
        self.url = url
        self.patience_s = patience.total_seconds()
        self._key = key
        self._session: aiohttp.ClientSession | None = None
        self._noted_at: float | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}", "Accept": "application/json, application/problem+json"},
            # A proxy meant for the internet is not asked for this machine's own service.
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        params: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        for_ever: bool = False,
    ) -> bytes:
        """Call the service, again and again while it cannot be reached, with the very same bytes.

        Every call that is made through here is safe to repeat: it carries a key, or the service keeps one effect.

        Args:
            method: The HTTP method.
            path: From `/v1` on.
            body: JSON.
            params: The query.
            idempotency_key: Sent along, the same on every attempt.
            for_ever: Outlast any outage, for those who wait anyway; else the client's patience is the limit.

        Raises:
            ServiceUnavailable: No answer in time. The write may have happened.
            ServiceError: The service answered, and refused.
        """
        loop = asyncio.get_running_loop()
        deadline = None if for_ever else loop.time() + self.patience_s
        limit = "until it answers" if for_ever else f"for up to {self.patience_s:g} s"
        headers = {} if body is None else {"Content-Type": "application/json"}
        headers.update(trace_headers())
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        for attempt in itertools.count():
            delay = backoff_s(attempt)
            cause: Exception
            try:
                with self._noted(limit):
                    async with self._open_session().request(
                        method,
                        self.url + path,
                        data=body,
                        params=params,
                        headers=headers,
                        timeout=ATTEMPT,
                        allow_redirects=False,
                    ) as response:
                        content = await response.read()
            except aiohttp.ClientConnectorCertificateError as error:
                raise ServiceUnavailable(f"{self.url}: its certificate was not accepted: {error}") from error
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                cause, shown = error, type(error).__name__
            except aiohttp.ClientError as error:
                raise ServiceUnavailable(f"{self.url} is not the service: {error}") from error
            else:
                if OK <= response.status < REDIRECTS:
                    self._noted_at = None
                    return content
                cause, shown = error_from(response.status, content), f"HTTP {response.status}"
                if response.status not in TRY_AGAIN:
                    self._noted_at = None
                    raise cause
                delay += _retry_after_s(response.headers.get("Retry-After"))
            now = loop.time()
            if deadline is not None and now + delay > deadline:
                said = f"{self.url} did not answer within {self.patience_s:g} s: {str(cause) or type(cause).__name__}"
                # Who answers "busy" is up, and at this address.
                raise ServiceUnavailable(
                    said if isinstance(cause, ServiceError) else f"{said}; {WHAT_TO_DO}"
                ) from cause
            self._note(limit, shown)
            _log.debug("andon.retry method=%s path=%s attempt=%d cause=%s", method, path, attempt + 1, shown)
            await asyncio.sleep(delay)
        raise AssertionError  # pragma: no cover - count() does not end

    @contextmanager
    def _noted(self, limit: str) -> Iterator[None]:
        """Say so when an attempt has no answer after a few seconds."""
        timer = asyncio.get_running_loop().call_later(NOTE_S, self._note, limit, f"no answer for {NOTE_S:g} s")
        try:
            yield
        finally:
            timer.cancel()

    def _note(self, limit: str, cause: str) -> None:
        """Say that the service is away: once a minute of an outage, however many wait."""
        now = asyncio.get_running_loop().time()
        if self._noted_at is None or now - self._noted_at > NOTE_EVERY_S:
            self._noted_at = now
            _log.warning("andon.unreachable url=%s cause=%s: trying again %s", self.url, cause, limit)

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a stream of server-sent events; one attempt, without retries.

        Raises:
            aiohttp.ClientError: The line broke, now or later.
            TimeoutError: It fell silent.
            ServiceError: The service refused.
        """
        async with self._open_session().get(
            self.url + path, headers={"Accept": "text/event-stream", **headers}, timeout=STREAM, allow_redirects=False
        ) as response:
            if response.status != OK:
                raise error_from(response.status, await response.read())
            yield response.content

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            msg = "not connected: use it inside `async with Andon() as andon:`"
            raise RuntimeError(msg)
        return self._session


def _retry_after_s(header: str | None) -> float:
    """Read `Retry-After` in seconds; the service sends no dates."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
