"""What several processes may come to say in Teams is said once; what was not said is said by the next try."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.teams import TeamsConfig, teams
from andon import wire
from bot.errors import BotError
from bot.handoff import Aside, Handoff, Told
from bot.ports import Adapter, CardRef
from tests.fakes.desk import EMAIL, NOON, RUN, MemoryDesk, handoff
from tests.fakes.shelf import MemoryShelf
from tests.fakes.teams import Channel, TeamsCloud


@dataclass
class Two:
    """Two processes on one store."""

    one: Adapter
    other: Adapter
    cloud: TeamsCloud
    ops: Channel

    @property
    def place(self) -> wire.Place:
        return wire.Place(surface="teams", channel=self.ops.id)

    def saying(self, text: str) -> int:
        """How many messages say it."""
        return len([message for message in self.cloud.posts(self.ops) if text in message.shown])


@asynccontextmanager
async def opened(cloud: TeamsCloud) -> AsyncIterator[Two]:
    ops = cloud.team("Ops", [cloud.person("Mira")], channels=["deploys"]).channel("deploys")
    config = TeamsConfig(
        app_id=cloud.app_id,
        app_password=cloud.app_password,
        tenant=cloud.home.id,
        metadata_url=cloud.metadata_url,
        login_url=cloud.login_url,
        public_url="http://127.0.0.1:8080",
    )
    shelf, desk = MemoryShelf(), MemoryDesk()
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(teams(config, desk, shelf)) for _ in range(2)]
        app = web.Application()
        app.add_routes(one.routes())
        server = await stack.enter_async_context(TestServer(app))
        cloud.endpoint = str(server.make_url("/api/messages"))
        await cloud.announce()
        yield Two(one, other, cloud, ops)
    desk.close()


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    async with TeamsCloud().serving() as cloud, opened(cloud) as both:
        yield both


async def reminded(two: Two) -> tuple[CardRef, Handoff, Aside]:
    aside = Aside("1", "reminded", NOON)
    asked = replace(handoff(EMAIL), asides=(aside,))
    return await two.one.post(asked, two.place), asked, aside


async def test_what_happened_around_a_card_is_said_once(two: Two) -> None:
    ref, asked, aside = await reminded(two)
    for adapter in (two.one, two.other, two.one):
        await adapter.say_below(ref, asked, aside, two.place)
    assert two.saying("Open in the console") == 2, "the card, and one reminder"


async def test_what_was_not_said_is_said_by_the_next_try(two: Two) -> None:
    ref, asked, aside = await reminded(two)
    two.cloud.refuse("send", "ServiceError", times=10)
    with pytest.raises(BotError):
        await two.one.say_below(ref, asked, aside, two.place)
    while two.cloud.next_refusal("send"):
        pass
    await two.other.say_below(ref, asked, aside, two.place)
    assert two.saying("Open in the console") == 2


async def test_a_notice_is_told_once(two: Two) -> None:
    told = Told(NOON, "mailer", RUN, "weekly-report", "Nightly sync finished", id="1-0", to=(two.place,))
    for adapter in (two.one, two.other, two.one):
        await adapter.tell(told, two.place)
    assert two.saying("Nightly sync finished") == 1
