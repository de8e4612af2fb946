"""Shows characters that hide or deceive: what a person reads on a card is all there is in the text."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Ranges of the general categories Cc (but tab and newline), Cf, Co, Cs, Zl, Zp and Zs (but the space), together with
# Default_Ignorable_Code_Point, the Hangul fillers and U+2800 BRAILLE PATTERN BLANK.
# Source: DerivedGeneralCategory.txt and DerivedCoreProperties.txt of Unicode 16,
# https://www.unicode.org/Public/16.0.0/ucd/, read 2026-11; a test compares every code point with Python's own table.
_HIDDEN = (
    (0x0000, 0x0008), (0x000B, 0x001F), (0x007F, 0x00A0), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x0600, 0x0605),
    (0x061C, 0x061C), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160),
    (0x1680, 0x1680), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F),
    (0x2800, 0x2800), (0x3000, 0x3000), (0x3164, 0x3164), (0xD800, 0xF8FF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD),
)  # fmt: skip
_HIDDEN_RE = re.compile("[{}]".format("".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _HIDDEN)))
# The bracket that begins our own marks is told by its number too: nobody else can write one.
_TOLD_RE = re.compile(f"⟦|{_HIDDEN_RE.pattern}")
_TOKEN_RE = re.compile(r"(⟦[^⟧]*⟧)")
_BLANK_LINES_RE = re.compile(r"\n((?:[ \t]*\n){3,})")
_EDGE_RE = re.compile(r"\A +| +\Z| {2,}|[\t\n]")
_WORD_RE = re.compile(r"[^\s\-\u2010-\u2015\"'\u00ab\u00bb\u2018-\u201d()\[\]{},;]+")
_UNITS = "\u00b5\u2126"  # micro and ohm
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts with letters that look like another's."""


def visible(text: str) -> str:
    """The text for reading: hidden characters and `⟦` as `⟦U+200B⟧`, over two blank lines as `⟦5 blank lines⟧`."""
    return _BLANK_LINES_RE.sub(lambda found: f"\n⟦{found[1].count(chr(10))} blank lines⟧\n", escaped(text))


def escaped(text: str) -> str:
    """The text for editing: hidden characters, and `⟦`, as `⟦U+200B⟧`; lines as they are. `unescaped` undoes it."""
    if text.isascii() and text.isprintable():
        return text
    return _TOLD_RE.sub(lambda found: _token(found[0]), text)


def json_escaped(text: str) -> str:
    """JSON text with hidden characters in JSON's own escapes, so that reading it gives them back."""
    return _HIDDEN_RE.sub(lambda found: _json_escape(found[0]), text)


def unescaped(text: str, original: str) -> str:
    """What a person made of `escaped(original)`.

    Only characters that the original has come back: nobody can smuggle a hidden one in by writing its mark.
    """

    def put_back(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in original else found[0]

    # The largest code point that six digits can spell is beyond the last one.
    return re.sub(r"⟦U\+((?:10|[0-9A-F])?[0-9A-F]{4})⟧", put_back, text) if _TOLD_RE.search(original) else text


def hidden_in(identifier: str) -> tuple[str, ...]:
    """The hidden characters of a name, a host or a path, as `U+200B`, in order; such identifiers are refused."""
    return tuple(f"U+{ord(character):04X}" for character in _HIDDEN_RE.findall(identifier))


@lru_cache(maxsize=1_024)
def visible_name(name: str) -> str:
    """A name for reading: like `visible`, and spaces that would not show have their marks too."""
    return _EDGE_RE.sub(lambda found: "".join(map(_token, found[0])), escaped(name)) or "⟦empty⟧"


def look_alikes(text: str) -> str:
    """A warning when letters may deceive: one word mixes scripts, or special letters stand for plain ones.

    Letters are compared after NFKC, so that a bold or a wide one counts as what it looks like.
    """
    if text.isascii():
        return ""
    special = False
    for word in _WORD_RE.findall(text):
        if word.isascii():
            continue
        scripts = set[str]().union(*map(_scripts, word))
        if len(scripts) > 1:
            return f"mixes look-alike letters: {' and '.join(sorted(scripts))}"
        special = special or any(map(_is_special, word))
    return "has special letters that look like plain ones" if special else ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of visible text; `is_token` where it stands for something that would not show."""

    text: str
    is_token: bool = False


def pieces(text: str) -> tuple[Piece, ...]:
    """Visible text cut at its tokens, for templates that set them apart."""
    parts = _TOKEN_RE.split(text)
    return tuple(Piece(part, bool(index % 2)) for index, part in enumerate(parts) if part)


@lru_cache(maxsize=4_096)
def _scripts(character: str) -> frozenset[str]:
    """The scripts of what a character looks like, of those with look-alikes; a unit is not its letter."""
    plain = "" if character in _UNITS else unicodedata.normalize("NFKC", character)
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in plain if letter.isalpha())
    return frozenset(name.capitalize() for name in names if name in _SCRIPTS)


@lru_cache(maxsize=4_096)
def _is_special(character: str) -> bool:
    """A letter or digit that is a plain one in another style."""
    plain = unicodedata.normalize("NFKC", character)
    return (
        plain != character
        and plain.isascii()
        and len(plain) == 1
        and plain.isalnum()
        and unicodedata.category(character) in {"Lu", "Ll", "Nd"}
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))


def _token(character: str) -> str:
    return f"⟦U+{ord(character):04X}⟧"
