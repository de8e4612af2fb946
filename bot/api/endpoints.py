"""The calls on endpoints and dead letters, which take an admin's key."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from andon import wire
from bot.api.calls import BY_NAME
from bot.api.requests import Callers, body_of, idempotency_key, json_of, query_of
from bot.ports import CallbackDesk


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an admin asks for."""

    by: str
    given: Mapping[str, str]
    """What the path and the query name."""
    body: Any
    key: str
    """The same for the same call; empty: each is another."""


class EndpointCalls:
    """A method for each call, of its name."""

    def __init__(self, desk: CallbackDesk, callers: Callers) -> None:
        """Let `desk` do it."""
        self._desk = desk
        self._callers = callers
        calls: Mapping[str, Callable[[_Asked], Awaitable[BaseModel]]] = {
            "create_endpoint": self._create,
            "list_endpoints": self._list,
            "get_endpoint": self._get,
            "rotate_endpoint": self._rotate,
            "disable_endpoint": self._disable,
            "enable_endpoint": self._enable,
            "remove_endpoint": self._remove,
            "test_endpoint": self._test,
            "replay_endpoint": self._replay_all,
            "list_dead_letters": self._list_dead_letters,
            "replay_dead_letter": self._replay,
        }
        self.handlers: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            name: partial(self._answer, name, call) for name, call in calls.items()
        }

    async def _answer(
        self, name: str, do: Callable[[_Asked], Awaitable[BaseModel]], request: web.Request
    ) -> web.Response:
        admin, call = await self._callers.known(request, "admin"), BY_NAME[name]
        given, key = {**request.match_info, **query_of(request, name)}, idempotency_key(request)
        body = await body_of(request, name) if call.body else None
        return json_of(
            await do(_Asked(admin.name, given, body, f"{admin.key_id}:{key}" if key else "")), min(call.success)
        )

    async def _create(self, asked: _Asked) -> BaseModel:
        return await self._desk.create(asked.body, asked.by, key=asked.key)

    async def _list(self, _: _Asked) -> BaseModel:
        return wire.EndpointList(endpoints=tuple(await self._desk.list()))

    async def _get(self, asked: _Asked) -> BaseModel:
        return await self._desk.show(asked.given["endpoint"])

    async def _rotate(self, asked: _Asked) -> BaseModel:
        return await self._desk.rotate(asked.given["endpoint"], asked.by, key=asked.key)

    async def _disable(self, asked: _Asked) -> BaseModel:
        return await self._desk.disable(asked.given["endpoint"], asked.by, asked.body.why)

    async def _enable(self, asked: _Asked) -> BaseModel:
        return await self._desk.enable(asked.given["endpoint"], asked.by)

    async def _remove(self, asked: _Asked) -> BaseModel:
        return await self._desk.remove(asked.given["endpoint"], asked.by)

    async def _test(self, asked: _Asked) -> BaseModel:
        return await self._desk.test(asked.given["endpoint"])

    async def _replay_all(self, asked: _Asked) -> BaseModel:
        return await self._desk.replay_all(asked.given["endpoint"], asked.by)

    async def _list_dead_letters(self, asked: _Asked) -> BaseModel:
        return await self._desk.dead_letters(asked.given.get("endpoint"), limit=int(asked.given.get("limit", "100")))

    async def _replay(self, asked: _Asked) -> BaseModel:
        return await self._desk.replay(asked.given["delivery"], asked.by)
