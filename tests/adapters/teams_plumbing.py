"""The parts between Microsoft's cloud and us, put together as the service does, in front of the fake."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.teams.bearer import Bearer
from adapters.teams.config import TeamsConfig
from adapters.teams.connector import Connector
from adapters.teams.inbound import Inbound, Payload, Reply
from adapters.teams.keys import Keys
from adapters.teams.people import People
from adapters.teams.places import Places
from adapters.teams.references import References
from adapters.teams.tokens import Verifier
from tests.adapters.plumbing import Now
from tests.fakes.desk import MemoryDesk
from tests.fakes.shelf import MemoryShelf
from tests.fakes.teams import TeamsCloud


@dataclass
class Notebook:
    """An `Inbox` that writes down what came, and answers what it was told to."""

    came: list[Payload] = field(default_factory=list)
    reply: Reply = None
    fault: Exception | None = None

    def kinds(self) -> list[str]:
        """What came, in order."""
        return [str(each.get("name") or each["type"]) for each in self.came]

    async def pressed(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def opened(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def submitted(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def asked(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def ask_submitted(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def searched(self, activity: Payload) -> Reply:
        return await self._take(activity)

    async def still_working(self, activity: Payload) -> Reply:
        return {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "a moment"}

    async def caught_up(self, activity: Payload, reply: Reply) -> None:
        self.came.append({"type": "caught_up", "reply": reply})

    async def said(self, activity: Payload) -> None:
        await self._take(activity)

    async def reacted(self, activity: Payload) -> None:
        await self._take(activity)

    async def happened(self, activity: Payload) -> None:
        await self._take(activity)

    async def untaken(self, activity: Payload) -> None:
        self.came.append({"type": "untaken"})

    async def _take(self, activity: Payload) -> Reply:
        self.came.append(activity)
        if self.fault:
            raise self.fault
        return self.reply


@dataclass
class Parts:
    """All of it, as one process has it."""

    cloud: TeamsCloud
    config: TeamsConfig
    shelf: MemoryShelf
    desk: MemoryDesk
    keys: Keys
    bearer: Bearer
    references: References
    connector: Connector
    people: People
    places: Places
    inbox: Notebook
    inbound: Inbound
    now: Now
    """What all of it calls the time, in seconds that only count."""
    http: aiohttp.ClientSession


def config(cloud: TeamsCloud, **changed: Any) -> TeamsConfig:
    """As the settings would say it."""
    given: Mapping[str, Any] = {
        "app_id": cloud.app_id,
        "app_password": cloud.app_password,
        "tenant": cloud.home.id,
        "metadata_url": cloud.metadata_url,
        "login_url": cloud.login_url,
        "public_url": "https://andon.example.com",
        **changed,
    }
    return TeamsConfig(**given)


@asynccontextmanager
async def plumbing(
    cloud: TeamsCloud, given: TeamsConfig | None = None, *, shelf: MemoryShelf | None = None
) -> AsyncIterator[Parts]:
    """Everything, listening where the cloud sends to."""
    given, now = given or config(cloud), Now()
    shelf, desk, inbox = shelf or MemoryShelf(cloud.clock.now), MemoryDesk(), Notebook()
    async with aiohttp.ClientSession() as http:
        keys, bearer = Keys(given.metadata_url, http, clock=now), Bearer(given, http, clock=now)
        references = References(shelf)
        connector = Connector(
            given, bearer, references, shelf, desk, http=http, clock=cloud.clock.now, jitter=lambda: 0.0
        )
        people = People(connector, references, clock=now)
        places = Places(connector, references, people, default=given.channel, clock=now)
        inbound = Inbound(
            given, Verifier(given, keys), shelf, inbox, heard=(references.learn, people.heard, places.heard)
        )
        app = web.Application()
        app.add_routes(inbound.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, lingering_time=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        cloud.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/api/messages"
        try:
            async with inbound.open():
                yield Parts(
                    *(cloud, given, shelf, desk, keys, bearer, references, connector, people, places),
                    inbox=inbox,
                    inbound=inbound,
                    now=now,
                    http=http,
                )
        finally:
            await runner.cleanup()
            await keys.close()
            await bearer.close()
