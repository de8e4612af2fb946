"""What Teams sends, taken in at `/api/messages`: verified first, read, remembered where it came from, then worked on.

An event is not acknowledged before the store knows of it: Teams sends it again. What comes twice is done once. A press
is answered within the seconds that Teams waits, if need be by saying that it takes longer, and the work goes on.

Of the Bot Framework only the turn is used. Its `CloudAdapterBase` wants clients for its connector and for its users'
tokens, which this surface has not; its checks of tokens, and its clients, block the loop.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, Protocol

from aiohttp import web
from botbuilder.core import ActivityHandler, BotAdapter, InvokeResponse, TurnContext
from botbuilder.schema import Activity, ActivityTypes, ConversationReference, ResourceResponse

from adapters.teams.config import TeamsConfig
from adapters.teams.requests import readable
from adapters.teams.tokens import Verifier
from bot.errors import BadRequest, BotError, StoreUnavailable, SurfaceDown, Unauthenticated
from bot.ports import Shelf

log = logging.getLogger("andon.teams")

Payload = Mapping[str, Any]
Reply = Mapping[str, Any] | None
"""The body of the answer to an invoke; None for an empty one."""

ACK_S: Final = 2.5
"""No number of Teams' is documented for presses; messages of an extension have 5 s, and people see an error sooner."""
SEEN: Final = timedelta(hours=24)
_DOING: Final = timedelta(seconds=30)
"""How long whoever began with an event may still be at it."""
_STOP_S: Final = 10.0
_BODY_BYTES: Final = 512 * 1024
_NOT_HERE: Final = "a turn only answers the invoke that it is about; the connector sends, changes and deletes"
_SENT: Final = "andon.sent"


class Inbox(Protocol):
    """Who works on what Teams sends. Each takes the activity as Teams has it, verified and of a known shape."""

    async def pressed(self, activity: Payload) -> Reply:
        """`adaptiveCard/action`: a press on a card, or (`value.trigger` is automatic) the card asks to be refreshed."""
        ...

    async def opened(self, activity: Payload) -> Reply:
        """`task/fetch`: a dialog is opened."""
        ...

    async def submitted(self, activity: Payload) -> Reply:
        """`task/submit`: a dialog is submitted."""
        ...

    async def asked(self, activity: Payload) -> Reply:
        """`composeExtension/fetchTask`: the app's action of a message was picked."""
        ...

    async def ask_submitted(self, activity: Payload) -> Reply:
        """`composeExtension/submitAction`: its dialog was submitted."""
        ...

    async def searched(self, activity: Payload) -> Reply:
        """`application/search`: somebody types into a menu whose entries are asked for."""
        ...

    async def still_working(self, activity: Payload) -> Reply:
        """What to answer when one of these takes longer than Teams waits."""
        ...

    async def caught_up(self, activity: Payload, reply: Reply) -> None:
        """It is done after all: this would have been the answer."""
        ...

    async def said(self, activity: Payload) -> None:
        """Somebody wrote something."""
        ...

    async def reacted(self, activity: Payload) -> None:
        """Somebody put a reaction on a message of the bot, or took it away."""
        ...

    async def happened(self, activity: Payload) -> None:
        """`conversationUpdate` or `installationUpdate`: people, channels or the app came or went."""
        ...

    async def untaken(self, activity: Payload) -> None:
        """The store is away, so nobody has looked at what was said or reacted; Teams may send it again."""
        ...


