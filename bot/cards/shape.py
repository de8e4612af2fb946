"""Which form field each part of a value becomes, from its JSON Schema or else from the value itself.

The properties of an object are fields of their own; those of an object inside it too, with dotted names
(`address.city`), unless a name has a dot of its own. What lies deeper, what a schema cannot pin down, and an object
with an empty name, is edited as JSON: no two parts may have one name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, cast

from pydantic import JsonValue

from bot.cards.schema import resolved

Kind = Literal["text", "long", "integer", "number", "boolean", "enum", "date", "date-time", "list", "json"]

WHOLE: Final = "value"
"""Name of the one field of a value that is no object."""

_LONG = 80
_MOST_NESTED = 12


class Absent:
    """The type of a property that is not there, which is not null."""


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Spot:
    """One editable part of a value."""

    path: tuple[str, ...]
    schema: Mapping[str, JsonValue]
    kind: Kind
    value: JsonValue | Absent
    required: bool
    nullable: bool

    @property
    def name(self) -> str:
        """As in the form; empty paths are the whole value."""
        return ".".join(self.path) or WHOLE


def spots(schema: Mapping[str, JsonValue], value: JsonValue | Absent) -> tuple[Spot, ...]:
    """The parts of a value in the order of its schema, then those that the schema does not name.

    Where there is no value at all yet, each part has the schema's `default` for it, if there is one.
    """
    if isinstance(value, Absent) and not is_object(schema, value):
        value = _default(dict(schema))
    whole = _spot((), dict(schema), value, required=True, root=schema)
    properties = _properties(whole, schema)
    if properties is None:
        return (whole,)
    if any(not spot.path[-1] for spot in properties):
        return (replace(whole, kind="json"),)
    # A dotted name must mean one thing.
    flat = any("." in name for spot in properties for name in spot.path)
    found: list[Spot] = []
    for spot in properties:
        inner = None if flat else _properties(spot, schema)
        if inner is None or not 0 < len(inner) <= _MOST_NESTED or not all(map(_is_plain, inner)):
            found.append(spot)
        else:
            found += inner
    return tuple(found)


def _is_plain(part: Spot) -> bool:
    return bool(part.path[-1]) and "." not in part.path[-1]


def is_object(schema: Mapping[str, JsonValue], value: JsonValue | Absent) -> bool:
    """Does the form have one field per property, rather than one for the whole?"""
    return _properties(_spot((), dict(schema), value, required=True, root=schema), schema) is not None


def _properties(spot: Spot, root: Mapping[str, JsonValue]) -> list[Spot] | None:
    """The parts of an object; None when it is none, or too vague to take apart."""
    named = spot.schema.get("properties")
    properties = named if isinstance(named, dict) else {}
    if isinstance(spot.value, dict):
        values: dict[str, JsonValue] = spot.value
    elif isinstance(spot.value, Absent) and properties and spot.required:
        values = {}
    else:
        return None
    if not properties and spot.path and not values:
        return None
    listed = spot.schema.get("required")
    required = listed if isinstance(listed, list) else []
    others = spot.schema.get("additionalProperties")
    return [
        _spot(
            (*spot.path, name),
            properties.get(name, others if isinstance(others, dict) else {}),
            values.get(name, _default(properties.get(name)) if isinstance(spot.value, Absent) else ABSENT),
            required=name in required,
            root=root,
        )
        for name in dict.fromkeys([*properties, *values])
    ]


def _default(schema: JsonValue) -> JsonValue | Absent:
    """The schema's own value for what nobody gives; null is no value to show."""
    found = schema.get("default") if isinstance(schema, dict) else None
    return ABSENT if found is None else found


def _spot(
    path: tuple[str, ...],
    schema: JsonValue,
    value: JsonValue | Absent,
    *,
    required: bool,
    root: Mapping[str, JsonValue],
) -> Spot:
    found, nullable = _narrowed(resolved(schema, root), value, root)
    spot = Spot(path, found, "json", value, required, nullable)
    fallback: Kind = "json"
    kind = next((kind for kind in _candidates(spot, root) if _shows(kind, value)), fallback)
    return replace(spot, kind=kind)


