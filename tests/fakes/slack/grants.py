"""What lets the app answer a person: triggers, for modals, and response addresses. Both soon grow old."""

from dataclasses import dataclass
from typing import Final

from tests.fakes.slack.app import Installation
from tests.fakes.slack.model import Channel, Message, Team, User, View

TRIGGER_S: Final = 3.0
RESPONSE_URL_S: Final = 30 * 60
RESPONSE_URL_USES: Final = 5
TOKEN_S: Final = 12 * 60 * 60


@dataclass(eq=False)
class Trigger:
    """What lets the app open a modal, once and soon."""

    id: str
    user: User
    team: Team
    expires_at: float
    view: View | None = None
    """The modal in which it came about."""
    is_used: bool = False
    opened: View | None = None


@dataclass(eq=False)
class ResponseUrl:
    """An address at which the app may answer an interaction."""

    secret: str
    installation: Installation
    user: User
    channel: Channel
    expires_at: float
    message: Message | None = None
    uses: int = 0
