"""Silence approves only where the store was there to hear a no, as far as this process saw."""

from datetime import datetime, timedelta

import pytest

from andon import wire
from bot.handoff import Route
from bot.health import LOOKED_AT, StoreHealth
from bot.silence import silence_verdict
from tests.fakes.desk import DRAFT, EMAIL, NOON, handoff

LONG_AGO = NOON - timedelta(days=1)
HOUR = timedelta(hours=1)
END = NOON + HOUR


def fault(*, since: datetime = LONG_AGO, trouble: datetime | None = None, unsafe: bool = False) -> str:
    """Of a handoff that was open from noon to one."""
    health = StoreHealth(since=since, trouble=lambda: trouble, unsafe=unsafe)
    return health.fault(NOON, END)


def test_nothing_happened_so_silence_counts() -> None:
    assert fault() == ""


@pytest.mark.parametrize(
    "trouble, counts",
    [
        (NOON, True),
        (END - LOOKED_AT - timedelta(milliseconds=1), True),
        (END - LOOKED_AT, False),
        (END, False),
        (END + HOUR, False),
    ],
)
def test_the_store_was_there_for_the_last_minute(trouble: datetime, counts: bool) -> None:
    assert (fault(trouble=trouble) == "") is counts


@pytest.mark.parametrize(
    "since, counts", [(NOON, True), (END - LOOKED_AT, True), (END - timedelta(seconds=59), False), (END + HOUR, False)]
)
def test_a_process_knows_nothing_of_the_time_before_it_started(since: datetime, counts: bool) -> None:
    """It cannot tell whether anybody tried to say no."""
    assert (fault(since=since) == "") is counts


def test_a_short_handoff_is_looked_at_from_its_beginning() -> None:
    health = StoreHealth(since=NOON - timedelta(seconds=1), trouble=lambda: NOON - timedelta(milliseconds=1))
    assert health.fault(NOON, NOON + timedelta(seconds=5)) == ""
    assert health.fault(NOON - timedelta(seconds=1), NOON + timedelta(seconds=5)) != ""


@pytest.mark.parametrize("seconds, counts", [(0, True), (2, True), (-2, True), (2.001, False), (-600, False)])
def test_clocks_that_are_apart_tell_nothing_of_what_came_before(seconds: float, counts: bool) -> None:
    """What went wrong is known by one of them, and the deadline by the other."""
    health = StoreHealth(since=LONG_AGO, trouble=lambda: None, apart=lambda: timedelta(seconds=seconds))
    assert (health.fault(NOON, END) == "") is counts


def test_an_unsafe_store_never_counts() -> None:
    assert "ANDON_UNSAFE_STORE" in fault(unsafe=True)


@pytest.mark.parametrize("ask", [EMAIL, DRAFT], ids=["before", "after"])
def test_a_fault_makes_a_plain_expiry(ask: dict[str, object]) -> None:
    route = Route(policy="v1/quick", timeout_s=60, on_timeout="approve", to=(wire.Place(surface="web"),))
    asked = handoff({**ask, "reversible": True, "on_timeout": "approve"}, route=route)
    assert isinstance(silence_verdict(asked, at=NOON).decision, wire.Approved)
    verdict = silence_verdict(asked, at=NOON, fault="the store was away shortly before the time was up")
    assert isinstance(verdict.decision, wire.Expired)
    assert (verdict.allowed, verdict.payload) == ("", "")
    said = verdict.decision.message_for_agent
    assert ("the store was away" in said) if ask is EMAIL else ("Undo it" in said)
