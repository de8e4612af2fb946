"""Which handoffs are a run's: each run has an index of its own, and those of before it are found all the same."""

from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from andon import wire
from bot.handoff import Handoff
from bot.history import asks_of
from bot.store import Store, handoffs
from bot.store.records import ms_of
from tests.store import asks
from tests.store.asks import AGENT, NO_LIMITS, RUN

OTHER, CHILD, GRANDCHILD = (f"run_{letter * 22}{asks.MARK}" for letter in "ocg")


async def opened(store: Store, run: str = RUN, **more: Any) -> Handoff:
    new = asks.new_handoff(run=run, **more)
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await asks.look(store, new.id)


async def start(store: Store, run: str, parent: str | None = None) -> None:
    word, _ = await store.runs.start(run, AGENT, wire.RunStart(name="weekly", parent=parent), "f", NO_LIMITS)
    assert word == "started"


async def family(store: Store) -> dict[str, Handoff]:
    """Three runs, each started by the one before, and another one; an ask of each."""
    await start(store, RUN)
    await start(store, CHILD, RUN)
    await start(store, GRANDCHILD, CHILD)
    await start(store, OTHER)
    return {run: await opened(store, run) for run in (RUN, CHILD, GRANDCHILD, OTHER)}


async def met(store: Store, run: str) -> set[str]:
    """What a sweep of this run's brake meets."""
    return {each.id async for each in store.brakes.settle(wire.BrakeScope(run=run))}


class Commands:
    """The commands that reach Redis by themselves, and not in a script."""

    def __init__(self, store: Store) -> None:
        self.keys: list[str] = []
        self._call = store._pipe.call

    def __call__(self, *command: Any) -> Awaitable[Any]:
        self.keys += [str(part) for part in command[1:]]
        return self._call(*command)


@pytest.fixture
def commands(store: Store) -> Iterator[Commands]:
    noted = Commands(store)
    with patch.object(store._pipe, "call", noted):
        yield noted


async def as_before(store: Store, *runs: str) -> None:
    """As the previous version left them: no index, no list of child runs, and nothing that says there should be."""
    for run in runs:
        await store._pipe.call("HSET", asks.own(store).keys.run(run), "v", "1")
        await store._pipe.call("DEL", asks.own(store).keys.run_asks(run), asks.own(store).keys.run_children(run))


async def test_a_run_s_own_handoffs_are_found_whatever_they_are_and_no_others(store: Store) -> None:
    await asks.start_run(store)
    await asks.start_run(store, OTHER)
    waiting, held, allowed, ended = [await asks.opened(store) for _ in range(4)]
    other = asks.new_handoff(run=OTHER)
    assert (await store.handoffs.open(other, NO_LIMITS)).word == "opened"
    assert (await store.handoffs.answer(allowed, asks.yes(allowed), answer_id="a")).word == "won"
    assert (await store.handoffs.answer(ended, asks.no(ended), answer_id="b")).word == "won"
    await asks.pull(store, "stop")
    async for _ in store.brakes.settle():
        pass
    for _ in range(2):
        found = await asks_of(store, RUN, limit=100)
        assert {each.id for each in found} == {waiting.id, held.id, allowed.id, ended.id}
        assert [each.opened_at for each in found] == sorted((each.opened_at for each in found), reverse=True)
        assert [each.id for each in await asks_of(store, OTHER, limit=100)] == [other.id]
        assert await asks_of(store, f"run_{'n' * 22}{asks.MARK}", limit=100) == []
        await as_before(store, RUN, OTHER)


async def test_what_is_opened_by_an_outcome_is_its_run_s_too(store: Store) -> None:
    first, second = await asks.opened(store), await asks.opened(store)
    reviews = [replace(asks.new_handoff(asks.confirmation(timing="after")), run=RUN) for _ in range(2)]
    for each in (first, second):
        assert (await store.handoffs.answer(each, asks.yes(each), answer_id=each.id)).word == "won"
        said = await store.handoffs.claim(
            each.id, AGENT, digest=each.digest, claimant="try", max_age=timedelta(minutes=15)
        )
        assert said.word == "permit"
    done = wire.OutcomeReport(status="executed", claimant="try")
    assert (await store.handoffs.outcome(first.id, AGENT, done, review=reviews[0])).word == "recorded"
    assert await store.unreported.presume(second, reviews[1]) == "opened"
    assert set(await store.runs.asks(RUN)) == {first.id, second.id, *(each.id for each in reviews)}


async def test_only_its_own_are_read_however_many_others_there_are(store: Store, commands: Commands) -> None:
    first, allowed, ended = [await asks.opened(store) for _ in range(3)]
    await store.handoffs.answer(allowed, asks.yes(allowed), answer_id="a")
    await store.handoffs.answer(ended, asks.no(ended), answer_id="b")
    await asks.start_run(store, OTHER)
    others = [await opened(store, OTHER) for _ in range(5)]
    commands.keys.clear()
    assert await store.runs.asks(RUN) == [first.id, allowed.id, ended.id]
    await asks.pull(store, "stop")
    assert await met(store, RUN) == {first.id, allowed.id}
    read = set(commands.keys)
    assert asks.own(store).keys.handoff(first.id) in read
    assert not read & {asks.own(store).keys.handoff(each.id) for each in others}
    assert asks.own(store).keys.index not in read


