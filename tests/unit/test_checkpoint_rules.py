"""Rules for checkpoints: which are looked at, and what explaining and the file's own examples say of them."""

import pytest

from andon import wire
from bot.policy import explain, parse, rules_at_checkpoints
from bot.policy._examples import run_examples

POLICY = """

rules:
  - {name: everything, do: ask}
  - {name: plans, gate: checkpoint, checkpoint: "plan *", do: ask, approvers: [mira@example.com]}
  - {name: launches, gate: [checkpoint, launch], checkpoint: "launch", do: deny, reason: "Not by an agent."}
examples:
  - name: a plan
    gate: checkpoint
    checkpoint: "plan A"
    expect: {do: ask, rule: plans, approvers: [mira@example.com]}
  - {name: a launch, gate: checkpoint, checkpoint: launch, expect: {do: deny, rule: launches}}
  - {name: a step, gate: checkpoint, checkpoint: "step 1", expect: {do: allow}}
  - {name: an action after a plan, tool: rm, checkpoint: "plan A", expect: {do: ask, rule: everything}}
  - {name: a tool at that gate, tool: rm, gate: checkpoint, checkpoint: "step 1", expect: {do: ask, rule: everything}}
"""


def test_the_file_s_examples_try_checkpoints_as_the_service_does() -> None:
    policy = parse(POLICY)
    assert [(each.name, each.differs) for each in run_examples(policy) if each.differs] == []


@pytest.mark.parametrize("name, do", [("plan A", "ask"), ("launch", "deny"), ("step 1", "allow")])
def test_explaining_a_checkpoint_says_what_the_service_does(name: str, do: str) -> None:
    policy = parse(POLICY)
    said = explain(policy, wire.PolicyQuestion(gate="checkpoint", checkpoint=name, agent="mailer"))
    assert said.do == do


def test_a_tool_cannot_hide_behind_the_gate() -> None:
    """Else an agent that names the gate would meet no rule for actions."""
    policy = parse(POLICY)
    said = explain(policy, wire.PolicyQuestion(tool="rm", gate="checkpoint", checkpoint="step 1", agent="mailer"))
    assert (said.do, said.rule) == ("ask", "everything")


def test_without_a_rule_that_names_the_gate_there_is_nothing_to_look_at() -> None:
    assert rules_at_checkpoints(parse("rules: [{name: all, do: ask}]")) is None
    assert rules_at_checkpoints(parse('rules: [{name: all, gate: "*", do: ask}]')) is None
