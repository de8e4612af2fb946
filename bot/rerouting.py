"""What a person makes of an action is put to the policy again: an edit gets nobody past a rule that it would meet."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic import JsonValue

from andon import wire
from bot.errors import Fault, Gone, InvalidAnswer
from bot.gathering import Gathering
from bot.handoff import Handoff, Risk, Route
from bot.policy import CHECKPOINT, Policy, Routed, route, rules_at_checkpoints, stricter
from bot.runs import Runs

_THEN = "Reject it with a reason, so that the agent asks again."


class Rerouting:
    """Puts edited arguments to the policy that stands now."""

    def __init__(self, runs: Runs, policy: Callable[[], Policy], gathering: Gathering) -> None:
        """`policy` tells which one stands."""
        self._runs = runs
        self._policy = policy
        self._gathering = gathering

    async def check(self, handoff: Handoff, args: Mapping[str, JsonValue]) -> Risk | None:
        """Let the edit pass where the policy asks for no more than this handoff does already; returns its risk.

        No grant counts: what spares an ask is not what makes an edit right.

        Raises:
            InvalidAnswer: The policy refuses these arguments, or wants them asked in another way; nothing has changed.
            StoreUnavailable: What a rule looks at cannot be read.
        """
        routed = await self._routed(handoff, args)
        if routed is None:
            return None
        if why := _why_not(handoff, routed):
            raise _refused(handoff, *why)
        return routed.route.risk

    async def terms(self, handoff: Handoff, args: Mapping[str, JsonValue], stage: int) -> Route | None:
        """Whom the policy would ask about these arguments in this stage, its whole ladder too; None: nobody by name.

        Raises:
            InvalidAnswer: The policy refuses them, or nothing can be told, because the run is gone.
            StoreUnavailable: What a rule looks at cannot be read.
        """
        routed = await self._routed(handoff, args)
        if routed is None or routed.do not in {"ask", "deny"}:
            return None
        if routed.do == "deny":
            raise _refused(handoff, *_why_not(handoff, routed))
        steps, ladder = routed.route.steps, (name for rung in routed.route.escalate for name in rung.approvers)
        listed = steps[min(stage, len(steps)) - 1].approvers
        return replace(routed.route, approvers=(*listed, *ladder), stages=()) if listed else None

    async def _routed(self, handoff: Handoff, args: Mapping[str, JsonValue]) -> Routed | None:
        """What the policy says of these arguments; None where it has no say."""
        ask, policy = handoff.ask, self._policy()
        if ask.gate == CHECKPOINT:
            at_checkpoints = rules_at_checkpoints(policy)
            if at_checkpoints is None:
                return None
            policy = at_checkpoints
        if not isinstance(ask, wire.Confirmation) or ask.action is None:
            return None
        edited = ask.model_copy(update={"action": ask.action.model_copy(update={"args": args})})
        try:
            run = await self._runs.known(handoff.agent, handoff.run)
        except Gone as error:
            raise _refused(handoff, "the run is gone, so the policy cannot be asked about these arguments") from error
        situation = await self._gathering.gather(policy, edited, handoff.id, handoff.agent, run, to=handoff.route.to)
        situation = replace(situation, requester=handoff.requester or "", grants=())
        return route(policy, situation)


def _why_not(handoff: Handoff, routed: Routed) -> tuple[str, ...]:
    """Why the edit must not stand under the terms that the handoff has, the first with its rule; empty: it may."""
    rule = f"rule {routed.rule.name}" if routed.rule else "defaults"
    if routed.do == "deny":
        reason = (routed.reason or "no rule names them").rstrip(".")
        return (f"the policy refuses these arguments ({rule}): {reason}",)
    if routed.do != "ask":
        return ()
    first, *more = stricter(handoff.route, routed.route) or ("",)
    return (f"the policy asks more for these arguments ({rule}): {first}", *more) if first else ()


def _refused(handoff: Handoff, why: str, *more: str) -> InvalidAnswer:
    """Beside the form stands the first reason alone: there is little room."""
    msg = f"{'; '.join((why, *more))}. Nothing was changed. {_THEN}"
    return InvalidAnswer(msg, faults=[Fault("args", f"{why}. {_THEN}")], handoff=handoff.id)
