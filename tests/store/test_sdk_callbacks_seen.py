"""Each callback is handled once, unless it failed; whoever is at it keeps others away for a while only."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pytest
import redis
import redis.asyncio

from andon.callbacks import Seen, SeenInMemory, SeenInRedis
from andon.callbacks._seen import CLAIM, LIFE, once
from tests.servers import until

SECOND: Final = timedelta(seconds=1)


@pytest.fixture(params=["memory", "redis", "redis of threads"])
async def seen(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Seen]:
    if request.param == "memory":
        yield SeenInMemory()
    elif request.param == "redis":
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            yield SeenInRedis(client)
    else:
        with redis.Redis.from_url(redis_url) as client:
            yield SeenInRedis(client)


class Work:
    """What a handler does, counted."""

    def __init__(self) -> None:
        self.done = 0
        self.at_once = 0
        self.most = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            self.begun.set()
            await asyncio.sleep(0)
            await self.go_on.wait()
            self.done += 1
        finally:
            self.at_once -= 1


async def test_one_of_fifty_at_once_is_first(seen: Seen) -> None:
    for turn in range(50):
        told = await asyncio.gather(*(seen.first(f"cb_{turn}", SECOND) for _ in range(8)))
        assert sum(told) == 1


async def test_it_is_known_until_it_is_forgotten(seen: Seen) -> None:
    assert not await seen.known("cb_1")
    await seen.forget("cb_1")
    assert await seen.first("cb_1", LIFE)
    assert await seen.known("cb_1")
    assert not await seen.known("cb_2")
    await seen.forget("cb_1")
    assert await seen.first("cb_1", LIFE)


async def test_it_is_forgotten_in_time(seen: Seen) -> None:
    assert await seen.first("cb_1", timedelta(milliseconds=20))
    await until(lambda: seen.first("cb_1", SECOND))


async def test_keys_have_a_lifetime_and_a_name_of_their_own(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        assert await SeenInRedis(client).first("cb_1", LIFE)
        assert await client.keys() == ["andon:callback:cb_1"]
        assert 0 < await client.ttl("andon:callback:cb_1") <= LIFE.total_seconds()
        assert await SeenInRedis(client, prefix="mine:").first("cb_1", LIFE)


async def test_it_is_handled_once(seen: Seen) -> None:
    work = Work()
    assert await once(seen, "cb_1", work) == "done"
    assert await once(seen, "cb_1", work) == "duplicate"
    assert await once(seen, "cb_2", work) == "done"
    assert work.done == 2


async def test_of_fifty_at_once_none_runs_beside_another_and_one_counts(seen: Seen) -> None:
    work = Work()
    told = await asyncio.gather(*(once(seen, "cb_1", work) for _ in range(50)))
    assert (work.done, work.most, told.count("done")) == (1, 1, 1)
    assert await once(seen, "cb_1", work) == "duplicate"


async def test_what_is_under_way_is_busy_and_not_yet_a_duplicate(seen: Seen) -> None:
    """It may fail yet; who says "had it" now would never get it again."""
    work = Work()
    work.go_on.clear()
    first = asyncio.create_task(once(seen, "cb_1", work))
    await asyncio.wait_for(work.begun.wait(), 5)
    assert await once(seen, "cb_1", work) == "busy"
    work.go_on.set()
    assert await first == "done"
    assert await once(seen, "cb_1", work) == "duplicate"


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
async def test_what_failed_is_handled_again_at_once(seen: Seen, error: BaseException) -> None:
    async def fails() -> None:
        raise error

    with pytest.raises(type(error)):
        await once(seen, "cb_1", fails)
    work = Work()
    assert await once(seen, "cb_1", work) == "done"
    assert work.done == 1


async def test_a_handler_that_never_came_back_does_not_keep_it_for_ever() -> None:
    now = [0.0]
    seen, work = SeenInMemory(clock=lambda: now[0]), Work()
    assert await seen.first("cb_1.claim", CLAIM)  # and its process was killed
    assert await once(seen, "cb_1", work) == "busy"
    now[0] += CLAIM.total_seconds() + 1
    assert await once(seen, "cb_1", work) == "done"


async def test_a_late_failure_does_not_let_go_of_anothers_claim() -> None:
    now = [0.0]
    seen = SeenInMemory(clock=lambda: now[0])

    async def fails_late() -> None:
        now[0] += CLAIM.total_seconds() + 1
        assert await seen.first("cb_1.claim", CLAIM)  # another begins
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await once(seen, "cb_1", fails_late, clock=lambda: now[0])
    assert await once(seen, "cb_1", Work(), clock=lambda: now[0]) == "busy"


async def test_memory_is_bounded() -> None:
    now = [0.0]
    seen = SeenInMemory(limit=10, clock=lambda: now[0])
    for number in range(100):
        assert await seen.first(f"short_{number}", SECOND)
    assert [number for number in range(100) if await seen.known(f"short_{number}")] == list(range(90, 100))
    now[0] += 2
    for number in range(10):
        assert await seen.first(f"long_{number}", LIFE)
    assert all([await seen.known(f"long_{number}") for number in range(10)])


class Slow(dict[str, float]):
    """Another thread may get in between a look and what follows from it."""

    def get(self, *args: Any) -> Any:
        found = super().get(*args)
        time.sleep(0.001)
        return found


def test_one_of_many_threads_is_first() -> None:
    """Flask's views run in threads."""
    seen = SeenInMemory()
    seen._until = Slow()
    won: list[str] = []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        ids = [f"cb_{number}" for number in range(5)]
        won.extend(each for each in ids if asyncio.run(seen.first(each, LIFE)))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(won) == [f"cb_{number}" for number in range(5)]
