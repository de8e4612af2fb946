"""What is noted of decisions on their way, and when: after a read, but not where the agent acts on it at once."""

import pytest

from bot.access import Access
from bot.cards import never_asked
from bot.delivery import Delivery
from bot.errors import Gone, StoreUnavailable
from bot.handoff import Change, Handoff
from bot.outbox import CallbackQueue
from bot.store import Store
from bot.store.endpoints import NewEndpoint
from tests.servers import SECRET, until
from tests.store import asks


async def decided(store: Store) -> Handoff:
    asked = await asks.opened(store)
    assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"
    return await asks.look(store, asked.id)


def change(event: str, handoff: Handoff) -> Change:
    return Change("1-0", event, handoff.id, handoff.agent, handoff.run, "", 1)


async def test_what_was_read_is_noted_soon(store: Store) -> None:
    delivery, asked = Delivery(store, pause_s=0.01), await decided(store)
    delivery.was_read(asked, "stream")
    delivery.was_read(asked, "poll")

    async def noted() -> bool:
        return (await asks.look(store, asked.id)).received is not None

    await until(noted)
    received = (await asks.look(store, asked.id)).received
    assert received
    assert received.how == "stream"
    await delivery.stop()


async def test_a_stop_notes_at_once_what_was_read(store: Store) -> None:
    delivery, asked = Delivery(store, pause_s=60), await decided(store)
    delivery.was_read(asked, "poll")
    await delivery.stop()
    assert (await asks.look(store, asked.id)).received


@pytest.mark.parametrize("event", ["claimed", "closed"])
async def test_what_the_agent_acts_on_costs_no_note(store: Store, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim tells as much, in whichever process it was made."""
    said: list[str] = []

    async def note(handoff_id: str, how: str) -> str:
        said.append(handoff_id)
        return "marked"

    monkeypatch.setattr(store.arrivals, "delivered", note)
    delivery, asked, other = Delivery(store, pause_s=60), await decided(store), await decided(store)
    delivery.was_read(asked, "poll")
    delivery.was_read(other, "poll")
    delivery.heard(change("decided", other))
    delivery.heard(change(event, asked))
    await delivery.stop()
    assert said == [other.id]


async def test_what_awaits_nothing_is_not_noted(store: Store) -> None:
    delivery, asked, done = Delivery(store, pause_s=60), await asks.opened(store), await decided(store)
    await delivery.reached(done.id, "callback")
    delivery.was_read(asked, "poll")
    delivery.was_read(await asks.look(store, done.id), "poll")
    await delivery.stop()
    assert (await asks.look(store, asked.id)).received is None


async def test_a_note_outlives_a_store_that_is_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 0
    real = store.arrivals.delivered

    async def note(handoff_id: str, how: object) -> object:
        nonlocal said
        said += 1
        if said < 3:
            raise StoreUnavailable("away")
        return await real(handoff_id, "poll")

    monkeypatch.setattr(store.arrivals, "delivered", note)
    delivery, asked = Delivery(store, pause_s=0.01), await decided(store)
    delivery.was_read(asked, "poll")

    async def noted() -> bool:
        return (await asks.look(store, asked.id)).received is not None

    await until(noted)
    await delivery.stop()


async def listen(store: Store, number: int, agent: str) -> None:
    """One more endpoint is told of this agent's decisions."""
    endpoint = NewEndpoint(f"ep_{number}", "https://agent.example.com", agent, ("handoff.decided",), "ops")
    assert await store.endpoints.create(endpoint, b"sealed") == "created"


def calling(store: Store) -> Delivery:
    return Delivery(store, CallbackQueue(store, Access(store, SECRET.encode())))


async def test_an_agent_that_stays_away_is_told_of_with_its_endpoints(store: Store) -> None:
    delivery = calling(store)
    for number, (agent, again) in enumerate([("somebody-else", False), (asks.AGENT, True)]):
        await listen(store, number, agent)
        asked = await decided(store)
        await asks.make_overdue(store, asked.id)
        await delivery.overdue(asked.id)
        now = (await asks.look(store, asked.id)).unreached
        assert now
        assert (now.again, now.why) == (again, never_asked(again=again))
    await store._pipe.call("ZADD", store.keys.undelivered, 1, "hf_gone")
    await delivery.overdue("hf_gone")
    assert await store.arrivals.next_due() is None


async def test_trying_again_says_what_came_of_it(store: Store) -> None:
    delivery, asked = calling(store), await decided(store)
    await delivery.not_reached(asked.id, "HTTP 503")
    told = await delivery.send_again(asked.id, asks.MIRA)
    assert told.startswith("The agent asks for its answers itself; it has not come back since ")
    for number, sentence in enumerate(["Sent again to 1 endpoint.", "Sent again to 2 endpoints."]):
        await listen(store, number, asks.AGENT)
        assert await delivery.send_again(asked.id, asks.MIRA) == sentence
        assert (await store.endpoints.waiting(f"ep_{number}", limit=9)).count == 1
    await delivery.reached(asked.id, "callback")
    await listen(store, 2, asks.AGENT)
    told = await delivery.send_again(asked.id, asks.MIRA)
    assert told.startswith("The agent has had the decision since ")
    assert (await store.endpoints.waiting("ep_2", limit=9)).count == 0
    with pytest.raises(Gone):
        await delivery.send_again("hf_gone", asks.MIRA)
    await delivery.not_reached("hf_gone", "HTTP 503")
