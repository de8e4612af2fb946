"""The verbs of a handoff: open, look, answer, expire, claim, withdraw, outcome. Store first, then wake, then tell."""

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from andon import wire
from bot import coaching, grants
from bot.access import Access, Principal, check_owner
from bot.aloud import policy_in_words
from bot.altering import altered
from bot.braking import Braking
from bot.caps import Caps
from bot.cursor import make_cursor, parse_cursor
from bot.delivery import Delivery
from bot.digests import answer_shown
from bot.draws import Draws
from bot.errors import AlreadyDecided, Gone, StoreUnavailable
from bot.gathering import Gathering, is_unsure
from bot.handing_on import HandingOn, known_people
from bot.handoff import OPEN, Change, Handoff, State, Told, digest_of, no_handoff
from bot.health import StoreHealth
from bot.history import asks_of, opened_since
from bot.hub import Hub
from bot.metrics import Metrics
from bot.milestones import Milestones
from bot.on_call import OnCall
from bot.opening import (
    check_gate,
    check_opened,
    check_schemas,
    decided_at_once,
    new_handoff,
    payload_of,
    told_late,
    undeliverable,
    unopened,
)
from bot.permits import check_outcome, permit
from bot.policies import Policies
from bot.policy import Policy, Routed
from bot.ports import Directory, Inbox, PolicyWords, Row, RowOutcome, Standing
from bot.rehearsal import Rehearsal
from bot.rerouting import Rerouting
from bot.reviews import check_withdrawable, follow_up, review_key
from bot.risk import Scoring
from bot.runs import WEB, Runs
from bot.scope import Granted
from bot.silence import silence_verdict
from bot.store import Store, mark_of
from bot.trust import TrustBook, note_end
from bot.unreported import Unreported
from bot.voting import Voting, already_decided

log = logging.getLogger("andon")

DECISION_AGE: Final = timedelta(minutes=15)
_TRIES: Final = 5
NOTICES: Final = 20


