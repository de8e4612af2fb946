"""`andon run`: a command that runs only after a person has approved it, exactly as approved. Fails closed."""

import argparse
import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andon._cli_text import interruption, line, said
from andon._client import Andon
from andon._decisions import Approved, Decision, Edited
from andon._errors import AndonError, PermitMismatch, refused
from andon._handoff import Handoff
from andon._permit import Permit

__all__ = ["TOOL", "Ending", "UsageFault", "labels", "run", "tell"]

TOOL = "shell.run"
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "argv": {"type": "array", "title": "Command", "items": {"type": "string"}, "minItems": 1},
        "cwd": {"type": "string", "title": "Folder", "minLength": 1},
        "env": {
            "type": "object",
            "title": "Environment changes",
            "propertyNames": {"pattern": "^[^=]+$"},
            "additionalProperties": {"type": "string"},
        },
    },
    "required": ["argv", "cwd", "env"],
    "additionalProperties": False,
}
CANNOT_RUN = 126
NOT_FOUND = 127
SIGNALLED = 128

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


class UsageFault(Exception):
    """The command line does not say what is needed."""


def tell(text: str) -> None:
    """Say something to the person at the terminal; standard output is the command's own."""
    print(f"andon: {text}", file=sys.stderr, flush=True)


def labels() -> dict[str, str]:
    """Say where this was typed."""
    return {"host": socket.gethostname(), "user": os.environ.get("USER") or str(os.getuid())}


@dataclass
class Ending:
    """How it ended, for `--json`; filled in on the way."""

    handoff: str | None = None
    url: str | None = None
    decision: str | None = None
    by: str | None = None
    reason: str | None = None
    ran: list[str] | None = None
    review: str | None = None
    """The handoff where people look at it afterwards."""
    exit_code: int | None = None
    error: str | None = None
    brake: Any = None
    steers: Any = None

    def interrupted(self, error: AndonError) -> None:
        """Note what a stop or people's words said."""
        told = interruption(error)
        self.brake, self.steers = told.get("brake"), told.get("steers")

    def decided(self, decision: Decision) -> None:
        """Note what stands."""
        self.decision, self.by = decision.kind, decision.by.name
        self.reason = getattr(decision, "reason", None)


async def run(andon: Andon, options: argparse.Namespace, command: Sequence[str], ending: Ending) -> int:
    """Ask, and run the command if and as approved; returns the exit code.

    Raises:
        UsageFault: Before anything was asked.
        AndonError: It was not approved, or that is not known. Nothing was run.
    """
    args = _args(options.env, command)
    shown = shlex.join(args["argv"])
    name = Path(args["argv"][0]).name or "command"
    async with andon.run(name, labels=labels(), heartbeat=options.heartbeat) as job:
        handoff = await job.open(
            {
                "kind": "confirmation",
                "gate": options.gate,
                "what": options.what or f"Run `{shown}`",
                "why": options.why,
                "risks": options.risk,
                "action": {"tool": TOOL, "args": args, "schema": SCHEMA},
                "reversible": options.reversible,
                "timeout_s": options.timeout,
            }
        )
        ending.handoff, ending.url = handoff.id, handoff.url
        if handoff.decision is None and not options.quiet:
            tell(f"waiting for a person: {handoff.url}")
        decision = await handoff.attend()
        ending.decided(decision)
        if not isinstance(decision, Approved | Edited):
            raise refused(decision)
        if not options.quiet:
            tell(said(decision))
        permit = await handoff.claim()
        if isinstance(decision, Edited):
            tell(f"running, as edited: {line(shlex.join(permit.args['argv']))}")
        code = await _execute(handoff, permit, ending)
        ending.review = handoff.latest.review
        if ending.review and not options.quiet:
            tell(f"people look at it afterwards: {handoff.url.replace(handoff.id, ending.review)}")
        return code


def _args(env: Sequence[str], command: Sequence[str]) -> dict[str, Any]:
    """Make the action's arguments; assignments before the command are environment changes, as in a shell."""
    argv = list(command)
    changes: dict[str, str] = {}
    for given in env:
        assignment = _ASSIGNMENT.fullmatch(given)
        if assignment is None:
            raise UsageFault(f"--env {given}: write NAME=VALUE")
        changes[assignment[1]] = assignment[2]
    while argv and (assignment := _ASSIGNMENT.fullmatch(argv[0])):
        changes[assignment[1]] = assignment[2]
        argv.pop(0)
    if not argv:
        raise UsageFault("there is no command after --")
    args = {"argv": argv, "cwd": str(Path.cwd()), "env": changes}
    for text in (*argv, args["cwd"], *changes.values()):
        try:
            str(text).encode()
        except UnicodeEncodeError as error:
            raise UsageFault(f"{text!a} is not UTF-8, and could not be shown to a person") from error
    return args


async def _execute(handoff: Handoff, permit: Permit, ending: Ending) -> int:
    """Run exactly what the permit says."""
    if permit.tool != TOOL:
        raise PermitMismatch(f"{handoff.id}: the permit is for {permit.tool}, not {TOOL}; nothing was run")
    argv, cwd, env = permit.args["argv"], permit.args["cwd"], permit.args["env"]
    try:
        with _signals_are_the_commands() as forward_to:
            process = await asyncio.create_subprocess_exec(*argv, cwd=cwd, env={**os.environ, **env})
            forward_to.append(process)
            ending.ran = argv
            code = await process.wait()
    except (OSError, ValueError) as error:
        ending.error = line(f"cannot run {argv[0]!r} in {cwd!r}: {error}")
        tell(ending.error)
        await _report(handoff, error=f"It did not start: {error}")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    if code < 0:
        await _report(handoff, error=f"Killed by {signal.Signals(-code).name}")
        return SIGNALLED - code
    await _report(handoff, error=f"It ended with exit code {code}" if code else None)
    return code


async def _report(handoff: Handoff, *, error: str | None) -> None:
    try:
        if error is None:
            await handoff.report("executed", result={"exit_code": 0})
        else:
            await handoff.report("failed", error=error)
    except AndonError as fault:
        tell(f"it ran, but that could not be reported: {line(str(fault))}")


@contextmanager
def _signals_are_the_commands() -> Iterator[list[asyncio.subprocess.Process]]:
    """While the command runs, the terminal's signals are for it alone, and ours are passed on to it."""
    loop = asyncio.get_running_loop()
    running: list[asyncio.subprocess.Process] = []

    def forward(number: signal.Signals) -> None:
        for process in running:
            if process.returncode is None:
                process.send_signal(number)

    # A terminal sends these to the command as well.
    for number in (signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, lambda: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, forward, number)
    try:
        yield running
    finally:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
