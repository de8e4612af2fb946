"""Reviews of what a gate ran: watched in the background of a run, and undone where people do not let it stand."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from andon._decisions import Answered, Chosen
from andon._errors import AndonError, UndoFailed
from andon._handoff import Handoff
from andon._line import Line
from andon._review import Undo, settle

__all__ = ["UndoResult", "Watching", "prepare"]

UndoResult = Callable[..., object]
"""Takes back what a gated call did; may be async. See `Run.gate`."""

_log = logging.getLogger("andon")


@dataclass(eq=False)
class _Review:
    """One review that is being watched."""

    id: str
    undoing: bool = False


class Watching:
    """The reviews of one run. Leaving the run stops the watching, and waits for undos that have begun."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._watched: dict[asyncio.Task[None], _Review] = {}

    def add(self, review_id: str, undo: Undo | None, result: object) -> None:
        """Watch one; returns at once."""
        review = _Review(review_id)
        task = asyncio.create_task(self._watch(review, undo, result), name=f"andon-review {review_id}")
        self._watched[task] = review
        task.add_done_callback(lambda done: self._watched.pop(done, None))

    async def open(self) -> tuple[Handoff, ...]:
        """Those that nobody has decided yet."""
        found = [Handoff(self._line, await self._line.api.read(review.id)) for review in self._watched.values()]
        return tuple(handoff for handoff in found if handoff.decision is None)

    async def leave(self) -> None:
        """Stop watching; what is being undone is finished first."""
        for task, review in list(self._watched.items()):
            if not review.undoing:
                task.cancel()
        await asyncio.gather(*list(self._watched), return_exceptions=True)

    async def _watch(self, review: _Review, undo: Undo | None, result: object) -> None:
        try:
            handoff = Handoff(self._line, await self._line.api.read(review.id, for_ever=True))
            decision = await handoff.decided(heed=False)  # it is done: there is nothing left to stop
            review.undoing = True
            if isinstance(decision, Chosen | Answered):
                raise AndonError(f"{review.id}: {decision.kind!r} is no decision on a review")  # noqa: TRY301
            await settle(handoff, decision, undo, result)
        except UndoFailed as error:
            _log.error("review.undo_failed id=%s detail=%s", review.id, error)  # its cause is in it
        except AndonError as error:
            _log.error("review.lost id=%s cause=%s detail=%s", review.id, type(error).__name__, error)


def prepare(undo: UndoResult | None, result: object, arguments: Mapping[str, Any]) -> Undo | None:
    """Give an undo what it takes: the result first, and by name the arguments of the call that it names."""
    if undo is None:
        return None
    try:
        parameters = list(inspect.signature(undo).parameters.values())
    except ValueError:  # something built in, that does not say
        return partial(undo, result)
    by_name = {p.name for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    given = {name: value for name, value in arguments.items() if takes_all or name in by_name}
    first = next((p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}), None)
    if first is None or first.name in given or first.default is not first.empty:
        return partial(undo, **given)
    return partial(undo, result, **given)
