"""Why an answer did not count, as a sentence for whoever gave it: by a press, or by a reply below a card. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from andon import wire
from bot.cards.sentences import too_late
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
from bot.ports import RowOutcome

_SAME_TAP: Final = timedelta(seconds=10)
_PLAIN: Final[dict[type[BotError], str]] = {
    StaleRevision: "This card changed after you opened it, so your press changed nothing. Look again, then answer.",
    HandoffExpired: "The time was up before your press, so it changed nothing.",
    HandoffHeld: "The brake is on: nothing can be decided until somebody resumes it. Your press changed nothing.",
    Gone: "This card is older than what Andon keeps, so your press changed nothing.",
    StoreUnavailable: "Andon could not record this: its store is away. Press again in a moment; it counts once.",
}


def why_not(error: BotError, *, platform: str, is_mine: Callable[[wire.Actor], bool], now: datetime) -> str:
    """Why a press changed nothing.

    Args:
        error: What the press came to.
        platform: What people call the surface: `Slack`.
        is_mine: Is this whoever pressed?
        now: The time of the press.

    Returns:
        The sentence; empty when there is nothing to say: a double tap of the person whose answer stands.
    """
    if plain := _PLAIN.get(type(error)):
        return plain
    match error:
        case AlreadyDecided(decision=decision):
            return "" if is_mine(decision.by) and now - decision.at < _SAME_TAP else too_late(decision)
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
