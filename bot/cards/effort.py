"""How much work it is to check a value against an agent's schema, known before any of it is done.

It counts what a validator would visit, as if nothing ever ended early: a schema that refers to itself from several
branches visits a value so often that no machine ends, and a long text times a large pattern is slow even in linear
time. Pure arithmetic: it validates nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

from pydantic import JsonValue

MAX_STEPS = 20_000
"""Visits of a subschema to a part of a value; counting them takes up to 75 ms, making them less (2026-11)."""

MAX_TOLD = 12_000
"""Visits that may make an error, heavier inside alternatives; listing as many took up to 60 ms."""

MAX_READ = 3_000_000
"""Characters times pattern size; matching as much took up to 40 ms."""

MAX_PATTERN = 4_000
"""Size of one pattern, counted repetitions multiplied out."""

MAX_PATTERNS = 30
"""Patterns of one schema: each compiled one takes memory for as long as its schema is kept."""

_MANY = {"dependentSchemas", "dependencies"}
_SAME = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef"} | _MANY
_ITEMS = ("items", "contains", "unevaluatedItems", "additionalItems")
_VALUES = ("additionalProperties", "unevaluatedProperties")
_UNEVALUATED = {"unevaluatedItems", "unevaluatedProperties"}
_PLAIN = ("enum", "const", "required", "dependentRequired")
_REVISITED = 3
"""How often a validator visits what stands beside an `unevaluated…` keyword; measured 2.7 times a level."""

_NESTED = 2
"""How much heavier errors are for each alternative around them: each carries all that are below it."""

_COUNT_RE = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_WIDE = 4


@dataclass(slots=True)
class Effort:
    """What checking takes at most."""

    steps: int = 0
    told: int = 0
    read: int = 0

    @property
    def is_too_much(self) -> bool:
        """Not to be started at all."""
        return self.steps > MAX_STEPS or self.read > MAX_READ


def effort(schema: Mapping[str, JsonValue], value: JsonValue) -> Effort:
    """Count until it is too much; then the numbers are lower bounds."""
    found, sizes = Effort(), dict[int, int]()
    _size(value, sizes)
    followed: dict[str, JsonValue] = {}
    todo: list[tuple[JsonValue, JsonValue, int, int]] = [(dict(schema), value, 1, 1)]
    while todo and not found.is_too_much:
        node, part, times, weight = todo.pop()
        size = sizes.get(id(part), len(part) if isinstance(part, str) else 1)
        found.steps += times
        found.told += times * weight * (1 + size // 50)
        if not isinstance(node, dict):
            continue
        found.steps += times * sum(_entries(node.get(key)) for key in _PLAIN if key in node)
        if isinstance(part, str) and isinstance(pattern := node.get("pattern"), str):
            found.read += times * (len(part) + 1) * pattern_size(pattern)
        again = times * _REVISITED if _UNEVALUATED & node.keys() else times
        inside = weight * _NESTED if {"anyOf", "oneOf"} & node.keys() else weight
        todo += [(child, part, again, inside) for child in _same(node, schema, followed)]
        if isinstance(part, dict):
            found.read += times * _names_read(node, part)
            todo += [(child, inner, again, weight) for child, inner in islice(_in_object(node, part), MAX_STEPS)]
        elif isinstance(part, list):
            todo += [(child, inner, again, weight) for child, inner in islice(_in_list(node, part), MAX_STEPS)]
    return found


def pattern_size(pattern: str) -> int:
    """About how many states it makes: its length, counted repetitions multiplied out.

    What cannot be read so is one repetition around everything: the safe side.
    """
    sums, last, at = [0], 0, 0
    while at < len(pattern):
        character, counted = pattern[at], _COUNT_RE.match(pattern, at)
        if counted:
            most = max(int(counted[1][:6]), int((counted[2] or "0")[:6]), 1)
            sums[-1] += last * (most - 1)
            last *= most
            at = counted.end()
            continue
        if character == "(":
            sums.append(0)
            last = 0
        elif character == ")" and len(sums) > 1:
            last = sums.pop() + 1
            sums[-1] += last
        elif character in "*+?|^$":
            sums[-1] += 1
        else:
            width = _class_end(pattern, at) - at if character == "[" else 2 if character == "\\" else 1
            last = _WIDE if width > 1 or character == "." else 1
            sums[-1] += last
            at += width - 1
        at += 1
    return sum(sums) + 1


def patterns(node: JsonValue) -> Iterator[str]:
    """Every pattern that a schema may hold, wherever it stands."""
    if isinstance(node, list):
        for child in node:
            yield from patterns(child)
    elif isinstance(node, dict):
        if isinstance(pattern := node.get("pattern"), str):
            yield pattern
        if isinstance(named := node.get("patternProperties"), dict):
            yield from named
        for child in node.values():
            yield from patterns(child)


def at_pointer(root: Mapping[str, JsonValue], reference: str) -> JsonValue:
    """What a local JSON pointer such as `#/$defs/Money` points at; None when there is nothing."""
    here: JsonValue = dict(root)
    for step in unquote(reference.removeprefix("#")).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        elif isinstance(here, dict):
            here = here.get(name)
        else:
            return None
    return here


def _same(
    node: Mapping[str, JsonValue], root: Mapping[str, JsonValue], followed: dict[str, JsonValue]
) -> Iterator[JsonValue]:
    """The subschemas that look at the same part."""
    for key in _SAME & node.keys():
        child = node[key]
        if isinstance(child, list):
            yield from child
        elif isinstance(child, str):
            if child not in followed:
                # An anchor that hides in data is not known here: it leads to itself, which is too much.
                is_pointer = child == "#" or child.startswith("#/")
                followed[child] = at_pointer(root, child) if is_pointer else {"$ref": child}
            yield followed[child]
        elif key in _MANY and isinstance(child, dict):
            yield from child.values()
        else:
            yield child


def _in_object(node: Mapping[str, JsonValue], part: Mapping[str, JsonValue]) -> Iterator[tuple[JsonValue, JsonValue]]:
    if isinstance(named := node.get("properties"), dict):
        yield from ((child, part[name]) for name, child in named.items() if name in part)
    others = [node[key] for key in _VALUES if key in node]
    if isinstance(matched := node.get("patternProperties"), dict):
        others += matched.values()
    for child in others:
        yield from ((child, inner) for inner in part.values())
    if "propertyNames" in node:
        yield from ((node["propertyNames"], name) for name in part)


def _in_list(node: Mapping[str, JsonValue], part: list[JsonValue]) -> Iterator[tuple[JsonValue, JsonValue]]:
    if isinstance(first := node.get("prefixItems"), list):
        yield from zip(first, part, strict=False)
    for key in _ITEMS:
        if key in node:
            yield from ((node[key], inner) for inner in part)


def _names_read(node: Mapping[str, JsonValue], part: Mapping[str, JsonValue]) -> int:
    matched = node.get("patternProperties")
    if not isinstance(matched, dict):
        return 0
    # `additionalProperties` and `unevaluatedProperties` match the names again.
    return 3 * sum(len(name) + 1 for name in part) * sum(map(pattern_size, matched))


def _entries(value: JsonValue) -> int:
    match value:
        case dict():
            return 1 + sum(map(_entries, value.values()))
        case list():
            return 1 + sum(map(_entries, value))
        case _:
            return 1


def _size(value: JsonValue, sizes: dict[int, int]) -> int:
    """Characters of a value, and of each object and list in it."""
    match value:
        case dict():
            sizes[id(value)] = 1 + sum(len(name) + _size(inner, sizes) for name, inner in value.items())
            return sizes[id(value)]
        case list():
            sizes[id(value)] = 1 + sum(_size(inner, sizes) for inner in value)
            return sizes[id(value)]
        case str():
            return len(value) + 2
        case _:
            return 4


def _class_end(pattern: str, at: int) -> int:
    """Where a character class ends."""
    end = at + 1
    while end < len(pattern) and (pattern[end] != "]" or end == at + 1):
        end += 2 if pattern[end] == "\\" else 1
    return end + 1
