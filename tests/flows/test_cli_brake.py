"""The cord from a terminal: a command that is stopped says so, and people stop runs by typing."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from andon import Run
from bot.config import Settings
from tests.flows.office import Office, ask, confirm, gate, open_office, question, stopped_by, task
from tests.people import Json
from tests.servers import bare_environment


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def last(self) -> Json:
        """The JSON on the last line of standard error."""
        found: Json = json.loads(self.err.splitlines()[-1])
        return found


class Terminal:
    """Where commands are typed, with one key or another."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.folder = folder

    async def begin(self, *words: str, key: str = "") -> asyncio.subprocess.Process:
        service = self.office.service
        env = bare_environment(ANDON_URL=service.url, ANDON_KEY=key or service.agent.key, ANDON_STATE=str(self.folder))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from andon._cli import main; main()", *words),
            cwd=self.folder,
            env={**env, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def type(self, *words: str, key: str = "") -> Ended:
        """As Mira, unless with another key."""
        return await ended(await self.begin(*words, key=key or self.office.mira.key))

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "policy.yaml")


async def ended(process: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report", channel="#ops") as run:
        yield run


@pytest.fixture
def terminal(office: Office, tmp_path: Path) -> Terminal:
    folder = tmp_path / "here"
    folder.mkdir()
    return Terminal(office, folder)


TOUCH = ("run", "--why", "asked to", "--risk", "it writes a file", "--json", "--", "touch", "ran")
ASKS = [TOUCH, ("ask", "Which version?", "--json"), ("choose", "Which?", "a", "b", "--json")]


@pytest.mark.parametrize("words", ASKS, ids=lambda words: words[0])
async def test_a_command_that_is_stopped_says_who_and_that_its_ask_is_on_hold(
    office: Office, terminal: Terminal, words: tuple[str, ...]
) -> None:
    typed = await terminal.begin(*words)
    card = await office.card()
    await office.brake(card["run"], "stop", "Not before the audit")
    done = await ended(typed)
    assert done.code == 5
    assert re.search(
        rf"andon: mira stopped this run at 20..-..-.. ..:.. UTC: Not before the audit; the ask is on hold: "
        rf"{re.escape(card['url'])}",
        done.err,
    )
    told = done.last if words is TOUCH else json.loads(done.out)
    assert told["handoff"] == card["id"]
    assert told["brake"]["by"]["name"] == "mira"
    assert (told["brake"]["action"], told["brake"]["text"]) == ("stop", "Not before the audit")
    if words is TOUCH:
        assert (told["ran"], told["decision"], told["exit_code"]) == (None, None, 5)
        assert told["error"].endswith("; nothing was run")
    else:
        assert told["kind"] == "stopped"
    assert await office.state(card["id"]) == "held"
    assert terminal.left == []


async def test_a_command_whose_run_is_ended_says_that(office: Office, terminal: Terminal) -> None:
    typed = await terminal.begin(*TOUCH)
    card = await office.card()
    await office.brake(card["run"], "abort")
    done = await ended(typed)
    assert done.code == 5
    assert "mira ended this run at " in done.err
    assert "; the ask has ended; nothing was run" in done.err
    assert terminal.left == []


@pytest.mark.parametrize("words", ASKS, ids=lambda words: words[0])
async def test_a_command_that_is_told_something_prints_it(
    office: Office, terminal: Terminal, words: tuple[str, ...]
) -> None:
    typed = await terminal.begin(*words)
    card = await office.card()
    await office.brake(card["run"], "steer", "Use \x1b[2J the other\nfile")
    done = await ended(typed)
    assert done.code == 7
    assert "andon: mira says: Use ⟦U+001B⟧[2J the other file\nthe ask was taken back" in done.err
    told = done.last if words is TOUCH else json.loads(done.out)
    assert [said["text"] for said in told["steers"]] == ["Use \x1b[2J the other\nfile"]
    assert (await office.mira.look(card["id"]))["decision"]["kind"] == "withdrawn"
    assert await office.on() == []
    assert terminal.left == []


async def test_under_a_stop_nothing_is_asked(office: Office, terminal: Terminal) -> None:
    await office.wide("stop", everything=True)
    done = await terminal.type(*TOUCH, key=office.service.agent.key)
    assert done.code == 5
    assert re.search(r"andon: mira stopped all runs at [^;]*; nothing was run\n", done.err)
    assert (done.last["handoff"], done.last["brake"]["scope"]) == (None, {"everything": True})
    assert terminal.left == []


async def test_a_command_waits_a_pause_out(office: Office, terminal: Terminal) -> None:
    await office.wide("pause", agent="mailer")
    typed = await terminal.begin(*TOUCH)
    await asyncio.sleep(0.5)
    assert typed.returncode is None
    await office.wide("resume", agent="mailer")
    (await office.mira.approve(await office.card())).ok()
    assert (await ended(typed)).code == 0
    assert terminal.left == ["ran"]


# --- people ---


async def test_people_stop_a_run_and_resume_it(office: Office, run: Run, terminal: Terminal) -> None:
    waiting = task(ask(run))
    card = await office.card()
    done = await terminal.type("stop", run.id, "--why", "Not before the audit")
    assert (done.code, done.out) == (
        0,
        f"stopped {run.id}: 1 ask on hold\nno action in flight\nresume with: andon resume {run.id}\n",
    )
    assert (await stopped_by(waiting)).brake.text == "Not before the audit"
    again = await terminal.type("stop", run.id)
    assert re.match(
        rf"{run.id} is stopped already, by mira at \S+ ..:.. UTC: Not before the audit; 1 ask on hold\n", again.out
    )
    listed = await terminal.type("brakes")
    assert re.match(rf"stop +\d+ s  {run.id}  by mira at \S+ ..:.. UTC: Not before the audit\n$", listed.out)
    resumed = await terminal.type("resume", run.id)
    assert resumed.out == f"resumed {run.id}: 1 ask waiting again\n"
    assert await office.state(card["id"]) == "pending"
    assert (await terminal.type("resume", run.id)).out == f"nothing of its own held {run.id}\n"
    assert (await terminal.type("brakes")).err == "andon: nothing is held\n"


@pytest.mark.parametrize(
    "scope", [("--everything",), ("--agent", "mailer"), ("--channel", "#ops"), ("--channel", "web:#ops")]
)
async def test_people_stop_more_than_a_run(
    office: Office, run: Run, terminal: Terminal, scope: tuple[str, ...]
) -> None:
    waiting = task(ask(run))
    await office.card()
    stopped = await terminal.type("stop", *scope)
    await stopped_by(waiting)
    hint = stopped.out.splitlines()[-1].removeprefix("resume with: andon ")
    assert (await terminal.type(*hint.replace("'", "").split())).out.endswith(": 1 ask waiting again\n")


async def test_what_is_in_flight_is_named(office: Office, run: Run, terminal: Terminal) -> None:
    waiting = task(confirm(run, "Send \x1b[2J it"))
    (await office.mira.approve(await office.card())).ok()
    permit = await run.claim(await waiting)
    done = await terminal.type("stop", run.id)
    assert re.search(
        rf"\n1 action in flight, claimed before; nothing can recall that:\n"
        rf"  {permit.handoff}  Send ⟦U\+001B⟧\[2J it  \(claimed \d+ s ago, in {run.id}\)\n",
        done.out,
    )
    receipt = json.loads((await terminal.type("stop", run.id, "--json")).out)
    assert (receipt["did"], receipt["in_flight"][0]["handoff"]) == ("stands", permit.handoff)


async def test_a_channel_that_nobody_names_so_is_said_to_hold_nothing(
    office: Office, run: Run, terminal: Terminal
) -> None:
    """To the store `#ops` and the channel's id are two conversations; what holds nothing must not look like a stop."""
    waiting = task(ask(run))
    await office.card()
    hint = "\nno run that asks anything names the channel just so"
    assert hint in (await terminal.type("stop", "--channel", "web:ops")).out
    assert hint not in (await terminal.type("stop", "--channel", "web:#ops")).out
    await stopped_by(waiting)


async def test_a_run_that_has_ended_is_said_to_have(office: Office, run: Run, terminal: Terminal) -> None:
    await office.brake(run, "abort")
    stopped = await terminal.type("stop", run.id)
    assert re.search(r" was ended for good, by mira at [^;]+\n", stopped.out)
    assert "resume" not in stopped.out
    assert "; nobody was told\n" in (await terminal.type("steer", run.id, "Send it to Bob")).out


async def test_what_still_holds_a_run_is_named(office: Office, run: Run, terminal: Terminal) -> None:
    await office.brake(run, "stop")
    await office.wide("stop", agent="mailer")
    done = await terminal.type("resume", run.id)
    assert re.search(r"\nstill stopped by mira at [^;]+; lift that with: andon resume --agent mailer\n$", done.out)


async def test_people_tell_a_run_something(office: Office, run: Run, terminal: Terminal) -> None:
    waiting = task(gate(run))
    await office.card()
    pausing = task(terminal.type("pause", run.id))
    assert (await pausing).out.startswith(f"paused {run.id}: 1 ask on hold\n")
    done = await terminal.type("steer", run.id, "Change the recipient to Bob")
    assert done.code == 0
    assert done.out.startswith(f"told {run.id}: ")
    assert re.search(rf"\nstill paused by mira at [^;]+; lift that with: andon resume {run.id}\n$", done.out)
    with pytest.raises(Exception, match="mira says: Change the recipient to Bob"):
        await waiting
    await office.brake(run, "resume")
    again = await terminal.type("steer", run.id, "And to Carol")
    assert again.out.endswith("it goes on as soon as its agent has read that\n")
    await office.brake(run, "stop")
    late = await terminal.type("steer", run.id, "And quickly")
    assert late.out.startswith(f"told {run.id}, which reads it once it goes on: stopped by mira at ")


async def test_people_end_a_run(office: Office, run: Run, terminal: Terminal) -> None:
    handoff = await run.open(question(run))
    done = await terminal.type("abort", run.id, "--why", "Wrong customer")
    assert done.out == f"ended {run.id}: 1 ask ended\nno action in flight\n"
    await office.comes_to(handoff.id, "decided")


async def test_the_brake_takes_a_persons_key(office: Office, run: Run, terminal: Terminal, tmp_path: Path) -> None:
    for words in (("stop", run.id), ("brakes",)):
        done = await terminal.type(*words, key=office.service.agent.key)
        assert done.code == 2
        assert done.err.startswith("andon: that key is an agent's, and the brake takes a person's. Give a person's")
    key = tmp_path / "mira.key"
    key.write_text(office.mira.key)
    done = await terminal.type("stop", run.id, "--key-file", str(key), key=office.service.agent.key)
    assert done.code == 0


async def test_without_a_key_the_brake_asks_for_one(office: Office, run: Run) -> None:
    """The local agent's key is in the state folder, and would not do."""
    env = bare_environment(ANDON_URL=office.service.url)
    typing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from andon._cli import main; main()", "stop", run.id),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    done = await ended(typing)
    assert done.code == 2
    assert done.err.startswith("andon: the brake takes a person's key. Give a person's, with ANDON_KEY or --key-file")


async def test_who_may_not_resume_is_told_so(settings: Settings, tmp_path: Path) -> None:
    policy = 'brake: {resume: ["ana@example.com"]}\ndefaults: {do: ask}\n'
    async with open_office(settings, tmp_path, policy=policy) as office, office.andon.run("report") as run:
        terminal = Terminal(office, tmp_path)
        assert (await terminal.type("stop", run.id)).code == 0
        done = await terminal.type("resume", run.id)
        assert done.code == 1
        assert "it takes somebody who may approve for it to resume this" in done.err


async def test_nobody_answers_from_a_terminal_what_is_on_hold(office: Office, run: Run, terminal: Terminal) -> None:
    """Exit code 5, as for whoever asked: somebody stopped it."""
    waiting = task(confirm(run))
    card = await office.card()
    await office.brake(run, "stop")
    await stopped_by(waiting)
    done = await terminal.type("answer", card["id"], "approve", "--digest", card["digest"][:12])
    assert done.code == 5
    assert "the brake is on" in done.err
    assert await office.state(card["id"]) == "held"


@pytest.mark.parametrize(
    "words",
    [
        ("stop",),
        ("stop", "report"),
        ("stop", "run_7Q2"),
        ("stop", "--everything", "--agent", "mailer"),
        ("stop", "--channel", "slack:"),
        ("stop", "--everything", "--why", " "),
        ("steer", "run_7Q2"),
        ("steer", "run_7Q2", " "),
        ("brakes", "run_7Q2"),
    ],
)
async def test_wrong_usage_stops_nothing(office: Office, terminal: Terminal, words: tuple[str, ...]) -> None:
    done = await terminal.type(*words)
    assert done.code == 2
    assert done.err
    assert await office.on() == []


async def test_a_run_that_is_not_there(office: Office, terminal: Terminal) -> None:
    done: Any = await terminal.type("stop", f"run_{'x' * 22}")
    assert done.code == 1
    assert "there is no run" in done.err