def _narrowed(
    schema: Mapping[str, JsonValue], value: JsonValue | Absent, root: Mapping[str, JsonValue]
) -> tuple[Mapping[str, JsonValue], bool]:
    """The alternative of `anyOf`, `oneOf` or a list of types that fits the value, or the first; and is null another?"""
    types = schema.get("type")
    if isinstance(types, list):
        others = [name for name in types if name != "null"]
        fitting = [name for name in others if _fits({"type": name}, value)] or others
        return {**schema, "type": fitting[0] if fitting else "null"}, "null" in types
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches:
            alternatives = [resolved(branch, root) for branch in branches]
            others_ = [branch for branch in alternatives if branch.get("type") != "null"]
            fitting_ = [branch for branch in others_ if _fits(branch, value)] or others_
            chosen = fitting_[0] if fitting_ else {}
            rest = {key: kept for key, kept in schema.items() if key != keyword}
            return {**rest, **chosen}, len(others_) < len(alternatives)
    allowed = schema.get("enum")
    return schema, isinstance(allowed, list) and None in allowed


def _fits(schema: Mapping[str, JsonValue], value: JsonValue | Absent) -> bool:
    if "enum" in schema or "const" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        return isinstance(allowed, list) and value in allowed
    return schema.get("type", _type_of(value)) in {_type_of(value), "number" if _type_of(value) == "integer" else None}


def _type_of(value: JsonValue | Absent) -> str | None:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return None


def _candidates(spot: Spot, root: Mapping[str, JsonValue]) -> Iterator[Kind]:
    """Kinds of field from the most telling to the least; the first that can show the value is taken."""
    if "enum" in spot.schema or "const" in spot.schema:
        yield "enum"
        return
    wanted = spot.schema.get("type", _type_of(spot.value))
    if wanted == "string":
        named = spot.schema.get("format")
        if named == "date":
            yield "date"
        if named == "date-time":
            yield "date-time"
        yield "long" if _is_long(spot) else "text"
    elif wanted in {"integer", "number", "boolean"}:
        yield cast("Kind", wanted)
    elif wanted == "array" and item_type(spot, root):
        yield "list"


def item_type(spot: Spot, root: Mapping[str, JsonValue]) -> str | None:
    """The one scalar type (`string`, `integer` or `number`) that all entries of a list have, if there is one."""
    items = resolved(spot.schema.get("items", {}), root)
    named = items.get("type")
    if {"enum", "const", "anyOf", "oneOf"} & items.keys() or "prefixItems" in spot.schema:
        return None
    values = spot.value if isinstance(spot.value, list) else []
    types = {_type_of(entry) for entry in values}
    found = named or (types.pop() if len(types) == 1 else None)
    scalar = found if found in {"string", "integer", "number"} else None
    fitting = all(_fits({"type": scalar}, entry) for entry in values)
    return scalar if isinstance(scalar, str) and fitting else None


def _shows(kind: Kind, value: JsonValue | Absent) -> bool:
    """Can this kind of field show the value so that it comes back as it is?"""
    if value is None or isinstance(value, Absent):
        return True
    match kind:
        case "text" | "date-time":
            return isinstance(value, str) and not re.search(r"[\r\n]", value)
        case "long":
            return isinstance(value, str)
        case "date":
            return isinstance(value, str) and _is_date(value)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list) and all(_is_line(entry) for entry in value)
        case "enum" | "json":
            return True


def _is_line(entry: JsonValue) -> bool:
    return not isinstance(entry, str) or (bool(entry.strip()) and not re.search(r"[\r\n]", entry))


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_long(spot: Spot) -> bool:
    most = spot.schema.get("maxLength")
    if isinstance(spot.value, str):
        return len(spot.value) > _LONG or bool(re.search(r"[\r\n]", spot.value))
    # The answer to a question may be a paragraph unless the schema says otherwise.
    return (isinstance(most, int) and most > _LONG * 2) or (
        not spot.path and most is None and "format" not in spot.schema
    )
