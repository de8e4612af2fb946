"""What `healthz` and `readyz` say: each part is made to fail for real, and comes back."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import redis
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot import readiness
from bot.config import Settings
from bot.hub import Hub
from bot.readiness import Pulse, Readiness
from bot.store import Store
from tests.adapters.surface import HOUR_PACE
from tests.adapters.teams_surface import teams_surface
from tests.flows.slack_house import house, settings_for, workspace
from tests.people import Json, Reply
from tests.servers import SHARDS, Live, Valkey, live, until

TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a test waits a second for each look."""
    monkeypatch.setattr(readiness, "_KEPT_S", 0.0)


async def ready(here: Live) -> Reply:
    return await here.agent.call("GET", "/readyz")


async def until_part(here: Live, name: str, state: str, *, within_s: float = 15) -> Reply:
    """As soon as this part is so."""
    last: list[Reply] = []

    async def so() -> bool:
        last[:] = [await ready(here)]
        return bool(last[0].body["parts"][name]["state"] == state)

    await until(so, within_s=within_s, what=f"{name} is {state}; {last}")
    return last[0]


def part(told: Reply, name: str) -> Json:
    found: Json = told.body["parts"][name]
    return found


@contextmanager
def set_on(valkey: Valkey, **changes: str) -> Iterator[None]:
    """Change the server's settings for a while."""
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        names = [name.replace("_", "-") for name in changes]
        before = {name: client.config_get(name)[name] for name in names}
        for name, wanted in zip(names, changes.values(), strict=True):
            client.config_set(name, wanted)
        try:
            yield
        finally:
            for name, was in before.items():
                client.config_set(name, was)


async def test_all_is_well(service: Live) -> None:
    told = await ready(service)
    assert (told.status, told.body["status"]) == (200, "ready")
    shards = {"shards"} if SHARDS > 1 else set()
    assert set(told.body["parts"]) == {"store", "hub", "timers", "policy", "web", *shards}
    assert {each["state"] for each in told.body["parts"].values()} == {"ok"}
    assert all(TIME.fullmatch(each["since"]) for each in told.body["parts"].values())
    alive = await service.agent.call("GET", "/healthz")
    assert (alive.status, alive.body["status"]) == (200, "ok")


async def test_a_store_that_is_away_makes_it_unready_and_not_dead(service: Live, valkey: Valkey) -> None:
    """Guard: a liveness that asked the store would have every replica restarted while Redis is."""
    valkey.kill()
    try:
        told = await until_part(service, "store", "down")
        assert (told.status, told.body["status"]) == (503, "unready")
        assert (await service.agent.call("GET", "/healthz")).status == 200
    finally:
        valkey.start()
    since = part(await until_part(service, "store", "ok"), "store")["since"]
    assert (await ready(service)).status == 200
    assert part(await ready(service), "store")["since"] == since


@pytest.mark.parametrize(
    "settings_of_server, word", [({"maxmemory": "1"}, "OOM"), ({"min_replicas_to_write": "1"}, "NOREPLICAS")]
)
async def test_a_store_that_takes_no_writes_is_no_store(
    service: Live, valkey: Valkey, settings_of_server: dict[str, str], word: str
) -> None:
    """Guard: it answers every PING, and would take no decision."""
    with set_on(valkey, **settings_of_server):
        told = await until_part(service, "store", "down")
        assert (await service.store._client.ping()) is True
        assert told.status == 503
        assert f"({word})" in part(told, "store")["detail"]
    assert (await until_part(service, "store", "ok")).status == 200


async def test_a_store_that_became_a_replica_is_no_store(service: Live, valkey: Valkey) -> None:
    """As the old primary is after a failover."""
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            told = await until_part(service, "store", "down")
            assert "(READONLY)" in part(told, "store")["detail"]
        finally:
            client.replicaof("NO", "ONE")
    assert (await until_part(service, "store", "ok")).status == 200


async def test_a_hub_without_its_tail_is_down(store: Store) -> None:
    hub = Hub(store)
    assert "follows the changes no more" in await hub.trouble()
    await hub.start()
    assert await hub.trouble() == ""
    tail = hub._tails[-1]
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    assert "follows the changes no more" in await hub.trouble()
    await hub.stop()


