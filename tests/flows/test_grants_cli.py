"""A coding agent that learns safe commands: asked once, silent after that; and the command line that takes it back."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.flows.test_service_cli import Said, bot
from tests.people import Json, Person
from tests.servers import ServiceProcess, bare_environment, until

POLICY = """
rules:
  - name: commands
    tool: shell.run
    do: ask
    grants:
      - {label: this exact command, same: [argv, cwd, env], scope: agent, life: 1h}
"""
MAKE = """#!/bin/sh
echo "made $1" >> made.txt
test "$1" != broken
"""


class Shell:
    """A folder with a program, the service, and Mira."""

    def __init__(self, service: ServiceProcess, mira: Person, folder: Path) -> None:
        self.service = service
        self.mira = mira
        self.folder = folder

    async def begin(self, *command: str) -> asyncio.subprocess.Process:
        """Type `andon run -- COMMAND`."""
        why = ("--why", "The change is ready", "--risk", "It writes files")
        env = bare_environment(ANDON_URL=self.service.url, ANDON_KEY=self.service.agent_key)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from andon._cli import main; main()", "run", *why, "--", *command),
            cwd=self.folder,
            env={**env, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def silently(self, *command: str) -> Said:
        """Run it to its end, with nobody answering."""
        process = await self.begin(*command)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return Said(process.returncode, out.decode(), err.decode())

    async def asked(self, *command: str) -> tuple[asyncio.subprocess.Process, Json]:
        """Run it until a card waits for it."""
        process = await self.begin(*command)

        async def waits() -> bool:
            return len(await self.mira.inbox()) == 1

        await until(waits, within_s=20, what="a card waits")
        return process, (await self.mira.inbox())[0]

    @property
    def made(self) -> list[str]:
        path = self.folder / "made.txt"
        return path.read_text().splitlines() if path.exists() else []

    async def bot(self, *words: str) -> Said:
        return await bot(*words, state=self.service.state)


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    policy, folder = tmp_path / "policy.yaml", tmp_path / "work"
    policy.write_text(POLICY)
    folder.mkdir()
    (folder / "make").write_text(MAKE)
    (folder / "make").chmod(0o755)
    service = ServiceProcess(tmp_path / "state", {"ANDON_POLICY": str(policy)})
    try:
        await service.start()
        async with Person(service.url, await service.make_key("person", "mira@example.com")) as mira:
            yield Shell(service, mira, folder)
    finally:
        await service.close()


async def test_a_command_is_asked_once_and_silent_for_an_hour(shell: Shell) -> None:
    process, card = await shell.asked("./make", "test")
    (await shell.mira.approve(card, grant=0)).ok()
    assert await asyncio.wait_for(process.wait(), 30) == 0

    again = await shell.silently("./make", "test")
    assert (again.code, shell.made) == (0, ["made test", "made test"])
    assert "waiting for a person" not in again.err
    assert "approved, grant by mira" in again.err

    deploy, card = await shell.asked("./make", "deploy")
    assert card["ask"]["action"]["args"]["argv"] == ["./make", "deploy"]
    (await shell.mira.reject(card, "Not today")).ok()
    assert await asyncio.wait_for(deploy.wait(), 30) != 0
    assert shell.made == ["made test", "made test"]
    assert (await shell.silently("./make", "test")).code == 0, "a no to another command changes nothing"

    listed = await shell.bot("grants", "list", "--json")
    (grant,) = json.loads(listed.out)
    assert grant["uses"] == 2
    assert '"./make"' in grant["covers"]
    shown = await shell.bot("grants", "list", "--agent", "local")
    assert grant["id"] in shown.out
    assert "in any run of local" in shown.out
    assert "given by mira" in shown.out
    assert "used 2 times" in shown.out

    revoked = await shell.bot("grants", "revoke", grant["id"])
    assert (revoked.code, revoked.out) == (0, f"{grant['id']} has ended: {grant['covers']}.\n")
    assert "No grants stand" in (await shell.bot("grants", "list")).out
    twice = await shell.bot("grants", "revoke", grant["id"])
    assert (twice.code, twice.out) == (1, "")
    assert "grants list shows them" in twice.err
    process, card = await shell.asked("./make", "test")
    (await shell.mira.reject(card)).ok()
    await asyncio.wait_for(process.wait(), 30)


async def test_a_command_that_fails_is_asked_about_again(shell: Shell) -> None:
    process, card = await shell.asked("./make", "broken")
    (await shell.mira.approve(card, grant=0)).ok()
    assert await asyncio.wait_for(process.wait(), 30) == 1
    process, card = await shell.asked("./make", "broken")
    (await shell.mira.reject(card)).ok()
    await asyncio.wait_for(process.wait(), 30)


@pytest.mark.parametrize("words", [["grants"], ["grants", "give"], ["grants", "revoke"], ["grants", "list", "x"]])
def test_what_is_typed_wrong_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "usage: python -m bot grants" in capsys.readouterr().err
