"""From a situation to a route. Pure. An ask may make the policy's terms stricter, never looser."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import quote

from andon import wire
from bot.handoff import Offer, Reason, Route, Rung, Stage
from bot.policy._conditions import Faulty
from bot.policy._file import DEFAULT_TIMEOUT_S, Policy, Rule
from bot.policy._situation import Grant, Situation
from bot.policy._terms import Offer as OfferTerms
from bot.policy._terms import Ramp
from bot.policy._terms import Stage as StageTerms
from bot.scope import covers, is_within

Do = Literal["allow", "notify", "sample", "review", "ask", "deny"]
STRICTNESS: Final[Mapping[str, int]] = {"allow": 0, "notify": 1, "sample": 2, "review": 3, "ask": 4, "deny": 5}
_LOOSE: Final = frozenset({"allow", "notify", "sample", "review"})
_SAMPLES: Final = 2**32


@dataclass(frozen=True, slots=True)
class Routed:
    """What the policy says: the terms; a person is asked (`ask`), or it is decided at once.

    `allow`: silently. `notify`: and shown. `review`: and what comes of it is shown for review. `deny`: with the reason.
    """

    do: Literal["allow", "notify", "review", "ask", "deny"]
    route: Route
    reason: str | None = None
    grant: Grant | None = None
    """What allowed it, when a grant did; with `ask`, the one that covers it and was not enough."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be gathered before the policy can be asked about this ask."""

    risk: bool
    ramps: tuple[str, ...]
    """Keys of the trust ramps that it may meet."""
    grants: bool
    """None stands where nothing offers any."""
    run: bool
    """How its run stands: failures so far, and the latest checkpoint."""


def needs(policy: Policy, situation: Situation) -> Needs:
    """Look only at what rules for this tool, gate and agent look at."""
    found = [
        rule
        for tool, _ in _actions(situation.ask)
        for rule in policy.rules
        if _matches(rule, situation, tool, any_checkpoint=True)
    ]
    ramps = [_ramp_of(policy, rule) for rule in found]
    return Needs(
        risk=policy.risk is not None or any(rule.condition and "risk" in rule.condition.variables for rule in found),
        ramps=tuple(
            dict.fromkeys(ramp_key(rule.name, ramp, situation) for rule, ramp in zip(found, ramps, strict=True) if ramp)
        ),
        grants=isinstance(situation.ask, wire.Confirmation)
        and situation.ask.timing == "before"
        and any(each.grants for each in (*found, policy.defaults)),
        run=policy.escalate_on_failure is not None
        or any(
            rule.checkpoint is not None or (rule.condition and rule.condition.variables & {"failures", "checkpoint"})
            for rule in found
        ),
    )


def route(policy: Policy, situation: Situation) -> Routed:
    """Find the first rule that matches, and the terms that hold.

    A choice is looked at once for every tool that its candidates would run, and the strictest rule holds: what is
    refused as a confirmation, or is for some people alone to answer, is not to be had by a choice. Only those may
    answer it whom every rule with `approvers` lists; when that is nobody, it is refused. Choices and inputs need a
    person's answer, so whatever runs them alone asks. What runs nothing has no tool, and only rules for any tool match
    it.

    Silence approves only where the ask is reversible and both the rule and the ask say so.
    """
    ask = situation.ask
    found = [_first(policy, situation, tool, args) for tool, args in _actions(ask)]
    rule = max(found, key=lambda each: (STRICTNESS[_says(policy, each)], _is_restricted(policy, each)))
    do: Do = _says(policy, rule)
    reason = rule.reason if rule else None
    because: list[str] = []
    do, ramp = _ramped(policy, rule, do, situation, because)
    if do in _LOOSE and not isinstance(ask, wire.Confirmation):
        do = "ask"
    do = _tightened(policy, rule, do, situation, because)
    terms = _terms(policy, rule, situation)
    grant = _granted(terms, situation) if do == "ask" else None
    if grant and _tightened(policy, rule, "allow", situation, []) == "allow":
        do = "allow"
    if len(set(map(id, found))) > 1:
        terms, apart = _together(terms, [_terms(policy, each, situation) for each in found])
        if apart and do != "deny":
            do, reason = "deny", APART
    terms = replace(terms, because=tuple(because), ramp=ramp, told=do == "notify", review=do == "review")
    return Routed(_settled(do), terms, reason, grant)


APART: Final = "Nobody may decide about all of these candidates: ask about each of them by itself."


def _is_restricted(policy: Policy, rule: Rule | None) -> bool:
    terms = (rule, policy.defaults)
    return any(each and (each.approvers or each.stages) for each in terms)


def _together(terms: Route, every: list[Route]) -> tuple[Route, bool]:
    """The terms under which all of these hold; and whether nobody could meet them."""
    lists = [each.approvers for each in every if each.approvers]
    approvers = tuple(entry for entry in lists[0] if all(entry in listed for listed in lists)) if lists else ()
    staged = any(each.stages for each in every)
    same = replace(
        terms,
        timeout_s=min(each.timeout_s for each in every),
        approvers=approvers,
        quorum=max(each.quorum for each in every),
        not_requester=any(each.not_requester for each in every),
        step_up=max((each.step_up for each in every), key=("", "number", "critical").index),
        offers=(),
    )
    return same, (bool(lists) and not approvers) or (staged and len({each.stages for each in every}) > 1)


