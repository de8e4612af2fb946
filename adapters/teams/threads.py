"""A reply to a question, taken as its answer: below the card in a channel, in a chat with the bot, or to it by name.

In a channel a question has its own thread. A chat has none: there a message answers the one question that waits in it,
and where there are several, the card of each does.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.teams import words
from adapters.teams.address import Address
from adapters.teams.answers import Presser
from adapters.teams.cards import Cards
from adapters.teams.errors import NoAccess, TeamsFailed, Unreachable
from adapters.teams.people import People, Person
from adapters.teams.places import Places
from adapters.teams.posts import Posts, message
from adapters.teams.references import Reference
from adapters.teams.texts import blocks
from adapters.teams.whisper import Whisper
from andon import wire
from bot.cards import NEEDS_FORM, NeedsForm, not_recorded, recorded, typed_answer, visible, why_no_reply
from bot.cards.rich import clip, line
from bot.errors import AlreadyDecided, BotError, Conflict, DirectoryDown, Gone, InvalidAnswer, NotAnApprover
from bot.handoff import Handoff
from bot.ports import Desk, Shelf

_KEPT: Final = timedelta(days=8)
"""Longer than a handoff can be open."""
_LATE: Final = timedelta(minutes=10)
"""So long after a decision somebody may still believe that their reply counts; later people just talk."""
_AGAIN: Final = timedelta(hours=1)
_PAGES: Final = 5
_SEVERAL: Final = "Several questions wait here, so a reply cannot tell which it answers. Press Answer on the card."
_ODD_TOLD: Final = "Not recorded: only a plain reply is an answer. Send the text alone."
_TOLD_CHARS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person wrote where a question may wait."""

    activity: Mapping[str, Any]

    @property
    def where(self) -> Reference:
        """The conversation, with its thread."""
        return Reference.of(self.activity)

    @property
    def at(self) -> Address:
        """The message itself."""
        return Address(self.where.tenant, self.where.id, str(self.activity.get("id") or ""))

    @property
    def text(self) -> str:
        """What was typed, without the mentions of the bot."""
        return words.typed(self.activity)


