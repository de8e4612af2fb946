"""One server-sent-event stream per agent: what it missed, then what happens, in order, once each.

Source: HTML Living Standard, 9.2 Server-sent events,
https://html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11.
"""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiohttp import HttpVersion11, web

from bot.errors import BadRequest, StoreUnavailable
from bot.handoff import Change
from bot.hub import BRAKES, LIFE, Hub
from bot.store import Store, event_number, read_brake, valid_id

HEARTBEAT_S: Final = 15.0

_UNREAD_BYTES: Final = 64 * 1024
"""What may wait in a connection; an agent with more is slow, and its changes wait for it."""


class EventStreams:
    """Serves the streams of all agents."""

    def __init__(self, store: Store, hub: Hub) -> None:
        """Tell what is in the store, then what `hub` hears."""
        self._store = store
        self._hub = hub
        self._latest = _Latest()

    async def serve(self, request: web.Request, agent: str) -> web.StreamResponse:
        """Serve one stream until its agent leaves or the service stops.

        Raises:
            BadRequest: `Last-Event-ID` is none of ours.
            StoreUnavailable: Before the first byte: nothing can be read now.
        """
        after = request.headers.get("Last-Event-ID", "")
        if after and not valid_id(after):
            msg = (
                f"Last-Event-ID {after[:40]!r} is none of ours; send the id of the last event you had, or leave it out"
            )
            raise BadRequest(msg)
        shard = await self._store.shard_of(agent)
        feed = shard.feed
        with self._hub.agent_stream(agent, shard) as live:
            first = ""
            if not after or not await feed.kept(after):
                first = "stream.reset" if after else "stream.open"
                after = await feed.last_id()
            missed = [] if first else await feed.since(agent, after)
            told = _Told(request, after, self._latest)
            try:
                await told.begin(first)
                while missed:
                    await told.write(missed)
                    missed = await feed.since(agent, missed[-1].id)
                live.write_with(told.write_now)
                while not live.closed:
                    changes = await live.take(HEARTBEAT_S)
                    if changes:
                        await told.write(changes)
                    elif not live.closed:
                        await told.response.write(b": still here\n\n")
            except (ConnectionError, StoreUnavailable):
                pass  # the agent left, or what it missed cannot be read now; either way it resumes from its last id
        return told.response


class _Latest:
    """What is told of a change; a stop goes to thousands of streams at once, and is put in words once."""

    __slots__ = ("change", "event")

    def __init__(self) -> None:
        self.change: Change | None = None
        self.event = _Event((0, 0), b"", b"")

    def of(self, change: Change) -> "_Event":
        if change is not self.change:
            self.change, self.event = change, _event(change)
        return self.event


class _Told:
    """What one agent has been told on one connection: each change once, whichever way it comes."""

    __slots__ = ("_after", "_chunked", "_latest", "_request", "_transport", "response")

    def __init__(self, request: web.Request, after: str, latest: _Latest) -> None:
        self.response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        if request.version >= HttpVersion11:
            self.response.enable_chunked_encoding()
        self._request = request
        self._transport = request.transport
        self._chunked = self.response.chunked
        self._latest = latest
        self._after = event_number(after)

    async def begin(self, first: str) -> None:
        """Say how the stream begins: with an event of this name, or where it broke."""
        await self.response.prepare(self._request)
        head, tail = self._after
        begun = f"id: {head}-{tail}\nevent: {first}\ndata: {{}}\n\n" if first else ": welcome back\n\n"
        await self.response.write(begun.encode())

    async def write(self, changes: Sequence[Change]) -> None:
        """Write those that are new, and wait while the agent is slow to read."""
        written = [event for event in map(self._latest.of, changes) if event.number > self._after]
        if written:
            self._after = written[-1].number
            await self.response.write(b"".join(event.text for event in written))

    def write_now(self, change: Change) -> bool:
        """Write it at once, past the agent's task: a stop reaches thousands in a tenth of a second.

        False where it would have to wait: the agent is slow, or has left. Nothing else may be being written.
        """
        latest = self._latest
        number, text, chunk = latest.event if change is latest.change else latest.of(change)
        if number <= self._after:
            return True
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > _UNREAD_BYTES:
            return False
        transport.write(chunk if self._chunked else text)
        self._after = number
        return True


class _Event(NamedTuple):
    number: tuple[int, int]
    text: bytes
    chunk: bytes
    """As HTTP/1.1 sends it."""


def _event(change: Change) -> _Event:
    text = _text(change).encode()
    return _Event(event_number(change.id), text, b"%x\r\n%b\r\n" % (len(text), text))


def _text(change: Change) -> str:
    if change.event == "steered":
        words = json.dumps({"run": change.run, "steer": change.kind}, separators=(",", ":"))
        return f"id: {change.id}\nevent: run.steered\ndata: {words}\n\n"
    if change.event in LIFE:
        words = json.dumps({"run": change.run}, separators=(",", ":"))
        return f"id: {change.id}\nevent: run.{change.event}\ndata: {words}\n\n"
    if change.event in BRAKES:
        brake = read_brake((change.kind or "").encode()).model_dump_json(exclude_none=True)
        return f"id: {change.id}\nevent: brake.{change.event}\ndata: {brake}\n\n"
    if change.event == "trust_reset":
        words = json.dumps({"run": change.run, "why": change.kind}, separators=(",", ":"))
        return f"id: {change.id}\nevent: trust.reset\ndata: {words}\n\n"
    data = {"handoff": change.handoff, "run": change.run, "state": change.state, "revision": change.revision}
    if change.event == "questioned":
        data["question"] = change.kind or ""
    elif change.kind and change.event not in {"held", "released"}:
        data["kind"] = change.kind
    return f"id: {change.id}\nevent: handoff.{change.event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
