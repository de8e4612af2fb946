"""The answering path: who answers, whether they may, and what their answer makes of the votes. Store first, then tell.

One yes may decide, or it is a vote among those that are needed; the last one needed decides in the same script as any
answer does, and only if no vote came after those that were counted.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from andon import wire
from bot import approvers, roll, tally, unknown
from bot.altering import altered
from bot.answers import Answering, read_answer, with_votes
from bot.cards import moment, too_late
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    DirectoryDown,
    Fault,
    Gone,
    HandoffExpired,
    HandoffHeld,
    InvalidAnswer,
    NotAnApprover,
    StaleRevision,
)
from bot.handing_on import HandingOn
from bot.handoff import OPEN, Handoff, Route, State, Vote, no_handoff
from bot.hub import Hub
from bot.metrics import Metrics
from bot.on_call import OnCall
from bot.opening import unopened
from bot.ports import Directory, Standing
from bot.rerouting import Rerouting
from bot.store import Settled, Store, Verdict, hashed
from bot.trust import note_end

_TRIES: Final = 50
"""Every try that fails means that somebody else's vote was taken: there are not more of them than that."""

_FIELDS: Final[Mapping[str, str]] = {"choose": "choice", "answer": "answer"}
"""Where an answer has what is agreed to."""


class Truth(Protocol):
    """What answering needs of the flow."""

    async def look(self, handoff_id: str) -> Handoff:
        """Read one handoff, from the store; raises `Gone`."""
        ...

    async def expire(self, handoff: Handoff) -> Handoff:
        """Let silence decide, if the time is up."""
        ...


class _Moved(Exception):
    """Votes came after those that were counted."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """Somebody who may answer: whether it is their turn to say yes, and as whom they vote."""

    is_theirs: bool
    person: str
    handed_to: str = ""
    """Whom they asked to answer in their place."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One answer: whose, to what, as it then stood."""

    handoff: Handoff
    answer: wire.Deciding
    by: wire.Actor
    answer_id: str
    turn: _Turn
    standing: Standing

    @property
    def vote_id(self) -> str:
        return hashed(self.answer_id)


