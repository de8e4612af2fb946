"""The button that ends a grant in Slack."""

from collections.abc import Mapping
from typing import Any

from adapters.slack.ground import SlackGround
from adapters.slack.lists import END
from adapters.slack.saying import Listener
from adapters.slack.whisper import Whisper
from bot.talk import Grants

__all__ = ["END", "Granting"]


class Granting:
    """Takes presses."""

    def __init__(self, grants: Grants, *, ground: SlackGround, whisper: Whisper) -> None:
        """Who may end which is known to `grants`."""
        self._grants = grants
        self._ground = ground
        self._whisper = whisper

    async def pressed(self, payload: Mapping[str, Any], team: str) -> None:
        """End a grant, and say so to whoever pressed, in private."""
        user, channel = payload["user"], str((payload.get("channel") or {}).get("id") or "")
        listener = Listener(
            team, str(user["id"]), channel or None, None, str(payload.get("response_url") or "") or None
        )
        viewing = self._ground.viewer(team, str(user["id"]), user_team=user.get("team_id"))
        told = await self._grants.end(viewing, str(payload["actions"][0].get("value") or ""))
        await self._whisper.tell(listener, told)
