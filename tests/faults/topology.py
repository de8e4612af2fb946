"""Real servers on loopback ports, as many as a topology needs: replicas, sentinels, a Cluster."""

import asyncio
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from bot.store.embedded import server_binary
from tests.fakes.proxy import Proxy, proxy
from tests.servers import quick_folder, until

NAME: Final = "mymaster"
EMPTY: Final = '""'
_SLOTS: Final = 16_384
_HIGHEST: Final = 32_000
"""Below the ports that the system hands out: none is taken between being found free and being listened on."""


def free_port() -> int:
    """A port that nobody listens on, and that nobody is given meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(_HIGHEST - 20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Node:
    """One server."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are the server's own, with `_` for `-`; a sentinel has `sentinel` among them: its lines.

        `password` is for whoever asks; a server with `requirepass` needs none besides.
        """
        self.port = int(settings.pop("port", 0)) or free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir(parents=True)
        self._sentinel = settings.pop("sentinel", "")
        self._password = settings.pop("password", "") or settings.get("requirepass")
        common = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "save": ""}
        if not self._sentinel:
            common |= {"appendonly": "yes", "appendfsync": "always", "repl-diskless-sync-delay": "0"}
            common |= {"hash-max-listpack-value": "4096", "enable-debug-command": "yes"}
            common |= {"repl-ping-replica-period": "1"}
        lines = [f"{name} {value or EMPTY}" for name, value in (common | _dashed(settings)).items()]
        (self.folder / "conf").write_text("\n".join([*lines, self._sentinel, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        words = [str(server_binary()), str(self.folder / "conf"), *(["--sentinel"] if self._sentinel else [])]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)  # noqa: ASYNC220  # it outlives the test's loop when that dies

        async def answers() -> bool:
            assert self._process
            assert self._process.poll() is None, (self.folder / "log").read_text()[-800:]
            try:
                return bool(await self.call("PING"))
            except (RedisError, OSError):
                return False

        await until(answers, within_s=20, what="the server answers")

    async def call(self, *command: Any) -> Any:
        """One command, on a connection of its own; the reply as it comes."""
        async with redis.Redis(
            port=self.port, password=self._password, socket_timeout=20, decode_responses=True, protocol=2
        ) as client:
            connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py's gap
            try:
                await connection.send_command(*command)
                return await connection.read_response()
            finally:
                await client.connection_pool.release(connection)

    async def info(self, name: str) -> str:
        """A line of INFO."""
        return next(
            (line.partition(":")[2] for line in str(await self.call("INFO")).splitlines() if line.startswith(name)), ""
        )

    def kill(self) -> None:
        """As a crash does."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self.kill()


def _dashed(settings: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in settings.items()}


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """For servers' files, in memory where there is room."""
    path = Path(tempfile.mkdtemp(prefix="andon-test-", dir=quick_folder()))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@asynccontextmanager
async def node(**settings: str) -> AsyncIterator[Node]:
    """One server, started."""
    async with folder() as path:
        made = Node(path, **settings)
        try:
            await made.start()
            yield made
        finally:
            made.close()


@asynccontextmanager
async def replicated_pair(**settings: str) -> AsyncIterator[tuple[Node, Node]]:
    """A primary and a replica that has caught up."""
    async with AsyncExitStack() as stack:
        primary = await stack.enter_async_context(node(**settings))
        replica = await stack.enter_async_context(node(replicaof=f"127.0.0.1 {primary.port}"))
        await caught_up(primary, 1)
        yield primary, replica


async def caught_up(primary: Node, count: int) -> None:
    """Wait until so many replicas are online."""

    async def are_online() -> bool:
        return str(await primary.call("INFO", "replication")).count("state=online") >= count

    await until(are_online, within_s=30, what="the replicas catch up")


@dataclass
class Trio:
    """A primary, two replicas and three sentinels; the primary is known to all of them by a proxy's port alone."""

    primary: Node
    replicas: Sequence[Node]
    sentinels: Sequence[Node]
    network: Proxy
    """Between the primary and everybody else. Who connects to the primary's own port is on its side."""

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{NAME}"

    async def said_primary(self, sentinel: Node | None = None) -> int:
        """The port that a sentinel names."""
        _, port = await (sentinel or self.sentinels[0]).call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(port)

    async def failed_over(self) -> Node:
        """Wait until all sentinels name another primary, which takes writes with a replica behind it; returns it."""

        async def is_done() -> Node | None:
            ports = {await self.said_primary(each) for each in self.sentinels}
            new = next((each for each in self.replicas if ports == {each.port}), None)
            return new if new and await new.info("role") == "master" else None

        await until(is_done, within_s=40, what="the failover")
        found = await is_done()
        assert found
        return found


