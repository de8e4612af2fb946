"""Which gates become looser or tighter from one policy to the next. Pure.

Both policies are asked the same: the examples of both files, and actions made up of every tool, gate, agent, label,
checkpoint and condition that either of them names, marked reversible or not, with every confidence, risk and number of
failures that makes a difference to either. A condition that changed and that no action tells apart counts as looser,
because nobody can say that it is not.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal

from bot.handoff import Route
from bot.policy._bearing import STEPS
from bot.policy._file import Policy
from bot.policy._grid import Case, cases_of
from bot.policy._route import Routed, route
from bot.policy._rule import STRICTNESS

Way = Literal["looser", "tighter", "different"]

_MOST: Final = 100_000
"""Actions tried at the most; more would take longer than a person waits."""
_NAMED: Final = 6
_ELSEWHERE: Final = "cards go elsewhere"


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes for some actions, in words."""

    way: Way
    about: str
    """`send_email at mail`."""
    says: str
    """`was asked (rule mail), is allowed (rule all)`."""
    when: str = ""
    """For which of them, when it is not for all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changes, the looser first."""

    differences: tuple[Difference, ...]
    tried: int
    """So many actions."""
    complete: bool
    """Were all of them tried?"""

    @property
    def is_looser(self) -> bool:
        """Does anything become looser, or is it not to be told?"""
        return any(each.way == "looser" for each in self.differences) or not self.complete


def compare(old: Policy, new: Policy) -> Comparison:
    """Try both on the same actions."""
    cases = list(islice(cases_of(old, new), _MOST + 1))
    complete = len(cases) <= _MOST
    changes: dict[tuple[str, Way, str], list[Case]] = {}
    tried: dict[str, int] = {}
    told_apart: set[str] = set()
    for case in cases[:_MOST]:
        before, after = route(old, case.situation), route(new, case.situation)
        tried[case.about] = tried.get(case.about, 0) + 1
        for way, says in _changes(before, after):
            changes.setdefault((case.about, way, says), []).append(case)
            told_apart.update(rule.name for rule in (before.rule, after.rule) if rule)
    found = [
        Difference(way, about, says, _facts(group, [each for each in cases if each.about == about]))
        for (about, way, says), group in changes.items()
    ]
    found += _unclear(old, new, told_apart)
    found += _afters(old, new)
    found += _of_the_whole(old, new)
    order = ("looser", "tighter", "different")
    return Comparison(tuple(sorted(found, key=lambda each: order.index(each.way))), sum(tried.values()), complete)


# --- what changes ----------------------------------------------------------------------------------


def _changes(before: Routed, after: Routed) -> Iterator[tuple[Way, str]]:
    if before.do != after.do:
        looser = STRICTNESS[after.do] < STRICTNESS[before.do]
        yield (
            "looser" if looser else "tighter",
            f"was {_done(before.do)} ({_by(before)}), is {_done(after.do)} ({_by(after)})",
        )
    elif before.do == "ask":
        for way, says in _terms(before.route, after.route):
            yield way, f"{says} ({_by(after)})"
    elif before.do == "deny" and before.reason != after.reason:
        yield "different", f"is refused with another reason ({_by(after)})"


def _done(do: str) -> str:
    return {"allow": "allowed", "notify": "allowed and told", "review": "reviewed after", "ask": "asked"}.get(
        do, "refused"
    )


def _by(routed: Routed) -> str:
    return f"rule {routed.rule.name}" if routed.rule else "defaults"


def _terms(old: Route, new: Route) -> Iterator[tuple[Way, str]]:
    """What changes about how it is asked."""
    if old.on_timeout != new.on_timeout:
        yield _way(looser=new.on_timeout == "approve"), f"silence meant {old.on_timeout}, and means {new.on_timeout}"
    yield from _people(old, new)
    if old.not_requester != new.not_requester:
        can = "cannot approve any more" if new.not_requester else "may approve now"
        yield _way(looser=old.not_requester), f"the requester {can}"
    if old.reject_quorum != new.reject_quorum:
        yield (
            _way(looser=new.reject_quorum),
            "one no is not enough any more" if new.reject_quorum else "one no is enough now",
        )
    if old.reassign != new.reassign:
        whom = (
            "anyone, in one's own place" if new.reassign == "anyone" else "those who may answer anyway, and nobody else"
        )
        yield _way(looser=new.reassign == "anyone"), f"it may be handed on to {whom}"
    if old.step_up != new.step_up:
        looser = STEPS.index(new.step_up) < STEPS.index(old.step_up)
        yield _way(looser=looser), f"a yes took {old.step_up or 'a press'}, and takes {new.step_up or 'a press'}"
    more = [each.label for each in new.offers if each not in old.offers]
    less = [each.label for each in old.offers if each not in new.offers]
    if more:
        yield "looser", f"a yes may be given in advance: {', '.join(more)}"
    if less:
        yield "tighter", f"no yes in advance any more: {', '.join(less)}"
    if old.timeout_s != new.timeout_s:
        quick = new.on_timeout == "approve" and new.timeout_s < old.timeout_s
        yield "looser" if quick else "different", f"waits {_span(new.timeout_s)} instead of {_span(old.timeout_s)}"
    yield from _ladder(old, new)


