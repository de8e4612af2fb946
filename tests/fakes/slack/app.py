"""The app as Slack knows it: its credentials, what it may do and hear, where it is installed."""

from dataclasses import dataclass, field
from typing import Final

from tests.fakes.slack.model import Team, User

BOT_SCOPES: Final = [
    "chat:write",
    "commands",
    "app_mentions:read",
    "channels:history",
    "groups:history",
    "im:history",
    "users:read",
    "users:read.email",
    "usergroups:read",
    "reactions:read",
    "reactions:write",
    "im:write",
    "files:write",
    "channels:read",
    "groups:read",
]
BOT_EVENTS: Final = frozenset(
    [
        "app_mention",
        "message.channels",
        "message.groups",
        "message.im",
        "app_home_opened",
        "reaction_added",
        "subteam_members_changed",
        "user_change",
        "app_uninstalled",
        "tokens_revoked",
    ]
)
EVENT_SCOPES: Final = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "subteam_members_changed": "usergroups:read",
    "user_change": "users:read",
}
"""What an installation must have been granted to hear of something. The rest needs nothing."""


@dataclass(eq=False)
class App:
    """The app."""

    id: str = "A0ANDON"
    name: str = "andon"
    client_id: str = "1000.2000"
    client_secret: str = "a-client-secret"
    signing_secret: str = "0123456789abcdef0123456789abcdef"
    verification_token: str = "old-verification-token"
    app_token: str = "xapp-1-A0ANDON-3000-4000"
    app_token_scopes: list[str] = field(default_factory=lambda: ["connections:write"])
    scopes: list[str] = field(default_factory=lambda: list(BOT_SCOPES))
    """What an installation is granted."""
    events: set[str] = field(default_factory=lambda: set(BOT_EVENTS))
    """What it is subscribed to, as a manifest names it: `message.channels`, `app_mention`."""
    commands: set[str] = field(default_factory=lambda: {"/andon"})
    shortcuts: set[str] = field(default_factory=lambda: {"ask_agent"})
    """The callback ids of its shortcuts."""
    home_tab: bool = True
    request_url: str = ""
    """Where events, interactivity, options and commands are sent, unless it uses Socket Mode."""
    socket_mode: bool = False
    rotates: bool = False
    """Are bot tokens given for twelve hours, with a refresh token?"""
    redirect_urls: list[str] = field(default_factory=list)
    """Where the authorize page may send people back to; empty allows every address."""


@dataclass(eq=False)
class Installation:
    """The app in one workspace, or in all of an organisation."""

    team: Team
    bot: User
    bot_id: str
    scopes: list[str]
    is_org_wide: bool = False
    is_removed: bool = False

    def covers(self, team: Team) -> bool:
        """May it act in this workspace?"""
        same_org = self.is_org_wide and team.enterprise_id == self.team.enterprise_id
        return team is self.team or same_org


@dataclass(eq=False)
class Token:
    """A bot token, and whose it is."""

    value: str
    installation: Installation
    expires_at: float | None = None
    is_revoked: bool = False
