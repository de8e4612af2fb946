"""What a simple command does, by its name and its words. Pure; tables first, then those that need reading."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from bot.risk._fetching import fetch
from bot.risk._names import (
    INTERPRETERS,
    KNOWN,
    LOOKS_UP,
    READS,
    SECRET_VARIABLE,
    SHELLS,
    names,
)
from bot.risk._paths import is_device, is_network, is_system, secret_path, written_path
from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, MOST, SERIOUS, Finding, quoted
from bot.risk._readers import pages, unknown_option, widely
from bot.risk._tools import TOOLS
from bot.risk._variables import BUILTINS
from bot.risk._words import Word
from bot.risk._wrapping import name_of, script_of, unwrapped

_STANDARD: Final = ("", "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin")


def judge(words: Sequence[Word], *, defined: Collection[str] = ()) -> Iterator[Finding]:
    """What this command does; at least one finding."""
    said, words = unwrapped(words)
    yield from said
    if not words:
        if not said:
            yield Finding(LOW, "It runs nothing.")
        return
    head, rest = words[0], words[1:]
    name = name_of(head.text)
    if head.dynamic or (head.spread and head.text != "[") or head.escaped:
        yield Finding(HIGH, f"Which command it is, is only known when it runs: {quoted(head.text)}.")
        return
    if not head.text.isascii():
        yield Finding(HIGH, f"The command's name has letters that look like others: {quoted(head.text)}.")
        return
    if name in defined:
        yield Finding(SERIOUS, f"{quoted(name)} is what this command itself defined.")
        return
    folder = posixpath.dirname(head.text)
    if folder not in _STANDARD:
        yield Finding(SERIOUS, f"It runs the program {quoted(head.text)}, which is not read.")
        return
    yield from _known(name, rest)
    yield from _around(name, rest)


def _known(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if (special := _SPECIAL.get(name) or BUILTINS.get(name) or TOOLS.get(name)) is not None:
        yield from special(name, rest)
    elif name.startswith("mkfs."):
        yield Finding(HIGH, f"{quoted(name)} destroys what is stored.")
    elif name in SHELLS or INTERPRETERS.match(name):
        yield from _interpreter(name, rest)
    elif name in READS:
        yield from _reading(name, rest)
    elif name in KNOWN:
        score, does = KNOWN[name]
        yield Finding(score, f"{quoted(name)} {does}.")
    else:
        yield Finding(MEDIUM, f"Nothing is known of the command {quoted(name)}.")


def _around(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What any command's words tell."""
    for each in rest:
        if secret_path(each.text):
            yield Finding(HIGH, f"It touches {quoted(each.text)}, where secrets are kept.")
        if is_network(each.text):
            yield Finding(HIGH, f"It speaks to the network: {quoted(each.text)}.")
        if each.escaped:
            yield Finding(SERIOUS, f"It hides characters behind escapes: {quoted(each.text)}.")
        if any(SECRET_VARIABLE.search(variable) for variable in each.variables):
            yield Finding(HIGH, f"It uses a variable that seems to hold a secret: {quoted(each.text)}.")
        elif each.dynamic:
            score = SERIOUS if name in {"rm", "mv", "dd", "chmod", "chown", "git", "curl", "wget"} | LOOKS_UP else 0.4
            yield Finding(score, f"A part of it is only known when it runs: {quoted(each.text)}.")


