"""Builtins of a shell that set variables, or look at them by a name that may itself be a program. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._names import names
from bot.risk._question import HIGH, LOW, MODEST, Finding, quoted
from bot.risk._words import Word
from bot.risk._wrapping import assigned

_RUNS: Final = re.compile(r"\$\(|`|\[")
"""An index is worked out, and with it whatever stands in it, even where it was quoted."""
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_SET: Final = 0.2

Builtin = Callable[[str, Sequence[Word]], Iterator[Finding]]


def _named(name: str, given: Sequence[Word], *, unknown: bool = True) -> Iterator[Finding]:
    """What naming these variables means; `unknown`: is a name that is only known when it runs too much?"""
    for each in given:
        if _RUNS.search(each.text):
            yield Finding(HIGH, f"{quoted(name)} may run what stands in {quoted(each.text)}.")
        elif (each.dynamic or each.spread or each.escaped) and unknown:
            yield Finding(HIGH, f"Which variable {quoted(name)} means is only known when it runs: {quoted(each.text)}.")
        if found := _NAME.match(each.text):
            yield from assigned(found[0])


def _taken(rest: Sequence[Word], valued: str) -> tuple[list[tuple[str, Word]], list[Word]]:
    """Short options with their values, and the words after all options."""
    options: list[tuple[str, Word]] = []
    i = 0
    while i < len(rest) and rest[i].text.startswith("-") and rest[i].text != "-":
        text = rest[i].text
        i += 1
        if text == "--":
            break
        for at, letter in enumerate(text[1:], 2):
            if letter in valued:
                if text[at:]:
                    options.append((letter, Word(text[at:], rest[i - 1].dynamic)))
                elif i < len(rest):
                    options.append((letter, rest[i]))
                    i += 1
                break
            options.append((letter, Word("")))
    return options, list(rest[i:])


def _printf(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    options, _ = _taken(rest, "v")
    targets = [value for letter, value in options if letter == "v"]
    yield Finding(_SET if targets else LOW, f"{quoted(name)} {'sets a variable' if targets else 'only writes'}.")
    yield from _named(name, targets)


def _read(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    options, words = _taken(rest, "adinNptu")
    yield Finding(LOW, f"{quoted(name)} reads into variables.")
    yield from _named(name, [*words, *(value for letter, value in options if letter == "a")])


def _lines(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    options, words = _taken(rest, "dnOsuCc")
    yield Finding(LOW, f"{quoted(name)} reads into a variable.")
    if any(letter == "C" for letter, _ in options):
        yield Finding(HIGH, f"{quoted(name)} runs a command at what it reads.")
    yield from _named(name, words)


def _let(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(_SET, f"{quoted(name)} calculates.")
    yield from _named(name, rest)
    for each in rest:
        for found in _NAME.findall(each.text):
            yield from assigned(found)


def _declare(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    score = MODEST if name in {"export", "unset"} else _SET
    yield Finding(score, f"{quoted(name)} sets variables, or says what they are.")
    given = [each for each in rest if not each.text.startswith(("-", "+"))]
    yield from _named(name, given, unknown=False)
    for each in given:
        if (each.dynamic or each.escaped) and not re.match(r"[A-Za-z_]\w*\+?=", each.text):
            yield Finding(HIGH, f"Which variable {quoted(name)} sets is only known when it runs: {quoted(each.text)}.")
    if any(re.match(r"^[-+]\w*[in]", each.text) for each in rest) and any(each.dynamic for each in given):
        yield Finding(HIGH, f"{quoted(name)} works out what is only known when it runs.")


def _test(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, f"{quoted(name)} only looks.")
    given = rest[:-1] if name == "[" and rest and rest[-1].text == "]" else rest
    by_name = any(each.text in {"-v", "-R"} for each in given)
    for each in given:
        if _RUNS.search(each.text) or (by_name and (each.dynamic or each.escaped)):
            yield Finding(HIGH, f"{quoted(name)} may run what stands in {quoted(each.text)}.")


def _getopts(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, f"{quoted(name)} reads options.")
    yield from _named(name, rest[1:2])


def _wait(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, f"{quoted(name)} waits.")
    options, _ = _taken(rest, "p")
    yield from _named(name, [value for letter, value in options if letter == "p"])


def _hash(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.match(r"^-\w*p", each.text) for each in rest):
        yield Finding(HIGH, f"{quoted(name)} makes a command mean another program.")
    else:
        yield Finding(LOW, f"{quoted(name)} only looks.")


BUILTINS: Final[Mapping[str, Builtin]] = {
    "printf": _printf,
    "read": _read,
    **dict.fromkeys(("mapfile", "readarray"), _lines),
    "let": _let,
    **dict.fromkeys(names("declare typeset local readonly export unset integer float"), _declare),
    **dict.fromkeys(("test", "["), _test),
    "getopts": _getopts,
    "wait": _wait,
    "hash": _hash,
}

_ASSIGNS: Final = re.compile(
    r"\b(?:for|select|coproc)\s+([A-Za-z_]\w*)"
    r"|\$\{([A-Za-z_]\w*)(?:\[[^]]*\])?:?="
    r"|\{([A-Za-z_]\w*)\}[<>]"
)
_SUM: Final = re.compile(r"\(\((.*?)(?:\)\)|$)", re.DOTALL)


def in_passing(text: str, *, parsed: bool) -> Iterator[Finding]:
    """Variables that are set on the way: by expansions and sums, and, where no parser took it, by loops."""
    for found in _ASSIGNS.finditer(text):
        if found[1] is None or not parsed:
            yield from assigned(found[1] or found[2] or found[3])
    for sums in _SUM.finditer(text):
        for name in re.findall(r"([A-Za-z_]\w*)\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)", sums[1]):
            yield from assigned(name)
        if _RUNS.search(sums[1]):
            yield Finding(HIGH, f"A sum may run what stands in it: {quoted(sums[1])}.")
