"""The line, end to end: an agent asks, a person answers, the agent goes on."""

import asyncio
import hashlib
import json

from tests.people import MAIL, Agent, Person


async def test_approval_wakes_the_waiter_and_the_claim_returns_the_exact_bytes(agent: Agent, mira: Person) -> None:
    """What was approved is what runs: the permit's bytes are the ones that the digest covers."""
    asked = await agent.ask()
    waiting = asyncio.create_task(agent.wait(asked["id"]))

    (card,) = await mira.inbox()
    approved = (await mira.approve(card, reason="Fine")).ok()
    woken = await waiting
    permit = (await agent.claim(woken)).ok()

    assert woken["decision"] == approved["decision"]
    assert woken["decision"]["kind"] == "approved"
    assert woken["decision"]["by"]["id"] == "mira@example.com"
    assert json.loads(permit["payload"]) == {"tool": "send_email", "args": MAIL}
    assert hashlib.sha256(permit["payload"].encode()).hexdigest() == permit["digest"] == asked["digest"]
    done = (await agent.report(woken, "executed", claimant="try-1", result={"message": 7})).ok()
    assert done["state"] == "closed"
    assert done["outcome"]["result"] == {"message": 7}
