"""What was asked of the service and what it said, written down as it happened; and whether it kept its word.

A `History` is a list of what callers saw: each call with its arguments, when it began and ended, what came back, and on
which side it was made. `violations` reads it offline and names every invariant of docs/faults.md that it breaks. A call
without a result is one whose end nobody knows: it may have happened, or not, but not both. What stands in the end is
written down too (`final`, `event`, `card`), and everything that was ever said is held against it.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bot.handoff import digest_of
from bot.store import Store
from tests.people import Agent, Caller, Json, Person, Reply

GRANT_AGE: Final = timedelta(minutes=15)
"""How old a decision may be when it is claimed."""

_YES: Final = frozenset({"approved", "edited", "chosen", "answered"})
_SPOKEN: Final = {
    "approved": {"approve"},
    "edited": {"edit", "approve"},
    "rejected": {"reject"},
    "chosen": {"choose"},
    "answered": {"answer"},
}
"""Of a person's decision, the answers that can have made it."""

_HEADLINES: Final[Mapping[str, frozenset[str]]] = {
    "Approved": frozenset({"approved"}),
    "Approved with changes": frozenset({"edited"}),
    "Rejected": frozenset({"rejected"}),
    "Delivered": _YES,
    "Done": _YES,
}
"""What a card says, and the decisions of which it may say that."""


@dataclass(slots=True)
class Entry:
    """One thing that happened, as one side saw it."""

    op: str
    """`open`, `look`, `answer`, `claim`, `outcome`, `withdraw`, `brake`; `heard` from a stream or a callback, `execute`
    what the agent did, `card` what a surface shows; `final`, `final_run` and `event` what stands in the end."""
    node: str
    args: Json
    start: float
    """By the machine's monotonic clock, which all its processes share."""
    end: float | None = None
    status: int | None = None
    """None: nobody knows what came of it."""
    body: Json = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def handoff(self) -> str:
        return str(self.args.get("handoff") or (self.body.get("id") if self.op == "open" else "") or "")

    @property
    def decision(self) -> Json | None:
        """The decision that this side was told, whether its own call won or not."""
        found: Json | None = self.body.get("decision") if self.op != "card" else None
        return found


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant, and what broke it."""

    invariant: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.about}: {self.text}"


class History:
    """What happened, in the order in which it began."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = list(entries)

    def began(self, op: str, node: str, **args: Any) -> Entry:
        """Something begins; until `ended`, nobody knows what came of it."""
        entry = Entry(op, node, args, time.monotonic())
        self.entries.append(entry)
        return entry

    def ended(self, entry: Entry, status: int, body: object) -> None:
        entry.end, entry.status, entry.body = time.monotonic(), status, body if isinstance(body, dict) else {}

    def saw(self, op: str, node: str, body: Json | None = None, **args: Any) -> None:
        """Something that takes no time."""
        self.ended(self.began(op, node, **args), 200, body or {})

    def about(self, handoff: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.handoff == handoff]

    def save(self, path: Path) -> None:
        path.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in self.entries))

    @classmethod
    def load(cls, path: Path) -> "History":
        return cls(Entry(**json.loads(line)) for line in path.read_text().splitlines())

    async def conclude(self, reader: Caller, store: Store, *, runs: Iterable[str] = ()) -> None:
        """Write down what stands: every handoff that was opened, the runs, and the events of all."""
        for handoff in sorted({entry.handoff for entry in self.entries if entry.handoff}):
            reply = await reader.call("GET", f"/v1/handoffs/{handoff}")
            self.ended(self.began("final", "store", handoff=handoff), reply.status, reply.body)
        for run in runs:
            reply = await reader.call("GET", f"/v1/runs/{run}")
            self.ended(self.began("final_run", "store", run=run), reply.status, reply.body)
        for _, fields in await store._pipe.call("XRANGE", store.keys.events, "-", "+"):
            about = {fields[i].decode(): fields[i + 1].decode() for i in range(0, len(fields), 2)}
            if about["h"]:
                self.saw("event", "store", handoff=about["h"], event=about["e"], kind=about["k"])

    def check(self) -> None:
        """Fail, with the history of the first handoff that went wrong."""
        found = violations(self)
        if found:
            told = "\n".join(str(each) for each in found[:20])
            history = "\n".join(map(_line, self.about(found[0].about)))
            raise AssertionError(f"{len(found)} violations\n{told}\n\nhistory of {found[0].about}:\n{history}")


class _Watched(Caller):
    """A caller whose calls are all written down."""

    history: History
    node: str

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> Reply:
        op, args = _reading(method, path, body if isinstance(body, dict) else {})
        if not op:
            return await super().call(method, path, body, **more)
        entry = self.history.began(op, self.node, **args, key=more.get("key"))
        reply = await super().call(method, path, body, **more)
        self.history.ended(entry, reply.status, reply.body)
        return reply