def ramp_key(rule: str, ramp: Ramp, situation: Situation) -> str:
    """Whose trust it is: one text for each rule, and each agent, tool or requester that it tells apart."""
    tools = sorted({tool for tool, _ in _actions(situation.ask) if tool})
    # The requester is the agent's own word: it must not be able to look like another part.
    parts = {"agent": situation.agent, "tool": ",".join(tools), "requester": quote(situation.requester, safe="@+ ")}
    return "|".join([rule, *(f"{name}={parts[name]}" for name in ramp.per)])


def is_sampled(handoff: str, fraction: float) -> bool:
    """Is this one of the sample? The same id always is, or never."""
    drawn = int.from_bytes(hashlib.sha256(f"sample/v1\0{handoff}".encode()).digest()[:4])
    return drawn < fraction * _SAMPLES


def _settled(do: Do) -> Literal["allow", "notify", "review", "ask", "deny"]:
    assert do != "sample"  # noqa: S101  # `_tightened` has drawn it
    return do


# --- which rule ----------------------------------------------------------------------------------


def _says(policy: Policy, rule: Rule | None) -> Do:
    return rule.do if rule else policy.defaults.do


def _actions(ask: wire.Confirmation | wire.Choice | wire.Input) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """What it would run: tools with their arguments, or (None) nothing."""
    match ask:
        case wire.Confirmation(action=wire.Action() as action):
            yield action.tool, action.args
        case wire.Choice(candidates=candidates):
            for each in candidates:
                yield (each.action.tool, each.action.args) if each.action else (None, {})
        case _:
            yield None, {}


def _candidates(policy: Policy, situation: Situation, tool: str | None) -> Iterator[Rule]:
    """Rules that match but for their conditions, in order."""
    return (rule for rule in policy.rules if _matches(rule, situation, tool))


def _first(policy: Policy, situation: Situation, tool: str | None, args: Mapping[str, Any]) -> Rule | None:
    return next((rule for rule in _candidates(policy, situation, tool) if _holds(rule, situation, tool, args)), None)


def _matches(rule: Rule, situation: Situation, tool: str | None, *, any_checkpoint: bool = False) -> bool:
    if "*" not in rule.tool and (tool is None or not _any(rule.tool, tool)):
        return False
    return (
        _any(rule.gate, situation.ask.gate)
        and _any(rule.agent, situation.agent)
        and (any_checkpoint or rule.checkpoint is None or _any(rule.checkpoint, situation.checkpoint))
        and all(situation.labels.get(name) == value for name, value in rule.labels.items())
    )


