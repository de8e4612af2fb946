"""T22: one story on three surfaces, with a canary in every secret and in everybody's words.

Then all that came out is searched for them: log, metrics, traces, answers to others, and what is kept in clear.
"""

import asyncio
import io
import json
import logging
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest
from pydantic import SecretStr

from bot import logs, tracing
from bot.config import Settings
from tests.adapters.slack_surface import SlackSurface, slack_surface
from tests.adapters.surface import FLIGHTS, HOUR_PACE, MONEY, shows
from tests.adapters.teams_surface import TeamsSurface, teams_surface
from tests.adapters.web_surface import WebSurface, web_surface
from tests.fakes.collector import Collector
from tests.people import Caller, Json
from tests.servers import Live, live, until

WORD: Final = "canarysong"
"""In everything that anybody says, asks, answers or hands over."""
TRIAL: Final = "apk_live_Canary01_" + "Zx9" * 16 + "x"
"""A key that is none, and a token that is none: somebody may have mistyped a real one."""
JWT: Final = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vbmUifQ.eyJpc3MiOiJjYW5hcnkifQ.Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"


@dataclass
class Aviary:
    """The service on three surfaces, and all that comes out of it."""

    here: Live
    slack: SlackSurface
    teams: TeamsSurface
    web: WebSurface
    collector: Collector
    log: io.StringIO
    secrets: set[str]
    others: list[str] = field(default_factory=list)
    """What came back to those whom nothing concerns."""

    @property
    def places(self) -> list[Json]:
        return [self.slack.place, self.teams.place, self.web.place]


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Where the service's log goes in the test."""
    root, ours = logging.getLogger(), logging.getLogger("andon")
    before = root.handlers[:], root.level, ours.level
    yield io.StringIO()
    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)
    logging.captureWarnings(capture=False)


@asynccontextmanager
async def aviary(settings: Settings, out: io.StringIO) -> AsyncIterator[Aviary]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(slack_surface())
        teams = await stack.enter_async_context(teams_surface())
        web = await stack.enter_async_context(web_surface())
        collector = await stack.enter_async_context(Collector().serving())
        given = web.settings(teams.settings(slack.settings(settings))).model_copy(
            update={"metrics_token": SecretStr("canary-of-the-metrics"), "otel_endpoint": collector.url}
        )
        logs.set_up(form="json", level="debug", secrets=given.secrets, trace=tracing.current_id, to=out)
        here = await stack.enter_async_context(live(given, pace=HOUR_PACE))
        for surface in (slack, teams, web):
            await surface.attach(here)
        secrets = {*given.secrets, here.agent.key, here.person.key}
        yield Aviary(here, slack, teams, web, collector, out, secrets)


def wordy(**changes: Any) -> Json:
    """An ask with the word in all that an agent may say."""
    return {
        "what": f"Send {WORD}-what",
        "why": f"{WORD}-why",
        "risks": [f"{WORD}-risk"],
        "action": {"tool": "send_email", "args": {"to": f"{WORD}@example.com", "subject": "s", "body": f"{WORD}-body"}},
        **changes,
    }


async def tell_the_story(all_: Aviary) -> None:
    """Everything that can be said is said."""
    here, agent = all_.here, all_.here.agent
    for surface in (all_.slack, all_.teams, all_.web):
        asked = await agent.ask(**wordy(to=all_.places))
        all_.secrets.add(asked["token"].partition(".")[2])
        for each in (all_.slack, all_.teams):
            await shows(each, asked, f"{WORD}-body")
        await surface.approve(asked)
        decided = await agent.wait(asked["id"])
        permit = (await agent.claim(decided)).ok()
        await agent.report(decided, "failed", claimant=permit["claimant"], error=f"{WORD}-error")
        refused = await agent.ask(**wordy(to=all_.places))
        for each in (all_.slack, all_.teams):
            await shows(each, refused, f"{WORD}-body")
        await surface.reject(refused, f"{WORD}-reason")
        await agent.wait(refused["id"])
    flights = [{**each, "details": f"{WORD}-details"} for each in FLIGHTS]
    choice = await agent.choose(*flights, to=all_.places)
    await here.person.call("POST", f"/v1/handoffs/{choice['id']}/answer", {"kind": "choose", "choice": "ba286"})
    typed = await agent.ask_for(f"{WORD}-question", answer_schema=MONEY, to=all_.places)
    bad = {"kind": "answer", "answer": {"amount": f"{WORD}-amount"}}
    assert (await here.person.call("POST", f"/v1/handoffs/{typed['id']}/answer", bad)).status == 422
    run = await agent.run()
    await agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "half", "state": {"a": f"{WORD}-state"}})
    await agent.call("POST", f"/v1/runs/{run}/notices", {"text": f"{WORD}-notice", "to": all_.places})
    await here.person.call("POST", f"/v1/runs/{run}/brake", {"action": "steer", "text": f"{WORD}-steer"})
    await here.person.call("POST", f"/v1/runs/{run}/brake", {"action": "resume"})


