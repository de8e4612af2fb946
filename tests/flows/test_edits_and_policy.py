"""An edit is put to the policy again: by whichever way it comes, it gets nobody past a rule that it would meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partialmethod
from pathlib import Path

import pytest

from bot import policies
from bot.config import Settings
from tests.adapters.web_surface import web_surface
from tests.flows.slack_house import house
from tests.flows.test_ladder import let_pass
from tests.people import Agent, Json, Person
from tests.servers import ROOT, Live, live, until

PAYMENTS = (ROOT / "examples/policies/payments.yaml").read_text().replace('to: ["slack:#payments"]', 'to: ["web"]')
AGAIN = "Reject it with a reason, so that the agent asks again."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(PAYMENTS)
    return path


def under(settings: Settings, file: Path, text: str | None = None) -> Settings:
    if text is not None:
        file.write_text(text)
    return settings.model_copy(update={"policy": file})


async def for_eve(agent: Agent) -> str:
    """A run that says for whom it works."""
    body = {"name": "payments", "requester": "eve@example.com"}
    return str((await agent.call("POST", "/v1/runs", body)).ok()["id"])


async def payment(service: Live, amount: float = 120, tool: str = "payment.send") -> Json:
    args = {"amount": amount, "currency": "EUR"}
    return await service.agent.ask(run=await for_eve(service.agent), action={"tool": tool, "args": args})


async def unchanged(service: Live, asked: Json, ada: Person) -> None:
    """Nothing is lost either: what was asked can still be answered as it was."""
    now = await ada.look(asked["id"])
    assert (now["state"], now["revision"], now["digest"]) == ("pending", 1, asked["digest"])
    assert (await service.store.handoffs.load(asked["id"])).revisions == ()  # type: ignore[union-attr]
    assert (await ada.approve(asked)).ok()["decision"]["args"]["amount"] == asked["ask"]["action"]["args"]["amount"]


@pytest.mark.parametrize("approve", [True, False], ids=["and approved", "for another"])
@pytest.mark.parametrize(
    "case",
    [
        ({"amount": 5_000_000, "currency": "XBT"}, "large", "2 stages instead of 1"),
        ({"amount": 600, "currency": "EUR"}, "medium", "2 must say yes instead of 1"),
        ({"amount": -5, "currency": "EUR"}, "large", "2 stages instead of 1"),
        ({"currency": "EUR"}, "large", "2 stages instead of 1"),
    ],
)
async def test_an_edit_that_would_take_more_people_is_refused(
    settings: Settings, file: Path, case: tuple[Json, str, str], approve: bool
) -> None:
    args, rule, says = case
    async with live(under(settings, file)) as service:
        ada = await service.new_person("ada@example.com")
        asked = await payment(service)
        refused = await ada.edit(asked, args, approve=approve)
        assert (refused.status, refused.problem) == (422, "invalid-answer")
        told = f"the policy asks more for these arguments (rule {rule}): {says}"
        assert refused.body["detail"].startswith(told)
        assert refused.body["detail"].endswith(f"Nothing was changed. {AGAIN}")
        assert refused.body["errors"] == [{"field": "args", "detail": f"{told}. {AGAIN}"}]
        await unchanged(service, asked, ada)


@pytest.mark.parametrize("approve", [True, False], ids=["and approved", "for another"])
async def test_an_edit_into_what_the_policy_refuses_is_refused_with_its_reason(
    settings: Settings, file: Path, approve: bool
) -> None:
    async with live(under(settings, file)) as service:
        ada = await service.new_person("ada@example.com")
        asked = await payment(service, 20, "refund.send")
        refused = await ada.edit(asked, {"amount": 9000}, approve=approve)
        assert (refused.status, refused.problem) == (422, "invalid-answer")
        assert "(rule refund-too-large): Refunds over 200 are made by the treasury itself" in refused.body["detail"]
        await unchanged(service, asked, ada)


async def test_an_edit_that_takes_as_much_or_less_goes_on_under_the_terms_that_it_has(
    settings: Settings, file: Path
) -> None:
    async with live(under(settings, file)) as service:
        ada, ben, cleo = [await service.new_person(f"{name}@example.com") for name in ("ada", "ben", "cleo")]
        small = (await ada.edit(await payment(service), {"amount": 130, "currency": "EUR"}, approve=False)).ok()
        assert (await ben.approve(small)).ok()["decision"]["args"] == {"amount": 130, "currency": "EUR"}
        large = (await ada.edit(await payment(service, 20_000), {"amount": 600, "currency": "EUR"}, approve=False)).ok()
        assert (await ben.approve(large)).ok()["state"] == "pending"
        assert (await cleo.approve(large)).ok()["votes"][-1]["stage"] == 1
        assert (await service.agent.look(large["id"]))["state"] == "pending", "the second stage is still needed"


async def test_an_edit_takes_no_place_from_a_board_of_two(settings: Settings, file: Path) -> None:
    """Three say yes to either, and of a big one two of the board."""
    policy = """
