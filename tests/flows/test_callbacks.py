"""What happens to an agent's asks reaches its endpoint: signed, once, and nobody else's."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from bot.config import Settings
from tests.fakes.post_office import QUICK
from tests.fakes.receiver import receiver
from tests.people import Admin, Json
from tests.servers import Live, live


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[Live]:
    """Receivers of the tests are on loopback, which nobody may send to unless it is allowed by name."""
    async with live(settings.model_copy(update={"callback_allow": "127.0.0.1"}), schedule=QUICK) as running:
        yield running


@pytest.fixture
async def admin(house: Live) -> Admin:
    return await house.new_admin()


async def decided(house: Live) -> Json:
    """A handoff that Mira said yes to."""
    return (await house.person.approve(await house.agent.ask())).ok()


async def test_a_decision_is_posted_with_a_signature_that_the_package_accepts(house: Live, admin: Admin) -> None:
    async with receiver() as hook:
        endpoint = await admin.endpoint(hook.url)
        asked = await decided(house)
        (request,) = await hook.got(1)
    request.verify(endpoint["secret"])
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Andon"
    assert request.json["type"] == "handoff.decided"
    assert request.json["timestamp"] == asked["decision"]["at"]
    data = request.data
    mine = await house.agent.look(asked["id"])
    for name in ("agent", "run", "state", "revision", "digest", "token", "url"):
        assert data[name] == mine[name], name
    assert (data["handoff"], data["gate"], data["kind"]) == (asked["id"], "send_email", "confirmation")
    wanted = {**asked["decision"]}
    del wanted["args"]
    assert data["decision"] == wanted, "arguments are read from the handoff, never sent"


async def test_a_callback_belongs_to_the_trace_that_the_ask_came_in(house: Live, admin: Admin) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    async with receiver() as hook:
        await admin.endpoint(hook.url)
        ask = await house.agent.confirmation()
        traced = await house.agent.call("POST", "/v1/handoffs", ask, headers={"traceparent": parent})
        await house.person.approve(traced.ok())
        await decided(house)
        first, second = await hook.got(2)
    assert first.headers["traceparent"] == parent
    assert "traceparent" not in second.headers


async def test_every_kind_of_decision_is_told(house: Live, admin: Admin) -> None:
    agent, mira = house.agent, house.person
    async with receiver() as hook:
        await admin.endpoint(hook.url)
        await mira.reject(await agent.ask(), "Not to her")
        await mira.edit(await agent.ask(), {"to": "bob@example.com", "subject": "CANARY", "body": "x"})
        await mira.pick(await agent.choose({"id": "a", "label": "A"}, {"id": "b", "label": "B"}), "b")
        await mira.say(await agent.ask_for(answer_schema={"type": "integer"}), 42)
        await mira.say(await agent.ask_for(answer_schema={"type": "string", "writeOnly": True}), "CANARY")
        await agent.withdraw(await agent.ask(), "Changed my mind")
        await agent.ask(timeout_s=1)
        requests = await hook.got(7)
    found = {request.data["decision"]["kind"]: request.data["decision"] for request in requests}
    assert set(found) == {"rejected", "edited", "chosen", "answered", "withdrawn", "expired"}
    assert (found["rejected"]["reason"], found["chosen"]["choice"]) == ("Not to her", "b")
    answers = [request.data for request in requests if request.data["decision"]["kind"] == "answered"]
    assert {(each["decision"].get("answer"), *each.get("left_out", ())) for each in answers} == {
        (42,),
        (None, "decision.answer"),
    }
    assert b"CANARY" not in b"".join(request.body for request in requests)


async def test_an_endpoint_is_told_of_its_agent_s_events_and_of_those_that_it_wants(house: Live, admin: Admin) -> None:
    other = await house.new_agent("another")
    async with receiver() as mine, receiver() as theirs, receiver() as every, receiver() as closed:
        await admin.endpoint(mine.url, agent="mailer")
        await admin.endpoint(theirs.url, agent="another")
        await admin.endpoint(every.url)
        await admin.endpoint(closed.url, events=["handoff.claimed", "handoff.closed"])
        one, two = await decided(house), (await house.person.approve(await other.ask())).ok()
        await house.agent.claim(one)
        await house.agent.report(one, "failed", claimant="try-1", error="SMTP said no")
        assert [r.data["handoff"] for r in await mine.got(1)] == [one["id"]]
        assert [r.data["handoff"] for r in await theirs.got(1)] == [two["id"]]
        assert {r.data["handoff"] for r in await every.got(2)} == {one["id"], two["id"]}
        told = await closed.got(2)
    assert {request.json["type"] for request in told} == {"handoff.claimed", "handoff.closed"}
    (end,) = [request for request in told if request.json["type"] == "handoff.closed"]
    assert end.data["outcome"]["status"] == "failed"
    assert end.data["outcome"]["error"] == "SMTP said no"
    assert (len(mine.requests), len(theirs.requests), len(every.requests)) == (1, 1, 2)


async def test_a_stop_and_its_end_are_told_with_what_they_hold(house: Live, admin: Admin) -> None:
    mira = house.person
    async with receiver() as hook, receiver() as theirs:
        await admin.endpoint(hook.url)
        await admin.endpoint(theirs.url, agent="somebody-else")
        asked = await house.agent.ask()
        run = f"/v1/runs/{asked['run']}/brake"
        for action in ("stop", "resume", "stop"):
            (await mira.call("POST", run, {"action": action, "text": "Not yet"})).ok()
        requests = await hook.got(6)
        assert theirs.requests == [], "it is not theirs"
        await mira.call("POST", "/v1/brakes", {"action": "stop", "scope": {"everything": True}})
        await theirs.got(1)
    told = [request.json["type"] for request in requests]
    assert sorted(told) == sorted(
        ["brake.braked", "handoff.held", "brake.lifted", "handoff.released", "brake.braked", "handoff.held"]
    )
    assert len({request.id for request in requests}) == 6, "a second stop is another event"
    brake = next(request for request in requests if request.json["type"] == "brake.braked").data["brake"]
    assert (brake["action"], brake["scope"], brake["text"]) == ("stop", {"run": asked["run"]}, "Not yet")
    assert brake["by"]["id"] == "mira@example.com"


async def test_words_and_questions_for_an_agent_are_told_of(house: Live, admin: Admin) -> None:
    mira = house.person
    async with receiver() as hook:
        await admin.endpoint(hook.url, events=["handoff.questioned", "handoff.revised", "run.steered", "brake.braked"])
        asked = await house.agent.ask()
        await mira.answer(asked, {"kind": "more_info", "question": "Why her?"})
        (question,) = (await house.agent.look(asked["id"]))["questions"]
        await mira.edit(asked, {"to": "bob@example.com", "subject": "S", "body": "x"}, approve=False)
        told = {request.json["type"]: request.data for request in await hook.got(3)}
    assert told["handoff.questioned"]["question"] == question["id"]
    assert told["run.steered"]["steer"] == f"question:{question['id']}"
    assert told["handoff.revised"]["revision"] == 2
    assert "decision" not in told["handoff.revised"]


async def test_the_time_is_that_of_the_event(house: Live, admin: Admin) -> None:
    async with receiver() as hook:
        await admin.endpoint(hook.url, events=["handoff.decided", "handoff.claimed"])
        asked = await decided(house)
        permit = (await house.agent.claim(asked)).ok()
        requests = {request.json["type"]: request.json for request in await hook.got(2)}
    claimed = datetime.fromisoformat(requests["handoff.claimed"]["timestamp"])
    assert abs((claimed - datetime.fromisoformat(permit["claimed_at"])).total_seconds()) < 0.05
