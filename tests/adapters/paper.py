"""A surface for tests: cards as notes on the fake board, over HTTP."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.cards import card
from bot.errors import TooMany, Undeliverable
from bot.handoff import Handoff, Told
from bot.outbox import Pace
from bot.ports import Adapter, CardRef, Desk, Directory, Shelf
from tests.fakes.board import TOKEN

_ROW_CHARS = 500
QUICK = Pace(pause_s=0.02, longest_pause_s=0.1, call_s=5, taken_over=timedelta(seconds=1))
"""For an outbox whose failures a test waits for."""


class Paper:
    """The surface `paper`: a place's channel is the name of a board."""

    name = "paper"
    reads_store = False
    directory: Directory | None = None

    def __init__(
        self, http: aiohttp.ClientSession, url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock

    def routes(self) -> Sequence[AbstractRouteDef]:
        return []

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        reply = await self._call("POST", f"/boards/{to.channel}/notes", json=self._note(handoff))
        return CardRef("paper", reply["id"])

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        reply = await self._call("GET", f"/boards/{to.channel}/notes", params={"handoff": handoff.id})
        return CardRef("paper", reply["ids"][0]) if reply["ids"] else None

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        await self._call("PUT", f"/notes/{ref.address}", json=self._note(handoff))

    async def tell(self, told: Told, to: wire.Place) -> None:
        note = {
            "handoff": told.id,
            "revision": 0,
            "headline": "Notice",
            "title": told.text,
            "text": told.text,
            "buttons": [],
        }
        await self._call("POST", f"/boards/{to.channel}/notes", json=note)

    def _note(self, handoff: Handoff) -> dict[str, Any]:
        view = card(handoff, now=self._clock(), limit=_ROW_CHARS)
        rows = [f"{row.name}: {row.text}" for row in (view.act.rows if view.act else ())]
        said = [view.why.text, *(risk.text for risk in view.risks), *(c.label for c in view.candidates)]
        ended = [view.verdict.sentence, view.verdict.reason] if view.verdict else [view.silence]
        return {
            "handoff": view.id,
            "revision": view.revision,
            "headline": view.steps[-1].headline if view.steps else view.headline,
            "title": view.title.text,
            "text": "\n".join([view.title.text, *rows, *said, *ended]),
            "buttons": [button.label for button in view.buttons],
        }

    async def _call(self, method: str, path: str, **given: Any) -> Any:
        async with self._http.request(method, f"{self._url}{path}", **given) as response:
            if response.status == 404:
                raise Undeliverable(f"the board says that there is nothing at {path}")
            if response.status == 429:
                raise TooMany("the board has too much to do", retry_after_s=int(response.headers["Retry-After"]))
            response.raise_for_status()
            return await response.json() if response.content_type == "application/json" else None


def paper(
    url: str, *, directory: Directory | None = None, meet: Callable[[Desk, Shelf], None] = lambda *_: None
) -> Callable[[Desk, Shelf], AbstractAsyncContextManager[Adapter]]:
    """As the composition root takes it; `meet` is given what the adapter is given."""

    @asynccontextmanager
    async def opened(desk: Desk, shelf: Shelf) -> AsyncIterator[Adapter]:
        meet(desk, shelf)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            adapter = Paper(http, url)
            adapter.directory = directory
            yield adapter

    return opened
