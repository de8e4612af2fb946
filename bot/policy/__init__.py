"""Which actions are asked about: a situation goes in, a route or a decision at once comes out. Pure, but for `load`."""

from bot.policy._checkpoints import CHECKPOINT, rules_at_checkpoints
from bot.policy._compare import Comparison, Difference, compare, stricter
from bot.policy._examples import Tested, question_of, run_examples
from bot.policy._explain import explain, situation_of
from bot.policy._file import Example, Policy, Scorer
from bot.policy._loading import Read, load, parse, read, text_of
from bot.policy._reach import Reach
from bot.policy._route import Needs, Routed, needs, ramp_key, route, stand_in
from bot.policy._rule import STRICTNESS, Rule
from bot.policy._schema import schema
from bot.policy._situation import Grant, Situation
from bot.policy._terms import seconds

__all__ = [
    "CHECKPOINT",
    "STRICTNESS",
    "Comparison",
    "Difference",
    "Example",
    "Grant",
    "Needs",
    "Policy",
    "Reach",
    "Read",
    "Routed",
    "Rule",
    "Scorer",
    "Situation",
    "Tested",
    "compare",
    "explain",
    "load",
    "needs",
    "parse",
    "question_of",
    "ramp_key",
    "read",
    "route",
    "rules_at_checkpoints",
    "run_examples",
    "schema",
    "seconds",
    "situation_of",
    "stand_in",
    "stricter",
    "text_of",
]
