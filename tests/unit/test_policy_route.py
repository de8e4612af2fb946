"""From what a rule says to what happens: dispositions, triggers, trust, grants, silence, choices."""

from typing import Any

import pytest

from andon import wire
from bench.policy import TARGET_US, asks, large
from bot.handoff import Risk
from bot.policy import Grant, Policy, Routed, Situation, needs, parse, ramp_key, route, stand_in
from bot.policy._conditions import About, Condition
from bot.policy._index import Entry
from bot.policy._meeting import met
from tests.policies import about, choice, confirmation
from tests.timing import cpu_s


def say(text: str, ask: Any = None, **known: Any) -> Routed:
    return route(parse(text), about(ask or confirmation(), **known))


def trusted(text: str, good: int, **ask: Any) -> Routed:
    """What is said of an action after so many good ends."""
    policy, situation = parse(text), about(confirmation(**ask))
    keys = dict.fromkeys(needs(policy, situation).ramps, good)
    return route(policy, about(confirmation(**ask), trusted=keys))


# --- matching ---


@pytest.mark.parametrize(
    "rule, known, matches",
    [
        ("checkpoint: planned", {"checkpoint": "planned"}, True),
        ("checkpoint: 'pl*'", {"checkpoint": "planned"}, True),
        ("checkpoint: planned", {}, False),
        ("checkpoint: '*'", {"checkpoint": "any"}, True),
        ("checkpoint: '*'", {}, False),
        ("labels: {env: prod}", {"labels": {"env": "prod", "more": "x"}}, True),
        ("labels: {env: prod}", {"labels": {"env": "test"}}, False),
        ("labels: {env: prod}", {}, False),
        ("tool: [a, 'send_*']", {}, True),
        ("tool: ['send_?????']", {}, True),
        ("tool: ['send_[a-d]*']", {}, False),
        ("gate: [x, 'm*l']", {}, True),
        ("agent: 'nightly-*'", {}, False),
        ("when: \"requester.endsWith('@example.com')\"", {"requester": "ana@example.com"}, True),
        ("when: \"run == 'weekly' && checkpoint == ''\"", {"run_name": "weekly"}, True),
        ("when: risk < 0.3", {"risk": Risk(0.2)}, True),
        ("when: risk < 0.3", {"risk": Risk(0.4)}, False),
        ("when: kind == 'confirmation' && failures == 2", {"failures": 2}, True),
    ],
)
def test_what_a_rule_matches(rule: str, known: dict[str, Any], *, matches: bool) -> None:
    said = say(f"rules:\n  - name: a\n    {rule}\n    do: notify\n", **known)
    assert said.do == ("notify" if matches else "ask")


@pytest.mark.parametrize(
    "rule, known, do",
    [
        ("checkpoint: plan, do: allow", {}, "deny"),
        ("checkpoint: '*', do: notify", {}, "deny"),
        ("when: checkpoint == 'plan', do: sample, fraction: 1", {}, "deny"),
        ("when: checkpoint != 'prod', do: review", {}, "deny"),
        ("when: risk > 0.1, do: allow", {}, "allow"),
        ("checkpoint: plan, do: ask", {}, "ask"),
        ("checkpoint: plan, do: ask, ramp: {ask: 1}", {"trusted": {"a|agent=mailer|tool=send_email": 9}}, "ask"),
        ("checkpoint: plan, do: ask, grants: [{label: l}]", {"grants": (Grant("gr", "send_email", {}),)}, "ask"),
    ],
)
def test_a_checkpoint_that_nobody_let_pass_opens_no_rule(rule: str, known: dict[str, Any], do: str) -> None:
    """The agent itself saves checkpoints: saving one must not open what the yes there is for."""
    text = f"defaults: {{do: deny}}\nrules: [{{name: a, {rule}}}]"
    ask = confirmation(reversible=True)
    assert say(text, ask, checkpoint="plan", passed=False, **known).do == do
    assert say(text, ask, checkpoint="plan", **known).do != "deny"


