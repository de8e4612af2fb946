"""Votes counted, and who somebody is: the pure part, and what holds for any votes at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot import tally
from bot.approvers import conflict, is_listed, known_as, person_key, rotas
from bot.cards import card
from bot.handoff import Aside, Handoff, Route, Rung, Stage, State, Vote
from tests.fakes.desk import ANA, BUDGET, EMAIL, FLIGHT, MIRA, NOON, handoff
from tests.fakes.votes import BOB, TERMS, agreed, split, staged, vote

PEOPLE = {"mira": ("mira@example.com", "slack:T1/U1"), "bob": ("bob@example.com", "slack:U2", "teams:29:bOb")}


def actor(id: str, surface: str, email: str | None = None, *, name: str = "X") -> wire.Actor:
    return wire.Actor(kind="person", id=id, name=name, surface=surface, email=email)


@pytest.mark.parametrize(
    "who, key",
    [
        (actor("mira@example.com", "web"), "person:mira"),
        (actor("mira@example.com", "api"), "person:mira"),
        (actor("T1/U1", "slack"), "person:mira"),
        (actor("T9/U2", "slack"), "person:bob"),
        (actor("29:bOb", "teams"), "person:bob"),
        (actor("29:bob", "teams"), "teams:29:bob"),
        (actor("T9/U9", "slack", "Bob@Example.com"), "person:bob"),
        (actor("T9/U1", "slack"), "slack:T9/U1"),
        (actor("T9/U9", "slack", "Eve@Example.com"), "email:eve@example.com"),
        (actor("eve@example.com", "web"), "email:eve@example.com"),
        (actor("local:root", "web"), "web:local:root"),
        (actor("eve@example.com", "slack"), "slack:eve@example.com"),
        (actor("U9", "slack", name="mira@example.com"), "slack:U9"),
    ],
)
def test_one_person_has_one_key(who: wire.Actor, key: str) -> None:
    assert person_key(who, PEOPLE) == key


def test_who_voted_keeps_their_key_when_their_address_changes() -> None:
    before, after = actor("T1/U7", "slack", "old@example.com"), actor("T1/U7", "slack", "new@example.com")
    votes = (vote(before, "d"),)
    votes = (replace(votes[0], person=person_key(before, {})),)
    assert known_as(votes, after, {}) == "email:old@example.com"
    assert known_as(votes, actor("T1/U8", "slack", "new@example.com"), {}) == "email:new@example.com"
    assert known_as(votes, actor("old@example.com", "web"), {}) == "email:old@example.com"


def test_an_entry_of_one_surface_lists_the_person_on_all_of_theirs() -> None:
    listed = Route(**TERMS, approvers=("slack:U2",))
    assert is_listed(listed, actor("bob@example.com", "web"), PEOPLE)
    assert not is_listed(listed, actor("bob@example.com", "web"))
    assert not is_listed(listed, actor("mira@example.com", "web"), PEOPLE)


@pytest.mark.parametrize(
    "requester, who, said",
    [
        ("ana@example.com", ANA, "you asked for it"),
        ("Ana@Example.com", ANA, "you asked for it"),
        ("slack:T1/U2", BOB, "you asked for it"),
        ("slack:U2", BOB, "you asked for it"),
        ("U2", BOB, "you asked for it"),
        ("bob@example.com", BOB, "you asked for it"),
        ("ana@example.com", MIRA, ""),
        ("Mira", MIRA, ""),
        (None, MIRA, ""),
    ],
)
def test_who_asked_is_in_conflict_by_any_of_their_ids(requester: str | None, who: wire.Actor, said: str) -> None:
    asked = handoff(EMAIL, requester=requester, route=Route(**TERMS, not_requester=True))
    assert conflict(asked, who, PEOPLE) == said
    assert conflict(replace(asked, route=Route(**TERMS)), who, PEOPLE) == ""


@pytest.mark.parametrize(
    "link, requester, who, asked_for_it",
    [
        ("U7", "slack:T1/U7", MIRA, True),
        ("T1/U7", "slack:U7", MIRA, True),
        ("T1/U7", "slack:T1/U7", MIRA, True),
        ("E1/U7", "slack:T1/U7", MIRA, True),
        ("T2/U7", "slack:T1/U7", MIRA, False),
        ("U8", "slack:T1/U7", MIRA, False),
        ("U9", "slack:T1/U7", actor("T1/U7", "slack"), True),
        ("U9", "slack:T1/U7", actor("E1/U7", "slack"), True),
        ("U9", "slack:U7", actor("T1/U7", "slack"), True),
        ("U9", "slack:T1/U7", actor("T2/U7", "slack"), False),
        ("U9", "slack:T1/U7", actor("U7", "teams"), False),
    ],
)
def test_who_asked_is_in_conflict_however_their_slack_id_is_written(
    link: str, requester: str, who: wire.Actor, asked_for_it: bool
) -> None:
    """With its workspace in one place and without in the other; an organisation has its people in all of its own."""
    asked = handoff(EMAIL, requester=requester, route=Route(**TERMS, not_requester=True))
    said = conflict(asked, who, {"mira": ("mira@example.com", f"slack:{link}")})
    assert said == ("you asked for it" if asked_for_it else "")


def test_people_of_climbed_rungs_count_and_whoever_was_only_called_does_not() -> None:
    ladder = (Rung(60, approvers=("eve@example.com",)), Rung(120, approvers=("late@example.com",)))
    asked = handoff(EMAIL, route=Route(**TERMS, approvers=("ana@example.com",), escalate=ladder))
    assert tally.terms(asked).approvers == ("ana@example.com",)
    asked = replace(asked, rungs=1, added=("bob@example.com",))
    assert tally.terms(asked).approvers == ("ana@example.com", "eve@example.com")
    anybody = replace(asked, route=replace(asked.route, approvers=()))
    assert tally.terms(anybody).approvers == (), "adding somebody takes nobody's right"


def test_one_person_gives_one_place_however_often_it_was_written_down() -> None:
    """Two processes may have let the same person hand it on at the same moment."""
    given = [Aside(str(n), "reassigned", NOON, MIRA, to=f"p{n}@x.com", stage=1, ids=("mira", str(n))) for n in range(3)]
    route = Route(**TERMS, approvers=("mira@example.com",), reassign="anyone")
    asked = replace(handoff(EMAIL, route=route), asides=tuple(given))
    assert tally.standing_in(asked) == ("p0@x.com",)
    assert tally.standing_in(replace(asked, route=replace(route, reassign="listed"))) == ()


def test_rotas_are_asked_by_name() -> None:
    assert rotas(Route(**TERMS, approvers=("on_call:payments", "ana@example.com", "on_call:dba"))) == (
        "payments",
        "dba",
    )


def test_what_a_card_says_of_votes() -> None:
    def said(shown: Handoff) -> tuple[str, ...]:
        return card(shown, now=NOON + timedelta(minutes=1)).votes

    assert said(handoff(EMAIL)) == ()
    assert said(handoff(EMAIL, route=Route(**TERMS, quorum=2))) == (
        "Any full member, 0 of 2 said yes. 2 more people are needed.",
    )
    assert said(split()) == (
        "Any full member, 1 of 2 said yes. One more person is needed.",
        "For “TP 571, Sunday 08:10”: 1 of 2, Mira.",
        "For “LH 1166, Sunday 14:20”: 1 of 2, Ana.",
        "What 2 people agree on first is taken.",
    )
    assert said(agreed()) == ()
    assert said(staged())[0] == "Stage 1 of 2 is done: Mira and Ana said yes."
    listed = Route(**TERMS, approvers=("ana@example.com", "mira@example.com"), quorum=2)
    assert said(handoff(EMAIL, route=listed)) == (
        "ana@example.com and mira@example.com, 0 of 2 said yes. 2 more people are needed.",
    ), "an address keeps its letters"


def test_a_card_says_who_comes_after_the_stage_that_it_is() -> None:
    stages = (Stage(("ana@example.com",)), Stage(("bob@example.com", "eve@example.com"), 2), Stage(("slack:S1",)))
    asked = handoff(EMAIL, route=Route(**TERMS, stages=stages))
    assert lines(asked) == (
        "Stage 1 of 3: ana@example.com, 0 of 1 said yes. One more person is needed.",
        "Then comes stage 2: 2 of bob@example.com and eve@example.com.",
        "Then comes stage 3: one person or group by id.",
    )


EDITED = wire.Revision(revision=2, by=actor("bob@example.com", "web"), at=NOON, args={}, digest="0" * 64)
BOTH: dict[str, Any] = {"approvers": ("ana@example.com", "bob@example.com"), "quorum": 2, "not_requester": True}


@pytest.mark.parametrize(
    "terms, changes, says",
    [
        ({}, {"owner": "Bob@example.com"}, "Nobody who is listed can say yes."),
        ({}, {}, "Of those who are listed only 1 can say yes, and 2 must."),
        ({"approvers": (*BOTH["approvers"], "eve@example.com")}, {"owner": "bob@example.com"}, "listed only 1 can say"),
        ({"approvers": ("ana@example.com",), "quorum": 1}, {}, "Nobody who is listed can say yes."),
        ({"approvers": ("requester",), "quorum": 1}, {"requester": "somebody"}, "Nobody who is listed can say yes."),
        ({"quorum": 1}, {"revisions": (EDITED,)}, "Nobody who is listed can say yes."),
        ({"quorum": 1}, {}, ""),
        ({"not_requester": False}, {"owner": "bob@example.com"}, ""),
        ({"approvers": (*BOTH["approvers"], "slack:S1")}, {"owner": "bob@example.com"}, ""),
        ({"approvers": (*BOTH["approvers"], "on_call:dba")}, {"owner": "bob@example.com"}, ""),
        ({"approvers": (*BOTH["approvers"], "eve@example.com")}, {}, ""),
        (
            {"approvers": (), "quorum": 1, "stages": (Stage(("eve@example.com",)), Stage(("ana@example.com",)))},
            {},
            "Stage 2: nobody who is listed can say yes.",
        ),
    ],
)
def test_a_card_says_when_too_few_can_say_yes(terms: dict[str, Any], changes: dict[str, Any], says: str) -> None:
    """Else everybody waits for each other until the time is up."""
    asked = handoff(EMAIL, route=Route(**TERMS, **{**BOTH, **terms}), **changes)
    shown = [each for each in lines(asked) if "can say" in each]
    assert len(shown) == bool(says)
    assert says in "".join(shown)


def test_who_may_not_say_yes_is_told_so_and_has_no_button_for_it() -> None:
    for ask in (EMAIL, FLIGHT, BUDGET):
        asked = handoff(ask, route=Route(**{**TERMS, "step_up": "number", "draw": "d"}))
        shown = card(asked, now=NOON, conflict="you asked for it")
        assert shown.conflict == "You asked for it, so another person must say yes. You may say no."
        assert {"approve", "choose", "answer"}.isdisjoint(button.kind for button in shown.buttons)
        assert shown.may("reject")
        assert (shown.code, shown.offers) == ("", ())
        assert card(replace(asked, state=State.HELD), now=NOON, conflict="you asked for it").conflict == ""


@pytest.mark.parametrize(
    "terms, says",
    [
        ({}, "any full member may answer; they are called by name"),
        ({"approvers": ("ana@example.com",)}, "one of those who may answer anyway; they are called by name"),
        ({"approvers": ("ana@example.com",), "reassign": "anyone"}, "they answer in your place"),
    ],
)
def test_a_card_says_what_asking_somebody_else_gives_them(terms: dict[str, Any], says: str) -> None:
    assert card(handoff(EMAIL, route=Route(**TERMS, **terms)), now=NOON).besides == says


def lines(asked: Handoff) -> tuple[str, ...]:
    return card(asked, now=NOON + timedelta(minutes=1)).votes


# --- any votes at all ---

_people = st.sampled_from(["a", "b", "c", "d", "e"])
_votes = st.lists(
    st.tuples(_people, st.integers(1, 3), st.sampled_from(["yes", "no"]), st.sampled_from("xy")), max_size=12
)
_routes = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def _cast(votes: list[tuple[str, int, str, str]]) -> tuple[Vote, ...]:
    return tuple(
        Vote(who, MIRA, NOON, 1, stage, kind, digest=digest, id=str(n))
        for n, (who, stage, kind, digest) in enumerate(votes)
    )


@given(_votes, _routes)
def test_nothing_is_done_without_as_many_different_people_as_every_stage_needs(
    votes: list[tuple[str, int, str, str]], quorums: list[int]
) -> None:
    stages = tuple(Stage((), quorum) for quorum in quorums)
    asked = handoff(EMAIL, route=Route(**TERMS, stages=stages))
    counted = tally.count(replace(asked, votes=_cast(votes)))
    last = {who: (stage, kind, digest) for who, stage, kind, digest in votes}
    for number, quorum in enumerate(quorums[: counted.stage - 1 if not counted.is_done else None], start=1):
        yes = [who for who, said in last.items() if said == (number, "yes", counted.settled)]
        assert len(yes) >= quorum
    if counted.is_done:
        assert len({each.person for each in counted.agreed}) >= sum(quorums), "nobody counts in two stages"
        assert {each.digest for each in counted.agreed} == {counted.settled}
    else:
        assert counted.missing > 0


@given(_votes, _routes, st.booleans())
def test_a_no_never_brings_a_yes_nearer(
    votes: list[tuple[str, int, str, str]], quorums: list[int], reject_quorum: bool
) -> None:
    route = Route(**TERMS, stages=tuple(Stage((), quorum) for quorum in quorums), reject_quorum=reject_quorum)
    asked = replace(handoff(EMAIL, route=route), votes=_cast(votes))
    no = Vote("a", MIRA, NOON, 1, tally.count(asked).stage, "no", id="no")
    before, after = tally.count(asked), tally.count(asked, no)
    assert after.stage <= before.stage
    assert not after.is_done or before.is_done
    assert tally.decides(asked, no) or reject_quorum
