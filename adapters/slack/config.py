"""What the surface needs to know before it opens."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """Tokens, secrets and addresses; an empty text is a setting that is not there."""

    bot_token: str = field(repr=False)
    """Of the one workspace; empty when the workspaces come by installation."""
    signing_secret: str = field(repr=False)
    app_token: str = field(repr=False)
    """Switches to Socket Mode."""
    client_id: str
    client_secret: str = field(repr=False)
    channel: str
    """Where cards go that name no place, or whose own cannot be reached."""
    api_url: str
    """Without a slash at its end."""
    public_url: str
    teams: tuple[str, ...] = ()
    """Ids of workspaces and organisations that may install the app, or `any`; none: whichever comes first, alone."""
    templates: Path | None = None
