"""What was filled into a form of a card, read back: values for the core, and faults for the card drawn anew. Pure.

A form that nobody touched gives the very same value: a text that a client trimmed, or whose line ends it changed, is
the text that was shown. An input that is empty does not come back at all, so what is missing was emptied.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from pydantic import JsonValue

from adapters.teams.carried import Pressed
from adapters.teams.forms import Filled, field_id, inputs, whole_text
from bot.cards import ABSENT, Card, Field, by_field, fields, read
from bot.cards.rich import plain
from bot.errors import Fault, InvalidAnswer
from bot.handoff import Handoff

ERROR_CHARS: Final = 300

_FORMS: Final = frozenset({"edit", "answer"})
_BESIDE_FORMS: Final = {"code": "code", "reason": "edit-reason"}
_BESIDE: Final = {name: name for name in ("choice", "code", "note", "question", "reason")} | {"to": "address"}
"""Inputs that are no fields of a form, by what the service calls them."""

Values = Mapping[str, str]
"""`Pressed.inputs`."""


def arguments(handoff: Handoff, form: Sequence[Field], press: Pressed) -> dict[str, JsonValue]:
    """The arguments that an edit makes.

    Raises:
        InvalidAnswer: With one fault per field whose text is not of its type.
    """
    action = handoff.action
    if action is None:
        raise InvalidAnswer("There is nothing to edit on this card.", handoff=handoff.id)
    if not press.whole:
        made = read(action.schema_, action.args, submitted(form, press.inputs))
    elif _trimmed(press.inputs.get("whole", "")) == _trimmed(whole_text(action.args)):
        made = dict(action.args)
    else:
        made = _parsed(press.inputs.get("whole", ""))
    if not isinstance(made, dict):
        raise InvalidAnswer("must be a JSON object", handoff=handoff.id, faults=[Fault("", "must be a JSON object")])
    return made


def reply(schema: Mapping[str, JsonValue], press: Pressed) -> JsonValue:
    """The answer to a question.

    Raises:
        InvalidAnswer: With one fault per field whose text is not of its type.
    """
    if press.whole:
        return _parsed(press.inputs.get("whole", ""))
    return read(schema, ABSENT, submitted(fields(schema, ABSENT), press.inputs))


def submitted(form: Sequence[Field], values: Values) -> Mapping[str, Sequence[str]]:
    """What `bot.cards.read` takes; a field that has no input on any card keeps its value.

    Raises:
        InvalidAnswer: Nothing at all came back of a form that had several things in it: no client sent that form.
    """
    shown = [(index, field) for index, (field, each) in enumerate(zip(form, inputs(form), strict=True)) if each]
    had = sum(bool(field.text) for _, field in shown)
    if had > 1 and not any(field_id(index) in values for index, _ in shown):
        raise InvalidAnswer("Nothing of the form arrived. Open it again and send it again.", faults=[])
    found: dict[str, Sequence[str]] = {}
    for index, field in shown:
        given = _given(field, values.get(field_id(index), ""))
        found[field.name] = [field.text if _is_same(field, given) else given]
    return found


def remark(press: Pressed) -> str | None:
    """The reason or the remark; None when there is none."""
    return _stripped(press, "edit-reason" if press.do == "edit" else "reason")


def somebody(press: Pressed, tenant: str) -> str | None:
    """Who was picked, or whose address was typed; as approvers are listed. None: nobody."""
    picked = _stripped(press, "somebody")
    return f"teams:{tenant}/{picked}" if picked else _stripped(press, "address")


def note(press: Pressed) -> str | None:
    """What was written to go with it."""
    return _stripped(press, "note")


def question(press: Pressed) -> str:
    """What the agent is asked."""
    return _stripped(press, "question") or ""


def code(press: Pressed) -> str | None:
    """The card's number, as it was typed."""
    return _stripped(press, "code")


def candidate(press: Pressed) -> int | None:
    """Which candidate was picked, by its place; None when none was."""
    if press.index is not None:
        return press.index
    picked = press.inputs.get("choice", "")
    return int(picked) if picked.isdecimal() and picked.isascii() and len(picked) < 6 else None  # noqa: PLR2004  # small


def filled(view: Card, press: Pressed, faults: Sequence[Fault]) -> Filled:
    """What was typed, and each fault at its input, for a card or a sheet that is drawn anew."""
    form = view.form if press.do in _FORMS else ()
    has_input = {
        field.name: field_id(index) for index, (field, each) in enumerate(zip(form, inputs(form), strict=True)) if each
    }
    own = _BESIDE_FORMS if press.do in _FORMS else _BESIDE
    said: dict[str, list[str]] = {}
    others: list[Fault] = []
    for fault in faults:
        if fault.field in own and fault.field not in has_input:
            said.setdefault(own[fault.field], []).append(fault.detail)
        else:
            others.append(_local(view, fault))
    if press.whole:
        said.setdefault("whole", []).extend(
            f"{each.field}: {each.detail}" if each.field else each.detail for each in others
        )
        others = []
    for name, texts in by_field(form, others).items():
        lost = name and name not in has_input
        said.setdefault(has_input.get(name, ""), []).extend(f"{name}: {text}" if lost else text for text in texts)
    errors = {place: plain("; ".join(texts), ERROR_CHARS) for place, texts in said.items() if texts}
    return Filled(press.do, press.inputs, errors)


def _local(view: Card, fault: Fault) -> Fault:
    """A fault's field within the form: the desk names it within the answer."""
    head, _, rest = fault.field.partition(".")
    if head in {"args", "answer"} and head not in {field.name for field in view.form}:
        return Fault(rest, fault.detail)
    return fault


def _given(field: Field, text: str) -> str:
    """A menu submits the place of what was chosen."""
    if field.kind not in {"boolean", "enum"}:
        return text
    if text.isdecimal() and text.isascii() and len(text) < 6 and int(text) < len(field.options):  # noqa: PLR2004  # small
        return field.options[int(text)].value
    return ""


def _is_same(field: Field, given: str) -> bool:
    if field.kind in {"integer", "number"} and field.text and given:
        try:
            return Decimal(given) == Decimal(field.text)
        except InvalidOperation:
            return False
    return _trimmed(given) == _trimmed(field.text)


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _stripped(press: Pressed, name: str) -> str | None:
    return press.inputs.get(name, "").strip() or None


def _parsed(text: str) -> JsonValue:
    # A list is edited as JSON, so that this reads any JSON with the same care as a form.
    return read({}, [], {"value": [text]}) if _trimmed(text) != "[]" else []
