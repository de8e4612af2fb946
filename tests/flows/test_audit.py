"""What people made of the asks, told over HTTP; and the counters."""

import asyncio
import json

from tests.people import Agent, Person
from tests.servers import until


async def test_the_audit_and_the_corrections_tell_of_a_rejection_and_an_edit(agent: Agent, mira: Person) -> None:
    first, second = await agent.ask(), await agent.ask()
    await agent.ask()  # still open: no lesson yet
    await mira.reject(first, "Wrong Alice")
    await mira.edit(second, {**second["ask"]["action"]["args"], "to": "bob@example.com"})

    report = (await mira.call("GET", "/v1/audit/gates", params={"days": "1"})).ok()
    lines = (await mira.call("GET", "/v1/corrections")).body

    (gate,) = report["gates"]
    assert (gate["gate"], gate["asks"], gate["rejected"], gate["edited"]) == ("send_email", 2, 0.5, 0.5)
    assert (report["handoffs"], report["complete"]) == (3, True)
    corrections = [json.loads(line) for line in lines.splitlines()]
    assert {(line["kind"], line["handoff"]) for line in corrections} == {
        ("rejected", first["id"]),
        ("edited", second["id"]),
    }
    assert next(line for line in corrections if line["kind"] == "edited")["corrected"]["to"] == "bob@example.com"


async def test_an_agent_reads_neither(agent: Agent) -> None:
    """What people corrected elsewhere is none of its business."""
    for path in ("/v1/audit/gates", "/v1/corrections"):
        assert (await agent.call("GET", path)).status == 403


async def test_the_counters_follow_a_handoff(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    await mira.approve(asked)
    await agent.claim(await agent.look(asked["id"]))
    text = (await agent.call("GET", "/metrics")).body
    for line in (
        'andon_asks_total{kind="confirmation",timing="before"} 1.0',
        'andon_decisions_total{by="person",kind="approved"} 1.0',
        'andon_claims_total{result="permit"} 1.0',
        "andon_pending 0.0",
    ):
        assert line in text.splitlines()


async def test_one_key_cannot_pile_up_waits_on_one_handoff(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    waits = [asyncio.create_task(agent.wait(asked["id"])) for _ in range(4)]

    async def four_wait() -> bool:
        return "andon_waiting 4.0" in (await agent.call("GET", "/metrics")).body

    try:
        await until(four_wait)
        fifth = await agent.call("GET", f"/v1/handoffs/{asked['id']}", params={"wait": "5"})
        assert (fifth.status, fifth.headers["Retry-After"]) == (429, "5")
        assert (await agent.look(asked["id"]))["state"] == "pending", "reading is not waiting"
    finally:
        await mira.approve(asked)
        woken = await asyncio.gather(*waits)
    assert {handoff["state"] for handoff in woken} == {"decided"}
