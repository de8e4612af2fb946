"""A reply below a card, taken as the answer to its question; people may talk below every other card."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.slack import words
from adapters.slack.address import Address
from adapters.slack.installs import Installs
from adapters.slack.marks import Marks
from adapters.slack.markup import mrkdwn
from adapters.slack.naming import names
from adapters.slack.people import People
from adapters.slack.places import Places
from adapters.slack.saying import Listener, Saying
from adapters.slack.whisper import Whisper
from andon import wire
from bot.cards import NEEDS_FORM, NeedsForm, not_recorded, recorded, typed_answer, why_no_reply
from bot.errors import (
    AlreadyDecided,
    BotError,
    Conflict,
    DirectoryDown,
    Gone,
    InvalidAnswer,
    NotAnApprover,
)
from bot.handoff import Handoff
from bot.ports import Desk, Shelf
from bot.talk import Person, asked_in

_LATE: Final = timedelta(minutes=10)
"""So long after a decision somebody may still believe that their reply counts; later people just talk."""

_TOLD_FOR: Final = timedelta(days=8)
"""Longer than a handoff can be open."""

_AGAIN: Final = timedelta(hours=1)
_ODD: Final = frozenset({"thread_broadcast", "file_share", "me_message"})
"""What people post in a thread that is not a plain reply."""

_ODD_TOLD: Final = "Not recorded: only a plain reply is an answer. Send the text alone, to this thread only."
_TOLD_CHARS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Message:
    """What a person wrote in a thread."""

    team: str
    user: str
    user_team: str | None
    channel: str
    ts: str
    thread: str
    above: str
    """Who wrote the message that the thread hangs from; empty where Slack does not say."""
    text: str
    """As Slack sends it."""
    is_plain: bool

    @property
    def at(self) -> datetime:
        """When it was posted."""
        return datetime.fromtimestamp(float(self.ts), UTC)

    @property
    def listener(self) -> Listener:
        """Its author, to be told something in private."""
        return Listener(self.team, self.user, self.channel, self.thread)


class Threads:
    """Takes one message at a time; the same one again changes nothing and is not told again."""

    def __init__(
        self,
        desk: Desk,
        shelf: Shelf,
        *,
        people: People,
        places: Places,
        installs: Installs,
        marks: Marks,
        saying: Saying,
        whisper: Whisper,
    ) -> None:
        """Answer at the desk."""
        self._desk = desk
        self._shelf = shelf
        self._saying = saying
        self._people = people
        self._places = places
        self._installs = installs
        self._marks = marks
        self._whisper = whisper

    async def replied(self, event: Mapping[str, Any], team: str) -> bool:
        """Take a message as the answer to the card above it, if that card takes such answers.

        Returns:
            Whether it was taken as one, or its author was told why not; False: it means something else, or nothing.

        Raises:
            StoreUnavailable: It may have been recorded; the same event again is safe.
            TooMany, SlackFailed: Slack does not tell now what is above it; likewise.
        """
        message = in_thread(event, team)
        if message is None:
            return False
        handoff = await self._asked(message)
        if handoff is None:
            return False
        bot = await self._installs.bot(team)
        own = words.without_mention(message.text, bot.user)
        if message.user == bot.user or (own != message.text and words.is_request(words.typed(own, {}))):
            return False
        if message.is_plain and not words.typed(own, {}).strip():
            return False
        try:
            await self._answer(message, handoff, own)
        except (Conflict, NotAnApprover, Gone, DirectoryDown) as error:
            await self._why_not(message, handoff, error)
        return True

    async def _asked(self, message: Message) -> Handoff | None:
        """The handoff whose card is above the message, if it takes replies and the message may be meant for it.

        Whoever is quick replies before the card's address is stored; then the card itself says whose it is.
        """
        card = Address(message.team, message.channel, message.thread).text
        handoff_id = await self._desk.card_at("slack", card) or await self._shelf.load(asked_in(card))
        if handoff_id is None:
            handoff_id = await self._marks.handoff(message.team, message.channel, message.thread, by=message.above)
        if handoff_id is None:
            return None
        try:
            handoff = await self._desk.look(handoff_id)
        except Gone:
            return None
        if not isinstance(handoff.ask, wire.Input) or not handoff.ask.reply_in_thread:
            return None
        is_over = handoff.decision and message.at - handoff.decision.at > _LATE
        return None if is_over else handoff

    async def _answer(self, message: Message, handoff: Handoff, own: str) -> None:
        """Record it; whoever may not answer learns that before anything else, and before it costs anything."""
        person = await self._person(message, handoff)
        if handoff.decision is None:
            await self._desk.may_answer(handoff, person.actor, standing=person.standing)
            if not message.is_plain:
                return await self._tell(message, f"odd:{message.channel}:{message.ts}", _ODD_TOLD)
        try:
            value = typed_answer(handoff, await self._typed(message, handoff, own))
            answer = wire.Reply(revision=handoff.revision, digest=handoff.digest, answer=value)
            answer_id = f"slack:{Address(message.team, message.channel, message.ts).text}"
            await self._desk.answer(handoff.id, answer, person.actor, answer_id=answer_id, standing=person.standing)
        except NeedsForm:
            return await self._below(message, f"form:{handoff.id}", NEEDS_FORM)
        except InvalidAnswer as error:
            if handoff.decision:
                raise AlreadyDecided("", handoff=handoff.id, decision=handoff.decision) from error
            return await self._below(message, f"fault:{message.channel}:{message.ts}", not_recorded(error))
        return await self._below(message, f"recorded:{handoff.id}", recorded(handoff, value, person.actor))

    async def _typed(self, message: Message, handoff: Handoff, own: str) -> str:
        """What was typed, with the names of whom it mentions; of a reply that comes too late nobody reads them."""
        called = {} if handoff.decision else await names(self._people, self._places, message.team, own)
        return words.typed(own, called).strip()

    async def _person(self, message: Message, handoff: Handoff) -> Person:
        person = await self._people.person(
            message.team, message.user, channel=message.channel, user_team=message.user_team
        )
        if person.refusal:
            raise NotAnApprover(person.refusal, handoff=handoff.id)
        return person

    async def _why_not(self, message: Message, handoff: Handoff, error: BotError) -> None:
        """Tell the author alone, once an hour: they may be talking to each other."""
        await self._tell(
            message, f"why_not:{error.slug}:{handoff.id}:{message.user}", why_no_reply(error, platform="Slack")
        )

    async def _tell(self, message: Message, once: str, text: str) -> None:
        """Tell the author alone."""
        if await self._shelf.once(once, _AGAIN):
            await self._whisper.tell(message.listener, text)

    async def _below(self, message: Message, once: str, text: str) -> None:
        """Tell everybody in the thread."""
        if not await self._shelf.once(once, _TOLD_FOR):
            return
        said = mrkdwn(text, _TOLD_CHARS)
        if not await self._saying.say(message.team, message.channel, said, thread=message.thread):
            await self._shelf.forget(once)  # the answer itself is recorded, and the card shows it


def in_thread(event: Mapping[str, Any], team: str) -> Message | None:
    """The message of a person below another one; None for everything else that an event may tell of."""
    thread, ts, user = event.get("thread_ts"), event.get("ts"), event.get("user")
    subtype = event.get("subtype")
    if not (thread and ts and user) or thread == ts or not is_by_person(event):
        return None
    if subtype and subtype not in _ODD:
        return None
    user_team = event.get("user_team") or event.get("source_team") or event.get("team")
    return Message(
        team=team,
        user=str(user),
        user_team=str(user_team) if user_team else None,
        channel=str(event["channel"]),
        ts=str(ts),
        thread=str(thread),
        above=str(event.get("parent_user_id") or ""),
        text=str(event.get("text") or ""),
        is_plain=not subtype and not event.get("files"),
    )


def is_by_person(event: Mapping[str, Any]) -> bool:
    """Did a person just write it? Not a bot or an app, and no change to what was written before."""
    by_machine = event.get("bot_id") or event.get("bot_profile") or event.get("user") in {None, "", "USLACKBOT"}
    return not by_machine and not event.get("hidden") and not event.get("edited")
