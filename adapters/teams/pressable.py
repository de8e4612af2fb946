"""What can be pressed and filled in on the card of an open handoff: its buttons, and the forms behind them. Pure.

What opens on the card itself is small and all of it is before the person's eyes; else a dialog opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters.teams.carried import carried
from adapters.teams.controls import Control, Form, Note, Part, Press, Row, Toggle, fetch, press, rows, toggle
from adapters.teams.fit import CHOICES, FOUND
from adapters.teams.forms import Filled, Input, Option, inputs, is_small, number, refilled, somebody, words
from adapters.teams.texts import Fact, title
from bot.cards import Card, Offered
from bot.cards.rich import plain

SOURCE: Final = "andon:"
"""Begins the name of where a menu of candidates gets its entries; the handoff follows."""
_FACT_CHARS: Final = 1_000
_ONE_TAP_REASONS: Final = 4


@dataclass(frozen=True, slots=True)
class Pressable:
    """What can be pressed and filled in."""

    controls: tuple[Control, ...]
    reasons: tuple[Row, ...] = ()
    forms: tuple[Form, ...] = ()
    pick: Input | None = None


def pressable(view: Card, filled: Filled | None, *, whole: bool, is_roomy: bool) -> Pressable:
    """What can be pressed now; nothing is one press from a yes before all of it was shown."""
    made: list[Control] = []
    forms: list[Form] = []
    pick: Input | None = None
    is_inline = is_roomy and whole and is_small(view.form)
    match view.kind:
        case "choice":
            searched = not is_roomy or len(view.candidates) > CHOICES
            pick = refilled(_pick(view, searched=searched), filled)
            made.append(Press("Look at it, then choose…", carried(view, "look"), look="positive", takes_inputs=True))
        case "input" if is_inline:
            made.append(toggle("Answer…", "form-answer"))
            forms.append(_answering(view, filled))
        case "input":
            made.append(fetch(view, "Answer…", "answer", look="positive"))
        case _ if whole and view.one_tap and (yes := view.may("approve")):
            look = "destructive" if view.hazard else "positive"
            made.append(Press(yes.label, carried(view, "approve"), look=look))  # type: ignore[arg-type]  # both are looks
    if not whole or (view.kind == "confirmation" and not view.one_tap):
        is_first = view.kind == "confirmation" and not view.conflict
        label = "Read it all, then decide" if is_first else "Read it all"
        made.append(fetch(view, label, "read", look="positive" if is_first else ""))
    if view.offers:
        made.append(toggle("Approve, and don't ask again…", "form-grants"))
        forms.append(_granting(view, view.offers))
    if edit := view.may("edit"):
        made.append(toggle(f"{edit.label}…", "form-edit") if is_inline else fetch(view, f"{edit.label}…", "edit"))
        forms += [_editing(view, filled)] if is_inline else []
    reasons: tuple[Row, ...] = ()
    if no := view.may("reject"):
        made.append(toggle(f"{no.label}…", "form-reject"))
        forms.append(_rejecting(view, filled, no.label))
        taps = [press(view, f"✕ {each.label}", "reason", index=at) for at, each in enumerate(view.reasons)]
        reasons = rows(taps[:_ONE_TAP_REASONS])
    made += [
        toggle("Ask somebody else…", "form-ask-else", is_secondary=True),
        toggle("Ask the agent…", "form-ask-agent", is_secondary=True),
        Press("Stop this run", carried(view, "stop"), is_secondary=True),
    ]
    forms += [_asking_else(view, filled), _asking_agent(view, filled)]
    return Pressable(tuple(_among(each, forms) for each in made), reasons, tuple(forms), pick)


def choices(view: Card, indexes: Sequence[int]) -> tuple[Option, ...]:
    """Candidates as entries of a menu; each is submitted by its place in the ask."""
    return tuple(Option(title(view.candidates[index].label), str(index)) for index in indexes)


def field_parts(view: Card, filled: Filled | None) -> tuple[Input, ...]:
    """The inputs of a form that is small."""
    return tuple(refilled(each, filled) for each in inputs(view.form) if each)


def editing(view: Card, *, kind: str = "execute", **extra: bool) -> Row:
    """The buttons that end an edit."""
    data = carried(view, "edit", **extra)
    save = Press("Save for another to approve", carried(view, "edit", save=True, **extra), takes_inputs=True)
    made: tuple[Press, ...] = (save,)
    if view.editor_agrees:
        made = (Press("Approve with changes", data, look="positive", takes_inputs=True), save)
    return Row(tuple(_as(kind, each) for each in made))


def why(filled: Filled | None, id_: str, hint: str) -> Input:
    """An input for a reason."""
    return refilled(words(id_, "Why? (optional)", hint, most=4_000), filled)


def troubles(filled: Filled | None, do: str) -> tuple[Note, ...]:
    """What is wrong with a form as a whole."""
    told = filled.errors.get("", "") if filled and filled.do == do else ""
    return (Note((Fact(plain(told, _FACT_CHARS)),), is_error=True),) if told else ()


def _among(made: Control, forms: Sequence[Form]) -> Control:
    """A toggle hides what is on this very card."""
    if not isinstance(made, Toggle):
        return made
    return replace(made, hides=tuple(each.id for each in forms if each.id != made.shows))


def _as(kind: str, made: Press) -> Press:
    return Press(made.label, made.data, "submit" if kind == "submit" else "execute", made.look, made.takes_inputs)


def _is_open(filled: Filled | None, do: str) -> bool:
    return filled is not None and filled.do == do


def _of(filled: Filled | None, do: str) -> Filled | None:
    """What was typed into this form; another one begins anew."""
    return filled if _is_open(filled, do) else None


def _editing(view: Card, filled: Filled | None) -> Form:
    own = _of(filled, "edit")
    parts: tuple[Part, ...] = (
        *troubles(own, "edit"),
        *field_parts(view, own),
        why(own, "edit-reason", "The agent reads it."),
        *(refilled(each, own) for each in (number(view, "code") if view.editor_agrees else ())),
        editing(view, full=True),
    )
    return Form("form-edit", parts, _is_open(filled, "edit"))


def _answering(view: Card, filled: Filled | None) -> Form:
    own = _of(filled, "answer")
    yes = Press("Answer", carried(view, "answer", full=True), look="positive", takes_inputs=True)
    code = tuple(refilled(each, own) for each in number(view, "code"))
    parts: tuple[Part, ...] = (*troubles(own, "answer"), *field_parts(view, own), *code, Row((yes,)))
    return Form("form-answer", parts, _is_open(filled, "answer"))


def _rejecting(view: Card, filled: Filled | None, label: str) -> Form:
    own = _of(filled, "reject")
    asked = why(own, "reason", "The agent reads it, and does better next time.")
    no = Press(label, carried(view, "reject"), look="destructive", takes_inputs=True)
    others = [
        press(view, f"✕ {each.label}", "reason", index=index)
        for index, each in enumerate(view.reasons)
        if index >= _ONE_TAP_REASONS
    ]
    return Form("form-reject", (*troubles(own, "reject"), asked, Row((no,)), *rows(others)), _is_open(filled, "reject"))


def _granting(view: Card, offered: Sequence[Offered]) -> Form:
    """What else a yes may say: each opens all of it, and decides nothing yet."""
    taps = [press(view, f"{each.life}: {each.label}", "grant", index=each.index) for each in offered]
    return Form("form-grants", rows(taps))


def _asking_else(view: Card, filled: Filled | None) -> Form:
    own = _of(filled, "ask-else")
    who = f"{view.besides[:1].upper()}{view.besides[1:]}. They get a card of their own."
    asked = (
        somebody("Whom?", who),
        words("address", "Or their e-mail address", "For somebody who is not here.", most=254, is_multiline=False),
        words("note", "What should they know? (optional)", most=2_000),
    )
    ask = Press("Ask", carried(view, "ask-else"), look="positive", takes_inputs=True)
    parts: tuple[Part, ...] = (*troubles(own, "ask-else"), *(refilled(each, own) for each in asked), Row((ask,)))
    return Form("form-ask-else", parts, _is_open(filled, "ask-else"))


def _asking_agent(view: Card, filled: Filled | None) -> Form:
    own = _of(filled, "ask-agent")
    hint = "It waits on, and its time goes on. The reply is shown here."
    asked = refilled(words("question", "What do you want to know?", hint, most=2_000), own)
    ask = Press("Ask the agent", carried(view, "ask-agent"), look="positive", takes_inputs=True)
    return Form("form-ask-agent", (*troubles(own, "ask-agent"), asked, Row((ask,))), _is_open(filled, "ask-agent"))


def _pick(view: Card, *, searched: bool) -> Input:
    """The menu of candidates, or a search for them."""
    shown = choices(view, range(min(FOUND, len(view.candidates)) if searched else len(view.candidates)))
    placeholder = "Search and choose…" if searched else "Choose…"
    source = f"{SOURCE}{view.id}" if searched else ""
    return Input("choice", "Which one?", "choices", options=shown, placeholder=placeholder, search=source)
