"""A form's fields as inputs of a card: what Teams can hold so that it comes back as it was. Pure.

No input is checked by the client: what it finds wrong in one input would stop a press that is about another. What is
wrong is told by the service, beside the input, with all that was typed still there.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import JsonValue

from adapters.teams.texts import title
from bot.cards import Card, Field, hidden_in
from bot.cards.rich import plain

MOST_INLINE: Final = 8
"""Fields of a form that opens on the card itself; a larger one opens in a dialog."""
INLINE_CHARS: Final = 2_500
MOST_FIELDS: Final = 40
FIELD_CHARS: Final = 8_000
"""Of one text that is edited in Teams; a longer one is edited in the console."""
FORM_CHARS: Final = 16_000
_CODE_CHARS: Final = 2
_MOST_OPTIONS: Final = 150
_HINT_CHARS: Final = 500
_NUMBER_RE: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?")
_DATE_RE: Final = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")

Element = Literal["text", "number", "date", "choices", "radio", "person"]


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a menu."""

    title: str
    value: str


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a card; its `id` names its value when it comes back."""

    id: str
    label: str
    element: Element
    value: str = ""
    hint: str = ""
    error: str = ""
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    is_multiline: bool = False
    most: int = 0
    """Characters that it takes; 0: as many as one likes."""
    search: str = ""
    """Of a menu whose entries are asked for: the name of their source."""
    kind: Literal["input"] = "input"


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody typed that did not count, and what is wrong with it, by input; faults of no input are `""`."""

    do: str
    """`edit`, `answer`, `reject`, `ask-else` or `ask-agent`: which form it was."""
    typed: Mapping[str, str]
    errors: Mapping[str, str]


def field_id(index: int) -> str:
    """The name of the input for a field."""
    return f"field-{index}"


def inputs(form: Sequence[Field]) -> tuple[Input | None, ...]:
    """One input for each field, or None where Teams has none that gives the value back unchanged."""
    return tuple(_input(each, field_id(index)) for index, each in enumerate(form))


def is_small(form: Sequence[Field]) -> bool:
    """May it open on the card itself?"""
    return (
        0 < len(form) <= MOST_INLINE
        and sum(len(each.text) + len(each.help) for each in form) <= INLINE_CHARS
        and all(each is not None for each in inputs(form))
    )


def whole_input(text: str) -> Input | None:
    """The whole value as JSON in one input; None when it is too long for one."""
    if len(text) > FORM_CHARS:
        return None
    return Input("whole", "All of it, as JSON", "text", text, is_multiline=True)


def whole_text(value: Mapping[str, JsonValue]) -> str:
    """A value as JSON for editing, with hidden characters in JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, indent=2) if hidden_in(text) else text


def words(id_: str, label: str, hint: str = "", *, most: int, is_multiline: bool = True) -> Input:
    """Free words, or a line of them."""
    return Input(id_, label, "text", hint=hint, is_multiline=is_multiline, most=most)


def somebody(label: str, hint: str = "") -> Input:
    """One person of the conversation."""
    return Input("somebody", label, "person", hint=hint, placeholder="Search by name…")


def number(view: Card, id_: str) -> tuple[Input, ...]:
    """The two digits that a yes must repeat; nothing where it need not."""
    if not view.code:
        return ()
    hint = f"The card says {view.code}."
    return (Input(id_, "Type the number of this card", "text", hint=hint, most=_CODE_CHARS),)


def refilled(made: Input, filled: Filled | None) -> Input:
    """The same input with what was typed into it, and what is wrong with that."""
    if filled is None:
        return made
    text, error = filled.typed.get(made.id, ""), filled.errors.get(made.id, "")
    if made.element == "number" and text and not _NUMBER_RE.fullmatch(text):
        return replace(made, element="text", value=text, error=error)
    if made.element == "date" and text and not _DATE_RE.fullmatch(text):
        return replace(made, element="text", value=text, error=error)
    return replace(made, value=text, error=error)


def _input(field: Field, id_: str) -> Input | None:
    hints = [each for each in (field.limits, field.help) if each]
    hint = plain(" · ".join(hints), _HINT_CHARS) if hints else ""
    label = title(f"{field.label} (required)" if field.required else field.label)
    match field.kind:
        case "boolean" | "enum":
            return _menu(field, Input(id_, label, "radio" if field.kind == "boolean" else "choices", hint=hint))
        case "date" if not field.text or _DATE_RE.fullmatch(field.text):
            return Input(id_, label, "date", field.text, hint)
        case "integer" | "number" if not field.text or _NUMBER_RE.fullmatch(field.text):
            return Input(id_, label, "number", field.text, hint)
        case _ if len(field.text) > FIELD_CHARS:
            return None
        case kind:
            several = kind in {"long", "list", "json"} or "\t" in field.text
            return Input(id_, label, "text", field.text, hint, is_multiline=several)


def _menu(field: Field, empty: Input) -> Input | None:
    """Its entries by their places: what is submitted is never a text of the agent's."""
    if not 0 < len(field.options) <= _MOST_OPTIONS:
        return None
    # An input that must be filled in begins with nothing chosen, rather than with an entry that says so.
    shown = [(index, each) for index, each in enumerate(field.options) if each.value or not field.required]
    if not shown:
        return None
    options = tuple(Option(title(each.label), str(index)) for index, each in shown)
    if len({each.title for each in options}) < len(options):
        options = tuple(Option(title(f"{each.value}: {each.title}"), each.value) for each in options)
    chosen = next((str(index) for index, each in shown if each.value == field.text), "")
    return replace(empty, options=options, value=chosen, placeholder="Choose one…")
