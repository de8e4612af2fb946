"""Strict JSON: a document that is taken has one reading."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.api.strict import MAX_DEPTH, MAX_INTEGER, MAX_KEYS, MAX_STRING, parse
from bot.errors import BadRequest, TooLarge

LIMIT = 1_000_000


def read(text: str) -> Any:
    return parse(text.encode("utf-8", "surrogatepass"), limit=LIMIT)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "not JSON"),
        ("{", "line 1"),
        ("[1,]", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("// c\n{}", "not JSON"),
        ("{} {}", "not JSON"),
        ("01", "not JSON"),
        ('"\x01"', "not JSON"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": 1, "\\u0061": 1}', "'a' stands twice"),
        ('[{"b": {"a": 1, "c": 2, "a": 1}}]', "'a' stands twice"),
        ("NaN", "NaN is not JSON"),
        ("[Infinity]", "Infinity is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ("1e999", "range of a double"),
        ("-1e999", "range of a double"),
        (str(MAX_INTEGER + 1), "as a string"),
        (str(-MAX_INTEGER - 1), "as a string"),
        ("9" * 400, "as a string"),
        ('"\\ud800"', "surrogate"),
        ('"\\udc00\\ud800"', "surrogate"),
        ('{"\\ud800": 1}', "surrogate"),
        ("[" * 33 + "]" * 33, "deeper than 32"),
        ('{"a":' * 33 + "1" + "}" * 33, "deeper than 32"),
        ("[" * 100_000, "deeper than 32"),
        ("\ufeff{}", "byte-order mark"),
    ],
)
def test_a_document_that_two_readers_could_take_differently_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        read(text)


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b'{"a": "\xc3"}', '{"a": 1}'.encode("utf-16")])
def test_bytes_that_are_not_utf_8_are_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="not UTF-8"):
        parse(raw, limit=LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        str(MAX_INTEGER),
        str(-MAX_INTEGER),
        "1e308",
        "-0",
        "-0.0",
        '"\\ud83d\\ude00"',
        '"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["',
        '"\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["',
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        json.dumps("a" * MAX_STRING),
        json.dumps({f"k{n}": ":" for n in range(MAX_KEYS)}),
    ],
)
def test_what_is_at_the_limit_is_taken(text: str) -> None:
    assert read(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps("a" * (MAX_STRING + 1)),
        json.dumps({"a" * (MAX_STRING + 1): 1}),
        json.dumps([{f"k{n}": 1 for n in range(MAX_KEYS + 1)}]),
        json.dumps([{"k": 1}] * (MAX_KEYS + 1)),
        json.dumps("a" * LIMIT),
    ],
)
def test_what_is_over_the_limit_is_too_large(text: str) -> None:
    with pytest.raises(TooLarge):
        read(text)


_texts = st.text(st.characters(codec="utf-8", categories=None), max_size=12)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "[{", "}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(_values)
@settings(max_examples=400)
def test_what_is_taken_is_what_every_reader_reads(value: Any) -> None:
    """No accepted document has two readings: the first of two equal keys, the last, a double, a decimal."""
    compare(json.dumps(value))


@given(
    st.lists(
        st.sampled_from(
            ['{"a":', '"a"', ":", "1", ",", "[", "]", "}", "1e400", "NaN", "-", "0", ".5", '"\\ud800"', " ", "true"]
        ),
        max_size=14,
    ).map("".join)
    | _texts
)
@example('{"a":1,"a":1}')
@settings(max_examples=600)
def test_scraps_of_json_have_one_reading_or_none(text: str) -> None:
    compare(text)


def compare(text: str) -> None:
    try:
        taken = read(text)
    except (BadRequest, TooLarge):
        return
    assert repr(json.loads(text)) == repr(taken)
    firsts = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert firsts == taken, "the first of two equal keys"
    as_doubles = json.loads(text, parse_int=float)
    assert as_doubles == taken, "every number as a double, as JavaScript reads it"
    assert json.loads(json.dumps(taken, allow_nan=False)) == taken, "it can be said again"
    json.dumps(taken, ensure_ascii=False).encode("utf-8")
