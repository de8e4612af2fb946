"""The floor: what a service without features costs. aiohttp, one script per transition, a parked poll, nothing else.

No keys, no validation, no policy, no events, no retention. Run as `python -m bench.floor REDIS_URL`; prints its port.
"""

import asyncio
import json
import secrets
import socket
import sys
from typing import Any

import uvloop
from aiohttp import web

from bot.store import connect
from bot.store.pipe import Pipe, Script

_NEW = """
if redis.call("EXISTS", KEYS[1]) == 1 then return "known" end
redis.call("HSET", KEYS[1], "state", "pending", "doc", ARGV[1])
redis.call("ZADD", KEYS[2], ARGV[2], KEYS[1])
return "ok"
"""
_MOVE = """
if redis.call("HGET", KEYS[1], "state") ~= ARGV[1] then return "no" end
redis.call("HSET", KEYS[1], "state", ARGV[2], ARGV[2], ARGV[3])
if ARGV[1] == "pending" then redis.call("ZREM", KEYS[2], KEYS[1]) end
return "ok"
"""


def _script(source: str) -> Script:
    import hashlib  # noqa: PLC0415

    return Script("floor", source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # Redis names scripts by SHA-1


class Floor:
    """Four transitions and a wait."""

    def __init__(self, pipe: Pipe) -> None:
        """Share the product's batching, so that the ratio shows features and not the client library."""
        self._pipe = pipe
        self._new, self._move = _script(_NEW), _script(_MOVE)
        self._waiting: dict[str, asyncio.Future[bytes]] = {}

    async def open(self, request: web.Request) -> web.Response:
        """Write it."""
        ask = json.loads(await request.read())
        handoff_id = secrets.token_urlsafe(16)
        await self._pipe.run(self._new, (f"f:{handoff_id}", "f:due"), json.dumps(ask), 1)
        return _json({"id": handoff_id})

    async def wait(self, request: web.Request) -> web.Response:
        """Park until it is answered."""
        handoff_id = request.match_info["id"]
        future = self._waiting.setdefault(handoff_id, asyncio.get_running_loop().create_future())
        async with asyncio.timeout(50):
            return web.Response(body=await future, content_type="application/json")

    async def move(self, request: web.Request) -> web.Response:
        """Answer, claim or close it."""
        handoff_id, to = request.match_info["id"], request.match_info["to"]
        body = json.dumps(json.loads(await request.read())).encode()
        before = {"decided": "pending", "claimed": "decided", "closed": "claimed"}[to]
        if await self._pipe.run(self._move, (f"f:{handoff_id}", "f:due"), before, to, body) != b"ok":
            raise web.HTTPConflict
        if to == "decided" and (future := self._waiting.pop(handoff_id, None)):
            future.set_result(body)
        return _json({"state": to})


def _json(body: Any) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


async def _main(url: str) -> None:
    floor = Floor(Pipe(connect(url)))
    app = web.Application()
    app.add_routes([web.post("/open", floor.open), web.get("/{id}", floor.wait), web.post("/{id}/{to}", floor.move)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1]))
