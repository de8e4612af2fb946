"""What a grant covers, pure: the arguments that must be the same, and for whom. No clock, no store, no words of a card.

A grant never covers more than was shown when it was given: values are compared with their types, so that `1`, `1.0`,
`true` and `"1"` are four things, and an argument that is missing is not one that is null.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue

from andon import wire
from bot.handoff import Offer

LONGEST_S: Final = 7 * 86_400
"""No grant stands longer, whatever the policy says."""

_NAME_RE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Final = frozenset(
    # Source: Common Expression Language, language definition, reserved words,
    # https://github.com/google/cel-spec/blob/master/doc/langdef.md, read 2026-11.
    {
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
        "namespace", "null", "package", "return", "true", "var", "void", "while",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """A grant as a yes gives it."""

    id: str
    agent: str
    tool: str
    same: Mapping[str, JsonValue]
    scope: str
    """`run`: that run alone; `agent`: any run of the agent; `requester`: its runs for that requester."""
    run: str
    run_name: str
    requester: str
    life_s: int
    label: str
    gate: str
    policy: str
    """Version and rule of the policy that offered it."""
    handoff: str
    by: wire.Actor
    standing: str = "member"
    """What its giver was where they gave it; a guest stays one."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant that stands."""

    given: Given
    at: datetime
    until: datetime
    uses: int = 0
    last_used: datetime | None = None


def grant_id(handoff_id: str) -> str:
    """The id of the grant that this handoff's yes gives: one at the most, so the same press gives the same."""
    return f"gr_{handoff_id.partition('_')[2]}"


def narrowed(offer: Offer, args: Mapping[str, JsonValue]) -> Mapping[str, JsonValue] | None:
    """The arguments that the offer wants to be the same, as they are here; None where one is missing."""
    if any(name not in args for name in offer.same):
        return None
    return {name: args[name] for name in offer.same}


def covers(same: Mapping[str, JsonValue], args: Mapping[str, JsonValue]) -> bool:
    """Are all of these arguments there, and the very same?"""
    return all(name in args and equal(args[name], value) for name, value in same.items())


def reaches(given: Given, *, agent: str, run: str, requester: str) -> bool:
    """Is it for this agent, and for this run or requester if it is narrowed to one?"""
    if given.agent != agent:
        return False
    match given.scope:
        case "agent":
            return True
        case "run":
            return given.run == run
        case "requester":
            return bool(requester) and given.requester == requester
    return False  # a scope of a newer version: nobody here knows what it means


def equal(one: Any, other: Any) -> bool:
    """The same JSON value, of the same types all the way down."""
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
        case list():
            return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


# --- as a condition ------------------------------------------------------------------------------


def as_cel(tool: str, same: Mapping[str, JsonValue]) -> str:
    """The same narrowing as a CEL condition over `tool` and `args`, as a rule of the policy would have it."""
    parts = [f"tool == {_text(tool)}"]
    for name, value in same.items():
        field = f"args.{name}" if _NAME_RE.fullmatch(name) and name not in _WORDS else f"args[{_text(name)}]"
        if value is None or isinstance(value, dict | list):
            parts.append(f"{_text(name)} in args")
        parts += _same(field, value)
    return " && ".join(parts)


def _same(field: str, value: JsonValue) -> Iterator[str]:
    """What makes `field` this value. CEL takes 1 and 1.0 for equal, so that numbers are compared by type too."""
    match value:
        case None:
            yield f"{field} == null"
        case bool():
            yield f"{field} == {'true' if value else 'false'}"
        case int() if abs(value) < 2**63:
            yield f"type({field}) == int"
            yield f"{field} == {value}"
        case int() | float():
            yield f"type({field}) == double"
            yield f"{field} == {_double(value)}"
        case str():
            yield f"{field} == {_text(value)}"
        case list():
            yield f"type({field}) == list"
            yield f"size({field}) == {len(value)}"
            for index, each in enumerate(value):
                yield from _same(f"{field}[{index}]", each)
        case dict():
            yield f"type({field}) == map"
            yield f"size({field}) == {len(value)}"
            for name, each in value.items():
                yield f"{_text(name)} in {field}"
                yield from _same(f"{field}[{_text(name)}]", each)


def _double(value: float) -> str:
    text = repr(float(value))
    return text if any(mark in text for mark in ".en") else f"{text}.0"


def _text(text: str) -> str:
    """A CEL string: JSON in ASCII, but for what is beyond 16 bits, which JSON writes as two and CEL as one."""
    inner = (json.dumps(each)[1:-1] if each <= "\uffff" else f"\\U{ord(each):08x}" for each in text)
    return f'"{"".join(inner)}"'


def is_within(offers: Sequence[Offer], given_same: Mapping[str, JsonValue], scope: str, age_s: float) -> bool:
    """Does the policy, as it is now, still offer such a grant? What it offers no more does not stand any more."""
    return any(
        set(offer.same) == given_same.keys() and offer.scope == scope and age_s < min(offer.life_s, LONGEST_S)
        for offer in offers
    )
