"""The contract of every adapter, kept by each that there is."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.slack import SlackConfig, slack
from adapters.teams import TeamsConfig, teams
from adapters.web import WebConsole
from andon import wire
from bot.handoff import Handoff
from bot.ports import Adapter, CardRef
from tests.adapters.contract import AdapterContract, Shown
from tests.adapters.paper import Paper
from tests.fakes.board import TOKEN, Board
from tests.fakes.desk import MIRA, NOON, MemoryDesk, MemorySignIn
from tests.fakes.shelf import MemoryShelf
from tests.fakes.slack import SlackCloud
from tests.fakes.teams import TeamsCloud

LATER = NOON + timedelta(minutes=1)


@dataclass
class PaperStage:
    adapter: Paper
    board: Board
    place: wire.Place = wire.Place(surface="paper", channel="ops")  # noqa: RUF009  # it is frozen
    nowhere: wire.Place | None = wire.Place(surface="paper", channel="nowhere")  # noqa: RUF009  # likewise

    def put(self, handoff: Handoff) -> None:
        """The board reads no store."""

    async def look(self, ref: CardRef) -> Shown:
        note = self.board.notes[ref.address]
        return Shown(note.text, frozenset(note.buttons))


class TestPaper(AdapterContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[PaperStage]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with Board("ops").serving() as board, aiohttp.ClientSession(headers=headers) as http:
            yield PaperStage(Paper(http, board.url, clock=lambda: LATER), board)


@dataclass
class WebStage:
    adapter: WebConsole
    desk: MemoryDesk
    http: aiohttp.ClientSession
    url: str
    place: wire.Place = wire.Place(surface="web")  # noqa: RUF009  # it is frozen
    nowhere: wire.Place | None = None

    def put(self, handoff: Handoff) -> None:
        self.desk.put(handoff)

    async def look(self, ref: CardRef) -> Shown:
        async with self.http.get(f"{self.url}/handoffs/{ref.address}") as response:
            assert response.status == 200
            page = (await response.text()).split("<main")[1]
        found = re.findall(r'<button[^>]* name="kind"[^>]*>([^<]+)</button>|<a[^>]* id="edit">([^<]+)</a>', page)
        text = unescape(re.sub(r"<[^>]+>", " ", page))
        return Shown(re.sub(r"\s+", " ", text), frozenset(unescape(button or link) for button, link in found))


class TestWeb(AdapterContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[WebStage]:
        desk, book = MemoryDesk(clock=lambda: LATER), MemorySignIn()
        console = WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=lambda: LATER)
        app = web.Application()
        app.add_routes(console.routes())
        jar = aiohttp.CookieJar(unsafe=True)
        async with TestServer(app) as server, aiohttp.ClientSession(cookie_jar=jar) as http:
            url = str(server.make_url("")).rstrip("/")
            sent = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
            async with http.post(f"{url}/sign-in", data={"token": book.link(MIRA)}, headers=sent) as response:
                assert response.status in {200, 303}
            yield WebStage(console, desk, http, url)
            desk.close()


@dataclass
class SlackStage:
    adapter: Adapter
    cloud: SlackCloud
    place: wire.Place
    nowhere: wire.Place | None = wire.Place(surface="slack", channel="C0NOWHERE")  # noqa: RUF009  # it is frozen

    def put(self, handoff: Handoff) -> None:
        """A message shows what it was sent."""

    async def look(self, ref: CardRef) -> Shown:
        _, channel, ts = ref.address.split("/")
        message = self.cloud.channels[channel].find(ts)
        assert message
        answers = {"Reject…": "Reject"}
        return Shown(message.shown, frozenset(answers.get(label, label) for label in message.buttons))


class TestSlack(AdapterContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[SlackStage]:
        async with SlackCloud().serving() as cloud:
            ops = cloud.channel("#ops", bot=True)
            config = SlackConfig(
                bot_token=cloud.install(cloud.home),
                signing_secret=cloud.app.signing_secret,
                app_token="",
                client_id="",
                client_secret="",
                channel="",
                api_url=cloud.api_url.rstrip("/"),
                public_url="http://127.0.0.1:8080",
            )
            desk = MemoryDesk(clock=lambda: LATER)
            async with slack(config, desk, MemoryShelf(), clock=lambda: LATER) as adapter:
                yield SlackStage(adapter, cloud, wire.Place(surface="slack", channel=ops.id))
            desk.close()


@dataclass
class TeamsStage:
    adapter: Adapter
    cloud: TeamsCloud
    place: wire.Place
    nowhere: wire.Place | None = wire.Place(surface="teams", channel="19:nowhere@thread.tacv2")  # noqa: RUF009  # frozen

    def put(self, handoff: Handoff) -> None:
        """A message shows what it was sent."""

    async def look(self, ref: CardRef) -> Shown:
        _, conversation, activity = ref.address.split("/")
        found = self.cloud.where(conversation)
        assert found
        message = found.find(activity)
        assert message
        own = (title for title in message.buttons if not title.startswith("Open"))
        return Shown(message.shown, frozenset(title.removesuffix("…") for title in own))


class TestTeams(AdapterContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[TeamsStage]:
        async with TeamsCloud().serving() as cloud:
            ops = cloud.team("Ops", [cloud.person("Mira")], channels=["deploys"]).channel("deploys")
            config = TeamsConfig(
                app_id=cloud.app_id,
                app_password=cloud.app_password,
                tenant=cloud.home.id,
                metadata_url=cloud.metadata_url,
                login_url=cloud.login_url,
                public_url="http://127.0.0.1:8080",
            )
            desk = MemoryDesk(clock=lambda: LATER)
            app = web.Application()
            async with teams(config, desk, MemoryShelf(), clock=lambda: LATER) as adapter:
                app.add_routes(adapter.routes())
                async with TestServer(app) as server:
                    cloud.endpoint = str(server.make_url("/api/messages"))
                    await cloud.announce()
                    yield TeamsStage(adapter, cloud, wire.Place(surface="teams", channel=ops.id))
            desk.close()
