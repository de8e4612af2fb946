"""A desk and a sign-in book in memory, and handoffs to put on the desk: for tests of what people see."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from andon import wire
from bot.aloud import policy_in_words
from bot.answers import read_answer
from bot.approvers import conflict, refusal
from bot.brake.words import Vocabulary
from bot.cards import sent_again
from bot.cursor import make_cursor, parse_cursor
from bot.digests import answer_shown
from bot.errors import (
    AlreadyDecided,
    ConfigError,
    Fault,
    Gone,
    HandoffExpired,
    InvalidBody,
    NotAnApprover,
    StoreUnavailable,
)
from bot.handing_on import check_read
from bot.handoff import Aside, AsideKind, Change, Handoff, Heard, Route, State, Told, ask_payload, digest_of
from bot.policies import Standing as InForce
from bot.policy import Policy, explain, read
from bot.ports import BrakeOrder, Inbox, PolicyWords, Row, RowOutcome, Session, Standing, Typed, Where
from bot.replay import replayed
from bot.scope import Granted

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANA = wire.Actor(kind="person", id="ana@example.com", name="Ana", surface="web")
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
RUN = "run_" + "r" * 22

EMAIL: dict[str, Any] = {
    "kind": "confirmation",
    "gate": "send_email",
    "run": RUN,
    "what": "Send this e-mail to alice@x.com",
    "why": "She asked about the report, and the figures are final since this morning.",
    "risks": ["Mentions Q4 numbers that are not public yet", "Alice may forward it"],
    "confidence": 0.8,
    "action": {
        "tool": "send_email",
        "args": {
            "to": "alice@x.com",
            "cc": None,
            "subject": "Report",
            "body": "Dear Alice,\n\nthe report is ready: revenue grew by 12 %.\n\nBest,\nAna's assistant",
            "attachments": ["report.pdf"],
            "priority": 2,
            "track_opens": False,
        },
        "schema": {
            "type": "object",
            "properties": {
                "to": {"type": "string", "format": "email"},
                "cc": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}], "description": "Copy to"},
                "subject": {"type": "string", "minLength": 1, "maxLength": 150},
                "body": {"type": "string"},
                "attachments": {"type": "array", "items": {"type": "string"}},
                "priority": {"type": "integer", "minimum": 1, "maximum": 5},
                "track_opens": {"type": "boolean"},
            },
            "required": ["to", "subject", "body"],
            "additionalProperties": False,
        },
    },
}
FLIGHT: dict[str, Any] = {
    "kind": "choice",
    "gate": "book_flight",
    "run": RUN,
    "reversible": True,
    "question": "Which flight should I book to Lisbon?",
    "why": "The conference starts on Monday at nine.",
    "risks": ["The cheap fare cannot be changed"],
    "candidates": [
        {
            "id": "tp571",
            "label": "TP 571, Sunday 08:10",
            "details": "Direct, 3 h 05 min\n€ 214, one bag",
            "action": {"tool": "book", "args": {"flight": "TP571", "price_eur": 214}},
        },
        {"id": "lh1166", "label": "LH 1166, Sunday 14:20", "details": "Direct, 3 h 10 min\n€ 189, no bag"},
        {"id": "fr2012", "label": "FR 2012, Sunday 22:55", "details": "Arrives after midnight\n€ 64"},
    ],
}
BUDGET: dict[str, Any] = {
    "kind": "input",
    "gate": "ask_budget",
    "run": RUN,
    "question": "What is the most you want to spend?",
    "why": "Hotels near the venue cost between € 90 and € 400.",
    "answer_schema": {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "minimum": 0},
            "currency": {"enum": ["EUR", "USD"]},
            "until": {"type": "string", "format": "date"},
        },
        "required": ["amount", "currency"],
    },
}
DRAFT: dict[str, Any] = {
    "kind": "confirmation",
    "timing": "after",
    "gate": "draft_reply",
    "run": RUN,
    "reversible": True,
    "what": "Created a draft reply to Bob",
    "why": "Bob asked for the slides twice",
    "action": {"tool": "mail.draft", "args": {"to": "bob@example.com"}},
    "result": {"url": "https://mail.example.com/d/42"},
}


def handoff(ask: dict[str, Any], *, id: str = "hf_" + "a" * 22, minutes: float = 30, **given: Any) -> Handoff:
    """A pending handoff; `given` replaces its other parts."""
    parsed = wire.parse_ask(ask)
    payload = ask_payload(parsed)
    opened = given.pop("opened_at", NOON)
    made = Handoff(
        id=id,
        agent="assistant",
        run=RUN,
        run_name="weekly-report",
        requester="ana@example.com",
        state=State.PENDING,
        revision=1,
        digest=digest_of(payload),
        ask=parsed,
        payload=payload,
        route=Route("none", int(minutes * 60), parsed.on_timeout, ()),
        opened_at=opened,
        expires_at=opened + timedelta(minutes=minutes),
    )
    return replace(made, **given)


def stopped(
    action: Literal["stop", "pause", "steer"] = "stop", *, text: str = "Not this list.", name: str = "Mira"
) -> Handoff:
    """One that waits in a run which somebody stopped."""
    by = MIRA.model_copy(update={"name": name})
    brake = wire.Braked(action=action, scope=wire.BrakeScope(run=RUN), by=by, at=NOON, text=text, epoch=7)
    return handoff(EMAIL, state=State.HELD, brake=brake, left_s=1_500.0)


HEARD = Heard(at=NOON, by=MIRA, text="Wait, change the recipient to Bob.")


def a_run(**changes: Any) -> wire.Run:
    """The run that handoffs are of; `changes` are its parts."""
    fields = {
        "id": RUN,
        "agent": "assistant",
        "name": "weekly-report",
        "requester": "ana@example.com",
        "conversation": {"surface": "slack", "channel": "#ops"},
        "labels": {"team": "finance"},
        "started_at": NOON - timedelta(minutes=5),
        "checkpoint": 3,
    }
    return wire.Run.model_validate({**fields, **changes}, context=wire.STORED)


class MemoryBrakes:
    """Brakes that stand until they are lifted; nobody is held by them."""

    def __init__(self) -> None:
        self.orders: list[BrakeOrder] = []
        self.on: dict[str, wire.Braked] = {}
        self.in_flight: tuple[wire.InFlight, ...] = ()
        self.may_lift = True
        self.is_down = False
        self._done: dict[str, wire.BrakeReceipt] = {}
        self.words = Vocabulary()

    async def obey(self, order: BrakeOrder, *, standing: Standing = "member") -> wire.BrakeReceipt:
        if order.action in {"resume", "abort"} and (not self.may_lift or standing != "member"):
            raise NotAnApprover(f"{order.by.name}, it takes somebody who may approve for it to resume this.")
        if self.is_down:
            raise StoreUnavailable("not confirmed")
        if order.id not in self._done:
            self.orders.append(order)
            self._done[order.id] = self._obeyed(order)
        return self._done[order.id]

    def _obeyed(self, order: BrakeOrder) -> wire.BrakeReceipt:
        name = order.scope.model_dump_json()
        stands = self.on.get(name)
        if order.action == "resume":
            if stands and order.epoch not in {None, stands.epoch}:
                return wire.BrakeReceipt(did="old", scope=order.scope, brake=stands)
            was = self.on.pop(name, None)
            return wire.BrakeReceipt(did="lifted" if was else "off", scope=order.scope, brake=was)
        did: Literal["pulled", "stands"] = "stands" if stands else "pulled"
        brake = wire.Braked(
            action=order.action, scope=order.scope, by=order.by, at=NOON, text=order.text, epoch=len(self.orders)
        )
        self.on.setdefault(name, brake)
        return wire.BrakeReceipt(did=did, scope=order.scope, brake=self.on[name], in_flight=self.in_flight)

    async def standing(self) -> Sequence[wire.Braked]:
        return [each for each in self.on.values() if each.action != "abort"]

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        return self.words.read(text, where, agents=agents)


class MemoryDesk:
    """One handoff after another, in memory. Answers are read as the service reads them."""

    def __init__(self, *handoffs: Handoff, clock: Any = lambda: NOON) -> None:
        self.all = {each.id: each for each in handoffs}
        self.clock = clock
        self.answers: list[tuple[str, wire.Answer, wire.Actor]] = []
        self.told: list[Told] = []
        self.ramps: list[wire.Trust] = []
        self.bound: list[wire.Run] = []
        self.braking = MemoryBrakes()
        self.cards: dict[tuple[str, str], str] = {}
        self.steers: list[tuple[str, str, wire.Actor]] = []
        self.alerts: list[tuple[str, str]] = []
        self.granted: dict[str, Granted] = {}
        self.ended: list[tuple[str, wire.Actor]] = []
        self.standing = InForce(Policy())
        self.sent_again: list[tuple[str, wire.Actor]] = []
        self.endpoints = 1
        self.is_down = False
        self._seen: set[str] = set()
        self._watchers: set[asyncio.Queue[Change | None]] = set()

    async def look(self, handoff_id: str) -> Handoff:
        if handoff_id not in self.all:
            raise Gone(f"there is no handoff {handoff_id}", handoff=handoff_id)
        return self.all[handoff_id]

    async def inbox(self, cursor: str | None = None, *, limit: int = 200) -> Inbox:
        waiting = [each for each in self.all.values() if each.state in {State.PENDING, State.HELD}]
        after = parse_cursor(cursor) or (0, "")
        places = sorted((int(each.expires_at.timestamp() * 1000), each.id) for each in waiting)
        page = [place for place in places if place > after]
        found = [self.all[handoff_id] for _, handoff_id in page[:limit]]
        return Inbox(found, make_cursor(page[limit - 1] if page[limit:] else None), len(waiting))

    async def history(self, cursor: str | None, *, limit: int = 50) -> tuple[Sequence[Handoff], str | None]:
        ended = [each for each in self.all.values() if each.decision][::-1]
        start = int(cursor or 0)
        return ended[start : start + limit], str(start + limit) if len(ended) > start + limit else None

    async def notices(self) -> Sequence[Told]:
        """What was told."""
        return self.told

    async def told_lately(self) -> Sequence[Handoff]:
        return [each for each in self.all.values() if each.route.told][::-1]

    async def trust(self) -> Sequence[wire.Trust]:
        return self.ramps

    async def reset_trust(self, key: str, by: wire.Actor) -> wire.Trust:
        found = next((ramp for ramp in self.ramps if ramp.key == key), None)
        if found is None:
            raise Gone(f"there is no trust ramp {key}")
        changes = {"good": 0, "stage": "asked", "reset_at": self.clock(), "reset_why": "person", "reset_by": by.name}
        made = found.model_copy(update=changes)
        self.ramps = [made if ramp is found else ramp for ramp in self.ramps]
        return made

    async def card_at(self, surface: str, address: str) -> str | None:
        """The handoff of a card; a test says which."""
        return self.cards.get((surface, address))

    async def runs(self, surface: str, channel: str, *, limit: int = 20) -> Sequence[wire.Run]:
        bound = [r for r in self.bound if r.conversation and r.conversation.channel == channel]
        return [run for run in bound if run.conversation and run.conversation.surface == surface][:limit]

    async def run(self, run_id: str) -> wire.Run:
        found = next((run for run in self.bound if run.id == run_id), None)
        if found is None:
            raise Gone(f"there is no run {run_id}")
        brake = self.braking.on.get(wire.BrakeScope(run=run_id).model_dump_json())
        state = "running" if brake is None else "aborted" if brake.action == "abort" else "held"
        return found.model_copy(update={"brake": brake, "state": state})

    async def asks(self, run_id: str, *, limit: int = 100) -> Sequence[Handoff]:
        found = [each for each in self.all.values() if each.run == run_id]
        return sorted(found, key=lambda each: each.opened_at, reverse=True)[:limit]

    async def agents(self) -> Sequence[str]:
        return sorted({run.agent for run in self.bound})

    async def steer(self, run_id: str, text: str, by: wire.Actor, *, steer_id: str | None = None) -> wire.Run:
        run = next((run for run in self.bound if run.id == run_id), None)
        if run is None:
            raise Gone(f"there is no run {run_id}")
        self.steers.append((run_id, text, by))
        return run

    async def alert(self, about: str, text: str) -> None:
        self.alerts.append((about, text))

    async def send_again(self, handoff_id: str, by: wire.Actor) -> str:
        handoff = await self.look(handoff_id)
        if self.is_down:
            raise StoreUnavailable("not confirmed", handoff=handoff_id)
        self.sent_again.append((handoff_id, by))
        return sent_again(handoff, self.endpoints)

    async def may_answer(self, handoff: Handoff, by: wire.Actor, *, standing: Standing = "member") -> None:
        if refused := refusal(handoff.route, by, standing, ()):
            raise NotAnApprover(refused, handoff=handoff.id)

    def conflict(self, handoff: Handoff, by: wire.Actor) -> str:
        return conflict(handoff, by, self.standing.policy.known_people)

    async def answer(
        self,
        handoff_id: str,
        answer: wire.Answer,
        by: wire.Actor,
        *,
        answer_id: str | None = None,
        standing: Standing = "member",
    ) -> Handoff:
        if self.is_down:
            raise StoreUnavailable("not confirmed", handoff=handoff_id)
        now, standing_now = self.clock(), await self.look(handoff_id)
        if answer_id and answer_id in self._seen:
            return standing_now
        await self.may_answer(standing_now, by, standing=standing)
        if isinstance(answer, wire.Reassign | wire.AskAgent):
            check_read(standing_now, answer, by)
            self.answers.append((handoff_id, answer, by))
            kind, said = (
                ("reassigned", answer.note) if isinstance(answer, wire.Reassign) else ("questioned", answer.question)
            )
            to = answer.to if isinstance(answer, wire.Reassign) else ""
            aside = Aside(secrets.token_hex(16), cast("AsideKind", kind), now, by, to=to, text=said or "")
            added = (*standing_now.added, *([to] if to else []))
            self.put(replace(standing_now, asides=(*standing_now.asides, aside), added=added))
            return self.all[handoff_id]
        made = read_answer(standing_now, answer, by, at=now)
        if standing_now.decision:
            raise AlreadyDecided("decided", handoff=handoff_id, decision=standing_now.decision)
        if now >= standing_now.expires_at:
            raise HandoffExpired("too late", handoff=handoff_id)
        self.answers.append((handoff_id, answer, by))
        if answer_id:
            self._seen.add(answer_id)
        if made.verdict and made.verdict.grant:
            life = timedelta(seconds=made.verdict.grant.life_s)
            self.granted[made.verdict.grant.id] = Granted(made.verdict.grant, now, now + life)
        if made.verdict:
            changed = replace(standing_now, state=State.DECIDED, decision=made.verdict.decision)
        else:
            new: dict[str, Any] = {"digest": made.digest, "revisions": made.revisions}
            changed = replace(standing_now, revision=standing_now.revision + 1, **new)
        self.put(changed)
        return changed

    async def answer_shown(
        self,
        rows: Sequence[Row],
        kind: Literal["approve", "reject"],
        by: wire.Actor,
        *,
        answer_id: str,
        standing: Standing = "member",
    ) -> Sequence[RowOutcome]:
        return await answer_shown(self, rows, kind, by, answer_id=answer_id, standing=standing, clock=self.clock)

    async def grants(self) -> Sequence[Granted]:
        return list(self.granted.values())

    async def end_grant(self, grant_id: str, by: wire.Actor) -> Granted:
        if self.is_down:
            raise StoreUnavailable("not confirmed")
        if grant_id not in self.granted:
            raise Gone(f"there is no grant {grant_id}")
        self.ended.append((grant_id, by))
        return self.granted.pop(grant_id)

    def policy(self) -> PolicyWords:
        return policy_in_words(self.standing)

    async def explain(self, question: wire.PolicyQuestion) -> wire.Explanation:
        return explain(self.standing.policy, question)

    async def replay(self, text: str, *, days: int) -> wire.Replay:
        now = self.clock()
        try:
            changed = read(text)
        except ConfigError as error:
            raise InvalidBody("it has faults", faults=[Fault("", each) for each in error.faults]) from error
        return replayed(changed, self.all.values(), since=now - timedelta(days=days), until=now)

    def put(self, changed: Handoff) -> None:
        """Place a handoff, and tell everybody who watches."""
        self.all[changed.id] = changed
        told = Change("1-0", "handoff.changed", changed.id, changed.agent, changed.run, changed.state, changed.revision)
        for queue in self._watchers:
            queue.put_nowait(told)

    def close(self) -> None:
        """As at shutdown: every stream ends."""
        for queue in self._watchers:
            queue.put_nowait(None)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Change]]:
        queue: asyncio.Queue[Change | None] = asyncio.Queue()

        async def changes() -> AsyncIterator[Change]:
            while (change := await queue.get()) is not None:
                yield change

        self._watchers.add(queue)
        try:
            yield changes()
        finally:
            self._watchers.discard(queue)


class MemorySignIn:
    """Links that open once, sessions that last."""

    def __init__(self) -> None:
        self.links: dict[str, wire.Actor] = {}
        self.sessions: dict[str, Session] = {}

    def link(self, person: wire.Actor) -> str:
        made = secrets.token_urlsafe(16)
        self.links[made] = person
        return made

    async def begin(self, link: str) -> str | None:
        person = self.links.pop(link, None)
        if person is None:
            return None
        token = secrets.token_urlsafe(32)
        self.sessions[token] = Session(person, secrets.token_urlsafe(32))
        return token

    async def session(self, token: str) -> Session | None:
        return self.sessions.get(token)

    async def end(self, token: str) -> None:
        self.sessions.pop(token, None)
