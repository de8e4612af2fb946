"""A line of text as the answer to a question: read as the type that is asked for, and what is said of it. Pure."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from andon import wire
from bot.cards.characters import visible
from bot.cards.form import ABSENT, Field, fields, read
from bot.errors import InvalidAnswer
from bot.handoff import Handoff

NEEDS_FORM: Final = "This question has several parts, so a reply cannot answer it. Press Answer on the card."

_EDGES: Final = " \t\n.,:;!?…"
_WHOLE: Final = "Your answer"
"""The label of the one field of an answer without parts, as `fields` has it."""
_SHAPED: Final = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "$ref"})
_YES: Final = frozenset({"yes", "y", "true"})
_NO: Final = frozenset({"no", "n", "false"})
_SHOWN_CHARS: Final = 300


class NeedsForm(Exception):
    """The answer has parts, or a shape that a line of text cannot have; `NEEDS_FORM` says so."""


def typed_answer(handoff: Handoff, text: str) -> JsonValue:
    """The answer that a typed text stands for; the handoff is a question.

    Raises:
        InvalidAnswer: It is not of the type that is asked for.
        NeedsForm: No text is.
    """
    assert isinstance(handoff.ask, wire.Input)  # noqa: S101  # whoever reads a reply saw to it
    schema = handoff.ask.answer_schema
    form = fields(schema, ABSENT)
    if [field.label for field in form] != [_WHOLE]:
        raise NeedsForm
    if form[0].kind == "json":
        if _SHAPED & schema.keys():
            raise NeedsForm
        return _any_value(schema, form[0], text)
    return read(schema, ABSENT, {form[0].name: [_filled(form[0], text)]})


def is_offered(handoff: Handoff, text: str) -> bool:
    """Is this one of the answers that the question itself lists?"""
    if not isinstance(handoff.ask, wire.Input):
        return False
    word = plain_word(text)
    listed = [option for field in fields(handoff.ask.answer_schema, ABSENT) for option in field.options if option.value]
    return any(word in {plain_word(each.value), plain_word(each.label)} for each in listed)


def plain_word(text: str) -> str:
    """Words for comparing: one way to write each, small letters, no punctuation around."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)


def not_recorded(error: InvalidAnswer) -> str:
    """What is wrong with a reply, for whoever wrote it."""
    wrong = "; ".join(visible(fault.detail) for fault in error.faults) or visible(error.detail)
    return f"Not recorded: {_short(wrong)}. Reply again, or press Answer on the card."


def recorded(handoff: Handoff, value: JsonValue, by: wire.Actor) -> str:
    """What was recorded, for everybody who reads the thread."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    answer = _short(" ".join(visible(shown).split()))
    return f"Recorded: {answer}\n{visible(handoff.agent)} gets this as {visible(by.name)}'s answer."


def _any_value(schema: Mapping[str, JsonValue], field: Field, text: str) -> JsonValue:
    """Where everything is allowed: a number, a yes or a no as such, all else as the text that it is."""
    try:
        value = read(schema, ABSENT, {field.name: [text]})
    except InvalidAnswer:
        return text
    return value if isinstance(value, bool | int | float) else text


def _filled(field: Field, text: str) -> str:
    """What the field of the form would submit for what was typed."""
    word = plain_word(text)
    if field.kind == "boolean":
        return "true" if word in _YES else "false" if word in _NO else text
    if field.kind == "enum":
        options = (each for each in field.options if each.value)
        return next((each.value for each in options if word in {each.value, plain_word(each.label)}), text)
    return text


def _short(text: str) -> str:
    if len(text) <= _SHOWN_CHARS:
        return text
    kept = text[: _SHOWN_CHARS - 30]
    return f"{kept}… ({len(text) - len(kept):,} more characters)"
