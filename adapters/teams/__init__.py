"""The surface Microsoft Teams: cards as Adaptive Cards, answers as presses, forms and replies."""

from adapters.teams.config import TeamsConfig

__all__ = ["TeamsConfig"]
