"""The policy that stands: when a file replaces it, and when it does not."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import ConfigError, StoreUnavailable
from bot.policies import Policies
from bot.policy import Reach, parse
from tests.servers import until

ASKS = "rules: [{name: reads, tool: 'read_*', do: ask}]"
ALLOWS = "rules: [{name: reads, tool: 'read_*', do: allow}]"
BROKEN = "rules: [{name: reads, tool: 'read_*', do: alow}]"


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_text(text, encoding=encoding)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(ASKS)
    return path


class Kept:
    """What the store remembers, or (down) does not tell."""

    def __init__(self, text: str = "", *, down: int = 0) -> None:
        self.text = text
        self.version = parse(text).version if text else ""
        self.down = down

    async def last(self) -> tuple[str, str]:
        if self.down:
            self.down -= 1
            raise StoreUnavailable("it is away")
        return self.version, self.text

    async def keep(self, version: str, text: str) -> None:
        self.version, self.text = version, text


@asynccontextmanager
async def watched(
    path: Path | None, memory: Kept | None = None
) -> AsyncIterator[tuple[Policies, list[tuple[str, str]]]]:
    told: list[tuple[str, str]] = []

    async def alert(about: str, text: str) -> None:
        told.append((about, text))

    policies = Policies(path, every_s=0.01)
    policies.start(alert, memory)
    try:
        yield policies, told
    finally:
        await policies.stop()


def says(policies: Policies, do: str) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return bool(policies.current().rules) and policies.current().rules[0].do == do

    return holds


def troubled(policies: Policies, word: str) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return word in policies.standing.trouble if word else not policies.standing.trouble

    return is_so


async def test_a_changed_file_replaces_the_policy(file: Path) -> None:
    async with watched(file) as (policies, told):
        before = policies.current()
        write(file, ALLOWS)
        await until(says(policies, "allow"))
        assert policies.current().version != before.version
        assert [about.split()[:2] for about, _ in told] == [["policy", "looser"]]
        assert (policies.standing.trouble, policies.loads["loaded"]) == ("", 2)


@pytest.mark.parametrize("down", [0, 3])
async def test_a_looser_file_at_the_start_is_told_as_soon_as_the_store_answers(file: Path, down: int) -> None:
    write(file, ALLOWS)
    memory = Kept(ASKS, down=down)
    async with watched(file, memory) as (policies, told):
        await until(remembered(memory, ALLOWS))
        (about, text), *more = told
        assert not more
        assert about.startswith(f"policy looser {policies.current().version} ")
        assert f"is looser than {parse(ASKS).version} was:" in text
        assert "read_x: was asked (rule reads), is allowed (rule reads)" in text


@pytest.mark.parametrize("before", ["", ALLOWS, f"{ASKS} # a note", ASKS], ids=["none", "looser", "alike", "the same"])
async def test_a_start_that_loosens_nothing_says_nothing(file: Path, before: str) -> None:
    memory = Kept(before)
    async with watched(file, memory) as (_, told):
        await until(remembered(memory, ASKS))
        assert told == []


@pytest.mark.parametrize("text", ["", BROKEN], ids=["never kept", "not to be read any more"])
async def test_what_cannot_be_compared_at_the_start_is_told_as_changed(file: Path, text: str) -> None:
    memory = Kept()
    memory.version, memory.text = "0123456789ab", text
    async with watched(file, memory) as (policies, told):
        await until(remembered(memory, ASKS))
        ((about, said),) = told
        assert about.startswith("policy unlike 0123456789ab ")
        assert f"changed from 0123456789ab to {policies.current().version} before this start" in said


async def test_a_memory_that_fails_does_not_end_the_watch(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError("something that nobody thought of")

    monkeypatch.setattr(Policies, "_loosened", fail)
    write(file, ALLOWS)
    memory = Kept(ASKS)
    async with watched(file, memory) as (policies, _):
        await until(remembered(memory, ALLOWS))
        write(file, ASKS)
        await until(says(policies, "ask"))


async def test_each_change_is_told_by_when_the_file_changed(file: Path) -> None:
    """The same change by the same file is one, in whichever process; the same again later is another."""
    async with watched(file) as (here, told), watched(file) as (there, told_there):
        for text, do in ((ALLOWS, "allow"), (ASKS, "ask")) * 2:
            write(file, text)
            await until(says(here, do))
            await until(says(there, do))

        async def both() -> bool:
            return len(told) == len(told_there) == 2

        await until(both)
        assert len({about for about, _ in told}) == 2
        assert {about for about, _ in told} == {about for about, _ in told_there}


def remembered(memory: Kept, text: str) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return memory.version == parse(text).version

    return is_so


async def test_a_file_that_is_put_in_its_place_is_taken(file: Path) -> None:
    """As editors, and as volumes of a cluster do."""
    async with watched(file) as (policies, _):
        new = file.with_suffix(".new")
        write(new, ALLOWS)
        os.replace(new, file)  # noqa: PTH105  # as editors do
        await until(says(policies, "allow"))


async def test_a_broken_file_never_replaces_a_working_one_and_is_told_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(file) as (policies, told):
        write(file, BROKEN)
        await until(troubled(policies, "has faults"))
        assert policies.current().rules[0].do == "ask"
        os.utime(file)
        await asyncio.sleep(0.1)
        assert len(told) == 1
        assert "policy.yaml:1:43: rule 'reads', rules.0.do" in told[0][1]
        assert f"version {policies.current().version} stays" in told[0][1]
        assert [record.levelno for record in caplog.records if "policy.refused" in record.message] == [logging.ERROR]
        assert policies.loads["refused"] == 1
        write(file, "rules: [{name: reads, do: never}]")
        await until(troubled(policies, "rules.0.do"))
        write(file, ASKS)
        await until(troubled(policies, ""))
        assert policies.current().rules[0].do == "ask"


async def test_a_file_that_is_mended_is_taken_and_no_longer_told(file: Path) -> None:
    async with watched(file) as (policies, _):
        write(file, BROKEN)
        await until(troubled(policies, "has faults"))
        write(file, ALLOWS)
        await until(says(policies, "allow"))
        assert policies.standing.trouble == ""


async def test_what_is_being_written_is_not_read(file: Path) -> None:
    """Half a file may be a whole policy that lets more through."""
    policies = Policies(file, every_s=0.01)
    taken = []

    async def alert(about: str, text: str) -> None:
        taken.append(text)

    seen = policies._mark
    for size in range(1, 20):
        write(file, ALLOWS + " " * size)
        seen = await policies._look(file, seen, alert)
        assert policies.current().rules[0].do == "ask", "it changes from look to look"
    await policies._look(file, seen, alert)
    assert policies.current().rules[0].do == "allow"
    assert len(taken) == 1, "one change, told once"
    assert "read_x: was asked (rule reads), is allowed (rule reads)" in taken[0]


async def test_a_missing_file_means_that_everything_is_asked_and_says_so(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remove(file)
    async with watched(file) as (policies, told):
        assert (policies.current().version, policies.current().rules) == ("none", ())
        assert "so everything is asked" in policies.standing.trouble
        assert any("policy.missing" in record.message and record.levelno == logging.ERROR for record in caplog.records)

        async def heard() -> bool:
            return bool(told)

        await until(heard)
        write(file, ALLOWS)
        await until(says(policies, "allow"))
        assert policies.standing.trouble == ""


async def test_a_file_that_goes_away_leaves_what_it_said(file: Path) -> None:
    async with watched(file) as (policies, told):
        remove(file)
        await until(troubled(policies, "is gone"))
        assert policies.current().rules[0].do == "ask"
        assert len(told) == 1
        write(file, ASKS)
        await until(troubled(policies, ""))
        assert policies.standing.trouble == ""
        assert len(told) == 1


async def test_a_file_that_cannot_be_read_leaves_what_stands(file: Path) -> None:
    async with watched(file) as (policies, told):
        write(file, "\xff", "latin-1")
        await until(troubled(policies, "cannot read"))
        assert policies.current().rules[0].do == "ask"
        assert told


def test_a_broken_file_stops_the_start(file: Path) -> None:
    file.write_text(BROKEN)
    with pytest.raises(ConfigError, match=r"policy\.yaml:1:43: rule 'reads', rules\.0\.do"):
        Policies(file)


def test_warnings_are_told_when_a_file_is_taken(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("rules: [{name: all, do: allow}]")
    policies = Policies(file)
    assert "for any tool" in policies.standing.warnings[0]
    assert any("policy.warning" in record.message for record in caplog.records)


def test_what_people_cannot_be_reached_by_is_told_when_a_file_is_taken(file: Path) -> None:
    file.write_text("defaults: {to: ['slack:#ops']}")
    policies = Policies(file, reach=Reach({"web": True, "slack": False}))
    assert "'slack' is not set up" in policies.standing.warnings[0]


def test_without_a_file_everything_is_asked_and_nothing_is_amiss() -> None:
    policies = Policies()
    assert (policies.current().version, policies.standing.trouble) == ("none", "")
    assert policies.loads == {"loaded": 0, "refused": 0, "missing": 0}


async def test_one_look_that_fails_does_not_end_the_watch(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[bool] = []
    look = Policies._look

    async def once(self: Policies, *given: object) -> object:
        if not failed:
            failed.append(True)
            raise OSError("a disk that is away for a moment")
        return await look(self, *given)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Policies, "_look", once)
    async with watched(file) as (policies, _):
        write(file, ALLOWS)
        await until(says(policies, "allow"))
        assert failed
