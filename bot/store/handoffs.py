"""Handoffs in Redis: one method per script."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from andon import wire
from bot.consent import facts
from bot.handoff import Handoff, Risk, Route, Vote, tool_of
from bot.ladder import steps
from bot.store.grants import pack_grant
from bot.store.keys import Keys
from bot.store.messages import (
    UNCROWDED,
    ClaimReply,
    Crowding,
    Limits,
    NewHandoff,
    Opened,
    OutcomeReply,
    Settled,
    Verdict,
)
from bot.store.pages import Place, merged, places
from bot.store.pipe import Pipe, load_script
from bot.store.records import (
    Doc,
    flat,
    hashed,
    ms_of,
    pack_decision,
    pack_doc,
    pack_outcome,
    pack_revisions,
    pack_risk,
    pack_vote,
    read_brake,
    read_handoff,
    reply,
    unpack_doc,
    when,
)
from bot.store.trust import ramp_id

DAY_MS: Final = 86_400_000
RUN_LIFE_MS: Final = 30 * DAY_MS

_OPEN, _ANSWER, _REVISE, _EXPIRE = (load_script(name) for name in ("open", "answer", "revise", "expire"))
_WITHDRAW, _CLAIM, _OUTCOME = (load_script(name) for name in ("withdraw", "claim", "outcome"))
_VOTE, _TRY_CODE, _DOUBT = (load_script(name) for name in ("vote", "try_code", "doubt"))

_FAILED: Final = frozenset({"failed", "undo_failed"})
WRONG_CODES: Final = 3
"""Wrong numbers after which a person waits."""
UNREPORTED: Final = timedelta(minutes=15)
"""After a claim of what is to be reviewed: it is then reviewed whatever the agent says, or does not."""
CODE_WAIT: Final = timedelta(minutes=1)


class Handoffs:
    """The handoffs of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys, *, retention: timedelta) -> None:
        """Keep ended handoffs for `retention`."""
        self._pipe = pipe
        self._keys = keys
        self._retention_ms = round(retention / timedelta(milliseconds=1))

    async def open(self, new: NewHandoff, limits: Limits, crowding: Crowding = UNCROWDED) -> Opened:
        """Write a handoff once; the same id and fingerprint again is `known`."""
        decided = new.decision is not None
        timing = new.doc.ask.timing if isinstance(new.doc.ask, wire.Confirmation) else "before"
        keys = self._keys
        raw = await self._pipe.run(
            _OPEN,
            (
                keys.handoff(new.id),
                keys.due,
                keys.events,
                keys.agent_events(new.agent),
                keys.agent_load(new.agent),
                keys.index,
                keys.run(new.run),
                keys.told,
                keys.ladder,
                keys.agent_asks(new.agent),
                keys.agent_grants(new.agent),
                keys.run(await self._root(new.run) if new.unsure else new.run),
                keys.drawn(new.agent),
                keys.brakes,
                keys.acting,
                keys.run_asks(new.run),
            ),
            new.id,
            new.fingerprint,
            new.agent,
            new.run,
            new.digest,
            pack_doc(new.doc),
            timing,
            new.doc.route.timeout_s * 1000,
            self._retention_ms,
            pack_decision(new.decision) if new.decision else "",
            new.decision.kind if new.decision else "",
            new.allowed if decided else "",
            *limits.pace,
            limits.open,
            RUN_LIFE_MS,
            "unsure" if new.unsure else "",
            new.doc.route.ramp,
            ("told" if new.doc.route.told else "review" if new.doc.route.review else "") if decided else "",
            _ladder(new.doc.route),
            crowding.open,
            crowding.burst,
            crowding.within_ms,
            new.grant,
            "" if not new.grant else "uses" if _is_granted(new.decision) else "near",
            "" if new.drawn is None else f"{'drawn' if new.drawn else 'free'} {tool_of(new.doc.ask)}",
            "anyway" if new.anyway else "",
        )
        word, *rest = reply(raw)
        if word == "braked":
            return Opened(word, brake=read_brake(rest[0]))
        crowd, count = (rest[1].decode(), int(rest[2])) if len(rest) > 2 else ("", 0)  # noqa: PLR2004  # the reply's parts
        return Opened(word, int(rest[0]) if rest else 0, crowd, count)

    async def load(self, handoff_id: str, doc: Doc | None = None) -> Handoff | None:
        """Read one; None when there is none (any more). `doc`, if it is known, saves reading it again."""
        return _read(handoff_id, await self._pipe.call("HGETALL", self._keys.handoff(handoff_id)), doc)

    async def answer(
        self,
        handoff: Handoff,
        verdict: Verdict,
        *,
        answer_id: str,
        digest: str = "",
        revisions: tuple[wire.Revision, ...] = (),
        risk: Risk | None = None,
    ) -> Settled:
        """Write the first decision, if no vote came meanwhile; `digest`, `revisions` and `risk` when it edits."""
        raw = await self._pipe.run(
            _ANSWER,
            (
                *self._settling(handoff),
                self._keys.agent_grants(handoff.agent),
                self._keys.granting,
                self._keys.notices,
                *self._braking(handoff),
                self._keys.acting,
                self._keys.undelivered,
            ),
            handoff.id,
            answer_id,
            handoff.revision,
            pack_decision(verdict.decision),
            verdict.decision.kind,
            verdict.allowed,
            verdict.payload,
            verdict.decision.revision,
            digest,
            pack_revisions(revisions) if revisions else "",
            self._retention_ms,
            len(handoff.votes),
            *pack_grant(verdict.grant),
            handoff.agent,
            pack_risk(risk, verdict.decision.revision),
        )
        return _settled(raw)

    async def vote(self, handoff: Handoff, vote: Vote) -> Settled:
        """Keep a vote that decides nothing yet, if no other came meanwhile; `vote.id` twice is one vote."""
        raw = await self._pipe.run(
            _VOTE,
            (
                *(self._keys.handoff(handoff.id), self._keys.events, self._keys.due),
                *(self._keys.agent_events(handoff.agent), *self._braking(handoff)),
            ),
            handoff.id,
            vote.id,
            handoff.revision,
            len(handoff.votes),
            pack_vote(vote),
        )
        return _settled(raw)

    async def try_code(self, handoff: Handoff, person: str, *, right: bool) -> tuple[str, int]:
        """Count a wrong number: `right`; or `wrong` and how many tries are left; or `wait` and how many ms."""
        raw = await self._pipe.run(
            _TRY_CODE,
            (self._keys.tries(handoff.id, hashed(person), handoff.revision),),
            "right" if right else "wrong",
            WRONG_CODES,
            round(CODE_WAIT / timedelta(milliseconds=1)),
        )
        word, *rest = reply(raw)
        return word, int(rest[0]) if rest else 0

    async def doubt(self, handoff: Handoff, unread: str) -> None:
        """Note of which groups nobody can tell who is in them; empty: of none."""
        await self._pipe.run(_DOUBT, (self._keys.handoff(handoff.id), self._keys.events), handoff.id, unread)

    async def revise(
        self,
        handoff: Handoff,
        *,
        answer_id: str,
        digest: str,
        revisions: tuple[wire.Revision, ...],
        vote: Vote | None = None,
        risk: Risk | None = None,
    ) -> Settled:
        """Write a new revision, of this `risk`; nobody has approved it yet, but perhaps its editor with this `vote`."""
        keys = self._keys
        raw = await self._pipe.run(
            _REVISE,
            (
                *(keys.handoff(handoff.id), keys.events, keys.agent_events(handoff.agent), keys.due),
                *self._braking(handoff),
            ),
            handoff.id,
            answer_id,
            handoff.revision,
            digest,
            pack_revisions(revisions),
            vote.id if vote else "",
            pack_vote(vote) if vote else "",
            pack_risk(risk, handoff.revision + 1),
        )
        return Settled(reply(raw)[0])

    async def expire(self, handoff: Handoff, verdict: Verdict) -> Settled:
        """Write what silence decides, if the time is up by the store's clock, and nothing it was judged by changed."""
        raw = await self._pipe.run(
            _EXPIRE,
            (*self._settling(handoff), *self._braking(handoff), self._keys.acting, self._keys.undelivered),
            handoff.id,
            handoff.revision,
            pack_decision(verdict.decision),
            verdict.decision.kind,
            verdict.allowed,
            verdict.payload,
            self._retention_ms,
            handoff.run,
            handoff.agent,
            *(facts(handoff) if verdict.decision.kind != "expired" else ()),
        )
        return _settled(raw)

    async def withdraw(self, handoff: Handoff, decision: wire.Decision) -> Settled:
        """End an open handoff without a person."""
        raw = await self._pipe.run(
            _WITHDRAW,
            (*self._settling(handoff), self._keys.undelivered),
            handoff.id,
            handoff.agent,
            pack_decision(decision),
            decision.kind,
            self._retention_ms,
        )
        return _settled(raw)

    async def claim(  # each names one thing that the script checks
        self,
        handoff_id: str,
        agent: str,
        *,
        digest: str,
        claimant: str,
        max_age: timedelta,
        known: str = "",
        run: str = "",
    ) -> ClaimReply:
        """Exchange a decision for its permit; `known` are the bytes with that digest, if the caller has them."""
        keys = self._keys
        run = run or (await self._pipe.call("HGET", keys.handoff(handoff_id), "run") or b"").decode()
        raw = await self._pipe.run(
            _CLAIM,
            (
                *(keys.handoff(handoff_id), keys.events, keys.agent_events(agent), keys.agent_grants(agent)),
                *(keys.unreported, keys.drawn(agent)),
                *(keys.brakes, keys.run(run), keys.brakes_lifted, keys.undelivered, keys.leases),
            ),
            handoff_id,
            agent,
            digest,
            claimant,
            round(max_age / timedelta(milliseconds=1)),
            "known" if known else "",
            round(UNREPORTED / timedelta(milliseconds=1)),
        )
        match reply(raw):
            case ["permit", at, revision, payload, doc]:
                text = known or payload.decode() or unpack_doc(doc).payload
                return ClaimReply("permit", at=when(at), revision=int(revision), payload=text)
            case ["unknown", claimant_before, at, question, asked]:
                about = (question.decode(), asked.decode())
                return ClaimReply("unknown", at=when(at), text=claimant_before.decode(), asked=about)
            case ["taken", claimant_before, at]:
                return ClaimReply("taken", at=when(at), text=claimant_before.decode())
            case ["old", at]:
                return ClaimReply("old", at=when(at))
            case ["braked", record]:
                return ClaimReply("braked", brake=read_brake(record))
            case ["refused" | "digest" as word, text]:
                return ClaimReply(word, text=text.decode())
            case [word]:
                return ClaimReply(word)
            case other:  # pragma: no cover  # a script and its reader disagree
                raise AssertionError(other)

    async def outcome(
        self,
        handoff_id: str,
        agent: str,
        report: wire.OutcomeReport,
        *,
        ramp: str = "",
        review: NewHandoff | None = None,
        crowding: Crowding = UNCROWDED,
    ) -> OutcomeReply:
        """Record what came of it, once; a failure counts in its run.

        Args:
            handoff_id: Which handoff.
            agent: Whose it must be.
            report: What came of it.
            ramp: Its route's trust ramp, which this counts in.
            review: Opened in the same step, if it was done or tried, and unless it is open already.
            crowding: Past which the review's cards are gathered.
        """
        keys = self._keys
        bad = report.status in _FAILED
        found = await self._pipe.call("HGET", keys.handoff(handoff_id), "run") if bad or review else None
        run = found.decode() if found else handoff_id
        raw = await self._pipe.run(
            _OUTCOME,
            (
                keys.handoff(handoff_id),
                keys.events,
                keys.agent_events(agent),
                keys.run(run),
                keys.trust(ramp_id(ramp)),
                keys.trusts,
                keys.handoff(review.id if review else handoff_id),
                keys.due,
                keys.agent_load(agent),
                keys.index,
                keys.ladder,
                keys.agent_grants(agent),
                keys.notices,
                keys.run(await self._root(run) if bad else run),
                keys.agent_asks(agent),
                keys.unreported,
                keys.acting,
                keys.brakes,
                keys.run_asks(run),
                *(keys.undelivered, keys.unknown, keys.leases),
            ),
            handoff_id,
            agent,
            report.status,
            report.claimant or "",
            pack_outcome(report),
            self._retention_ms,
            "bad" if bad else "",
            *(review_args(review) if review else ("", "", "", 0, "")),
            crowding.open,
            crowding.burst,
            crowding.within_ms,
        )
        word, *rest = reply(raw)
        if word == "recorded":
            gathered = (rest[1].decode(), int(rest[2])) if len(rest) > 2 else ("", 0)  # noqa: PLR2004  # as in `open`
            return OutcomeReply(word, when(rest[0]), "", *gathered)
        return OutcomeReply(word, text=rest[0].decode() if rest else "")

    async def is_owed(self, agent: str, tool: str) -> bool:
        """Was something of this tool of the agent's drawn in a sample lately, and nothing drawn claimed since?"""
        return bool(await self._pipe.call("HEXISTS", self._keys.drawn(agent), tool))

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids whose time is up at `now`, longest overdue first."""
        ids = await self._pipe.call("ZRANGE", self._keys.due, "-inf", ms_of(now), "BYSCORE", "LIMIT", 0, limit)
        return [i.decode() for i in ids]

    async def pending(self) -> int:
        """How many are pending."""
        return int(await self._pipe.call("ZCARD", self._keys.due))

    async def forget(self, handoff_id: str) -> None:
        """Drop the timer of a handoff that is gone."""
        await self._pipe.call("ZREM", self._keys.due, handoff_id)

    async def next_due(self) -> datetime | None:
        """When the next one is up."""
        first = await self._pipe.call("ZRANGE", self._keys.due, 0, 0, "WITHSCORES")
        return when(int(float(flat(first)[1]))) if first else None

    async def urgent(self, after: Place | None, limit: int) -> tuple[list[Handoff], Place | None]:
        """Pending handoffs, most urgent first, and where the next page starts; arguments as for `latest`."""
        return await self._page(merged([await self.urgent_places(after, limit)], limit, newest_first=False))

    async def latest(self, after: Place | None, limit: int) -> tuple[list[Handoff], Place | None]:
        """Handoffs by when they were opened, newest first, and where the next page starts.

        Args:
            after: Start after this place; None: at the beginning.
            limit: Read so many entries; those that are past their retention yield nothing.
        """
        return await self._page(merged([await self.latest_places(after, limit)], limit, newest_first=True))

    async def urgent_places(self, after: Place | None, limit: int) -> list[Place]:
        """Where those of `urgent` are listed; one more than `limit` where there are more."""
        return await places(self._pipe, self._keys.due, after, limit, newest_first=False)

    async def latest_places(self, after: Place | None, limit: int) -> list[Place]:
        """The same for those of `latest`."""
        return await places(self._pipe, self._keys.index, after, limit, newest_first=True)

    async def _page(self, page: tuple[list[Place], Place | None]) -> tuple[list[Handoff], Place | None]:
        return await self._load_all([handoff_id for _, handoff_id in page[0]]), page[1]

    async def told(self, limit: int) -> list[Handoff]:
        """What people were told of and not asked about, the latest first."""
        return await self._load_all(await self._pipe.call("ZREVRANGE", self._keys.told, 0, limit - 1))

    async def sweep(self, now: datetime) -> None:
        """Forget index entries whose handoffs are past every retention."""
        oldest = ms_of(now - timedelta(milliseconds=self._retention_ms) - timedelta(days=8))
        await self._pipe.call("ZREMRANGEBYSCORE", self._keys.index, "-inf", oldest)
        await self._pipe.call("ZREMRANGEBYSCORE", self._keys.acting, "-inf", oldest)

    async def _load_all(self, ids: Sequence[bytes | str]) -> list[Handoff]:
        texts = [i.decode() if isinstance(i, bytes) else i for i in ids]
        futures = [self._pipe.call("HGETALL", self._keys.handoff(i)) for i in texts]
        found = []
        for i, future in zip(texts, futures, strict=True):
            if handoff := _read(i, await future, None):
                found.append(handoff)
            await asyncio.sleep(0)  # a page of large asks takes a while to unpack: let others in between
        return found

    async def _root(self, run_id: str) -> str:
        """The run that this one comes from; itself where it has no parent."""
        root = await self._pipe.call("HGET", self._keys.run(run_id), "root")
        return root.decode() if root else run_id

    def _braking(self, handoff: Handoff) -> tuple[str, str]:
        return self._keys.brakes, self._keys.run(handoff.run)

    def _settling(self, handoff: Handoff) -> tuple[str, ...]:
        keys = self._keys
        return (
            keys.handoff(handoff.id),
            keys.due,
            keys.events,
            keys.agent_events(handoff.agent),
            keys.agent_load(handoff.agent),
            keys.trust(ramp_id(handoff.route.ramp)),
            keys.trusts,
        )


def _read(handoff_id: str, raw: Any, doc: Doc | None) -> Handoff | None:
    if not raw:
        return None
    found = flat(raw)
    fields = {found[i]: found[i + 1] for i in range(0, len(found), 2)}
    return read_handoff(handoff_id, fields, doc)


def review_args(review: NewHandoff) -> tuple[str, str, bytes, int, str]:
    """A review as the scripts read it."""
    route = review.doc.route
    return review.id, review.digest, pack_doc(review.doc), route.timeout_s * 1000, _ladder(route)


def _ladder(route: Route) -> str:
    """The ladder's steps as the scripts read them."""
    found = " ".join(f"{step.after_s * 1000}{step.kind[0]}" for step in steps(route))
    return f"{route.timeout_s * 1000}:{found}" if found else ""


def _settled(raw: Any) -> Settled:
    word, *rest = reply(raw)
    return Settled(word, when(rest[0]) if word == "won" else None, again=len(rest) > 1)


def _is_granted(decision: wire.Decision | None) -> bool:
    return decision is not None and decision.by.kind == "grant"
