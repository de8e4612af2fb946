"""Votes, counted: which stage it is, who said what, and what is still needed. Pure.

A yes or a no that does not decide yet is a vote. Votes are of one revision: an edit starts again with none.
"""

import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.altering import altered
from bot.handoff import Aside, Handoff, Route, Stage, Vote

_NUMBERS: Final = 90
_FIRST_NUMBER: Final = 10


@dataclass(frozen=True, slots=True)
class Count:
    """Where the votes have brought it."""

    stage: int
    """The one that decides now, counted from 1; the last one once all are done."""
    of: int
    quorum: int
    """So many must say yes in this stage."""
    yes: tuple[Vote, ...]
    """The yeses of this stage, the oldest first; those for other candidates among them."""
    no: tuple[Vote, ...]
    """The noes of the revision."""
    settled: str
    """The digest that earlier stages agreed on; empty: none yet."""
    agreed: tuple[Vote, ...]
    """The yeses to that digest, of all stages that are done."""
    is_done: bool
    """Every stage has its quorum."""

    @property
    def ahead(self) -> int:
        """How many of the yeses agree with each other: the most for one and the same thing."""
        digests = [vote.digest for vote in self.yes]
        return max((digests.count(digest) for digest in digests), default=0)

    @property
    def missing(self) -> int:
        """How many more people must say yes in this stage."""
        return 0 if self.is_done else self.quorum - self.ahead


def count(handoff: Handoff, *more: Vote) -> Count:
    """Count the votes of the current revision, and `more` as if they had been given."""
    votes = latest((*handoff.votes, *more))
    no = tuple(vote for vote in votes if vote.kind == "no")
    steps, settled = handoff.route.steps, ""
    agreed: tuple[Vote, ...] = ()
    yes: tuple[Vote, ...] = ()
    for number, step in enumerate(steps, start=1):
        yes = tuple(
            vote
            for vote in votes
            if vote.kind == "yes"
            and vote.stage == number
            and (not settled or vote.digest == settled)
            and gave(handoff, number, (vote.person, *vote.ids)) is None
        )
        reached = _reached(yes, step)
        if reached is None:
            return Count(number, len(steps), step.quorum, yes, no, settled, agreed, is_done=False)
        settled, agreed = reached, (*agreed, *(vote for vote in yes if vote.digest == reached))
    return Count(len(steps), len(steps), steps[-1].quorum, yes, no, settled, agreed, is_done=True)


def _reached(yes: Sequence[Vote], step: Stage) -> str | None:
    """The digest that first had as many yeses as the stage needs."""
    seen: list[str] = []
    for vote in yes:
        seen.append(vote.digest)
        if seen.count(vote.digest) >= step.quorum:
            return vote.digest
    return None


def decides(handoff: Handoff, vote: Vote) -> bool:
    """Does it end with this vote?"""
    after = count(handoff, vote)
    if vote.kind == "no":
        return not handoff.route.reject_quorum or len(after.no) >= after.quorum
    return after.is_done


def latest(votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """One vote of each person: their last, in the place of the last. Votes that share an id are one person's."""
    found: list[tuple[set[str], Vote]] = []
    for vote in votes:
        ids = {vote.person, *vote.ids}
        for each in [each for each in found if not ids.isdisjoint(each[0])]:
            found.remove(each)
            ids |= each[0]
        found.append((ids, vote))
    return tuple(vote for _, vote in found)


def terms(handoff: Handoff, stage: int | None = None) -> Route:
    """The route with those alone as `approvers` who may say yes in this stage, or (None) in the one that it is now.

    People of a rung may too, in the stage in which it was climbed. Where anybody may, that stays so. Whoever has
    somebody's place (`standing_in`) is none of these: the policy does not list them.
    """
    stage = stage or count(handoff).stage
    listed = handoff.route.steps[stage - 1].approvers
    if listed:
        rungs = enumerate(handoff.route.escalate[: handoff.rungs], start=1)
        climbed = (entry for number, rung in rungs if _climbed_in(handoff, number) == stage for entry in rung.approvers)
        listed = tuple(dict.fromkeys((*listed, *climbed)))
    return altered(handoff.route, approvers=listed, stages=())


def _climbed_in(handoff: Handoff, rung: int) -> int:
    """The stage that it then was; the first where nobody wrote it down."""
    return next((each.stage for each in handoff.asides if each.kind == "escalated" and each.rung == rung), 0) or 1


def handed_on(handoff: Handoff, stage: int | None = None) -> tuple[Aside, ...]:
    """Where people gave their place in this stage (None: the one that it is now) to somebody else, the oldest first.

    Everybody has one place to give, so what the same person handed on after that gives nothing. Nothing of this holds
    unless the policy lets it be handed on to anyone.
    """
    if handoff.route.reassign != "anyone":
        return ()
    return _handed_on(handoff, stage or count(handoff).stage)


def _handed_on(handoff: Handoff, stage: int) -> tuple[Aside, ...]:
    found: list[Aside] = []
    for aside in handoff.asides:
        is_first = all(set(aside.ids).isdisjoint(each.ids) for each in found)
        if aside.kind == "reassigned" and aside.stage == stage and aside.ids and is_first:
            found.append(aside)
    return tuple(found)


def gave(handoff: Handoff, stage: int, ids: Collection[str]) -> Aside | None:
    """Whether the person with these ids gave their place in this stage away: they may say no there, and not yes."""
    return next((each for each in handed_on(handoff, stage) if not set(each.ids).isdisjoint(ids)), None)


def standing_in(handoff: Handoff, stage: int | None = None) -> tuple[str, ...]:
    """Who answers in somebody's place in this stage, or (None) in the one that it is now."""
    return tuple(dict.fromkeys(each.to for each in handed_on(handoff, stage)))


def shown(handoff: Handoff) -> Route:
    """As `terms`, with those who answer in somebody's place: for people to read."""
    said = terms(handoff)
    return altered(said, approvers=(*said.approvers, *standing_in(handoff))) if said.approvers else said


def needs_votes(route: Route) -> bool:
    """Does it take more than one yes?"""
    return len(route.steps) > 1 or route.steps[0].quorum > 1


def number(handoff: Handoff) -> str:
    """The two digits that a yes must repeat; empty when it need not. Another revision has another number.

    Only `Route.draw`, which leaves the service with nothing, lets anybody work it out.
    """
    if not handoff.route.step_up:
        return ""
    text = f"number/v2\0{handoff.id}\0{handoff.revision}\0{handoff.digest}"
    drawn = int.from_bytes(hmac.digest(handoff.route.draw.encode(), text.encode(), "sha256")[:8])
    return str(_FIRST_NUMBER + drawn % _NUMBERS)
