"""A form made from a JSON Schema, and the value read back from it; shared by every surface.

A form that comes back as it was shown gives the very same value: not a space, not a line end, not a null is changed.
Types are kept: a number stays a number. `shape` says which part of a value becomes which field.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from bot.cards.characters import escaped, json_escaped, unescaped, visible, visible_name
from bot.cards.schema import check, check_schema
from bot.cards.shape import ABSENT, WHOLE, Absent, Kind, Spot, is_object, item_type, spots
from bot.errors import Fault, InvalidAnswer

__all__ = ["ABSENT", "Absent", "Field", "Option", "by_field", "check", "check_schema", "fields", "read"]

_EXACT = 2**53 - 1
_INTEGER_RE = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER_RE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_MOST_HELP = 300


@dataclass(frozen=True, slots=True)
class Option:
    """One value of an `enum`: what is submitted, and what is read."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `text` is what it shows, and what it submits when nobody touches it."""

    name: str
    label: str
    """The name for reading."""
    kind: Kind
    text: str
    required: bool
    help: str = ""
    limits: str = ""
    options: tuple[Option, ...] = ()


def fields(schema: Mapping[str, JsonValue], value: JsonValue | Absent) -> tuple[Field, ...]:
    """The fields for editing a value, or for giving one when it is `ABSENT`: then with the schema's defaults."""
    return tuple(
        Field(
            name=spot.name,
            label=visible_name(spot.name) if spot.path else "Your answer" if value is ABSENT else "All of it, as JSON",
            kind=spot.kind,
            text=_shown(spot),
            required=spot.required and not spot.nullable,
            help=_help(spot),
            limits=_limits(spot),
            options=_options(spot),
        )
        for spot in spots(schema, value)
    )


def read(
    schema: Mapping[str, JsonValue], original: JsonValue | Absent, submitted: Mapping[str, Sequence[str]]
) -> JsonValue:
    """The value that a submitted form stands for; a field that is missing from it keeps its value.

    What is left empty stays as it was if it was empty, null or not there; else it becomes null where that is allowed,
    an empty text or list, or is left out. Whether the value fits the schema is for `check`.

    Raises:
        InvalidAnswer: With one fault per field whose text is not of its type.
    """
    result: JsonValue = deepcopy(original) if not isinstance(original, Absent) else None
    faults: list[Fault] = []
    for spot in spots(schema, original):
        try:
            new = _new(spot, submitted.get(spot.name), schema, fresh=isinstance(original, Absent))
        except ValueError as error:
            faults.append(Fault(spot.name, str(error)))
            continue
        if not spot.path:
            if isinstance(new, Absent):
                new = "" if spot.kind in {"text", "long"} and not spot.nullable else None
            result = new
        elif not isinstance(new, Absent) or not isinstance(spot.value, Absent):
            result = _placed(result, spot.path, new)
    if faults:
        raise InvalidAnswer("some fields do not have the form that is asked for", faults=faults)
    if isinstance(original, Absent) and result is None and is_object(schema, original):
        return {}
    return result


def _new(spot: Spot, texts: Sequence[str] | None, root: Mapping[str, JsonValue], *, fresh: bool) -> JsonValue | Absent:
    """What became of one part; `fresh` forms begin with defaults and not with values.

    Raises:
        ValueError: With a sentence for the person who typed it.
    """
    if not texts:
        return ABSENT if fresh else spot.value
    text = _lines(texts[0])
    if text == _shown(spot):
        return spot.value
    if fresh and not spot.required and not text.strip():
        return ABSENT  # a default that somebody took out
    return _value(spot, text, root)


def by_field(form: Sequence[Field], faults: Sequence[Fault]) -> Mapping[str, tuple[str, ...]]:
    """Sort faults to the fields they belong beside; those of none are under the empty name."""
    sorted_: dict[str, tuple[str, ...]] = {}
    names = {field.name for field in form}
    for fault in faults:
        steps = fault.field.split(".")
        heads = (".".join(steps[:count]) for count in range(len(steps), 0, -1))
        name = WHOLE if names == {WHOLE} else next((head for head in heads if head in names), "")
        rest = fault.field.removeprefix(name).strip(".") if name not in {"", WHOLE} else fault.field
        said = f"{rest}: {fault.detail}" if rest and name not in (rest, WHOLE) else fault.detail
        sorted_[name] = (*sorted_.get(name, ()), said)
    return sorted_


def _shown(spot: Spot) -> str:
    value = spot.value
    if isinstance(value, Absent) or (value is None and spot.kind != "enum"):
        return ""
    match spot.kind:
        case "text" | "long" | "date" | "date-time":
            return escaped(_one_line_end(cast("str", value)))
        case "list":
            return "\n".join(map(_line, _list(value)))
        case "json":
            return _json(value, indent=2)
        case _:
            return _json(value)


def _value(spot: Spot, text: str, root: Mapping[str, JsonValue]) -> JsonValue | Absent:  # noqa: C901  # a case a kind
    """What a changed text means.

    Raises:
        ValueError: With a sentence for the person who typed it.
    """
    if not text.strip() and not (text and spot.kind in {"text", "long"}):
        return _emptied(spot)
    match spot.kind:
        case "text" | "long":
            return _with_line_ends(text, spot.value)
        case "date" | "date-time":
            return text.strip()
        case "integer":
            return _integer(text)
        case "number":
            number = _number(text)
            return float(number) if isinstance(spot.value, float) else number
        case "boolean":
            if text not in {"true", "false"}:
                raise ValueError("must be yes or no")
            return text == "true"
        case "enum":
            for option in _options(spot):
                if option.value == text and option.value:
                    return _parsed(text)
            raise ValueError("must be one of the choices")
        case "list":
            return _entries(spot, text, root)
        case "json":
            return _parsed(text)


