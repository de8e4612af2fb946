"""The person of `--auto`: answers every ask over HTTP with a person's key, then checks what became of the answers."""

import asyncio
from typing import Any
from uuid import uuid4

from pydantic import JsonValue

from andon import Andon, Confirmation, wire
from examples.demo_agent import FLIGHTS, Day, Money

__all__ = ["Unexpected", "answer_everything", "check"]

LOOK_S = 0.1
CHANGED_TO = "bob@example.com"
WANTED: dict[str, JsonValue] = {"amount": 250, "currency": "GBP"}
OUTCOMES = {"send_email": "executed", "shell": "executed", "review": "undone"}


class Unexpected(Exception):
    """A result is not as answered."""


async def answer_everything(url: str, key: str) -> None:
    """Answer whatever comes up, until cancelled."""
    async with Andon(url, key) as andon:
        while True:
            for handoff in (await andon.api.page(state="pending")).handoffs:
                await andon.api.answer(handoff.id, _answer(handoff), idempotency_key=uuid4().hex)
            await asyncio.sleep(LOOK_S)


def _answer(handoff: wire.Handoff) -> wire.Answer:
    seen: dict[str, Any] = {"revision": handoff.revision, "digest": handoff.digest}
    match handoff.ask:
        case Confirmation(gate="send_email", action=wire.Action(args=args)):
            return wire.Edit(**seen, args={**args, "to": CHANGED_TO})
        case Confirmation(gate="review"):
            return wire.Reject(**seen, reason="Ana is on holiday.")
        case Confirmation():
            return wire.Approve(**seen)
        case wire.Choice():
            return wire.Choose(**seen, choice=FLIGHTS[1].id)
        case wire.Input():
            return wire.Reply(**seen, answer=dict(WANTED))


async def check(andon: Andon, day: Day) -> None:
    """Compare what happened with what was answered.

    Raises:
        Unexpected: They differ.
    """
    sent = day.outbox.read_text(encoding="utf-8") if day.outbox.exists() else "nothing"
    _same("the e-mail's first line", sent.partition("\n")[0], f"To: {CHANGED_TO}")
    _same("the flight", day.flight, FLIGHTS[1].id)
    _same("the budget", day.budget, Money.model_validate(WANTED))
    _same("the command's exit code", day.command, 0)
    _same("the notes", day.notes.read_text(encoding="utf-8"), "Trip planned.\n")
    _same("the draft, rejected", day.draft.exists(), False)  # noqa: FBT003 - the value itself is compared
    handoffs = (await andon.api.page(limit="50")).handoffs
    _same("the number of asks", len(handoffs), 5)
    outcomes = {handoff.ask.gate: handoff.outcome.status for handoff in handoffs if handoff.outcome is not None}
    _same("the outcomes", outcomes, OUTCOMES)
    checkpoint = await andon.api.read_checkpoint(day.run)
    _same("the last checkpoint", checkpoint and checkpoint.name, "day done")


def _same(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise Unexpected(f"{what}: {got!r}, not {wanted!r}")
