"""Which pulls plainly hold a run: whoever knows by the event alone asks the service nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andon import wire
from andon._brake import holds

STARTED = datetime(2026, 11, 22, 14, tzinfo=UTC)
RUN, PARENT, OTHER = (f"run_{letter * 22}" for letter in "abc")
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira")


def pulled(later_s: float = 60, **scope: Any) -> wire.Braked:
    at = STARTED + timedelta(seconds=later_s)
    return wire.Braked(action="stop", scope=wire.BrakeScope(**scope), by=MIRA, at=at, epoch=1)


def run(parent: str | None = None, **place: str) -> wire.Run:
    conversation = wire.Place(**place) if place else None
    return wire.Run(id=RUN, agent="mailer", name="report", started_at=STARTED, parent=parent, conversation=conversation)


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
