"""What holds of every policy, however it is written (threat T14: silence that approves)."""

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st

from andon import wire
from bot.errors import ConfigError
from bot.policy import STRICTNESS, Policy, Routed, Situation, needs, parse, route
from bot.policy._conditions import Condition, Faulty
from bot.policy._meeting import met
from tests.policies import TOOLS, about, choice, confirmation, policies, situations

_some = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_some
@given(policies(), situations())
def test_no_policy_approves_by_silence_what_is_not_marked_reversible(policy: Policy, situation: Situation) -> None:
    said = route(policy, situation)
    if not situation.ask.reversible:
        assert said.route.on_timeout == "deny"
        assert said.do != "review", "a review after it comes too late"


@given(policies(), situations(), st.sampled_from([1, 599, 3_600, 604_800]))
@_some
def test_silence_approves_only_after_as_long_as_the_policy_says(
    policy: Policy, situation: Situation, timeout_s: int
) -> None:
    """An agent that waits for a second only has asked nobody."""
    said = route(policy, replace(situation, ask=situation.ask.model_copy(update={"timeout_s": timeout_s})))
    if said.route.on_timeout == "approve":
        rule = said.rule
        limit = (rule.timeout if rule else None) or policy.defaults.timeout or 3600
        assert said.route.timeout_s >= limit
        assert len(said.route.steps) == said.route.steps[0].quorum == 1
        assert not said.route.step_up


@_some
@given(
    policies(),
    situations(),
    st.none() | st.integers(1, 604_800),
    st.sampled_from(["deny", "approve"]),
    st.none() | st.sampled_from([0.0, 0.4, 0.6, 1.0]),
)
def test_an_ask_can_only_tighten_what_the_policy_says(
    policy: Policy, situation: Situation, timeout_s: int | None, on_timeout: str, confidence: float | None
) -> None:
    """The loosest ask is sure, and says nothing but `on_timeout: approve`; all else may only make it stricter."""
    loosest = situation.ask.model_copy(update={"timeout_s": None, "on_timeout": "approve", "confidence": 1.0})
    wanted = {"timeout_s": timeout_s, "on_timeout": on_timeout, "confidence": confidence, "to": (_ELSEWHERE,)}
    base = route(policy, replace(situation, ask=loosest))
    said = route(policy, replace(situation, ask=situation.ask.model_copy(update=wanted), to=(_ELSEWHERE,)))
    assert STRICTNESS[said.do] >= STRICTNESS[base.do]
    assert not (said.route.on_timeout == "approve" and base.route.on_timeout == "deny")
    assert said.rule is base.rule
    limit = (base.rule.timeout if base.rule else None) or policy.defaults.timeout
    if limit:
        assert said.route.timeout_s <= base.route.timeout_s == limit
    for name in _FIXED:
        assert getattr(said.route, name) == getattr(base.route, name), name
    assert said.route.offers in (base.route.offers, ()), "an ask that is not sure is offered none"
    if (base.rule and base.rule.to) or policy.defaults.to:
        assert said.route.to == base.route.to


_ELSEWHERE = wire.Place(surface="slack", channel="C9")
_FIXED = (
    "approvers",
    "quorum",
    "stages",
    "not_requester",
    "reject_quorum",
    "remind_s",
    "escalate",
    "step_up",
    "reassign",
    "reasons",
)


@pytest.mark.parametrize(
    "is_it",
    [
        lambda said: said.route.offers and said.do == "ask",
        lambda said: said.route.reassign == "anyone",
        lambda said: said.do == "ask" and said.rule and said.rule.after,
    ],
    ids=["offers", "reassign", "after"],
)
def test_what_is_made_up_has_it(is_it: Callable[[Routed], object]) -> None:
    """Else what is compared above is nothing, and nothing."""
    found = find(
        st.tuples(policies(), situations()),
        lambda made: bool(is_it(route(*made))),
        settings=settings(max_examples=2_000, phases=[Phase.generate], deadline=None),  # the first will do
    )
    assert found


@_some
@given(policies(), situations())
def test_nothing_is_looser_while_a_checkpoint_waits_for_its_yes(policy: Policy, situation: Situation) -> None:
    waiting, passed = route(policy, replace(situation, passed=False)), route(policy, situation)
    assert STRICTNESS[waiting.do] >= STRICTNESS[passed.do]


@_some
@given(policies(), situations())
def test_the_index_finds_what_trying_every_rule_finds(policy: Policy, situation: Situation) -> None:
    """First match wins, whatever the index does to be quick."""
    assert met(policy, situation) == [_naively(policy, situation)]