def test_at_a_checkpoint_that_nobody_let_pass_silence_approves_nothing_and_nothing_is_asked_afterwards() -> None:
    text = "rules: [{name: a, checkpoint: plan, do: ask, on_timeout: approve, after: true}]"
    ask = confirmation(reversible=True, on_timeout="approve")
    done = ask.model_copy(update={"timing": "after"})
    assert say(text, ask, checkpoint="plan").route.on_timeout == "approve"
    assert say(text, ask, checkpoint="plan", passed=False).route.on_timeout == "deny"
    assert say(text, done, checkpoint="plan").do == "ask"
    assert say(text, done, checkpoint="plan", passed=False).do == "deny"


def test_a_checkpoint_that_nobody_let_pass_leads_to_nothing_looser_than_it_will_be() -> None:
    text = "rules: [{name: a, checkpoint: prod, do: review}, {name: b, do: allow}]"
    ask = confirmation(reversible=True)
    said = say(text, ask, checkpoint="prod", passed=False)
    assert (said.do, said.rule and said.rule.name) == ("review", "a")


# --- dispositions ---


@pytest.mark.parametrize(
    "do, reversible, timing, expected",
    [
        ("do: allow", False, "before", "allow"),
        ("do: notify", False, "before", "notify"),
        ("do: review", True, "before", "review"),
        ("do: review", False, "before", "ask"),
        ("do: review", True, "after", "ask"),
        ("do: review", False, "after", "deny"),
        ("do: sample, fraction: 1", True, "before", "review"),
        ("do: sample, fraction: 0", True, "before", "allow"),
        ("do: sample, fraction: 0", False, "before", "ask"),
        ("do: sample, fraction: 1", False, "before", "ask"),
        ("do: sample, fraction: 1", True, "after", "ask"),
        ("do: sample, fraction: 0", False, "after", "allow"),
        ("do: ask", True, "before", "ask"),
        ("do: ask", True, "after", "deny"),
        ("do: ask, after: true", True, "after", "ask"),
        ("do: deny, reason: because", True, "before", "deny"),
    ],
)
def test_what_each_disposition_comes_to(do: str, timing: str, expected: str, *, reversible: bool) -> None:
    """What cannot be undone is never reviewed after it; what is done already is, by its own card."""
    said = say(f"rules: [{{name: a, {do}}}]", confirmation(reversible=reversible, timing=timing))
    assert said.do == expected
    assert (said.route.told, said.route.review) == (expected == "notify", expected == "review")


def test_the_same_handoff_is_always_of_the_sample_or_never_and_the_share_is_right() -> None:
    policy = parse("rules: [{name: a, do: sample, fraction: 0.25}]")
    ids = [f"hf_{number}" for number in range(2_000)]

    def drawn() -> list[bool]:
        return [
            route(policy, about(confirmation(reversible=True), handoff=each, draw=stand_in(each))).do == "review"
            for each in ids
        ]

    first = drawn()
    assert drawn() == first
    assert 0.22 < sum(first) / len(first) < 0.28


def test_only_a_person_can_choose_or_answer() -> None:
    for do in ("allow", "notify", "review", "sample, fraction: 0"):
        said = say(f"rules: [{{name: a, do: {do}}}]", choice("send_email"))
        assert said.do == "ask"
        assert not said.route.told


# --- triggers ---

TRIGGERS = "{confidence_floor: 0.5, escalate_on_failure: 2, rules: [{name: a, do: allow}]}"


@pytest.mark.parametrize(
    "confidence, failures, do, because",
    [
        (None, 0, "ask", ("The agent does not say how sure it is, and it cannot be undone.",)),
        (0.5, 1, "allow", ()),
        (0.49, 0, "ask", ("The agent is only 49 % sure.",)),
        (0.5, 2, "ask", ("In this run 2 actions have failed or were unsure.",)),
    ],
)
def test_low_confidence_and_failures_make_it_an_ask(
    confidence: float | None, failures: int, do: str, because: tuple[str, ...]
) -> None:
    said = say(TRIGGERS, confirmation(confidence=confidence), failures=failures)
    assert (said.do, said.route.because) == (do, because)


RAMP = "{escalate_on_failure: 2, rules: [{name: a, do: ask, ramp: {ask: 3, review: 2, sample: 1}}]}"


