"""Checkpoints that the policy asks at: a run that reaches one waits for a yes before it goes on."""

import contextlib
import secrets
from dataclasses import replace
from typing import Final, Protocol

from andon import wire
from bot.access import Principal
from bot.errors import AlreadyDecided, CheckpointMoved
from bot.gathering import Gathering
from bot.handoff import Handoff
from bot.policy import CHECKPOINT, Policy, route, rules_at_checkpoints
from bot.runs import WEB, Runs

WHY: Final = "The policy asks at this checkpoint."
RISK: Final = "From here on the run does what it has planned; what it does then may not be taken back."


class Opens(Protocol):
    """What milestones need of the flow."""

    async def open(
        self,
        agent: Principal,
        ask: wire.Confirmation | wire.Choice | wire.Input,
        idempotency_key: str | None,
        fingerprint: str,
        *,
        under: Policy | None = None,
        checkpoint: str | None = None,
    ) -> tuple[Handoff, bool]:
        """Open an ask under these rules instead of the policy's, at this checkpoint instead of the run's latest."""
        ...

    async def withdraw(self, agent: str, handoff_id: str, reason: str | None) -> Handoff:
        """Take it back; raises `AlreadyDecided`."""
        ...


def milestone_ask(agent: str, run: str, name: str, *, risk: str = RISK) -> wire.Confirmation:
    """The question whether to go on. Its only argument is the name, which no edit can change."""
    schema = {
        "type": "object",
        "properties": {"name": {"const": name}},
        "required": ["name"],
        "additionalProperties": False,
    }
    return wire.Confirmation(
        kind="confirmation",
        gate=CHECKPOINT,
        run=run,
        what=f"{agent} reached “{name}”: go on?",
        why=WHY,
        risks=(risk,),
        action=wire.Action.model_validate({"tool": CHECKPOINT, "args": {"name": name}, "schema": schema}),
    )


class Milestones:
    """Saves checkpoints, and asks where the policy says so."""

    def __init__(self, opens: Opens, runs: Runs, gathering: Gathering) -> None:
        """Ask by `opens`, save by `runs`."""
        self._opens = opens
        self._runs = runs
        self._gathering = gathering

    async def save(
        self, policy: Policy, agent: Principal, run_id: str, save: wire.CheckpointSave, idempotency_key: str | None
    ) -> wire.CheckpointReceipt:
        """Save where a run stands, with the handoff to wait for, if the policy asks here; the same key is one save.

        The question is there before the checkpoint, so that none is ever saved past it unasked.

        Raises:
            As `Runs.save_checkpoint` and `Flow.open`.
        """
        rules = rules_at_checkpoints(policy)
        if rules is None:
            return await self._runs.save_checkpoint(agent, run_id, save, idempotency_key)
        run = await self._runs.known(agent.name, run_id)
        ask = milestone_ask(agent.name, run.id, save.name)
        situation = await self._gathering.gather(rules, ask, "", agent.name, run, to=(run.conversation or WEB,))
        routed = route(rules, replace(situation, checkpoint=save.name, passed=True))
        if routed.do == "allow":
            return await self._runs.save_checkpoint(agent, run_id, save, idempotency_key)
        reason = routed.rule.reason if routed.rule else None
        key = idempotency_key or secrets.token_urlsafe(16)
        handoff, _ = await self._opens.open(
            agent,
            milestone_ask(agent.name, run.id, save.name, risk=reason or RISK),
            f"{CHECKPOINT} {run.id} {key}",  # a space: no agent's own key is ever the same
            f"{CHECKPOINT} {save.name}",  # a yes at another one must not be found under the same key
            under=rules,
            checkpoint=save.name,
        )
        try:
            return await self._runs.save_checkpoint(agent, run_id, save, key, handoff=handoff.id)
        except CheckpointMoved:
            with contextlib.suppress(AlreadyDecided):
                await self._opens.withdraw(agent.name, handoff.id, "The run stood elsewhere; nothing was saved.")
            raise
