"""A handoff, pure: its states, its moves, its digest. No clock, no socket, no store.

`MOVES` is the one table of states; the scripts in `bot/store/lua` are the only other place that names them.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, cast

import rfc8785
from pydantic import JsonValue

from andon import wire


class State(StrEnum):
    """Where a handoff stands."""

    PENDING = "pending"
    HELD = "held"
    DECIDED = "decided"
    CLAIMED = "claimed"
    CLOSED = "closed"


MOVES: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.HELD, State.DECIDED}),
    State.HELD: frozenset({State.PENDING, State.DECIDED}),  # the brake came off; the run was aborted
    State.DECIDED: frozenset({State.CLAIMED, State.CLOSED}),
    State.CLAIMED: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}

PAYLOAD_BYTES = 65_536
"""The most that canonical JSON of an action, a choice or an answer may take."""

OPEN: frozenset[State] = frozenset({State.PENDING, State.HELD})


_NAMED: Final = 5
"""E-mail addresses that are read out before they are counted."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reject reason that takes one tap: what the button says, and what the agent reads."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an approval: who may say yes, and how many of them must. An empty list is any full member."""

    approvers: tuple[str, ...] = ()
    quorum: int = 1


@dataclass(frozen=True, slots=True)
class Rung:
    """What happens when nobody has answered for `after_s`: more places, more approvers, people called by name."""

    after_s: int
    to: tuple[wire.Place, ...] = ()
    approvers: tuple[str, ...] = ()
    mention: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A grant that the card may offer: for which arguments, for whom, how long at most."""

    label: str
    same: tuple[str, ...]
    scope: str
    life_s: int


@dataclass(frozen=True, slots=True)
class Risk:
    """How risky an action is, 0 to 1, and why."""

    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes or no that did not decide it yet. `person` is one person over all surfaces."""

    person: str
    by: wire.Actor
    at: datetime
    revision: int
    stage: int
    """Of the route, counted from 1."""
    kind: str
    """`yes` or `no`."""
    digest: str = ""
    """Of what was agreed to: the action, the candidate or the answer."""
    reason: str | None = None
    id: str = ""
    """Of the answer that gave it: the same one again is this vote."""
    ids: tuple[str, ...] = ()
    """All that told then who they are (`bot.approvers.identity`): whoever has one of these is this person."""


AsideKind = Literal["reminded", "escalated", "reassigned", "questioned", "replied"]


@dataclass(frozen=True, slots=True)
class Aside:
    """Something that happened around a handoff while it waited, and decided nothing."""

    id: str
    kind: AsideKind
    at: datetime
    by: wire.Actor | None = None
    to: str = ""
    """Of `reassigned`: who was asked, as `Handoff.added` has it."""
    text: str = ""
    """The note, the question or the agent's reply, literally."""
    rung: int = 0
    """Of `escalated`: which rung was climbed, the first is 1."""
    stage: int = 0
    """Of `escalated`: the stage that it then was. Of `reassigned`: that in which `to` has the place of `by`; 0: it only
    calls them."""
    ids: tuple[str, ...] = ()
    """Of `reassigned`: all that told then who `by` is, as `Vote.ids`."""


_GUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_REQUESTER: Final = re.compile(
    r"(?:[^<>@]*<)?(?P<email>[^@\s:/<>,;\"]+@[^@\s:/<>,;\"]+)(?P<close>>)?"
    # On Teams an id alone may be a group's; with the tenant it is a person's.
    rf"|(?P<id>slack:(?:[TE][A-Z0-9]+/)?[UW][A-Z0-9]+|teams:{_GUID}/{_GUID})"
)


def person_named(requester: str) -> str:
    """The one person whom a run's `requester` names, as approvers are listed; empty: it names none that can be told.

    It is the agent's word: it may name a person by address or id, and never a group, a role or a rota.
    """
    found = _REQUESTER.fullmatch(requester.strip())
    if not found or ("<" in requester) != bool(found["close"]):
        return ""
    return found["id"] or found["email"].casefold()


@dataclass(frozen=True, slots=True)
class Heard:
    """Words that somebody told the run of a handoff that was on hold meanwhile, once its agent had read them."""

    at: datetime
    by: wire.Actor
    text: str


