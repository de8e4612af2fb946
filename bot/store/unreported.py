"""What was claimed, is to be reviewed, and was not reported yet: the timers that open the review all the same."""

from datetime import datetime
from typing import Final, Literal

from bot.handoff import Handoff
from bot.store.handoffs import review_args
from bot.store.keys import Keys
from bot.store.messages import UNCROWDED, Crowding, NewHandoff
from bot.store.pipe import Pipe, load_script
from bot.store.records import flat, ms_of, reply, when
from bot.store.trust import ramp_id

_PRESUME: Final = load_script("presume")


class Unreported:
    """The overdue outcomes of one namespace; `claim` puts them here, and `outcome` takes them out."""

    def __init__(self, pipe: Pipe, keys: Keys, *, retention_ms: int) -> None:
        """Nothing is kept here."""
        self._pipe = pipe
        self._keys = keys
        self._retention_ms = retention_ms

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids of handoffs whose outcome is overdue at `now`."""
        ids = await self._pipe.call("ZRANGE", self._keys.unreported, "-inf", ms_of(now), "BYSCORE", "LIMIT", 0, limit)
        return [each.decode() for each in ids]

    async def next_due(self) -> datetime | None:
        """When the next one is."""
        found = await self._pipe.call("ZRANGE", self._keys.unreported, 0, 0, "WITHSCORES")
        return when(int(float(flat(found)[1]))) if found else None

    async def forget(self, handoff_id: str) -> None:
        """Drop the timer of one that is gone, or has nothing to review."""
        await self._pipe.call("ZREM", self._keys.unreported, handoff_id)

    async def presume(
        self, first: Handoff, review: NewHandoff, crowding: Crowding = UNCROWDED
    ) -> Literal["opened", "early", "over"]:
        """Open the review of one that was never reported, and let its trust ramp start over; once, whoever does it."""
        keys = self._keys
        raw = await self._pipe.run(
            _PRESUME,
            (
                keys.handoff(first.id),
                keys.events,
                keys.agent_events(first.agent),
                keys.trust(ramp_id(first.route.ramp)),
                keys.trusts,
                keys.handoff(review.id),
                keys.due,
                keys.agent_load(first.agent),
                keys.index,
                keys.ladder,
                keys.unreported,
                keys.agent_asks(first.agent),
                keys.brakes,
                keys.run(first.run),
                keys.run_asks(first.run),
            ),
            first.id,
            *review_args(review),
            self._retention_ms,
            crowding.open,
            crowding.burst,
            crowding.within_ms,
        )
        word: Literal["opened", "early", "over"] = reply(raw)[0]
        return word
