"""A surface for tests: cards as notes on the fake board, over HTTP."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.cards import card, said
from bot.cards import digest as digest_view
from bot.errors import TooMany, Undeliverable
from bot.handoff import Aside, Digest, Handoff, Told
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
        self,
        http: aiohttp.ClientSession,
        url: str,
        *,
        shelf: Shelf | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._shelf = shelf
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

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        if self._shelf and not await self._shelf.once(f"below:{ref.address}:{aside.id}", timedelta(days=1)):
            return
        told = said(handoff, aside)
        note = {"id": aside.id, "text": told.sentence, "words": told.words.text if told.words else ""}
        try:
            await self._call("POST", f"/notes/{ref.address}/below", json={**note, "called": list(told.called)})
        except BaseException:
            if self._shelf:
                await self._shelf.forget(f"below:{ref.address}:{aside.id}")
            raise

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        view = digest_view(digest, now=self._clock())
        rows = [f"{row.title.text} {row.verdict.sentence if row.verdict else row.alone}" for row in view.rows]
        some = len(view.together)
        note = {
            "handoff": view.id,
            "revision": 0,
            "headline": view.headline,
            "title": view.headline,
            "text": "\n".join([*rows, *([f"and {view.waiting} more"] if view.waiting else [])]),
            "buttons": [f"Approve the {some} shown", f"Reject the {some} shown"] if some else [],
        }
        if ref is None:
            return CardRef("paper", (await self._call("POST", f"/boards/{to.channel}/notes", json=note))["id"])
        await self._call("PUT", f"/notes/{ref.address}", json=note)
        return ref

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
            adapter = Paper(http, url, shelf=shelf)
            adapter.directory = directory
            yield adapter

    return opened