def stricter(held: Route, wanted: Route) -> tuple[str, ...]:
    """What `wanted` asks that an open handoff does not have, in words. Cards elsewhere count: others would see them.

    A shorter wait and fewer grants do not: what is open waits on, and a grant is held to its rule at each use. Nor do
    people whom only the ladder of `held` lets answer, for whoever takes their yes asks whether they may (`Rerouting`);
    but where one of them may have given their place to anybody, nobody could tell.
    """
    if held.reassign == "listed":
        held = _without(held, _let_in(held).keys() - _let_in(wanted).keys())
    told = _terms(held, replace(wanted, offers=held.offers, timeout_s=held.timeout_s))
    elsewhere = [_ELSEWHERE] if not set(wanted.to) <= set(held.to) else []
    return (*(says for way, says in told if way == "tighter"), *elsewhere)


def _without(route: Route, names: Collection[str]) -> Route:
    """The route without these people on its ladder."""
    rungs = (replace(each, approvers=tuple(e for e in each.approvers if e not in names)) for each in route.escalate)
    return replace(route, escalate=tuple(rungs))


def _people(old: Route, new: Route) -> Iterator[tuple[Way, str]]:
    """Stage by stage: those of one stage are not to be had in another."""
    if len(old.steps) != len(new.steps):
        fewer = len(new.steps) < len(old.steps)
        yield _way(looser=fewer), f"{len(new.steps)} stages instead of {len(old.steps)}"
    staged = len(old.steps) > 1 or len(new.steps) > 1
    for number, (before, after) in enumerate(zip(old.steps, new.steps, strict=False), start=1):
        there = f" in stage {number}" if staged else ""
        if before.quorum != after.quorum:
            fewer = after.quorum < before.quorum
            yield _way(looser=fewer), f"{after.quorum} must say yes{there} instead of {before.quorum}"
        was, now = set(before.approvers), set(after.approvers)
        if was == now:
            continue
        if not now or (was and now - was):
            who = "any full member" if not now else _list(now - was)
            yield "looser", f"{who} may answer{there}"
        if was - now and now:
            yield "tighter", f"{_list(was - now)} may not answer{there} any more"
        if not was:
            yield "tighter", f"only {_list(now)} may answer{there}"


def _ladder(old: Route, new: Route) -> Iterator[tuple[Way, str]]:
    listed = all(any(step.approvers for step in each.steps) for each in (old, new))  # else it lets nobody in
    was, now = (_let_in(each) if listed else {} for each in (old, new))
    sooner = {name for name in was.keys() & now.keys() if now[name] < was[name]}
    later = {name for name in was.keys() & now.keys() if now[name] > was[name]}
    if new_ones := now.keys() - was.keys():
        yield "looser", f"{_list(new_ones)} may answer after a while"
    if sooner:
        yield "looser", f"{_list(sooner)} may answer sooner"
    if later:
        yield "tighter", f"{_list(later)} may only answer later"
    if gone := was.keys() - now.keys():
        yield "tighter", f"{_list(gone)} may not answer after a while any more"
    if was == now and (old.escalate, old.remind_s) != (new.escalate, new.remind_s):
        yield "different", "reminders and escalation change"
    if old.to != new.to:
        yield "different", _ELSEWHERE


def _let_in(route: Route) -> dict[str, int]:
    """Who may answer too once the ladder has come so far, and after how many seconds first."""
    found: dict[str, int] = {}
    for rung in sorted(route.escalate, key=lambda each: each.after_s):
        for name in rung.approvers:
            found.setdefault(name, rung.after_s)
    return found


def _way(*, looser: bool) -> Way:
    return "looser" if looser else "tighter"