class WatchedAgent(_Watched, Agent):
    """An agent whose calls are written down, and what it does and hears."""

    def __init__(self, history: History, url: str, key: str, *, node: str = "agent") -> None:
        super().__init__(url, key)
        self.history, self.node = history, node

    def execute(self, permit: Json) -> None:
        """Act on a permit."""
        self.history.saw("execute", self.node, handoff=permit["handoff"], payload=permit["payload"])

    async def listen(self, after: str | None = None) -> AsyncIterator[Json]:
        """What its stream tells it, written down."""
        async with self.events(after) as events:
            while True:
                event = await events.next(30)
                if event.data.get("handoff"):
                    self.history.saw("heard", self.node, handoff=event.data["handoff"], event=event.name)
                yield {"id": event.id, "name": event.name, **event.data}


class WatchedPerson(_Watched, Person):
    """A person whose calls are written down."""

    def __init__(self, history: History, url: str, key: str, *, email: str) -> None:
        super().__init__(url, key)
        self.history, self.node = history, email


@asynccontextmanager
async def watched(
    history: History, url: str, *, agent_key: str, person_key: str, email: str = "mira@example.com"
) -> AsyncIterator[tuple[WatchedAgent, WatchedPerson]]:
    """An agent and a person."""
    async with (
        WatchedAgent(history, url, agent_key) as agent,
        WatchedPerson(history, url, person_key, email=email) as person,
    ):
        yield agent, person


def _reading(method: str, path: str, body: Json) -> tuple[str, Json]:
    """What a call is, and what it is about."""
    match path.strip("/").split("/"):
        case ["v1", "handoffs"] if method == "POST":
            return "open", {"run": body.get("run")}
        case ["v1", "handoffs", handoff] if method == "GET":
            return "look", {"handoff": handoff}
        case ["v1", "handoffs", handoff, "answer"]:
            return "answer", {"handoff": handoff, "kind": body.get("kind"), "revision": body.get("revision")}
        case ["v1", "handoffs", handoff, "claim"]:
            return "claim", {"handoff": handoff, "digest": body.get("digest"), "claimant": body.get("claimant")}
        case ["v1", "handoffs", handoff, "outcome"]:
            return "outcome", {"handoff": handoff, "status": body.get("status")}
        case ["v1", "handoffs", handoff, "withdraw"]:
            return "withdraw", {"handoff": handoff}
        case ["v1", "runs", run, "brake"]:
            return "brake", {"run": run, "action": body.get("action")}
    return "", {}


# --- the checks ---


def violations(history: History) -> list[Violation]:
    """All that is wrong, in the order of the invariants."""
    facts = _Facts(history)
    return [found for check in CHECKS for found in check(facts)]


class _Facts:
    """A history, sorted by what it is about."""

    def __init__(self, history: History) -> None:
        self.entries = history.entries
        self.of: dict[str, list[Entry]] = defaultdict(list)
        self.final: dict[str, Entry] = {}
        self.runs: dict[str, Entry] = {}
        self.brakes: list[Entry] = []
        for entry in self.entries:
            if entry.handoff:
                self.of[entry.handoff].append(entry)
            if entry.op == "final":
                self.final[entry.handoff] = entry
            elif entry.op == "final_run":
                self.runs[entry.args["run"]] = entry
            elif entry.op == "brake":
                self.brakes.append(entry)

    def each(self, op: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.op == op)

    def stands(self, handoff: str) -> Json | None:
        """The decision that stands in the end."""
        final = self.final.get(handoff)
        return final.decision if final else None

    def run_of(self, handoff: str) -> str:
        final = self.final.get(handoff)
        return str(final.body.get("run", "")) if final else ""


def one_decision(facts: _Facts) -> Iterator[Violation]:
    """I1: at most one decision, and all who were told of one were told of that one (a callback tells a part of it)."""
    for handoff, entries in facts.of.items():
        decisions = [each.decision for each in entries if each.decision]
        shared = set.intersection(*(set(each) for each in decisions)) if decisions else set()
        told = {json.dumps({name: each[name] for name in shared}, sort_keys=True) for each in decisions}
        if len(told) > 1:
            yield Violation("I1", handoff, f"{len(told)} decisions were told: {' / '.join(sorted(told))}")


def nothing_lost(facts: _Facts) -> Iterator[Violation]:
    """I2: what anybody was told as done is there in the end."""
    for handoff, entries in facts.of.items():
        final = facts.final.get(handoff)
        if final is None:
            continue
        if not final.is_success:
            if any(each.is_success for each in entries if each is not final and each.op != "event"):
                yield Violation("I2", handoff, f"it was told of, and is gone ({final.status})")
            continue
        for each in entries:
            if each.decision and not final.decision:
                yield Violation("I2", handoff, f"{each.op} by {each.node} was told of a decision that is lost")
            elif each.op == "claim" and each.is_success and not final.body.get("claim"):
                yield Violation("I2", handoff, "a permit was given, and there is no claim")
            elif each.op == "outcome" and each.is_success and not final.body.get("outcome"):
                yield Violation("I2", handoff, "an outcome was taken, and is lost")


