"""Why an answer did not count, as a sentence for whoever gave it. Pure."""

import logging
from datetime import datetime, timedelta
from typing import Final

from bot.cards import too_late
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BadRequest,
    BotError,
    DirectoryDown,
    Gone,
    HandoffExpired,
    HandoffHeld,
    NotAnApprover,
    StaleRevision,
    StoreUnavailable,
)

log = logging.getLogger("andon.slack")

_SAME_TAP: Final = timedelta(seconds=10)
_PLAIN: Final[dict[type[BotError], str]] = {
    StaleRevision: "This card changed after you opened it, so your press changed nothing. Look again, then answer.",
    HandoffExpired: "The time was up before your press, so it changed nothing.",
    HandoffHeld: "The brake is on: nothing can be decided until somebody resumes it. Your press changed nothing.",
    Gone: "This card is older than what Andon keeps, so your press changed nothing.",
    StoreUnavailable: "Andon could not record this: its store is away. Press again in a moment; it counts once.",
}


def why_not(error: BotError, *, user: str, now: datetime) -> str:
    """The sentence; empty when there is nothing to say: a double tap of the person whose answer stands."""
    if plain := _PLAIN.get(type(error)):
        return plain
    match error:
        case AlreadyDecided(decision=decision):
            mine = decision.by.surface == "slack" and decision.by.id.rpartition("/")[2] == user
            return "" if mine and now - decision.at < _SAME_TAP else too_late(decision)
        case NotAnApprover() | AlreadyVoted() | BadRequest():
            return f"{error.detail[:1].upper()}{error.detail[1:]} Your press changed nothing."
        case DirectoryDown():
            log.warning("slack.directory_down detail=%s", error)
            return "Slack does not say now who you are, so your press was not taken. Press again in a minute."
        case _:
            log.warning("slack.press_failed error=%s detail=%s", type(error).__name__, error)
            return "Slack did not do its part just now, so nothing was recorded. Press again in a moment."