def _list(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _span(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _facts(group: Sequence[Case], every: Sequence[Case]) -> str:
    """What the changed ones have in common that the others do not."""
    if len(group) == len(every):
        return ""
    common = set(group[0].facts).intersection(*(case.facts for case in group))
    everywhere = set(every[0].facts).intersection(*(case.facts for case in every))
    told = [fact for fact in group[0].facts if fact in common - everywhere]
    return ", ".join(told) or f"in {len(group)} of {len(every)} cases, such as {', '.join(group[0].facts)}"


def _unclear(old: Policy, new: Policy, told_apart: set[str]) -> Iterator[Difference]:
    """Conditions that changed, and nothing shows how."""
    before = {rule.name: rule for rule in old.rules}
    for rule in new.rules:
        was = before.get(rule.name)
        if was and was.when != rule.when and rule.name not in told_apart:
            yield Difference(
                "looser",
                f"rule {rule.name}",
                f"its condition changed from {was.when or 'none'!r} to {rule.when or 'none'!r}, and no action that was "
                "tried tells them apart; add an example that does",
            )


def _afters(old: Policy, new: Policy) -> Iterator[Difference]:
    """What an agent may do first and ask about afterwards."""
    before = {rule.name for rule in old.rules if rule.after}
    after = {rule.name for rule in new.rules if rule.after}
    for name in sorted(after - before):
        yield Difference("looser", f"rule {name}", "an agent may act first and ask afterwards")
    for name in sorted(before - after):
        yield Difference("tighter", f"rule {name}", "an agent may not act first and ask afterwards any more")


def _of_the_whole(old: Policy, new: Policy) -> Iterator[Difference]:
    """What belongs to no gate."""
    for name in ("cards_per_approver_hour", "open_per_agent", "burst"):
        before, after = getattr(old.caps, name), getattr(new.caps, name)
        if before != after:
            looser = after is None or (before is not None and after > before)
            yield Difference(_way(looser=looser), "caps", f"{name} was {before or 'none'}, and is {after or 'none'}")
    yield from (Difference(way, "brake", says) for way, says in (*_resumers(old, new), *_brake_words(old, new)))
    if old.risk != new.risk:
        before_, after_ = ((each.url or each.name) if each else "none" for each in (old.risk, new.risk))
        yield Difference("different", "risk", f"the scorer was {before_}, and is {after_}")
    if old.people != new.people:
        yield Difference("different", "people", "who is who changed; look at it: whoever is linked votes as one")


def _resumers(old: Policy, new: Policy) -> Iterator[tuple[Way, str]]:
    """Who may lift a brake. Where nobody is named, whoever may answer may."""
    was, now = set(old.who(old.brake.resume)), set(new.who(new.brake.resume))
    if was and not now:
        yield "looser", "whoever may answer for a run may resume or end it"
        yield "tighter", f"{_list(was)} may not resume or end whatever it is any more"
    elif now and not was:
        if gained := {name for name in now if any(name not in listed for listed in _answering(old))}:
            yield "looser", f"{_list(gained)} may resume or end a run for which others answer"
        yield "tighter", f"only {_list(now)} may resume or end a run"
    else:
        if now - was:
            yield "looser", f"{_list(now - was)} may resume or end a run"
        if was - now:
            yield "tighter", f"{_list(was - now)} may not resume or end a run any more"


def _answering(policy: Policy) -> Iterator[set[str]]:
    """Who is listed to answer, wherever not anybody may."""
    for terms in (policy.defaults, *policy.rules):
        names = [name for each in terms.stages or () for name in each.approvers]
        if listed := set(policy.who((*(terms.approvers or ()), *names))):
            yield listed


_STOPS: Final = {"stop": ("stop",), "pause": ("pause", "stop"), "resume": ("resume",), "abort": ("abort",)}
"""What a word does at the least where it does what it did before."""


def _brake_words(old: Policy, new: Policy) -> Iterator[tuple[Way, str]]:
    """What people type. Each word of either file is read with both."""
    for action, phrase in _phrases(old):
        if _says(new, phrase) not in _STOPS[action]:
            looser = action in {"stop", "pause"}
            yield "looser" if looser else "different", f"“{phrase}” {action}s nothing any more"
    for action, phrase in _phrases(new):
        if _says(old, phrase) not in _STOPS[action]:
            yield "tighter" if action in {"stop", "pause"} else "different", f"“{phrase}” {action}s"


def _phrases(policy: Policy) -> Iterator[tuple[str, str]]:
    for action, phrases in policy.brake.words.items():
        yield from ((action, phrase) for phrase in phrases)


def _says(policy: Policy, phrase: str) -> str:
    typed = policy.brake.vocabulary.read(phrase, "channel")
    return typed.action if typed else ""
