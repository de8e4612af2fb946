"""Answers that leave a handoff open: "ask somebody else", "ask the agent for more"; and the agent's reply.

None of them touches votes, revision or clock. What is refused is refused with a sentence for the person.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from andon import wire
from bot import tally
from bot.approvers import Known, conflict, identity, is_among, known_as, may_be_among
from bot.cards import too_late
from bot.errors import (
    AlreadyDecided,
    Fault,
    Gone,
    HandoffExpired,
    InvalidAnswer,
    NotAnApprover,
    StaleRevision,
    TooMany,
)
from bot.handoff import OPEN, Aside, Handoff, no_handoff
from bot.policy import Policy
from bot.runs import Runs
from bot.store import Store
from bot.store.messages import Word

_PERSON: Final = re.compile(
    r"[^@\s:/]+@[^@\s:/]+|slack:([TE][A-Z0-9]+/)?[UW][A-Z0-9]+|teams:[A-Za-z0-9:@._/-]+", re.ASCII
)
MANY: Final = {
    "reassigned": "so many people were asked besides already; answer it yourself, or tell one of them",
    "questioned": "the agent was asked so much about this already; reject it, and say what is missing",
    "replied": "this handoff has so many replies already; withdraw it and ask again, with all of it",
}

HandingAnswer = wire.Reassign | wire.AskAgent


class HandingOn:
    """Hands a handoff on, and asks its agent."""

    def __init__(self, store: Store, runs: Runs, *, people: Callable[[], Known]) -> None:
        """`people` are the policy's, as they are now."""
        self._store = store
        self._runs = runs
        self._people = people

    async def put(
        self, handoff: Handoff, answer: HandingAnswer, by: wire.Actor, answer_id: str, *, may_agree: bool
    ) -> Word:
        """Record it, once by `answer_id` (`won`); the caller has checked that this person may answer now.

        It is handed on to those who may answer anyway, and calls them; or, where the policy says so, to anyone, who
        then has the place of this person in this stage. `may_agree`: this person could say yes in it.

        A question is also left for the run, as words of this person, so that an agent which is at work between
        checkpoints meets it too.

        Raises:
            NotAnApprover: Not a person, or one who could not say yes and hands it on.
            StaleRevision: It was made for another revision.
            InvalidAnswer: It names nobody, somebody who was asked before or could not decide, or it is too much.
        """
        check_read(handoff, answer, by)
        if isinstance(answer, wire.Reassign):
            aside = self._handed(handoff, answer, by, answer_id, may_agree=may_agree)
        else:
            aside = Aside(_line_id(answer_id), "questioned", handoff.opened_at, by, text=answer.question)
        said = await self._store.ladder.put(handoff, aside)
        if said in {"twice", "many"}:
            field = "to" if isinstance(answer, wire.Reassign) else "question"
            msg = f"{aside.to} was asked before" if said == "twice" else MANY[aside.kind]
            raise InvalidAnswer(msg, faults=[Fault(field, msg)], handoff=handoff.id)
        if said in {"put", "again"} and isinstance(answer, wire.AskAgent):
            await self._runs.steer(handoff.run, _words(handoff, answer.question), by, steer_id=f"question:{aside.id}")
        match said:
            case "held" | "lost" | "late" | "gone":
                return said
        return "won"

    async def reply(self, handoff: Handoff, text: str, reply_id: str) -> None:
        """Put the agent's words below its card, once by `reply_id`.

        Raises:
            AlreadyDecided: It needs none any more.
            HandoffExpired: The time was up.
            Gone: There is no such handoff of this agent's.
            TooMany: It replied too often.
        """
        agent = wire.Actor(kind="agent", id=handoff.agent, name=handoff.agent)
        aside = Aside(_line_id(reply_id), "replied", handoff.opened_at, agent, text=text)
        said = await self._store.ladder.put(handoff, aside, by_agent=True)
        match said:
            case "many":
                raise TooMany(MANY["replied"], retry_after_s=3600)
            case "late":
                raise HandoffExpired("the time was up before this reply", handoff=handoff.id)
            case "gone":
                raise Gone(no_handoff(handoff.id), handoff=handoff.id)
            case "lost":
                now = await self._store.handoffs.load(handoff.id)
                assert now  # noqa: S101  # `lost` says that it is there
                assert now.decision  # noqa: S101  # and that it has ended
                raise AlreadyDecided(too_late(now.decision), handoff=handoff.id, decision=now.decision)

    def _handed(
        self, handoff: Handoff, answer: wire.Reassign, by: wire.Actor, answer_id: str, *, may_agree: bool
    ) -> Aside:
        """The line that hands it on.

        Raises:
            NotAnApprover: This person could not say yes, or has voted already, so nobody can in their place.
            InvalidAnswer: It names nobody, or nobody to whom this may be handed on.
        """
        known, counted = self._people(), tally.count(handoff)
        if handoff.state in OPEN:
            own = identity(by, known)
            if given := tally.gave(handoff, counted.stage, own):
                raise _refused(handoff, f"you asked {given.to} to answer in your place; only they can ask another")
            why = conflict(handoff, by, known)
            if why or not may_agree:
                why = why or f"stage {counted.stage} of {counted.of} is for {tally.shown(handoff).listed}"
                msg = f"{by.name}, {why}, so you may not ask somebody else to approve it. You may say no."
                raise NotAnApprover(msg, handoff=handoff.id)
        to = self._somebody(handoff, answer.to, by)
        stage = self._stage(handoff, counted.stage, to) if handoff.state in OPEN else 0
        if stage:
            self._check_unspent(handoff, stage, by)
        ids = tuple(sorted(identity(by, known))) if stage else ()
        line, note = _line_id(answer_id), answer.note or ""
        return Aside(line, "reassigned", handoff.opened_at, by, to=to, text=note, stage=stage, ids=ids)

    def _check_unspent(self, handoff: Handoff, stage: int, by: wire.Actor) -> None:
        """Whoever had their say in another stage has none to give in this one.

        Raises:
            NotAnApprover: They had.
        """
        person, holder = known_as(handoff.votes, by, self._people()), self.voted_for(handoff, by)
        voted = any(vote.person == person and vote.stage != stage for vote in handoff.votes)
        if voted or holder:
            has = "you have voted" if voted else f"{holder} has voted in your place"
            msg = f"{by.name}, {has} already, so you have no place left to give."
            raise NotAnApprover(msg, handoff=handoff.id)

    def voted_for(self, handoff: Handoff, by: wire.Actor) -> str:
        """Who has voted in the place of this person, in any stage; empty: nobody."""
        known = self._people()
        for vote in handoff.votes:
            holder = _holder(handoff, vote.stage, by, known)
            if holder and is_among([holder], vote.by, known):
                return holder
        return ""

    def _stage(self, handoff: Handoff, stage: int, to: str) -> int:
        """In which stage `to` gets a place; 0: in none, for they may answer anyway, as is checked when they do.

        Raises:
            InvalidAnswer: They may not, and the policy does not let it be handed on to them.
        """
        route, known = tally.terms(handoff, stage), self._people()
        if not route.approvers or may_be_among(route.approvers, _person(to), known):
            return 0
        if route.reassign == "anyone":
            if tally.gave(handoff, stage, identity(_person(to), known)):
                raise _refused(handoff, f"{to} asked somebody else in their own place; name another person")
            return stage
        if any(entry.startswith(("slack:S", "teams:", "on_call:")) for entry in route.approvers):
            return 0
        msg = f"policy {route.policy} lets only {route.listed} answer this, and {to} is none of them; ask one of those"
        raise _refused(handoff, msg)

    def _somebody(self, handoff: Handoff, to: str, by: wire.Actor) -> str:
        """Who is asked, as approvers are listed.

        Raises:
            InvalidAnswer: It is nobody, the person themselves, or somebody who could not decide it.
        """
        if not _PERSON.fullmatch(to):
            msg = f"{to!r} is no person; write an e-mail address, or an id such as slack:U024BE7LH"
            raise _refused(handoff, msg)
        entry = to.casefold() if "@" in to and ":" not in to else to
        known = self._people()
        if is_among([entry], by, known):
            raise _refused(handoff, "that is yourself; name somebody else")
        if why := conflict(handoff, _person(entry), known):
            about = why.replace("you ", "they ", 1)
            raise _refused(handoff, f"{entry} may not approve this, because {about}; name somebody else")
        return entry


