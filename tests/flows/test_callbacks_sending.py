"""What becomes of callbacks: tried again, given up, replayed, and nobody waits for a receiver that is slow."""

import asyncio
import base64
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bot.errors import Gone, InvalidBody
from bot.outbox import callbacks, callbacks_sending
from bot.outbox.callback_body import handoff_data
from bot.store import EndpointRecord, Store, connect
from tests.fakes import receiver as zoo
from tests.fakes.post_office import NEVER, PLACE, QUICK, Office, post_office
from tests.fakes.receiver import Manner, Request, receiver, says
from tests.servers import Valkey, until
from tests.store import asks


@pytest.fixture
async def office(store: Store) -> AsyncIterator[Office]:
    async with post_office(store) as opened:
        yield opened


def ids(requests: list[Request]) -> set[str]:
    return {request.id for request in requests}


# --- again and again ---


@pytest.mark.parametrize(
    "manner",
    [says(500), says(302, "Location: /x\r\n"), says(404), says(400), zoo.reset, zoo.garbage],
    ids=["500", "302", "404", "400", "reset", "garbage"],
)
async def test_what_was_not_taken_is_sent_again_with_the_same_id_and_a_fresh_signature(
    office: Office, manner: Manner
) -> None:
    async with receiver() as hook:
        hook.once = [manner, manner]
        endpoint = await office.endpoint(hook.url)
        decided = await office.decide()
        requests = await hook.got(3)
        found = await office.settled(endpoint)
    assert len(ids(requests)) == 1
    for request in requests:
        request.verify(endpoint.secret)
        assert request.data["handoff"] == decided.id
    assert (found.delivered, found.failed, found.failing_since) == (1, 2, None)
    assert office.followed.reached_by == [(decided.id, "callback")]
    assert office.counted == ["failed", "failed", "delivered"]


async def test_each_try_has_a_timestamp_of_its_own(store: Store) -> None:
    """A receiver refuses what was signed five minutes ago, and the last try comes after eighteen hours."""
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    def clock() -> datetime:
        now[0] += timedelta(hours=1)
        return now[0]

    async with post_office(store, clock=clock) as office, receiver() as hook:
        hook.once = [says(500)] * 2
        await office.endpoint(hook.url)
        await office.decide()
        requests = await hook.got(3)
    stamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert [later - earlier for earlier, later in pairwise(stamps)] == [3_600, 3_600]
    assert len({request.headers["webhook-signature"] for request in requests}) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_receiver_that_asks_for_patience_gets_it(store: Store, form: str) -> None:
    async with post_office(store) as office, receiver() as hook:
        wanted = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if form == "date" else "1"
        hook.once = [says(429, f"Retry-After: {wanted}\r\n")]
        await office.endpoint(hook.url)
        await office.decide()
        first, second = await hook.got(2)
    assert second.at - first.at > 0.8


async def test_what_is_never_taken_becomes_a_dead_letter_that_can_be_replayed(office: Office) -> None:
    async with receiver(says(503)) as hook:
        endpoint = await office.endpoint(hook.url)
        decided = await office.decide()
        (dead,) = await office.dead(endpoint)
        assert (dead.type, dead.handoff, dead.tries) == ("handoff.decided", decided.id, QUICK.tries)
        assert dead.error == "it answered 503"
        assert dead.first_at
        assert dead.last_at
        assert dead.first_at <= dead.last_at <= dead.dead_at
        assert len(hook.requests) == QUICK.tries
        hook.manner = zoo.OK
        assert (await office.book.replay(dead.id, "ops")).count == 1
        requests = await hook.got(QUICK.tries + 1)
        found = await office.settled(endpoint)
    assert ids(requests) == {dead.webhook_id}, "a replay is the same callback to whoever remembers ids"
    assert (found.delivered, found.dead) == (1, 0)
    why = f"a callback to 127.0.0.1:{hook.port}: it answered 503"
    assert office.followed.not_reached_by == [(decided.id, why)] * 2, "from the fourth try on"
    with pytest.raises(Gone):
        await office.book.replay(dead.id, "ops")


