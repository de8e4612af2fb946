"""The andon command: it runs what was approved, and in every other case nothing, and says which by its exit code."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from andon import Andon
from andon._cli import LONGEST_S, main
from andon._cli_help import HELP
from andon._cli_text import as_json, for_terminal
from andon.wire._asks import MAX_TIMEOUT_S
from tests.fakes.service import KEY, PERSON_KEY, FakeService, Json, approve, reject, silent, until

COMMAND = (sys.executable, "-c", "from andon._cli import main; main()")
ASK = ("run", "--why", "asked to", "--risk", "it may be wrong")
SILENCE = {"kind": "silence", "id": "silence", "name": "nobody"}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """Types commands in a folder, with the service's address set."""

    def __init__(self, service: FakeService, folder: Path, key: str = KEY) -> None:
        self.service = service
        self.folder = folder
        self.env = {**os.environ, "ANDON_URL": service.url, "ANDON_KEY": key, "ANDON_STATE": str(folder / "state")}

    async def begin(
        self, *arguments: str, stdin: int | None = asyncio.subprocess.DEVNULL
    ) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        env = {**self.env, "PYTHONPATH": os.pathsep.join(sys.path)}
        return await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, cwd=self.folder, env=env, stdin=stdin, stdout=pipe, stderr=pipe
        )

    async def type(self, *arguments: str) -> Ended:
        return await ended(await self.begin(*arguments))

    async def answer(self, *arguments: str, key: str = PERSON_KEY) -> Ended:
        """Answer with a person's key."""
        return await Shell(self.service, self.folder, key).type("answer", *arguments)

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


async def ended(process: asyncio.subprocess.Process) -> Ended:
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        serving.person = approve
        yield serving


@pytest.fixture
def shell(service: FakeService, tmp_path: Path) -> Shell:
    return Shell(service, tmp_path)


async def test_an_approved_command_runs_once_with_its_output_and_exit_code(service: FakeService, shell: Shell) -> None:
    done = await shell.type(*ASK, "--", "sh", "-c", "echo ran >> log; echo out; echo err >&2; exit 7")
    assert (done.code, done.out) == (7, "out\n")
    assert "err\n" in done.err
    assert service.only["url"] in done.err
    assert (shell.folder / "log").read_text() == "ran\n"
    assert service.only["outcome"]["status"] == "failed"
    assert service.only["outcome"]["error"] == "It ended with exit code 7"


async def test_the_card_shows_command_folder_and_environment_changes(service: FakeService, shell: Shell) -> None:
    done = await shell.type(*ASK, "--env", "A=1", "--", "B=two words", "sh", "-c", 'echo "$A $B"')
    assert done.out == "1 two words\n"
    asked = service.only["ask"]
    assert asked["action"]["args"] == {
        "argv": ["sh", "-c", 'echo "$A $B"'],
        "cwd": str(shell.folder.resolve()),
        "env": {"A": "1", "B": "two words"},
    }
    assert asked["what"] == "Run `sh -c 'echo \"$A $B\"'`"
    assert asked["gate"] == "shell"
    assert service.only["outcome"]["status"] == "executed"


async def test_an_edited_command_runs_as_edited(service: FakeService, shell: Shell) -> None:
    (shell.folder / "elsewhere").mkdir()
    edited = {"argv": ["sh", "-c", "pwd; echo $X"], "cwd": str(shell.folder / "elsewhere"), "env": {"X": "new"}}
    service.person = lambda _: {"kind": "edited", "args": edited}
    done = await shell.type(*ASK, "--", "touch", "original")
    assert done.code == 0
    assert done.out == f"{(shell.folder / 'elsewhere').resolve()}\nnew\n"
    assert shell.left == ["elsewhere"]


@pytest.mark.parametrize(
    "pressed,code",
    [
        ({"kind": "rejected", "reason": "no"}, 3),
        ({"kind": "undeliverable", "reason": "no channel"}, 3),
        ({"kind": "withdrawn", "reason": None}, 3),
        ({"kind": "expired", "by": SILENCE}, 4),
    ],
)
async def test_what_is_not_approved_does_not_run(service: FakeService, shell: Shell, pressed: Json, code: int) -> None:
    service.person = lambda _: pressed
    done = await shell.type(*ASK, "--", "touch", "ran")
    assert done.code == code
    assert "nothing was run" in done.err
    assert shell.left == []


@pytest.mark.parametrize("problem,code", [("stopped", 5), ("already-claimed", 1), ("decision-too-old", 1)])
async def test_no_permit_no_run(service: FakeService, shell: Shell, problem: str, code: int) -> None:
    service.claim_problem = (409, problem)
    done = await shell.type(*ASK, "--", "touch", "ran")
    assert done.code == code
    assert shell.left == []


