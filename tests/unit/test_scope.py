"""What a grant covers: the very same values and nothing else, in Python and as a condition in CEL."""

from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot.handoff import Offer
from bot.scope import Given, as_cel, covers, equal, is_within, narrowed, reaches

NUMBERS = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False, width=64))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
NAMES = st.sampled_from(["to", "a-b", "a.b", "in", "null", "x1", "9", "_"])
UNLIKE: list[Any] = [
    0, 1, 1.0, -1, True, False, None, "1", "1.0", "", "true", "null", [], [1], [1.0], [True], {}, {"a": 1}, {"a": 1.0},
    {"a": None}, 1.5, "a", "A", "a ", "\u0430", [[1]], [[1], [2]], [{"a": 1}], [None], {"a": [1]}, {"a": [1.0]},
    "\u00e9", "e\u0301",
]  # fmt: skip


def holds(condition: str, args: dict[str, Any], tool: str = "send_email") -> bool:
    """What the CEL package says; a condition that cannot be told is none that holds."""
    try:
        return cel.compile(condition).execute({"tool": tool, "args": args}) is True
    except Exception:  # noqa: BLE001  # the package raises whatever it meets
        return False


@pytest.mark.parametrize("one", UNLIKE)
@pytest.mark.parametrize("other", UNLIKE)
def test_values_are_the_same_only_if_they_are_the_very_same(one: object, other: object) -> None:
    same = type(one) is type(other) and repr(one) == repr(other)
    assert equal(one, other) is same
    assert covers({"x": one}, {"x": other}) is same  # type: ignore[dict-item]  # JSON all the same


def test_an_argument_that_is_missing_is_not_one_that_is_null() -> None:
    assert not covers({"cc": None}, {})
    assert not covers({"cc": None}, {"to": None})
    assert covers({"cc": None}, {"cc": None})
    assert covers({}, {"anything": 1})


@pytest.mark.parametrize(
    "same, written",
    [
        ({}, 'tool == "send_email"'),
        ({"to": "alice@x.com"}, 'tool == "send_email" && args.to == "alice@x.com"'),
        ({"n": 2}, 'tool == "send_email" && type(args.n) == int && args.n == 2'),
        ({"a-b": True}, 'tool == "send_email" && args["a-b"] == true'),
        ({"in": "x"}, 'tool == "send_email" && args["in"] == "x"'),
        ({"cc": None}, 'tool == "send_email" && "cc" in args && args.cc == null'),
    ],
)
def test_a_grant_is_written_as_people_write_conditions(same: dict[str, Any], written: str) -> None:
    assert as_cel("send_email", same) == written


@given(st.dictionaries(NAMES, JSON, max_size=2), st.dictionaries(NAMES, JSON, max_size=3))
def test_the_condition_covers_what_the_grant_covers(same: dict[str, Any], args: dict[str, Any]) -> None:
    """The listing shows the condition: it must be the truth."""
    condition = as_cel("send_email", same)
    assert holds(condition, {**args, **same})
    assert holds(condition, args) is covers(same, args)
    assert not holds(condition, {**args, **same}, tool="send_mail")


@pytest.mark.parametrize("one", UNLIKE)
def test_the_condition_tells_unlike_values_apart_as_the_grant_does(one: Any) -> None:
    condition = as_cel("send_email", {"x": one})
    for other in UNLIKE:
        assert holds(condition, {"x": other}) is covers({"x": one}, {"x": other}), (condition, other)


def test_text_in_a_value_cannot_get_out_of_the_condition() -> None:
    evil = {"to": '" || true || "', "body": "\\", "x": "\U0001f600\n\u2028"}
    condition = as_cel("send_email", evil)
    assert holds(condition, evil)
    assert not holds(condition, {**evil, "to": "bob"})


def test_an_offer_takes_the_values_that_it_names_and_none_where_one_is_missing() -> None:
    offer = Offer("same recipient", ("to", "cc"), "run", 60)
    assert narrowed(offer, {"to": "a", "cc": None, "body": "b"}) == {"to": "a", "cc": None}
    assert narrowed(offer, {"to": "a"}) is None


MIRA = wire.Actor(kind="person", id="mira", name="Mira")


def grant(scope: str, requester: str = "") -> Given:
    return Given(
        "gr_1", "mailer", "send_email", {}, scope, "run_1", "weekly", requester, 60, "all", "g", "p/r", "hf_1", MIRA
    )


@pytest.mark.parametrize(
    "scope, requester, about, reached",
    [
        ("run", "ana", ("mailer", "run_1", "ana"), True),
        ("run", "ana", ("mailer", "run_2", "ana"), False),
        ("run", "ana", ("other", "run_1", "ana"), False),
        ("agent", "ana", ("mailer", "run_2", "bob"), True),
        ("agent", "ana", ("other", "run_2", "ana"), False),
        ("requester", "ana", ("mailer", "run_2", "ana"), True),
        ("requester", "ana", ("mailer", "run_1", "bob"), False),
        ("requester", "ana", ("other", "run_1", "ana"), False),
        ("requester", "", ("mailer", "run_1", ""), False),
        ("world", "ana", ("mailer", "run_1", "ana"), False),
    ],
)
def test_a_grant_reaches_no_further_than_its_scope(
    scope: str, requester: str, about: tuple[str, str, str], reached: bool
) -> None:
    agent, run, asks = about
    assert reaches(grant(scope, requester), agent=agent, run=run, requester=asks) is reached


@pytest.mark.parametrize(
    "offer, same, scope, age_s, within",
    [
        (Offer("x", ("to",), "run", 60), {"to": "a"}, "run", 59, True),
        (Offer("x", ("to",), "run", 60), {"to": "a"}, "run", 60, False),
        (Offer("x", ("to",), "run", 60), {"to": "a"}, "agent", 1, False),
        (Offer("x", ("to",), "run", 60), {}, "run", 1, False),
        (Offer("x", ("to",), "run", 60), {"to": "a", "cc": "b"}, "run", 1, False),
        (Offer("x", (), "run", 10**9), {}, "run", 7 * 86_400, False),
    ],
)
def test_what_the_policy_offers_no_more_does_not_stand(
    offer: Offer, same: dict[str, Any], scope: str, age_s: float, within: bool
) -> None:
    assert is_within((offer,), same, scope, age_s) is within
    assert not is_within((), same, scope, age_s)
