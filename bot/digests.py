"""Answers to several handoffs at once: each exactly as it was shown, each checked and answered on its own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

from andon import wire
from bot.cards import digest_row, too_late
from bot.errors import (
    AlreadyDecided,
    BotError,
    Gone,
    HandoffExpired,
    HandoffHeld,
    StaleRevision,
    StoreUnavailable,
)
from bot.handoff import Handoff
from bot.ports import Row, RowOutcome, Standing

MOST_ROWS: Final = 50


class Answering(Protocol):
    """What answers one."""

    async def look(self, handoff_id: str) -> Handoff:
        """Read one."""
        ...

    async def answer(
        self,
        handoff_id: str,
        answer: wire.Answer,
        by: wire.Actor,
        *,
        answer_id: str | None = None,
        standing: Standing = "member",
    ) -> Handoff:
        """Answer one."""
        ...


async def answer_shown(
    desk: Answering,
    rows: Sequence[Row],
    kind: Literal["approve", "reject"],
    by: wire.Actor,
    *,
    answer_id: str,
    standing: Standing,
    clock: Callable[[], datetime],
) -> tuple[RowOutcome, ...]:
    """Answer these, in their order; see `bot.ports.Desk.answer_shown`."""

    async def one(row: Row) -> RowOutcome:
        return await _one(desk, row, kind, by, answer_id=f"{answer_id}:{row.handoff}", standing=standing, clock=clock)

    return tuple([await one(row) for row in tuple(dict.fromkeys(rows))[:MOST_ROWS]])


async def _one(
    desk: Answering,
    row: Row,
    kind: Literal["approve", "reject"],
    by: wire.Actor,
    *,
    answer_id: str,
    standing: Standing,
    clock: Callable[[], datetime],
) -> RowOutcome:
    try:
        handoff = await desk.look(row.handoff)
        view = digest_row(handoff, now=clock())
        same = (handoff.revision, handoff.digest) == (row.revision, row.digest)
        if handoff.decision is None and not same:
            return RowOutcome(row, counted=False, sentence="It changed after it was shown; open it, and look again.")
        if handoff.decision is None and view.alone:
            return RowOutcome(row, counted=False, sentence=f"{view.alone} Open it on its own.")
        given = {"revision": row.revision, "digest": row.digest}
        answer = wire.Approve.model_validate(given) if kind == "approve" else wire.Reject.model_validate(given)
        await desk.answer(row.handoff, answer, by, answer_id=answer_id, standing=standing)
    except StoreUnavailable:
        raise
    except BotError as error:
        return RowOutcome(row, counted=False, sentence=_why_not(error))
    return RowOutcome(row, counted=True, sentence="Approved." if kind == "approve" else "Rejected.")


def _why_not(error: BotError) -> str:
    match error:
        case AlreadyDecided(decision=decision):
            return too_late(decision)
        case StaleRevision():
            return "It changed after it was shown; open it, and look again."
        case HandoffExpired():
            return "The time was up before your press."
        case HandoffHeld():
            return "The brake is on."
        case Gone():
            return "It is not kept any more."
        case _:
            return error.detail
