"""“Try again” in the console over HTTP: what it sends, what it says, and who may press it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from andon import wire
from bot.handoff import State
from tests.adapters.test_web_http import EMAIL_ID, Browser
from tests.fakes.desk import EMAIL, MIRA, NOON, MemoryDesk, MemorySignIn, handoff

CARD, AGAIN = f"/handoffs/{EMAIL_ID}", f"/handoffs/{EMAIL_ID}/again"


@pytest.fixture
def desk() -> MemoryDesk:
    decision = wire.Rejected(by=MIRA, at=NOON, revision=1, message_for_agent="No.", reason="no")
    missed = wire.Unreached(since=NOON, why="It answered 503.", again=True)
    asked = replace(handoff(EMAIL, id=EMAIL_ID), state=State.DECIDED, decision=decision, missed=missed)
    return MemoryDesk(asked, clock=lambda: NOON)


@pytest.fixture
async def mira(desk: MemoryDesk) -> AsyncIterator[Browser]:
    book = MemorySignIn()
    console = WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=lambda: NOON)
    app = web.Application()
    app.add_routes(console.routes())
    async with TestServer(app) as server, ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, str(server.make_url("")).rstrip("/"))
        await browser.post("/sign-in", {"token": book.link(MIRA)})
        yield browser
        desk.close()


async def test_the_page_says_what_came_of_it(mira: Browser, desk: MemoryDesk) -> None:
    response, page = await mira.post(AGAIN, await mira.form(CARD))
    assert response.status == 200
    assert "Sent again to 1 endpoint." in page
    assert desk.sent_again == [(EMAIL_ID, MIRA)]


async def test_a_store_that_is_away_is_said_with_the_button_still_there(mira: Browser, desk: MemoryDesk) -> None:
    form = await mira.form(CARD)
    desk.is_down = True
    response, page = await mira.post(AGAIN, form)
    assert response.status == 503
    assert "The store did not confirm this. Press again in a moment." in page
    assert 'id="again-form"' in page


async def test_nobody_sends_it_from_elsewhere(mira: Browser, desk: MemoryDesk) -> None:
    form = await mira.form(CARD)
    async with ClientSession() as http:
        assert (await Browser(http, mira.url).post(AGAIN, form))[0].status == 401
    assert (await mira.post(AGAIN, {"csrf": "made-up"}))[0].status == 403
    assert (await mira.post(AGAIN, form, Origin="https://evil.example"))[0].status == 403
    assert (await mira.get(AGAIN))[0].status == 405
    assert (await mira.post("/handoffs/hf_none/again", form))[0].status == 404
    assert desk.sent_again == []
