"""Who may answer a handoff, and as whom. Pure: what a person belongs to is found out by whoever asks.

One person over several surfaces is one: whom the policy's `people:` links, else whoever has the same verified e-mail
address. Names never count: anybody can take any name.
"""

from collections.abc import Collection, Mapping, Sequence

from andon import wire
from bot.handoff import Handoff, Route, Vote
from bot.ports import Standing

Known = Mapping[str, Collection[str]]
"""The policy's people: their e-mail addresses and ids (`slack:U024`, `teams:…`) by name."""

_STRANGERS = {
    "guest": "guests of this workspace may not answer, unless the policy lists them.",
    "external": "people of other organisations may not answer, unless the policy lists them.",
    "outside": "you are not in the conversation that was asked; join it, then answer.",
}


# --- as whom -------------------------------------------------------------------------------------


def ids_of(by: wire.Actor) -> frozenset[str]:
    """All that this person is listed by: verified e-mail addresses, and the surface's ids."""
    emails = {text.casefold() for text in (by.email, by.id if by.surface in {"web", "api"} else None) if text}
    return frozenset({*emails, f"{by.surface}:{by.id}", f"{by.surface}:{by.id.rpartition('/')[2]}"})


def linked(by: wire.Actor, people: Known) -> tuple[str, frozenset[str]]:
    """The name that the policy has for this person, or empty; and all ids of theirs, on every surface."""
    own = ids_of(by)
    for name, ids in people.items():
        if any(_folded(each) in own for each in ids):
            return name, own.union(map(_folded, ids))
    return "", own


def person_key(by: wire.Actor, people: Known) -> str:
    """Who this is, whichever surface they act on: the policy's name, else the e-mail address, else the surface's id."""
    name, _ = linked(by, people)
    if name:
        return f"person:{name}"
    email = by.email or (by.id if by.surface in {"web", "api"} and "@" in by.id else "")
    return f"email:{email.casefold()}" if email else f"{by.surface}:{by.id}"


def known_as(votes: Sequence[Vote], by: wire.Actor, people: Known) -> str:
    """The key under which they voted, which stays theirs when their address changes; else `person_key`."""
    key = person_key(by, people)
    return next((vote.person for vote in votes if vote.person == key or _is_same(vote.by, by, people)), key)


def _is_same(one: wire.Actor, other: wire.Actor, people: Known) -> bool:
    """Are these one person? By an account, by a verified address, or by the policy's link."""
    if (one.surface, one.id) == (other.surface, other.id):
        return True
    return person_key(one, people) == person_key(other, people)


def _folded(entry: str) -> str:
    """E-mail addresses have no case; the ids of platforms may."""
    return entry.casefold() if "@" in entry and ":" not in entry else entry


# --- may they? -----------------------------------------------------------------------------------


def groups(route: Route, surface: str | None) -> tuple[str, ...]:
    """What the surface's directory must be asked about, by the platform's own ids.

    Slack's user groups are told from people by their first letter; elsewhere any id may be a group's.
    """
    start = f"{surface}:S" if surface == "slack" else f"{surface}:"
    return tuple(entry.removeprefix(f"{surface}:") for entry in route.approvers if entry.startswith(start))


def rotas(route: Route) -> tuple[str, ...]:
    """Whose turn must be asked for: the names after `on_call:`."""
    return tuple(entry.removeprefix("on_call:") for entry in route.approvers if entry.startswith("on_call:"))


def is_listed(route: Route, by: wire.Actor, people: Known | None = None) -> bool:
    """Does the policy name this very person, by e-mail address or by the platform's id?"""
    return is_among(route.approvers, by, people or {})


def is_among(entries: Collection[str], by: wire.Actor, people: Known) -> bool:
    """Is this person one of these, by e-mail address or id?"""
    if not by.surface:
        return False
    _, ids = linked(by, people)
    return any(_folded(entry) in ids for entry in entries)


def refusal(
    route: Route,
    by: wire.Actor,
    standing: Standing,
    belongs_to: Collection[str],
    people: Known | None = None,
) -> str | None:
    """Why this person may not answer, as a sentence for them; None when they may.

    Args:
        route: What the policy said, for one stage (`bot.tally.terms`).
        by: The person.
        standing: What they are where they act.
        belongs_to: Those of `groups` and `rotas` that they are in.
        people: The policy's people.
    """
    if is_listed(route, by, people):
        return None
    on_call = any(entry.startswith("on_call:") for entry in belongs_to)
    if standing in _STRANGERS and not on_call and not (standing == "outside" and belongs_to):
        return f"{by.name}, {_STRANGERS[standing]}"
    if route.approvers and not belongs_to:
        return f"{by.name}, policy {route.policy} lets only {route.listed} answer this."
    return None


# --- may they say yes? ---------------------------------------------------------------------------


def conflict(handoff: Handoff, by: wire.Actor, people: Known) -> str:
    """Why they may say no and not yes, where the policy wants somebody else; empty: nothing of that kind."""
    if not handoff.route.not_requester:
        return ""
    _, ids = linked(by, people)
    names = {*ids, by.id, by.id.rpartition("/")[2]}
    if handoff.requester and {handoff.requester, _folded(handoff.requester)} & names:
        return "you asked for it"
    if handoff.requester and _is_linked(handoff.requester, ids, people):
        return "you asked for it"
    if handoff.owner and (_folded(handoff.owner) in ids or _is_linked(handoff.owner, ids, people)):
        return f"you own the agent {handoff.agent}"
    if handoff.revisions and _is_same(handoff.revisions[-1].by, by, people):
        return "you changed it last"
    return ""


def _is_linked(entry: str, ids: Collection[str], people: Known) -> bool:
    """Is this one of the ids of a person whom the policy knows by several, and are `ids` theirs too?"""
    return any(
        _folded(entry) in (folded := set(map(_folded, each))) and not folded.isdisjoint(ids) for each in people.values()
    )
