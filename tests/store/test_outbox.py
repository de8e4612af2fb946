"""The outbox in the store, and those who die of an event."""

from datetime import timedelta

import pytest
from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.errors import Gone
from bot.handoff import Aside, Digest, Handoff, Told
from bot.outbox import CardWork, Pace
from bot.ports import CardRef, Directory
from bot.store import Delivery, Store
from tests.servers import until
from tests.store import asks

SOON = timedelta(milliseconds=20)
NOW = timedelta()
NAME = "paper"


async def read(store: Store, reader: str) -> list[Delivery]:
    return await asks.own(store).outbox.read(NAME, reader, limit=10, wait=SOON)


async def take_over(store: Store, reader: str, idle: timedelta = NOW) -> list[Delivery]:
    return await asks.own(store).outbox.take_over(NAME, reader, idle=idle, limit=10)


async def readers(store: Store) -> set[str]:
    info = await store._client.xinfo_consumers(asks.own(store).keys.events, f"cards:{NAME}")
    return {about["name"].decode() for about in info}


async def test_an_event_goes_to_one_reader_until_it_is_done(store: Store) -> None:
    asked = await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    await asks.own(store).outbox.join(NAME)
    (given,) = await read(store, "a")
    assert (given.event, given.handoff, given.number) == ("opened", asked.id, 1)
    assert await read(store, "b") == []
    await asks.own(store).outbox.done(NAME, [given.id])
    assert await take_over(store, "b") == []


async def test_what_a_dead_reader_left_is_taken_over_and_counted(store: Store) -> None:
    await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    (given,) = await read(store, "a")
    assert [d.number for d in await take_over(store, "b")] == [2]
    assert [d.number for d in await take_over(store, "c")] == [3]
    await asks.own(store).outbox.keep(NAME, "c", [given.id])
    assert await take_over(store, "d", timedelta(seconds=5)) == [], "somebody works on it"
    await asks.own(store).outbox.keep(NAME, "c", [given.id], counted=True)
    assert [d.number for d in await take_over(store, "d")] == [5]


async def test_what_is_handed_back_is_free_at_once_and_not_counted(store: Store) -> None:
    for _ in range(3):
        await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    first, *_ = await read(store, "a")
    await asks.own(store).outbox.done(NAME, [first.id])
    await asks.own(store).outbox.hand_back(NAME, "a", idle=timedelta(seconds=30))
    taken = await take_over(store, "b", timedelta(seconds=30))
    assert [delivery.number for delivery in taken] == [1, 1]
    await asks.own(store).outbox.done(NAME, [delivery.id for delivery in taken])
    await asks.own(store).outbox.hand_back(NAME, "b", idle=NOW)
    assert "b" not in await readers(store), "a reader that owes nothing leaves"


async def test_readers_that_are_long_gone_are_forgotten_unless_they_owe(store: Store) -> None:
    await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    await read(store, "owes")
    await read(store, "gone")

    async def forgotten() -> bool:
        await asks.own(store).outbox.forget_readers(NAME, idle=NOW)
        return await readers(store) == {"owes"}

    await until(forgotten)
    await asks.own(store).outbox.forget_readers(NAME, idle=timedelta(hours=1))
    assert await readers(store) == {"owes"}


async def test_a_group_goes_past_what_nobody_wants_and_never_back(store: Store) -> None:
    own = asks.own(store)
    assert not await own.outbox.skip(NAME, await store.now()), "there is nothing yet"
    first = await asks.opened(store)
    await asks.pass_time(store, 2)
    between = await store.now()
    second = await asks.opened(store)
    await own.outbox.join(NAME)
    assert await own.outbox.skip(NAME, between)
    assert not await own.outbox.skip(NAME, between), "it is there already"
    (given,) = await read(store, "a")
    assert given.handoff == second.id != first.id
    assert not await own.outbox.skip(NAME, between), "it never goes back"
    assert await read(store, "a") == []


async def test_a_group_never_goes_past_what_is_yet_to_happen(store: Store) -> None:
    """Guard: a clock that was ahead for a moment must cost nobody an event."""
    own = asks.own(store)
    await asks.opened(store)
    await own.outbox.join(NAME)
    assert await own.outbox.skip(NAME, await store.now() + timedelta(hours=1))
    later = await asks.opened(store)
    assert [each.handoff for each in await read(store, "a")] == [later.id]


async def test_a_burial_happens_once_and_not_to_what_is_done(store: Store) -> None:
    asked = await asks.opened(store)
    other = await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    first, second = await read(store, "a")
    await asks.own(store).outbox.done(NAME, [second.id])
    said = [await asks.own(store).outbox.bury(NAME, d, deliveries=5, reason="it broke") for d in (first, first, second)]
    assert said == [True, False, False]
    (dead,) = await asks.own(store).outbox.buried()
    assert (dead.handoff, dead.event, dead.surface, dead.deliveries) == (asked.id, "opened", NAME, 5)
    assert dead.reason == "it broke"
    assert dead.handoff != other.id


