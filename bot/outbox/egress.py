"""Sends callbacks out of the house, and to no place that an operator did not mean.

The address is checked when the connection is made, on the very address that is connected to: what a name resolved to
before, or how an address is spelt, makes no difference. Nothing follows a redirect, and no proxy hides the target.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

PORTS: Final = frozenset({443, 8443})
CONNECT_S: Final = 5.0
TOTAL_S: Final = 15.0
READ_BYTES: Final = 65_536
_POLITE_S: Final = 2.0
"""How long the answer's body is read, which nobody needs, so that the receiver can finish writing it."""

DENIED: Final = tuple(
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
"""Networks that are not the public internet: a list of our own, because `ipaddress.is_global` lets many of them pass.

Source: IANA's special-purpose address registries, https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry, read 2026-11.
"""

_MAPPED: Final = ip_network("::ffff:0:0/96")
_DEVIATE: Final = "\u00df\u03c2\u200c\u200d"
"""Letters that one standard for international names maps to others, and the next one does not."""


class NotAllowed(Exception):
    """The URL may not be sent to; the words say why, and what would be."""


class NotSent(Exception):
    """No answer came; the words say what happened."""


class _Denied(OSError):
    """An address that is not connected to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered."""

    status: int
    retry_after: str | None = None


def is_denied(address: IPv4Address | IPv6Address) -> bool:
    """Is it no address of the public internet?"""
    if isinstance(address, IPv6Address) and address in _MAPPED and address.ipv4_mapped:
        return is_denied(address.ipv4_mapped)
    return any(address.version == network.version and address in network for network in DENIED)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Hosts that may be private, and be reached in clear: `host`, or `host:port`, as the setting names them."""

    names: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str | None) -> Self:
        """From `ANDON_CALLBACK_ALLOW`.

        Raises:
            ValueError: One of them is no host.
        """
        names = [each.strip().lower() for each in (text or "").split(",") if each.strip()]
        for name in names:
            parts = urlsplit(f"//{name}")
            if not parts.hostname or parts.path or parts.query or parts.username is not None or parts.port == 0:
                raise ValueError(f"{name!r} is no host; write `host` or `host:port`, with commas between")
        return cls(frozenset(_named(urlsplit(f"//{name}")) for name in names))

    def __contains__(self, url: SplitResult) -> bool:
        return _named(url) in self.names or _host(url) in self.names


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"[{IPv6Address(host)}]" if ":" in host else host


def _named(url: SplitResult) -> str:
    return _host(url) if url.port is None else f"{_host(url)}:{url.port}"


_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


def checked(url: str, allowed: Allowed, *, own: Collection[str] = ()) -> str:
    """The URL in ASCII, if it may be sent to.

    Args:
        url: As an operator wrote it.
        allowed: Hosts for which less is asked.
        own: Addresses of the service itself, as `https://andon.example.com`.

    Raises:
        NotAllowed: It may not, and why.
    """
    if not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        raise NotAllowed("a URL has no spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii(parts.hostname or "")
    except ValueError as error:
        raise NotAllowed(f"this is no URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("a URL with a user name or a password is not taken; the signature says who sends")
    if parts.fragment or url.endswith("#"):
        raise NotAllowed("a URL with a fragment (`#…`) is not taken: it is never sent")
    if not host or not parts.path.isascii() or not parts.query.isascii():
        raise NotAllowed("write the whole address in ASCII, e.g. https://hooks.example.com/andon")
    at = f"[{host}]" if ":" in host else host
    ascii_url = parts._replace(netloc=at if port is None else f"{at}:{port}", path=parts.path or "/")
    by_name = ascii_url in allowed
    if parts.scheme not in ({"http", "https"} if by_name else {"https"}):
        raise NotAllowed("only https is sent to; a host in ANDON_CALLBACK_ALLOW may be http")
    if port == 0 or (not by_name and port is not None and port not in PORTS):
        raise NotAllowed(f"port {port} is not sent to; use 443 or 8443, or name the host in ANDON_CALLBACK_ALLOW")
    if not by_name and _is_literal(host):
        raise NotAllowed("an address in figures is not sent to; use a host's name, or list it in ANDON_CALLBACK_ALLOW")
    if any(_place(urlsplit(each)) == _place(ascii_url) for each in own):
        raise NotAllowed("this is the address of this service itself")
    return ascii_url.geturl()


def _ascii(host: str) -> str:
    """A host's name in ASCII, without a dot at its end."""
    if any(c in _DEVIATE for c in host):
        raise ValueError("this name reads differently by different standards; write it in ASCII (xn--…)")
    if ":" in host:
        return str(IPv6Address(host))  # with a zone it is none
    name = host.encode("idna").decode().lower().removesuffix(".")
    if name and not _NAME.fullmatch(name):
        msg = f"{name!r} is no host's name"
        raise ValueError(msg)
    return name


def _is_literal(host: str) -> bool:
    """Would a resolver take it for an address? `2130706433`, `0x7f.1` and `127.1` are such spellings."""
    last = host.rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")


def _place(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


class Egress:
    """The one way out."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        listens: tuple[str, int] | None = None,
        resolver: AbstractResolver | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        """Send to public hosts, and to those that are `allowed` by name, but never to where we `listen` ourselves.

        Tests have a `resolver` of their own, and less time (`total_s`, seconds).
        """
        self._timeout = aiohttp.ClientTimeout(total=total_s, connect=CONNECT_S, sock_connect=CONNECT_S)
        self.allowed = allowed
        self._listens = listens
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body; returns what came back. No answer's body is kept.

        Raises:
            NotSent: Nothing came back, or the address is denied.
        """
        try:
            parts = urlsplit(checked(url, self.allowed))
        except NotAllowed as error:
            raise NotSent(str(error)) from error
        begun = time.monotonic()
        try:
            async with self._session(by_name=parts in self.allowed).post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = Answer(response.status, response.headers.get("Retry-After"))
                await _read_out(response)
                return answer
        except _Denied as error:
            raise NotSent(str(error)) from error
        except TimeoutError as error:
            raise NotSent(f"no answer within {time.monotonic() - begun:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotSent(_in_words(error)) from error

    async def close(self) -> None:
        """Hang up."""
        for session in self._sessions.values():
            await session.close()

    def _session(self, *, by_name: bool) -> aiohttp.ClientSession:
        if by_name not in self._sessions:
            connector = aiohttp.TCPConnector(
                ssl=ssl.create_default_context(),
                force_close=True,
                use_dns_cache=False,
                limit=0,
                resolver=self._resolver,
                socket_factory=self._guard_all if by_name else self._guard,
            )
            self._sessions[by_name] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"user-agent": "Andon", "accept-encoding": "identity"},
                trust_env=False,
                auto_decompress=False,
                read_bufsize=READ_BYTES,
            )
        return self._sessions[by_name]

    def _guard(self, found: tuple[Any, ...]) -> socket.socket:
        """A socket for this very address, if it may be connected to."""
        address = ip_address(found[4][0].partition("%")[0])
        if is_denied(address):
            raise _Denied("the host is not on the public internet; list it in ANDON_CALLBACK_ALLOW if it should be")
        return self._guard_all(found)

    def _guard_all(self, found: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = found
        if self._listens and where[1] == self._listens[1] and is_own(family, where):
            raise _Denied("the host is this service itself")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003  # the socket's own signature
        return made


def is_own(family: int, where: tuple[Any, ...]) -> bool:
    """Is this an address of this machine? A datagram socket that is bound for it, and sends nothing, tells."""
    address = ip_address(where[0].partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return is_own(socket.AF_INET, (str(address.ipv4_mapped), where[1]))
    if address.is_loopback or address.is_unspecified:
        return True
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(where)
        return bool(probe.getsockname()[0] == where[0])
    return False


async def _read_out(response: aiohttp.ClientResponse) -> None:
    """Read a little of the body and let it go: the status has said all."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError, asyncio.IncompleteReadError):
        async with asyncio.timeout(_POLITE_S):
            await response.content.readexactly(READ_BYTES)
    response.close()


def _in_words(error: BaseException) -> str:
    """What happened, in our own words: a receiver's are never repeated."""
    causes = list(_causes(error))
    if any(isinstance(each, _Denied) for each in causes):
        return next(str(each) for each in causes if isinstance(each, _Denied))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return "its TLS certificate is not trusted"
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return "TLS could not be set up"
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "it hung up before it answered"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "its answer is no HTTP"
    return f"it could not be sent ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    """The error, and all that it came from."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__
