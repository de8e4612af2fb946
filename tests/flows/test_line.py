"""The line, end to end: an agent asks, a person answers, the agent goes on."""

import asyncio
import hashlib
import json
from typing import Any

import pytest

from tests.people import MAIL, Agent, Json, Person, Reply
from tests.servers import Live, until

FLIGHTS: list[Json] = [
    {"id": "LH1", "label": "LH 1, 07:10", "action": {"tool": "book", "args": {"flight": "LH1"}}},
    {"id": "train", "label": "By train", "details": "Six hours, and less CO2"},
]


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
    assert sha(permit) == permit["digest"] == asked["digest"]
    done = (await agent.report(woken, "executed", claimant="try-1", result={"message": 7})).ok()
    assert done["state"] == "closed"
    assert done["outcome"]["result"] == {"message": 7}
    assert await mira.inbox() == []


async def test_late_press_learns_who_decided(service: Live, agent: Agent, mira: Person) -> None:
    """The second person is told whose decision stands and since when; the agent hears one decision."""
    ana = await service.new_person("ana@example.com")
    asked = await agent.ask()
    first = (await mira.approve(asked)).ok()

    late = await ana.reject(asked, "I would not")

    assert (late.status, late.problem) == (409, "already-decided")
    assert late.body["detail"].startswith("mira approved this at ")
    assert late.body["detail"].endswith("so your press changed nothing.")
    assert late.body["decision"] == first["decision"] == (await agent.look(asked["id"]))["decision"]


