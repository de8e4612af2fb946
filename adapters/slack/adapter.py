"""The surface `slack` as the core sees it: cards are posted, found again and kept in step; notices are told."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from adapters.slack.address import Address
from adapters.slack.api import Api, Unreachable
from adapters.slack.below import Below
from adapters.slack.cards import Cards
from adapters.slack.config import SlackConfig
from adapters.slack.digests import DigestCards
from adapters.slack.inbound import Inbound
from adapters.slack.installs import Installs
from adapters.slack.markup import mrkdwn
from adapters.slack.people import People
from adapters.slack.places import Places, Spot
from adapters.slack.quiet import QUIET
from adapters.slack.stories import Stories
from andon import wire
from bot.cards import visible
from bot.errors import StoreUnavailable
from bot.handoff import Aside, Digest, Handoff, Told
from bot.ports import CardRef, Desk, Directory, Shelf

log = logging.getLogger("andon.slack")

CARD: Final = "andon_card"
"""The `event_type` of a card's metadata: by it a card is found whose post may have been lost."""

_NOTICE_CHARS: Final = 3_000
_NOTICE_KEPT: Final = timedelta(days=2)
_PAGES: Final = 5
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
        stories: Stories,
        below: Below,
        digests: DigestCards,
        inbound: Inbound,
        shelf: Shelf,
        posted: Callable[[str, Address], Awaitable[None]],
        afterwards: Callable[[Handoff], Awaitable[None]],
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
        self._stories = stories
        self._below = below
        self._digests = digests
        self._inbound = inbound
        self._shelf = shelf
        self._posted = posted
        self._afterwards = afterwards
        self._clock = clock

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Where Slack sends to, unless it is Socket Mode."""
        return self._inbound.routes()

    # --- cards ---

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        """Post the card; where its own place cannot be reached, in the fallback channel, saying so below it."""
        try:
            spot = await self._places.find(to)
            return await self._post(spot, handoff)
        except Unreachable as error:
            instead = await self._instead(to, error)
            if instead is None:
                raise
            ref = await self._post(instead, handoff)
            await self._explain(ref, error)
            return ref

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """Look for the card's metadata among what was posted since the handoff was opened."""
        for place in (to, self._fallback(to)):
            with contextlib.suppress(Unreachable):
                if place and (ts := await self._look_for(await self._places.find(place), handoff)):
                    spot = await self._places.find(place)
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
        await self._afterwards(handoff)

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
        try:
            spot = await self._places.find(to)
        except Unreachable as error:
            instead = await self._instead(to, error)
            if instead is None:
                raise
            spot = instead
        posted = await self._api.call(spot.team, "chat.postMessage", **_to(spot), **given, **QUIET)
        return CardRef(self.name, Address(spot.team, str(posted["channel"]), str(posted["ts"])).text)

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Post a notice, once."""
        once = f"notice:{told.id}:{to.model_dump_json(exclude_none=True)}"
        if not await self._shelf.once(once, _NOTICE_KEPT):
            return
        try:
            try:
                spot = await self._places.find(to)
            except Unreachable as error:
                instead = await self._instead(to, error)
                if instead is None:
                    raise
                spot = instead
            await self._api.call(spot.team, "chat.postMessage", **_to(spot), **_notice(told), **QUIET)
        except BaseException:
            await self._shelf.forget(once)
            raise

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
            await self._posted(handoff.id, at)
            await self._afterwards(handoff)
        return CardRef(self.name, at.text)

    async def _look_for(self, spot: Spot, handoff: Handoff) -> str | None:
        bot = await self._installs.bot(spot.team)
        since: dict[str, Any] = {
            "channel": spot.channel,
            "oldest": f"{(handoff.opened_at - _EARLIER).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": 200,
        }
        cursor = ""
        for _ in range(_PAGES):
            more = {**since, **({"cursor": cursor} if cursor else {})}
            if spot.thread:
                page = await self._api.call(spot.team, "conversations.replies", ts=spot.thread, **more)
            else:
                page = await self._api.call(spot.team, "conversations.history", **more)
            for message in page.get("messages", ()):
                if _is_card(message, handoff, bot.user):
                    return str(message["ts"])
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return None

    # --- when a place cannot be reached ---

    def _fallback(self, place: wire.Place) -> wire.Place | None:
        """The channel of the settings, unless it is the very place."""
        fallback = wire.Place(surface=self.name, channel=self._config.channel) if self._config.channel else None
        return None if fallback == place else fallback

    async def _instead(self, to: wire.Place, error: Unreachable) -> Spot | None:
        """Tell the operators, and find the fallback channel; None when there is none, or it is no better."""
        where = to.channel or to.person or "no channel"
        await self._desk.alert(f"slack:{where}:{error.code}", f"Slack, {where}: {error}")
        fallback = self._fallback(to)
        if fallback is None:
            return None
        try:
            return await self._places.find(fallback)
        except Unreachable as worse:
            await self._desk.alert(f"slack:fallback:{worse.code}", f"Slack, SLACK_CHANNEL: {worse}")
            return None

    async def _explain(self, ref: CardRef, error: Unreachable) -> None:
        at = Address.parse(ref.address)
        text = f"This card is here because its own place cannot be reached. {mrkdwn(str(error), _NOTICE_CHARS)}"
        said = {"channel": at.channel, "thread_ts": at.ts, "text": text}
        with contextlib.suppress(Exception):  # the card itself is there; that it is here by accident is second to it
            await self._api.call(at.team, "chat.postMessage", **said, **QUIET)


def _to(spot: Spot) -> dict[str, Any]:
    return {"channel": spot.channel, **({"thread_ts": spot.thread} if spot.thread else {})}


def _metadata(handoff: Handoff) -> dict[str, Any]:
    """Readable by other apps of the workspace: the id, and nothing else."""
    return {"event_type": CARD, "event_payload": {"handoff": handoff.id}}


def _is_card(message: Mapping[str, Any], handoff: Handoff, bot: str) -> bool:
    metadata = message.get("metadata") or {}
    about = metadata.get("event_payload") or {}
    ours = message.get("user") == bot and metadata.get("event_type") == CARD
    return bool(ours and about.get("handoff") == handoff.id)


def _notice(told: Told) -> dict[str, Any]:
    """An agent's words, literally; the line above them is ours."""
    text = visible(told.text[:_NOTICE_CHARS])
    cut = len(told.text) - _NOTICE_CHARS
    if cut > 0:
        text += f"… ({cut:,} more characters)"
    who = f"{visible(told.agent)}, run {visible(told.run_name)}" if told.run else "Andon"
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
