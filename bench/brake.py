"""One stop over thousands of waiting runs: until no claim succeeds, until the last agent heard, until the last card.

Each run is an agent's own, with one pending ask and one event stream. Beside it, by turns and in the same run, the bare
send loop: the same bytes to as many connections by plain transports, heard by a listener of the same kind.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import targets
from bench.listeners import worked
from bench.wireclient import Connection, connect, expect, request
from bot.access import Access
from bot.idle import allow_many_files
from bot.store import Limits, Store
from bot.store import connect as connect_store

RUNS: Final = 10_000
TARGET: Final = 1.5
"""The issue's target: the last agent has heard within this many times the bare send loop."""

_AT_ONCE: Final = 32
_CLAIMS_A_SECOND: Final = 200
_CLAIMS_BEFORE_S: Final = 0.5
_CLAIMS_AFTER_S: Final = 0.5
_MARK: Final = b"event: brake.braked\n"
_NO_LIMITS: Final = Limits(per_minute=10_000_000, burst=10_000_000, open=10_000_000)


@dataclass(slots=True)
class _Agent:
    headers: dict[str, str]
    run: str = ""


@dataclass(slots=True)
class _Claims:
    """Claims in turn: what is allowed, and when each was sent and whether it got a permit."""

    allowed: list[tuple[bytes, bytes]]
    """The requests that claim and that report what came of it."""
    made: list[tuple[float, bool]] = field(default_factory=list)

    async def make(self, port: int, ended: asyncio.Event) -> None:
        """Claim until told to end; what was refused is tried again."""
        agent, due = await connect(port), time.time()
        while not ended.is_set():
            claim, close = self.allowed[-1]
            sent = time.time()
            status, body = await agent.send(claim)
            self.made.append((sent, status == 200))
            if status == 200:
                self.allowed.pop()
                expect(await agent.send(close), 200)
            else:
                assert json.loads(expect((status, body), 409))["type"].endswith("/stopped"), body
            due += 1 / _CLAIMS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.time()))
        agent.close()


async def measure(count: int = RUNS, rounds: int = 9, fsync: str = "always") -> dict[str, float]:
    """Stop and resume `rounds` times; medians, in ms from the moment that the stop was sent."""
    async with AsyncExitStack() as stack:
        andon = await stack.enter_async_context(targets.andon(fsync))
        store = await stack.enter_async_context(Store(connect_store(andon.store_url)))
        agents = await _agents(andon, store, count)
        allowed = await _allowed(andon, islice(cycle(agents), (rounds + 1) * _CLAIMS_A_SECOND))
        asked = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="andon-bench-"))) / "requests.json"
        asked.write_text(json.dumps([request("GET", "/v1/events", headers=each.headers).decode() for each in agents]))
        agents_ear = await stack.enter_async_context(_listeners(andon.port, count, andon.service.pid, asked))
        bare = await stack.enter_async_context(_process("bench.bare"))
        bare_ear = await stack.enter_async_context(_listeners(int(await _line(bare)), count, bare.pid))
        found = [await _stop(andon, store, agents_ear, allowed)]  # the first is for warming up
        for _ in range(rounds):
            sent = await _send(bare, bare_ear, found[0]["bytes"])
            stopped = await _stop(andon, store, agents_ear, allowed)
            found.append({**stopped, **sent, "ratio": stopped["heard"] / sent["bare_heard"]})
    medians = {name: statistics.median(each[name] for each in found[1:]) for name in found[-1] if name != "bytes"}
    sums = {name: sum(each[name] for each in found) for name in ("claims_after", "permits_after")}
    return {"runs": count, **medians, **sums}


async def _stop(
    andon: targets.Andon, store: Store, ear: asyncio.subprocess.Process, allowed: list[tuple[bytes, bytes]]
) -> dict[str, Any]:
    """Stop everything, with claims before, during and after; then let it go on."""
    person = await connect(andon.port)
    claims, ended = _Claims(allowed), asyncio.Event()
    claiming = asyncio.create_task(claims.make(andon.port, ended))
    await _ask(ear, _MARK.hex())
    await asyncio.sleep(_CLAIMS_BEFORE_S)
    work, began = worked(andon.service.pid), time.time()
    receipt = json.loads(expect(await person.send(_brake(andon, "stop")), 200))
    acknowledged = time.time()
    heard = json.loads(await _line(ear))
    await asyncio.sleep(_CLAIMS_AFTER_S)
    ended.set()
    await claiming
    queued = int((await store.feed.last_id()).partition("-")[0]) / 1000
    assert receipt["did"] == "pulled"
    expect(await person.send(_brake(andon, "resume")), 200)
    person.close()
    await _settled(andon)
    return {
        "stopped": (datetime.fromisoformat(receipt["brake"]["at"]).timestamp() - began) * 1000,
        "written": (heard["arrived"] - began) * 1000,
        "heard": (heard["heard"] - began) * 1000,
        "work": (heard["work"] - work) * 1000,
        "queued": (queued - began) * 1000,
        "acknowledged": (acknowledged - began) * 1000,
        "held": receipt["held"],
        "claims_after": sum(sent > acknowledged for sent, _ in claims.made),
        "permits_after": sum(sent > acknowledged and permit for sent, permit in claims.made),
        "bytes": heard["bytes"],
    }


