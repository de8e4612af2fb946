"""Which rules an ask meets, and why it does not meet the others. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from andon import wire
from bot.policy._conditions import About, Faulty
from bot.policy._file import Policy
from bot.policy._index import Entry
from bot.policy._rule import LOOSE, Rule
from bot.policy._situation import Situation

Asked = wire.Confirmation | wire.Choice | wire.Input

_NOTHING: Final[Mapping[str, Any]] = {}


def actions(ask: Asked) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """What it would run: tools with their arguments, or (None) nothing."""
    match ask:
        case wire.Confirmation(action=wire.Action() as action):
            yield action.tool, action.args
        case wire.Choice(candidates=candidates):
            for each in candidates:
                yield (each.action.tool, each.action.args) if each.action else (None, _NOTHING)
        case _:
            yield None, _NOTHING


def met(policy: Policy, situation: Situation) -> list[Rule | None]:
    """The first rule that matches each of an ask's actions; each rule once, and None for the defaults."""
    found: dict[int, Rule | None] = {}
    fitting: dict[str | None, list[Entry]] = {}
    for tool, args in actions(situation.ask):
        entries = fitting.get(tool)
        if entries is None:
            entries = fitting[tool] = _fitting(policy, situation, tool)
        rule = _first(entries, situation, tool, args)
        found[id(rule)] = rule
    return list(found.values())


def _fitting(policy: Policy, situation: Situation, tool: str | None) -> list[Entry]:
    """Rules that match but for their conditions, in order, up to the first that has none."""
    found = []
    for entry in policy.index.met(tool):
        if entry.fits(situation):
            found.append(entry)
            if entry.condition is None:
                break
    return found


def _first(entries: list[Entry], situation: Situation, tool: str | None, args: Mapping[str, Any]) -> Rule | None:
    seen: About | None = None
    for entry in entries:
        if entry.condition is None:
            return entry.rule
        if seen is None:
            seen = about(situation, tool, args)
        if holds(entry, seen)[0]:
            return entry.rule
    return None


def holds(entry: Entry, seen: About) -> tuple[bool, str]:
    """Does its condition hold? And what stood in the way of telling.

    What cannot be told holds for a rule that asks or refuses, and not for one that lets things run.
    """
    if entry.condition is None:
        return True, ""
    try:
        return entry.condition.holds(seen), ""
    except Faulty as error:
        return entry.rule.do not in LOOSE, str(error)


def about(situation: Situation, tool: str | None, args: Mapping[str, Any]) -> About:
    """What conditions look at. A risk that nobody told is 1.0, and a confidence 0.0."""
    ask = situation.ask
    return About(
        {
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
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule that was tried on one action."""

    rule: str
    tool: str | None
    matched: bool
    why: str


def trials(policy: Policy, situation: Situation) -> Iterator[Trial]:
    """Every rule that was tried, action by action, up to the one that matched, and why each did or did not."""
    done = set()
    for tool, args in actions(situation.ask):
        seen = about(situation, tool, args)
        for entry in policy.index.entries:
            trial = _trial(entry, situation, tool, seen)
            if trial not in done:
                done.add(trial)
                yield trial
            if trial.matched:
                break


def _trial(entry: Entry, situation: Situation, tool: str | None, seen: About) -> Trial:
    rule = entry.rule
    why = _mismatch(entry, situation, tool)
    if why:
        return Trial(rule.name, tool, matched=False, why=why)
    if entry.condition is None:
        return Trial(rule.name, tool, matched=True, why="all of it matches")
    matched, hindrance = holds(entry, seen)
    if hindrance:
        then = "so a rule that asks or refuses holds" if matched else "so a rule that lets things run does not hold"
        return Trial(rule.name, tool, matched, f"its condition cannot be told ({hindrance}), {then}")
    told = "holds" if matched else "does not hold"
    return Trial(rule.name, tool, matched, f"its condition {told}: {rule.when}")


def _mismatch(entry: Entry, situation: Situation, tool: str | None) -> str:
    """The first thing that does not match."""
    rule = entry.rule
    if entry.tool is not None and (tool is None or not entry.tool(tool)):
        return f"its tool {_said(rule.tool)} does not match {tool}" if tool else "it is for tools, and this runs none"
    for name, matches, globs, value in (
        ("gate", entry.gate, rule.gate, situation.ask.gate),
        ("agent", entry.agent, rule.agent, situation.agent),
        ("checkpoint", entry.checkpoint, rule.checkpoint or (), situation.checkpoint),
    ):
        if matches is not None and not matches(value):
            return f"its {name} {_said(globs)} does not match {value or 'none'}"
    for label, value in rule.labels.items():
        if situation.labels.get(label) != value:
            there = situation.labels.get(label)
            return f"the run's label {label} is {there or 'not there'}, not {value}"
    return ""


def _said(globs: tuple[str, ...]) -> str:
    return " or ".join(globs)
