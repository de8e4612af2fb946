"""The code in the documentation of the agent's side of the brake does what it says."""

import asyncio
import os
import re
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from andon import Run, Stopped
from bot.config import Settings
from tests.flows.office import Office, open_office, stopped_by, task

PAGE: Final = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
SECTION: Final = re.split(r"^## ", PAGE, flags=re.MULTILINE)[6]
BLOCKS: Final = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


async def example(block: str, names: dict[str, Any]) -> None:
    """Run a part of a program, which has these names."""
    made: dict[str, Any] = {"asyncio": asyncio, "Stopped": Stopped, **names}
    exec("async def example():\n" + textwrap.indent(block, "    "), made)  # noqa: S102 - it is our own
    await made["example"]()


@asynccontextmanager
async def agent_of_the_page(office: Office, tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The whole program, as somebody would run it."""
    script = tmp_path / "agent.py"
    script.write_text(BLOCKS[0])
    env = {**os.environ, "ANDON_URL": office.service.url, "ANDON_KEY": office.service.agent.key}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        env={**env, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_agent_replans_and_waits_as_people_want(office: Office, tmp_path: Path) -> None:
    assert SECTION.startswith("6. When somebody pulls the cord\n")
    async with agent_of_the_page(office, tmp_path) as process:
        first = await office.card()
        await office.brake(first["run"], "steer", "Change the recipient to Bob")
        await office.comes_to(first["id"], "decided")
        second = await office.card()
        assert second["ask"]["action"]["args"]["to"] == "bob@example.com"
        await office.brake(first["run"], "stop", "Not before the audit")
        await office.comes_to(second["id"], "held")
        await office.brake(first["run"], "steer", "Bob is right")
        await office.brake(first["run"], "resume")
        again = await office.card()
        assert again["id"] == second["id"]
        (await office.mira.approve(again)).ok()
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    said = out.decode().splitlines()
    assert said[0] == "mira says: Change the recipient to Bob. Take this into account before you go on."
    assert said[1].startswith("mira stopped this run at ")
    assert said[2:] == [
        "mira says: Bob is right. Take this into account before you go on.",
        "sent 'Report' to bob@example.com",
    ]


async def test_the_agent_ends_when_people_end_its_run(office: Office, tmp_path: Path) -> None:
    async with agent_of_the_page(office, tmp_path) as process:
        card = await office.card()
        await office.brake(card["run"], "stop")
        await office.comes_to(card["id"], "held")
        await office.brake(card["run"], "abort", "The customer left")
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert "ended this run" in out.decode().splitlines()[-1]


async def test_what_is_under_way_is_broken_off(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    crawled: list[str] = []
    runs: list[Run] = []

    async def crawl(run: Run, page: str) -> None:
        runs.append(run)
        try:
            await asyncio.sleep(60)
        finally:
            crawled.append(page)

    names = {"andon": office.andon, "pages": ["a", "b"], "crawl": crawl}
    working = task(example(BLOCKS[1], names))
    while len(runs) < 2:  # noqa: ASYNC110 - the example's own tasks say when
        await asyncio.sleep(0.01)
    await office.brake(runs[0], "stop")
    await asyncio.wait_for(working, 10)
    assert sorted(crawled) == ["a", "b"]
    assert capsys.readouterr().out.startswith("mira stopped this run at ")


async def test_a_new_process_is_the_same_run(office: Office) -> None:
    async with office.andon.run("weekly-report", idempotency_key="report-2026-47") as run:
        await office.brake(run, "stop")
        await stopped_by(run.checkpoint("plan A", {"mail": "written"}))
    working = task(example(BLOCKS[3], {"andon": office.andon}))
    await office.brake(run, "resume")
    (await office.mira.approve(await office.card())).ok()
    await asyncio.wait_for(working, 10)
