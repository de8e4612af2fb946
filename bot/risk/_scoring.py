"""Asks the scorer that the policy names, once per question, and never waits for it longer than the policy says.

What cannot be scored is 1.0 with the reason, and that is not remembered for long: the next ask tries again.
"""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final, Protocol

from bot.handoff import Risk
from bot.risk._question import MOST, MOST_REASONS, CannotScore, RiskQuestion, Scorer
from bot.risk._remote import Remote
from bot.risk._rules import Rules

log = logging.getLogger("andon")

GROUP: Final = "andon.scorers"
OURS: Final = "rules"

_KEPT: Final = 4_096
_KEPT_S: Final = 300.0
_FAILURE_KEPT_S: Final = 1.0
_REASON_CHARS: Final = 300


class Choice(Protocol):
    """Which scorer the policy names."""

    @property
    def name(self) -> str:
        """An entry point, or `rules`."""
        ...

    @property
    def url(self) -> str | None:
        """Or an address that is asked."""
        ...

    @property
    def timeout(self) -> int:
        """Seconds."""
        ...


class Scoring:
    """Scores by whatever scorer a policy names."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is opened before it is needed."""
        self._clock = clock
        self._scorers: dict[tuple[str, str | None], Scorer] = {}
        self._kept: OrderedDict[tuple[str, str | None, str], tuple[float, Risk]] = OrderedDict()
        self._asking: dict[tuple[str, str | None, str], asyncio.Task[Risk]] = {}

    async def close(self) -> None:
        """Stop asking, and close what was opened."""
        for task in list(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        for scorer in self._scorers.values():
            if isinstance(scorer, Remote | Rules):
                await scorer.close()
        self._scorers.clear()

    async def score(self, choice: Choice, question: RiskQuestion) -> Risk:
        """The score; 1.0 with the reason when there is none. The same question at the same time is asked once."""
        try:
            key = (choice.name, choice.url, question.digest)
        except ValueError as error:
            return _unscored(f"the action has no canonical form ({error})")
        kept = self._kept.get(key)
        if kept and kept[0] > self._clock():
            return kept[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(choice, question, key), name="risk")
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, choice: Choice, question: RiskQuestion, key: tuple[str, str | None, str]) -> Risk:
        life = _KEPT_S
        try:
            async with asyncio.timeout(choice.timeout):
                risk = _checked(await self._scorer(choice).score(question))
        except TimeoutError:
            risk, life = _unscored(f"the scorer did not answer within {choice.timeout} s"), _FAILURE_KEPT_S
        except CannotScore as error:
            risk, life = _unscored(str(error)), _FAILURE_KEPT_S
        except Exception as error:  # noqa: BLE001  # somebody else's code: whatever it raises, the action is gated
            risk, life = _unscored(f"the scorer failed with {type(error).__name__}"), _FAILURE_KEPT_S
        if life == _FAILURE_KEPT_S:
            log.warning(
                "risk.unscored scorer=%s tool=%s detail=%s", choice.url or choice.name, question.tool, risk.reasons[0]
            )
        self._kept[key] = (self._clock() + life, risk)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return risk

    def _scorer(self, choice: Choice) -> Scorer:
        key = (choice.name, choice.url)
        found = self._scorers.get(key)
        if found is None:
            found = self._scorers[key] = Remote(choice.url) if choice.url else _named(choice.name)
        return found


def faults(choice: Choice | None) -> list[str]:
    """What is wrong with the scorer that a policy names; nothing is asked of it."""
    if choice is None or choice.url:
        return []
    try:
        _named(choice.name)
    except CannotScore as error:
        return [f"policy, risk.name: {error}; until then every risk is 1.0"]
    return []


def _named(name: str) -> Scorer:
    if name == OURS:
        return Rules()
    found = {each.name: each for each in entry_points(group=GROUP)}
    if name not in found:
        there = ", ".join(sorted({OURS, *found}))
        msg = f"there is no scorer {name!r} among the entry points {GROUP!r}; there are {there}"
        raise CannotScore(msg)
    try:
        scorer: Scorer = found[name].load()()
    except Exception as error:
        msg = f"the scorer {name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise CannotScore(msg) from error
    return scorer


def _checked(risk: object) -> Risk:
    """What a scorer said, if it makes sense."""
    if not isinstance(risk, Risk):
        msg = f"the scorer answered a {type(risk).__name__}, and no risk"
        raise CannotScore(msg)
    score: object = risk.score  # whatever its author put there
    reasons: object = risk.reasons
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
        msg = f"the scorer answered {score!r}, which is not between 0 and 1"
        raise CannotScore(msg)
    if not isinstance(reasons, tuple | list) or not all(isinstance(reason, str) for reason in reasons):
        msg = "the scorer's reasons are no sentences"
        raise CannotScore(msg)
    return Risk(float(score), tuple(reason[:_REASON_CHARS] for reason in reasons[: MOST_REASONS + 1]))


def _unscored(why: str) -> Risk:
    return Risk(MOST, (f"The risk could not be scored: {why}.",))
