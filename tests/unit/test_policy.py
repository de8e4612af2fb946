"""The policy: what it says of an ask, and what it refuses to say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from andon import wire
from bot.errors import ConfigError
from bot.handoff import Reason
from bot.policy import Policy, Routed, Situation, load, parse, route

RUN = f"run_{'r' * 22}"
WEB = (wire.Place(surface="web"),)


def confirmation(**changes: Any) -> wire.Confirmation:
    action = wire.Action(tool=changes.pop("tool", "send_email"), args={})
    return wire.Confirmation(
        **{"gate": "mail", "run": RUN, "what": "w", "why": "y", "risks": ("r",), "action": action, **changes}
    )


def question() -> wire.Input:
    return wire.Input(gate="budget", run=RUN, question="q")


def say(policy: str, ask: wire.Confirmation | wire.Choice | wire.Input, agent: str = "mailer") -> Routed:
    return route(parse(policy), about(ask, agent))


def about(ask: wire.Confirmation | wire.Choice | wire.Input, agent: str = "mailer") -> Situation:
    return Situation(ask=ask, handoff=f"hf_{'h' * 22}", agent=agent, to=WEB)


def test_with_no_policy_everything_is_asked() -> None:
    said = route(Policy(), about(confirmation()))
    assert (said.do, said.route.policy, said.route.timeout_s, said.route.on_timeout) == ("ask", "none", 3600, "deny")
    assert said.route.to == WEB
    assert load(None) == Policy()


RULES = """
defaults: {do: deny, timeout: 30m}
rules:
  - {name: reading, tool: "read_*", do: allow}
  - {name: trusted, agent: "nightly-*", gate: "mail", do: ask, timeout: 2h, on_timeout: approve}
  - {name: dropping, tool: "drop_*", do: deny, reason: "Ask the database team."}
  - {name: mail, gate: mail, do: ask}
