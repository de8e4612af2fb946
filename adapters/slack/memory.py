"""What Slack was asked lately. People who press do not wait for a question of somebody who is in no hurry."""

from collections.abc import Awaitable, Callable
from time import monotonic

from adapters.slack.pace import patience_s
from bot.memory import MOST, K, V
from bot.memory import Memory as AnyMemory

__all__ = ["MOST", "Memory"]


class Memory(AnyMemory[K, V]):
    """As `bot.memory` has it, at Slack's pace."""

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        life_s: float,
        most: int = MOST,
        is_no: Callable[[Exception], bool] = lambda _: False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Who works in the `background` is not urgent."""
        super().__init__(
            ask, life_s=life_s, most=most, is_no=is_no, is_urgent=lambda: patience_s() is None, clock=clock
        )