def stops_kept(facts: _Facts) -> Iterator[Violation]:
    """I2: a stop that was acknowledged is there in the end, unless somebody resumed."""
    for run, final in facts.runs.items():
        orders = [each for each in facts.brakes if each.args["run"] == run]
        stops = [each for each in orders if each.is_success and each.args["action"] in {"stop", "pause"}]
        last = max((each.end or 0.0 for each in stops), default=None)
        lifts = [each for each in orders if each.args["action"] in {"resume", "abort"}]
        if last is not None and not any((each.end or last) >= last for each in lifts) and not final.body.get("brake"):
            yield Violation("I2", run, "a stop was acknowledged, and the run is not held")


def all_heard(facts: _Facts) -> Iterator[Violation]:
    """I3: the agent was told of every decision on what it asked."""
    for handoff, entries in facts.of.items():
        stands = facts.stands(handoff)
        asked = {each.node for each in entries if each.op == "open"}
        if stands is None or not asked:
            continue
        told = [each for each in entries if each.node in asked and (each.decision or each.op in {"heard", "claim"})]
        if not told:
            yield Violation("I3", handoff, f"the agent never heard that it was {stands['kind']}")


def approved_bytes(facts: _Facts) -> Iterator[Violation]:
    """I4: what was done is what was approved, to the byte."""
    for each in facts.each("execute"):
        stands = facts.stands(each.handoff)
        if stands is None or digest_of(each.args["payload"]) != stands.get("digest"):
            yield Violation("I4", each.handoff, "other bytes were run than those that were approved")


def one_permit(facts: _Facts) -> Iterator[Violation]:
    """I5: one claimant has the permit, and acts once."""
    for handoff, entries in facts.of.items():
        claimants = {str(each.args["claimant"]) for each in entries if each.op == "claim" and each.is_success}
        if len(claimants) > 1:
            yield Violation("I5", handoff, f"{len(claimants)} claimants have a permit: {', '.join(sorted(claimants))}")
        acts = sum(each.op == "execute" for each in entries)
        if acts > 1:
            yield Violation("I5", handoff, f"it was done {acts} times")


def stopped_is_stopped(facts: _Facts) -> Iterator[Violation]:
    """I6: after a stop is acknowledged, no claim that begins then succeeds, and no answer, until somebody resumes."""
    for stop in facts.brakes:
        if not stop.is_success or stop.args["action"] not in {"stop", "pause", "abort"} or stop.end is None:
            continue
        if stop.body.get("did") not in {"pulled", "stands"}:
            continue
        lifts = [
            each
            for each in facts.brakes
            if each.args["run"] == stop.args["run"]
            and each.args["action"] == "resume"
            and (each.end is None or each.end > stop.start)
        ]
        for handoff, entries in facts.of.items():
            if facts.run_of(handoff) != stop.args["run"]:
                continue
            for each in entries:
                if each.op not in {"claim", "answer"} or not each.is_success or each.start < stop.end:
                    continue
                if any(lift.start < (each.end or each.start) for lift in lifts):
                    continue
                before = [one for one in entries if one.op == each.op and one.start < each.start]
                if each.op == "answer" and any(one.args.get("key") == each.args.get("key") for one in before):
                    continue  # the same answer again is told what became of the first
                yield Violation("I6", handoff, f"{each.op} by {each.node} succeeded after the stop")


def in_time(facts: _Facts) -> Iterator[Violation]:
    """I7: nobody decides when the time is up, and no old decision is acted on."""
    for handoff, final in facts.final.items():
        decision = final.decision
        if not final.is_success or decision is None:
            continue
        at = _time(decision["at"])
        if decision["by"]["kind"] == "person" and decision["kind"] in _SPOKEN and at >= _time(final.body["expires_at"]):
            yield Violation("I7", handoff, f"{decision['kind']} at {decision['at']}, after its time")
        if decision["kind"] == "expired" and at < _time(final.body["expires_at"]):
            yield Violation("I7", handoff, f"expired at {decision['at']}, before its time")
        claim = final.body.get("claim")
        is_braked = any(each.args["run"] == final.body["run"] for each in facts.brakes)  # time on hold does not count
        if claim and not is_braked and _time(claim["at"]) - at > GRANT_AGE:
            yield Violation("I7", handoff, "the decision was too old to be claimed")


