"""A small app for trying the fake: it answers as a test tells it to, and checks signatures on its own account."""

import hashlib
import hmac
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
Answer = Callable[[Json], Any]


class ScriptedApp:
    """An app over HTTP. `answers` says what each payload is answered with, by its type, event type or command."""

    def __init__(self, cloud: SlackCloud) -> None:
        self.answers: dict[str, Answer] = {}
        """Each may be a plain function or a coroutine; its result is the ack's body, a Response as it is."""
        self.heard: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self._cloud = cloud

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedApp"]:
        """Listen, and let the fake know where."""
        app = web.Application()
        app.router.add_post("/slack/events", self._hear)
        async with TestServer(app, host="127.0.0.1") as server:
            self._cloud.app.request_url = f"http://127.0.0.1:{server.port}/slack/events"
            yield self

    def heard_of(self, name: str) -> list[Json]:
        """The payloads of one kind."""
        return [payload for payload in self.heard if _name(payload) == name]

    async def _hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        signed = b"v0:" + request.headers["X-Slack-Request-Timestamp"].encode() + b":" + body
        expected = hmac.new(self._cloud.app.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
        if request.headers["X-Slack-Signature"] != f"v0={expected}":
            return web.Response(status=401)
        payload = _parsed(request.content_type, body)
        self.heard.append(payload)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if payload.get("type") == "url_verification":
            return web.json_response({"challenge": payload["challenge"]})
        answer = self.answers.get(_name(payload))
        said = answer(payload) if answer else None
        if inspect.isawaitable(said):
            said = await said
        if isinstance(said, web.Response):
            return said
        if said is None:
            return web.Response()
        return web.Response(text=said) if isinstance(said, str) else web.json_response(said)


def _parsed(content_type: str, body: bytes) -> Json:
    if content_type == "application/json":
        return dict(json.loads(body))
    form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    return dict(json.loads(form["payload"])) if "payload" in form else dict(form)


def _name(payload: Json) -> str:
    event = payload.get("event") or {}
    return str(event.get("type") or payload.get("command") or payload.get("type"))
