"""F6: the store's memory is full. Nothing is half written, nothing unknown counts as a yes, and a stop finds room."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import Settings
from bot.store import room
from bot.store.embedded import server_binary
from tests.people import Json
from tests.servers import SECRET, Live, Valkey, live, until

_MB = 1024 * 1024


@pytest.fixture
def server() -> Iterator[Valkey]:
    running = Valkey(server_binary(), settings={"save": "", "client-query-buffer-limit": "32mb"})
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
async def house(server: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A service on a server of its own, which it looks at each time."""
    monkeypatch.setattr(room, "_LOOK_S", 0.0)
    settings = Settings.model_validate({"port": 0, "state": tmp_path / "state", "secret": SECRET})
    async with live(settings.model_copy(update={"redis_url": SecretStr(server.url())})) as running:
        yield running


async def limit(house: Live, share: float) -> None:
    """Give the server so much memory that this share of it is used."""
    client = house.store._client
    used = int((await client.info("memory"))["used_memory"])
    await client.config_set("maxmemory", round(used / share))


async def opened(house: Live, key: str) -> int:
    return (await house.agent.open(await house.agent.confirmation(), key=key)).status


async def test_above_a_share_nothing_is_opened_and_all_else_goes_on(
    house: Live, caplog: pytest.LogCaptureFixture
) -> None:
    asked, other, done = [await house.agent.ask(key=name) for name in ("asked", "other", "done")]
    await house.store._client.set("ballast", b"x" * 16_000_000, px=600_000)  # beside it buffers are small
    await limit(house, 0.7)
    assert await opened(house, "room") == 201
    await limit(house, 0.85)
    refused = await house.agent.open(await house.agent.confirmation(), key="more")
    assert (refused.status, refused.problem) == (503, "store-full")
    assert "Ask again later" in refused.body["detail"]
    assert "operator.needed about=store:full" in caplog.text
    assert "CONFIG SET maxmemory" in caplog.text

    decided = (await house.person.approve(done)).ok()
    await house.agent.claim(decided)
    (await house.agent.report(done, "executed", claimant="try-1")).ok()
    await house.person.reject(other)
    path = f"/v1/runs/{await house.agent.run()}/brake"
    receipt = (await house.person.call("POST", path, {"action": "stop"}, key="stop")).ok()
    assert receipt["did"] == "pulled"
    assert (await house.agent.look(asked["id"]))["state"] == "held"

    await limit(house, 0.5)
    (await house.person.call("POST", path, {"action": "resume"}, key="go-on")).ok()
    assert await opened(house, "more") == 201, "the same ask, when there is room again"


async def test_when_it_is_full_an_answer_is_refused_whole(house: Live) -> None:
    """Beyond the last byte: the press is not recorded and says so; reads work; the same press counts later."""
    asked = await house.agent.ask(key="asked")
    await house.store._client.set("ballast", secrets.token_bytes(8 * _MB), px=600_000)
    await limit(house, 1.2)
    before = await raw(house, asked)
    pressed = await house.person.answer(asked, {"kind": "approve"}, key="press")
    assert (pressed.status, pressed.problem) == (503, "store-unavailable")
    assert await raw(house, asked) == before, "nothing of it is written"
    assert (await house.agent.look(asked["id"]))["state"] == "pending"
    assert (await house.agent.claim(asked)).problem == "not-decided"
    assert await opened(house, "more") == 503

    await house.store._client.delete("ballast")
    await until(lambda: approves(house, asked), within_s=5, what="the same press counts")


async def approves(house: Live, asked: Json) -> bool:
    return (await house.person.answer(asked, {"kind": "approve"}, key="press")).status == 200


async def raw(house: Live, asked: Json) -> object:
    return await house.store._client.hgetall(house.store.keys.handoff(asked["id"]))


async def test_without_that_share_a_stop_finds_no_room(house: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch of this guard: asks fill the memory to the end, and stops are not written."""
    monkeypatch.setattr(room, "ENOUGH", 1e9)
    await house.agent.run()
    await limit(house, 0.9)
    number = 0
    while await opened(house, f"k{number}") == 201:
        number += 1
    said = []
    for channel in range(50):  # the first few may find a gap that was too small for an ask
        body = {"action": "stop", "scope": {"conversation": {"surface": "web", "channel": f"c{channel}"}}}
        said.append((await house.person.call("POST", "/v1/brakes", body, key=f"stop-{channel}")).status)
    assert 503 in said


async def test_with_it_asks_never_fill_the_memory(house: Live) -> None:
    """The same, with the guard: they end in time, and the stop is written."""
    run = await house.agent.run()
    await limit(house, 0.75)
    number = 0
    while await opened(house, f"k{number}") == 201:
        number += 1
    path = f"/v1/runs/{run}/brake"
    assert (await house.person.call("POST", path, {"action": "stop"}, key="stop")).ok()["did"] == "pulled"
