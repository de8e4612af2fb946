"""Who may answer a handoff, and as whom. Pure: what a person belongs to is found out by whoever asks.

One person over several surfaces is one: whom the policy's `people:` links, else whoever has the same verified e-mail
address. Names never count: anybody can take any name.
"""

from collections.abc import Collection, Mapping, Sequence

from andon import wire
from bot.handoff import Handoff, Route, Vote, person_named
from bot.ports import Standing

Known = Mapping[str, Collection[str]]
"""The policy's people: their e-mail addresses and ids (`slack:U024`, `teams:…`) by name."""

_STRANGERS = {
    "guest": "guests may not answer, unless the policy lists them.",
    "external": "people of other organisations may not answer, unless the policy lists them.",
    "outside": "you are not in the conversation that was asked; join it, then answer.",
}


# --- as whom -------------------------------------------------------------------------------------


def ids_of(by: wire.Actor) -> frozenset[str]:
    """All that this person is listed by: verified e-mail addresses, and the surface's ids."""
    emails = {text.casefold() for text in (by.email, by.id if by.surface in {"web", "api"} else None) if text}
    return frozenset({*emails, f"{by.surface}:{by.id}", f"{by.surface}:{by.id.rpartition('/')[2]}"})


def linked(by: wire.Actor, people: Known) -> tuple[str, frozenset[str]]:
    """The name that the policy has for this person, or empty; and all ids of theirs, on every surface.

    Who has the ids of two entries is both: a link is followed to its end.
    """
    own, name, left = ids_of(by), "", dict(people)
    while found := next((key for key, ids in left.items() if not own.isdisjoint(map(_folded, ids))), None):
        name = name or found
        own = own.union(map(_folded, left.pop(found)))
    return name, own


def identity(by: wire.Actor, people: Known) -> frozenset[str]:
    """All that tells who this is: two people whose sets meet are one.

    An id without its workspace is in it only where the policy links it: elsewhere another workspace may have it too.
    """
    name, ids = linked(by, people)
    short = f"{by.surface}:{by.id.rpartition('/')[2]}"
    if "/" in by.id and not any(short in entry for entry in people.values()):
        ids -= {short}
    return ids | {f"person:{name}"} if name else ids


def person_key(by: wire.Actor, people: Known) -> str:
    """Who this is, whichever surface they act on: the policy's name, else the e-mail address, else the surface's id."""
    name, _ = linked(by, people)
    if name:
        return f"person:{name}"
    email = by.email or (by.id if by.surface in {"web", "api"} and "@" in by.id else "")
    return f"email:{email.casefold()}" if email else f"{by.surface}:{by.id}"


def known_as(votes: Sequence[Vote], by: wire.Actor, people: Known) -> str:
    """The key under which they voted, which stays theirs when their address changes; else `person_key`."""
    key, own = person_key(by, people), identity(by, people)
    return next(
        (
            vote.person
            for vote in votes
            if vote.person == key or not own.isdisjoint({*vote.ids, *identity(vote.by, people)})
        ),
        key,
    )


def is_same(one: wire.Actor, other: wire.Actor, people: Known) -> bool:
    """Are these one person? By an account, by a verified address, or by the policy's links."""
    return not identity(one, people).isdisjoint(identity(other, people))


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


def is_listed(route: Route, by: wire.Actor, people: Known | None = None, *, standing: Standing | None = None) -> bool:
    """Does the policy name this very person, by e-mail address or by the platform's id?

    An id without its workspace is that of this house's own people: somebody of another organisation may have it too.
    """
    if standing == "external" and "/" in by.id:
        short = f"{by.surface}:{by.id.rpartition('/')[2]}"
        people = {name: tuple(each for each in ids if each != short) for name, ids in (people or {}).items()}
        return is_among([each for each in route.approvers if each != short], by, people)
    return is_among(route.approvers, by, people or {})


def is_among(entries: Collection[str], by: wire.Actor, people: Known) -> bool:
    """Is this person one of these, by e-mail address or id?"""
    if not by.surface:
        return False
    _, ids = linked(by, people)
    return any(_folded(entry) in ids for entry in entries)


def may_be_among(entries: Collection[str], by: wire.Actor, people: Known) -> bool:
    """As `is_among`, of somebody of whom perhaps only an id without its workspace is known."""
    if is_among(entries, by, people):
        return True
    anywhere = [f"{entry.partition(':')[0]}:{entry.rpartition('/')[2]}" for entry in entries if "/" in entry]
    return "/" not in by.id and is_among(anywhere, by, people)


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
    if is_listed(route, by, people, standing=standing):
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
    named = person_named(handoff.requester or "")
    if named and (named in ids or _is_linked(named, ids, people) or _may_be(named, identity(by, people))):
        return "you asked for it"
    if handoff.owner and (_folded(handoff.owner) in ids or _is_linked(handoff.owner, ids, people)):
        return f"you own the agent {handoff.agent}"
    if handoff.revisions and is_same(handoff.revisions[-1].by, by, people):
        return "you changed it last"
    return ""


def _may_be(entry: str, ids: Collection[str]) -> bool:
    """Could it be one of these ids? Not of two workspaces, nor of two organisations; else nothing tells them apart."""
    surface, house, own = _parts(entry)
    houses = [there for other, there, theirs in map(_parts, ids) if (other, theirs) == (surface, own)]
    return any(not house or not there or house[0] != there[0] or house == there for there in houses)


def _parts(entry: str) -> tuple[str, str, str]:
    """Surface, workspace or organisation if it is told, and the id there."""
    surface, _, rest = entry.partition(":")
    house, _, own = rest.rpartition("/")
    return surface, house, own


def _is_linked(entry: str, ids: Collection[str], people: Known) -> bool:
    """Is this one of the ids of a person whom the policy knows by several, and are `ids` theirs too?"""
    return any(
        _folded(entry) in (folded := set(map(_folded, each))) and not folded.isdisjoint(ids) for each in people.values()
    )
