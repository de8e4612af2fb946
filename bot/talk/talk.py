"""Answers people who talk to the bot: what waits, one card in short, and what else can be said. Says nothing itself."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.cards import GrantLine, visible
from bot.cards.listing import BrakeLine, HelpLine, PendingLine, RunLine
from bot.errors import BotError, DirectoryDown, StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Shelf
from bot.talk.brakes import Brakes
from bot.talk.grants import Grants
from bot.talk.requests import request, scope, suggestion
from bot.talk.seen import Seen
from bot.talk.who import Viewer

_ANSWERED: Final = timedelta(days=1)
_FIRST: Final = 5
_NOT_THERE: Final = "There is no such card for you."
_DOWN: Final = "I cannot look that up just now. Try again in a minute."
_GREETING: Final = "Agents ask here before they do what matters. This is what you can ask me"
_MINE: Final = "what waits for you"
_STOPS: Final = "every agent that works in this {}; stop <agent>: that one; stop all: every agent"
_STOPS_ONE: Final = "the agents that ask you; stop <agent>: that one; stop all: every agent"


@dataclass(frozen=True, slots=True)
class Waits:
    """Cards that wait."""

    lines: Sequence[PendingLine]


@dataclass(frozen=True, slots=True)
class Granted:
    """Grants that stand."""

    lines: Sequence[GrantLine]


@dataclass(frozen=True, slots=True)
class Stopped:
    """Brakes that are on."""

    lines: Sequence[BrakeLine]


@dataclass(frozen=True, slots=True)
class Shown:
    """One card in short."""

    handoff: Handoff
    link: str | None


@dataclass(frozen=True, slots=True)
class Helped:
    """What can be typed."""

    title: str
    lines: Sequence[HelpLine]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that there is for one person."""

    waiting: Sequence[PendingLine]
    runs: Sequence[RunLine]
    grants: Sequence[GrantLine]
    brakes: Sequence[BrakeLine]


Body = Waits | Granted | Stopped | Shown | Helped | Overview


