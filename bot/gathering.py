"""Gathers what the policy may look at around an ask, and no more of it than its rules do.

What cannot be had never loosens anything: a store that is away stops the ask, and a risk that cannot be told is 1.0.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Protocol

from andon import wire
from bot import tracing
from bot.handoff import Risk, tool_of
from bot.policy import Grant, Policy, Situation, needs
from bot.policy import Scorer as ScorerChoice
from bot.risk import RiskQuestion, highest

MOST_SCORED: Final = 50
"""Candidates of one choice that are scored; more are not looked at, and count as the highest risk."""

NOBODY_TRUSTED: Final[Mapping[str, int]] = MappingProxyType({})


class RunFacts(Protocol):
    """Tells how a run stands."""

    async def standing(self, run_id: str) -> tuple[int, str, bool]:
        """What went wrong in it so far, the name of its latest checkpoint, or "", and whether it may go on from there.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        ...


class Trust(Protocol):
    """Tells how much trust has grown."""

    async def counts(self, keys: Iterable[str]) -> Mapping[str, int]:
        """Good ends so far, by the key of a trust ramp; a key that is left out has none.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        ...


class Grants(Protocol):
    """Tells which grants stand."""

    async def standing(self, agent: str, run: str, requester: str, tool: str) -> tuple[Grant, ...]:
        """Those that stand now for this tool, given to the run, the agent or the requester.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        ...


class Draws(Protocol):
    """Tells which are of a sample."""

    async def draw(self, agent: str, handoff_id: str, tool: str) -> float:
        """From 0 up to 1.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        ...


class Scoring(Protocol):
    """Tells how risky an action is. It never raises: what cannot be told is 1.0."""

    async def score(self, choice: ScorerChoice, question: RiskQuestion) -> Risk:
        """The score, by the scorer that the policy chooses."""
        ...


class _NoTrust:
    async def counts(self, keys: Iterable[str]) -> Mapping[str, int]:
        _ = keys
        return NOBODY_TRUSTED


class _NoGrants:
    async def standing(self, agent: str, run: str, requester: str, tool: str) -> tuple[Grant, ...]:
        _ = (agent, run, requester, tool)
        return ()


class Gathering:
    """Where the policy's knowledge comes from."""

    def __init__(
        self,
        runs: RunFacts,
        scoring: Scoring,
        *,
        trust: Trust | None = None,
        grants: Grants | None = None,
        draws: Draws | None = None,
    ) -> None:
        """Without `trust` nobody has earned any, and without `grants` none stands."""
        self._runs = runs
        self._scoring = scoring
        self._trust: Trust = trust or _NoTrust()
        self._grants: Grants = grants or _NoGrants()
        self._draws = draws

    @tracing.step("handoff.policy")
    async def gather(
        self,
        policy: Policy,
        ask: wire.Confirmation | wire.Choice | wire.Input,
        handoff_id: str,
        agent: str,
        run: wire.Run,
        *,
        to: tuple[wire.Place, ...],
    ) -> Situation:
        """Everything that the policy's rules for this ask look at.

        Args:
            policy: As it stands now.
            ask: What is asked.
            handoff_id: Samples are drawn by it and the service's secret.
            agent: Who asks.
            run: Where it belongs.
            to: Where its cards go unless the policy says otherwise.

        Raises:
            StoreUnavailable: Something that a rule looks at cannot be read.
        """
        situation = Situation(
            ask=ask,
            handoff=handoff_id,
            agent=agent,
            to=to,
            run_name=run.name,
            labels=run.labels,
            requester=run.requester or "",
        )
        wanted = needs(policy, situation)
        if wanted.run:
            failures, checkpoint, passed = await self._runs.standing(run.id)
            situation = replace(situation, failures=failures, checkpoint=checkpoint, passed=passed)
        if wanted.draws and self._draws:
            situation = replace(situation, draw=await self._draws.draw(agent, handoff_id, tool_of(ask)))
        if wanted.ramps:
            situation = replace(situation, trusted=await self._trust.counts(wanted.ramps))
        if wanted.grants and isinstance(ask, wire.Confirmation) and ask.action:
            standing = await self._grants.standing(agent, run.id, situation.requester, ask.action.tool)
            situation = replace(situation, grants=standing)
        if wanted.risk:
            situation = replace(situation, risk=await self.risk(policy, situation))
        return situation

    async def risk(self, policy: Policy, situation: Situation) -> Risk | None:
        """Of all that it could run, the riskiest; None where it runs nothing."""
        ask, choice = situation.ask, policy.risk or ScorerChoice()
        questions = [
            RiskQuestion(
                tool=action.tool,
                args=action.args,
                gate=ask.gate,
                agent=situation.agent,
                reversible=ask.reversible,
                requester=situation.requester,
            )
            for action in _runs(ask)
        ]
        if len(questions) > MOST_SCORED:
            return Risk(1.0, (f"It could run {len(questions)} actions, and at most {MOST_SCORED} are looked at.",))
        return highest(await asyncio.gather(*(self._scoring.score(choice, question) for question in questions)))


def is_unsure(policy: Policy, ask: wire.Confirmation | wire.Choice | wire.Input) -> bool:
    """Is the agent less sure than the policy wants? It counts in its run as a failure does."""
    floor = policy.confidence_floor
    return floor is not None and ask.confidence is not None and ask.confidence < floor


def _runs(ask: wire.Confirmation | wire.Choice | wire.Input) -> Iterable[wire.Action]:
    match ask:
        case wire.Confirmation(action=wire.Action() as action):
            return (action,)
        case wire.Choice(candidates=candidates):
            return tuple(each.action for each in candidates if each.action)
    return ()