async def test_what_is_open_or_allowed_is_found_behind_any_number_of_others(store: Store) -> None:
    """Of the runs of before, of what has ended only the latest of all are looked through, many at a time."""
    first, allowed, ended = [await asks.opened(store) for _ in range(3)]
    await store.handoffs.answer(allowed, asks.yes(allowed), answer_id="a")
    await store.handoffs.answer(ended, asks.no(ended), answer_id="b")
    await asks.start_run(store, OTHER)
    for _ in range(5):
        assert (await store.handoffs.open(asks.new_handoff(run=OTHER), NO_LIMITS)).word == "opened"
    await as_before(store, RUN, OTHER)
    with patch("bot.store.run_asks._LATELY", 2), patch("bot.store.run_asks._AT_ONCE", 3):
        assert set(await store.runs.asks(RUN)) == {first.id, allowed.id}
        assert len(await store.runs.asks(OTHER)) == 5


async def test_no_more_are_read_than_wanted_and_open_ones_come_first(store: Store) -> None:
    ended = [await asks.opened(store) for _ in range(3)]
    for number, each in enumerate(ended):
        await store.handoffs.answer(each, asks.no(each), answer_id=str(number))
    waiting = [await asks.opened(store) for _ in range(2)]
    last = await asks.opened(store)
    await store.handoffs.answer(last, asks.no(last), answer_id="last")
    assert {each.id for each in await asks_of(store, RUN, limit=2)} == {each.id for each in waiting}
    assert {each.id for each in await asks_of(store, RUN, limit=3)} == {last.id, *(each.id for each in waiting)}
    assert len(await asks_of(store, RUN, limit=5)) == 5


# --- a brake's sweep ---


async def test_a_brake_on_a_run_meets_the_asks_of_its_child_runs_and_reads_no_others(
    store: Store, commands: Commands
) -> None:
    found = await family(store)
    commands.keys.clear()
    await asks.pull(store, "stop")
    assert await met(store, RUN) == {found[run].id for run in (RUN, CHILD, GRANDCHILD)}
    assert await met(store, CHILD) == {found[run].id for run in (CHILD, GRANDCHILD)}
    assert not set(commands.keys) & {asks.own(store).keys.handoff(found[OTHER].id), asks.own(store).keys.run(OTHER)}


async def test_of_too_many_child_runs_everything_is_looked_at(store: Store) -> None:
    found = await family(store)
    await asks.pull(store, "stop")
    with patch("bot.store.run_asks.MOST_RUNS", 2):
        assert await met(store, RUN) == {found[run].id for run in (RUN, CHILD, GRANDCHILD)}


@pytest.mark.parametrize("before", [(RUN,), (RUN, CHILD, GRANDCHILD), (CHILD,), (GRANDCHILD,)])
async def test_runs_of_before_the_index_stop_with_their_child_runs_too(store: Store, before: tuple[str, ...]) -> None:
    found = await family(store)
    await as_before(store, *before)
    await asks.pull(store, "stop")
    assert await met(store, RUN) == {found[run].id for run in (RUN, CHILD, GRANDCHILD)}


async def test_what_a_process_of_before_opens_is_held_at_once_and_in_the_index_after_a_sweep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while two versions run side by side. Each process sweeps once when it starts, and after each pull and lift."""
    await asks.start_run(store)
    without = handoffs._OPEN.source.replace("list_ask(KEYS[16]", "tostring(KEYS[16]")
    assert without != handoffs._OPEN.source
    with monkeypatch.context() as older:
        older.setattr(handoffs, "_OPEN", replace(handoffs._OPEN, source=without, sha=asks.sha_of(without)))
        waiting = await opened(store)
    assert await store.runs.asks(RUN) == []
    await asks.pull(store, "stop")
    assert (await store.handoffs.answer(waiting, asks.yes(waiting), answer_id="a")).word == "held"
    async for _ in store.brakes.settle():
        pass
    assert await store.runs.asks(RUN) == [waiting.id]
    assert await met(store, RUN) == {waiting.id}


# --- what is kept ---


async def test_the_index_lives_as_long_as_its_run(store: Store) -> None:
    waiting = await asks.opened(store)

    async def lives(key: str) -> float:
        return float(await store._pipe.call("PTTL", key)) / 86_400_000

    async def days() -> tuple[float, float]:
        return await lives(asks.own(store).keys.run_asks(RUN)), await lives(asks.own(store).keys.run(RUN))

    assert await days() == pytest.approx((30, 30), abs=0.1)
    await asks.hold(store)
    assert await days() == pytest.approx((400, 400), abs=0.1)
    assert await store.runs.asks(RUN) == [waiting.id]
    await asks.pull(store, "resume")
    async for _ in store.brakes.settle():
        pass
    assert await days() == pytest.approx((30, 30), abs=0.1)


async def test_what_is_past_every_retention_leaves_the_index_and_what_was_on_hold_so_long_does_not(
    store: Store,
) -> None:
    """An ask waits for a week at the most, and is kept for a month; on hold it may be old and wait again."""
    old, held = await asks.opened(store), await asks.opened(store)
    ago = ms_of(await store.now() - timedelta(days=60))
    await asks.hold(store)
    for each in (old, held):
        await store._pipe.call("HSET", asks.own(store).keys.handoff(each.id), "opened_at", ago)
        await store._pipe.call("ZADD", asks.own(store).keys.run_asks(RUN), ago, each.id)
    await store.handoffs.withdraw(old, asks.withdrawn(old))
    await asks.pull(store, "resume")
    async for _ in store.brakes.settle():
        pass
    new = await asks.opened(store)
    assert set(await store.runs.asks(RUN)) == {held.id, new.id}