@dataclass(frozen=True, slots=True)
class Said:
    """What to say back; `is_private` where others must not read it."""

    text: str
    """All of it in a few words, as plain text that may hold names and texts of others; empty for `Shown`."""
    body: Body | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody talks to the bot, and how they address it there."""

    address: str
    """What stands before each word: `/andon `, `@andon `, nothing."""
    here: str | None
    """The room that `here` means; None where there is none."""
    asks_here: bool = False
    """Does `pending` alone mean this room?"""
    noun: str = "channel"


class Talk:
    """Reads one request at a time."""

    def __init__(self, shelf: Shelf, *, seen: Seen, grants: Grants, brakes: Brakes, asking: str) -> None:
        """Look things up with `seen`; `asking` says how people say something to an agent."""
        self._shelf = shelf
        self._seen = seen
        self._grants = grants
        self._brakes = brakes
        self._asking = asking

    async def answer(self, text: str, viewing: Awaitable[Viewer], place: Place) -> Said | None:
        """What to say back to whoever `viewing` finds; None to somebody of another organisation."""
        try:
            with self._seen.ground.background():
                return await self._answer(text, await viewing, place)
        except (DirectoryDown, StoreUnavailable):
            return Said(_DOWN, is_private=True)

    async def _answer(self, text: str, viewer: Viewer, place: Place) -> Said | None:
        if viewer.person.refusal:
            return Said(visible(viewer.person.refusal), is_private=True)
        if viewer.person.standing == "external":
            return None
        return await self._reply(text, viewer, place)

    async def overview(self, viewer: Viewer) -> Overview:
        """All that there is for one person.

        Raises:
            DirectoryDown, StoreUnavailable: Not known now.
        """
        waiting = await self._seen.mine(viewer)
        runs = await self._seen.runs(viewer)
        return Overview(waiting, runs, await self._grants.seen(viewer), await self._brakes.seen(viewer))

    @asynccontextmanager
    async def once(self, what: str) -> AsyncIterator[bool]:
        """Is it the first time? What broke halfway was not done."""
        is_first = await self._shelf.once(what, _ANSWERED)
        try:
            yield is_first
        except BaseException:
            if is_first:
                with contextlib.suppress(BotError):
                    await self._shelf.forget(what)
            raise

    def greeting(self, place: Place) -> Said:
        """What to say where the bot was just added."""
        return self._help(place, _GREETING)

    # --- what to say ---

    async def _reply(self, text: str, viewer: Viewer, place: Place) -> Said:
        asked = request(text)
        match asked.verb:
            case "pending":
                where = scope(asked.rest)
                return (
                    self._help(place, _goes("pending")) if where is None else await self._pending(viewer, place, where)
                )
            case "home":
                found = await self.overview(viewer)
                return Said(_waiting(found.waiting), found, is_private=True)
            case "show":
                return await self._show(viewer, asked.rest, place)
            case "grants":
                return await self._granted(viewer)
            case "brakes":
                return await self._stopped(viewer)
            case "help":
                return self._help(place)
            case _:
                meant = suggestion(asked.word)
                return self._help(place, f"Did you mean “{meant}”?" if meant else "I do not know that word")

    async def _pending(self, viewer: Viewer, place: Place, where: str) -> Said:
        is_here = place.here and (where == "here" or (not where and place.asks_here))
        if is_here and place.here:
            found = await self._seen.here(viewer, place.here)
            return Said(_titles(found), Waits(found)) if found else Said(f"Nothing waits in this {place.noun}.")
        found = await self._seen.mine(viewer)
        return Said(_waiting(found), Waits(found) if found else None, is_private=True)

    async def _granted(self, viewer: Viewer) -> Said:
        found = await self._grants.seen(viewer)
        if not found:
            return Said("No grants stand that you can see.", is_private=True)
        said = "; ".join(each.covers for each in found[:_FIRST])
        return Said(f"{len(found):,} granted: {said}", Granted(found), is_private=True)

    async def _stopped(self, viewer: Viewer) -> Said:
        found = await self._brakes.seen(viewer)
        if not found:
            return Said("Nothing is stopped that you can see.", is_private=True)
        return Said(" ".join(each.sentence for each in found[:_FIRST]), Stopped(found), is_private=True)

    async def _show(self, viewer: Viewer, rest: str, place: Place) -> Said:
        found = await self._seen.find(viewer, rest)
        if found is None:
            return self._help(place, _goes("show"))
        if found.several:
            return Said(f"{found.several} cards end like that. Type more of the id.", is_private=True)
        if found.handoff is None:
            return Said(_NOT_THERE, is_private=True)
        link = await self._seen.link(viewer, found.handoff, found.at)
        return Said("", Shown(found.handoff, link), is_private=True)

    def _help(self, place: Place, title: str = "What you can ask me") -> Said:
        lines = help_lines(place)
        said = "\n".join([f"{title}:", *(f"{each.typed}: {each.meaning}" for each in lines), self._asking])
        return Said(said, Helped(title, lines))


def help_lines(place: Place) -> tuple[HelpLine, ...]:
    """What can be asked at a place, and what each does."""
    here = f"what waits in this {place.noun}"
    names_here = place.here is not None and not place.asks_here
    stops = _STOPS.format(place.noun) if place.asks_here or place.here else _STOPS_ONE
    return (
        HelpLine(f"{place.address}pending", here if place.asks_here else _MINE),
        *([HelpLine(f"{place.address}pending mine", f"{_MINE}, for you alone")] if place.asks_here else []),
        *([HelpLine(f"{place.address}pending here", here)] if names_here else []),
        HelpLine(f"{place.address}show <id or link>", "one card, for you alone; the end of an id will do"),
        HelpLine(f"{place.address}stop", stops),
        HelpLine(f"{place.address}resume", "let it go on; it takes somebody who may approve for it"),
        HelpLine(f"{place.address}brakes", "what is stopped, by whom, and how to let it go on"),
        HelpLine(f"{place.address}grants", "what people let run without being asked again, and how to end it"),
        HelpLine(f"{place.address}help", "this"),
    )


def _goes(word: str) -> str:
    return f"This is how “{word}” goes"


def _waiting(found: Sequence[PendingLine]) -> str:
    return _titles(found) if found else "Nothing waits for you."


def _titles(found: Sequence[PendingLine]) -> str:
    titles = "; ".join(" ".join(each.summary.title.text.split()) for each in found[:_FIRST])
    return f"{len(found):,} waiting: {titles}"
