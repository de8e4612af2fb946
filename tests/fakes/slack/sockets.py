"""Socket Mode: connections from the app, envelopes to it, acks from it."""

import asyncio
import itertools
import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from tests.fakes.slack.deliveries import Ack

Json = dict[str, Any]
MOST_CONNECTIONS: Final = 10


@dataclass(eq=False)
class Connection:
    """One connection of the app."""

    ws: web.WebSocketResponse
    is_leaving: bool = False
    sent: list[Json] = field(default_factory=list)


class Sockets:
    """All connections of the app. A payload goes to one of them, in turn."""

    def __init__(self, app_id: str) -> None:
        self.connections: list[Connection] = []
        self.opened = 0
        """Connections that there have been."""
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._turn = itertools.count()

    def ticket(self) -> str:
        """Permission to connect once."""
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Hold one connection until either side ends it."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.discard(ticket)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await ws.send_json({"type": "disconnect", "reason": "too_many_websockets", "debug_info": _debug()})
            await ws.close()
            return ws
        connection = Connection(ws)
        self.connections.append(connection)
        self.opened += 1
        try:
            await ws.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self.connections),
                    "connection_info": {"app_id": self._app_id},
                    "debug_info": {**_debug(), "approximate_connection_time": 18060},
                }
            )
            async for frame in ws:
                if frame.type == WSMsgType.TEXT:
                    self._hear(frame.data)
        finally:
            self.connections.remove(connection)
        return ws

    def _hear(self, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        waiting = self._waiting.get(said.get("envelope_id", "")) if isinstance(said, dict) else None
        if waiting and not waiting.done():
            waiting.set_result(Ack(200, said.get("payload") or None))

    async def send(self, kind: str, payload: Json, extra: Json, within_s: float) -> Ack:
        """Send one envelope to one of the connections and wait for its ack."""
        there = [connection for connection in self.connections if not connection.is_leaving]
        if not there:
            return Ack(error="connection_failed")
        connection = there[next(self._turn) % len(there)]
        envelope = {"envelope_id": str(uuid.uuid4()), "type": kind, "payload": payload, **extra}
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = future
        connection.sent.append(envelope)
        try:
            await connection.ws.send_json(envelope)
            return await asyncio.wait_for(future, within_s)
        except TimeoutError:
            return Ack(error="http_timeout")
        except ConnectionError:
            return Ack(error="connection_failed")
        finally:
            del self._waiting[envelope["envelope_id"]]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to leave: `warning` in advance; on `refresh_requested` and `link_disabled` they end."""
        for connection in list(self.connections):
            await connection.ws.send_json({"type": "disconnect", "reason": reason, "debug_info": _debug()})
            if reason != "warning":
                connection.is_leaving = True
                await connection.ws.close()

    async def drop(self) -> None:
        """Break every connection without a word."""
        for connection in list(self.connections):
            connection.is_leaving = True
            await connection.ws.close(code=1011, drain=False)


def _debug() -> Json:
    return {"host": "applink-stand-in", "build_number": 1}
