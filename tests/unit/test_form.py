"""Forms made from schemas, and values read back: nothing that nobody touched may change, types least of all."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue, TypeAdapter

from bot.cards.form import ABSENT, Field, by_field, check, check_schema, fields, read
from bot.errors import Fault, InvalidAnswer

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
TEXT_WITH_ENDS = st.text(st.sampled_from("ab \t\r\n\u200b\u202e⟦"), max_size=12)
VALUES = st.recursive(
    SCALARS | TEXT_WITH_ENDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
ARGUMENTS = st.dictionaries(st.text(max_size=8), VALUES, max_size=6)

SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object", "properties": {"to": {"type": "string"}, "n": {"type": "integer"}}, "required": ["to"]},
    {"type": "object", "properties": {"a": {"enum": ["x", 1, None]}, "b": {"type": ["string", "null"]}}},
    {"properties": {"a": {"type": "object", "properties": {"b": {"type": "number"}}}}, "additionalProperties": {}},
    {"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "b": {"type": "array"}}},
]


Json = dict[str, Any]


def submit(form: tuple[Field, ...], **changes: str) -> dict[str, list[str]]:
    """What a browser sends: every field, each line end as CR LF."""
    sent = {field.name: field.text for field in form} | changes
    return {name: [text.replace("\r\n", "\n").replace("\n", "\r\n")] for name, text in sent.items()}


@given(st.sampled_from(SCHEMAS), ARGUMENTS)
@example({}, {"body": "one\r\ntwo\r\n", "cc": None, "tags": [], "deep": {"x": {"y": 1.0}}, "note": " padded "})
def test_an_untouched_form_gives_the_very_same_value(schema: Json, value: Json) -> None:
    same = read(schema, value, submit(fields(schema, value)))
    assert json.dumps(same) == json.dumps(value)


@given(st.sampled_from(SCHEMAS), VALUES)
def test_so_does_a_form_for_a_value_that_is_no_object(schema: Json, value: Any) -> None:
    assert json.dumps(read(schema, value, submit(fields(schema, value)))) == json.dumps(value)


ODD_NAMES = st.text(st.sampled_from(". ab"), max_size=3) | st.just("value")
ODD = st.dictionaries(ODD_NAMES, SCALARS | st.dictionaries(ODD_NAMES, SCALARS, max_size=3), max_size=5)


@given(st.sampled_from(SCHEMAS), ODD)
@example({}, {"": "x", "value": "y", "c": "z"})
@example({}, {"": {"b": 1}, ".b": 2})
@example({}, {"q": {"": 1}, "q.": 2})
def test_no_two_fields_have_one_name_and_nobody_is_mistaken_for_another(schema: Json, value: Json) -> None:
    form = fields(schema, value)
    assert len({field.name for field in form}) == len(form)
    assert json.dumps(read(schema, value, submit(form))) == json.dumps(value)


def test_an_object_with_a_name_that_no_field_can_have_is_edited_whole() -> None:
    (field,) = fields({}, {"": "x", "value": "y"})
    assert (field.kind, field.label) == ("json", "All of it, as JSON")
    assert read({}, {"": "x", "value": "y"}, {"value": ['{"": "z", "value": "y"}']}) == {"": "z", "value": "y"}
    with pytest.raises(InvalidAnswer):
        read({}, {"": "x", "value": "y"}, {"value": ["{"]})


LINES = st.lists(st.text(st.sampled_from("ab \u200b⟦⟧U+20B"), min_size=1, max_size=9).filter(str.strip), min_size=1)


@given(LINES, st.sampled_from(["d", "⟦x", " d "]))
@example(["a\u200bb", "⟦U+200B⟧", "c"], "d")
def test_a_line_that_is_added_changes_no_other(entries: list[JsonValue], new: str) -> None:
    (field,) = fields({}, {"l": entries})
    assert field.kind == "list"
    assert read({}, {"l": entries}, {"l": [f"{field.text}\r\n{new}"]}) == {"l": [*entries, new]}


@given(st.lists(st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_nor_does_a_number_that_is_added(entries: list[Any]) -> None:
    schema: Json = {"properties": {"l": {"type": "array", "items": {"type": "number"}}}}
    (field,) = fields(schema, {"l": entries})
    same = read(schema, {"l": entries}, {"l": [f"{field.text}\r\n7"]})
    assert json.dumps(same) == json.dumps({"l": [*entries, 7]})


@pytest.mark.parametrize(
    "schema, before, typed, after",
    [
        ({"type": "string"}, "a", " b ", " b "),
        ({"type": "string"}, "a\nb", "a\nc", "a\nc"),
        ({"type": "string"}, "a\r\nb", "a\nc", "a\r\nc"),
        ({"type": "string"}, "a\u200bb", "a⟦U+200B⟧c", "a\u200bc"),
        ({"type": "integer"}, 3, "4", 4),
        ({"type": "number"}, 3.5, "4", 4.0),
        ({"type": "number"}, 3, "4.25", 4.25),
        ({"type": "boolean"}, True, "false", False),
        ({"enum": ["low", "high", 3]}, "low", '"high"', "high"),
        ({"enum": ["low", "high", 3]}, "low", "3", 3),
        ({"type": "string", "format": "date"}, "2026-11-22", "2026-12-01", "2026-12-01"),
        (
            {"type": "string", "format": "date-time"},
            "2026-11-22T08:00:00Z",
            "2026-12-01T08:00:00Z",
            "2026-12-01T08:00:00Z",
        ),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "a\n\nb c\n", ["a", "b c"]),
        ({"type": "array", "items": {"type": "integer"}}, [1], "1\n22", [1, 22]),
        ({}, ["a"], "b", ["b"]),
        ({}, {"deep": {"er": [1, {}]}}, '{"deep": {"er": [2]}}', {"deep": {"er": [2]}}),
        ({"type": ["string", "null"]}, "a", "", None),
        ({"type": "string"}, "a", "", ""),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 3, "", None),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, None, "7", 7),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "", []),
    ],
)
def test_each_type_of_field_reads_back_its_type(schema: Json, before: Any, typed: str, after: Any) -> None:
    whole: Json = {"properties": {"x": schema}, "required": ["x"]}
    form = fields(whole, {"x": before})
    name = form[0].name
    if name == "x.deep":
        name, typed = "x.deep", json.dumps(json.loads(typed)["deep"])
    got = read(whole, {"x": before}, submit(form, **{name: typed}))
    assert got == {"x": after}
    assert json.dumps(got) == json.dumps({"x": after})  # 4.0 is not 4


@pytest.mark.parametrize(
    "schema, typed, told",
    [
        ({"type": "integer"}, "3.5", "whole number"),
        ({"type": "integer"}, "9007199254740993", "must lie between"),
        ({"type": "number"}, "3,5", "such as 12.50"),
        ({"type": "number"}, "1e999", "too large"),
        ({"type": "number"}, "nan", "must be a number"),
        ({"type": "boolean"}, "maybe", "yes or no"),
        ({"enum": ["a"]}, '"b"', "one of the choices"),
        ({"type": "array", "items": {"type": "integer"}}, "1\nx", "line 2 must be a whole number"),
        ({"type": "object"}, '{"a": 1, "a": 2}', "key twice"),
        ({"type": "object"}, '{"a": NaN}', "no JSON"),
        ({"type": "object"}, "{", "line 1, column 2"),
        ({"type": "object"}, "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_text_of_the_wrong_type_is_told_beside_its_field(schema: Json, typed: str, told: str) -> None:
    whole: Json = {"properties": {"x": schema, "y": {"type": "string"}}}
    with pytest.raises(InvalidAnswer) as caught:
        read(whole, {"y": "kept"}, {"x": [typed], "y": ["kept"]})
    assert [fault.field for fault in caught.value.faults] == ["x"]
    assert told in caught.value.faults[0].detail


def test_what_is_optional_and_left_empty_stays_away() -> None:
    schema: Json = {"properties": {"cc": {"type": "string"}, "n": {"type": "integer"}, "to": {"type": "string"}}}
    assert read(schema, {"to": "a"}, {"cc": [""], "n": [""], "to": ["b"]}) == {"to": "b"}


def test_an_optional_number_can_be_taken_out_and_a_required_one_cannot() -> None:
    schema: Json = {"properties": {"n": {"type": "integer"}, "m": {"type": "integer"}}, "required": ["m"]}
    assert read(schema, {"n": 1, "m": 2}, {"n": [""]}) == {"m": 2}
    with pytest.raises(InvalidAnswer) as caught:
        read(schema, {"n": 1, "m": 2}, {"m": [""]})
    assert caught.value.faults == (Fault("m", "is required"),)


def test_a_field_that_is_not_sent_keeps_its_value() -> None:
    assert read({}, {"a": 1, "b": "x"}, {"b": ["y"]}) == {"a": 1, "b": "y"}


def test_an_object_inside_is_edited_by_dotted_names() -> None:
    value: Json = {"to": {"name": "Ana", "age": 3}, "deep": {"er": {"x": 1}}}
    form = fields({}, value)
    assert [(field.name, field.kind) for field in form] == [
        ("to.name", "text"),
        ("to.age", "integer"),
        ("deep.er", "json"),
    ]
    assert read({}, value, submit(form, **{"to.age": "4"})) == {
        "to": {"name": "Ana", "age": 4},
        "deep": {"er": {"x": 1}},
    }


def test_dots_in_names_never_collide() -> None:
    value: Json = {"a.b": 1, "a": {"b": 2}}
    form = fields({}, value)
    assert [field.name for field in form] == ["a.b", "a"]
    assert read({}, value, submit(form, **{"a.b": "3"})) == {"a.b": 3, "a": {"b": 2}}


class Money(BaseModel):
    amount: float
    currency: str = "EUR"
    note: str | None = None


def test_a_typed_question_becomes_a_form_and_its_answer_a_valid_value() -> None:
    schema = TypeAdapter(Money).json_schema()
    form = fields(schema, ABSENT)
    assert [(field.name, field.kind, field.required) for field in form] == [
        ("amount", "number", True),
        ("currency", "text", False),
        ("note", "text", False),
    ]
    answer = read(schema, ABSENT, {"amount": ["12.5"], "currency": [""], "note": [""]})
    assert answer == {"amount": 12.5}
    assert check(schema, answer) == ()
    missing = check(schema, read(schema, ABSENT, {"amount": [""]}))
    assert missing == (Fault("amount", "is required"),)


def test_a_plain_question_is_one_long_text() -> None:
    schema: Json = {"type": "string", "minLength": 1}
    assert [(field.name, field.kind) for field in fields(schema, ABSENT)] == [("value", "long")]
    assert read(schema, ABSENT, {"value": ["Yes,\r\nplease"]}) == "Yes,\nplease"
    empty = read(schema, ABSENT, {"value": [""]})
    assert check(schema, empty) == (Fault("", "must not be empty"),)


@pytest.mark.parametrize(
    "answer, schema, kind",
    [
        (bool, {"type": "boolean"}, "boolean"),
        (int, {"type": "integer"}, "integer"),
        (list[str], {"type": "array", "items": {"type": "string"}}, "list"),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, "json"),
    ],
)
def test_an_answer_type_has_its_field(answer: Any, schema: Json, kind: str) -> None:
    assert TypeAdapter(answer).json_schema() == schema
    assert [field.kind for field in fields(schema, ABSENT)] == [kind]


def test_faults_stand_beside_the_field_that_they_are_about() -> None:
    form = fields({}, {"to": "a", "tags": ["x"], "inner": {"n": 1}})
    faults = [Fault("to", "bad"), Fault("tags.0", "odd"), Fault("inner.n", "low"), Fault("", "all"), Fault("zz", "new")]
    assert by_field(form, faults) == {
        "to": ("bad",),
        "tags": ("0: odd",),
        "inner.n": ("low",),
        "": ("all", "zz: new"),
    }


def test_faults_of_an_answer_stand_beside_its_one_field() -> None:
    assert by_field(fields({"type": "integer"}, ABSENT), [Fault("", "is required")]) == {"value": ("is required",)}


@pytest.mark.parametrize(
    "schema, told",
    [
        ({"type": "strng"}, "is not JSON Schema"),
        ({"$ref": "http://example.com/schema"}, "nothing is fetched"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "nothing is fetched"),
        ({"$ref": "#/$defs/gone"}, "cannot be followed"),
        ({"pattern": "(?=a)b"}, "linear time"),
        ({"pattern": "(a"}, "linear time"),
        ({"properties": {"a": {"$id": "http://x.example/"}}}, "$id"),
    ],
)
def test_schemas_that_cannot_be_used_are_refused(schema: Json, told: str) -> None:
    (fault,) = check_schema(schema)
    assert told in fault.detail


def test_a_schema_that_explodes_is_refused_and_so_is_a_long_chain() -> None:
    doubling: Json = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 40)}
    assert check_schema({"$defs": {"a0": {}, **doubling}, "$ref": "#/$defs/a39"})
    chain: Json = {f"a{n}": {"not": {"$ref": f"#/$defs/a{n + 1}"}} for n in range(450)}
    assert check_schema({"$defs": {**chain, "a450": {}}, "$ref": "#/$defs/a0"})


@pytest.mark.timeout(5)
def test_neither_a_pattern_nor_a_recursive_schema_can_hang_the_service() -> None:
    assert check({"pattern": "^(x+x+)+y$"}, "x" * 32_000)
    twice: Json = {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}, "type": "object"}
    assert check_schema(twice) == ()
    deep: Any = 3
    for _ in range(31):
        deep = {"a": deep}
    (fault,) = check(twice, deep)
    assert "too large to be checked" in fault.detail


def test_faults_are_sentences_that_a_person_can_act_on() -> None:
    schema: Json = {
        "type": "object",
        "properties": {
            "to": {"type": "string", "format": "email"},
            "n": {"type": "integer", "minimum": 3, "multipleOf": 2},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "size": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["body"],
        "additionalProperties": False,
    }
    value: Json = {"to": "nobody", "n": 1, "tags": [1], "size": "x", "extra": 1}
    assert {(fault.field, fault.detail) for fault in check(schema, value)} == {
        ("to", "must be an e-mail address such as ana@example.com"),
        ("n", "must be at least 3"),
        ("n", "must be a multiple of 2"),
        ("tags", "must have at least 2 entries"),
        ("tags.0", "must be text"),
        ("size", "must be a number or nothing"),
        ("body", "is required"),
        ("extra", "is not one of the fields"),
    }


def test_a_default_stands_in_the_form_of_a_question_and_counts_when_it_is_left_there() -> None:
    """Else the card would record an answer without it, and the agent's own default would decide unseen."""
    schema: Any = {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "currency": {"enum": ["EUR", "USD"], "default": "EUR"}},
        "required": ["amount"],
    }
    shown = {field.name: field.text for field in fields(schema, ABSENT)}
    assert shown == {"amount": "", "currency": '"EUR"'}
    assert read(schema, ABSENT, {"amount": ["5"], "currency": ['"EUR"']}) == {"amount": 5, "currency": "EUR"}
    assert read(schema, ABSENT, {"amount": ["5"], "currency": [""]}) == {"amount": 5}
    assert read(schema, ABSENT, {"amount": ["5"]}) == {"amount": 5}, "a form that did not have the field says nothing"
    assert fields({"type": "string", "default": "soon"}, ABSENT)[0].text == "soon"


def test_an_edit_adds_no_default() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "x"}}}
    assert read(schema, {"a": "1"}, {"a": ["2"], "b": [""]}) == {"a": "2"}
    assert fields(schema, {"a": "1"})[1].text == ""
