"""Signs of life: a run that promised them and fell silent is lost, and people are asked what became of its actions.

Any number of processes may run it: the scripts look again, and each thing happens once. It does no action again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from andon import wire
from bot import unknown
from bot.access import Access
from bot.cards import moment
from bot.errors import Gone
from bot.handoff import OPEN, State
from bot.metrics import Metrics
from bot.runs import WEB
from bot.store import Due, Store, mark_of, patience_ms

log = logging.getLogger("andon.beats")


class Beats:
    """Hears the signs of life, and looks for those that did not come."""

    def __init__(self, store: Store, access: Access, metrics: Metrics, *, default_place: wire.Place = WEB) -> None:
        """`access` derives the questions' ids; a run without a conversation is spoken of at the default place."""
        self._store = store
        self._access = access
        self._metrics = metrics
        self._default_place = default_place

    async def hear(self, agent: str, run_id: str, beat: wire.Heartbeat) -> wire.HeartbeatReceipt:
        """Hear one; again is fine.

        Raises:
            Gone: There is no such run of this agent's.
        """
        run = await self._store.runs.load(run_id)
        if run is None or run.agent != agent:
            raise _gone(run_id)
        acting = await self._store.beats.claimed(run_id) if beat.acting is None else beat.acting
        heard = await self._store.beats.beat(run, acting, found=self._notice(run, _found(run)), last=beat.last)
        if heard.word == "gone":
            raise _gone(run_id)
        if heard.silent_since:
            log.info("run.found id=%s agent=%s silent_since=%s", run_id, agent, heard.silent_since.isoformat())
        return wire.HeartbeatReceipt(lost_after=heard.lost_after, was_lost_since=heard.silent_since)

    async def look(self, *, away: bool = False) -> tuple[Sequence[Due], Sequence[Due]]:
        """The runs, and the claims, of which no sign of life came in time; `away`: this process could not hear.

        Raises:
            StoreUnavailable: Not now. Whoever looks next says that it was away.
        """
        if not await self._store.beats.expected():
            return (), ()
        return await self._store.beats.watch(away=away)

    async def lose(self, due: Due) -> None:
        """Note that a run is lost and tell its conversation, unless it was heard of meanwhile.

        Raises:
            StoreUnavailable: It may have been noted; the same call again is safe.
        """
        run = await self._store.runs.load(due.id)
        if run is None:
            await self._store.beats.forget(due)
            return
        claimed = [await self._store.handoffs.load(each) for each in await self._store.beats.claimed(due.id)]
        flying = sum(each is not None and each.is_in_flight for each in claimed)
        if await self._store.beats.lose(run, due, self._notice(run, _lost(run, due, flying))) == "lost":
            self._metrics.lost()
            log.warning("run.lost id=%s agent=%s in_flight=%d", run.id, run.agent, flying)

    async def ask(self, due: Due) -> None:
        """Ask people what became of what was claimed, unless somebody vouched for it, or reported it, meanwhile.

        Raises:
            StoreUnavailable: The question may have been opened; the same call again is safe.
        """
        first = await self._store.handoffs.load(due.id)
        run = await self._store.runs.load(first.run) if first else None
        if first is None or run is None or first.claim is None:
            await self._store.beats.forget(due)
            return
        silent = max(first.claim.at, _last_heard(run, due))
        question_id = self._access.derive_id("hf", first.agent, unknown.question_key(first.id), mark=mark_of(first.id))
        question = unknown.question_about(first, question_id, run, silent_since=silent)
        if question is None:
            await self._store.beats.forget(due)
            return
        if await self._store.unknown.ask(first, due, question, unknown.who_is_asked(question)) == "asked":
            log.warning("handoff.unknown id=%s agent=%s question=%s", first.id, first.agent, question.id)

    async def settle(self, handoff_id: str) -> None:
        """Bring one and the question about it together: what one process knew, another may not have done.

        Raises:
            StoreUnavailable: The same call again is safe.
        """
        store = self._store
        first = await store.handoffs.load(handoff_id)
        question = await store.handoffs.load(first.question) if first else None
        if first is None or question is None:
            await store.unknown.forget(handoff_id)
            return
        now = await store.now()
        if first.state is State.CLOSED:
            if question.state in OPEN:
                await store.handoffs.withdraw(question, unknown.reported(question, at=now))  # or somebody was first
            await store.unknown.forget(handoff_id)
        elif question.state in OPEN:
            await store.unknown.later(handoff_id, now)
        elif question.decision and question.decision.kind == "chosen":
            await unknown.rule(store, question, question.decision, await store.unknown.answered_by(question))
        else:
            await store.unknown.forget(handoff_id)

    def _notice(self, run: wire.Run, text: str) -> wire.Notice:
        return wire.Notice(text=text, to=(run.conversation or self._default_place,))


def _last_heard(run: wire.Run, due: Due) -> datetime:
    """The last sign of life before something was due."""
    return due.at - timedelta(milliseconds=int(patience_ms(run.heartbeat_s) or 0))


def _lost(run: wire.Run, due: Due, flying: int) -> str:
    since = moment(_last_heard(run, due))
    silent = f"{run.agent} has fallen silent in the run {run.name}: nothing was heard of it since {since}."
    if not flying:
        return f"{silent} It was doing nothing that needs a person."
    actions = "1 action" if flying == 1 else f"{flying} actions"
    return f"{silent} {actions} may or may not have happened: people are asked about {'it' if flying == 1 else 'them'}."


def _found(run: wire.Run) -> str:
    since = f", lost since {moment(run.lost_since)}" if run.lost_since else ""
    return f"{run.agent} is back in the run {run.name}{since}. What nobody knows yet stays unknown until somebody says."


def _gone(run_id: str) -> Gone:
    return Gone(f"there is no run {run_id} of yours; start one with POST /v1/runs")
