"""A condition's words: enough of CEL's grammar to say where a fault is, and what a condition would cost.

The package compiles and runs; this only looks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})
"""They go through a list."""

_WORD: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word, and where it begins in the condition."""

    kind: str
    """`text`, `number`, `name` or `sign`."""
    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro that goes through a list: the words of its body, and the names it binds."""

    name: Word
    body: range
    binds: frozenset[str]
    literals: int | None
    """How many literals it goes through; None: a list of unknown length."""
    is_sum: bool
    """Does it go through what was put together in brackets before it?"""


def words(source: str) -> tuple[Word, ...]:
    """Take a condition apart."""
    return tuple(_words(source))


def _words(source: str) -> Iterator[Word]:
    line, begins = 1, 0
    for found in _WORD.finditer(source):
        kind, text = found.lastgroup or "sign", found[0]
        if kind != "space":
            yield Word(kind, text, line, found.start() - begins + 1)
        if ends := text.count("\n"):
            line, begins = line + ends, found.start() + text.rindex("\n") + 1


def closing(found: tuple[Word, ...], at: int) -> int:
    """Where the bracket that opens at `at` closes; the end, if it does not."""
    depth = 0
    for place in range(at, len(found)):
        if found[place].kind == "sign":
            depth += (found[place].text in _CLOSES) - (found[place].text in _CLOSES.values())
            if depth == 0:
                return place
    return len(found)


def loops(found: tuple[Word, ...]) -> tuple[Loop, ...]:
    """Every macro that goes through a list."""
    return tuple(
        Loop(
            word,
            range(at + 2, closing(found, at + 1)),
            _bound(found, at + 2),
            _literals(found, at - 2),
            _is_sum(found, at - 2),
        )
        for at, word in enumerate(found)
        if word.text in MACROS and _is(found, at - 1, ".") and _is(found, at + 1, "(")
    )


def _is(found: tuple[Word, ...], at: int, sign: str) -> bool:
    return 0 <= at < len(found) and found[at].kind == "sign" and found[at].text == sign


def _bound(found: tuple[Word, ...], at: int) -> frozenset[str]:
    """The one or two names before the body."""
    bound: list[str] = []
    while at + 1 < len(found) and found[at].kind == "name" and _is(found, at + 1, ",") and len(bound) < 2:  # noqa: PLR2004  # a map's key and its value
        bound.append(found[at].text)
        at += 2
    return frozenset(bound[:1] if len(bound) < 2 else bound)  # noqa: PLR2004  # as above


def _is_sum(found: tuple[Word, ...], at: int) -> bool:
    """Does a bracket with a `+` in it close here?"""
    if not _is(found, at, ")"):
        return False
    opens = next((place for place in range(at - 1, -1, -1) if closing(found, place) == at and _opens(found, place)), 0)
    return any(_is(found, place, "+") for place in range(opens, at))


def _opens(found: tuple[Word, ...], at: int) -> bool:
    return found[at].kind == "sign" and found[at].text in _CLOSES


def _literals(found: tuple[Word, ...], at: int) -> int | None:
    """How many literals the list that ends at `at` has; None: it is no list of literals."""
    if not _is(found, at, "]"):
        return None
    count = 0
    for place in range(at - 1, -1, -1):
        word = found[place]
        if _is(found, place, "["):
            before = found[place - 1] if place else None
            indexed = before is not None and (before.kind in {"name", "text"} or before.text in {")", "]"})
            return None if indexed and before is not None and before.text != "in" else count
        if word.kind in {"text", "number"} or word.text in {"true", "false", "null"}:
            count += 1
        elif word.text not in {",", "-"}:
            return None
    return None
