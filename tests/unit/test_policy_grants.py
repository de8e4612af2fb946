"""What a standing grant does in the policy: it spares an ask that the terms in force would still offer to spare."""

from dataclasses import replace
from typing import Any

import pytest

from andon import wire
from bot.policy import Grant, Policy, Routed, Situation, needs, parse, route

RUN = "run_" + "r" * 22
GRANT = Grant("gr_1", "send_email", {"to": "alice@x.com"}, scope="run", age_s=10)
MAIL = "{name: mail, tool: send_email, do: ask, grants: [{label: same, same: [to]}]}"


def policy(rule: str = MAIL, more: str = "") -> Policy:
    return parse(f"{more}\nrules: [{rule}]")


def situation(*grants: Grant, tool: str = "send_email", to: Any = "alice@x.com", **ask: Any) -> Situation:
    given = {
        "gate": "g",
        "run": RUN,
        "what": "Send it",
        "why": "She asked",
        "risks": ("It cannot be unsent",),
        "action": wire.Action(tool=tool, args={"to": to, "body": "Hello"}),
        **ask,
    }
    made = wire.Confirmation.model_validate(given)
    return Situation(ask=made, handoff="hf_1", agent="mailer", to=(), grants=grants or (GRANT,))


def said(rules: Policy, about: Situation) -> Routed:
    return route(rules, about)


def test_a_grant_spares_the_ask_and_is_named() -> None:
    routed = said(policy(), situation())
    assert (routed.do, routed.grant) == ("allow", GRANT)


@pytest.mark.parametrize(
    "grant",
    [
        replace(GRANT, tool="send_mail"),
        replace(GRANT, same={"to": "bob@x.com"}),
        replace(GRANT, same={"to": "alice@x.com", "body": "Hello"}),
        replace(GRANT, same={}),
        replace(GRANT, scope="agent"),
        replace(GRANT, age_s=3600),
        replace(GRANT, gate="another"),
    ],
)
def test_what_the_terms_would_not_offer_spares_nothing(grant: Grant) -> None:
    routed = said(policy(), situation(grant))
    assert (routed.do, routed.grant) == ("ask", None)


@pytest.mark.parametrize("to", [1, 1.0, True, None, ["alice@x.com"], "Alice@x.com", "alice@x.com "])
def test_another_value_is_asked(to: Any) -> None:
    assert said(policy(), situation(to=to)).do == "ask"


@pytest.mark.parametrize(
    "granted, asked", [(1, True), (True, 1), (1, 1.0), (1.0, 1), ("1", 1), (None, "null"), (0, False)]
)
def test_a_value_of_another_type_is_asked(granted: Any, asked: Any) -> None:
    grant = replace(GRANT, same={"to": granted})
    assert said(policy(), situation(grant, to=granted)).do == "allow"
    assert said(policy(), situation(grant, to=asked)).do == "ask"


BARRED = {
    "no_grants on the rule": "{name: m, tool: send_email, do: ask, no_grants: true}",
    "a step-up": "{name: m, tool: send_email, do: ask, step_up: number, grants: [{label: same, same: [to]}]}",
    "critical": "{name: m, tool: send_email, do: ask, step_up: critical, grants: [{label: same, same: [to]}]}",
    "a quorum": "{name: m, tool: send_email, do: ask, quorum: 2, grants: [{label: same, same: [to]}]}",
    "two stages": (
        "{name: m, tool: send_email, do: ask, grants: [{label: same, same: [to]}], "
        "stages: [{approvers: [a@x.com]}, {approvers: [b@x.com]}]}"
    ),
    "a stage of two": (
        "{name: m, tool: send_email, do: ask, grants: [{label: same, same: [to]}], "
        "stages: [{approvers: [a@x.com, b@x.com], quorum: 2}]}"
    ),
    "none offered": "{name: m, tool: send_email, do: ask}",
    "a refusal": "{name: m, tool: send_email, do: deny, reason: No., grants: [{label: same, same: [to]}]}",
}


@pytest.mark.parametrize("rule", BARRED.values(), ids=BARRED.keys())
def test_a_grant_from_before_does_nothing_where_none_could_be_given_now(rule: str) -> None:
    routed = said(policy(rule), situation())
    assert routed.do != "allow"
    assert routed.grant is None
    assert routed.do == "deny" or routed.route.offers == ()


