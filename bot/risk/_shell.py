"""Takes a shell command apart: its simple commands, what they are piped into, and where they write. Pure.

`bashlex` reads it. What it cannot read is high, because nobody then knows what it does.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bashlex

from bot.risk._commands import judge
from bot.risk._names import NETWORK, SHELLS
from bot.risk._paths import read_path, written_path
from bot.risk._question import HIGH, LOW, MEDIUM, MOST, SERIOUS, Finding, quoted
from bot.risk._readers import widely
from bot.risk._sql import sql
from bot.risk._variables import in_passing
from bot.risk._words import Word, substitutions, word
from bot.risk._wrapping import assigned, inner_scripts, inner_sql, name_of, reads_program, unwrapped

MOST_CHARS: Final = 4_096
_MOST_NESTED: Final = 40
_MOST_INNER: Final = 4
"""Commands inside commands (`bash -c "bash -c …"`) that are read before it is given up."""
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_UNREAD: Final = 0.85


@dataclass(slots=True)
class _Seen:
    """What one walk over a command has met."""

    text: str
    depth: int
    findings: list[Finding] = field(default_factory=list)
    substitutions: int = 0
    defined: set[str] = field(default_factory=set)
    folder: str = ""
    """Where it went to; empty: it stayed where it is."""

    def find(self, score: float, reason: str) -> None:
        self.findings.append(Finding(score, reason))


def shell(text: str, *, depth: int = 0, folder: str = "") -> list[Finding]:
    """What there is to say of a command line; never empty. `folder`: where a command around it went to."""
    if not text.strip():
        return [Finding(LOW, "The command is empty.")]
    if len(text) > MOST_CHARS:
        return [Finding(MOST, f"The command has {len(text):,} characters; more than {MOST_CHARS:,} are not read.")]
    if depth > _MOST_INNER:
        return [Finding(HIGH, "It runs commands inside commands, deeper than is read.")]
    seen = _Seen(text, depth, folder=folder)
    parsed = True
    if _HIDDEN.search(text):
        seen.find(HIGH, "It has characters that nobody sees.")
    try:
        if _depth(text) > _MOST_NESTED:
            raise RecursionError  # noqa: TRY301  # as the parser would
        trees = bashlex.parse(text)
        for tree in trees:
            _visit(tree, seen)
    except Exception:  # noqa: BLE001  # the parser raises what it likes on what it cannot read
        parsed = False
        seen.findings += _unread(text, depth)
    seen.findings += in_passing(text, parsed=parsed)
    if substitutions(text) > seen.substitutions:
        seen.find(HIGH, "It has a substitution that cannot be taken apart.")
    return seen.findings or [Finding(LOW, f"It runs nothing: {quoted(text)}.")]


def argv(words: Sequence[str], *, depth: int = 0) -> list[Finding]:
    """A command that is given as a list: no shell reads it, so nothing in it expands."""
    if not words:
        return [Finding(LOW, "The command is empty.")]
    if (size := sum(map(len, words))) > MOST_CHARS:
        return [Finding(MOST, f"The command has {size:,} characters; more than {MOST_CHARS:,} are not read.")]
    return list(_judge([Word(each) for each in words], _Seen(" ".join(words), depth)))


def _depth(text: str) -> int:
    most = now = 0
    for char in text:
        if char in "({":
            now += 1
            most = max(most, now)
        elif char in ")}":
            now -= 1
    return most


def _unread(text: str, depth: int) -> list[Finding]:
    """By words alone, for what no parser takes: it is high already, and a reason may be among the words."""
    found = [Finding(_UNREAD, f"It cannot be taken apart, so what it does is not known: {quoted(text)}.")]
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        words = text.split()
    command: list[Word] = []
    for each in [*words, ";"]:
        if each and not each.strip("();<>|&"):
            if command:
                found += [f for f in _judge(command, _Seen(text, depth)) if f.score >= SERIOUS]
            command = []
        else:
            command.append(word(each))
    return found


def _visit(node: Any, seen: _Seen, *, after: str = "") -> None:  # noqa: C901, PLR0912  # a case a kind
    """Look at one node of the tree. `after` says what is piped into it."""
    match node.kind:
        case "list":
            for part in node.parts:
                if part.kind == "operator" and part.op == "&":
                    seen.find(0.4, "It goes on in the background, where nobody waits for it.")
                _visit(part, seen)
        case "pipeline":
            before = after
            for part in node.parts:
                _visit(part, seen, after=before)
                if part.kind not in {"pipe", "reservedword"}:
                    before = _source(part, seen)
        case "compound":
            for part in (*node.list, *node.redirects):
                _visit(part, seen, after=after)
        case "if" | "for" | "while" | "until":
            if node.kind == "for":
                seen.findings += assigned(_word(node.parts[1], seen).text)
            for part in node.parts:
                _visit(part, seen, after=after)
        case "function":
            name = node.name.word
            seen.defined.add(name)
            seen.find(SERIOUS, f"It defines a function, {quoted(name)}, so that a name means something else.")
            _visit(node.body, seen)
        case "command":
            _command(node, seen, after)
        case "redirect":
            _redirect(node, seen)
        case "word" | "assignment":
            _inner(node, seen)


def _command(node: Any, seen: _Seen, after: str) -> None:
    words: list[Word] = []
    alone = all(part.kind == "assignment" for part in node.parts)
    for part in node.parts:
        if part.kind == "redirect":
            _redirect(part, seen)
            continue
        _inner(part, seen)
        if part.kind == "word" or words:
            words.append(_word(part, seen))
        else:
            _assigned(_word(part, seen), seen, alone=alone)
    if not words:
        return
    seen.findings += _judge(words, seen)
    name = name_of(words[0].text)
    heredocs = [part.heredoc for part in node.parts if part.kind == "redirect" and part.heredoc is not None]
    strings = [part for part in node.parts if part.kind == "redirect" and part.type == "<<<"]
    if not reads_program(words):
        return
    for heredoc in heredocs:
        body = heredoc.value.rpartition("\n")[0]
        seen.findings += shell(body, depth=seen.depth + 1) if name in SHELLS else _program(name)
    for string in strings:
        given = _word(string.output, seen)
        seen.findings += shell(given.text, depth=seen.depth + 1) if name in SHELLS else _program(name)
    if after:
        score = MOST if after in NETWORK else HIGH
        what = "what it fetches from the network" if score == MOST else "what another command writes"
        seen.find(score, f"It runs {what}: {quoted(after)} is piped into {quoted(name)}.")


def _program(name: str) -> list[Finding]:
    return [Finding(SERIOUS, f"It gives {quoted(name)} a program, which is not read.")]


def _source(node: Any, seen: _Seen) -> str:
    """The name of what writes into the pipe; anything of the network among it counts first."""
    names = [name_of(word(seen.text[slice(*each.pos)]).text) for each in _first_words(node)]
    return next((name for name in names if name in NETWORK), names[0] if names else "a command")


def _first_words(node: Any) -> Iterator[Any]:
    if node.kind == "command":
        yield from (part for part in node.parts if part.kind == "word")
    for part in (*getattr(node, "parts", ()), *getattr(node, "list", ())):
        if part.kind != "word":
            yield from _first_words(part)


def _word(node: Any, seen: _Seen) -> Word:
    return word(seen.text[slice(*node.pos)])


def _inner(node: Any, seen: _Seen) -> None:
    """Commands inside a word."""
    for part in getattr(node, "parts", ()):
        if part.kind in {"commandsubstitution", "processsubstitution"}:
            seen.substitutions += 1
            seen.find(MEDIUM, f"A part of it is what another command writes: {quoted(seen.text[slice(*part.pos)])}.")
            _visit(part.command, seen)


def _assigned(given: Word, seen: _Seen, *, alone: bool) -> None:
    name = given.text.partition("=")[0].rstrip("+")
    telling = list(assigned(name))
    seen.findings += telling
    if alone and not telling:
        seen.find(0.2, f"It sets the variable {quoted(name)}.")


def _redirect(node: Any, seen: _Seen) -> None:
    target = node.output
    if node.type in {"<<", "<<-"} or target is None or isinstance(target, int):
        return
    to = _word(target, seen)
    _inner(target, seen)
    if node.type == "<<<":
        return
    if node.type == "<":
        seen.findings += read_path(to.text)
        if to.dynamic or to.spread or to.escaped:
            seen.find(0.4, f"What it reads is only known when it runs: {quoted(to.text)}.")
        return
    if to.dynamic or to.spread or to.escaped:
        seen.find(SERIOUS, f"Where it writes is only known when it runs: {quoted(to.text)}.")
    elif not (node.type in {">&", "<&"} and (to.text.isdecimal() or to.text == "-")):
        seen.findings += written_path(to.text)


def _judge(words: Sequence[Word], seen: _Seen) -> Iterator[Finding]:
    """One simple command, and whatever it runs in turn."""
    yield from judge(words, defined=seen.defined)
    yield from _moved(words, seen)
    for statement in inner_sql(words):
        yield from sql(statement)
    for script in inner_scripts(words):
        if script is None:
            yield Finding(HIGH, f"It runs a command that is only known when it runs: {quoted(seen.text)}.")
        else:
            yield from shell(script, depth=seen.depth + 1, folder=seen.folder)


def _moved(words: Sequence[Word], seen: _Seen) -> Iterator[Finding]:
    """What the folder that it went to means for this command; and where it goes."""
    _, words = unwrapped(words)
    name = name_of(words[0].text) if words else ""
    if name in {"cd", "pushd", "popd"}:
        seen.folder = next((each.text for each in words[1:] if not each.text.startswith("-")), "~")
    elif seen.folder:
        if name == "git":
            yield Finding(
                SERIOUS, f"`git` runs in {quoted(seen.folder)}, where a repository's settings may run programs."
            )
        yield from widely(name, words[1:], start=seen.folder)
