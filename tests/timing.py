"""How long our own work takes, whatever else the machine and the test runner are doing."""

import gc
import time
from collections.abc import Callable


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
