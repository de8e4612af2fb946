"""One stream for all of an agent's runs."""

import asyncio
import re
import socket

from bot.config import Settings
from tests.people import MAIL, Agent, Event, Person
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
    await service.store._pipe.call("XTRIM", service.own.keys.events, "MAXLEN", 2)
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
        await service.store._pipe.call("XADD", service.own.keys.events, "*", "novel", "1")
        asked = await agent.ask()
        await agent.withdraw(asked)
        assert (await events.next()).data["handoff"] == asked["id"]


async def test_an_agent_that_reconnects_again_and_again_hears_each_change_once(agent: Agent, mira: Person) -> None:
    """Some come from what is kept and some as they happen; at the seam nothing is lost and nothing doubled."""
    async with agent.events() as events:
        start = await events.next()
    asked = [await agent.ask() for _ in range(60)]

    async def withdraw() -> None:
        for number, each in enumerate(asked):
            await agent.withdraw(each)
            if number % 10 == 0:
                await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", {"action": "pause"})
                await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", {"action": "resume"})

    withdrawing, heard, left = asyncio.create_task(withdraw()), list[Event](), {each["id"] for each in asked}
    while left:
        async with agent.events((heard or [start])[-1].id) as events:
            for _ in range(1 + len(heard) % 4):
                heard.append(await events.next())
                left -= {heard[-1].data.get("handoff")} if heard[-1].name == "handoff.decided" else set()
                if not left:
                    break
    await withdrawing
    ids = [tuple(map(int, event.id.split("-"))) for event in heard]
    assert ids == sorted(set(ids))
    decided = [event.data["handoff"] for event in heard if event.name == "handoff.decided"]
    assert decided == [each["id"] for each in asked]
    assert [event.name for event in heard if event.name.startswith("brake.")] == ["brake.braked", "brake.lifted"] * 6


async def test_an_agent_that_reads_slowly_hears_everything_in_order(service: Live, agent: Agent, mira: Person) -> None:
    """What its connection cannot take waits in the service, up to a bound."""
    host, port = agent.url.removeprefix("http://").split(":")
    path, text = f"/v1/runs/{await agent.run()}/brake", "x" * 3_000
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect((host, int(port)))
    with slow:
        slow.sendall(f"GET /v1/events HTTP/1.0\r\nAuthorization: Bearer {agent.key}\r\n\r\n".encode())
        slow.setblocking(False)
        read = await reading(slow, b"event: stream.open\n")
        async with agent.events() as events:
            start = await events.next()
            for _ in range(200):
                await mira.call("POST", path, {"action": "pause", "text": text})
                await mira.call("POST", path, {"action": "resume"})
            told = await events.take(400)
        assert [event.name for event in told] == ["brake.braked", "brake.lifted"] * 200
        read += await reading(slow, f"id: {told[-1].id}\n".encode())
    head, _, body = read.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower(), "HTTP/1.0 knows no chunks"
    assert re.findall(rb"^id: (.*)$", body, re.MULTILINE) == [event.id.encode() for event in (start, *told)]


async def reading(connection: socket.socket, until: bytes) -> bytes:
    """What comes, up to and with some bytes."""
    read = b""
    async with asyncio.timeout(20):
        while until not in read:
            read += await asyncio.get_running_loop().sock_recv(connection, 65_536)
    return read
