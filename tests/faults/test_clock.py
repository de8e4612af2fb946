"""F13, F16: clocks that are wrong, or that jump. What is decided, and when, goes by the store's clock alone.

The server runs behind a library that moves its clock, and so does the service; nobody asks for an agent's clock or a
person's. The one judgement that compares both, whether silence may count as a yes, is refused when they are apart.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import health
from bot.config import Settings
from bot.store import Store, connect
from bot.store.embedded import server_binary
from tests.faults.history import History, watched
from tests.faults.shim import Clock
from tests.people import Json
from tests.servers import SECRET, Live, ServiceProcess, Valkey, live, until
from tests.store import asks

MINUTE = 60.0
LENIENT = "rules: [{name: quick, do: ask, timeout: 3s, on_timeout: approve}]"
SOON_MS = 60_000


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def server(clock: Clock) -> Iterator[Valkey]:
    """A server with a clock of its own."""
    running = Valkey(server_binary(), environment=clock.environment)
    try:
        yield running
    finally:
        running.close()


@asynccontextmanager
async def house(server: Valkey, tmp_path: Path, policy: str = "") -> AsyncIterator[Live]:
    settings = Settings.model_validate({"port": 0, "state": tmp_path / "state", "secret": SECRET})
    changes: dict[str, object] = {"redis_url": SecretStr(server.url())}
    if policy:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        changes["policy"] = path
    async with live(settings.model_copy(update=changes)) as running:
        yield running


async def move(here: Live, clock: Clock, seconds: float) -> None:
    """Put the server's clock so far from ours; it keeps what it read last for a moment."""
    clock.move(seconds)

    async def is_there() -> bool:
        return abs((await here.store.now() - datetime.now(UTC)).total_seconds() - seconds) < 1

    await until(is_there, what="the server looks at its clock")


# --- the store's clock is wrong ---


@pytest.mark.parametrize("seconds", [120.0, -120.0])
async def test_a_store_whose_clock_is_wrong_is_refused_at_the_start(
    server: Valkey, clock: Clock, seconds: float
) -> None:
    clock.move(seconds)
    async with Store(connect(server.url())) as store:
        (fault,) = [each for each in await store.faults(embedded=False) if each.fatal]
        assert "Redis' clock is 1" in fault.detail
        assert "s away from ours" in fault.detail


async def test_when_the_store_s_clock_jumps_ahead_what_is_over_by_it_is_over(
    server: Valkey, clock: Clock, tmp_path: Path
) -> None:
    """And what it takes back when it jumps back is taken back for everybody alike; a decision stays what it is."""
    async with house(server, tmp_path) as here:
        soon, later = await here.agent.ask(timeout_s=60), await here.agent.ask(timeout_s=600)
        await move(here, clock, 2 * MINUTE)
        assert (await here.person.approve(soon)).problem in {"handoff-expired", "already-decided"}
        ended = await here.agent.wait(soon["id"])
        assert ended["decision"]["kind"] == "expired"
        decided = (await here.person.approve(later)).ok()
        await move(here, clock, 18 * MINUTE)
        assert (await here.agent.claim(decided)).problem == "decision-too-old"
        await move(here, clock, 0.0)
        assert (await here.agent.claim(decided)).status == 200, "by the clock that decides it is young again"
        assert (await here.agent.look(soon["id"]))["decision"] == ended["decision"]


async def test_when_the_store_s_clock_jumps_back_nothing_is_over_too_early_and_events_stay_in_order(
    server: Valkey, clock: Clock, tmp_path: Path
) -> None:
    async with house(server, tmp_path) as here, here.agent.events() as events:
        await events.next()
        asked = await here.agent.ask(timeout_s=60)
        before = (await here.person.approve(await here.agent.ask(timeout_s=60))).ok()
        await move(here, clock, -2 * MINUTE)
        after = (await here.person.approve(asked)).ok()
        first, second = await events.take(2)
        assert [first.data["handoff"], second.data["handoff"]] == [before["id"], after["id"]]
        assert tuple(map(int, first.id.split("-"))) < tuple(map(int, second.id.split("-")))
        assert datetime.fromisoformat(after["decision"]["at"]) < datetime.fromisoformat(before["decision"]["at"])


# --- the very millisecond ---