@dataclass(frozen=True)  # `altered` needs it without slots
class Route:
    """What the policy said about an ask: the version and rule it came from, and the terms that hold."""

    policy: str
    timeout_s: int
    on_timeout: str
    to: tuple[wire.Place, ...]
    approvers: tuple[str, ...] = ()
    """Who may answer: e-mail addresses, `slack:T…/U…`, `slack:U…`, groups `slack:S…`; empty: any full member."""
    reasons: tuple[Reason, ...] = ()
    quorum: int = 1
    stages: tuple[Stage, ...] = ()
    """One after the other; empty: one stage, of `approvers` and `quorum`."""
    not_requester: bool = False
    reject_quorum: bool = False
    """Does it take as many to reject as to approve? Else any reject ends it."""
    remind_s: tuple[int, ...] = ()
    escalate: tuple[Rung, ...] = ()
    step_up: str = ""
    """`number` or `critical`: what a yes takes besides a press."""
    draw: str = ""
    """What the number of a `step_up` is drawn with: made with the service's secret, and told to nobody."""
    offers: tuple[Offer, ...] = ()
    risk: Risk | None = None
    because: tuple[str, ...] = ()
    """Why it is asked, beyond the rule: a low confidence, failures in the run, trust that is still growing."""
    told: bool = False
    """The policy decided alone, and the card is shown all the same."""
    review: bool = False
    """The policy let it run, and what came of it is shown for review."""
    ramp: str = ""
    """What trust grows with how this ends; empty: none."""
    reassign: str = "listed"
    """To whom it may be handed on: `listed`, whom the stage lets through anyway, or `anyone`, in one's own place."""

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages; one at least."""
        return self.stages or (Stage(self.approvers, self.quorum),)

    @property
    def listed(self) -> str:
        """Who alone may answer, for people to read: `ana@example.com and 2 people or groups by id`; empty: anybody."""
        named = [entry for entry in self.approvers if "@" in entry]
        rotas = [entry for entry in self.approvers if entry.startswith("on_call:")]
        more, by_id = len(named[_NAMED:]), len(self.approvers) - len(named) - len(rotas)
        by_id -= self.approvers.count("requester")
        parts = [
            *named[:_NAMED],
            *(f"whoever is on call for {entry.removeprefix('on_call:')}" for entry in rotas),
            *(["the requester, whom the run does not name"] if "requester" in self.approvers else []),
            *([f"{more} more by e-mail address"] if more else []),
            *(["one person or group by id" if by_id == 1 else f"{by_id} people or groups by id"] if by_id else []),
        ]
        return " and ".join([*([", ".join(parts[:-1])] if parts[1:] else []), *parts[-1:]])


@dataclass(frozen=True)  # `altered` needs it without slots
class Handoff:
    """One ask and its whole life, as the store has it."""

    id: str
    agent: str
    run: str
    run_name: str
    requester: str | None
    state: State
    revision: int
    digest: str
    ask: wire.Confirmation | wire.Choice | wire.Input
    payload: str
    """Canonical JSON of the current revision: what `digest` covers."""
    route: Route
    opened_at: datetime
    expires_at: datetime
    revisions: tuple[wire.Revision, ...] = ()
    decision: wire.Decision | None = None
    claim: wire.Claimed | None = None
    outcome: wire.Outcome | None = None
    last_edit: str = ""
    """Id of the answer that made the latest revision without deciding."""
    votes: tuple[Vote, ...] = ()
    """Of the current revision, the oldest first; who changed their mind has two, of which the last one counts."""
    rungs: int = 0
    """So many rungs of the ladder were climbed."""
    added: tuple[str, ...] = ()
    """Approvers whom somebody added by handing it on."""
    follows: str = ""
    """The handoff whose result this one shows for review."""
    owner: str = ""
    """E-mail address of the person whose agent it is."""
    unread: str = ""
    """Groups and rotas of which nobody could tell lately who is in them, so that they let nobody through."""
    review: str = ""
    """The handoff that shows this one's result for review, once there is one."""
    scored: int = 1
    """The revision that the route's risk is of."""
    asides: tuple[Aside, ...] = ()
    """Reminders, escalations, who was asked besides, questions to the agent and its replies; the oldest first."""
    crowd: str = ""
    """Why it came while there was too much to ask: `burst` or `open`; its cards are gathered in digests."""
    gathered: bool = False
    """Some place shows it in a digest, for whichever reason."""
    brake: wire.Braked | None = None
    """What holds its run: while it is open it cannot be answered, and what is decided cannot be claimed."""
    left_s: float | None = None
    """Of one that is held: the seconds that it gets back when it is resumed."""
    stops: int = 0
    """So often it was held and waited again, or was due while its run was stopped."""
    heard: Heard | None = None
    """The last words that held its run, once its agent had read them."""
    received: wire.Delivered | None = None
    """The agent was given the decision: by a read, or by an endpoint of its own."""
    missed: wire.Unreached | None = None
    """The agent did not come for the decision; `unreached` says whether that still matters."""
    trace: str = ""
    """The trace that it belongs to, as `bot.tracing` writes it; empty: none is known."""
    unknown_since: datetime | None = None
    """Since when nobody vouches for what was claimed: what became of it is not known unless there is an outcome."""
    question: str = ""
    """The handoff that asks people what became of this one."""
    settles: str = ""
    """Of such a question: the handoff that it is about."""
    about: wire.Action | None = None
    """Of such a question: what may have been done, exactly as it was approved."""
    late_report: wire.Outcome | None = None
    """What the agent reported after a person had said what became of it."""
    shown_at: datetime | None = field(default=None, compare=False)
    """Since when a card of its own is known to be at some place. No card shows it, so no card is drawn anew for it."""

    @property
    def is_for_people(self) -> bool:
        """Is it shown where it is not yet? While it waits; and what the policy decided alone and tells people of."""
        failed = self.route.review and self.outcome is not None and self.outcome.status == "failed"
        return self.state in OPEN or self.route.told or failed

    @property
    def is_in_flight(self) -> bool:
        """Was an action of it claimed and not reported yet? No stop recalls that; an answer is no action."""
        if self.state is not State.CLAIMED or self.claim is None:
            return False
        if isinstance(self.ask, wire.Choice):
            chosen = self.decision.choice if isinstance(self.decision, wire.Chosen) else ""
            return any(each.id == chosen and each.action is not None for each in self.ask.candidates)
        return isinstance(self.ask, wire.Confirmation)

    @property
    def delivered(self) -> wire.Delivered | None:
        """Since when the agent is known to have the decision; a claim tells as much."""
        if self.received or not self.claim:
            return self.received
        return wire.Delivered(at=self.claim.at, how="claim")

    @property
    def unreached(self) -> wire.Unreached | None:
        """That the agent does not come for the decision; nothing once it has it, or has acted on it."""
        return self.missed if self.state is State.DECIDED and not self.received else None

    @property
    def awaits_delivery(self) -> bool:
        """Is there a decision that the agent is not known to have? The reply to its own call carried some."""
        if self.state is not State.DECIDED or self.received or self.decision is None:
            return False
        return self.decision.by.kind not in {"agent", "policy", "grant"}

    @property
    def places(self) -> tuple[wire.Place, ...]:
        """Where its cards are: the ladder's climbed rungs included, and whoever it was handed on to."""
        more = [place for rung in self.route.escalate[: self.rungs] for place in rung.to]
        surfaces = tuple(dict.fromkeys(place.surface for place in (*self.route.to, *more)))
        people = (place for entry in self.added for place in _person_places(entry, surfaces))
        return tuple(dict.fromkeys((*self.route.to, *more, *people)))

    @property
    def action(self) -> wire.Action | None:
        """The action as it stands, with the latest edit's arguments; of a question, what may have been done."""
        if self.about:
            return self.about
        if not isinstance(self.ask, wire.Confirmation) or self.ask.action is None or not self.revisions:
            return getattr(self.ask, "action", None)
        return self.ask.action.model_copy(update={"args": self.revisions[-1].args})


