"""Nothing reaches a card unseen."""

import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.cards.characters import Piece, escaped, hidden_in, look_alikes, pieces, unescaped, visible, visible_name
from tests.timing import cpu_s

HIDDEN_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
# Default_Ignorable_Code_Point, from DerivedCoreProperties.txt of Unicode 16; here on its own, to compare.
DEFAULT_IGNORABLE = {
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
}
BRAILLE_BLANK = 0x2800
NEWER_THAN_PYTHON_3_11 = set(range(0x13439, 0x13440))  # Egyptian format controls of Unicode 15


def should_be_hidden(code: int) -> bool:
    if chr(code) in "\n\t ":
        return False
    by_category = unicodedata.category(chr(code)) in HIDDEN_CATEGORIES
    return by_category or code in DEFAULT_IGNORABLE or code == BRAILLE_BLANK or code in NEWER_THAN_PYTHON_3_11


def test_every_code_point_is_shown_as_it_is_or_by_its_number() -> None:
    wrong = []
    for code in range(sys.maxunicode + 1):
        expected = f"⟦U+{code:04X}⟧" if should_be_hidden(code) or chr(code) == "⟦" else chr(code)
        if visible(chr(code)) != expected:
            wrong.append(hex(code))
    assert wrong == []


@pytest.mark.parametrize(
    "text, shown",
    [
        (
            "access_level != 'user\u202e \u2066// Check if admin\u2069 \u2066'",
            "user⟦U+202E⟧ ⟦U+2066⟧// Check",
        ),  # Trojan Source
        ("pay\u200bpal.com", "pay⟦U+200B⟧pal.com"),
        ("a\r\nb", "a⟦U+000D⟧\nb"),
        ("ok\x1b[2K", "ok⟦U+001B⟧[2K"),
    ],
)
def test_deceptive_texts_are_laid_open(text: str, shown: str) -> None:
    assert shown in visible(text)


def test_padding_with_blank_lines_is_said_not_shown() -> None:
    assert visible("kept\n\n\nboth") == "kept\n\n\nboth"
    assert visible("top\n\n \n\t\n\n\nbottom") == "top\n⟦5 blank lines⟧\nbottom"


@given(st.text() | st.text(st.sampled_from("⟦⟧U+200BE27E6\u200b\u202e")))
@example("⟦U+200B⟧\u200b⟦U+27E6⟧")
def test_an_unchanged_text_comes_back_from_editing(text: str) -> None:
    assert unescaped(escaped(text), text) == text


@given(st.text(st.sampled_from("⟦⟧U+20BE7 3blanklines\n\u200b"), max_size=30))
@example("⟦U+200B⟧ ⟦3 blank lines⟧ ⟦empty⟧")
def test_nobody_can_write_a_mark_of_ours(text: str) -> None:
    """Every mark of the shown text stands for a character, or lines, that are in the text."""
    marks = [piece.text for piece in pieces(visible(text)) if piece.is_token]
    hidden = len(re.findall("[⟦\u200b]", text))
    assert len([mark for mark in marks if "U+" in mark]) == hidden
    assert visible(text).count("⟦") == len(marks)


def test_writing_a_token_smuggles_nothing_in() -> None:
    assert unescaped("⟦U+202E⟧", "plain") == "⟦U+202E⟧"
    assert unescaped("a⟦U+202E⟧b⟦U+200B⟧", "x\u200b") == "a⟦U+202E⟧b\u200b"
    assert unescaped("⟦U+FFFFF9⟧", "\u200b") == "⟦U+FFFFF9⟧"


def test_identifiers_name_what_they_hide() -> None:
    assert hidden_in("send\u200bmail\u00a0x") == ("U+200B", "U+00A0")
    assert hidden_in("send_email") == ()


@pytest.mark.parametrize(
    "text, told",
    [
        ("p\u0430ypal.com", "mixes look-alike letters: Cyrillic and Latin"),
        ("\u03a9mega", "mixes look-alike letters: Greek and Latin"),
        ("\u0440\u0430\u0443\u0440\u04301.\u0441\u043em", "mixes look-alike letters: Cyrillic and Latin"),
        ("p\U0001d6aaypal", "mixes look-alike letters: Greek and Latin"),
        ("\U0001d41alice@bank.com", "has special letters that look like plain ones"),
        ("\uff41lice@bank.com", "has special letters that look like plain ones"),
        ("account 12\uff13\U0001d7d2", "has special letters that look like plain ones"),
        ("\u212aelvin", "has special letters that look like plain ones"),
        ("alice@x.com", ""),
        ("Привет Alice", ""),
        ("API-ключ, «USB»-порт", ""),
        ("東京 Tokyo", ""),
        ("5 µm², 1ª vez, ﬁne ½ ™", ""),
    ],
)
def test_look_alike_letters_are_noticed(text: str, told: str) -> None:
    assert look_alikes(text) == told


@given(st.text(st.sampled_from(" a\t\n\u200b⟦"), max_size=5), st.text(st.sampled_from(" a\t\n\u200b⟦"), max_size=5))
def test_two_names_never_look_the_same(one: str, other: str) -> None:
    """Not even where a browser makes one space of several."""
    shown = [" ".join(visible_name(name).split()) for name in (one, other)]
    assert (shown[0] == shown[1]) == (one == other)


def test_what_hides_in_a_name_has_a_mark() -> None:
    assert [visible_name(name) for name in ("to", "to ", "a  b", "a b", "", "a\nb")] == [
        "to",
        "to⟦U+0020⟧",
        "a⟦U+0020⟧⟦U+0020⟧b",
        "a b",
        "⟦empty⟧",
        "a⟦U+000A⟧b",
    ]


def test_a_template_gets_the_tokens_apart() -> None:
    cut = pieces("a⟦U+200B⟧b⟦3 blank lines⟧")
    assert [piece.is_token for piece in cut] == [False, True, False, True]
    assert cut == (
        Piece("a"),
        Piece("⟦U+200B⟧", is_token=True),
        Piece("b"),
        Piece("⟦3 blank lines⟧", is_token=True),
    )


def test_plain_text_costs_next_to_nothing() -> None:
    text = "An ordinary sentence of an ordinary e-mail. " * 25_000  # over a megabyte
    assert visible(text) is text
    assert cpu_s(lambda: visible(text)) < 0.5
