"""What the core needs of a surface, and what a surface may ask of the core. Protocols only."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, runtime_checkable

from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.brake.order import BrakeOrder
from bot.brake.words import Typed, Where
from bot.handoff import Aside, Change, Digest, Handoff, Told
from bot.scope import Granted

__all__ = [
    "Adapter",
    "BrakeDesk",
    "BrakeOrder",
    "CallbackDesk",
    "CardRef",
    "Change",
    "Desk",
    "Directory",
    "PolicyWords",
    "Row",
    "RowOutcome",
    "RuleWords",
    "Session",
    "Shelf",
    "SignIn",
    "Standing",
    "Typed",
    "Where",
]

Standing = Literal["member", "guest", "external", "outside"]
"""What a person is where they act: a full member of the workspace or tenant and of the conversation; a guest of the
workspace; somebody of another one; or a full member who is not in the conversation that has the card."""


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a posted card is: the surface, and the platform's own address of it."""

    surface: str
    address: str


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


class Directory(Protocol):
    """Who belongs to a surface's groups."""

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        """Is this person in that group now, or was at most 60 s ago? `group` is the platform's own id of it.

        Raises:
            DirectoryDown: The platform does not tell; whoever asks lets nobody through.
        """
        ...


class Adapter(Protocol):
    """One surface. A card posted twice is a nuisance, never a second handoff."""

    name: str
    reads_store: bool
    """True where people read the store itself, so that no card needs posting."""
    directory: Directory | None
    """Tells who belongs to the surface's groups; None where it has none."""

    def routes(self) -> Sequence[AbstractRouteDef]:
        """The addresses that this surface serves."""
        ...

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        """Show an open handoff.

        Raises:
            Undeliverable: It can never arrive there.
            TooMany: Not before its seconds are over. Anything else is tried again too, after a rest.
        """
        ...

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """A card that may have been posted there, by a process that died or a call whose reply was lost.

        None when there is none, or when the surface cannot tell: then it is posted again.
        """
        ...

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        """Make a posted card show the handoff as it stands now; the same one twice is fine.

        Raises:
            Undeliverable: The card is not there any more.
            TooMany: As `post`.
        """
        ...

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say what happened around a posted card, where those who follow it see it: once for each aside and card.

        `place` is where the card was asked for. A reminder is shown to the whole conversation again, and calls by name
        whom `bot.cards.said` names; nobody else is called, whatever words there are in it.

        Raises:
            Undeliverable: The card is not there any more.
            TooMany: As `post`.
        """
        ...

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        """Show handoffs together in one message: post it, or (`ref`) make the posted one show them as they stand now.

        Only rows that `bot.cards.digest` shows in full can be answered there; the others open on their own.

        Raises:
            Undeliverable, TooMany: As `post` and `update`.
        """
        ...

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Show a notice; nobody is asked. The same one again may show it twice, and should not.

        Raises:
            Undeliverable: It can never arrive there.
            TooMany: As `post`.
        """
        ...


@runtime_checkable
class Reporting(Protocol):
    """An adapter that knows more of its platform than what became of the calls of the outbox."""

    async def trouble(self) -> str:
        """Why people may not reach us there now, in a sentence without secrets; empty: nothing is known."""
        ...


class BrakeDesk(Protocol):
    """The brakes of runs, conversations, agents and everything, as a surface uses them."""

    async def obey(self, order: BrakeOrder, *, standing: Standing = "member") -> wire.BrakeReceipt:
        """Pull or lift a brake. When this returns, no claim in the scope succeeds, or all may again.

        Whoever sees the conversation may stop, pause and steer, and the surface knows who does. `resume` and `abort`
        are for those whom the policy's `brake.resume` lists; where it lists nobody, for whoever may answer one of the
        asks that are held, or that the policy's defaults list.

        Raises:
            NotAnApprover: This person may not lift it or end the run; the error's `detail` is a sentence for them.
            Gone: There is no such run.
            StoreUnavailable: Nothing was confirmed; the same order again is safe.
        """
        ...

    async def standing(self) -> Sequence[wire.Braked]:
        """Every brake that is on, the latest first."""
        ...

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        """What a message commands, by the words that hold now; None: it is no command."""
        ...


