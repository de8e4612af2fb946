"""May silence speak for people? Only where they were shown the ask in time, and left it alone. Pure."""

from datetime import datetime
from typing import Final

from bot.handoff import AsideKind, Handoff

LATE: Final = 0.1
"""The part of the waiting time that may pass before the first card is posted."""

_READ_FROM_STORE: Final = "web"
"""The surface that shows what is in the store, so that nothing has to be posted there."""

_PEOPLES: Final[tuple[AsideKind, ...]] = ("questioned", "reassigned")


def objection(handoff: Handoff) -> str:
    """Why silence means nothing here, whether or not a card was posted; empty when it may mean a yes."""
    if handoff.crowd or handoff.gathered:
        return "it was one of more asks than people can read, and was not shown on a card of its own everywhere"
    if handoff.revisions or handoff.revision > 1:
        return "somebody changed the arguments, and nobody approved the changed ones"
    if handoff.votes:
        return "somebody voted on it, and the others had still to"
    if any(aside.kind == "questioned" for aside in handoff.asides):
        return "somebody asked you for more before they would answer"
    if any(aside.kind == "reassigned" for aside in handoff.asides) or handoff.added:
        return "somebody asked others to look at it, and they had still to"
    if handoff.stops:
        return "somebody stopped the run meanwhile"
    if handoff.unread:
        return f"nobody could tell who may answer ({handoff.unread})"
    return ""


def unseen(handoff: Handoff) -> str:
    """Why it cannot be said that somebody was shown it for as long as the policy waits; empty when it can."""
    if handoff.shown_at is None:
        if handoff.route.to and all(place.surface == _READ_FROM_STORE for place in handoff.route.to):
            return ""
        return "no card of it is known to have been posted"
    if handoff.shown_at > _latest(handoff):
        return "its card was posted too late for people to have had their time"
    return ""


def doubt(handoff: Handoff) -> str:
    """Why silence approves nothing; empty when it approves, if the policy says so."""
    return objection(handoff) or unseen(handoff)


def on_timeout(handoff: Handoff) -> str:
    """What silence means as it stands, `approve` or `deny`, for cards: their own posting is left out of it."""
    return "deny" if objection(handoff) else handoff.route.on_timeout


def facts(handoff: Handoff) -> tuple[str, ...]:
    """What all this was read from, as `expire` compares it: one text each, in its order, empty where there is none."""
    shown = handoff.shown_at
    asked = (sum(aside.kind == kind for aside in handoff.asides) for kind in _PEOPLES)
    return (
        str(len(handoff.votes) or ""),
        *(str(count or "") for count in asked),
        handoff.crowd,
        "1" if handoff.gathered else "",
        str(round(shown.timestamp() * 1000)) if shown else "",
        handoff.unread,
        str(handoff.stops or ""),
    )


def _latest(handoff: Handoff) -> datetime:
    return handoff.opened_at + (handoff.expires_at - handoff.opened_at) * LATE
