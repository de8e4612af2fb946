"""An adapter's shelf: what it keeps, who can read it, and the queues that all processes share."""

import asyncio
from datetime import timedelta

import pytest

from bot.shelf import SealedShelf
from bot.store import Store
from tests.servers import until

SECRET = b"s" * 32
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shelf(store: Store) -> SealedShelf:
    return SealedShelf(store, SECRET, "paper")


async def raw(store: Store) -> dict[str, bytes]:
    """Everything that Redis has of the namespace, as bytes."""
    found = {}
    for key in await store._pipe.call("KEYS", f"{{{store.keys.ns}}}:*"):
        if key == store.keys.shards.encode():
            continue
        kind = await store._pipe.call("TYPE", key)
        value = await (store._pipe.call("HGETALL", key) if kind == b"hash" else store._pipe.call("GET", key))
        found[key.decode()] = b" ".join(value) if isinstance(value, list) else value
    return found


# --- once ---


async def test_what_comes_again_is_known(shelf: SealedShelf) -> None:
    assert await shelf.once("event 1", MINUTE)
    assert not await shelf.once("event 1", MINUTE)
    assert await shelf.once("event 2", MINUTE)


async def test_of_fifty_at_once_one_is_first(store: Store) -> None:
    shelves = [SealedShelf(store, SECRET, "paper") for _ in range(5)]
    first = await asyncio.gather(*(shelves[n % 5].once("event 1", MINUTE) for n in range(50)))
    assert sum(first) == 1


async def test_what_was_not_done_after_all_may_come_again(shelf: SealedShelf) -> None:
    assert await shelf.once("event 1", MINUTE)
    await shelf.forget("event 1")
    assert await shelf.once("event 1", MINUTE)
    await shelf.forget("never seen")


async def test_what_was_seen_is_forgotten_in_time(shelf: SealedShelf) -> None:
    assert await shelf.once("event 1", timedelta(milliseconds=30))
    await until(lambda: shelf.once("event 1", MINUTE))


# --- what is kept ---


async def test_what_is_kept_comes_back(shelf: SealedShelf) -> None:
    assert await shelf.load("draft") is None
    await shelf.save("draft", "Grüße, \U0001f600\0\nend", MINUTE)
    assert await shelf.load("draft") == "Grüße, \U0001f600\0\nend"
    await shelf.save("draft", "", MINUTE)
    assert await shelf.load("draft") == ""


async def test_what_is_taken_is_gone_and_one_of_fifty_gets_it(shelf: SealedShelf) -> None:
    """A sign-in that anybody could use twice would be no sign-in."""
    await shelf.save("state", "mira", MINUTE)
    taken = await asyncio.gather(*(shelf.take("state") for _ in range(50)))
    assert sorted(taken, key=str) == [None] * 49 + ["mira"]
    assert await shelf.load("state") is None


async def test_what_lasts_is_listed_and_dropped(shelf: SealedShelf) -> None:
    await shelf.save_lasting("team T2", "token 2")
    await shelf.save_lasting("team T1", "token 1")
    assert await shelf.lasting() == ["team T1", "team T2"]
    assert await shelf.load_lasting("team T2") == "token 2"
    await shelf.drop_lasting("team T2")
    assert await shelf.load_lasting("team T2") is None
    assert await shelf.lasting() == ["team T1"]


async def test_surfaces_have_shelves_of_their_own(store: Store, shelf: SealedShelf) -> None:
    other = SealedShelf(store, SECRET, "stone")
    await shelf.save("draft", "paper's", MINUTE)
    await shelf.save_lasting("token", "paper's")
    assert await shelf.once("event 1", MINUTE)
    assert await shelf.turn("letters", every=MINUTE) == (True, timedelta())
    assert (await other.load("draft"), await other.load_lasting("token")) == (None, None)
    assert await other.lasting() == []
    assert await other.once("event 1", MINUTE)
    assert await other.turn("letters", every=MINUTE) == (True, timedelta())


# --- sealed ---


