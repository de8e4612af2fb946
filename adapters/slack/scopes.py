"""What the app asks to be allowed, and what for: the one list, which the manifest and the installation share."""

from collections.abc import Mapping
from typing import Final

SCOPES: Final[Mapping[str, str]] = {
    "app_mentions:read": "hear people who mention the app",
    "channels:history": "hear a typed stop, and replies to cards, in public channels; find a card that may be there",
    "channels:read": "know the names of public channels, and who is in them",
    "chat:write": "post and change cards",
    "commands": "the command /andon and the shortcut on messages",
    "files:write": "show in a file what is too long for a card",
    "groups:history": "the same as channels:history, in private channels",
    "groups:read": "the same as channels:read, for private channels",
    "im:history": "read what people write to the app",
    "im:write": "write to one person",
    "reactions:read": "see a stop sign that somebody puts on a card",
    "usergroups:read": "know who is in a user group that the policy lets answer",
    "users:read": "know who answers: their name, and whether they are a guest, a bot or deactivated",
    "users:read.email": "know people by the e-mail address that the policy or an agent names",
}
"""Of the bot token."""

APP_SCOPE: Final = "connections:write"
"""Of the app-level token, for Socket Mode."""
