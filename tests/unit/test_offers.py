"""The words of a grant: ours, whole, and never to be taken for anything else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from andon import wire
from bot.cards import as_grant, card, grant_line, in_words, offers
from bot.cards.offered import MOST_CHARS, given
from bot.handoff import Handoff, Offer, Route, Stage, State
from bot.scope import Granted
from tests.fakes.desk import DRAFT, EMAIL, FLIGHT, MIRA, NOON, handoff

SAME = Offer("the same recipient", ("to",), "run", 3600)


def asked(*offered: Offer, args: dict[str, Any] | None = None, **given: Any) -> Handoff:
    """A card with these offers."""
    ask = EMAIL if args is None else {**EMAIL, "action": {"tool": "send_email", "args": args}}
    route = Route("1/mail", 1800, "deny", (), offers=offered or (SAME,))
    return handoff(ask, route=given.pop("route", route), **given)


def test_an_offer_says_all_that_it_covers() -> None:
    (found,) = offers(asked())
    assert found.sentence == "don't ask again for 1 h: send_email with to = alice@x.com, in this run"
    assert found.label == "the same recipient"


@pytest.mark.parametrize(
    "offer, ends",
    [
        (Offer("x", (), "agent", 600), "for 10 min: send_email with any arguments, in any run of assistant"),
        (
            Offer("x", ("to", "priority"), "requester", 86_400),
            "for 1 day: send_email with to = alice@x.com and priority = 2, in any run of assistant for ana@example.com",
        ),
        (Offer("x", ("cc", "to", "track_opens"), "run", 10**9), "cc = null, to = alice@x.com and track_opens = false"),
    ],
)
def test_scope_life_and_values_are_named(offer: Offer, ends: str) -> None:
    (found,) = offers(asked(offer))
    assert ends in found.sentence
    if offer.life_s > 10**6:
        assert found.life == "7 days", "no grant lives longer"


@pytest.mark.parametrize(
    "value, said",
    [
        ("make test", "make test"),
        ("1", '"1"'),
        (1, "1"),
        (1.0, "1.0"),
        ("true", '"true"'),
        (True, "true"),
        ("null", '"null"'),
        (None, "null"),
        ("", '""'),
        (" a", '" a"'),
        ("a, in any run of assistant", '"a, in any run of assistant"'),
        ('a" and x = "b', '"a\\" and x = \\"b"'),
        ("a\u200bb", '"a⟦U+200B⟧b"'),
        ("аlice@x.com", '"аlice@x.com"'),  # noqa: RUF001  # the look-alike is what is tested
        (["a", 1], '["a", 1]'),
        ({"a": None}, '{"a": null}'),
        ("two\nlines", '"two\\nlines"'),
    ],
)
def test_a_value_cannot_be_taken_for_another(value: Any, said: str) -> None:
    assert in_words("t", {"x": value}) == f"t with x = {said}"


@examples(st.text(max_size=40), st.text(max_size=40))
def test_two_texts_that_differ_are_said_differently(one: str, other: str) -> None:
    assert (in_words("t", {"x": one}) == in_words("t", {"x": other})) is (one == other)


def test_what_is_too_long_to_read_is_not_offered() -> None:
    fits = offers(asked(args={"to": "a" * (MOST_CHARS - 80)}))
    assert len(fits) == 1
    assert "a" * (MOST_CHARS - 80) in fits[0].sentence, "in full"
    assert offers(asked(args={"to": "a" * MOST_CHARS})) == ()


def test_an_offer_keeps_its_place_when_another_cannot_be_made() -> None:
    missing, there = Offer("x", ("bcc",), "run", 60), Offer("y", ("to",), "run", 60)
    assert [each.index for each in offers(asked(missing, there))] == [1]


@pytest.mark.parametrize("requester", [None, ""])
def test_a_run_for_nobody_has_no_offer_for_its_requester(requester: str | None) -> None:
    assert offers(asked(Offer("x", ("to",), "requester", 60), requester=requester)) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"quorum": 2},
        {"stages": (Stage(), Stage())},
        {"stages": (Stage(quorum=2),)},
        {"step_up": "number"},
    ],
)
def test_where_one_press_is_not_enough_nothing_is_offered(changed: dict[str, Any]) -> None:
    """A route of an older version may have both."""
    assert offers(asked(route=replace(asked().route, **changed))) == ()


def test_only_confirmations_before_the_action_have_offers() -> None:
    route = asked().route
    assert offers(handoff(DRAFT, route=route)) == ()
    assert offers(handoff(FLIGHT, route=route)) == ()


def test_a_card_has_them_as_long_as_it_can_be_approved_in_one_press() -> None:
    assert len(card(asked(), now=NOON).offers) == 1
    assert card(asked(state=State.HELD), now=NOON).offers == ()
    long = asked(args={"to": "alice@x.com", "body": "x" * 9_000})
    assert card(long, now=NOON).offers == ()
    assert len(card(long, now=NOON, full=True).offers) == 1


def test_an_offer_is_about_the_arguments_as_they_stand() -> None:
    """After an edit the yes is to the edited ones, and so is the grant."""
    first = asked()
    assert first.action
    args = {**first.action.args, "to": "bob@x.com"}
    edit = wire.Revision(revision=2, by=MIRA, at=NOON, args=args, digest="0" * 64)
    revised = replace(first, revision=2, revisions=(edit,))
    (found,) = offers(revised)
    assert "to = bob@x.com" in found.covers
    assert given(revised, found, MIRA).same == {"to": "bob@x.com"}


def test_a_list_says_who_gave_what_for_whom_until_when_and_how_often() -> None:
    made = asked()
    (offer,) = offers(made)
    stands = Granted(given(made, offer, MIRA), NOON, NOON + timedelta(hours=1))
    line = grant_line(stands)
    assert line.covers == "send_email with to = alice@x.com, in the run weekly-report"
    assert line.condition == 'tool == "send_email" && args.to == "alice@x.com"'
    assert (line.by, line.used) == ("Mira", "not used yet")
    used = replace(stands, uses=1, last_used=NOON)
    assert grant_line(used).used == "used once, last 22 Nov 2026, 12:00 UTC"
    assert grant_line(replace(used, uses=1_200)).used == "used 1,200 times, last 22 Nov 2026, 12:00 UTC"
    told = as_grant(used)
    assert (told.run, told.requester, told.handoff) == (made.run, None, made.id)
