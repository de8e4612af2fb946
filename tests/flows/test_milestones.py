"""Checkpoints that the policy asks at, over HTTP and by the SDK, on a real store."""

import asyncio
from pathlib import Path

import pytest

from andon import Andon, Refused, Steered
from bot.config import Settings
from bot.milestones import RISK
from tests.people import Json
from tests.servers import Live, live, until
from tests.store import asks

POLICY = """
defaults: {do: ask}
escalate_on_failure: 1
rules:
  - {name: paid, tool: pay, checkpoint: ["plan *", "launch"], do: allow}
  - {name: any_tool, do: ask, timeout: 1h}
  - {name: plans, gate: checkpoint, checkpoint: "plan *", do: ask, reason: "The plan spends money.", timeout: 10m}
  - {name: steps, gate: checkpoint, checkpoint: "step *", do: ask}
  - {name: forbidden, gate: checkpoint, checkpoint: "launch*", do: deny, reason: "Launches are for the site team."}
  - {name: told, gate: checkpoint, checkpoint: "half way", do: notify}
  - {name: small, gate: checkpoint, checkpoint: "half done", do: allow}
  - {name: halves, gate: checkpoint, checkpoint: "half *", do: ask}
  - {name: by_label, gate: checkpoint, checkpoint: "budget", labels: {size: large}, do: ask}
"""

PAY: Json = {"action": {"tool": "pay", "args": {}}}


@pytest.fixture
async def here(settings: Settings, tmp_path: Path) -> object:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


async def save(here: Live, name: str, *, key: str | None = None, **more: object) -> Json:
    path = f"/v1/runs/{await here.agent.run()}/checkpoint"
    return (await here.agent.call("PUT", path, {"name": name, "state": 7, **more}, key=key)).ok()


async def test_a_checkpoint_that_no_rule_names_is_not_asked_about(here: Live) -> None:
    """Neither by the defaults, nor by a rule for any action."""
    for name in ("started", "budget", "the plan finalised"):
        assert "handoff" not in await save(here, name)
    assert await here.person.inbox() == []


async def test_failures_in_the_run_do_not_gate_every_checkpoint(here: Live) -> None:
    asked = await here.agent.ask()
    decided = (await here.person.approve(asked)).ok()
    (await here.agent.claim(decided)).ok()
    (await here.agent.report(decided, "failed", claimant="try-1")).ok()
    assert "handoff" not in await save(here, "started")


async def test_the_service_asks_whether_to_go_on(here: Live) -> None:
    receipt = await save(here, "plan finalised")
    assert receipt["version"] == 1, "it is saved all the same"
    asked = await here.agent.look(receipt["handoff"])
    ask = asked["ask"]
    assert (asked["state"], ask["gate"], ask["what"]) == (
        "pending",
        "checkpoint",
        "mailer reached “plan finalised”: go on?",
    )
    assert ask["why"] == "The policy asks at this checkpoint."
    assert ask["risks"] == ["The plan spends money."]
    assert ask["action"]["args"] == {"name": "plan finalised"}
    decided = (await here.person.approve(asked)).ok()
    assert decided["decision"]["policy"].endswith("/plans")
    (await here.agent.claim(decided)).ok()


async def test_without_a_reason_the_card_says_what_could_go_wrong(here: Live) -> None:
    asked = await here.agent.look((await save(here, "step 1"))["handoff"])
    assert asked["ask"]["risks"] == [RISK]


async def test_the_name_cannot_be_edited(here: Live) -> None:
    asked = await here.agent.look((await save(here, "plan A"))["handoff"])
    assert (await here.person.edit(asked, {"name": "plan B"})).status == 422


async def test_the_same_save_is_one_question(here: Live) -> None:
    receipts = [await save(here, "plan A", key="k1") for _ in range(3)]
    assert len({receipt["handoff"] for receipt in receipts}) == 1
    assert len(await here.person.inbox()) == 1
    assert (await save(here, "plan A", key="k2"))["handoff"] != receipts[0]["handoff"]


async def test_a_yes_at_one_checkpoint_is_none_at_another(here: Live) -> None:
    """Under the same key the same question is found, which was about another name."""
    asked = await here.agent.look((await save(here, "plan A", key="k1"))["handoff"])
    (await here.person.approve(asked)).ok()
    await save(here, "started")
    path = f"/v1/runs/{await here.agent.run()}/checkpoint"
    again = await here.agent.call("PUT", path, {"name": "plan B"}, key="k1")
    assert again.problem == "idempotency-key-reused"


async def test_whoever_takes_over_finds_the_question(here: Live) -> None:
    receipt = await save(here, "plan A")
    read = (await here.agent.call("GET", f"/v1/runs/{await here.agent.run()}/checkpoint")).ok()
    assert read["handoff"] == receipt["handoff"]
    await save(here, "started")
    read = (await here.agent.call("GET", f"/v1/runs/{await here.agent.run()}/checkpoint")).ok()
    assert "handoff" not in read


async def test_a_save_that_is_refused_leaves_no_question(here: Live) -> None:
    path = f"/v1/runs/{await here.agent.run()}/checkpoint"
    moved = await here.agent.call("PUT", path, {"name": "plan A", "if_version": 7}, key="k")
    assert moved.problem == "checkpoint-moved"
    assert await here.person.inbox() == []


