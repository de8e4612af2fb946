"""Which handoffs are of a sample: by their id and the service's secret, so that no agent can tell or choose."""

from collections.abc import Callable

from bot.store import Store

DRAWN = 0.0
"""Of every sample that has a share at all."""


class Draws:
    """Tells `bot.gathering` each handoff's draw."""

    def __init__(self, store: Store, draw: Callable[[str], float]) -> None:
        """`draw` is keyed with the service's secret."""
        self._store = store
        self._draw = draw

    async def draw(self, agent: str, handoff_id: str, tool: str) -> float:
        """From 0 up to 1. Once one is drawn, so are all of this agent and tool until one that is drawn is claimed.

        Whatever an agent changes about the action in between, it owes the review.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        owed = await self._store.handoffs.is_owed(agent, tool)
        return DRAWN if owed else self._draw(handoff_id)
