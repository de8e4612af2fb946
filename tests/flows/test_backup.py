"""A backup that was taken while the service ran comes back, and nothing that may have happened since happens twice."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.config import Settings
from bot.store import Store
from tests.flows.test_service_cli import Said, bot
from tests.people import Agent, Json, Person
from tests.servers import ServiceProcess
from tests.store import asks


@dataclass
class House:
    """A service, a backup of it, and what was in each state when the backup was taken."""

    service: ServiceProcess
    file: Path
    agent_key: str
    mira_key: str
    pending: Json
    approved: Json
    claimed: Json
    closed: Json

    async def restored(self, folder: Path) -> ServiceProcess:
        """The backup in another state folder, with a service on it."""
        said = await bot("restore", str(self.file), state=folder)
        assert said.code == 0, said
        other = ServiceProcess(folder)
        await other.start()
        return other


@pytest.fixture
async def house(subprocess_service: ServiceProcess, tmp_path: Path) -> House:
    service, file = subprocess_service, tmp_path / "backup.tar.gz"
    agent_key, mira_key = service.agent_key, await service.make_key("person", "mira@example.com")
    async with Agent(service.url, agent_key) as agent, Person(service.url, mira_key) as mira:
        pending, approved, claimed, closed = [await agent.ask() for _ in range(4)]
        approved, claimed, closed = [(await mira.approve(each)).ok() for each in (approved, claimed, closed)]
        for each in (claimed, closed):
            (await agent.claim(each)).ok()
        (await agent.report(closed, "executed", claimant="try-1", result="sent")).ok()
        said = await bot("backup", str(file), state=service.state)
        assert said.code == 0, said
        (await agent.claim(approved)).ok()  # after the backup, which knows nothing of it
    return House(service, file, agent_key, mira_key, pending, approved, claimed, closed)


async def test_a_backup_of_a_running_service_comes_back_with_all_it_held(house: House, tmp_path: Path) -> None:
    other = await house.restored(tmp_path / "other")
    try:
        async with Agent(other.url, house.agent_key) as agent, Person(other.url, house.mira_key) as mira:
            found = [(await agent.look(each["id"]))["state"] for each in (house.claimed, house.closed)]
            assert found == ["claimed", "closed"]
            assert (await agent.look(house.approved["id"]))["decision"]["kind"] == "approved"
            (brake,) = (await mira.call("GET", "/v1/brakes")).ok()["brakes"]
            assert "restored from a backup" in brake["text"]
            assert (await agent.look(house.pending["id"]))["state"] == "held"
            (await mira.call("POST", "/v1/brakes", {"action": "resume", "scope": {"everything": True}})).ok()
            assert (await mira.approve(await agent.look(house.pending["id"]))).ok()["decision"]["kind"] == "approved"
            assert (await agent.claim(house.pending)).status == 200, "what is decided from now on may be acted on"
    finally:
        await other.close()


async def test_what_was_acted_on_after_the_backup_is_not_acted_on_again(house: House, tmp_path: Path) -> None:
    """The backup has it approved and not claimed. It was claimed since, so the permit must not be given twice."""
    other = await house.restored(tmp_path / "other")
    try:
        async with Agent(other.url, house.agent_key) as agent, Person(other.url, house.mira_key) as mira:
            (await mira.call("POST", "/v1/brakes", {"action": "resume", "scope": {"everything": True}})).ok()
            refused = await agent.claim(house.approved, claimant="another try")
            assert (refused.status, refused.problem) == (409, "decision-too-old")
            assert (await agent.claim(house.claimed)).status == 200, "the same claimant has its permit still"
            assert (await agent.claim(house.claimed, claimant="other")).problem == "already-claimed"
    finally:
        await other.close()


async def test_a_restore_asks_before_it_replaces_a_store(house: House) -> None:
    await house.service.stop()
    refused = await bot("restore", str(house.file), state=house.service.state)
    assert refused.code == 2
    assert "--replace" in refused.err
    said = await bot("restore", str(house.file), "--replace", state=house.service.state)
    assert said.code == 0, said
    (aside,) = house.service.state.glob("before-*")
    assert (aside / "store" / "appendonlydir").is_dir(), "nothing is lost"
    await house.service.start()
    async with Agent(house.service.url, house.agent_key) as agent:
        assert (await agent.look(house.approved["id"]))["state"] == "decided"


async def test_a_restore_beside_a_running_service_is_refused(house: House) -> None:
    refused = await bot("restore", str(house.file), "--replace", state=house.service.state)
    assert refused.code == 1
    assert "another Andon service" in refused.err
    assert await house.service.answers()


async def test_a_damaged_backup_changes_nothing(house: House, tmp_path: Path) -> None:
    whole = house.file.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other").write_bytes(b"not a backup at all")
    for damage in ("changed", "newer"):
        _rewrite(house.file, tmp_path / damage, damage)
    for file in (tmp_path / name for name in ("cut", "other", "changed", "newer", "nowhere")):
        said = await bot("restore", str(file), "--replace", state=tmp_path / "fresh")
        assert (said.code, str(file) in said.err) == (2, True), said
        assert not (tmp_path / "fresh" / "store").exists()


def _rewrite(source: Path, target: Path, damage: str) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old.getmembers():
            found = old.extractfile(member)
            assert found
            data = found.read()
            if damage == "changed" and member.name == "snapshot.rdb":
                data = data[:-20] + b"x" + data[-19:]
            if damage == "newer" and member.name == "about.json":
                data = json.dumps({**json.loads(data), "form": 99}).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))


async def test_a_backup_is_for_its_owner_alone_and_overwrites_nothing(house: House) -> None:
    assert house.file.stat().st_mode & 0o777 == 0o600
    before = hashlib.sha256(house.file.read_bytes()).digest()
    again = await bot("backup", str(house.file), state=house.service.state)
    assert (again.code, "is there already" in again.err) == (2, True)
    assert hashlib.sha256(house.file.read_bytes()).digest() == before
    with tarfile.open(house.file) as tar:
        assert sorted(tar.getnames()) == ["about.json", "secret", "snapshot.rdb"]


async def test_another_store_is_backed_up_with_its_own_tools(settings: Settings, tmp_path: Path) -> None:
    assert settings.redis_url
    url = settings.redis_url.get_secret_value()
    for command in (["backup", "file"], ["restore", "file"]):
        said = await bot(*command, state=tmp_path / "state", ANDON_REDIS_URL=url)
        assert (said.code, "its own tools" in said.err.replace("Redis' own", "its own")) == (1, True)
    said = await _done(settings, tmp_path)
    assert said.code == 0
    assert "Everything is on hold" in said.out


async def _done(settings: Settings, folder: Path) -> Said:
    assert settings.redis_url
    assert settings.secret
    return await bot(
        *("restore", "--done"),
        state=folder / "state",
        ANDON_REDIS_URL=settings.redis_url.get_secret_value(),
        ANDON_SECRET=settings.secret.get_secret_value(),
    )


async def test_only_approvals_that_nobody_acted_on_are_outdated(store: Store) -> None:
    await asks.start_run(store)
    open_, approved, rejected = [await asks.opened(store) for _ in range(3)]
    await store.handoffs.answer(approved, asks.yes(approved), answer_id="a")
    await store.handoffs.answer(rejected, asks.no(rejected), answer_id="b")
    assert await store.restored.outdate() == 1
    assert await store.restored.outdate() == 1, "again is safe"
    await store.handoffs.answer(open_, asks.yes(open_), answer_id="c")
    words = []
    for each in (approved, open_):
        said = await store.handoffs.claim(
            each.id, each.agent, digest=each.digest, claimant="try", max_age=asks.DECISION_AGE
        )
        words.append(said.word)
    assert words == ["old", "permit"]