class CallbackDesk(Protocol):
    """Where callbacks go, and what could not be delivered there, as operators use it.

    Everything raises `StoreUnavailable` when nothing was confirmed, and what names an endpoint or a dead letter `Gone`
    when there is none. `by` is who does it, as `Actor.id` has it.
    """

    async def list(self) -> Sequence[wire.Endpoint]:
        """Every endpoint, the oldest first."""
        ...

    async def show(self, endpoint_id: str) -> wire.Endpoint:
        """One endpoint."""
        ...

    async def create(self, new: wire.EndpointCreate, by: str) -> wire.EndpointCreated:
        """Register one; its secret is told this once.

        Raises:
            InvalidBody: The URL may not be sent to; the fault says why.
            TooMany: There are as many as can be.
        """
        ...

    async def rotate(self, endpoint_id: str, by: str) -> wire.EndpointCreated:
        """Give it a new secret, told this once; the old one signs too for 24 h."""
        ...

    async def disable(self, endpoint_id: str, by: str, why: str | None = None) -> wire.Endpoint:
        """Send it nothing more; what would be sent becomes a dead letter."""
        ...

    async def enable(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Send to it again; its dead letters wait to be replayed."""
        ...

    async def remove(self, endpoint_id: str, by: str) -> wire.Endpoint:
        """Forget it, its secret and its dead letters; returns it as it stood."""
        ...

    async def test(self, endpoint_id: str) -> wire.EndpointTest:
        """Send it a callback of the type `endpoint.test`, once and now, and say what came of it."""
        ...

    async def dead_letters(self, endpoint_id: str | None = None, *, limit: int = 100) -> wire.DeadLetterList:
        """What was given up, the latest first: of one endpoint, or of all."""
        ...

    async def replay(self, delivery_id: str, by: str) -> wire.Replayed:
        """Send one dead letter again, from the start of the schedule."""
        ...

    async def replay_all(self, endpoint_id: str, by: str) -> wire.Replayed:
        """Send every dead letter of an endpoint again."""
        ...


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


class Shelf(Protocol):
    """What an adapter keeps in the store between presses and processes. Values are sealed: nobody reads them there.

    Everything raises `StoreUnavailable` when nothing was confirmed.
    """

    async def once(self, what: str, life: timedelta) -> bool:
        """True for the first who comes with this within `life`: platforms send everything again and again."""
        ...

    async def forget(self, what: str) -> None:
        """It was not done after all: who comes next is the first again."""
        ...

    async def load(self, name: str) -> str | None:
        """Read what is kept for a while."""
        ...

    async def save(self, name: str, value: str, life: timedelta) -> None:
        """Keep it for a while."""
        ...

    async def take(self, name: str) -> str | None:
        """Read and forget what is kept for a while, in one step: one caller gets it, or none if the reply is lost."""
        ...

    async def load_lasting(self, name: str) -> str | None:
        """Read what is kept for good."""
        ...

    async def save_lasting(self, name: str, value: str) -> None:
        """Keep it for good."""
        ...

    async def drop_lasting(self, name: str) -> None:
        """Forget it."""
        ...

    async def lasting(self) -> Sequence[str]:
        """The names of all that is kept for good, sorted."""
        ...

    async def turn(
        self, queue: str, *, every: timedelta, burst: int = 1, longest: timedelta = timedelta(days=1)
    ) -> tuple[bool, timedelta]:
        """Take the next turn in a queue that all processes share; turns come at a pace, in the order of asking.

        Returns:
            Whether a turn was taken, and how long to wait for it. None is taken when the wait would be over `longest`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person."""

    person: wire.Actor
    csrf: str
    admin: bool = False
    """Do they set the service up, beside answering?"""


class SignIn(Protocol):
    """Console sessions: opened with a one-time link, ended by time or by the person."""

    async def begin(self, link: str) -> str | None:
        """Exchange a link's token, once, for a new session token; None when it is spent, old or made up."""
        ...

    async def session(self, token: str) -> Session | None:
        """The session of a cookie, its idle time renewed; None when it has ended."""
        ...

    async def end(self, token: str) -> None:
        """End it."""
        ...
