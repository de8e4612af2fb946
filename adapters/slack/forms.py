"""What was filled into a modal, read back: values for the core, and faults for the modal. Pure.

A form that nobody touched gives the very same value: a text that Slack trimmed, or whose line ends it changed, is the
text that was shown.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pydantic import JsonValue

from adapters.slack.emoji import with_emoji, without_emoji
from adapters.slack.inputs import block, block_name, whole_text
from adapters.slack.presses import Sheet
from bot.cards import ABSENT, Card, Field, by_field, fields, read
from bot.cards.rich import plain
from bot.errors import Fault, InvalidAnswer
from bot.handoff import Handoff

ERROR_CHARS: Final = 150

Values = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""`view.state.values` of a `view_submission`: block, action, state."""


def submitted(form: Sequence[Field], values: Values) -> Mapping[str, Sequence[str]]:
    """What `bot.cards.read` takes; a field that the modal did not have is missing, and keeps its value."""
    found: dict[str, Sequence[str]] = {}
    for block_id, states in values.items():
        kind, _, number = block_name(block_id).partition("-")
        if kind != "field" or not number.isdecimal() or int(number) >= len(form):
            continue
        field = form[int(number)]
        for state in states.values():
            given = _given(field, state)
            found[field.name] = [field.text if _is_same(field, given) else with_emoji(given, field.text)]
    return found


def arguments(handoff: Handoff, form: Sequence[Field], values: Values) -> dict[str, JsonValue]:
    """The arguments that an edit makes.

    Raises:
        InvalidAnswer: With one fault per field whose text is not of its type.
    """
    action = handoff.action
    if action is None:
        raise InvalidAnswer("There is nothing to edit on this card.", handoff=handoff.id)
    text = _text(values, "whole")
    if text is None:
        made = read(action.schema_, action.args, submitted(form, values))
    elif _trimmed(text) == _trimmed(whole_text(action.args)):
        made = dict(action.args)
    else:
        made = _parsed(text)
    if not isinstance(made, dict):
        raise InvalidAnswer("must be a JSON object", handoff=handoff.id, faults=[Fault("", "must be a JSON object")])
    return made


def reply(schema: Mapping[str, JsonValue], values: Values) -> JsonValue:
    """The answer to a question.

    Raises:
        InvalidAnswer: With one fault per field whose text is not of its type.
    """
    text = _text(values, "whole")
    return read(schema, ABSENT, submitted(fields(schema, ABSENT), values)) if text is None else _parsed(text)


def remark(values: Values) -> str | None:
    """The reason or the remark; None when there is none."""
    return (_text(values, "remark") or "").strip() or None


def somebody(values: Values, team: str) -> str | None:
    """Who was picked, or whose address was typed; as approvers are listed. None: nobody."""
    for block_id, states in values.items():
        if block_name(block_id) == "somebody":
            for state in states.values():
                if user := state.get("selected_user"):
                    return f"slack:{team}/{user}"
    return (_text(values, "address") or "").strip() or None


def note(values: Values) -> str | None:
    """What was written to go with it."""
    return (_text(values, "note") or "").strip() or None


def question(values: Values) -> str:
    """What the agent is asked."""
    return (_text(values, "question") or "").strip()


def code(values: Values) -> str | None:
    """The card's number, as it was typed."""
    return (_text(values, "code") or "").strip() or None


def is_for_another(values: Values) -> bool:
    """Is the edit to be saved, for another person to approve?"""
    return _is_ticked(values, "save")


def has_read(sheet: Sheet, values: Values) -> bool:
    """Was all of it before the person's eyes? What was in a file counts when they say that they read it."""
    return sheet.full and (not sheet.file or _is_ticked(values, "read"))


def errors(view: Card, faults: Sequence[Fault], values: Values) -> Mapping[str, str]:
    """Faults for the modal's own marks, by block; what belongs to no input stands at the first.

    Empty when the modal has no input: then it must be told another way.
    """
    blocks = [block_id for block_id in values if block_name(block_id)]
    if not blocks:
        return {}
    places = {field.name: block(f"field-{index}", view.id) for index, field in enumerate(view.form)}
    said: dict[str, list[str]] = {}
    number = block("code", view.id)
    if number in values and (wrong := [fault.detail for fault in faults if fault.field == "code"]):
        said[number] = wrong
        faults = [fault for fault in faults if fault.field != "code"]
    for name, texts in by_field(view.form, [_local(view, fault) for fault in faults]).items():
        place = places.get(name, "")
        lost = name and place not in values
        said.setdefault(place if place in values else blocks[0], []).extend(
            f"{name}: {text}" if lost else text for text in texts
        )
    return {place: plain("; ".join(texts), ERROR_CHARS) for place, texts in said.items()}


def _local(view: Card, fault: Fault) -> Fault:
    """A fault's field within the form: the desk names it within the answer."""
    head, _, rest = fault.field.partition(".")
    if head in {"args", "answer"} and head not in {field.name for field in view.form}:
        return Fault(rest, fault.detail)
    return fault


def _given(field: Field, state: Mapping[str, Any]) -> str:
    if "selected_option" in state:
        option = state["selected_option"]
        index = option.get("value") if isinstance(option, Mapping) else None
        if isinstance(index, str) and index.isdecimal() and int(index) < len(field.options):
            return field.options[int(index)].value
        return ""
    given = state["selected_date"] if "selected_date" in state else state.get("value")
    return given if isinstance(given, str) else ""


def _is_same(field: Field, given: str) -> bool:
    if field.kind in {"integer", "number"} and field.text and given:
        try:
            return Decimal(given) == Decimal(field.text)
        except InvalidOperation:
            return False
    return _trimmed(given) == _trimmed(without_emoji(field.text))


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _text(values: Values, name: str) -> str | None:
    """What stands in the input of this name; None when the modal has none."""
    for block_id, states in values.items():
        if block_name(block_id) == name:
            for state in states.values():
                return str(state.get("value") or "")
    return None


def _is_ticked(values: Values, name: str) -> bool:
    return any(
        option.get("value") == name
        for block_id, states in values.items()
        if block_name(block_id) == name
        for state in states.values()
        for option in state.get("selected_options") or ()
    )


def _parsed(text: str) -> JsonValue:
    # A list is edited as JSON, so that this reads any JSON with the same care as a form.
    return read({}, [], {"value": [text]}) if _trimmed(text) != "[]" else []
