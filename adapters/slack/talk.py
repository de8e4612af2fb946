"""Answers people who talk to the bot: what waits, one card in short, and what else can be said."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.slack import words
from adapters.slack.brakes import Brakes
from adapters.slack.brief import brief
from adapters.slack.cards import Cards
from adapters.slack.fit import Json
from adapters.slack.granting import Granting
from adapters.slack.installs import Installs
from adapters.slack.lists import Lists
from adapters.slack.markup import mrkdwn
from adapters.slack.pace import background
from adapters.slack.saying import Listener, Saying
from adapters.slack.threads import Threads, is_by_person
from adapters.slack.waiting import Viewer, Waiting
from bot.cards import visible
from bot.cards.listing import HelpLine, PendingLine
from bot.errors import BotError, DirectoryDown, StoreUnavailable
from bot.ports import Shelf

_ANSWERED: Final = timedelta(days=1)
_TEXT_CHARS: Final = 3_000
_FIRST: Final = 5
_ASK: Final = "To say something to an agent, use “Ask the agent about this” in the menu of a message."
_NOT_THERE: Final = "There is no such card for you."
_DOWN: Final = "I cannot look that up just now. Try again in a minute."
_MEMBERS: Final = "I talk with people of this workspace only."


@dataclass(frozen=True, slots=True)
class Said:
    """What to say back; `is_private` where others must not read it."""

    text: str
    blocks: list[Json] | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody talks to the bot, and how they address it there."""

    channel: str
    address: str
    """What stands before each word: `/andon `, `@andon `, nothing."""
    here: str | None
    """The channel that `here` means; None where there is none."""
    asks_here: bool = False
    """Does `pending` alone mean this channel?"""


