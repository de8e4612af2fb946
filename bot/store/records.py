"""How a handoff lies in its hash, and back. Version 1 of the form; a reader of an older form would live here too."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from andon import wire
from bot.handoff import Aside, Handoff, Heard, Risk, Route, State, Vote, action_payload

_LEVEL: Final = 3
"""Of zlib: on a 1.3 kB ask the higher levels save under 2 % and cost twice the time."""


class Doc(BaseModel):
    """The part of a handoff that never changes."""

    model_config = ConfigDict(frozen=True)

    ask: wire.Ask
    payload: str
    route: Route
    run_name: str
    requester: str | None
    owner: str = ""
    """E-mail address of the person whose agent it is."""
    trace: str = ""
    """As `Handoff.trace`; what a version before this one wrote has none, and it skips what this one wrote."""
    about: wire.Action | None = None
    """Of a question what became of something: that."""


_DOC: TypeAdapter[Doc] = TypeAdapter(Doc)
_DECISION: TypeAdapter[wire.Decision] = TypeAdapter(wire.Decision)
_OUTCOME: TypeAdapter[wire.Outcome] = TypeAdapter(wire.Outcome)
_ASIDE: TypeAdapter[Aside] = TypeAdapter(Aside)
_VOTE: TypeAdapter[Vote] = TypeAdapter(Vote)
_REVISIONS: TypeAdapter[tuple[wire.Revision, ...]] = TypeAdapter(tuple[wire.Revision, ...])


def when(ms: int | bytes | str) -> datetime:
    """Unix milliseconds as a time."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def ms_of(time: datetime) -> int:
    """A time as Unix milliseconds."""
    return round(time.timestamp() * 1000)


def pack_doc(doc: Doc) -> bytes:
    """For the hash: compressed JSON."""
    came_as_json = "kind" in doc.ask.model_fields_set  # else its kind is a default, which must not be left out
    without = None if doc.trace else {"trace"}
    packed = _DOC.dump_json(doc, by_alias=True, exclude=without, exclude_unset=came_as_json)
    return zlib.compress(packed, _LEVEL)


def unpack_doc(packed: bytes) -> Doc:
    """The reverse of `pack_doc`."""
    return _DOC.validate_json(zlib.decompress(packed), context=wire.STORED)


def pack_decision(decision: wire.Decision) -> bytes:
    """JSON without the time: the store's clock gives that, and to the deciding vote, which comes last, the same."""
    exclude: dict[str, Any] = {"at": True}
    if decision.votes:
        exclude["votes"] = {len(decision.votes) - 1: {"at"}}
    return decision.model_dump_json(exclude=exclude, exclude_none=True).encode()


def pack_vote(vote: Vote) -> bytes:
    """JSON without the time."""
    own = {
        "person": vote.person,
        "by": vote.by.model_dump(mode="json", exclude_none=True),
        "revision": vote.revision,
        "stage": vote.stage,
        "kind": vote.kind,
        "digest": vote.digest,
        "reason": vote.reason,
        "ids": vote.ids,
    }
    return json.dumps(own, separators=(",", ":")).encode()


def read_votes(packed: bytes) -> tuple[Vote, ...]:
    """All votes of the revision, the oldest first."""
    lines = (line.split(b" ", 2) for line in packed.split(b"\n")[1:])
    return tuple(
        _VOTE.validate_python({**json.loads(own), "id": vote_id.decode(), "at": when(ms)}) for vote_id, ms, own in lines
    )


