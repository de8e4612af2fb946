"""One stream for all of an agent's runs."""

import asyncio

from bot.config import Settings
from tests.people import MAIL, Agent, Person
from tests.servers import Live, live


async def test_the_stream_tells_each_change_in_order(agent: Agent, mira: Person) -> None:
    async with agent.events() as events:
        opened = await events.next()
        asked = await agent.ask()
        edited = (await mira.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
        decided = (await mira.approve(edited)).ok()
        await agent.claim(decided)
        await agent.report(decided, "executed", claimant="try-1")
        told = await events.take(4)
    assert opened.name == "stream.open"
    assert [event.name for event in told] == [
        "handoff.revised",
        "handoff.decided",
        "handoff.claimed",
        "handoff.closed",
    ]
    assert {event.data["handoff"] for event in told} == {asked["id"]}
    assert told[1].data["kind"] == "edited"
    assert [event.data["state"] for event in told] == ["pending", "decided", "claimed", "closed"]


async def test_a_stream_resumes_after_any_event_that_it_had(agent: Agent, mira: Person) -> None:
    async with agent.events() as events:
        start = await events.next()
        for _ in range(3):
            await mira.approve(await agent.ask())
        told = await events.take(3)
    for number, after in enumerate([start, *told]):
        async with agent.events(after.id) as events:
            assert await events.take(3 - number) == told[number:]


async def test_a_stream_tells_an_agent_its_own_changes_alone(service: Live, agent: Agent, mira: Person) -> None:
    other = await service.new_agent("other")
    async with other.events() as events:
        await events.next()
        await mira.approve(await agent.ask())
        theirs = await other.ask()
        await mira.approve(theirs)
        assert (await events.next()).data["handoff"] == theirs["id"]


async def test_an_id_that_is_none_of_ours_is_refused(agent: Agent) -> None:
    reply = await agent.call("GET", "/v1/events", headers={"Last-Event-ID": "yesterday"})
    assert (reply.status, reply.problem) == (400, "bad-request")
    assert "yesterday" in reply.body["detail"]


async def test_an_id_older_than_what_is_kept_starts_anew_and_says_so(service: Live, agent: Agent) -> None:
    first = await agent.ask()
    await agent.withdraw(first)
    for _ in range(5):
        await agent.withdraw(await agent.ask())
    await service.store._pipe.call("XTRIM", service.store.keys.events, "MAXLEN", 2)
    async with agent.events("1-1") as events:
        reset = await events.next()
        assert reset.name == "stream.reset"
        late = await agent.ask()
        await agent.withdraw(late)
        assert (await events.next()).data["handoff"] == late["id"]


async def test_a_stream_is_no_cache_s_business(agent: Agent) -> None:
    headers = {"Authorization": f"Bearer {agent.key}"}
    async with agent._http.get(f"{agent.url}/v1/events", headers=headers) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"


async def test_a_stop_ends_streams_and_answers_waiting_polls(settings: Settings) -> None:
    """Graceful: nobody is cut off in mid-word, and nobody waits for a service that is gone."""
    async with Agent("", "") as agent:
        async with live(settings) as service:
            agent.url, agent.key = service.url, service.agent.key
            asked = await agent.ask()
            waiting = asyncio.create_task(agent.wait(asked["id"], 50))
            stream = agent.events()
            events = await stream.__aenter__()
            await events.next()
            assert (await agent.wait(asked["id"], 0.1))["state"] == "pending"  # so the other poll has arrived too
            started = asyncio.get_running_loop().time()
        try:
            await events.next()
        except EOFError:
            pass
        else:
            raise AssertionError("the stream went on")
        await stream.__aexit__(None, None, None)
        assert (await waiting)["state"] == "pending"
        assert asyncio.get_running_loop().time() - started < 5


async def test_an_event_of_a_newer_version_does_not_end_the_stream(service: Live, agent: Agent) -> None:
    """Old and new processes share the events during a deploy; what one does not know must not silence it."""
    async with agent.events() as events:
        await events.next()
        await service.store._pipe.call("XADD", service.store.keys.events, "*", "novel", "1")
        asked = await agent.ask()
        await agent.withdraw(asked)
        assert (await events.next()).data["handoff"] == asked["id"]
