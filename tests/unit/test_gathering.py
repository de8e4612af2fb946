"""What is gathered around an ask: what its rules look at, and nothing else."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from andon import wire
from bot.errors import StoreUnavailable
from bot.gathering import MOST_SCORED, Gathering, is_unsure
from bot.handoff import Risk
from bot.policy import Grant, Policy, Situation, parse
from bot.risk import RiskQuestion

RUN = wire.Run(
    id="run_" + "r" * 22, agent="bot", name="weekly", started_at=datetime(2026, 11, 22, tzinfo=UTC), checkpoint=0,
    requester="ana@example.com", labels={"stage": "test"},
)  # fmt: skip


class Around:
    """Everything that can be asked, and what was."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.risk: Mapping[str, float] = {}
        self.down = False

    async def standing(self, *about: str) -> Any:
        if self.down:
            raise StoreUnavailable("it is away")
        self.asked.append("run" if len(about) == 1 else "grants")
        return (3, "plan", False) if len(about) == 1 else (Grant("g", about[3], {}),)

    async def counts(self, keys: Iterable[str]) -> Mapping[str, int]:
        self.asked.append("trust")
        return dict.fromkeys(keys, 7)

    async def score(self, choice: Any, question: RiskQuestion) -> Risk:
        self.asked.append(f"risk {choice.name} {question.tool} {question.requester}")
        return Risk(self.risk.get(question.tool, 0.2), (question.tool,))


def confirm(tool: str | None = "bash", **more: Any) -> Any:
    action = {"action": {"tool": tool, "args": {"command": "ls"}}} if tool else {}
    asked = {"kind": "confirmation", "gate": "g", "run": RUN.id, "what": "w", "why": "y", "risks": ["r"]}
    done = {} if tool else {"timing": "after", "result": "r", "reversible": True}
    return wire.parse_ask({**asked, **action, **done, **more})


def choose(*tools: str) -> Any:
    candidates = [{"id": f"c{i}", "label": f"l{i}", "action": {"tool": t, "args": {}}} for i, t in enumerate(tools)]
    asked = {"kind": "choice", "gate": "g", "run": RUN.id, "question": "q", "why": "y", "candidates": candidates}
    return wire.parse_ask(asked)


async def gathered(around: Around, policy: Policy, ask: Any) -> Situation:
    made = Gathering(around, around, trust=around, grants=around)
    return await made.gather(policy, ask, "hf", "bot", RUN, to=())


async def test_a_policy_that_looks_at_nothing_costs_nothing() -> None:
    around = Around()
    situation = await gathered(around, parse("rules: [{name: a, tool: bash, do: allow}]"), confirm())
    assert around.asked == []
    assert (situation.risk, situation.failures, situation.trusted, situation.grants) == (None, 0, {}, ())
    assert (situation.labels, situation.requester) == ({"stage": "test"}, "ana@example.com")


@pytest.mark.parametrize(
    "policy,asked",
    [
        ("rules: [{name: a, tool: bash, when: 'risk < 0.5', do: allow}]", ["risk rules bash ana@example.com"]),
        ("rules: [{name: a, tool: other, when: 'risk < 0.5', do: allow}]", []),
        ("rules: [{name: a, tool: bash, agent: else, when: 'risk < 0.5', do: allow}]", []),
        ("risk: {name: house}\nrules: []", ["risk house bash ana@example.com"]),
        ("rules: [{name: a, when: 'failures > 2', do: ask}]", ["run"]),
        ("rules: [{name: a, when: 'checkpoint == \"plan\"', do: ask}]", ["run"]),
        ("rules: [{name: a, checkpoint: plan, do: allow}]", ["run"]),
        ("escalate_on_failure: 2\nrules: []", ["run"]),
        ("rules: [{name: a, do: ask, ramp: {ask: 3}}]", ["trust"]),
        ("rules: [{name: a, tool: bash, do: ask, grants: [{label: ls}]}]", ["grants"]),
    ],
)
async def test_each_thing_is_gathered_when_a_rule_for_this_action_looks_at_it(policy: str, asked: list[str]) -> None:
    around = Around()
    await gathered(around, parse(policy), confirm())
    assert around.asked == asked


async def test_a_rule_for_a_checkpoint_has_its_risk_too() -> None:
    """Which checkpoint it is, is known only after the gathering."""
    around = Around()
    policy = parse("rules: [{name: a, checkpoint: plan, when: 'risk < 0.5', do: allow}]")
    situation = await gathered(around, policy, confirm())
    assert (situation.failures, situation.checkpoint, situation.risk) == (3, "plan", Risk(0.2, ("bash",)))
    assert not situation.passed


async def test_of_a_choice_the_riskiest_candidate_counts() -> None:
    around = Around()
    around.risk = {"b": 0.9}
    situation = await gathered(around, parse("risk: {name: house}\nrules: []"), choose("a", "b", "c"))
    assert situation.risk == Risk(0.9, ("b",))
    assert len(around.asked) == 3


async def test_a_choice_of_very_many_actions_is_the_highest_risk_and_scores_none() -> None:
    around = Around()
    policy = parse("risk: {name: house}\nrules: []")
    situation = await gathered(around, policy, choose(*["a"] * (MOST_SCORED + 1)))
    assert situation.risk
    assert situation.risk.score == 1.0
    assert around.asked == []


async def test_what_runs_nothing_has_no_risk() -> None:
    around = Around()
    situation = await gathered(around, parse("risk: {name: house}\nrules: []"), confirm(None))
    assert situation.risk is None


async def test_a_store_that_is_away_stops_the_ask() -> None:
    around = Around()
    around.down = True
    with pytest.raises(StoreUnavailable):
        await gathered(around, parse("escalate_on_failure: 2\nrules: []"), confirm())


@pytest.mark.parametrize(
    "floor,confidence,expected", [(0.5, 0.4, True), (0.5, 0.5, False), (0.5, None, False), (None, 0.1, False)]
)
def test_who_is_less_sure_than_the_floor_is_unsure(
    floor: float | None, confidence: float | None, expected: bool
) -> None:
    assert is_unsure(Policy(confidence_floor=floor), confirm(confidence=confidence)) is expected
