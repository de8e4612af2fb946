"""What the handoffs' scripts are given and say, as values; no I/O."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from andon import wire
from bot.scope import Given
from bot.store.records import Doc

Word = Literal["won", "lost", "moved", "stale", "held", "late", "early", "gone"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one agent may ask: opens a minute in the long run (0: no limit), at once, and how many open."""

    per_minute: int = 60
    burst: int = 20
    open: int = 50

    @property
    def pace(self) -> tuple[float, int]:
        """For the scripts: ms per ask or write in the long run (0: no limit), and how many at once."""
        return (60_000 / self.per_minute if self.per_minute else 0, self.burst)


STANDARD: Final = Limits()
"""For a key that was made without limits of its own."""


@dataclass(frozen=True, slots=True)
class NewHandoff:
    """What `open` writes."""

    id: str
    agent: str
    run: str
    digest: str
    fingerprint: str
    doc: Doc
    decision: wire.Decision | None = None
    allowed: str = ""
    unsure: bool = False
    """The agent's confidence is below the policy's floor, which counts in its run as a failure does."""
    grant: str = ""
    """The grant that covers it: it decides, unless a person is asked all the same."""
    drawn: bool | None = None
    """Is it of a sample? None: of none that has a share."""
    anyway: bool = False
    """Open it on hold where the run is stopped, instead of not at all."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What `open` did: `opened` or `known`, or why not; `number` is its time, the wait in ms, or the open count."""

    word: Literal["opened", "known", "reused", "no_run", "too_fast", "too_many", "drawn", "no_grant", "braked"]
    number: int = 0
    crowd: str = ""
    """`open` or `burst` when the agent asks more than people can read."""
    count: int = 0
    """How many it has open, or asked in that time."""
    brake: wire.Braked | None = None
    """What holds the run, so that nothing was opened."""


@dataclass(frozen=True, slots=True)
class Crowding:
    """Past which an agent's cards are gathered in digests: so many open, so many asks within a time. 0: never."""

    open: int = 0
    burst: int = 0
    within_ms: int = 60_000


UNCROWDED: Final = Crowding()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision to be written, and what it allows: a digest and, unless they are the ask's own, its bytes."""

    decision: wire.Decision
    allowed: str = ""
    payload: str = ""
    grant: Given | None = None
    """What a yes gives besides."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an attempt to decide: `at` when it won, and whether it had won before (`again`)."""

    word: Word
    at: datetime | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class ClaimReply:
    """What `claim` said; see the script's header for the words."""

    word: Literal[
        "permit", "open", "braked", "refused", "digest", "taken", "closed", "old", "gone", "no_grant", "done", "unknown"
    ]
    at: datetime | None = None
    text: str = ""
    revision: int = 0
    payload: str = ""
    brake: wire.Braked | None = None
    asked: tuple[str, str] = ("", "")
    """Of `unknown`: the handoff that asks what became of it, and whom it asks."""


@dataclass(frozen=True, slots=True)
class OutcomeReply:
    """What `outcome` said; see the script's header for the words."""

    word: Literal["recorded", "other", "claimant", "refused", "gone"]
    at: datetime | None = None
    text: str = ""
    crowd: str = ""
    """`open` or `burst` when the review that it opened is more than people can read."""
    count: int = 0
