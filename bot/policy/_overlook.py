"""Looks a policy over: what cannot work is a fault, what is likely not meant is a warning. Pure.

A fault stops the load. Whatever would only ask more than meant is a warning; whatever would ask less, or can never be
approved, is a fault.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bot.policy._bearing import people, said
from bot.policy._file import Policy
from bot.policy._finding import Finding, Path
from bot.policy._globs import breadth, contain
from bot.policy._index import matcher
from bot.policy._rule import LOOSE, STRICTNESS, Rule
from bot.policy._terms import DEFAULT_TIMEOUT_S, Names, Stage
from bot.policy._unasked import SILENT, too_much
from bot.policy._vain import in_vain

_QUICK_S: Final = 30
_HASTY_S: Final = 300
_SLOW_S: Final = 3 * 86_400
_UNKNOWN: Final = ("", "somebody")
"""Requesters that name nobody, by what agents write."""


def look_over(policy: Policy) -> list[Finding]:
    """Everything there is to say, faults first."""
    found = [
        *_named_twice(policy),
        *_undefined(policy),
        *_unsure(policy),
        *_circles(policy),
        *_shared(policy),
        *_nameless(policy),
        *(each for path, rule in _bearers(policy) for each in _terms(policy, path, rule)),
        *(each for number, rule in enumerate(policy.rules) for each in _rule(policy, ("rules", number), rule)),
        *_shadowed(policy),
        *in_vain(policy),
    ]
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda each: not each.fault)


def _bearers(policy: Policy) -> Iterator[tuple[Path, Rule | None]]:
    """What says how an ask is asked: the defaults, and the rules that may ask."""
    yield ("defaults",), None
    for number, rule in enumerate(policy.rules):
        if rule.do != "deny":
            yield ("rules", number), rule


def _named_twice(policy: Policy) -> Iterator[Finding]:
    names = [rule.name for rule in policy.rules]
    for number, name in enumerate(names):
        if name in names[:number]:
            why = f"another rule is called {name!r}; a decision names its rule, so names must differ"
            yield Finding(fault=True, path=("rules", number, "name"), says=why)


# --- people ----------------------------------------------------------------------------------------


def named(policy: Policy) -> Iterator[tuple[Path, Names]]:
    """Every list of people."""
    for role, names in policy.roles.items():
        yield ("roles", role), names
    yield ("brake", "resume"), policy.brake.resume
    for path, terms in [
        (("defaults",), policy.defaults),
        *((("rules", number), rule) for number, rule in enumerate(policy.rules)),
    ]:
        if terms.approvers:
            yield (*path, "approvers"), terms.approvers
        for number, stage in enumerate(terms.stages or ()):
            yield (*path, "stages", number, "approvers"), stage.approvers
        for number, rung in enumerate(terms.escalate or ()):
            yield (*path, "escalate", number, "approvers"), rung.approvers or ()
            yield (*path, "escalate", number, "mention"), rung.mention or ()


def _undefined(policy: Policy) -> Iterator[Finding]:
    for path, names in named(policy):
        yield from undefined(names, path, roles=frozenset(policy.roles), people=frozenset(policy.people))


def undefined(
    names: Iterable[str], path: Path, *, roles: frozenset[str] | None, people: frozenset[str] | None
) -> Iterator[Finding]:
    """Which of these are names of the file that it does not define; None: what it defines cannot be told."""
    for number, name in enumerate(names):
        kind, _, rest = name.partition(":")
        known = {"role": roles, "person": people}.get(kind)
        if known is not None and rest not in known:
            near = difflib.get_close_matches(rest, sorted(known), n=1)
            where = "roles" if kind == "role" else "people"
            hint = f"did you mean {kind}:{near[0]}?" if near else f"define it under `{where}`"
            yield Finding(fault=True, path=(*path, number), says=f"there is no {kind} {rest!r}; {hint}")


def _circles(policy: Policy) -> Iterator[Finding]:
    for role in policy.roles:
        waiting, seen = [role], set()
        while waiting:
            for name in policy.roles.get(waiting.pop(), ()):
                inner = name.removeprefix("role:")
                if inner == role and name != inner:
                    yield Finding(fault=True, path=("roles", role), says=f"the role {role!r} leads back to itself")
                    waiting.clear()
                    break
                if name != inner and inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)


def _shared(policy: Policy) -> Iterator[Finding]:
    """One id of two people: they would vote as one, whichever was meant."""
    everyone = list(policy.people.items())
    for number, (name, who) in enumerate(everyone):
        for other, whom in everyone[:number]:
            for one in who.ids:
                if any(_is_one(one, each) for each in whom.ids):
                    why = f"{one} is {other!r} already, and two people would have one vote; take it out, or join them"
                    yield Finding(fault=True, path=("people", name), says=why)


def _is_one(one: str, other: str) -> bool:
    """Are these one account? An id without its workspace is so in every workspace."""
    if one == other:
        return True
    (team, _, own), (team_of_other, _, own_of_other) = (
        each.removeprefix("slack:").rpartition("/") for each in (one, other)
    )
    return (
        one.startswith("slack:") and other.startswith("slack:") and own == own_of_other and not (team and team_of_other)
    )


def _count(policy: Policy, names: Names, *, requester: bool) -> int | None:
    """How many people these are at the most; None: a group or a rota can be any number."""
    everyone: set[str] = set()
    for name in _members(policy, names, frozenset()):
        if name.startswith(("on_call:", "teams:")) or (name.startswith("slack:S") and "/" not in name):
            return None
        if name != "requester" or requester:
            everyone.add(_person(policy, name))
    return len(everyone)


def _members(policy: Policy, names: Names, above: frozenset[str]) -> Iterator[str]:
    for name in names:
        role = name.removeprefix("role:")
        if role != name and role not in above:
            yield from _members(policy, policy.roles.get(role, ()), above | {role})
        elif role == name:
            yield name


def _person(policy: Policy, name: str) -> str:
    """One key for one person, whichever of their names is listed."""
    if name.startswith("person:"):
        return name
    return next(
        (
            f"person:{person}"
            for person, ids in policy.known_people.items()
            if name.casefold() in map(str.casefold, ids)
        ),
        name,
    )


def _unsure(policy: Policy) -> Iterator[Finding]:
    """A floor that an agent passes by telling nothing, where what it does can be undone."""
    if policy.confidence_floor is not None and any(rule.do in LOOSE for rule in policy.rules):
        why = (
            "an agent that tells no confidence passes the floor with what it marks reversible, and only there; "
            "`when: confidence >= …` in a rule takes an untold one for 0"
        )
        yield Finding(fault=False, path=("confidence_floor",), says=why, is_note=True)


def _nameless(policy: Policy) -> Iterator[Finding]:
    """`not_requester` where the run may name no requester. What runs silently is left out: it is hardly ever asked."""
    why = (
        "a run need not name a requester by e-mail address or Slack id; where it does not, this keeps only the agent's "
        "owner and the last editor from saying yes, and the card says so. Put a rule before it for such asks, say with "
        """`do: deny` and `when: '!requester.matches("@|^slack:")'`"""
    )
    asks = [(number, rule) for number, rule in enumerate(policy.rules) if rule.do not in {"deny", *SILENT}]
    for number, rule in asks:
        if rule.not_requester and _may_meet_nobody(policy.rules[:number], rule):
            yield Finding(fault=False, path=("rules", number, "not_requester"), says=why)
    rest = [Rule(name="rest", do="ask")] if policy.defaults.do == "ask" else []
    heirs = [(number, rule) for number, rule in asks if rule.not_requester is None]
    heirs += [(len(policy.rules), rule) for rule in rest]
    if policy.defaults.not_requester and any(_may_meet_nobody(policy.rules[:at], rule) for at, rule in heirs):
        yield Finding(fault=False, path=("defaults", "not_requester"), says=why)


def _may_meet_nobody(before: Sequence[Rule], rule: Rule) -> bool:
    """Does this rule match asks of runs that name no requester, which no rule before it takes?"""
    return any(
        (rule.condition is None or bool(_matching(rule) & rule.condition.outcomes(requester=who)))
        and not any(_takes(first, who) and _reaches(first, rule) for first in before)
        for who in _UNKNOWN
    )


def _takes(rule: Rule, who: str) -> bool:
    """Does its condition hold whenever this is the requester?"""
    condition = rule.condition
    return condition is None or (
        condition.variables == {"requester"} and condition.outcomes(requester=who) <= _matching(rule)
    )


def _matching(rule: Rule) -> frozenset[bool | None]:
    """With which outcomes of its condition a rule matches: what cannot be told holds where it asks or refuses."""
    return frozenset({True}) if rule.do in LOOSE else frozenset({True, None})


# --- terms -----------------------------------------------------------------------------------------


def _terms(policy: Policy, path: Path, rule: Rule | None) -> Iterator[Finding]:
    """What a rule says together with the defaults."""
    yield from _reachable(policy, path, rule)
    yield from _times(policy, path, rule)
    yield from _helpers(policy, path, rule)
    own = rule or policy.defaults
    for number, offer in enumerate(own.grants or ()):
        if not offer.same and offer.scope != "run":
            why = (
                f"one yes lets any arguments of the tool run, in every run of the {offer.scope}; "
                "name what must be the `same`, or say `scope: run`"
            )
            yield Finding(fault=False, path=(*path, "grants", number), says=why)
    if said(policy, rule, "on_timeout") != "approve":
        return
    stages, _, quorum = people(policy, rule)
    step_up = said(policy, rule, "step_up")
    if step_up or stages or quorum > 1:
        many = f"`step_up: {step_up}`" if step_up else "`stages`" if stages else f"`quorum: {quorum}`"
        why = f"`on_timeout: approve` beside {many}: silence would give what takes more than one press; say `deny`"
        yield Finding(fault=True, path=path, says=why)
    elif own.on_timeout == "approve":
        yield from _consent(policy, path, rule)


def _consent(policy: Policy, path: Path, rule: Rule | None) -> Iterator[Finding]:
    """Silence that means yes."""
    where = (*path, "on_timeout")
    if rule is None:
        yield Finding(
            fault=False, path=where, says="silence means yes wherever no rule says otherwise; say it in single rules"
        )
    elif (reach := breadth(rule.tool)) and matcher(rule.gate) is None and rule.condition is None:
        why = f"silence means yes for {reach} at any gate; name the tools or the gate"
        yield Finding(fault=False, path=where, says=why)
    if (said(policy, rule, "timeout") or DEFAULT_TIMEOUT_S) < _HASTY_S:
        why = f"silence means yes after less than {_HASTY_S // 60} minutes, before most people could look"
        yield Finding(fault=False, path=where, says=why)
    if rule and _is_never_reversible(policy, rule):
        why = "silence never means yes here: nothing that meets this rule is marked reversible"
        yield Finding(fault=False, path=where, says=why)


def _helpers(policy: Policy, path: Path, rule: Rule | None) -> Iterator[Finding]:
    """Rungs with approvers beside stages: they do not help where one would think."""
    stages, _, _ = people(policy, rule)
    for number, rung in enumerate(said(policy, rule, "escalate") or ()) if stages else ():
        if rung.approvers:
            why = (
                "beside `stages` these may say yes in the one stage in which the rung is climbed, like its own people, "
                "and in no other; list them in the stages that they belong to"
            )
            own = (*path, "escalate", number, "approvers")
            yield Finding(fault=False, path=own, says=why)


def _reachable(policy: Policy, path: Path, rule: Rule | None) -> Iterator[Finding]:
    """Can as many people say yes as must?"""
    stages, approvers, quorum = people(policy, rule)
    free = not said(policy, rule, "not_requester")
    steps: Iterable[tuple[Path, Names, int]] = (
        (
            ((*path, "stages", number), each.approvers, _quorum(policy, rule, stages, each))
            for number, each in enumerate(stages)
        )
        if stages
        else [((*path, "approvers"), approvers, quorum)]
        if approvers
        else []
    )
    for where, names, wanted in steps:
        count = _count(policy, names, requester=free)
        if count is not None and count < wanted:
            but = " (the requester does not count: `not_requester`)" if not free and "requester" in names else ""
            why = f"{wanted} must say yes, and only {count} listed could{but}; list more people, or lower `quorum`"
            yield Finding(fault=True, path=where, says=why)
        elif not free and "requester" in _members(policy, names, frozenset()):
            why = "`requester` is listed, and `not_requester` keeps them from saying yes; take one out"
            yield Finding(fault=False, path=where, says=why)


def _quorum(policy: Policy, rule: Rule | None, stages: tuple[Stage, ...], stage: Stage) -> int:
    alone = said(policy, rule, "step_up") == "critical" and len(stages) == 1
    return max(2, stage.quorum) if alone else stage.quorum


def _times(policy: Policy, path: Path, rule: Rule | None) -> Iterator[Finding]:
    own = rule or policy.defaults
    limit = said(policy, rule, "timeout")
    if own.timeout is not None and own.timeout < _QUICK_S:
        why = f"nobody can answer within {own.timeout} s; the shortest that people keep up with is {_QUICK_S} s"
        yield Finding(fault=False, path=(*path, "timeout"), says=why)
    if own.timeout is not None and own.timeout > _SLOW_S:
        why = "an ask that is older than three days is answered without remembering why it was asked"
        yield Finding(fault=False, path=(*path, "timeout"), says=why)
    if limit is None:
        return
    late = [("remind", each) for each in own.remind or ()] + [("escalate", each.after) for each in own.escalate or ()]
    for name, after in late:
        if after >= limit:
            why = f"at {after} s it is over already: the timeout is {limit} s"
            yield Finding(fault=False, path=(*path, name), says=why)


# --- rules -----------------------------------------------------------------------------------------


def _rule(policy: Policy, path: Path, rule: Rule) -> Iterator[Finding]:
    if rule.ramp and rule.do != "ask":
        why = f"a ramp loosens what is asked, and this rule says `do: {rule.do}`; say `do: ask`"
        yield Finding(fault=True, path=(*path, "ramp"), says=why)
    yield from too_much(policy, path, rule)
    if rule.do in {"sample", "review"} and _is_never_reversible(policy, rule):
        why = (
            f"`{rule.do}` is for what can be undone, and nothing that meets this rule is marked so: all of it is asked"
        )
        yield Finding(fault=False, path=(*path, "do"), says=why)


def _is_never_reversible(policy: Policy, rule: Rule) -> bool:
    """Do the condition or every example say so?"""
    words = [word.text for word in rule.condition.words] if rule.condition else []
    pairs = list(zip(["", *words], [*words, ""], strict=True))
    if "||" not in words and (("!", "reversible") in pairs or _says_false(words)):
        return True
    met = [
        each
        for each in policy.examples
        if each.tool and (matches := matcher(rule.tool)) and matches(each.tool) and _any(rule.gate, each.gate)
    ]
    return bool(met) and not any(each.reversible for each in met)


def _says_false(words: list[str]) -> bool:
    return any(words[at : at + 3] == ["reversible", "==", "false"] for at in range(len(words)))


def _any(globs: tuple[str, ...], name: str) -> bool:
    matches = matcher(globs)
    return matches is None or bool(matches(name))


def _shadowed(policy: Policy) -> Iterator[Finding]:
    """Rules that can never match, because one before them takes all that they could."""
    for number, rule in enumerate(policy.rules):
        first = next((each for each in policy.rules[:number] if _covers(each, rule)), None)
        if first is None:
            continue
        stricter = STRICTNESS[rule.do] > STRICTNESS[first.do]
        why = f"it never matches: rule {first.name!r} stands before it and takes all of it"
        tail = f", so what should be {_done(rule)} is not; put it first, or narrow {first.name!r}" if stricter else ""
        yield Finding(fault=stricter, path=("rules", number), says=why + tail)


def _done(rule: Rule) -> str:
    return {"deny": "refused", "ask": "asked about", "review": "reviewed", "sample": "sampled"}.get(rule.do, "told")


def _covers(first: Rule, rule: Rule) -> bool:
    """Does every action that could match `rule` match `first`?"""
    return (first.condition is None or first.when == rule.when) and _reaches(first, rule)


def _reaches(first: Rule, rule: Rule) -> bool:
    """Likewise, but for their conditions."""
    if "checkpoint" in rule.gate and "checkpoint" not in first.gate:
        return False  # what happens at checkpoints is for those alone that name that gate
    if first.checkpoint is not None and not (rule.checkpoint and contain(first.checkpoint, rule.checkpoint)):
        return False
    return (
        contain(first.tool, rule.tool)
        and contain(first.gate, rule.gate)
        and contain(first.agent, rule.agent)
        and all(rule.labels.get(name) == value for name, value in first.labels.items())
    )
