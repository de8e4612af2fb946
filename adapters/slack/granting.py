"""Grants in Slack: which a person may see, and the button that ends one."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.slack.lists import END
from adapters.slack.saying import Listener
from adapters.slack.waiting import Viewer, Waiting
from adapters.slack.whisper import Whisper
from bot.cards import GrantLine, grant_line
from bot.errors import BotError, DirectoryDown, Gone, StoreUnavailable
from bot.ports import Desk

__all__ = ["END", "Granting"]

_GONE: Final = "There is no such grant for you: it has ended, or was given where you are not."
_DOWN: Final = "It could not be ended just now, so it stands. Try again in a moment."


class Granting:
    """Shows grants to those who can see the cards that gave them, and lets these end them."""

    def __init__(self, desk: Desk, *, waiting: Waiting, whisper: Whisper) -> None:
        """Look up with `waiting` what somebody may see."""
        self._desk = desk
        self._waiting = waiting
        self._whisper = whisper

    async def seen(self, viewer: Viewer) -> list[GrantLine]:
        """The grants that this person may see, the newest first.

        Raises:
            DirectoryDown: Slack does not tell.
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
            if await self._waiting.sees(viewer, handoff):
                found.append(grant_line(each))
        return found

    async def pressed(self, payload: Mapping[str, Any], team: str) -> None:
        """End a grant, and say so to whoever pressed, in private."""
        user, channel = payload["user"], str((payload.get("channel") or {}).get("id") or "")
        listener = Listener(
            team, str(user["id"]), channel or None, None, str(payload.get("response_url") or "") or None
        )
        try:
            told = await self._end(str(payload["actions"][0].get("value") or ""), team, user)
        except (DirectoryDown, StoreUnavailable):
            told = _DOWN
        except BotError:
            told = _GONE
        await self._whisper.tell(listener, told)

    async def _end(self, grant_id: str, team: str, user: Mapping[str, Any]) -> str:
        viewer = await self._waiting.viewer(team, str(user["id"]), user_team=user.get("team_id"))
        line = next((each for each in await self.seen(viewer) if each.id == grant_id), None)
        if line is None:
            return _GONE
        await self._desk.end_grant(grant_id, viewer.person.actor)
        return f"Ended: {line.covers}. It is asked about again from now on."
