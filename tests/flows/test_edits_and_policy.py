"""An edit is put to the policy again: by whichever way it comes, it gets nobody past a rule that it would meet."""

from functools import partialmethod
from pathlib import Path

import pytest

from bot import policies
from bot.config import Settings
from tests.adapters.web_surface import web_surface
from tests.flows.slack_house import house
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
