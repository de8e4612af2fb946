"""A policy is tried: on an action, and a changed one on recorded history, beside a service at work.

A replay is done in slices, and one at a time.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

from andon import wire
from bot.errors import ConfigError, Fault, InvalidBody, TooLarge, TooMany
from bot.handoff import Risk
from bot.history import opened_since
from bot.policy import Policy, Read, Situation, explain, needs, read, situation_of
from bot.replay import MOST, Replay, looks_at_labels, reviews_of
from bot.store import Store

FILE_BYTES: Final = 262_144
"""The longest file that is taken from outside."""
DAYS: Final = 30
_AT_ONCE: Final = 100
"""Runs that are read together."""


class Risks(Protocol):
    """Tells how risky what is asked is. It never raises: what cannot be told is 1.0."""

    async def risk(self, policy: Policy, situation: Situation) -> Risk | None:
        """Of all that it could run, the riskiest; None where it runs nothing."""
        ...


class Rehearsal:
    """Explains and replays; one replay at a time, so that people do not slow down agents."""

    def __init__(self, store: Store, risks: Risks, *, most: int = MOST) -> None:
        """At most `most` handoffs are read."""
        self._store = store
        self._risks = risks
        self._most = most
        self._busy = False

    async def explain(self, policy: Policy, question: wire.PolicyQuestion) -> wire.Explanation:
        """What the policy says of an action; a risk that it does not say is scored, as for an ask."""
        situation = situation_of(policy, question)
        if question.risk is not None or not needs(policy, situation).risk:
            return explain(policy, question)
        risk = await self._risks.risk(policy, situation)
        if risk is None:
            return explain(policy, question)
        told = explain(policy, question.model_copy(update={"risk": risk.score}))
        return told.model_copy(update={"risk": risk.score, "risk_reasons": risk.reasons})

    async def replay(self, text: str, *, days: int = DAYS) -> wire.Replay:
        """What a changed file would have made of the last days.

        Raises:
            InvalidBody: The file has faults; `faults` has each.
            TooLarge: It is over 256 KiB.
            TooMany: Another replay is at work.
            StoreUnavailable: The history cannot be read.
        """
        if len(text.encode(errors="surrogatepass")) > FILE_BYTES:
            raise TooLarge(
                f"the policy is over {FILE_BYTES // 1024} KiB; replay it where it is: python -m bot policy replay"
            )
        if self._busy:
            raise TooMany("another replay is at work; wait until it is done", retry_after_s=5)
        self._busy = True
        try:
            try:
                found = await asyncio.to_thread(read, text)
            except ConfigError as error:
                faults = [Fault("", each) for each in error.faults]
                raise InvalidBody("the policy has faults, so nothing was replayed", faults=faults) from error
            return await replay(self._store, found, days=days, most=self._most)
        finally:
            self._busy = False


async def replay(store: Store, changed: Read, *, days: int = DAYS, most: int = MOST) -> wire.Replay:
    """Run the last days through a policy; others get their turn after each handoff.

    Raises:
        StoreUnavailable: The history cannot be read.
    """
    until = await store.now()
    since = until - timedelta(days=days)
    found = [handoff async for handoff in opened_since(store, since, limit=most + 1)]
    complete, found = len(found) <= most, found[:most]
    labels = await _labels(store, {each.run for each in found}) if looks_at_labels(changed.policy) else {}
    work = Replay(changed, reviews=reviews_of(found), labels=labels)
    for handoff in reversed(found):
        work.take(handoff)
        await asyncio.sleep(0)
    return work.report(since=since, until=until, complete=complete)


async def _labels(store: Store, runs: set[str]) -> Mapping[str, Mapping[str, str]]:
    """Of the runs that are still kept."""
    labels: dict[str, Mapping[str, str]] = {}
    names = sorted(runs)
    for begin in range(0, len(names), _AT_ONCE):
        found = await asyncio.gather(*(store.runs.load(each) for each in names[begin : begin + _AT_ONCE]))
        labels |= {run.id: run.labels for run in found if run}
    return labels
