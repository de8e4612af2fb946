"""What guards the console: headers, the session's cookie, who may post, and how often one may fail to sign in.

The rules are those of OWASP ASVS 5 (sessions, CSRF) and the Fetch standard; none of them looks at a handoff.
"""

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from bot.errors import TooMany
from bot.ports import Session, SignIn

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every response of the console; static files, whose addresses change with their content, may be kept."""

_SESSION_LIFE = timedelta(hours=12)
_FAILURES = 5
_FAILURES_WITHIN = timedelta(minutes=1)
_MOST_ADDRESSES = 10_000


class Guard:
    """Knows the console's own address and its sessions."""

    def __init__(self, sign_in: SignIn, *, public_url: str, clock: Callable[[], datetime]) -> None:
        """Choose the cookie that browsers accept at this address."""
        self._sign_in = sign_in
        self._clock = clock
        address = urlsplit(public_url)
        self._origin = f"{address.scheme}://{address.netloc}"
        self._https = address.scheme == "https"
        self._trustworthy = self._https or _is_loopback(address.hostname or "")
        # Browsers refuse a __Host- cookie without Secure, and may not keep a Secure one from plain http.
        self.cookie = "__Host-andon" if self._https else "andon"
        self._failures: dict[str, deque[datetime]] = {}

    async def session(self, request: web.Request) -> Session | None:
        """The signed-in person, if there is one."""
        token = request.cookies.get(self.cookie)
        return await self._sign_in.session(token) if token else None

    def came_from_us(self, request: web.Request) -> bool:
        """Was this posted by one of our own pages?

        Source: Fetch Metadata (https://www.w3.org/TR/fetch-metadata/) and the Origin header of the Fetch standard,
        read 2026-11. Our `no-referrer` makes browsers send `Origin: null`, and they tell `Sec-Fetch-Site` only to
        https and loopback addresses: elsewhere the token in the form is all there is.
        """
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site == "same-origin"
        origin = request.headers.get("Origin")
        if origin == "null":
            return not self._trustworthy
        return origin in {self._origin, f"{request.scheme}://{request.host}"}

    def keep(self, response: web.StreamResponse, token: str) -> None:
        """Give the browser its session."""
        response.set_cookie(
            self.cookie,
            token,
            path="/",
            secure=self._https,
            httponly=True,
            samesite="Lax",  # Strict would sign people out who follow a link from a chat
            max_age=int(_SESSION_LIFE.total_seconds()),
        )

    async def end(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the session here and in the browser."""
        if token := request.cookies.get(self.cookie):
            await self._sign_in.end(token)
        response.del_cookie(self.cookie, path="/", secure=self._https, httponly=True, samesite="Lax")

    async def begin(self, request: web.Request, link: str) -> str | None:
        """Spend a sign-in link; None when it is not good.

        A good one always opens: many people may share one address behind a proxy, and one of them may be guessing.

        Raises:
            TooMany: More than five failures a minute from one address.
        """
        if link and (token := await self._sign_in.begin(link)):
            return token
        now, address = self._clock(), request.remote or ""
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.clear()
        failures = self._failures.setdefault(address, deque(maxlen=_FAILURES))
        while failures and now - failures[0] >= _FAILURES_WITHIN:
            failures.popleft()
        if len(failures) >= _FAILURES:
            wait_s = max(1, round((failures[0] + _FAILURES_WITHIN - now).total_seconds()))
            raise TooMany(
                f"More than {_FAILURES} links that open nothing within a minute; wait {wait_s} s and try again",
                retry_after_s=wait_s,
            )
        failures.append(now)
        return None


def same_token(given: str, session: Session) -> bool:
    """Does the form carry the session's own CSRF token? In constant time."""
    return hmac.compare_digest(given.encode(), session.csrf.encode())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