def _emptied(spot: Spot) -> JsonValue | Absent:
    if spot.nullable:
        return None
    if spot.kind in {"text", "long"}:
        least = spot.schema.get("minLength")
        return ABSENT if isinstance(least, int) and least > 0 and not spot.required else ""
    if spot.kind == "list":
        return []
    if spot.required or isinstance(spot.value, Absent):
        raise ValueError("is required")
    return ABSENT


def _entries(spot: Spot, text: str, root: Mapping[str, JsonValue]) -> JsonValue:
    wanted = item_type(spot, root)
    before = [entry for entry in _list(spot.value) if isinstance(entry, str)]
    kept = {_line(entry): entry for entry in _list(spot.value)}
    entries: list[JsonValue] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if line in kept:
            entries.append(kept[line])
            continue
        try:
            match wanted:
                case "integer":
                    entries.append(_integer(line))
                case "number":
                    entries.append(_number(line))
                case _:
                    entries.append(unescaped(line, "".join(before)))
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from error
    return entries


def _line(entry: JsonValue) -> str:
    return escaped(entry) if isinstance(entry, str) else json.dumps(entry)


def _integer(text: str) -> int:
    if not _INTEGER_RE.fullmatch(text.strip()):
        raise ValueError("must be a whole number, such as 12")
    if abs(number := int(text)) > _EXACT:
        raise ValueError(f"must lie between -{_EXACT} and {_EXACT}")
    return number


def _number(text: str) -> int | float:
    if _INTEGER_RE.fullmatch(text.strip()):
        return _integer(text)
    if not _NUMBER_RE.fullmatch(text.strip()):
        raise ValueError("must be a number, such as 12.50")
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("is too large")
    return number


def _parsed(text: str) -> JsonValue:
    def once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("has a key twice in one object")
        return found

    def no(constant: str) -> JsonValue:
        raise ValueError(f"has {constant}, which is no JSON")

    try:
        return cast(
            "JsonValue",
            json.loads(text, object_pairs_hook=once, parse_constant=no, parse_int=_integer, parse_float=_number),
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _json(value: JsonValue, indent: int | None = None) -> str:
    """JSON with hidden characters written as its own escapes."""
    return json_escaped(json.dumps(value, ensure_ascii=False, indent=indent))


def _placed(value: JsonValue, path: tuple[str, ...], new: JsonValue | Absent) -> JsonValue:
    """The value with one part set, or taken out."""
    whole = dict(value) if isinstance(value, dict) else {}
    head, *rest = path
    if rest:
        whole[head] = _placed(whole.get(head), tuple(rest), new)
    elif isinstance(new, Absent):
        whole.pop(head, None)
    else:
        whole[head] = new
    return whole


def _list(value: JsonValue | Absent) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _lines(text: str) -> str:
    """Browsers send every line end as CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _all_crlf(text: str) -> bool:
    return "\r\n" in text and text.count("\n") == text.count("\r") == text.count("\r\n")


def _one_line_end(text: str) -> str:
    """Without the CR of a text whose lines all end in CR LF; other CRs are shown as what they are."""
    return text.replace("\r\n", "\n") if _all_crlf(text) else text


def _with_line_ends(text: str, original: JsonValue | Absent) -> str:
    before = original if isinstance(original, str) else ""
    after = unescaped(text, before)
    return after.replace("\n", "\r\n") if _all_crlf(before) else after


def _options(spot: Spot) -> tuple[Option, ...]:
    if spot.kind == "boolean":
        options = [Option("true", "Yes"), Option("false", "No")]
    elif spot.kind == "enum":
        allowed = spot.schema.get("enum", [spot.schema.get("const")])
        values = list(allowed) if isinstance(allowed, list) else []
        if not isinstance(spot.value, Absent) and _json(spot.value) not in map(_json, values):
            values.insert(0, spot.value)
        options = [Option(_json(value), visible(value if isinstance(value, str) else _json(value))) for value in values]
    else:
        return ()
    empty = isinstance(spot.value, Absent) or (spot.kind == "boolean" and (spot.value is None or spot.nullable))
    unset = Option("", "choose one…" if spot.required and isinstance(spot.value, Absent) else "not set")
    return (unset, *options) if empty or not spot.required else tuple(options)


def _help(spot: Spot) -> str:
    """The agent's own words about the field: its title, unless that is the name again, and its description."""
    title, description = spot.schema.get("title"), spot.schema.get("description")
    if isinstance(title, str) and title.casefold().replace(" ", "_") == spot.name.rpartition(".")[2].casefold():
        title = None
    said = [part for part in (title, description) if isinstance(part, str) and part]
    text = visible(": ".join(said))
    return text if len(text) <= _MOST_HELP else f"{text[:_MOST_HELP]}… (+{len(text) - _MOST_HELP:,} characters)"


def _limits(spot: Spot) -> str:
    """What the schema asks of it, in a few words of ours."""

    def span(low: str, high: str, unit: str) -> str:
        least, most = spot.schema.get(low), spot.schema.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float):
            return f"{least:,} to {most:,}{unit}"
        if isinstance(least, int | float):
            return f"at least {least:,}{unit}" if least or not unit else ""
        return f"at most {most:,}{unit}" if isinstance(most, int | float) else ""

    match spot.kind:
        case "text" | "long":
            return span("minLength", "maxLength", " characters")
        case "integer" | "number":
            what = "whole number" if spot.kind == "integer" else "number"
            return ", ".join(part for part in (what, span("minimum", "maximum", "")) if part)
        case "date-time":
            return "such as 2026-11-22T14:02:00Z"
        case "list":
            return ", ".join(part for part in ("one per line", span("minItems", "maxItems", " entries")) if part)
        case "json":
            return "JSON"
        case _:
            return ""
