"""The policy: what it says of an ask, and what it refuses to say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot.errors import ConfigError
from bot.policy import Policy, Routed, load, parse, route

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
    return route(parse(policy), ask, agent=agent, to=WEB)


def test_with_no_policy_everything_is_asked() -> None:
    said = route(Policy(), confirmation(), agent="mailer", to=WEB)
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
    shown = wire.Confirmation(gate="read_log", run=RUN, timing="after", what="w", why="y")
    assert say('rules: [{name: a, gate: "read_*", do: allow}]', shown).do == "allow"
    assert say('rules: [{name: a, tool: "read_*", do: allow}]', shown).do == "ask"


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
    said = route(policy, ask, agent="mailer", to=WEB)
    if not reversible or asked == "deny":
        assert said.route.on_timeout == "deny"
    assert 1 <= said.route.timeout_s <= 604_800
    assert said.route.timeout_s <= (wait or 604_800)


@pytest.mark.parametrize(
    "text, says",
    [
        ("[]", "must be a mapping"),
        ("", "must be a mapping"),
        ("version: 3", "no `version`"),
        ("a: [", "not YAML"),
        ("rule: []", "rule"),
        ("rules: [{name: a}]", "do"),
        ("rules: [{name: a, do: maybe}]", "do"),
        ("rules: [{name: a, do: deny}]", "needs a `reason`"),
        ("rules: [{name: 'a b', do: ask}]", "name"),
        ("rules: [{name: a, do: ask, tools: x}]", "tools"),
        ("rules: [{name: a, do: ask}, {name: a, do: ask}]", "two rules are called a"),
        ("defaults: {do: allow}", "do"),
        ("defaults: {timeout: 10}", "45s, 30m"),
        ("defaults: {timeout: 10x}", "45s, 30m"),
        ("defaults: {timeout: 8d}", "604800"),
        ("defaults: {timeout: 0s}", "greater than or equal to 1"),
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
