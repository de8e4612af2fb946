"""The handlers for aiohttp, Starlette, FastAPI and Flask, each on its real framework over real HTTP."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import aiohttp
import flask
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from multidict import CIMultiDict
from starlette.applications import Starlette
from starlette.routing import Route
from yarl import URL

import andon.callbacks.aiohttp
import andon.callbacks.flask
import andon.callbacks.starlette
from andon import Approved, NotConfigured
from andon.callbacks import Callback, SeenInMemory
from tests.fakes.callbacks import OTHER, SECRET, body, signed
from tests.fakes.frameworks import serving_aiohttp, serving_asgi, serving_wsgi
from tests.servers import until

BODY: Final = body()
Handler = Callable[[Callback], Awaitable[None]]


@asynccontextmanager
async def on_aiohttp(handler: Handler, **options: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/andon", andon.callbacks.aiohttp.receiver(handler, **options))
    async with serving_aiohttp(app) as url:
        yield f"{url}/andon"


@asynccontextmanager
async def on_starlette(handler: Handler, **options: Any) -> AsyncIterator[str]:
    receive = andon.callbacks.starlette.receiver(handler, **options)
    async with serving_asgi(Starlette(routes=[Route("/andon", receive, methods=["POST"])])) as url:
        yield f"{url}/andon"


@asynccontextmanager
async def on_fastapi(handler: Handler, **options: Any) -> AsyncIterator[str]:
    app = FastAPI()
    app.post("/andon")(andon.callbacks.starlette.receiver(handler, **options))
    async with serving_asgi(app) as url:
        yield f"{url}/andon"


@asynccontextmanager
async def on_flask(handler: Handler, **options: Any) -> AsyncIterator[str]:
    app = flask.Flask(__name__)
    app.post("/andon")(andon.callbacks.flask.receiver(handler, **options))
    async with serving_wsgi(app) as url:
        yield f"{url}/andon"


@dataclass
class Told:
    """What a handler was told, and what it does."""

    callbacks: list[Callback] = field(default_factory=list)
    wants: list[BaseException | None] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.held.set()

    async def __call__(self, callback: Callback) -> None:
        self.begun.set()
        await asyncio.to_thread(self.held.wait, 10)
        error = self.wants.pop(0) if self.wants else None
        if error:
            raise error
        self.callbacks.append(callback)

    @property
    def ids(self) -> list[str]:
        return [callback.id for callback in self.callbacks]


@dataclass
class Receiver:
    """One framework's server with the handler."""

    url: str
    told: Told
    http: aiohttp.ClientSession

    async def send(self, content: Any = BODY, headers: dict[str, str] | None = None, **signing: Any) -> tuple[int, str]:
        given = signed(BODY, **signing) if headers is None else headers
        async with self.http.post(self.url, data=content, headers=given) as answer:
            return answer.status, await answer.text()


FRAMEWORKS: Final = {"aiohttp": on_aiohttp, "starlette": on_starlette, "fastapi": on_fastapi, "flask": on_flask}


@pytest.fixture(params=FRAMEWORKS)
async def receiver(request: pytest.FixtureRequest) -> AsyncIterator[Receiver]:
    told = Told()
    async with FRAMEWORKS[request.param](told, secret=SECRET) as url, aiohttp.ClientSession() as http:
        yield Receiver(url, told, http)


async def test_a_callback_is_handed_over_once(receiver: Receiver) -> None:
    assert await receiver.send() == (204, "")
    assert await receiver.send() == (200, "")
    assert await receiver.send(id="cb_2") == (204, "")
    assert receiver.told.ids == ["cb_1", "cb_2"]
    assert isinstance(receiver.told.callbacks[0].decision, Approved)


