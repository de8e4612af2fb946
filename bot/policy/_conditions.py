"""Conditions in CEL, compiled once per load, of bounded cost."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import cel

from bot.errors import did_you_mean
from bot.policy._probe import made_up
from bot.policy._words import Loop, Word, closing, loops, words

VARIABLES: Final = frozenset(
    {
        "tool", "args", "gate", "kind", "risk", "confidence", "failures", "agent", "run", "labels", "requester",
        "reversible", "checkpoint",
    }
)  # fmt: skip
FUNCTIONS: Final = frozenset(
    {
        "has", "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bytes",
        "dyn", "type", "timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek",
        "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
    }
)  # fmt: skip
LOOPED: Final = 500
"""Values that the arguments may have in all where a condition goes through a list."""
REREAD: Final = 1_000_000
"""Values times characters that may be read where a loop looks at more than what it goes through."""
LITERALS: Final = 20
"""Literals that a loop within a loop may go through."""

_TYPES: Final = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_RESERVED: Final = frozenset({"true", "false", "null", "in"})
_TOLD: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_LONG: Final = frozenset({"args", "labels", "tool", "run", "requester"})
"""Variables that an agent may make long."""
_SEARCHES: Final = frozenset({"matches", "contains", "startsWith", "endsWith"})
_BINDING: Final = frozenset({"||", "&&"})


class Faulty(ValueError):
    """A condition that cannot be used: why, and, when it is known, at which line and column of it."""

    def __init__(self, why: str, line: int = 0, column: int = 0) -> None:
        """`line` and `column` count from 1; 0: not known."""
        super().__init__(f"line {line}, column {column}: {why}" if line else why)
        self.why = why
        self.line = line
        self.column = column


class Condition:
    """One condition. It holds, or does not; what fails while it is looked at holds for nobody to rely on."""

    def __init__(self, source: str) -> None:
        """Compile it.

        Raises:
            Faulty: It is no CEL, names what there is not, says nothing of the action, is neither true nor false, or
                could take too long.
        """
        self.source = source
        try:
            self._program = cel.compile(source)
        except (ValueError, SyntaxError, RuntimeError) as error:
            raise _no_cel(str(error)) from error
        self.words = words(source)
        inside = loops(self.words)
        used = _names_are_known(self.words, inside)
        self.variables: Final = frozenset(used)
        """What it looks at."""
        _is_about_something(self.words, used)
        _is_bounded(self.words, inside)
        self._loops = bool(inside)
        self._rereads = _looks_at_its_own(self.words, inside)
        self._is_true_or_false()

    def holds(self, about: "About") -> bool:
        """Does it hold?

        Raises:
            Faulty: It cannot be told: an argument that is not there, a comparison of unlike things, no boolean, or
                too much to go through.
        """
        if self._loops and about.size > LOOPED:
            raise Faulty(f"it goes through lists, and the arguments have more than {LOOPED} values")
        if self._rereads and about.size * about.chars > REREAD:
            raise Faulty("it looks at the arguments again for each value of a list, and there is too much of both")
        try:
            said = self._program.execute(about.context)
        except Exception as error:
            raise Faulty(_why(error)) from error
        if not isinstance(said, bool):
            raise Faulty(f"it gives {str(said)[:40]}, which is neither true nor false")
        return said

    def outcomes(self, **fixed: Any) -> frozenset[bool | None]:
        """What comes of it for actions made up of its own words, with some variables fixed; None: it cannot be told."""
        found = set[bool | None]()
        for variables in made_up(self.words):
            try:
                said = self._program.execute({**variables, **fixed})
            except Exception:  # noqa: BLE001  # whatever it raises, it cannot be told
                said = None
            found.add(said if isinstance(said, bool) else None)
        return frozenset(found)

    def _is_true_or_false(self) -> None:
        """Try it on actions made up of its own words; what never gives a boolean, but something else, is none."""
        other: object = None
        for variables in made_up(self.words):
            try:
                said = self._program.execute(variables)
            except Exception:  # noqa: BLE001, S112  # whatever it raises, it gave nothing
                continue
            if isinstance(said, bool):
                return
            other = said
        if other is not None:
            raise Faulty(f"it gives {str(other)[:40]!r}, and must give true or false; compare it with something", 1, 1)


class About:
    """What a condition may look at, handed over to the package once for all conditions that look."""

    __slots__ = ("_chars", "_context", "_size", "_variables")

    def __init__(self, variables: Mapping[str, Any]) -> None:
        """`variables` by name; plain JSON values."""
        self._variables = variables
        self._context: cel.Context | None = None
        self._size: int | None = None
        self._chars: int | None = None

    @property
    def context(self) -> cel.Context:
        """For the package: turning 64 KiB of arguments into its own values takes longer than any condition."""
        if self._context is None:
            self._context = cel.Context(variables=dict(self._variables))
        return self._context

    @property
    def size(self) -> int:
        """How many values there are in the arguments, all told."""
        if self._size is None:
            self._size = _count(self._variables["args"], LOOPED + 1)
        return self._size

    @property
    def chars(self) -> int:
        """How many characters all texts have that a loop could look at; of as many values as a loop may meet."""
        if self._chars is None:
            self._chars = sum(_chars(self._variables.get(name)) for name in _LONG)
        return self._chars


def _chars(value: object) -> int:
    seen, waiting, chars = 0, [value], 0
    while waiting and seen <= LOOPED:
        each = waiting.pop()
        seen += 1
        if isinstance(each, Mapping):
            waiting += [*each.values(), *each.keys()]
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, str):
            chars += len(each)
    return chars


def _count(value: object, most: int) -> int:
    seen, waiting = 0, [value]
    while waiting and seen <= most:
        each = waiting.pop()
        seen += 1
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
    return seen


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {str(error.args[0]).strip(chr(39))!r}"
    return str(error).partition(". ")[0].partition("\n")[0][:200]


def _no_cel(told: str) -> Faulty:
    """The compiler's words, in one sentence, with line and column."""
    found = _TOLD.search(told)
    if not found:
        return Faulty("it is no CEL that can be read: too deep, or too long")
    what = found[3]
    if "'<EOF>'" in what.partition("expecting")[0]:
        what = "it ends where something should follow"
    elif quoted := re.match(r"(?:mismatched|extraneous) input '(.*?)'(?= expecting)", what):
        what = f"{quoted[1]!r} makes no sense here"
    elif quoted := re.match(r"token recognition error at: '(.*)'$", what):
        what = f"{quoted[1].strip()!r} cannot be read"
    elif quoted := re.match(r"no viable alternative at input '(.*)'$", what):
        what = f"{quoted[1]!r} makes no sense here"
    return Faulty(f"it is no CEL: {what}", int(found[1]), int(found[2]))