def _any(globs: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _holds(rule: Rule, situation: Situation, tool: str | None, args: Mapping[str, Any]) -> bool:
    """A condition that cannot be told holds for a rule that asks or refuses, and not for one that lets things run."""
    if rule.condition is None:
        return True
    try:
        return rule.condition.holds(_about(situation, tool, args))
    except Faulty:
        return rule.do not in _LOOSE


def _about(situation: Situation, tool: str | None, args: Mapping[str, Any]) -> Mapping[str, Any]:
    ask = situation.ask
    return {
        "tool": tool or "",
        "args": dict(args),
        "gate": ask.gate,
        "kind": ask.kind,
        "risk": 1.0 if situation.risk is None else situation.risk.score,
        "confidence": 0.0 if ask.confidence is None else ask.confidence,
        "failures": situation.failures,
        "agent": situation.agent,
        "run": situation.run_name,
        "labels": dict(situation.labels),
        "requester": situation.requester,
        "reversible": ask.reversible,
        "checkpoint": situation.checkpoint,
    }


# --- what it comes to ----------------------------------------------------------------------------


def _ramp_of(policy: Policy, rule: Rule) -> Ramp | None:
    return (rule.ramp or policy.defaults.ramp) if rule.do == "ask" else None


def _ramped(policy: Policy, rule: Rule | None, do: Do, situation: Situation, because: list[str]) -> tuple[Do, str]:
    """Trust that grew: from asking to reviewing to samples."""
    ramp = _ramp_of(policy, rule) if rule else policy.defaults.ramp if do == "ask" else None
    if ramp is None or not isinstance(situation.ask, wire.Confirmation) or situation.ask.timing == "after":
        return do, ""
    key = ramp_key(rule.name if rule else "default", ramp, situation)
    good = situation.trusted.get(key, 0)
    if good < ramp.ask:
        because.append(f"Trust is still growing: {good} of {ramp.ask} ended well.")
        return "ask", key
    if good < ramp.ask + ramp.review:
        return "review", key
    sampled = ramp.sample is not None and is_sampled(situation.handoff, ramp.sample)
    return "review" if sampled else "allow", key


def _tightened(policy: Policy, rule: Rule | None, do: Do, situation: Situation, because: list[str]) -> Do:
    """What makes a person be asked although the rule would let it run; and the draw of a sample."""
    ask = situation.ask
    if do not in _LOOSE:
        return do
    if policy.confidence_floor is not None and ask.confidence is not None and ask.confidence < policy.confidence_floor:
        because.append(f"The agent is only {round(ask.confidence * 100)} % sure.")
        return "ask"
    if policy.escalate_on_failure is not None and situation.failures >= policy.escalate_on_failure:
        because.append(f"In this run {situation.failures} actions have failed or were unsure.")
        return "ask"
    if do in {"review", "sample"} and not ask.reversible:
        because.append("It cannot be undone, so it is asked about before and not after.")
        return "ask"
    if do == "sample":
        return "review" if rule and is_sampled(situation.handoff, rule.fraction or 0) else "allow"
    return do


def _granted(terms: Route, situation: Situation) -> Grant | None:
    """The grant that covers this, if the terms as they are now would offer it."""
    ask = situation.ask
    if not isinstance(ask, wire.Confirmation) or ask.action is None:
        return None
    return next(
        (
            grant
            for grant in situation.grants
            if grant.tool == ask.action.tool
            and covers(grant.same, ask.action.args)
            and is_within(terms.offers, grant.same, grant.scope, grant.age_s)
        ),
        None,
    )


def _offers(offers: Iterable[OfferTerms], ask: wire.Confirmation | wire.Choice | wire.Input) -> tuple[Offer, ...]:
    """Only before an action, and never for a kind of ask that is not one yes to one action."""
    if not isinstance(ask, wire.Confirmation) or ask.timing == "after" or ask.action is None:
        return ()
    return tuple(Offer(each.label, each.same, each.scope, each.life) for each in offers)


def _terms(policy: Policy, rule: Rule | None, situation: Situation) -> Route:
    ask = situation.ask

    def said(name: str) -> Any:
        own = getattr(rule, name) if rule else None
        return own if own is not None else getattr(policy.defaults, name)

    limit = said("timeout")
    wanted = ask.timeout_s or limit or DEFAULT_TIMEOUT_S
    silence = said("on_timeout") or "deny"
    if ask.on_timeout == "deny" or not ask.reversible:
        silence = "deny"
    stages, approvers, quorum = said("stages"), said("approvers"), said("quorum") or 1
    if rule and rule.stages is None and (rule.approvers or rule.quorum):
        stages = None  # the rule's own people, not the defaults' stages
    if stages:
        approvers, quorum = None, 1
    step_up = said("step_up") or ""
    if step_up == "critical":
        quorum = max(2, quorum)
        silence = "deny"
    no_grants = bool(said("no_grants")) or bool(step_up)
    name = rule.name if rule else "default"
    return Route(
        policy="none" if policy.version == "none" else f"{policy.version}/{name}",
        timeout_s=min(wanted, limit) if limit else wanted,
        on_timeout=silence,
        to=said("to") or situation.to,
        approvers=_people(policy, approvers or (), situation),
        reasons=tuple(Reason(reason.label, reason.text) for reason in said("reject_reasons") or ()),
        quorum=quorum,
        stages=tuple(Stage(_people(policy, each.approvers, situation), each.quorum) for each in stages or ()),
        not_requester=bool(said("not_requester")),
        reject_quorum=said("reject") == "quorum",
        remind_s=tuple(sorted(said("remind") or ())),
        escalate=tuple(
            Rung(
                each.after,
                each.to,
                _people(policy, each.approvers or (), situation),
                _people(policy, each.mention or (), situation),
            )
            for each in sorted(said("escalate") or (), key=lambda each: each.after)
        ),
        step_up=step_up,
        offers=() if no_grants or quorum > 1 or _is_staged(stages) else _offers(said("grants") or (), ask),
        risk=situation.risk,
    )


def _is_staged(stages: tuple[StageTerms, ...] | None) -> bool:
    return bool(stages) and (len(stages or ()) > 1 or (stages or ())[0].quorum > 1)


def _people(policy: Policy, names: Iterable[str], situation: Situation) -> tuple[str, ...]:
    """Names of the file, and the requester, as who they are; an `on_call:` is found out at the answer."""
    found: list[str] = []
    for name in names:
        kind, _, rest = name.partition(":")
        if kind == "role":
            found += _people(policy, policy.roles.get(rest, (f"role:{rest}",)), situation)
        elif kind == "person":
            found += _ids(policy, rest)
        elif name == "requester":
            found.append(situation.requester.casefold() or "requester")
        else:
            found.append(name)
    return tuple(dict.fromkeys(found))


def _ids(policy: Policy, person: str) -> list[str]:
    who = policy.people.get(person)
    if who is None:
        return [f"person:{person}"]
    slack, teams = (f"slack:{who.slack}" if who.slack else "", f"teams:{who.teams}" if who.teams else "")
    return [each for each in ((who.email or "").casefold(), slack, teams) if each]
