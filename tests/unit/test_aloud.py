"""A policy read aloud: no word of a rule is passed over, and none that takes back what the defaults say."""

from typing import Any, Final

import pytest

from bot.aloud import policy_in_words
from bot.policies import Standing
from bot.policy import Policy, Rule
from bot.ports import RuleWords

WORDS: Final[dict[str, tuple[Any, ...]]] = {
    "name": ("other",),
    "tool": ("deploy",),
    "gate": ("ship",),
    "agent": ("builder",),
    "checkpoint": ("built",),
    "labels": ({"stage": "production"},),
    "when": ("reversible",),
    "do": ("allow", "notify", "sample", "review", "deny"),
    "fraction": (0.5,),
    "reason": ("Not here.",),
    "after": (True,),
    "timeout": ("10m",),
    "on_timeout": ("deny", "approve"),
    "approvers": (["ana@example.com"],),
    "quorum": (1, 2),
    "stages": ([{"approvers": ["ana@example.com"]}],),
    "not_requester": (True, False),
    "reject": ("any", "quorum"),
    "reassign": ("listed", "anyone"),
    "to": (["web"],),
    "remind": (["5m"], []),
    "escalate": ([{"after": "5m", "to": ["web"]}], []),
    "step_up": ("number", "critical"),
    "reject_reasons": (["Not now"], []),
    "grants": ([{"label": "it"}], []),
    "no_grants": (True, False),
    "ramp": ({"ask": 3},),
}
"""Every word that a rule may say, with all that it may say by it."""

LEAST: Final[dict[str, dict[str, Any]]] = {
    "sample": {"name": "a", "do": "sample", "fraction": 0.1},
    "deny": {"name": "a", "do": "deny", "reason": "No."},
}
"""The smallest rules, where `do: ask` is not enough."""


@pytest.mark.parametrize("word", Rule.model_fields)
def test_each_word_of_a_rule_is_read_aloud_whatever_it_says(word: str) -> None:
    for value in WORDS[word]:
        do = value if word == "do" else {"fraction": "sample", "reason": "deny"}.get(word, "ask")
        least = LEAST.get(do, {"name": "a", "do": "ask"})
        assert aloud(least).says, least
        assert aloud({**least, word: value}) != aloud({"name": "a", "do": "ask"} if word == "do" else least), value


def aloud(rule: dict[str, Any]) -> RuleWords:
    """One rule as people read it."""
    return policy_in_words(Standing(Policy.model_validate({"rules": [rule]}))).rules[0]


def test_the_brake_is_read_aloud() -> None:
    words = {"stop": ["hold your horses", "whoa"], "resume": ["giddy up"]}
    policy = Policy.model_validate({"brake": {"resume": ["role:ops", "ana@example.com"], "words": words}})
    assert policy_in_words(Standing(policy)).besides == (
        "Only the role ops and ana@example.com may resume or end a run that somebody stopped.",
        "Typed in a message, “hold your horses” or “whoa” stops too.",
        "Typed in a message, “giddy up” resumes too.",
    )
    assert policy_in_words(Standing(Policy())).besides == ()