async def test_whatever_is_not_the_services_is_refused_without_a_reason(receiver: Receiver) -> None:
    good = signed(BODY)
    for content, headers in (
        (BODY, {}),
        (BODY, signed(BODY, secret=OTHER)),
        (BODY, signed(BODY, at=1_700_000_000)),
        (BODY + b" ", good),
        (b"", good),
        (b"\xff", good),
        (BODY, {**good, "webhook-id": "cb_2"}),
        (BODY, {**good, "webhook-signature": "v1,\u00e4"}),
        (b"{}", signed(b"{}")),
        (b"[" * 60_000, signed(b"[" * 60_000)),
    ):
        assert await receiver.send(content, headers) == (401, "")
    assert receiver.told.callbacks == []
    assert await receiver.send() == (204, "")


async def test_repeated_headers_are_refused(receiver: Receiver) -> None:
    for name, value in signed(BODY).items():
        headers: Any = CIMultiDict([*signed(BODY).items(), (name, value)])
        assert await receiver.send(BODY, headers) == (401, "")
    assert receiver.told.callbacks == []


async def in_parts(content: bytes, size: int = 8_192) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def test_a_large_body_is_not_read_to_its_end(receiver: Receiver) -> None:
    large = b" " * (64 * 1024 + 1)
    assert await receiver.send(large, signed(large)) == (413, "")
    assert await receiver.send(b" " * 64 * 1024, signed(BODY)) == (401, "")
    assert receiver.told.callbacks == []


async def test_a_body_in_parts_is_read_whole_and_a_large_one_refused(receiver: Receiver) -> None:
    assert await receiver.send(in_parts(BODY, 7), signed(BODY)) == (204, "")
    large = b" " * 2_000_000
    status, said = await receiver.send(in_parts(large), signed(large, id="cb_2"))
    assert (status, said) == (413, "")


