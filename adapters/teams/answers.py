"""From a press on a card or in a dialog to the desk; and back to the person, in the reply, what it came to."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.teams import reading
from adapters.teams.address import Address
from adapters.teams.answering import ANSWERING, answer
from adapters.teams.carried import Pressed
from adapters.teams.cards import Cards, For
from adapters.teams.forms import Filled
from adapters.teams.people import People, Person
from adapters.teams.declined import why_not
from adapters.teams.replying import Json, closing, in_dialog, with_card, with_fault, with_words
from adapters.teams.sheets import Sheets
from adapters.teams.strays import Strays
from adapters.teams.whose import Whose
from andon import wire
from bot.cards import card
from bot.errors import AlreadyDecided, BadRequest, BotError, Fault, InvalidAnswer, NotAnApprover
from bot.handoff import Handoff
from bot.ports import Desk

log = logging.getLogger("andon.teams")

_TAKEN: Final = "Recorded. This message shows it in a moment."


@dataclass(frozen=True, slots=True)
class Presser:
    """Who pressed, on which message, and by which invoke."""

    user: str
    """Their object id in the directory."""
    address: Address
    """Of the message; its id is empty where Teams did not tell it."""
    invoke: str
    """The id of the invoke: the same when it comes again."""

    @property
    def id(self) -> str:
        """As their `Actor` has it."""
        return f"{self.address.tenant}/{self.user}"

    @property
    def answer_id(self) -> str:
        """The same press again is the same answer."""
        return f"teams:{self.id}:{self.invoke}"


class Answers:
    """Takes one press at a time. Whatever happens, the person is told when it did not count, and why."""

    def __init__(
        self,
        desk: Desk,
        *,
        people: People,
        whose: Whose,
        strays: Strays,
        cards: Cards,
        sheets: Sheets,
        clock: Callable[[], datetime],
    ) -> None:
        """Keep what is needed to answer."""
        self._desk = desk
        self._people = people
        self._whose = whose
        self._strays = strays
        self._cards = cards
        self._sheets = sheets
        self._clock = clock

    # --- on cards ---

    async def pressed(self, press: Pressed, presser: Presser) -> Json:
        """A button of a card: the reply is a card for whoever pressed, or a sentence."""
        try:
            handoff = await self._look(press, presser)
            if press.do in ANSWERING:
                return await self._answered(press, handoff, presser)
            whom = await self._whom(handoff, presser)
            return with_card(self._shown(press, handoff, whom))
        except BotError as error:
            told = why_not(error, by=presser.id, now=self._clock())
            return with_words(told) if told else await self._as_it_stands(press, presser)

    async def refreshed(self, press: Pressed, presser: Presser) -> Json:
        """Somebody looks at a card: theirs has the buttons that they may press."""
        try:
            handoff = await self._look(press, presser)
            return await self._card(handoff, await self._whom(handoff, presser))
        except BotError as error:
            log.info("teams.not_refreshed id=%s detail=%s", press.handoff, error)
            return with_fault(error.status, why_not(error, by=presser.id, now=self._clock()))

    async def _answered(self, press: Pressed, handoff: Handoff, presser: Presser) -> Json:
        person = await self._person(handoff, presser)
        if press.do == "approve" and not press.full and not handoff.decision and self._must_read(handoff):
            return with_card(self._sheets.read(handoff, now=self._clock()))
        try:
            decided = await self._record(press, handoff, presser, person)
        except InvalidAnswer as error:
            whom = await self._whom(handoff, presser, self._filled(press, handoff, error))
            return await self._card(handoff, whom)
        if press.in_list:
            return with_words(_TAKEN)
        return await self._card(decided, await self._whom(decided, presser))

    async def _as_it_stands(self, press: Pressed, presser: Presser) -> Json:
        """The card once more, after a second tap of the person whose answer stands."""
        if press.in_list:
            return with_words(_TAKEN)
        handoff = await self._desk.look(press.handoff)
        return await self._card(handoff, For())

    async def _card(self, handoff: Handoff, whom: For) -> Json:
        return with_card(self._cards.message(handoff, now=self._clock(), whom=whom).card)

    # --- in dialogs ---

    async def opened(self, press: Pressed, presser: Presser) -> Json | None:
        """A button that opens a dialog."""
        try:
            handoff = await self._look(press, presser)
            await self._person(handoff, presser)
            return self._sheet(press, handoff)
        except BotError as error:
            return closing(why_not(error, by=presser.id, now=self._clock()))

    async def submitted(self, press: Pressed, presser: Presser) -> Json | None:
        """A button in a dialog: it closes, turns a page, or says what is wrong with what was typed."""
        try:
            handoff = await self._look(press, presser)
            person = await self._person(handoff, presser)
            if press.do not in ANSWERING:
                return self._sheet(press, handoff)
            try:
                await self._record(press, handoff, presser, person)
            except InvalidAnswer as error:
                return self._sheet(press, handoff, self._filled(press, handoff, error))
        except BotError as error:
            return closing(why_not(error, by=presser.id, now=self._clock()))
        return None

    # --- what both do ---

    async def _look(self, press: Pressed, presser: Presser) -> Handoff:
        handoff = await self._desk.look(press.handoff)
        is_known = await self._whose.check(handoff, presser.address)
        if not is_known and not press.in_list:
            await self._strays.saw(handoff, presser.address)
        return handoff

    async def _record(self, press: Pressed, handoff: Handoff, presser: Presser, person: Person) -> Handoff:
        """Answer at the desk; returns the handoff as it then stands.

        Raises:
            InvalidAnswer: It does not fit; nothing was recorded.
        """
        now = self._clock()
        is_shown = press.in_list or not self._must_read(handoff)
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

    def _filled(self, press: Pressed, handoff: Handoff, error: InvalidAnswer) -> Filled:
        faults = error.faults or (Fault("", error.detail),)
        return reading.filled(card(handoff, now=self._clock()), press, faults)

    def _must_read(self, handoff: Handoff) -> bool:
        """Is one tap too few? What is not on the card in full is read first, and so is what takes more care."""
        return bool(handoff.route.step_up) or not self._cards.is_whole(handoff, now=self._clock())

    async def _whom(self, handoff: Handoff, presser: Presser, filled: Filled | None = None) -> For:
        """What this person sees of it."""
        try:
            person = await self._person(handoff, presser)
        except NotAnApprover as error:
            return For(may_answer=False, refused=error.detail)
        return For(conflict=self._desk.conflict(handoff, person.actor), filled=filled)

    async def _person(self, handoff: Handoff, presser: Presser) -> Person:
        """Who it is, checked now.

        Raises:
            NotAnApprover: They may never answer, or not this.
            DirectoryDown: Teams does not tell.
        """
        person = await self._people.person(presser.address.tenant, presser.user, conversation=presser.address.conversation)
        if person.refusal:
            raise NotAnApprover(person.refusal, handoff=handoff.id)
        await self._desk.may_answer(handoff, person.actor, standing=person.standing)
        return person

    async def _named(self, given: wire.Answer, handoff: Handoff, presser: Presser) -> wire.Answer:
        """Whoever was picked, by the address that people know them by.

        Raises:
            InvalidAnswer: They may never answer, or are not there.
            DirectoryDown: Teams does not tell.
        """
        if not isinstance(given, wire.Reassign) or not given.to.startswith("teams:"):
            return given
        tenant, _, user = given.to.removeprefix("teams:").partition("/")
        person = await self._people.person(tenant, user, conversation=presser.address.conversation)
        if person.refusal:
            raise InvalidAnswer(person.refusal, handoff=handoff.id, faults=[Fault("to", person.refusal)])
        return given.model_copy(update={"to": person.actor.email or f"teams:{person.actor.id}"})
