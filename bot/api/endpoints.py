"""The calls on endpoints and dead letters, which take an admin's key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from andon import wire
from bot.access import Principal
from bot.ports import CallbackDesk

Handler = Callable[[Principal, Mapping[str, str], Any], Awaitable[BaseModel]]
"""Answers a call: from who calls, what the path and the query name, and the body."""


class EndpointCalls:
    """A method for each call, of its name."""

    def __init__(self, desk: CallbackDesk) -> None:
        """Let `desk` do it."""
        self._desk = desk
        self.handlers: Mapping[str, Handler] = {
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

    async def _create(self, who: Principal, _: Mapping[str, str], body: wire.EndpointCreate) -> BaseModel:
        return await self._desk.create(body, who.name)

    async def _list(self, _: Principal, __: Mapping[str, str], ___: None) -> BaseModel:
        return wire.EndpointList(endpoints=tuple(await self._desk.list()))

    async def _get(self, _: Principal, given: Mapping[str, str], __: None) -> BaseModel:
        return await self._desk.show(given["endpoint"])

    async def _rotate(self, who: Principal, given: Mapping[str, str], _: None) -> BaseModel:
        return await self._desk.rotate(given["endpoint"], who.name)

    async def _disable(self, who: Principal, given: Mapping[str, str], body: wire.EndpointDisable) -> BaseModel:
        return await self._desk.disable(given["endpoint"], who.name, body.why)

    async def _enable(self, who: Principal, given: Mapping[str, str], _: None) -> BaseModel:
        return await self._desk.enable(given["endpoint"], who.name)

    async def _remove(self, who: Principal, given: Mapping[str, str], _: None) -> BaseModel:
        return await self._desk.remove(given["endpoint"], who.name)

    async def _test(self, _: Principal, given: Mapping[str, str], __: None) -> BaseModel:
        return await self._desk.test(given["endpoint"])

    async def _replay_all(self, who: Principal, given: Mapping[str, str], _: None) -> BaseModel:
        return await self._desk.replay_all(given["endpoint"], who.name)

    async def _list_dead_letters(self, _: Principal, given: Mapping[str, str], __: None) -> BaseModel:
        return await self._desk.dead_letters(given.get("endpoint"), limit=int(given.get("limit", "100")))

    async def _replay(self, who: Principal, given: Mapping[str, str], _: None) -> BaseModel:
        return await self._desk.replay(given["delivery"], who.name)
