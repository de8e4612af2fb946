"""Rich text as typed pieces, the same for every chat surface; and cuts of texts that are seen. Pure.

Text from agents and people is a piece's own text, and a surface shows it literally: no mention pings, no link is live.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_WIDER_RE: Final = re.compile(r'["\\\x00-\x1f&<>\U00010000-\U0010ffff]')
_TOKEN_RE: Final = re.compile(r"⟦[^⟧\n]{0,24}\Z")
_MARK_CHARS: Final = 30
_WIDER: Final = {**dict.fromkeys('"\\\n\r\t\b\f', 1), "&": 4, "<": 3, ">": 3}
_CONTROL: Final = 5

Style = Literal["", "bold", "italic", "code"]


@dataclass(frozen=True, slots=True)
class Words:
    """A run of literal text in one style."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Words in a row; they may hold line ends."""

    words: tuple[Words, ...]
    kind: Literal["line"] = "line"


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it stands, in one width."""

    text: str
    kind: Literal["code"] = "code"


@dataclass(frozen=True, slots=True)
class Quote:
    """Somebody's text, set apart from the card's own."""

    text: str
    kind: Literal["quote"] = "quote"


@dataclass(frozen=True, slots=True)
class Bullets:
    """Somebody's texts, one entry each, set apart from the card's own."""

    texts: tuple[str, ...]
    kind: Literal["bullets"] = "bullets"


Piece = Line | Code | Quote | Bullets


def line(*words: str | Words) -> Line:
    """Words in a row, those of one style made one; empty ones are left out, because Slack refuses them."""
    made: list[Words] = []
    for part in (Words(each) if isinstance(each, str) else each for each in words):
        if made and made[-1].style == part.style:
            made[-1] = Words(made[-1].text + part.text, part.style)
        elif part.text:
            made.append(part)
    return Line(tuple(made))


def bold(text: str) -> Words:
    """Bold words."""
    return Words(text, "bold")


def code(text: str) -> Words:
    """A name as the machine has it."""
    return Words(text, "code")


def joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The same pieces, with lines that follow one another made one, and nothing empty."""
    made: list[Piece] = []
    for piece in pieces:
        last = made[-1] if made else None
        if isinstance(piece, Line) and isinstance(last, Line):
            made[-1] = line(*last.words, "\n", *piece.words)
        elif piece.words if isinstance(piece, Line) else piece.texts if isinstance(piece, Bullets) else piece.text:
            made.append(piece)
    return tuple(made)


def length(text: str) -> int:
    """Characters as the strictest counter would count them: escaped for markup and for JSON, in UTF-16 units."""
    return len(text) + sum(map(_wider, _WIDER_RE.findall(text)))


def clip(text: str, most: int) -> str:
    """At most `most` characters as `length` counts them; what is left out is counted at the end."""
    if length(text) <= most:
        return text
    kept = head(text, max(1, most - _MARK_CHARS))
    return f"{kept}… ({len(text) - len(kept):,} more characters)"


def plain(text: str, most: int) -> str:
    """One line of `plain_text` for buttons, options, labels and headers: cut with an ellipsis, and never empty."""
    one = " ".join(text.split())
    short = one if length(one) <= most else f"{head(one, most - 1)}…"
    return short or "(empty)"


def head(text: str, most: int) -> str:
    """The beginning of a text, at most `most` as `length` counts; it splits no mark of a hidden character."""
    wider = 0
    kept = len(text)
    for found in _WIDER_RE.finditer(text):
        if found.start() + wider + 1 + _wider(found[0]) > most:
            kept = found.start()
            break
        wider += _wider(found[0])
    kept = min(kept, most - wider)
    if kept >= len(text):
        return text
    split = _TOKEN_RE.search(text, 0, kept)
    return text[: split.start()] if split else text[:kept]


def chunks(text: str, most: int) -> Iterator[str]:
    """The whole text in pieces of at most `most` as `length` counts, cut at line ends where that wastes little."""
    start = 0
    while start < len(text):
        first = head(text[start : start + most + _MARK_CHARS], most)
        at_line = first.rfind("\n") + 1
        if start + len(first) < len(text) and at_line > len(first) // 2:
            first = first[:at_line]
        yield first
        start += len(first)


def spread(pieces: Sequence[Piece], most: int) -> tuple[tuple[Piece, ...], ...]:
    """The same pieces in as many groups as their length needs, each a block; long texts are cut into several."""
    groups: list[list[Piece]] = [[]]
    left = most
    for piece in pieces:
        for part, size in _parts(piece, most):
            if size > left and groups[-1]:
                groups.append([])
                left = most
            groups[-1].append(part)
            left -= size
    return tuple(joined(group) for group in groups if group)


def _parts(piece: Piece, most: int) -> Iterator[tuple[Piece, int]]:
    match piece:
        case Code(text=text) | Quote(text=text):
            for chunk in chunks(text, most):
                yield (Code(chunk) if isinstance(piece, Code) else Quote(chunk)), length(chunk)
        case Bullets(texts=all_):
            for each in all_:
                for chunk in chunks(each, most):
                    yield Bullets((chunk,)), length(chunk)
        case Line(words=words):
            for row in _rows(words):
                yield from _row(row, most)


def _rows(words: Sequence[Words]) -> Iterator[list[Words]]:
    """The lines that were made one."""
    row: list[Words] = []
    for word in words:
        first, *others = word.text.split("\n")
        row.append(Words(first, word.style))
        for text in others:
            yield row
            row = [Words(text, word.style)]
    yield row


def _row(words: Sequence[Words], most: int) -> Iterator[tuple[Piece, int]]:
    now: list[Words] = []
    size = 0
    for word in words:
        for chunk in chunks(word.text, most):
            extent = length(chunk)
            if size + extent > most:
                yield Line(tuple(now)), size
                now, size = [], 0
            now.append(Words(chunk, word.style))
            size += extent
    if now:
        yield Line(tuple(now)), size


def _wider(character: str) -> int:
    """How many characters more than one it takes where it is escaped, or in UTF-16."""
    return 1 if character > "\uffff" else _WIDER.get(character, _CONTROL)