def _person_places(entry: str, surfaces: tuple[str, ...]) -> Iterator[wire.Place]:
    """Where somebody gets a card of their own: on their surface; an e-mail address, on each that the handoff is on."""
    surface, colon, person = entry.partition(":")
    if "@" in entry and not colon:
        yield from (wire.Place(surface=each, person=entry) for each in surfaces if each != "web")
    elif colon:
        yield wire.Place(surface=surface, person=person)


@dataclass(frozen=True, slots=True)
class Digest:
    """Handoffs that are shown together at one place, because single cards would be too many."""

    id: str
    rows: tuple[Handoff, ...]
    waiting: int = 0
    """So many more wait for room on the next one."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a handoff; `id` orders changes and resumes a stream."""

    id: str
    event: str
    handoff: str
    agent: str
    run: str
    state: str
    revision: int
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice: something an agent told people without asking. The service's own name no run."""

    at: datetime
    agent: str
    run: str
    run_name: str
    text: str
    id: str = ""
    to: tuple[wire.Place, ...] = ()


def canonical(value: Mapping[str, object]) -> str:
    """RFC 8785 JSON of plain values.

    Where keys are ASCII and no number is a float, the standard encoder writes the same bytes, in C.

    Raises:
        ValueError: NaN, an infinity, half of a surrogate pair, or a whole number beyond ±(2⁵³-1) that would be written
            with all its digits: they have no canonical form, or one that two readers take differently.
    """
    try:
        if _plain(value):
            text = _ENCODER.encode(value)
            if not text.isascii():
                text.encode()  # raises on half of a surrogate pair
            return text
        _check_floats(value)
        return rfc8785.dumps(cast("dict[str, Any]", value)).decode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)