async def _send(bare: asyncio.subprocess.Process, ear: asyncio.subprocess.Process, data: str) -> dict[str, float]:
    """The same bytes by the bare send loop."""
    await _ask(ear, _MARK.hex())
    work = worked(bare.pid)
    began = float(await _ask(bare, data))
    heard = json.loads(await _line(ear))
    return {
        "bare_written": (heard["arrived"] - began) * 1000,
        "bare_heard": (heard["heard"] - began) * 1000,
        "bare_work": (heard["work"] - work) * 1000,
    }


# --- what waits ---


async def _agents(andon: targets.Andon, store: Store, count: int) -> list[_Agent]:
    """So many agents, each with one run and one pending ask."""
    access = Access(store, andon.secret)
    keys = await asyncio.gather(*(access.create_key("agent", f"agent-{n}", _NO_LIMITS) for n in range(count)))
    agents = [_Agent({"Authorization": f"Bearer {key}"}) for key in keys]

    async def begin(agent: _Agent, connection: Connection) -> None:
        started = await connection.send(request("POST", "/v1/runs", b'{"name":"bench"}', agent.headers))
        agent.run = json.loads(expect(started, 201))["id"]
        await _opened(agent, connection)

    await _by_all(andon, begin, agents)
    return agents


async def _allowed(andon: targets.Andon, agents: Iterable[_Agent]) -> list[tuple[bytes, bytes]]:
    """One more ask of each, approved: the requests that claim it and that report what came of it."""
    allowed: list[tuple[bytes, bytes]] = []

    async def approve(agent: _Agent, connection: Connection) -> None:
        opened = await _opened(agent, connection)
        expect(await connection.send(andon.answer(opened["id"])), 200)
        own = replace(andon, agent=agent.headers)
        allowed.append((own.claim(opened["id"], opened["digest"]), own.close(opened["id"])))

    await _by_all(andon, approve, agents)
    return allowed


async def _opened(agent: _Agent, connection: Connection) -> dict[str, Any]:
    body = json.dumps(targets.ask(agent.run)).encode()
    reply = await connection.send(request("POST", "/v1/handoffs", body, agent.headers))
    opened: dict[str, Any] = json.loads(expect(reply, 201))
    return opened


async def _by_all(
    andon: targets.Andon, work: Callable[[_Agent, Connection], Awaitable[None]], agents: Iterable[_Agent]
) -> None:
    """Work for each of these, some at a time."""
    left = iter(agents)

    async def some() -> None:
        connection = await connect(andon.port)
        for agent in left:
            await work(agent, connection)
        connection.close()

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


def _brake(andon: targets.Andon, action: str) -> bytes:
    body = json.dumps({"scope": {"everything": True}, "action": action}).encode()
    return request("POST", "/v1/brakes", body, andon.person)


async def _settled(andon: targets.Andon) -> None:
    """Wait until the service has been idle for a moment."""
    while True:
        cpu = andon.cpu_s()
        await asyncio.sleep(0.5)
        if andon.cpu_s() - cpu < 0.05:  # seconds of CPU in half a second
            return


# --- processes ---


@asynccontextmanager
async def _process(module: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *words), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _listeners(
    port: int, count: int, sender: int, asked: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    words = [str(port), str(count), str(sender), *([str(asked)] if asked else [])]
    async with _process("bench.listeners", *words) as process:
        assert await _line(process) == b"open\n"
        yield process


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout  # piped above
    line = await process.stdout.readline()
    assert line, "a process of the benchmark ended"
    return line


async def _ask(process: asyncio.subprocess.Process, words: str) -> bytes:
    assert process.stdin  # piped above
    process.stdin.write(f"{words}\n".encode())
    return await _line(process)


def lines(figures: Mapping[str, float]) -> Sequence[str]:
    """The figures as a person reads them, beside the targets."""
    heard, permits = figures["ratio"] <= TARGET, figures["permits_after"] == 0
    title = f"one stop over {figures['runs']:,} waiting runs"
    rows = [f"{title:34}{'bare loop':>12}{'andon':>12}{'ratio':>9}"]
    for name, label in (
        ("heard", "last agent has heard, ms"),
        ("written", "last one written, ms"),
        ("work", "CPU ms of the sender by then"),
    ):
        bare, andon = figures[f"bare_{name}"], figures[name]
        ratio = figures["ratio"] if name == "heard" else andon / bare
        target = f"   target {TARGET}: {'met' if heard else 'not met'}" if name == "heard" else ""
        rows.append(f"{label:34}{bare:>12.1f}{andon:>12.1f}{ratio:>9.2f}{target}")
    rows += [
        f"{'no claim succeeds any more, ms':34}{figures['stopped']:>24.1f}",
        f"{'last card queued, ms':34}{figures['queued']:>24.1f}",
        f"{'acknowledged, ms':34}{figures['acknowledged']:>24.1f}   ({figures['held']:,.0f} held)",
        (
            f"{'permits after it':34}{figures['permits_after']:>24.0f}   (of {figures['claims_after']:,.0f} claims)"
            f"   target 0: {'met' if permits else 'not met'}"
        ),
    ]
    return rows


if __name__ == "__main__":
    allow_many_files()
    print("\n".join(lines(uvloop.run(measure(int(sys.argv[1]) if sys.argv[1:] else RUNS)))))
