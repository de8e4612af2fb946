"""After the fact: what was done stands if people let it, and is undone if they do not."""

import inspect
from collections.abc import Awaitable, Callable

from andon._decisions import Confirmed, Expired, Rejected, Undeliverable
from andon._errors import UndoFailed
from andon._handoff import Handoff
from andon._json import shown_result

__all__ = ["Undo", "settle"]

Undo = Callable[[], object] | Callable[[], Awaitable[object]]
"""Takes it back; may be async."""


async def settle(handoff: Handoff, decision: Confirmed, undo: Undo | None, result: object) -> None:
    """Let it stand, or undo it, and report which. Without an `undo` it is reported that no undo is known.

    Raises:
        UndoFailed: It was to be undone, and still stands.
    """
    match decision:
        case Rejected() | Expired() | Undeliverable():
            pass
        case _:
            await handoff.report("executed", result=shown_result(result))
            return
    if undo is None:
        fault = "no undo is known: the agent gave none"
        await handoff.report("undo_failed", error=fault)
        raise UndoFailed(f"{handoff.id} was not let stand, but {fault}", decision=decision)
    try:
        undone = undo()
        if inspect.isawaitable(undone):
            undone = await undone
    except Exception as error:  # whatever it was, what was to be undone stands, and people must hear that
        await handoff.report("undo_failed", error=f"{type(error).__name__}: {error}")
        raise UndoFailed(
            f"{handoff.id} was not let stand, but undoing it failed: {error}", decision=decision
        ) from error
    await handoff.report("undone", result=shown_result(undone))