async def test_a_tampered_permit_runs_nothing(service: FakeService, shell: Shell) -> None:
    service.tamper = lambda permit: permit | {"payload": permit["payload"].replace("approved", "tampered")}
    done = await shell.type(*ASK, "--", "touch", "approved")
    assert done.code == 1
    assert shell.left == []


async def test_without_a_service_nothing_runs(service: FakeService, shell: Shell) -> None:
    del shell.env["ANDON_URL"]
    done = await shell.type(*ASK, "--", "touch", "ran")
    assert done.code == 6
    assert "set ANDON_URL" in done.err
    assert shell.left == []


async def test_a_refused_key_runs_nothing(service: FakeService, shell: Shell) -> None:
    shell.env["ANDON_KEY"] = "another"
    assert (await shell.type(*ASK, "--", "touch", "ran")).code == 6
    assert shell.left == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("run",),
        ("run", "--why", "x", "--", "touch", "ran"),
        ("run", "--risk", "x", "--", "touch", "ran"),
        (*ASK, "touch", "ran"),
        (*ASK, "--"),
        (*ASK, "--", "A=1"),
        (*ASK, "--timeout", "soon", "--", "touch", "ran"),
        (*ASK, "--timeout", "9d", "--", "touch", "ran"),
        (*ASK, "--heartbeat", "4s", "--", "touch", "ran"),
        (*ASK, "--heartbeat", "2h", "--", "touch", "ran"),
        (*ASK, "--env", "A", "--", "touch", "ran"),
        ("ask", "What?", "--schema", "[]"),
        ("choose", "Which?", "same", "same"),
        ("choose", "Which?", "=label"),
        ("choose", "Which?", "id="),
    ],
)
async def test_wrong_usage_asks_nobody(service: FakeService, shell: Shell, arguments: tuple[str, ...]) -> None:
    done = await shell.type(*arguments)
    assert done.code == 2
    assert done.err
    assert not service.handoffs
    assert shell.left == []


@pytest.mark.parametrize("blank", ["", " \t\n"])
@pytest.mark.parametrize(
    "arguments,named",
    [
        (("run", "--why", "BLANK", "--risk", "x", "--", "touch", "ran"), "--why"),
        (("run", "--why", "x", "--risk", "BLANK", "--", "touch", "ran"), "--risk"),
        ((*ASK, "--what", "BLANK", "--", "touch", "ran"), "--what"),
        (("ask", "BLANK"), "QUESTION"),
        (("ask", "What?", "--why", "BLANK"), "--why"),
        (("ask", "What?", "--risk", "BLANK"), "--risk"),
        (("choose", "BLANK", "a", "b"), "QUESTION"),
        (("choose", "Which?", "a", "BLANK"), "CANDIDATE"),
        (("choose", "Which?", "a", "--why", "BLANK"), "--why"),
    ],
)
def test_what_a_person_should_read_is_not_blank(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str, blank: str
) -> None:
    """Refused as the command line is read, before there is a service to speak of."""
    with pytest.raises(SystemExit) as ending:
        main([blank if argument == "BLANK" else argument for argument in arguments])
    assert ending.value.code == 2
    said = f"argument {named}: it is blank; a person reads it before deciding, so write a sentence\n"
    assert said in capsys.readouterr().err


async def test_a_command_may_promise_signs_of_life(service: FakeService, shell: Shell) -> None:
    service.person = approve
    assert (await shell.type(*ASK, "--heartbeat", "30s", "--", "touch", "ran")).code == 0
    assert next(iter(service.runs.values()))["heartbeat_s"] == 30
    assert service.beats[-1]["last"]


@pytest.mark.parametrize("command", [(*ASK, "--", "touch", "ran"), ("ask", "What?"), ("choose", "Which?", "a")])
@pytest.mark.parametrize("time", ["0s", "0", "30d", "604801s"])
def test_a_time_out_of_range_says_what_the_flag_takes(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], time: str
) -> None:
    with pytest.raises(SystemExit) as ending:
        main([command[0], "--timeout", time, *command[1:]])
    assert ending.value.code == 2
    assert f"argument --timeout: {time} is out of range; it takes 1s to 7d\n" in capsys.readouterr().err


def test_the_longest_time_is_the_wire_protocols() -> None:
    assert LONGEST_S == MAX_TIMEOUT_S