@asynccontextmanager
async def trio(**settings: str) -> AsyncIterator[Trio]:
    """Ready to fail over: all sentinels know each other and agree; `settings` are for the servers."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        port = free_port()
        network = await stack.enter_async_context(proxy(port))
        announced = {"replica_announce_ip": "127.0.0.1", "replica_announce_port": str(network.port)}
        primary = Node(path, port=str(port), **announced, **settings)
        replicas = [Node(path, replicaof=f"127.0.0.1 {network.port}", **settings) for _ in range(2)]
        for each in (primary, *replicas):
            stack.callback(each.close)
        await asyncio.gather(*(each.start() for each in (primary, *replicas)))
        names = [(free_port(), secrets.token_hex(20)) for _ in range(3)]
        sentinels = []
        for port, name in names:
            lines = [
                f"sentinel myid {name}",
                f"sentinel monitor {NAME} 127.0.0.1 {network.port} 2",
                f"sentinel down-after-milliseconds {NAME} 1000",
                f"sentinel failover-timeout {NAME} 1500",
                *(f"sentinel known-replica {NAME} 127.0.0.1 {each.port}" for each in replicas),
                *(f"sentinel known-sentinel {NAME} 127.0.0.1 {at} {who}" for at, who in names if at != port),
            ]
            sentinels.append(Node(path, port=str(port), sentinel="\n".join(lines)))
            stack.callback(sentinels[-1].close)
        await asyncio.gather(*(each.start() for each in sentinels))
        made = Trio(primary, replicas, sentinels, network)
        await caught_up(primary, 2)

        async def agree() -> bool:
            for each in sentinels:
                try:
                    said = await each.call("SENTINEL", "CKQUORUM", NAME)
                except RedisError:
                    return False
                about = await each.call("SENTINEL", "MASTER", NAME)
                flags = dict(zip(about[::2], about[1::2], strict=True))
                if not str(said).startswith("OK 3") or flags["flags"] != "master" or flags["num-slaves"] != "2":
                    return False
            return True

        await until(agree, within_s=30, what="the sentinels agree")
        yield made


@dataclass
class Cluster:
    """Three primaries, and replicas: of the first, or in turn of each."""

    primaries: Sequence[Node]
    replicas: Sequence[Node]

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.primaries)}"

    async def owner(self, slot: int) -> Node:
        """The primary that has a slot, by the last primary's word, which is never killed."""
        for first, last, (_, port, *_), *_ in await self.primaries[-1].call("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(each for each in (*self.primaries, *self.replicas) if each.port == port)
        raise AssertionError(slot)


@asynccontextmanager
async def cluster(replicas: int = 0, *, of_each: bool = False) -> AsyncIterator[Cluster]:
    """A Cluster whose state is ok everywhere; its replicas are of the first primary, or (`of_each`) of each in turn."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": "1500", "cluster_replica_validity_factor": "0"}
        nodes = [Node(path, cluster_port=str(free_port()), **settings) for _ in range(3 + replicas)]
        for each in nodes:
            stack.callback(each.close)
        await asyncio.gather(*(each.start() for each in nodes))
        primaries, others = nodes[:3], nodes[3:]
        for i, each in enumerate(primaries):
            first, last = i * _SLOTS // 3, (i + 1) * _SLOTS // 3 - 1
            await each.call("CLUSTER", "ADDSLOTSRANGE", first, last)
            await each.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for each in nodes[1:]:
            port = (await each.call("CONFIG", "GET", "cluster-port"))[1]
            await nodes[0].call("CLUSTER", "MEET", "127.0.0.1", each.port, port)

        async def all_know_all() -> bool:
            infos = [str(await each.call("CLUSTER", "INFO")) for each in nodes]
            return all("cluster_state:ok" in said and f"cluster_known_nodes:{len(nodes)}" in said for said in infos)

        await until(all_know_all, within_s=30, what="the Cluster is whole")
        kept = primaries if of_each else primaries[:1]
        for i, each in enumerate(others):
            await each.call("CLUSTER", "REPLICATE", await kept[i % len(kept)].call("CLUSTER", "MYID"))
        if others:
            await asyncio.gather(*(caught_up(each, len(others) // len(kept)) for each in kept))

            async def all_know_the_replicas() -> bool:
                said = [str(await each.call("CLUSTER", "NODES")) for each in nodes]
                return all(one.count("slave") == len(others) for one in said)

            await until(all_know_the_replicas, within_s=30, what="the replicas are known")
        yield Cluster(primaries, others)
