"""Measure the line beside its floor and print a table: `python -m bench [--quick] [--json FILE]`."""

import argparse
import asyncio
import json
import random
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import brake, policy, presses, targets
from bench.wireclient import Connection, connect, expect, request
from bot.store import connect as connect_store

CONCURRENCY: Final = 64
PRESSES_A_SECOND: Final = 200
WAITING: Final = (1, 10, 64, 1_000, 10_000)

_HELP: Final = """usage: python -m bench [--quick] [--json FILE]

  Measure handoffs per second and per CPU second, wake latency, memory per waiting agent and per pending handoff,
  each beside a service without features, in the same run; what a policy of 200 rules costs
  per ask; then presses from a stand-in for Slack at 200 a second; then one stop over 10,000 waiting runs.
  Takes about seven minutes; other load on the machine shows.

  --quick       a tenth of the work, for a first look
  --json FILE   write every figure to FILE as well

examples:
  make bench
  make bench ARGS=--quick
"""


async def throughput(target: targets.Target, seconds: float) -> dict[str, float]:
    """Whole lines (open, wait, answer, wake, claim, outcome) at a concurrency of 64."""
    done = 0
    until = time.perf_counter() + seconds

    async def one() -> None:
        nonlocal done
        agent, person = await connect(target.port), await connect(target.port)
        while time.perf_counter() < until:
            opened = json.loads(expect(await agent.send(target.open()), 200, 201))
            handoff_id = opened["id"]
            waiting = agent.send(target.wait(handoff_id))
            expect(await person.send(target.answer(handoff_id)), 200)
            expect(await waiting, 200)
            expect(await agent.send(target.claim(handoff_id, opened.get("digest", ""))), 200)
            expect(await agent.send(target.close(handoff_id)), 200)
            done += 1
        agent.close()
        person.close()

    cpu, start = target.cpu_s(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONCURRENCY)))
    wall, cpu = time.perf_counter() - start, target.cpu_s() - cpu
    return {"per_s": done / wall, "per_cpu_s": done / cpu}


async def wakes(target: targets.Target, waiting: int, samples: int) -> dict[str, float]:
    """Latency from sending an answer to the agent's having it, with `waiting` agents parked, and what each costs."""
    opener, person = await connect(target.port), await connect(target.port)
    ids = [json.loads(expect(await opener.send(target.open()), 200, 201))["id"] for _ in range(waiting)]
    before = target.rss()
    parked: dict[str, tuple[Connection, asyncio.Future[tuple[int, bytes]]]] = {}

    async def park(handoff_id: str) -> None:
        connection = await connect(target.port)
        parked[handoff_id] = (connection, connection.send(target.wait(handoff_id)))

    for at in range(0, waiting, 200):
        await asyncio.gather(*(park(i) for i in ids[at : at + 200]))
    await _settled(target)
    memory = (target.rss() - before) / waiting
    took: list[float] = []
    for _ in range(samples):
        handoff_id = random.choice(list(parked)) if waiting <= 1_000 else random.choice(ids)  # no secret
        connection, waiter = parked[handoff_id]
        start = time.perf_counter()
        answered = person.send(target.answer(handoff_id))
        expect(await waiter, 200)
        took.append(time.perf_counter() - start)
        expect(await answered, 200)
        fresh = json.loads(expect(await opener.send(target.open()), 200, 201))["id"]  # keep the number waiting
        del parked[handoff_id]
        ids[ids.index(handoff_id)] = fresh
        parked[fresh] = (connection, connection.send(target.wait(fresh)))
        await asyncio.sleep(0.002)
    for connection, waiter in parked.values():
        waiter.cancel()
        connection.close()
    opener.close()
    person.close()
    took.sort()
    return {
        "p50_ms": statistics.median(took) * 1000,
        "p99_ms": took[min(len(took) - 1, int(len(took) * 0.99))] * 1000,
        "bytes_per_wait": memory,
    }


async def _settled(target: targets.Target) -> None:
    """Wait until the service has been idle for a moment."""
    while True:
        cpu = target.cpu_s()
        await asyncio.sleep(0.3)
        if target.cpu_s() - cpu < 0.02:  # seconds of CPU in 0.3 s
            return


