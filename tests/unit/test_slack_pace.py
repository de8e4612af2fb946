"""Who is in no hurry leaves half of what Slack lets through to people who press and answer."""

import asyncio

import pytest

from adapters.slack.calls import Unreachable
from adapters.slack.memory import Memory
from adapters.slack.pace import Pace, background, patience_s


def test_who_is_in_no_hurry_may_use_half_of_a_minute() -> None:
    now = [0.0]
    pace = Pace(clock=lambda: now[0])

    with background():
        let_through = sum(pace.wait_s("T1", "users.conversations") == 0 for _ in range(60))
        wait_s = pace.wait_s("T1", "users.conversations")

    assert let_through == 25
    assert wait_s == 60
    assert pace.wait_s("T1", "users.conversations") == 0, "a press goes through"
    with background():
        assert pace.wait_s("T2", "users.conversations") == 0, "another workspace has its own budget"
        assert pace.wait_s("T1", "users.info") == 0, "another method too"
        assert pace.wait_s("T1", "views.publish") == 0, "nobody presses for this one"
        now[0] = 59.9
        assert pace.wait_s("T1", "users.conversations") == pytest.approx(0.1)
        now[0] = 60.1
        assert pace.wait_s("T1", "users.conversations") == 0


def test_presses_count_so_that_others_stay_away_from_them() -> None:
    pace = Pace(clock=lambda: 0.0)

    assert [pace.wait_s("T1", "users.conversations") for _ in range(100)] == [0.0] * 100

    with background():
        assert pace.wait_s("T1", "users.conversations") > 0


def test_patience_is_of_the_work_at_hand() -> None:
    assert patience_s() is None
    with background():
        first = patience_s()
        with background(patience_s=0):
            assert patience_s() == 0
        assert patience_s() == first
    assert patience_s() is None


async def test_a_press_does_not_wait_for_who_is_in_no_hurry() -> None:
    """Many who want the same ask once, unless the one who asked takes their time."""
    gates = [asyncio.Event(), asyncio.Event()]
    asked: list[str] = []

    async def ask(key: str) -> str:
        asked.append(key)
        number = len(asked)
        await gates[number - 1].wait()
        return f"answer {number}"

    memory = Memory(ask, life_s=60)
    with background():
        slow = asyncio.create_task(memory.get("a"))
        await asyncio.sleep(0.01)
    presses = [asyncio.create_task(memory.get("a")) for _ in range(3)]
    gates[1].set()

    assert await asyncio.gather(*presses) == ["answer 2"] * 3
    gates[0].set()
    assert await slow == "answer 1"
    assert await memory.get("a") == "answer 2"
    assert len(asked) == 2


async def test_a_no_is_remembered_for_a_moment_and_forgotten_when_something_changed() -> None:
    now, asked = [0.0], []

    async def ask(key: str) -> str:
        asked.append(key)
        raise Unreachable("nobody", code="user_not_found")

    memory = Memory(ask, life_s=60, is_no=lambda error: isinstance(error, Unreachable), clock=lambda: now[0])

    async def refused() -> None:
        with pytest.raises(Unreachable):
            await memory.get("a")

    for _ in range(3):
        await refused()
    assert len(asked) == 1
    now[0] = 15.1
    await refused()
    assert len(asked) == 2
    memory.forget(lambda key: key == "a")
    await refused()
    assert len(asked) == 3
