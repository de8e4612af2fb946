"""Endpoints and dead letters in the console, against the real service: who may, what a press does, what it shows."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import unused_port
from multidict import MultiDict

import andon.callbacks.aiohttp
from andon.callbacks import Callback
from bot.config import Settings
from tests.adapters.test_web_http import Browser
from tests.fakes.frameworks import serving_aiohttp
from tests.people import Caller
from tests.servers import Live, live, until

SECRET = re.compile(r"<pre>(whsec_[A-Za-z0-9+/=]{44})</pre>")
LIST = "/endpoints"
PRESSES = ("test", "rotate", "disable", "enable", "remove", "replay")


@pytest.fixture
def port() -> int:
    return unused_port()


@pytest.fixture
async def service(settings: Settings, port: int) -> AsyncIterator[Live]:
    async with live(settings.model_copy(update={"callback_allow": f"127.0.0.1:{port}"})) as running:
        yield running


@asynccontextmanager
async def browsing(service: Live, *, admin: bool) -> AsyncIterator[Browser]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, service.url)
        token = (await service.sign_in(admin=admin)).partition("token=")[2]
        await browser.post("/sign-in", {"token": token})
        yield browser


@pytest.fixture
async def ops(service: Live) -> AsyncIterator[Browser]:
    async with browsing(service, admin=True) as browser:
        yield browser


@pytest.fixture
async def mira(service: Live) -> AsyncIterator[Browser]:
    async with browsing(service, admin=False) as browser:
        yield browser


@pytest.fixture
async def admin(service: Live) -> AsyncIterator[Caller]:
    """The same over the API, to see what is true."""
    async with Caller(service.url, await service.access.create_key("admin", "ops")) as caller:
        yield caller


async def known(admin: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.call("GET", "/v1/endpoints")).ok()["endpoints"]
    return found


def form_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of one form."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in found}


async def create(ops: Browser, url: str, *events: str, **changes: str) -> tuple[int, str]:
    _, page = await ops.get(LIST)
    form = MultiDict({**form_of(page, LIST), "url": url, "agent": "*", **changes})
    for event in events or ("handoff.decided",):
        form.add("events", event)
    response, page = await ops.post(LIST, form)  # type: ignore[arg-type] # a box for each event
    return response.status, page


async def press(ops: Browser, endpoint: str, action: str, **typed: str) -> tuple[int, str]:
    _, page = await ops.get(f"{LIST}/{endpoint}")
    to = f"{LIST}/{endpoint}/{action}"
    csrf = form_of(page, f"{LIST}/{endpoint}/test")
    response, page = await ops.post(to, {**csrf, **form_of(page, to), **typed})
    return response.status, page


def said(page: str) -> str:
    found = re.search(r'id="notice"><p>(.*?)</p>', page, re.DOTALL)
    return unescape(found[1]) if found else ""


@pytest.fixture
async def endpoint(ops: Browser, admin: Caller, port: int) -> str:
    status, _ = await create(ops, f"http://127.0.0.1:{port}/andon")
    assert status == 201
    (made,) = await known(admin)
    return str(made["id"])


class TestWhoMay:
    async def test_nobody_who_is_not_signed_in(self, service: Live, endpoint: str, admin: Caller) -> None:
        async with ClientSession() as http:
            stranger = Browser(http, service.url)
            for path in (LIST, f"{LIST}/{endpoint}"):
                response, page = await stranger.get(path)
                assert response.status == 401
                assert endpoint not in page
            for action in PRESSES:
                response, _ = await stranger.post(f"{LIST}/{endpoint}/{action}", {})
                assert response.status in {401, 403}
        assert [each["id"] for each in await known(admin)] == [endpoint]

    async def test_no_person_whose_link_was_not_an_operators(self, mira: Browser, endpoint: str, admin: Caller) -> None:
        """With the right token of their own session, too."""
        _, inbox = await mira.get("/")
        assert LIST not in inbox
        csrf = form_of(inbox, "/sign-out")
        before = await known(admin)
        told = [await mira.get(LIST), await mira.get(f"{LIST}/{endpoint}")]
        told += [await mira.post(f"{LIST}/{endpoint}/{action}", {**csrf, "once": "x"}) for action in PRESSES]
        told.append(
            await mira.post(LIST, {**csrf, "once": "x", "url": "https://x.example", "events": "handoff.decided"})
        )
        for response, page in told:
            assert response.status == 403
            assert "python -m bot sign-in --admin" in page
            assert endpoint not in page
        assert await known(admin) == before

    async def test_an_operator_finds_them_in_the_navigation(self, ops: Browser) -> None:
        _, inbox = await ops.get("/")
        assert '<a href="/endpoints">Endpoints</a>' in inbox
        response, page = await ops.get(LIST)
        assert response.status == 200
        assert 'href="/endpoints" aria-current="page"' in page

    async def test_another_site_changes_nothing(self, ops: Browser, endpoint: str, admin: Caller) -> None:
        before = await known(admin)
        _, page = await ops.get(f"{LIST}/{endpoint}")
        form = form_of(page, f"{LIST}/{endpoint}/rotate")
        for action in PRESSES:
            response, _ = await ops.post(f"{LIST}/{endpoint}/{action}", form, Origin="https://evil.example")
            assert response.status == 403
            response, _ = await ops.post(f"{LIST}/{endpoint}/{action}", {**form, "csrf": "guessed"})
            assert response.status == 403
        assert await known(admin) == before

    async def test_looking_changes_nothing(self, ops: Browser, endpoint: str, admin: Caller) -> None:
        before = await known(admin)
        for path in (LIST, f"{LIST}/{endpoint}", *(f"{LIST}/{endpoint}/{action}" for action in PRESSES)):
            response, _ = await ops.get(path)
            assert response.status in {200, 404, 405}, path
        assert await known(admin) == before


class TestCreate:
    async def test_the_secret_is_shown_once(self, ops: Browser, admin: Caller, port: int) -> None:
        status, page = await create(
            ops, f"http://127.0.0.1:{port}/andon", "handoff.decided", "brake.braked", agent="mailer"
        )
        assert status == 201
        assert len(SECRET.findall(page)) == 1
        (made,) = await known(admin)
        assert made["agent"] == "mailer"
        assert made["events"] == ["handoff.decided", "brake.braked"]
        assert made["created_by"] == "mira@example.com"
        for path in (LIST, f"{LIST}/{made['id']}"):
            response, page = await ops.get(path)
            assert made["url"] in page
            assert "whsec_" not in page
            assert response.headers["Cache-Control"] == "no-store"

    async def test_an_address_is_shown_as_it_is(self, ops: Browser) -> None:
        status, page = await create(ops, "https://agents.example.com/<b>x</b>?a=1&b=\u202e")
        assert status in {201, 422}
        _, listed = await ops.get(LIST)
        for shown in (page, listed):
            assert "<b>x" not in shown
            assert "\u202e" not in shown.partition("<h1")[2].partition("</h1>")[0]

    async def test_pressed_twice_it_is_one(self, ops: Browser, admin: Caller, port: int) -> None:
        """A second one would hide the first one's secret."""
        _, page = await ops.get(LIST)
        form = {**form_of(page, LIST), "url": f"http://127.0.0.1:{port}/", "agent": "*", "events": "handoff.decided"}
        answers = await asyncio.gather(*(ops.post(LIST, form) for _ in range(5)))
        assert sorted(response.status for response, _ in answers) == [201, 409, 409, 409, 409]
        assert len(await known(admin)) == 1
        assert all("This form was sent before" in said(page) for response, page in answers if response.status == 409)

    @pytest.mark.parametrize(
        "url, why",
        [
            ("", "Say where to send."),
            ("http://agents.example.com/", "https"),
            ("https://127.0.0.1/", ""),
            ("https://user:word@agents.example.com/", ""),
            ("https://agents.example.com/#<b>agents</b>", ""),
            ("https://" + "a" * 2_100 + ".example", ""),
        ],
    )
    async def test_what_cannot_be_is_said_beside_what_was_typed(
        self, ops: Browser, admin: Caller, url: str, why: str
    ) -> None:
        status, page = await create(ops, url, "handoff.closed", agent="mailer")
        assert status in {400, 422}
        assert "<b>agents" not in page
        if status == 422:
            error = re.search(r'id="url-error" role="alert">(.+?)</p>', page)
            assert error
            assert why in unescape(error[1])
            assert f'value="{unescape(url)}"' in unescape(page)
            assert '<option value="mailer" selected>' in page
            assert 'value="handoff.closed" checked' in page
            assert 'value="handoff.decided" checked' not in page
        assert await known(admin) == []

    async def test_after_a_mistake_the_form_can_be_sent_again(self, ops: Browser, admin: Caller, port: int) -> None:
        _, page = await create(ops, "ftp://agents.example.com")
        form = {**form_of(page, LIST), "url": f"http://127.0.0.1:{port}/", "agent": "*", "events": "handoff.decided"}
        response, page = await ops.post(LIST, form)
        assert response.status == 201
        assert SECRET.search(page)

    async def test_told_of_nothing_it_would_be_of_no_use(self, ops: Browser, admin: Caller) -> None:
        _, page = await ops.get(LIST)
        response, page = await ops.post(
            LIST, {**form_of(page, LIST), "url": "https://agents.example.com/", "agent": "*"}
        )
        assert response.status == 422
        assert "Pick what it is told of." in page
        assert 'value="https://agents.example.com/"' in page
        assert await known(admin) == []

    @pytest.mark.parametrize("changes", [{"agent": "<b>"}, {"events": "of.none"}])
    async def test_a_form_of_none_of_ours_is_refused(
        self, ops: Browser, admin: Caller, changes: dict[str, str]
    ) -> None:
        _, page = await ops.get(LIST)
        good = {"url": "https://agents.example.com/", "agent": "*", "events": "handoff.decided"}
        response, _ = await ops.post(LIST, {**form_of(page, LIST), **good, **changes})
        assert response.status == 400
        assert await known(admin) == []


