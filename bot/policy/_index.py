"""Rules by the tools that they match, so that an ask meets only those that could be its own; order is kept."""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from typing import Final

from bot.policy._conditions import Condition
from bot.policy._rule import LOOSE, Rule
from bot.policy._situation import Situation

Matches = Callable[[str], object]

_REMEMBERED: Final = 4_096
_WILD: Final = re.compile(r"[*?[]")


def matcher(globs: Sequence[str]) -> Matches | None:
    """Tells whether a name matches any of these globs; None: all names do."""
    if "*" in globs:
        return None
    if not any(_WILD.search(glob) for glob in globs):
        return frozenset(globs).__contains__
    return re.compile("|".join(map(translate, globs))).match


class Entry:
    """A rule, ready to be tried."""

    __slots__ = ("agent", "checkpoint", "condition", "gate", "labels", "rule", "tool")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tool = matcher(rule.tool)
        self.gate = matcher(rule.gate)
        self.agent = matcher(rule.agent)
        self.checkpoint: Matches | None = (bool if "*" in rule.checkpoint else None) if rule.checkpoint else None
        if rule.checkpoint and "*" not in rule.checkpoint:
            self.checkpoint = matcher(rule.checkpoint)
        self.labels: Mapping[str, str] = rule.labels
        self.condition: Condition | None = rule.condition

    def fits(self, situation: Situation) -> bool:
        """Does it match but for its tool and its condition? What lets things run at a checkpoint may have to wait."""
        return (
            not (self.rule.do in LOOSE and self.rule.waits(situation))
            and (self.gate is None or bool(self.gate(situation.ask.gate)))
            and (self.agent is None or bool(self.agent(situation.agent)))
            and (self.checkpoint is None or bool(self.checkpoint(situation.checkpoint)))
            and (not self.labels or all(situation.labels.get(name) == value for name, value in self.labels.items()))
        )


class Index:
    """The rules of one policy: by exact tool, by what a tool's name begins with, and the others."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """`rules` in their order."""
        self.rules = rules
        self.entries: Final = tuple(map(Entry, rules))
        self._exact: dict[str, list[int]] = {}
        self._prefix: dict[str, list[int]] = {}
        self._any: list[int] = []
        self._other: list[int] = []
        self._known: dict[str | None, tuple[Entry, ...]] = {}
        for number, entry in enumerate(self.entries):
            self._put(number, entry)
        self._lengths = sorted({len(prefix) for prefix in self._prefix})

    def _put(self, number: int, entry: Entry) -> None:
        globs = entry.rule.tool
        if entry.tool is None:
            self._any.append(number)
        elif any(_WILD.search(glob.removesuffix("*")) for glob in globs):
            self._other.append(number)
        else:
            for glob in globs:
                place = self._prefix if glob.endswith("*") else self._exact
                place.setdefault(glob.removesuffix("*"), []).append(number)

    def met(self, tool: str | None) -> tuple[Entry, ...]:
        """The rules that match this tool, in order; those for any tool when there is none."""
        found = self._known.get(tool)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()  # an agent may name as many tools as it likes
            found = self._known[tool] = tuple(self.entries[number] for number in sorted(self._numbers(tool)))
        return found

    def _numbers(self, tool: str | None) -> set[int]:
        numbers = set(self._any)
        if tool is None:
            return numbers
        numbers.update(self._exact.get(tool, ()))
        for length in self._lengths:
            if length > len(tool):
                break
            numbers.update(self._prefix.get(tool[:length], ()))
        for number in self._other:
            matches = self.entries[number].tool
            if matches is not None and matches(tool):
                numbers.add(number)
        return numbers