async def test_what_the_policy_refuses_is_refused_at_once(here: Live) -> None:
    asked = await here.agent.look((await save(here, "launch"))["handoff"])
    assert asked["decision"]["kind"] == "rejected"
    assert asked["decision"]["reason"] == "Launches are for the site team."


async def test_a_rule_may_look_at_the_run(here: Live) -> None:
    run = (await here.agent.call("POST", "/v1/runs", {"name": "big", "labels": {"size": "large"}})).ok()["id"]
    receipt = await here.agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "budget"})
    assert "handoff" in receipt.ok()


async def test_a_checkpoint_that_nobody_has_answered_opens_no_rule(here: Live) -> None:
    """Saving is up to the agent; what the yes there is for must not be."""
    asked = await here.agent.look((await save(here, "plan A"))["handoff"])
    assert (await here.agent.ask(**PAY))["state"] == "pending"
    (await here.person.approve(asked)).ok()
    paid = await here.agent.ask(**PAY)
    assert paid["decision"]["policy"].endswith("/paid")
    (await here.agent.claim(paid)).ok()


async def test_a_checkpoint_that_was_rejected_opens_no_rule(here: Live) -> None:
    asked = await here.agent.look((await save(here, "plan A"))["handoff"])
    (await here.person.reject(asked, "no")).ok()
    assert (await here.agent.ask(**PAY))["state"] == "pending"


async def test_a_checkpoint_that_was_taken_back_opens_no_rule(here: Live) -> None:
    asked = await here.agent.look((await save(here, "plan A"))["handoff"])
    (await here.agent.withdraw(asked)).ok()
    assert (await here.agent.ask(**PAY))["state"] == "pending"


async def test_a_checkpoint_that_is_refused_opens_no_rule(here: Live) -> None:
    await save(here, "launch")
    assert (await here.agent.ask(**PAY))["state"] == "pending"


async def test_a_checkpoint_whose_question_is_gone_opens_no_rule(here: Live) -> None:
    """The run may outlive the record of its question; then nobody can tell what the answer was."""
    asked = await here.agent.look((await save(here, "plan A"))["handoff"])
    (await here.person.approve(asked)).ok()
    await here.store._pipe.call("DEL", here.own.keys.handoff(asked["id"]))
    assert (await here.agent.ask(**PAY))["state"] == "pending"


async def test_what_is_asked_at_a_checkpoint_is_its_own_matter(here: Live) -> None:
    """It does not hang on the answer at the checkpoint before."""
    await save(here, "plan A")
    assert "handoff" not in await save(here, "half done")
    await save(here, "plan A")
    told = await here.agent.look((await save(here, "half way"))["handoff"])
    assert told["decision"]["policy"].endswith("/told")


async def test_no_action_passes_at_the_gate_of_checkpoints(here: Live) -> None:
    """Else a rule that lets a run go on would let whatever names its gate run."""
    refused = await here.agent.open(await here.agent.confirmation(gate="checkpoint"))
    assert (refused.status, refused.problem, refused.body["field"]) == (422, "invalid-body", "gate")


# --- the SDK ---


async def waiting(here: Live) -> Json:
    async def asked() -> bool:
        return bool(await here.person.inbox())

    await until(asked)
    return (await here.person.inbox())[0]


async def test_the_run_waits_for_the_yes(here: Live) -> None:
    async with Andon(here.url, here.agent.key) as andon, andon.run("job") as run:
        saving = asyncio.create_task(run.checkpoint("plan A", {"n": 1}))
        asked = await waiting(here)
        assert not saving.done()
        (await here.person.approve(asked)).ok()
        assert await saving == 1
        ended = await here.agent.look(asked["id"])
        assert (ended["state"], ended["outcome"]["status"]) == ("closed", "executed")
        found = await run.load_checkpoint()
        assert found
        await run.go_on(found)
        assert await run.checkpoint("started") == 2
        assert await run.checkpoint("half way") == 3


async def test_a_no_is_raised(here: Live) -> None:
    async with Andon(here.url, here.agent.key) as andon, andon.run("job") as run:
        saving = asyncio.create_task(run.checkpoint("plan A"))
        (await here.person.reject(await waiting(here), "Too dear")).ok()
        with pytest.raises(Refused, match="Too dear"):
            await saving
        found = await run.load_checkpoint()
        assert found
        with pytest.raises(Refused, match="Too dear"):
            await run.go_on(found)
        with pytest.raises(Refused, match="site team"):
            await run.checkpoint("launch")


async def test_what_people_say_meanwhile_is_not_lost(here: Live) -> None:
    async with Andon(here.url, here.agent.key) as andon, andon.run("job") as run:
        assert await here.store.runs.steer(run.info, "message 1", "Not before noon", asks.MIRA)
        saving = asyncio.create_task(run.checkpoint("plan A"))
        (await here.person.reject(await waiting(here))).ok()
        with pytest.raises(Refused):
            await saving
        with pytest.raises(Steered, match="Not before noon"):
            await run.checkpoint("started")


async def test_a_run_that_is_cancelled_while_it_waits_takes_the_question_back(here: Live) -> None:
    async with Andon(here.url, here.agent.key) as andon, andon.run("job") as run:
        saving = asyncio.create_task(run.checkpoint("plan A"))
        asked = await waiting(here)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert (await here.agent.look(asked["id"]))["decision"]["kind"] == "withdrawn"
