"""What a card says in whole sentences, the same on every surface and in the API."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from andon import wire
from bot.cards.characters import visible

_SECONDS_COUNT_BELOW_MIN = 10


def silence(ask: wire.Confirmation | wire.Choice | wire.Input, expires_at: datetime, on_timeout: str) -> str:
    """What happens if nobody answers; `on_timeout` is the policy's word, which may be stricter than the ask's."""
    until = f"If nobody answers by {moment(expires_at)}, "
    match ask:
        case wire.Confirmation(timing="after") if on_timeout == "approve":
            return until + "what was done stands."
        case wire.Confirmation(timing="after"):
            return until + "what was done is to be undone."
        case wire.Confirmation() if on_timeout == "approve":
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


HEADLINES: Mapping[str, str] = {
    "approved": "Approved",
    "edited": "Approved with changes",
    "rejected": "Rejected",
    "chosen": "Chosen",
    "answered": "Answered",
    "expired": "Nobody answered",
    "withdrawn": "Taken back",
    "aborted": "Run ended",
    "undeliverable": "Never delivered",
    "executed": "Done",
    "failed": "Failed",
    "undone": "Undone",
    "undo_failed": "The undo failed",
}
"""What became of a handoff, in a word or two: its decision, then its outcome."""

_VERBS: Mapping[str, str] = {
    "approved": "approved this",
    "edited": "approved this with changes",
    "rejected": "rejected this",
    "chosen": "chose",
    "answered": "answered",
    "withdrawn": "took this back",
    "aborted": "ended the run",
}


def decided(decision: wire.Decision, ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """Who decided what, without the time: `Mira approved this`."""
    who = _who(decision)
    match decision:
        case wire.Expired():
            return "Nobody answered in time."
        case wire.Undeliverable():
            return "This never reached anybody."
        case wire.Approved(by=wire.Actor(kind="silence")):
            return "Nobody answered in time, and for this silence means yes."
        case wire.Approved(by=wire.Actor(kind="grant")):
            return f"A {who} covers this, so nobody was asked"
        case wire.Approved(by=wire.Actor(kind="policy")):
            return f"Nobody was asked: {who} lets this run"
        case wire.Chosen(choice=choice) if isinstance(ask, wire.Choice):
            label = next((each.label for each in ask.candidates if each.id == choice), choice)
            return f"{who} chose {visible(label)}"
        case wire.Rejected() if isinstance(ask, wire.Choice):
            return f"{who} took none of these"
        case wire.Rejected() if isinstance(ask, wire.Input):
            return f"{who} gave no answer"
        case wire.Rejected() if isinstance(ask, wire.Confirmation) and ask.timing == "after":
            return f"{who} wants this undone"
        case _:
            return f"{who} {_VERBS[decision.kind]}"


def too_late(decision: wire.Decision) -> str:
    """For somebody whose press came second: whose decision stands, and since when."""
    at = moment(decision.at)
    match decision:
        case wire.Expired():
            return f"The time was up at {at}, so your press changed nothing."
        case wire.Undeliverable():
            return f"This reached nobody and ended at {at}, so your press changed nothing."
        case wire.Approved(by=wire.Actor(kind="silence")):
            return f"Nobody answered until {at}, and for this silence means yes, so your press changed nothing."
        case wire.Chosen():
            return f"{_who(decision)} chose at {at}, so your press changed nothing."
        case _:
            return f"{_who(decision)} {_VERBS[decision.kind]} at {at}, so your press changed nothing."


def _who(decision: wire.Decision) -> str:
    """Who decided it: all who agreed, where it took several."""
    return several([vote.by.name for vote in decision.votes] if decision.votes else [decision.by.name])


def several(names: Iterable[str]) -> str:
    """Names as a sentence has them: `Mira, Ana and Bob`."""
    shown = [visible(name) for name in names]
    return " and ".join([*([", ".join(shown[:-1])] if shown[1:] else []), *shown[-1:]])


def progress(status: str) -> str:
    """What an outcome means."""
    match status:
        case "executed":
            return "The agent did it."
        case "failed":
            return "The agent tried and could not do it."
        case "undone":
            return "The agent undid it."
        case _:
            return "The undo failed: what was done still stands, and somebody must look at it."


def ended(status: str) -> str:
    """What came of it, for whoever decided it."""
    match status:
        case "executed":
            return "What you decided is done."
        case "failed":
            return "What you decided could not be done."
        case "undone":
            return "What you wanted undone is undone."
        case _:
            return "What you wanted undone could not be undone: it still stands."
