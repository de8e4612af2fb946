"""What a card says of a decision's way to its agent, and of sending it again. Pure."""

from typing import Final

from andon import wire
from bot.cards.characters import visible
from bot.cards.sentences import moment
from bot.handoff import OPEN, Handoff

AGAIN: Final = "Try again"
"""The button that has it sent again."""

_WHY_CHARS: Final = 300


def never_asked(*, again: bool) -> str:
    """Why an agent that is only known to be away was not reached; `again`: it has an endpoint."""
    if again:
        return "No endpoint of the agent has taken the decision, and the agent has not asked for it."
    return "The agent has not asked for the decision."


def why_unreached(unreached: wire.Unreached) -> str:
    """Why, as text that a card may show."""
    told = " ".join(visible(unreached.why).split())
    return told if len(told) <= _WHY_CHARS else f"{told[: _WHY_CHARS - 1]}…"


def can_send_again(handoff: Handoff) -> bool:
    """Is there something that a press on `AGAIN` could do?"""
    return handoff.unreached is not None and handoff.unreached.again


def sent_again(handoff: Handoff, count: int) -> str:
    """What became of a press on `AGAIN`, for whoever pressed: the handoff as it stood, sent to so many endpoints."""
    if handoff.state in OPEN:
        return "Nobody has decided this yet, so there is nothing to send."
    if handoff.delivered:
        return f"The agent has had the decision since {moment(handoff.delivered.at)}. Nothing to send."
    if handoff.outcome:
        return f"The agent told at {moment(handoff.outcome.at)} what came of it. Nothing to send."
    if count:
        return f"Sent again to {count} {'endpoint' if count == 1 else 'endpoints'}."
    since = f"; it has not come back since {moment(handoff.unreached.since)}" if handoff.unreached else ""
    return f"The agent asks for its answers itself{since}. Nothing to send."
