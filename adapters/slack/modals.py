"""Modals: the whole of a card to read, and the forms in which people answer. View models in, views out; no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import JsonValue

from adapters.slack.cards import Cards, Fact, Group
from adapters.slack.fit import BLOCK_TEXT, MODAL_BYTES, TITLE, Json, fits_modal
from adapters.slack.inputs import (
    MOST_FIELDS,
    Input,
    inputs,
    number,
    remark,
    somebody,
    tick,
    whole_input,
    whole_text,
    words,
)
from adapters.slack.markup import date_token, link
from adapters.slack.presses import ACTION, Sheet
from bot.cards import Card, Field, card, reading
from bot.cards.rich import Piece, Quote, bold, joined, length, line, plain, spread
from bot.errors import InvalidAnswer
from bot.handoff import Handoff

_BEGINNING: Final = 8
"""Blocks of the beginning that a modal shows of what is in a file."""


@dataclass(frozen=True, slots=True)
class File:
    """The whole of a card as a text file, for what no modal holds."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Modal:
    """A view to open; with a `file`, that must be where the person can read it first."""

    view: Json
    file: File | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A remark of ours between the blocks."""

    facts: tuple[Fact, ...]
    kind: Literal["note"] = "note"


Part = Group | Note | Input


@dataclass(frozen=True, slots=True)
class _Reading:
    parts: tuple[Part, ...]
    file: File | None


_NOTHING: Final = _Reading((), None)


class Modals:
    """Makes the modals of one handoff. `address` says where its card is, in the caller's own words."""

    def __init__(self, cards: Cards) -> None:
        """Use the same templates and the same console."""
        self._cards = cards

    def read(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """Everything, and then a yes; a choice and a question are answered elsewhere."""
        view = card(handoff, now=now, full=True)
        yes = view.may("approve")
        own = _Own("read", "All of it", yes.label if yes else "")
        return self._fitted(view, own, address, reading.whole(view), number(view) if yes else ())

    def reject(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """No, and why if they like."""
        view = card(handoff, now=now)
        no = view.may("reject")
        label = no.label if no else "Reject"
        what = (" ", view.act.tool) if view.act and view.timing == "before" else ()
        asked = joined((line(bold(label), *what), Quote(view.title.text)))
        parts = (
            Group("what", asked),
            remark(view.id, "Why?", "Optional; the agent reads it, and does better next time."),
        )
        return self._made(view, _Own("reject", label, label), address, parts, _NOTHING)

    def edit(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """The arguments as a form. What was not on the card in full is shown here too."""
        view = card(handoff, now=now, full=True)
        is_shown = self._cards.message(handoff, now=now).whole and handoff.route.step_up != "critical"
        pieces = () if is_shown else reading.whole(view)
        action = handoff.action
        fields, is_whole = self._fields(view, dict(action.args) if action else {}, shown=bool(pieces))
        if not any(isinstance(each, Input) for each in fields):
            return self._fitted(view, _Own("edit", "Edit", ""), address, pieces, fields)
        asked: tuple[Part, ...] = (*fields, remark(view.id, "Why?", "Optional; the agent reads it."))
        if view.editor_agrees:
            save = tick("save", view.id, "Who approves?", "Save it for another person to approve", required=False)
            asked = (*asked, *number(view, required=False), save)
        label = "Approve with changes" if view.editor_agrees else "Save for another"
        own = _Own("edit", f"Edit {view.act.tool if view.act else ''}", label, is_whole=is_whole)
        return self._fitted(view, own, address, pieces, asked)

    def grant(self, handoff: Handoff, index: int, *, now: datetime, address: str) -> Modal:
        """All of it, what else the yes would say, and the yes.

        Raises:
            InvalidAnswer: The card does not offer that.
        """
        view = card(handoff, now=now, full=True)
        offer = next((each for each in view.offers if each.index == index), None)
        if offer is None:
            raise InvalidAnswer("The card does not offer that any more; look at it again.", handoff=handoff.id)
        until = date_token(now + timedelta(seconds=handoff.route.offers[index].life_s))
        said = (
            line(bold("You would approve this, and don't ask again:")),
            Quote(offer.covers),
            line(
                f"For {offer.life} from your yes on, nobody is asked about what this covers, as long as it goes well."
            ),
        )
        ends = Note(
            (Fact(f"Until about {until}.", is_markup=True), Fact("You can end it at any time: /andon grants, or Home."))
        )
        asked = (Group("grant", joined(said)), ends, remark(view.id, "Anything to add?", "Optional."))
        own = _Own("grant", "Approve with a grant", "Approve and grant", index=index)
        return self._fitted(view, own, address, reading.whole(view), asked)

    def choose(self, handoff: Handoff, index: int, *, now: datetime, address: str) -> Modal:
        """One candidate in full, and a yes to it.

        Raises:
            InvalidAnswer: There is no such candidate.
        """
        view = card(handoff, now=now, full=True)
        if not 0 <= index < len(view.candidates):
            raise InvalidAnswer("That is none of the candidates; look at the card again.", handoff=handoff.id)
        yes = view.may("choose")
        own = _Own("choose", "Choose this one?", yes.label if yes else "", index=index)
        asked = (remark(view.id, "Anything to add?", "Optional."), *number(view)) if yes else ()
        return self._fitted(view, own, address, reading.whole(view, index=index), asked)

    def ask_else(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """Somebody else is to answer."""
        view = card(handoff, now=now)
        who = f"{view.besides[:1].upper()}{view.besides[1:]}. They get a card of their own."
        asked = (
            somebody(view.id, "Whom?", who),
            words(
                "address", view.id, "Or their e-mail address", "For somebody who is not in this workspace.", most=254
            ),
            words("note", view.id, "What should they know?", "Optional.", most=2_000),
        )
        return self._made(view, _Own("ask-else", "Ask somebody else", "Ask"), address, asked, _NOTHING)

    def ask_agent(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """The agent is to say more."""
        view = card(handoff, now=now)
        hint = "It waits on, and its time goes on. The reply is shown below your question."
        asked = (words("question", view.id, "What do you want to know?", hint, most=2_000, required=True),)
        return self._made(view, _Own("ask-agent", "Ask the agent", "Ask"), address, asked, _NOTHING)

    def answer(self, handoff: Handoff, *, now: datetime, address: str) -> Modal:
        """A question, with inputs for its answer."""
        view = card(handoff, now=now, full=True)
        fields, is_whole = self._fields(view, None, shown=True)
        can = view.may("answer") and all(isinstance(each, Input) for each in fields)
        own = _Own("answer", "Answer", "Answer" if can else "", is_whole=is_whole)
        return self._fitted(view, own, address, reading.whole(view), (*fields, *(number(view) if can else ())))

    def note(self, title: str, text: str, *, page: str = "") -> Json:
        """Something a person must be told in the place of a modal that they had open; `page` is where to go on."""
        told = spread((line(text or title),), BLOCK_TEXT)
        parts: tuple[Part, ...] = tuple(Group(f"told-{index}", group) for index, group in enumerate(told))
        if page:
            parts += (Note((Fact(link(page, "Open in the console"), is_markup=True),)),)
        return dict(
            self._cards.templates.render(
                "modal",
                callback=f"{ACTION}note",
                title=plain(title, TITLE),
                submit="",
                metadata="",
                parts=parts,
                id="note",
            )
        )

    def _fields(self, view: Card, value: dict[str, JsonValue] | None, *, shown: bool) -> tuple[tuple[Part, ...], bool]:
        """Inputs for the form, and notes for what no input can hold; or one input for all of it, as JSON."""
        made = inputs(view.form, view.id, fresh=value is None)
        lost = [field for field, each in zip(view.form, made, strict=True) if each is None]
        if len(made) <= MOST_FIELDS and not (value is None and any(field.required for field in lost)):
            parts: list[Part] = []
            for index, (field, each) in enumerate(zip(view.form, made, strict=True)):
                parts += [each] if each else self._too_long(view, field, index, shown=shown)
            return tuple(parts), False
        text = "" if value is None else whole_text(value)
        whole = whole_input(text, view.id)
        if whole:
            return (whole,), True
        return (Note((Fact("This is too much for a form here. "), self._console(view))),), False

    def _too_long(self, view: Card, field: Field, index: int, *, shown: bool) -> list[Part]:
        said = Note(
            (
                Fact(plain(f"{field.label} is too long to edit here, and stays as it is.", 500)),
                self._console(view),
            )
        )
        if shown:
            return [said]
        groups = spread((line(bold(field.label)), Quote(field.text)), BLOCK_TEXT)
        return [*(Group(f"kept-{index}-{part}", group) for part, group in enumerate(groups)), said]

    def _console(self, view: Card) -> Fact:
        return Fact(link(self._cards.page(view.id), "Use the console"), is_markup=True)

    def _fitted(
        self, view: Card, own: "_Own", address: str, pieces: tuple[Piece, ...], asked: tuple[Part, ...]
    ) -> Modal:
        """All of it in the modal; else its beginning, the rest in a file, and a box to say that it was read."""
        groups = spread(pieces, BLOCK_TEXT)
        parts = tuple(Group(f"whole-{index}", group) for index, group in enumerate(groups))
        if sum(length(str(group)) for group in groups) < MODAL_BYTES:
            made = self._made(view, own, address, (*parts, *asked), _Reading(parts, None))
            if fits_modal(made.view["blocks"]):
                return made
        file = File(f"andon-{view.digest_short}.txt", reading.written(view, pieces))
        said = f"This is the beginning. All of it, {len(file.text):,} characters, is in the file {file.name}."
        beginning: tuple[Part, ...] = (Note((Fact(said), self._console(view))), *parts[:_BEGINNING])
        box = tick("read", view.id, "Before you agree", f"I have read the whole in the file {file.name}", required=True)
        agreed = (box,) if own.submit else ()
        return self._made(view, own, address, (*beginning, *agreed, *asked), _Reading(beginning, file))

    def _made(self, view: Card, own: "_Own", address: str, parts: tuple[Part, ...], shown: "_Reading") -> Modal:
        sheet = Sheet(
            own.kind,
            view.id,
            view.revision,
            view.digest,
            address,
            full=own.kind not in {"reject", "ask-else", "ask-agent"},
            file=shown.file is not None,
            index=own.index,
            whole=own.is_whole,
        )
        made = self._cards.templates.render(
            "modal",
            callback=f"{ACTION}{own.kind}",
            title=plain(own.title, TITLE),
            submit=plain(own.submit, TITLE) if own.submit else "",
            metadata=sheet.metadata(),
            parts=parts,
            id=view.id,
        )
        return Modal(dict(made), shown.file)


@dataclass(frozen=True, slots=True)
class _Own:
    """What sets one modal apart from the others."""

    kind: str
    title: str
    submit: str
    index: int | None = None
    is_whole: bool = False
