"""The surface `teams` as the core sees it: cards are posted, found again and kept in step; notices are told."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from aiohttp import web

from adapters.teams.address import Address
from adapters.teams.below import Below
from adapters.teams.cards import Cards, For
from adapters.teams.config import TeamsConfig
from adapters.teams.digests import DigestCards
from adapters.teams.endings import Endings
from adapters.teams.errors import Unreachable
from adapters.teams.fit import REFRESHED
from adapters.teams.ground import placed
from adapters.teams.inbound import Inbound
from adapters.teams.lists import Lists
from adapters.teams.people import FRESH_S, People
from adapters.teams.places import Places
from adapters.teams.posts import Posts, message
from adapters.teams.references import Reference
from adapters.teams.strays import Strays
from adapters.teams.threads import Threads
from andon import wire
from bot.errors import BotError, DirectoryDown, StoreUnavailable
from bot.handoff import Aside, Digest, Handoff, State, Told
from bot.memory import Memory
from bot.ports import CardRef, Desk, Directory

log = logging.getLogger("andon.teams")

_NOTICE_KEPT: Final = timedelta(days=2)
_T = TypeVar("_T")


class Teams:
    """Cards as messages of one bot, in one or several tenants."""

    name = "teams"
    reads_store = False

    def __init__(
        self,
        config: TeamsConfig,
        desk: Desk,
        *,
        places: Places,
        people: People,
        cards: Cards,
        lists: Lists,
        digests: DigestCards,
        posts: Posts,
        below: Below,
        endings: Endings,
        strays: Strays,
        threads: Threads,
        posted: Callable[[str, str, str], Awaitable[None]],
        inbound: Inbound,
        clock: Callable[[], datetime],
    ) -> None:
        """Everything that needs closing is closed by `teams`."""
        self.directory: Directory | None = people
        self._config = config
        self._desk = desk
        self._places = places
        self._people = people
        self._cards = cards
        self._lists = lists
        self._digests = digests
        self._posts = posts
        self._below = below
        self._endings = endings
        self._strays = strays
        self._threads = threads
        self._posted = posted
        self._inbound = inbound
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._accounts: Memory[Reference, Sequence[str]] = Memory(self._ask_accounts, life_s=FRESH_S)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Where Teams sends to."""
        return self._inbound.routes()

    # --- cards ---

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        """Post the card; where its own place cannot be reached, in the channel of the settings, saying so below it."""
        try:
            return await self._post(await self._places.find(to), handoff)
        except Unreachable as error:
            ref = await self._instead(to, error, lambda where: self._post(where, handoff))
            self._begin(self._below.explain(Address.parse(ref.address), handoff, str(error)))
            return ref

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """A card that was posted there and that the store may not know of; Teams lets no bot look for its messages."""
        for place in (to, self._fallback(to)):
            if place is None:
                continue
            with contextlib.suppress(Unreachable):
                where = await self._places.find(place)
                if at := await self._strays.find(handoff, where.tenant, where.conversation):
                    return CardRef(self.name, at.text)
        return None

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        """Make the message show the handoff as it stands; longer stories go below it."""
        at = Address.parse(ref.address)
        await self._change(at, handoff)
        stray = await self._strays.find(handoff, at.tenant, at.channel)
        if stray and stray != at:
            with contextlib.suppress(Unreachable):
                await self._change(stray, handoff)
        await self._below.tell(at, handoff)
        if handoff.outcome:
            self._begin(self._endings.tell(handoff, at))

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say below the card what happened, and call whom the policy names."""
        await self._below.say(Address.parse(ref.address), handoff, aside, place)

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        """Post a digest, or make the posted one show what stands."""
        shown = self._digests.message(digest, now=self._clock())
        activity = message(shown.card, shown.summary, mark=f"digest:{digest.id}")
        if ref:
            await self._posts.change(Address.parse(ref.address), activity)
            return ref

        async def post(where: Reference) -> CardRef:
            return CardRef(self.name, (await self._posts.post(where, activity)).text)

        try:
            return await post(await self._places.find(to))
        except Unreachable as error:
            return await self._instead(to, error, post)

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Post a notice, once."""
        what = f"notice:{told.id}:{to.model_dump_json(exclude_none=True)}"
        summary, card = self._lists.notice(told)
        activity = message(card, summary, mark=what)

        async def say(where: Reference) -> None:
            await self._posts.once(what, where, activity, kept=_NOTICE_KEPT)

        try:
            await say(await self._places.find(to))
        except Unreachable as error:
            await self._instead(to, error, say)

    async def _post(self, where: Reference, handoff: Handoff) -> CardRef:
        at = await self._posts.post(where, await self._activity(where, handoff))
        await self._strays.saw(handoff, at)  # should the store not hear of it, it is found again
        with contextlib.suppress(StoreUnavailable):  # else a reply to it is no answer
            await self._threads.asked(handoff, at)
            await self._posted(handoff.id, *placed(at))
        return CardRef(self.name, at.text)

    async def _change(self, at: Address, handoff: Handoff) -> None:
        await self._posts.change(at, await self._activity(await self._posts.where(at), handoff))

    async def _activity(self, where: Reference, handoff: Handoff) -> dict[str, Any]:
        """The card for everybody; in a small conversation each asks for their own when they see it."""
        refresh: Sequence[str] = ()
        if handoff.state is State.PENDING:
            try:
                refresh = await self._accounts.get(where.in_thread(None))
            except DirectoryDown as error:
                log.info("teams.no_views id=%s detail=%s", handoff.id, error)
        made = self._cards.message(handoff, now=self._clock(), whom=For(refresh=refresh))
        return message(made.card, made.summary, mark=f"card:{handoff.id}")

    async def _ask_accounts(self, where: Reference) -> Sequence[str]:
        """Everybody there, if they are few."""
        return await self._people.accounts(where, most=REFRESHED) or ()

    # --- when a place cannot be reached ---

    def _fallback(self, place: wire.Place) -> wire.Place | None:
        """The channel of the settings, unless it is the very place."""
        fallback = wire.Place(surface=self.name, channel=self._config.channel) if self._config.channel else None
        return None if fallback == place else fallback

    async def _instead(self, to: wire.Place, error: Unreachable, do: Callable[[Reference], Awaitable[_T]]) -> _T:
        """Tell the operators, and do it in the channel of the settings.

        Raises:
            Unreachable: `error`, where there is no such channel, or it is no better.
        """
        where = to.channel or to.person or "no channel"
        await self._desk.alert(f"teams:{where}:{error.code}", f"Teams, {where}: {error}")
        fallback = self._fallback(to)
        if fallback is None or to.person:  # what is for one person alone is not for a channel to read and to answer
            raise error
        try:
            return await do(await self._places.find(fallback))
        except Unreachable as worse:
            await self._desk.alert(f"teams:fallback:{worse.code}", f"Teams, TEAMS_CHANNEL: {worse}")
            raise error from worse

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for it; what fails is logged and lost."""
        task = asyncio.create_task(_quietly(work), name="teams aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Say no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except BotError as error:
        log.warning("teams.unsaid detail=%s", error)
