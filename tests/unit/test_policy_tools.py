"""For those who write policies: why it says what it says, its own examples, and what changes from one to the next."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from andon import wire
from bot.cards import term_in_words
from bot.handoff import Risk, Route, Stage
from bot.policy import STRICTNESS, Comparison, Policy, compare, explain, parse, route, run_examples, stricter
from tests.policies import about, confirmation, policies, situations

POLICY = """
roles: {ops: [ana@example.com]}
confidence_floor: 0.5
defaults: {timeout: 1h, approvers: ["role:ops"]}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: prod, tool: pay, labels: {env: prod}, do: deny, reason: Not here.}
  - {name: nightly, agent: "nightly-*", do: allow, tool: pay}
  - {name: small, tool: pay, when: args.amount <= 100, do: notify}
  - {name: pays, tool: pay, do: ask, quorum: 2, approvers: [ana@example.com, bob@example.com], on_timeout: deny}
"""


def why(**question: Any) -> wire.Explanation:
    return explain(parse(POLICY), wire.PolicyQuestion(**question))


def test_every_rule_that_was_tried_says_why_it_did_not_match() -> None:
    said = why(tool="pay", args={"amount": 500}, requester="eve@example.com")
    assert [(each.rule, each.matched, each.why) for each in said.tried] == [
        ("reads", False, "its tool read_* does not match pay"),
        ("prod", False, "the run's label env is not there, not prod"),
        ("nightly", False, "its agent nightly-* does not match agent"),
        ("small", False, "its condition does not hold: args.amount <= 100"),
        ("pays", True, "all of it matches"),
    ]
    assert (said.do, said.rule, said.steps) == ("ask", "pays", ("rule pays: ask",))


def test_every_term_says_who_said_it() -> None:
    said = why(tool="pay", args={"amount": 500}, timeout_s=60, reversible=True, on_timeout="approve")
    terms = {each.name: (each.value, each.source) for each in said.terms}
    assert terms["timeout_s"] == (60, "ask")
    assert terms["on_timeout"] == ("deny", "rule pays")
    assert terms["approvers"] == (["ana@example.com", "bob@example.com"], "rule pays")
    assert terms["quorum"] == (2, "rule pays")
    assert terms["to"] == (["web"], "ask")
    other = {each.name: (each.value, each.source) for each in why(tool="other").terms}
    assert other["timeout_s"] == (3600, "defaults")
    assert other["approvers"] == (["ana@example.com"], "defaults")
    assert other["quorum"] == (1, "built in")


def test_what_has_parts_is_told_in_words() -> None:
    policy = parse("""
roles: {ops: [ana@x.com]}
rules:
  - name: a
    tool: x
    do: ask
    stages: [{approvers: ["role:ops"]}, {approvers: [ben@x.com, "on_call:sre"], quorum: 2}]
    escalate: [{after: 10m, to: ["slack:#ops", web], mention: [ben@x.com]}, {after: 20m, approvers: [requester]}]
    remind: [5m]
  - name: b
    tool: y
    do: ask
    grants: [{label: this one, same: [to], scope: agent, life: 30m}]
