"""What the bot says: below a message, to one person alone, or directly. What cannot be said is logged and lost."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from adapters.slack.api import Api, Unreachable
from adapters.slack.fit import Json
from adapters.slack.quiet import QUIET
from bot.errors import BotError, TooMany

log = logging.getLogger("andon.slack")

_RESPONSE: Final = aiohttp.ClientTimeout(total=5)
_TRIES: Final = 5
_LONGEST_S: Final = 30


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody, and the ways to reach them in private."""

    team: str
    user: str
    channel: str | None
    thread: str | None = None
    response_url: str | None = None
    """Of the press that this is about: five uses within half an hour."""


class Saying:
    """Says one thing at a time. `text` is Slack's markup: who writes it escapes what is not ours."""

    def __init__(self, api: Api, http: aiohttp.ClientSession, *, api_url: str) -> None:
        """Say it through `api`, or in answer to a press through `http`; `api_url` says which hosts that may be."""
        self._api = api
        self._http = http
        self._hosts = {urlsplit(api_url).hostname, "hooks.slack.com", "slack.com"}

    async def say(
        self, team: str, channel: str, text: str, blocks: Sequence[Json] | None = None, *, thread: str | None = None
    ) -> bool:
        """Post it for everybody there; returns whether it was posted."""
        given: dict[str, Any] = {"channel": channel, "text": text, "thread_ts": thread}
        given["blocks"] = list(blocks) if blocks else None
        try:
            await _in_turn(lambda: self._api.call(team, "chat.postMessage", **given, **QUIET))
        except BotError as error:
            log.warning("slack.unsaid channel=%s detail=%s", channel, error)
            return False
        return True

    async def tell(self, to: Listener, text: str, blocks: Sequence[Json] | None = None) -> bool:
        """Show it to one person alone.

        In answer to their press; else where they are, if the bot is there too; else in a direct message.
        """
        if to.response_url and await self._respond(to.response_url, text, blocks):
            return True
        is_direct = bool(to.channel) and str(to.channel).startswith("D")
        if to.channel and not is_direct:
            try:
                return await self._whisper(to, text, blocks)
            except Unreachable:
                pass
        if await self.write(to.team, to.user, text, blocks):
            return True
        # Messages go out by turns, which are in the store; what is shown to one person needs none.
        with contextlib.suppress(Unreachable):
            return is_direct and await self._whisper(to, text, blocks)
        return False

    async def _whisper(self, to: Listener, text: str, blocks: Sequence[Json] | None) -> bool:
        given: dict[str, Any] = {"channel": to.channel, "user": to.user, "thread_ts": to.thread, "text": text}
        given["blocks"] = list(blocks) if blocks else None
        try:
            await _in_turn(lambda: self._api.call(to.team, "chat.postEphemeral", **given))
        except Unreachable:
            raise
        except BotError as error:
            log.warning("slack.untold user=%s detail=%s", to.user, error)
            return False
        return True

    async def _respond(self, url: str, text: str, blocks: Sequence[Json] | None) -> bool:
        """Answer a press or a command at the address that came with it; it needs the bot in no channel."""
        if urlsplit(url).hostname not in self._hosts:
            return False
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        if blocks:
            body["blocks"] = list(blocks)
        try:
            async with self._http.post(url, json=body, timeout=_RESPONSE, allow_redirects=False) as response:
                return response.status == 200  # noqa: PLR2004  # HTTP's own number
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("slack.no_response detail=%s", type(error).__name__)
            return False

    async def write(self, team: str, user: str, text: str, blocks: Sequence[Json] | None = None) -> bool:
        """Send it as a direct message; returns whether it was sent."""
        try:
            opened = await self._api.call(team, "conversations.open", users=user)
            channel = str(opened["channel"]["id"])
        except BotError as error:
            log.warning("slack.untold user=%s detail=%s", user, error)
            return False
        return await self.say(team, channel, text, blocks)


async def _in_turn(call: Callable[[], Awaitable[object]]) -> None:
    """Call when it is our turn: Slack, or our own pace, may want to wait."""
    for _ in range(_TRIES):
        try:
            await call()
        except TooMany as error:
            await asyncio.sleep(min(error.retry_after_s, _LONGEST_S))
        else:
            return
    await call()
