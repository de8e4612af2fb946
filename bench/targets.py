"""The two services under test, each a process of its own on a store of its own, and how to speak to them."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import psutil

from bench.wireclient import connect, expect, request
from bot.store import EmbeddedStore

TEXT: Final = """\
Dear Alice, the report that you asked for on Monday is attached. It covers the third quarter, with the figures
of the two northern branches restated after the correction of 14 October, and the forecast that Bruno sent on
Friday. Page four has the list of suppliers whose terms end this year; please look at the three marked in red
before Thursday, since the notice periods differ. The fourth quarter stands on page nine, in brackets, because
it is not public yet; please do not pass that page on. Carla's team counted the stock in Lyon a second time
and found 212 crates more than the books had, so the figure on page six is hers and not the one in last week's
draft. The board meets on the 28th; if you want anything changed, send it to me by Tuesday noon. If anything
is unclear, call me; I am in the office until six. Kind regards, Ana"""


def ask(run: str) -> dict[str, object]:
    """An ask of about 1.3 kB, as agents send them."""
    return {
        "kind": "confirmation",
        "gate": "send_email",
        "run": run,
        "what": "Send this e-mail to alice@example.com",
        "why": "She asked about the report on Monday, and Bruno's forecast came in on Friday",
        "risks": ["Mentions fourth-quarter numbers that are not public yet", "Alice may forward it"],
        "action": {
            "tool": "send_email",
            "args": {"to": "alice@example.com", "subject": "Report, third quarter", "body": TEXT},
        },
        "timeout_s": 3600,
    }


class Target(Protocol):
    """One service: its port, its requests, its processes."""

    name: str
    port: int

    def open(self) -> bytes:
        """Open an ask."""
        ...

    def wait(self, handoff_id: str) -> bytes:
        """Wait for its decision."""
        ...

    def answer(self, handoff_id: str) -> bytes:
        """Approve it."""
        ...

    def claim(self, handoff_id: str, digest: str) -> bytes:
        """Claim it."""
        ...

    def close(self, handoff_id: str) -> bytes:
        """Report its outcome."""
        ...

    def cpu_s(self) -> float:
        """CPU seconds of service and Redis together."""
        ...

    def rss(self) -> int:
        """Bytes of the service."""
        ...


@dataclass(slots=True)
class _Processes:
    service: psutil.Process
    redis: psutil.Process

    def cpu_s(self) -> float:
        """CPU seconds of service and Redis together."""
        return sum(t.user + t.system for t in (self.service.cpu_times(), self.redis.cpu_times()))

    def rss(self) -> int:
        """Bytes of the service."""
        return int(self.service.memory_info().rss)


@dataclass(slots=True)
class Andon(_Processes):
    """The product."""

    port: int
    agent: dict[str, str]
    person: dict[str, str]
    ask: bytes
    store_url: str
    secret: bytes
    name: str = "andon"

    def open(self) -> bytes:
        """Open an ask."""
        return request("POST", "/v1/handoffs", self.ask, self.agent)

    def wait(self, handoff_id: str) -> bytes:
        """Wait for its decision."""
        return request("GET", f"/v1/handoffs/{handoff_id}?wait=50", headers=self.agent)

    def answer(self, handoff_id: str) -> bytes:
        """Approve it."""
        return request("POST", f"/v1/handoffs/{handoff_id}/answer", b'{"kind":"approve","revision":1}', self.person)

    def claim(self, handoff_id: str, digest: str) -> bytes:
        """Claim it."""
        body = json.dumps({"digest": digest, "claimant": "bench"}).encode()
        return request("POST", f"/v1/handoffs/{handoff_id}/claim", body, self.agent)

    def close(self, handoff_id: str) -> bytes:
        """Report its outcome."""
        body = b'{"status":"executed","claimant":"bench","result":"sent"}'
        return request("POST", f"/v1/handoffs/{handoff_id}/outcome", body, self.agent)


@dataclass(slots=True)
class Floor(_Processes):
    """The featureless one."""

    port: int
    ask: bytes
    name: str = "floor"
    _move: bytes = field(default=b'{"kind":"approve","revision":1}')

    def open(self) -> bytes:
        """Open an ask."""
        return request("POST", "/open", self.ask)

    def wait(self, handoff_id: str) -> bytes:
        """Wait for its decision."""
        return request("GET", f"/{handoff_id}")

    def answer(self, handoff_id: str) -> bytes:
        """Approve it."""
        return request("POST", f"/{handoff_id}/decided", self._move)

    def claim(self, handoff_id: str, digest: str) -> bytes:
        """Claim it."""
        return request("POST", f"/{handoff_id}/claimed", json.dumps({"digest": digest, "claimant": "bench"}).encode())

    def close(self, handoff_id: str) -> bytes:
        """Report its outcome."""
        return request("POST", f"/{handoff_id}/closed", b'{"status":"executed","claimant":"bench","result":"sent"}')


@asynccontextmanager
async def _store(folder: Path, fsync: str) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(folder, fsync=fsync)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


@asynccontextmanager
async def andon(fsync: str, settings: Mapping[str, str] | None = None) -> AsyncIterator[Andon]:
    """The product on a store of its own, with more `settings`."""
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        folder = Path(name)
        async with _store(folder / "redis", fsync) as store:
            env = {k: v for k, v in os.environ.items() if not k.startswith(("ANDON_", "SLACK_"))} | {
                "ANDON_STATE": str(folder / "state"),
                "ANDON_REDIS_URL": store.url,
                "ANDON_PORT": "0",
                "ANDON_UNSAFE_STORE": str(fsync != "always"),
                **(settings or {}),
            }
            loose = ["--per-minute", "10000000", "--burst", "10000000", "--open", "10000000"]
            agent = {"Authorization": f"Bearer {await _key(env, '--agent', 'bench', *loose)}"}
            person = {"Authorization": f"Bearer {await _key(env, '--person', 'bench@example.com')}"}
            process = await _spawn(env, "-m", "bot", "serve")
            try:
                port = int((await _line(process, b"listens on")).rsplit(b":", 1)[1])
                connection = await connect(port)
                started = expect(await connection.send(request("POST", "/v1/runs", b'{"name":"bench"}', agent)), 201)
                connection.close()
                body = json.dumps(ask(json.loads(started)["id"])).encode()
                secret = (folder / "state" / "secret").read_bytes().strip()
                processes = psutil.Process(process.pid), _redis_process(store)
                yield Andon(*processes, port, agent, person, body, store.url, secret)
            finally:
                process.terminate()
                await process.wait()


@asynccontextmanager
async def floor(fsync: str) -> AsyncIterator[Floor]:
    """The floor on a store of its own."""
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        async with _store(Path(name), fsync) as store:
            process = await _spawn(dict(os.environ), "-m", "bench.floor", store.url)
            try:
                port = int(await _line(process, b""))
                body = json.dumps(ask("run_" + "a" * 22)).encode()
                yield Floor(psutil.Process(process.pid), _redis_process(store), port, body)
            finally:
                process.terminate()
                await process.wait()


async def _spawn(env: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )


async def _line(process: asyncio.subprocess.Process, having: bytes) -> bytes:
    assert process.stdout  # piped above
    async for line in process.stdout:
        if having in line:
            return line.strip()
    msg = f"a service under test ended before it listened (exit {await process.wait()})"
    raise RuntimeError(msg)


async def _key(env: dict[str, str], *words: str) -> str:
    process = await _spawn(env, "-m", "bot", "keys", "create", *words, "--json")
    out, _ = await process.communicate()
    return str(json.loads(out)["key"])


def _redis_process(store: EmbeddedStore) -> psutil.Process:
    return psutil.Process(store.pid)
