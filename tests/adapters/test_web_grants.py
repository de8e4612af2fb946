"""Grants in the console over HTTP: given beside Approve, listed, ended."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from andon import wire
from bot.handoff import Handoff, Offer, Route
from tests.adapters.test_web_http import EMAIL_ID, Browser
from tests.fakes.desk import EMAIL, MIRA, NOON, MemoryDesk, MemorySignIn, handoff

GRANT = f"gr_{EMAIL_ID[3:]}"


def asked() -> Handoff:
    offered = (Offer("the same recipient", ("to",), "run", 3600), Offer("all <b>mail</b>", (), "agent", 600))
    return handoff(EMAIL, id=EMAIL_ID, route=Route("1/mail", 1800, "deny", (), offers=offered))


@pytest.fixture
def desk() -> MemoryDesk:
    return MemoryDesk(asked(), clock=lambda: NOON)


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


async def test_a_yes_asks_again_next_time_unless_something_else_is_picked(mira: Browser, desk: MemoryDesk) -> None:
    response, _ = await mira.press(EMAIL_ID, "approve")
    assert response.status == 303
    ((_, answer, _),) = desk.answers
    assert isinstance(answer, wire.Approve)
    assert answer.grant is None
    assert desk.granted == {}


async def test_what_was_picked_is_given_and_listed(mira: Browser, desk: MemoryDesk) -> None:
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    assert "don&#39;t ask again for 1 h: send_email with to = alice@x.com, in this run" in page
    assert "all &lt;b&gt;mail&lt;/b&gt;" in page
    response, _ = await mira.press(EMAIL_ID, "approve", grant="0")
    assert response.status == 303
    assert desk.granted[GRANT].given.same == {"to": "alice@x.com"}
    _, decided = await mira.get(f"/handoffs/{EMAIL_ID}")
    said = "A grant went with it: send_email with to = alice@x.com, in this run, for 1 h."
    assert f'<p id="granted">{said} <a href="/grants">Grants that stand</a></p>' in decided
    _, history = await mira.get("/history")
    assert f'<a class="badge" href="/grants" title="{said}">and a grant</a>' in history
    _, listed = await mira.get("/grants")
    assert "send_email with to = alice@x.com, in the run weekly-report" in listed
    assert "tool == &#34;send_email&#34; &amp;&amp; args.to == &#34;alice@x.com&#34;" in listed
    assert "by Mira" in listed


@pytest.mark.parametrize("grant", ["7", "x", "1000", "-1", "٣"])
async def test_what_is_not_offered_is_not_given(mira: Browser, desk: MemoryDesk, grant: str) -> None:
    response, page = await mira.press(EMAIL_ID, "approve", grant=grant)
    assert response.status == 422
    assert "this card does not offer that grant" in page
    assert (desk.answers, desk.granted) == ([], {})


@pytest.mark.parametrize("kind", ["reject", "edit-save"])
async def test_another_answer_gives_nothing_whatever_was_picked(mira: Browser, desk: MemoryDesk, kind: str) -> None:
    await mira.press(EMAIL_ID, kind, page="?edit=1" if kind == "edit-save" else "", grant="0")
    assert desk.granted == {}


async def test_a_press_that_must_be_repeated_keeps_what_was_picked(mira: Browser, desk: MemoryDesk) -> None:
    desk.is_down = True
    response, page = await mira.press(EMAIL_ID, "approve", grant="1")
    assert response.status == 503
    assert 'name="grant" value="1" checked' in page


async def test_a_grant_is_ended_with_one_press_and_by_whom_is_known(mira: Browser, desk: MemoryDesk) -> None:
    await mira.press(EMAIL_ID, "approve", grant="0")
    form = await mira.form("/grants")
    response, _ = await mira.post(f"/grants/{GRANT}/end", form)
    assert (response.status, response.headers["Location"]) == (303, "/grants")
    assert desk.ended == [(GRANT, MIRA)]
    _, page = await mira.get("/grants")
    assert "No grants stand" in page
    response, page = await mira.post(f"/grants/{GRANT}/end", form)
    assert response.status == 404
    assert "had ended already" in page


async def test_another_site_cannot_end_a_grant(mira: Browser, desk: MemoryDesk) -> None:
    await mira.press(EMAIL_ID, "approve", grant="0")
    form = await mira.form("/grants")
    response, _ = await mira.post(f"/grants/{GRANT}/end", form, Origin="https://evil.example")
    assert response.status == 403
    response, _ = await mira.post(f"/grants/{GRANT}/end", {"csrf": "guessed"})
    assert response.status == 403
    assert desk.ended == []


async def test_nobody_sees_grants_without_signing_in(mira: Browser, desk: MemoryDesk) -> None:
    await mira.press(EMAIL_ID, "approve", grant="0")
    async with ClientSession() as http:
        stranger = Browser(http, mira.url)
        response, page = await stranger.get("/grants")
        assert response.status == 401
        assert "alice@x.com" not in page
        response, _ = await stranger.post(f"/grants/{GRANT}/end", {})
        assert response.status in {401, 403}
    assert desk.ended == []
