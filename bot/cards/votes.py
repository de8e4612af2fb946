"""What a card says of votes: whose turn it is, who said yes or no, who is still needed, who may not say yes."""

from collections.abc import Iterable, Sequence

from andon import wire
from bot import tally
from bot.cards.characters import visible
from bot.cards.sentences import several
from bot.handoff import OPEN, Handoff, Vote, choice_payload, digest_of, person_named

_ANYBODY = "any full member"
_NAME_CHARS = 60


def vote_lines(handoff: Handoff) -> tuple[str, ...]:
    """Sentences for the card, in order; none where one press of anybody who may answer decides."""
    if handoff.state not in OPEN:
        return ()
    counted = tally.count(handoff)
    lines = [*_done(counted), *_now(handoff, counted), *_after_that(handoff, counted), *_noes(handoff, counted)]
    lines += [*_unnamed(handoff), *_too_few(handoff, counted)]
    if handoff.route.not_requester and (conflicted := _conflicted(handoff)):
        lines.append(f"May say no, and not yes: {', '.join(conflicted)}.")
    unread = (visible(entry) for entry in handoff.unread.split())
    return (*lines, *(f"Nobody is let through by {entry} now: who that is cannot be told." for entry in unread))


def _done(counted: tally.Count) -> list[str]:
    """The stages that are over."""
    stages = {n: _names(each for each in counted.agreed if each.stage == n) for n in range(1, counted.stage)}
    return [f"Stage {n} of {counted.of} is done: {names} said yes." for n, names in stages.items()]


def _now(handoff: Handoff, counted: tally.Count) -> list[str]:
    """The stage that it is."""
    if counted.of == 1 and counted.quorum == 1:
        return []
    where = f"Stage {counted.stage} of {counted.of}: " if counted.of > 1 else ""
    listed = visible(tally.shown(handoff).listed) or _ANYBODY
    said = f"{where}{listed}, {counted.ahead} of {counted.quorum} said yes"
    digests = list(dict.fromkeys(vote.digest for vote in counted.yes))
    if len(digests) == 1:
        said += f": {_names(counted.yes)}"
    more = "One more person is" if counted.missing == 1 else f"{counted.missing} more people are"
    lines = [f"{_begun(said)}. {more} needed."]
    if len(digests) > 1 or (digests and not isinstance(handoff.ask, wire.Confirmation)):
        lines += [_candidate(handoff, digest, counted) for digest in digests]
        lines.append(f"What {counted.quorum} people agree on first is taken.")
    return lines


def _begun(sentence: str) -> str:
    """With a capital letter, unless it begins with an address."""
    return sentence if "@" in sentence.partition(" ")[0] else f"{sentence[:1].upper()}{sentence[1:]}"


def _after_that(handoff: Handoff, counted: tally.Count) -> list[str]:
    """The stages that come later."""
    steps = list(enumerate(handoff.route.steps, start=1))[counted.stage :]
    listed = ((n, step.quorum, visible(tally.terms(handoff, n).listed) or _ANYBODY) for n, step in steps)
    return [f"Then comes stage {n}: {f'{quorum} of ' if quorum > 1 else ''}{names}." for n, quorum, names in listed]


def _too_few(handoff: Handoff, counted: tally.Count) -> list[str]:
    """Stages in which fewer can say yes than must. Who is listed by several ids is counted by each of them."""
    lines = []
    for number, step in list(enumerate(handoff.route.steps, start=1))[counted.stage - 1 :]:
        entries = (*tally.terms(handoff, number).approvers, *tally.standing_in(handoff, number))
        if not step.approvers or any(_may_be_several(entry) for entry in entries):
            continue
        left = sum(not _is_kept_out(handoff, entry) for entry in entries)
        if left < step.quorum:
            who = f"of those who are listed only {left} can say yes, and {step.quorum} must."
            said = who if left else "nobody who is listed can say yes."
            lines.append(f"Stage {number}: {said}" if counted.of > 1 else _begun(said))
    return lines


def _may_be_several(entry: str) -> bool:
    """Is it a rota or a group, of any number of people?"""
    return entry.startswith(("on_call:", "teams:")) or (entry.startswith("slack:S") and "/" not in entry)


def _is_kept_out(handoff: Handoff, entry: str) -> bool:
    """Is it certain that whoever is listed so may not say yes?"""
    if entry == "requester":
        return True  # the run names nobody
    if not handoff.route.not_requester:
        return False
    kept_out = {person_named(handoff.requester or ""), handoff.owner.casefold()}
    if handoff.revisions:
        by = handoff.revisions[-1].by
        kept_out |= {(by.email or "").casefold(), by.id.casefold(), f"{by.surface}:{by.id}"}
        kept_out.add(f"{by.surface}:{by.id.rpartition('/')[2]}")
    return bool(entry) and (entry in kept_out or entry.casefold() in kept_out)


def _candidate(handoff: Handoff, digest: str, counted: tally.Count) -> str:
    names = [vote for vote in counted.yes if vote.digest == digest]
    return f"For {_label(handoff, digest)}: {len(names)} of {counted.quorum}, {_names(names)}."


def _label(handoff: Handoff, digest: str) -> str:
    """What people voted for, by its name."""
    candidates = handoff.ask.candidates if isinstance(handoff.ask, wire.Choice) else ()
    found = (each.label for each in candidates if digest_of(choice_payload(each)) == digest)
    return f"“{visible(next(found))}”" if candidates else "the same answer"


def _noes(handoff: Handoff, counted: tally.Count) -> list[str]:
    if not handoff.route.reject_quorum or (counted.quorum == 1 and not counted.no):
        return []
    said = f": {_names(counted.no)}" if counted.no else ""
    return [f"It takes {counted.quorum} to reject it; {len(counted.no)} said no{said}."]


def _conflicted(handoff: Handoff) -> Sequence[str]:
    return [
        *([f"{visible(handoff.requester)} (asked for it)"] if handoff.requester else []),
        *([f"{visible(handoff.owner)} (owns the agent)"] if handoff.owner else []),
        *([f"{visible(handoff.revisions[-1].by.name)} (changed it last)"] if handoff.revisions else []),
    ]


def _unnamed(handoff: Handoff) -> list[str]:
    """What does not work because the run names nobody by an address or an id."""
    if person_named(handoff.requester or ""):
        return []
    listed = any("requester" in step.approvers for step in handoff.route.steps)
    return [
        *(
            ["The requester cannot be asked: the run names nobody by an e-mail address or a Slack id."]
            if listed
            else []
        ),
        *(
            ["Nobody is named as requester, so that nobody is kept from saying yes for that."]
            * handoff.route.not_requester
        ),
    ]


def _names(votes: Iterable[Vote]) -> str:
    names = (" ".join(vote.by.name.split()) for vote in votes)
    return several(name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…" for name in names)
