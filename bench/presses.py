"""Presses from Slack: how fast each is acknowledged, and how fast the waiting agent has its decision.

A stand-in for Slack runs as a process of its own, with its limits off; cards are posted and updated there while people
press. Presses come at a steady rate whether or not the last one was answered, and are timed from when they were due.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

from bench import targets
from bench.wireclient import Connection, connect, expect, request
from tests.fakes.slack import SlackCloud

CHANNELS: Final = 100
_CONNECTIONS: Final = 64
_LINE_BYTES: Final = 16 * 1024 * 1024


async def serve() -> None:
    """Be Slack: print what the service needs to know, then where each handoff's card is whenever a line comes in."""
    async with SlackCloud().serving() as cloud:
        cloud.rate_limits.off()
        people = [cloud.user(f"p{n}", email=f"p{n}@example.com") for n in range(8)]
        channels = [cloud.channel(f"#c{n}", members=people, bot=True) for n in range(CHANNELS)]
        about = {
            "url": cloud.api_url,
            "token": cloud.install(cloud.home),
            "secret": cloud.app.signing_secret,
            "team": cloud.home.id,
            "app": cloud.app.id,
            "people": [person.id for person in people],
            "channels": [channel.id for channel in channels],
        }
        print(json.dumps(about), flush=True)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            print(json.dumps(_cards(cloud)), flush=True)


def _cards(cloud: SlackCloud) -> dict[str, str]:
    found = [message for channel in cloud.channels.values() for message in cloud.cards(channel) if message.metadata]
    return {str(message.metadata["event_payload"]["handoff"]): message.ts for message in found if message.metadata}


@asynccontextmanager
async def _slack() -> AsyncIterator[tuple[dict[str, Any], asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.presses"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    assert process.stdout  # piped above
    try:
        yield json.loads(await process.stdout.readline()), process
    finally:
        process.terminate()
        await process.wait()


async def measure(rate: int, seconds: float) -> dict[str, float]:
    """Press `rate` times a second; latencies in ms."""
    async with _slack() as (about, process):
        settings = {
            "SLACK_API_URL": about["url"],
            "SLACK_BOT_TOKEN": about["token"],
            "SLACK_SIGNING_SECRET": about["secret"],
        }
        async with targets.andon("everysec", settings) as andon:
            return await _presses(andon, about, process, rate, round(rate * seconds))


async def _presses(
    andon: targets.Andon, about: dict[str, Any], process: asyncio.subprocess.Process, rate: int, count: int
) -> dict[str, float]:
    opener = await connect(andon.port)
    asked = [await _open(opener, andon, about["channels"][n % CHANNELS]) for n in range(count)]
    cards = await _posted(process, count)
    pressers = [await connect(andon.port) for _ in range(_CONNECTIONS)]
    busy = [asyncio.Lock() for _ in pressers]
    waiting: list[tuple[Connection, asyncio.Future[tuple[int, bytes]]]] = []
    for handoff in asked:
        connection = await connect(andon.port)
        waiting.append((connection, connection.send(andon.wait(handoff["id"]))))
    await asyncio.sleep(1)
    acks: list[float] = []
    wakes: list[float] = []
    start = time.perf_counter() + 0.2

    async def press(number: int) -> None:
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        body, headers = _press(about, asked[number], cards[asked[number]["id"]], number)
        woken = asyncio.ensure_future(_woken(waiting[number][1], due))
        async with busy[number % _CONNECTIONS]:
            sent = request("POST", "/slack/events", body, headers)
            expect(await pressers[number % _CONNECTIONS].send(sent), 200)
        acks.append(time.perf_counter() - due)
        wakes.append(await woken)

    await asyncio.gather(*(press(number) for number in range(count)))
    for connection in [opener, *pressers, *(connection for connection, _ in waiting)]:
        connection.close()
    return {
        "rate": rate,
        "presses": count,
        **{f"ack_{name}_ms": value for name, value in _percentiles(acks).items()},
        **{f"decision_{name}_ms": value for name, value in _percentiles(wakes).items()},
    }


async def _woken(waiter: asyncio.Future[tuple[int, bytes]], due: float) -> float:
    told = json.loads(expect(await waiter, 200))
    assert told["state"] == "decided", told["state"]
    return time.perf_counter() - due


async def _open(opener: Connection, andon: targets.Andon, channel: str) -> dict[str, Any]:
    ask = {**json.loads(andon.ask), "to": [{"surface": "slack", "channel": channel}]}
    body = json.dumps(ask).encode()
    opened: dict[str, Any] = json.loads(
        expect(await opener.send(request("POST", "/v1/handoffs", body, andon.agent)), 201)
    )
    return {**opened, "channel": channel}


async def _posted(process: asyncio.subprocess.Process, count: int) -> dict[str, str]:
    """The timestamp of each card, by its handoff, when all are there."""
    assert process.stdin  # piped above
    assert process.stdout
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(120):
            while True:
                process.stdin.write(b"\n")
                cards: dict[str, str] = json.loads(await process.stdout.readline())
                if len(cards) >= count:
                    return cards
                await asyncio.sleep(0.5)
    msg = f"the cards were not posted: {count} were asked for"
    raise RuntimeError(msg)


def _press(about: dict[str, Any], handoff: dict[str, Any], card: str, number: int) -> tuple[bytes, dict[str, str]]:
    """A signed press of Approve on the card with this timestamp.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack, read 2026-11.
    """
    user, team, ts = about["people"][number % len(about["people"])], about["team"], f"{time.time():.6f}"
    value = json.dumps({"h": handoff["id"], "r": handoff["revision"], "d": handoff["digest"]})
    payload = {
        "type": "block_actions",
        "api_app_id": about["app"],
        "trigger_id": f"{number}.{ts}",
        "team": {"id": team, "domain": "bench"},
        "user": {"id": user, "team_id": team, "username": user},
        "channel": {"id": handoff["channel"], "name": "bench"},
        "container": {"type": "message", "message_ts": card, "channel_id": handoff["channel"]},
        "actions": [{"type": "button", "action_id": "andon:approve", "block_id": "b", "value": value, "action_ts": ts}],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(time.time()))
    digest = hmac.new(about["secret"].encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
    }


def _percentiles(took: list[float]) -> dict[str, float]:
    took.sort()
    return {"p50": statistics.median(took) * 1000, "p99": took[min(len(took) - 1, int(len(took) * 0.99))] * 1000}


if __name__ == "__main__":
    asyncio.run(serve())
