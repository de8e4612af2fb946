"""The stand-in for Slack: one HTTP server with state and limits, which fails as it is told to."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.slack import browser, doors, events
from tests.fakes.slack.app import Installation
from tests.fakes.slack.deliveries import Background, Courier, Delivery
from tests.fakes.slack.model import Channel, Group, Message, Team, User
from tests.fakes.slack.people import Person
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.state import State
from tests.fakes.slack.web_api import answer
from tests.fakes.waiting import seen

Json = dict[str, Any]
Route = Callable[["SlackCloud", web.Request], Awaitable[web.StreamResponse]]


class SlackCloud(State):
    """Slack, as far as the app can tell. Production code knows its address, a token and a secret, nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.api_url = ""
        """What SLACK_API_URL is set to."""
        self.is_down = False
        """Everything is answered with 503."""
        self.hangs = False
        """Nothing is answered until this is False again."""
        self.slow_s = 0.0
        """Everything is answered after so many seconds."""
        self.loses_replies = 0
        """So many calls that write are carried out, and their connection then breaks."""
        self.loses_replies_of = ""
        """Which calls may lose their reply: those whose method begins so."""
        self.refuses: dict[str, str] = {}
        """Methods that are answered with an error, such as `fatal_error`, whatever is sent."""
        self.ack_within_s = 3.0
        self.retry_scale = 1.0
        """Multiplies the waits before events are sent again (0, 60 and 300 s)."""
        self.settle_s = 0.7
        """How long a verb waits for the first visible effect of what a person did."""
        self.reply_within_s = 3.0
        """How long a command, or the first opening of a Home tab, waits for what the person wants to see."""
        self.calls: Counter[str] = Counter()
        """How often each method was called, whatever the answer."""
        self.errors: list[str] = []
        """Every answer that was not ok, and every answer of the app that Slack would not take."""
        self.deliveries: list[Delivery] = []
        """Everything that was sent to the app, in order."""
        self.suggested: dict[tuple[str, str, str], list[Json]] = {}
        """What an external select offered last, by user, block_id and action_id."""
        self.installs_to = self.home
        """The workspace that the authorize page installs to."""
        self.declines = False
        """Does the person on the authorize page decline?"""
        self.installer = self.user("installer").id
        self.courier = Courier(self)
        self.sockets = Sockets(self.app.id)
        self._background = Background()
        self._is_closing = False

    def _cloud(self) -> "SlackCloud":
        return self

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["SlackCloud"]:
        """Listen on a port, by default a free one."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.api_url = f"{self.url}/api/"
            async with aiohttp.ClientSession() as self.courier.http:
                try:
                    yield self
                finally:
                    self._is_closing = True
                    await self._background.stop()
                    await self.sockets.drop()
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._failing], client_max_size=16 * 1024 * 1024)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._by(answer)),
                web.post("/actions/{team}/{channel}/{secret}", self._by(doors.respond)),
                web.post("/commands/{team}/{channel}/{secret}", self._by(doors.respond)),
                web.post("/upload/v1/{secret}", self._by(doors.upload)),
                web.get("/files-pri/{id}/{name}", self._by(doors.download)),
                web.get("/oauth/v2/authorize", self._by(doors.authorize)),
                web.get("/link/", self.sockets.serve),
                web.get("/", self._by(browser.page)),
                web.get("/page/{name}", self._by(browser.part)),
                web.get("/ui/state", self._by(browser.seen)),
                web.post("/ui/suggest", self._by(browser.suggest)),
                web.post("/ui/{verb}", self._by(browser.do)),
            ]
        )
        return app

    def _by(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answered(request: web.Request) -> web.StreamResponse:
            return await route(self, request)

        return answered

    @web.middleware
    async def _failing(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not request.path.startswith(("/api/", "/actions/", "/commands/", "/upload/", "/oauth/")):
            return await handler(request)
        while self.hangs and not self._is_closing:  # noqa: ASYNC110 - a plain flag is what tests set
            await asyncio.sleep(0.01)
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.is_down:
            self.calls["down"] += 1
            raise web.HTTPServiceUnavailable(text="service_unavailable")
        return await handler(request)

    # --- what tests look at ----------------------------------------------------------------------

    def told(self, person: User) -> list[str]:
        """Everything ephemeral that a person was shown and that has not been taken away."""
        return [m.shown for m in self.ephemerals if m.seen_by is person and not m.is_deleted]

    def cards(self, place: Channel | Person) -> list[Message]:
        """What the bot has posted in a channel, or to a person directly, the oldest first."""
        channel = place if isinstance(place, Channel) else place.direct
        return [message for message in channel.messages if message.bot_id and not message.is_deleted]

    async def wait_for_card(
        self, place: Channel | Person, containing: str = "", *, thread: Message | None = None, within_s: float = 5
    ) -> Message:
        """The newest message of the bot in which this can be read, as soon as it is there.

        Raises:
            AssertionError: Not in time; it says what there was.
        """

        def found() -> Message | None:
            there = [m for m in self.cards(place) if thread is None or m.thread_ts == thread.ts]
            return next((m for m in reversed(there) if containing in m.shown or containing in m.text), None)

        card = await seen(found, within_s=within_s)
        shown = [message.shown for message in self.cards(place)]
        assert card, f"no card containing {containing!r} within {within_s} s; there were {shown!r}"
        return card

    async def wait_for_told(self, person: User, containing: str, *, within_s: float = 5) -> str:
        """The ephemeral text that contains this, as soon as the person was shown it."""
        found = await seen(lambda: [text for text in self.told(person) if containing in text], within_s=within_s)
        assert found, f"{person.name} was not told {containing!r} within {within_s} s, but {self.told(person)!r}"
        return found[-1]

    def installed_bot(self, team: Team) -> Installation:
        """The installation that serves a workspace."""
        return next(item for item in self.installations.values() if item.covers(team))

    def installation_of(self, message: Message) -> Installation:
        """The installation whose bot posted a message."""
        return next(item for item in self.installations.values() if item.bot is message.user)

    # --- what else happens to the app ------------------------------------------------------------

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside the test; it ends with the fake."""
        if self._is_closing:
            work.close()
        else:
            self._background.start(work)

    async def redeliver_last(self, kind: str) -> Delivery:
        """Send the last payload of a kind once more.

        Args:
            kind: `event`, `interaction`, `options` or `command`; or more closely `block_actions`, `app_mention`…
        """
        for delivery in reversed(self.deliveries):
            if kind in {delivery.kind, delivery.name}:
                return await self.courier.again(delivery)
        raise AssertionError(f"nothing of the kind {kind!r} was sent; there were {[d.name for d in self.deliveries]}")

    async def verify_request_url(self) -> bool:
        """Check the request URL as Slack's settings page does: does it answer the challenge?"""
        challenge = secrets.token_hex(16)
        payload = {"type": "url_verification", "token": self.app.verification_token, "challenge": challenge}
        delivery = await self.courier.ask("event", payload)
        body = delivery.ack_body
        return delivery.ok and (body == challenge or (isinstance(body, dict) and body.get("challenge") == challenge))

    async def change_group(self, group: Group, members: list[User]) -> None:
        """Give a user group other members, and tell the app."""
        before, after = {user.id for user in group.members}, {user.id for user in members}
        group.members[:] = members
        event = {
            "type": "subteam_members_changed",
            "subteam_id": group.id,
            "team_id": group.team.id,
            "added_users": sorted(after - before),
            "removed_users": sorted(before - after),
            "event_ts": f"{self.clock.now():.6f}",
        }
        await events.tell(self, event, "subteam_members_changed")

    async def deactivate(self, person: User) -> None:
        """Close somebody's account, and tell the app."""
        person.deleted = True
        event = {
            "type": "user_change",
            "user": {"id": person.id, "team_id": person.team.id, "name": person.name, "deleted": True},
            "event_ts": f"{self.clock.now():.6f}",
        }
        await events.tell(self, event, "user_change", user=person)

    async def uninstall(self, team: Team | None = None) -> None:
        """Take the app out of a workspace, revoke its tokens, and tell the app."""
        installation = self.installations[(team or self.home).id]
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [installation.bot.id]}}
        await events.tell(self, revoked, "tokens_revoked", user=installation.bot)
        await events.tell(self, {"type": "app_uninstalled"}, "app_uninstalled", user=installation.bot)
        installation.is_removed = True
        for token in self.tokens.values():
            token.is_revoked = token.is_revoked or token.installation is installation
