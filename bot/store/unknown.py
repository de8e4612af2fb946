"""Actions of which nobody knows what became, in Redis: asking people about one, and what they say."""

from datetime import datetime, timedelta
from typing import Final, Literal

from andon import wire
from bot.handoff import Handoff
from bot.store.beats import GAP_MS, Due
from bot.store.handoffs import review_args
from bot.store.keys import Keys
from bot.store.messages import NewHandoff, Settled
from bot.store.pipe import Pipe, load_script
from bot.store.records import ms_of, pack_decision, pack_ruling, reply, when
from bot.store.trust import ramp_id

_QUESTION, _RULE = (load_script(name) for name in ("question", "rule"))

LOOKED_AT: Final = timedelta(minutes=10)
"""So often one is looked at again: a process of before knows nothing of it, and may have left it half done."""


class Unknown:
    """Those of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys, *, retention_ms: int) -> None:
        """Nothing is kept here."""
        self._pipe = pipe
        self._keys = keys
        self._retention_ms = retention_ms

    async def ask(
        self, first: Handoff, due: Due, question: NewHandoff, asked: str
    ) -> Literal["asked", "early", "over"]:
        """Note that nobody vouches for `first` any more, and open the question to those `asked`; once, whoever does."""
        keys = self._keys
        root = await self._pipe.call("HGET", keys.run(first.run), "root")
        raw = await self._pipe.run(
            _QUESTION,
            (
                *(keys.handoff(first.id), keys.events, keys.agent_events(first.agent), keys.run(first.run)),
                *(keys.run(root.decode() if root else first.run), keys.handoff(question.id), keys.due),
                *(keys.agent_load(first.agent), keys.index, keys.ladder, keys.run_asks(first.run), keys.brakes),
                *(keys.trust(ramp_id(first.route.ramp)), keys.trusts, keys.agent_grants(first.agent), keys.notices),
                *(keys.unreported, keys.unknown, keys.leases, keys.beats_watch),
            ),
            first.id,
            *review_args(question),
            self._retention_ms,
            round(LOOKED_AT / timedelta(milliseconds=1)),
            asked,
            due.at_ms,
            GAP_MS,
        )
        word: Literal["asked", "early", "over"] = reply(raw)[0]
        return word

    async def rule(
        self,
        question: Handoff,
        decision: wire.Decision,
        outcome: wire.Outcome | None,
        withdrawal: wire.Withdrawn,
        *,
        answer_id: str,
    ) -> Settled:
        """Decide a question, with what became of what it is about; `withdrawal` where the agent reported before."""
        keys = self._keys
        raw = await self._pipe.run(
            _RULE,
            (
                *(keys.handoff(question.id), keys.due, keys.events, keys.agent_events(question.agent)),
                *(keys.agent_load(question.agent), keys.trust(ramp_id("")), keys.trusts),
                *(keys.brakes, keys.run(question.run), keys.handoff(question.settles), keys.acting, keys.unknown),
            ),
            question.id,
            answer_id,
            question.revision,
            pack_decision(decision),
            decision.kind,
            question.settles,
            pack_ruling(outcome) if outcome else "",
            outcome.status if outcome else "",
            pack_decision(withdrawal),
            self._retention_ms,
        )
        word, *rest = reply(raw)
        return Settled(word, when(rest[0]) if word == "won" else None, again=len(rest) > 1)

    async def answered_by(self, question: Handoff) -> str:
        """The id of the answer that decided a question."""
        return (await self._pipe.call("HGET", self._keys.handoff(question.id), "answer_id") or b"").decode()

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids of those to be looked at again."""
        ids = await self._pipe.call("ZRANGE", self._keys.unknown, "-inf", ms_of(now), "BYSCORE", "LIMIT", 0, limit)
        return [each.decode() for each in ids]

    async def later(self, handoff_id: str, now: datetime) -> None:
        """Look at it again in a while."""
        await self._pipe.call("ZADD", self._keys.unknown, "XX", ms_of(now + LOOKED_AT), handoff_id)

    async def forget(self, handoff_id: str) -> None:
        """There is nothing more to look at."""
        await self._pipe.call("ZREM", self._keys.unknown, handoff_id)
