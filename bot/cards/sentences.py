"""What a card says in whole sentences, the same on every surface and in the API."""

from datetime import UTC, datetime

from andon import wire

_SECONDS_COUNT_BELOW_MIN = 10


def silence(ask: wire.Confirmation | wire.Choice | wire.Input, expires_at: datetime) -> str:
    """What happens if nobody answers."""
    until = f"If nobody answers by {moment(expires_at)}, "
    match ask:
        case wire.Confirmation(timing="after", on_timeout="approve"):
            return until + "what was done stands."
        case wire.Confirmation(timing="after"):
            return until + "what was done stays as it is, and the agent is told that nobody looked."
        case wire.Confirmation(on_timeout="approve"):
            return until + "it goes ahead: silence approves this."
        case wire.Confirmation():
            return until + "nothing is done."
        case wire.Choice():
            return until + "nothing is chosen and nothing is done."
        case wire.Input():
            return until + "the agent gets no answer."


def moment(at: datetime) -> str:
    """A time as a sentence has it: `22 Nov 2026, 14:02 UTC`."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def lasting(seconds: float) -> str:
    """A length of time as people say it: `2 min 5 s`, `3 h 20 min`, `2 days 4 h`."""
    whole = max(0, int(seconds))
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        parts = [f"{days} day{'s' if days != 1 else ''}", f"{h} h" if h else ""]
    elif h:
        parts = [f"{h} h", f"{m} min" if m else ""]
    elif m:
        parts = [f"{m} min", f"{s} s" if s and m < _SECONDS_COUNT_BELOW_MIN else ""]
    else:
        parts = [f"{s} s"]
    return " ".join(part for part in parts if part)
