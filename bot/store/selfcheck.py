"""Is this a store that keeps what people decide? What is unsafe or unwise about it, and what mends it."""

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from redis.exceptions import RedisError

from bot.errors import StoreUnavailable
from bot.store.keys import Keys
from bot.store.topology import REPLY_S, Home, Topology

_OLDEST: Final = (7, 0)
_WAITS_FOR_DISKS: Final = (7, 2)
_CLOCKS_APART: Final = timedelta(seconds=2)
_LISTPACK: Final = 4096


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Something about the server that makes it unsafe or unwise; `fatal` ones stop the start."""

    detail: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What a primary says of itself."""

    info: dict[str, str]
    config: dict[str, str]
    """Settings that INFO does not tell; without those that may not be asked for."""
    skew: timedelta
    at: str = ""
    """Host and port, or the socket."""
    cluster: str = ""
    """`ok`, `fail`; empty where there is no Cluster."""
    kind: str = "single"
    """How the URL leads there: `single`, `sentinel`, `cluster`."""
    replicated: bool = False
    embedded: bool = False
    is_tls: bool = False
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    """Where it is; none on a unix socket."""
    is_open: bool = False
    """Lets anybody in without a password."""

    @property
    def version(self) -> tuple[int, ...]:
        """As Redis counts; Valkey says which Redis it is like."""
        return tuple(int(part) for part in self.info.get("redis_version", "0.0").split(".")[:2])

    @property
    def replicas(self) -> int:
        """Replicas that have caught up."""
        return sum(name.startswith("slave") and ",state=online" in value for name, value in self.info.items())


async def faults(servers: Topology, keys: Keys, *, embedded: bool) -> list[StoreFault]:
    """Look the server over that has the keys now."""
    try:
        return judge(await _look(servers, keys, embedded=embedded))
    except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
        why = str(error) or f"no reply within {REPLY_S:.0f} s"
        return [StoreFault(f"Redis does not answer: {why}; start it, or mend ANDON_REDIS_URL", fatal=True)]


async def described(servers: Topology, keys: Keys) -> str:
    """Who has the keys now, in words."""
    try:
        facts = await _look(servers, keys, embedded=False)
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the store does not answer ({type(error).__name__}: {error})") from error
    by = {"sentinel": f", primary of {servers.url.name} by its sentinels", "cluster": ", owner of the Cluster's slot"}
    replicas = f"{facts.replicas} replica{'' if facts.replicas == 1 else 's'}"
    return f"{facts.at}{by.get(facts.kind, '')}, {replicas}, durability {'replicated' if facts.replicated else 'local'}"


def judge(facts: Facts) -> list[StoreFault]:
    """Every fault of a store like this."""
    return [*_server_faults(facts), *_disk_faults(facts), *_replica_faults(facts), *_reach_faults(facts)]


def _server_faults(facts: Facts) -> list[StoreFault]:
    found = []
    if facts.version < _OLDEST:
        found.append(_fatal(f"Redis {facts.info.get('redis_version')} is too old; use Redis 7 or newer, or Valkey"))
    if facts.skew > _CLOCKS_APART:
        found.append(_fatal(f"Redis' clock is {facts.skew.total_seconds():.1f} s away from ours; set both by NTP"))
    policy = facts.info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            _fatal(
                f"maxmemory-policy is {policy}: Redis would drop pending handoffs in silence; "
                "run: CONFIG SET maxmemory-policy noeviction"
            )
        )
    if not facts.embedded and int(facts.config.get("hash-max-listpack-value", _LISTPACK)) < _LISTPACK:
        found.append(
            _wise(
                f"hash-max-listpack-value is below {_LISTPACK}: a handoff takes half as much memory again; "
                f"run: CONFIG SET hash-max-listpack-value {_LISTPACK}"
            )
        )
    return found


def _disk_faults(facts: Facts) -> list[StoreFault]:
    if not int(facts.info.get("aof_enabled", "0")):
        return [_fatal("the append-only file is off: a crash loses decisions; run: CONFIG SET appendonly yes")]
    syncs = facts.config.get("appendfsync")
    if syncs is None:
        if facts.replicated and facts.version >= _WAITS_FOR_DISKS:
            return []  # WAITAOF asks for the disks whatever the setting is
        return [
            _wise(
                "appendfsync cannot be asked for here, because CONFIG is refused; "
                "unless it is `always`, a power cut loses decisions"
            )
        ]
    if syncs == "always" or (facts.replicated and syncs == "everysec" and facts.version >= _WAITS_FOR_DISKS):
        return []
    loses = {"everysec": "the last second of decisions"}.get(syncs, "up to half a minute of decisions")
    return [_fatal(f"appendfsync is {syncs}: a power cut loses {loses}; run: CONFIG SET appendfsync always")]


