"""What an HTTP request does, by its method, its address, and what it sends. Pure: no name is looked up."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from bot.risk._names import names
from bot.risk._question import HIGH, LOW, MEDIUM, SERIOUS, Finding, quoted
from bot.risk._secrets import secrets_in

MOST_CHARS: Final = 4_096
_BODY_CHARS: Final = 16_384
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_METADATA: Final = names(
    "169.254.169.254 fd00:ec2::254 metadata.google.internal metadata.azure.internal 100.100.100.200 metadata"
)
_INNER: Final = (".internal", ".local", ".localhost", ".lan", ".intranet", ".corp", ".home.arpa", ".svc")
_CREDENTIAL: Final = re.compile(
    r"^(?:api[_-]?key|key|token|access[_-]?token|auth|sig|signature|password|passwd|secret|session|"
    r"client[_-]?secret|code)$",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(
    r"^(?:authorization|proxy-authorization|cookie|x-api-key|x-auth-token|.*(?:token|secret|api-?key))$",
    re.IGNORECASE,
)
_PARTS: Final = 4
_PORTS: Final = frozenset({None, 80, 443})


def http(method: str, url: str, headers: Any, body: Any) -> Iterator[Finding]:
    """What there is to say of a request."""
    verb = method.strip().upper()
    shown = quoted(f"{verb} {_bare(url)}")
    if verb in _READS:
        yield Finding(LOW, f"It only fetches: {shown}.")
    elif verb == "DELETE":
        yield Finding(HIGH, f"It deletes something: {shown}.")
    elif verb in {"POST", "PUT", "PATCH"}:
        yield Finding(0.6 if verb == "PUT" else MEDIUM, f"It sends or changes something: {shown}.")
    else:
        yield Finding(SERIOUS, f"It uses the unusual method {quoted(verb)}.")
    if len(url) > MOST_CHARS:
        yield Finding(HIGH, f"The address has {len(url):,} characters, which may carry anything away.")
        return
    yield from address(url)
    yield from _sent(headers, body)


def _bare(url: str) -> str:
    """The address without what may be secret in it."""
    return re.sub(r"//[^/@]*@", "//…@", url.partition("?")[0])


def address(url: str) -> Iterator[Finding]:
    """What an address tells by itself."""
    if re.search(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u202a-\u202e\\]", url):
        yield Finding(
            HIGH, f"The address has characters that different readers take differently: {quoted(_bare(url))}."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        yield Finding(HIGH, f"The address cannot be read: {quoted(_bare(url))}.")
        return
    if parts.scheme not in {"https", "http", "wss", "ws"}:
        yield Finding(HIGH, f"It is no web address: {quoted(_bare(url))}.")
    elif parts.scheme in {"http", "ws"}:
        yield Finding(MEDIUM, f"It is not encrypted: {quoted(_bare(url))}.")
    if not host:
        yield Finding(HIGH, f"The address names no host: {quoted(_bare(url))}.")
        return
    if parts.username is not None:
        yield Finding(SERIOUS, "The address has a user name or a password in it.")
    if port not in _PORTS:
        yield Finding(MEDIUM, f"It uses the unusual port {port}.")
    if any(_CREDENTIAL.match(name) for name, value in parse_qsl(parts.query) if value):
        yield Finding(SERIOUS, "The address has credentials in its query, which logs keep.")
    if what := secrets_in(unquote(url)):
        yield Finding(HIGH, f"The address seems to hold {', '.join(what)}.")
    yield from _host(host)


def _host(host: str) -> Iterator[Finding]:
    if host in _METADATA:
        yield Finding(HIGH, f"It asks the cloud's metadata service, which gives out credentials: {quoted(host)}.")
        return
    if number := _as_ip(host):
        if number.is_loopback or number.is_unspecified:
            yield Finding(SERIOUS, f"It is this machine itself: {quoted(host)}.")
        elif not number.is_global or number.is_multicast:
            yield Finding(SERIOUS, f"It is in a private network: {quoted(host)}.")
        else:
            yield Finding(MEDIUM, f"It is a bare number and no name: {quoted(host)}.")
        return
    if host == "localhost" or host.endswith(_INNER) or "." not in host:
        yield Finding(SERIOUS, f"It is in a private network, or this machine itself: {quoted(host)}.")
    if "xn--" in host or not host.isascii():
        yield Finding(SERIOUS, f"The name has letters that may look like others: {quoted(host)}.")


def _as_ip(host: str) -> IPv4Address | IPv6Address | None:
    """An address in any of the forms that systems take: `0x7f.1` and `2130706433` are 127.0.0.1."""
    try:
        number = ip_address(host.partition("%")[0])
        inner = getattr(number, "ipv4_mapped", None)
    except ValueError:
        pass
    else:
        return inner or number
    parts = host.split(".")
    if not 1 <= len(parts) <= _PARTS or not all(
        re.fullmatch(r"0x[0-9a-f]{1,8}|\d{1,11}", part, re.IGNORECASE) for part in parts
    ):
        return None
    numbers = [int(p, 16) if p[:2].lower() == "0x" else int(p, 8) if _octal(p) else int(p) for p in parts]
    total = sum(number << (8 * (3 - i)) for i, number in enumerate(numbers[:-1])) + numbers[-1]
    return IPv4Address(total) if 0 <= total < 2**32 else None


def _octal(part: str) -> bool:
    return len(part) > 1 and part[0] == "0" and not set(part) - set("01234567")


def _sent(headers: Any, body: Any) -> Iterator[Finding]:
    if isinstance(headers, Mapping) and any(_HEADER.match(str(name)) for name in headers):
        yield Finding(MEDIUM, "It sends credentials in its headers.")
    text = body if isinstance(body, str) else repr(body) if body else ""
    if len(text) > _BODY_CHARS:
        yield Finding(SERIOUS, f"It sends {len(text):,} characters; more than {_BODY_CHARS:,} are not read.")
    if what := secrets_in(text[:_BODY_CHARS]):
        yield Finding(HIGH, f"What it sends seems to hold {', '.join(what)}.")