""")
    said = {each.name: each for each in explain(policy, wire.PolicyQuestion(tool="x")).terms}
    assert "quorum" not in said, "each stage has its own"
    assert term_in_words(said["stages"]) == "1 of ana@x.com; then 2 of ben@x.com and whoever is on call for sre"
    assert term_in_words(said["escalate"]) == (
        "Without an answer for 10 min, it also goes to #ops on slack and web and it calls ben@x.com by name. "
        "Without an answer for 20 min, the requester may answer too."
    )
    assert (term_in_words(said["remind"]), term_in_words(said["timeout_s"])) == ("[300]", "3600")
    (grant,) = [each for each in explain(policy, wire.PolicyQuestion(tool="y")).terms if each.name == "grants"]
    assert grant.value == [{"label": "this one", "same": ["to"], "scope": "agent", "life_s": 1800}]
    assert term_in_words(grant) == "A yes may cover “this one” for one agent, for 30 min."


def test_what_makes_it_stricter_is_told_in_order() -> None:
    said = why(tool="pay", args={"amount": 5}, confidence=0.1)
    assert said.steps == ("rule small: notify", "confidence 0.1 is below the floor 0.5: ask")
    assert said.tried[-1].why == "its condition holds: args.amount <= 100"


def test_a_condition_that_cannot_be_told_says_what_stood_in_the_way() -> None:
    said = why(tool="pay")
    assert "its condition cannot be told (there is no 'amount')" in said.tried[3].why
    assert not said.tried[3].matched


def test_silence_that_is_no_consent_says_why() -> None:
    policy = parse("rules: [{name: a, tool: x, do: ask, timeout: 10m, on_timeout: approve}]")

    def note(**question: Any) -> str:
        return explain(policy, wire.PolicyQuestion(tool="x", **question)).terms[1].note

    assert note() == "the ask is not marked reversible"
    assert note(reversible=True) == "the ask says deny"
    assert note(reversible=True, on_timeout="approve", timeout_s=5) == "the ask waits shorter than the policy says"
    assert note(reversible=True, on_timeout="approve") == ""


def test_a_refusal_says_its_reason_and_no_match_says_the_defaults() -> None:
    refused = why(tool="pay", labels={"env": "prod"})
    assert (refused.do, refused.reason, refused.terms) == ("deny", "Not here.", ())
    unmatched = why(kind="input")
    assert (unmatched.rule, unmatched.steps) == (None, ("no rule matches; defaults: ask",))
    assert unmatched.tried[0].why == "it is for tools, and this runs none"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), st.sampled_from(["send_email", "pay", None]), st.booleans(), st.sampled_from([{}, {"amount": 50}]))
def test_an_explanation_says_what_the_policy_says(
    policy: Policy, tool: str | None, reversible: bool, args: dict[str, Any]
) -> None:
    """It has no opinion of its own: the rule it ends with is the one that holds."""
    said = explain(policy, wire.PolicyQuestion(tool=tool, reversible=reversible, args=args, gate="mail"))
    matched = [each.rule for each in said.tried if each.matched]
    assert matched == ([said.rule] if said.rule else [])
    assert said.steps[-1].endswith(f": {said.do}") or "still ask" in said.steps[-1]


# --- examples ---

EXAMPLES = """
roles: {ops: [ana@example.com, bob@example.com]}
risk: {}
rules:
  - {name: a, tool: x, when: risk < 0.5, do: sample, fraction: 0}
  - {name: b, tool: y, do: ask, approvers: ["role:ops", requester], quorum: 2, timeout: 30m}
  - {name: c, tool: z, do: ask, on_timeout: approve}