async def test_the_right_to_post_is_one_process_s_for_a_while(store: Store) -> None:
    asked = await asks.opened(store)
    lease = timedelta(seconds=30)
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "a", lease=lease) == "first"
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "b", lease=lease) == "busy"
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "a", lease=lease) == "again"
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "a", lease=NOW) == "again"
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "b", lease=lease) == "again"
    assert (await asks.own(store).outbox.placed(asked.id, "{}")).begun


async def test_cards_are_remembered_by_place(store: Store) -> None:
    here, there = '{"surface":"paper","channel":"a"}', '{"surface":"paper","channel":"ab"}'
    for address in ("2", "1", "2"):
        await asks.own(store).outbox.save_card("hf_x", here, address)
    await asks.own(store).outbox.refuse_card("hf_x", there, "no such board")
    assert (await asks.own(store).outbox.placed("hf_x", here)).addresses == ("1", "2")
    assert (await asks.own(store).outbox.placed("hf_x", there)).refused == "no such board"
    await asks.own(store).outbox.drop_card("hf_x", here, "1")
    assert (await asks.own(store).outbox.placed("hf_x", here)).addresses == ("2",)


async def test_a_card_leads_back_to_its_handoff_until_it_is_dropped(store: Store) -> None:
    here = '{"surface":"paper","channel":"a"}'
    await asks.own(store).outbox.save_card("hf_x", here, "1")
    await asks.own(store).outbox.save_card("hf_y", here, "2")
    assert await asks.own(store).outbox.card_at("paper", "1") == "hf_x"
    assert await asks.own(store).outbox.card_at("paper", "2") == "hf_y"
    assert await asks.own(store).outbox.card_at("stone", "1") is None
    await asks.own(store).outbox.drop_card("hf_x", here, "1")
    assert await asks.own(store).outbox.card_at("paper", "1") is None
    assert await asks.own(store).outbox.card_at("paper", "2") == "hf_y"


class Deadly:
    """A surface whose card kills whoever posts it, as if there were no memory left."""

    name = NAME
    reads_store = False
    directory: Directory | None = None

    def routes(self) -> list[AbstractRouteDef]:
        return []

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        raise AssertionError("nobody lives to see this")

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        raise AssertionError("nor this")

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        raise AssertionError("nor this")

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        raise AssertionError("nor this")

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        raise AssertionError("nor this")

    async def tell(self, told: Told, to: wire.Place) -> None:
        raise AssertionError("nor this")


class Looks:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, handoff_id: str) -> Handoff:
        found = await self._store.handoffs.load(handoff_id)
        if found is None:
            raise Gone("gone", handoff=handoff_id)
        return found

    async def told(self, notice_id: str) -> Told | None:
        return await self._store.runs.told(notice_id)

    async def undeliverable(self, handoff: Handoff, reason: str) -> Handoff:
        return handoff

    async def gathers(self, handoff: Handoff, place: wire.Place) -> bool:
        return False


async def test_an_event_that_killed_five_processes_kills_no_sixth(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """F20: the count is the store's, because the dead cannot keep one."""
    asked = await asks.opened(store)
    await asks.own(store).outbox.join(NAME)
    await read(store, "1st")
    for reader in ("2nd", "3rd", "4th", "5th"):
        await take_over(store, reader)
    work = CardWork(asks.own(store).outbox, store.digests, Looks(store), {NAME: Deadly()}, pace=Pace(taken_over=SOON))
    work.start()
    try:

        async def buried() -> bool:
            return bool(work.buried)

        await until(buried)
    finally:
        await work.stop()
    (dead,) = await asks.own(store).outbox.buried()
    assert (dead.handoff, dead.deliveries) == (asked.id, 6)
    assert "did not live" in dead.reason
    assert "cards.dead" in caplog.text


async def test_a_notice_that_killed_five_processes_kills_no_sixth(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await asks.start_run(store)
    await asks.own(store).outbox.join(NAME)
    run = await store.runs.load(asks.RUN)
    assert run
    notice = wire.Notice(text="Done", to=(wire.Place(surface=NAME, channel="ops"),))
    await store.runs.notice(run, notice, "key 1", asks.NO_LIMITS)
    await read(store, "1st")
    for reader in ("2nd", "3rd", "4th", "5th"):
        await take_over(store, reader)
    work = CardWork(asks.own(store).outbox, store.digests, Looks(store), {NAME: Deadly()}, pace=Pace(taken_over=SOON))
    work.start()
    try:

        async def told() -> bool:
            return "notices.dead" in caplog.text

        await until(told)
    finally:
        await work.stop()
    assert "notices.failed" not in caplog.text, "nobody tried again"
