"""The surface Microsoft Teams: cards as Adaptive Cards, answers as presses, forms and replies."""

from adapters.teams.config import TeamsConfig
from adapters.teams.surface import teams

__all__ = ["TeamsConfig", "teams"]