@pytest.mark.parametrize("good, do", [(0, "ask"), (2, "ask"), (3, "review"), (4, "review"), (5, "review")])
def test_trust_grows_from_asking_to_reviewing_to_samples(good: int, do: str) -> None:
    said = trusted(RAMP, good, reversible=True)
    assert said.do == do
    assert said.route.ramp == "a|agent=mailer|tool=send_email"
    assert bool(said.route.because) == (good < 3)


def test_grown_trust_samples_at_last_and_without_a_share_lets_it_run() -> None:
    assert trusted(RAMP.replace("sample: 1", "sample: 0"), 5, reversible=True).do == "allow"
    assert trusted(RAMP.replace(", sample: 1", ""), 5, reversible=True).do == "allow"


@pytest.mark.parametrize("good", [3, 5, 500])
def test_trust_never_spares_asking_about_what_cannot_be_undone(good: int) -> None:
    said = trusted(RAMP, good)
    assert said.do == "ask"
    assert said.route.because == ("It cannot be undone, so trust does not spare asking.",)


def test_a_requester_cannot_pass_for_another_part_of_a_ramp_s_name() -> None:
    ramp = parse("defaults: {ramp: {per: [requester, agent]}}").defaults.ramp
    assert ramp
    key = ramp_key("a", ramp, about(confirmation(), requester="x|agent=boss"))
    assert key.count("|") == 2


GRANTS = """
escalate_on_failure: 2
confidence_floor: 0.5
rules: [{name: a, do: ask, grants: [{label: to her, same: [to], scope: agent, life: 1h}]}]
"""
GRANT = Grant("gr_1", "send_email", {"to": "ana"}, scope="agent", age_s=10)


@pytest.mark.parametrize(
    "changes, known, do",
    [
        ({}, {}, "allow"),
        ({"confidence": None}, {}, "ask"),
        ({"args": {"to": "bob"}}, {}, "ask"),
        ({"tool": "other"}, {}, "ask"),
        ({"timing": "after"}, {}, "deny"),
        ({"confidence": 0.4}, {}, "ask"),
        ({}, {"failures": 2}, "ask"),
    ],
)
def test_a_grant_allows_what_it_covers_and_outweighs_neither_failures_nor_doubt(
    changes: dict[str, Any], known: dict[str, Any], do: str
) -> None:
    said = say(GRANTS, confirmation(**{"args": {"to": "ana"}, "confidence": 0.9, **changes}), grants=(GRANT,), **known)
    assert said.do == do
    if do == "allow":
        assert said.grant == GRANT


@pytest.mark.parametrize(
    "more",
    [
        "no_grants: true",
        "step_up: number",
        "quorum: 2",
        "stages: [{approvers: [a@x.com], quorum: 1}, {approvers: [b@x.com]}]",
    ],
)
def test_no_grant_holds_where_none_would_be_offered_now(more: str) -> None:
    offer = "grants: [{label: to her, same: [to], scope: agent}]"
    text = f"{{defaults: {{{offer}}}, rules: [{{name: a, do: ask, {more}}}]}}"
    said = say(text, confirmation(args={"to": "ana"}), grants=(GRANT,))
    assert (said.do, said.route.offers) == ("ask", ())


# --- silence ---


@pytest.mark.parametrize(
    "terms, changes, silence",
    [
        ("timeout: 10m", {}, "approve"),
        ("timeout: 10m", {"timeout_s": 600}, "approve"),
        ("timeout: 10m", {"timeout_s": 599}, "deny"),
        ("timeout: 10m", {"timeout_s": 1}, "deny"),
        ("timeout: 10m", {"timeout_s": 6_000}, "approve"),
        ("gate: mail", {"timeout_s": 1}, "deny"),
        ("gate: mail", {"timeout_s": 3_600}, "approve"),
        ("timeout: 10m", {"reversible": False}, "deny"),
        ("timeout: 10m", {"on_timeout": "deny"}, "deny"),
    ],
)
def test_silence_approves_only_what_waited_as_long_as_the_policy_says(
    terms: str, changes: dict[str, Any], silence: str
) -> None:
    ask = confirmation(**{"reversible": True, "on_timeout": "approve", **changes})
    assert say(f"rules: [{{name: a, do: ask, on_timeout: approve, {terms}}}]", ask).route.on_timeout == silence


