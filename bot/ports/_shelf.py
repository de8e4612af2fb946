"""What a surface keeps."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol


class Shelf(Protocol):
    """What an adapter keeps in the store between presses and processes. Values are sealed: nobody reads them there.

    Everything raises `StoreUnavailable` when nothing was confirmed.
    """

    async def once(self, what: str, life: timedelta) -> bool:
        """True for the first who comes with this within `life`: platforms send everything again and again."""
        ...

    async def forget(self, what: str) -> None:
        """It was not done after all: who comes next is the first again."""
        ...

    async def load(self, name: str) -> str | None:
        """Read what is kept for a while."""
        ...

    async def save(self, name: str, value: str, life: timedelta) -> None:
        """Keep it for a while."""
        ...

    async def take(self, name: str) -> str | None:
        """Read and forget what is kept for a while, in one step: one caller gets it, or none if the reply is lost."""
        ...

    async def load_lasting(self, name: str) -> str | None:
        """Read what is kept for good."""
        ...

    async def save_lasting(self, name: str, value: str) -> None:
        """Keep it for good."""
        ...

    async def drop_lasting(self, name: str) -> None:
        """Forget it."""
        ...

    async def lasting(self) -> Sequence[str]:
        """The names of all that is kept for good, sorted."""
        ...

    async def turn(
        self, queue: str, *, every: timedelta, burst: int = 1, longest: timedelta = timedelta(days=1)
    ) -> tuple[bool, timedelta]:
        """Take the next turn in a queue that all processes share; turns come at a pace, in the order of asking.

        Returns:
            Whether a turn was taken, and how long to wait for it. None is taken when the wait would be over `longest`.
        """
        ...
