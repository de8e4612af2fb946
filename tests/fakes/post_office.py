"""What sends callbacks, by itself over a real store: one process' share, or several."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from andon import wire
from bot.access import Access
from bot.errors import Gone
from bot.handoff import Handoff, Told
from bot.outbox import Allowed, CallbackQueue, Callbacks, Egress, EndpointBook, Schedule, Sending
from bot.store import Store
from tests.servers import SECRET, until
from tests.store import asks

QUICK = Schedule(
    pauses=tuple(timedelta(milliseconds=ms) for ms in (1, 5, 30, 40)),
    lease=timedelta(milliseconds=900),
    taken_over=timedelta(milliseconds=300),
    idle=timedelta(milliseconds=100),
)
NEVER = replace(QUICK, pauses=(timedelta(hours=1),) * 9)
"""What fails once is not tried again in any test's time."""
PLACE = wire.Place(surface="paper", channel="ops")


class Truth:
    """The handoffs as the store has them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.looked = 0

    async def look(self, handoff_id: str) -> Handoff:
        self.looked += 1
        found = await self._store.handoffs.load(handoff_id)
        if found is None:
            raise Gone("there is none")
        return found

    async def told(self, notice_id: str) -> Told | None:
        return await self._store.runs.told(notice_id)

    async def gathers(self, handoff: Handoff, place: wire.Place) -> bool:
        return False

    async def undeliverable(self, handoff: Handoff, reason: str) -> Handoff:
        return handoff


@dataclass
class Followed:
    """What is shown to people of who was reached."""

    reached_by: list[tuple[str, str]] = field(default_factory=list)
    not_reached_by: list[tuple[str, str]] = field(default_factory=list)

    async def reached(self, handoff_id: str, how: str) -> None:
        self.reached_by.append((handoff_id, how))

    async def not_reached(self, handoff_id: str, why: str) -> None:
        self.not_reached_by.append((handoff_id, why))


@dataclass
class Office:
    """One process' share."""

    store: Store
    book: EndpointBook
    queue: CallbackQueue
    callbacks: Callbacks
    truth: Truth
    alerts: list[tuple[str, str]] = field(default_factory=list)
    followed: Followed = field(default_factory=Followed)
    counted: list[str] = field(default_factory=list)

    async def endpoint(self, url: str, **more: object) -> wire.EndpointCreated:
        """Register one."""
        return await self.book.create(wire.EndpointCreate.model_validate({"url": url, **more}), "ops")

    async def look_at(self, endpoint: wire.Endpoint) -> wire.Endpoint:
        return await self.book.show(endpoint.id)

    async def dead(self, endpoint: wire.Endpoint, count: int = 1) -> list[wire.DeadLetter]:
        """Its dead letters, once there are so many."""

        async def enough() -> bool:
            return (await self.book.show(endpoint.id)).dead >= count

        await until(enough, what=f"{count} dead letters")
        return list((await self.book.dead_letters(endpoint.id)).dead_letters)

    async def settled(self, endpoint: wire.Endpoint) -> wire.Endpoint:
        """The endpoint once nothing waits for it."""

        async def nothing() -> bool:
            return (await self.book.show(endpoint.id)).waiting == 0

        await until(nothing, what="nothing waits")
        return await self.book.show(endpoint.id)

    async def decide(self) -> Handoff:
        """A handoff that Mira said yes to."""
        asked = await asks.opened(self.store)
        await self.store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
        return await asks.look(self.store, asked.id)


@asynccontextmanager
async def post_office(
    store: Store,
    schedule: Schedule = QUICK,
    *,
    allow: str = "127.0.0.1",
    total_s: float = 5.0,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    at_work: bool = True,
) -> AsyncIterator[Office]:
    """Open one; not `at_work`: it sends nothing until `callbacks.start`."""
    egress = Egress(Allowed.read(allow), total_s=total_s)
    book = EndpointBook(store, SECRET.encode(), egress, clock=clock)
    truth, access = Truth(store), Access(store, SECRET.encode())
    alerts: list[tuple[str, str]] = []
    followed, counted = Followed(), list[str]()

    async def alert(about: str, text: str) -> None:
        alerts.append((about, text))

    queue = CallbackQueue(store, access)
    sending = Sending(
        *(store, book, truth, access, egress),
        queue=queue,
        url="https://andon.example.com",
        alert=alert,
        following=followed,
        place=PLACE,
        schedule=schedule,
        count=counted.append,
    )
    callbacks = Callbacks(store, queue, sending, alert=alert)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(egress.close)
        stack.push_async_callback(callbacks.stop)
        if at_work:
            callbacks.start()
        yield Office(store, book, queue, callbacks, truth, alerts, followed, counted)