async def test_a_script_reads_how_it_ended_from_the_last_line(service: FakeService, shell: Shell) -> None:
    """Standard output is the command's own, so the JSON is on the other."""
    done = await shell.type(*ASK, "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out) == (7, "out\n")
    assert json.loads(done.err.splitlines()[-1]) == {
        "handoff": "hf_0",
        "url": service.only["url"],
        "decision": "approved",
        "by": "Mira",
        "reason": None,
        "ran": ["sh", "-c", "echo out; echo err >&2; exit 7"],
        "review": None,
        "exit_code": 7,
        "error": None,
        "brake": None,
        "steers": None,
    }


async def test_a_script_reads_why_nothing_ran(service: FakeService, shell: Shell) -> None:
    service.person = lambda _: {"kind": "rejected", "reason": "n\x9b2J\x7fo"}
    done = await shell.type(*ASK, "--json", "--quiet", "--", "touch", "ran")
    said = json.loads(done.err.splitlines()[-1])
    assert (said["decision"], said["by"], said["reason"]) == ("rejected", "Mira", "n\x9b2J\x7fo")
    assert (said["ran"], said["exit_code"], done.code) == (None, 3, 3)
    assert said["error"].endswith("nothing was run")
    assert "\x9b" not in done.err
    assert "\x7f" not in done.err
    await service.stop()
    gone = json.loads((await shell.type(*ASK, "--json", "--", "touch", "ran")).err.splitlines()[-1])
    assert (gone["handoff"], gone["decision"], gone["exit_code"]) == (None, None, 6)
    assert "start the service" in gone["error"]
    assert shell.left == []


async def test_a_quiet_command_says_only_what_was_changed(service: FakeService, shell: Shell) -> None:
    assert (await shell.type(*ASK, "--quiet", "--", "true")).err == ""
    edited = {"argv": ["sh", "-c", "exit 4"], "cwd": "/", "env": {}}
    service.person = lambda _: {"kind": "edited", "args": edited}
    assert await shell.type(*ASK, "--quiet", "--", "true") == (4, "", "andon: running, as edited: sh -c 'exit 4'\n")


async def test_a_command_that_is_not_there_is_said_so(service: FakeService, shell: Shell) -> None:
    done = await shell.type(*ASK, "--", "no-such-command")
    assert done.code == 127
    assert service.only["outcome"]["status"] == "failed"


async def test_a_command_killed_by_a_signal_ends_as_in_a_shell(service: FakeService, shell: Shell) -> None:
    assert (await shell.type(*ASK, "--", "sh", "-c", "kill -9 $$")).code == 137
    assert service.only["outcome"]["error"] == "Killed by SIGKILL"


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupt_takes_the_ask_back(
    service: FakeService, shell: Shell, number: signal.Signals, code: int
) -> None:
    service.person = lambda _: None
    process = await shell.begin(*ASK, "--", "touch", "ran")
    await until(lambda: service.calls["GET /v1/handoffs/{id}"], seconds=20)
    process.send_signal(number)
    assert (await ended(process)).code == code
    assert service.only["decision"]["kind"] == "withdrawn"
    assert shell.left == []


async def test_a_signal_is_passed_on_to_the_command(service: FakeService, shell: Shell) -> None:
    process = await shell.begin(*ASK, "--", "sh", "-c", "trap 'exit 9' TERM; touch up; while :; do sleep 0.05; done")
    await until((shell.folder / "up").exists, seconds=20)
    process.send_signal(signal.SIGTERM)
    assert (await ended(process)).code == 9


async def test_an_answer_is_printed(service: FakeService, shell: Shell) -> None:
    service.person = lambda _: {"kind": "answered", "answer": "1.4"}
    done = await shell.type("ask", "Which version?")
    assert (done.code, done.out) == (0, "1.4\n")
    assert "answered by Mira" in done.err
    service.person = lambda _: {"kind": "answered", "answer": 4}
    assert (await shell.type("ask", "How many?", "--type", "int")).out == "4\n"
    assert [each["ask"]["answer_schema"]["type"] for each in service.handoffs.values()] == ["string", "integer"]


async def test_no_answer_prints_nothing(service: FakeService, shell: Shell) -> None:
    """Whatever reads the output must not take a refusal for an answer."""
    service.person = reject
    done = await shell.type("ask", "Which version?")
    assert (done.code, done.out) == (3, "")


async def test_a_chosen_id_is_printed(service: FakeService, shell: Shell) -> None:
    service.person = lambda _: {"kind": "chosen", "choice": "us"}
    assert (await shell.type("choose", "Where?", "eu=Frankfurt", "us=Oregon")).out == "us\n"
    whole = json.loads((await shell.type("choose", "Where?", "eu=Frankfurt", "us=Oregon", "--json")).out)
    assert (whole["kind"], whole["choice"], whole["by"]["name"]) == ("chosen", "us", "Mira")


async def test_people_list_look_and_answer(service: FakeService, shell: Shell) -> None:
    service.person = lambda _: None
    waiting = await shell.begin(*ASK, "--what", "Clean \x1b[2J up", "--", "touch", "ran")
    await until(lambda: service.handoffs, seconds=20)
    listed = await shell.type("pending")
    assert "hf_0" in listed.out
    assert "Clean ⟦U+001B⟧[2J up" in listed.out
    assert json.loads((await shell.type("pending", "--json")).out)["id"] == "hf_0"
    shown = await shell.type("show", "hf_0")
    assert service.only["digest"] in shown.out
    assert "\x1b" not in shown.out

    blind = await shell.answer("hf_0", "approve")
    assert blind.code == 2
    assert "say what you approve" in blind.err
    stale = await shell.answer("hf_0", "approve", "--digest", "0" * 12)
    assert stale.code == 1
    assert "it changed" in stale.err
    assert service.only["state"] == "pending"

    approved = await shell.answer("hf_0", "approve", "--digest", service.only["digest"][:8])
    assert approved.out == "approved by Mira\n"
    assert service.only["answer_body"]["digest"] == service.only["digest"]
    assert service.only["answer_body"]["revision"] == 1
    assert (await ended(waiting)).code == 0
    assert shell.left == ["ran"]


async def test_every_kind_of_answer(service: FakeService, shell: Shell) -> None:
    service.person = lambda _: None
    for arguments, answer, decided in (
        ((*ASK, "--", "true"), ("edit", '{"argv": ["false"], "cwd": "/", "env": {}}'), "edited"),
        ((*ASK, "--", "true"), ("reject", "not now"), "rejected"),
        (("ask", "What?"), ("answer", "5"), "answered"),
        (("ask", "What?", "--type", "int"), ("answer", "5"), "answered"),
        (("choose", "Which?", "a=A", "b=B"), ("choose", "b"), "chosen"),
    ):
        number = len(service.handoffs)
        waiting = await shell.begin(*arguments)
        await until(partial(service.handoffs.get, f"hf_{number}"), seconds=20)
        assert (await shell.answer(f"hf_{number}", *answer)).code == 0
        assert service.handoffs[f"hf_{number}"]["decision"]["kind"] == decided
        await ended(waiting)
    assert service.handoffs["hf_2"]["decision"]["answer"] == "5"
    assert service.handoffs["hf_3"]["decision"]["answer"] == 5


async def test_answering_needs_a_persons_key(shell: Shell) -> None:
    del shell.env["ANDON_KEY"]
    done = await shell.type("answer", "hf_0", "reject")
    assert done.code == 2
    assert "answering needs a person's key" in done.err


async def test_an_agents_key_is_said_to_answer_nothing_before_anything_else(service: FakeService, shell: Shell) -> None:
    """Asking for a digest first would send the reader to look for one, for nothing."""
    service.person = silent
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        opened = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    done = await shell.answer(opened.id, "approve", key=KEY)
    assert done.code == 2
    assert done.err.startswith(
        "andon: that key is an agent's, and an agent's key can never answer. Give a person's, with"
    )
    assert "keys create --person" in done.err
    assert "digest" not in done.err
    others = await shell.answer("hf_other", "approve", key=KEY)
    assert others.code == 1
    assert "an agent's key can never answer" in others.err
    assert not service.calls["POST /v1/handoffs/{id}/answer"]


@pytest.mark.parametrize("command", ["", *HELP])
async def test_help_leads_with_the_task_and_ends_with_examples(shell: Shell, command: str) -> None:
    done = await shell.type(*command.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"usage: andon {command}".rstrip())
    assert len(done.out.partition("examples:\n")[2].splitlines()) == 2


@pytest.mark.parametrize(
    "text,shown",
    [
        ("a\x1b[31mb", "a⟦U+001B⟧[31mb"),
        ("abc\u202edcb", "abc⟦U+202E⟧dcb"),
        ("zero\u200bwidth", "zero⟦U+200B⟧width"),
        ("bell\x07 back\x08 return\r", "bell⟦U+0007⟧ back⟦U+0008⟧ return⟦U+000D⟧"),
        ("lines\nand\ttabs, ümläuts, 日本", "lines\nand\ttabs, ümläuts, 日本"),
        ("\U000e0041tag", "⟦U+E0041⟧tag"),
    ],
)
def test_text_from_elsewhere_cannot_drive_a_terminal(text: str, shown: str) -> None:
    assert for_terminal(text) == shown


@pytest.mark.parametrize("text", ["a\x9b31mb", "abc\u202edcb", "\x7f\x1b\n", "\U000e0041tag", "ümläut 日本", '"\\'])
def test_json_from_elsewhere_cannot_drive_a_terminal_and_reads_back(text: str) -> None:
    written = as_json({text: text})
    assert json.loads(written) == {text: text}
    assert for_terminal(written) == written
