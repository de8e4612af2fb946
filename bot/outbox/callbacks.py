"""Signed callbacks: follows the events stream, queues a callback for each endpoint that wants an event, and sends it.

At least once, with the same `webhook-id` each time, by whichever process takes it; a slow endpoint delays no other.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from andon import wire
from bot.access import Access
from bot.errors import Gone, StoreUnavailable
from bot.outbox.callback_body import body_of, handoff_data
from bot.outbox.calling import Truth
from bot.outbox.egress import Egress, NotSent
from bot.outbox.endpoints import OK, EndpointBook
from bot.outbox.schedule import Schedule, retry_after
from bot.outbox.signing import Unsignable
from bot.store import CALLBACKS, Callback, Delivery, EndpointRecord, Store, Taken, event_number, read_brake, when

log = logging.getLogger("andon.callbacks")

AT_ONCE: Final = 2
"""Callbacks that are sent to one endpoint at once, by all processes together."""

_PAGE: Final = 100
_WAIT: Final = timedelta(seconds=5)
_READER_FORGOTTEN: Final = timedelta(hours=1)
_DELIVERIES: Final = 5
"""Processes that died of an event, after which it is given up."""

_STOP_S: Final = 5.0
_UNREACHED: Final = 4
"""Failed tries after which an agent counts as not reached: half a minute and more."""

_ONCE: Final = frozenset({"handoff.decided", "handoff.claimed", "handoff.closed"})
"""What happens to a handoff once, so that it names the callback whichever entry of the stream told of it."""

_GONE: Final = 410


class Following(Protocol):
    """Whoever shows people whether an agent was told."""

    async def reached(self, handoff_id: str, how: str) -> None:
        """An endpoint took the decision; `how` is words for people. May come again for another endpoint."""
        ...

    async def not_reached(self, handoff_id: str, why: str) -> None:
        """An endpoint has not taken the decision; comes with every failed try from the fourth on. It may yet."""
        ...


class Log:
    """Follows nothing: a line in the log."""

    async def reached(self, handoff_id: str, how: str) -> None:
        """The agent was told."""
        log.info("agent.reached id=%s how=%s", handoff_id, how)

    async def not_reached(self, handoff_id: str, why: str) -> None:
        """It was not."""
        log.warning("agent.not_reached id=%s why=%s", handoff_id, why)


class Callbacks:
    """This process' share of the callbacks."""

    def __init__(  # the composition root names each part once
        self,
        store: Store,
        book: EndpointBook,
        truth: Truth,
        access: Access,
        egress: Egress,
        *,
        url: str,
        alert: Callable[[str, str], Awaitable[None]],
        following: Following | None = None,
        place: wire.Place | None = None,
        schedule: Schedule | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Put the parts together.

        `url` is the console's address, `alert` tells operators, `place` is where people are told that an endpoint was
        disabled, and `draw` gives numbers from 0 up to 1 for the jitter.
        """
        self._store = store
        self._outbox = store.outbox
        self._records = store.endpoints
        self._book = book
        self._truth = truth
        self._access = access
        self._egress = egress
        self._url = url
        self._alert = alert
        self._following = following or Log()
        self._place = place
        self._schedule = schedule or Schedule()
        self._draw = draw
        self._reader = secrets.token_hex(8)
        self._bell = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._at_work: Counter[str] = Counter()
        self.results: Counter[str] = Counter({"delivered": 0, "failed": 0, "dead": 0, "dropped": 0})
        """Tries here, by what came of them."""

    def start(self) -> None:
        """Begin."""
        self._loops = [
            asyncio.create_task(self._read(), name="callbacks, reading"),
            asyncio.create_task(self._tend(), name="callbacks, taking over"),
            asyncio.create_task(self._send_due(), name="callbacks, sending"),
        ]

    async def stop(self) -> None:
        """Finish what is being sent, within a few seconds, and leave the rest to the other processes."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        sending = list(self._sending.values())
        if sending:
            _, late = await asyncio.wait(sending, timeout=_STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self._outbox.hand_back(CALLBACKS, self._reader, idle=self._schedule.taken_over)

    async def send_again(self, handoff_id: str) -> int:
        """Send a decision anew, at once, to every endpoint that wants it; returns to how many.

        One that is being sent just now is not counted; 0 too while nothing is decided.

        Raises:
            Gone: There is no such handoff.
            StoreUnavailable: Some may have been queued; the same call again is safe.
        """
        handoff = await self._truth.look(handoff_id)
        if handoff.decision is None:
            return 0
        event, at, queued = "handoff.decided", handoff.decision.at, 0
        for endpoint in await self._records.all():
            if not endpoint.off and endpoint.wants(event, handoff.agent, max(at, endpoint.created_at)):
                again = self._callback(endpoint, event, at, handoff=handoff_id, agent=handoff.agent, run=handoff.run)
                queued += await self._records.queue(again, "again")
        self._bell.set()
        return queued

    # --- from events to callbacks ---

    async def _read(self) -> None:
        while True:
            try:
                await self._outbox.join(CALLBACKS)
                while True:
                    await self._queue(await self._outbox.read(CALLBACKS, self._reader, limit=_PAGE, wait=_WAIT))
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
                await asyncio.sleep(1)

    async def _tend(self) -> None:
        """Take over the events that a dead process left."""
        idle = self._schedule.taken_over
        while True:
            try:
                await self._outbox.join(CALLBACKS)
                left = await self._outbox.take_over(CALLBACKS, self._reader, idle=idle, limit=_PAGE)
                for each in left:  # one by one, so that one that nobody can live with takes no other along
                    await self._queue([each])
                await self._outbox.forget_readers(CALLBACKS, idle=_READER_FORGOTTEN)
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
            await asyncio.sleep(idle.total_seconds() / 3)

    async def _queue(self, events: Sequence[Delivery]) -> None:
        """Queue a callback for whoever wants one of these, and only then let the events go."""
        wanted = [(event, name) for event in events if (name := _NAMES.get(event.event))]
        endpoints = await self._records.all() if wanted else []
        done = {event.id for event in events} - {event.id for event, _ in wanted}
        for event, name in wanted if endpoints else ():
            if event.number > _DELIVERIES:
                await self._bury(event)
                continue
            try:
                at = when(event_number(event.id)[0])
                await asyncio.gather(
                    *(
                        self._records.queue(self._from_event(each, name, at, event))
                        for each in endpoints
                        if each.wants(name, event.agent, at)
                    )
                )
            except StoreUnavailable:
                raise
            except Exception:  # it comes again, and is given up when that goes on
                log.exception("callbacks.crashed event=%s id=%s", event.event, event.handoff)
            else:
                done.add(event.id)
        if not endpoints:
            done |= {event.id for event, _ in wanted}
        await self._outbox.done(CALLBACKS, done)
        if wanted and endpoints:
            self._bell.set()

    async def _bury(self, event: Delivery) -> None:
        why = "whoever had it did not live to queue it"
        if await self._outbox.bury(CALLBACKS, event, deliveries=event.number, reason=why):
            log.error("callbacks.buried event=%s id=%s detail=%s", event.event, event.handoff, why)
            await self._alert("callbacks buried", f"An event ({event.event} {event.handoff}) sends no callback: {why}.")

    def _from_event(self, endpoint: EndpointRecord, name: str, at: datetime, event: Delivery) -> Callback:
        about = {"handoff": event.handoff, "agent": event.agent, "run": event.run, "kind": event.kind}
        return self._callback(endpoint, name, at, entry=event.id, **about)

    def _callback(
        self, endpoint: EndpointRecord, name: str, at: datetime, *, entry: str = "", handoff: str = "", **about: str
    ) -> Callback:
        """The one callback of this event to this endpoint, whoever makes it, and however often."""
        webhook_id = self._access.derive_id("msg", handoff, name, "" if name in _ONCE else entry)
        made_of = self._access.derive_id("cb", endpoint.id, webhook_id)
        return Callback(made_of, endpoint.id, webhook_id, name, at, handoff, **about)

    # --- sending ---

    async def _send_due(self) -> None:
        """Send what is due, as it gets due; two at once for each endpoint, and none waits for another."""
        while True:
            self._bell.clear()
            try:
                rest_s = await self._round()
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
                rest_s = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._bell.wait()

    async def _round(self) -> float:
        """Take what is due; returns how long to rest, in seconds."""
        endpoints = await self._records.all()
        now, waiting = await asyncio.gather(
            self._store.now(),
            asyncio.gather(*(self._records.waiting(each.id, limit=2 * AT_ONCE) for each in endpoints)),
        )
        rest = self._schedule.idle
        for endpoint, found in zip(endpoints, waiting, strict=True):
            for callback_id, due in found.due:
                if due > now:
                    rest = min(rest, due - now)
                elif callback_id not in self._sending and self._at_work[endpoint.id] < AT_ONCE:
                    self._at_work[endpoint.id] += 1
                    task = asyncio.create_task(self._send(endpoint, callback_id), name=f"callback {callback_id}")
                    self._sending[callback_id] = task
        return max(rest.total_seconds(), 0.005)

    async def _send(self, endpoint: EndpointRecord, callback_id: str) -> None:
        """Take one and send it."""
        taken = None
        try:
            lease = self._schedule.lease
            got = await self._records.take(endpoint.id, callback_id, secrets.token_hex(8), lease=lease, at_once=AT_ONCE)
            if isinstance(got, Taken):
                taken = got
                async with _beside(self._keep(taken)):
                    await self._try(endpoint, taken)
        except StoreUnavailable as error:
            log.warning("callbacks.waiting id=%s detail=%s", callback_id, error)
        except asyncio.CancelledError:
            if taken:  # the service stops: another process may have it at once
                with contextlib.suppress(StoreUnavailable):
                    await self._fail(endpoint, taken, "the service stopped", timedelta(), tried=False)
            raise
        finally:
            del self._sending[callback_id]
            self._at_work[endpoint.id] -= 1
            if taken:
                self._bell.set()

    async def _keep(self, taken: Taken) -> None:
        """As long as it is being sent, nobody else takes it."""
        while True:
            await asyncio.sleep(self._schedule.lease.total_seconds() / 3)
            with contextlib.suppress(StoreUnavailable):
                await self._records.keep(taken, lease=self._schedule.lease)

    async def _try(self, endpoint: EndpointRecord, taken: Taken) -> None:
        """One try, and what follows from it."""
        callback = taken.callback
        if endpoint.off:
            await self._fail(endpoint, taken, f"the endpoint is disabled: {endpoint.off}", None, tried=False)
            return
        if taken.tries > self._schedule.tries:
            await self._fail(endpoint, taken, "whoever sent it did not live to tell", None)
            return
        after = None
        off = ""
        try:
            body = await self._body(callback)
            headers = self._book.signed(endpoint, callback.webhook_id, body)
            answer = await self._egress.post(endpoint.url, body, headers)
        except Gone:
            await self._records.end(taken, "dropped")
            self.results["dropped"] += 1
            log.info("callback.dropped id=%s handoff=%s detail=it is gone", callback.id, callback.handoff)
            return
        except (NotSent, Unsignable) as error:
            why = str(error)
        except StoreUnavailable:
            raise
        except Exception as error:  # one that cannot be made must not stop the others
            log.exception("callback.crashed id=%s handoff=%s", callback.id, callback.handoff)
            why = f"it could not be made ({type(error).__name__})"
        else:
            if answer.status in OK:
                await self._delivered(endpoint, taken)
                return
            why = f"it answered {answer.status}"
            after = retry_after(answer.retry_after, datetime.now(UTC))
            off = "it answered 410: it wants no more callbacks" if answer.status == _GONE else ""
        again = None if off else self._schedule.pause(taken.tries, after, self._draw)
        await self._fail(endpoint, taken, why, again, off=off)

    async def _body(self, callback: Callback) -> bytes:
        """What is true now; raises `Gone`."""
        data: Mapping[str, Any]
        if callback.handoff:
            handoff = await self._truth.look(callback.handoff)
            data = handoff_data(handoff, token=self._access.token(handoff.id), url=f"{self._url}/handoffs/{handoff.id}")
            if callback.event == "handoff.questioned":
                data = {**data, "question": callback.kind}
        elif callback.event.startswith("brake."):
            brake = read_brake(callback.kind.encode())
            data = {"brake": brake.model_dump(mode="json", exclude_none=True)}
        else:
            name = "steer" if callback.event == "run.steered" else "why"
            data = {"agent": callback.agent, "run": callback.run, name: callback.kind}
        return body_of(callback.event, callback.at, data)

    async def _delivered(self, endpoint: EndpointRecord, taken: Taken) -> None:
        callback = taken.callback
        await self._records.end(taken, "delivered")
        self.results["delivered"] += 1
        log.info(
            *("callback.delivered id=%s handoff=%s type=%s", callback.id, callback.handoff, callback.event),
            extra={"tries": taken.tries},
        )
        if callback.event == "handoff.decided":
            await self._following.reached(callback.handoff, f"a callback to {_host(endpoint)}")

    async def _fail(
        self,
        endpoint: EndpointRecord,
        taken: Taken,
        why: str,
        again: timedelta | None,
        *,
        tried: bool = True,
        off: str = "",
    ) -> None:
        schedule, callback = self._schedule, taken.callback
        days = schedule.failing // timedelta(days=1)
        off_after = (schedule.failing, schedule.failing_tries, f"nothing but failures for {days} days")
        failed = await self._records.fail(taken, why, again, tried=tried, off=off, off_after=off_after)
        if failed.word == "lost":
            return
        dead = failed.word == "dead"
        if tried:
            self.results["failed"] += 1
        if tried or dead:
            log.warning(
                "callback.%s id=%s endpoint=%s handoff=%s try=%d why=%s",
                *("dead" if dead else "failed", callback.id, endpoint.id, callback.handoff, taken.tries, why),
            )
        self.results["dead"] += dead
        if callback.event == "handoff.decided" and (dead or (tried and taken.tries >= _UNREACHED)):
            await self._following.not_reached(callback.handoff, f"a callback to {_host(endpoint)}: {why}")
        if failed.off:
            await self._tell_off(endpoint, off or off_after[2])

    async def _tell_off(self, endpoint: EndpointRecord, why: str) -> None:
        """Operators and the channel learn that an endpoint was disabled."""
        text = (
            f"Callbacks to {_host(endpoint)} ({endpoint.id}, agent {endpoint.agent}) are disabled: {why}. "
            f"What is not delivered waits as dead letters. Mend the receiver, then run: "
            f"python -m bot endpoints enable {endpoint.id}"
        )
        log.error("endpoint.disabled id=%s why=%s", endpoint.id, why)
        await self._alert(f"endpoint {endpoint.id}", text)
        if self._place and self._place.surface != "web":  # the alert is in the console already
            with contextlib.suppress(StoreUnavailable):
                about = f"endpoint {endpoint.id} channel"
                await self._records.announce(about, text, [self._place], timedelta(hours=1))


_NAMES: Final[Mapping[str, str]] = {
    **{
        event: f"handoff.{event}"
        for event in ("decided", "claimed", "closed", "revised", "held", "released", "questioned")
    },
    "steered": "run.steered",
    "trust_reset": "trust.reset",
    "braked": "brake.braked",
    "lifted": "brake.lifted",
}
"""Events of the store that endpoints can be told of, by their names on the event stream."""


def _host(endpoint: EndpointRecord) -> str:
    return endpoint.url.split("/")[2]


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> Any:
    """Something that goes on as long as the block does."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
