"""The stand-in for Microsoft's cloud: one HTTP server with state and limits, which fails as it is told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.teams import connector, doors, payloads
from tests.fakes.teams.deliveries import Courier, Delivery
from tests.fakes.teams.model import Channel, Conversation, Message, Team
from tests.fakes.teams.people import Person
from tests.fakes.teams.refusals import Refused
from tests.fakes.teams.state import State
from tests.fakes.waiting import seen

Json = dict[str, Any]


@dataclass
class DoorFaults:
    """What is wrong with `metadata`, `keys` and `token`, by these names."""

    modes: dict[str, str] = field(default_factory=dict)
    """`down` (503), `garbage` (HTML), `empty`, `odd` (JSON of strange shapes) or `reset`."""
    slow_s: dict[str, float] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)


class TeamsCloud(State):
    """Teams, as far as the bot can tell. Production code knows its addresses, a tenant, an id and a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.region = "emea"
        self.calls: Counter[str] = Counter()
        """How often each thing was asked for: `keys`, `token`, `send`, `update`, `members`…"""
        self.errors: list[str] = []
        """Every call that was refused, and every activity that the bot did not take."""
        self.deliveries: list[Delivery] = []
        """Every activity that was sent to the bot, in order."""
        self.bearers: dict[str, float] = {}
        """The access tokens that were given out, and until when they are good."""
        self.bearers_made = 0
        self.token_life_s = doors.LIFE_S
        self.secret_expired = False
        self.door_faults = DoorFaults()
        self.is_down = False
        """The connector answers 503 to everything."""
        self.hangs = False
        """The connector answers nothing until this is False again."""
        self.slow_s = 0.0
        """The connector answers after so many seconds."""
        self.resets = 0
        """So many calls are cut off before anything was done."""
        self.loses_replies = 0
        """So many calls that write are carried out, and their connection then breaks."""
        self.disabled_by_admin = False
        self.is_playground = False
        """Single people are found by their id for this bot alone, as in the Microsoft 365 Agents Playground 0.2.28."""
        self.largest_bytes = 0
        """The longest activity that was sent, in UTF-16."""
        self.page_size = 0
        """How many people a page of a roster has at most; 0: as documented."""
        self.refreshes_up_to = 60
        self.invoke_within_s = 10.0
        self.event_within_s = 15.0
        self.retries = True
        """Is what failed sent again?"""
        self.retry_scale = 0.05
        """Multiplies the waits before that."""
        self.courier = Courier(self)
        self.is_closing = False
        self._refusals: list[tuple[str, Refused]] = []

    def _cloud(self) -> "TeamsCloud":
        return self

    # --- addresses ---

    @property
    def service_url(self) -> str:
        """Where activities say that replies go."""
        return f"{self.url}/{self.region}/"

    @property
    def metadata_url(self) -> str:
        """What TEAMS_OPENID_METADATA_URL is set to."""
        return f"{self.url}/v1/.well-known/openidconfiguration"

    @property
    def login_url(self) -> str:
        """What TEAMS_LOGIN_URL is set to."""
        return f"{self.url}/login"

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["TeamsCloud"]:
        """Listen on a port, by default a free one."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as self.courier.http:
                try:
                    yield self
                finally:
                    self.is_closing = True
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._failing], client_max_size=4 * 1024 * 1024)
        conversation = "/{region}/v3/conversations/{conversation}"
        app.add_routes(
            [
                web.get("/v1/.well-known/openidconfiguration", self._door(doors.metadata)),
                web.get("/v1/.well-known/keys", self._door(doors.keys)),
                web.post("/login/{tenant}/oauth2/v2.0/token", self._door(doors.token)),
                web.post("/{region}/v3/conversations", self._call("create", connector.create)),
                web.post(f"{conversation}/activities", self._call("send", connector.send)),
                web.post(f"{conversation}/activities/{{activity}}", self._call("send", connector.send)),
                web.put(f"{conversation}/activities/{{activity}}", self._call("update", connector.update)),
                web.delete(f"{conversation}/activities/{{activity}}", self._call("delete", connector.delete)),
                web.get(f"{conversation}/pagedmembers", self._call("members", connector.members)),
                web.get(f"{conversation}/members/{{member}}", self._call("member", connector.member)),
                web.get("/{region}/v3/teams/{team}", self._call("team", connector.team)),
                web.get("/{region}/v3/teams/{team}/conversations", self._call("channels", connector.channels)),
            ]
        )
        return app

    def _door(
        self, route: Callable[["TeamsCloud", web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def opened(request: web.Request) -> web.StreamResponse:
            return await route(self, request)

        return opened

    def _call(
        self, kind: str, do: Callable[[connector.Call], Json]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answered(request: web.Request) -> web.StreamResponse:
            return await connector.answer(self, request, kind, do)

        return answered

    @web.middleware
    async def _failing(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if "/v3/" not in request.path:
            return await handler(request)
        while self.hangs and not self.is_closing:  # noqa: ASYNC110 - a plain flag is what tests set
            await asyncio.sleep(0.01)
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.resets:
            self.resets -= 1
            if request.transport:
                request.transport.abort()
        if self.is_down:
            self.calls["down"] += 1
            raise web.HTTPServiceUnavailable(text="service unavailable")
        return await handler(request)

    # --- what tests let go wrong ---

    def refuse(self, kind: str, code: str, *, times: int = 1, retry_after_s: int = 0) -> None:
        """Answer the next calls of a kind (`send`, `update`, `create`, `member`…) with an error."""
        self._refusals += [(kind, Refused(code, retry_after_s=retry_after_s))] * times

    def next_refusal(self, kind: str) -> Refused | None:
        """What the next call of this kind is answered with, if anything."""
        for number, (each, refused) in enumerate(self._refusals):
            if each == kind:
                del self._refusals[number]
                return refused
        return None

    def move(self, region: str) -> None:
        """Serve from another region from now on; the old address knows nothing any more."""
        self.region = region

    # --- what happens to the bot ---

    async def announce(self) -> None:
        """Tell the bot of every place that the app is installed in, as each installation did."""
        for team in list(self.teams.values()):
            if team.is_installed:
                await self.tell_installed(team)
        for conversation in list(self.conversations.values()):
            if not isinstance(conversation, Channel) and conversation.is_installed:
                await self.tell_installed(conversation)

    async def install(self, where: Team | Conversation) -> None:
        """Install the app, and tell the bot."""
        where.is_installed = True
        await self.tell_installed(where)

    async def uninstall(self, where: Team | Conversation) -> None:
        """Remove the app, and tell the bot."""
        await self.tell_installed(where, removed=True)
        where.is_installed = False

    async def tell_installed(self, where: Team | Conversation, *, removed: bool = False) -> None:
        """Tell the bot that it came or left."""
        conversation = where.general if isinstance(where, Team) else where
        by = next(iter(conversation.members), None) or self.person("Admin")
        await self.courier.send(payloads.added(self, conversation, by, removed=removed))
        await self.courier.send(payloads.installed(self, conversation, by, removed=removed))

    async def join(self, where: Team | Conversation, *people: Person) -> None:
        """Add people, and tell the bot."""
        (where.members if isinstance(where, Team) else where.people).extend(people)
        conversation = where.general if isinstance(where, Team) else where
        sent = payloads.people_changed(self, conversation, people[0], list(people), removed=False)
        await self.courier.send(sent)

    async def leave(self, where: Team | Conversation, *people: Person, silently: bool = False) -> None:
        """Remove people, and tell the bot, unless that is lost."""
        there = where.members if isinstance(where, Team) else where.people
        there[:] = [person for person in there if person not in people]
        conversation = where.general if isinstance(where, Team) else where
        if not silently:
            sent = payloads.people_changed(self, conversation, people[0], list(people), removed=True)
            await self.courier.send(sent)

    async def rename(self, channel: Channel, name: str) -> None:
        """Give a channel another name, and tell the bot."""
        channel.name = name
        by = channel.members[0] if channel.members else self.person("Admin")
        await self.courier.send(payloads.channel_changed(self, channel, by, "channelRenamed"))

    async def redeliver_last(self, kind: str) -> Delivery:
        """Send the last activity of a kind once more, such as `message` or `adaptiveCard/action`."""
        for delivery in reversed(self.deliveries):
            if delivery.kind == kind:
                await self.courier.once(delivery)
                return delivery
        raise AssertionError(f"nothing of the kind {kind!r} was sent; there were {[d.kind for d in self.deliveries]}")

    # --- what tests look at ---

    def posts(self, where: Conversation | Person) -> list[Message]:
        """What the bot has posted there, the oldest first."""
        conversation = where if isinstance(where, Conversation) else self.personal(where)
        return [message for message in conversation.messages if message.by_bot and not message.is_deleted]

    async def wait_for_post(
        self, where: Conversation | Person, containing: str = "", *, thread: Message | None = None, within_s: float = 5
    ) -> Message:
        """The newest message of the bot in which this can be read, as soon as it is there.

        Raises:
            AssertionError: Not in time; it says what there was.
        """

        def found() -> Message | None:
            there = [m for m in self.posts(where) if thread is None or m.thread == thread.id]
            return next((m for m in reversed(there) if containing in m.shown), None)

        message = await seen(found, within_s=within_s)
        shown = [each.shown for each in self.posts(where)]
        assert message, f"no message containing {containing!r} within {within_s} s; there were {shown!r}"
        return message