async def test_all_dead_letters_of_an_endpoint_are_replayed_at_once(office: Office) -> None:
    async with receiver(says(503)) as hook, receiver(says(503)) as other:
        endpoint, another = await office.endpoint(hook.url), await office.endpoint(other.url)
        decided = [await office.decide() for _ in range(4)]
        letters = await office.dead(endpoint, 4)
        await office.dead(another, 4)
        assert (await office.book.dead_letters()).total == 8
        hook.manner = zoo.OK
        hook.requests.clear()
        assert (await office.book.replay_all(endpoint.id, "ops")).count == 4
        requests = await hook.got(4)
        assert (await office.settled(endpoint)).dead == 0
    assert {request.data["handoff"] for request in requests} == {each.id for each in decided}
    assert ids(requests) == {each.webhook_id for each in letters}
    assert (await office.look_at(another)).dead == 4
    assert (await office.book.replay_all(endpoint.id, "ops")).count == 0


async def test_the_schedule_is_kept_to_with_its_jitter(store: Store) -> None:
    """Between the tries lie the pauses that the schedule says, by the store's clock."""
    async with post_office(store, NEVER, at_work=False) as office, receiver(says(500)) as hook:
        endpoint = await office.endpoint(hook.url)
        await office.decide()
        office.callbacks.start()
        await hook.got(1)

        async def waits() -> bool:
            return (await office.look_at(endpoint)).failed == 1

        await until(waits)
        ((_, due),) = (await store.endpoints.waiting(endpoint.id, limit=5)).due
        pause = (due - await store.now()).total_seconds()
    assert 0.79 * 3_600 < pause < 1.21 * 3_600


# --- disabled ---


async def test_a_receiver_that_is_gone_for_good_is_sent_nothing_more(office: Office) -> None:
    async with receiver(says(410)) as hook:
        endpoint = await office.endpoint(hook.url)
        await office.decide()
        (dead,) = await office.dead(endpoint)
        found = await office.look_at(endpoint)
        assert (found.state, found.disabled_why) == ("disabled", "it answered 410: it wants no more callbacks")
        assert found.disabled_at
        assert (dead.tries, len(hook.requests)) == (1, 1)
        decided = await office.decide()
        later, _ = await office.dead(endpoint, 2)
        assert (later.handoff, later.tries) == (decided.id, 0)
        assert later.error == "the endpoint is disabled: it answered 410: it wants no more callbacks"
        assert len(hook.requests) == 1, "what happens meanwhile waits as a dead letter"
        hook.manner = zoo.OK
        await office.book.enable(endpoint.id, "ops")
        await office.book.replay_all(endpoint.id, "ops")
        await hook.got(3)
        assert (await office.settled(endpoint)).delivered == 2
    assert (decided.id, f"a callback to 127.0.0.1:{hook.port}: {later.error}") in office.followed.not_reached_by


async def test_people_are_told_once_of_an_endpoint_that_was_disabled(office: Office) -> None:
    async with receiver(says(410)) as hook:
        endpoint = await office.endpoint(hook.url)
        for _ in range(3):
            await office.decide()
        await office.dead(endpoint, 3)

        async def told() -> bool:
            return bool(await office.store.runs.notices(10))

        await until(told)
        (notice,) = await office.store.runs.notices(10)
    assert notice.to == (PLACE,)
    assert endpoint.id in notice.text
    assert "410" in notice.text
    assert f"python -m bot endpoints enable {endpoint.id}" in notice.text
    assert office.alerts == [(f"endpoint {endpoint.id}", notice.text)]
    await office.store.outbox.join(PLACE.surface)
    events = await office.store.outbox.read(PLACE.surface, "reader", limit=100, wait=timedelta(seconds=1))
    told_of = [event.kind for event in events if event.event == "noticed"]
    assert told_of == [notice.id], "the channel's surface hears of it from the outbox"


