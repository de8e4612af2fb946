"""The surface Slack: cards as messages, answers as presses, forms and replies."""

from adapters.slack.adapter import slack
from adapters.slack.config import SlackConfig

__all__ = ["SlackConfig", "slack"]
