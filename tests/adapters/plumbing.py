"""The parts that call Slack, put together as the service does, in front of the fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest

from adapters.slack.api import Api
from adapters.slack.config import SlackConfig
from adapters.slack.installs import Installs
from adapters.slack.people import People
from adapters.slack.places import Places
from tests.fakes.desk import MemoryDesk
from tests.fakes.shelf import MemoryShelf
from tests.fakes.slack.cloud import SlackCloud
from tests.fakes.slack.methods import METHODS, Call, Method


class Now:
    """A clock that stands until it is moved."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@dataclass
class Parts:
    """All of it."""

    cloud: SlackCloud
    config: SlackConfig
    shelf: MemoryShelf
    desk: MemoryDesk
    installs: Installs
    api: Api
    people: People
    places: Places
    now: Now
    """What people and places call the time."""


def config(cloud: SlackCloud) -> SlackConfig:
    """One workspace, over HTTP."""
    return SlackConfig(
        bot_token=cloud.token,
        signing_secret=cloud.app.signing_secret,
        app_token="",
        client_id="",
        client_secret="",
        channel="",
        api_url=cloud.api_url.rstrip("/"),
        public_url="https://andon.example.com",
    )


def by_oauth(cloud: SlackCloud) -> SlackConfig:
    """Many workspaces."""
    return replace(
        config(cloud),
        bot_token="",
        client_id=cloud.app.client_id,
        client_secret=cloud.app.client_secret,
        teams=("any",),
    )


def teach_organisations(patch: pytest.MonkeyPatch) -> None:
    """Let the fake tell which workspaces an organisation-wide installation covers."""

    def listed(call: Call) -> dict[str, object]:
        teams = [team for team in call.cloud.teams.values() if call.by.covers(team)]
        part, cursor = call.page([{"id": team.id, "name": team.name} for team in teams])
        return {"teams": part, "response_metadata": {"next_cursor": cursor}}

    patch.setitem(METHODS, "auth.teams.list", Method(listed, {"limit": "number", "cursor": "text"}, tier="tier2"))


@asynccontextmanager
async def plumbing(
    cloud: SlackCloud, given: SlackConfig | None = None, *, shelf: MemoryShelf | None = None, default: str = ""
) -> AsyncIterator[Parts]:
    """Everything, as one process has it."""
    given, now = given or config(cloud), Now()
    shelf, desk = shelf or MemoryShelf(cloud.clock.now), MemoryDesk()
    async with aiohttp.ClientSession() as http:
        installs = Installs(given, shelf, http, clock=cloud.clock.now)
        api = Api(installs, shelf, desk, url=given.api_url, http=http, clock=cloud.clock.now)
        people = People(api, installs, clock=now)
        places = Places(api, installs, people, default=default, clock=now)
        yield Parts(cloud, given, shelf, desk, installs, api, people, places, now)
