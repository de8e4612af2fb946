"""A policy that becomes looser while the service runs, or is gone at a start, is told to operators."""

from functools import partialmethod
from pathlib import Path

import pytest

from bot import policies
from bot.config import Settings
from tests.servers import Live, live, until

STRICT = """
defaults: {approvers: [ana@example.com, bob@example.com, cyd@example.com]}
rules:
  - {name: mail, tool: send_email, do: ask, quorum: 2}
  - {name: drops, tool: drop, do: deny, reason: No.}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    quick = policies.Policies.__init__
    monkeypatch.setattr(policies.Policies, "__init__", partialmethod(quick, every_s=0.02))
    path = tmp_path / "policy.yaml"
    path.write_text(STRICT)
    return path


async def told(service: Live, words: str) -> str:
    found: list[str] = []

    async def there() -> bool:
        found[:] = [each.text for each in await service.store.runs.notices(20) if words in each.text]
        return bool(found)

    await until(there, what=words)
    assert len(found) == 1
    return found[0]


async def kept(service: Live) -> str:
    """The version that the store remembers, once it does."""

    async def there() -> bool:
        return bool((await service.store.loaded.last())[0])

    await until(there)
    return (await service.store.loaded.last())[0]


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_what_became_looser_is_told_gate_by_gate(settings: Settings, file: Path) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        write(file, "rules: [{name: mail, tool: send_email, do: ask}]")
        text = await told(service, "is looser than")
        assert "send_email" in text
        assert "1 must say yes instead of 2" in text
        assert "any full member may answer" in text
        assert "was refused (rule drops), is asked" in text
        assert len(text.splitlines()) <= 12


LOOSE = STRICT.replace("quorum: 2", "quorum: 1")


async def looser(service: Live, count: int) -> list[str]:
    """As many alerts about a looser policy, in the end."""

    async def all_told() -> bool:
        return len([each for each in await service.store.runs.notices(20) if "is looser than" in each.text]) >= count

    await until(all_told, what=f"{count} alerts")
    return [each.text for each in await service.store.runs.notices(20) if "is looser than" in each.text]


async def test_a_looser_file_taken_at_a_restart_is_told(settings: Settings, file: Path) -> None:
    """Else a restart is the way to take one without anybody hearing of it."""
    under = settings.model_copy(update={"policy": file})
    async with live(under) as service:
        before = await kept(service)
    write(file, LOOSE)
    async with live(under) as service, live(under):
        (text,) = await looser(service, 1)
        assert f"is looser than {before} was" in text
        assert "1 must say yes instead of 2" in text

        async def taken() -> bool:
            return await kept(service) != before

        await until(taken)
    async with live(under) as service:
        await kept(service)
        assert len(await looser(service, 1)) == 1, "once, by however many processes and starts"


async def test_a_looser_file_is_told_each_time(settings: Settings, file: Path) -> None:
    """Taken back and made again within the hour, it is another change."""
    async with live(settings.model_copy(update={"policy": file})) as service:
        for time in (1, 2):
            write(file, LOOSE)
            await looser(service, time)
            write(file, STRICT)

            async def back() -> bool:
                return (await service.store.loaded.last())[1] == STRICT

            await until(back)
        assert len(await looser(service, 2)) == 2


async def test_a_tighter_one_says_nothing(settings: Settings, file: Path) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        write(file, STRICT.replace("quorum: 2", "quorum: 3"))

        async def taken() -> bool:
            return 'loads{outcome="loaded"} 2.0' in (await service.agent.call("GET", "/metrics")).body

        await until(taken)
        assert not [each for each in await service.store.runs.notices(20) if "looser" in each.text]


@pytest.mark.parametrize("bare", ["{}", "rules: []", "people: {ana: {email: ana@example.com}}", "defaults: {}"])
async def test_a_file_that_says_nothing_replaces_none_that_does(settings: Settings, file: Path, bare: str) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        write(file, bare)
        await told(service, "it has no rules, no defaults and no terms")
        assert (await service.agent.ask(action={"tool": "drop", "args": {}}))["decision"]["reason"] == "No."


async def test_a_start_without_the_file_that_was_there_before_is_told_loudly(
    settings: Settings, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with live(settings.model_copy(update={"policy": file})) as service:
        last = await kept(service)
        gone = policies.Policies(file.with_name("gone.yaml"))
        alerts: list[str] = []

        async def alert(_: str, text: str) -> None:
            alerts.append(text)

        gone.start(alert, service.store.loaded)

        async def said() -> bool:
            return bool(alerts)

        await until(said)
        await gone.stop()
        assert f"ran with policy {last} before" in alerts[0]
        assert "policy.lost" in caplog.text
        assert last in gone.standing.trouble
