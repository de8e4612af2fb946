"""Actions on which two policies are compared: the examples of both, and what is made up of their words. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final

from andon import wire
from bot.policy._examples import question_of
from bot.policy._explain import situation_of
from bot.policy._file import Policy
from bot.policy._probe import literals, made_up
from bot.policy._route import needs
from bot.policy._rule import Rule
from bot.policy._situation import Situation

_ARGS: Final = 24
"""Sets of arguments that are made up for one condition."""
_FEW: Final = 3
"""And for one that did not change."""
_OTHER: Final = "anything-else"


@dataclass(frozen=True, slots=True)
class Case:
    situation: Situation
    about: str
    facts: tuple[str, ...]


def cases_of(old: Policy, new: Policy) -> Iterator[Case]:
    """Examples first, then what is made up; each once."""
    seen: set[str] = set()
    for policy in (old, new):
        for example in policy.examples:
            question = question_of(example)
            yield _case(old, new, question, f"example {example.name!r}")
    for question in _made(old, new):
        key = question.model_dump_json()
        if key not in seen:
            seen.add(key)
            yield _case(old, new, question, _about(question))


def _case(old: Policy, new: Policy, question: wire.PolicyQuestion, about: str) -> Case:
    situation = situation_of(old, question)
    both = {**situation.trusted, **dict.fromkeys(needs(new, situation).ramps, question.trusted)}
    facts = [
        "reversible" if question.reversible else "not reversible",
        *([f"confidence {question.confidence:g}"] if question.confidence is not None else []),
        *([f"risk {question.risk:g}"] if question.risk is not None else []),
        *([f"{question.failures} failures"] if question.failures else []),
        *([f"{question.trusted} good ends"] if question.trusted else []),
        *(f"{name} {value}" for name, value in question.labels.items()),
        *([f"args {question.args}"[:80]] if question.args else []),
    ]
    return Case(replace(situation, trusted=both), about, tuple(facts))


def _about(question: wire.PolicyQuestion) -> str:
    place = f" at {question.gate}" if question.gate != _OTHER else ""
    by = f" by {question.agent}" if question.agent != _OTHER else ""
    at = f" after {question.checkpoint}" if question.checkpoint else ""
    return f"{question.tool or 'a question'}{place}{by}{at}".replace(_OTHER, "any other tool")


def _made(old: Policy, new: Policy) -> Iterator[wire.PolicyQuestion]:
    """Actions for each tool that a rule names, and for one that none names; what both treat alike is left out."""
    rules = (*old.rules, *new.rules)
    alike = _terms_of(old) == _terms_of(new)
    tools = dict.fromkeys((_OTHER, None, *(name for rule in rules for name in _samples(rule.tool))))
    subjects: dict[_Subject, None] = dict.fromkeys((tool, _OTHER, _OTHER, "", ()) for tool in tools)
    for rule in rules:
        mine = [*_samples(rule.tool), *([None] if "*" in rule.tool else [])]
        labels = tuple(sorted(rule.labels.items()))
        for tool, gate, agent in product(mine, _samples(rule.gate), _samples(rule.agent)):
            subjects |= dict.fromkeys((tool, gate, agent, each, labels) for each in _samples(rule.checkpoint or ("",)))
    near: dict[str | None, _Near] = {}
    for tool, gate, agent, checkpoint, labels in subjects:
        around = near.get(tool) or near.setdefault(tool, _Near(old, new, tool))
        if alike and around.is_alike:
            continue
        for args, facts in product(around.args, around.facts):
            yield wire.PolicyQuestion(
                tool=tool,
                kind="confirmation" if tool else "input",
                gate=gate,
                agent=agent,
                checkpoint=checkpoint,
                labels=dict(labels),
                args=args,
                reversible=facts.reversible,
                on_timeout="approve" if facts.reversible and tool else "deny",
                confidence=facts.confidence,
                risk=facts.risk,
                failures=facts.failures,
                trusted=facts.trusted,
            )


_Subject = tuple[str | None, str, str, str, tuple[tuple[str, str], ...]]


def _terms_of(policy: Policy) -> tuple[object, ...]:
    """What bears on asks of every tool."""
    return (
        policy.defaults,
        policy.confidence_floor,
        policy.escalate_on_failure,
        policy.roles,
        policy.people,
    )


def _samples(globs: Sequence[str]) -> list[str]:
    """A name for each glob; a glob of any name gives the one that nothing else names."""
    return list(dict.fromkeys(_OTHER if glob == "*" else _name(glob) for glob in globs))


def _name(glob: str) -> str:
    """A name that a glob matches, as far as names can."""
    if not glob:
        return ""
    made, at = "", 0
    while at < len(glob):
        sign = glob[at]
        if sign == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2)
            inside = glob[at + 1 : end]
            made += "~" if inside.startswith("!") else inside[0]
            at = end
        else:
            made += {"*": "x", "?": "x"}.get(sign, sign)
        at += 1
    made = "".join(each if each.isalnum() or each in "_.:/@-" else "x" for each in made)
    return made if made[:1].isalnum() else f"x{made}"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What may vary besides the action."""

    reversible: bool = False
    confidence: float | None = None
    risk: float | None = None
    failures: int = 0
    trusted: int = 0