async def let_things_fail(all_: Aviary) -> None:
    """What goes wrong is what gets logged."""
    here, agent = all_.here, all_.here.agent
    async with all_.slack.down(), all_.teams.down():
        lost = await agent.ask(**wordy(to=all_.places))
        await agent.call("POST", f"/v1/runs/{await agent.run()}/notices", {"text": WORD, "to": all_.places})

        async def tried() -> bool:
            return all_.log.getvalue().count("cards.failed") > 4

        await until(tried)
    for surface in (all_.slack, all_.teams):
        await shows(surface, lost, f"{WORD}-body")
    hopeless = [{"surface": "slack", "channel": "CNOWHERE1"}, {"surface": "teams", "channel": "19:no@thread.tacv2"}]
    await agent.wait((await agent.ask(**wordy(to=hopeless)))["id"])
    malformed = f'{{"kind": "confirmation", "what": "{WORD}"'.encode()
    all_.others.append(str((await agent.call("POST", "/v1/handoffs", raw=malformed)).status))
    async with aiohttp.ClientSession() as http:
        for path, headers in (
            ("/slack/events", {"X-Slack-Signature": "v0=" + "ab" * 32, "X-Slack-Request-Timestamp": "1"}),
            ("/api/messages", {"Authorization": f"Bearer {JWT}", "Content-Type": "application/json"}),
            (f"/sign-in?token={WORD}", {}),
            ("/v1/handoffs", {"Authorization": f"Bearer {TRIAL}"}),
        ):
            body = json.dumps({"text": WORD, "serviceUrl": "https://example.com", "type": "message"})
            async with http.post(here.url + path, data=body, headers=headers) as answer:
                all_.others.append(await answer.text())
        reader, writer = await asyncio.open_connection("127.0.0.1", int(here.url.rpartition(":")[2]))
        writer.write(f"GET /\x00{TRIAL} {WORD} HTTP/9\r\nAuthorization: Bearer {TRIAL}\r\n\r\n".encode())
        await reader.read(4_096)
        writer.close()
    all_.secrets |= {TRIAL, JWT}


async def ask_as_others(all_: Aviary) -> None:
    """What concerns them not, and what is open to all."""
    here = all_.here
    other = await here.new_agent("other")
    mine = await here.agent.ask(**wordy(to=[all_.web.place]))
    run = await here.agent.run()
    async with (
        Caller(here.url) as nobody,
        Caller(here.url, TRIAL) as stranger,
        Caller(here.url, "canary-of-the-metrics") as prometheus,
    ):
        for who in (other, nobody, stranger):
            for method, path, body in (
                ("GET", f"/v1/handoffs/{mine['id']}", None),
                ("GET", f"/v1/handoffs/{mine['id']}?wait=1", None),
                ("POST", f"/v1/handoffs/{mine['id']}/claim", {"digest": mine["digest"], "claimant": "x"}),
                ("POST", f"/v1/handoffs/{mine['id']}/withdraw", {}),
                ("GET", f"/v1/runs/{run}", None),
                ("GET", f"/v1/runs/{run}/checkpoint", None),
                ("GET", "/v1/handoffs", None),
                ("GET", "/readyz", None),
                ("GET", "/healthz", None),
                ("GET", "/metrics", None),
                ("GET", "/openapi.json", None),
            ):
                told = await who.call(method, path, body)
                all_.others.append(json.dumps(told.body, ensure_ascii=False) + str(told.headers))
        all_.others.append(str((await prometheus.call("GET", "/metrics")).body))
    all_.secrets.add(other.key)


async def stored(here: Live) -> AsyncIterator[tuple[str, bytes]]:
    """Every key of the store, and all that is in it, unpacked."""
    client: Any = here.store._client
    async for key in client.scan_iter(count=1_000):
        yield key.decode(), key
        kind = await client.type(key)
        match kind:
            case b"string":
                found = [await client.get(key)]
            case b"hash":
                found = [part for pair in (await client.hgetall(key)).items() for part in pair]
            case b"list":
                found = await client.lrange(key, 0, -1)
            case b"set":
                found = list(await client.smembers(key))
            case b"zset":
                found = await client.zrange(key, 0, -1)
            case _:
                found = [part for _, pairs in await client.xrange(key) for pair in pairs.items() for part in pair]
        for value in found:
            yield key.decode(), value
            try:
                yield key.decode(), zlib.decompress(value)
            except zlib.error:
                continue


async def test_no_canary_sings(settings: Settings, logged: io.StringIO) -> None:
    async with aviary(settings, logged) as all_:
        await tell_the_story(all_)
        await let_things_fail(all_)
        await ask_as_others(all_)
        kept = [(key, value) async for key, value in stored(all_.here)]

        async def traced() -> bool:
            return {"handoff.open", "handoff.answer", "handoff.outcome"} <= {span.name for span in all_.collector.spans}

        await until(traced)
        leftovers = {cookie.value for http in all_.web._browsers.values() for cookie in http.cookie_jar}
        secrets = {each for each in all_.secrets | leftovers if each}
    log = logged.getvalue()
    assert log.count("cards.posted") > 6
    assert log.count("\n") > 40
    outputs = {"the log": log, "traces": all_.collector.raw.decode("latin-1"), "to others": "\n".join(all_.others)}
    for name, text in outputs.items():
        assert not {secret for secret in secrets if secret in text}, name
        assert not [line for line in text.splitlines() if WORD in line], name
    assert len(kept) > 100
    assert any(WORD.encode() in value for _, value in kept), "the store has what was said, or this test reads nothing"
    for secret in secrets:
        assert not {key for key, value in kept if secret.encode() in value}, f"in clear: {secret[:12]}"