async def test_nobody_reads_in_the_store_what_is_kept(store: Store, shelf: SealedShelf) -> None:
    await shelf.save("draft", "xoxb-hunter2", MINUTE)
    await shelf.save_lasting("token", "xoxb-hunter2")
    kept = await raw(store)
    assert len(kept) == 2
    assert not [key for key, value in kept.items() if b"hunter2" in value]


async def test_another_secret_opens_nothing_and_breaks_nothing(
    store: Store, shelf: SealedShelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.save("draft", "hunter2", MINUTE)
    await shelf.save_lasting("token", "hunter2")
    other = SealedShelf(store, b"t" * 32, "paper")
    assert (await other.load("draft"), await other.load_lasting("token")) == (None, None)
    assert "shelf.unreadable surface=paper name=token" in caplog.text
    assert "hunter2" not in caplog.text
    assert await shelf.load("draft") == "hunter2"


async def test_a_value_that_was_changed_or_moved_in_the_store_is_none(store: Store, shelf: SealedShelf) -> None:
    """Who can write to the store cannot give one workspace the token of another."""
    await shelf.save_lasting("team T1", "token 1")
    await shelf.save_lasting("team T2", "token 2")
    key = store.keys.shelf("paper")
    await store._pipe.call("HSET", key, "team T2", await store._pipe.call("HGET", key, "team T1"))
    assert await shelf.load_lasting("team T2") is None
    await store._pipe.call("HSET", key, "team T1", b"xoxb-planted")
    assert await shelf.load_lasting("team T1") is None


async def test_all_but_what_lasts_has_a_lifetime(store: Store, shelf: SealedShelf) -> None:
    await shelf.once("event 1", MINUTE)
    await shelf.save("draft", "x", MINUTE)
    await shelf.save_lasting("token", "x")
    await shelf.turn("letters", every=timedelta(seconds=2))
    lasting = store.keys.shelf("paper")
    for key in await raw(store):
        left_ms = await store._pipe.call("PTTL", key)
        assert left_ms == -1 if key == lasting else 0 < left_ms <= 60_000, key


# --- turns ---


async def test_turns_come_at_a_steady_pace(shelf: SealedShelf) -> None:
    waits = [await shelf.turn("letters", every=MINUTE) for _ in range(4)]
    assert all(taken for taken, _ in waits)
    assert [round(wait / MINUTE) for _, wait in waits] == [0, 1, 2, 3]


async def test_after_a_rest_several_may_go_at_once(shelf: SealedShelf) -> None:
    waits = [(await shelf.turn("letters", every=MINUTE, burst=3))[1] for _ in range(5)]
    assert [round(wait / MINUTE) for wait in waits] == [0, 0, 0, 1, 2]


async def test_queues_do_not_wait_for_each_other(shelf: SealedShelf) -> None:
    await shelf.turn("letters", every=MINUTE)
    assert await shelf.turn("stamps", every=MINUTE) == (True, timedelta())


async def test_a_turn_that_would_come_too_late_is_not_taken(shelf: SealedShelf) -> None:
    """Those who give up leave no hole: the next who is willing to wait gets that turn."""
    await shelf.turn("letters", every=MINUTE)
    for _ in range(3):
        taken, wait = await shelf.turn("letters", every=MINUTE, longest=timedelta(seconds=30))
        assert (taken, round(wait / MINUTE)) == (False, 1)
    taken, wait = await shelf.turn("letters", every=MINUTE, longest=MINUTE)
    assert (taken, round(wait / MINUTE)) == (True, 1)


async def test_a_pause_gives_the_queue_its_rest_back(shelf: SealedShelf) -> None:
    async def at_once() -> bool:
        taken, wait = await shelf.turn("letters", every=timedelta(milliseconds=30), longest=timedelta())
        return taken and wait == timedelta()

    assert await at_once()
    assert not await at_once()
    await until(at_once)


async def test_fifty_at_once_get_a_turn_each(store: Store) -> None:
    """Whichever process asks: no two may speak at one moment, or the platform hears two."""
    shelves = [SealedShelf(store, SECRET, "paper") for _ in range(5)]
    said = await asyncio.gather(*(shelves[n % 5].turn("letters", every=MINUTE) for n in range(50)))
    assert all(taken for taken, _ in said)
    assert sorted(round(wait / MINUTE) for _, wait in said) == list(range(50))
