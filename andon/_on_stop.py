"""What a stop does to a run at once, between its calls as well: it cancels the run's task, or calls a function."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, nullcontext
from types import TracebackType
from typing import Literal

from andon._brake import RunBrake
from andon._errors import AndonError, Stopped

__all__ = ["OnStop", "watching"]

OnStop = Literal["cancel"] | Callable[[Stopped], object]
"""Cancel the task, or call this; it may be async."""

_log = logging.getLogger("andon")


@asynccontextmanager
async def watching(brake: RunBrake, on_stop: OnStop | None) -> AsyncIterator[None]:
    """Watch for stops as long as the block runs, if `on_stop` wants it."""
    if on_stop is None:
        yield
        return
    call = _Cancelling() if isinstance(on_stop, str) else on_stop
    watcher = asyncio.create_task(_watch(brake, call), name="andon-on-stop")
    try:
        with call if isinstance(call, _Cancelling) else nullcontext():
            yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


class _Cancelling:
    """Cancels the task that is inside of it, as `asyncio.timeout` does, and turns its cancellation into `Stopped`."""

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._stopped: Stopped | None = None

    def __call__(self, stopped: Stopped) -> None:
        """Cancel it, once."""
        if self._task is not None and self._stopped is None:
            self._stopped = stopped
            self._task.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is None or self._stopped is None:
            return
        from_outside = task.uncancel() > self._before
        if not from_outside and _is_stop_alone(error):
            raise self._stopped from error


def _is_stop_alone(error: BaseException | None) -> bool:
    """Did the block end by the cancellation, or by what its tasks raise at a stop, and by nothing else?"""
    if isinstance(error, BaseExceptionGroup):
        return error.split((Stopped, asyncio.CancelledError))[1] is None
    return isinstance(error, asyncio.CancelledError)


async def _watch(brake: RunBrake, on_stop: Callable[[Stopped], object]) -> None:
    try:
        async with aclosing(brake.stops()) as stops:
            async for stop in stops:
                await _call(on_stop, Stopped(stop))
    except AndonError as error:
        _log.error("run.unwatched cause=%s detail=%s", type(error).__name__, error)  # its cause is in it


async def _call(on_stop: Callable[[Stopped], object], stopped: Stopped) -> None:
    try:
        called = on_stop(stopped)
        if inspect.isawaitable(called):
            await called
    except Exception:  # noqa: BLE001 - it is the caller's own, and the next stop must find a watcher
        _log.exception("on_stop.failed")
