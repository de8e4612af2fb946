"""Puts the surface together, and takes it apart."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from adapters.teams.adapter import Teams
from adapters.teams.again import Again
from adapters.teams.answers import Answers
from adapters.teams.asking import Asking
from adapters.teams.bearer import Bearer
from adapters.teams.below import Below
from adapters.teams.brakes import Brakes
from adapters.teams.cards import Cards
from adapters.teams.config import TeamsConfig
from adapters.teams.connector import Connector
from adapters.teams.cord import Cord, Hall, Replies
from adapters.teams.digests import DigestCards
from adapters.teams.endings import Endings
from adapters.teams.ground import TeamsGround
from adapters.teams.home import Home
from adapters.teams.inbound import Inbound, Payload
from adapters.teams.keys import Keys
from adapters.teams.lists import Lists
from adapters.teams.people import People
from adapters.teams.places import Places
from adapters.teams.posts import Posts
from adapters.teams.reception import Reception
from adapters.teams.references import References
from adapters.teams.rows import RowAnswers
from adapters.teams.saying import Saying
from adapters.teams.sheets import Sheets
from adapters.teams.strays import Strays
from adapters.teams.talk import ASKING, Talk
from adapters.teams.threads import Threads
from adapters.teams.tokens import Verifier
from adapters.teams.whisper import Whisper
from adapters.teams.whose import Whose
from bot import talk
from bot.ports import Adapter, Desk, Shelf
from bot.talk import Grants, Orders, Seen, Targets


@asynccontextmanager
async def teams(
    config: TeamsConfig, desk: Desk, shelf: Shelf, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[Adapter]:
    """Open the surface: its connections, and its ear."""
    async with aiohttp.ClientSession() as http:
        references, keys = References(shelf), Keys(config.metadata_url, http)
        bearer = Bearer(config, http)
        connector = Connector(config, bearer, references, shelf, desk, http=http)
        people = People(connector, references)
        places = Places(connector, references, people, default=config.channel)
        cards = Cards(config.templates, console=config.public_url)
        lists = Lists(cards)
        posts = Posts(connector, references, shelf)
        whisper = Whisper(posts, references, cards=cards)
        strays, whose = Strays(shelf), Whose(desk, places=places)
        threads = Threads(desk, shelf, people=people, places=places, posts=posts, whisper=whisper, cards=cards)
        standings = talk.Standings(shelf)
        answers = Answers(
            desk,
            people=people,
            whose=whose,
            standings=standings,
            strays=strays,
            cards=cards,
            sheets=Sheets(cards),
            clock=clock,
        )

        async def replied(activity: Payload) -> bool:
            return await threads.replied(activity, now=clock())

        ground = TeamsGround(references=references, people=people, places=places)
        seen = Seen(desk, shelf, ground, page=cards.page, clock=clock)
        grants, orders = Grants(desk, seen=seen), Orders(desk, surface="teams", platform="Teams")
        stops = talk.Brakes(desk, seen=seen, orders=orders, home="organisation")
        saying = Saying(connector, references, lists=lists)
        replies = Replies(shelf, lists=lists, saying=saying)
        cord = Cord(
            desk,
            Hall(people=people, ground=ground, saying=saying, replies=replies),
            replies=replies,
            targets=Targets(desk, shelf, seen=seen),
            orders=orders,
        )
        brakes = Brakes(
            desk,
            stops,
            grants,
            ground=ground,
            people=people,
            whose=whose,
            replies=replies,
        )
        talking = talk.Talk(shelf, seen=seen, grants=grants, brakes=stops, asking=ASKING)
        home = Home(talking, standings, ground=ground, lists=lists)
        speaking = Talk(talking, shelf, ground=ground, home=home, saying=saying, lists=lists, clock=clock)
        reception = Reception(
            answers=answers,
            rows=RowAnswers(desk, people=people, whose=whose, clock=clock),
            whisper=whisper,
            # Words to the brake come first; then requests that are nothing else; then answers to a question.
            hearers=(cord.said, speaking.asked, replied, speaking.said),
            takers={
                "again": Again(desk, people=people, whose=whose).pressed,
                "stop": brakes.pressed,
                "resume": brakes.pressed,
                "lift": brakes.lifted,
                "end-grant": brakes.ended,
                "setting": home.chosen,
            },
            asking=Asking(
                talk.Asking(desk, seen=seen, home="organisation"),
                shelf,
                references=references,
                people=people,
                cards=cards,
                lists=lists,
                saying=saying,
            ),
            cord=cord,
            talk=speaking,
            clock=clock,
        )
        heard = (references.learn, people.heard, places.heard)
        inbound = Inbound(config, Verifier(config, keys), shelf, reception, heard=heard)
        adapter = Teams(
            config,
            desk,
            places=places,
            people=people,
            cards=cards,
            lists=lists,
            digests=DigestCards(cards),
            posts=posts,
            below=Below(posts, people=people, cards=cards),
            endings=Endings(posts, references, standings=standings, lists=lists, clock=clock),
            strays=strays,
            threads=threads,
            posted=seen.posted,
            inbound=inbound,
            clock=clock,
        )
        try:
            async with inbound.open():
                yield adapter
        finally:
            await adapter.close()
            await keys.close()
