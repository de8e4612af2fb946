"""Grants, for those who can see the cards that gave them: which stand, and how one ends."""

from collections.abc import Awaitable
from typing import Final

from bot.cards import GrantLine, grant_line
from bot.errors import BotError, DirectoryDown, Gone, StoreUnavailable
from bot.ports import Desk
from bot.talk.seen import Seen
from bot.talk.who import Viewer

_GONE: Final = "There is no such grant for you: it has ended, or was given where you are not."
_DOWN: Final = "It could not be ended just now, so it stands. Try again in a moment."


class Grants:
    """Shows grants, and lets people end them."""

    def __init__(self, desk: Desk, *, seen: Seen) -> None:
        """Look up with `seen` what somebody may see."""
        self._desk = desk
        self._seen = seen

    async def seen(self, viewer: Viewer) -> list[GrantLine]:
        """The grants that this person may see, the newest first.

        Raises:
            DirectoryDown: The platform does not tell.
            StoreUnavailable: They cannot be read.
        """
        if not viewer.is_member:
            return []
        found = []
        for each in await self._desk.grants():
            try:
                handoff = await self._desk.look(each.given.handoff)
            except Gone:
                continue
            if await self._seen.sees(viewer, handoff):
                found.append(grant_line(each))
        return found

    async def end(self, viewing: Awaitable[Viewer], grant_id: str) -> str:
        """End one; what came of it, in a sentence for whoever `viewing` finds."""
        try:
            viewer = await viewing
            line = next((each for each in await self.seen(viewer) if each.id == grant_id), None)
            if line is None:
                return _GONE
            await self._desk.end_grant(grant_id, viewer.person.actor)
        except (DirectoryDown, StoreUnavailable):
            return _DOWN
        except BotError:
            return _GONE
        return f"Ended: {line.covers}. It is asked about again from now on."
