"""Sheets: the whole of a card to read, and forms in which people answer, for one person each. No I/O.

A sheet is the card of a dialog, or it stands in the place of the message for whoever pressed. What is too long for one
page is read page by page, and whatever agrees to it stands on the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import JsonValue

from adapters.teams.cards import Cards, Group, Head
from adapters.teams.carried import carried
from adapters.teams.controls import Note, Part, Press, Row, Text, press
from adapters.teams.fit import CARD_BYTES, PAGE_BYTES, PAGE_TEXT, Json, size
from adapters.teams.forms import (
    FORM_CHARS,
    MOST_FIELDS,
    Filled,
    Input,
    inputs,
    number,
    refilled,
    whole_input,
    whole_text,
)
from adapters.teams.pressable import editing, troubles, why
from adapters.teams.texts import Block, Fact, blocks, link, ours, when
from adapters.teams.texts import pages as paged
from bot.cards import Card, Field, card, reading
from bot.cards.rich import Piece, Quote, bold, joined, line, plain
from bot.errors import InvalidAnswer
from bot.handoff import Handoff

MOST_PAGES: Final = 20
"""More than this is read in the console."""
_TITLE: Final = 60

Kind = Literal["execute", "submit"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A card for one person; `title` is that of its dialog."""

    title: str
    card: Json
    page: int = 0
    pages: int = 1


@dataclass(frozen=True, slots=True)
class _Own:
    """What sets one sheet apart from the others."""

    name: str
    title: str
    kind: Kind
    index: int | None = None

    def data(self, view: Card, do: str, **extra: JsonValue) -> dict[str, JsonValue]:
        given = {} if self.index is None else {"index": self.index}
        return carried(view, do, **given, **extra)