async def test_a_hub_that_lags_is_down_and_one_that_was_idle_is_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guard: it is judged by the first change that it has not seen, and not by how long nothing happened."""
    client, events = store._client, store.keys.events
    now_ms = round((await store.now()).timestamp() * 1000)
    await client.xadd(events, {"e": "opened", "h": "hf_1", "v": "1"}, id=f"{now_ms - 3_600_000}-0")
    hub = Hub(store)
    await hub.start()
    try:
        await client.xadd(events, {"e": "opened", "h": "hf_2", "v": "1"})
        assert await hub.trouble() == "", "an hour lies between the two, and it is not an hour behind"
        monkeypatch.setattr("bot.store.feed._GULP_S", 3_600.0)  # after five at once it rests so long
        monkeypatch.setattr("bot.hub._BEHIND", timedelta(milliseconds=50))
        async with client.pipeline() as pipe:
            for number in range(10):
                _ = pipe.xadd(events, {"e": "opened", "h": f"hf_{number}", "v": "1"})
            await pipe.execute()
        await hub.caught_up()
        await client.xadd(events, {"e": "opened", "h": "hf_3", "v": "1"})

        async def behind() -> bool:
            return "behind the changes" in await hub.trouble()

        await until(behind)
    finally:
        await hub.stop()


async def test_timers_that_ended_are_down(service: Live) -> None:
    """Guard: whatever ends them, answers that are late would otherwise be told to nobody."""
    (clock,) = [task for task in asyncio.all_tasks() if task.get_name() == "timers"]
    clock.cancel()
    told = await until_part(service, "timers", "down")
    assert (told.status, part(told, "timers")["detail"]) == (503, "the clock has stopped")


async def test_timers_that_hang_are_down(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.timers._SILENT_S", -1.0)
    assert "has not turned" in part(await until_part(service, "timers", "down"), "timers")["detail"]


async def test_a_broken_policy_degrades_and_says_nothing_of_it(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules: []")
    async with live(settings.model_copy(update={"policy": path})) as here:
        path.write_text("rules: [the-canary]")
        told = await until_part(here, "policy", "degraded")
        assert (told.status, told.body["status"]) == (200, "degraded")
        assert "canary" not in str(told.body)
        assert str(path) not in str(told.body)
        path.write_text("rules: []\n# mended")
        await until_part(here, "policy", "ok")


async def test_a_surface_that_is_down_degrades(settings: Settings) -> None:
    async with house(settings) as slack:
        assert part(await ready(slack.live), "slack")["state"] == "ok"
        slack.cloud.is_down = True
        asked = await slack.ask()
        assert (await until_part(slack.live, "slack", "degraded")).status == 200
        slack.cloud.is_down = False
        await slack.card(asked)
        await until_part(slack.live, "slack", "ok")


async def test_slacks_socket_degrades_while_it_is_not_connected(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(AsyncSocketModeHandler, ping_interval=0.2)
    monkeypatch.setattr("adapters.slack.inbound.AsyncSocketModeHandler", quick)  # it tries again as often as it pings
    async with workspace() as cloud:
        cloud.app.socket_mode = cloud.is_down = True
        changes = {"slack_app_token": SecretStr(cloud.app.app_token), "slack_signing_secret": None}
        async with live(settings_for(settings, cloud, **changes), pace=HOUR_PACE) as here:
            told = await until_part(here, "slack", "degraded")
            assert (told.status, part(told, "slack")["detail"]) == (200, "its socket is not connected")
            cloud.is_down = False
            await until_part(here, "slack", "ok")
            cloud.is_down = True
            await cloud.sockets.drop()
            await until_part(here, "slack", "degraded")


async def test_teams_degrades_while_the_app_gets_no_token(settings: Settings) -> None:
    async with teams_surface() as teams:
        teams.cloud.secret_expired = True
        async with live(teams.settings(settings), pace=HOUR_PACE) as here:
            await teams.attach(here)
            assert part(await ready(here), "teams")["state"] == "ok"
            await here.agent.ask(to=[teams.place])
            told = await until_part(here, "teams", "degraded")
            assert (told.status, part(told, "teams")["detail"]) == (200, "its latest call failed (NoAccess)")


async def test_stopping_is_told() -> None:
    """So that nobody sends it more while it finishes what it took."""

    async def fine() -> str:
        return ""

    told = await Readiness(needed={"store": fine}, wanted={}, stopping=lambda: True).report()
    assert (told.status, told.is_ready) == ("stopping", False)


async def test_a_look_is_shared(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: whoever can reach the port cannot have the store written to as often as they like."""
    monkeypatch.setattr(readiness, "_KEPT_S", 5.0)
    await ready(service)
    stats = await service.store._client.info("commandstats")
    await asyncio.gather(*(ready(service) for _ in range(50)))
    after = await service.store._client.info("commandstats")
    assert after["cmdstat_set"]["calls"] - stats["cmdstat_set"]["calls"] <= 1


async def test_a_loop_that_does_not_turn_is_stuck(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    time.sleep(0.6)  # noqa: ASYNC251  # as code does that blocks the loop

    async def noticed() -> bool:
        told = await service.agent.call("GET", "/healthz")
        return bool(told.body["late_s"] >= 0.4)

    await until(noticed)
    monkeypatch.setattr(Pulse, "STUCK_S", -1.0)
    told = await service.agent.call("GET", "/healthz")
    assert (told.status, told.body["status"]) == (503, "stuck")


async def test_a_pulse_that_stopped_is_stuck(service: Live) -> None:
    (pulse,) = [task for task in asyncio.all_tasks() if task.get_name() == "pulse"]
    pulse.cancel()

    async def told() -> bool:
        return (await service.agent.call("GET", "/healthz")).status == 503

    await until(told)
