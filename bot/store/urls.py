"""What `ANDON_REDIS_URL` says: one server, sentinels that know the primary, or nodes of a Cluster."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio.connection import Connection, parse_url

from bot.errors import ConfigError

Address = tuple[str, int]
"""Host and port."""

_FORMS: Final = re.compile(r"(redis|rediss)\+(sentinel|cluster)://(?:([^@/?#]*)@)?([^@/?#]*)(?:/([^?#]*))?(?:\?(.*))?")
_SENTINEL_PORT: Final = 26379
DEFAULT_PORT: Final = 6379
_EXAMPLE: Final = {
    "single": "redis://user:password@host:6379/0",
    "sentinel": "redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0",
    "cluster": "redis+cluster://user:password@host1:6379,host2:6379",
}
_CONNECT_S: Final = 5.0
_OURS: Final = frozenset({"socket_timeout", "retry", "protocol", "max_connections", "decode_responses", "encoding"})
"""What the service decides for itself."""


class _Wrong(Exception):
    """What is wrong, in words that show nothing of a password."""


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A URL that was read; `options` are what redis-py makes a connection with."""

    kind: Literal["single", "sentinel", "cluster"]
    options: dict[str, Any]
    hosts: tuple[Address, ...] = ()
    """Where to ask: sentinels, or nodes."""
    name: str = ""
    """What the sentinels call the primary."""
    sentinel_options: dict[str, Any] | None = None
    is_tls: bool = False


def read_url(url: str) -> StoreUrl:
    """Read `url`.

    Raises:
        ConfigError: It cannot be used; no sentence shows a password.
    """
    kind = "cluster" if "+cluster:" in url else "sentinel" if "+sentinel:" in url else "single"
    try:
        return _read(url, kind)
    except (_Wrong, ValueError) as error:
        why = error if isinstance(error, _Wrong) else "its host, port or an option cannot be read"
        raise ConfigError([f"ANDON_REDIS_URL cannot be used: {why}; it looks like {_EXAMPLE[kind]}"]) from None


def _read(url: str, kind: str) -> StoreUrl:
    if not url.startswith("unix:") and "@" in re.sub(r"^[a-z+]*://([^@/?#]*@)?", "", url):
        raise _Wrong("signs such as @ / ? # in a password are written %40 %2F %3F %23")
    if kind == "single":
        return StoreUrl("single", _options(url), is_tls=url.startswith("rediss"))
    return _several(url)


def _several(url: str) -> StoreUrl:
    found = _FORMS.fullmatch(url)
    if not found:
        raise _Wrong("it is not written as such an address")
    scheme, kind, login, hosts, path, query = found.groups(default="")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    own = {name: asked.pop(name) for name in ("sentinel_username", "sentinel_password") if name in asked}
    if kind == "cluster":
        if path.strip("/") not in {"", "0"}:
            raise _Wrong("a Cluster has database 0 alone")
        addresses = _addresses(hosts, DEFAULT_PORT)
        if own:
            raise _Wrong(f"{min(own)} goes with redis+sentinel://")
        return StoreUrl("cluster", _at(scheme, login, 0, asked), addresses, is_tls=scheme == "rediss")
    name, _, database = path.strip("/").partition("/")
    if not name:
        raise _Wrong("after the hosts it names no primary, as the sentinels call it")
    if not re.fullmatch(r"[0-9]*", database):
        raise _Wrong("the database is a number")
    options = _at(scheme, login, int(database or 0), asked)
    sentinel_options = {key: value for key, value in options.items() if key not in {"username", "password", "db"}}
    sentinel_options |= {key.removeprefix("sentinel_"): value for key, value in own.items()}
    addresses = _addresses(hosts, _SENTINEL_PORT)
    return StoreUrl("sentinel", options, addresses, unquote(name), sentinel_options, is_tls=scheme == "rediss")


def _at(scheme: str, login: str, database: int, asked: dict[str, str]) -> dict[str, Any]:
    """What a connection to any of the hosts is made with."""
    options = _options(f"{scheme}://{f'{login}@' if login else ''}host/{database}?{urlencode(asked)}")
    del options["host"]
    return options


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(parse_url(url))
    if ours := _OURS & options.keys():
        raise _Wrong(f"{min(ours)} cannot be set")
    options.setdefault("socket_connect_timeout", _CONNECT_S)
    try:  # making a connection does not connect: an option that does not exist shows now, and not at the first call
        options.get("connection_class", Connection)(**{k: v for k, v in options.items() if k != "connection_class"})
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '([^']*)'", str(error))
        raise _Wrong(f"there is no option {unknown[1]}" if unknown else "an option of it cannot be used") from error
    return options


def _addresses(hosts: str, port: int) -> tuple[Address, ...]:
    parts = [urlsplit(f"//{each}") for each in hosts.split(",") if each]
    if not parts or not all(each.hostname for each in parts):
        raise _Wrong("it names no host")
    return tuple((str(each.hostname), each.port or port) for each in parts)