def _naively(policy: Policy, situation: Situation) -> Any:
    ask = situation.ask
    assert isinstance(ask, wire.Confirmation)
    assert ask.action
    for rule in policy.rules:
        if (
            any(fnmatchcase(ask.action.tool, glob) for glob in rule.tool)
            and any(fnmatchcase(ask.gate, glob) for glob in rule.gate)
            and any(fnmatchcase(situation.agent, glob) for glob in rule.agent)
            and all(situation.labels.get(name) == value for name, value in rule.labels.items())
            and (
                rule.checkpoint is None
                or (situation.checkpoint and any(fnmatchcase(situation.checkpoint, glob) for glob in rule.checkpoint))
            )
            and _holds(rule.when, situation, ask.action, loose=STRICTNESS[rule.do] < STRICTNESS["ask"])
        ):
            return rule
    return None


def _holds(when: str | None, situation: Situation, action: wire.Action, *, loose: bool) -> bool:
    """What the conditions of `tests.policies` mean, in Python."""
    args, unknown = action.args, not loose
    match when:
        case None:
            return True
        case "args.amount > 10":
            return args["amount"] > 10 if "amount" in args else unknown  # type: ignore[operator]
        case "reversible":
            return situation.ask.reversible
        case "!reversible":
            return not situation.ask.reversible
        case "risk > 0.5":
            return True
        case "failures > 1":
            return situation.failures > 1
        case "labels.env == 'prod'":
            return situation.labels["env"] == "prod" if "env" in situation.labels else unknown
        case "args.to.all(to, to.endsWith('@example.com'))":
            return True if isinstance(args.get("to"), list) else unknown
    return action.tool.startswith("send") and "to" in args


@_some
@given(policies(), situations(), st.lists(st.sampled_from(TOOLS), min_size=1, max_size=4))
def test_evaluation_never_fails(policy: Policy, situation: Situation, tools: list[str]) -> None:
    for ask in (situation.ask, choice(*tools), wire.Input(gate="mail", run=situation.ask.run, question="q")):
        asked = replace(situation, ask=ask)
        wanted = needs(policy, asked)
        said = route(policy, replace(asked, trusted=dict.fromkeys(wanted.ramps, 3)))
        assert said.do in {"allow", "notify", "review", "ask", "deny"}
        if not isinstance(ask, wire.Confirmation):
            assert said.do in {"ask", "deny"}


@_some
@given(policies(), situations(), st.integers(0, 9), st.sampled_from([0.2, 0.9, None]))
def test_neither_trust_nor_rules_outweigh_failures_and_doubt(
    policy: Policy, situation: Situation, good: int, confidence: float | None
) -> None:
    ask = situation.ask.model_copy(update={"confidence": confidence})
    situation = replace(situation, ask=ask, trusted=dict.fromkeys(needs(policy, situation).ramps, good))
    floor = policy.confidence_floor
    doubt = floor is not None and (not ask.reversible if confidence is None else confidence < floor)
    failed = policy.escalate_on_failure is not None and situation.failures >= policy.escalate_on_failure
    if doubt or failed:
        assert route(policy, situation).do in {"ask", "deny"}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(list("[]{}&*a:\n -!'\"|>?%@#,<x1")), max_size=40).map("".join))
@example("a: !!timestamp x")
@example("a: !!int ''")
@example("[" * 5000)
@example("&a [*a]")
@example("rules: &r [*r]")
@example("\ud800")
@example("{examples: [{name: a, args: {x: 2020-01-01}, expect: {}}]}")
@example("rules: [{name: a, do: ask, tool: [[x]], when: {a: b}}]")
@example("people: {a: 3}\nroles: {b: {c: d}}\nrisk: []")
@example("? [a]\n: 1")
@example("9" * 5000)
@example("1: 2\nrules: [{1: 2, when: 3}]\npeople: {1: {}}\nroles: {2: 3}\ndefaults: {4: 5}")
@example("rules: [3, {name: a, do: ask, stages: {x: y}, escalate: [{mention: [4]}], when: ''}]\nroles: 3\npeople: [3]")
def test_reading_any_text_gives_a_policy_or_its_faults(text: str) -> None:
    faults: tuple[str, ...] = ("none",)
    try:
        parse(text)
    except ConfigError as error:
        faults = error.faults
    assert faults


_words = st.sampled_from(
    [
        *("args", ".x", ".all(", "y", ",", ")", "(", "[", "]", "'a'", "1", "0.5", ">", "==", "&&", "||", "!", "risk"),
        *(
            "tool",
            ".matches(",
            "'('",
            "in",
            "?",
            ":",
            "size(",
            "has(",
            "true",
            "-",
            "+",
            "/",
            "{",
            "}",
            "\n",
            "u",
            "//",
        ),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_words, max_size=14).map(" ".join) | st.text(max_size=60))
def test_any_condition_is_compiled_or_refused(source: str) -> None:
    try:
        condition = Condition(source)
    except Faulty:
        return
    policy = Policy.model_validate(
        {"rules": [{"name": "a", "when": source, "do": "allow"}], "defaults": {"do": "deny"}, "version": "v"}
    )
    assert condition.variables
    assert route(policy, about(confirmation(args={"x": [1, "a", None]}))).do in {"allow", "deny"}