class Flow:
    """Runs handoffs through the store. It is the adapters' `Desk` and the API's model."""

    def __init__(  # the composition root names each part once
        self,
        store: Store,
        hub: Hub,
        access: Access,
        runs: Runs,
        policies: Policies,
        *,
        surfaces: Collection[str],
        metrics: Metrics,
        directories: Mapping[str, Directory] = MappingProxyType({}),
        on_call: OnCall | None = None,
        delivery: Delivery | None = None,
        scoring: Scoring | None = None,
        health: StoreHealth | None = None,
        default_place: wire.Place = WEB,
        decision_age: timedelta = DECISION_AGE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Put the parts together.

        `surfaces` are the names of the adapters that can show a card, `directories` tell who is in their groups,
        `on_call` whose turn it is, `scoring` how risky an action is, and an ask that names no place, in a run without a
        conversation, goes to `default_place`.
        """
        self._store = store
        self._hub = hub
        self._access = access
        self._runs = runs
        self._policies = policies
        self.handing_on = HandingOn(store, runs, people=lambda: known_people(policies.current()))
        self._caps = Caps(store, policies.current, alert=self.alert)
        self._grants = grants.Grants(store)
        self._gathering = Gathering(
            store.runs, scoring or Scoring(), trust=store.trust, grants=self._grants, draws=Draws(store, access.draw)
        )
        self.unreported = Unreported(store, access, self._caps.crowding)
        self._milestones = Milestones(self, runs, self._gathering)
        self.trust_book = TrustBook(store, policies.current)
        self._rehearsal = Rehearsal(store, self._gathering)
        self._health = health
        self._surfaces = frozenset(surfaces)
        self._metrics = metrics
        self._default_place = default_place
        self._decision_age = decision_age
        self._clock = clock
        self.delivery = delivery or Delivery(store)
        self.send_again = self.delivery.send_again
        self._voting = Voting(
            *(self, store, hub),
            metrics=metrics,
            directories=directories,
            on_call=on_call or OnCall({}),
            handing_on=self.handing_on,
            rerouting=Rerouting(runs, policies.current, self._gathering),
            people=lambda: known_people(policies.current()),
            clock=clock,
        )
        self.braking = Braking(store, self._voting, hub.caught_up, policies, end=self._end, metrics=metrics)

    def policy(self) -> PolicyWords:
        """The policy that stands now."""
        return policy_in_words(self._policies.standing)

    async def explain(self, question: wire.PolicyQuestion) -> wire.Explanation:
        """What the policy says of an action now, and every reason; nothing is opened or counted."""
        return await self._rehearsal.explain(self._policies.current(), question)

    async def replay(self, text: str, *, days: int) -> wire.Replay:
        """What a changed policy would have made of the last days; raises as `Rehearsal.replay`."""
        return await self._rehearsal.replay(text, days=days)

    # --- open ---

    async def open(
        self,
        agent: Principal,
        ask: wire.Confirmation | wire.Choice | wire.Input,
        idempotency_key: str | None,
        fingerprint: str,
        *,
        under: Policy | None = None,
        checkpoint: str | None = None,
    ) -> tuple[Handoff, bool]:
        """Open an ask; returns the handoff and whether it is new. The same key and `fingerprint` again changes nothing.

        `under` are rules that hold instead of the policy's, `checkpoint` one that the run is just about to save.

        Raises:
            InvalidBody: A schema or the arguments cannot be used.
            TooLarge: The canonical arguments are over 64 KiB.
            Gone: The run is not this agent's.
            IdempotencyKeyReused: The key came with another ask before.
            RunStopped: Somebody pulled the cord; nothing was opened.
            TooMany: The agent asks too fast, or has too many open. StoreFull: The store keeps its room.
        """
        await self._store.room_of(ask.run).check(self.alert)
        run = await self._runs.known(agent.name, ask.run)
        if under is None:
            check_gate(ask)
        check_schemas(ask)
        payload = payload_of(ask)
        digest = digest_of(payload)
        key = idempotency_key or secrets.token_urlsafe(16)
        handoff_id = self._access.derive_id("hf", agent.name, key, mark=mark_of(run.id))
        to = ask.to or (run.conversation or self._default_place,)
        policy = under or self._policies.current()
        situation = await self._gathering.gather(policy, ask, handoff_id, agent.name, run, to=to)
        if checkpoint is not None:
            situation = replace(situation, checkpoint=checkpoint, passed=True)
        asked = altered(
            unopened(ask, at=self._clock()),
            id=handoff_id,
            agent=agent.name,
            run=run.id,
            run_name=run.name,
            requester=run.requester,
            state=State.PENDING,
            digest=digest,
            payload=payload,
            owner=agent.owner,
        )
        routed = await grants.routed(policy, situation, partial(self._may_give, asked))
        draw = self._access.derive_id("draw", handoff_id) if routed.route.step_up else ""
        routed = replace(routed, route=altered(routed.route, draw=draw))
        decision = decided_at_once(ask, routed, digest, surfaces=self._surfaces, at=self._clock())
        new = new_handoff(asked, routed, decision, fingerprint)
        new = replace(new, unsure=is_unsure(policy, ask), anyway=checkpoint is not None)
        opened = await self._store.handoffs.open(new, agent.limits, self._caps.crowding())
        check_opened(opened, agent)
        match opened.word:
            case "no_run":
                raise self._runs.gone(run.id)
            case "no_grant" | "drawn":  # a moment ago; it is gathered otherwise now
                return await self.open(agent, ask, idempotency_key, fingerprint, under=under, checkpoint=checkpoint)
            case "known":
                return await self.look(handoff_id), False
        at = datetime.fromtimestamp(opened.number / 1000, UTC)
        handoff = altered(
            asked,
            state=State.DECIDED if decision else State.PENDING,
            route=routed.route,
            opened_at=at,
            expires_at=at + timedelta(seconds=routed.route.timeout_s),
            decision=decision.model_copy(update={"at": at}) if decision else None,
            crowd=opened.crowd,
        )
        if opened.crowd or routed.late:
            await (self.alert(*told_late(handoff)) if routed.late else self._caps.tell(agent.name, opened))
        self._hub.recent.put(handoff)
        self._metrics.opened(handoff)
        return handoff, True

    async def save_checkpoint(
        self, agent: Principal, run_id: str, save: wire.CheckpointSave, idempotency_key: str | None
    ) -> wire.CheckpointReceipt:
        """Save where a run stands, and ask whether it may go on where the policy says so; see `Milestones.save`."""
        return await self._milestones.save(self._policies.current(), agent, run_id, save, idempotency_key)

    async def _may_give(self, asked: Handoff, routed: Routed) -> bool:
        """Could the giver of the grant say yes to this now?"""
        grant = routed.grant
        if grant is None or grant.by is None:
            return False
        return await self._voting.may_give(altered(asked, route=routed.route), grant.by, standing=grant.standing)

    # --- read ---

    async def look(self, handoff_id: str) -> Handoff:
        """Read one handoff, expired if its time is up; raises `Gone`."""
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff is None:
            raise Gone(no_handoff(handoff_id), handoff=handoff_id)
        if handoff.state is State.PENDING and handoff.expires_at <= self._clock():
            return await self.expire(handoff)
        return handoff

    async def glance(self, handoff_id: str) -> Handoff:
        """Read one handoff, perhaps as it stood a moment ago; for those who then wait for its next change."""
        return self._hub.recent.get(handoff_id) or await self.look(handoff_id)

    async def inbox(self, cursor: str | None = None, *, limit: int = 200) -> Inbox:
        """A page of the open handoffs, most urgent first."""
        found, more = await self._store.handoffs.urgent(parse_cursor(cursor), limit)
        return Inbox(found, make_cursor(more), await self._store.handoffs.pending())

    async def history(self, cursor: str | None, *, limit: int = 50) -> tuple[list[Handoff], str | None]:
        """Handoffs that have ended, latest opened first."""
        found, more = await self._store.handoffs.latest(parse_cursor(cursor), limit)
        return [h for h in found if h.state not in OPEN], make_cursor(more)

    async def lately(self, since: datetime, *, limit: int) -> AsyncIterator[Handoff]:
        """Handoffs that were opened since then, newest first, at most `limit`."""
        async for handoff in opened_since(self._store, since, limit=limit):
            yield handoff

    async def notices(self) -> list[Told]:
        """What agents told people lately, newest first."""
        return await self._store.runs.notices(NOTICES)

    async def card_at(self, surface: str, address: str) -> str | None:
        """The handoff whose card is at this address."""
        return await self._store.card_at(surface, address)

    async def run(self, run_id: str) -> wire.Run:
        """Read one run, with what holds it; raises `Gone`."""
        return await self._runs.look(None, run_id)

    async def runs(self, surface: str, channel: str, *, limit: int = 20) -> list[wire.Run]:
        """The runs that are bound to a channel, latest started first."""
        return await self._store.runs.bound(surface, channel, limit)

    async def asks(self, run_id: str, *, limit: int = 100) -> list[Handoff]:
        """A run's handoffs: those that are open or acted on, and those that ended lately."""
        return await asks_of(self._store, run_id, limit=limit)

    async def agents(self) -> list[str]:
        """The names of all agents that may come in."""
        return sorted({key.name for key in await self._access.keys() if key.kind == "agent"})

    async def steer(self, run_id: str, text: str, by: wire.Actor, *, steer_id: str | None = None) -> wire.Run:
        """Leave a person's words for a run's agent; raises `Gone`."""
        return await self._runs.steer(run_id, text, by, steer_id=steer_id)

    async def told_lately(self) -> list[Handoff]:
        """What the policy let run and tells people of, the latest first."""
        return await self._store.handoffs.told(NOTICES)

    async def trust(self) -> list[wire.Trust]:
        """How far trust has grown."""
        return await self.trust_book.all()

    async def reset_trust(self, key: str, by: wire.Actor) -> wire.Trust:
        """Let one ramp start over; raises `Gone` when there is none of that name."""
        return await self.trust_book.reset(key, by.id)

    async def told(self, notice_id: str) -> Told | None:
        """One notice."""
        return await self._store.runs.told(notice_id)

    async def alert(self, about: str, text: str) -> None:
        """Tell operators that something needs their hand, at most once an hour for what it is about."""
        with contextlib.suppress(StoreUnavailable):
            if await self._store.runs.alert(about, text, timedelta(hours=1)):
                log.error("operator.needed about=%s detail=%s", about, text)

    async def gathers(self, handoff: Handoff, place: wire.Place) -> bool:
        """Is it shown in a digest there, because there is too much to ask already?"""
        return await self._caps.gathers(handoff, place)

    async def grants(self) -> list[Granted]:
        """Every grant that stands, the newest first."""
        return await self._grants.listed()

    async def end_grant(self, grant_id: str, by: wire.Actor) -> Granted:
        """End a grant, at once; raises `Gone`."""
        return await self._grants.revoke(grant_id, by)

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """Every change from now on."""
        return self._hub.watch()

    # --- decide ---

    async def answer(
        self,
        handoff_id: str,
        answer: wire.Answer,
        by: wire.Actor,
        *,
        answer_id: str | None = None,
        standing: Standing = "member",
    ) -> Handoff:
        """Record a person's answer; the first one stands, the same `answer_id` twice is one answer.

        Raises as `bot.ports.Desk.answer` says.
        """
        return await self._voting.answer(handoff_id, answer, by, answer_id=answer_id, standing=standing)

    async def may_answer(self, handoff: Handoff, by: wire.Actor, *, standing: Standing = "member") -> None:
        """May this person answer, now?

        Raises:
            NotAnApprover: No, or the only group that could let them through cannot be read.
        """
        await self._voting.may_answer(handoff, by, standing=standing)

    def conflict(self, handoff: Handoff, by: wire.Actor) -> str:
        """Why this person may say no and not yes; empty: nothing of that kind."""
        return self._voting.conflict(handoff, by)

    async def answer_shown(
        self,
        rows: Sequence[Row],
        kind: Literal["approve", "reject"],
        by: wire.Actor,
        *,
        answer_id: str,
        standing: Standing = "member",
    ) -> Sequence[RowOutcome]:
        """Answer several handoffs exactly as they were shown; see `bot.ports.Desk.answer_shown`."""
        return await answer_shown(self, rows, kind, by, answer_id=answer_id, standing=standing, clock=self._clock)

    async def expire(self, handoff: Handoff) -> Handoff:
        """Let silence decide, if the store's clock agrees that the time is up; returns the handoff as it stands."""
        for _ in range(_TRIES):
            fault = self._health.fault(handoff.opened_at, handoff.expires_at) if self._health else ""
            verdict = silence_verdict(handoff, at=self._clock(), fault=fault)
            settled = await self._store.handoffs.expire(handoff, verdict)
            now = await self._store.handoffs.load(handoff.id)
            if now is None:
                raise Gone(no_handoff(handoff.id), handoff=handoff.id)
            if settled.word == "won":
                self._metrics.decided(now)
                self._hub.wake(now)
            if settled.word != "stale":
                return now
            handoff = now
        return handoff

    async def expire_overdue(self, handoff_id: str) -> None:
        """Expire one whose timer is up; a timer whose handoff is gone is dropped."""
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff is None:
            await self._store.handoffs.forget(handoff_id)
            return
        with contextlib.suppress(Gone):
            await self.expire(handoff)

    async def withdraw(self, agent: str, handoff_id: str, reason: str | None) -> Handoff:
        """Take an ask back; twice is fine.

        Raises:
            AlreadyDecided: A person was first.
            Gone: There is no such handoff of this agent's.
        """
        handoff = await self.own(agent, handoff_id)
        check_withdrawable(handoff)
        decision = wire.Withdrawn(
            by=wire.Actor(kind="agent", id=agent, name=agent),
            at=self._clock(),
            revision=handoff.revision,
            reason=reason,
            policy=handoff.route.policy,
            message_for_agent=coaching.withdrawn(),
        )
        return await self._end(handoff, decision)

    async def undeliverable(self, handoff: Handoff, reason: str) -> Handoff:
        """No place can show the card; a decision that came first stands."""
        decision = undeliverable(reason, policy=handoff.route.policy, revision=handoff.revision, at=self._clock())
        try:
            return await self._end(handoff, decision)
        except AlreadyDecided:
            return await self.look(handoff.id)

    async def _end(self, handoff: Handoff, decision: wire.Decision) -> Handoff:
        settled = await self._store.handoffs.withdraw(handoff, decision)
        now = await self.look(handoff.id)
        if settled.word == "lost":
            raise already_decided(now)
        if not settled.again:
            self._metrics.decided(now)
        self._hub.wake(now)
        return now

    # --- act ---

    async def claim(self, agent: str, handoff_id: str, request: wire.ClaimRequest) -> wire.Permit:
        """Exchange a decision for the one permit to act.

        Raises:
            ClaimRefused: Its `slug` says why.
            RunStopped: Somebody pulled the cord.
            Gone: There is no such handoff of this agent's.
        """
        recent = self._hub.recent.get(handoff_id)
        known = recent.payload if recent and digest_of(recent.payload) == request.digest else ""
        said = await self._store.handoffs.claim(
            handoff_id,
            agent,
            digest=request.digest,
            claimant=request.claimant,
            max_age=self._decision_age,
            known=known,
            run=recent.run if recent else "",
        )
        self._metrics.claimed(handoff_id, recent, said.word, said.at)
        if said.at and recent and recent.state is State.DECIDED:
            claim = wire.Claimed(claimant=request.claimant, at=said.at)
            self._hub.recent.put(altered(recent, state=State.CLAIMED, claim=claim))
        return permit(handoff_id, request, said, self._decision_age)

    async def outcome(self, agent: str, handoff_id: str, report: wire.OutcomeReport) -> Handoff:
        """Record what came of it, once; the same report again is fine.

        Raises:
            OutcomeConflict: Another outcome stands, or this one does not fit the decision.
            Gone: There is no such handoff of this agent's.
        """
        recent = self._hub.recent.get(handoff_id)
        known = recent or await self._store.handoffs.load(handoff_id)
        review_id = self._access.derive_id("hf", agent, review_key(handoff_id), mark=mark_of(handoff_id))
        review, ramp = (follow_up(known, report, review_id), known.route.ramp) if known else (None, "")
        said = await self._store.handoffs.outcome(
            handoff_id, agent, report, ramp=ramp, review=review, crowding=self._caps.crowding()
        )
        check_outcome(handoff_id, report, said)
        if said.crowd:
            await self._caps.tell(agent, said)
        self._metrics.closed(report.status, known, said.at)
        if known:
            note_end(known, report.status)
        if recent is None or review or recent.state is not State.CLAIMED or said.at is None:
            return await self.look(handoff_id)
        outcome = wire.Outcome(status=report.status, at=said.at, result=report.result, error=report.error)
        return altered(recent, state=State.CLOSED, outcome=outcome)

    async def own(self, agent: str, handoff_id: str) -> Handoff:
        """Read one of an agent's own handoffs.

        Raises:
            Gone: There is none, or it is another agent's.
        """
        handoff = await self.look(handoff_id)
        check_owner(handoff, agent)
        return handoff
