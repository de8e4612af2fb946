"""From an ask to its route. An ask may make the policy's terms stricter, never looser."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from andon import wire
from bot.handoff import Reason, Route
from bot.policy._file import DEFAULT_TIMEOUT_S, Policy, Rule


@dataclass(frozen=True, slots=True)
class Routed:
    """What the policy says: the terms, and `ask`, or `allow` or `deny` at once with the reason."""

    do: Literal["allow", "ask", "deny"]
    route: Route
    reason: str | None = None


def route(
    policy: Policy, ask: wire.Confirmation | wire.Choice | wire.Input, *, agent: str, to: tuple[wire.Place, ...]
) -> Routed:
    """Find the first rule that matches, and the terms that hold.

    A choice is looked at once for every tool that its candidates would run, and the strictest rule holds: what is
    refused as a confirmation, or is for some people alone to answer, is not to be had by a choice. Only those may
    answer it whom every rule with `approvers` lists; when that is nobody, it is refused. Choices and inputs need a
    person's answer, so `allow` asks.
    What runs nothing has no tool, and only rules for any tool match it.

    Silence approves only where the ask is reversible and both the rule and the ask say so.
    """
    found = [_first(policy, tool, ask.gate, agent) for tool in _tools(ask)]
    rule = max(found, key=lambda rule: (_STRICTNESS[_says(policy, rule)], len(_listed(policy, rule)) > 0))
    do, reason = _says(policy, rule), rule.reason if rule else None
    if do == "allow" and not isinstance(ask, wire.Confirmation):
        do = "ask"
    lists = [listed for each in found if (listed := _listed(policy, each))]
    approvers = tuple(entry for entry in lists[0] if all(entry in listed for listed in lists)) if lists else ()
    if lists and not approvers and do != "deny":
        do, reason = "deny", APART
    limit = min((each for each in (_limit(policy, each) for each in found) if each), default=None)
    wanted = ask.timeout_s or limit or DEFAULT_TIMEOUT_S
    silence = (rule and rule.on_timeout) or policy.defaults.on_timeout or "deny"
    if ask.on_timeout == "deny" or not ask.reversible:
        silence = "deny"
    name = rule.name if rule else "default"
    reasons = policy.defaults.reject_reasons if rule is None or rule.reject_reasons is None else rule.reject_reasons
    return Routed(
        do,
        Route(
            policy="none" if policy.version == "none" else f"{policy.version}/{name}",
            timeout_s=min(wanted, limit) if limit else wanted,
            on_timeout=silence,
            to=to,
            approvers=approvers,
            reasons=tuple(Reason(each.label, each.text) for each in reasons or ()),
        ),
        reason,
    )


APART: Final = "Nobody may decide about all of these candidates: ask about each of them by itself."
_STRICTNESS: Final = {"allow": 0, "ask": 1, "deny": 2}


def _says(policy: Policy, rule: Rule | None) -> Literal["allow", "ask", "deny"]:
    return rule.do if rule else policy.defaults.do


def _listed(policy: Policy, rule: Rule | None) -> tuple[str, ...]:
    """Who may answer; empty: any full member."""
    return (rule and rule.approvers) or policy.defaults.approvers or ()


def _limit(policy: Policy, rule: Rule | None) -> int | None:
    return (rule and rule.timeout) or policy.defaults.timeout


def _tools(ask: wire.Confirmation | wire.Choice | wire.Input) -> list[str | None]:
    """What it would run: one tool, several, or (None) nothing."""
    match ask:
        case wire.Confirmation(action=wire.Action(tool=tool)):
            return [tool]
        case wire.Choice(candidates=candidates):
            return [each.action.tool if each.action else None for each in candidates]
        case _:
            return [None]


def _first(policy: Policy, tool: str | None, gate: str, agent: str) -> Rule | None:
    return next((rule for rule in policy.rules if _matches(rule, tool, gate, agent)), None)


def _matches(rule: Rule, tool: str | None, gate: str, agent: str) -> bool:
    of_tool = rule.tool == "*" if tool is None else fnmatchcase(tool, rule.tool)
    return of_tool and fnmatchcase(gate, rule.gate) and fnmatchcase(agent, rule.agent)
