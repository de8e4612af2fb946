"""Silence approves only by what holds when it is written: what it was judged by is compared in the same step."""

import asyncio

import pytest

from bot.handoff import Handoff
from bot.store import Store
from tests.store import asks

HELD: dict[str, str] = {
    "vote_n": "1",
    "n:questioned": "1",
    "n:reassigned": "1",
    "crowd": "burst",
    "gathered": "1",
    "shown_at": "1700000000000",
    "unread": "slack:S1",
}


async def overdue(store: Store) -> Handoff:
    asked = await asks.opened(store, silence="approve", timeout_s=1)
    await asyncio.sleep(max(0.0, (asked.expires_at - asks.now()).total_seconds()) + 0.05)
    return asked


@pytest.mark.parametrize("field", HELD)
async def test_what_was_judged_by_something_else_is_judged_again(store: Store, field: str) -> None:
    asked = await overdue(store)
    verdict = asks.silent(asked)
    assert verdict.decision.kind == "approved"
    await store._client.hset(asks.own(store).keys.handoff(asked.id), field, HELD[field])
    assert (await store.handoffs.expire(asked, verdict)).word == "stale"
    assert (await asks.look(store, asked.id)).decision is None


async def test_what_was_judged_by_what_holds_is_written(store: Store) -> None:
    asked = await overdue(store)
    assert (await store.handoffs.expire(asked, asks.silent(asked))).word == "won"


async def test_it_is_shown_since_its_first_card(store: Store) -> None:
    asked = await asks.opened(store)
    assert asked.shown_at is None
    place = '{"surface":"paper","channel":"ops"}'
    await asks.own(store).outbox.save_card(asked.id, place, "1")
    first = (await asks.look(store, asked.id)).shown_at
    assert first
    assert abs((first - asks.now()).total_seconds()) < 5
    await asks.own(store).outbox.refuse_card(asked.id, place, "no")
    await asks.own(store).outbox.save_card(asked.id, place, "2")
    assert (await asks.look(store, asked.id)).shown_at == first


async def test_a_card_that_was_taken_away_shows_nothing(store: Store) -> None:
    asked = await asks.opened(store)
    place = '{"surface":"paper","channel":"ops"}'
    await asks.own(store).outbox.save_card(asked.id, place, "1")
    await asks.own(store).outbox.drop_card(asked.id, place, "1")
    assert (await asks.look(store, asked.id)).shown_at is None


async def test_a_refusal_or_a_digest_shows_nothing(store: Store) -> None:
    asked = await asks.opened(store)
    place = '{"surface":"paper","channel":"ops"}'
    await asks.own(store).outbox.refuse_card(asked.id, place, "no")
    await asks.own(store).digests.gather(asked, "paper", place)
    await asks.own(store).outbox.save_digest("dg_1", place, "3")
    now = await asks.look(store, asked.id)
    assert (now.shown_at, now.gathered) == (None, True)


async def test_a_card_of_what_is_gone_brings_nothing_back(store: Store) -> None:
    await asks.own(store).outbox.save_card("hf_gone", '{"surface":"paper"}', "1")
    assert await store.handoffs.load("hf_gone") is None
    assert not await store._client.exists(asks.own(store).keys.handoff("hf_gone"))
