"""The terms that bear on one ask: its rule's, what that leaves to the defaults, what the ask makes stricter. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from andon import wire
from bot.handoff import Offer, Reason, Route, Rung, Stage, person_named
from bot.policy._file import Policy
from bot.policy._rule import Rule
from bot.policy._situation import Situation
from bot.policy._terms import DEFAULT_TIMEOUT_S
from bot.policy._terms import Stage as StageTerms

STEPS = ("", "number", "critical")
"""What a yes takes besides a press, the strictest last."""


def said(policy: Policy, rule: Rule | None, name: str) -> Any:
    """What the rule says, or else the defaults."""
    own = getattr(rule, name) if rule else None
    return own if own is not None else getattr(policy.defaults, name)


def people(policy: Policy, rule: Rule | None) -> tuple[Any, Any, int]:
    """Stages, or approvers and quorum: the rule's own people stand before the defaults' stages."""
    stages, approvers, quorum = (said(policy, rule, name) for name in ("stages", "approvers", "quorum"))
    if rule and rule.stages is None and (rule.approvers or rule.quorum):
        stages = None
    if stages:
        return stages, None, 1
    quorum = quorum or 1
    return None, approvers, max(2, quorum) if said(policy, rule, "step_up") == "critical" else quorum


def silence(policy: Policy, rule: Rule | None, situation: Situation) -> tuple[str, str]:
    """What silence means, and, where the rule says `approve` and it is not so, why.

    It approves where rule and ask both say so, the ask is reversible, one press would do, and the ask waits as long as
    the policy says: an agent that waits for a second only has not asked anybody.
    """
    ask = situation.ask
    if (said(policy, rule, "on_timeout") or "deny") == "deny":
        return "deny", ""
    if rule and rule.waits(situation):
        return "deny", "nobody has let the run go on from its checkpoint"
    stages, _, quorum = people(policy, rule)
    if not ask.reversible:
        return "deny", "the ask is not marked reversible"
    if ask.on_timeout == "deny":
        return "deny", "the ask says deny"
    if said(policy, rule, "step_up") or stages or quorum > 1:
        return "deny", "a yes takes more than one press"
    if ask.timeout_s is not None and ask.timeout_s < (said(policy, rule, "timeout") or DEFAULT_TIMEOUT_S):
        return "deny", "the ask waits shorter than the policy says"
    return "approve", ""


def bearing(policy: Policy, rule: Rule | None, situation: Situation) -> Route:
    """The terms of an ask that met this rule; None: that met none."""
    limit = said(policy, rule, "timeout")
    wanted = situation.ask.timeout_s or limit or DEFAULT_TIMEOUT_S
    stages, approvers, quorum = people(policy, rule)
    step_up = said(policy, rule, "step_up") or ""
    least = 2 if step_up == "critical" and stages and len(stages) == 1 else 1
    no_grants = bool(said(policy, rule, "no_grants")) or bool(step_up)
    name = rule.name if rule else "default"
    return Route(
        policy="none" if policy.version == "none" else f"{policy.version}/{name}",
        timeout_s=min(wanted, limit) if limit else wanted,
        on_timeout=silence(policy, rule, situation)[0],
        to=said(policy, rule, "to") or situation.to,
        approvers=_people(policy, approvers or (), situation),
        reasons=tuple(Reason(reason.label, reason.text) for reason in said(policy, rule, "reject_reasons") or ()),
        quorum=quorum,
        stages=tuple(
            Stage(_people(policy, each.approvers, situation), max(least, each.quorum)) for each in stages or ()
        ),
        not_requester=bool(said(policy, rule, "not_requester")),
        reject_quorum=said(policy, rule, "reject") == "quorum",
        remind_s=tuple(sorted(said(policy, rule, "remind") or ())),
        escalate=tuple(
            Rung(
                each.after,
                each.to,
                _people(policy, each.approvers or (), situation),
                _people(policy, each.mention or (), situation),
            )
            for each in sorted(said(policy, rule, "escalate") or (), key=lambda each: each.after)
        ),
        step_up=step_up,
        offers=() if no_grants or quorum > 1 or _takes_many(stages) else _offers(policy, rule, situation),
        risk=situation.risk,
        reassign=said(policy, rule, "reassign") or "listed",
    )


def _takes_many(stages: Sequence[StageTerms] | None) -> bool:
    return bool(stages) and (len(stages or ()) > 1 or (stages or ())[0].quorum > 1)


def _offers(policy: Policy, rule: Rule | None, situation: Situation) -> tuple[Offer, ...]:
    """Only before an action, and never for a kind of ask that is not one yes to one action."""
    ask = situation.ask
    if not isinstance(ask, wire.Confirmation) or ask.timing == "after" or ask.action is None:
        return ()
    return tuple(Offer(each.label, each.same, each.scope, each.life) for each in said(policy, rule, "grants") or ())


def together(terms: Route, every: Sequence[Route]) -> tuple[Route, bool]:
    """The terms under which all of these hold; and whether nobody could meet them.

    Climbing a ladder lets nobody answer whom the other rules do not list.
    """
    lists = [each.approvers for each in every if each.approvers]
    approvers = tuple(entry for entry in lists[0] if all(entry in listed for listed in lists)) if lists else ()
    staged = any(each.stages for each in every)
    same = replace(
        terms,
        timeout_s=min(each.timeout_s for each in every),
        approvers=approvers,
        quorum=max(each.quorum for each in every),
        not_requester=any(each.not_requester for each in every),
        reject_quorum=all(each.reject_quorum for each in every),
        reassign="anyone" if all(each.reassign == "anyone" for each in every) else "listed",
        step_up=max((each.step_up for each in every), key=STEPS.index),
        escalate=tuple(replace(rung, approvers=()) for rung in terms.escalate if rung.to or rung.mention),
        offers=(),
    )
    return same, (bool(lists) and not approvers) or (staged and len({each.stages for each in every}) > 1)


def _people(policy: Policy, names: Iterable[str], situation: Situation) -> tuple[str, ...]:
    """Names of the file, and the requester, as who they are; an `on_call:` is found out at the answer."""
    requester = person_named(situation.requester) or "requester"
    return tuple(dict.fromkeys(requester if name == "requester" else name for name in policy.who(tuple(names))))
