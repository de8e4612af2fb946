"""Commands that run other commands: what is behind `sudo` and `timeout`, and what is handed to a shell. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._names import (
    DATABASES,
    INTERPRETERS,
    KNOWN_FLAGS,
    PRIVILEGE,
    SHELLS,
    TELLING_PREFIXES,
    TELLING_VARIABLES,
    WRAPPERS,
)
from bot.risk._question import HIGH, LOW, MODEST, SERIOUS, Finding, quoted
from bot.risk._words import Word

_RUNS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_STATEMENT: Final = frozenset({"-c", "-e", "--command", "--execute"})


def name_of(text: str) -> str:
    """The command's name, without its folder."""
    return posixpath.basename(text.rstrip("/")) or text


def unwrapped(words: Sequence[Word]) -> tuple[list[Finding], Sequence[Word]]:
    """The command behind `sudo`, `timeout 5` and the like, and what they add."""
    found: list[Finding] = []
    while words and not words[0].dynamic and (name := name_of(words[0].text)) in WRAPPERS:
        if name in PRIVILEGE:
            found.append(Finding(HIGH, f"{quoted(name)} runs it with more rights."))
        if name == "xargs":
            found.append(Finding(MODEST, "`xargs` adds words that are only known when it runs."))
        if name == "command" and len(words) > 1 and words[1].text in {"-v", "-V"}:
            return [*found, Finding(LOW, "`command` looks up what a name means.")], ()
        i = _options(name, words, found) + WRAPPERS[name][1]
        while name in {"env", "sudo"} and i < len(words) and re.match(r"^[A-Za-z_]\w*=", words[i].text):
            found += assigned(words[i].text.partition("=")[0])
            i += 1
        if name == "env" and i >= len(words):
            return found, words[:1]
        words = words[i:]
    return found, words


def _options(name: str, words: Sequence[Word], found: list[Finding]) -> int:
    """Where its own options end."""
    takes, i = WRAPPERS[name][0], 1
    while i < len(words) and words[i].text.startswith("-"):
        text = words[i].text
        if name == "env" and text.startswith(("-S", "--split")):
            found.append(Finding(HIGH, "`env -S` makes a command of a text."))
        if name == "env" and text.startswith(("-C", "--c")):
            found.append(Finding(SERIOUS, "`env` runs it in another folder, whose settings may run programs."))
        if text not in takes and text not in KNOWN_FLAGS and not text.startswith(tuple(takes)):
            found.append(Finding(SERIOUS, f"An option of {quoted(name)} is not known: {quoted(text)}."))
        i += 2 if text in takes else 1
        if text == "--":
            break
    return i


def assigned(variable: str) -> Iterator[Finding]:
    """What setting a variable means for what runs with it."""
    if variable in TELLING_VARIABLES or variable.startswith(TELLING_PREFIXES):
        yield Finding(HIGH, f"It sets {quoted(variable)}, which changes what other commands do.")


def script_of(rest: Sequence[Word]) -> Word | None:
    """The command line in `sh -c …`; options may stand between."""
    for i, each in enumerate(rest):
        if re.match(r"^-\w*c\w*$|^--command$", each.text):
            return next((word for word in rest[i + 1 :] if not word.text.startswith(("-", "+"))), None)
    return None


def inner_scripts(words: Sequence[Word]) -> Iterable[str | None]:
    """Command lines that it hands to a shell: `bash -c`, `eval`, `su -c`, `ssh host`; None: known only when it runs."""
    if words and name_of(words[0].text) == "watch":
        yield _text([each for each in words[1:] if not each.text.startswith("-") and not each.text.isdecimal()])
    _, words = unwrapped(words)
    if words:
        name = name_of(words[0].text)
        yield from _HANDED[name](words[1:]) if name in _HANDED else ()


def _text(words: Sequence[Word]) -> str | None:
    if any(each.dynamic or each.escaped for each in words):
        return None
    return " ".join(each.text for each in words)


def _shell_script(rest: Sequence[Word]) -> Iterator[str | None]:
    script = script_of(rest)
    if script is not None:
        yield _text([script])


def _evaluated(rest: Sequence[Word]) -> Iterator[str | None]:
    if rest:
        yield _text(rest)


def _found(rest: Sequence[Word]) -> Iterator[str | None]:
    for i, each in enumerate(rest):
        if each.text in _RUNS:
            yield from inner_scripts(rest[i + 1 :])


def _remote(rest: Sequence[Word]) -> Iterator[str | None]:
    positional = [each for each in rest if not each.text.startswith("-")]
    if positional[1:]:
        yield _text(positional[1:])


def _aliased(rest: Sequence[Word]) -> Iterator[str | None]:
    yield from (each.text.partition("=")[2] for each in rest if "=" in each.text)


def _trapped(rest: Sequence[Word]) -> Iterator[str | None]:
    if rest:
        yield _text(rest[:1])


def _each_module(rest: Sequence[Word]) -> Iterator[str | None]:
    texts = [each.text for each in rest]
    for verb in ("foreach", "run"):
        if verb in texts and texts[0] in {"submodule", "bisect"}:
            yield _text([each for each in rest[texts.index(verb) + 1 :] if each.text != "--recursive"])


_HANDED: Final[Mapping[str, Callable[[Sequence[Word]], Iterator[str | None]]]] = {
    **dict.fromkeys((*SHELLS, "su", "runuser"), _shell_script),
    "eval": _evaluated,
    "find": _found,
    "ssh": _remote,
    "alias": _aliased,
    "trap": _trapped,
    "git": _each_module,
}


def inner_sql(words: Sequence[Word]) -> Iterator[str]:
    """Statements that it hands to a database: `psql -c`, `mysql -e`, `sqlite3 file statement`."""
    _, words = unwrapped(words)
    if not words or (name := name_of(words[0].text)) not in DATABASES:
        return
    texts = [each.text for each in words[1:]]
    for i, text in enumerate(texts):
        if match := re.match(r"^(?:--command=|--execute=|-c(?=.)|-e(?=.))(.*)", text, re.DOTALL):
            yield match[1]
        elif text in _STATEMENT and i + 1 < len(texts):
            yield texts[i + 1]
    if name in {"sqlite3", "duckdb"}:
        yield from [text for text in texts if not text.startswith("-")][1:]


def reads_program(words: Sequence[Word]) -> bool:
    """Does it run what it is given on its standard input?"""
    _, words = unwrapped(words)
    if not words:
        return False
    name, rest = name_of(words[0].text), words[1:]
    if name in SHELLS:
        return script_of(rest) is None
    if INTERPRETERS.match(name):
        texts = [each.text for each in rest if each.text != "-"]
        return not any(not text.startswith("-") or text in {"-c", "-e", "-m"} for text in texts)
    return name in DATABASES or name in {"ssh", "at", "batch", "parallel"}
