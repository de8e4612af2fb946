"""What Slack sends, taken in: signed requests at `/slack/events`, or envelopes over Socket Mode, both through Bolt.

Each is verified first, worked on at once, and acknowledged when that is done; when it takes longer than Slack waits, it
is acknowledged all the same, and the work goes on. An event is not acknowledged before the store knows of it: Slack
sends it again. What comes twice is done once.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from adapters.slack.config import SlackConfig
from adapters.slack.installs import Installs
from adapters.slack.requests import is_signed, readable
from bot.errors import BadRequest, BotError, StoreUnavailable
from bot.ports import Shelf

log = logging.getLogger("andon.slack")

Payload = Mapping[str, Any]
Reply = Mapping[str, Any] | None
"""What goes back in the acknowledgement; None for nothing."""

ACK_S: Final = 2.0
"""Slack waits 3 s. Source: https://docs.slack.dev/interactivity/handling-user-interaction, read 2026-11."""
SEEN: Final = timedelta(hours=24)
_APART_S: Final = 0.5
"""Lets the acknowledgement that says to wait reach Slack before what came of it, which takes another way."""
_STOP_S: Final = 10.0
_BODY_BYTES: Final = 1024 * 1024
_PERSONAL: Final = "interaction:"
_DOING: Final = timedelta(seconds=50)
"""How long whoever began with an event may still be at it. Slack's second retry comes after a minute."""
_REST_S: Final = (1.0, 5.0, 15.0, 60.0)


class Inbox(Protocol):
    """Who works on what Slack sends. Each takes the payload as Slack has it."""

    async def pressed(self, payload: Payload) -> None:
        """Something on a card, in a modal or on the Home tab was pressed or picked."""
        ...

    async def submitted(self, payload: Payload) -> Reply:
        """A modal was submitted; what comes back closes it, changes it, or names faults beside its fields."""
        ...

    async def still_working(self, payload: Payload) -> Reply:
        """What a modal shows while its submission takes longer than Slack waits."""
        ...

    async def caught_up(self, payload: Payload, reply: Reply) -> None:
        """The submission is done after all: show it in the modal that still waits."""
        ...

    async def searched(self, payload: Payload) -> Reply:
        """Candidates that fit what was typed."""
        ...

    async def command(self, payload: Payload) -> None:
        """`/andon` was typed."""
        ...

    async def shortcut(self, payload: Payload) -> None:
        """A message shortcut was picked."""
        ...

    async def happened(self, payload: Payload) -> None:
        """An event of the Events API."""
        ...

    async def untaken(self, payload: Payload) -> None:
        """The store is away, so nobody has looked at an event; Slack sends it again."""
        ...


class _Authorize(AsyncAuthorize):
    """Bolt wants to know the bot of each request; we know it without asking Slack each time."""

    def __init__(self, installs: Installs) -> None:
        self._installs = installs

    async def __call__(  # Bolt's names, and more of them than are needed
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None, **_: Any
    ) -> AuthorizeResult | None:
        return await self._installs.authorize(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)


