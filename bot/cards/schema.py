"""An agent's JSON Schema: is it fit to use, does a value fit it, and what a person can do about it if not.

Schemas come from agents and are not trusted: nothing is fetched, a `pattern` runs in time linear in the text, and
what would take too long is not begun (`effort` counts it first). A check, told faults included, stays under 100 ms;
the tests try to break that.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import jsonschema_rs
from pydantic import JsonValue

from bot.cards.effort import MAX_PATTERN, MAX_PATTERNS, MAX_TOLD, at_pointer, effort, pattern_size, patterns
from bot.errors import Fault

MAX_EXPANDED = 10_000
"""Subschemas after following every local reference; errors are listed in time proportional to it."""

MAX_FAULTS = 50
_MOST_QUOTED = 60

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}
_FORMATS = {
    "date": "a date such as 2026-11-22",
    "date-time": "a date and time such as 2026-11-22T14:02:00Z",
    "time": "a time such as 14:02:00Z",
    "duration": "a duration such as PT15M",
    "email": "an e-mail address such as ana@example.com",
    "uri": "an address such as https://example.com",
    "uuid": "a UUID",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
    "regex": "a regular expression",
}


def check_schema(schema: Mapping[str, JsonValue]) -> tuple[Fault, ...]:
    """Say what keeps this schema from being used; nothing, when it can be.

    Refused are what JSON Schema 2020-12 does not allow, references other than `#/…` into the schema itself, patterns
    with look-around or back-references (they can take for ever), more than `MAX_PATTERNS` patterns or one larger than
    `MAX_PATTERN`, more than `MAX_EXPANDED` subschemas, and references that lead back without a step into the value.
    """
    if faults := (*_foreign(dict(schema), ()), *_large(schema)):
        return faults
    try:
        _validator(json.dumps(schema))
    except jsonschema_rs.ValidationError as error:
        return (Fault(_dotted(error.instance_path), _refusal(error)),)
    if _expanded(schema) > MAX_EXPANDED or effort(schema, None).is_too_much:
        return (Fault("", f"following its references makes more than {MAX_EXPANDED:,} subschemas; make it simpler"),)
    return ()


def check(schema: Mapping[str, JsonValue], value: JsonValue) -> tuple[Fault, ...]:
    """Every fault of a value, each with its dotted path (`items.0.name`; empty: the whole), at most `MAX_FAULTS`.

    The schema should have passed `check_schema`; to one that an earlier version let pass nothing
    fits. A value that would take too long to check does not fit: unknown is not
    yes. One whose faults would take too long to list gets one for the whole.
    """
    if not schema:
        return ()
    needed = effort(schema, value)
    if needed.is_too_much:
        return (
            Fault("", "is too large to be checked against this schema, so it counts as not fitting; make it smaller"),
        )
    try:
        validator = _validator(json.dumps(schema))
    except jsonschema_rs.ValidationError as refused:
        return (Fault("", f"cannot be checked: the schema {_refusal(refused)}"),)
    if validator.is_valid(value):
        return ()
    if needed.told > MAX_TOLD:
        return (Fault("", "does not fit the schema"),)
    faults: dict[Fault, None] = {}
    for error in islice(validator.iter_errors(value), MAX_FAULTS):
        faults.update(dict.fromkeys(_faults(error)))
    return tuple(faults) or (Fault("", "does not fit the schema"),)


def resolved(schema: JsonValue, root: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """A subschema with its local `$ref`, if any, followed; its own keywords win. Never raises: `{}` says nothing."""
    seen: set[str] = set()
    found: dict[str, JsonValue] = {}
    while isinstance(schema, dict):
        found = {**schema, **found}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or reference in seen:
            break
        seen.add(reference)
        schema = at_pointer(root, reference)
    return {key: value for key, value in found.items() if key != "$ref"}


@lru_cache(maxsize=32)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    """Compiled; an unknown `$schema` is read as 2020-12, as the wire protocol says."""
    return jsonschema_rs.Draft202012Validator(
        json.loads(schema),
        validate_formats=True,
        offline=True,
        # RegexOptions is the linear-time engine; the default one backtracks.
        pattern_options=jsonschema_rs.RegexOptions(size_limit=300_000, dfa_size_limit=300_000),
    )


def _refusal(error: jsonschema_rs.ValidationError) -> str:
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Referencing):
        return f"a reference cannot be followed: {str(kind.error)[:200]}"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Format) and kind.format == "regex":
        return "is no regular expression that runs in linear time (no look-around, no back-references), or is too large"
    return f"is not JSON Schema 2020-12: {error.message[:200]}"


def _faults(error: jsonschema_rs.ValidationError) -> Sequence[Fault]:
    """In words for the person who typed the value."""
    path = [*error.instance_path]
    kinds = jsonschema_rs.ValidationErrorKind
    match error.kind:
        case kinds.Required():
            return [Fault(_dotted([*path, error.kind.property]), "is required")]
        case kinds.AdditionalProperties() | kinds.UnevaluatedProperties():
            return [Fault(_dotted([*path, name]), "is not one of the fields") for name in error.kind.unexpected]
        case kinds.AnyOf() | kinds.OneOfNotValid():
            return [Fault(_dotted(path), _either(error.kind.context, len(path)))]
        case _:
            return [Fault(_dotted(path), _sentence(error))]


def _sentence(error: jsonschema_rs.ValidationError) -> str:  # noqa: C901, PLR0912  # a table, a line a keyword
    kinds = jsonschema_rs.ValidationErrorKind
    match error.kind:
        case kinds.Type(types):
            said = f"must be {' or '.join(_WORDS.get(name, name) for name in types)}"
        case kinds.Enum(options):
            said = f"must be one of {', '.join(_short(option) for option in options[:20])}"
        case kinds.Constant(expected):
            said = f"must be {_short(expected)}"
        case kinds.Format(name):
            said = f"must be {_FORMATS.get(name, f'in the format {name!r}')}"
        case kinds.MinLength(limit):
            said = "must not be empty" if limit == 1 else f"must have at least {limit:,} characters"
        case kinds.MaxLength(limit):
            said = f"must have at most {limit:,} characters, and has {len(str(error.instance)):,}"
        case kinds.Minimum(limit):
            said = f"must be at least {limit}"
        case kinds.Maximum(limit):
            said = f"must be at most {limit}"
        case kinds.ExclusiveMinimum(limit):
            said = f"must be more than {limit}"
        case kinds.ExclusiveMaximum(limit):
            said = f"must be less than {limit}"
        case kinds.MultipleOf(step):
            said = f"must be a multiple of {step}"
        case kinds.MinItems(limit):
            said = f"must have at least {limit:,} entries" if limit != 1 else "must have at least one entry"
        case kinds.MaxItems(limit):
            said = f"must have at most {limit:,} entries"
        case kinds.UniqueItems():
            said = "must not have the same entry twice"
        case kinds.Pattern(pattern):
            said = f"must match the pattern {pattern[:200]}"
        case kinds.FalseSchema():
            said = "must be left out"
        case _:
            said = f"does not fit: {error.message[:200]}"
    return said


def _either(context: Sequence[Sequence[jsonschema_rs.ValidationError]], depth: int) -> str:
    """What each alternative wanted, when each wants one thing of the value itself."""
    wanted: dict[str, None] = {}
    for branch in context[:8]:
        if len(branch) != 1 or len(branch[0].instance_path) > depth:
            return "fits none of the forms that are allowed here"
        wanted[_sentence(branch[0]).removeprefix("must be ")] = None
    return f"must be {' or '.join(wanted)}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 1]}…"  # as much as fits into a sentence


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path)


def _foreign(node: JsonValue, path: tuple[str | int, ...]) -> Iterator[Fault]:  # noqa: C901  # a case a keyword
    """References, and bases for references, that a reader of this schema alone cannot follow."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _foreign(child, (*path, index))
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        if key in {"$ref", "$dynamicRef", "$recursiveRef"} and isinstance(child, str):
            if child != "#" and not child.startswith("#/"):
                told = f"refers to {child[:200]!r}; nothing is fetched: put it into `$defs` and refer to `#/$defs/…`"
                yield Fault(_dotted((*path, key)), told)
        elif key == "$id" and isinstance(child, str) and path:
            yield Fault(_dotted((*path, key)), "only the whole schema may have an `$id`")
        elif key in {"properties", "patternProperties", "dependentSchemas", "$defs"} and isinstance(child, dict):
            for name, inner in child.items():  # names, whatever keyword they look like
                yield from _foreign(inner, (*path, key, name))
        elif key not in {"const", "enum", "default", "examples"}:
            yield from _foreign(child, (*path, key))