def _holder(handoff: Handoff, stage: int, by: wire.Actor, known: Known) -> str:
    """Who has this person's place in a stage, from hand to hand; empty: they did not give it."""
    places, given = tally.handed_on(handoff, stage), tally.gave(handoff, stage, identity(by, known))
    for _ in places:
        after = next((each for each in places if given and each.by and is_among([given.to], each.by, known)), None)
        given = after or given
    return given.to if given else ""


def check_read(handoff: Handoff, answer: HandingAnswer, by: wire.Actor) -> None:
    """Whoever asks is a person, and has read what stands.

    Raises:
        NotAnApprover, StaleRevision: It is not so.
    """
    if by.kind != "person":
        msg = f"{by.kind} {by.id!r} cannot answer: an answer comes from a person (`keys create --person EMAIL`)"
        raise NotAnApprover(msg, handoff=handoff.id)
    if handoff.state in OPEN and (
        answer.revision != handoff.revision or (answer.digest is not None and answer.digest != handoff.digest)
    ):
        msg = f"you read revision {answer.revision}, and the card is at revision {handoff.revision} now; look again"
        raise StaleRevision(msg, handoff=handoff.id)


def known_people(policy: Policy) -> Known:
    """The policy's people as approvers are listed."""
    return {
        name: tuple(
            entry
            for entry in (
                (who.email or "").casefold(),
                f"slack:{who.slack}" if who.slack else "",
                f"teams:{who.teams}" if who.teams else "",
            )
            if entry
        )
        for name, who in policy.people.items()
    }


def _refused(handoff: Handoff, msg: str) -> InvalidAnswer:
    return InvalidAnswer(msg, faults=[Fault("to", msg)], handoff=handoff.id)


def _person(entry: str) -> wire.Actor:
    """Somebody of whom only this is known."""
    surface, colon, rest = entry.partition(":")
    if not colon:
        return wire.Actor(kind="person", id=entry, name=entry, surface="web", email=entry)
    return wire.Actor(kind="person", id=rest, name=entry, surface=surface)


def _line_id(answer_id: str) -> str:
    """An id of a line: whatever the answer's id is made of, this is hexadecimal."""
    return hashlib.sha256(answer_id.encode()).hexdigest()[:32]


def _words(handoff: Handoff, question: str) -> str:
    return f"About your ask {handoff.id} (gate {handoff.ask.gate}), which still waits for an answer: {question}"