def hashed(text: str) -> str:
    """An id of somebody else's making, in letters that a key or a line may hold."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def pack_revisions(revisions: tuple[wire.Revision, ...]) -> bytes:
    """All revisions, in order."""
    return _REVISIONS.dump_json(revisions)


def pack_risk(risk: Risk | None, revision: int) -> str:
    """That of an edited revision, JSON; "" when none was told."""
    return "" if risk is None else json.dumps({"revision": revision, "score": risk.score, "reasons": risk.reasons})


def _rescored(route: Route, packed: bytes | None) -> tuple[Route, int]:
    """The route with the risk that was told last, and the revision that it is of."""
    if packed is None:
        return route, 1
    told = json.loads(packed)
    return replace(route, risk=Risk(told["score"], tuple(told["reasons"]))), told["revision"]


def pack_ruling(outcome: wire.Outcome) -> bytes:
    """What a person said, JSON without the time."""
    return outcome.model_dump_json(exclude={"at"}, exclude_none=True).encode()


def pack_outcome(outcome: wire.OutcomeReport) -> bytes:
    """JSON without the time."""
    return json.dumps(
        {"status": outcome.status, "result": outcome.result, "error": outcome.error},
        separators=(",", ":"),
        sort_keys=True,
    ).encode()


def read_decision(packed: bytes, decided_at: bytes) -> wire.Decision:
    """The decision, with the store's time."""
    at, own = when(decided_at), json.loads(packed)
    if own.get("votes"):
        own["votes"][-1].setdefault("at", at)
    return _DECISION.validate_python({**own, "at": at})


def read_handoff(handoff_id: str, fields: Mapping[bytes, bytes], doc: Doc | None = None) -> Handoff:
    """A handoff from its hash; `doc` when it is known already."""
    doc = doc or unpack_doc(fields[b"doc"])
    state = State(fields[b"state"].decode())
    revisions = _REVISIONS.validate_json(fields[b"revisions"]) if b"revisions" in fields else ()
    payload = doc.payload
    if revisions:
        payload = _revised(doc, revisions[-1])
    decision = read_decision(fields[b"decision"], fields[b"decided_at"]) if b"decision" in fields else None
    claim = None
    if b"claimant" in fields:
        claim = wire.Claimed(claimant=fields[b"claimant"].decode(), at=when(fields[b"claimed_at"]))
    outcome = None
    if b"outcome" in fields:
        outcome = _OUTCOME.validate_python({**json.loads(fields[b"outcome"]), "at": when(fields[b"closed_at"])})
    route, scored = _rescored(doc.route, fields.get(b"risk"))
    return Handoff(
        id=handoff_id,
        agent=fields[b"agent"].decode(),
        run=fields[b"run"].decode(),
        run_name=doc.run_name,
        requester=doc.requester,
        state=state,
        revision=int(fields[b"rev"]),
        digest=fields[b"digest"].decode(),
        ask=doc.ask,
        payload=payload,
        route=route,
        opened_at=when(fields[b"opened_at"]),
        expires_at=when(fields[b"due_at"]),
        revisions=revisions,
        decision=decision,
        claim=claim,
        outcome=outcome,
        last_edit=fields.get(b"revise_id", b"").decode(),
        votes=read_votes(fields[b"votes"]) if b"votes" in fields else (),
        owner=doc.owner,
        trace=doc.trace,
        unread=fields.get(b"unread", b"").decode(),
        rungs=int(fields.get(b"rungs", 0)),
        added=tuple(fields[b"added"].decode().split("\n")) if b"added" in fields else (),
        asides=tuple(_aside(line) for line in fields.get(b"asides", b"").split(b"\n") if line),
        crowd=fields.get(b"crowd", b"").decode(),
        gathered=b"gathered" in fields,
        shown_at=when(fields[b"shown_at"]) if b"shown_at" in fields else None,
        follows=fields.get(b"follows", b"").decode(),
        review=fields.get(b"review", b"").decode(),
        scored=scored,
        brake=read_brake(fields[b"brake"]) if b"brake" in fields else None,
        left_s=int(fields[b"left"]) / 1000 if b"left" in fields else None,
        stops=int(fields.get(b"stops", 0)),
        heard=_heard(fields[b"heard"]) if b"heard" in fields else None,
        received=_received(fields[b"received"]) if b"received" in fields else None,
        missed=_missed(fields[b"missed"]) if b"missed" in fields else None,
        unknown_since=when(fields[b"unknown_at"]) if b"unknown_at" in fields else None,
        question=fields.get(b"question", b"").decode(),
        settles=fields.get(b"settles", b"").decode(),
        about=doc.about,
        late_report=_late(fields[b"late"]) if b"late" in fields else None,
    )