async def test_five_days_of_failures_disable_an_endpoint(store: Store) -> None:
    async with post_office(store) as office, receiver(says(500)) as hook:
        endpoint = await office.endpoint(hook.url)
        six_days_ago = round((datetime.now(UTC) - timedelta(days=6)).timestamp() * 1000)
        await store._client.hset(store.keys.endpoint(endpoint.id), "failing_since", six_days_ago)
        await office.decide()
        await office.dead(endpoint)
        found = await office.look_at(endpoint)
    assert (found.state, found.disabled_why) == ("disabled", "nothing but failures for 5 days")
    assert [about for about, _ in office.alerts] == [f"endpoint {endpoint.id}"]


async def test_an_operator_disables_and_enables(office: Office) -> None:
    async with receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        found = await office.book.disable(endpoint.id, "ana", "maintenance until four")
        assert (found.state, found.disabled_why) == ("disabled", "ana disabled it: maintenance until four")
        await office.decide()
        (dead,) = await office.dead(endpoint)
        assert (await office.book.enable(endpoint.id, "ana")).state == "enabled"
        await office.book.replay(dead.id, "ana")
        (request,) = await hook.got(1)
    assert request.id == dead.webhook_id
    assert (await office.look_at(endpoint)).failed == 0


async def test_a_removed_endpoint_is_sent_nothing_and_forgets_its_dead_letters(office: Office) -> None:
    async with receiver(says(503)) as hook:
        endpoint = await office.endpoint(hook.url)
        await office.decide()
        (dead,) = await office.dead(endpoint)
        assert (await office.book.remove(endpoint.id, "ops")).id == endpoint.id
        before = len(hook.requests)
        with pytest.raises(Gone):
            await office.book.replay(dead.id, "ops")
        with pytest.raises(Gone):
            await office.book.show(endpoint.id)
        async with receiver() as other:
            await office.endpoint(other.url)
            await office.decide()
            await other.got(1)
    assert len(hook.requests) == before


# --- secrets ---


async def test_while_a_secret_is_rotated_both_sign_and_later_the_new_one_alone(store: Store) -> None:
    now = [datetime.now(UTC)]
    async with post_office(store, clock=lambda: now[0]) as office, receiver() as hook:
        first = await office.endpoint(hook.url)
        await office.decide()
        second = await office.book.rotate(first.id, "ops")
        assert second.rotated_until
        await office.decide()
        before, both = await hook.got(2)
        now[0] += timedelta(hours=25)
        await office.decide()
        after = (await hook.got(3))[2]
    assert first.secret != second.secret
    before.verify(first.secret)
    both.verify(first.secret)  # a receiver that has only the old one, and one that has only the new one
    both.verify(second.secret)
    assert both.headers["webhook-signature"].count("v1,") == 2
    assert after.headers["webhook-signature"].count("v1,") == 1
    at = datetime.fromtimestamp(int(after.headers["webhook-timestamp"]), UTC)
    assert after.headers["webhook-signature"] == Webhook(second.secret).sign(after.id, at, after.body.decode())
    with pytest.raises(WebhookVerificationError):
        both.verify("whsec_" + base64.b64encode(b"x" * 32).decode())


async def everything(store: Store) -> bytes:
    """All that is kept under the store's namespace: every key's dump."""
    found = []
    async for key in store._client.scan_iter(match=f"{{{store.keys.ns}}}:*", count=1_000):
        found += [key, await store._client.dump(key)]
        if await store._client.type(key) == b"hash":
            found += [part for pair in (await store._client.hgetall(key)).items() for part in pair]
    return b"\n".join(found)


