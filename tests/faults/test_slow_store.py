"""F8, F9: the store is slow, or its replies are lost: callers wait, or are told, and everything counts once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.store import Store, connect, pipe, topology
from tests.fakes.proxy import Proxy, proxy
from tests.faults.confirmed import Load, lost, told_twice
from tests.faults.test_confirmed import stopped
from tests.faults.topology import Node, node, replicated_pair, trio
from tests.flows.slack_house import house
from tests.servers import live, until
from tests.store import asks

SLACK_WAITS_S = 3.0


@pytest.fixture
async def server() -> AsyncIterator[Node]:
    async with node() as started:
        yield started


@pytest.fixture
async def between(server: Node) -> AsyncIterator[Proxy]:
    async with proxy(server.port) as started:
        yield started


def on(settings: Settings, url: str, durability: str = "local") -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(url), "durability": durability})


async def decisions(store: Store, handoff_id: str) -> int:
    """How often the events tell of its decision."""
    found = await store._pipe.call("XRANGE", store.keys.events, "-", "+")
    return sum({b"decided", handoff_id.encode()} <= set(fields) for _, fields in found)


# --- F8: it is slow ---


async def test_a_press_while_the_store_hangs_is_acknowledged_in_time_and_counts_once_it_is_back(
    settings: Settings, server: Node, between: Proxy
) -> None:
    async with house(on(settings, f"redis://127.0.0.1:{between.port}")) as slack, Store(connect(server.url)) as store:
        asked, card = await slack.asked_card()
        between.turn("swallow")
        pressed = await slack.mira.press(card, "Approve")
        assert pressed.ok
        assert pressed.delivery
        assert all(ack.seconds < SLACK_WAITS_S for ack in pressed.delivery.acks)
        assert not (await asks.look(store, asked["id"])).decision
        between.turn("pass")
        await card.shows("Approved", within_s=20)
        assert await decisions(store, asked["id"]) == 1


async def test_a_server_that_never_answers_is_given_up_within_a_bound(
    between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "GIVE_UP_S", 1.0)
    async with Store(connect(f"redis://127.0.0.1:{between.port}")) as store:
        store._pipe._home.reply_s = 0.5
        await store.now()
        for mode in ("half-open", "swallow"):
            between.turn(mode)
            async with asyncio.timeout(10):
                with pytest.raises(StoreUnavailable, match="repeating the call is safe"):
                    await store.now()
        between.turn("pass")
        await store.now()


async def test_a_slow_network_slows_and_refuses_nothing(between: Proxy) -> None:
    async with Store(connect(f"redis://127.0.0.1:{between.port}")) as store:
        between.turn("delay", delay_s=0.05)
        asked = await asks.opened(store)
        assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"


# --- F9: replies are lost ---


async def test_with_one_reply_in_twenty_lost_nothing_happens_twice_and_nothing_is_lost(
    server: Node, between: Proxy
) -> None:
    async with Store(connect(f"redis://127.0.0.1:{between.port}")) as store, Store(connect(server.url)) as plain:
        between.turn("drop-reply", chance=0.05)
        load = Load(store, workers=8)
        await until(lambda: _grown(load, between), within_s=60, what="decisions, and replies that were lost")
        between.turn("pass")
        history = await load.end()
        assert await lost(history, plain) == []
        assert await told_twice(history, plain) == []


async def _grown(load: Load, between: Proxy) -> bool:
    return len(load.history) >= 150 and between.dropped >= 10


# --- nothing is confirmed, and the primary dies ---


async def test_people_and_agents_are_told_that_nothing_is_confirmed_and_the_same_again_counts_once(
    settings: Settings,
) -> None:
    async with (
        replicated_pair(min_replicas_to_write="1") as (primary, replica),
        house(on(settings, primary.url, "replicated")) as slack,
        Store(connect(primary.url)) as store,
    ):
        asked, card = await slack.asked_card()
        other = await slack.ask()
        mira = slack.live.person
        with stopped(replica):
            pressed = await slack.mira.press(card, "Approve")
            await pressed.hears("could not confirm this with a second copy")
            refused = await mira.reject(other)
            assert (refused.status, refused.problem) == (503, "not-confirmed")
        assert (await mira.reject(other)).status == 200
        assert (await slack.mira.press(card, "Approve")).ok
        await card.shows("Approved", within_s=10)
        assert await decisions(store, asked["id"]) == 1
        assert await decisions(store, other["id"]) == 1


async def test_a_service_goes_on_by_itself_after_a_failover(settings: Settings) -> None:
    """Whoever waits is woken, what is due expires, and cards follow, on the primary that came."""
    async with trio(min_replicas_to_write="1") as there, live(on(settings, there.url, "replicated")) as here:
        asked = await here.agent.ask()
        quick = await here.agent.ask(timeout_s=5)
        waiting = asyncio.create_task(here.agent.wait(asked["id"], 50))
        there.primary.kill()
        await there.failed_over()

        async def is_approved() -> bool:
            return (await here.person.approve(asked)).status == 200

        await until(is_approved, within_s=30, what="an answer is taken")
        assert (await waiting)["decision"]["kind"] == "approved"
        assert (await here.agent.wait(quick["id"], 30))["decision"]["kind"] == "expired"


# --- F10: replicas are read by nobody ---


async def test_a_sentinel_that_names_a_replica_leads_to_no_stale_read() -> None:
    """What a replica says of a decision may be old."""
    async with replicated_pair() as (primary, replica):
        lines = f"sentinel monitor mymaster 127.0.0.1 {replica.port} 1"
        async with node(sentinel=lines) as liar, Store(connect(primary.url)) as writer:
            asked = await asks.opened(writer)
            async with Store(topology(f"redis+sentinel://127.0.0.1:{liar.port}/mymaster")) as store:
                with pytest.raises(StoreUnavailable, match="replica"):
                    await store.handoffs.load(asked.id)
                assert store.troubled_at
