"""What a surface may do for the people on it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from andon import wire
from bot.handoff import Change, Handoff, Told
from bot.ports._brakes import BrakeDesk, Standing
from bot.scope import Granted


@dataclass(frozen=True, slots=True)
class Row:
    """A handoff exactly as a digest showed it."""

    handoff: str
    revision: int
    digest: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of what waits for an answer."""

    handoffs: Sequence[Handoff]
    cursor: str | None
    """Of the next page; None: there is none."""
    total: int
    """How many wait in all."""


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one row of a digest: does the answer count, and a sentence for whoever gave it."""

    row: Row
    counted: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule of the policy in words."""

    name: str
    do: str
    matches: str
    """What it is about; empty: whatever no rule is about."""
    says: tuple[str, ...]
    """What happens, and on which terms; a sentence each."""


@dataclass(frozen=True, slots=True)
class PolicyWords:
    """The policy that stands now, in words."""

    version: str
    """`none`: there is no file."""
    rules: tuple[RuleWords, ...]
    """In order; the first that matches holds."""
    otherwise: RuleWords
    besides: tuple[str, ...]
    """What holds for every action."""
    warnings: tuple[str, ...]
    trouble: str
    """Why the file is not what stands; empty: it is."""


class Desk(Protocol):
    """What a surface may do for the people on it."""

    @property
    def braking(self) -> BrakeDesk:
        """The brakes."""
        ...

    async def run(self, run_id: str) -> wire.Run:
        """Read one run, with what holds it; raises `Gone`."""
        ...

    async def look(self, handoff_id: str) -> Handoff:
        """Read one handoff; raises `Gone`."""
        ...

    async def inbox(self, cursor: str | None = None, *, limit: int = 200) -> Inbox:
        """A page of the open handoffs, most urgent first; raises `BadRequest` for a cursor that is none of ours."""
        ...

    async def history(self, cursor: str | None, *, limit: int = 50) -> tuple[Sequence[Handoff], str | None]:
        """Handoffs that have ended, latest opened first, and the cursor of the next page."""
        ...

    async def notices(self) -> Sequence[Told]:
        """What agents told people lately without asking, newest first, at most 20."""
        ...

    async def told_lately(self) -> Sequence[Handoff]:
        """What the policy let run without asking and tells people of, the latest first, at most 20."""
        ...

    async def trust(self) -> Sequence[wire.Trust]:
        """How far trust has grown, the ramp that moved last first."""
        ...

    async def reset_trust(self, key: str, by: wire.Actor) -> wire.Trust:
        """Let one trust ramp start over; raises `Gone` when there is none of that name."""
        ...

    async def card_at(self, surface: str, address: str) -> str | None:
        """The id of the handoff whose card is at this address, as a `CardRef` has it; None when none is known."""
        ...

    async def runs(self, surface: str, channel: str, *, limit: int = 20) -> Sequence[wire.Run]:
        """The runs that are bound to a channel, or to a thread in it; latest started first."""
        ...

    async def asks(self, run_id: str, *, limit: int = 100) -> Sequence[Handoff]:
        """A run's handoffs, the latest opened first: those that are open or acted on, and those that ended lately."""
        ...

    async def agents(self) -> Sequence[str]:
        """The names of all agents that may come in, sorted."""
        ...

    async def steer(self, run_id: str, text: str, by: wire.Actor, *, steer_id: str | None = None) -> wire.Run:
        """Leave a person's words for a run's agent, and hold nothing; the same `steer_id` twice is one.

        Raises:
            Gone: There is no such run.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        ...

    async def alert(self, about: str, text: str) -> None:
        """Tell operators that something needs their hand: in the log and in the console, at most once an hour."""
        ...

    async def send_again(self, handoff_id: str, by: wire.Actor) -> str:
        """Have the decision sent once more to an agent that was not reached; returns a sentence for whoever asks.

        Whoever sees the card may: it changes no decision, and again is fine.

        Raises:
            Gone: There is no such handoff.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        ...

    async def may_answer(self, handoff: Handoff, by: wire.Actor, *, standing: Standing = "member") -> None:
        """Ask before a form is opened; `answer` checks again.

        Raises:
            NotAnApprover: As `answer`.
        """
        ...

    def conflict(self, handoff: Handoff, by: wire.Actor) -> str:
        """Why this person may say no and not yes, as `you asked for it`; empty where nothing of that kind holds."""
        ...

    async def answer(
        self,
        handoff_id: str,
        answer: wire.Answer,
        by: wire.Actor,
        *,
        answer_id: str | None = None,
        standing: Standing = "member",
    ) -> Handoff:
        """Record a person's answer; the same `answer_id` twice is one answer.

        Whether they may is checked here, at the answer: with `approvers` in the policy, only those who are listed, in
        person or by a group; without, whoever has the `standing` of a full member of the conversation.

        Raises:
            AlreadyDecided: Another decision stands; the error carries it.
            StaleRevision: The card changed since it was read.
            HandoffExpired: The time was up.
            HandoffHeld: The brake is on.
            InvalidAnswer: It does not fit the ask; one fault per field.
            NotAnApprover: This person may not answer it; the error's `detail` is a sentence for them.
            Gone: There is no such handoff.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        ...

    async def answer_shown(
        self,
        rows: Sequence[Row],
        kind: Literal["approve", "reject"],
        by: wire.Actor,
        *,
        answer_id: str,
        standing: Standing = "member",
    ) -> Sequence[RowOutcome]:
        """Answer several handoffs at once, exactly as they were shown; each is checked and answered on its own.

        What changed since, was decided, or takes more than one press is skipped, and its outcome says so. The same
        `answer_id` twice is one press.

        Raises:
            StoreUnavailable: Some may be recorded; the same call again is safe.
        """
        ...

    async def grants(self) -> Sequence[Granted]:
        """Every grant that stands, the newest first; `bot.cards.grant_line` says it in words."""
        ...

    async def end_grant(self, grant_id: str, by: wire.Actor) -> Granted:
        """End a grant, at once; whoever may see it may. Returns it as it stood.

        Raises:
            Gone: It does not stand (any more).
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        ...

    def policy(self) -> PolicyWords:
        """The policy that stands now."""
        ...

    async def explain(self, question: wire.PolicyQuestion) -> wire.Explanation:
        """What the policy says of an action, and every reason; nothing is opened or counted.

        A risk that the question does not say is scored where the policy looks at it.
        """
        ...

    async def replay(self, text: str, *, days: int) -> wire.Replay:
        """What a changed policy would have made of the last days.

        Raises:
            InvalidBody: The file has faults; `faults` has each.
            TooLarge, TooMany: The file is too long, or another replay is at work.
            StoreUnavailable: The history cannot be read.
        """
        ...

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """Every change from now on; the iterator ends when the service shuts down."""
        ...