class Inbound:
    """Bolt's app, its routes and its socket."""

    def __init__(self, config: SlackConfig, installs: Installs, shelf: Shelf, inbox: Inbox) -> None:
        """Register every listener; nothing comes in before `open`."""
        self._config = config
        self._shelf = shelf
        self._inbox = inbox
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._socket: AsyncSocketModeHandler | None = None
        oauth = installs.oauth()
        self.app = AsyncApp(
            name="andon",
            logger=_quiet(logging.getLogger("andon.slack.bolt")),
            client=installs.client(),
            signing_secret=config.signing_secret,
            authorize=_Authorize(installs),  # type: ignore[arg-type]  # it takes an `AsyncAuthorize` too, and does not say so
            oauth_settings=oauth,
            request_verification_enabled=False,  # `_receive` has done it, on the raw bytes
            process_before_response=True,  # each listener acknowledges itself, in time
        )
        self._listen(self.app)

    def _listen(self, app: AsyncApp) -> None:
        ours = re.compile(r".*", re.DOTALL)
        app.action(ours)(self._on(self._inbox.pressed, _interaction))
        app.view(ours)(self._submitted)
        app.view_closed(ours)(_ignored)
        app.options(ours)(self._searched)
        app.command("/andon")(self._on(self._inbox.command, _interaction))
        app.shortcut("ask_agent")(self._on(self._inbox.shortcut, _interaction))
        happened = self._on(self._inbox.happened, _event)
        app.event("app_mention")(happened)
        app.event("message")(happened)
        app.event("app_home_opened")(happened)
        app.event("reaction_added")(happened)
        app.event("subteam_members_changed")(happened)
        app.event("user_change")(happened)
        app.event("app_uninstalled")(happened)
        app.event("tokens_revoked")(happened)

    # --- HTTP ---

    def routes(self) -> Sequence[web.RouteDef]:
        """The addresses that Slack, and people who install the app, come to."""
        found = []
        if self._config.signing_secret:
            found.append(web.post("/slack/events", self._receive))
        if self.app.oauth_flow:
            found += [web.get("/slack/install", self._install), web.get("/slack/oauth_redirect", self._installed)]
        return found

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        if (request.content_length or 0) > _BODY_BYTES:
            return web.Response(status=413)
        body = await request.read()
        if not is_signed(body, request.headers, secret=self._config.signing_secret, now=time.time()):
            return web.Response(status=401, text="the signature is missing, wrong or too old")
        try:
            asked = readable(body.decode(), query=request.query_string, headers=request.headers)
        except (UnicodeDecodeError, BadRequest):
            return web.Response(status=400, text="the body is nothing that Slack sends")
        return await to_aiohttp_response(await self.app.async_dispatch(asked))

    async def _install(self, request: web.Request) -> web.StreamResponse:
        assert self.app.oauth_flow  # noqa: S101  # else there is no such route
        return await to_aiohttp_response(await self.app.oauth_flow.handle_installation(await to_bolt_request(request)))

    async def _installed(self, request: web.Request) -> web.StreamResponse:
        assert self.app.oauth_flow  # noqa: S101  # likewise
        return await to_aiohttp_response(await self.app.oauth_flow.handle_callback(await to_bolt_request(request)))

    # --- Socket Mode ---

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take things in until the end of the block; then finish what is under way."""
        connecting: asyncio.Task[None] | None = None
        socket: AsyncSocketModeHandler | None = None
        if self._config.app_token:
            socket = self._socket = AsyncSocketModeHandler(self.app, self._config.app_token)
            connecting = asyncio.create_task(self._connect(socket), name="slack socket")
        try:
            yield
        finally:
            self._closing = True
            if connecting:
                connecting.cancel()
                await asyncio.gather(connecting, return_exceptions=True)
            if socket:
                with contextlib.suppress(Exception):  # whatever it is, the line is being closed
                    await socket.close_async()  # type: ignore[no-untyped-call]  # Bolt's own gap
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=_STOP_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def trouble(self) -> str:
        """Why nothing comes in; empty: it does, or Slack calls us."""
        if not self._config.app_token or (self._socket and await self._socket.client.is_connected()):
            return ""
        return "its socket is not connected"

    async def _connect(self, socket: AsyncSocketModeHandler) -> None:
        """Connect, as often as it takes; from then on Bolt's client sees to it."""
        tries = 0
        while True:
            try:
                await socket.connect_async()  # type: ignore[no-untyped-call]  # Bolt's own gap
            except Exception as error:  # noqa: BLE001  # its client raises whatever it meets
                rest_s = _REST_S[min(tries, len(_REST_S) - 1)]
                log.warning("slack.socket_waits seconds=%.0f detail=%s: %s", rest_s, type(error).__name__, error)
                tries += 1
                await asyncio.sleep(rest_s)
            else:
                log.info("slack.socket_open")
                return

    # --- work ---

    def _on(
        self, work: Callable[[Payload], Awaitable[None]], name: Callable[[Payload], str]
    ) -> Callable[[AsyncAck, dict[str, Any]], Awaitable[None]]:
        """A listener: the work is done once, and acknowledged when it is done or when Slack would stop waiting."""

        async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
            begun = asyncio.Event()
            doing = self._spawn(self._once(name(body), work, body, begun))
            await asyncio.wait({doing}, timeout=ACK_S)
            fault = doing.exception() if doing.done() else None
            if isinstance(fault, BadRequest):
                ack.response = BoltResponse(status=400)  # nothing would be better the next time
            elif fault:
                raise fault  # answered with 500: Slack sends an event again
            elif not (doing.result() if doing.done() else begun.is_set()):
                ack.response = BoltResponse(status=503)  # Slack sends it again
            else:
                await ack()

        return listener

    async def _once(
        self, name: str, work: Callable[[Payload], Awaitable[None]], body: Payload, begun: asyncio.Event
    ) -> bool:
        """Do it unless it is done; False when somebody else is at it, who may not live to finish it.

        It has `begun` as soon as the store knows of it, or at once where Slack would not send it again.
        """
        if not name or name.startswith(_PERSONAL):
            begun.set()
        try:
            return await self._do(name, work, body, begun)
        except StoreUnavailable:
            if name and not name.startswith(_PERSONAL):
                _ = self._spawn(self._inbox.untaken(body))
            raise

    async def _do(
        self, name: str, work: Callable[[Payload], Awaitable[None]], body: Payload, begun: asyncio.Event
    ) -> bool:
        is_personal = name.startswith(_PERSONAL)  # sent once: who pressed in vain presses again
        try:
            if name and not is_personal and await self._shelf.load(f"done:{name}") is not None:
                return True
            if name and not await self._shelf.once(name, SEEN if is_personal else _DOING):
                return is_personal
        except StoreUnavailable:
            if not is_personal:
                raise  # Slack sends the event again
            # Whoever pressed hears from `work` that the store is away; were it not, their answer would count once.
        begun.set()
        try:
            await work(body)
        except BaseException:
            if name:
                with contextlib.suppress(BotError):
                    await self._shelf.forget(name)
            raise
        if name and not is_personal:
            with contextlib.suppress(StoreUnavailable):  # then it is done again, by work that bears it
                await self._shelf.save(f"done:{name}", "", SEEN)
        return True

    async def _submitted(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        doing = self._spawn(self._inbox.submitted(body))
        await asyncio.wait({doing}, timeout=ACK_S)
        if doing.done():
            if isinstance(doing.exception(), BadRequest):
                ack.response = BoltResponse(status=400)
            else:
                await _acknowledge(ack, doing.result())
            return
        await _acknowledge(ack, await self._inbox.still_working(body))
        _ = self._spawn(self._catch_up(body, doing))

    async def _catch_up(self, body: Payload, doing: "asyncio.Task[Reply]") -> None:
        reply = await doing
        await asyncio.sleep(_APART_S)
        await self._inbox.caught_up(body, reply)

    async def _searched(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await _acknowledge(ack, await self._inbox.searched(body))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work, name="slack work")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BadRequest):
            log.warning("slack.refused detail=%s", error)
        elif error:
            log.error("slack.failed error=%s detail=%s", type(error).__name__, error, exc_info=error)


def _quiet(logger: logging.Logger) -> logging.Logger:
    """Without what Bolt says of settings that it finds in the environment and that we give it in another way."""
    logger.addFilter(lambda record: "token will be unused" not in record.getMessage())
    return logger


async def _ignored(ack: AsyncAck) -> None:
    await ack()


async def _acknowledge(ack: AsyncAck, reply: Reply) -> None:
    await ack(**reply) if reply else await ack()


def _event(body: Payload) -> str:
    """What is told once. A mention comes twice, as a message and as a mention: each is its own kind of thing."""
    return f"event:{body['event_id']}" if body.get("event_id") else ""


def _interaction(body: Payload) -> str:
    """A trigger's id is new for every press and every command."""
    return f"{_PERSONAL}{body['trigger_id']}" if body.get("trigger_id") else ""