class Threads:
    """Takes one message at a time; the same one again changes nothing and is not told again."""

    def __init__(
        self, desk: Desk, shelf: Shelf, *, people: People, places: Places, posts: Posts, whisper: Whisper, cards: Cards
    ) -> None:
        """Answer at the desk."""
        self._desk = desk
        self._shelf = shelf
        self._people = people
        self._places = places
        self._posts = posts
        self._whisper = whisper
        self._cards = cards

    async def asked(self, handoff: Handoff, at: Address) -> None:
        """A card was posted: if it is a question that takes replies, they may come in this conversation.

        Raises:
            StoreUnavailable: It is not known.
        """
        if _takes_replies(handoff):
            await self._shelf.save(_asked_in(at.tenant, at.conversation), handoff.id, _KEPT)

    async def replied(self, activity: Mapping[str, Any], *, now: datetime) -> bool:
        """Take a message as the answer to a question that waits where it was written.

        Returns:
            Whether it was taken as one, or its author was told why not; False: it means something else, or nothing.

        Raises:
            StoreUnavailable: It may have been recorded; the same message again is safe.
        """
        reply = Reply(activity)
        is_meant = reply.where.kind != "groupChat" or words.is_called(activity)
        if not reply.text or not is_meant or not words.is_by_person(activity):
            return False
        if reply.where.kind == "channel":
            waiting = await self._above(reply, now)
        else:
            waiting = await self._waiting(reply)
        if not waiting:
            return False
        if len(waiting) > 1:
            await self._say(reply, f"several:{reply.at.text}", _SEVERAL)
            return True
        handoff = waiting[0]
        try:
            await self._answer(reply, handoff)
        except (Conflict, NotAnApprover, Gone, DirectoryDown) as error:
            await self._why_not(reply, handoff, error)
        return True

    async def _why_not(self, reply: Reply, handoff: Handoff, error: BotError) -> None:
        """Tell the author, alone where that works, once an hour: they may be talking to each other."""
        author, told = Presser(reply.activity), why_no_reply(error, platform="Teams")
        once = f"why_not:{error.slug}:{handoff.id}:{author.user}"
        if not await self._shelf.once(f"reply:{once}", _AGAIN):
            return
        if reply.where.kind == "personal" or not await self._whisper.tell(author, told):
            await self._post(reply, once, told)

    async def _above(self, reply: Reply, now: datetime) -> Sequence[Handoff]:
        """In a channel: the question whose card the thread hangs from, or that was asked last in the thread."""
        where = reply.where
        card = Address(where.tenant, where.id, where.thread).text
        known = await self._desk.card_at("teams", card) or await self._shelf.load(_asked_in(where.tenant, where.id))
        if known is None:
            return ()
        try:
            handoff = await self._desk.look(known)
        except Gone:
            return ()
        is_over = handoff.decision and now - handoff.decision.at > _LATE
        return () if is_over or not _takes_replies(handoff) else (handoff,)

    async def _waiting(self, reply: Reply) -> Sequence[Handoff]:
        """In a chat: every question that waits in it. Only a chat that was ever asked something costs a look."""
        where = reply.where
        if await self._shelf.load(_asked_in(where.tenant, where.id)) is None:
            return ()
        found: list[Handoff] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._desk.inbox(cursor)
            found += [each for each in page.handoffs if _takes_replies(each) and await self._is_at(each, where)]
            cursor = page.cursor
            if cursor is None:
                return found
        return ()  # so much waits that nobody can tell

    async def _is_at(self, handoff: Handoff, where: Reference) -> bool:
        for place in handoff.places:
            if place.surface == "teams":
                with contextlib.suppress(Unreachable, TeamsFailed, NoAccess, DirectoryDown):
                    if (await self._places.find(place)).conversation == where.conversation:
                        return True
        return False

    async def _answer(self, reply: Reply, handoff: Handoff) -> None:
        """Record it; whoever may not answer learns that before anything else."""
        person = await self._person(reply, handoff)
        if handoff.decision is None:
            await self._desk.may_answer(handoff, person.actor, standing=person.standing)
            if words.has_files(reply.activity):
                return await self._say(reply, f"odd:{reply.at.text}", _ODD_TOLD)
        try:
            value = typed_answer(handoff, reply.text)
            answer = wire.Reply(revision=handoff.revision, digest=handoff.digest, answer=value)
            await self._desk.answer(
                handoff.id, answer, person.actor, answer_id=f"teams:{reply.at.text}", standing=person.standing
            )
        except NeedsForm:
            return await self._say(reply, f"form:{handoff.id}", NEEDS_FORM)
        except InvalidAnswer as error:
            if handoff.decision:
                raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision) from error
            return await self._say(reply, f"fault:{reply.at.text}", not_recorded(error))
        return await self._say(reply, f"recorded:{handoff.id}", recorded(handoff, value, person.actor))

    async def _person(self, reply: Reply, handoff: Handoff) -> Person:
        person = await self._people.person(reply.activity)
        if person.refusal:
            raise NotAnApprover(person.refusal, handoff=handoff.id)
        return person

    async def _say(self, reply: Reply, once: str, text: str) -> None:
        """Tell everybody where the reply was written, once."""
        if await self._shelf.once(f"reply:{once}", _KEPT) and not await self._post(reply, once, text):
            await self._shelf.forget(f"reply:{once}")  # the answer itself is recorded, and the card shows it

    async def _post(self, reply: Reply, mark: str, text: str) -> bool:
        said = clip(visible(text), _TOLD_CHARS)
        card = self._cards.render("below", calls="", entities=[], blocks=blocks([line(said)]), facts=())
        return await self._posts.say(reply.where, message(card, said, mark=f"reply:{mark}"))


def _takes_replies(handoff: Handoff) -> bool:
    return isinstance(handoff.ask, wire.Input) and handoff.ask.reply_in_thread


def _asked_in(tenant: str, conversation: str) -> str:
    """Where the shelf keeps which question was asked last in this conversation, or in this thread."""
    return f"asked-in:{tenant}/{conversation}"
