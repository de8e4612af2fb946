"""A run as people see it, and the brakes that are on, for a list or a page. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards.brakes import scope_in_words
from bot.cards.characters import visible
from bot.cards.rows import Prose, prose
from bot.cards.sentences import moment
from bot.cards.summaries import Lamp
from bot.handoff import Handoff

_CHARS: Final = 300
_DID: Final[Mapping[str, str]] = {"pause": "Paused", "steer": "Told something", "stop": "Stopped", "abort": "Ended"}
_WEAKEST_FIRST: Final = ("pause", "steer", "stop", "abort")


@dataclass(frozen=True, slots=True)
class BrakeLine:
    """A brake that is on."""

    action: str
    did: str
    holds: str
    """What it holds, e.g. `everything`, `all that mailer does`, `the run weekly-report of mailer`."""
    run: str
    """Id of the run that it is about; empty: it is about more than one, or that run is gone."""
    words: Prose
    """Why; of a steer, the words for the agent."""
    by: str
    at: datetime
    epoch: int
    scope: str
    """As a form sends it back, JSON."""


@dataclass(frozen=True, slots=True)
class Flight:
    """An action that was claimed and not reported yet: no stop can recall it."""

    handoff: str
    what: Prose
    claimant: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment."""

    id: str
    name: str
    agent: str
    requester: str
    place: str
    """Its conversation; empty: none."""
    parent: str
    labels: tuple[tuple[str, str], ...]
    started_at: datetime
    checkpoint: int
    state: str
    lamp: Lamp
    headline: str
    brakes: tuple[BrakeLine, ...]
    """What holds it, or ended it, the strongest first."""
    lost: str
    """That it is lost, since when, and what that means; empty: it is not."""
    lost_since: datetime | None
    own: BrakeLine | None
    """The one of them that is this very run's, and can be lifted on its page."""
    can_stop: bool
    can_pause: bool
    can_go_on: bool
    """It has not ended: people may tell its agent something, or end it."""

    @property
    def others(self) -> tuple[BrakeLine, ...]:
        """What holds it beside its own brake: it is lifted elsewhere."""
        return tuple(each for each in self.brakes if each.run != self.id and each.action != "abort")


def brake_line(brake: wire.Braked, run: wire.Run | None = None, *, here: str = "") -> BrakeLine:
    """A brake that is on; `run` is the one that it names, and `here` the id of the run whose page this is."""
    named = brake.scope.run or ""
    holds = scope_in_words(brake.scope)
    if brake.scope.conversation is not None:
        holds = f"every run in {place_in_words(brake.scope.conversation)}"
    elif brake.scope.everything is not None:
        holds = "everything"
    elif named and named != here:
        holds = f"the run {_short(run.name)} of {visible(run.agent)}" if run else "a run that is gone"
    return BrakeLine(
        action=brake.action,
        did=_DID[brake.action],
        holds=holds,
        run=named if run or named == here else "",
        words=prose(" ".join((brake.text or "").split()), _CHARS),
        by=visible(brake.by.name),
        at=brake.at,
        epoch=brake.epoch,
        scope=brake.scope.model_dump_json(exclude_none=True),
    )


def run_view(
    run: wire.Run, standing: Collection[wire.Braked] = (), parents: Mapping[str, wire.Run | None] | None = None
) -> RunView:
    """A run; `standing` are all brakes that are on, and `parents` the runs that some of them name."""
    found = {each.epoch: each for each in standing if run.brake and run.brake.action != "abort" and _holds(each, run)}
    found |= {run.brake.epoch: run.brake} if run.brake else {}
    strongest = sorted(found.values(), key=lambda each: (_WEAKEST_FIRST.index(each.action), each.epoch), reverse=True)
    lines = tuple(brake_line(each, (parents or {}).get(each.scope.run or ""), here=run.id) for each in strongest)
    own = next((line for line in lines if line.run == run.id and line.action != "abort"), None)
    headline = f"On hold: {lines[0].did.lower()}" if run.state == "held" else lines[0].did if lines else "Not held"
    lost = run.lost_since is not None
    return RunView(
        id=run.id,
        name=_short(run.name),
        agent=visible(run.agent),
        requester=_short(run.requester or ""),
        place=place_in_words(run.conversation) if run.conversation else "",
        parent=run.parent or "",
        labels=tuple((_short(name), _short(value)) for name, value in run.labels.items()),
        started_at=run.started_at,
        checkpoint=run.checkpoint,
        state=run.state,
        lamp="alarm" if lost else {"held": "held", "aborted": "stop"}.get(run.state, "go"),  # type: ignore[arg-type]  # some of the lamps
        headline=" · ".join(filter(None, ("Lost" if lost else "", headline if lines or not lost else ""))),
        brakes=lines,
        lost=lost_in_words(run.lost_since),
        lost_since=run.lost_since,
        own=own,
        can_stop=run.state != "aborted" and (own is None or own.action != "stop"),
        can_pause=run.state == "running",
        can_go_on=run.state != "aborted",
    )


def named_runs(brakes: Collection[wire.Braked]) -> tuple[str, ...]:
    """The runs that brakes name: whoever shows them reads these first."""
    return tuple(dict.fromkeys(each.scope.run for each in brakes if each.scope.run))


def flights(handoffs: Sequence[Handoff]) -> tuple[Flight, ...]:
    """Those of a run's handoffs that were claimed and not reported yet, the oldest claim first."""
    flying = [(each.claim, each) for each in handoffs if each.claim and each.is_in_flight]
    return tuple(
        Flight(
            each.id,
            prose(each.ask.what if isinstance(each.ask, wire.Confirmation) else each.ask.question, _CHARS),
            visible(claim.claimant),
            claim.at,
        )
        for claim, each in sorted(flying, key=lambda flight: flight[0].at)
    )


def flight(each: wire.InFlight) -> Flight:
    """The same, as a receipt tells it."""
    return Flight(each.handoff, prose(each.what, _CHARS), visible(each.claimant), each.claimed_at)


def lost_in_words(since: datetime | None) -> str:
    """That a run broke its promise of signs of life; empty: it did not."""
    return f"Lost since {moment(since)}: nothing was heard of its agent since then." if since else ""


def place_in_words(place: wire.Place) -> str:
    """A conversation in a few words: `#ops in slack`."""
    where = place.channel or place.person
    return f"{_short(where)} in {place.surface}" if where else f"the inbox of {place.surface}"


def _holds(brake: wire.Braked, run: wire.Run) -> bool:
    """Is it a brake of this run, by what the run itself tells? Its parents' are not among them."""
    scope, place = brake.scope, run.conversation
    if scope.conversation is not None:
        at = scope.conversation
        return place is not None and (at.surface, at.channel) == (place.surface, place.channel)
    return scope.everything is not None or scope.run == run.id or scope.agent == run.agent


def _short(text: str) -> str:
    line = " ".join(text.split())
    return visible(line if len(line) <= _CHARS else f"{line[: _CHARS - 1]}…")