def _names_are_known(found: tuple[Word, ...], inside: tuple[Loop, ...]) -> set[str]:
    """The variables that it uses.

    Raises:
        Faulty: There is no such variable or function.
    """
    used = set()
    for at, word, called, belongs in _names(found):
        if called:
            if not (belongs and any(loop.name is word for loop in inside)) and word.text not in FUNCTIONS:
                raise Faulty(
                    f"there is no function {word.text!r}{did_you_mean(word.text, FUNCTIONS)}", word.line, word.column
                )
        elif belongs or any(word.text in loop.binds and at in loop.body for loop in inside):
            continue
        elif word.text in VARIABLES:
            used.add(word.text)
        elif word.text not in _TYPES:
            raise Faulty(
                f"there is no variable {word.text!r}{did_you_mean(word.text, VARIABLES)}", word.line, word.column
            )
    return used


def _names(found: tuple[Word, ...]) -> Iterator[tuple[int, Word, bool, bool]]:
    """Each name, whether it is called, and whether it belongs to what stands before it."""
    for at, word in enumerate(found):
        if word.kind == "name" and word.text not in _RESERVED:
            called = at + 1 < len(found) and found[at + 1].text == "("
            belongs = at > 0 and found[at - 1].text == "." and found[at - 1].kind == "sign"
            yield at, word, called, belongs


def _is_about_something(found: tuple[Word, ...], used: set[str]) -> None:
    if not used:
        raise Faulty("it is the same for every action; leave `when` out, or say what it depends on", 1, 1)
    for at, word in enumerate(found):
        before, after = found[at - 1].text if at else "(", found[at + 1].text if at + 1 < len(found) else ")"
        if word.text in {"true", "false"} and word.kind == "name" and before in {"(", *_BINDING}:
            beside = {before, after} & _BINDING
            if after in {")", *_BINDING} and beside:
                raise Faulty(
                    f"`{word.text}` beside `{beside.pop()}` is no condition; leave it out", word.line, word.column
                )


def _is_bounded(found: tuple[Word, ...], inside: tuple[Loop, ...]) -> None:
    """Loops within loops go through literals alone, loops make no lists, and patterns are literals that compile."""
    for loop in inside:
        if loop.name.text == "map":
            raise Faulty(
                "`map` could take very long; say what you look for with `exists`, `all`, `exists_one` or `filter`",
                loop.name.line,
                loop.name.column,
            )
        if loop.is_sum:
            raise Faulty(
                f"`{loop.name.text}` over a sum of lists could take very long; go through each by itself",
                loop.name.line,
                loop.name.column,
            )
    starts = {id(loop.name): at for at, word in enumerate(found) for loop in inside if loop.name is word}
    for loop in inside:
        outer = next((each for each in inside if starts[id(loop.name)] in each.body), None)
        if outer and (loop.literals is None or loop.literals > LITERALS):
            raise Faulty(
                f"`{loop.name.text}` within `{outer.name.text}` could take very long; let the inner one go through a "
                f"list of at most {LITERALS} literals, or write two rules",
                loop.name.line,
                loop.name.column,
            )
    for at, word in enumerate(found):
        if word.text == "matches" and at + 1 < len(found) and found[at + 1].text == "(":
            _pattern_compiles(found, at)


def _looks_at_its_own(found: tuple[Word, ...], inside: tuple[Loop, ...]) -> bool:
    """Does a loop look at more than what it goes through? It then reads it each time, and it may be 64 KiB long.

    Raises:
        Faulty: It searches it each time.
    """
    looks = False
    for at, word, called, belongs in _names(found):
        within = [loop for loop in inside if at in loop.body]
        bound = any(word.text in loop.binds for loop in within)
        if not within or called or belongs or bound or word.text not in _LONG:
            continue
        looks = True
        if any(found[i].text in _SEARCHES for loop in within for i in loop.body):
            raise Faulty(
                f"`{within[0].name.text}` would search with `{word.text}` each time, which could take very long; let "
                "it search what it goes through, and put the rest before it with `&&`",
                word.line,
                word.column,
            )
    return looks


def _pattern_compiles(found: tuple[Word, ...], at: int) -> None:
    end = closing(found, at + 1)
    last = found[end - 1]
    if last.kind != "text" or found[end - 2].text not in {"(", ","}:
        raise Faulty("`matches` takes a pattern in quotes, and nothing else", found[at].line, found[at].column)
    try:
        cel.compile(f"''.matches({last.text})").execute({})
    except Exception as error:
        said = str(error).partition("not a valid regex:")[2].partition(". Check function")[0].strip()
        why = said.splitlines()[-1].removeprefix("error: ") if said else str(error)[:100]
        raise Faulty(f"{last.text} is no pattern that can be used: {why}", last.line, last.column) from error