"""


@pytest.mark.parametrize(
    "ask, agent, do, rule, timeout_s",
    [
        (confirmation(tool="read_file"), "mailer", "allow", "reading", 1800),
        (confirmation(tool="read_file"), "nightly-1", "allow", "reading", 1800),
        (confirmation(), "nightly-1", "ask", "trusted", 7200),
        (confirmation(tool="drop_table"), "mailer", "deny", "dropping", 1800),
        (confirmation(), "mailer", "ask", "mail", 1800),
        (confirmation(gate="other"), "mailer", "deny", "default", 1800),
        (confirmation(tool="READ_file", gate="x"), "mailer", "deny", "default", 1800),
        (question(), "mailer", "deny", "default", 1800),
    ],
)
def test_the_first_rule_that_matches_wins(
    ask: wire.Confirmation | wire.Input, agent: str, do: str, rule: str, timeout_s: int
) -> None:
    said = say(RULES, ask, agent)
    assert (said.do, said.route.timeout_s) == (do, timeout_s)
    assert said.route.policy == f"{parse(RULES).version}/{rule}"


def test_a_refusal_carries_the_rule_s_reason() -> None:
    assert say(RULES, confirmation(tool="drop_table")).reason == "Ask the database team."


def test_what_runs_nothing_is_matched_by_its_gate_and_never_as_a_tool() -> None:
    shown = wire.Confirmation(gate="read_log", run=RUN, timing="after", reversible=True, what="w", why="y")
    assert say('rules: [{name: a, gate: "read_*", do: allow}]', shown).do == "allow"
    assert say('rules: [{name: a, tool: "read_*", do: allow}]', shown).do == "deny", (
        "the defaults ask before, not after"
    )
    assert say('rules: [{name: a, gate: "read_*", do: ask, after: true}]', shown).do == "ask"
    assert route(Policy(), about(shown)).do == "ask", "no policy was given"


@pytest.mark.parametrize(
    "tools, do", [(["drop_table"], "deny"), (["book", "drop_table"], "deny"), (["read_file"], "ask")]
)
def test_a_choice_is_no_way_round_a_rule(tools: list[str], do: str) -> None:
    """What is refused as a confirmation must not be had by choosing it from a list of one."""
    candidates = tuple(
        wire.Candidate(id=f"c{n}", label=f"l{n}", action=wire.Action(tool=tool)) for n, tool in enumerate(tools)
    )
    choice = wire.Choice(gate="mail", run=RUN, question="Which?", candidates=candidates)
    assert say(RULES, choice).do == do


def test_a_question_cannot_be_allowed_only_asked() -> None:
    """Nobody but a person can answer it."""
    assert say("rules: [{name: all, do: allow}]", question()).do == "ask"


@pytest.mark.parametrize("asked, expected", [(None, 600), (60, 60), (86_400, 600)])
def test_an_ask_may_be_shorter_than_the_policy_and_never_longer(asked: int | None, expected: int) -> None:
    said = say("defaults: {timeout: 10m}", confirmation(timeout_s=asked))
    assert said.route.timeout_s == expected


def test_without_a_limit_the_ask_says_how_long() -> None:
    assert say("rules: []", confirmation(timeout_s=86_400)).route.timeout_s == 86_400


@pytest.mark.parametrize("policy", ["deny", "approve", None])
@pytest.mark.parametrize("asked", ["deny", "approve"])
@pytest.mark.parametrize("reversible", [True, False])
def test_silence_approves_only_where_all_three_say_so(policy: str | None, asked: str, reversible: bool) -> None:
    if asked == "approve" and not reversible:
        return  # such an ask cannot be made; tests/unit/test_wire.py
    text = f"defaults: {{on_timeout: {policy}}}" if policy else "rules: []"
    said = say(text, confirmation(on_timeout=asked, reversible=reversible))
    assert said.route.on_timeout == ("approve" if policy == asked == "approve" and reversible else "deny")


def test_a_rule_s_silence_is_stronger_than_the_default_s() -> None:
    text = "{defaults: {on_timeout: approve}, rules: [{name: m, gate: mail, do: ask, on_timeout: deny}]}"
    assert say(text, confirmation(on_timeout="approve", reversible=True)).route.on_timeout == "deny"


_globs = st.sampled_from(["*", "mail", "send_*", "m*", "nothing"])
_silence = st.sampled_from([None, "deny", "approve"])
_timeouts = st.sampled_from([None, "45s", "2h", "7d"])
_rules = st.builds(
    lambda name, tool, gate, agent, do, timeout, silence: {
        "name": name,
        "tool": tool,
        "gate": gate,
        "agent": agent,
        "do": do,
        "timeout": timeout,
        "on_timeout": silence,
        "reason": "because",
    },
    st.uuids().map(str),
    _globs,
    _globs,
    _globs,
    st.sampled_from(["allow", "ask", "deny"]),
    _timeouts,
    _silence,
)


@given(
    rules=st.lists(_rules, max_size=5),
    do=st.sampled_from(["ask", "deny"]),
    timeout=_timeouts,
    silence=_silence,
    reversible=st.booleans(),
    asked=st.sampled_from(["deny", "approve"]),
    wait=st.none() | st.integers(1, 604_800),
)
def test_no_policy_makes_silence_a_yes_to_what_cannot_be_undone(
    *,
    rules: list[dict[str, Any]],
    do: str,
    timeout: str | None,
    silence: str | None,
    reversible: bool,
    asked: str,
    wait: int | None,
) -> None:
    """T14. `model_construct` makes even the asks that the wire refuses."""
    defaults = {"do": do, **({"timeout": timeout} if timeout else {}), "on_timeout": silence}
    cleaned = [{k: v for k, v in rule.items() if v is not None} for rule in rules]
    policy = Policy.model_validate({"defaults": defaults, "rules": cleaned, "version": "v"})
    ask = confirmation().model_copy(update={"on_timeout": asked, "reversible": reversible, "timeout_s": wait})
    said = route(policy, about(ask))
    if not reversible or asked == "deny":
        assert said.route.on_timeout == "deny"
    assert 1 <= said.route.timeout_s <= 604_800
    assert said.route.timeout_s <= (wait or 604_800)


@pytest.mark.parametrize(
    "text, says",
    [
        ("[]", "must be a mapping"),
        ("", "the file is empty"),
        ("version: 3", "take this key out"),
        ("a: [", "not YAML"),
        ("rule: []", "rule"),
        ("rules: [{name: a}]", "do"),
        ("rules: [{name: a, do: maybe}]", "do"),
        ("rules: [{name: a, do: deny}]", "needs a `reason`"),
        ("rules: [{name: 'a b', do: ask}]", "name"),
        ("rules: [{name: a, do: ask, tools: x}]", "tools"),
        ("rules: [{name: a, do: ask}, {name: a, do: ask}]", "rules.1.name: another rule is called 'a'"),
        ("defaults: {do: allow}", "do"),
        ("defaults: {timeout: 10}", "45s, 30m"),
        ("defaults: {timeout: 10x}", "45s, 30m"),
        ("defaults: {timeout: 8d}", "'8d' is longer than 7d"),
        ("defaults: {timeout: 0s}", "no time at all"),
        ("defaults: {on_timeout: maybe}", "on_timeout"),
        ("!!python/object/apply:os.system [id]", "not YAML"),
    ],
)
def test_a_policy_with_a_fault_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert says in str(caught.value)


def test_every_fault_of_a_policy_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("{defaults: {timeout: soon}, rules: [{name: a, do: maybe}, {name: b, do: deny}]}")
    assert len(caught.value.faults) == 3


def test_a_policy_s_version_is_its_own_hash() -> None:
    assert parse(RULES).version != parse(RULES + "\n").version
    assert parse(RULES).version == parse(RULES).version
    assert len(parse(RULES).version) == 12


def test_a_policy_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ANDON_POLICY"):
        load(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="ANDON_POLICY"):
        load(bad)
    bad.write_text(RULES)
    assert load(bad) == parse(RULES)


# --- who may answer, and the reasons that take one tap ---

WHO = """
defaults: {approvers: [ops@example.com], reject_reasons: [Not now]}
rules:
  - {name: drops, tool: "drop_*", do: ask, approvers: [Ana@Example.com, "slack:S0614TZR7", "slack:T1/U2"]}
  - {name: pays, tool: pay, do: ask, approvers: [ana@example.com, bob@example.com]}
  - {name: books, tool: book, do: ask, approvers: [bob@example.com]}
  - {name: plain, tool: "send_*", do: ask, reject_reasons: []}
  - {name: reasons, tool: write, do: ask, reject_reasons: [{label: Cold, text: "Write it again, warmer."}, Too long]}
