"""A form's fields as inputs of a modal: what Slack can hold so that it comes back as it was. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from adapters.slack.cards import Option
from adapters.slack.emoji import has_emoji, legend, without_emoji
from adapters.slack.fit import HINT, INPUT, LABEL, OPTION, OPTIONS
from adapters.slack.presses import ACTION
from bot.cards import Card, Field, hidden_in
from bot.cards.rich import length, plain

MOST_FIELDS: Final = 40
_MOST_RADIOS: Final = 10
_CODE_CHARS: Final = 2
_NUMBER_RE: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?")
_DATE_RE: Final = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a modal; `block` is where its value comes back."""

    block: str
    label: str
    element: Literal["text", "number", "date", "radio", "select", "check", "person"]
    text: str = ""
    hint: str = ""
    options: tuple[Option, ...] = ()
    chosen: int | None = None
    is_optional: bool = True
    is_multiline: bool = False
    is_decimal: bool = False
    most: int = INPUT
    kind: Literal["input"] = "input"


def block(name: str, handoff_id: str) -> str:
    """The `block_id` of an input."""
    return f"{ACTION}in:{name}:{handoff_id}"


def block_name(block_id: object) -> str:
    """The name in it; empty when it is none of ours."""
    start = f"{ACTION}in:"
    return block_id.removeprefix(start).partition(":")[0] if str(block_id).startswith(start) else ""  # type: ignore[attr-defined]  # a text: it starts so


def inputs(form: Sequence[Field], handoff_id: str, *, fresh: bool) -> tuple[Input | None, ...]:
    """One input for each field, or None where Slack has none that gives the value back unchanged.

    `fresh` forms have no value yet: there, what is required must be filled in; else what is empty may stay so.
    """
    return tuple(_input(each, block(f"field-{index}", handoff_id), fresh=fresh) for index, each in enumerate(form))


def whole_input(text: str, handoff_id: str) -> Input | None:
    """The whole value as JSON in one input; None when it is too long for one."""
    if length(text) > INPUT:
        return None
    return Input(block("whole", handoff_id), "All of it, as JSON", "text", text, is_optional=False, is_multiline=True)


def whole_text(value: Mapping[str, JsonValue]) -> str:
    """A value as JSON for editing, with hidden characters and emoji in JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, indent=2) if hidden_in(text) or has_emoji(text) else text


def remark(handoff_id: str, label: str, hint: str = "") -> Input:
    """A remark or a reason in free words."""
    return Input(block("remark", handoff_id), label, "text", hint=hint, is_multiline=True)


def somebody(handoff_id: str, label: str, hint: str = "") -> Input:
    """One person of the workspace."""
    return Input(block("somebody", handoff_id), label, "person", hint=hint)


def words(name: str, handoff_id: str, label: str, hint: str = "", *, most: int, required: bool = False) -> Input:
    """Free words, or a line of them."""
    several = name != "address"
    return Input(
        block(name, handoff_id), label, "text", hint=hint, is_optional=not required, is_multiline=several, most=most
    )


def number(view: Card, *, required: bool = True) -> tuple[Input, ...]:
    """The two digits that a yes must repeat; nothing where it need not."""
    if not view.code:
        return ()
    hint = f"The card says {view.code}."
    label = "Type the number of this card"
    return (Input(block("code", view.id), label, "text", hint=hint, is_optional=not required, most=_CODE_CHARS),)


def tick(name: str, handoff_id: str, label: str, option: str, *, required: bool) -> Input:
    """One box to tick."""
    only = (Option(plain(option, OPTION), name),)
    return Input(block(name, handoff_id), plain(label, LABEL), "check", options=only, is_optional=not required)


def _input(field: Field, at: str, *, fresh: bool) -> Input | None:
    text = without_emoji(field.text)
    hints = [each for each in (field.limits, field.help, legend(field.text)) if each]
    shared = {
        "block": at,
        "label": plain(field.label, LABEL),
        "hint": plain(" · ".join(hints), HINT) if hints else "",
        "is_optional": not field.required or not (fresh or field.text.strip()),
    }
    match field.kind:
        case "boolean" | "enum":
            return _menu(field, shared)
        case "date" if not field.text or _DATE_RE.fullmatch(field.text):
            return Input(element="date", text=field.text, **shared)  # type: ignore[arg-type]  # its parts have their types
        case "integer" | "number" if not field.text or _NUMBER_RE.fullmatch(field.text):
            return Input(element="number", text=field.text, is_decimal=field.kind == "number", **shared)  # type: ignore[arg-type]  # likewise
        case _ if length(text) > INPUT:
            return None
        case kind:
            several = kind in {"long", "list", "json"} or "\t" in field.text
            return Input(element="text", text=text, is_multiline=several, **shared)  # type: ignore[arg-type]  # likewise


def _menu(field: Field, shared: Mapping[str, object]) -> Input | None:
    if not 0 < len(field.options) <= OPTIONS:
        return None
    # An input that must be filled in begins with nothing chosen, rather than with an entry that says so.
    shown = [(index, each) for index, each in enumerate(field.options) if each.value or not field.required]
    if not shown:
        return None
    made = tuple(Option(plain(each.label, OPTION), str(index)) for index, each in shown)
    if len({each.label for each in made}) < len(made):
        made = tuple(Option(plain(f"{each.value}: {each.label}", OPTION), each.value) for each in made)
    chosen = next((place for place, (_, each) in enumerate(shown) if each.value == field.text), None)
    element = "radio" if field.kind == "boolean" and len(made) <= _MOST_RADIOS else "select"
    return Input(element=element, options=made, chosen=chosen, **shared)  # type: ignore[arg-type]  # likewise
