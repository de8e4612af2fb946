"""Cards follow a decision to its agent: on Slack, in Teams and in the console, whichever kind of ask it was."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.config import Settings
from tests.adapters.surface import FLIGHTS
from tests.flows.test_three_surfaces import House, open_house
from tests.people import Agent, Caller, Json, Person
from tests.servers import Live, until
from tests.store import asks

THERE = "Delivered to the agent"
AWAY = "Agent not reached"


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


async def approved(house: House) -> Json:
    """Approved, and its agent is away."""
    asked = await house.ask()
    (await house.live.person.approve(asked)).ok()
    await house.all_are_settled(asked, "Approved")
    return asked


async def test_the_cards_say_when_the_agent_has_the_decision(house: House) -> None:
    asked = await approved(house)
    for surface in house.on.values():
        assert THERE not in await surface.text(asked)
    assert (await house.agent.look(asked["id"]))["state"] == "decided"
    await house.all_are_settled(asked, "Approved", THERE)


async def test_the_cards_say_that_the_agent_stays_away_until_it_comes_back(house: House) -> None:
    asked = await approved(house)
    await asks.make_overdue(house.live.store, asked["id"])
    await house.all_are_settled(asked, AWAY, "The agent has not asked for the decision.")
    for surface in house.on.values():
        assert "Try again" not in await surface.text(asked), "it has no endpoint: a press could do nothing"
    await house.agent.look(asked["id"])
    await house.all_are_settled(asked, THERE)
    for surface in house.on.values():
        assert AWAY not in await surface.text(asked)


async def test_whoever_sees_the_card_may_have_it_sent_again(house: House) -> None:
    """It changes no decision. A press on a card from before the agent came says since when it has it."""
    asked = await approved(house)
    handoff = await asks.look(house.live.store, asked["id"])
    await house.live.store.arrivals.unreached(handoff, "The endpoint answered 503 ten times.", again=True)
    await house.all_show(asked, AWAY, "The endpoint answered 503 ten times.", "Try again")
    seen = {name: await surface.remember(asked, by="ana") for name, surface in house.on.items()}
    for _ in range(2):
        for name, surface in house.on.items():
            await (await surface.send_again(seen[name], asked, by="ana")).hears("it has not come back since")
    (await house.agent.claim(await house.agent.look(asked["id"]))).ok()
    await house.all_are_settled(asked, "Delivered")
    for name, surface in house.on.items():
        assert "Try again" not in await surface.text(asked)
        await (await surface.send_again(seen[name], asked, by="ana")).hears("has had the decision since")
    assert (await house.agent.look(asked["id"]))["state"] == "claimed"


async def test_every_kind_of_ask_and_every_decision_is_followed(house: House) -> None:
    agent, person = house.agent, house.live.person
    to = [each.place for each in house.on.values()]
    chosen, answered, rejected = await agent.choose(*FLIGHTS, to=to), await agent.ask_for(to=to), await house.ask()
    expired, undone = await house.ask(), await agent.review(to=to)
    for asked in (chosen, answered, undone):
        await house.all_show(asked, asked["ask"]["gate"])
    (await person.pick(chosen, "ba286")).ok()
    (await person.say(answered, "90")).ok()
    (await person.reject(rejected, "Not now")).ok()
    (await person.reject(undone, "Not this")).ok()
    await asks.make_due(house.live.store, expired["id"])
    ended = (chosen, answered, rejected, expired, undone)
    await asyncio.gather(*(agent.wait(asked["id"]) for asked in ended))
    for asked in ended:
        await house.all_are_settled(asked, THERE)


# --- who has it ---


async def decided(agent: Agent, mira: Person) -> Json:
    asked = await agent.ask()
    (await mira.approve(asked)).ok()
    return asked


async def is_noted(service: Live, asked: Json) -> None:
    async def noted() -> bool:
        return (await asks.look(service.store, asked["id"])).received is not None

    await until(noted, what="it is noted")


async def is_missed(service: Live, asked: Json) -> None:
    """Its minute is over; whoever was thought to have it would not be missed now."""
    await asks.make_overdue(service.store, asked["id"])

    async def missed() -> bool:
        return (await asks.look(service.store, asked["id"])).missed is not None

    await until(missed, what="it is missed")


async def settled(service: Live) -> None:
    """Whatever was read before is noted by now, because what was read after it is."""
    probe = await decided(service.agent, service.person)
    await service.agent.look(probe["id"])
    await is_noted(service, probe)


async def test_an_agent_that_reads_it_has_it(service: Live, agent: Agent, mira: Person) -> None:
    polled, waited, by_token = [await decided(agent, mira) for _ in range(3)]
    await agent.look(polled["id"])
    await agent.wait(waited["id"])
    async with Caller(service.url, by_token["token"]) as bearer:
        await bearer.look(by_token["id"])
    for asked in (polled, waited, by_token):
        await is_noted(service, asked)
        told = (await agent.look(asked["id"]))["delivered"]
        assert told["how"] == "poll"
        assert told["at"] >= (await agent.look(asked["id"]))["decision"]["at"]


async def test_an_event_alone_is_no_delivery_and_reading_after_it_is(service: Live, agent: Agent, mira: Person) -> None:
    async with agent.events() as events:
        assert (await events.next()).name == "stream.open"
        asked = await decided(agent, mira)
        assert (await events.next()).name == "handoff.decided"
        await is_missed(service, asked)
        assert (await mira.look(asked["id"]))["unreached"]["why"]
        told = await agent.look(asked["id"])
        await is_noted(service, asked)
        assert (await agent.look(asked["id"]))["delivered"]["how"] == "stream"
        (await agent.claim(told)).ok()
        assert (await events.next()).name == "handoff.claimed", "agents are not told what they know"


async def test_a_person_who_reads_it_is_not_the_agent(service: Live, agent: Agent, mira: Person) -> None:
    asked = await decided(agent, mira)
    assert (await mira.look(asked["id"]))["state"] == "decided"
    await settled(service)
    assert (await asks.look(service.store, asked["id"])).received is None


async def test_guard_an_answer_to_a_connection_that_is_gone_is_no_delivery(
    service: Live, agent: Agent, mira: Person
) -> None:
    """An agent that was killed while it waited has nothing, whatever was written to it."""
    asked = await agent.ask()
    host, _, port = service.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /v1/handoffs/{asked['id']}?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.key}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()

    async def waits() -> bool:
        async with aiohttp.ClientSession() as http, http.get(f"{service.url}/metrics") as response:
            return "andon_waiting 1" in await response.text()

    await until(waits, what="the poll waits")
    writer.transport.abort()
    del reader
    (await mira.approve(asked)).ok()
    await settled(service)
    assert (await asks.look(service.store, asked["id"])).received is None
    await is_missed(service, asked)


async def test_a_claim_is_told_as_a_delivery_and_no_other_is_noted(service: Live, agent: Agent, mira: Person) -> None:
    asked = await decided(agent, mira)
    (await agent.claim(await agent.look(asked["id"]))).ok()
    await settled(service)
    assert (await asks.look(service.store, asked["id"])).received is None
    told = await agent.look(asked["id"])
    assert told["delivered"] == {"at": told["claim"]["at"], "how": "claim"}


async def test_what_the_agent_took_back_or_the_policy_decided_needs_no_delivery(service: Live, agent: Agent) -> None:
    asked = await agent.ask()
    (await agent.withdraw(asked)).ok()
    assert "delivered" not in await agent.look(asked["id"])
    assert await service.store.arrivals.next_due() is None
