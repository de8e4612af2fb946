"""A person asks somebody else, or the agent, before they answer. Nothing is decided by that, and no clock stops."""

import asyncio
from typing import Any

import pytest

from andon import Andon
from bot.config import Settings
from tests.people import Agent, Json, Person
from tests.servers import Live, live, until

POLICY = """
defaults:
  approvers: [mira@example.com]
  not_requester: true
  reassign: anyone
"""


async def hand_on(person: Person, handoff: Json, to: str, *, key: str | None = None, **more: Any) -> Any:
    return await person.answer(handoff, {"kind": "reassign", "to": to, **more}, key=key)


async def ask_agent(person: Person, handoff: Json, question: str, *, key: str | None = None) -> Any:
    return await person.answer(handoff, {"kind": "more_info", "question": question}, key=key)


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """Only Mira may answer, and nobody about their own."""
    settings.state.mkdir(parents=True, exist_ok=True)
    path = settings.state / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


async def test_whoever_is_asked_besides_may_answer(strict: Settings) -> None:
    """Bob could not; Mira asks him; now he can, and his answer stands."""
    async with live(strict) as service:
        agent, mira = service.agent, service.person
        bob = await service.new_person("bob@example.com")
        handoff = await agent.ask()
        assert (await bob.approve(handoff)).problem == "not-an-approver"

        after = (await hand_on(mira, handoff, "bob@example.com", note="You know Alice")).ok()

        assert (after["state"], after["revision"], after["digest"]) == ("pending", 1, handoff["digest"])
        assert after["expires_at"] == handoff["expires_at"]
        decided = (await bob.approve(handoff)).ok()
        assert decided["decision"]["by"]["id"] == "bob@example.com"


async def test_it_is_handed_on_to_those_alone_who_may_answer_anyway(settings: Settings) -> None:
    """Two who must agree, or two stages, are not to be met by one person and an address of their own."""
    settings.state.mkdir(parents=True, exist_ok=True)
    path = settings.state / "policy.yaml"
    path.write_text(
        "rules: [{name: pay, do: ask, stages: [{approvers: [mira@example.com, bob@example.com], quorum: 2}, "
        "{approvers: [cfo@example.com]}]}]"
    )
    async with live(settings.model_copy(update={"policy": path})) as service:
        mira = service.person
        sock, bob = await service.new_person("mira.private@example.net"), await service.new_person("bob@example.com")
        handoff = await service.agent.ask()
        for to in ("mira.private@example.net", "cfo@example.com"):
            said = await hand_on(mira, handoff, to)
            assert (said.status, said.problem) == (422, "invalid-answer")
            assert said.body["detail"].endswith(
                f"/pay lets only mira@example.com and bob@example.com answer this, and {to} is none of them; "
                "ask one of those"
            )
        (await hand_on(mira, handoff, "bob@example.com")).ok()
        (await mira.approve(handoff)).ok()
        assert (await sock.approve(handoff)).problem == "not-an-approver"
        assert len((await bob.approve(handoff)).ok()["votes"]) == 2
        assert (await sock.approve(handoff)).problem == "not-an-approver"
        assert (await service.agent.look(handoff["id"]))["state"] == "pending"


async def test_only_who_may_answer_hands_it_on(strict: Settings) -> None:
    """Else anybody could make anybody an approver."""
    async with live(strict) as service:
        eve = await service.new_person("eve@example.com")
        handoff = await service.agent.ask()
        assert (await hand_on(eve, handoff, "eve@example.com")).problem == "not-an-approver"
        assert (await hand_on(eve, handoff, "mallory@example.com")).problem == "not-an-approver"
        assert (await ask_agent(eve, handoff, "Why?")).problem == "not-an-approver"
        stored = await service.store.handoffs.load(handoff["id"])
        assert stored
        assert (stored.added, stored.asides) == ((), ())


async def test_it_is_not_handed_on_to_who_asked_for_it(strict: Settings) -> None:
    """Under `not_requester` they could not say yes: better to hear that now."""
    async with live(strict) as service:
        run = (await service.agent.call("POST", "/v1/runs", {"name": "r", "requester": "Ana@example.com"})).ok()
        handoff = await service.agent.ask(run=run["id"])
        said = await hand_on(service.person, handoff, "ana@example.com")
        assert said.problem == "invalid-answer"
        assert "they asked for it" in said.body["detail"]


@pytest.mark.parametrize(
    "to",
    ["nobody", "slack:S0614TZR7", "role:dba", "on_call:payments", "requester", "a@b@c", "web:x", "mira@example.com"],
)
async def test_it_is_handed_on_to_one_other_person(agent: Agent, mira: Person, to: str) -> None:
    handoff = await agent.ask()
    assert (await hand_on(mira, handoff, to)).problem == "invalid-answer"


