"""Grants, from the card that offers one to the ask that nobody sees, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from tests.people import MAIL, Agent, Json, Person
from tests.servers import Live, live

POLICY = """
defaults: {do: ask, timeout: 30m}
rules:
  - name: mail
    tool: send_email
    do: ask
    after: true
    grants:
      - {label: the same recipient, same: [to], scope: run}
      - {label: any recipient, scope: agent, life: 10m}
      - {label: for this requester, same: [to], scope: requester}
      - {label: with a copy, same: [cc], scope: run}
  - {name: pay, tool: pay, do: ask, no_grants: true}
  - {name: two, tool: two, do: ask, quorum: 2, grants: [{label: all}]}
  - {name: careful, tool: careful, do: ask, step_up: number, grants: [{label: all}]}
"""


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[Live]:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


async def grants(who: Agent | Person) -> list[Json]:
    found: list[Json] = (await who.call("GET", "/v1/grants")).ok()["grants"]
    return found


async def given(house: Live, index: int = 0, **ask: Any) -> Json:
    """Somebody approves, and gives the grant with this index."""
    asked = await house.agent.ask(**ask)
    return (await house.person.approve(asked, grant=index)).ok()


def mail(**changes: Any) -> Json:
    return {"tool": "send_email", "args": {**MAIL, **changes}}


async def test_a_yes_with_a_grant_lets_the_same_run_without_being_asked(house: Live) -> None:
    decided = await given(house)
    assert decided["decision"]["kind"] == "approved"
    grant = (await grants(house.person))[0]
    assert decided["decision"]["grant"] == grant["id"]
    assert decided["decision"]["grant_covers"] == "send_email with to = alice@example.com, in this run, for 1 h"
    assert "for 1 h: send_email with to = alice@example.com, in this run" in decided["decision"]["message_for_agent"]

    again = await house.agent.ask(action=mail(body="Something else"))
    assert (again["state"], again["decision"]["kind"]) == ("decided", "approved")
    assert again["decision"]["by"] == {"kind": "grant", "id": grant["id"], "name": "grant by mira"}
    assert again["decision"]["grant"] == grant["id"]
    assert "grant_covers" not in again["decision"], "that yes gave none"
    assert again["decision"]["policy"].endswith("/mail")
    assert (await house.agent.claim(again)).status == 200
    assert await house.person.inbox() == []

    (grant,) = await grants(house.person)
    assert (grant["uses"], grant["same"], grant["scope"]) == (1, {"to": "alice@example.com"}, "run")
    assert grant["covers"] == "send_email with to = alice@example.com, in the run weekly-report"
    assert grant["condition"] == 'tool == "send_email" && args.to == "alice@example.com"'
    assert grant["by"]["id"] == "mira@example.com"
    assert grant["given_at"] < grant["last_used_at"] < grant["until"]


@pytest.mark.parametrize(
    "action",
    [
        mail(to="bob@example.com"),
        mail(to=["alice@example.com"]),
        mail(to=None),
        {"tool": "send_email", "args": {"subject": "x"}},
        {"tool": "send_mail", "args": MAIL},
    ],
)
async def test_what_differs_is_asked(house: Live, action: Json) -> None:
    await given(house)
    asked = await house.agent.ask(action=action)
    assert asked["state"] == "pending"


async def test_another_run_and_another_agent_are_asked(house: Live) -> None:
    await given(house)
    other_run = (await house.agent.call("POST", "/v1/runs", {"name": "another"})).ok()["id"]
    assert (await house.agent.ask(run=other_run))["state"] == "pending"
    other = await house.new_agent("other")
    assert (await other.ask())["state"] == "pending"


async def test_a_grant_for_the_agent_holds_in_its_other_runs_and_for_no_other_agent(house: Live) -> None:
    await given(house, index=1)
    other_run = (await house.agent.call("POST", "/v1/runs", {"name": "another"})).ok()["id"]
    assert (await house.agent.ask(run=other_run, action=mail(to="bob@example.com")))["state"] == "decided"
    other = await house.new_agent("other")
    assert (await other.ask())["state"] == "pending"


async def test_a_grant_for_a_requester_holds_for_that_one(house: Live) -> None:
    async def run(requester: str) -> str:
        body = {"name": "job", "requester": requester}
        return str((await house.agent.call("POST", "/v1/runs", body)).ok()["id"])

    await given(house, index=2, run=await run("ana@example.com"))
    assert (await house.agent.ask(run=await run("ana@example.com")))["state"] == "decided"
    assert (await house.agent.ask(run=await run("bob@example.com")))["state"] == "pending"
    assert (await house.agent.ask())["state"] == "pending", "nobody is no requester"


@pytest.mark.parametrize(
    "index, ask",
    [
        (9, {}),  # there is none
        (2, {}),  # the run is for nobody
        (3, {}),  # it has no `cc`
        (0, {"action": mail(to="a" * 500)}),  # it would not be read
        (0, {"action": {"tool": "pay", "args": {}}}),  # no grants here
        (0, {"action": {"tool": "two", "args": {}}}),  # one person cannot give what two must
        (0, {"action": {"tool": "careful", "args": {}}}),
        (0, {"timing": "after", "result": "x", "risks": [], "reversible": True}),
    ],
)
async def test_what_the_card_does_not_offer_cannot_be_given(house: Live, index: int, ask: Json) -> None:
    asked = await house.agent.ask(**ask)
    said = await house.person.approve(asked, grant=index)
    assert said.problem == "invalid-answer"
    assert await grants(house.person) == []
    assert (await house.agent.look(asked["id"]))["state"] == "pending"


async def test_the_same_press_twice_gives_one_grant(house: Live) -> None:
    asked = await house.agent.ask()
    answer = {"kind": "approve", "grant": 0}
    first, second = [(await house.person.answer(asked, answer, key="press")).ok() for _ in range(2)]
    assert first["decision"]["grant"] == second["decision"]["grant"]
    assert len(await grants(house.person)) == 1


async def test_who_comes_second_gives_no_grant(house: Live) -> None:
    asked = await house.agent.ask()
    (await house.person.approve(asked)).ok()
    ana = await house.new_person("ana@example.com")
    assert (await ana.approve(asked, grant=0)).problem == "already-decided"
    assert await grants(house.person) == []


async def test_a_grant_that_was_ended_is_not_used_again(house: Live) -> None:
    decided = await given(house)
    ended = (await house.person.call("DELETE", f"/v1/grants/{decided['decision']['grant']}")).ok()
    assert ended["id"] == decided["decision"]["grant"]
    assert (await house.agent.ask())["state"] == "pending"
    assert await grants(house.person) == []
    again = await house.person.call("DELETE", f"/v1/grants/{ended['id']}")
    assert again.problem == "not-found"
    told = [each.text for each in await house.store.runs.notices(5)]
    assert told == ["The grant that mira gave mailer for send_email (the same recipient) has ended: mira ended it."]


async def test_what_a_grant_decided_cannot_be_claimed_once_it_has_ended(house: Live) -> None:
    """The decision came from the grant alone; nobody has looked at it."""
    decided = await given(house)
    again = await house.agent.ask()
    assert again["state"] == "decided"
    (await house.person.call("DELETE", f"/v1/grants/{decided['decision']['grant']}")).ok()
    assert (await house.agent.claim(again)).problem == "grant-ended"
    assert (await house.agent.claim(decided)).status == 200, "a person said yes to this one"


async def test_an_agent_sees_its_own_grants_and_gives_them_up(house: Live) -> None:
    decided = await given(house)
    other = await house.new_agent("other")
    path = f"/v1/grants/{decided['decision']['grant']}"
    assert await grants(other) == []
    assert (await other.call("DELETE", path)).problem == "not-found"
    assert len(await grants(house.agent)) == 1
    (await house.agent.call("DELETE", path)).ok()
    assert await grants(house.agent) == []


async def test_a_failure_ends_the_grant(house: Live) -> None:
    await given(house)
    again = await house.agent.ask()
    (await house.agent.claim(again)).ok()
    (await house.agent.report(again, "failed", claimant="try-1", error="refused")).ok()
    assert await grants(house.person) == []
    assert (await house.agent.ask())["state"] == "pending"


async def test_a_success_leaves_the_grant(house: Live) -> None:
    await given(house)
    again = await house.agent.ask()
    (await house.agent.claim(again)).ok()
    (await house.agent.report(again, "executed", claimant="try-1")).ok()
    assert len(await grants(house.person)) == 1


async def test_what_is_asked_all_the_same_and_rejected_ends_the_grant(settings: Settings, tmp_path: Path) -> None:
    """A low confidence is looked at by a person, whatever was granted; their no counts against the grant."""
    path = tmp_path / "policy.yaml"
    path.write_text(f"confidence_floor: 0.5\n{POLICY}")
    async with live(settings.model_copy(update={"policy": path})) as house:
        await given(house, confidence=0.9)
        assert (await house.agent.ask(confidence=0.9))["state"] == "decided"
        unsure = await house.agent.ask(confidence=0.2)
        assert unsure["state"] == "pending"
        (await house.person.reject(unsure, "not like this")).ok()
        assert await grants(house.person) == []
        assert (await house.agent.ask(confidence=0.9))["state"] == "pending"


async def test_grants_are_counted_apart_from_people(house: Live) -> None:
    await given(house)
    for _ in range(3):
        await house.agent.ask()
    (gate,) = (await house.person.call("GET", "/v1/audit/gates")).ok()["gates"]
    assert (gate["by_people"], gate["asks"], gate["by_grant"], gate["by_policy"]) == (1, 4, 0.75, 0.0)
    assert (await house.person.call("GET", "/v1/corrections")).body == ""
    metrics = (await house.person.call("GET", "/metrics")).body
    assert 'andon_decisions_total{by="grant",kind="approved"} 3.0' in metrics
    assert 'andon_decisions_total{by="person",kind="approved"} 1.0' in metrics


CHANGED = {
    "no_grants": "rules: [{name: mail, tool: send_email, do: ask, no_grants: true}]",
    "no more offers": "rules: [{name: mail, tool: send_email, do: ask}]",
    "another narrowing": "rules: [{name: m, tool: send_email, do: ask, grants: [{label: x, same: [subject]}]}]",
    "another scope": "rules: [{name: m, tool: send_email, do: ask, grants: [{label: x, same: [to], scope: agent}]}]",
    "step-up": "rules: [{name: m, tool: send_email, do: ask, step_up: number, grants: [{label: x, same: [to]}]}]",
    "a quorum": "rules: [{name: m, tool: send_email, do: ask, quorum: 2, grants: [{label: x, same: [to]}]}]",
    "other approvers": (
        "rules: [{name: m, tool: send_email, do: ask, approvers: [ana@example.com], grants: [{label: x, same: [to]}]}]"
    ),
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED.keys())
async def test_a_changed_policy_rules_over_the_grants_that_stand(
    settings: Settings, tmp_path: Path, changed: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    with_policy = settings.model_copy(update={"policy": path})
    async with live(with_policy) as house:
        run = await house.agent.run()
        await given(house)
        assert (await house.agent.ask(run=run))["state"] == "decided"
    path.write_text(changed)
    async with live(with_policy) as house:
        asked = await house.agent.ask(run=run)
        assert asked["state"] == "pending"
        assert len(await grants(house.person)) == 1, "it is still listed, and may be ended"


async def test_the_requester_s_own_grant_does_not_say_yes_for_another(settings: Settings, tmp_path: Path) -> None:
    """With `approvers: [requester]` each answers for themselves; one's grant must not answer for the next."""
    path = tmp_path / "policy.yaml"
    path.write_text(
        "rules: [{name: own, tool: send_email, do: ask, approvers: [requester], grants: [{label: all, scope: agent}]}]"
    )
    async with live(settings.model_copy(update={"policy": path})) as house:

        async def ask(requester: str) -> Json:
            run = (await house.agent.call("POST", "/v1/runs", {"name": "job", "requester": requester})).ok()["id"]
            return await house.agent.ask(run=run)

        (await house.person.approve(await ask("mira@example.com"), grant=0)).ok()
        assert (await ask("mira@example.com"))["state"] == "decided"
        assert (await ask("bob@example.com"))["state"] == "pending"