async def test_what_the_handler_raised_comes_again(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.told.wants = [ValueError("the database is away"), OSError("still")]
    assert await receiver.send() == (500, "")
    assert await receiver.send() == (500, "")
    assert await receiver.send() == (204, "")
    assert await receiver.send() == (200, "")
    assert receiver.told.ids == ["cb_1"]
    failed = [record for record in caplog.records if record.getMessage().startswith("callback.failed")]
    assert [record.getMessage() for record in failed] == ["callback.failed id=cb_1 type=handoff.decided"] * 2
    assert all(record.name == "andon" and record.exc_info for record in failed)


async def test_two_at_once_do_not_both_run(receiver: Receiver) -> None:
    """The one that is told to come again has not been told that it was handled."""
    receiver.told.held.clear()
    first = asyncio.create_task(receiver.send())
    await asyncio.to_thread(receiver.told.begun.wait, 10)
    async with receiver.http.post(receiver.url, data=BODY, headers=signed(BODY)) as second:
        assert (second.status, second.headers["Retry-After"]) == (503, "5")
    receiver.told.held.set()
    assert await first == (204, "")
    assert await receiver.send() == (200, "")
    assert receiver.told.ids == ["cb_1"]


async def test_a_get_is_none_of_its(receiver: Receiver) -> None:
    async with receiver.http.get(receiver.url, headers=signed(BODY)) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    "make", [andon.callbacks.aiohttp.receiver, andon.callbacks.starlette.receiver, andon.callbacks.flask.receiver]
)
def test_without_a_secret_it_does_not_begin(make: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDON_CALLBACK_SECRET", raising=False)
    with pytest.raises(NotConfigured):
        make(Told())
    monkeypatch.setenv("ANDON_CALLBACK_SECRET", SECRET)
    assert make(Told())


@pytest.mark.parametrize("serve", FRAMEWORKS.values(), ids=FRAMEWORKS)
async def test_a_store_that_is_away_is_no_reason_to_lose_one(serve: Any) -> None:
    class Away(SeenInMemory):
        away = True

        async def first(self, id: str, life: timedelta) -> bool:
            if self.away:
                raise ConnectionError
            return await super().first(id, life)

    seen, told = Away(), Told()
    async with serve(told, secret=SECRET, seen=seen) as url, aiohttp.ClientSession() as http:
        receiver = Receiver(url, told, http)
        assert await receiver.send() == (500, "")
        assert told.callbacks == []
        seen.away = False
        assert await receiver.send() == (204, "")


async def test_a_body_that_a_middleware_has_read_is_there_all_the_same() -> None:
    @web.middleware
    async def reads(request: web.Request, handler: Any) -> Any:
        assert json.loads(await request.read())
        return await handler(request)

    told = Told()
    app = web.Application(middlewares=[reads])
    app.router.add_post("/", andon.callbacks.aiohttp.receiver(told, secret=SECRET))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        assert await Receiver(str(server.make_url("/")), told, http).send() == (204, "")


@pytest.mark.parametrize("serve", FRAMEWORKS.values(), ids=FRAMEWORKS)
async def test_a_request_that_breaks_off_is_forgotten(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    async with serve(told, secret=SECRET) as url, aiohttp.ClientSession() as http:
        where = URL(url)
        for part in (b"Content-Length: 500\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"):
            _, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(b"POST /andon HTTP/1.1\r\nHost: x\r\n" + part)
            await writer.drain()
            await asyncio.sleep(0)
            writer.close()
            await writer.wait_closed()
        assert await Receiver(url, told, http).send() == (204, "")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert told.ids == ["cb_1"]


class TestFlask:
    """A framework without an event loop of its own."""

    def app(self, handler: Any, **options: Any) -> flask.Flask:
        app = flask.Flask(__name__)
        app.post("/andon")(andon.callbacks.flask.receiver(handler, secret=SECRET, **options))
        return app

    def test_its_test_client(self) -> None:
        told = Told()
        client = self.app(told).test_client()
        for status in (204, 200):
            answer = client.post("/andon", data=BODY, headers=signed(BODY))
            assert (answer.status_code, answer.data) == (status, b"")
        assert told.ids == ["cb_1"]

    async def test_its_test_client_inside_of_a_running_loop(self) -> None:
        told = Told()
        answer = self.app(told).test_client().post("/andon", data=BODY, headers=signed(BODY))
        assert (answer.status_code, told.ids) == (204, ["cb_1"])

    def test_a_plain_function_with_the_request_and_loops_of_its_own(self) -> None:
        told: list[str] = []

        async def note(callback: Callback) -> None:
            told.append(f"{callback.id} at {flask.request.path} of {flask.current_app.name}")

        def handler(callback: Callback) -> None:
            asyncio.run(note(callback))

        answer = self.app(handler).test_client().post("/andon", data=BODY, headers=signed(BODY))
        assert (answer.status_code, told) == (204, [f"cb_1 at /andon of {__name__}"])

    def test_a_plain_function_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        def handler(callback: Callback) -> None:
            raise ValueError(callback.id)

        answer = self.app(handler).test_client().post("/andon", data=BODY, headers=signed(BODY))
        assert (answer.status_code, answer.data) == (500, b"")
        assert "callback.failed id=cb_1" in caplog.text

    def test_no_loop_is_left(self) -> None:
        def loops() -> int:
            gc.collect()
            return sum(
                isinstance(each, asyncio.AbstractEventLoop) and not each.is_closed() for each in gc.get_objects()
            )

        client, before = self.app(Told()).test_client(), loops()
        for number in range(5):
            client.post("/andon", data=BODY, headers=signed(BODY, id=f"cb_{number}"))
        assert loops() == before
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()

    async def test_threads_at_once(self) -> None:
        told = Told()
        async with on_flask(told, secret=SECRET) as url, aiohttp.ClientSession() as http:
            receiver = Receiver(url, told, http)
            answers = await asyncio.gather(*(receiver.send(id=f"cb_{n % 10}") for n in range(50)))
            assert sorted(set(told.ids)) == sorted(told.ids) == sorted(f"cb_{n}" for n in range(10))
            assert {status for status, _ in answers} <= {204, 200, 503}

            async def all_known() -> bool:
                return {await receiver.send(id=f"cb_{n}") for n in range(10)} == {(200, "")}

            await until(all_known)
