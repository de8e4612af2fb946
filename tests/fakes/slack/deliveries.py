"""How payloads reach the app: signed HTTP or a socket, an answer within three seconds, and another try for events."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlencode

import aiohttp

from tests.fakes.slack.signing import sign

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
Kind = Literal["event", "interaction", "options", "command"]

RETRY_DELAYS_S: Final = (0.0, 60.0, 300.0)
_ENVELOPES: Final = {"event": "events_api", "interaction": "interactive", "options": "interactive"}


@dataclass
class Ack:
    """What came back for one attempt."""

    status: int | None = None
    """The HTTP status, 200 for an ack over a socket, None when nothing came in time."""
    body: Any = None
    """Parsed JSON, text that is not JSON, or None when it was empty."""
    error: str = ""
    """`http_timeout`, `connection_failed`, `http_error`, or nothing."""
    seconds: float = 0.0
    wants_no_retry: bool = False

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300 and not self.error


@dataclass(eq=False)
class Delivery:
    """One payload on its way to the app, and what became of it."""

    kind: Kind
    payload: Json
    acks: list[Ack] = field(default_factory=list)
    """One for each attempt."""
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the last attempt over HTTP."""
    body: bytes = b""
    """The bytes that were signed, of the last attempt over HTTP."""

    @property
    def name(self) -> str:
        """`block_actions`, `view_submission`, `app_mention`, `/andon`, and so on."""
        event = self.payload.get("event") or {}
        return str(event.get("type") or self.payload.get("command") or self.payload.get("type"))

    @property
    def ack(self) -> Ack:
        """The last attempt's."""
        return self.acks[-1] if self.acks else Ack()

    @property
    def ok(self) -> bool:
        return self.ack.ok

    @property
    def ack_status(self) -> int | None:
        return self.ack.status

    @property
    def ack_body(self) -> Any:
        return self.ack.body

    @property
    def seconds(self) -> float:
        return self.ack.seconds


def _parsed(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


class Courier:
    """Sends payloads to the app, by whichever way it is set up for.

    Args:
        cloud: Whose app it is, and where deliveries are written down.
    """

    def __init__(self, cloud: "SlackCloud") -> None:
        self._cloud = cloud
        self.http: aiohttp.ClientSession | None = None

    async def send_event(self, payload: Json) -> Delivery:
        """Send an event; if it is not taken, retries go on in the background."""
        delivery = self._noted("event", payload)
        await self._attempt(delivery)
        if not delivery.ok and not delivery.ack.wants_no_retry:
            self._cloud.in_background(self._retry(delivery))
        return delivery

    async def ask(self, kind: Kind, payload: Json) -> Delivery:
        """Send what a person is waiting for: once."""
        delivery = self._noted(kind, payload)
        await self._attempt(delivery)
        return delivery

    async def again(self, delivery: Delivery) -> Delivery:
        """Send the same payload another time, as happens when an answer was lost."""
        copy = self._noted(delivery.kind, delivery.payload)
        await self._attempt(copy, retry=1 if delivery.kind == "event" else 0, reason="http_timeout")
        return copy

    def _noted(self, kind: Kind, payload: Json) -> Delivery:
        delivery = Delivery(kind, payload)
        self._cloud.deliveries.append(delivery)
        return delivery

    async def _retry(self, delivery: Delivery) -> None:
        for n, delay_s in enumerate(RETRY_DELAYS_S, start=1):
            await asyncio.sleep(delay_s * self._cloud.retry_scale)
            await self._attempt(delivery, retry=n, reason=delivery.ack.error)
            if delivery.ok or delivery.ack.wants_no_retry:
                return

    async def _attempt(self, delivery: Delivery, *, retry: int = 0, reason: str = "") -> None:
        begun = time.monotonic()
        app = self._cloud.app
        if app.socket_mode or not app.request_url:
            ack = await self._by_socket(delivery, retry, reason)
        else:
            ack = await self._by_http(delivery, retry, reason)
        ack.seconds = time.monotonic() - begun
        delivery.acks.append(ack)

    async def _by_http(self, delivery: Delivery, retry: int, reason: str) -> Ack:
        body, content_type = _encoded(delivery)
        timestamp = int(time.time())
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": sign(self._cloud.app.signing_secret, timestamp, body),
        }
        if retry:
            headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": reason}
        delivery.headers, delivery.body = headers, body
        return await self.post(body, headers)

    async def post(self, body: bytes, headers: dict[str, str]) -> Ack:
        """Send these bytes with these headers to the app, signed or not."""
        assert self.http, "the fake is not serving"
        limit = aiohttp.ClientTimeout(total=self._cloud.ack_within_s)
        try:
            async with self.http.post(
                self._cloud.app.request_url, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                raw = await response.read()
                ok = 200 <= response.status < 300
                stop = response.headers.get("x-slack-no-retry") == "1"
                return Ack(response.status, _parsed(raw), "" if ok else "http_error", wants_no_retry=stop)
        except TimeoutError:
            return Ack(error="http_timeout")
        except aiohttp.ClientError:
            return Ack(error="connection_failed")

    async def _by_socket(self, delivery: Delivery, retry: int, reason: str) -> Ack:
        extra: Json = {"accepts_response_payload": delivery.kind != "event"}
        if delivery.kind == "event":
            extra |= {"retry_attempt": retry, "retry_reason": reason}
        return await self._cloud.sockets.send(
            _ENVELOPES.get(delivery.kind, "slash_commands"), delivery.payload, extra, self._cloud.ack_within_s
        )


def _encoded(delivery: Delivery) -> tuple[bytes, str]:
    form = "application/x-www-form-urlencoded"
    match delivery.kind:
        case "event":
            return json.dumps(delivery.payload).encode(), "application/json"
        case "command":
            told = {name: "" if value is None else value for name, value in delivery.payload.items()}
            return urlencode(told).encode(), form
        case _:
            return urlencode({"payload": json.dumps(delivery.payload)}).encode(), form


class Background:
    """Tasks that go on beside a test, and end with the fake."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], then: Callable[[], None] | None = None) -> None:
        """Begin."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if then:
            task.add_done_callback(lambda _task: then())

    async def stop(self) -> None:
        """Cancel what is left and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
