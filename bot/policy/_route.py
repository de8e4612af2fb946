"""From an ask to its route. An ask may make the policy's terms stricter, never looser."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from andon import wire
from bot.handoff import Route
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

    A choice or an input has no tool of its own and needs a person's answer, so only `ask` and `deny` apply to it.
    Silence approves only where the ask is reversible and both the rule and the ask say so.
    """
    tool = ask.action.tool if isinstance(ask, wire.Confirmation) and ask.action else ask.gate
    rule = next((rule for rule in policy.rules if _matches(rule, tool, ask.gate, agent)), None)
    do: Literal["allow", "ask", "deny"] = rule.do if rule else policy.defaults.do
    if do == "allow" and not isinstance(ask, wire.Confirmation):
        do = "ask"
    limit = (rule and rule.timeout) or policy.defaults.timeout
    wanted = ask.timeout_s or limit or DEFAULT_TIMEOUT_S
    silence = (rule and rule.on_timeout) or policy.defaults.on_timeout or "deny"
    if ask.on_timeout == "deny" or not ask.reversible:
        silence = "deny"
    name = rule.name if rule else "default"
    return Routed(
        do,
        Route(
            policy="none" if policy.version == "none" else f"{policy.version}/{name}",
            timeout_s=min(wanted, limit) if limit else wanted,
            on_timeout=silence,
            to=to,
        ),
        rule.reason if rule else None,
    )


def _matches(rule: Rule, tool: str, gate: str, agent: str) -> bool:
    return fnmatchcase(tool, rule.tool) and fnmatchcase(gate, rule.gate) and fnmatchcase(agent, rule.agent)
