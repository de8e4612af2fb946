"""Arguments as a person reads them: one row each, what is too long cut with a count, and what an edit changed."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from pydantic import JsonValue

from bot.cards.characters import look_alikes, visible, visible_name
from bot.cards.layout import Language, is_body, is_mail, language, mail_order

_ONE_LINE = 100
_MOST_LINES = 400
_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Prose:
    """Text for reading, and how many of its characters are not shown."""

    text: str
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One argument: `line` beside its name, `block` below it; `json` is a block too.

    `parts`, where there are any, say the same as `text`, laid out: a mail inside an argument.
    """

    name: str
    kind: Literal["line", "block", "json"]
    text: str
    cut: int = 0
    warning: str = ""
    language: Language = ""
    parts: tuple["Row", ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a changed text; `mark` is `+`, `-`, a space, or `…` for lines left out."""

    mark: Literal["+", "-", " ", "…"]
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit did to one argument; `lines` only where both texts have several."""

    name: str
    kind: Literal["added", "removed", "changed"]
    before: str = ""
    after: str = ""
    lines: tuple[Line, ...] = ()


def prose(text: str, limit: int | None) -> Prose:
    """Text as it is read, cut after `limit` characters; None cuts nothing."""
    if limit is None or len(text) <= limit:
        return Prose(visible(text))
    return Prose(visible(text[:limit]), len(text) - limit)


def row(name: str, value: JsonValue, limit: int | None) -> Row:
    """One named value, laid out for reading."""
    shown_name, warning = visible_name(name), look_alikes("\n".join([name, *_texts(value)]))
    spoken = language(name, value)
    if isinstance(value, str):
        shown = prose(value, limit)
        long = bool(spoken) or "\n" in shown.text or len(shown.text) > _ONE_LINE
        if not value:
            return Row(shown_name, "line", "(empty)", warning=warning)
        return Row(shown_name, "block" if long else "line", shown.text, shown.cut, warning, spoken)
    if spoken == "argv" and isinstance(value, list):
        shown = prose(shlex.join(str(each) for each in value), limit)
        return Row(shown_name, "block", shown.text, shown.cut, warning, spoken)
    if isinstance(value, dict | list) and not _is_short(value):
        shown = prose(json.dumps(value, ensure_ascii=False, indent=2), limit)
        mail = rows(value, limit) if isinstance(value, dict) and is_mail(value) and not shown.cut else ()
        return Row(shown_name, "json", shown.text, shown.cut, warning, spoken, mail)
    return Row(shown_name, "line", visible(json.dumps(value, ensure_ascii=False)), warning=warning)


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text in a value, names included."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case _:
            return


def _is_short(value: dict[str, JsonValue] | list[JsonValue]) -> bool:
    """Does it read well on one line? A few plain values do."""
    inner = value.values() if isinstance(value, dict) else value
    return not any(isinstance(each, dict | list) for each in inner) and len(json.dumps(value)) <= _ONE_LINE // 2


def rows(args: Mapping[str, JsonValue], limit: int | None) -> tuple[Row, ...]:
    """Every argument, in the order in which the agent gave them; those of a mail as mail is read."""
    if not is_mail(args):
        return tuple(row(name, value, limit) for name, value in args.items())
    found = {name: row(name, args[name], limit) for name in mail_order(args)}
    return tuple(
        replace(each, kind="block", language="text") if is_body(name, args[name]) and each.text else each
        for name, each in found.items()
    )


def differences(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> tuple[Difference, ...]:
    """What changed from one set of arguments to another, one entry per argument."""
    found: list[Difference] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(Difference(visible_name(name), "removed", before=_text(before[name])))
        elif name not in before:
            found.append(Difference(visible_name(name), "added", after=_text(after[name])))
        elif json.dumps(before[name], sort_keys=True) != json.dumps(after[name], sort_keys=True):
            was, now = _text(before[name]), _text(after[name])
            found.append(Difference(visible_name(name), "changed", was, now, _lines(was, now)))
    return tuple(found)


def _text(value: JsonValue) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _lines(before: str, after: str) -> tuple[Line, ...]:
    was, now = before.split("\n"), after.split("\n")
    if len(was) + len(now) <= 2 or max(len(was), len(now)) > _MOST_LINES:  # noqa: PLR2004  # one line each
        return ()
    return tuple(_merged(was, now))


def _merged(was: Sequence[str], now: Sequence[str]) -> Iterator[Line]:
    """Both texts in one, with a little of what did not change around what did."""
    for group in SequenceMatcher(a=was, b=now, autojunk=False).get_grouped_opcodes(_CONTEXT):
        if group[0][1] > 0:
            yield Line("…", "")
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                yield from (Line(" ", line) for line in was[a1:a2])
            else:
                yield from (Line("-", line) for line in was[a1:a2])
                yield from (Line("+", line) for line in now[b1:b2])
        if group[-1][2] < len(was):
            yield Line("…", "")
