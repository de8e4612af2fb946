"""Sending activities to the bot: signed, waited for, and sent again when it fails."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud

Json = dict[str, Any]
_RETRIES: Final = 2
_PAUSES_S: Final = (1.0, 5.0)


@dataclass
class Ack:
    """How the bot answered one time; status 0: it did not."""

    status: int = 0
    body: Any = None
    error: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Delivery:
    """One activity, and each time that it was sent."""

    activity: Json
    acks: list[Ack] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """`message`, `conversationUpdate`…; of an invoke its name, such as `adaptiveCard/action`."""
        return str(self.activity.get("name") or self.activity["type"])

    @property
    def ack(self) -> Ack:
        return self.acks[-1]

    @property
    def ok(self) -> bool:
        return self.ack.ok


class Courier:
    """Takes activities to the endpoint."""

    def __init__(self, cloud: "TeamsCloud") -> None:
        self._cloud = cloud
        self.http: aiohttp.ClientSession | None = None

    async def send(self, activity: Json) -> Delivery:
        """Deliver it, and again after a failure that may pass; invokes too."""
        delivery = Delivery(activity)
        self._cloud.deliveries.append(delivery)
        for number in range(_RETRIES + 1):
            await self.once(delivery)
            if delivery.ok or 400 <= delivery.ack.status < 500:
                break
            if number < _RETRIES and self._cloud.retries:
                await asyncio.sleep(_PAUSES_S[number] * self._cloud.retry_scale)
            else:
                break
        if not delivery.ok:
            self._cloud.errors.append(f"{delivery.kind} was answered with {delivery.ack.status} {delivery.ack.error}")
        return delivery

    async def once(self, delivery: Delivery) -> Ack:
        """Deliver it one time."""
        activity = delivery.activity
        token = self._cloud.tokens.mint(activity["serviceUrl"])
        limit_s = self._cloud.invoke_within_s if activity["type"] == "invoke" else self._cloud.event_within_s
        ack = await self.post(json.dumps(activity).encode(), {"Authorization": f"Bearer {token}"}, within_s=limit_s)
        delivery.acks.append(ack)
        return ack

    async def post(self, body: bytes, headers: dict[str, str], *, within_s: float = 15.0) -> Ack:
        """Send these bytes with these headers, signed or not."""
        assert self.http, "the fake is not serving"
        begun = time.monotonic()
        sent = {"Content-Type": "application/json; charset=utf-8", **headers}
        try:
            async with self.http.post(
                self._cloud.endpoint, data=body, headers=sent, timeout=aiohttp.ClientTimeout(total=within_s)
            ) as response:
                raw = await response.read()
                ack = Ack(response.status, _parsed(raw))
        except TimeoutError:
            ack = Ack(error="timeout")
        except aiohttp.ClientError as error:
            ack = Ack(error=f"connection: {error}")
        ack.seconds = time.monotonic() - begun
        return ack


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