async def store_bytes(target: targets.Andon, count: int) -> dict[str, float]:
    """Redis memory per pending handoff, and service memory per wait that shares one event stream."""
    client = connect_store(target.store_url)
    opener = await connect(target.port)
    stream = await connect(target.port)
    streaming = stream.send(request("GET", "/v1/events", headers=target.agent))
    for _ in range(200):
        expect(await opener.send(target.open()), 201)
    await _settled(target)
    before, rss = (await client.info("memory"))["used_memory"], target.rss()
    for _ in range(count):
        expect(await opener.send(target.open()), 201)
    await _settled(target)
    used = ((await client.info("memory"))["used_memory"] - before) / count
    shared = (target.rss() - rss) / count
    streaming.cancel()
    opener.close()
    stream.close()
    await client.aclose()
    return {
        "ask_bytes": len(target.ask),
        "redis_bytes": used,
        "ratio": used / len(target.ask),
        "shared_wait_bytes": shared,
    }


async def run(*, quick: bool) -> dict[str, Any]:
    """Everything, the two services in turn so that a drift of the machine meets both."""
    seconds, samples = (2.0, 60) if quick else (8.0, 600)
    counts = WAITING[:-1] if quick else WAITING
    figures: dict[str, Any] = {}
    for fsync in ("everysec", "always"):
        rounds: dict[str, list[dict[str, float]]] = {"floor": [], "andon": []}
        async with targets.floor(fsync) as floor, targets.andon(fsync) as andon:
            for target in (floor, andon):
                await throughput(target, 1.0)
            for _ in range(1 if quick else 3):
                for target in (floor, andon):
                    rounds[target.name].append(await throughput(target, seconds))
        figures[f"throughput_{fsync}"] = {
            name: {key: statistics.median(r[key] for r in found) for key in found[0]} for name, found in rounds.items()
        }
    figures["wake"] = {}
    for fsync in ("everysec", "always"):
        for count in counts:
            if fsync == "always" and count != 64:  # one size shows what the disk adds
                continue
            async with targets.floor(fsync) as floor, targets.andon(fsync) as andon:
                figures["wake"][f"{count}_{fsync}"] = {t.name: await wakes(t, count, samples) for t in (floor, andon)}
    async with targets.andon("everysec") as andon:
        figures["store"] = await store_bytes(andon, 1_000 if quick else 10_000)
    figures["policy"] = policy.measure()
    figures["presses"] = await presses.measure(PRESSES_A_SECOND, 2 if quick else 10)
    figures["brake"] = await (brake.measure(brake.RUNS // 10, rounds=3) if quick else brake.measure())
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    lines = [f"{'':34}{'floor':>12}{'andon':>12}{'ratio':>9}"]

    def row(name: str, floor: float, andon: float, form: str = ",.0f") -> None:
        lines.append(f"{name:34}{floor:>12{form}}{andon:>12{form}}{andon / floor:>9.2f}")

    for fsync in ("everysec", "always"):
        found = figures[f"throughput_{fsync}"]
        row(f"handoffs/s, fsync {fsync}", found["floor"]["per_s"], found["andon"]["per_s"])
        row(f"handoffs/CPU s, fsync {fsync}", found["floor"]["per_cpu_s"], found["andon"]["per_cpu_s"])
    for name, found in figures["wake"].items():
        count, fsync = name.split("_")
        label = f"{int(count):,} waiting, fsync {fsync}"
        row(f"wake p50 ms, {label}", found["floor"]["p50_ms"], found["andon"]["p50_ms"], ".2f")
        row(f"wake p99 ms, {label}", found["floor"]["p99_ms"], found["andon"]["p99_ms"], ".2f")
        if int(count) >= 1_000:  # fewer drown in the allocator's steps
            row("bytes per waiting connection", found["floor"]["bytes_per_wait"], found["andon"]["bytes_per_wait"])
    store = figures["store"]
    lines += [
        (
            f"{'Redis bytes per pending handoff':34}{store['redis_bytes']:>24,.0f}"
            f"   ({store['ratio']:.2f} a byte of a {store['ask_bytes']} B ask)"
        ),
        f"{'service bytes per shared wait':34}{store['shared_wait_bytes']:>24,.0f}",
    ]
    lines += policy.lines(figures["policy"])
    slack = figures["presses"]
    for name, label in (("ack", "press to acknowledgement"), ("decision", "press to agent has it")):
        for part in ("p50", "p99"):
            title = f"Slack, {slack['rate']:.0f}/s, {label}, {part}, ms"
            lines.append(f"{title:58}{slack[f'{name}_{part}_ms']:.1f}")
    lines += brake.lines(figures["brake"])
    return "\n".join(lines)


def main() -> int:
    """Run, print, and write."""
    if {"-h", "--help"} & set(sys.argv):
        print(_HELP, end="")
        return 0
    parser = argparse.ArgumentParser(usage=_HELP)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures = uvloop.run(run(quick=given.quick))
    print(table(figures))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
