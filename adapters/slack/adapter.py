"""The surface `slack` as the core sees it: cards are posted, found again and kept in step; notices are told."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from aiohttp import web

from adapters.slack.address import Address
from adapters.slack.api import Api, Unreachable
from adapters.slack.below import Below
from adapters.slack.cards import Cards
from adapters.slack.config import SlackConfig
from adapters.slack.digests import DigestCards
from adapters.slack.inbound import Inbound
from adapters.slack.installs import Installs
from adapters.slack.marks import CARD
from adapters.slack.markup import mrkdwn
from adapters.slack.people import People
from adapters.slack.places import Places, Spot
from adapters.slack.posts import Posts
from adapters.slack.quiet import QUIET
from adapters.slack.saying import Saying
from adapters.slack.stories import Stories
from andon import wire
from bot.cards import visible
from bot.cards.listing import teller
from bot.cards.rich import clip
from bot.errors import StoreUnavailable
from bot.handoff import Aside, Digest, Handoff, Told
from bot.ports import CardRef, Desk, Directory, Shelf
from bot.talk import asked_in

log = logging.getLogger("andon.slack")

_NOTICE_CHARS: Final = 3_000
_NOTICE_KEPT: Final = timedelta(days=2)
_ASKED_KEPT: Final = timedelta(days=8)
"""The longest that an ask may wait, and a day."""
_PAGES: Final = 5
_T = TypeVar("_T")
_EARLIER: Final = timedelta(minutes=1)
"""Slack's clock and the store's may differ."""


class Slack:
    """Cards as messages of one app in one or several workspaces."""

    name = "slack"
    reads_store = False

    def __init__(
        self,
        config: SlackConfig,
        desk: Desk,
        *,
        api: Api,
        installs: Installs,
        places: Places,
        people: People,
        cards: Cards,
        saying: Saying,
        stories: Stories,
        posts: Posts,
        below: Below,
        digests: DigestCards,
        inbound: Inbound,
        shelf: Shelf,
        posted: Callable[[str, str, str], Awaitable[None]],
        afterwards: Callable[[Handoff], None],
        clock: Callable[[], datetime],
    ) -> None:
        """Everything that needs closing is closed by `slack`."""
        self.directory: Directory | None = people
        self._config = config
        self._desk = desk
        self._api = api
        self._installs = installs
        self._places = places
        self._cards = cards
        self._saying = saying
        self._stories = stories
        self._posts = posts
        self._below = below
        self._digests = digests
        self._inbound = inbound
        self._shelf = shelf
        self._posted = posted
        self._afterwards = afterwards
        self._clock = clock
        self._tasks: set[asyncio.Task[bool]] = set()

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Where Slack sends to, unless it is Socket Mode."""
        return self._inbound.routes()

    async def trouble(self) -> str:
        """Does what people press reach us?"""
        return await self._inbound.trouble()

    # --- cards ---

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        """Post the card; where its own place cannot be reached, in the fallback channel, saying so below it."""
        try:
            return await self._post(await self._places.find(to), handoff)
        except Unreachable as error:
            ref = await self._instead(to, error, lambda spot: self._post(spot, handoff))
            self._explain(ref, error)
            return ref

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """Look for the card's metadata among what was posted since the handoff was opened."""
        for place in (to, self._fallback(to)):
            with contextlib.suppress(Unreachable):
                if place is None:
                    continue
                spot = await self._places.find(place)
                if ts := await self._posts.find(spot, CARD, {"handoff": handoff.id}, since=handoff.opened_at):
                    return CardRef(self.name, Address(spot.team, spot.channel, ts).text)
        return None

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        """Make the message show the handoff as it stands; longer stories go below it."""
        at = Address.parse(ref.address)
        message = self._cards.message(handoff, now=self._clock())
        await self._api.call(
            at.team,
            "chat.update",
            channel=at.channel,
            ts=at.ts,
            text=message.text,
            blocks=message.blocks,
            metadata=_metadata(handoff),
            link_names=False,
            parse="none",
        )
        await self._stories.tell(handoff, at)
        self._afterwards(handoff)

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say in the card's thread what happened, and call whom the policy names."""
        await self._below.say(Address.parse(ref.address), handoff, aside, place)

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        """Post a digest, or make the posted one show what stands."""
        message = self._digests.message(digest, now=self._clock())
        given: dict[str, Any] = {"text": message.text, "blocks": message.blocks}
        if ref:
            at = Address.parse(ref.address)
            said = {"channel": at.channel, "ts": at.ts, "link_names": False, "parse": "none"}
            await self._api.call(at.team, "chat.update", **said, **given)
            return ref

        async def post(spot: Spot) -> CardRef:
            posted = await self._api.call(spot.team, "chat.postMessage", **_to(spot), **given, **QUIET)
            return CardRef(self.name, Address(spot.team, str(posted["channel"]), str(posted["ts"])).text)

        try:
            return await post(await self._places.find(to))
        except Unreachable as error:
            return await self._instead(to, error, post)

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Post a notice, once."""
        what = f"notice:{told.id}:{to.model_dump_json(exclude_none=True)}"

        async def say(spot: Spot) -> None:
            await self._posts.once(spot, what, _notice(told), since=told.at)

        try:
            await say(await self._places.find(to))
        except Unreachable as error:
            await self._instead(to, error, say)

    async def _post(self, spot: Spot, handoff: Handoff) -> CardRef:
        message = self._cards.message(handoff, now=self._clock())
        posted = await self._api.call(
            spot.team,
            "chat.postMessage",
            **_to(spot),
            text=message.text,
            blocks=message.blocks,
            metadata=_metadata(handoff),
            **QUIET,
        )
        at = Address(spot.team, str(posted["channel"]), str(posted["ts"]))
        with contextlib.suppress(StoreUnavailable):  # else no list links to it
            await self._posted(handoff.id, f"{at.team}/{at.channel}", at.ts)
            if spot.thread and isinstance(handoff.ask, wire.Input) and handoff.ask.reply_in_thread:
                # Of a reply Slack names only the message that the thread hangs from, which is not this card.
                root = Address(at.team, at.channel, spot.thread)
                await self._shelf.save(asked_in(root.text), handoff.id, _ASKED_KEPT)
        self._afterwards(handoff)
        return CardRef(self.name, at.text)

    # --- when a place cannot be reached ---

    def _fallback(self, place: wire.Place) -> wire.Place | None:
        """The channel of the settings, unless it is the very place."""
        fallback = wire.Place(surface=self.name, channel=self._config.channel) if self._config.channel else None
        return None if fallback == place else fallback

    async def _instead(self, to: wire.Place, error: Unreachable, do: Callable[[Spot], Awaitable[_T]]) -> _T:
        """Tell the operators, and do it in the fallback channel.

        Raises:
            Unreachable: `error`, where there is no such channel, or it is no better.
        """
        where = to.channel or to.person or "no channel"
        await self._desk.alert(f"slack:{where}:{error.code}", f"Slack, {where}: {error}")
        fallback = self._fallback(to)
        if fallback is None or to.person:  # what is for one person alone is not for a channel to read and to answer
            raise error
        try:
            return await do(await self._places.find(fallback))
        except Unreachable as worse:
            await self._desk.alert(f"slack:fallback:{worse.code}", f"Slack, SLACK_CHANNEL: {worse}")
            raise error from worse

    def _explain(self, ref: CardRef, error: Unreachable) -> None:
        """Say below the card why it is there, when that has its turn; the card itself does not wait for it."""
        at = Address.parse(ref.address)
        text = f"This card is here because its own place cannot be reached. {mrkdwn(str(error), _NOTICE_CHARS)}"
        task = asyncio.create_task(self._saying.say(at.team, at.channel, text, thread=at.ts), name="slack explanation")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Say no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _to(spot: Spot) -> dict[str, Any]:
    return {"channel": spot.channel, **({"thread_ts": spot.thread} if spot.thread else {})}


def _metadata(handoff: Handoff) -> dict[str, Any]:
    """Readable by other apps of the workspace: the id, and nothing else."""
    return {"event_type": CARD, "event_payload": {"handoff": handoff.id}}


def _notice(told: Told) -> dict[str, Any]:
    """An agent's words, literally; the line above them is ours."""
    text = clip(visible(told.text), _NOTICE_CHARS)
    who = teller(told)
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {
        "text": mrkdwn(f"{who}: {text}", _NOTICE_CHARS),
        "blocks": [
            {"type": "rich_text", "elements": [words]},
            {
                "type": "context",
                "elements": [{"type": "plain_text", "text": f"Notice from {who}"[:300], "emoji": False}],
            },
        ],
    }
