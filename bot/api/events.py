"""One server-sent-event stream per agent: what it missed, then what happens, in order, once each.

Source: HTML Living Standard, 9.2 Server-sent events,
https://html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11.
"""

import json
from functools import lru_cache
from typing import Final

from aiohttp import web

from bot.errors import BadRequest, StoreUnavailable
from bot.handoff import Change
from bot.hub import BRAKES, Hub
from bot.store import Store, read_brake, valid_id

HEARTBEAT_S: Final = 15.0


async def stream(request: web.Request, store: Store, hub: Hub, agent: str) -> web.StreamResponse:
    """Serve the stream until the agent leaves or the service stops.

    Raises:
        BadRequest: `Last-Event-ID` is none of ours.
        StoreUnavailable: Before the first byte: nothing can be read now.
    """
    after = request.headers.get("Last-Event-ID", "")
    if after and not valid_id(after):
        msg = f"Last-Event-ID {after[:40]!r} is none of ours; send the id of the last event you had, or leave it out"
        raise BadRequest(msg)
    with hub.agent_stream(agent) as live:
        first = ""
        if not after or not await store.feed.kept(after):
            first = "stream.reset" if after else "stream.open"
            after = await store.feed.last_id()
        missed = [] if first else await store.feed.since(agent, after)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        try:
            await response.prepare(request)
            if first:
                await response.write(f"id: {after}\nevent: {first}\ndata: {{}}\n\n".encode())
            else:
                await response.write(b": welcome back\n\n")
            while missed:
                await response.write(b"".join(_event(change) for change in missed))
                after = missed[-1].id
                missed = await store.feed.since(agent, after)
            while not live.closed:
                changes = [c for c in await live.take(HEARTBEAT_S) if newer(c.id, after)]
                if changes:
                    after = changes[-1].id
                    await response.write(b"".join(_event(change) for change in changes))
                elif not live.closed:
                    await response.write(b": still here\n\n")
        except (ConnectionError, StoreUnavailable):
            pass  # the agent left, or what it missed cannot be read now; either way it resumes from its last id
    return response


def newer(event_id: str, than: str) -> bool:
    """Does this id come after that one?"""
    return _number(event_id) > _number(than)


def _number(event_id: str) -> tuple[int, int]:
    head, _, tail = event_id.partition("-")
    return int(head), int(tail)


@lru_cache(maxsize=64)
def _event(change: Change) -> bytes:  # a stop goes to thousands of streams at once, and is written once
    if change.event == "steered":
        words = json.dumps({"run": change.run, "steer": change.kind}, separators=(",", ":"))
        return f"id: {change.id}\nevent: run.steered\ndata: {words}\n\n".encode()
    if change.event in BRAKES:
        brake = read_brake((change.kind or "").encode()).model_dump_json(exclude_none=True)
        return f"id: {change.id}\nevent: brake.{change.event}\ndata: {brake}\n\n".encode()
    if change.event == "trust_reset":
        words = json.dumps({"run": change.run, "why": change.kind}, separators=(",", ":"))
        return f"id: {change.id}\nevent: trust.reset\ndata: {words}\n\n".encode()
    data = {"handoff": change.handoff, "run": change.run, "state": change.state, "revision": change.revision}
    if change.event == "questioned":
        data["question"] = change.kind or ""
    elif change.kind and change.event not in {"held", "released"}:
        data["kind"] = change.kind
    return (
        f"id: {change.id}\nevent: handoff.{change.event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
    )
