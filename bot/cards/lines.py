"""What a list shows of each thing in it, on whatever surface. Values only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.cards.summaries import Summary


@dataclass(frozen=True, slots=True)
class PendingLine:
    """A card that waits."""

    summary: Summary
    where: str
    """The channel as people call it."""
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


@dataclass(frozen=True, slots=True)
class StopLine:
    """A brake that is on."""

    sentence: str
    """Who pulled it, what it holds, since when and why."""
    where: str
    """The channel or the run, as people call it; empty: it holds more than one of them."""
    what: str
    """What it holds: `this run`."""
    epoch: int


@dataclass(frozen=True, slots=True)
class HelpLine:
    """Something that can be typed, and what it does."""

    typed: str
    meaning: str
