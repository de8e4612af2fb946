"""What happened around a card while it waited, in sentences; and whom a reminder calls. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from andon import wire
from bot import tally
from bot.cards.characters import visible
from bot.cards.rows import Prose, prose
from bot.cards.sentences import lasting
from bot.handoff import Aside, Handoff, State

CALLED: Final = 10
"""People and groups that one reminder calls by name, at most."""

_TEXT_CHARS: Final = 2_000
_CROWDED: Final[Mapping[str, str]] = {
    "burst": "You ask faster than people can read, so this is shown among others in a digest. It waits like any other.",
    "open": "You have more asks open than people can read, so this is shown among others in a digest. It waits like "
    "any other.",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that happened: a sentence of ours, and the words of somebody, literally."""

    id: str
    kind: str
    at: datetime
    sentence: str
    words: Prose | None
    called: tuple[str, ...]
    """Whom it calls by name, as approvers are listed."""


def asides(handoff: Handoff, *, limit: int | None = _TEXT_CHARS) -> tuple[Said, ...]:
    """Everything that happened, the oldest first."""
    return tuple(said(handoff, each, limit=limit) for each in handoff.asides)


def said(handoff: Handoff, aside: Aside, *, limit: int | None = _TEXT_CHARS) -> Said:
    """One of them."""
    who = visible(aside.by.name) if aside.by else ""
    after = lasting((aside.at - handoff.opened_at).total_seconds())
    called: tuple[str, ...] = ()
    sentence = ""
    match aside.kind:
        case "reminded":
            left = lasting((handoff.expires_at - aside.at).total_seconds())
            sentence = f"Reminder: nobody has answered for {after}. There are {left} left."
            called = _listed(handoff)
        case "escalated":
            sentence, called = _escalated(handoff, aside, after)
        case "reassigned":
            sentence, called = (
                f"{who} asked {visible(aside.to)} to answer this{' in their place' if aside.stage else ''}.",
                (aside.to,),
            )
        case "questioned":
            waits = (
                "" if _is_answered(handoff, aside) or handoff.state is not State.PENDING else " (waiting for the agent)"
            )
            sentence = f"{who} asked the agent{waits}:"
        case "replied":
            sentence = f"{visible(handoff.agent)} replied:"
    words = unspoken(handoff, aside.text) if aside.kind == "replied" else aside.text
    return Said(aside.id, aside.kind, aside.at, sentence, prose(words, limit) if words else None, called)


def unspoken(handoff: Handoff, text: str) -> str:
    """What the agent says, without the number that a yes must repeat: whoever types it has read it on the card.

    Only where it is shown to people: an agent that saw what is hidden would learn the number.
    """
    code = tally.number(handoff)
    return re.sub(rf"(?<!\d){code[0]}\W?{code[1]}(?!\d)", "••", text) if code else text


def _escalated(handoff: Handoff, aside: Aside, after: str) -> tuple[str, tuple[str, ...]]:
    rungs = handoff.route.escalate
    rung = rungs[aside.rung - 1] if 0 < aside.rung <= len(rungs) else None
    if rung is None:
        return f"Escalated after {after}.", ()
    to = " and ".join(dict.fromkeys(_place(place) for place in rung.to))
    more = " and ".join(entry for entry in rung.approvers if "@" in entry)
    by_id = sum("@" not in entry for entry in rung.approvers)
    others = f"{by_id} more by id" if by_id else ""
    who = " and ".join(filter(None, (more, others)))
    sentence = f"Escalated{f' to {to}' if to else ''} after {after}: nobody has answered."
    return visible(f"{sentence} {who} may answer now too." if who else sentence), rung.mention


def _place(place: wire.Place) -> str:
    return place.channel or place.person or f"the inbox of {place.surface}"


def _listed(handoff: Handoff) -> tuple[str, ...]:
    """Those who may answer now by name: a reminder calls them, and where anybody may, nobody."""
    return (tally.shown(handoff).approvers or handoff.added)[:CALLED]


def _is_answered(handoff: Handoff, question: Aside) -> bool:
    later = handoff.asides[handoff.asides.index(question) + 1 :]
    return any(each.kind == "replied" for each in later)


def questions(handoff: Handoff, *, hidden: bool = False) -> tuple[wire.Question, ...]:
    """What people asked the agent, each with the replies that came after it and before the next one.

    `hidden`: without a step-up's number in the replies.
    """
    found: list[wire.Question] = []
    for each in handoff.asides:
        if each.kind == "questioned" and each.by:
            found.append(wire.Question(id=each.id, by=each.by, at=each.at, text=each.text))
        elif each.kind == "replied" and found:
            reply = wire.AgentReply(at=each.at, text=unspoken(handoff, each.text) if hidden else each.text)
            found[-1] = found[-1].model_copy(update={"replies": (*found[-1].replies, reply)})
    return tuple(found)


def crowded(word: str) -> str:
    """What an agent is told that asks more than people can read."""
    return _CROWDED.get(word, _CROWDED["open"])
