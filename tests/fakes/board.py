"""A notice board that speaks HTTP: a server with state and limits, which fails as it is told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.servers import until

TOKEN: Final = "board-token"
TEXT_CHARS: Final = 20_000
_FIELDS: Final = {"handoff", "revision", "headline", "title", "text", "buttons"}

Moment = Literal["before", "after"]


@dataclass
class Note:
    """A card on a board, and all that it has shown."""

    id: str
    board: str
    versions: list[dict[str, Any]]
    below: list[dict[str, Any]] = field(default_factory=list)
    """What was said below it."""

    @property
    def handoff(self) -> str:
        return str(self.versions[0]["handoff"])

    @property
    def revision(self) -> int:
        return int(self.versions[-1]["revision"])

    @property
    def headline(self) -> str:
        return str(self.versions[-1]["headline"])

    @property
    def text(self) -> str:
        return str(self.versions[-1]["text"])

    @property
    def buttons(self) -> list[str]:
        return list(self.versions[-1]["buttons"])


@dataclass
class Hold:
    """Requests that are kept waiting."""

    verb: str
    moment: Moment
    board: str | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0


class Board:
    """The server. Production code knows its address and its token, nothing more."""

    def __init__(self, *boards: str) -> None:
        self.boards = set(boards)
        self.notes: dict[str, Note] = {}
        self.is_down = False
        """Everything is answered with 503."""
        self.broken: set[str] = set()
        """Handoffs whose notes are answered with 500."""
        self.too_many = 0
        """So many requests are told to come back."""
        self.patience_s = 1
        """In so many seconds."""
        self.loses_replies = 0
        """So many posts are written, and their connection then breaks."""
        self.finds = True
        """Can notes be looked for?"""
        self.requests: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""
        self._holds: list[Hold] = []

    def of(self, handoff: str) -> list[Note]:
        """The notes about a handoff, in the order in which they were posted."""
        return [note for note in self.notes.values() if note.handoff == handoff]

    async def note(self, handoff: str, *, within_s: float = 10) -> Note:
        """The one note about a handoff, as soon as it is there."""

        async def there() -> bool:
            return bool(self.of(handoff))

        await until(there, within_s=within_s, what=f"a note about {handoff}")
        (note,) = self.of(handoff)
        return note

    async def shows(self, handoff: str, headline: str, *, within_s: float = 10) -> Note:
        """The one note about a handoff, as soon as it has this headline."""
        note = await self.note(handoff, within_s=within_s)

        async def shown() -> bool:
            return note.headline == headline

        await until(shown, within_s=within_s, what=f"{headline!r}, not {note.headline!r}")
        return note

    @contextmanager
    def holding(self, verb: str, moment: Moment = "before", *, board: str | None = None) -> Iterator[Hold]:
        """Keep requests waiting, before or after they are carried out."""
        hold = Hold(verb, moment, board)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.released.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Board"]:
        """Listen on a free port."""
        app = web.Application(middlewares=[self._guarded])
        app.add_routes(
            [
                web.post("/boards/{board}/notes", self._post),
                web.get("/boards/{board}/notes", self._find),
                web.put("/notes/{id}", self._update),
                web.post("/notes/{id}/below", self._say_below),
            ]
        )
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = f"http://127.0.0.1:{server.port}"
            yield self
            for hold in self._holds:
                hold.released.set()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests[request.method] += 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized
        if self.is_down:
            raise web.HTTPServiceUnavailable
        if self.too_many:
            self.too_many -= 1
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(self.patience_s)})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._wait(request, "before")
            response: web.StreamResponse = await handler(request)
            await self._wait(request, "after")
        finally:
            self.at_once -= 1
        if request.method == "POST" and self.loses_replies:
            self.loses_replies -= 1
            assert request.transport
            request.transport.close()
        return response

    async def _wait(self, request: web.Request, moment: Moment) -> None:
        note = self.notes.get(request.match_info.get("id", ""))
        board = request.match_info.get("board") or (note.board if note else None)  # a note may be taken off
        for hold in list(self._holds):
            if (hold.verb, hold.moment) == (request.method, moment) and hold.board in {None, board}:
                hold.reached.set()
                hold.waiting += 1
                await hold.released.wait()
                hold.waiting -= 1

    async def _body(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        if set(body) != _FIELDS or len(body["text"]) > TEXT_CHARS:
            raise web.HTTPUnprocessableEntity
        if body["handoff"] in self.broken:
            raise web.HTTPInternalServerError
        return body

    async def _post(self, request: web.Request) -> web.Response:
        board = request.match_info["board"]
        if board not in self.boards:
            raise web.HTTPNotFound
        note = Note(str(len(self.notes) + 1), board, [await self._body(request)])
        self.notes[note.id] = note
        return web.json_response({"id": note.id}, status=201)

    async def _find(self, request: web.Request) -> web.Response:
        board = request.match_info["board"]
        if board not in self.boards:
            raise web.HTTPNotFound
        found = [note.id for note in self.of(request.query["handoff"]) if note.board == board]
        return web.json_response({"ids": found if self.finds else []})

    async def _say_below(self, request: web.Request) -> web.Response:
        note = self.notes[request.match_info["id"]]
        if note.board not in self.boards:
            raise web.HTTPNotFound
        note.below.append(await request.json())
        return web.Response(status=204)

    async def _update(self, request: web.Request) -> web.Response:
        note = self.notes.get(request.match_info["id"])
        if note is None or note.board not in self.boards:
            raise web.HTTPNotFound
        note.versions.append(await self._body(request))
        return web.Response(status=204)