"""


def test_a_rule_s_approvers_stand_before_the_default_s() -> None:
    assert say(WHO, confirmation(tool="drop_table")).route.approvers == (
        "ana@example.com",
        "slack:S0614TZR7",
        "slack:T1/U2",
    )
    assert say(WHO, confirmation(tool="send_email")).route.approvers == ("ops@example.com",)
    assert say(WHO, confirmation(tool="other")).route.approvers == ("ops@example.com",)
    assert say("rules: []", confirmation()).route.approvers == ()


def test_a_rule_s_reasons_stand_before_the_default_s_even_when_there_are_none() -> None:
    assert say(WHO, confirmation(tool="write")).route.reasons == (
        Reason("Cold", "Write it again, warmer."),
        Reason("Too long", "Too long"),
    )
    assert say(WHO, confirmation(tool="other")).route.reasons == (Reason("Not now", "Not now"),)
    assert say(WHO, confirmation(tool="send_email")).route.reasons == ()


def choice(*tools: str) -> wire.Choice:
    candidates = [wire.Candidate(id=f"c{n}", label=f"l{n}", action=wire.Action(tool=t)) for n, t in enumerate(tools)]
    return wire.Choice(gate="mail", run=RUN, question="Which?", candidates=tuple(candidates))


@pytest.mark.parametrize("tools", [("pay", "other"), ("other", "pay")])
def test_a_harmless_candidate_beside_it_lets_nobody_else_answer(tools: tuple[str, str]) -> None:
    """An agent must not widen who may pay by adding something to the list that anybody may answer."""
    policy = WHO.replace("approvers: [ops@example.com], ", "")
    assert say(policy, choice(*tools)).route.approvers == ("ana@example.com", "bob@example.com")
    assert say(policy, choice("other", "write")).route.approvers == ()


def test_candidates_of_several_rules_are_for_those_whom_all_of_them_list() -> None:
    assert say(WHO, choice("pay", "drop_table")).route.approvers == ("ana@example.com",)
    assert say(WHO, choice("pay", "book")).route.approvers == ("bob@example.com",)


def test_candidates_that_nobody_may_decide_about_together_are_refused() -> None:
    said = say(WHO, choice("drop_table", "book"))
    assert said.do == "deny"
    assert said.reason == "Nobody may decide about all of these candidates: ask about each of them by itself."


def test_a_choice_waits_no_longer_than_the_shortest_of_its_rules() -> None:
    policy = "rules: [{name: a, tool: a, do: ask, timeout: 2h}, {name: b, tool: b, do: ask, timeout: 10m}]"
    for tools in (("a", "b"), ("b", "a"), ("b", "c")):
        assert say(policy, choice(*tools)).route.timeout_s == 600


_people = st.lists(st.sampled_from(["a@x.com", "b@x.com", "c@x.com", "slack:U1"]), min_size=1, max_size=3, unique=True)


@given(
    listed=st.dictionaries(st.sampled_from("abcd"), st.none() | _people, max_size=4),
    tools=st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True),
    default=st.none() | _people,
)
def test_no_choice_is_for_more_people_than_any_one_of_its_actions(
    listed: dict[str, list[str] | None], tools: list[str], default: list[str] | None
) -> None:
    rules = [
        {"name": tool, "tool": tool, "do": "ask", **({"approvers": people} if people else {})}
        for tool, people in listed.items()
    ]
    terms = {"defaults": {"approvers": default}} if default else {}
    policy = Policy.model_validate({"rules": rules, "version": "v", **terms})
    said = route(policy, about(choice(*tools)))
    for tool in tools:
        alone = route(policy, about(confirmation(tool=tool))).route.approvers
        if said.do == "ask" and alone:
            assert set(said.route.approvers) <= set(alone)
            assert said.route.approvers, "empty would be everybody"


@pytest.mark.parametrize(
    "text, says",
    [
        ("defaults: {approvers: []}", "an empty list is nobody"),
        ("defaults: {approvers: }", "an empty list is nobody"),
        ("rules: [{name: a, do: ask, approvers: []}]", "rules.0.approvers: an empty list is nobody"),
        ("defaults: {approvers: ana@example.com}", "is not a list; write [ana@example.com]"),
        ("defaults: {approvers: [ana]}", "'ana' names nobody"),
        ("defaults: {approvers: ['@ops']}", "`slack:S0614TZR7` for a user group"),
        ("defaults: {approvers: ['slack:u024']}", "names nobody"),
        ("defaults: {approvers: ['slack:C024']}", "names nobody"),
        ("defaults: {approvers: ['ana@example.com ']}", "names nobody"),
        ('defaults: {approvers: ["ana@example.com\\n"]}', "names nobody"),
        ("defaults: {approvers: [7]}", "approvers.0: 7 is no text; put it in quotes"),
        ("defaults: {reject_reasons: ['']}", "reject_reasons.0.label: it is empty"),
        ("defaults: {reject_reasons: [' ']}", "reject_reasons.0.label: it is empty"),
        ("defaults: {reject_reasons: [{label: Later}]}", "reject_reasons.0.text: it is missing"),
        ("defaults: {reject_reasons: [a, b, c, d, e, f, g, h, i]}", "at most 8 items"),
        ("defaults: {reject_reasons: [Later, Later]}", "two buttons say 'Later'"),
        ("defaults: {reject_reasons: [" + "x" * 61 + "]}", "at most 60 characters"),
    ],
)
def test_a_fault_in_who_may_answer_or_why_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize("field", ["approvers", "reject_reasons", "policy"])
def test_an_ask_has_no_say_in_who_may_answer(field: str) -> None:
    body = {**confirmation().model_dump(mode="json", by_alias=True), field: ["mallory@example.com"]}
    with pytest.raises(ValidationError, match=field):
        wire.parse_ask(body)
