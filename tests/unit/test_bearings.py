"""Andon's own reading of an action on its card."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.cards import card
from bot.cards.bearings import Bearings, bearings
from bot.handoff import Risk
from tests.fakes.desk import EMAIL, NOON, handoff


def test_a_card_has_no_reading_where_nothing_was_scored_and_nothing_tightened() -> None:
    assert bearings(handoff(EMAIL)) is None
    assert card(handoff(EMAIL), now=NOON).bearings is None


@pytest.mark.parametrize(
    "score,level,headline",
    [
        (0.0, "low", "Low risk: 0 %"),
        (0.39, "low", "Low risk: 39 %"),
        (0.4, "medium", "Medium risk: 40 %"),
        (0.7, "high", "High risk: 70 %"),
        (1.0, "high", "High risk: 100 %"),
    ],
)
def test_a_score_is_a_word_and_a_number(score: float, level: str, headline: str) -> None:
    asked = handoff(EMAIL)
    made = bearings(replace(asked, route=replace(asked.route, risk=Risk(score, ("Why.",)))))
    assert made
    assert (made.level, made.headline, made.reasons) == (level, headline, ("Why.",))


def test_what_is_quoted_of_the_action_is_made_visible() -> None:
    asked = handoff(EMAIL)
    route = replace(asked.route, risk=Risk(0.9, ("It removes `\u202egpj.a`.",)), because=("Odd \u200b agent.",))
    made = bearings(replace(asked, route=route))
    assert made
    assert "\u202e" not in made.reasons[0]
    assert "\u200b" not in made.because[0]


def test_why_it_is_asked_needs_no_risk() -> None:
    asked = handoff(EMAIL)
    shown = card(replace(asked, route=replace(asked.route, because=("Unsure.",))), now=NOON + timedelta(minutes=1))
    assert shown.bearings == Bearings("", "", (), ("Unsure.",))


def test_an_edit_makes_a_risk_that_of_what_was_asked_first() -> None:
    asked = handoff(EMAIL, revision=2)
    made = bearings(replace(asked, route=replace(asked.route, risk=Risk(0.2))))
    assert made
    assert made.headline.endswith("(of the first revision; it was edited since)")
