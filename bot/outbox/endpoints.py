"""The endpoints that callbacks go to, as operators use them: the `CallbackDesk` port. Secrets are sealed."""

import asyncio
import base64
import contextlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from andon import wire
from bot.errors import REUSED, Conflict, Fault, Gone, IdempotencyKeyReused, InvalidBody, TooMany
from bot.outbox.callback_body import body_of
from bot.outbox.egress import Egress, NotAllowed, NotSent, checked
from bot.outbox.signing import Unsignable, new_secret, secret_of, sign
from bot.store import EndpointRecord, Given, NewEndpoint, Store

log = logging.getLogger("andon.callbacks")

BOTH: Final = timedelta(hours=24)
"""How long both secrets sign after a rotation."""

OK: Final = range(200, 300)
"""The statuses by which a receiver takes a callback."""

_MOST_DEAD: Final = 10_000
_ENDPOINT: Final = re.compile(r"ep_[A-Za-z0-9_-]{22}")
_CALLBACK: Final = re.compile(r"cb_[A-Za-z0-9_-]{22}")


class EndpointBook:
    """Every endpoint of a store."""

    def __init__(
        self,
        store: Store,
        secret: bytes,
        egress: Egress,
        *,
        own: Collection[str] = (),
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Seal with a key that only services with this `secret` have; `own` are addresses of the service itself.

        `changed` hears that there is one more.
        """
        self._records = store.endpoints
        self._egress = egress
        self._own = own
        self._changed = changed
        self._clock = clock
        self._key = hmac.digest(secret, b"endpoints/derived/v1", "sha256")
        self._seal = Fernet(base64.urlsafe_b64encode(hmac.digest(secret, b"endpoints/v1", "sha256")))

    # --- the port ---

    async def list(self) -> Sequence[wire.Endpoint]:
        """Every endpoint, the oldest first."""
        return [self._told(each) for each in await self._records.all()]

    async def show(self, endpoint_id: str) -> wire.Endpoint:
        """One endpoint; raises `Gone`."""
        return self._told(await self._one(endpoint_id))

    async def create(self, new: wire.EndpointCreate, by: str, *, key: str = "") -> wire.EndpointCreated:
        """Register one; raises `InvalidBody`, `TooMany`, `IdempotencyKeyReused`, `Conflict`."""
        try:
            url = checked(new.url, self._egress.allowed, own=self._own)
        except NotAllowed as error:
            raise InvalidBody(f"the URL cannot be used: {error}", faults=[Fault("url", str(error))]) from error
        endpoint_id = self._new_id(key)
        secret = self._new_secret("create", endpoint_id, key)
        made = NewEndpoint(endpoint_id, url, new.agent, tuple(dict.fromkeys(new.events)), by)
        word = await self._records.create(made, self._close(endpoint_id, secret))
        if word == "many":
            raise TooMany("there are as many endpoints as can be; remove one first", retry_after_s=60)
        endpoint = await self._one(endpoint_id)
        if word == "created":
            self._changed()
            log.info("endpoint.created id=%s agent=%s by=%s", endpoint_id, new.agent, by)
        elif (endpoint.url, endpoint.agent, endpoint.events) != (made.url, made.agent, made.events):
            raise IdempotencyKeyReused(REUSED)
        elif not self._has(endpoint, endpoint.secret, secret):
            raise Conflict(f"{endpoint_id} was made by this call, and was given another secret since: rotate it")
        return self._with_secret(endpoint, secret)

    async def rotate(self, endpoint_id: str, by: str, *, key: str = "") -> wire.EndpointCreated:
        """Give it a new secret; raises `Gone`, `Conflict`."""
        endpoint, secret = await self._one(endpoint_id), self._new_secret("rotate", endpoint_id, key)
        if not self._has(endpoint, endpoint.secret, secret):
            if self._has(endpoint, endpoint.old_secret, secret):
                raise Conflict(
                    f"{endpoint_id} was rotated by this call, and once more since; use a new Idempotency-Key"
                )
            if not await self._records.rotate(endpoint, self._close(endpoint_id, secret), BOTH):
                raise Conflict(f"somebody else has just changed {endpoint_id}; look at it, and try again")
            log.info("endpoint.rotated id=%s by=%s", endpoint_id, by)
        return self._with_secret(await self._one(endpoint_id), secret)

    async def disable(self, endpoint_id: str, by: str, why: str | None = None) -> wire.Endpoint:
        """Send it nothing more; raises `Gone`."""
        return await self._switch(endpoint_id, by, f"{by} disabled it" + (f": {why}" if why else ""))

    async def enable(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Send to it again; raises `Gone`."""
        return await self._switch(endpoint_id, by, "")

    async def remove(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Forget it; raises `Gone`."""
        stood = await self._one(endpoint_id)
        await self._records.remove(endpoint_id)
        log.info("endpoint.removed id=%s by=%s", endpoint_id, by)
        return self._told(stood)

    async def test(self, endpoint_id: str) -> wire.EndpointTest:
        """Send it a test, once and now; raises `Gone`."""
        endpoint = await self._one(endpoint_id)
        body = body_of("endpoint.test", self._clock(), {"endpoint": endpoint_id})
        begun, status, error = time.monotonic(), None, None
        try:
            headers = self.signed(endpoint, f"test_{secrets.token_urlsafe(16)}", body)
            status = (await self._egress.post(endpoint.url, body, headers)).status
        except (NotSent, Unsignable) as failed:
            error = str(failed)
        if status is not None and status not in OK:
            error = f"it answered {status}"
        took_ms = round((time.monotonic() - begun) * 1000)
        return wire.EndpointTest(delivered=error is None, status=status, error=error, took_ms=took_ms)

    async def dead_letters(self, endpoint_id: str | None = None, *, limit: int = 100) -> wire.DeadLetterList:
        """What was given up, the latest first; raises `Gone`."""
        endpoints = [await self._one(endpoint_id)] if endpoint_id else await self._records.all()
        pages = await asyncio.gather(*(self._records.dead(each.id, limit=limit) for each in endpoints))
        found = sorted((each for page in pages for each in page), key=lambda each: each.dead_at, reverse=True)
        return wire.DeadLetterList(
            dead_letters=tuple(map(_dead_letter, found[:limit])), total=sum(each.dead for each in endpoints)
        )

    async def replay(self, delivery_id: str, by: str) -> wire.Replayed:
        """Send one dead letter again; raises `Gone`."""
        known = await self._records.callback(delivery_id) if _CALLBACK.fullmatch(delivery_id) else None
        if known is None or not await self._records.queue(known, "dead"):
            raise Gone(f"there is no dead letter {delivery_id[:80]}: it was sent meanwhile, or is older than 30 days")
        log.info("callback.replayed id=%s endpoint=%s by=%s", delivery_id, known.endpoint, by)
        return wire.Replayed(count=1)

    async def replay_all(self, endpoint_id: str, by: str) -> wire.Replayed:
        """Send every dead letter of an endpoint again; raises `Gone`."""
        await self._one(endpoint_id)
        found = await self._records.dead(endpoint_id, limit=_MOST_DEAD)
        queued = [await self._records.queue(each.callback, "dead") for each in reversed(found)]
        log.info("callback.replayed_all endpoint=%s count=%d by=%s", endpoint_id, sum(queued), by)
        return wire.Replayed(count=sum(queued))

    # --- for whoever sends ---

    def signed(self, endpoint: EndpointRecord, webhook_id: str, body: bytes) -> dict[str, str]:
        """The headers of one try: signed now, after a rotation by both secrets.

        Raises:
            Unsignable: Its secret was sealed by a service with another secret.
        """
        now = self._clock()
        sealed = [endpoint.secret]
        if endpoint.old_secret and endpoint.old_until and endpoint.old_until > now:
            sealed.append(endpoint.old_secret)
        secrets_ = [self._open(endpoint.id, each) for each in sealed]
        return {"content-type": "application/json", **sign(secrets_, webhook_id, now, body)}

    async def _one(self, endpoint_id: str) -> EndpointRecord:
        found = await self._records.one(endpoint_id) if _ENDPOINT.fullmatch(endpoint_id) else None
        if found is None:
            raise Gone(f"there is no endpoint {endpoint_id[:80]}")
        return found

    async def _switch(self, endpoint_id: str, by: str, off: str) -> wire.Endpoint:
        endpoint = await self._one(endpoint_id)
        await self._records.switch(endpoint.id, off)
        log.info("endpoint.switched id=%s to=%s by=%s", endpoint_id, "off" if off else "on", by)
        return await self.show(endpoint_id)

    def _new_id(self, key: str) -> str:
        """One that nobody can guess; with a key, always the same: a second try finds what the first one made."""
        drawn = self._derive("id", key)[:16] if key else secrets.token_bytes(16)
        return f"ep_{base64.urlsafe_b64encode(drawn).decode().rstrip('=')}"

    def _new_secret(self, what: str, endpoint_id: str, key: str) -> str:
        """As `_new_id`: a second try is told the secret of the first."""
        return secret_of(self._derive(what, endpoint_id, key)) if key else new_secret()

    def _derive(self, *parts: str) -> bytes:
        """What these parts always give, and nobody without the service's secret can guess."""
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256")

    def _has(self, endpoint: EndpointRecord, sealed: bytes, secret: str) -> bool:
        with contextlib.suppress(Unsignable):
            return bool(sealed) and hmac.compare_digest(self._open(endpoint.id, sealed), secret)
        return False

    def _close(self, endpoint_id: str, secret: str) -> bytes:
        """Seal it under its endpoint's id, so that one cannot be put in the place of another."""
        return self._seal.encrypt(f"{endpoint_id}\0{secret}".encode())

    def _open(self, endpoint_id: str, sealed: bytes) -> str:
        with contextlib.suppress(InvalidToken):
            owner, _, secret = self._seal.decrypt(sealed).decode().partition("\0")
            if owner == endpoint_id:
                return secret
        raise Unsignable("its secret cannot be opened with this service's ANDON_SECRET; rotate it")

    def _told(self, endpoint: EndpointRecord) -> wire.Endpoint:
        rotated = endpoint.old_until if endpoint.old_until and endpoint.old_until > self._clock() else None
        return wire.Endpoint(
            id=endpoint.id,
            url=endpoint.url,
            agent=endpoint.agent,
            events=endpoint.events,
            created_at=endpoint.created_at,
            created_by=endpoint.by,
            state="disabled" if endpoint.off else "enabled",
            disabled_why=endpoint.off or None,
            disabled_at=endpoint.off_at,
            failing_since=endpoint.failing_since,
            last_error=endpoint.error or None,
            rotated_until=rotated,
            delivered=endpoint.delivered,
            failed=endpoint.failed,
            waiting=endpoint.waiting,
            dead=endpoint.dead,
        )

    def _with_secret(self, endpoint: EndpointRecord, secret: str) -> wire.EndpointCreated:
        return wire.EndpointCreated(**dict(self._told(endpoint)), secret=secret)


def _dead_letter(given: Given) -> wire.DeadLetter:
    return wire.DeadLetter(
        id=given.callback.id,
        endpoint=given.callback.endpoint,
        webhook_id=given.callback.webhook_id,
        type=given.callback.event,
        handoff=given.callback.handoff or None,
        first_at=given.first,
        last_at=given.last,
        tries=given.tries,
        error=given.error,
        dead_at=given.dead_at,
    )
