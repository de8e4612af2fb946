"""How much people are asked. Past a cap an ask waits like any other, but is shown among others in a digest.

A cap never decides anything, never loses an ask and never shortens its time.
"""

from collections.abc import Awaitable, Callable

from andon import wire
from bot import tally
from bot.handoff import Handoff
from bot.policy import Policy
from bot.store import Crowding, Opened, OutcomeReply, Store


class Caps:
    """The policy's caps, kept in the store for all processes together."""

    def __init__(
        self, store: Store, policy: Callable[[], Policy], *, alert: Callable[[str, str], Awaitable[None]]
    ) -> None:
        """`policy` is the one in force; `alert` tells operators, at most once an hour for what it is about."""
        self._store = store
        self._policy = policy
        self._alert = alert

    def crowding(self) -> Crowding:
        """Past which an agent's asks are gathered."""
        caps = self._policy().caps
        return Crowding(caps.open_per_agent or 0, caps.burst or 0, caps.burst_within * 1000)

    async def tell(self, agent: str, opened: Opened | OutcomeReply) -> None:
        """Tell operators of an agent that asks more than people can read."""
        if opened.crowd == "burst":
            within = self._policy().caps.burst_within
            text = f"{agent} asks faster than people can read: {opened.count} in {within} s"
        else:
            text = f"{agent} has more open than people can read: {opened.count} asks"
        await self._alert(f"crowd:{agent}", f"{text}. They wait, and are shown together in digests.")

    async def gathers(self, handoff: Handoff, place: wire.Place) -> bool:
        """Is it shown in a digest at this place? Else its card is counted for whoever it is for.

        A card is for each of those who are listed as approvers (a group counts as one); where nobody is listed, for
        the place. It counts once a handoff, wherever else it is posted.

        Raises:
            StoreUnavailable: Not known now.
        """
        if handoff.crowd:
            return True
        most = self._policy().caps.cards_per_approver_hour
        if most is None:
            return False
        who = tally.terms(handoff).approvers or (place.model_dump_json(exclude_none=True),)
        if await self._store.digests.admit(handoff.id, who, most):
            return False
        named = ", ".join(who[:3]) if "{" not in who[0] else place.channel or place.person or place.surface
        text = f"{named}: more than {most} cards within the hour. More are shown together in digests."
        await self._alert(f"cards:{named}", text)
        return True
