"""Entries of lists for chat surfaces: what waits, what runs, what is stopped, what can be typed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bot.cards.characters import visible
from bot.cards.offered import GrantLine
from bot.cards.sentences import moment
from bot.cards.summaries import Summary
from bot.handoff import Told

_STATES: Final = {"running": "", "held": "⏸️ on hold", "aborted": "⛔ ended for good"}


@dataclass(frozen=True, slots=True)
class PendingLine:
    """A card that waits."""

    summary: Summary
    where: str
    """The conversation as people call it."""
    url: str
    """Its page in the console."""
    permalink: str | None = None
    """Its message, where there is one."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in one of somebody's channels."""

    name: str
    agent: str
    started_at: datetime
    channel: str
    open_cards: int
    state: Literal["running", "held", "aborted"] = "running"
    lost_since: datetime | None = None
    """Since when nothing was heard of it, of one that promised signs of life and is lost."""


@dataclass(frozen=True, slots=True)
class BrakeLine:
    """A brake that is on."""

    sentence: str
    """Who pulled it, what it holds, since when and why."""
    where: str
    """The channel or the run, as people call it; empty: it holds more than one of them."""
    what: str
    """What it holds: `this run`."""
    epoch: int


@dataclass(frozen=True, slots=True)
class SettingLine:
    """A setting of somebody's own; `options` are pairs of a value and its label, none where it is only shown."""

    key: str
    label: str
    value: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HelpLine:
    """Something that can be typed, and what it does."""

    typed: str
    meaning: str


def waiting(lines: Sequence[PendingLine]) -> str:
    """The title of a list of cards that wait."""
    return f"{len(lines):,} waiting for a person" if lines else "Nothing waits for you"


def standing(lines: Sequence[GrantLine]) -> str:
    """The title of a list of grants."""
    return f"{len(lines):,} {'grant stands' if len(lines) == 1 else 'grants stand'}" if lines else "No grants stand"


def more_in_console(count: int) -> str:
    """What a list does not show; empty: nothing."""
    return f"… and {count:,} more in the console" if count > 0 else ""


def beginning(short: Summary) -> str:
    """What stands before a card's title where it must look different."""
    return "⚠️ Cannot be undone · " if short.hazard else "⏸️ On hold · " if short.state == "held" else ""


def about(line: PendingLine) -> str:
    """Who asks, at which gate, and where."""
    return " · ".join(filter(None, (line.summary.agent, line.summary.gate, line.where)))


def about_run(line: RunLine) -> str:
    """A run in a few words."""
    waits = f"{line.open_cards:,} waiting" if line.open_cards else "nothing waiting"
    lost = f"📡 lost since {moment(line.lost_since)}" if line.lost_since else ""
    return " · ".join(filter(None, (line.name, line.agent, line.channel, waits, _STATES[line.state], lost)))


def teller(told: Told) -> str:
    """Who tells people something without asking: an agent in a run, or the service itself."""
    return f"{visible(told.agent)}, run {visible(told.run_name)}" if told.run else "Andon"


def given_by(line: GrantLine) -> str:
    """Who gave a grant, how it was used, and what exactly it covers."""
    return f"Given by {line.by} · {line.used} · {line.condition}"
