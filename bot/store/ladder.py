"""What happens around a handoff while it waits: its ladder, and the lines below its card."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from bot.handoff import Aside, Handoff
from bot.ladder import CALLS_APART_S, LAST_S
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import flat, ms_of, reply, when

_CLIMB, _ASIDE = load_script("climb"), load_script("aside")
_HELD_AGAIN: Final = timedelta(seconds=30)

MOST_HANDED_ON: Final = 10
MOST_QUESTIONS: Final = 10
MOST_REPLIES: Final = 20
_MOST: Final = {"reassigned": MOST_HANDED_ON, "questioned": MOST_QUESTIONS, "replied": MOST_REPLIES}

Put = Literal["put", "again", "twice", "many", "held", "lost", "late", "gone"]


@dataclass(frozen=True, slots=True)
class Climbed:
    """What the ladder did: climbed (so many rungs now, and whether somebody was reminded), or why nothing."""

    word: Literal["climbed", "early", "held", "over", "moved"]
    rungs: int = 0
    reminded: bool = False


class Ladder:
    """The ladders of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Nothing is kept here."""
        self._pipe = pipe
        self._keys = keys

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids of handoffs whose next step is due at `now`."""
        ids = await self._pipe.call("ZRANGE", self._keys.ladder, "-inf", ms_of(now), "BYSCORE", "LIMIT", 0, limit)
        return [each.decode() for each in ids]

    async def next_due(self) -> datetime | None:
        """When the next step of any is due."""
        found = await self._pipe.call("ZRANGE", self._keys.ladder, 0, 0, "WITHSCORES")
        return when(int(float(flat(found)[1]))) if found else None

    async def climb(self, handoff_id: str, *, stage: int = 1, seen: Handoff | None = None) -> Climbed:
        """Do what is due for one; whoever comes second finds nothing to do.

        `stage` is the one that the votes of `seen` have brought it to; were there others since, nothing is done
        (`moved`): count again.
        """
        keys = self._keys
        word, *rest = reply(
            await self._pipe.run(
                _CLIMB,
                (keys.handoff(handoff_id), keys.ladder, keys.events),
                handoff_id,
                CALLS_APART_S * 1000,
                LAST_S * 1000,
                round(_HELD_AGAIN / timedelta(milliseconds=1)),
                stage,
                f"{seen.revision}:{len(seen.votes)}" if seen else "",
            )
        )
        return Climbed(word, int(rest[0]), bool(int(rest[1]))) if rest else Climbed(word)

    async def put(self, handoff: Handoff, aside: Aside, *, by_agent: bool = False) -> Put:
        """Put a line below a card, once by its id. A question is told to the agent too."""
        keys = self._keys
        told: dict[str, object] = {"id": aside.id, "kind": aside.kind, "to": aside.to, "text": aside.text}
        told |= {"stage": aside.stage, "ids": aside.ids}
        by = {"by": aside.by.model_dump(mode="json", exclude_none=True)} if aside.by else {}
        word, *rest = reply(
            await self._pipe.run(
                _ASIDE,
                (
                    *(keys.handoff(handoff.id), keys.events, keys.agent_events(handoff.agent)),
                    *(keys.due, keys.brakes, keys.run(handoff.run)),
                ),
                handoff.id,
                aside.id,
                aside.kind,
                json.dumps({**{name: value for name, value in told.items() if value}, **by}, separators=(",", ":")),
                _MOST[aside.kind],
                aside.to,
                "agent" if aside.kind == "questioned" else "",
                handoff.agent if by_agent else "",
            )
        )
        return "again" if rest else word