class Voting:
    """Takes answers."""

    def __init__(
        self,
        truth: Truth,
        store: Store,
        hub: Hub,
        *,
        metrics: Metrics,
        directories: Mapping[str, Directory],
        on_call: OnCall,
        handing_on: HandingOn,
        rerouting: Rerouting,
        people: Callable[[], approvers.Known],
        clock: Callable[[], datetime],
    ) -> None:
        """`directories` tell who is in their groups, and `people` is what the policy knows of people now."""
        self._truth = truth
        self._store = store
        self._hub = hub
        self._metrics = metrics
        self._directories = directories
        self._on_call = on_call
        self._handing_on = handing_on
        self._rerouting = rerouting
        self._people = people
        self._clock = clock

    async def answer(
        self, handoff_id: str, answer: wire.Answer, by: wire.Actor, *, answer_id: str | None, standing: Standing
    ) -> Handoff:
        """Record a person's answer; see `bot.ports.Desk.answer`."""
        answer_id = answer_id or secrets.token_urlsafe(16)
        recent = self._hub.recent.get(handoff_id)
        if recent and recent.route.reassign == "listed":  # who gave their place away is read from the store
            with contextlib.suppress(
                *(AlreadyDecided, StaleRevision, HandoffExpired, HandoffHeld, AlreadyVoted, NotAnApprover, _Moved)
            ):
                return await self._try(recent, answer, by, answer_id, standing)
        for _ in range(_TRIES):
            handoff = await self._store.handoffs.load(handoff_id)
            if handoff is None:
                raise Gone(no_handoff(handoff_id), handoff=handoff_id)
            with contextlib.suppress(_Moved):
                return await self._try(handoff, answer, by, answer_id, standing)
        msg = "others answer this at the same moment; look at it again, then answer"
        raise StaleRevision(msg, handoff=handoff_id)

    async def _try(
        self, handoff: Handoff, answer: wire.Answer, by: wire.Actor, answer_id: str, standing: Standing
    ) -> Handoff:
        if answer_id == handoff.last_edit or any(vote.id == hashed(answer_id) for vote in handoff.votes):
            return handoff  # it came before, and its reply was lost
        turn = await self._turn(handoff, by, standing)
        if isinstance(answer, wire.Reassign | wire.AskAgent):
            settled = Settled(await self._handing_on.put(handoff, answer, by, answer_id, may_agree=turn.is_theirs))
            if settled.word == "won":
                return await self._truth.look(handoff.id)
            await self._lost(handoff, settled)
            raise already_decided(await self._truth.look(handoff.id))
        made = read_answer(handoff, answer, by, at=self._clock(), beside=tally.latest(handoff.votes))
        made = await self._granting(handoff, made, by, standing)
        if made.revisions and handoff.state in OPEN:
            made = replace(made, risk=await self._rerouting.check(handoff, made.revisions[-1].args))
        case = _Case(handoff, answer, by, answer_id, turn, standing)
        vote: Vote | None = None
        if handoff.state in OPEN:
            made, vote = await self._counted(case, made)
        with self._hub.deciding(handoff.id):
            settled = await self._write(case, made, vote)
            if settled.word == "won":
                return await self._told(case, made, settled, vote)
        await self._lost(handoff, settled)
        raise already_decided(await self._truth.look(handoff.id))

    async def _lost(self, handoff: Handoff, settled: Settled) -> None:
        """Raise why nothing was recorded; return when another decision stands."""
        match settled.word:
            case "moved":
                raise _Moved
            case "held":
                msg = "the brake is on: nothing can be decided until somebody resumes it"
                raise HandoffHeld(msg, handoff=handoff.id)
            case "stale":
                msg = "the card has changed since you read it; look at it again, then answer"
                raise StaleRevision(msg, handoff=handoff.id)
            case "late":
                await self._truth.expire(handoff)
                msg = f"the time was up at {handoff.expires_at:%H:%M:%S} UTC, so this answer changed nothing"
                raise HandoffExpired(msg, handoff=handoff.id)
            case "gone":
                raise Gone(no_handoff(handoff.id), handoff=handoff.id)

    # --- may they? ---

    async def may_answer(self, handoff: Handoff, by: wire.Actor, *, standing: Standing = "member") -> None:
        """May this person answer now, if only with a no?

        Raises:
            NotAnApprover: No, or the only group that could let them through cannot be read.
        """
        await self._turn(handoff, by, standing)

    def conflict(self, handoff: Handoff, by: wire.Actor) -> str:
        """Why they may say no and not yes; empty: nothing of that kind. Nothing is looked up."""
        return approvers.conflict(handoff, by, self._people())

    async def may_give(self, handoff: Handoff, by: wire.Actor, *, standing: Standing) -> bool:
        """Could this person alone, by the policy's own lists, say yes to this now? What nobody can tell is a no."""
        fresh = altered(handoff, state=State.DECIDED, votes=(), added=(), rungs=0, asides=())  # no doubt is noted on it
        if tally.needs_votes(fresh.route) or approvers.conflict(fresh, by, self._people()):
            return False
        return await self._refusal(fresh, 1, by, standing) is None

    async def may_resume(self, route: Route, by: wire.Actor, *, standing: Standing) -> str:
        """Why somebody is not among the approvers of this route; empty: they are."""
        question = wire.Input.model_construct(gate="brake", run="", question="May it go on?")
        return await self._refusal(unopened(question, route, at=self._clock()), 1, by, standing) or ""

    async def _granting(self, handoff: Handoff, made: Answering, by: wire.Actor, standing: Standing) -> Answering:
        """A yes that gives a grant: that is for those whom the policy lists, and not for who was asked besides.

        Raises:
            NotAnApprover: This person may say yes once, and no more.
        """
        verdict = made.verdict
        if verdict is None or verdict.grant is None or handoff.state not in OPEN:
            return made
        if not await self.may_give(handoff, by, standing=standing):
            msg = f"{by.name}, the policy does not list you, so you may not give a grant; approve without it."
            raise NotAnApprover(msg, handoff=handoff.id)
        return replace(made, verdict=replace(verdict, grant=replace(verdict.grant, standing=standing)))

    async def _turn(self, handoff: Handoff, by: wire.Actor, standing: Standing) -> _Turn:
        """Whose turn it is. Whoever could say yes in an earlier stage may still say no.

        Raises:
            NotAnApprover: They may not answer at all.
        """
        people = self._people()
        person = approvers.known_as(handoff.votes, by, people)
        stage = tally.count(handoff).stage
        refused = await self._refusal(handoff, stage, by, standing)
        if refused is None:
            given = tally.gave(handoff, stage, approvers.identity(by, people))
            return _Turn(is_theirs=given is None, person=person, handed_to=given.to if given else "")
        for earlier in range(1, stage):
            if await self._refusal(handoff, earlier, by, standing) is None:
                return _Turn(is_theirs=False, person=person)
        of = len(handoff.route.steps)
        for later in range(stage + 1, of + 1):
            if approvers.is_listed(tally.terms(handoff, later), by, people):
                listed = tally.terms(handoff, stage).listed
                refused = f"{by.name}, your turn is stage {later} of {of}. First comes stage {stage}: {listed}."
        raise NotAnApprover(refused, handoff=handoff.id)

    async def _refusal(self, handoff: Handoff, stage: int, by: wire.Actor, standing: Standing) -> str | None:
        """Why they may not answer in this stage; None when they may. What a list does not tell is a no."""
        people, route = self._people(), tally.terms(handoff, stage)
        if approvers.is_listed(route, by, people, standing=standing):
            return None
        stands_in = standing not in {"guest", "external"} and tally.standing_in(handoff, stage)
        if stands_in and approvers.is_among(stands_in, by, people):
            return None
        belongs_to: list[str] = []
        known: set[str] = set()
        unread: dict[str, str] = {}
        for rota in approvers.rotas(route):
            try:
                listed = await self._on_call.people(rota)
                known.add(f"on_call:{rota}")
                if approvers.is_among(listed, by, people):
                    belongs_to.append(f"on_call:{rota}")
                    break
            except DirectoryDown as error:
                unread[f"on_call:{rota}"] = error.detail
        directory = self._directories.get(by.surface or "")
        if directory and not belongs_to and standing in {"member", "outside"}:
            found = await roll.read(directory, by, approvers.groups(route, by.surface))
            belongs_to += found.within
            known |= {f"{by.surface}:{group}" for group in found.known}
            unread |= {f"{by.surface}:{group}": why for group, why in found.unread.items()}
        await self._note(handoff, set(unread), known)
        refused = approvers.refusal(route, by, standing, belongs_to, people)
        if refused and unread:
            why = "; ".join(f"{entry}: {detail.rstrip('.')}" for entry, detail in unread.items())
            return f"{by.name}, nobody can tell now whether you may answer, so you may not yet. {why}."
        return refused

    async def _note(self, handoff: Handoff, unread: set[str], known: set[str]) -> None:
        """Let the card say which lists let nobody through, and take it back once they can be read."""
        before = set(handoff.unread.split())
        after = (before | unread) - known
        if handoff.state is State.PENDING and after != before:
            await self._store.handoffs.doubt(handoff, " ".join(sorted(after)))

    # --- what it makes ---

    async def _counted(self, case: _Case, made: Answering) -> tuple[Answering, Vote | None]:
        """What the answer makes with the votes there are: a decision, a vote, or a revision and perhaps a vote.

        Raises:
            AlreadyVoted: Theirs stands.
            NotAnApprover: It is not their turn, or not for them to agree to.
            InvalidAnswer: The policy wants more than a press.
        """
        handoff, by = case.handoff, case.by
        is_edit, is_no = bool(made.revisions), case.answer.kind == "reject"
        self._check_place(case, is_edit=is_edit, is_no=is_no)
        conflict = self.conflict(handoff, by)
        if made.verdict is None:
            return made, None
        if not is_no:
            await self._stepped_up(case)
        if is_edit:
            edited, vote = self._edited(case, made, may_vote=not handoff.route.not_requester)
            if edited.verdict or vote:
                await self._check_ladder(case, made.revisions)
            return edited, vote
        if conflict and not is_no:
            msg = f"{by.name}, {conflict}, so another person must say yes. You may say no."
            raise NotAnApprover(msg, handoff=handoff.id)
        if not is_no:
            await self._check_ladder(case, handoff.revisions)
        counted = tally.count(handoff)
        vote = self._vote(case, made.verdict, handoff.revision, counted.stage)
        if not is_no and counted.settled not in {"", vote.digest}:
            msg = "an earlier stage settled on another one; agree to that, or reject it"
            raise InvalidAnswer(msg, faults=[Fault(_FIELDS.get(case.answer.kind, ""), msg)], handoff=handoff.id)
        if tally.decides(handoff, vote):
            return replace(made, verdict=with_votes(handoff, made.verdict, vote)), None
        return made, vote

    def _check_place(self, case: _Case, *, is_edit: bool, is_no: bool) -> None:
        """A yes, and an edit, is for whoever has a place in this stage and has voted in no other.

        Raises:
            AlreadyVoted: Theirs stands.
            NotAnApprover: They have none.
        """
        handoff, by = case.handoff, case.by
        if case.turn.handed_to and not is_no:
            msg = f"{by.name}, you asked {case.turn.handed_to} to answer in your place. You may still say no."
            raise NotAnApprover(msg, handoff=handoff.id)
        if not is_edit:
            self._not_twice(case)
        if is_no:
            return
        counted = tally.count(handoff)
        if not is_edit and (holder := self._handing_on.voted_for(handoff, by)):
            msg = f"{by.name}, {holder} has voted in your place already. You may still say no."
            raise NotAnApprover(msg, handoff=handoff.id)
        if not case.turn.is_theirs:
            listed = tally.shown(handoff).listed
            msg = f"{by.name}, stage {counted.stage} of {counted.of} is for {listed}. You may still say no."
            raise NotAnApprover(msg, handoff=handoff.id)

    async def _check_ladder(self, case: _Case, revisions: tuple[wire.Revision, ...]) -> None:
        """Whom only the ladder lets answer says yes to changed arguments if the policy would ask them about these.

        Raises:
            NotAnApprover: It would ask others.
            InvalidAnswer: It refuses these arguments by now.
        """
        handoff, by = case.handoff, case.by
        if not revisions or not handoff.rungs:
            return
        stage, below = tally.count(handoff).stage, altered(handoff, rungs=0, state=State.DECIDED)  # no doubt is noted
        if await self._refusal(below, stage, by, case.standing) is None:
            return
        terms = await self._rerouting.terms(handoff, revisions[-1].args, stage)
        if terms and await self._refusal(altered(below, route=terms, asides=()), 1, by, case.standing) is not None:
            msg = f"{by.name}, policy {terms.policy} asks only {terms.listed} about these arguments. You may say no."
            raise NotAnApprover(msg, handoff=handoff.id)

    def _edited(self, case: _Case, made: Answering, *, may_vote: bool) -> tuple[Answering, Vote | None]:
        """A changed action that its editor agrees to: that is a vote, where who edits may approve."""
        handoff, verdict = case.handoff, made.verdict
        assert verdict  # noqa: S101  # the caller looked
        fresh = altered(handoff, votes=(), revision=handoff.revision + 1, digest=made.digest)
        if not may_vote or tally.count(handoff).stage > 1:
            return replace(made, verdict=None), None
        vote = self._vote(case, verdict, fresh.revision, 1)
        if tally.decides(fresh, vote):
            return made, None
        return replace(made, verdict=None), vote

    def _vote(self, case: _Case, verdict: Verdict, revision: int, stage: int) -> Vote:
        kind = "no" if isinstance(verdict.decision, wire.Rejected) else "yes"
        reason = getattr(verdict.decision, "reason", None)
        return Vote(
            case.turn.person,
            case.by,
            verdict.decision.at,
            revision,
            stage,
            kind,
            digest=verdict.allowed,
            reason=reason,
            id=case.vote_id,
            ids=tuple(sorted(approvers.identity(case.by, self._people()))),
        )

    def _not_twice(self, case: _Case) -> None:
        """One vote of each person on a revision, which may only turn from yes to no.

        Raises:
            AlreadyVoted: With what is still missing.
        """
        handoff, by = case.handoff, case.by
        mine = next((vote for vote in tally.latest(handoff.votes) if vote.person == case.turn.person), None)
        if mine is None or (mine.kind == "yes" and case.answer.kind == "reject"):
            return
        when = moment(mine.at)
        if mine.kind == "no":
            what = "said no" if case.answer.kind == "reject" else "said no, which a yes does not take back,"
            msg = f"{by.name}, you {what} at {when}. Your no stands."
        else:
            missing = tally.count(handoff).missing
            needed = "one more person is" if missing == 1 else f"{missing} more people are"
            msg = f"{by.name}, you said yes already at {when}; {needed} needed."
        raise AlreadyVoted(msg, handoff=handoff.id)

    async def _stepped_up(self, case: _Case) -> None:
        """A yes to what the policy calls risky repeats the card's number, and comes from the whole of it.

        Raises:
            InvalidAnswer: It does not.
        """
        handoff, answer = case.handoff, case.answer
        expected = tally.number(handoff)
        if not expected or isinstance(answer, wire.Reject | wire.Reassign | wire.AskAgent):
            return
        if handoff.route.step_up == "critical" and answer.seen != "full":
            msg = "this is critical: open all of it before you agree (`seen`: `full`)"
            raise InvalidAnswer(msg, faults=[Fault("seen", msg)], handoff=handoff.id)
        given = (answer.code or "").strip()
        if not given:
            msg = "type the two digits that the card shows"
            raise InvalidAnswer(msg, faults=[Fault("code", msg)], handoff=handoff.id)
        word, number = await self._store.handoffs.try_code(handoff, case.turn.person, right=given == expected)
        if word == "wait":
            seconds = -(-number // 1000)
            msg = f"three wrong numbers: wait {seconds} s, look at the card again, then type its number"
            raise InvalidAnswer(msg, faults=[Fault("code", msg)], handoff=handoff.id)
        if word == "wrong":
            left = {0: "wait a minute before the next try", 1: "one more try"}.get(number, f"{number} more tries")
            msg = f"that is not the card's number; {left}"
            raise InvalidAnswer(msg, faults=[Fault("code", msg)], handoff=handoff.id)

    # --- write it ---

    async def _write(self, case: _Case, made: Answering, vote: Vote | None) -> Settled:
        handoffs, handoff, answer_id = self._store.handoffs, case.handoff, case.answer_id
        if made.verdict is None:
            return await handoffs.revise(
                handoff,
                answer_id=answer_id,
                digest=made.digest,
                revisions=made.revisions,
                vote=vote,
                risk=made.risk,
            )
        if vote:
            return await handoffs.vote(handoff, vote)
        if handoff.settles:
            return await unknown.rule(self._store, handoff, made.verdict.decision, answer_id)
        return await handoffs.answer(
            handoff, made.verdict, answer_id=answer_id, digest=made.digest, revisions=made.revisions, risk=made.risk
        )

    async def _told(self, case: _Case, made: Answering, settled: Settled, vote: Vote | None) -> Handoff:
        handoff = case.handoff
        if made.verdict is None or settled.again:
            handoff = await self._truth.look(handoff.id)  # a revision, or what a first answer under this id decided
        elif vote:
            counted = replace(vote, at=settled.at or vote.at)
            handoff = altered(handoff, votes=(*handoff.votes, counted))
            self._hub.recent.put(handoff)  # no agent waits for a vote
            return handoff
        else:
            decision = made.verdict.decision.model_copy(update={"at": settled.at})
            if decision.votes:
                last = decision.votes[-1].model_copy(update={"at": settled.at})
                decision = decision.model_copy(update={"votes": (*decision.votes[:-1], last)})
            handoff = altered(
                handoff,
                state=State.DECIDED,
                decision=decision,
                revision=decision.revision,
                digest=made.digest or handoff.digest,
                payload=made.verdict.payload if made.digest else handoff.payload,
                revisions=made.revisions or handoff.revisions,
                votes=() if made.digest else handoff.votes,
                route=altered(handoff.route, risk=made.risk) if made.risk else handoff.route,
                scored=decision.revision if made.risk else handoff.scored,
            )
            self._metrics.decided(handoff)
            note_end(handoff, made.verdict.decision.kind)
        self._hub.wake(handoff)
        await asyncio.sleep(0)  # the agent has waited longer: its answer is written before the person's
        return handoff


def already_decided(handoff: Handoff) -> AlreadyDecided:
    """The error that tells whose decision stands, and since when."""
    assert handoff.decision  # noqa: S101  # it lost to one
    return AlreadyDecided(too_late(handoff.decision), handoff=handoff.id, decision=handoff.decision)
