"""Whether decisions arrive: which agents have theirs, and which do not come for them."""

from datetime import datetime
from typing import Final, Literal

from bot.handoff import Handoff
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import flat, ms_of, reply, when

_DELIVERED, _UNREACHED = load_script("delivered"), load_script("unreached")

WHY_CHARS: Final = 500

Marked = Literal["marked", "known", "open", "over", "gone"]
"""Noted now; noted before; nobody has decided yet; the agent has acted, or needs nothing; there is no such handoff."""
Missed = Literal["marked", "known", "open", "over", "gone", "delivered", "early", "stopped"]
"""As `Marked`; or it has it; or its time is not up; or its run is stopped, and it is looked at again later."""


class Arrivals:
    """The decisions of one namespace on their way; each decision puts its handoff here, and a claim takes it out."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Nothing is kept here."""
        self._pipe = pipe
        self._keys = keys

    async def delivered(self, handoff_id: str, how: Literal["poll", "stream", "callback"]) -> Marked:
        """Note that the agent has the decision; the first note stands."""
        keys = self._keys
        named = (keys.handoff(handoff_id), keys.events, keys.undelivered)
        word: Marked = reply(await self._pipe.run(_DELIVERED, named, handoff_id, how))[0]
        return word

    async def unreached(self, handoff: Handoff, why: str, *, again: bool, due: bool = False) -> Missed:
        """Note that the agent has not got the decision.

        Args:
            handoff: Which.
            why: For people, in words.
            again: Could it be sent again?
            due: Only if its time is up, by the store's clock, and its run is not stopped.
        """
        keys = self._keys
        raw = await self._pipe.run(
            _UNREACHED,
            (keys.handoff(handoff.id), keys.events, keys.undelivered, keys.brakes, keys.run(handoff.run)),
            handoff.id,
            " ".join(why.split())[:WHY_CHARS],
            "again" if again else "-",
            "due" if due else "",
        )
        word: Missed = reply(raw)[0]
        return word

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids of handoffs whose agent should have its decision by `now`."""
        ids = await self._pipe.call("ZRANGE", self._keys.undelivered, "-inf", ms_of(now), "BYSCORE", "LIMIT", 0, limit)
        return [each.decode() for each in ids]

    async def next_due(self) -> datetime | None:
        """When the next one is."""
        found = await self._pipe.call("ZRANGE", self._keys.undelivered, 0, 0, "WITHSCORES")
        return when(int(float(flat(found)[1]))) if found else None

    async def forget(self, handoff_id: str) -> None:
        """Drop the timer of one that is gone."""
        await self._pipe.call("ZREM", self._keys.undelivered, handoff_id)