async def test_many_asks_at_once_are_all_covered_and_all_counted(house: Live) -> None:
    await given(house)
    asked = await asyncio.gather(*(house.agent.ask(action=mail(body=str(n))) for n in range(20)))
    assert {each["state"] for each in asked} == {"decided"}
    (grant,) = await grants(house.person)
    assert grant["uses"] == 20


async def test_what_a_grant_let_run_makes_no_trust_grow(settings: Settings, tmp_path: Path) -> None:
    """Nobody looked at it, so it says nothing about what else may run unseen."""
    path = tmp_path / "policy.yaml"
    path.write_text(
        "rules: [{name: m, tool: send_email, do: ask, ramp: {ask: 2}, grants: [{label: same, same: [to]}]}]"
    )
    async with live(settings.model_copy(update={"policy": path})) as house:

        async def done(asked: Json) -> None:
            (await house.agent.claim(asked)).ok()
            (await house.agent.report(asked, "executed", claimant="try-1")).ok()

        await done(await given(house, reversible=True))
        for number in range(3):
            asked = await house.agent.ask(reversible=True, action=mail(body=str(number)))
            assert asked["decision"]["by"]["kind"] == "grant"
            await done(asked)
        asked = await house.agent.ask(reversible=True, action=mail(to="bob@example.com"))
        assert asked["state"] == "pending", "one person looked once, and the rule wants two"
        await done((await house.person.approve(asked)).ok())
        unlike = await house.agent.ask(reversible=True, action=mail(to="carl@example.com"))
        assert unlike["state"] == "decided", "now two have"
