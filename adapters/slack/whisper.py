"""Tells one person something that nobody else sees."""

import logging
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from adapters.slack.api import Api, Unreachable
from adapters.slack.markup import mrkdwn
from adapters.slack.quiet import QUIET
from bot.cards import visible
from bot.errors import BotError

log = logging.getLogger("andon.slack")

_CHARS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody, and the ways to reach them in private."""

    team: str
    user: str
    channel: str | None
    thread: str | None = None
    response_url: str | None = None
    """Of the press that this is about: five uses within half an hour."""


class Whisper:
    """An answer to the press; else an ephemeral message where they are; else a direct message."""

    def __init__(self, api: Api, http: aiohttp.ClientSession, *, api_url: str) -> None:
        """`api_url` says which hosts a response may go to."""
        self._api = api
        self._http = http
        self._hosts = {urlsplit(api_url).hostname, "hooks.slack.com", "slack.com"}

    async def tell(self, listener: Listener, text: str) -> None:
        """Say it, whichever way works. What cannot be said is logged and lost: it never stops the work."""
        said = mrkdwn(visible(text), _CHARS)
        try:
            if listener.response_url and await self._respond(listener.response_url, said):
                return
            await self._say(listener, said)
        except (BotError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("slack.untold user=%s detail=%s", listener.user, error)

    async def _respond(self, url: str, text: str) -> bool:
        if urlsplit(url).hostname not in self._hosts:
            return False
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        timeout = aiohttp.ClientTimeout(total=5)
        async with self._http.post(url, json=body, timeout=timeout, allow_redirects=False) as response:
            return response.status == 200  # noqa: PLR2004  # HTTP's own number

    async def _say(self, listener: Listener, text: str) -> None:
        if listener.channel:
            thread = {"thread_ts": listener.thread} if listener.thread else {}
            try:
                await self._api.call(
                    listener.team,
                    "chat.postEphemeral",
                    channel=listener.channel,
                    user=listener.user,
                    text=text,
                    **thread,
                )
            except Unreachable:
                pass
            else:
                return
        opened = await self._api.call(listener.team, "conversations.open", users=listener.user)
        await self._api.call(
            listener.team, "chat.postMessage", channel=str(opened["channel"]["id"]), text=text, **QUIET
        )
