"""What is too long for a message or a modal, as a text file in the card's thread."""

import contextlib
from datetime import timedelta
from typing import Final

import aiohttp

from adapters.slack.address import Address
from adapters.slack.api import Api, SlackFailed
from adapters.slack.modals import File
from bot.errors import StoreUnavailable, TooMany
from bot.ports import Shelf

_KEPT: Final = timedelta(days=30)
_UPLOAD_S: Final = 30
_AT_IT: Final = timedelta(seconds=50)
_AGAIN_S: Final = 5


class Files:
    """Shares each file once at each place."""

    def __init__(self, api: Api, shelf: Shelf, http: aiohttp.ClientSession) -> None:
        """Upload with `http`."""
        self._api = api
        self._shelf = shelf
        self._http = http

    async def share(self, file: File, at: Address, *, about: str) -> None:
        """Put the file below the card, unless it is there.

        Source: https://docs.slack.dev/messaging/working-with-files, read 2026-11.

        Raises:
            SlackFailed, Unreachable, TooMany, NoAccess: It is not there.
        """
        name = f"file:{about}:{at.text}"
        if await self._shelf.load(f"done:{name}") is not None:
            return
        if not await self._shelf.once(name, _AT_IT):
            msg = f"another process shares {file.name} just now"
            raise TooMany(msg, retry_after_s=_AGAIN_S)
        try:
            await self._upload(file, at)
        finally:
            with contextlib.suppress(StoreUnavailable):
                await self._shelf.forget(name)
        await self._shelf.save(f"done:{name}", "", _KEPT)

    async def _upload(self, file: File, at: Address) -> None:
        body = file.text.encode()
        asked = await self._api.call(at.team, "files.getUploadURLExternal", filename=file.name, length=len(body))
        try:
            timeout = aiohttp.ClientTimeout(total=_UPLOAD_S)
            async with self._http.post(str(asked["upload_url"]), data=body, timeout=timeout) as response:
                if response.status != 200:  # noqa: PLR2004  # HTTP's own number
                    msg = f"the upload of {file.name} was refused with status {response.status}"
                    raise SlackFailed(msg, code="upload", method="files.getUploadURLExternal")
        except (aiohttp.ClientError, TimeoutError) as error:
            msg = f"the upload of {file.name} broke: {type(error).__name__}"
            raise SlackFailed(msg, code="upload", method="files.getUploadURLExternal") from error
        await self._api.call(
            at.team,
            "files.completeUploadExternal",
            files=[{"id": str(asked["file_id"]), "title": file.name}],
            channel_id=at.channel,
            thread_ts=at.ts,
        )
