"""Text for Teams: pieces of rich text as lines of a card, and times in the reader's own zone. Pure.

Text from agents and people goes into `RichTextBlock` alone, where it is literal: no mention pings, no address becomes a
link. `TextBlock` is Markdown, and the one place where a client turns `{{DATE(…)}}` into the reader's time: it is for
sentences about time and links, which are the service's own words. No client may do that to the text of anybody else,
so there the two braces are in runs of their own.

A line of text is a block of its own, because a line end inside of one is a space to some clients; and spaces that HTML
would make one are no-break spaces. (A no-break space of an agent's has a mark of its own by then.)
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from bot.cards import moment
from bot.cards.rich import Bullets, Code, Line, Piece, Style, Words, chunks, length, plain

_BRACE_RE: Final = re.compile(r"(?<=\{)(?=\{\s*(?:DATE|TIME))", re.IGNORECASE)
_SPACES_RE: Final = re.compile(r"^ +| {2,}| +$", re.MULTILINE)
_MARKDOWN_RE: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")
_WWW_RE: Final = re.compile(r"www\.", re.IGNORECASE)
_TWO_BRACES_RE: Final = re.compile(r"\{(?=\{)")
_DEAD: Final = {
    "](": "] (",
    "://": ": //",
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
}
"""What begins a link, an image or a tag, and what it is on a title."""
_TITLE_CHARS: Final = 110
_BLOCK_BYTES: Final = 160
_LINE_BYTES: Final = 112
_RUN_BYTES: Final = 108
"""What carries a block, a line in it, and a run in that, in a card that is counted in UTF-16."""

Look = Literal["", "code", "quote", "bullet"]


@dataclass(frozen=True, slots=True)
class Run:
    """Literal text in one style."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: the card's own, or somebody's text set apart from them."""

    lines: tuple[tuple[Run, ...], ...]
    look: Look = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A short line of the card's frame. Where it `is_ours` it is Markdown, with times and links."""

    text: str
    is_ours: bool = False


def blocks(pieces: Sequence[Piece]) -> tuple[Block, ...]:
    """Pieces as they stand on a card."""
    return tuple(_block(piece) for piece in pieces)


def pages(whole: Sequence[Block], *, most: int, most_bytes: int) -> list[tuple[Block, ...]]:
    """The same blocks cut at their lines, so that each page is no more than that; at least one page."""
    made: list[list[Block]] = [[]]
    text = size = 0
    for block in whole:
        is_new = True
        for line in (part for each in block.lines for part in _short_lines(each, most // 2)):
            extent = sum(length(run.text) for run in line)
            taken = _LINE_BYTES + is_new * _BLOCK_BYTES + sum(_RUN_BYTES + _bytes(run.text) for run in line)
            if made[-1] and (text + extent > most or size + taken > most_bytes):
                made.append([])
                text = size = 0
                is_new = True
            if is_new:
                made[-1].append(Block((line,), block.look))
            else:
                made[-1][-1] = Block((*made[-1][-1].lines, line), block.look)
            text, size, is_new = text + extent, size + taken, False
    return [tuple(page) for page in made]


def title(text: str, most: int = _TITLE_CHARS) -> str:
    """One line for a choice or a label, which some clients show as Markdown: with nothing in it that links."""
    return linkless(plain(text, most))


def linkless(text: str) -> str:
    """The text with nothing in it that some client makes a link, a picture, a mention or a time of."""
    for live, dead in _DEAD.items():
        text = text.replace(live, dead)
    return _TWO_BRACES_RE.sub("{ ", _WWW_RE.sub("www .", text))


def ours(text: str, at: datetime | None = None) -> str:
    """A sentence of ours as Markdown, with the moment in it in the reader's own zone."""
    before, told, after = text.partition(moment(at)) if at else (text, "", "")
    return f"{_escaped(before)}{when(at) if at and told else ''}{_escaped(after)}"


def when(at: datetime) -> str:
    """A time as clients turn it into the reader's own, in Markdown of ours alone."""
    # Source: Text features, https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features, read 2026-11:
    # no fractions of a second, and only in a TextBlock.
    told = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{{{{DATE({told},SHORT)}}}}, {{{{TIME({told})}}}}"


def link(url: str, label: str) -> str:
    """A link of ours in Markdown."""
    address = url.replace("(", "%28").replace(")", "%29").replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    return f"[{_escaped(label)}]({address})"


def runs(text: str, style: Style = "") -> tuple[Run, ...]:
    """Literal text; no part of it means anything to a client."""
    kept = _SPACES_RE.sub(lambda found: "\N{NO-BREAK SPACE}" * len(found[0]), text.replace("\t", "    "))
    return tuple(Run(part, style) for part in _BRACE_RE.split(kept) if part)


def _block(piece: Piece) -> Block:
    match piece:
        case Line(words=words):
            return Block(tuple(_line(row) for row in _rows(words)))
        case Bullets(texts=texts):
            return Block(tuple(_bullet(text) for text in texts), "bullet")
        case Code(text=text):
            return Block(tuple(_line([Words(row, "code")]) for row in text.split("\n")), "code")
        case _:
            return Block(tuple(_line([Words(row)]) for row in piece.text.split("\n")), "quote")


def _bytes(text: str) -> int:
    """What a text takes in a card, in UTF-16 or in UTF-8."""
    return max(2 * length(text), len(text.encode("utf-8", "surrogatepass")) + length(text) - len(text))


def _short_lines(line: tuple[Run, ...], most: int) -> list[tuple[Run, ...]]:
    """A line as it is, or in parts where it is very long."""
    if sum(length(run.text) for run in line) <= most:
        return [line]
    return [(Run(part, run.style),) for run in line for part in chunks(run.text, most)]


def _bullet(text: str) -> tuple[Run, ...]:
    """One entry; its own line ends are marked, because the next line would look like another entry."""
    first, *others = text.split("\n")
    rest = (part for line in others for part in (Run(" ⏎ "), *runs(line)))
    return (Run("•\N{NO-BREAK SPACE}"), *runs(first), *rest)


def _line(words: Iterable[Words]) -> tuple[Run, ...]:
    """One line; an empty one keeps its height."""
    return tuple(run for word in words for run in runs(word.text, word.style)) or (Run("\N{NO-BREAK SPACE}"),)


def _rows(words: Sequence[Words]) -> list[list[Words]]:
    """Words cut at their line ends."""
    rows: list[list[Words]] = [[]]
    for word in words:
        first, *others = word.text.split("\n")
        rows[-1].append(Words(first, word.style))
        rows += [[Words(text, word.style)] for text in others]
    return rows


def _escaped(text: str) -> str:
    return _MARKDOWN_RE.sub(r"\\\1", text)
