"""The agent of the demonstration: it plans a day's work, and asks wherever a person should have a say."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from andon import Andon, Candidate, Refused, Run

__all__ = ["COMMAND", "FLIGHTS", "Day", "Money", "plan_the_day"]

FLIGHTS = (
    Candidate(id="LH2472", label="LH 2472, 07:05 to 08:10, 189 EUR", details="Direct. Needs a taxi at 05:00."),
    Candidate(id="BA953", label="BA 953, 10:40 to 11:45, 142 EUR", details="Direct. You would miss the stand-up."),
    Candidate(id="EW8460", label="EW 8460, 16:20 to 19:35, 79 EUR", details="One stop, 55 minutes to change."),
)
COMMAND = ("sh", "-c", "echo 'Trip planned.' >> notes.txt && cat notes.txt")


class Money(BaseModel):
    """An amount of money."""

    amount: int = Field(ge=1, le=10_000, title="Amount, whole units")
    currency: Literal["EUR", "USD", "GBP"] = Field(default="EUR", title="Currency")


class Day:
    """What the agent did, for those who want to know afterwards; `watched` says that somebody sits at the console."""

    def __init__(self, state: Path, *, watched: bool = True) -> None:
        folder = state / "work"
        folder.mkdir(parents=True, exist_ok=True)
        self.state = state
        self.folder = folder
        self.outbox = folder / "outbox.txt"
        self.draft = folder / "draft-reply.txt"
        self.notes = folder / "notes.txt"
        self.watched = watched
        self.run = ""
        self.sent: str | None = None
        self.flight: str | None = None
        self.budget: Money | None = None
        self.command: int | None = None


async def plan_the_day(andon: Andon, day: Day) -> None:
    """Do the day's work, one thing after the other; a no to one of them is no to that one alone."""
    async with andon.run("plan-the-day", requester="demo@example.com") as run:
        day.run = run.id
        await run.checkpoint("plan made", {"steps": ["e-mail", "flight", "budget", "notes", "draft"]})
        await run.notify("Good morning. I have five things to do today, and will ask about each.")
        async with _step("1/5 An e-mail: may it go out? You can change it first."):
            day.sent = await _email(run, day)
            _say(day.sent)
        async with _step("2/5 A flight: which one?"):
            chosen = await run.choose("Which flight to London should I book?", FLIGHTS, why="You meet Ana there.")
            day.flight = chosen.choice
            _say(f"{chosen.by.name} wants {chosen.candidate.label}")
        async with _step("3/5 A budget: how much?"):
            day.budget = await run.ask("What is the most you want to spend on the hotel?", answer=Money)
            _say(f"at most {day.budget.amount} {day.budget.currency}")
        async with _step("4/5 A shell command: may it run?"):
            day.command = await _command(day)
            _say(f"exit code {day.command}")
        async with _step("5/5 A draft, written already: does it stand? Reject it, and it is undone."):
            await _draft(run, day)
            _say("the draft stands" if day.draft.exists() else "the draft is gone")
        await run.checkpoint("day done", {"flight": day.flight, "sent": day.sent is not None})
        await run.notify("All done for today.")


@asynccontextmanager
async def _step(title: str) -> AsyncIterator[None]:
    print(title, flush=True)
    try:
        yield
    except Refused as refused:
        _say(f"not done: {refused}")


def _say(text: str) -> None:
    print(f"    {text}", flush=True)


def _email(run: Run, day: Day) -> Awaitable[str]:
    @run.gate(
        risks=["It mentions Q4 numbers that are not public yet", "A sent e-mail cannot be called back"],
        what="Send the e-mail {subject!r} to {to}",
    )
    async def send_email(to: str, subject: str, body: str) -> str:
        day.outbox.write_text(f"To: {to}\nSubject: {subject}\n\n{body}\n", encoding="utf-8")
        return f"to {to}, as {day.outbox}"

    body = "Hi Alice,\n\nQ4 looks good: up 12 % on last year. The full report follows on Friday.\n\nBest, Demo"
    return send_email("alice@example.com", "Q4 report", body, why="She asked for the report yesterday.")


async def _command(day: Day) -> int:
    """Run a command through the `andon` command, as any shell script could."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from andon._cli import main; main()"),
        *("run", "--why", "Keep a note of what was planned", "--risk", "It writes to a file in your state folder"),
        *(() if day.watched else ("--quiet",)),
        *("--", *COMMAND),
        cwd=day.folder,
        env={**os.environ, "ANDON_STATE": str(day.state), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


async def _draft(run: Run, day: Day) -> None:
    day.draft.write_text("Dear Ana,\n\nI arrive at eleven. See you then!\n", encoding="utf-8")
    await run.review(
        "Wrote a draft reply to Ana",
        result=day.draft.read_text(encoding="utf-8"),
        undo=day.draft.unlink,
        why="She wants to know when you arrive.",
    )
