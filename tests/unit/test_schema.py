"""No schema of an agent makes checking a value slow or large, and the schemas that people use still work."""

from typing import Any

import pytest
from pydantic import BaseModel, JsonValue, TypeAdapter

from bot.cards.effort import pattern_size
from bot.cards.schema import check, check_schema
from tests.timing import cpu_s

Json = dict[str, Any]
BRANCH: Json = {"type": "object", "additionalProperties": {"$ref": "#"}}
TEXT = "a" * 30_000
IN_TIME_S = 0.3  # several times what it takes: machines that test are slow


def deep(levels: int, name: str = "a") -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {name: value}
    return value


def nested(levels: int, make: Any) -> Json:
    schema: Json = {"type": "integer"}
    for _ in range(levels):
        schema = make(schema)
    return schema


ATTACKS: dict[str, tuple[Json, Any]] = {
    "anyOf": ({"anyOf": [BRANCH] * 20}, deep(3)),
    "anyOf deep": ({"anyOf": [BRANCH] * 2}, deep(30)),
    "oneOf": ({"oneOf": [BRANCH] * 10}, deep(4)),
    "allOf": ({"properties": {"a": {"allOf": [{"$ref": "#"}] * 3}}, "type": ["object", "integer"]}, deep(31)),
    "allOf of texts": ({"properties": {"a": {"allOf": [{"$ref": "#"}] * 3}}, "type": "object"}, deep(31)),
    "encoded reference": (
        {
            "$defs": {"a b": {"anyOf": [{"additionalProperties": {"$ref": "#/$defs/a%20b"}, "type": "object"}] * 20}},
            "$ref": "#/$defs/a%20b",
        },
        deep(4),
    ),
    "dependentSchemas": (
        {"dependentSchemas": {"a": {"anyOf": [BRANCH] * 9}, "b": {"anyOf": [BRANCH] * 9}}, "type": "object"},
        deep(9),
    ),
    "if": ({"if": BRANCH, "then": {"anyOf": [BRANCH] * 3}, "else": {"anyOf": [BRANCH] * 3}}, deep(9)),
    "patternProperties": (
        {"patternProperties": {"a": {"$ref": "#"}, "^a": {"$ref": "#"}, "a$": {"$ref": "#"}}, "type": "object"},
        deep(31),
    ),
    "contains": ({"anyOf": [{"contains": {"$ref": "#"}}] * 9, "type": "array"}, [[[[[[[[[1]]]]]]]]]),
    "unevaluatedProperties": (
        {"anyOf": [{"properties": {"a": {"$ref": "#"}}}] * 5, "unevaluatedProperties": {"$ref": "#"}, "type": "object"},
        deep(20),
    ),
    "unevaluatedProperties nested": (
        nested(20, lambda inner: {"allOf": [inner], "unevaluatedProperties": False}),
        {"a": 1},
    ),
    "propertyNames": (
        {"propertyNames": {"anyOf": [{"pattern": "(a|b){90}x%d" % n} for n in range(20)]}},  # noqa: UP031
        {"a" * 3_000 + str(n): 1 for n in range(15)},
    ),
    "patterns": ({"properties": {"s": {"allOf": [{"pattern": f"a{{9000}}x{n}"} for n in range(15)]}}}, {"s": TEXT}),
    "patterns that pass": (
        {"properties": {"s": {"allOf": [{"pattern": f"(a|b|ab|a.){{90}}x{n}"} for n in range(15)]}}},
        {"s": TEXT},
    ),
    "one pattern": ({"pattern": "a{900}x"}, TEXT),
    "one pattern, many texts": ({"items": {"pattern": "a{900}x"}}, ["a" * 3_000] * 10),
    "one pattern, just allowed": ({"pattern": "a{900}x"}, "a" * 3_300),
    "wide classes": ({"pattern": r"(\w|\p{L}|.){80}x"}, "ä" * 9_000),
    "pattern in a pattern": ({"pattern": "((a{30}){30}){30}"}, TEXT),
    "names": ({"patternProperties": {"(a|b){90}%d" % n: False for n in range(20)}}, {"a" * 9_000: 1}),  # noqa: UP031
    "wide": ({"anyOf": [{"type": "integer"}] * 5_000}, "x" * 60_000),
    "wide, twice": ({"anyOf": [{"anyOf": [{"type": "integer"}] * 40}] * 200}, "x"),
    "large list": ({"items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, ["x"] * 15_000),
    "list in alternatives": ({"anyOf": [{"items": {"type": "integer"}}] * 2}, ["x"] * 12_000),
    "large enum": ({"items": {"enum": [f"a{n}" for n in range(9_000)]}}, ["b"] * 9_000),
    "large objects": ({"items": {"const": {"a": list(range(9_000))}}}, [{"a": list(range(9_000))}] * 3),
    "ands of one": (nested(90, lambda inner: {"anyOf": [inner]}), "x"),
    "not": (nested(90, lambda inner: {"not": {"anyOf": [inner, inner]}} if len(str(inner)) < 9_000 else inner), "x"),
    "itself": ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, 1),
    "hidden reference": ({"properties": {"enum": {"anyOf": [{"$ref": "#"}] * 9}}, "type": "object"}, deep(20, "enum")),
    "anchor in a property": (
        {
            "$defs": {
                "x": {
                    "$anchor": "x",
                    "type": "object",
                    "anyOf": [{"type": "object", "properties": {"enum": {"$ref": "#x"}}}] * 20,
                }
            },
            "properties": {"enum": {"$ref": "#x"}},
        },
        deep(5, "enum"),
    ),
    "anchor in data": (
        {
            "$anchor": "y",
            "const": {
                "$anchor": "x",
                "anyOf": [{"type": "object", "additionalProperties": {"$ref": "#x"}}] * 20,
            },
            "additionalProperties": {"$ref": "#/const"},
        },
        deep(5),
    ),
    "format": ({"format": "regex"}, "(a{1000}){1000}" * 3_000),
    "unique": ({"uniqueItems": True}, [[n % 2, {"a": n}] for n in range(5_000)]),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("attack", ATTACKS)
def test_checking_takes_no_time_worth_naming(attack: str) -> None:
    schema, value = ATTACKS[attack]
    took = cpu_s(lambda: check_schema(schema))
    assert took < IN_TIME_S, f"check_schema took {took:.2f} s"
    if not check_schema(schema):
        took = cpu_s(lambda: check(schema, value))
        assert took < IN_TIME_S, f"check took {took:.2f} s"


class Node(BaseModel):
    name: str
    parent: "Node | None" = None
    children: list["Node"] = []


@pytest.mark.parametrize(
    "schema, value",
    [
        (Node.model_json_schema(), {"name": "a", "children": [{"name": "b", "parent": {"name": "c"}}] * 50}),
        (TypeAdapter(JsonValue).json_schema(), {"a": [1, {"b": None}]}),
        ({"items": {"type": "integer"}}, list(range(12_000))),
        ({"pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}, "12345678-1234-1234-1234-123456789abc"),
        ({"pattern": r"^\S.*$"}, TEXT),
        ({"pattern": "^.{1,255}$"}, "a" * 255),
        ({"pattern": "^[A-Za-z0-9._-]{1,255}$"}, "a" * 255),
        ({"pattern": "^[a-z]{1,900}$"}, "a" * 700),
        ({"pattern": r"^[\w.+-]{1,64}@[\w-]+(\.[\w-]+)+$"}, "ana@example.com"),
    ],
)
def test_schemas_that_people_use_still_work(schema: Json, value: Any) -> None:
    assert check_schema(schema) == ()
    assert check(schema, value) == ()


@pytest.mark.parametrize("name", ["enum", "const", "default", "examples"])
def test_a_property_may_have_the_name_of_a_keyword_and_its_references_are_still_read(name: str) -> None:
    (fault,) = check_schema({"properties": {name: {"$ref": "http://example.com/x"}}})
    assert "nothing is fetched" in fault.detail
    assert check_schema({"properties": {name: {"type": "string"}, "$ref": {"type": "string"}}}) == ()


def test_what_is_too_much_does_not_fit_and_says_so() -> None:
    (fault,) = check({"pattern": "^a{900}"}, TEXT)
    assert "too large to be checked" in fault.detail
    (fault,) = check({"pattern": "(?=a)"}, "a")  # an earlier version may have let more pass
    assert "cannot be checked" in fault.detail
    (fault,) = check_schema({"pattern": "a{9000}x"})
    assert "pattern that is too large" in fault.detail
    (fault,) = check_schema({"allOf": [{"pattern": f"a{n}"} for n in range(31)]})
    assert "31 patterns" in fault.detail


@pytest.mark.parametrize(
    "pattern, least, most",
    [("abc", 3, 6), ("(ab{3}){10}", 40, 80), (r"[a-z]{20}\.x", 20, 100), ("((a{30}){30}){30}", 27_000, 40_000),
     ("[{9}]", 1, 10), (r"a\{9\}", 3, 20), ("a{9,}", 9, 20), ("a{999999999999999}", 900_000, 10**7), (")({", 1, 9)],
)  # fmt: skip
def test_the_size_of_a_pattern_is_what_its_repetitions_make_of_it(pattern: str, least: int, most: int) -> None:
    assert least <= pattern_size(pattern) <= most