async def test_no_secret_is_in_the_store_in_clear_nor_anything_confidential_in_the_log(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiver() as hook:
        hook.once = [says(500, "X-Canary: CANARY-HEADER\r\n", b"CANARY-BODY"), zoo.garbage]
        endpoint = await office.endpoint(f"{hook.url}?key=CANARY-QUERY")
        rotated = await office.book.rotate(endpoint.id, "ops")
        asked = await asks.opened(office.store, asks.confirmation("CANARY-ARGS"))
        await office.store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
        requests = await hook.got(3)
        await office.settled(endpoint)
    kept = await everything(office.store)
    for made in (endpoint, rotated):
        secret = made.secret.removeprefix("whsec_")
        for form in (secret, secret.rstrip("="), base64.b64decode(secret), base64.b64decode(secret).hex()):
            raw = form if isinstance(form, bytes) else form.encode()
            assert raw not in kept
            assert str(form) not in caplog.text
    assert b"CANARY-BODY" not in kept
    assert b"CANARY-HEADER" not in kept
    assert "CANARY" not in caplog.text
    for request in requests:
        assert request.headers["webhook-signature"] not in caplog.text
        assert b"CANARY-ARGS" not in request.body
        assert request.data["token"] not in caplog.text


async def test_a_secret_sealed_for_one_endpoint_is_none_of_another_s(office: Office) -> None:
    async with receiver() as hook:
        one, two = await office.endpoint(hook.url), await office.endpoint(hook.url)
        keys, client = office.store.keys, office.store._client
        await client.hset(keys.endpoint(two.id), "secret", await client.hget(keys.endpoint(one.id), "secret"))
        said = await office.book.test(two.id)
    assert said.error == "its secret cannot be opened with this service's ANDON_SECRET; rotate it"
    assert hook.requests == []


# --- what is sent ---


async def test_what_is_gone_when_it_would_be_sent_is_dropped(store: Store) -> None:
    async with post_office(store, at_work=False) as office, receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        decided = await office.decide()
        await store._client.delete(asks.own(store).keys.handoff(decided.id))
        office.callbacks.start()
        other = await office.decide()
        (request,) = await hook.got(1)
        found = await office.settled(endpoint)
    assert request.data["handoff"] == other.id
    assert (found.delivered, found.failed, found.dead) == (1, 0, 0)
    assert "dropped" in office.counted


async def test_what_is_sent_is_true_when_it_is_sent(store: Store) -> None:
    async with post_office(store, at_work=False) as office, receiver() as hook:
        await office.endpoint(hook.url, events=["handoff.decided", "handoff.claimed"])
        decided = await office.decide()
        await store.handoffs.claim(
            decided.id, decided.agent, digest=decided.digest, claimant="try", max_age=asks.DECISION_AGE
        )
        office.callbacks.start()
        requests = await hook.got(2)
    assert {(request.json["type"], request.data["state"]) for request in requests} == {
        ("handoff.decided", "claimed"),
        ("handoff.claimed", "claimed"),
    }
    assert len(ids(requests)) == 2


async def test_nothing_that_happened_before_an_endpoint_was_registered_is_sent_to_it(store: Store) -> None:
    """The first start after an upgrade reads a week of events."""
    async with post_office(store, at_work=False) as office, receiver() as hook:
        await office.decide()
        await asks.pass_time(store, 2)
        await office.endpoint(hook.url)
        office.callbacks.start()
        decided = await office.decide()
        (request,) = await hook.got(1)
        assert request.data["handoff"] == decided.id


async def test_a_test_is_sent_once_and_says_what_came_of_it(office: Office) -> None:
    async with receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        assert (await office.book.test(endpoint.id)).delivered
        (request,) = hook.requests
        request.verify(endpoint.secret)
        assert (request.json["type"], request.data) == ("endpoint.test", {"endpoint": endpoint.id})
        hook.manner = says(401)
        said = await office.book.test(endpoint.id)
        assert (said.delivered, said.status, said.error) == (False, 401, "it answered 401")
    said = await office.book.test(endpoint.id)
    assert (said.delivered, said.status) == (False, None)
    assert said.error
    assert said.error.startswith("no connection")
    found = await office.look_at(endpoint)
    assert (found.delivered, found.failed, found.waiting) == (0, 0, 0), "a test is no callback"


async def test_a_url_that_may_not_be_sent_to_is_no_endpoint(office: Office) -> None:
    for url in ("http://hooks.example.com/", "https://10.0.0.1/", "https://user@hooks.example.com/"):
        with pytest.raises(InvalidBody) as found:
            await office.endpoint(url)
        assert found.value.faults[0].field == "url"
    assert await office.book.list() == []


async def test_an_endpoint_whose_host_is_not_allowed_any_more_is_sent_nothing(store: Store) -> None:
    async with receiver() as hook:
        async with post_office(store, NEVER, at_work=False) as office:
            endpoint = await office.endpoint(hook.url)
        async with post_office(store, NEVER, allow="") as office:
            await office.decide()

            async def failed() -> bool:
                return bool((await office.look_at(endpoint)).last_error)

            await until(failed)
        assert hook.connections == 0


# --- a retry button ---


async def test_a_decision_is_sent_anew_to_whoever_wants_it(store: Store) -> None:
    async with (
        post_office(store, NEVER) as office,
        receiver(says(500)) as broken,
        receiver() as fine,
        receiver() as another,
        receiver() as off,
    ):
        failing = await office.endpoint(broken.url)
        await office.endpoint(fine.url, agent=asks.AGENT)
        await office.endpoint(another.url, agent="somebody-else")
        disabled = await office.endpoint(off.url)
        await office.book.disable(disabled.id, "ops")
        decided = await office.decide()
        (first,) = await broken.got(1)

        async def failed() -> bool:
            return (await office.look_at(failing)).failed == 1

        await until(failed)
        await fine.got(1)
        broken.manner = zoo.OK
        assert await office.queue.send_again(decided) == 2
        assert ids(await broken.got(2)) == {first.id}
        assert len(ids(await fine.got(2))) == 1
        assert (another.requests, off.requests) == ([], [])
        waiting = await asks.opened(store)
        assert await office.queue.send_again(waiting) == 0, "nothing is decided"


async def test_a_decision_is_sent_anew_to_an_endpoint_that_came_after_it(office: Office) -> None:
    decided = await office.decide()
    await asks.pass_time(office.store, 2)
    async with receiver() as hook:
        await office.endpoint(hook.url)
        assert await office.queue.send_again(decided) == 1
        (request,) = await hook.got(1)
    assert request.data["handoff"] == decided.id


# --- while there is no endpoint ---


async def passed(store: Store) -> str:
    """How far the events have been given out; before there is a group, nowhere."""
    groups = await store._client.xinfo_groups(store.keys.events)
    return str(groups[0]["last-delivered-id"].decode()) if groups else ""


async def test_nothing_is_read_while_nobody_wants_it_and_all_is_from_then_on(office: Office) -> None:
    """The endpoint comes by another process, of which this one hears nothing."""
    before = await office.decide()
    await asyncio.sleep(3 * QUICK.taken_over.total_seconds())
    assert await passed(office.store) == "0-0"
    async with post_office(office.store, at_work=False) as command, receiver() as hook:
        await asks.pass_time(office.store, 2)
        endpoint = await command.endpoint(hook.url)
        after = await office.decide()
        (request,) = await hook.got(1)
        assert request.data["handoff"] == after.id != before.id
        await office.settled(endpoint)
        await office.book.remove(endpoint.id, "ops")

        async def noticed() -> bool:
            return not office.queue.wanted.is_set()

        await until(noticed)
        await office.decide()  # whoever was waiting for the next event takes it
        await asyncio.sleep(3 * QUICK.taken_over.total_seconds())
        until_here = await passed(office.store)
        await office.decide()
        await asyncio.sleep(3 * QUICK.taken_over.total_seconds())
        assert await passed(office.store) == until_here


async def test_what_is_old_is_passed_over_while_nobody_wants_it(store: Store) -> None:
    """So that the first endpoint does not begin with a week of events."""
    entry = {"e": "decided", "h": "hf_old", "a": "x", "r": "", "v": 1, "k": "approved"}
    old = "1700000000000-0"
    await store._client.xadd(store.keys.events, entry, id=old)
    async with post_office(store) as office:

        async def is_past() -> bool:
            return await passed(office.store) == old

        await until(is_past)


@pytest.mark.parametrize("margin_s, arrives", [(60, True), (-60, False)])
async def test_whoever_registers_just_after_the_look_is_told_of_what_follows(
    store: Store, monkeypatch: pytest.MonkeyPatch, margin_s: int, arrives: bool
) -> None:
    """Between the look that found no endpoint and the leap there may be one, and its first event. -60: no margin."""
    monkeypatch.setattr(callbacks, "_APART", timedelta(seconds=margin_s))
    async with post_office(store, at_work=False) as office, receiver() as hook:
        look, late = office.queue.endpoints, asyncio.Event()

        async def outdated() -> Sequence[EndpointRecord]:
            return await look() if late.is_set() else []

        monkeypatch.setattr(office.queue, "endpoints", outdated)
        await office.endpoint(hook.url)
        await office.decide()
        office.callbacks.start()
        await asyncio.sleep(3 * QUICK.taken_over.total_seconds())
        late.set()
        if arrives:
            await hook.got(1)
        else:
            await asyncio.sleep(5 * QUICK.idle.total_seconds())
            assert hook.requests == []


# --- nobody waits for another ---


async def test_a_slow_or_hostile_receiver_delays_nobody_else(store: Store) -> None:
    """Every member of the zoo has an endpoint; the time to the one that behaves is that of one that is alone."""
    members = (zoo.hang, zoo.drip, zoo.flood, zoo.bomb, zoo.reset, zoo.garbage, zoo.long_headers, says(500), says(302))
    async with post_office(store, NEVER, total_s=15) as office, receiver() as fine:
        await office.endpoint(fine.url)
        took = []
        async with AsyncExitStack() as stack:
            hooks = [await stack.enter_async_context(receiver(member)) for member in members]
            for each in hooks:
                await office.endpoint(each.url)
            for number in range(1, 41):
                begun = time.monotonic()
                await office.decide()
                await fine.got(number)
                took.append(fine.requests[-1].at - begun)
            assert all(each.most_at_once <= callbacks_sending.AT_ONCE for each in hooks)
            assert all(each.connections for each in hooks), "each had its chance to be in the way"
    took.sort()
    assert took[int(len(took) * 0.99) - 1] < 5.0, f"seconds: {took[-5:]}; a receiver that hangs is given 15"


async def test_at_most_two_are_sent_to_one_endpoint_at_once(store: Store) -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await zoo.OK(writer)

    async with post_office(store) as one, post_office(store) as _, receiver(slow) as hook:
        endpoint = await one.endpoint(hook.url)
        for _ in range(12):
            await one.decide()
        await hook.got(12)
        assert (await one.settled(endpoint)).delivered == 12
    assert hook.most_at_once == 2
    assert len(hook.requests) == len(ids(hook.requests)) == 12


# --- several processes ---


async def test_two_replicas_send_each_callback_once(valkey: Valkey, store: Store) -> None:
    async with (
        Store(connect(valkey.url()), ns=store.keys.ns) as beside,
        post_office(store) as one,
        post_office(beside) as two,
        receiver() as hook,
    ):
        endpoint = await one.endpoint(hook.url)
        decided = [await random.choice((one, two)).decide() for _ in range(50)]
        requests = await hook.got(50)
        assert (await one.settled(endpoint)).delivered == 50
    assert sorted(request.data["handoff"] for request in requests) == sorted(each.id for each in decided)
    assert len(hook.requests) == 50


async def test_a_receiver_that_is_slower_than_a_lease_is_sent_it_once(store: Store) -> None:
    """Whoever sends it shows that it lives, so that nobody takes it over."""
    brief = replace(QUICK, lease=timedelta(milliseconds=150))

    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        await zoo.OK(writer)

    async with post_office(store, brief) as one, post_office(store, brief) as _, receiver(slow) as hook:
        endpoint = await one.endpoint(hook.url)
        await one.decide()
        await hook.got(1)
        assert (await one.settled(endpoint)).delivered == 1
    assert len(hook.requests) == 1


async def test_events_that_a_dead_process_had_read_are_queued_by_another(store: Store) -> None:
    async with post_office(store, at_work=False) as office, receiver() as hook:
        await office.endpoint(hook.url)
        decided = await office.decide()
        await asks.own(store).outbox.join("callbacks")
        assert await asks.own(store).outbox.read("callbacks", "dead", limit=100, wait=timedelta(seconds=1))
        office.callbacks.start()
        (request,) = await hook.got(1)
    assert request.data["handoff"] == decided.id


async def test_an_event_that_kills_whoever_reads_it_is_given_up(store: Store) -> None:
    async with post_office(store, at_work=False) as office, receiver() as hook:
        await office.endpoint(hook.url)
        await office.decide()
        await asks.own(store).outbox.join("callbacks")
        (*_, entry) = await asks.own(store).outbox.read("callbacks", "dead", limit=100, wait=timedelta(seconds=1))
        for _ in range(5):
            await asks.own(store).outbox.keep("callbacks", "dead", [entry.id], counted=True)
        other = await office.decide()
        office.callbacks.start()

        async def buried() -> bool:
            return bool(await asks.own(store).outbox.buried())

        await until(buried)
        (request,) = await hook.got(1)
    assert request.data["handoff"] == other.id
    (given_up,) = await asks.own(store).outbox.buried()
    assert (given_up.surface, given_up.event) == ("callbacks", "decided")
    assert [about for about, _ in office.alerts] == ["callbacks buried"]


async def test_a_callback_that_cannot_be_made_is_given_up_and_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        poison = await asks.opened(office.store)

        def broken(handoff: object, **more: object) -> object:
            if getattr(handoff, "id", "") == poison.id:
                raise ZeroDivisionError
            return handoff_data(handoff, **more)  # type: ignore[arg-type]  # passed through

        monkeypatch.setattr(callbacks_sending, "handoff_data", broken)
        await office.store.handoffs.answer(poison, asks.yes(poison), answer_id="a")
        await office.decide()
        (dead,) = await office.dead(endpoint)
        await hook.got(1)
    assert (dead.handoff, dead.error) == (poison.id, "it could not be made (ZeroDivisionError)")
    assert len(hook.requests) == 1


async def test_whoever_follows_and_fails_stops_no_callback(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again with the next try, and is sent again until it has heard."""
    real, failures = office.followed.reached, [ZeroDivisionError()]

    async def reached(handoff_id: str, how: str) -> None:
        if failures:
            raise failures.pop()
        await real(handoff_id, how)

    monkeypatch.setattr(office.followed, "reached", reached)
    async with receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        await office.decide()
        requests = await hook.got(2)
        assert (await office.settled(endpoint)).delivered == 1
    assert len(ids(requests)) == 1
    assert len(office.followed.reached_by) == 1


async def test_a_callback_that_kills_whoever_sends_it_is_given_up(store: Store) -> None:
    async with post_office(store, at_work=False) as office, receiver() as hook:
        endpoint = await office.endpoint(hook.url)
        await office.decide()
        office.callbacks.start()
        await hook.got(1)
        await office.settled(endpoint)
        await office.callbacks.stop()
        (name,) = [key async for key in store._client.scan_iter(match=f"{{{store.keys.ns}}}:callback:*")]
        sent = await store.endpoints.callback(name.decode().rpartition(":")[2])
        assert sent
        await store.endpoints.queue(sent, "again")
        await store._client.hset(name, "n", QUICK.tries)
        office.callbacks.start()
        (dead,) = await office.dead(endpoint)
    assert dead.error == "whoever sent it did not live to tell"
    assert len(hook.requests) == 1


async def test_a_stop_gives_what_was_being_sent_to_the_others_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after its lease, and not as a failure."""
    monkeypatch.setattr(callbacks_sending, "_STOP_S", 0.05)
    patient = replace(QUICK, lease=timedelta(minutes=5))
    async with receiver(zoo.hang) as hook:
        async with post_office(store, patient) as office:
            endpoint = await office.endpoint(hook.url)
            await office.decide()
            await hook.got(1)
        hook.manner = zoo.OK
        async with post_office(store, patient) as other:
            await hook.got(2)
            found = await other.settled(endpoint)
    assert (found.delivered, found.failed) == (1, 0)
    assert len(ids(hook.requests)) == 1
