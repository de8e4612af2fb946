"""Sends the callbacks that are due: by whichever process takes one, two at once for each endpoint, until it has it.

A slow endpoint delays no other. What is sent is read from the store at that moment, so that it is true then.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from andon import wire
from bot import failpoints, tracing
from bot.access import Access
from bot.errors import Gone, StoreUnavailable
from bot.outbox.callback_body import body_of, handoff_data
from bot.outbox.callback_queue import CallbackQueue
from bot.outbox.calling import Truth
from bot.outbox.egress import Egress, NotSent
from bot.outbox.endpoints import OK, EndpointBook
from bot.outbox.schedule import Schedule, retry_after
from bot.outbox.signing import Unsignable
from bot.store import Callback, EndpointRecord, Store, Taken, read_brake
from bot.tracing import Traces

log = logging.getLogger("andon.callbacks")

AT_ONCE: Final = 2
"""Callbacks that are sent to one endpoint at once, by all processes together."""

_STOP_S: Final = 5.0
_UNREACHED: Final = 4
"""Failed tries after which an agent counts as not reached: half a minute and more."""

_GONE: Final = 410


class Following(Protocol):
    """Whoever shows people whether an agent was told."""

    async def reached(self, handoff_id: str, how: Literal["callback"]) -> None:
        """An endpoint took the decision. May come again for another endpoint."""
        ...

    async def not_reached(self, handoff_id: str, why: str) -> None:
        """An endpoint has not taken the decision; comes with every failed try from the fourth on. It may yet."""
        ...


class Sending:
    """This process' share of the sending."""

    def __init__(  # the composition root names each part once
        self,
        store: Store,
        book: EndpointBook,
        truth: Truth,
        access: Access,
        egress: Egress,
        *,
        queue: CallbackQueue,
        url: str,
        alert: Callable[[str, str], Awaitable[None]],
        following: Following,
        place: wire.Place | None = None,
        schedule: Schedule | None = None,
        count: Callable[[str], None] = lambda _: None,
        traces: Traces | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Put the parts together.

        `queue` rings when something is due, `url` is the console's address, `alert` tells operators, `place` is where
        people are told that an endpoint was disabled, `count` hears what came of each (`delivered`, `failed`, `dead`,
        `dropped`), `traces` have a span of each try, and `draw` gives numbers from 0 up to 1 for the jitter.
        """
        self.schedule = schedule or Schedule()
        self._store = store
        self._records = store.endpoints
        self._book = book
        self._truth = truth
        self._access = access
        self._egress = egress
        self._url = url
        self._alert = alert
        self._following = following
        self._place = place
        self._traces = traces or Traces()
        self._draw = draw
        self._queue = queue
        self._bell = queue.bell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._at_work: Counter[str] = Counter()
        self._count = count

    async def run(self) -> None:
        """Send what is due, as it gets due, until cancelled."""
        while True:
            self._bell.clear()
            try:
                rest_s = await self._round()
            except StoreUnavailable as error:
                log.warning("callbacks.waiting detail=%s", error)
                rest_s = 1.0
            except Exception:  # whatever it is, it must not end the sending
                log.exception("callbacks.crashed")
                rest_s = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._bell.wait()

    async def finish(self) -> None:
        """Finish what is being sent, within a few seconds, and leave the rest to the other processes."""
        sending = list(self._tasks.values())
        if sending:
            _, late = await asyncio.wait(sending, timeout=_STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _round(self) -> float:
        """Take what is due; returns how long to rest, in seconds."""
        endpoints = await self._queue.endpoints()
        now, waiting = await asyncio.gather(
            self._store.now(),
            asyncio.gather(*(self._records.waiting(each.id, limit=2 * AT_ONCE) for each in endpoints)),
        )
        rest = self.schedule.idle
        for endpoint, found in zip(endpoints, waiting, strict=True):
            for callback_id, due in found.due:
                if due > now:
                    rest = min(rest, due - now)
                elif callback_id not in self._tasks and self._at_work[endpoint.id] < AT_ONCE:
                    self._at_work[endpoint.id] += 1
                    task = asyncio.create_task(self._send(endpoint, callback_id), name=f"callback {callback_id}")
                    self._tasks[callback_id] = task
        return max(rest.total_seconds(), 0.005)

    async def _send(self, endpoint: EndpointRecord, callback_id: str) -> None:
        """Take one and send it."""
        taken = None
        try:
            lease = self.schedule.lease
            got = await self._records.take(endpoint.id, callback_id, secrets.token_hex(8), lease=lease, at_once=AT_ONCE)
            if isinstance(got, Taken):
                taken = got
                async with _beside(self._keep(taken)):
                    await self._try(endpoint, taken)
        except StoreUnavailable as error:
            log.warning("callbacks.waiting id=%s detail=%s", callback_id, error)
        except Exception:  # its lease runs out, and it is tried again
            log.exception("callback.crashed id=%s", callback_id)
        except asyncio.CancelledError:
            if taken:  # the service stops: another process may have it at once
                with contextlib.suppress(StoreUnavailable):
                    await self._fail(endpoint, taken, "the service stopped", timedelta(), tried=False)
            raise
        finally:
            del self._tasks[callback_id]
            self._at_work[endpoint.id] -= 1
            if taken:
                self._bell.set()

    async def _keep(self, taken: Taken) -> None:
        """As long as it is being sent, nobody else takes it."""
        while True:
            await asyncio.sleep(self.schedule.lease.total_seconds() / 3)
            with contextlib.suppress(StoreUnavailable):
                await self._records.keep(taken, lease=self.schedule.lease)

    async def _try(self, endpoint: EndpointRecord, taken: Taken) -> None:
        """One try, and what follows from it."""
        callback = taken.callback
        if endpoint.off:
            await self._fail(endpoint, taken, f"the endpoint is disabled: {endpoint.off}", None, tried=False)
            return
        if taken.tries > self.schedule.tries:
            await self._fail(endpoint, taken, "whoever sent it did not live to tell", None)
            return
        after = None
        off = ""
        try:
            body, trace = await self._body(callback)
            headers = self._book.signed(endpoint, callback.webhook_id, body)
            failpoints.hit("callback.taken")
            with self._traces.calling(trace, _about(taken)) as call:
                answer = await self._egress.post(endpoint.url, body, {**headers, **tracing.headers(call.context)})
                call.result = str(answer.status)
            failpoints.hit("callback.sent")
        except Gone:
            await self._records.end(taken, "dropped")
            self._count("dropped")
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
                await self._delivered(taken)
                return
            why = f"it answered {answer.status}"
            after = retry_after(answer.retry_after, datetime.now(UTC))
            off = "it answered 410: it wants no more callbacks" if answer.status == _GONE else ""
        again = None if off else self.schedule.pause(taken.tries, after, self._draw)
        await self._fail(endpoint, taken, why, again, off=off)

    async def _body(self, callback: Callback) -> tuple[bytes, str]:
        """What is true now, and the trace that it belongs to; raises `Gone`."""
        data: Mapping[str, Any]
        trace = ""
        if callback.handoff:
            handoff = await self._truth.look(callback.handoff)
            trace = handoff.trace
            data = handoff_data(handoff, token=self._access.token(handoff.id), url=f"{self._url}/handoffs/{handoff.id}")
            if callback.event == "handoff.questioned":
                data = {**data, "question": callback.kind}
        elif callback.event.startswith("brake."):
            brake = read_brake(callback.kind.encode())
            data = {"brake": brake.model_dump(mode="json", exclude_none=True)}
        else:
            name = "steer" if callback.event == "run.steered" else "why"
            data = {"agent": callback.agent, "run": callback.run, name: callback.kind}
        return body_of(callback.event, callback.at, data), trace

    async def _delivered(self, taken: Taken) -> None:
        callback = taken.callback
        if callback.event == "handoff.decided":  # first, so that whoever takes over what is not ended tells it too
            await self._following.reached(callback.handoff, "callback")
        await self._records.end(taken, "delivered")
        self._count("delivered")
        log.info(
            *("callback.delivered id=%s handoff=%s type=%s", callback.id, callback.handoff, callback.event),
            extra={"tries": taken.tries},
        )

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
        schedule, callback = self.schedule, taken.callback
        days = schedule.failing // timedelta(days=1)
        off_after = (schedule.failing, schedule.failing_tries, f"nothing but failures for {days} days")
        failed = await self._records.fail(taken, why, again, tried=tried, off=off, off_after=off_after)
        if failed.word == "lost":
            return
        dead = failed.word == "dead"
        if tried:
            self._count("failed")
        if tried or dead:
            log.warning(
                "callback.%s id=%s endpoint=%s handoff=%s try=%d why=%s",
                *("dead" if dead else "failed", callback.id, endpoint.id, callback.handoff, taken.tries, why),
            )
        if dead:
            self._count("dead")
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


def _about(taken: Taken) -> dict[str, str]:
    callback = taken.callback
    return {
        "andon.handoff": callback.handoff,
        "andon.run": callback.run,
        "andon.agent": callback.agent,
        "andon.event": callback.event,
        "andon.endpoint": callback.endpoint,
        "andon.try": str(taken.tries),
    }


def _host(endpoint: EndpointRecord) -> str:
    return endpoint.url.split("/")[2]


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Something that goes on as long as the block does."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