examples:
"""


@pytest.mark.parametrize(
    "example, differs",
    [
        ("tool: x, reversible: true, risk: 0.1, expect: {do: sample, rule: a}", ()),
        ("tool: x, reversible: true, risk: 0.1, expect: {do: allow}", ()),
        ("tool: x, risk: 0.1, expect: {do: ask}", ()),
        ("tool: x, reversible: true, risk: 0.9, expect: {do: sample}", ("do is ask, not sample",)),
        ("tool: x, reversible: true, expect: {do: allow}", ()),
        ("tool: y, expect: {do: ask, approvers: ['role:ops', requester], quorum: 2, timeout: 30m}", ()),
        ("tool: y, requester: Eve@x.com, expect: {approvers: ['role:ops', eve@x.com]}", ()),
        (
            "tool: y, expect: {approvers: ['role:ops']}",
            ("approvers are ana@example.com, bob@example.com, requester, not",),
        ),
        ("tool: y, expect: {quorum: 1}", ("quorum is 2, not 1",)),
        ("tool: y, timeout: 10m, expect: {timeout: 30m}", ("timeout is 600 s, not 1800 s",)),
        ("tool: y, expect: {rule: a, do: deny}", ("do is ask, not deny", "the rule is b, not a")),
        ("tool: z, reversible: true, on_timeout: approve, expect: {on_timeout: approve}", ()),
        ("tool: z, expect: {on_timeout: approve}", ("on_timeout is deny, not approve",)),
        ("kind: input, expect: {do: ask, rule: default}", ()),
        ("kind: choice, tool: y, expect: {rule: b}", ()),
    ],
)
def test_an_example_tells_all_that_differs(example: str, differs: tuple[str, ...]) -> None:
    policy = parse(f"{EXAMPLES}  - {{name: e, {example}}}")
    (tested,) = run_examples(policy, lambda _: Risk(0.2))
    assert len(tested.differs) == len(differs)
    assert all(told.startswith(wanted) for told, wanted in zip(tested.differs, differs, strict=True))


# --- what changes ---

LADDER = ", escalate: [{after: 20m, approvers: [boss@example.com]}]"
BASE = """
roles: {ops: [ana@example.com, bob@example.com]}
confidence_floor: 0.5
escalate_on_failure: 3
caps: {burst: 10}
defaults: {timeout: 1h, approvers: ["role:ops"], not_requester: true}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: drops, tool: "drop_*", do: deny, reason: Never.}
  - {name: small, tool: pay, when: args.amount <= 100 && reversible, do: review}
  - {name: pays, tool: pay, do: ask, quorum: 2}
  - {name: money, gate: money, agent: "nightly-*", do: ask, step_up: number}
  - {name: shell, tool: bash, when: risk < 0.3, do: allow}
  - {name: ramped, tool: "draft_*", do: ask, ramp: {ask: 3, review: 2}}
  - {name: wire, tool: wire, do: ask, stages: [{approvers: [ana@example.com]}, {approvers: [bob@example.com]}]LADDER}
  - {name: prod, tool: deploy, labels: {env: prod}, do: ask, approvers: [ana@example.com]}
  - {name: after, tool: deploy, checkpoint: planned, do: ask, quorum: 2}
  - {name: deploys, tool: deploy, do: allow}