@pytest.mark.parametrize("late_ms, word", [(-1, "won"), (0, "late"), (1, "late")])
async def test_an_answer_counts_until_the_very_millisecond(
    server: Valkey, clock: Clock, late_ms: int, word: str
) -> None:
    """F16; and silence decides from that same one on, so that no instant belongs to both or to neither."""
    async with Store(connect(server.url())) as store:
        await stop_at(store, clock, ms(datetime.now(UTC)))
        await asks.start_run(store)
        handoff = await asks.opened(store)
        await stop_at(store, clock, ms(handoff.expires_at) + late_ms)
        silence = await store.handoffs.expire(handoff, asks.silent(handoff)) if word == "won" else None
        said = await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="press")
        assert said.word == word
        assert silence is None or silence.word == "early"
        if word == "late":
            assert (await store.handoffs.expire(handoff, asks.silent(handoff))).word == "won"


@pytest.mark.parametrize("late_ms, word", [(-1, "permit"), (0, "permit"), (1, "old")])
async def test_a_decision_may_be_claimed_until_the_very_millisecond(
    server: Valkey, clock: Clock, late_ms: int, word: str
) -> None:
    async with Store(connect(server.url())) as store:
        now = ms(datetime.now(UTC))
        await stop_at(store, clock, now)
        await asks.start_run(store)
        handoff = await asks.opened(store)
        await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="press")
        await stop_at(store, clock, now + SOON_MS + late_ms)
        said = await store.handoffs.claim(
            handoff.id, handoff.agent, digest=handoff.digest, claimant="c", max_age=timedelta(milliseconds=SOON_MS)
        )
        assert said.word == word


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


async def stop_at(store: Store, clock: Clock, at: int) -> None:
    """Stop the server's clock there; it keeps what it read last for a moment."""
    clock.stop_at(at)

    async def is_there() -> bool:
        return ms(await store.now()) == at

    await until(is_there, what="the server looks at its clock")


# --- the service's clock is wrong ---


@pytest.mark.parametrize("minutes", [10, -10])
async def test_no_decision_rests_on_the_service_s_own_clock(
    minutes: int, redis_url: str, clock: Clock, tmp_path: Path
) -> None:
    """It was right at the start and jumps: what is open, over, old or young is still told by the store."""
    service = ServiceProcess(
        tmp_path / "state", {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, **clock.environment}
    )
    history = History()
    try:
        await service.start()
        agent_key = await service.make_key("agent", "mailer")
        person_key = await service.make_key("person", "mira@example.com")
        async with (
            Store(connect(redis_url)) as store,
            watched(history, service.url, agent_key=agent_key, person_key=person_key) as (agent, mira),
        ):
            early = await agent.ask(key="early", timeout_s=300)
            clock.move(minutes * MINUTE)
            before = datetime.now(UTC)
            late = await agent.ask(key="late", timeout_s=300)
            short = await agent.ask(key="short", timeout_s=1)
            for asked in (early, late):
                decided = (await mira.approve(asked)).ok()
                at = datetime.fromisoformat(decided["decision"]["at"])
                assert before - timedelta(seconds=5) < at < datetime.now(UTC) + timedelta(seconds=5)
                agent.execute((await agent.claim(decided)).ok())
                await agent.report(asked, "executed", claimant="try-1")
            over = await agent.wait(short["id"], 10)
            assert over["decision"]["kind"] == "expired"
            assert (await mira.approve(short)).status in {409, 410}
            await history.conclude(mira, store)
    finally:
        await service.close()
    history.check()


async def silent(here: Live, server: Valkey, clock: Clock) -> Json:
    """The service's clock falls behind, and the store goes away for a moment before silence decides."""
    await move(here, clock, 10 * MINUTE)
    asked = await here.agent.ask(reversible=True, on_timeout="approve", timeout_s=3)
    server.kill()
    server.start()

    async def ended() -> bool:
        return bool((await here.agent.look(asked["id"])).get("decision"))

    await until(ended, within_s=20)
    found: Json = (await here.agent.look(asked["id"]))["decision"]
    return found


async def test_silence_is_no_yes_while_the_clocks_are_apart(server: Valkey, clock: Clock, tmp_path: Path) -> None:
    """The service notes by its own clock when the store failed it, and the deadline is by the store's."""
    async with house(server, tmp_path, LENIENT) as here:
        decision = await silent(here, server, clock)
    assert decision["kind"] == "expired"
    assert "600 s apart" in decision["message_for_agent"]


async def test_without_that_guard_silence_would_be_a_yes_although_the_store_was_away(
    server: Valkey, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch of this guard: how far the clocks may be apart."""
    monkeypatch.setattr(health, "CLOCKS_APART", timedelta(hours=1))
    async with house(server, tmp_path, LENIENT) as here:
        decision = await silent(here, server, clock)
    assert decision["kind"] == "approved"
