"""Which actions are asked about: a situation goes in, a route or a decision at once comes out. Pure, but for `load`."""

from bot.policy._file import Policy, Rule, Scorer
from bot.policy._loading import Read, load, parse, read, text_of
from bot.policy._route import Needs, Routed, needs, ramp_key, route
from bot.policy._situation import Grant, Situation

__all__ = [
    "Grant",
    "Needs",
    "Policy",
    "Read",
    "Routed",
    "Rule",
    "Scorer",
    "Situation",
    "load",
    "needs",
    "parse",
    "ramp_key",
    "read",
    "route",
    "text_of",
]
