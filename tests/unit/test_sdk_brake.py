"""Which pulls plainly hold a run: whoever knows by the event alone asks the service nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from andon import wire
from andon._brake import holds

STARTED = datetime(2026, 11, 22, 14, tzinfo=UTC)
RUN, PARENT, OTHER = (f"run_{letter * 22}" for letter in "abc")
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira")


def pulled(later_s: float = 60, **scope: Any) -> wire.Braked:
    at = STARTED + timedelta(seconds=later_s)
    return wire.Braked(action="stop", scope=wire.BrakeScope(**scope), by=MIRA, at=at, epoch=1)


def said(said_s: float, at_s: float, action: Any = "stop") -> wire.Braked:
    """Said and written so long after the run started."""
    said_at = STARTED + timedelta(seconds=said_s)
    return pulled(at_s, run=RUN).model_copy(update={"said_at": said_at, "action": action})


def run(parent: str | None = None, **place: str) -> wire.Run:
    """As an older service tells it, without what holds it."""
    conversation = wire.Place(**place) if place else None
    return wire.Run(id=RUN, agent="mailer", name="report", started_at=STARTED, parent=parent, conversation=conversation)


def told(*scopes: wire.BrakeScope) -> wire.Run:
    """As the service tells it: with all that holds it."""
    own = (wire.BrakeScope(run=RUN), wire.BrakeScope(agent="mailer"), wire.BrakeScope(everything=True))
    return run(PARENT).model_copy(update={"scopes": (*own, *scopes)})


HERE = {"surface": "slack", "channel": "C0OPS"}


@pytest.mark.parametrize(
    "scope",
    [{"run": RUN}, {"run": PARENT}, {"agent": "mailer"}, {"everything": True}, {"conversation": wire.Place(**HERE)}],
)
def test_its_own_scopes_and_its_parent_hold_it(scope: Any) -> None:
    bound = run(PARENT, **HERE, thread="17.4")
    assert holds(pulled(**scope), bound) is True
    assert holds(pulled(0, **scope), bound) is True
    assert holds(pulled(-1, **scope), bound) is None, "it started later: only the service knows"


@pytest.mark.parametrize(
    "scope",
    [
        {"run": OTHER},
        {"agent": "another"},
        {"conversation": wire.Place(surface="slack", channel="C0DEV")},
        {"conversation": wire.Place(surface="teams", channel="C0OPS")},
    ],
)
def test_others_scopes_do_not(scope: Any) -> None:
    assert holds(pulled(**scope), run(**HERE)) is False
    assert holds(pulled(**scope), run()) is False
    if "agent" in scope:
        assert holds(pulled(**scope), run(PARENT, **HERE)) is False
    else:
        assert holds(pulled(**scope), run(PARENT, **HERE)) is None, "it may hold what the parent comes from"


def test_a_run_that_began_after_the_words_and_before_their_coming_is_not_meant() -> None:
    """The store says so too, so nobody has to ask."""
    assert holds(said(-1, 1), run()) is False
    assert holds(said(0, 1), run()) is True
    assert holds(said(-2, 0), run()) is None, "it starts braked, unless that is off again: only the service knows"
    assert holds(said(-2, 0, "abort"), run()) is False, "an abort ends what ran, and not what starts later"


def test_what_holds_the_runs_it_comes_from_holds_it_however_deep() -> None:
    """A service that tells of them all need not be asked."""
    above, place = f"run_{'z' * 22}", wire.Place(**HERE, thread="17.4")
    child = told(wire.BrakeScope(run=above), wire.BrakeScope(conversation=wire.Place(**HERE)))
    assert holds(pulled(run=above), child) is True
    assert holds(pulled(conversation=place), child) is True
    assert holds(pulled(everything=True), child) is True
    assert holds(pulled(run=OTHER), child) is False
    assert holds(pulled(conversation=wire.Place(surface="slack", channel="C0DEV")), child) is False


@pytest.mark.parametrize("scope", [{"team": "ops"}, {"run": RUN, "of": "ops"}, {"agent": "mailer", "since": 7}])
def test_a_newer_service_s_brake_is_read_as_far_as_it_is_known(scope: Any) -> None:
    told_of = pulled(everything=True).model_dump(mode="json") | {"scope": scope, "colour": "red"}
    brake = wire.Braked.model_validate(told_of, context=wire.STORED)
    assert brake.scope.model_dump(exclude_none=True).items() <= scope.items()
    assert holds(brake, told()) is (None if "team" in scope else True), "what it does not know, only the service does"


def test_what_is_sent_is_refused_by_name_all_the_same() -> None:
    for scope in ({"team": "ops"}, {"run": RUN, "of": "ops"}, {}):
        with pytest.raises(ValidationError):
            wire.WideBrake.model_validate({"action": "stop", "scope": scope})
