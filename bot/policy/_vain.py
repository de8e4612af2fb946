"""What a policy says for nothing: terms that can never hold where they stand. Pure."""

from collections.abc import Iterator

from bot.policy._bearing import people, said
from bot.policy._file import Policy
from bot.policy._finding import Finding, Path
from bot.policy._rule import Rule
from bot.policy._terms import Terms


def in_vain(policy: Policy) -> Iterator[Finding]:
    """Whoever wrote these meant something that does not happen."""
    for number, rule in enumerate(policy.rules):
        path = ("rules", number)
        yield from _refusing(path, rule) if rule.do == "deny" else _offering(policy, path, rule)
        if rule.reason and rule.do != "deny":
            why = f"the agent reads it only where the rule says `do: deny`; with `do: {rule.do}` nobody ever does"
            yield Finding(fault=False, path=(*path, "reason"), says=why)
    heirs = [None, *(rule for rule in policy.rules if rule.do == "ask" and rule.grants is None)]
    if policy.defaults.grants and all(_bars_grants(policy, rule) for rule in heirs):
        why = f"no card ever offers these, because of {_bars_grants(policy, None)}; take one of the two out"
        yield Finding(fault=False, path=("defaults", "grants"), says=why)


def _refusing(path: Path, rule: Rule) -> Iterator[Finding]:
    idle = [name for name in Terms.model_fields if getattr(rule, name) is not None]
    if idle:
        names = ", ".join(f"`{name}`" for name in idle)
        why = f"nobody is asked about what is refused, so this says nothing: {names}; take it out, or say `do: ask`"
        yield Finding(fault=False, path=(*path, idle[0]), says=why)


def _offering(policy: Policy, path: Path, rule: Rule) -> Iterator[Finding]:
    if not rule.grants:
        return
    if rule.do != "ask":
        why = f"a card offers grants only where the rule says `do: ask`; with `do: {rule.do}` it never does"
        yield Finding(fault=False, path=(*path, "grants"), says=why)
    elif bar := _bars_grants(policy, rule):
        why = f"no card ever offers these, because of {bar}; take one of the two out"
        yield Finding(fault=False, path=(*path, "grants"), says=why)


def _bars_grants(policy: Policy, rule: Rule | None) -> str:
    """Why nothing is granted here, whatever is offered; empty: it may be."""
    if step_up := said(policy, rule, "step_up"):
        return f"`step_up: {step_up}`"
    if said(policy, rule, "no_grants"):
        return "`no_grants`"
    stages, _, quorum = people(policy, rule)
    if stages and (len(stages) > 1 or stages[0].quorum > 1):
        return "`stages`"
    return f"`quorum: {quorum}`" if quorum > 1 else ""