""".replace("LADDER", LADDER)


def changed(old: str, new: str) -> Comparison:
    assert old in BASE
    return compare(parse(BASE), parse(BASE.replace(old, new)))


LOOSER = [
    ("do: deny, reason: Never.", "do: ask", "drop_x", "was refused (rule drops), is asked (rule drops)"),
    ("amount <= 100", "amount <= 101", "pay", "was asked (rule pays), is reviewed after (rule small)"),
    ("amount <= 100 && reversible", "amount <= 100", "pay", "1 must say yes instead of 2 (rule small)"),
    ("do: ask, quorum: 2}", "do: ask, quorum: 1}", "pay", "1 must say yes instead of 2"),
    (", step_up: number", "", "at money by nightly-x", "a yes took number, and takes a press"),
    ("risk < 0.3", "risk < 0.31", "bash", "was asked (defaults), is allowed (rule shell)"),
    ("ask: 3, review: 2", "ask: 2, review: 2", "draft_x", "was asked (rule ramped), is reviewed after (rule ramped)"),
    ("approvers: [ana@example.com]}", "approvers: ['role:ops']}", "deploy", "bob@example.com may answer"),
    (", labels: {env: prod}", ", labels: {env: live}", "deploy", "was asked (rule prod), is allowed (rule deploys)"),
    (
        ", checkpoint: planned, do: ask",
        ", checkpoint: done, do: ask",
        "deploy after planned",
        "is allowed (rule deploys)",
    ),
    ("confidence_floor: 0.5\n", "", "read_x", "was asked (rule reads), is allowed (rule reads)"),
    ("confidence_floor: 0.5", "confidence_floor: 0.4", "read_x", "is allowed"),
    ("escalate_on_failure: 3", "escalate_on_failure: 4", "read_x", "is allowed"),
    (", not_requester: true", "", "any other tool", "the requester may approve now"),
    ("timeout: 1h, approvers", "timeout: 1h, reject: quorum, approvers", "pay", "one no is not enough any more"),
    ('approvers: ["role:ops"], not', "not", "any other tool", "any full member may answer"),
    ("caps: {burst: 10}", "", "caps", "burst was 10, and is none"),
    (
        "quorum: 2}\n  - {name: money",
        "stages: [{approvers: ['role:ops']}]}\n  - {name: money",
        "pay",
        "1 must say yes instead of 2",
    ),
    (
        'name: ramped, tool: "draft_*", do: ask',
        'name: ramped, tool: "draft_*", do: ask, escalate: [{after: 5m, approvers: [boss@example.com]}]',
        "draft_x",
        "boss@example.com may answer after a while",
    ),
    (LADDER, LADDER.replace("20m", "1m"), "wire", "boss@example.com may answer sooner"),
    (LADDER, LADDER.replace("boss@", "intern@"), "wire", "intern@example.com may answer after a while"),
    (
        'name: ramped, tool: "draft_*", do: ask',
        'name: ramped, tool: "draft_*", do: ask, on_timeout: approve',
        "draft_x",
        "silence meant deny, and means approve",
    ),
    (
        'name: ramped, tool: "draft_*", do: ask',
        'name: ramped, tool: "draft_*", do: ask, grants: [{label: drafts}]',
        "draft_x",
        "a yes may be given in advance: drafts",
    ),
]


def test_where_anybody_may_answer_the_ladder_lets_nobody_in() -> None:
    base = "rules: [{name: a, tool: x, do: ask}]"
    listed = base.replace("do: ask", f"do: ask, approvers: [ana@example.com]{LADDER}")
    assert not compare(parse(base), parse(listed)).is_looser
    told = [(each.way, each.says) for each in compare(parse(listed), parse(base)).differences]
    assert told == [
        ("looser", "any full member may answer (rule a)"),
        ("different", "reminders and escalation change (rule a)"),
    ]


BRAKE = "brake: {resume: [ana@example.com], words: {stop: [hold your horses], pause: [tea break]}}"


@pytest.mark.parametrize(
    "old, new, way, says",
    [
        (
            "[ana@example.com]",
            "[ana@example.com, bob@example.com]",
            "looser",
            "bob@example.com may resume or end a run",
        ),
        ("resume: [ana@example.com], ", "", "looser", "whoever may answer for a run may resume or end it"),
        ("ana@example.com", "bob@example.com", "tighter", "ana@example.com may not resume or end a run any more"),
        ("[hold your horses]", "[]", "looser", "“hold your horses” stops nothing any more"),
        ("words: {stop: [hold your horses], pause: [tea break]}", "words: {}", "looser", "“tea break” pauses nothing"),
        ("pause: [tea break]", "stop: [tea break]", "looser", "“hold your horses” stops nothing any more"),
        ("{stop: [hold your horses], pause: [tea break]}", "{pause: [hold your horses]}", "looser", "stops nothing"),
        ("words: {stop", "words: {resume: [giddy up], stop", "different", "“giddy up” resumes"),
        ("pause: [tea break]", "pause: [tea break], abort: [game over]", "different", "“game over” aborts"),
    ],
)
def test_who_resumes_and_which_words_stop_is_told(old: str, new: str, way: str, says: str) -> None:
    assert old in BRAKE
    after = BRAKE.replace(old, new)
    if new == "stop: [tea break]":
        after = BRAKE.replace("stop: [hold your horses], pause: [tea break]", new)
    found = compare(parse(BRAKE), parse(after))
    told = [(each.way, each.says) for each in found.differences if each.about == "brake"]
    assert any(is_way == way and says in what for is_way, what in told), told
    back = [each.way for each in compare(parse(after), parse(BRAKE)).differences]
    assert {"looser": "tighter", "tighter": "looser", "different": "different"}[way] in back, back


def test_a_word_that_stops_all_the_same_is_not_missed() -> None:
    """It is built in, or does more than before."""
    built_in = compare(parse("brake: {words: {stop: [halt]}}"), parse("rules: []"))
    assert not built_in.differences
    stronger = compare(parse("brake: {words: {pause: [tea break]}}"), parse("brake: {words: {stop: [tea break]}}"))
    assert not stronger.is_looser


def test_naming_who_resumes_is_looser_only_for_those_who_could_not_answer() -> None:
    listed = "rules: [{name: a, tool: x, do: ask, approvers: [ana@example.com, bob@example.com]}]"
    few = compare(parse(listed), parse(f"brake: {{resume: [ana@example.com]}}\n{listed}"))
    assert [(each.way, each.says) for each in few.differences] == [
        ("tighter", "only ana@example.com may resume or end a run")
    ]
    other = compare(parse(listed), parse(f"brake: {{resume: [eve@example.com]}}\n{listed}"))
    assert [(each.way, each.says) for each in other.differences] == [
        ("looser", "eve@example.com may resume or end a run for which others answer"),
        ("tighter", "only eve@example.com may resume or end a run"),
    ]
    assert not compare(parse("rules: []"), parse("brake: {resume: [eve@example.com]}")).is_looser, (
        "anybody could answer"
    )


@pytest.mark.parametrize("old, new, about, says", LOOSER)
def test_what_becomes_looser_is_told_and_back_again_tighter(old: str, new: str, about: str, says: str) -> None:
    found = changed(old, new)
    told = [(each.about, each.says) for each in found.differences if each.way == "looser"]
    assert found.is_looser
    assert any(about in place and says in what for place, what in told), told
    back = compare(parse(BASE.replace(old, new)), parse(BASE))
    assert any(each.way == "tighter" for each in back.differences)


STAGED = """
rules:
  - {name: big, tool: pay, when: args.amount > 100, do: ask, BIG}
  - {name: small, tool: pay, do: ask, SMALL}
