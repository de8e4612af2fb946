"""The rules that are about checkpoints, and no others."""

from typing import Final

from bot.policy._file import Policy, Rule

CHECKPOINT: Final = "checkpoint"
"""The gate that such rules name, and the tool of what is asked there."""

_PASS: Final = Rule(name="no_rule", do="allow")


def rules_at_checkpoints(policy: Policy) -> Policy | None:
    """The rules that are about checkpoints, which name the gate `checkpoint` itself; None when there are none.

    What they do not match goes on: `defaults: ask` and rules for any gate are about actions, and a run that saves its
    place a hundred times must not be asked about a hundred times. Neither is it an action that could be unsure or fail.
    """
    rules = tuple(rule for rule in policy.rules if CHECKPOINT in rule.gate)
    if not rules:
        return None
    return policy.model_copy(update={"rules": (*rules, _PASS), "confidence_floor": None, "escalate_on_failure": None})