@asynccontextmanager
async def listening(port: int, secret: str) -> AsyncIterator[list[Callback]]:
    heard: list[Callback] = []

    async def hear(callback: Callback) -> None:
        heard.append(callback)

    app = web.Application()
    app.router.add_post("/andon", andon.callbacks.aiohttp.receiver(hear, secret=secret))
    async with serving_aiohttp(app, port):
        yield heard


class TestPresses:
    async def test_a_test_says_what_came_of_it(self, ops: Browser, endpoint: str, port: int) -> None:
        status, page = await press(ops, endpoint, "test")
        assert status == 200
        assert "The test did not arrive" in said(page)
        _, page = await press(ops, endpoint, "rotate")
        (secret,) = SECRET.findall(page)
        async with listening(port, secret) as heard:
            _, page = await press(ops, endpoint, "test")
            assert said(page).startswith("The test arrived: it answered 204 within")
        assert [callback.type for callback in heard] == ["endpoint.test"]

    async def test_a_new_secret_is_shown_once_and_a_form_makes_one(
        self, ops: Browser, endpoint: str, admin: Caller, port: int
    ) -> None:
        """A second one would end the secret that the agent has."""
        _, page = await ops.get(f"{LIST}/{endpoint}")
        form = form_of(page, f"{LIST}/{endpoint}/rotate")
        answers = await asyncio.gather(*(ops.post(f"{LIST}/{endpoint}/rotate", form) for _ in range(5)))
        assert sorted(response.status for response, _ in answers) == [200, 409, 409, 409, 409]
        shown = [secret for _, page in answers for secret in SECRET.findall(page)]
        assert len(shown) == 1
        async with listening(port, shown[0]):
            assert (await admin.call("POST", f"/v1/endpoints/{endpoint}/test")).ok()["delivered"]
        _, page = await ops.get(f"{LIST}/{endpoint}")
        assert "signs too until" in page
        assert "whsec_" not in page

    async def test_it_is_disabled_with_a_reason_and_enabled(self, ops: Browser, endpoint: str, admin: Caller) -> None:
        status, page = await press(ops, endpoint, "disable", why="moving <b>house</b>")
        assert status == 200
        assert "moving &lt;b&gt;house&lt;/b&gt;" in page
        assert 'action="' + f"{LIST}/{endpoint}/disable" not in page
        (found,) = await known(admin)
        assert found["state"] == "disabled"
        assert "mira@example.com" in found["disabled_why"]
        _, page = await ops.get(LIST)
        assert "Disabled" in page
        await press(ops, endpoint, "enable")
        assert (await known(admin))[0]["state"] == "enabled"

    async def test_dead_letters_are_listed_and_sent_again(
        self, ops: Browser, endpoint: str, service: Live, admin: Caller, port: int
    ) -> None:
        _, page = await press(ops, endpoint, "rotate")
        (secret,) = SECRET.findall(page)
        await press(ops, endpoint, "disable")
        asked = [await service.agent.ask() for _ in range(3)]
        for each in asked:
            (await service.person.approve(each)).ok()

        async def dead() -> bool:
            return bool((await known(admin))[0]["dead"] == 3)

        await until(dead, what="three dead letters")
        _, page = await ops.get(LIST)
        assert f'<a href="/endpoints/{endpoint}#dead">3</a>' in page
        _, page = await ops.get(f"{LIST}/{endpoint}")
        assert all(f"/handoffs/{each['id']}" in page for each in asked)
        assert "the endpoint is disabled" in page
        deliveries = re.findall(r'name="delivery" value="([^"]+)"', page)
        assert len(deliveries) == 3

        await press(ops, endpoint, "enable")
        async with listening(port, secret) as heard:
            _, page = await press(ops, endpoint, "replay", delivery=deliveries[0])
            assert said(page) == "It is sent again now."

            async def delivered(count: int) -> bool:
                found = (await known(admin))[0]
                return bool(found["delivered"] == len(heard) == count)

            await until(lambda: delivered(1))
            _, page = await press(ops, endpoint, "replay", delivery=deliveries[0])
            assert "no dead letter any more" in said(page)
            _, page = await press(ops, endpoint, "replay", delivery="")
            assert said(page) == "2 are sent again now."
            await until(lambda: delivered(3))
        _, page = await press(ops, endpoint, "replay", delivery="")
        assert said(page) == "There was nothing to send again."
        assert "There are none." in page

    async def test_it_is_removed(self, ops: Browser, endpoint: str, admin: Caller) -> None:
        _, page = await ops.get(f"{LIST}/{endpoint}")
        form = form_of(page, f"{LIST}/{endpoint}/remove")
        response, _ = await ops.post(f"{LIST}/{endpoint}/remove", form)
        assert (response.status, response.headers["Location"]) == (303, LIST)
        assert await known(admin) == []
        for action in PRESSES:
            response, page = await ops.post(
                f"{LIST}/{endpoint}/{action}", {**form, "once": f"new {action}", "delivery": ""}
            )
            assert response.status == 404
            assert "whsec_" not in page

    async def test_there_is_no_other_press(self, ops: Browser, endpoint: str) -> None:
        status, _ = await press(ops, endpoint, "explode")
        assert status == 404