"""


def more_asked(small: str, big: str) -> tuple[str, ...]:
    """What stands in the way of an edit from a small payment to a big one."""
    policy = parse(STAGED.replace("SMALL", small).replace("BIG", big))
    held, wanted = (route(policy, about(confirmation(tool="pay", args={"amount": n}))).route for n in (1, 1000))
    return stricter(held, wanted)


def test_a_quorum_that_moves_between_stages_is_stricter() -> None:
    """As many people in all, and one of the board too few."""
    stages = "stages: [{{approvers: [a@x.com, b@x.com], quorum: {}}}, {{approvers: [c@x.com, d@x.com], quorum: {}}}]"
    assert more_asked(stages.format(2, 1), stages.format(1, 2)) == ("2 must say yes in stage 2 instead of 1",)


def test_fewer_stages_of_other_people_are_stricter() -> None:
    more = more_asked(
        "stages: [{approvers: [a@x.com]}, {approvers: [i@x.com]}]", "approvers: [a@x.com, b@x.com], quorum: 2"
    )
    assert more == ("2 must say yes in stage 1 instead of 1",)


def test_people_who_swap_their_stages_are_stricter() -> None:
    one, two = "{approvers: [a@x.com]}", "{approvers: [b@x.com]}"
    more = more_asked(f"stages: [{one}, {two}]", f"stages: [{two}, {one}]")
    assert more == ("a@x.com may not answer in stage 1 any more", "b@x.com may not answer in stage 2 any more")


_stages = st.lists(
    st.builds(
        lambda people, quorum: Stage(tuple(sorted(people)), min(quorum, len(people) or quorum)),
        st.sets(st.sampled_from("abcd"), max_size=4),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(_stages, _stages, st.data())
def test_whoever_satisfies_terms_satisfies_whatever_is_not_stricter(
    held: list[Stage], wanted: list[Stage], data: st.DataObject
) -> None:
    """What an edit relies on: the votes under the terms that a handoff has are enough under those of its arguments."""
    plain = Route("v/a", 60, "deny", ())
    assume(not stricter(replace(plain, stages=tuple(held)), replace(plain, stages=tuple(wanted))))
    said = [data.draw(st.permutations(each.approvers or "abcd"))[: each.quorum] for each in held]
    for people, stage in zip(said, wanted, strict=False):
        assert len([each for each in people if not stage.approvers or each in stage.approvers]) >= stage.quorum
    assert len(said) >= len(wanted)


def test_the_same_policy_changes_nothing() -> None:
    found = compare(parse(BASE), parse(BASE + "\n# a note"))
    assert (found.differences, found.is_looser) == ((), False)


@pytest.mark.parametrize("name", ["drops", "pays", "money", "prod", "after"])
def test_a_gate_that_is_taken_out_always_shows(name: str) -> None:
    """T20: a poisoned policy, a rule less."""
    old = parse(BASE)
    new = old.model_copy(update={"rules": tuple(rule for rule in old.rules if rule.name != name)})
    assert compare(old, new).is_looser


def test_a_condition_that_nothing_tells_apart_counts_as_looser() -> None:
    base = "rules: [{name: a, tool: x, when: \"args.to.matches('^[a-c]{3}z+$')\", do: allow}]"
    found = compare(parse(base), parse(base.replace("a-c", "a-d")))
    assert found.is_looser
    assert "its condition changed" in found.differences[0].says


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("reason: Never.", "reason: Ask the database team.", "is refused with another reason (rule drops)"),
        ("timeout: 1h", "timeout: 90m", "waits 90m instead of 1h (rule pays)"),
        ("timeout: 1h", "timeout: 45s", "waits 45s instead of 1h (rule pays)"),
        ("timeout: 1h", "timeout: 1h, remind: [10m]", "reminders and escalation change (rule pays)"),
        ("timeout: 1h", "timeout: 1h, to: ['slack:C1']", "cards go elsewhere (rule pays)"),
        ("caps: {burst: 10}", "caps: {burst: 10}\nrisk: {}", "the scorer was none, and is rules"),
        ("caps: {burst: 10}", "caps: {burst: 10}\npeople: {a: {email: a@x.com}}", "who is who changed"),
        ("caps: {burst: 10}", "caps: {burst: 9}", "burst was 10, and is 9"),
    ],
)
def test_what_is_different_and_not_looser_is_told_as_that(old: str, new: str, says: str) -> None:
    found = changed(old, new)
    assert not found.is_looser
    assert any(each.says.startswith(says) for each in found.differences), found.differences


def test_silence_that_approves_sooner_is_looser() -> None:
    base = "rules: [{name: a, tool: x, do: ask, timeout: 1h, on_timeout: approve}]"
    found = compare(parse(base), parse(base.replace("1h", "10m")))
    assert ("looser", "waits 10m instead of 1h (rule a)") in [(each.way, each.says) for each in found.differences]


def test_a_comparison_that_is_not_whole_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.policy._compare._MOST", 2)
    found = changed("timeout: 1h", "timeout: 2h")
    assert (found.tried, found.complete, found.is_looser) == (2, False, True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), st.integers(0, 5), situations())
def test_whatever_gets_looser_for_an_action_is_found(policy: Policy, which: int, situation: Any) -> None:
    """Takes one rule out of any policy: if that lets through what was stopped, the comparison says so."""
    rules = tuple(rule for number, rule in enumerate(policy.rules) if number != which)
    less = policy.model_copy(update={"rules": rules})
    before, after = route(policy, situation), route(less, situation)
    if STRICTNESS[after.do] < STRICTNESS[before.do]:
        assert compare(policy, less).is_looser
