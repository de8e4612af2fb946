"""`andon run` against the real service: approved runs once, edited runs as edited, and else nothing runs."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import JsonValue

from andon import Andon, InvalidRequest, wire
from tests.servers import ServiceProcess, bare_environment, until


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Desk:
    """A shell where commands are typed, and Mira, who answers what they ask."""

    def __init__(self, service: ServiceProcess, mira: Andon, folder: Path) -> None:
        self.service = service
        self.mira = mira
        self.folder = folder

    async def begin(self, *options: str, command: tuple[str, ...]) -> asyncio.subprocess.Process:
        """Type `andon run`, and go on while it waits."""
        why = ("--why", "The disk is full", "--risk", "It writes a file")
        env = bare_environment(ANDON_URL=self.service.url, ANDON_KEY=self.service.agent_key)
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from andon._cli import main; main()", "run", *why, *options, "--", *command),
            cwd=self.folder,
            env={**env, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
        )

    async def card(self) -> wire.Handoff:
        """The one card that waits."""

        async def pending() -> bool:
            return len((await self.mira.api.page(state="pending")).handoffs) == 1

        await until(pending, within_s=20, what="a card waits")
        return (await self.mira.api.page(state="pending")).handoffs[0]

    async def outcome(self, handoff: wire.Handoff) -> wire.Outcome | None:
        return (await self.mira.api.read(handoff.id)).outcome

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


async def ended(process: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def desk(subprocess_service: ServiceProcess, tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "here"
    folder.mkdir()
    key = await subprocess_service.make_key("person", "mira@example.com")
    async with Andon(subprocess_service.url, key) as mira:
        yield Desk(subprocess_service, mira, folder)


async def test_an_approved_command_runs_once(desk: Desk) -> None:
    typed = await desk.begin(command=("sh", "-c", "echo ran | tee -a log; exit 5"))
    card = await desk.card()
    assert isinstance(card.ask, wire.Confirmation)
    assert card.ask.action is not None
    assert card.ask.action.args == {
        "argv": ["sh", "-c", "echo ran | tee -a log; exit 5"],
        "cwd": str(desk.folder.resolve()),
        "env": {},
    }
    assert desk.left == []
    await desk.mira.api.answer(card.id, wire.Approve(revision=1, digest=card.digest), idempotency_key="yes")
    done = await ended(typed)
    assert (done.code, done.out) == (5, "ran\n")
    assert card.url in done.err
    assert (desk.folder / "log").read_text() == "ran\n"
    outcome = await desk.outcome(card)
    assert outcome is not None
    assert (outcome.status, outcome.error) == ("failed", "It ended with exit code 5")


async def test_an_edited_command_runs_as_edited(desk: Desk) -> None:
    typed = await desk.begin(command=("A=1", "touch", "original"))
    card = await desk.card()
    args: dict[str, JsonValue] = {"argv": ["sh", "-c", "echo $A > edited"], "cwd": str(desk.folder), "env": {"A": "2"}}
    await desk.mira.api.answer(card.id, wire.Edit(revision=1, args=args), idempotency_key="edit")
    done = await ended(typed)
    assert done.code == 0
    assert "as edited" in done.err
    assert desk.left == ["edited"]
    assert (desk.folder / "edited").read_text() == "2\n"


async def test_an_edit_that_is_no_command_is_not_taken(desk: Desk) -> None:
    """The command's schema is on the card, and the service checks edits against it."""
    typed = await desk.begin(command=("touch", "ran"))
    card = await desk.card()
    edit = wire.Edit(revision=1, args={"argv": [], "cwd": "/", "env": {}})
    with pytest.raises(InvalidRequest, match="argv"):
        await desk.mira.api.answer(card.id, edit, idempotency_key="edit")
    await desk.mira.api.answer(card.id, wire.Reject(revision=1), idempotency_key="no")
    assert (await ended(typed)).code == 3
    assert desk.left == []


async def test_a_rejected_command_does_not_run(desk: Desk) -> None:
    typed = await desk.begin(command=("touch", "ran"))
    card = await desk.card()
    await desk.mira.api.answer(card.id, wire.Reject(revision=1, reason="Not that one"), idempotency_key="no")
    done = await ended(typed)
    assert done.code == 3
    assert "rejected by mira: Not that one; nothing was run" in done.err
    assert desk.left == []


