"""The rules that are about checkpoints, and no others."""

from typing import Final

from andon import wire
from bot.policy._file import Policy
from bot.policy._rule import Rule

CHECKPOINT: Final = "checkpoint"
"""The gate that such rules name, and the tool of what is asked there."""

_PASS: Final = Rule(name="no_rule", do="allow")


def asked_of(policy: Policy, question: wire.PolicyQuestion) -> tuple[Policy, wire.PolicyQuestion]:
    """The rules that a question is for, and the question as it is put to them.

    A confirmation at the gate `checkpoint` that names no other tool is what the service asks at a checkpoint.
    """
    if question.gate != CHECKPOINT or question.kind != "confirmation" or question.tool not in {None, CHECKPOINT}:
        return policy, question
    rules = rules_at_checkpoints(policy) or policy.model_copy(update={"rules": (_PASS,)})
    return rules, question.model_copy(update={"tool": CHECKPOINT, "args": {"name": question.checkpoint}})


def rules_at_checkpoints(policy: Policy) -> Policy | None:
    """The rules that are about checkpoints, which name the gate `checkpoint` itself; None when there are none.

    What they do not match goes on: `defaults: ask` and rules for any gate are about actions, and a run that saves its
    place a hundred times must not be asked about a hundred times. Neither is it an action that could be unsure or fail.
    """
    rules = tuple(rule for rule in policy.rules if CHECKPOINT in rule.gate)
    if not rules:
        return None
    return policy.model_copy(update={"rules": (*rules, _PASS), "confidence_floor": None, "escalate_on_failure": None})