@pytest.mark.parametrize("terms", [{"step_up": "number"}, {"quorum": 2}, {"stages": [{"approvers": ["a@x.com"]}]}])
def test_silence_never_gives_what_takes_more_than_a_press(terms: dict[str, Any]) -> None:
    """The loader refuses such a file; what reads it otherwise is safe all the same."""
    policy = Policy.model_validate({"defaults": {"on_timeout": "approve", **terms}})
    ask = confirmation(reversible=True, on_timeout="approve")
    assert route(policy, about(ask)).route.on_timeout == "deny"


# --- who ---


def test_roles_people_and_the_requester_are_told_apart_by_what_they_are() -> None:
    text = """
people: {ana: {email: Ana@Example.com, slack: U1}, bob: {teams: "29:x"}}
roles: {ops: ["person:ana", "role:more"], more: ["person:bob", "slack:S1"]}
defaults: {approvers: ["role:ops", requester, "on_call:pay", ana@example.com]}
"""
    said = say(text, requester="Eve@Example.com")
    people = ("ana@example.com", "slack:U1", "teams:29:x", "slack:S1", "eve@example.com", "on_call:pay")
    assert said.route.approvers == people
    assert "requester" in say(text).route.approvers, "nobody, and so not everybody"


GUID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    "requester,who",
    [
        ("Eve@Example.com", "eve@example.com"),
        ("Mira <Mira@example.com>", "mira@example.com"),
        ('"Mira, M." <mira@example.com>', "mira@example.com"),
        ("slack:U1", "slack:U1"),
        ("slack:T1/U1", "slack:T1/U1"),
        (f"teams:{GUID}/{GUID}", f"teams:{GUID}/{GUID}"),
        (f"teams:{GUID}", "requester"),
        *((text, "requester") for text in ("role:ops", "person:ana", "teams:19:x", "on_call:pay", "slack:S123")),
        *((text, "requester") for text in ("", "Mira", "requester", "mira@", "a@b.com, c@d.com", "a@b.com <c@d.com>")),
        *((text, "requester") for text in ("mira@example.com>", "<mira@example.com", "slack:U1 slack:S1")),
    ],
)
def test_a_requester_is_one_person_or_nobody(requester: str, who: str) -> None:
    """It is the agent's word: it must not name a group, a role or a rota."""
    assert say("defaults: {approvers: [requester]}", requester=requester).route.approvers == (who,)


def test_a_role_that_leads_back_to_itself_is_nobody() -> None:
    """The loader refuses it; whoever holds such a policy all the same gets an end."""
    policy = Policy.model_validate(
        {"roles": {"a": ["role:b"], "b": ["role:a"]}, "defaults": {"approvers": ["role:a"]}, "version": "v"}
    )
    assert route(policy, about(confirmation())).route.approvers == ("role:a",)


def test_what_is_critical_takes_two_also_where_one_stage_wants_one() -> None:
    assert say("defaults: {step_up: critical}").route.quorum == 2
    one = "defaults: {step_up: critical, stages: [{approvers: ['slack:S1']}]}"
    assert [each.quorum for each in say(one).route.stages] == [2]
    two = "defaults: {step_up: critical, stages: [{approvers: ['slack:S1']}, {approvers: ['slack:S2']}]}"
    assert [each.quorum for each in say(two).route.stages] == [1, 1]


# --- choices ---

TOGETHER = """
rules:
  - {name: a, tool: a, do: ask, timeout: 2h, reject: quorum, not_requester: true, approvers: ['slack:S1', 'slack:S2'],
     escalate: [{after: 5m, to: ['slack:C1'], approvers: [boss@example.com]}]}
  - {name: b, tool: b, do: ask, quorum: 3, step_up: number, approvers: ['slack:S1']}
"""