def _replica_faults(facts: Facts) -> list[StoreFault]:
    found = []
    if facts.info.get("role", "master") != "master":
        found.append(
            _fatal(
                "this server is a replica, which takes no writes; name its primary in ANDON_REDIS_URL "
                f"({facts.info.get('master_host')}:{facts.info.get('master_port')}), or use redis+sentinel://"
            )
        )
    if facts.kind == "single" and facts.cluster:
        found.append(_fatal("this server is a node of a Cluster; write ANDON_REDIS_URL as redis+cluster://host:port"))
    elif facts.cluster not in {"", "ok"}:
        found.append(
            _fatal(f"the Cluster's state is {facts.cluster}: slots have no owner; see: CLUSTER INFO, CLUSTER SLOTS")
        )
    if not facts.replicated:
        if facts.kind != "single":
            found.append(
                _wise(
                    "a failover may lose decisions that people saw confirmed, because ANDON_DURABILITY is local; "
                    "set ANDON_DURABILITY=replicated"
                )
            )
        return found
    if not facts.replicas:
        found.append(
            _fatal(
                "ANDON_DURABILITY is replicated, and no replica has caught up with the primary; "
                "start one (REPLICAOF host port), or set ANDON_DURABILITY=local"
            )
        )
    asks = facts.config.get("min-replicas-to-write")
    if not int(asks) if asks is not None else "min_slaves_good_slaves" not in facts.info:
        found.append(
            _fatal(
                "min-replicas-to-write is 0: a primary that is cut off would go on taking writes; "
                "run on every server: CONFIG SET min-replicas-to-write 1"
            )
        )
    return found


def _reach_faults(facts: Facts) -> list[StoreFault]:
    found = []
    away = [each for each in facts.addresses if not each.is_loopback]
    if away and facts.is_open:
        found.append(
            _fatal(
                "the server lets anybody in without a password, and it is not on this machine alone; "
                "run: CONFIG SET requirepass PASSWORD, and put it into ANDON_REDIS_URL"
            )
        )
    if away and not facts.is_tls:
        # Containers of one machine have private addresses too: a refusal would teach people to switch all of them off.
        public = any(each.is_global for each in away)
        where = "over the internet" if public else "over the network"
        found.append(
            StoreFault(
                f"decisions and the password go {where} in clear; use TLS: rediss:// (rediss+sentinel://, rediss+cluster://)",
                fatal=public,
            )
        )
    return found


def _fatal(detail: str) -> StoreFault:
    return StoreFault(detail, fatal=True)


def _wise(detail: str) -> StoreFault:
    return StoreFault(detail, fatal=False)


# --- asking ---


async def _look(servers: Topology, keys: Keys, *, embedded: bool) -> Facts:
    home = servers.home(keys.ns, confirmed=False)
    try:
        async with asyncio.timeout(REPLY_S):
            info = _read(_answered(await _ask(home, "INFO")))
            seconds, micros = _answered(await _ask(home, "TIME"))
            skew = abs(datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC) - datetime.now(UTC))
            config: dict[str, str] = {}
            for name in ("appendfsync", "hash-max-listpack-value", "min-replicas-to-write"):
                said = await _ask(home, "CONFIG", "GET", name)
                if isinstance(said, list) and said:
                    config[name] = said[1].decode()
            cluster = ""
            if info.get("cluster_enabled") == "1":
                cluster = _read(_answered(await _ask(home, "CLUSTER", "INFO"))).get("cluster_state", "unknown")
            host, port = await home.address()
            return Facts(
                *(info, config, skew),
                at=f"{host}:{port}" if port else host,
                cluster=cluster,
                kind=servers.url.kind,
                replicated=servers.replicated,
                embedded=embedded,
                is_tls=servers.url.is_tls,
                addresses=await _addresses(host, port) if port else (),
                is_open=bool(port) and await servers.lets_anybody_in((host, port)),
            )
    finally:
        await home.close()


async def _ask(home: Home, *command: str) -> Any:
    (said,), _ = await home.exchange([command])
    return said


def _answered(said: Any) -> Any:
    if isinstance(said, Exception):
        raise said
    return said


def _read(said: bytes) -> dict[str, str]:
    """INFO's lines; the name of a section is none."""
    lines = [line.partition(":") for line in said.decode(errors="replace").splitlines() if not line.startswith("#")]
    return {name: value for name, colon, value in lines if colon}


async def _addresses(host: str, port: int) -> tuple[IPv4Address | IPv6Address, ...]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(ip_address(str(at[0]).partition("%")[0]) for *_, at in found)
