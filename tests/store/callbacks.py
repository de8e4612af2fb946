"""Endpoints and callbacks as the store's tests use them."""

from datetime import UTC, datetime, timedelta
from itertools import count

from bot.store import Callback, EndpointRecord, Failed, NewEndpoint, Store, Taken

_numbers = count(1)
LEASE = timedelta(seconds=5)
FOREVER = (timedelta(days=5), 5, "nothing but failures")


async def endpoint(store: Store, *, agent: str = "*") -> EndpointRecord:
    """A new endpoint."""
    made = NewEndpoint(f"ep_{next(_numbers):022d}", "https://hooks.example.com/x", agent, ("handoff.decided",), "ops")
    assert await store.endpoints.create(made, b"sealed") == "created"
    return await look(store, made.id)


async def look(store: Store, endpoint_id: str) -> EndpointRecord:
    found = await store.endpoints.one(endpoint_id)
    assert found
    return found


def callback(to: EndpointRecord) -> Callback:
    """A new callback."""
    number = next(_numbers)
    return Callback(f"cb_{number:022d}", to.id, f"msg_{number}", "handoff.decided", datetime.now(UTC), f"hf_{number}")


async def try_to_take(store: Store, sent: Callback, token: str = "", *, lease: timedelta = LEASE) -> Taken | str:
    token = token or f"t{next(_numbers)}"
    return await store.endpoints.take(sent.endpoint, sent.id, token, lease=lease, at_once=2)


async def take(store: Store, sent: Callback, token: str = "", *, lease: timedelta = LEASE) -> Taken:
    """Take one that is due."""
    taken = await try_to_take(store, sent, token, lease=lease)
    assert isinstance(taken, Taken), taken
    return taken


async def fail(store: Store, taken: Taken, why: str, again: timedelta | None, **more: object) -> Failed:
    return await store.endpoints.fail(taken, why, again, **{"off_after": FOREVER, **more})  # type: ignore[arg-type]  # passed through
