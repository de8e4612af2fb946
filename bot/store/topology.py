"""Which server has a namespace's keys now, and connections to it. Replicas are never read from.

One server, a primary that sentinels know, or the owner of a Cluster's slot: a `Home` hides the difference. With
`replicated`, what is sent ends with the question whether a replica has it, on the same connection; nobody is given a
reply before that is confirmed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import hiredis
import redis.asyncio as redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.store.keys import Keys
from bot.store.marks import MOST
from bot.store.urls import DEFAULT_PORT, Address, StoreUrl, read_url

REPLY_S: Final = 10.0
"""How long a server may take over one batch."""
_REPLY_ELSEWHERE_S: Final = 5.0
"""The same where another server may have taken over."""
_LOOK_S: Final = 1.0
"""How long a sentinel, or a node, may take to say who is the primary."""
_CONFIRM_MS: Final = 500
_CONFIRM_DISK_MS: Final = 2_500
"""Where a server syncs its file once a second."""
_MARK_MS: Final = 86_400_000
_CONNECTIONS: Final = 16 + 8 * MOST
"""To one server: more than all shards together use, should all be there."""

_ELSEWHERE: Final = ("MOVED", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "UNBLOCKED")
"""Replies that say: not here, or not any more."""
_LATER: Final = ("TRYAGAIN", "ASK", "NOREPLICAS")
"""Replies that say: not now."""


class Unconfirmed(RedisError):
    """It was carried out, perhaps, and no replica confirmed it."""


class NotThePrimary(RedisConnectionError):
    """Whoever was said to be the primary is none, or not of these keys."""


@dataclass(slots=True, eq=False)
class Line:
    """A connection, the server's pool that it is from, and what asks this server for confirmation."""

    connection: AbstractConnection
    pool: ConnectionPool
    confirm: bytes = b""


Find = Callable[[], Awaitable[ConnectionPool]]


