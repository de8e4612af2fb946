"""Why a press on Slack did not count: the sentence that every surface says, and a line for operators."""

import logging
from datetime import datetime

from andon import wire
from bot import cards
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BadRequest,
    BotError,
    Conflict,
    DirectoryDown,
    Gone,
    NotAnApprover,
    StoreUnavailable,
)

log = logging.getLogger("andon.slack")

_EXPECTED = (AlreadyDecided, AlreadyVoted, BadRequest, Conflict, Gone, NotAnApprover, StoreUnavailable)


def why_not(error: BotError, *, user: str, now: datetime) -> str:
    """The sentence; empty when there is nothing to say: a double tap of the person whose answer stands."""
    if isinstance(error, DirectoryDown):
        log.warning("slack.directory_down detail=%s", error)
    elif not isinstance(error, _EXPECTED):
        log.warning("slack.press_failed error=%s detail=%s", type(error).__name__, error)

    def is_mine(by: wire.Actor) -> bool:
        return by.surface == "slack" and by.id.rpartition("/")[2] == user

    return cards.why_not(error, platform="Slack", is_mine=is_mine, now=now)