def no_permit_no_act(facts: _Facts) -> Iterator[Violation]:
    """I8: what nobody knows is not approved: no act without a permit, no permit without a yes."""
    for handoff, entries in facts.of.items():
        permits = [each for each in entries if each.op == "claim" and each.is_success]
        for each in entries:
            if each.op == "execute" and not any(p.end is not None and p.end <= each.start for p in permits):
                yield Violation("I8", handoff, "it was done before there was a permit")
        stands = facts.stands(handoff)
        if permits and handoff in facts.final and (stands is None or stands["kind"] not in _YES):
            yield Violation("I8", handoff, f"a permit for what is {stands['kind'] if stands else 'not decided'}")


def from_a_person(facts: _Facts) -> Iterator[Violation]:
    """I9 and I10: a person's decision comes from an answer of theirs, of that kind, to that revision."""
    for handoff, entries in facts.of.items():
        stands = facts.stands(handoff)
        if stands is None or stands["by"]["kind"] != "person" or stands["kind"] not in _SPOKEN:
            continue
        theirs = [
            each
            for each in entries
            if each.op == "answer" and each.node == stands["by"]["id"] and each.args["kind"] in _SPOKEN[stands["kind"]]
        ]
        if not theirs:
            yield Violation("I9", handoff, f"{stands['by']['id']} never said what is {stands['kind']}")
        elif not any(_revision(each) == stands["revision"] for each in theirs):
            yield Violation("I10", handoff, f"revision {stands['revision']} was decided, and nobody answered that one")


def one_event_each(facts: _Facts) -> Iterator[Violation]:
    """I11: each change has exactly one event, in the step that made it."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in facts.each("event"):
        counts[each.handoff][each.args["event"]] += 1
    if not counts:
        return
    for handoff, final in facts.final.items():
        if not final.is_success:
            continue
        body, seen = final.body, counts[handoff]
        wanted = {
            "decided": body.get("decision") is not None,
            "claimed": body.get("claim") is not None,
            "closed": body.get("outcome") is not None,
        }
        for event, is_there in wanted.items():
            if seen[event] != int(is_there):
                yield Violation("I11", handoff, f"{seen[event]} events {event!r}, where there is {int(is_there)}")


def true_cards(facts: _Facts) -> Iterator[Violation]:
    """I12: a card never shows a decision that the store does not have, and in the end shows the one that it has."""
    last: dict[tuple[str, str], Entry] = {}
    for each in facts.each("card"):
        last[each.handoff, each.args["address"]] = each
        stands = facts.stands(each.handoff)
        allowed = _HEADLINES.get(each.body["headline"])
        if allowed is not None and (stands is None or stands["kind"] not in allowed):
            yield Violation("I12", each.handoff, f"a card said {each.body['headline']!r}, and that does not stand")
    for (handoff, address), each in last.items():
        stands = facts.stands(handoff)
        if stands is not None and each.body.get("buttons"):
            yield Violation("I12", handoff, f"the card at {address} still asks, and it is {stands['kind']}")


def same_again(facts: _Facts) -> Iterator[Violation]:
    """I13: who says the same again meets the same."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    receipts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in facts.entries:
        key = each.args.get("key")
        if not key or not each.is_success:
            continue
        if each.op == "open":
            ids[each.node, key].add(each.handoff)
        elif each.op == "brake":
            receipts[each.node, key].add(str(each.body.get("did")))
    for (node, key), found in ids.items():
        if len(found) > 1:
            yield Violation("I13", min(found), f"{node}'s key {key} opened {len(found)} handoffs")
    for (node, key), found in receipts.items():
        if len(found) > 1:
            yield Violation("I13", key, f"{node}'s order was answered in {len(found)} ways: {', '.join(sorted(found))}")


def no_failures(facts: _Facts) -> Iterator[Violation]:
    """I15: the service says what is wrong; it does not fall over its own feet."""
    for each in facts.entries:
        if each.status == 500:
            yield Violation("I15", each.handoff, f"{each.op} by {each.node} was answered with 500")


CHECKS: Final = (
    *(one_decision, nothing_lost, stops_kept, all_heard, approved_bytes, one_permit, stopped_is_stopped, in_time),
    *(no_permit_no_act, from_a_person, one_event_each, true_cards, same_again, no_failures),
)
"""One for each invariant; I14 and I16 have tests of their own, and nothing in a history shows them."""


def _revision(answer: Entry) -> int:
    """The revision that an answer, if it won, has decided."""
    return int(answer.args["revision"]) + int(answer.args["kind"] == "edit")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _line(entry: Entry) -> str:
    took = f"{entry.end - entry.start:.3f}" if entry.end is not None else "?"
    said = {name: entry.body[name] for name in ("state", "did", "detail", "headline") if name in entry.body}
    kind = entry.decision["kind"] if entry.decision else ""
    return f"{entry.start:.3f} +{took} {entry.node} {entry.op} {entry.args} -> {entry.status} {said} {kind}"
