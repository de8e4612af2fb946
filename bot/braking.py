"""The brake: whoever sees a run may stop it, and whoever may approve for it lets it go on.

One script pulls or lifts a brake, and every answer, claim and expiry looks at it: from then on no claim
succeeds. Agents hear by its event; cards change last. What follows the script (`Brakes.settle`) only moves clocks and
cards, so that nothing depends on when it happens, and any process takes up what another left.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from andon import wire
from bot import coaching
from bot.brake.order import BrakeOrder
from bot.brake.words import Typed, Vocabulary, Where
from bot.errors import AlreadyDecided, Gone, NotAnApprover, StoreUnavailable
from bot.handoff import OPEN, Handoff, Route, State
from bot.history import asks_of
from bot.metrics import Metrics
from bot.ports import Standing
from bot.store import Affected, Obeyed, Store

log = logging.getLogger("andon.brake")

_AT_ONCE: Final = 32
"""Asks of aborted runs that are decided at once."""

_TOLD: Final = 20
"""Actions in flight, or other brakes, that a reply names."""
_LATELY: Final = 200
"""A run's asks that are looked through for those that its agent took back."""


class People(Protocol):
    """What lifting a brake needs of those who know who may answer."""

    async def may_answer(self, handoff: Handoff, by: wire.Actor, *, standing: Standing = "member") -> None:
        """Raises `NotAnApprover`."""
        ...

    async def may_resume(self, route: Route, by: wire.Actor, *, standing: Standing) -> str:
        """Why somebody is not among these approvers; empty: they are."""
        ...


class Rules(Protocol):
    """What the policy says of brakes."""

    def resumers(self) -> tuple[Route, Route]:
        """Those named for lifting brakes, and those who may where nobody is and nothing waits."""
        ...

    def words(self) -> Vocabulary:
        """What people type."""
        ...


