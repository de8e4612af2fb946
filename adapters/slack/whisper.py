"""Tells one person something that nobody else sees."""

import logging
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from adapters.slack.markup import mrkdwn
from adapters.slack.saying import Listener, Saying
from bot.cards import visible

log = logging.getLogger("andon.slack")

_CHARS: Final = 3_000


class Whisper:
    """An answer to the press; else an ephemeral message where they are; else a direct message."""

    def __init__(self, saying: Saying, http: aiohttp.ClientSession, *, api_url: str) -> None:
        """`api_url` says which hosts a response may go to."""
        self._saying = saying
        self._http = http
        self._hosts = {urlsplit(api_url).hostname, "hooks.slack.com", "slack.com"}

    async def tell(self, listener: Listener, text: str) -> None:
        """Say it, whichever way works. What cannot be said is logged and lost: it never stops the work."""
        said = mrkdwn(visible(text), _CHARS)
        try:
            if listener.response_url and await self._respond(listener.response_url, said):
                return
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("slack.no_response user=%s detail=%s", listener.user, type(error).__name__)
        await self._saying.tell(listener, said)

    async def _respond(self, url: str, text: str) -> bool:
        if urlsplit(url).hostname not in self._hosts:
            return False
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        timeout = aiohttp.ClientTimeout(total=5)
        async with self._http.post(url, json=body, timeout=timeout, allow_redirects=False) as response:
            return response.status == 200  # noqa: PLR2004  # HTTP's own number