async def test_a_command_that_nobody_answers_does_not_run(desk: Desk) -> None:
    done = await ended(await desk.begin("--timeout", "1s", command=("touch", "ran")))
    assert done.code == 4
    assert desk.left == []


async def test_a_command_without_the_service_does_not_run(desk: Desk) -> None:
    await desk.service.stop()
    done = await ended(await desk.begin(command=("touch", "ran")))
    assert done.code == 6
    assert desk.left == []


async def test_a_command_whose_waiting_is_interrupted_does_not_run(desk: Desk) -> None:
    typed = await desk.begin(command=("touch", "ran"))
    card = await desk.card()
    typed.terminate()
    assert (await ended(typed)).code == 143
    decided = (await desk.mira.api.read(card.id)).decision
    assert decided is not None
    assert decided.kind == "withdrawn"
    assert desk.left == []


async def test_a_command_that_was_approved_while_the_service_was_killed_runs_once(desk: Desk) -> None:
    """The person saw the approval confirmed; the agent hears of it when the service is back."""
    typed = await desk.begin(command=("sh", "-c", "echo ran >> log"))
    card = await desk.card()
    await desk.service.kill()
    await desk.service.start()
    answered = await desk.mira.api.answer(card.id, wire.Approve(revision=1, digest=card.digest), idempotency_key="yes")
    assert answered.decision is not None
    await desk.service.kill()
    await desk.service.start()
    assert (await ended(typed)).code == 0
    assert (desk.folder / "log").read_text() == "ran\n"


@pytest.fixture
async def reviewing(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk where what can be undone runs first, and people look at it afterwards."""
    policy, folder = tmp_path / "policy.yaml", tmp_path / "here"
    policy.write_text("rules: [{name: commands, tool: shell.run, when: reversible, do: review}]")
    folder.mkdir()
    service = ServiceProcess(tmp_path / "state", {"ANDON_POLICY": str(policy)})
    try:
        await service.start()
        async with Andon(service.url, await service.make_key("person", "mira@example.com")) as mira:
            yield Desk(service, mira, folder)
    finally:
        await service.close()


async def test_a_command_that_people_look_at_afterwards_does_not_wait_for_them(reviewing: Desk) -> None:
    """It says where they look; what they make of it is there to be read, for whoever can undo it."""
    desk = reviewing
    done = await ended(await desk.begin("--reversible", "--json", command=("touch", "ran")))
    *said, last = done.err.splitlines()
    told = json.loads(last)
    assert (done.code, desk.left, told["decision"]) == (0, ["ran"], "approved")
    review = await desk.card()
    assert told["review"] == review.id
    assert f"andon: people look at it afterwards: {review.url}" in said

    await desk.mira.api.answer(review.id, wire.Reject(revision=1, reason="Not here"), idempotency_key="no")
    env = bare_environment(ANDON_URL=desk.service.url, ANDON_KEY=desk.service.agent_key)
    shown = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from andon._cli import main; main()", "show", review.id, "--json"),
        env={**env, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    read = json.loads((await ended(shown)).out)
    assert (read["decision"]["kind"], read["decision"]["reason"]) == ("rejected", "Not here")


async def test_a_command_that_failed_is_looked_at_as_well(reviewing: Desk) -> None:
    """Something may have happened. With `--quiet` nothing is said of it, and standard output is the command's."""
    done = await ended(await reviewing.begin("--reversible", "--quiet", command=("sh", "-c", "echo out; exit 7")))
    assert (done.code, done.out, done.err) == (7, "out\n", "")
    assert (await reviewing.card()).follows


async def test_people_answer_from_a_terminal(desk: Desk) -> None:
    """`andon answer` with a person's key in a file, naming what it approves."""
    typed = await desk.begin(command=("touch", "ran"))
    card = await desk.card()
    key = desk.folder.parent / "mira.key"
    key.write_text(await desk.service.make_key("person", "mira@example.com"))
    answering = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from andon._cli import main; main()"),
        *("answer", card.id, "approve", "--digest", card.digest[:12], "--key-file", str(key)),
        env={**bare_environment(ANDON_URL=desk.service.url), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    answered = await ended(answering)
    assert answered.code == 0, answered.err
    assert re.match(r"approved by mira", answered.out)
    assert (await ended(typed)).code == 0
    assert desk.left == ["ran"]