class Braking:
    """Pulls and lifts brakes. It is the adapters' `BrakeDesk`."""

    def __init__(
        self,
        store: Store,
        people: People,
        told: Callable[[], Awaitable[None]],
        rules: Rules,
        *,
        end: Callable[[Handoff, wire.Decision], Awaitable[Handoff]],
        metrics: Metrics,
    ) -> None:
        """`told` waits until the agents here have been told of all that has happened; `end` decides a handoff."""
        self._store = store
        self._people = people
        self._told = told
        self._rules = rules
        self._end = end
        self._metrics = metrics

    async def obey(self, order: BrakeOrder, *, standing: Standing = "member") -> wire.BrakeReceipt:
        """Pull or lift a brake; see `bot.ports.BrakeDesk.obey`."""
        began = time.perf_counter()
        if order.action in {"resume", "abort"}:
            await self._check_may_lift(order, standing)
        agents = await self._agents(order.scope)
        obeyed = await self._store.brakes.obey(order, agents)
        if obeyed.word == "gone":
            msg = f"there is no run {order.scope.run}"
            raise Gone(msg)
        log.info(
            "brake.%s action=%s by=%s epoch=%s",
            obeyed.word,
            order.action,
            order.by.id,
            getattr(obeyed.brake, "epoch", ""),
        )
        receipt = await self._receipt(order.scope, obeyed)
        self._metrics.braked(order.action, obeyed.word, time.perf_counter() - began)
        return receipt

    async def heard(self, agent: str, run: str, steers: Sequence[str]) -> wire.Run:
        """The agent has read people's words; a steer that held its run ends with that.

        Raises:
            Gone: There is no such run of this agent's.
        """
        obeyed = await self._store.brakes.heard(run, agent, steers)
        found = await self._store.runs.load(run)
        if obeyed is None or found is None:
            msg = f"there is no run {run} of yours"
            raise Gone(msg)
        if obeyed.word == "lifted" and obeyed.brake:
            async for _ in self._settle(wire.BrakeScope(run=run), obeyed.brake):
                pass
            await self._store.brakes.note_heard(await self._taken_back(run, obeyed.brake.at), obeyed.brake)
        return found

    async def standing(self) -> list[wire.Braked]:
        """Every brake that is on, the latest first."""
        return await self._store.brakes.standing()

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        """What a message commands; see `bot.ports.BrakeDesk.read`."""
        return self._rules.words().read(text, where, agents=agents)

    async def sweep(self) -> bool:
        """Take up what a process that died left: put every handoff where the brakes put it. Did anything change?

        Raises:
            StoreUnavailable: Not now.
        """
        changed = False
        async for each in self._settle(None):
            changed |= each.changed
        return changed

    # --- who ---

    async def _check_may_lift(self, order: BrakeOrder, standing: Standing) -> None:
        """Raise `NotAnApprover` unless this person may approve for what the brake holds."""
        named, otherwise = self._rules.resumers()
        refused = ""
        if named.approvers:
            refused = await self._people.may_resume(named, order.by, standing=standing)
        else:
            asked = False
            async for handoff in self._open(order.scope):
                asked = True
                try:
                    await self._people.may_answer(handoff, order.by, standing=standing)
                except NotAnApprover as error:
                    refused = error.detail
                else:
                    return
            refused = refused if asked else await self._people.may_resume(otherwise, order.by, standing=standing)
        if not refused:
            return
        verb = "end" if order.action == "abort" else "resume"
        msg = f"{order.by.name}, it takes somebody who may approve for it to {verb} this. {refused}"
        raise NotAnApprover(msg)

    async def _open(self, scope: wire.BrakeScope) -> AsyncIterator[Handoff]:
        async for each in self._store.brakes.settle(scope):
            handoff = await self._store.handoffs.load(each.id) if each.state in OPEN else None
            if handoff:
                yield handoff

    async def _agents(self, scope: wire.BrakeScope) -> set[str] | None:
        if scope.agent is not None:
            return {scope.agent}
        if scope.conversation is not None:
            return await self._store.brakes.agents_at(scope.conversation)
        if scope.run is not None:
            run = await self._store.runs.load(scope.run)
            return {run.agent} if run else set()
        return None

    # --- what follows ---

    async def _taken_back(self, run: str, since: datetime) -> list[Handoff]:
        """What its agent took back because it was told something: there the person who told it looks for an answer."""
        asked = await asks_of(self._store, run, limit=_LATELY)
        return [each for each in asked if isinstance(each.decision, wire.Withdrawn) and each.decision.at >= since]

    async def _receipt(self, scope: wire.BrakeScope, obeyed: Obeyed) -> wire.BrakeReceipt:
        held, flying, runs, left = 0, [], set[str](), set[str]()
        lifted = obeyed.word in {"lifted", "off"}
        is_steer = obeyed.word == "pulled" and obeyed.brake is not None and obeyed.brake.action == "steer"
        try:
            await self._told()  # else agents would hear while thousands of cards change, and because of them late
            async for each in self._settle(scope):
                held += each.state == (State.PENDING if lifted else State.HELD)
                runs |= {each.run} if each.state != State.CLOSED else set()
                left |= {each.run} if each.by else set()
                flying += [each.id] if each.state == State.CLAIMED else []
        except StoreUnavailable as error:  # the brake itself is confirmed; the timers take the rest up
            log.warning("brake.unsettled detail=%s", error)
        return wire.BrakeReceipt(
            did="old" if obeyed.word == "gone" else obeyed.word,
            scope=scope,
            brake=obeyed.brake,
            runs=len(runs),
            held=held,
            in_flight=() if lifted else tuple([each async for each in self._flying(flying)]),
            still=await self._still(scope, left, obeyed.brake) if lifted or is_steer else (),
        )

    async def _settle(self, scope: wire.BrakeScope | None, heard: wire.Braked | None = None) -> AsyncIterator[Affected]:
        ended: list[str] = []
        async for each in self._store.brakes.settle(scope, heard):
            if each.by == "abort" and each.state == State.HELD:
                ended.append(each.id)
            if len(ended) == _AT_ONCE:
                await self._abort(ended)
                ended = []
            yield each
        await self._abort(ended)

    async def _abort(self, ids: Sequence[str]) -> None:
        """Decide what waits in runs that were aborted, many at a time."""
        await asyncio.gather(*(self._abort_one(each) for each in ids))

    async def _abort_one(self, handoff_id: str) -> None:
        handoff = await self._store.handoffs.load(handoff_id)
        if handoff is None or handoff.brake is None or handoff.state not in OPEN:
            return
        brake = handoff.brake
        decision = wire.Aborted(
            by=brake.by,
            at=datetime.now(UTC),
            revision=handoff.revision,
            reason=brake.text,
            policy=handoff.route.policy,
            message_for_agent=coaching.aborted(brake.by.name, brake.text),
        )
        try:
            await self._end(handoff, decision)
        except AlreadyDecided:
            return

    async def _flying(self, ids: Sequence[str]) -> AsyncIterator[wire.InFlight]:
        """What was claimed and not reported, the oldest claim first."""
        found = [await self._store.handoffs.load(each) for each in ids]
        flying = [(each.claim, each) for each in found if each and each.claim and each.is_in_flight]
        for claim, each in sorted(flying, key=lambda flight: flight[0].at)[:_TOLD]:
            yield wire.InFlight(
                handoff=each.id,
                run=each.run,
                what=each.ask.what if isinstance(each.ask, wire.Confirmation) else each.ask.question,
                claimant=claim.claimant,
                claimed_at=claim.at,
            )

    async def _still(
        self, scope: wire.BrakeScope, runs: Collection[str], own: wire.Braked | None
    ) -> tuple[wire.Braked, ...]:
        """What holds it, or a part of it, beside the brake that was lifted, or the words; `runs` are held still."""
        run = await self._store.runs.load(scope.run) if scope.run else None
        ended = (run.brake,) if run and run.brake and run.brake.action == "abort" else ()
        beside = await self._store.brakes.beside(scope, runs)
        return (*ended, *(each for each in beside if own is None or each.epoch != own.epoch))[:_TOLD]