def _large(schema: Mapping[str, JsonValue]) -> Iterator[Fault]:
    """Patterns that would take too much memory or time."""
    found = set(patterns(dict(schema)))
    if len(found) > MAX_PATTERNS:
        yield Fault("", f"has {len(found):,} patterns; at most {MAX_PATTERNS} are taken")
    for pattern in found:
        if pattern_size(pattern) > MAX_PATTERN:
            yield Fault("", f"has a pattern that is too large, its repetitions multiplied out: {_short(pattern)}")


def _expanded(schema: Mapping[str, JsonValue]) -> int:
    """How many subschemas there are once local references are followed."""
    sizes: dict[str, int] = {}

    def size(node: JsonValue, above: tuple[str, ...]) -> int:
        if isinstance(node, list):
            return sum(size(child, above) for child in node)
        if not isinstance(node, dict):
            return 0
        total = 1 + sum(size(child, above) for key, child in node.items() if key != "$defs")
        for keyword in ("$ref", "$dynamicRef"):
            reference = node.get(keyword)
            if not isinstance(reference, str) or reference in above:
                continue
            if reference not in sizes:
                sizes[reference] = size(at_pointer(schema, reference), (*above, reference))
            total += sizes[reference]
        return total

    try:
        return size(dict(schema), ("#",))
    except RecursionError:  # a chain of hundreds of references
        return MAX_EXPANDED + 1
