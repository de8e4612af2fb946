"""The parts that people on Slack talk to, put together in front of the stand-in, which reaches them over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from adapters.slack.asking import Asking
from adapters.slack.brakes import Brakes
from adapters.slack.cards import Cards
from adapters.slack.cord import Cord, Hall
from adapters.slack.granting import END, Granting
from adapters.slack.ground import SlackGround
from adapters.slack.home import Home
from adapters.slack.lists import LIFT, Lists
from adapters.slack.marks import Marks
from adapters.slack.modals import Modals
from adapters.slack.posts import Posts
from adapters.slack.replies import Replies
from adapters.slack.saying import Saying
from adapters.slack.standing import Standings
from adapters.slack.talk import ASKING, Talk
from adapters.slack.threads import Threads
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from andon import wire
from bot import talk as core
from bot.handoff import Handoff
from bot.talk import Grants, Orders, Seen, Targets
from tests.adapters.plumbing import Parts, plumbing
from tests.fakes.desk import EMAIL, RUN, MemoryDesk, handoff
from tests.fakes.slack.cloud import SlackCloud
from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.people import Person

Json = dict[str, Any]
AGE: Json = {"kind": "input", "gate": "ask_age", "run": RUN, "question": "How old is it?", "reply_in_thread": True}


@dataclass
class House:
    """All of it, two members, a guest, somebody of another organisation, and two channels."""

    cloud: SlackCloud
    parts: Parts
    desk: MemoryDesk
    ground: SlackGround
    seen: Seen
    threads: Threads
    talk: Talk
    asking: Asking
    standings: Standings
    home: Home
    granting: Granting
    brakes: Brakes
    cord: Cord
    cards: Cards
    ana: Person
    mira: Person
    guest: Person
    stranger: Person
    ops: Channel
    """Everybody is in it."""
    secret: Channel
    """Private: only Mira is in it."""
    _numbers: int = 0

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.cloud.clock.now(), UTC)

    def ask(self, ask: Json, *places: wire.Place, id: str = "", **given: Any) -> Handoff:
        """Open a handoff at the desk; without a place it is in #ops."""
        self._numbers += 1
        made = handoff(ask, id=id or f"hf_{self._numbers:022d}", opened_at=self.now, **given)
        made = replace(made, route=replace(made.route, to=places or (self.place(self.ops),)))
        self.desk.put(made)
        return made

    def place(self, channel: Channel) -> wire.Place:
        return wire.Place(surface="slack", channel=channel.id)

    async def post(self, made: Handoff, channel: Channel | None = None) -> Message:
        """Put its card where people see it."""
        channel = channel or self.ops
        message = self.cards.message(made, now=self.now)
        team = channel.team.id
        posted = await self.parts.api.call(
            team, "chat.postMessage", channel=channel.id, text=message.text, blocks=message.blocks
        )
        self.desk.cards["slack", f"{team}/{channel.id}/{posted['ts']}"] = made.id
        card = channel.find(str(posted["ts"]))
        assert card
        return card

    async def card(self, ask: Json, **given: Any) -> tuple[Handoff, Message]:
        made = self.ask(ask, **given)
        return made, await self.post(made)

    def run(self, channel: str, *, name: str = "weekly-report", number: int = 1, thread: str | None = None) -> wire.Run:
        """A run that is bound to a channel."""
        run = wire.Run(
            id=f"run_{number:022d}",
            agent="assistant",
            name=name,
            conversation=wire.Place(surface="slack", channel=channel, thread=thread),
            started_at=self.now,
        )
        self.desk.bound.append(run)
        return run

    def replies(self, card: Message) -> list[str]:
        """What the bot said below a message."""
        return [reply.shown for reply in card.replies if reply.bot_id]

    def answered(self) -> list[Any]:
        """The answers that stand at the desk."""
        return [answer.answer for _, answer, _ in self.desk.answers if isinstance(answer, wire.Reply)]

    async def again(self, message: Message) -> None:
        """Slack tells of a message once more, in each way that it told of it."""
        told = [each for each in self.cloud.deliveries if (each.payload.get("event") or {}).get("ts") == message.ts]
        assert told
        for delivery in told:
            assert (await self.cloud.courier.again(delivery)).ok

    # --- as Slack reaches it ---------------------------------------------------------------------

    async def take(self, request: web.Request) -> web.Response:
        """One delivery of the stand-in's."""
        if request.content_type == "application/json":
            body = await request.json()
            await self._happened(body, body["team_id"])
            return web.Response()
        form = dict(await request.post())
        if "payload" not in form:
            if not await self.cord.command(form, str(form["team_id"])):
                await self.talk.command(form, str(form["team_id"]))
            return web.Response()
        payload = json.loads(str(form["payload"]))
        team = str(payload["team"]["id"])
        match payload["type"]:
            case "view_submission":
                return web.json_response(await self.asking.ask_submitted(payload, team))
            case "message_action":
                await self.asking.asked(payload, team)
            case _ if str(payload["actions"][0].get("action_id", "")).startswith(END):
                await self.granting.pressed(payload, team)
            case _ if str(payload["actions"][0].get("action_id", "")).startswith(LIFT):
                await self.brakes.lifted(payload, team)
            case _:
                await self.home.pressed(payload, team)
        return web.Response()

    async def _happened(self, body: Json, team: str) -> None:
        event = body["event"]
        if event["type"] == "app_home_opened":
            await self.home.opened(team, event["user"])
        elif event["type"] == "reaction_added":
            await self.cord.reacted(body, team)
        elif event["type"] in {"message", "app_mention"} and not await self.cord.said(body, team):
            if event["type"] == "app_mention":
                await self.talk.mentioned(event, team)
            elif not await self.threads.replied(event, team) and event.get("channel_type") == "im":
                await self.talk.messaged(event, team)