def test_the_defaults_bar_grants_too() -> None:
    assert said(policy(MAIL, "defaults: {step_up: number}"), situation()).do == "ask"
    assert said(policy("{name: m, tool: send_email, do: ask}", "defaults: {no_grants: true}"), situation()).do == "ask"


def test_one_stage_of_one_person_may_offer_grants() -> None:
    rule = "{name: m, tool: send_email, do: ask, grants: [{label: same, same: [to]}], stages: [{approvers: [a@x.com]}]}"
    assert said(policy(rule), situation()).do == "allow"


def test_only_a_confirmation_before_its_action_is_spared() -> None:
    after = situation(timing="after", reversible=True, risks=(), result="done")
    assert (said(policy(), after).do, said(policy(), after).grant) == ("deny", None)
    candidate = wire.Candidate(id="a", label="A", action=wire.Action(tool="send_email", args={"to": "alice@x.com"}))
    choice = wire.Choice(gate="g", run=RUN, question="Which?", candidates=(candidate,))
    asked = Situation(ask=choice, handoff="hf_1", agent="mailer", to=(), grants=(GRANT,))
    assert (said(policy(), asked).do, said(policy(), asked).route.offers) == ("ask", ())


@pytest.mark.parametrize(
    "more, changes",
    [("confidence_floor: 0.5", {"confidence": 0.2}), ("escalate_on_failure: 2", {})],
    ids=["low confidence", "failures"],
)
def test_what_a_person_must_look_at_is_asked_all_the_same(more: str, changes: dict[str, Any]) -> None:
    about = replace(situation(**changes), failures=3)
    routed = said(policy(MAIL, more), about)
    assert (routed.do, routed.grant) == ("ask", GRANT), "it is told which grant was not enough"
    assert routed.route.because
    assert routed.route.offers == (), "the card does not promise what would not hold"


@pytest.mark.parametrize("offer", ["{label: same, same: [to]}", "{label: same, same: [to], scope: agent}"])
@pytest.mark.parametrize(
    "more, failures, changes, offered",
    [
        ("escalate_on_failure: 2", 2, {}, False),
        ("escalate_on_failure: 2", 1, {}, True),
        ("confidence_floor: 0.5", 0, {"confidence": 0.4}, False),
        ("confidence_floor: 0.5", 0, {}, False),
        ("confidence_floor: 0.5", 0, {"reversible": True}, True),
        ("confidence_floor: 0.5", 0, {"confidence": 0.5}, True),
    ],
)
def test_a_card_offers_no_grant_that_would_not_spare_the_same_ask_again(
    offer: str, more: str, failures: int, changes: dict[str, Any], *, offered: bool
) -> None:
    """Its words are "don't ask again", and failures or doubt would have it asked again."""
    rule = f"{{name: m, tool: send_email, do: ask, grants: [{offer}]}}"
    routed = said(policy(rule, more), replace(situation(**changes), failures=failures, grants=()))
    assert routed.do == "ask"
    assert bool(routed.route.offers) is offered


def test_a_rule_that_lets_it_run_offers_nothing_when_it_is_asked_after_all() -> None:
    rule = "{name: m, tool: send_email, do: allow, grants: [{label: same, same: [to]}]}"
    routed = said(policy(rule, "confidence_floor: 0.5"), situation(confidence=0.1))
    assert (routed.do, routed.route.offers) == ("ask", ())


def test_grants_are_looked_up_only_where_some_could_stand() -> None:
    assert needs(policy(), situation()).grants
    assert needs(policy("{name: m, do: ask}", "defaults: {grants: [{label: all}]}"), situation()).grants
    assert not needs(policy("{name: m, tool: send_email, do: ask}"), situation()).grants
    assert not needs(policy(), situation(tool="other")).grants
    assert not needs(policy(), situation(timing="after", reversible=True, risks=(), result="x")).grants


def test_a_rule_may_bar_the_grants_that_the_defaults_offer() -> None:
    offered = "defaults: {grants: [{label: same, same: [to]}]}"
    assert said(policy("{name: m, tool: send_email, do: ask}", offered), situation()).do == "allow"
    assert said(policy("{name: m, tool: send_email, do: ask, no_grants: true}", offered), situation()).do == "ask"
