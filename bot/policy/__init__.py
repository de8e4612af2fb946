"""Which actions are asked about: an ask goes in, a route or an immediate decision comes out. Pure, but for `load`."""

from bot.policy._file import Policy, Rule, load, parse
from bot.policy._route import Routed, route

__all__ = ["Policy", "Routed", "Rule", "load", "parse", "route"]
