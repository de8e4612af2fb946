"""Why an answer did not count, as a sentence for whoever gave it: by a press, or by a reply below a card."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.cards.sentences import too_late
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BadRequest,
    BotError,
    Conflict,
    DirectoryDown,
    Gone,
    HandoffExpired,
    HandoffHeld,
    NotAnApprover,
    NotConfirmed,
    StaleRevision,
    StoreUnavailable,
)
from bot.ports import RowOutcome

_EXPECTED: Final = (AlreadyDecided, AlreadyVoted, BadRequest, Conflict, Gone, NotAnApprover, StoreUnavailable)
"""Everybody may run into these; what else there is, operators should know of."""
_SAME_TAP: Final = timedelta(seconds=10)
_PLAIN: Final[dict[type[BotError], str]] = {
    StaleRevision: "This card changed after you opened it, so your press changed nothing. Look again, then answer.",
    HandoffExpired: "The time was up before your press, so it changed nothing.",
    HandoffHeld: "The brake is on: nothing can be decided until somebody resumes it. Your press changed nothing.",
    Gone: "This card is older than what Andon keeps, so your press changed nothing.",
    NotConfirmed: "Andon could not confirm this with a second copy, so it may not be recorded. "
    "Press again in a moment; it counts once.",
    StoreUnavailable: "Andon could not record this: its store is away. Press again in a moment; it counts once.",
}


def why_not(error: BotError, *, surface: str, user: str, now: datetime) -> str:
    """Why a press changed nothing; what operators should know of is logged.

    Args:
        error: What the press came to.
        surface: Where it was pressed: `slack`.
        user: The platform's own id of whoever pressed.
        now: The time of the press.

    Returns:
        The sentence; empty when there is nothing to say: a double tap of the person whose answer stands.
    """
    if not isinstance(error, _EXPECTED):
        logging.getLogger(f"andon.{surface}").warning("press.failed error=%s detail=%s", type(error).__name__, error)
    if plain := _PLAIN.get(type(error)):
        return plain
    platform = surface.capitalize()
    match error:
        case AlreadyDecided(decision=decision):
            by = decision.by
            is_mine = by.surface == surface and by.id.rpartition("/")[2] == user
            return "" if is_mine and now - decision.at < _SAME_TAP else too_late(decision)
        case NotAnApprover() | AlreadyVoted() | BadRequest():
            return f"{_sentence(error.detail)} Your press changed nothing."
        case DirectoryDown():
            return f"{platform} does not say now who you are, so your press was not taken. Press again in a minute."
        case _:
            return f"{platform} did not do its part just now, so nothing was recorded. Press again in a moment."


def why_no_reply(error: BotError, *, platform: str) -> str:
    """Why a reply below a card was not recorded."""
    match error:
        case AlreadyDecided(decision=decision):
            return too_late(decision).replace("your press", "your reply")
        case HandoffExpired():
            return "The time was up before your reply, so it changed nothing."
        case HandoffHeld():
            return "The brake is on, so your reply was not recorded. Send it again when the brake is off."
        case NotAnApprover():
            return f"{_sentence(error.detail)} Your reply was not recorded."
        case Gone():
            return "This card is older than what Andon keeps, so your reply changed nothing."
        case DirectoryDown():
            return f"Your reply was not recorded: {platform} does not say now who may answer. Send it again soon."
        case _:
            return "The card changed, so your reply was not recorded. Look at it again, then reply."


def skipped(kind: str, outcomes: Sequence[RowOutcome]) -> str:
    """What of a digest's rows did not count, in one message; empty when all did. `kind` is `approve` or `reject`."""
    left = [each for each in outcomes if not each.counted]
    if not left:
        return ""
    verb = "Approved" if kind == "approve" else "Rejected"
    sentences = "\n".join(f"• …{each.row.handoff[-6:]}: {each.sentence}" for each in left)
    return f"{verb} {len(outcomes) - len(left)} of {len(outcomes)}. Skipped:\n{sentences}"


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}"
