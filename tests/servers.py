"""Real servers for the tests: a quick Valkey, and the service, in this process or as one of its own."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import redis
import redis.asyncio
from redis.exceptions import RedisError

from bot.access import Access, KeyKind, person
from bot.app.local import sign_in_url
from bot.app.service import service as serve
from bot.app.surfaces import MakeAdapter
from bot.config import Settings
from bot.outbox import Pace, Schedule
from bot.store import Limits, Shard, Store, Topology, connect, topology
from bot.store.embedded import _shut_down, socket_path
from tests.people import Admin, Agent, Person

ROOT: Final = Path(__file__).resolve().parent.parent
DATABASES: Final = 64
_ROOM: Final = 256 * 1024 * 1024
SECRET: Final = "a secret for tests, of more than 32 characters"
SHARDS: Final = int(os.environ.get("ANDON_TEST_SHARDS", "1"))
"""Shards that every store and service of the tests has, unless a test says otherwise: ANDON_TEST_SHARDS=3 pytest …"""
GENEROUS: Final = Limits(per_minute=0, burst=1_000, open=10_000)
"""Limits that a test about something else never meets."""

_LASTING: Final = re.compile(
    r"^\{[^}]*\}:(events|due|ladder|unreported|index|keys|secret|policy|brakes|brakes:epoch|shards|agents|key:[^:]*|shelf:[^:]*|endpoints|endpoint:[^:]*)$"
)
"""Keys that may have no lifetime, as the scripts' headers and `bot/store/keys.py` say. `shelf:<surface>` holds what an
adapter must still have after any pause, such as the token of an installation: one hash, which it empties itself."""


async def until(condition: Callable[[], Awaitable[object]], *, within_s: float = 10.0, what: str = "") -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        await asyncio.sleep(0.01)


def quick_folder() -> str | None:
    """In memory where there is room: the service insists that every write is synced, and a disk takes its time."""
    memory = Path("/dev/shm")  # noqa: S108  # the server makes a folder of its own in it
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else None


class Valkey:
    """One server on a unix socket, for as many tests as like."""

    def __init__(
        self, binary: Path, *, settings: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it, with settings and variables that a test may give."""
        self.folder = Path(tempfile.mkdtemp(prefix="andon-test-", dir=quick_folder()))
        self.socket = self.folder / "s"
        self.environment = dict(environment or {})
        standard = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "auto-aof-rewrite-min-size": "16mb",
            "save": "",
            "databases": str(DATABASES),
            "hash-max-listpack-value": "4096",
            "maxmemory-policy": "noeviction",
        }
        words = [part for name, value in (standard | dict(settings or {})).items() for part in (f"--{name}", value)]
        self._command = [str(binary), *words]
        self.start()

    def start(self) -> None:
        """Start it, perhaps again: on the same socket, with what its append-only file has."""
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **self.environment},
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, f"the server ended with {self._process.returncode}"
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash does."""
        self._process.kill()
        self._process.wait()

    def url(self, database: int = 0) -> str:
        return f"unix://{self.socket}?db={database}"

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket)) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


def servers(url: str, *, shards: int = SHARDS) -> "Topology | redis.asyncio.Redis":
    """What a store is opened on, to be looked at from outside: a client of the one server, where there is one."""
    return topology(url) if "+" in url else connect(url, shards=shards)


async def lasting_keys(client: "redis.asyncio.Redis", pattern: str) -> list[str]:
    """Keys that live for ever and should not."""
    names = [key.decode() async for key in client.scan_iter(match=pattern, count=1000)]
    left = [await client.pttl(name) for name in names]
    return sorted(n for n, ms in zip(names, left, strict=True) if ms == -1 and not _LASTING.match(n))


def bare_environment(**extra: str) -> dict[str, str]:
    """An environment with nothing of the developer's settings in it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ANDON_", "SLACK_", "TEAMS_"))}
    return {**ours, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **_shards(), **extra}


def _shards() -> dict[str, str]:
    return {"ANDON_SHARDS": str(SHARDS)} if SHARDS > 1 else {}


