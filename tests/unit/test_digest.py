"""The bytes that a digest covers.

Vectors: RFC 8785, sections 3.2.2 and 3.2.3 and appendix B, https://www.rfc-editor.org/rfc/rfc8785, read 2026-11.
"""

import hashlib
import json
import struct
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot.handoff import action_payload, answer_payload, ask_payload, canonical, choice_payload, digest_of

RUN = f"run_{'r' * 22}"

APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize("bits, text", APPENDIX_B)
def test_numbers_are_written_as_the_standard_s_table_says(bits: str, text: str) -> None:
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert rfc8785.dumps({"n": number}).decode() == f'{{"n":{text}}}'
    if 2**53 <= abs(number) < 1e21:
        with pytest.raises(ValueError, match="readers differ"):
            canonical({"n": number})
    else:
        assert canonical({"n": number}) == f'{{"n":{text}}}'


def test_the_standard_s_example_comes_out_as_printed() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_their_utf_16_units() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


def test_one_and_one_point_zero_are_the_same_bytes() -> None:
    """So the executor runs with the permit's bytes, not with its own copy."""
    assert (
        action_payload("pay", {"amount": 1})
        == action_payload("pay", {"amount": 1.0})
        == action_payload("pay", {"amount": 1e0})
    )


def test_unicode_is_not_normalised() -> None:
    """Different bytes are a different request."""
    composed, decomposed = (unicodedata.normalize(form, "Åse") for form in ("NFC", "NFD"))
    assert digest_of(action_payload("t", {"to": composed})) != digest_of(action_payload("t", {"to": decomposed}))


def test_the_order_of_keys_does_not_matter_and_everything_else_does() -> None:
    one = digest_of(action_payload("t", {"a": 1, "b": [1, 2]}))
    assert digest_of(action_payload("t", {"b": [1, 2], "a": 1})) == one
    others: list[tuple[str, Any]] = [
        ("t", {"a": 1, "b": [2, 1]}),
        ("u", {"a": 1, "b": [1, 2]}),
        ("t", {"a": "1", "b": [1, 2]}),
    ]
    assert one not in {digest_of(action_payload(tool, args)) for tool, args in others}


@pytest.mark.parametrize("value", [2**53, -(2**53), 6.566214722963353e16, float("nan"), float("inf"), "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        action_payload("t", {"v": value})


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: not 2**53 <= abs(f) < 1e21)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _json, max_size=4))
def test_canonical_json_reads_back_and_stays_the_same(args: dict[str, Any]) -> None:
    payload = action_payload("t", args)
    assert json.loads(payload) == {"tool": "t", "args": args}
    assert action_payload("t", json.loads(payload)["args"]) == payload
    assert payload == rfc8785.dumps({"tool": "t", "args": args}).decode(), "the quick way writes the same bytes"
    assert digest_of(payload) == hashlib.sha256(payload.encode()).hexdigest()


def test_what_is_decided_is_what_the_protocol_says() -> None:
    """docs/wire-protocol.md, Digest."""
    ask = wire.Choice(
        gate="g",
        run=RUN,
        question="Which?",
        candidates=(
            wire.Candidate(id="a", label="A", action=wire.Action(tool="book", args={"n": 1})),
            wire.Candidate(id="b", label="B"),
        ),
    )
    assert json.loads(ask_payload(ask)) == {
        "question": "Which?",
        "candidates": [
            {"id": "a", "label": "A", "action": {"tool": "book", "args": {"n": 1}}},
            {"id": "b", "label": "B"},
        ],
    }
    assert choice_payload(ask.candidates[0]) == '{"args":{"n":1},"tool":"book"}'
    assert choice_payload(ask.candidates[1]) == '{"choice":"b"}'
    schema: dict[str, Any] = {"type": "integer"}
    question = wire.Input(gate="g", run=RUN, question="How many?", answer_schema=schema)
    assert json.loads(ask_payload(question)) == {"question": "How many?", "answer_schema": schema}
    assert answer_payload(3) == '{"answer":3}'
    after = wire.Confirmation(gate="g", run=RUN, timing="after", reversible=True, what="w", why="y")
    assert ask_payload(after) == '{"args":{},"tool":"g"}'