class Sheets:
    """Makes the sheets of one handoff."""

    def __init__(self, cards: Cards) -> None:
        """Use the same templates and the same console."""
        self._cards = cards

    def read(
        self,
        handoff: Handoff,
        *,
        now: datetime,
        page: int = 0,
        filled: Filled | None = None,
        conflict: str = "",
        in_place: bool = False,
    ) -> Sheet:
        """Everything, and then a yes or a no; a choice and a question are answered elsewhere.

        It is a dialog, or stands `in_place` of the message: for those who want to be asked again.
        """
        view = card(handoff, now=now, full=True, conflict=conflict)
        own = _Own("again", "All of it", "execute") if in_place else _Own("read", "All of it", "submit")
        yes, no = view.may("approve"), view.may("reject")
        asked: list[Part] = []
        if view.kind == "confirmation" and no:
            asked = [*troubles(filled, "approve"), *troubles(filled, "reject")]
            asked += [refilled(each, filled) for each in (number(view, "code") if yes else ())]
            asked.append(why(filled, "reason", "The agent reads it."))
            look: Literal["positive", "destructive"] = "destructive" if view.hazard else "positive"
            taps = (
                [Press(yes.label, own.data(view, "approve", full=True), own.kind, look, takes_inputs=True)]
                if yes
                else []
            )
            taps.append(Press(no.label, own.data(view, "reject"), own.kind, takes_inputs=True))
            asked.append(Row(tuple(taps)))
        return self._paged(view, own, reading.whole(view), asked, page)

    def edit(self, handoff: Handoff, *, now: datetime, page: int = 0, filled: Filled | None = None) -> Sheet:
        """The arguments as a form. What was not on the card in full is shown before it."""
        view = card(handoff, now=now, full=True)
        own = _Own("edit", f"Edit {view.act.tool if view.act else ''}", "submit")
        pieces = () if self._cards.is_whole(handoff, now=now) else reading.whole(view)
        action = handoff.action
        value = dict(action.args) if action else {}
        end = [why(filled, "edit-reason", "The agent reads it.")]
        end += [refilled(each, filled) for each in (number(view, "code") if view.editor_agrees else ())]

        def form(parts: Sequence[Part], *, whole: bool) -> list[Part]:
            if not any(isinstance(each, Input) for each in parts):
                return [*parts]
            row = editing(view, kind=own.kind, full=True, whole=whole)
            return [*troubles(filled, "edit"), *parts, *end, row]

        candidates = [
            form(parts, whole=whole) for parts, whole in self._fields(view, value, filled, shown=bool(pieces))
        ]
        return self._paged(view, own, pieces, self._first_fitting(view, own, candidates), page)

    def answer(self, handoff: Handoff, *, now: datetime, page: int = 0, filled: Filled | None = None) -> Sheet:
        """A question, with inputs for its answer."""
        view = card(handoff, now=now, full=True)
        own = _Own("answer", "Answer", "submit")

        def form(parts: Sequence[Part], *, whole: bool) -> list[Part]:
            if not view.may("answer") or not all(isinstance(each, Input) for each in parts):
                return [*parts]
            code = [refilled(each, filled) for each in number(view, "code")]
            data = own.data(view, "answer", full=True, whole=whole)
            yes = Press("Answer", data, own.kind, "positive", takes_inputs=True)
            return [*troubles(filled, "answer"), *parts, *code, Row((yes,))]

        candidates = [form(parts, whole=whole) for parts, whole in self._fields(view, None, filled, shown=True)]
        return self._paged(view, own, reading.whole(view), self._first_fitting(view, own, candidates), page)

    def look(
        self,
        handoff: Handoff,
        index: int,
        *,
        now: datetime,
        page: int = 0,
        filled: Filled | None = None,
        conflict: str = "",
    ) -> Sheet:
        """One candidate in full, and a yes to it; in the place of the message.

        Raises:
            InvalidAnswer: There is no such candidate.
        """
        view = card(handoff, now=now, full=True, conflict=conflict)
        if not 0 <= index < len(view.candidates):
            raise InvalidAnswer("That is none of the candidates; look at the card again.", handoff=handoff.id)
        own = _Own("look", "Choose this one?", "execute", index)
        asked: list[Part] = []
        if yes := view.may("choose"):
            asked = [*troubles(filled, "choose"), *(refilled(each, filled) for each in number(view, "code"))]
            asked.append(replace(why(filled, "reason", ""), label="Anything to add? (optional)"))
            data = own.data(view, "choose", full=True)
            asked.append(Row((Press(yes.label, data, own.kind, "positive", takes_inputs=True),)))
        return self._paged(view, own, reading.whole(view, index=index), asked, page)

    def grant(
        self, handoff: Handoff, index: int, *, now: datetime, page: int = 0, filled: Filled | None = None
    ) -> Sheet:
        """All of it, what else the yes would say, and the yes; in the place of the message.

        Raises:
            InvalidAnswer: The card does not offer that.
        """
        view = card(handoff, now=now, full=True)
        offer = next((each for each in view.offers if each.index == index), None)
        if offer is None:
            raise InvalidAnswer("The card does not offer that any more; look at it again.", handoff=handoff.id)
        own = _Own("grant", "Approve with a grant", "execute", index)
        until = when(now + timedelta(seconds=handoff.route.offers[index].life_s))
        said = (
            line(bold("You would approve this, and don't ask again:")),
            Quote(offer.covers),
            line(
                f"For {offer.life} from your yes on, nobody is asked about what this covers, as long as it goes well."
            ),
        )
        ends = Note((Fact(f"Until about {until}\\.", is_ours=True), Fact("You can end it at any time: type grants.")))
        add = replace(why(filled, "reason", ""), label="Anything to add? (optional)")
        data = own.data(view, "approve", full=True)
        yes = Press(
            "Approve and grant", data, own.kind, "destructive" if view.hazard else "positive", takes_inputs=True
        )
        asked: list[Part] = [Text(blocks(said)), ends, *troubles(filled, "approve"), add, Row((yes,))]
        return self._paged(view, own, reading.whole(view), asked, page)

    def note(self, title: str, text: str, *, page: str = "") -> Sheet:
        """Something a person must be told in the place of a dialog that they had open; `page` is where to go on."""
        facts = (Fact(link(page, "Open in the console"), is_ours=True),) if page else ()
        said = paged(blocks((line(text or title),)), most=PAGE_TEXT, most_bytes=PAGE_BYTES)
        return Sheet(title, self._render(None, said[0], facts, (), ()))

    def _fields(
        self, view: Card, value: dict[str, JsonValue] | None, filled: Filled | None, *, shown: bool
    ) -> list[tuple[list[Part], bool]]:
        """The form in several ways, the best first: with hints, without, as one input for all of it, and not at all."""
        made = inputs(view.form)
        lost = [field for field, each in zip(view.form, made, strict=True) if each is None]
        ways: list[tuple[list[Part], bool]] = []
        if len(made) <= MOST_FIELDS and not (value is None and any(field.required for field in lost)):
            for hinted in (True, False):
                parts: list[Part] = []
                for field, each in zip(view.form, made, strict=True):
                    if each is None:
                        parts += self._too_long(view, field, shown=shown)
                    else:
                        parts.append(refilled(each if hinted else replace(each, hint=""), filled))
                ways.append((parts, False))
        whole = whole_input("" if value is None else whole_text(value))
        ways += [([refilled(whole, filled)], True)] if whole else []
        return [*ways, ([self._elsewhere(view, "This is too much for a form here.")], False)]

    def _too_long(self, view: Card, field: Field, *, shown: bool) -> list[Part]:
        text = f"{field.label} is too long to edit here, and stays as it is."
        said = self._elsewhere(view, text)
        if shown or len(field.text) > FORM_CHARS:
            return [said]
        return [Text(blocks((line(bold(field.label)), Quote(field.text)))), said]

    def _elsewhere(self, view: Card, text: str) -> Note:
        return Note((Fact(plain(text, 500)), Fact(link(self._cards.page(view.id), "Use the console"), is_ours=True)))

    def _first_fitting(self, view: Card, own: _Own, candidates: Sequence[list[Part]]) -> list[Part]:
        return next((each for each in candidates if self._fits(view, own, (), each)), candidates[-1])

    def _fits(self, view: Card, own: _Own, text: Sequence[Block], asked: Sequence[Part]) -> bool:
        return size(self._page(view, own, text, asked, (0, MOST_PAGES))) <= CARD_BYTES

    def _paged(self, view: Card, own: _Own, pieces: tuple[Piece, ...], asked: Sequence[Part], page: int) -> Sheet:
        """One page of it; what ends it stands on the last page, or on one of its own."""
        pages = paged(blocks(joined(pieces)), most=PAGE_TEXT, most_bytes=PAGE_BYTES)
        if len(pages) > MOST_PAGES:
            said = self._elsewhere(view, "This is the beginning. All of it is too much to be read here.")
            return Sheet(own.title, self._page(view, own, pages[0], (said,), (0, 1)))
        if not self._fits(view, own, pages[-1], asked):
            pages.append(())
        at = min(page, len(pages) - 1)
        shown_parts = asked if at == len(pages) - 1 else ()
        made = self._page(view, own, pages[at], shown_parts, (at, len(pages)))
        return Sheet(plain(own.title, _TITLE), made, at, len(pages))

    def _page(
        self, view: Card, own: _Own, text: Sequence[Block], asked: Sequence[Part], at_of: tuple[int, int]
    ) -> Json:
        at, of = at_of
        turns: list[Press] = []
        if at + 1 < of:
            data = own.data(view, "turn", sheet=own.name, page=at + 1)
            turns.append(Press(f"Go on reading: page {at + 2} of {of}", data, own.kind, "positive"))
        if at:
            turns.append(Press("Page before", own.data(view, "turn", sheet=own.name, page=at - 1), own.kind))
        if own.kind == "execute":
            turns.append(press(view, "Back", "back"))
        facts = (
            Fact(plain(reading.who_asks(view), 1_000)),
            *(Fact(ours(text, moment), is_ours=True) for text, moment in reading.times(view)),
            Fact(plain(reading.exactly(view), 1_000)),
            Fact(link(self._cards.page(view.id), "Open in the console"), is_ours=True),
        )
        look = "attention" if view.hazard else "accent"
        said = f"{'⚠️ Cannot be undone · ' if view.hazard else ''}{own.title}"
        shown = Head(plain(f"{said}{f' · page {at + 1} of {of}' if of > 1 else ''}", 200), look)
        rows = (Row(tuple(turns)),) if turns else ()
        return self._render(shown, text, facts, asked, rows)

    def _render(
        self,
        head: Head | None,
        text: Sequence[Block],
        facts: Sequence[Fact],
        parts: Sequence[Part],
        rows: Sequence[Row],
    ) -> Json:
        group = Group("reading", tuple(text)) if text else None
        return self._cards.render("sheet", head=head, group=group, facts=facts, parts=parts, rows=rows)