class Talk:
    """Takes one message or command at a time; the same message again is answered once."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        waiting: Waiting,
        threads: Threads,
        saying: Saying,
        installs: Installs,
        cards: Cards,
        lists: Lists,
        granting: Granting,
        brakes: Brakes,
        clock: Callable[[], datetime],
    ) -> None:
        """Look things up with `waiting`; answers to cards are for `threads`."""
        self._shelf = shelf
        self._waiting = waiting
        self._threads = threads
        self._saying = saying
        self._installs = installs
        self._cards = cards
        self._lists = lists
        self._granting = granting
        self._brakes = brakes
        self._clock = clock

    async def mentioned(self, event: Mapping[str, Any], team: str) -> None:
        """Somebody called the bot in a channel: answer below. What only they may know is shown to them alone."""
        if not _is_said(event) or await self._threads.replied(event, team):
            return
        channel, ts = str(event["channel"]), str(event["ts"])
        listener = Listener(team, str(event["user"]), channel, str(event.get("thread_ts") or ts))
        async with self._once(f"talk:{team}/{channel}/{ts}") as is_first:
            if not is_first:
                return
            bot = await self._installs.bot(team)
            text = words.typed(words.addressed(str(event.get("text") or ""), bot.user), {})
            place = Place(channel, f"@{bot.name} ", channel, asks_here=True)
            said = await self._answer(text, listener, place, _user_team(event))
            if said is None:
                return
            if said.is_private:
                # Below a message that has no replies yet nobody would see it.
                thread = event.get("thread_ts")
                alone = Listener(team, listener.user, channel, str(thread) if thread else None)
                await self._saying.tell(alone, said.text, said.blocks)
            else:
                await self._saying.say(team, channel, said.text, said.blocks, thread=listener.thread)

    async def messaged(self, event: Mapping[str, Any], team: str) -> None:
        """Somebody wrote to the bot directly: answer there."""
        if not _is_said(event):
            return
        channel, ts = str(event["channel"]), str(event["ts"])
        thread = str(event["thread_ts"]) if event.get("thread_ts") else None
        listener = Listener(team, str(event["user"]), channel, thread)
        async with self._once(f"talk:{team}/{channel}/{ts}") as is_first:
            if not is_first:
                return
            bot = await self._installs.bot(team)
            text = words.typed(words.addressed(str(event.get("text") or ""), bot.user), {})
            said = await self._answer(text, listener, Place(channel, "", None), _user_team(event))
            if said:
                await self._saying.say(team, channel, said.text, said.blocks, thread=thread)

    async def command(self, payload: Mapping[str, Any], team: str) -> None:
        """`/andon` was typed: answer, to this person alone."""
        channel = str(payload.get("channel_id") or "")
        url = str(payload.get("response_url") or "") or None
        listener = Listener(team, str(payload["user_id"]), channel or None, response_url=url)
        here = None if channel.startswith("D") else channel
        place = Place(channel, f"{payload.get('command') or '/andon'} ", here)
        said = await self._answer(words.typed(str(payload.get("text") or ""), {}), listener, place, None)
        if said is None:
            said = Said(_MEMBERS)
        await self._saying.tell(listener, said.text, said.blocks)

    # --- what to say ---

    async def _answer(self, text: str, listener: Listener, place: Place, user_team: str | None) -> Said | None:
        """What to say back; None to somebody of another organisation, who is not talked with."""
        try:
            with background():
                return await self._looked_up(text, listener, place, user_team)
        except (DirectoryDown, StoreUnavailable):
            return Said(_DOWN, is_private=True)

    async def _looked_up(self, text: str, listener: Listener, place: Place, user_team: str | None) -> Said | None:
        viewer = await self._waiting.viewer(
            listener.team, listener.user, channel=place.channel or None, user_team=user_team
        )
        if viewer.person.refusal:
            return Said(mrkdwn(visible(viewer.person.refusal), _TEXT_CHARS), is_private=True)
        if viewer.person.standing == "external":
            return None
        return await self._reply(text, viewer, place)

    async def _reply(self, text: str, viewer: Viewer, place: Place) -> Said:
        request = words.said(text)
        match request.verb:
            case "pending":
                scope = words.scope(request.rest)
                return self._help(place, "pending") if scope is None else await self._pending(viewer, place, scope)
            case "show":
                return await self._show(viewer, request.rest, place)
            case "grants":
                return await self._grants(viewer)
            case "brakes":
                return await self._stopped(viewer)
            case "help":
                return self._help(place)
            case _:
                return self._help(place, words.suggestion(request.word), is_known=False)

    async def _pending(self, viewer: Viewer, place: Place, scope: str) -> Said:
        is_here = place.here and (scope == "here" or (not scope and place.asks_here))
        if is_here and place.here:
            found = await self._waiting.here(viewer, place.here)
            return self._list(found) if found else Said("Nothing waits in this channel.")
        found = await self._waiting.mine(viewer)
        said = self._list(found) if found else Said("Nothing waits for you.")
        return Said(said.text, said.blocks, is_private=True)

    def _list(self, found: Sequence[PendingLine]) -> Said:
        titles = "; ".join(" ".join(each.summary.title.text.split()) for each in found[:_FIRST])
        return Said(mrkdwn(f"{len(found):,} waiting: {titles}", _TEXT_CHARS), self._lists.pending(found))

    async def _grants(self, viewer: Viewer) -> Said:
        found = await self._granting.seen(viewer)
        if not found:
            return Said("No grants stand that you can see.", is_private=True)
        said = "; ".join(each.covers for each in found[:_FIRST])
        return Said(mrkdwn(f"{len(found):,} granted: {said}", _TEXT_CHARS), self._lists.grants(found), is_private=True)

    async def _stopped(self, viewer: Viewer) -> Said:
        found = await self._brakes.seen(viewer)
        if not found:
            return Said("Nothing is stopped that you can see.", is_private=True)
        said = " ".join(each.sentence for each in found[:_FIRST])
        return Said(mrkdwn(said, _TEXT_CHARS), self._lists.brakes(found), is_private=True)

    async def _show(self, viewer: Viewer, rest: str, place: Place) -> Said:
        meant = words.reference(rest)
        if meant is None:
            return self._help(place, "show")
        found = await self._waiting.find(viewer, meant)
        if found.several:
            return Said(f"{found.several} cards end like that. Type more of the id.", is_private=True)
        if found.handoff is None:
            return Said(_NOT_THERE, is_private=True)
        link = await self._waiting.link(viewer, found.handoff, found.address)
        told = brief(self._cards, found.handoff, now=self._clock(), permalink=link)
        return Said(told.text, told.blocks, is_private=True)

    def _help(self, place: Place, meant: str = "", *, is_known: bool = True) -> Said:
        if meant:
            title = f"Did you mean “{meant}”?" if not is_known else f"This is how “{meant}” goes"
        else:
            title = "What you can ask me" if is_known else "I do not know that word"
        help_lines = [
            HelpLine(f"{place.address}pending", "what waits in this channel" if place.asks_here else _MINE),
            *([HelpLine(f"{place.address}pending mine", f"{_MINE}, for you alone")] if place.asks_here else []),
            *([HelpLine(f"{place.address}pending here", "what waits in this channel")] if _names_here(place) else []),
            HelpLine(f"{place.address}show <id or link>", "one card, for you alone; the end of an id will do"),
            HelpLine(f"{place.address}stop", _STOPS if place.asks_here or place.here else _STOPS_ONE),
            HelpLine(f"{place.address}resume", "let it go on; it takes somebody who may approve for it"),
            HelpLine(f"{place.address}brakes", "what is stopped, by whom, and how to let it go on"),
            HelpLine(f"{place.address}grants", "what people let run without being asked again, and how to end it"),
            HelpLine(f"{place.address}help", "this"),
        ]
        said = "\n".join([f"{title}:", *(f"{each.typed}: {each.meaning}" for each in help_lines), _ASK])
        return Said(mrkdwn(said, _TEXT_CHARS), self._lists.help(title, help_lines))

    @asynccontextmanager
    async def _once(self, what: str) -> AsyncIterator[bool]:
        """Is it the first time? What broke halfway was not done."""
        is_first = await self._shelf.once(what, _ANSWERED)
        try:
            yield is_first
        except BaseException:
            if is_first:
                with contextlib.suppress(BotError):
                    await self._shelf.forget(what)
            raise


_MINE: Final = "what waits for you"
_STOPS: Final = "every agent that works in this channel; stop <agent>: that one; stop all: every agent"
_STOPS_ONE: Final = "the agents that ask you; stop <agent>: that one; stop all: every agent"


def _names_here(place: Place) -> bool:
    return place.here is not None and not place.asks_here


def _is_said(event: Mapping[str, Any]) -> bool:
    """Did a person say this just now, to whoever reads it?"""
    return is_by_person(event) and not event.get("subtype")


def _user_team(event: Mapping[str, Any]) -> str | None:
    found = event.get("user_team") or event.get("source_team") or event.get("team")
    return str(found) if found else None
