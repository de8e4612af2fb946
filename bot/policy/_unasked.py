"""Rules that let things run with nobody looking: whether they take more than could be meant. Pure."""

from collections.abc import Iterator
from typing import Final

from bot.policy._checkpoints import CHECKPOINT
from bot.policy._conditions import Condition
from bot.policy._file import Policy
from bot.policy._finding import Finding, Path
from bot.policy._globs import breadth
from bot.policy._index import matcher
from bot.policy._rule import Rule

SILENT: Final = frozenset({"allow", "notify"})

_OWN_WORDS: Final = frozenset(
    {"confidence", "failures", "reversible", "requester", "labels", "run", "gate", "checkpoint", "kind"}
)
"""What an agent says of itself and of its run. Of an action, that tells nothing that could be relied on."""
_FACTS: Final = frozenset({"args", "risk"})
"""What is true of the action itself."""


def too_much(policy: Policy, path: Path, rule: Rule) -> Iterator[Finding]:
    """Any tool, and what the agent's confidence alone lets run."""
    if rule.do not in SILENT or rule.gate == (CHECKPOINT,):  # no action is asked at that gate
        return
    looks = rule.condition.variables if rule.condition else frozenset[str]()
    reach = breadth(rule.tool) if looks <= _OWN_WORDS else ""
    own = looks | {
        name
        for name, is_named in (
            ("labels", bool(rule.labels)),
            ("checkpoint", rule.checkpoint is not None),
            ("gate", matcher(rule.gate) is not None),
        )
        if is_named
    }
    if reach:
        whose = " of these agents" if matcher(rule.agent) else ""
        by = f" by no more than the agent's own word ({', '.join(f'`{each}`' for each in sorted(own))})" if own else ""
        why = f"`do: {rule.do}` for {reach}{whose}{by}, also for tools that nobody has thought of; name the tools"
        yield Finding(fault=False, path=(*path, "do"), says=why)
    by_floor = bool(reach) and not own and policy.confidence_floor is not None
    if by_floor or (rule.condition and not reach and _is_by_confidence(rule.condition)):
        why = (
            "the agent's own confidence alone lets this run, and it is only the agent's word; "
            "look at `reversible`, `risk` or `args` as well, so that what cannot be undone is asked"
        )
        yield Finding(fault=False, path=(*path, "do" if by_floor else "when"), says=why)


def _is_by_confidence(condition: Condition) -> bool:
    """Could an agent that is sure run what cannot be undone, whatever it is?"""
    looks = condition.variables
    if "confidence" not in looks:
        return False
    if looks & _FACTS:
        return condition.outcomes(confidence=1.0, reversible=False, failures=0) == {True}
    return True in condition.outcomes(reversible=False)