rules:
  - name: big
    tool: pay
    when: args.amount > 100
    do: ask
    stages:
      - {approvers: [ada@example.com, ben@example.com]}
      - {approvers: [cfo@example.com, coo@example.com], quorum: 2}
  - name: small
    tool: pay
    do: ask
    stages:
      - {approvers: [ada@example.com, ben@example.com], quorum: 2}
      - {approvers: [cfo@example.com, coo@example.com]}
"""
    async with live(under(settings, file, policy)) as service:
        ada = await service.new_person("ada@example.com")
        asked = await service.agent.ask(action={"tool": "pay", "args": {"amount": 1}})
        refused = await ada.edit(asked, {"amount": 1_000_000})
        assert refused.problem == "invalid-answer"
        assert "(rule big): 2 must say yes in stage 2 instead of 1" in refused.body["detail"]


# --- the ladder ---

CLIMBS = """
defaults: {timeout: 8h, approvers: [ada@example.com, ben@example.com]}
rules:
  - {name: never, tool: pay, when: args.amount == 13, do: deny, reason: No such amount.}
  - {name: medium, tool: pay, when: args.amount >= 500, do: ask, escalate: [{after: 4h, approvers: [dan@example.com]}]}
  - {name: small, tool: pay, do: ask}
"""
STAGES = "stages: [{approvers: [ada@example.com, ben@example.com]}, {approvers: [cleo@example.com]}]"


@asynccontextmanager
async def climbed(
    settings: Settings, file: Path, policy: str = CLIMBS, *, after: str = ""
) -> AsyncIterator[tuple[Live, Json, Person]]:
    """A medium payment, and Dan, whom its ladder lets answer by now; `after` this person said yes."""
    async with live(under(settings, file, policy)) as service:
        dan = await service.new_person("dan@example.com")
        asked = await service.agent.ask(action={"tool": "pay", "args": {"amount": 600}}, timeout_s=28_800)
        if after:
            (await (await service.new_person(after)).approve(asked)).ok()
        await let_pass(service.store, asked, timedelta(hours=4))

        async def let_in() -> bool:
            found = await service.store.handoffs.load(asked["id"])
            return bool(found and found.rungs)

        await until(let_in)
        yield service, asked, dan


async def test_an_edit_from_medium_to_small_stands_without_the_ladder_s_people(settings: Settings, file: Path) -> None:
    """Whom the heavier rule alone lets in does not decide about what the lighter one is for."""
    async with climbed(settings, file) as (service, asked, dan):
        ada, ben = [await service.new_person(f"{name}@example.com") for name in ("ada", "ben")]
        small = (await ada.edit(asked, {"amount": 100}, approve=False)).ok()
        refused = await dan.approve(small)
        assert refused.problem == "not-an-approver"
        assert "asks only ada@example.com and ben@example.com about these arguments" in refused.body["detail"]
        assert (await ben.approve(small)).ok()["decision"]["args"] == {"amount": 100}


async def test_whom_the_ladder_let_in_may_say_no_to_any_arguments(settings: Settings, file: Path) -> None:
    async with climbed(settings, file) as (service, asked, dan):
        ada = await service.new_person("ada@example.com")
        small = (await ada.edit(asked, {"amount": 100}, approve=False)).ok()
        assert (await dan.reject(small, "no")).ok()["decision"]["kind"] == "rejected"


async def test_whom_the_ladder_let_in_edits_within_what_it_is_for(settings: Settings, file: Path) -> None:
    async with climbed(settings, file) as (_, asked, dan):
        assert (await dan.edit(asked, {"amount": 100})).problem == "not-an-approver"
        saved = (await dan.edit(asked, {"amount": 100}, approve=False)).ok()
        assert (saved["state"], saved["revision"]) == ("pending", 2)
        assert (await dan.approve(saved)).problem == "not-an-approver"
        assert (await dan.edit(saved, {"amount": 550})).ok()["decision"]["kind"] == "edited"


async def test_an_edit_that_is_no_yes_is_open_to_whom_the_ladder_let_in(settings: Settings, file: Path) -> None:
    """Where nobody approves what they made of it, it waits for another person anyway."""
    policy = CLIMBS.replace("timeout: 8h", "timeout: 8h, not_requester: true")
    async with climbed(settings, file, policy) as (_, asked, dan):
        saved = (await dan.edit(asked, {"amount": 100})).ok()
        assert (saved["state"], saved["revision"]) == ("pending", 2)


@pytest.mark.parametrize(
    "small, may",
    [
        ("small, tool: pay, do: ask, approvers: [dan@example.com, ada@example.com, ben@example.com]", True),
        ("small, tool: pay, do: allow", True),
        ("small, tool: pay, do: ask, quorum: 1", False),
        ("small, tool: pay, do: ask, escalate: [{after: 5h, approvers: [zoe@example.com]}]", True),
    ],
    ids=["lists", "allow", "the same list", "anybody"],
)
async def test_whom_the_ladder_let_in_says_yes_where_the_lighter_rule_lets_them(
    settings: Settings, file: Path, small: str, *, may: bool
) -> None:
    policy = CLIMBS.replace("small, tool: pay, do: ask", small)
    if "zoe" in small:
        approvers = "approvers: [ada@example.com, ben@example.com]"
        policy = policy.replace(f", {approvers}}}", "}").replace("500, do: ask,", f"500, do: ask, {approvers},")
    async with climbed(settings, file, policy) as (service, asked, dan):
        ada = await service.new_person("ada@example.com")
        saved = (await ada.edit(asked, {"amount": 100}, approve=False)).ok()
        assert (await dan.approve(saved)).status == (200 if may else 403)


@pytest.mark.parametrize(
    "small, listed",
    [
        ("", "ada@example.com and ben@example.com"),
        (f", {STAGES.replace('ada@', 'dan@example.com, ada@')}", "cleo@example.com"),
    ],
    ids=["which has one", "which has two"],
)
async def test_whom_the_ladder_let_in_at_a_later_stage_is_looked_for_in_that_of_the_lighter_rule(
    settings: Settings, file: Path, small: str, listed: str
) -> None:
    policy = CLIMBS.replace("pay, do: ask}", f"pay, do: ask{small}}}")
    policy = policy.replace("500, do: ask,", f"500, do: ask, {STAGES},")
    async with climbed(settings, file, policy, after="ada@example.com") as (service, asked, dan):
        ben, cleo = [await service.new_person(f"{name}@example.com") for name in ("ben", "cleo")]
        edited = (await cleo.edit(asked, {"amount": 100}, approve=False)).ok()
        (await ben.approve(edited)).ok()
        refused = await dan.approve(edited)
        assert f"asks only {listed} about these arguments" in refused.body["detail"]
        medium = (await cleo.edit(edited, {"amount": 700}, approve=False)).ok()
        (await ben.approve(medium)).ok()
        assert (await dan.approve(medium)).ok()["state"] == "decided"


@pytest.mark.parametrize(
    "old, new, says",
    [
        (
            "pay, do: ask}",
            "pay, do: ask, escalate: [{after: 5h, approvers: [dan@example.com]}]}",
            "may only answer later",
        ),
        ("timeout: 8h", "timeout: 8h, reassign: anyone", "may not answer after a while any more"),
    ],
)
async def test_a_ladder_that_comes_later_or_may_have_given_its_places_stands_in_the_way(
    settings: Settings, file: Path, old: str, new: str, says: str
) -> None:
    async with climbed(settings, file, CLIMBS.replace(old, new)) as (service, asked, _):
        ada = await service.new_person("ada@example.com")
        refused = await ada.edit(asked, {"amount": 100}, approve=False)
        assert (refused.problem, f"dan@example.com {says}" in refused.body["detail"]) == ("invalid-answer", True)


async def test_what_the_policy_refuses_by_now_is_no_longer_for_whom_only_the_ladder_let_in(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = policies.Policies.__init__
    monkeypatch.setattr(policies.Policies, "__init__", partialmethod(slow, every_s=0.02))
    async with climbed(settings, file) as (service, asked, dan):
        ada = await service.new_person("ada@example.com")
        small = (await ada.edit(asked, {"amount": 14}, approve=False)).ok()
        under(settings, file, CLIMBS.replace("13", "14"))

        async def taken() -> bool:
            return bool((await service.agent.ask(action={"tool": "pay", "args": {"amount": 14}}))["state"] == "decided")

        await until(taken)
        assert "No such amount" in (await dan.approve(small)).body["detail"]


TERMS: dict[str, tuple[str, str]] = {
    "approvers": ("approvers: [ana@example.com, mira@example.com]", "ana@example.com"),
    "quorum": ("quorum: 2", "2 must say yes instead of 1"),
    "step_up": ("step_up: number", "a yes took a press, and takes number"),
    "not_requester": ("not_requester: true", "the requester cannot approve any more"),
    "on_timeout": ("on_timeout: deny", "silence meant approve, and means deny"),
    "to": ('to: ["slack:#board"]', "cards go elsewhere"),
}


@pytest.mark.parametrize("term", TERMS)
async def test_each_stricter_term_stands_in_the_way(settings: Settings, file: Path, term: str) -> None:
    says, told = TERMS[term]
    policy = f"""
