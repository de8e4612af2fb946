"""How long our own work takes, whatever else the machine and the test runner are doing."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self


def cpu_s(work: Callable[[], object], *, times: int = 3) -> float:
    """The least CPU time, in seconds, of a few runs on this thread; the runner's large heap is not walked meanwhile."""
    gc.disable()
    try:
        return min(_once(work) for _ in range(times))
    finally:
        gc.enable()


def _once(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


class Watchdog:
    """Measures the longest time that the loop did not come round."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        gc.collect()
        gc.freeze()  # the test runner's own heap is large, and walking it is no work of the service's
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        gc.unfreeze()
        assert self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            began, queued = time.monotonic(), queued_s()
            await asyncio.sleep(0.001)
            self.longest_s = max(self.longest_s, time.monotonic() - began - (queued_s() - queued))


def queued_s() -> float:
    """How long this thread has waited for a core: a machine that is busy elsewhere is no fault of the loop's."""
    try:
        return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