def scope_text(scope: wire.BrakeScope) -> str:
    """A scope as the brakes and the runs name it."""
    if scope.run is not None:
        return f"run:{scope.run}"
    if scope.conversation is not None:
        return f"at:{scope.conversation.surface}:{scope.conversation.channel}"
    if scope.agent is not None:
        return f"agent:{scope.agent}"
    return "all" if scope.everything else "none"  # what only a newer version knows is none of ours


def scopes_of(run_id: str, agent: str, start: wire.RunStart) -> str:
    """What holds a run, one a line; a child run has those of its parent besides, its agent and all among them."""
    own = [f"run:{run_id}"]
    place = start.conversation
    if place and place.channel:
        own.append(f"at:{place.surface}:{place.channel}")
    return "\n".join(own if start.parent else [*own, f"agent:{agent}", "all"])


def read_scopes(packed: bytes, run_id: str, agent: str) -> tuple[wire.BrakeScope, ...]:
    """What `scopes_of` wrote, with that of the parent; a run of before it was written has only its own."""
    lines = packed.decode().split("\n") if packed else [f"run:{run_id}", f"agent:{agent}", "all"]
    return tuple(_read_scope(line) for line in lines)


def _read_scope(text: str) -> wire.BrakeScope:
    kind, _, name = text.partition(":")
    match kind:
        case "run":
            return wire.BrakeScope(run=name)
        case "at":
            surface, _, channel = name.partition(":")
            return wire.BrakeScope(conversation=wire.Place(surface=surface, channel=channel))
        case "agent":
            return wire.BrakeScope(agent=name)
    return wire.BrakeScope(everything=True)


def read_brake(record: bytes) -> wire.Braked:
    """A brake as `_brake.lua` keeps it."""
    said, on, epoch, action, own = record.split(b" ", 4)
    return wire.Braked.model_validate(
        {**json.loads(own), "action": action.decode(), "at": when(on), "said_at": when(said), "epoch": int(epoch)},
        context=wire.STORED,
    )


def _heard(packed: bytes) -> Heard:
    at, _, own = packed.partition(b" ")
    steer = json.loads(own)
    return Heard(at=when(at), by=wire.Actor.model_validate(steer["by"]), text=steer.get("text", ""))


def _received(packed: bytes) -> wire.Delivered:
    at, _, how = packed.decode().partition(" ")
    return wire.Delivered.model_validate({"at": when(at), "how": how})


def _missed(packed: bytes) -> wire.Unreached:
    since, again, why = packed.decode().split(" ", 2)
    return wire.Unreached(since=when(since), why=why, again=again == "again")


def _late(packed: bytes) -> wire.Outcome:
    at, _, own = packed.partition(b" ")
    return _OUTCOME.validate_python({**json.loads(own), "at": when(at)})


def _aside(line: bytes) -> Aside:
    at, _, told = line.partition(b" ")
    return _ASIDE.validate_python({**json.loads(told), "at": when(at)})


def _revised(doc: Doc, revision: wire.Revision) -> str:
    ask = doc.ask
    tool = ask.action.tool if isinstance(ask, wire.Confirmation) and ask.action else ask.gate
    return action_payload(tool, revision.args)


def reply(raw: Any) -> list[Any]:
    """A script's reply, its first word as text."""
    return [raw[0].decode(), *raw[1:]]


def flat(raw: Any) -> list[bytes]:
    """A reply as one flat list, whichever shape the client gives a map or scored members."""
    if isinstance(raw, Mapping):
        return [part for pair in raw.items() for part in pair]
    out: list[bytes] = []
    for part in raw:
        out.extend(part) if isinstance(part, (list, tuple)) else out.append(part)
    return out