class Home:
    """The server that has one namespace's keys now."""

    def __init__(
        self,
        tag: str,
        pool: ConnectionPool | None,
        *,
        find: Find | None = None,
        at: Callable[[Address], ConnectionPool] | None = None,
        replicated: bool = False,
    ) -> None:
        """`pool` alone for a server that is the only one; else `find` tells who it is now, and `at` is who is named."""
        self._mark = Keys(tag).mark
        self._pool = pool
        self._find = find
        self._at = at
        self._replicated = replicated
        self._finding = asyncio.Lock()
        self._idle: list[Line] = []
        self._lines: set[Line] = set()
        self.reply_s = _REPLY_ELSEWHERE_S if find else REPLY_S
        """How long one exchange may take."""

    async def exchange(self, commands: Sequence[tuple[Any, ...]]) -> tuple[list[Any], bool]:
        """Send `commands` in one write; their replies, errors among them as values, and whether there are any.

        Raises:
            RedisError, OSError: They may have been carried out or not; `Unconfirmed`: they were, and no replica has it.
        """
        packed = b"".join([hiredis.pack_command(command) for command in commands])
        idle = self._idle
        line = idle.pop() if idle and idle[-1].pool is self._pool else await self._line()
        try:
            if line.confirm:
                replies, failed = await _send(line.connection, packed + line.confirm, len(commands) + 2)
                await self._insist(line, *replies[-2:])
                del replies[-2:]
            else:
                replies, failed = await _send(line.connection, packed, len(commands))
        except BaseException as error:
            self.lost()
            await self._hang_up(line)
            if isinstance(error, RedisConnectionError | OSError):  # who broke one has most likely broken all
                await self._hang_up(*idle)
                idle.clear()
            raise
        idle.append(line)
        return replies, failed

    async def again(self, commands: Sequence[tuple[Any, ...]], replies: list[Any]) -> list[int]:
        """Which of `replies` say no more than that this was not the time or the place; those are to be sent again.

        What a slot that is being moved has left already is asked for at its new place, once.
        """
        await self._heed(replies)
        left = []
        for i, said in enumerate(replies):
            code = _code(said)
            if code == "ASK" and self._at and not self._replicated:
                replies[i] = await self._follow(said, commands[i])
                code = _code(replies[i])
            if code in _ELSEWHERE or code in _LATER:
                left.append(i)
        return left

    def lost(self) -> None:
        """Look again who the primary is, before the next exchange."""
        if self._find:
            self._pool = None

    async def address(self) -> Address:
        """Host and port of the server; a unix socket's path, and 0."""
        options = (self._pool or await self._look()).connection_kwargs
        if "path" in options:
            return options["path"], 0
        return options.get("host", "localhost"), options.get("port", DEFAULT_PORT)

    async def close(self) -> None:
        """Hang up."""
        self._idle.clear()
        await self._hang_up(*self._lines)

    # --- where ---

    async def _line(self) -> Line:
        pool = self._pool or await self._look()
        while self._idle:
            line = self._idle.pop()
            if line.pool is pool:
                return line
            await self._hang_up(line)
        try:
            line = Line(await _connection(pool), pool)
        except BaseException:
            self.lost()
            raise
        self._lines.add(line)
        try:
            if self._find or self._replicated:
                await self._greet(line)
        except BaseException:
            self.lost()
            await self._hang_up(line)
            raise
        return line

    async def _look(self) -> ConnectionPool:
        async with self._finding:
            pool = self._pool  # somebody else may have found it meanwhile, and somebody else may lose it again
            if pool is None:
                assert self._find  # noqa: S101  # a server that is the only one is never lost
                pool = await self._find()
                await self._go(pool)
            return pool

    async def _go(self, pool: ConnectionPool) -> None:
        """From now on to this server. Who still waits on a line elsewhere is let go: what comes, comes here."""
        self._pool = pool
        for line in [line for line in self._lines if line.pool is not pool]:
            await line.connection.disconnect(nowait=True)

    async def _greet(self, line: Line) -> None:
        """Is it the primary, and how does it confirm?"""
        (role,), _ = await _send(line.connection, _pack("ROLE"), 1)
        if isinstance(role, list) and role[0] != b"master":
            raise NotThePrimary("this server is a replica, not the primary")
        if self._replicated:
            asks = _pack("CONFIG", "GET", "appendfsync") + _pack("WAITAOF", 0, 0, 0)
            (config, waitaof), _ = await _send(line.connection, asks, 2)
            always = isinstance(config, list) and config[1:] == [b"always"]
            to_disk = not always and not isinstance(waitaof, Exception)
            wait = ("WAITAOF", 1, 1, _CONFIRM_DISK_MS) if to_disk else ("WAIT", 1, _CONFIRM_MS)
            # A script that is repeated, and a read, write nothing that a replica could confirm. This does, and it is
            # replicated after all that they saw.
            line.confirm = _pack("PEXPIRE", self._mark, _MARK_MS) + _pack(*wait)

    async def _insist(self, line: Line, asked: Any, confirmed: Any) -> None:
        """Raise `Unconfirmed` unless a replica has it."""
        if asked == 0:  # there is nothing yet to write to
            mark = _pack("SET", self._mark, "", "PX", _MARK_MS)
            (_, asked, confirmed), _ = await _send(line.connection, mark + line.confirm, 3)
        if not _suffices(asked, confirmed):
            await self._heed((asked, confirmed))
            if elsewhere := [said for said in (asked, confirmed) if _code(said) in {*_ELSEWHERE, "TRYAGAIN", "ASK"}]:
                raise NotThePrimary(f"the keys are elsewhere, or on their way ({_code(elsewhere[0])})")
            raise Unconfirmed(f"no replica confirmed it ({_said(asked, confirmed)})")

    async def _heed(self, replies: Sequence[Any]) -> None:
        """Go where the replies say that the keys are."""
        moved = next((each for each in replies if isinstance(each, MovedError)), None)
        if moved and self._at:
            await self._go(self._at(self._address(moved)))
        elif any(_code(each) in _ELSEWHERE for each in replies):
            self.lost()
            if not self._find:  # its name may lead to another server by now
                await self.close()

    def _address(self, said: AskError) -> Address:
        """Where it points; without a host, to another port of the same one."""
        return said.host or (self._pool.connection_kwargs["host"] if self._pool else ""), said.port

    async def _follow(self, ask: AskError, command: tuple[Any, ...]) -> Any:
        assert self._at  # noqa: S101  # the caller looked
        pool = self._at(self._address(ask))
        connection = await _connection(pool)
        try:
            (_, said), _ = await _send(connection, _pack("ASKING") + _pack(*command), 2)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        else:
            return said
        finally:
            await pool.release(connection)

    async def _hang_up(self, *lines: Line) -> None:
        for line in lines:
            if line in self._lines:
                self._lines.discard(line)
                await line.connection.disconnect(nowait=True)
                await line.pool.release(line.connection)