def _reading(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if found := [*_more_than_reading(name, rest), *pages(name, rest)]:
        yield from found
    elif option := unknown_option(name, rest):
        yield Finding(MEDIUM, f"Nothing is known of {quoted(f'{name} {option}')}.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")
    yield from widely(name, rest)
    if any(each.spread and each.text.rpartition("/")[2].startswith(".") for each in rest):
        yield Finding(MEDIUM, "It reads hidden files, whichever there are.")
    if name in {"cat", "less", "more", "head", "tail", "strings", "xxd", "od"} and any(is_device(e.text) for e in rest):
        yield Finding(SERIOUS, f"{quoted(name)} reads a device.")


_MORE: Final = tuple(
    (names(readers), re.compile(pattern), score, does)
    for readers, pattern, score, does in (
        ("sort tree", r"^(?:-[A-Za-z]*o|--o)", MEDIUM, "writes to a file"),
        ("sort", r"^--co", HIGH, "runs another program"),
        ("fd rg", r"^(?:-x|-X|--exec|--pre)", SERIOUS, "runs another program on what it finds"),
        ("journalctl", r"^--(?:vacuum|rotate|flush)", HIGH, "throws logs away"),
        ("history", r"^-", HIGH, "is changed, so that nobody sees what ran"),
        ("date", r"^(?:-[uRI]*s|--s|\d{8,}(?:\.\d+)?$)", HIGH, "sets the clock"),
        ("jobs", r"^-\w*x", SERIOUS, "runs another program"),
        ("jq", r"\benv\b|\$ENV", SERIOUS, "prints the environment, where secrets are kept"),
    )
)


def _more_than_reading(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    for readers, pattern, score, does in _MORE:
        if name in readers and any(pattern.search(each.text) for each in rest):
            yield Finding(score, f"{quoted(name)} {does}.")
    if name in {"ip", "ifconfig"} and len(rest) > 2:  # noqa: PLR2004  # `ip addr show`
        yield Finding(MEDIUM, f"{quoted(name)} may change the network.")


def _flags(rest: Sequence[Word]) -> str:
    """The letters of its short options, and its long ones."""
    short = "".join(each.text[1:] for each in rest if re.match(r"^-[A-Za-z]+$", each.text))
    return short + " " + " ".join(each.text for each in rest if each.text.startswith("--"))


def _targets(rest: Sequence[Word]) -> list[str]:
    return [each.text for each in rest if not each.text.startswith("-")]


_EVERYTHING: Final = re.compile(
    r"^(?:/|/\*|~/?|~/\*|\*|\.|\./|\.\.|\.\./?.*|\.\*|/[a-z]+/?\*?|\$\{?HOME\}?/?\*?|[A-Za-z]:\\?)$"
)


def _rm(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    flags, targets = _flags(rest), _targets(rest)
    recursive = bool(re.search(r"[rR]", flags.partition(" ")[0])) or "--recursive" in flags
    if "--no-preserve-root" in flags or (recursive and any(_EVERYTHING.match(each) for each in targets)):
        yield Finding(MOST, f"{quoted(name)} removes everything under {quoted(' '.join(targets))}.")
    elif recursive:
        yield Finding(HIGH, f"{quoted(name)} removes whole folders: {quoted(' '.join(targets))}.")
    else:
        yield Finding(SERIOUS, f"{quoted(name)} removes files: {quoted(' '.join(targets))}.")


def _dd(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    target = next((each.text[3:] for each in rest if each.text.startswith("of=")), "")
    if not target:
        yield Finding(MEDIUM, "`dd` reads raw data.")
    elif is_device(target):
        yield Finding(MOST, f"`dd` writes onto a device: {quoted(target)}.")
    else:
        yield Finding(HIGH, f"`dd` writes over {quoted(target)}.")


def _mode(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    flags, targets = _flags(rest), _targets(rest)
    said = " ".join(targets)
    if (
        name == "chmod"
        and targets
        and re.search(r"^[0-7]?777$|[+=][rwx]*s|^[2467][0-7]{3}$|[oa][+=]\w*w|^[+=]w", targets[0])
    ):
        yield Finding(HIGH, f"`chmod` lets everybody change it, or run it as its owner: {quoted(said)}.")
    elif "R" in flags.partition(" ")[0] or "--recursive" in flags:
        yield Finding(HIGH, f"{quoted(name)} changes whole folders: {quoted(said)}.")
    elif any(is_system(each) for each in targets[1:]):
        yield Finding(HIGH, f"{quoted(name)} changes a part of the system: {quoted(said)}.")
    else:
        yield Finding(MEDIUM, f"{quoted(name)} changes who may do what: {quoted(said)}.")


def _moves(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    targets = _targets(rest)
    yield Finding(MEDIUM, f"{quoted(name)} copies, moves or links files, and may write over others.")
    if targets:
        last = targets[-1]
        if last == "/dev/null" or (name == "mv" and any(_EVERYTHING.match(each) for each in targets[:-1])):
            yield Finding(HIGH, f"{quoted(name)} makes files go away: {quoted(' '.join(targets))}.")
        elif is_device(last) or is_system(last):
            yield from written_path(last)


def _tee(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, "`tee` passes on what it reads.")
    for target in _targets(rest):
        yield from written_path(target)


def _tar(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(MEDIUM, "`tar` packs or unpacks files, and may write over others.")
    if any(each.text.startswith(("--checkpoint", "--to-command", "--use-compress", "-I", "--rsh")) for each in rest):
        yield Finding(HIGH, "`tar` runs another program.")


def _uniq(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(LOW, f"{quoted(name)} only reads.")
    for target in _targets(rest)[1:2]:
        yield from written_path(target)


def _find(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    yield Finding(LOW, "`find` only looks.")
    yield from widely("find", rest)
    if "-delete" in texts:
        yield Finding(HIGH, "`find` deletes whatever it finds.")
    if any(text.startswith("-fprint") or text == "-fls" for text in texts):
        yield Finding(MEDIUM, "`find` writes to a file.")
    for i, text in enumerate(texts):
        if text in {"-exec", "-execdir", "-ok", "-okdir"}:
            end = next((j for j in range(i + 1, len(texts)) if texts[j] in {";", "+"}), len(texts))
            yield Finding(MODEST, "`find` runs a command on whatever it finds.")
            yield from judge([each for each in rest[i + 1 : end] if each.text != "{}"])


def _sed(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.match(r"^-[nErsz]*i|^--in-place", each.text) for each in rest):
        yield Finding(MEDIUM, "`sed` changes files in place.")
    elif any(re.search(r"(?:^|[;\d/}$])\s*[ewW](?:\s|$)|/[gpI\d]*[ew][gpI\d]*(?:\s|$)", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} may run commands or write files.")
    elif any(each.text.startswith(("-f", "--file")) for each in rest):
        yield Finding(MEDIUM, "`sed` runs a program from a file.")
    else:
        yield Finding(LOW, "`sed` only reads.")


def _awk(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.search(r"system\s*\(|getline|\||>|@load|ENVIRON", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} may run commands or write files.")
    elif any(each.text.startswith(("-f", "-i", "--file", "-l", "--load")) for each in rest):
        yield Finding(MEDIUM, f"{quoted(name)} runs a program from a file.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _base64(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if re.search(r"[dD]", _flags(rest).partition(" ")[0]) or "--decode" in _flags(rest):
        yield Finding(SERIOUS, f"{quoted(name)} makes plain what was hidden.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _xxd(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if any(re.match(r"^-(?:r|revert)", each.text) for each in rest):
        yield Finding(SERIOUS, f"{quoted(name)} makes plain what was hidden.")
    else:
        yield Finding(LOW, f"{quoted(name)} only reads.")


def _environment(name: str, _: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(SERIOUS, f"{quoted(name)} prints the environment, where secrets are kept.")


def _interpreter(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    if texts and all(text in {"--version", "-V", "--help", "-h"} for text in texts):
        yield Finding(LOW, f"{quoted(name)} says what it is.")
    elif name in SHELLS:
        if script_of(rest) is None:
            target = next((text for text in texts if not text.startswith("-")), "")
            what = f"the script {quoted(target)}" if target else "whatever it is given"
            yield Finding(SERIOUS, f"{quoted(name)} runs {what}, which is not read.")
    elif "-m" in texts and texts.index("-m") + 1 < len(texts):
        module = texts[texts.index("-m") + 1]
        if module in {"pytest", "unittest", "mypy", "ruff", "black", "json.tool", "doctest", "timeit"}:
            yield Finding(0.4, f"{quoted(name)} runs {quoted(module)} on the project.")
        elif module == "pip":
            yield from _known("pip", rest[texts.index("-m") + 2 :])
        else:
            yield Finding(SERIOUS, f"{quoted(name)} runs the module {quoted(module)}.")
    elif any(re.match(r"^(?:-\w*[ceEnp]|--eval|--print|-r|-Command|-enc\w*)", text, re.IGNORECASE) for text in texts):
        yield Finding(SERIOUS, f"{quoted(name)} runs a program that stands in the command, and is not read.")
    else:
        yield Finding(MEDIUM if texts else SERIOUS, f"{quoted(name)} runs a program that is not read.")


def _su(name: str, _: Sequence[Word]) -> Iterator[Finding]:
    yield Finding(HIGH, f"{quoted(name)} runs it as somebody with more rights.")


def _crontab(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    if [each.text for each in rest] == ["-l"]:
        yield Finding(LOW, "`crontab` lists what runs by the clock.")
    else:
        yield Finding(HIGH, "`crontab` changes what runs by the clock.")


def _rsync(_: str, rest: Sequence[Word]) -> Iterator[Finding]:
    texts = [each.text for each in rest]
    if any(text.startswith(("--delete", "--remove-source")) for text in texts):
        yield Finding(HIGH, "`rsync` deletes what is not at the other end.")
    elif any(":" in text for text in texts if not text.startswith("-")):
        yield Finding(SERIOUS, "`rsync` copies from or to another machine.")
    else:
        yield Finding(MEDIUM, "`rsync` copies files, and may write over others.")


_SPECIAL: Final[Mapping[str, Callable[[str, Sequence[Word]], Iterator[Finding]]]] = {
    "rm": _rm,
    "dd": _dd,
    **dict.fromkeys(("chmod", "chown", "chgrp", "setfacl"), _mode),
    **dict.fromkeys(("cp", "mv", "ln", "install"), _moves),
    "tee": _tee,
    "find": _find,
    "tar": _tar,
    "uniq": _uniq,
    "sed": _sed,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    **dict.fromkeys(("base64", "base32", "uudecode"), _base64),
    "xxd": _xxd,
    **dict.fromkeys(("printenv", "env"), _environment),
    **dict.fromkeys(("curl", "wget", "http", "https", "aria2c"), fetch),
    **dict.fromkeys(("su", "pkexec", "runuser", "nsenter"), _su),
    "crontab": _crontab,
    "rsync": _rsync,
}
