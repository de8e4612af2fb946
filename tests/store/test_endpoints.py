"""Callbacks in the store: queued once, sent by one process at a time, given up and sent again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.store import EndpointRecord, NewEndpoint, Store, Taken
from bot.store.endpoints import MOST_ENDPOINTS
from tests.servers import until
from tests.store import callbacks

NOW = timedelta()
HOUR = timedelta(hours=1)


@pytest.fixture
async def endpoint(store: Store) -> EndpointRecord:
    return await callbacks.endpoint(store)


async def due(store: Store, endpoint: EndpointRecord) -> list[str]:
    return [name for name, _ in (await store.endpoints.waiting(endpoint.id, limit=10)).due]


async def test_an_endpoint_is_kept_as_it_was_registered(store: Store, endpoint: EndpointRecord) -> None:
    assert (endpoint.url, endpoint.agent, endpoint.events) == (
        "https://hooks.example.com/x",
        "*",
        ("handoff.decided",),
    )
    assert abs(endpoint.created_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert (endpoint.secret, endpoint.off, endpoint.delivered) == (b"sealed", "", 0)
    assert [each.id for each in await store.endpoints.all()] == [endpoint.id]


async def test_there_may_be_so_many_endpoints_and_no_more(store: Store) -> None:
    await asyncio.gather(*(callbacks.endpoint(store) for _ in range(MOST_ENDPOINTS)))
    assert await store.endpoints.create(NewEndpoint("ep_x", "https://a.example", "*", ("x",), "ops"), b"s") == "many"
    assert len(await store.endpoints.all()) == MOST_ENDPOINTS


async def test_a_rotation_keeps_the_old_secret_for_a_while_and_loses_to_one_that_came_first(
    store: Store, endpoint: EndpointRecord
) -> None:
    assert await store.endpoints.rotate(endpoint, b"second", HOUR)
    assert await store.endpoints.rotate(endpoint, b"second", HOUR), "the same again, whose reply was lost"
    assert not await store.endpoints.rotate(endpoint, b"third", HOUR), "it was read before the second"
    found = await callbacks.look(store, endpoint.id)
    assert (found.secret, found.old_secret) == (b"second", b"sealed")
    assert found.old_until
    assert found.old_until - datetime.now(UTC) > timedelta(minutes=55)


async def test_one_callback_is_queued_once_however_many_tell_of_it(
    stores: list[Store], endpoint: EndpointRecord
) -> None:
    """Two readers of one event, or one that died before it let the event go."""
    for _ in range(50):
        sent = callbacks.callback(endpoint)
        queued = await asyncio.gather(*(each.endpoints.queue(sent) for each in stores))
        assert sorted(queued) == [False] * (len(stores) - 1) + [True]
    assert (await callbacks.look(stores[0], endpoint.id)).waiting == 50


async def test_what_was_delivered_is_not_queued_again_by_a_late_reader(store: Store, endpoint: EndpointRecord) -> None:
    sent = callbacks.callback(endpoint)
    assert await store.endpoints.queue(sent)
    await store.endpoints.end(await callbacks.take(store, sent), "delivered")
    assert not await store.endpoints.queue(sent)
    assert await due(store, endpoint) == []


async def test_one_callback_is_taken_by_one_process(stores: list[Store], endpoint: EndpointRecord) -> None:
    for _ in range(50):
        sent = callbacks.callback(endpoint)
        await stores[0].endpoints.queue(sent)
        found = await asyncio.gather(*(callbacks.try_to_take(each, sent) for each in stores))
        (taken,) = [each for each in found if isinstance(each, Taken)]
        assert (taken.tries, taken.callback.webhook_id) == (1, sent.webhook_id)
        await stores[0].endpoints.end(taken, "delivered")


async def test_two_of_one_endpoint_are_sent_at_once_and_no_more(stores: list[Store], endpoint: EndpointRecord) -> None:
    sent = [callbacks.callback(endpoint) for _ in range(6)]
    for each in sent:
        await stores[0].endpoints.queue(each)
    found = await asyncio.gather(
        *(callbacks.try_to_take(store, each) for store, each in zip(stores * 2, sent, strict=False))
    )
    taken = [each for each in found if isinstance(each, Taken)]
    assert len(taken) == 2
    assert [each for each in found if each not in taken] == ["full"] * 4
    await stores[0].endpoints.end(taken[0], "delivered")
    left = next(each for each in sent if each.id not in {one.callback.id for one in taken})
    await callbacks.take(stores[0], left)


async def test_a_lease_that_ran_out_is_another_s_and_one_that_is_kept_is_not(
    store: Store, endpoint: EndpointRecord
) -> None:
    short = timedelta(milliseconds=60)
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    first = await callbacks.take(store, sent, lease=short)
    assert await callbacks.try_to_take(store, sent) == "early"
    assert await store.endpoints.keep(first, lease=timedelta(seconds=5))
    assert await callbacks.try_to_take(store, sent) == "early"
    assert await store.endpoints.keep(first, lease=short)

    async def second() -> Taken | None:
        found = await callbacks.try_to_take(store, sent)
        return found if isinstance(found, Taken) else None

    await until(second)
    assert not await store.endpoints.keep(first, lease=short), "another has it"
    assert (await callbacks.fail(store, first, "late", NOW)).word == "lost", "and the first one's failure is no news"


async def test_a_take_whose_reply_was_lost_is_taken_still_and_counts_once(
    store: Store, endpoint: EndpointRecord
) -> None:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    first = await callbacks.take(store, sent, "same")
    assert await callbacks.take(store, sent, "same") == first


async def test_a_failure_whose_reply_was_lost_counts_once(store: Store, endpoint: EndpointRecord) -> None:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    taken = await callbacks.take(store, sent)
    for _ in range(2):
        failed = await callbacks.fail(store, taken, "410", None, off="it wants no more")
        assert (failed.word, failed.off) == ("dead", True)
    found = await callbacks.look(store, endpoint.id)
    assert (found.failed, found.dead, found.off) == (1, 1, "it wants no more")


async def test_that_the_receiver_has_it_counts_whoever_sent_it(store: Store, endpoint: EndpointRecord) -> None:
    """A process that lost its lease while the receiver was slow still knows the truth."""
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    slow = await callbacks.take(store, sent, lease=timedelta(milliseconds=1))

    async def taken_over() -> bool:
        return isinstance(await callbacks.try_to_take(store, sent), Taken)

    await until(taken_over)
    await store.endpoints.end(slow, "delivered")
    await store.endpoints.end(slow, "delivered")
    found = await callbacks.look(store, endpoint.id)
    assert (found.delivered, found.waiting) == (1, 0)


async def test_a_failure_waits_and_then_dies_and_is_sent_again(store: Store, endpoint: EndpointRecord) -> None:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    assert (await callbacks.fail(store, await callbacks.take(store, sent), "it answered 500", HOUR)).word == "later"
    assert await callbacks.try_to_take(store, sent) == "early"
    found = await callbacks.look(store, endpoint.id)
    assert (found.failed, found.waiting, found.dead, found.error) == (1, 1, 0, "it answered 500")
    assert found.failing_since

    await store.endpoints.queue(sent, "again")
    again = await callbacks.take(store, sent)
    assert again.tries == 1, "the schedule begins anew"
    assert (await callbacks.fail(store, again, "it hung up", None)).word == "dead"
    (given,) = await store.endpoints.dead(endpoint.id, limit=10)
    assert (given.callback.webhook_id, given.tries, given.error) == (sent.webhook_id, 1, "it hung up")
    assert given.first
    assert given.first <= given.dead_at

    assert await store.endpoints.queue(sent, "dead")
    assert await store.endpoints.queue(sent, "dead"), "the same again, whose reply was lost"
    assert await store.endpoints.dead(endpoint.id, limit=10) == []
    await store.endpoints.end(await callbacks.take(store, sent), "delivered")
    assert (await callbacks.look(store, endpoint.id)).failing_since is None
    assert not await store.endpoints.queue(sent, "dead"), "it is no dead letter any more"


async def test_what_is_being_sent_is_not_sent_anew_beside_it(store: Store, endpoint: EndpointRecord) -> None:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    taken = await callbacks.take(store, sent)
    assert not await store.endpoints.queue(sent, "again")
    assert await store.endpoints.keep(taken, lease=HOUR), "whoever sends it has it still"


async def age(store: Store, endpoint: EndpointRecord, since: timedelta) -> None:
    """Let the endpoint have failed for so long."""
    ms = round((datetime.now(UTC) - since).timestamp() * 1000)
    await store._pipe.call("HSET", store.keys.endpoint(endpoint.id), "failing_since", ms)


async def fail_times(store: Store, endpoint: EndpointRecord, times: int) -> list[bool]:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    return [
        (await callbacks.fail(store, await callbacks.take(store, sent), "it answered 500", NOW)).off
        for _ in range(times)
    ]


async def test_an_endpoint_is_disabled_after_five_days_of_failures_by_one_that_was_tried_for_a_while(
    store: Store, endpoint: EndpointRecord
) -> None:
    assert not any(await fail_times(store, endpoint, 6)), "a bad minute"
    await age(store, endpoint, timedelta(days=4, hours=23))
    assert not any(await fail_times(store, endpoint, 6))
    await age(store, endpoint, timedelta(days=5, minutes=1))
    assert await fail_times(store, endpoint, 5) == [False, False, False, False, True]
    found = await callbacks.look(store, endpoint.id)
    assert (found.off, found.off_at is not None) == ("nothing but failures", True)
    await store.endpoints.switch(endpoint.id, "")
    found = await callbacks.look(store, endpoint.id)
    assert (found.off, found.failing_since) == ("", None), "it begins anew"


async def test_what_was_not_tried_is_no_failure(store: Store, endpoint: EndpointRecord) -> None:
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    failed = await callbacks.fail(store, await callbacks.take(store, sent), "the service stopped", NOW, tried=False)
    assert failed.word == "later"
    assert (await callbacks.take(store, sent)).tries == 1
    found = await callbacks.look(store, endpoint.id)
    assert (found.failed, found.failing_since) == (0, None)


async def test_a_removed_endpoint_leaves_nothing_that_waits(store: Store, endpoint: EndpointRecord) -> None:
    waits, at_work = callbacks.callback(endpoint), callbacks.callback(endpoint)
    await store.endpoints.queue(waits)
    await store.endpoints.queue(at_work)
    taken = await callbacks.take(store, at_work)
    await store.endpoints.remove(endpoint.id)
    assert await store.endpoints.one(endpoint.id) is None
    assert not await store.endpoints.queue(waits, "again")
    assert (await callbacks.fail(store, taken, "it answered 500", NOW)).word == "lost"
    await store.endpoints.switch(endpoint.id, "off")
    assert not await store.endpoints.rotate(endpoint, b"x", HOUR)
    left = [key.decode() async for key in store._client.scan_iter(match=f"{{{store.keys.ns}}}:endpoint*")]
    assert left == [], "nothing brings it back"


@pytest.mark.parametrize(
    "agent, named, wanted",
    [
        ("*", "mailer", True),
        ("mailer", "mailer", True),
        ("mailer", "mailer2", False),
        ("mailer", " a mailer b ", True),
        ("mailer", " a mailer-b ", False),
        ("mailer", " * ", True),
    ],
)
async def test_an_endpoint_hears_of_its_agent_alone(store: Store, agent: str, named: str, wanted: bool) -> None:
    endpoint = await callbacks.endpoint(store, agent=agent)
    assert endpoint.wants("handoff.decided", named, endpoint.created_at) is wanted
    assert not endpoint.wants("handoff.held", named, endpoint.created_at)
    assert not endpoint.wants("handoff.decided", named, endpoint.created_at - timedelta(milliseconds=1))