@asynccontextmanager
async def talkers() -> AsyncIterator[House]:
    """Everything, as one process has it."""
    async with SlackCloud().serving() as cloud, plumbing(cloud) as parts, aiohttp.ClientSession() as http:
        cloud.retry_scale = 0.01
        cloud.rate_limits.off()

        def clock() -> datetime:
            return datetime.fromtimestamp(cloud.clock.now(), UTC)

        desk, shelf, api = parts.desk, parts.shelf, parts.api
        desk.clock = clock
        people, places, installs = parts.people, parts.places, parts.installs
        cards = Cards(None, console="https://andon.example.com")
        lists, saying = Lists(cards), Saying(api, http, api_url=parts.config.api_url)
        whisper = Whisper(saying)
        marks = Marks(api, installs)
        ground = SlackGround(installs=installs, people=people, places=places, marks=marks)
        seen = Seen(desk, shelf, ground, page=cards.page, clock=clock)
        threads = Threads(
            desk,
            shelf,
            people=people,
            places=places,
            installs=installs,
            marks=marks,
            saying=saying,
            whisper=whisper,
        )
        standings = Standings(
            shelf, installs=installs, places=places, posts=Posts(api, installs, shelf), cards=cards, clock=clock
        )
        grants, orders = Grants(desk, seen=seen), Orders(desk, surface="slack", platform="Slack")
        stops = core.Brakes(desk, seen=seen, orders=orders, home="workspace")
        talking = core.Talk(shelf, seen=seen, grants=grants, brakes=stops, asking=ASKING)
        granting = Granting(grants, ground=ground, whisper=whisper)
        replies = Replies(shelf, lists=lists, saying=saying)
        brakes = Brakes(
            desk,
            stops,
            ground=ground,
            people=people,
            whose=Whose(desk, installs=installs, places=places),
            replies=replies,
            whisper=whisper,
            clock=clock,
        )
        cord = Cord(
            desk,
            Hall(people=people, places=places, ground=ground, replies=replies, whisper=whisper),
            installs=installs,
            targets=Targets(desk, shelf, seen=seen),
            orders=orders,
        )
        home = Home(
            shelf,
            api,
            ground=ground,
            seen=seen,
            talking=talking,
            standings=standings,
            lists=lists,
            clock=clock,
        )
        talk = Talk(
            talking,
            ground=ground,
            threads=threads,
            saying=saying,
            installs=installs,
            cards=cards,
            lists=lists,
            clock=clock,
        )
        asking = Asking(
            shelf,
            api,
            people=people,
            places=places,
            talking=core.Asking(desk, seen=seen, home="workspace"),
            saying=saying,
            cards=cards,
            modals=Modals(cards),
        )
        ana, mira = cloud.user("ana", email="ana@example.com"), cloud.user("mira", email="mira@example.com")
        guest = cloud.user("gwen", is_restricted=True)
        stranger = cloud.user("eve", team=cloud.team("T0OTHER"))
        ops = cloud.channel("ops", [ana, mira, guest, stranger], shared=True)
        secret = cloud.channel("secret", [mira], private=True)
        house = House(
            cloud,
            parts,
            desk,
            ground,
            seen,
            threads,
            talk,
            asking,
            standings,
            home,
            granting,
            brakes,
            cord,
            cards,
            ana,
            mira,
            guest,
            stranger,
            ops,
            secret,
        )
        app = web.Application()
        app.router.add_post("/", house.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        cloud.app.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            yield house
        finally:
            await home.close()
            await runner.cleanup()


__all__ = ["AGE", "EMAIL", "RUN", "House", "talkers"]
