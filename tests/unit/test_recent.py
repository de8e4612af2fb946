"""What a process remembers of a handoff is never older than the last change it was told of; a hold comes and goes."""

from dataclasses import replace

import pytest

from bot.handoff import Change, State
from bot.hub import Recent
from tests.fakes.desk import EMAIL, handoff, stopped

WAITING, HELD = handoff(EMAIL), stopped()
AGAIN = replace(WAITING, stops=1)
DECIDED = replace(WAITING, state=State.DECIDED, stops=1)


def told(event: str, state: str, turn: int) -> Change:
    return Change("1-0", event, WAITING.id, WAITING.agent, WAITING.run, state, 1, str(turn))


HELD_NOW, RELEASED = told("held", "held", 1), told("released", "pending", 2)


@pytest.mark.parametrize(
    "changes, put, kept",
    [
        ([HELD_NOW], WAITING, False),
        ([HELD_NOW], HELD, True),
        ([HELD_NOW, RELEASED], HELD, False),
        ([HELD_NOW, RELEASED], AGAIN, True),
        ([HELD_NOW, RELEASED, told("held", "held", 3)], AGAIN, False),
        ([HELD_NOW, RELEASED], DECIDED, True),
        ([told("decided", "decided", 0)], HELD, False),
        ([told("decided", "decided", 0)], AGAIN, False),
    ],
)
def test_a_record_that_was_read_before_the_last_change_is_not_kept(
    changes: list[Change], put: object, *, kept: bool
) -> None:
    recent = Recent()
    for change in changes:
        recent.told(change)
    assert isinstance(put, type(WAITING))
    recent.put(put)
    assert (recent.get(WAITING.id) is put) is kept


@pytest.mark.parametrize("change", [HELD_NOW, RELEASED])
def test_a_hold_or_a_release_drops_what_was_known(change: Change) -> None:
    recent = Recent()
    recent.put(WAITING)
    recent.told(change)
    assert recent.get(WAITING.id) is None
