"""One run's line to the service: its calls, its events, what holds it, and what a stop interrupted."""

from andon import wire
from andon._api import Api
from andon._brake import RunBrake
from andon._events import Events

__all__ = ["Line"]


class Line:
    """What a run, its handoffs and its gates share.

    Attributes:
        claimants: The names of claims that a brake kept from being answered, by handoff.
        acting: The handoffs that were claimed here and not reported yet: this process vouches for them.
    """

    def __init__(self, api: Api, events: Events, run: wire.Run) -> None:
        self.api = api
        self.events = events
        self.brake = RunBrake(api, events, run)
        self.claimants: dict[str, str] = {}
        self.acting: set[str] = set()
        self._left: dict[str, list[str]] = {}

    def leave(self, ask: wire.Ask, key: str) -> None:
        """A stop interrupted this ask: keep the key with which asking it again comes back to it."""
        self._left.setdefault(ask.model_dump_json(), []).append(key)

    def take_up(self, ask: wire.Ask) -> str | None:
        """Return the key with which the very same ask was left, once; None when there is none."""
        left = self._left.get(ask.model_dump_json())
        return left.pop(0) if left else None