class _Near:
    """What makes a difference to one tool: much of it for rules that changed, some of it for the others."""

    def __init__(self, old: Policy, new: Policy, tool: str | None) -> None:
        before, after = ([entry.rule for entry in policy.index.met(tool)] for policy in (old, new))
        self.is_alike: Final = before == after
        changed = [rule for rule in before if rule not in after] + [rule for rule in after if rule not in before]
        same = [rule for rule in before if rule in after]
        args: list[dict[str, Any]] = [{}]
        for each in (*_args(changed, _ARGS), *_args(same, _FEW)) if tool else ():
            if each not in args:
                args.append(each)
        self.args: Final = args
        self.facts: Final = _facts(old, new, changed, same)


def _args(rules: Iterable[Rule], most: int) -> Iterator[dict[str, Any]]:
    """Arguments that conditions tell apart."""
    for rule in rules:
        if rule.condition and "args" in rule.condition.variables:
            for made in islice(made_up(rule.condition.words), most):
                yield made["args"]


def _facts(old: Policy, new: Policy, changed: Iterable[Rule], same: Iterable[Rule]) -> list[_Facts]:
    """Together what conditions look at, and by itself what holds everywhere."""
    numbers = {
        name: _around(_numbers(changed, name)) or ([0.0, 1.0] if _numbers(same, name) else [])
        for name in ("confidence", "risk")
    }
    runs = sorted({int(each) for each in _numbers([*changed, *same], "failures") if each > 0})[:_FEW]
    together = [
        _Facts(*each)
        for each in product((False, True), [None, *numbers["confidence"]], [None, *numbers["risk"]], [0, *runs])
    ]
    floors = [policy.confidence_floor for policy in (old, new) if policy.confidence_floor is not None]
    failures = {policy.escalate_on_failure for policy in (old, new)} - {None}
    ramps = [each.ramp for each in (*changed, *same, old.defaults, new.defaults) if each.ramp]
    good = sorted({count for ramp in ramps for count in (ramp.ask, ramp.ask + ramp.review)})
    alone = [
        *(_Facts(confidence=each) for each in _around(floors)),
        *(_Facts(failures=each) for each in failures if each),
        *(_Facts(trusted=each) for each in good),
    ]
    return list(dict.fromkeys([*together, *(replace(each, reversible=is_) for each in alone for is_ in (False, True))]))


def _numbers(rules: Iterable[Rule], variable: str) -> list[float]:
    """The numbers that stand in conditions on this variable."""
    found: list[float] = []
    for rule in rules:
        if rule.condition and variable in rule.condition.variables:
            values = literals(rule.condition.words)
            found += [float(each) for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    return list(dict.fromkeys(found))


def _around(numbers: Iterable[float]) -> list[float]:
    """Just below, at and above each of these, within 0 to 1."""
    near = {round(each + step, 6) for each in numbers if 0 <= each <= 1 for step in (-0.01, 0, 0.01)}
    return sorted(each for each in near if 0 <= each <= 1)
