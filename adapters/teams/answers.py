"""From a press on a card or in a dialog to the desk; and back to the person, in the reply, what it came to."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.teams import reading
from adapters.teams.address import Address
from adapters.teams.answering import ANSWERING, answer
from adapters.teams.cards import Cards, For
from adapters.teams.carried import Pressed
from adapters.teams.forms import Filled
from adapters.teams.people import People, Person
from adapters.teams.pressable import SOURCE
from adapters.teams.references import Reference
from adapters.teams.replying import Json, closing, found, in_dialog, with_card, with_fault, with_words
from adapters.teams.sheets import MOST_PAGES, Sheet, Sheets
from adapters.teams.strays import Strays
from adapters.teams.whose import Whose
from andon import wire
from bot.cards import card, why_not
from bot.errors import AlreadyDecided, BadRequest, BotError, Fault, InvalidAnswer, NotAnApprover
from bot.handoff import Handoff
from bot.ports import Desk
from bot.talk import Standings, is_final

log = logging.getLogger("andon.teams")

_FORMS: Final = frozenset({"edit", "answer", "reject", "ask-else", "ask-agent"})
"""What is filled in on the card itself."""
_NOT_HERE: Final = "They are not in this conversation; type their e-mail address instead."
_TAKEN: Final = "Recorded. This message shows it in a moment."


@dataclass(frozen=True, slots=True)
class Presser:
    """Who pressed, on which message, and by which invoke."""

    activity: Mapping[str, Any]
    """The invoke as it came, verified."""

    @property
    def user(self) -> str:
        """Their id in the directory; empty for somebody who has none."""
        return str(self.activity["from"].get("aadObjectId") or "")

    @property
    def where(self) -> Reference:
        """The conversation of the message, with its thread."""
        return Reference.of(self.activity)

    @property
    def address(self) -> Address:
        """Of the message; its id is empty where Teams did not tell it."""
        return Address(self.where.tenant, self.where.id, str(self.activity.get("replyToId") or ""))

    @property
    def answer_id(self) -> str:
        """The same press again is the same answer."""
        sender = self.activity["from"]
        return f"teams:{self.where.tenant}:{self.user or sender.get('id')}:{self.activity['id']}"


class Answers:
    """Takes one press at a time. Whatever happens, the person is told when it did not count, and why."""

    def __init__(
        self,
        desk: Desk,
        *,
        people: People,
        whose: Whose,
        standings: Standings,
        strays: Strays,
        cards: Cards,
        sheets: Sheets,
        clock: Callable[[], datetime],
    ) -> None:
        """Keep what is needed to answer."""
        self._desk = desk
        self._people = people
        self._whose = whose
        self._standings = standings
        self._strays = strays
        self._cards = cards
        self._sheets = sheets
        self._clock = clock

    # --- on cards ---

    async def pressed(self, press: Pressed, presser: Presser) -> Json:
        """A button of a card: the reply is a card for whoever pressed, or a sentence."""
        try:
            handoff = await self._desk.look(press.handoff)
            is_known = await self._whose.check(handoff, presser.address)
            if press.do == "back":
                return self._card(handoff, await self._whom(handoff, presser))
            person = await self._person(handoff, presser)
            if press.do not in ANSWERING:
                _is_open(handoff)
                return self._shown(press, handoff, person)
            if await self._asks_again(press, handoff, person):
                return with_card(self._sheet("again", press, handoff, person, page=0).card)
            try:
                decided = await self._record(press, handoff, presser, person)
            except InvalidAnswer as error:
                return self._again(press, handoff, person, error)
            # It is recorded: nothing that is looked up for the reply may say otherwise.
            whom = For(conflict=self._desk.conflict(decided, person.actor))
            return self._card(decided, whom) if is_known else with_words(_TAKEN)
        except BotError as error:
            told = why_not(error, surface="teams", user=presser.user, now=self._clock())
            return with_words(told) if told else await self._as_it_stands(press)

    async def refreshed(self, press: Pressed, presser: Presser) -> Json:
        """Somebody looks at a card: theirs has the buttons that they may press."""
        try:
            handoff = await self._desk.look(press.handoff)
            if not await self._whose.check(handoff, presser.address):
                await self._strays.saw(handoff, presser.address)
            return self._card(handoff, await self._whom(handoff, presser))
        except BotError as error:
            log.info("teams.not_refreshed id=%s detail=%s", press.handoff, error)
            return with_fault(error.status, why_not(error, surface="teams", user=presser.user, now=self._clock()))

    def _shown(self, press: Pressed, handoff: Handoff, person: Person) -> Json:
        """More of it, in the place of the card."""
        index = reading.candidate(press)
        if press.do == "look" and index is None:
            return self._filled_card(press, handoff, person, [Fault("choice", "Pick one first.")])
        name = press.sheet if press.do == "turn" else press.do
        return with_card(self._sheet(name, press, handoff, person).card)

    def _again(self, press: Pressed, handoff: Handoff, person: Person, error: InvalidAnswer) -> Json:
        """What was filled in, with what is wrong beside it.

        Raises:
            InvalidAnswer: It is about no input.
        """
        if press.do in _FORMS and error.faults:
            return self._filled_card(press, handoff, person, error.faults)
        name = "look" if press.do == "choose" else "grant" if press.do == "approve" and press.index is not None else ""
        if not name:
            raise error
        filled = self._filled(press, handoff, error.faults or (Fault("", error.detail),))
        return with_card(self._sheet(name, press, handoff, person, filled).card)

    def _filled_card(self, press: Pressed, handoff: Handoff, person: Person, faults: Sequence[Fault]) -> Json:
        whom = For(conflict=self._desk.conflict(handoff, person.actor), filled=self._filled(press, handoff, faults))
        return self._card(handoff, whom)

    async def _as_it_stands(self, press: Pressed) -> Json:
        """The card once more, after a second tap of the person whose answer stands."""
        return self._card(await self._desk.look(press.handoff), For())

    def _card(self, handoff: Handoff, whom: For) -> Json:
        return with_card(self._cards.message(handoff, now=self._clock(), whom=whom).card)

    async def searched(self, source: str, query: str, presser: Presser) -> Json:
        """Candidates that fit what was typed into the menu of a choice; none for who is not where its card is."""
        try:
            handoff = await self._desk.look(source.removeprefix(SOURCE))
            await self._whose.check(handoff, presser.address)
        except BotError:
            return found([])
        return found(self._cards.options(handoff, query, now=self._clock()))

    # --- in dialogs ---

    async def opened(self, press: Pressed, presser: Presser) -> Json | None:
        """A button that opens a dialog, or is in one: it closes it, turns a page, or says what is wrong in it."""
        try:
            handoff = await self._desk.look(press.handoff)
            await self._whose.check(handoff, presser.address)
            person = await self._person(handoff, presser)
            if press.do not in ANSWERING:
                _is_open(handoff)
                sheet = self._sheet(press.sheet, press, handoff, person)
                return in_dialog(sheet.card, sheet.title)
            try:
                await self._record(press, handoff, presser, person)
            except InvalidAnswer as error:
                filled = self._filled(press, handoff, error.faults or (Fault("", error.detail),))
                name = press.do if press.do in {"edit", "answer"} else "read"
                sheet = self._sheet(name, press, handoff, person, filled, page=MOST_PAGES)
                return in_dialog(sheet.card, sheet.title)
        except BotError as error:
            return closing(why_not(error, surface="teams", user=presser.user, now=self._clock()))
        return None

    def _sheet(  # a case a sheet
        self,
        name: str,
        press: Pressed,
        handoff: Handoff,
        person: Person,
        filled: Filled | None = None,
        *,
        page: int | None = None,
    ) -> Sheet:
        now, at = self._clock(), press.page if page is None else page
        conflict = self._desk.conflict(handoff, person.actor)
        index = reading.candidate(press)
        match name:
            case "edit":
                return self._sheets.edit(handoff, now=now, page=at, filled=filled)
            case "answer":
                return self._sheets.answer(handoff, now=now, page=at, filled=filled)
            case "look":
                chosen = -1 if index is None else index
                return self._sheets.look(handoff, chosen, now=now, page=at, filled=filled, conflict=conflict)
            case "grant":
                offered = -1 if press.index is None else press.index
                return self._sheets.grant(handoff, offered, now=now, page=at, filled=filled)
            case "read" | "again":
                in_place = name == "again"
                return self._sheets.read(handoff, now=now, page=at, filled=filled, conflict=conflict, in_place=in_place)
        raise BadRequest("this press is none that a card of ours can send; open the card again and press there")

    # --- what both do ---

    async def _record(self, press: Pressed, handoff: Handoff, presser: Presser, person: Person) -> Handoff:
        """Answer at the desk; returns the handoff as it then stands.

        Raises:
            InvalidAnswer: It does not fit; nothing was recorded.
        """
        now = self._clock()
        is_shown = not self._must_read(handoff)
        try:
            given = answer(handoff, press, tenant=presser.address.tenant, is_shown=is_shown, now=now)
        except InvalidAnswer as error:
            if handoff.decision:
                raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision) from error
            raise
        given = await self._named(given, handoff, presser)
        return await self._desk.answer(
            handoff.id, given, person.actor, answer_id=presser.answer_id, standing=person.standing
        )

    def _filled(self, press: Pressed, handoff: Handoff, faults: Sequence[Fault]) -> Filled:
        return reading.filled(card(handoff, now=self._clock()), press, faults)

    def _must_read(self, handoff: Handoff) -> bool:
        """Is one tap too few? What is not on the card in full is read first, and so is what takes more care."""
        return bool(handoff.route.step_up) or not self._cards.is_whole(handoff, now=self._clock())

    async def _asks_again(self, press: Pressed, handoff: Handoff, person: Person) -> bool:
        """Is this tap not the yes yet, because this person wants to see first all of what cannot be undone?"""
        if press.do != "approve" or press.full or handoff.decision or self._must_read(handoff):
            return False
        return is_final(handoff) and (await self._standings.load(person.actor.id)).twice

    async def _whom(self, handoff: Handoff, presser: Presser) -> For:
        """What this person sees of it."""
        try:
            person = await self._person(handoff, presser)
        except NotAnApprover as error:
            return For(may_answer=False, refused=error.detail)
        return For(conflict=self._desk.conflict(handoff, person.actor))

    async def _person(self, handoff: Handoff, presser: Presser) -> Person:
        """Who it is, checked now.

        Raises:
            NotAnApprover: They may never answer, or not this.
            DirectoryDown: Teams does not tell.
        """
        person = await self._people.person(presser.activity)
        if person.refusal:
            raise NotAnApprover(person.refusal, handoff=handoff.id)
        await self._desk.may_answer(handoff, person.actor, standing=person.standing)
        return person

    async def _named(self, given: wire.Answer, handoff: Handoff, presser: Presser) -> wire.Answer:
        """Whoever was picked, by the address that people know them by.

        Raises:
            InvalidAnswer: They are not there.
            DirectoryDown: Teams does not tell.
        """
        if not isinstance(given, wire.Reassign) or not given.to.startswith("teams:"):
            return given
        person = await self._people.named(presser.where, given.to.rpartition("/")[2])
        if person is None:
            raise InvalidAnswer(_NOT_HERE, handoff=handoff.id, faults=[Fault("to", _NOT_HERE)])
        return given.model_copy(update={"to": person.actor.email or f"teams:{person.actor.id}"})


def _is_open(handoff: Handoff) -> None:
    """Nothing more is opened of what is decided.

    Raises:
        AlreadyDecided: It is.
    """
    if handoff.decision:
        raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision)
