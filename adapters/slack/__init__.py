"""The surface Slack: cards as messages, answers as presses, forms and replies."""

from adapters.slack.config import SlackConfig
from adapters.slack.surface import slack

__all__ = ["SlackConfig", "slack"]