async def test_at_most_ten_are_asked_and_nobody_twice(service: Live, agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    for number in range(10):
        (await hand_on(mira, handoff, f"p{number}@example.com")).ok()
    assert "already" in (await hand_on(mira, handoff, "p11@example.com")).body["detail"]
    assert "before" in (await hand_on(mira, handoff, "P0@example.com")).body["detail"]


async def test_the_same_press_twice_is_one(service: Live, agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    said = await asyncio.gather(*(ask_agent(mira, handoff, "Which budget?", key="k") for _ in range(50)))
    assert {each.status for each in said} == {200}
    assert len((await agent.look(handoff["id"]))["questions"]) == 1


async def test_the_agent_hears_a_question_at_once_and_replies(service: Live, agent: Agent, mira: Person) -> None:
    """On its stream, at its poll, and among the words for its run; its reply is on the card."""
    async with agent.events() as events:
        await events.next()
        handoff = await agent.ask()
        waiting = asyncio.create_task(agent.wait(handoff["id"]))
        await asyncio.sleep(0)
        await until(lambda: _is_waited_for(service, handoff), what="the agent waits")
        (await ask_agent(mira, handoff, "Which budget is this from?")).ok()

        told = {event.name: event for event in await events.take(2)}
        polled = await waiting

    (asked,) = polled["questions"]
    assert (asked["text"], asked["by"]["id"]) == ("Which budget is this from?", "mira@example.com")
    assert told["handoff.questioned"].data["question"] == asked["id"]
    assert "run.steered" in told
    saved = await agent.call("PUT", f"/v1/runs/{await agent.run()}/checkpoint", {"name": "n", "state": None})
    (steer,) = saved.ok()["steers"]
    assert "Which budget is this from?" in steer["text"]
    assert handoff["id"] in steer["text"]

    replied = await agent.call("POST", f"/v1/handoffs/{handoff['id']}/reply", {"text": "Travel, <!channel>"})
    (asked,) = replied.ok()["questions"]
    assert [reply["text"] for reply in asked["replies"]] == ["Travel, <!channel>"]
    assert replied.ok()["state"] == "pending"


async def _is_waited_for(service: Live, handoff: Json) -> bool:
    text = (await service.agent.call("GET", "/metrics")).body
    return any(line.startswith("andon_waiting") and not line.endswith(" 0.0") for line in str(text).splitlines())


async def test_a_waiting_agent_is_not_woken_when_it_is_handed_on(agent: Agent, mira: Person) -> None:
    """Its answer is still the same; a poll that came back for that would only be sent again."""
    handoff = await agent.ask()
    waiting = asyncio.create_task(agent.wait(handoff["id"]))
    (await hand_on(mira, handoff, "bob@example.com")).ok()
    (await mira.approve(handoff)).ok()
    assert (await waiting)["state"] == "decided"


async def test_what_has_ended_is_neither_handed_on_nor_asked_about(service: Live, agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    (await mira.reject(handoff)).ok()
    for said in (await hand_on(mira, handoff, "bob@example.com"), await ask_agent(mira, handoff, "Why?")):
        assert said.problem == "already-decided"
    replied = await agent.call("POST", f"/v1/handoffs/{handoff['id']}/reply", {"text": "because"})
    assert replied.problem == "already-decided"


async def test_what_was_changed_since_is_read_again_first(agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    (await mira.edit(handoff, {**handoff["ask"]["action"]["args"], "subject": "New"}, approve=False)).ok()
    assert (await hand_on(mira, handoff, "bob@example.com")).problem == "stale-revision"


async def test_another_agent_cannot_reply(service: Live, agent: Agent, mira: Person) -> None:
    handoff = await agent.ask()
    other = await service.new_agent("other")
    assert (await other.call("POST", f"/v1/handoffs/{handoff['id']}/reply", {"text": "x"})).problem == "not-found"
    assert (await mira.call("POST", f"/v1/handoffs/{handoff['id']}/reply", {"text": "x"})).problem == "forbidden"


async def test_a_question_about_what_is_held_waits(service: Live, agent: Agent, mira: Person) -> None:
    """While the brake is on nothing changes."""
    handoff = await agent.ask()
    (await mira.call("POST", f"/v1/runs/{handoff['run']}/brake", {"action": "stop"})).ok()
    assert (await ask_agent(mira, handoff, "Why?")).problem == "handoff-held"
    assert (await hand_on(mira, handoff, "bob@example.com")).problem == "handoff-held"


async def test_the_package_reads_questions_and_replies(service: Live, agent: Agent, mira: Person) -> None:
    """As an agent does: look at what is asked while it waits, and answer it."""
    async with Andon(url=service.url, key=agent.key) as andon, andon.run("report") as run:
        ask = await agent.confirmation(run=run.id)
        handoff = await run.open(ask)
        assert not handoff.questions
        (await ask_agent(mira, {"id": handoff.id, "revision": 1}, "Which budget?")).ok()
        await handoff.refresh()
        (asked,) = handoff.questions
        assert (asked.text, asked.replies) == ("Which budget?", ())
        await handoff.reply("The travel one")
        assert [reply.text for reply in handoff.questions[0].replies] == ["The travel one"]