async def test_the_same_press_twice_is_one_answer(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    first = await mira.answer(asked, {"kind": "approve"}, key="press-1")
    again = await mira.answer(asked, {"kind": "approve"}, key="press-1")
    assert again.ok() == first.ok()


async def test_a_press_on_a_card_that_has_changed_is_refused(service: Live, agent: Agent, mira: Person) -> None:
    ana = await service.new_person("ana@example.com")
    asked = await agent.ask()
    edited = (await mira.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()

    stale = await ana.approve(asked)

    assert (stale.status, stale.problem) == (409, "stale-revision")
    assert "look at it again" in stale.body["detail"]
    assert (edited["state"], edited["revision"]) == ("pending", 2)
    assert (await agent.look(asked["id"]))["state"] == "pending"
    assert (await ana.approve(edited)).ok()["decision"]["kind"] == "edited"


async def test_an_answer_may_name_the_digest_that_was_read(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    assert (await mira.approve(asked, digest="0" * 64)).problem == "stale-revision"
    assert (await mira.approve(asked, digest=asked["digest"])).status == 200


async def test_an_edit_that_the_schema_refuses_names_the_field(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()

    bad = await mira.edit(asked, {"to": 7, "subject": "Report", "body": "…", "cc": "x"})

    assert (bad.status, bad.problem) == (422, "invalid-answer")
    fields = {fault["field"] for fault in bad.body["errors"]}
    assert "args.to" in fields
    assert any("cc" in fault["field"] or "cc" in fault["detail"] for fault in bad.body["errors"])
    assert (await agent.look(asked["id"]))["state"] == "pending"


async def test_an_approved_edit_has_a_digest_of_its_own_and_the_claim_needs_it(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    changed = {**MAIL, "to": "bob@example.com"}

    decided = (await mira.edit(asked, changed)).ok()

    assert decided["decision"]["kind"] == "edited"
    assert decided["decision"]["args"] == changed
    assert decided["decision"]["digest"] == decided["digest"] != asked["digest"]
    assert decided["decision"]["revision"] == 2
    assert [r["by"]["id"] for r in decided["revisions"]] == ["mira@example.com"]
    as_asked = await agent.claim(decided, digest=asked["digest"])
    assert (as_asked.status, as_asked.problem) == (409, "digest-mismatch")
    permit = (await agent.claim(decided)).ok()
    assert json.loads(permit["payload"])["args"] == changed
    assert sha(permit) == permit["digest"]


async def test_one_claim_one_action(agent: Agent, mira: Person) -> None:
    """The same claimant gets the same permit; anybody else is told who has it."""
    asked = await agent.ask()
    assert (await agent.claim(asked)).problem == "not-decided"
    decided = (await mira.approve(asked)).ok()
    first = (await agent.claim(decided, claimant="try-1")).ok()

    assert (await agent.claim(decided, claimant="try-1")).ok() == first
    other = await agent.claim(decided, claimant="try-2")
    assert (other.status, other.problem) == (409, "already-claimed")
    assert "try-1" in other.body["detail"]
    wrong = await agent.report(decided, "executed", claimant="try-2")
    assert (wrong.status, wrong.problem) == (409, "outcome-conflict")
    (await agent.report(decided, "executed", claimant="try-1", result=1)).ok()
    (await agent.report(decided, "executed", claimant="try-1", result=1)).ok()
    assert (await agent.report(decided, "failed", claimant="try-1")).problem == "outcome-conflict"
    assert (await agent.claim(decided, claimant="try-1")).problem == "already-claimed"


async def test_an_outcome_needs_a_claim(agent: Agent, mira: Person) -> None:
    decided = (await mira.approve(await agent.ask())).ok()
    early = await agent.report(decided, "executed")
    assert (early.status, early.problem) == (409, "outcome-conflict")


async def test_choosing_one_that_acts_permits_that_action(agent: Agent, mira: Person) -> None:
    asked = await agent.choose(*FLIGHTS)
    none_such = await mira.pick(asked, "LH9")
    assert (none_such.status, none_such.body["field"]) == (422, "choice")

    decided = (await mira.pick(asked, "LH1")).ok()

    assert (decided["decision"]["kind"], decided["decision"]["choice"]) == ("chosen", "LH1")
    permit = (await agent.claim(decided)).ok()
    assert json.loads(permit["payload"]) == {"tool": "book", "args": {"flight": "LH1"}}


async def test_choosing_one_that_does_nothing_permits_the_choice(agent: Agent, mira: Person) -> None:
    decided = (await mira.pick(await agent.choose(*FLIGHTS), "train")).ok()
    assert json.loads((await agent.claim(decided)).ok()["payload"]) == {"choice": "train"}


async def test_a_typed_answer_fits_its_schema(agent: Agent, mira: Person) -> None:
    asked = await agent.ask_for(answer_schema={"type": "number", "minimum": 0})
    bad = await mira.say(asked, -3)
    assert (bad.status, bad.body["field"]) == (422, "answer")

    decided = (await mira.say(asked, 250)).ok()

    assert (decided["decision"]["kind"], decided["decision"]["answer"]) == ("answered", 250)


async def test_an_answer_of_the_wrong_kind_is_told_the_right_ones(agent: Agent, mira: Person) -> None:
    wrong = await mira.say(await agent.ask(), "yes")
    assert (wrong.status, wrong.problem) == (422, "invalid-answer")
    assert "approve, edit, reject" in wrong.body["detail"]


@pytest.mark.parametrize("status", ["undone", "undo_failed"])
async def test_what_was_done_and_is_rejected_is_undone(agent: Agent, mira: Person, status: str) -> None:
    shown = await agent.review()
    assert (await agent.report(shown, "undone")).problem == "outcome-conflict"
    decided = (await mira.reject(shown, "Wrong draft")).ok()
    assert "undo it now" in decided["decision"]["message_for_agent"].lower()
    assert (await agent.report(decided, "executed")).problem == "outcome-conflict"

    done = (await agent.report(decided, status, error="it is sent" if status == "undo_failed" else None)).ok()

    assert (done["state"], done["outcome"]["status"]) == ("closed", status)


async def test_what_was_done_and_stands_needs_no_claim(agent: Agent, mira: Person) -> None:
    decided = (await mira.approve(await agent.review())).ok()
    assert (await agent.report(decided, "undone")).problem == "outcome-conflict"
    assert (await agent.report(decided, "executed")).ok()["outcome"]["status"] == "executed"


# --- endings ---


async def test_the_endings_that_are_no_yes_can_be_told_apart(agent: Agent, mira: Person) -> None:
    """A model that reads a bare "denied" tries again: each ending says what happened and what to do."""
    rejected = (await mira.reject(await agent.ask(), "Too early")).ok()["decision"]
    withdrawn = (await agent.withdraw(await agent.ask(), "not needed")).ok()["decision"]
    undeliverable = (await agent.ask(to=[{"surface": "pigeon"}]))["decision"]
    asked = await agent.ask(timeout_s=1)
    expired = (await agent.wait(asked["id"]))["decision"]

    endings = {d["kind"]: d for d in (rejected, withdrawn, undeliverable, expired)}
    assert set(endings) == {"rejected", "withdrawn", "undeliverable", "expired"}
    assert {kind: d["by"]["kind"] for kind, d in endings.items()} == {
        "rejected": "person",
        "withdrawn": "agent",
        "undeliverable": "service",
        "expired": "silence",
    }
    assert len({d["message_for_agent"] for d in endings.values()}) == 4
    assert "Too early" in rejected["message_for_agent"]
    assert "not a no" in expired["message_for_agent"]
    assert "pigeon" in undeliverable["message_for_agent"]


@pytest.mark.parametrize("ending", ["rejected", "withdrawn", "expired"])
async def test_nothing_is_claimed_without_a_yes(agent: Agent, mira: Person, ending: str) -> None:
    asked = await agent.ask(timeout_s=1 if ending == "expired" else 600)
    if ending == "rejected":
        await mira.reject(asked)
    elif ending == "withdrawn":
        await agent.withdraw(asked)
    else:
        await agent.wait(asked["id"])
    refused = await agent.claim(asked)
    assert (refused.status, refused.problem) == (409, "not-approved")
    assert ending in refused.body["detail"]


async def test_an_answer_after_the_time_is_told_so(agent: Agent, mira: Person) -> None:
    asked = await agent.ask(timeout_s=1)
    await agent.wait(asked["id"])
    late = await mira.approve(asked)
    assert late.status in {409, 410}
    assert late.body["detail"].startswith("The time was up at") or late.problem == "handoff-expired"


async def test_withdrawing_twice_is_fine_and_after_a_decision_is_not(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    first = (await agent.withdraw(asked)).ok()
    assert (await agent.withdraw(asked)).ok() == first
    decided = (await mira.approve(await agent.ask())).ok()
    late = await agent.withdraw(decided)
    assert (late.status, late.problem) == (409, "already-decided")
    assert late.body["decision"]["kind"] == "approved"


# --- waiting ---


async def test_a_wait_ends_with_its_time_when_nothing_happens(agent: Agent) -> None:
    asked = await agent.ask()
    assert (await agent.wait(asked["id"], 0.05))["state"] == "pending"


async def test_a_wait_for_another_revision_returns_at_once_when_there_is_one(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    waiting = asyncio.create_task(agent.wait(asked["id"], revision=1))
    edited = (await mira.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
    assert (await waiting)["revision"] == 2
    assert (await agent.wait(asked["id"], revision=1)) == {**edited, "token": asked["token"]}


# --- opening ---


async def test_an_open_after_a_lost_connection_is_the_same_handoff(agent: Agent) -> None:
    """The agent never asks twice for one ask, though it may call as often as it must."""
    ask = await agent.confirmation()
    first = await agent.open(ask, key="step-3")
    again = await agent.open(ask, key="step-3")
    other = await agent.open({**ask, "what": "Something else"}, key="step-3")

    assert (first.status, again.status) == (201, 200)
    assert again.ok() == first.ok()
    assert (other.status, other.problem) == (409, "idempotency-key-reused")


async def test_an_open_that_was_cut_off_is_found_again(service: Live, agent: Agent, mira: Person) -> None:
    ask = await agent.confirmation()
    cut = asyncio.create_task(agent.open(ask, key="step-4"))

    async def opened() -> object:
        return await mira.inbox()

    await until(opened)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)
    again = await agent.open(ask, key="step-4")

    assert again.status == 200
    assert [card["id"] for card in await mira.inbox()] == [again.ok()["id"]]


async def test_one_key_of_two_agents_is_two_handoffs(service: Live, agent: Agent) -> None:
    other = await service.new_agent("other")
    mine, theirs = await agent.ask(key="k"), await other.ask(key="k")
    assert mine["id"] != theirs["id"]


@pytest.mark.parametrize(
    "change, field, says",
    [
        ({"risks": []}, "", "what could go wrong"),
        ({"risks": None}, "", "what could go wrong"),
        ({"action": None}, "", "needs `action`"),
        ({"recipient": "x"}, "recipient", "no field `recipient`"),
        ({"what": None}, "what", "missing"),
        ({"kind": "order"}, "kind", "confirmation"),
        ({"on_timeout": "approve"}, "", "reversible"),
        ({"timeout_s": 0}, "timeout_s", "greater than or equal to 1"),
        ({"action": {"tool": "t", "args": {}, "schema": {"type": "nothing"}}}, "action.schema", "JSON Schema"),
    ],
)
async def test_an_ask_that_cannot_be_shown_says_why(agent: Agent, change: Json, field: str, says: str) -> None:
    refused = await agent.open(await agent.confirmation(**change))
    assert (refused.status, refused.problem) == (422, "invalid-body")
    assert says in refused.body["detail"]
    assert str(refused.body["errors"][0]["field"]).startswith(field)


async def test_what_silence_means_is_said(agent: Agent) -> None:
    deny, approve = await agent.ask(), await agent.ask(reversible=True, on_timeout="approve")
    assert deny["silence"]
    assert approve["silence"]


# --- who sees what ---


async def test_agents_do_not_see_each_other(service: Live, agent: Agent) -> None:
    """Another agent's handoff and run are as if they were not there."""
    other = await service.new_agent("other")
    asked, run = await agent.ask(), await agent.run()

    calls: list[Reply] = [
        await other.call("GET", f"/v1/handoffs/{asked['id']}"),
        await other.claim(asked),
        await other.withdraw(asked),
        await other.report(asked, "executed"),
        await other.call("GET", f"/v1/runs/{run}"),
        await other.call("GET", f"/v1/runs/{run}/checkpoint"),
        await other.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "mine"}),
        await other.call("POST", f"/v1/runs/{run}/notices", {"text": "mine"}),
        await other.open(await agent.confirmation()),
        await other.call("POST", "/v1/runs", {"name": "child", "parent": run}),
    ]

    assert [reply.status for reply in calls] == [404] * len(calls)
    assert {reply.problem for reply in calls} == {"not-found"}
    assert (await other.call("GET", "/v1/handoffs")).ok()["handoffs"] == []
    assert (await other.call("GET", "/v1/handoffs", params={"agent": "mailer"})).ok()["handoffs"] == []


async def test_an_agent_never_answers_and_a_person_never_asks(agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    answered = await agent.call("POST", f"/v1/handoffs/{asked['id']}/answer", {"kind": "approve", "revision": 1})
    assert (answered.status, answered.problem) == (403, "forbidden")
    assert "can never answer" in answered.body["detail"]
    ask: Any = await agent.confirmation()
    for reply in (
        await mira.call("POST", "/v1/handoffs", ask),
        await mira.call("POST", "/v1/runs", {"name": "x"}),
        await mira.call("POST", f"/v1/handoffs/{asked['id']}/claim", {"digest": asked["digest"], "claimant": "x"}),
        await mira.call("GET", "/v1/events"),
    ):
        assert (reply.status, reply.problem) == (403, "forbidden")


async def test_a_token_reads_its_one_handoff_and_nothing_else(service: Live, agent: Agent, mira: Person) -> None:
    asked, other = await agent.ask(), await agent.ask()
    assert "token" not in await mira.look(asked["id"]), "a token is its own agent's"
    async with Agent(service.url, asked["token"]) as holder:
        assert (await holder.look(asked["id"]))["id"] == asked["id"]
        waiting = asyncio.create_task(holder.wait(asked["id"]))
        await mira.approve(asked)
        assert (await waiting)["decision"]["kind"] == "approved"
        for method, path, body in (
            ("GET", f"/v1/handoffs/{other['id']}", None),
            ("GET", "/v1/handoffs", None),
            ("GET", "/v1/events", None),
            ("POST", f"/v1/handoffs/{asked['id']}/claim", {"digest": asked["digest"], "claimant": "x"}),
            ("POST", f"/v1/handoffs/{asked['id']}/answer", {"kind": "approve", "revision": 1}),
        ):
            reply = await holder.call(method, path, body)
            assert (reply.status, reply.problem) == (401, "unauthenticated"), path


@pytest.mark.parametrize("key", ["", "apk_live_", "Zugang", "apk_live_abcdefgh_" + "x" * 49, "ä" * 80])
async def test_a_bad_key_is_told_nothing_but_that(service: Live, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    reply = await service.person.call("GET", "/v1/handoffs", headers={"Authorization": "", **headers})
    assert (reply.status, reply.problem) == (401, "unauthenticated")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_key_ends_at_once(service: Live, agent: Agent) -> None:
    await agent.ask()
    assert await service.access.revoke_key(agent.key.split("_")[2])

    async def refused() -> bool:
        return (await agent.call("GET", "/v1/handoffs")).status == 401

    await until(refused, within_s=5)


# --- checkpoints and notices ---


async def test_a_checkpoint_comes_back_as_it_was_saved(agent: Agent) -> None:
    run = await agent.run()
    path = f"/v1/runs/{run}/checkpoint"
    assert (await agent.call("GET", path)).status == 404
    state = {"plan": ["a", {"b": [1.5, None, "ü"]}]}
    assert (await agent.call("PUT", path, {"name": "plan", "state": state, "if_version": 0})).ok()["version"] == 1
    moved = await agent.call("PUT", path, {"name": "plan", "state": 2, "if_version": 0})
    assert (moved.status, moved.problem) == (409, "checkpoint-moved")
    found = (await agent.call("GET", path)).ok()
    assert (found["name"], found["version"], found["state"]) == ("plan", 1, state)
    assert (await agent.call("GET", f"/v1/runs/{run}")).ok()["checkpoint"] == 1
    assert (await agent.call("POST", f"/v1/runs/{run}/notices", {"text": "Synced"})).status == 202


async def test_lists_are_paged_without_loss(agent: Agent, mira: Person) -> None:
    asked = [await agent.ask() for _ in range(7)]
    for handoff in asked[:3]:
        await mira.approve(handoff)
    for state, expected in (("pending", asked[3:]), ("decided", asked[:3]), ("", asked)):
        seen: list[str] = []
        params = {"limit": "2", **({"state": state} if state else {})}
        while True:
            page = (await agent.call("GET", "/v1/handoffs", params=params)).ok()
            seen += [handoff["id"] for handoff in page["handoffs"]]
            if not page.get("cursor"):
                break
            params["cursor"] = page["cursor"]
        assert sorted(seen) == sorted(handoff["id"] for handoff in expected), state
    bad = await agent.call("GET", "/v1/handoffs", params={"cursor": "x"})
    assert 400 <= bad.status < 500
    assert bad.problem


def sha(permit: Json) -> str:
    return hashlib.sha256(permit["payload"].encode()).hexdigest()