def _plain(value: object) -> bool:
    match value:
        case dict():
            return all(isinstance(key, str) and key.isascii() and _plain(item) for key, item in value.items())
        case list() | tuple():
            return all(_plain(item) for item in value)
        case str():
            return True
        case bool() | None:
            return True
        case int():
            return abs(value) < 2**53
    return False


def _check_floats(value: object) -> None:
    """Refuse 1e17: RFC 8785 writes it as an integer, and one reader takes that as a double, another as it stands."""
    match value:
        case dict():
            for item in value.values():
                _check_floats(item)
        case list() | tuple():
            for item in value:
                _check_floats(item)
        case float() if 2**53 <= abs(value) < 1e21:  # noqa: PLR2004  # from there on it is written with an exponent
            msg = f"the number {value} is beyond ±(2^53-1), where readers differ; send it as a string"
            raise ValueError(msg)


def digest_of(payload: str) -> str:
    """SHA-256 of canonical JSON, in lower-case hexadecimal."""
    return hashlib.sha256(payload.encode()).hexdigest()


def action_payload(tool: str, args: Mapping[str, JsonValue]) -> str:
    """Canonical JSON of an action: what an approval covers, and what a permit carries."""
    return canonical({"tool": tool, "args": dict(args)})


def tool_of(ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """The tool that it would run; "": none, or one of several."""
    return ask.action.tool if isinstance(ask, wire.Confirmation) and ask.action else ""


def ask_payload(ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """Canonical JSON of what a person is asked to decide."""
    match ask:
        case wire.Confirmation(action=wire.Action() as action):
            return action_payload(action.tool, action.args)
        case wire.Confirmation():
            return action_payload(ask.gate, {})
        case wire.Choice():
            candidates = [c.model_dump(mode="json", by_alias=True, exclude_defaults=True) for c in ask.candidates]
            return canonical({"question": ask.question, "candidates": candidates})
        case wire.Input():
            return canonical({"question": ask.question, "answer_schema": ask.answer_schema})


def choice_payload(candidate: wire.Candidate) -> str:
    """Canonical JSON of what choosing this candidate allows."""
    if candidate.action:
        return action_payload(candidate.action.tool, candidate.action.args)
    return canonical({"choice": candidate.id})


def answer_payload(answer: JsonValue) -> str:
    """Canonical JSON of a given answer."""
    return canonical({"answer": answer})


def no_handoff(handoff_id: str) -> str:
    """The sentence for one that is not there, or not the caller's: nobody learns which."""
    return f"there is no handoff {handoff_id[:80]} for you: never opened, past its retention, or another agent's"
