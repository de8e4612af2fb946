"""Puts the surface together, and takes it apart."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from adapters.slack.adapter import Slack
from adapters.slack.aftermath import Aftermath
from adapters.slack.again import Again
from adapters.slack.answers import Answers
from adapters.slack.api import Api
from adapters.slack.asking import Asking
from adapters.slack.below import Below
from adapters.slack.brakes import Brakes
from adapters.slack.cards import Cards
from adapters.slack.config import SlackConfig
from adapters.slack.cord import Cord, Hall
from adapters.slack.digests import DigestCards, RowAnswers
from adapters.slack.files import Files
from adapters.slack.granting import Granting
from adapters.slack.ground import SlackGround
from adapters.slack.home import Home
from adapters.slack.inbound import Inbound
from adapters.slack.installs import Installs
from adapters.slack.lists import Lists
from adapters.slack.marks import Marks
from adapters.slack.modals import Modals
from adapters.slack.people import People
from adapters.slack.places import Places
from adapters.slack.posts import Posts
from adapters.slack.reception import Reception
from adapters.slack.replies import Replies
from adapters.slack.saying import Saying
from adapters.slack.standing import Standings
from adapters.slack.stories import Stories
from adapters.slack.talk import ASKING, Talk
from adapters.slack.threads import Threads
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from bot import talk
from bot.ports import Adapter, Desk, Shelf
from bot.talk import Grants, Orders, Seen, Targets


@asynccontextmanager
async def slack(
    config: SlackConfig, desk: Desk, shelf: Shelf, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[Adapter]:
    """Open the surface: its connections, and its ear."""
    async with aiohttp.ClientSession() as http:
        installs = Installs(config, shelf, http)
        api = Api(installs, shelf, desk, url=config.api_url, http=http)
        people = People(api, installs)
        places = Places(api, installs, people, default=config.channel)
        cards = Cards(config.templates, console=config.public_url)
        files = Files(api, shelf, http)
        posts = Posts(api, installs, shelf)
        saying = Saying(api, http, api_url=config.api_url)
        whisper = Whisper(saying)
        lists, modals = Lists(cards), Modals(cards)
        standings = Standings(shelf, installs=installs, places=places, posts=posts, cards=cards, clock=clock)
        marks, whose = Marks(api, installs), Whose(desk, installs=installs, places=places)
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
        grants, orders = Grants(desk, seen=seen), Orders(desk, surface="slack", platform="Slack")
        stops = talk.Brakes(desk, seen=seen, orders=orders, home="workspace")
        talking = talk.Talk(shelf, seen=seen, grants=grants, brakes=stops, asking=ASKING)
        granting = Granting(grants, ground=ground, whisper=whisper)
        replies = Replies(shelf, lists=lists, saying=saying)
        brakes = Brakes(
            desk,
            stops,
            ground=ground,
            people=people,
            whose=whose,
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
        answers = Answers(
            desk,
            api=api,
            people=people,
            whose=whose,
            standings=standings,
            cards=cards,
            modals=modals,
            files=files,
            whisper=whisper,
            clock=clock,
        )
        speaking = Talk(
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
            talking=talk.Asking(desk, seen=seen, home="workspace"),
            saying=saying,
            cards=cards,
            modals=modals,
        )
        digests = DigestCards(cards)
        rows = RowAnswers(desk, people=people, whisper=whisper, clock=clock)
        reception = Reception(
            installs,
            people,
            answers=answers,
            rows=rows,
            talk=speaking,
            asking=asking,
            threads=threads,
            home=home,
            granting=granting,
            cord=cord,
            brakes=brakes,
            again=Again(desk, people=people, whose=whose, whisper=whisper, clock=clock),
        )
        inbound = Inbound(config, installs, shelf, reception)
        aftermath = Aftermath(standings.ended, home.changed)
        adapter = Slack(
            config,
            desk,
            api=api,
            installs=installs,
            places=places,
            people=people,
            cards=cards,
            saying=saying,
            posts=posts,
            stories=Stories(posts, files),
            below=Below(api, shelf, people=people, installs=installs),
            digests=digests,
            inbound=inbound,
            shelf=shelf,
            posted=seen.posted,
            afterwards=aftermath.begin,
            clock=clock,
        )
        try:
            async with inbound.open():
                yield adapter
        finally:
            await adapter.close()
            await aftermath.close()
            await home.close()