class Inbound:
    """The route, and what happens behind it."""

    def __init__(
        self,
        config: TeamsConfig,
        verifier: Verifier,
        shelf: Shelf,
        inbox: Inbox,
        *,
        heard: Sequence[Callable[[Payload], Awaitable[None]]] = (),
    ) -> None:
        """Let `heard` know of every verified activity before the inbox does, in this order."""
        self._config = config
        self._verifier = verifier
        self._shelf = shelf
        self._inbox = inbox
        self._heard = tuple(heard)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._adapter = _Adapter()
        self._handler = _Handler(self)

    def routes(self) -> Sequence[web.RouteDef]:
        """The messaging endpoint of the bot's registration."""
        return [web.post("/api/messages", self._receive)]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take things in until the end of the block; then finish what is under way."""
        try:
            yield
        finally:
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=_STOP_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _receive(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.Response(status=HTTPStatus.BAD_REQUEST, text="activities are JSON")
        if (request.content_length or 0) > _BODY_BYTES:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            claims = await self._verifier.verify(request.headers.get("Authorization"))
            sent, activity = readable(await request.read())
            self._verifier.bind(claims, sent)
            return await self._adapter.take(sent, activity, self._handler)
        except Unauthenticated as error:
            return web.Response(status=HTTPStatus.UNAUTHORIZED, text=str(error))
        except BadRequest as error:
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=str(error))
        except (StoreUnavailable, SurfaceDown) as error:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text=str(error))

    # --- events ---

    async def event(self, sent: Payload, work: Callable[[Payload], Awaitable[None]]) -> None:
        """Do it once; return when it is done, or when it is under way and Teams would stop waiting.

        Raises:
            StoreUnavailable: It was not begun, or may not have been; Teams sends it again.
        """
        begun = asyncio.Event()
        doing = self._spawn(self._once(_name(sent), work, sent, begun))
        await asyncio.wait({doing}, timeout=ACK_S)
        is_done = doing.result() if doing.done() else begun.is_set()
        if not is_done:
            raise StoreUnavailable("somebody else is at it, or it was not begun; send it again")

    async def _once(
        self, name: str, work: Callable[[Payload], Awaitable[None]], sent: Payload, begun: asyncio.Event
    ) -> bool:
        """Do it unless it is done; False when somebody else is at it, who may not live to finish it."""
        try:
            if await self._shelf.load(f"done:{name}") is not None:
                return True
            if not await self._shelf.once(name, _DOING):
                return False
            begun.set()
            try:
                for each in self._heard:
                    await each(sent)
                await work(sent)
            except BaseException:
                with contextlib.suppress(BotError):
                    await self._shelf.forget(name)
                raise
        except StoreUnavailable:
            if sent["type"] in {ActivityTypes.message, ActivityTypes.message_reaction}:
                _ = self._spawn(self._inbox.untaken(sent))
            raise
        with contextlib.suppress(StoreUnavailable):  # then it is done again, by work that bears it
            await self._shelf.save(f"done:{name}", "", SEEN)
        return True

    # --- invokes ---

    async def invoke(self, sent: Payload, work: Callable[[Payload], Coroutine[Any, Any, Reply]]) -> Reply:
        """Do it each time that it comes, and answer in time; whoever works on it knows a repetition by its id."""
        _ = self._spawn(self._tell_heard(sent))  # beside the work: whoever pressed waits for nothing else
        doing: asyncio.Task[Reply] = self._spawn(work(sent))
        await asyncio.wait({doing}, timeout=ACK_S)
        if doing.done():
            return doing.result()
        reply = await self._inbox.still_working(sent)
        _ = self._spawn(self._catch_up(sent, doing))
        return reply

    async def _tell_heard(self, sent: Payload) -> None:
        for each in self._heard:
            try:
                await each(sent)
            except StoreUnavailable as error:
                log.warning("teams.unheard id=%s detail=%s", sent.get("id"), error)

    async def _catch_up(self, sent: Payload, doing: "asyncio.Task[Reply]") -> None:
        await self._inbox.caught_up(sent, await doing)

    @property
    def inbox(self) -> Inbox:
        """Who works on it."""
        return self._inbox

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work, name="teams work")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BadRequest | StoreUnavailable):
            log.warning("teams.refused detail=%s", error)
        elif error:
            log.error("teams.failed error=%s detail=%s", type(error).__name__, error, exc_info=error)


class _Adapter(BotAdapter):  # type: ignore[misc]  # the package has no types
    """Runs turns. What a turn answers is kept for the reply; the connector sends everything else, and not from here."""

    async def take(self, sent: Payload, activity: Activity, handler: ActivityHandler) -> web.Response:
        """One turn, and the reply to it."""
        turn = TurnContext(self, activity)
        turn.turn_state[_SENT] = sent
        await self.run_pipeline(turn, handler.on_turn)
        if activity.type != ActivityTypes.invoke:
            return web.Response()
        answer = turn.turn_state.get(self._INVOKE_RESPONSE_KEY)
        reply: InvokeResponse = answer.value if answer else InvokeResponse(status=HTTPStatus.NOT_IMPLEMENTED)
        if reply.body is None:
            return web.Response(status=int(reply.status))
        return web.json_response(reply.body, status=int(reply.status))

    async def send_activities(self, context: TurnContext, activities: list[Activity]) -> list[ResourceResponse]:
        for each in activities:
            if each.type != ActivityTypes.invoke_response:
                raise RuntimeError(_NOT_HERE)
            context.turn_state[self._INVOKE_RESPONSE_KEY] = each
        return [ResourceResponse(id="") for _ in activities]

    async def update_activity(self, context: TurnContext, activity: Activity) -> None:  # noqa: ARG002  # its signature
        raise RuntimeError(_NOT_HERE)

    async def delete_activity(self, context: TurnContext, reference: ConversationReference) -> None:  # noqa: ARG002
        raise RuntimeError(_NOT_HERE)


class _Handler(ActivityHandler):  # type: ignore[misc]  # the package has no types
    """Knows an activity by its type, and an invoke by its name."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        await self._inbound.event(turn_context.turn_state[_SENT], self._inbound.inbox.said)

    async def on_message_reaction_activity(self, turn_context: TurnContext) -> None:
        await self._inbound.event(turn_context.turn_state[_SENT], self._inbound.inbox.reacted)

    async def on_conversation_update_activity(self, turn_context: TurnContext) -> None:
        await self._inbound.event(turn_context.turn_state[_SENT], self._inbound.inbox.happened)

    async def on_installation_update(self, turn_context: TurnContext) -> None:
        await self._inbound.event(turn_context.turn_state[_SENT], self._inbound.inbox.happened)

    async def on_invoke_activity(self, turn_context: TurnContext) -> InvokeResponse:
        sent, inbox = turn_context.turn_state[_SENT], self._inbound.inbox
        known = {
            "adaptiveCard/action": inbox.pressed,
            "application/search": inbox.searched,
            "task/fetch": inbox.opened,
            "task/submit": inbox.submitted,
            "composeExtension/fetchTask": inbox.asked,
            "composeExtension/submitAction": inbox.ask_submitted,
        }
        work = known.get(sent["name"])
        if work is None:
            return InvokeResponse(status=HTTPStatus.NOT_IMPLEMENTED)
        reply = await self._inbound.invoke(sent, work)
        return InvokeResponse(status=HTTPStatus.OK, body=dict(reply) if reply is not None else None)


def _name(sent: Payload) -> str:
    """What is told once; without an id, all of it."""
    told = sent.get("id") or sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
    return f"event:{sent['type']}:{sent['conversation']['id']}:{told}"
