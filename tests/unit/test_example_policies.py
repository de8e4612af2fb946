"""The policies that people copy: each loads without a fault or a warning, and says of its examples what it claims."""

from pathlib import Path

import pytest
import yaml

from bot.handoff import Risk
from bot.policy import Example, Policy, Read, read, run_examples
from bot.risk import RiskQuestion, judge

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "policies"
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def loaded(name: str) -> Read:
    return read((FOLDER / name).read_text(encoding="utf-8"), name)


def score(example: Example) -> Risk | None:
    """As the service would, with the scorer that comes with Andon."""
    if not example.tool:
        return None
    return judge(
        RiskQuestion(
            tool=example.tool,
            args=example.args,
            gate=example.gate,
            agent=example.agent,
            reversible=example.reversible,
            requester=example.requester,
        )
    )


def test_there_is_one_for_each_kind_of_agent() -> None:
    kinds = "coding-agent medical-triage payments personal-assistant recommender site-reliability"
    assert {Path(name).stem for name in NAMES} >= set(kinds.split())


@pytest.mark.parametrize("name", NAMES)
def test_it_has_no_fault_and_no_warning(name: str) -> None:
    """Whoever copies it can have `check --strict` in CI from the first day."""
    assert loaded(name).warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_of_its_examples_what_it_claims(name: str) -> None:
    tested = run_examples(loaded(name).policy, score)
    assert len(tested) >= 8
    assert [(each.name, each.differs, each.said) for each in tested if each.differs] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_of_its_rules_has_an_example(name: str) -> None:
    """A rule that no example meets is one that nobody has tried."""
    policy = loaded(name).policy
    tried = {each.expect.rule for each in policy.examples}
    assert {rule.name for rule in policy.rules} <= tried


@pytest.mark.parametrize("name", NAMES)
def test_an_example_that_is_wrong_is_told(name: str) -> None:
    data = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    wrong = {"allow": "deny"}.get(data["examples"][0]["expect"]["do"], "allow")
    data["examples"][0]["expect"]["do"] = wrong
    tested = run_examples(read(yaml.safe_dump(data)).policy, score)
    assert tested[0].differs


@pytest.mark.parametrize("name", NAMES)
def test_a_scorer_that_is_away_lets_nothing_run_that_it_would_have_judged(name: str) -> None:
    """Every rule that lets something run by its risk must not do so at 1.0."""
    policy = loaded(name).policy
    by_risk = {rule.name for rule in policy.rules if rule.condition and "risk" in rule.condition.variables}
    for each in run_examples(without_risk(policy), lambda _: Risk(1.0)):
        do, _, rule = each.said.partition(" by ")
        assert rule not in by_risk or do in {"ask", "deny"}, each


def without_risk(policy: Policy) -> Policy:
    return policy.model_copy(update={"examples": tuple(e.model_copy(update={"risk": None}) for e in policy.examples)})


def test_medical_triage_lets_nothing_go_by_silence_or_by_a_grant() -> None:
    policy = loaded("medical-triage.yaml").policy
    assert policy.defaults.do == "deny"
    assert all(rule.on_timeout in {None, "deny"} and not rule.grants for rule in policy.rules)
    assert policy.defaults.no_grants