class Topology:
    """The servers of one store."""

    def __init__(self, url: StoreUrl, *, replicated: bool = False) -> None:
        """Connect to nothing yet. `replicated`: a replica confirms everything before anybody hears of it."""
        self.url = url
        self.replicated = replicated
        self._pools: dict[Address, ConnectionPool] = {}
        self._known: list[Address] = list(url.hosts)
        self._only = _pool(url.options) if url.kind == "single" else None

    @classmethod
    def of(cls, client: "redis.Redis") -> "Topology":
        """The one server of a client."""
        topology = cls(StoreUrl("single", client.connection_pool.connection_kwargs))
        topology._only = client.connection_pool
        return topology

    def home(self, tag: str, *, confirmed: bool = True) -> Home:
        """The server that has the keys with the tag `{tag}`; not `confirmed`: no replica is asked, whatever is set."""
        replicated = self.replicated and confirmed
        if self._only:
            return Home(tag, self._only, replicated=replicated)
        if self.url.kind == "sentinel":
            return Home(tag, None, find=self._ask_sentinels, replicated=replicated)
        find = partial(self._ask_nodes, key_slot(tag.encode()))
        return Home(tag, None, find=find, at=self._at, replicated=replicated)

    @property
    def is_cluster(self) -> bool:
        """May keys with different tags be on different servers?"""
        return self._only is None and self.url.kind == "cluster"

    async def lets_anybody_in(self, at: Address) -> bool:
        """Does this server answer without a password?"""
        options = {name: value for name, value in self.url.options.items() if name not in {"username", "password"}}
        try:
            return bool(await self._ask(at, options, "PING") == b"PONG")
        except (RedisError, OSError, TimeoutError):
            return False

    def _at(self, address: Address) -> ConnectionPool:
        if address not in self._pools:
            self._pools[address] = _pool({**self.url.options, "host": address[0], "port": address[1]})
        return self._pools[address]

    async def _ask_sentinels(self) -> ConnectionPool:
        """The primary by the newest word of all sentinels that answer: one that was cut off may tell of an old one."""
        options = self.url.sentinel_options or {}
        asked = [self._ask(at, options, "SENTINEL", "MASTER", self.url.name) for at in self._known]
        found: list[tuple[int, Address]] = []
        wrong: list[str] = []
        for said in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(said, Exception):
                wrong.append(str(said))
            elif isinstance(said, list):
                about = {said[i].decode(): said[i + 1].decode() for i in range(0, len(said), 2)}
                if not {"s_down", "o_down", "disconnected"} & set(about["flags"].split(",")):
                    found.append((int(about["config-epoch"]), (about["ip"], int(about["port"]))))
        if not found:
            why = "; ".join(dict.fromkeys(wrong)) or "they all see it down"
            raise RedisConnectionError(f"no sentinel knows a primary {self.url.name!r} that is up: {why}")
        return self._at(max(found)[1])

    async def _ask_nodes(self, slot: int) -> ConnectionPool:
        """The slot's owner, by the first node that answers; the one that answered is asked first the next time."""
        wrong: list[str] = []
        for at in list(self._known):
            try:
                ranges = await self._ask(at, self.url.options, "CLUSTER", "SLOTS")
            except (RedisError, OSError, TimeoutError) as error:
                wrong.append(f"{at[0]}:{at[1]} {str(error) or type(error).__name__}")
                self._known.remove(at)
                self._known.append(at)
                continue
            for _, _, *nodes in ranges:
                for host, port, *_ in nodes:
                    node = ((host or b"").decode() or at[0], int(port))
                    if node not in self._known:
                        self._known.append(node)
            for first, last, (host, port, *_), *_ in ranges:
                if first <= slot <= last:
                    return self._at(((host or b"").decode() or at[0], int(port)))
            wrong.append(f"{at[0]}:{at[1]} knows no owner of slot {slot}")
        raise RedisConnectionError(f"no node of the Cluster can be asked: {'; '.join(wrong)}")

    async def _ask(self, at: Address, options: dict[str, Any], *command: Any) -> Any:
        """One question to one server, on a connection of its own."""
        pool = _pool({**options, "host": at[0], "port": at[1]})
        try:
            async with asyncio.timeout(_LOOK_S):
                connection = await _connection(pool)
                (said,), _ = await _send(connection, _pack(*command), 1)
        finally:
            await pool.disconnect()
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for pool in [*self._pools.values(), *([self._only] if self._only else [])]:
            await pool.disconnect()


def topology(url: str, *, replicated: bool = False) -> Topology:
    """The servers that `url` names.

    Raises:
        ConfigError: It cannot be used.
    """
    return Topology(read_url(url), replicated=replicated)


async def _connection(pool: ConnectionPool) -> AbstractConnection:
    return await pool.get_connection()  # type: ignore[no-untyped-call, no-any-return]  # redis-py's own gap


def _pool(options: dict[str, Any]) -> ConnectionPool:
    """Connections that wait without a limit of their own: whoever uses them sets one."""
    return redis.ConnectionPool(
        **{
            **options,
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0),
            "max_connections": _CONNECTIONS,
            "protocol": 2,
        }
    )


def _pack(*command: Any) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


async def _send(connection: AbstractConnection, packed: bytes, count: int) -> tuple[list[Any], bool]:
    """Send a batch and read its replies; an error is a value, so that the others are not lost: is there one?"""
    await connection.send_packed_command(packed, check_health=False)
    replies: list[Any] = []
    failed = False
    for _ in range(count):
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except ResponseError as error:
            replies.append(error)
            failed = True
    return replies, failed


def _code(said: Any) -> str:
    """The first word of an error."""
    if not isinstance(said, ResponseError):
        return ""
    return said.status_code or str(said).partition(" ")[0]


def _suffices(asked: Any, confirmed: Any) -> bool:
    """Was it written, and has a replica (and with a list: our own disk, then a replica's) confirmed?"""
    if isinstance(asked, Exception) or isinstance(confirmed, Exception):
        return False
    return bool(asked == 1 and (min(confirmed) if isinstance(confirmed, list) else confirmed) >= 1)


def _said(asked: Any, confirmed: Any) -> str:
    return str(asked) if isinstance(asked, Exception) else f"{confirmed} of 1"