defaults: {{timeout: 5m, on_timeout: {"approve" if term == "on_timeout" else "deny"}}}
rules:
  - {{name: much, tool: pay, when: args.amount > 10, do: ask, {says}}}
"""
    async with live(under(settings, file, policy)) as service:
        asked = await service.agent.ask(
            action={"tool": "pay", "args": {"amount": 1}}, reversible=True, on_timeout="approve"
        )
        refused = await service.person.edit(asked, {"amount": 11})
        assert refused.problem == "invalid-answer"
        assert told in refused.body["detail"]
        assert (await service.person.edit(asked, {"amount": 2})).ok()["decision"]["kind"] == "edited"


async def test_the_risk_of_an_edit_is_told_anew_and_may_refuse_it(settings: Settings, file: Path) -> None:
    policy = """
risk: {}
rules:
  - {name: wreckage, tool: bash, when: risk >= 0.9, do: deny, reason: Take a smaller step.}
"""
    async with live(under(settings, file, policy)) as service:
        asked = await service.agent.ask(gate="bash", action={"tool": "bash", "args": {"command": "git status"}})
        first = await service.store.handoffs.load(asked["id"])
        assert first
        refused = await service.person.edit(asked, {"command": "rm -rf /"})
        assert "Take a smaller step" in refused.body["detail"]
        edited = (await service.person.edit(asked, {"command": "make test"}, approve=False)).ok()
        second = await service.store.handoffs.load(asked["id"])
        assert second
        assert first.route.risk
        assert second.route.risk
        assert second.route.risk.score > first.route.risk.score
        assert second.route.risk.reasons == ("`make` runs the project's own code.",)
        done = (await service.person.edit(edited, {"command": "make check"})).ok()
        third = await service.store.handoffs.load(done["id"])
        assert third
        assert (third.scored, third.revision) == (3, 3)


async def test_an_edit_meets_the_policy_that_stands_now(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = policies.Policies.__init__
    monkeypatch.setattr(policies.Policies, "__init__", partialmethod(slow, every_s=0.02))
    async with live(under(settings, file, "defaults: {timeout: 1h}")) as service:
        asked = await payment(service)
        under(settings, file, "rules: [{name: never, tool: payment.send, do: deny, reason: Closed today.}]")

        async def taken() -> bool:
            return bool((await payment(service))["state"] == "decided")

        await until(taken)
        refused = await service.person.edit(asked, {"amount": 1, "currency": "EUR"})
        assert "Closed today" in refused.body["detail"]
        assert (await service.person.approve(asked)).ok()["state"] == "decided", "its own terms stand"


async def test_the_agent_reads_who_changed_it_and_who_approved_it(settings: Settings) -> None:
    async with live(settings) as service:
        ada, ben = [await service.new_person(f"{name}@example.com") for name in ("ada", "ben")]
        edited = (await ada.edit(await payment(service), {"amount": 1}, approve=False)).ok()
        told = (await ben.approve(edited)).ok()["decision"]["message_for_agent"]
        assert told.startswith("ada changed the arguments and ben approved them. Use the changed arguments")
        edited = (await ada.edit(await payment(service), {"amount": 1}, approve=False)).ok()
        told = (await ada.approve(edited)).ok()["decision"]["message_for_agent"]
        assert told.startswith("ada changed the arguments and approved them.")


MIRAS = PAYMENTS.replace("ada@example.com", "mira@example.com")


@pytest.mark.parametrize("save", [True, False], ids=["for another", "and approved"])
async def test_the_console_s_form_says_why_and_keeps_what_was_typed(
    settings: Settings, file: Path, *, save: bool
) -> None:
    async with live(under(settings, file, MIRAS)) as service, web_surface() as web:
        await web.attach(service)
        asked = await payment(service)
        told = await web.edit(asked, {"amount": "5000000"}, save=save)
        assert "The policy asks more for these arguments (rule large): 2 stages instead of 1" in told.private
        assert (await service.agent.look(asked["id"]))["revision"] == 1
        assert (await web.edit(asked, {"amount": "130"}, save=True)).private == ""
        assert (await service.agent.look(asked["id"]))["revision"] == 2


async def test_slack_says_it_in_the_modal(settings: Settings) -> None:
    policy = MIRAS.replace('to: ["web"]', "timeout: 8h").replace("timeout: 8h\n  timeout: 8h", "timeout: 8h")
    policy = policy.replace("  timeout: 8h\n", "", 1).replace("not_requester: true", "not_requester: false")
    async with house(settings, policy=policy) as slack:
        run = await for_eve(slack.agent)
        asked, card = await slack.asked_card(
            run=run, action={"tool": "payment.send", "args": {"amount": 120, "currency": "EUR"}}
        )
        modal = await (await slack.mira.press(card, "Edit")).opened()
        await modal.fill("amount", "5000000")
        outcome = await modal.submit()
        assert "the policy asks more for these arguments (rule large)" in str(outcome.errors), outcome
        now = await slack.agent.look(asked["id"])
        assert (now["state"], now["revision"]) == ("pending", 1)
        await modal.fill("amount", "130")
        assert (await modal.submit()).closed
        assert (await slack.agent.look(asked["id"]))["revision"] == 2
