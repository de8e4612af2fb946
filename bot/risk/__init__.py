"""How risky an action is, 0 to 1, and why: our own rules on real parsers, or a scorer that the policy names."""

from bot.risk._question import RiskQuestion, Scorer, highest
from bot.risk._rules import Rules, judge
from bot.risk._scoring import Scoring, faults

__all__ = ["RiskQuestion", "Rules", "Scorer", "Scoring", "faults", "highest", "judge"]
