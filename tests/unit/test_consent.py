"""Silence approves only what people were shown in time and left alone, whatever else holds."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot import consent
from bot.cards import card
from bot.handoff import Aside, Handoff, Route, Vote
from bot.silence import silence_verdict
from tests.fakes.desk import DRAFT, EMAIL, NOON, handoff

WEB, OPS = wire.Place(surface="web"), wire.Place(surface="paper", channel="ops")
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
WAIT_S: Final = 600
LATEST: Final = NOON + timedelta(seconds=WAIT_S / 10)

QUESTIONED = Aside("a1", "questioned", NOON, MIRA, text="Why?")
REPLIED = Aside("a2", "replied", NOON, text="So.")
REASSIGNED = Aside("a3", "reassigned", NOON, MIRA, to="bob@example.com")
REMINDED = Aside("a4", "reminded", NOON)
ESCALATED = Aside("a5", "escalated", NOON, rung=1)

FACTS: Final[dict[str, dict[str, Any]]] = {
    "changed": {"revision": 2},
    "voted": {"votes": (Vote("mira@example.com", MIRA, NOON, 1, 1, "yes"),)},
    "questioned": {"asides": (QUESTIONED, REPLIED)},
    "reassigned": {"asides": (REASSIGNED,), "added": ("bob@example.com",)},
    "crowd": {"crowd": "burst"},
    "gathered": {"gathered": True},
    "unread": {"unread": "slack:S1"},
}
"""What each alone is enough for."""


def waits(ask: dict[str, object] = EMAIL, *, to: tuple[wire.Place, ...] = (OPS,), **facts: Any) -> Handoff:
    route = Route(policy="v1/quick", timeout_s=WAIT_S, on_timeout="approve", to=to)
    whole = {**ask, "reversible": True, "on_timeout": "approve"}
    return handoff(whole, minutes=WAIT_S / 60, route=route, **{"shown_at": NOON, **facts})


def kind(asked: Handoff) -> str:
    return silence_verdict(asked, at=asked.expires_at).decision.kind


@pytest.mark.parametrize("ask", [EMAIL, DRAFT], ids=["before", "after"])
@pytest.mark.parametrize("fact", FACTS)
def test_any_one_fact_is_enough(fact: str, ask: dict[str, object]) -> None:
    assert kind(waits(ask)) == "approved"
    verdict = silence_verdict(waits(ask, **FACTS[fact]), at=NOON)
    assert (verdict.decision.kind, verdict.allowed, verdict.payload) == ("expired", "", "")
    said = verdict.decision.message_for_agent
    assert consent.objection(waits(ask, **FACTS[fact])) in said
    assert "Nobody answered in time" in said
    assert ("Undo it now" if ask is DRAFT else "Do not act") in said


@given(st.sets(st.sampled_from(sorted(FACTS))), st.booleans(), st.sampled_from([(OPS,), (WEB,), (OPS, WEB)]), st.data())
def test_silence_approves_what_was_shown_and_left_alone_and_nothing_else(
    which: set[str], after: bool, to: tuple[wire.Place, ...], data: st.DataObject
) -> None:
    """Whatever holds together, with any one of the facts silence approves nothing."""
    facts = {name: value for fact in sorted(which) for name, value in FACTS[fact].items()}
    moment = st.integers(0, WAIT_S).map(lambda s: NOON + timedelta(seconds=s))
    shown_at = data.draw(st.none() | moment)
    shown = to == (WEB,) if shown_at is None else shown_at <= LATEST
    asked = waits(DRAFT if after else EMAIL, to=to, shown_at=shown_at, **facts)
    assert kind(asked) == ("approved" if shown and not which else "expired")


@pytest.mark.parametrize(
    "to, shown_at, counts",
    [
        ((WEB,), None, True),
        ((WEB, OPS), None, False),
        ((OPS,), None, False),
        ((), None, False),
        ((OPS,), LATEST, True),
        ((OPS,), LATEST + timedelta(milliseconds=1), False),
    ],
)
def test_what_counts_as_shown(to: tuple[wire.Place, ...], shown_at: Any, counts: bool) -> None:
    assert (kind(waits(to=to, shown_at=shown_at)) == "approved") is counts


def test_what_the_service_says_by_itself_is_no_sign_of_a_person() -> None:
    assert kind(waits(asides=(REMINDED, ESCALATED), rungs=1)) == "approved"


@pytest.mark.parametrize("fact", FACTS)
def test_the_card_says_what_silence_means_by_now(fact: str) -> None:
    assert "silence approves" in card(waits(), now=NOON).silence
    assert "nothing is done" in card(waits(**FACTS[fact]), now=NOON).silence


@pytest.mark.parametrize("fact", [each for each in FACTS if each != "changed"])
def test_every_fact_is_compared_where_it_is_ended(fact: str) -> None:
    """The revision is compared by itself."""
    assert consent.facts(waits()) != consent.facts(waits(**FACTS[fact]))
    assert consent.facts(waits()) != consent.facts(waits(shown_at=None))


def test_a_posting_alone_draws_no_card_anew() -> None:
    assert waits() == replace(waits(), shown_at=LATEST)