def test_a_choice_among_actions_of_several_rules_keeps_the_terms_of_all() -> None:
    for tools in (("a", "b"), ("b", "a")):
        terms = say(TOGETHER, choice(*tools)).route
        assert (terms.approvers, terms.quorum, terms.step_up) == (("slack:S1",), 3, "number")
        assert (terms.not_requester, terms.reject_quorum, terms.timeout_s) == (True, False, 3600)
        assert not any(rung.approvers for rung in terms.escalate), "rule b lists nobody for later"


def test_stages_that_differ_cannot_be_had_together() -> None:
    text = """
rules:
  - {name: a, tool: a, do: ask, stages: [{approvers: ['slack:S1']}]}
  - {name: b, tool: b, do: ask, stages: [{approvers: ['slack:S2']}]}
"""
    assert say(text, choice("a")).do == "ask"
    assert say(text, choice("a", "b")).do == "deny"


def test_a_choice_of_500_tries_its_rules_once_where_no_condition_could_tell_them_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []
    looked_up: list[str | None] = []
    policy = parse("rules: [{name: a, tool: x, do: ask}, {name: b, when: args.x == 1, do: ask}]")
    holds, look_up = Condition.holds, policy.index.met

    def counted(condition: Condition, values: About) -> bool:
        tried.append(condition.source)
        return holds(condition, values)

    def noted(tool: str | None) -> tuple[Entry, ...]:
        looked_up.append(tool)
        return look_up(tool)

    monkeypatch.setattr(Condition, "holds", counted)
    monkeypatch.setattr(policy.index, "met", noted)
    assert met(policy, about(_candidates("x"))) == [policy.rules[0]]
    assert (looked_up, tried) == (["x"], [])
    assert met(policy, about(_candidates("y"))) == [None]
    assert (looked_up, len(tried)) == (["x", "y"], 500)


def _candidates(tool: str) -> wire.Choice:
    return choice(*[tool] * 500, args={"x": 2})


# --- what must be gathered ---


@pytest.mark.parametrize(
    "text, known, wanted",
    [
        ("rules: []", {}, (False, 0, False, False)),
        ("risk: {}", {}, (True, 0, False, False)),
        ("rules: [{name: a, tool: send_email, when: risk > 0.1, do: ask}]", {}, (True, 0, False, False)),
        ("rules: [{name: a, tool: other, when: risk > 0.1 && failures > 1, do: ask}]", {}, (False, 0, False, False)),
        ("rules: [{name: a, when: failures > 1, do: ask}]", {}, (False, 0, False, True)),
        ("rules: [{name: a, checkpoint: x, when: risk > 0.1, do: ask}]", {}, (True, 0, False, True)),
        ("escalate_on_failure: 2", {}, (False, 0, False, True)),
        ("defaults: {ramp: {}}", {}, (False, 1, False, False)),
        ("rules: [{name: a, do: ask, ramp: {}}]", {}, (False, 1, False, False)),
        ("defaults: {grants: [{label: x}]}", {}, (False, 0, True, False)),
        ("rules: [{name: a, labels: {env: prod}, do: ask, ramp: {}}]", {}, (False, 0, False, False)),
        (
            "rules: [{name: a, labels: {env: prod}, do: ask, ramp: {}}]",
            {"labels": {"env": "prod"}},
            (False, 1, False, False),
        ),
    ],
)
def test_only_what_a_rule_for_this_looks_at_is_gathered(
    text: str, known: dict[str, Any], wanted: tuple[bool, int, bool, bool]
) -> None:
    situation: Situation = about(confirmation(), **known)
    found = needs(parse(text), situation)
    assert (found.risk, len(found.ramps), found.grants, found.run) == wanted


# --- what it costs ---

TIMES = 50


@pytest.mark.parametrize("name", asks())
def test_one_ask_costs_about_what_the_benchmark_says(name: str) -> None:
    """Ten times the target of `make bench`, so that only a slip of another kind shows; a choice has 500 candidates."""
    policy, ask = large(), asks()[name]
    situation, times = about(ask), 1 if isinstance(ask, wire.Choice) else TIMES

    def look() -> None:
        for _ in range(times):
            needs(policy, situation)
            route(policy, situation)

    look()
    bound_us = TARGET_US * 10 * (500 if isinstance(ask, wire.Choice) else TIMES)
    assert cpu_s(look) * 1e6 < bound_us
