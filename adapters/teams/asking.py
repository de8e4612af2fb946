"""“Ask the agent about this” among a message's actions: a dialog for a person's words, and what becomes of them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import JsonValue

from adapters.teams import words
from adapters.teams.cards import Cards, Head
from adapters.teams.carried import KEY
from adapters.teams.controls import Note, Part, Press, Row, Text
from adapters.teams.forms import Input, Option
from adapters.teams.ground import room_of
from adapters.teams.lists import Lists
from adapters.teams.people import People, Person
from adapters.teams.references import Reference, References
from adapters.teams.replying import Json, in_dialog
from adapters.teams.saying import Saying, Words
from adapters.teams.texts import Fact, blocks, title
from bot import talk
from bot.cards import visible
from bot.cards.rich import Piece, Quote, bold, clip, joined, line
from bot.errors import BotError
from bot.ports import Shelf
from bot.talk import CHOOSE, DOWN, EMPTY, NOBODY, NOT_OFFERED, Choice, Quoted

log = logging.getLogger("andon.teams")

_TITLE: Final = "Ask the agent"
_TOLD: Final = timedelta(days=1)
_QUOTE_CHARS: Final = 1_500
_WORDS_CHARS: Final = 3_000
_NAME_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class _About:
    """The message that somebody picked."""

    where: Reference
    """The conversation, with the thread."""
    noun: str
    message: str
    thread: str
    """The message at its top, which is the message itself where there is no thread."""
    quoted: Quoted

    @property
    def room(self) -> str:
        return room_of(self.where)


@dataclass(frozen=True, slots=True)
class _Given:
    """What was filled in."""

    text: str = ""
    run: str = ""
    nonce: str = ""
    """Of the dialog: the same again is the same submission."""


class Asking:
    """Opens the dialog, and takes what was filled in."""

    def __init__(
        self,
        talking: talk.Asking,
        shelf: Shelf,
        *,
        references: References,
        people: People,
        cards: Cards,
        lists: Lists,
        saying: Saying,
    ) -> None:
        """Find whom to ask, and leave words for them, by `talking`."""
        self._talking = talking
        self._shelf = shelf
        self._references = references
        self._people = people
        self._cards = cards
        self._lists = lists
        self._saying = saying

    async def asked(self, activity: Mapping[str, Any]) -> Json:
        """The action was picked: a dialog for the words, or with why there is none."""
        about = _about(activity)
        try:
            _, choices = await self._whom(activity, about)
        except _Refused as refused:
            return self._note(_TITLE, str(refused))
        return self._form(about, choices, _Given(nonce=str(activity["id"])))

    async def submitted(self, activity: Mapping[str, Any]) -> Json:
        """Leave the words for the agent, say below the message that they were asked, and show what came of it."""
        about, given = _about(activity), _given(activity)
        try:
            person, choices = await self._whom(activity, about)
        except _Refused as refused:
            return self._note("Not sent", str(refused))
        run = given.run or (choices[0].run if len(choices) == 1 else "")
        if not given.text:
            return self._form(about, choices, given, wrong={"text": EMPTY})
        if run not in {each.run for each in choices}:
            return self._form(about, choices, given, wrong={"run": NOT_OFFERED})
        steer = f"teams:{about.room}/{activity['from'].get('aadObjectId')}/{given.nonce}"
        sent = await self._talking.send(run, given.text, about.quoted, person, steer_id=steer)
        if not sent.is_sent:
            return self._note("Not sent", sent.told)
        is_shown = await self._announce(about, person, given.text, steer)
        return self._note("Sent", sent.told if is_shown else f"{sent.told} It could not be shown in the {about.noun}.")

    async def _whom(self, activity: Mapping[str, Any], about: _About) -> tuple[Person, Sequence[Choice]]:
        """Who asks, and the runs that they may ask.

        Raises:
            _Refused: None, for a reason that the person is told.
        """
        try:
            person = await self._people.person(activity)
            if refusal := self._talking.refusal(person, about.noun):
                raise _Refused(refusal)
            choices = await self._talking.choices(about.room, about.message, about.thread)
        except BotError as error:
            log.warning("teams.ask_not_found user=%s detail=%s", activity["from"].get("aadObjectId"), error)
            raise _Refused(DOWN) from error
        if not choices:
            raise _Refused(NOBODY.format(about.noun))
        return person, choices

    async def _announce(self, about: _About, person: Person, text: str, steer: str) -> bool:
        """Let the others see it, below the message; once."""
        once = f"asked:{steer}"
        if not await self._shelf.once(once, _TOLD):
            return True
        lead, shown = f"{visible(person.actor.name)} asks the agent: ", clip(visible(text), _WORDS_CHARS)
        said = Words(f"{lead}{shown}", self._lists.said(line(bold(lead), shown)))
        known = await self._references.find(about.where.id)
        if known and await self._saying.say(known, said, mark=once):
            return True
        await self._shelf.forget(once)
        return False

    # --- the dialog ---

    def _form(
        self, about: _About, choices: Sequence[Choice], given: _Given, *, wrong: Mapping[str, str] | None = None
    ) -> Json:
        wrong = wrong or {}
        one = choices[0] if len(choices) == 1 else None
        pieces: list[Piece] = [line(bold(one.called), " reads this at its next step.") if one else line(CHOOSE)]
        if about.quoted.text:
            pieces += [line(f"About what {about.quoted.author} wrote:"), Quote(about.quoted.text)]
        parts: list[Part] = [Text(blocks(joined(pieces)))]
        if one is None:
            options = tuple(Option(title(each.called), each.run) for each in choices)
            parts.append(
                Input("run", "Which agent?", "choices", given.run, options=options, error=wrong.get("run", ""))
            )
        parts.append(Input("text", "Your words", "text", given.text, is_multiline=True, error=wrong.get("text", "")))
        data: dict[str, JsonValue] = {KEY: {"do": "ask", "nonce": given.nonce}}
        parts.append(Row((Press("Send", data, "submit", "positive", takes_inputs=True),)))
        card = self._cards.render("sheet", head=None, group=None, facts=(), parts=parts, rows=())
        return in_dialog(card, _TITLE)

    def _note(self, heading: str, text: str) -> Json:
        parts = [Note((Fact(text),))]
        head = Head(heading, "accent")
        card = self._cards.render("sheet", head=head, group=None, facts=(), parts=parts, rows=())
        return in_dialog(card, heading)


class _Refused(Exception):
    """Nobody is asked; the sentence says why."""


def _about(activity: Mapping[str, Any]) -> _About:
    value = activity.get("value")
    found = value.get("messagePayload") if isinstance(value, Mapping) else None
    message: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    where, id = Reference.of(activity), str(message.get("id") or "")
    is_channel = where.kind == "channel"
    above = (where.thread or str(message.get("replyToId") or "") or id) if is_channel else id
    body = message.get("body")
    content = str(body.get("content") or "") if isinstance(body, Mapping) else ""
    return _About(
        where=where.in_thread(above),
        noun="channel" if is_channel else "chat",
        message=f"{above}/{id}" if above != id else id,
        thread=above,
        quoted=Quoted(_author(message), clip(visible(words.from_html(content)), _QUOTE_CHARS)),
    )


def _author(message: Mapping[str, Any]) -> str:
    sender = message.get("from")
    for kind in ("user", "application"):
        found = sender.get(kind) if isinstance(sender, Mapping) else None
        if isinstance(found, Mapping) and found.get("displayName"):
            return visible(str(found["displayName"]))[:_NAME_CHARS]
    return "somebody"


def _given(activity: Mapping[str, Any]) -> _Given:
    value = activity.get("value")
    data = value.get("data") if isinstance(value, Mapping) else None
    filled: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    own = filled.get(KEY)
    nonce = str(own.get("nonce") or "") if isinstance(own, Mapping) else ""
    return _Given(str(filled.get("text") or "").strip(), str(filled.get("run") or ""), nonce or str(activity["id"]))