@dataclass
class Live:
    """A service in this process, and those who use it."""

    url: str
    settings: Settings
    store: Store
    access: Access
    agent: Agent
    person: Person
    own: Shard
    """Where the agent's runs are."""
    _stack: AsyncExitStack

    async def new_agent(self, name: str, limits: Limits = GENEROUS) -> Agent:
        """Another agent, with a key of its own."""
        key = await self.access.create_key("agent", name, limits)
        return await self._stack.enter_async_context(Agent(self.url, key))

    async def new_person(self, email: str) -> Person:
        """Another person, with a key of their own."""
        key = await self.access.create_key("person", email)
        return await self._stack.enter_async_context(Person(self.url, key))

    async def new_admin(self, name: str = "ops") -> Admin:
        """Somebody with an admin's key."""
        key = await self.access.create_key("admin", name)
        return await self._stack.enter_async_context(Admin(self.url, key))

    async def sign_in(self, email: str = "mira@example.com", *, admin: bool = False) -> str:
        """The address that signs a person in to the console, once."""
        return sign_in_url(self.url, await self.access.create_link(person(email), admin=admin))


@asynccontextmanager
async def live(
    settings: Settings,
    *,
    adapters: Mapping[str, MakeAdapter] | None = None,
    pace: Pace | None = None,
    schedule: Schedule | None = None,
) -> AsyncIterator[Live]:
    """Run the service in this process on a shared store, with an agent `mailer` and a person `mira`."""
    assert settings.redis_url
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serve(settings, adapters=adapters, pace=pace, schedule=schedule))
        shards = settings.shards
        there = servers(settings.redis_url.get_secret_value(), shards=shards)
        store = await stack.enter_async_context(Store(there, shards=shards))
        access = Access(store, settings.key_material())
        agent = await stack.enter_async_context(
            Agent(running.url, await access.create_key("agent", "mailer", GENEROUS))
        )
        mira = await stack.enter_async_context(
            Person(running.url, await access.create_key("person", "mira@example.com"))
        )
        yield Live(running.url, settings, store, access, agent, mira, await store.shard_of("mailer"), stack)


class ServiceProcess:
    """`python -m bot serve`: start it, stop it, kill it, start it again at the same address."""

    module = "bot"

    def __init__(self, state: Path, settings: Mapping[str, str] | None = None) -> None:
        self.state = state
        self.settings = {"ANDON_STATE": str(state), **(settings or {})}
        self.port = 0
        self.url = ""
        self.sign_in = ""
        """The one-time link that the latest start printed."""
        self._log = state.parent / f"{state.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def output(self) -> str:
        """All that it has printed and logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def agent_key(self) -> str:
        """The local agent's key, which the first start leaves in the state folder."""
        return (self.state / "agent.key").read_text().strip()

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._log.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.module, "serve", "--port", str(self.port)),
                cwd=self.state.parent,
                env=bare_environment(**self.settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self._process

        async def listens() -> bool:
            assert process.returncode is None, f"the service ended with {process.returncode}:\n{self.output}"
            return re.search(r"Andon listens on .*\n\Z", self.output, re.DOTALL) is not None  # no line half written

        await until(listens, within_s=30, what="the service listens")
        found = re.search(r"Andon listens on (\S+:(\d+))", self.output)
        assert found
        self.url, self.port = found[1], int(found[2])
        link = re.search(r"Sign in to the console .*: (\S+)", self.output)
        self.sign_in = link[1] if link else ""

    async def kill(self) -> None:
        """As a crash does: SIGKILL. An embedded store is left behind, as it is then."""
        assert self._process
        self._process.kill()
        await self._process.wait()

    async def died(self, *, within_s: float) -> int:
        """Wait until it ends by itself; returns the exit code."""
        assert self._process
        return await asyncio.wait_for(self._process.wait(), within_s)

    async def stop(self) -> int:
        """As a person or a supervisor does: SIGTERM. Returns the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), 30)

    async def close(self) -> None:
        """End it, whatever state it is in, and the store that it may have left behind."""
        if self._process and self._process.returncode is None:
            await self.kill()
        if "ANDON_REDIS_URL" not in self.settings:
            await _shut_down(socket_path(self.state))

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Its store, looked at from outside."""
        url = self.settings.get("ANDON_REDIS_URL") or f"unix://{socket_path(self.state)}"
        async with Store(servers(url)) as store:
            yield store

    async def make_key(self, kind: KeyKind, name: str, limits: Limits = GENEROUS) -> str:
        """As `python -m bot keys create` does, without its start-up time."""
        secret = self.settings.get("ANDON_SECRET") or (self.state / "secret").read_text().strip()
        async with self.store() as store:
            return await Access(store, secret.encode()).create_key(kind, name, limits)

    async def answers(self) -> bool:
        """Is it up?"""
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False
