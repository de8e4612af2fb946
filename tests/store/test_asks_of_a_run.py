"""Which handoffs are a run's: the open ones and those that may be acted on always, the ended ones for a while."""

from unittest.mock import patch

from bot.history import asks_of
from bot.store import Store
from tests.store import asks
from tests.store.asks import RUN

OTHER = f"run_{'o' * 22}"


async def test_a_run_s_own_handoffs_are_found_whatever_they_are_and_no_others(store: Store) -> None:
    await asks.start_run(store)
    await asks.start_run(store, OTHER)
    waiting, held, allowed, ended = [await asks.opened(store) for _ in range(4)]
    other = asks.new_handoff(run=OTHER)
    assert (await store.handoffs.open(other, asks.NO_LIMITS)).word == "opened"
    assert (await store.handoffs.answer(allowed, asks.yes(allowed), answer_id="a")).word == "won"
    assert (await store.handoffs.answer(ended, asks.no(ended), answer_id="b")).word == "won"
    await asks.pull(store, "stop")
    async for _ in store.brakes.settle():
        pass
    found = await asks_of(store, RUN, limit=100)
    assert {each.id for each in found} == {waiting.id, held.id, allowed.id, ended.id}
    assert [each.opened_at for each in found] == sorted((each.opened_at for each in found), reverse=True)
    assert [each.id for each in await asks_of(store, OTHER, limit=100)] == [other.id]
    assert await asks_of(store, f"run_{'n' * 22}", limit=100) == []


async def test_what_is_open_or_allowed_is_found_behind_any_number_of_others(store: Store) -> None:
    """Of what has ended only the latest of all runs are looked through, many at a time."""
    first, allowed, ended = [await asks.opened(store) for _ in range(3)]
    await store.handoffs.answer(allowed, asks.yes(allowed), answer_id="a")
    await store.handoffs.answer(ended, asks.no(ended), answer_id="b")
    await asks.start_run(store, OTHER)
    for _ in range(5):
        assert (await store.handoffs.open(asks.new_handoff(run=OTHER), asks.NO_LIMITS)).word == "opened"
    with patch("bot.store.runs._LATELY", 2), patch("bot.store.runs._AT_ONCE", 3):
        assert set(await store.runs.asks(RUN)) == {first.id, allowed.id}
        assert len(await store.runs.asks(OTHER)) == 5


async def test_no_more_are_read_than_wanted_and_open_ones_come_first(store: Store) -> None:
    ended = [await asks.opened(store) for _ in range(3)]
    for number, each in enumerate(ended):
        await store.handoffs.answer(each, asks.no(each), answer_id=str(number))
    waiting = [await asks.opened(store) for _ in range(2)]
    assert {each.id for each in await asks_of(store, RUN, limit=2)} == {each.id for each in waiting}
    assert len(await asks_of(store, RUN, limit=4)) == 4
