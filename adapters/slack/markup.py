"""Slack's markup: escaping, times and links. Pure.

Text from agents and people goes into `rich_text` and `plain_text` alone, where it is literal: no mention pings, no
address becomes a link. Slack's markup (`mrkdwn`) is for the service's own words; what must pass through it is escaped.
"""

from datetime import UTC, datetime
from typing import Final

from bot.cards import moment

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def mrkdwn(text: str, limit: int) -> str:
    """Text escaped for Slack's markup, at most `limit` long; a cut splits no escape, and no fence opens."""
    # Source: Formatting text for app surfaces, https://docs.slack.dev/messaging/formatting-message-text, read 2026-11:
    # these three characters and no others.
    whole = "".join(_ESCAPES.get(character, character) for character in _unfenced(text))
    if len(whole) <= limit:
        return whole
    parts: list[str] = []
    left = limit - 1
    for character in _unfenced(text):
        escaped = _ESCAPES.get(character, character)
        left -= len(escaped)
        if left < 0:
            break
        parts.append(escaped)
    return "".join(parts) + "…"


def date_token(at: datetime) -> str:
    """A time in the reader's own zone, as Slack's markup has it; with our own words where that is not understood."""
    return f"<!date^{int(at.astimezone(UTC).timestamp())}^{{date_short_pretty}} {{time}}|{moment(at)}>"


def link(url: str, label: str) -> str:
    """A link of ours in Slack's markup."""
    address = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{address}|{mrkdwn(label, 200)}>"


def _unfenced(text: str) -> str:
    return text.replace("```", "` ` `")
