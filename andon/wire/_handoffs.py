"""A handoff as the service tells it, and what may be said to one."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StrictBool, StrictInt, StringConstraints

from andon.wire._asks import Ask
from andon.wire._brakes import Braked
from andon.wire._decisions import Actor, Decision, Vote
from andon.wire._models import Digest, JsonObject, Line, Received, Sent

HandoffState = Literal["pending", "held", "decided", "claimed", "closed"]


class Revision(Received):
    """One edit of the arguments: who, when, and what they became."""

    revision: int
    by: Actor
    at: AwareDatetime
    args: JsonObject
    digest: Digest


class Claimed(Received):
    """Who acts on the decision."""

    claimant: str
    at: AwareDatetime


class Delivered(Received):
    """The agent has the decision."""

    at: AwareDatetime
    how: Literal["poll", "stream", "callback", "claim"] = Field(
        description="It asked; it asked while it followed its event stream; an endpoint took it; or it claimed."
    )


class Unreached(Received):
    """The agent has not got the decision."""

    since: AwareDatetime
    why: str
    again: bool = Field(default=False, description="Can a person have it sent again: has the agent an endpoint?")


class Outcome(Received):
    """What came of it."""

    status: Literal["executed", "failed", "undone", "undo_failed"]
    at: AwareDatetime
    result: JsonValue = None
    error: str | None = None
    by: Actor | None = Field(
        default=None, description="The person who said so, after the agent fell silent; unset: the agent reported it."
    )


class AgentReply(Received):
    """What the agent answered to a person's question."""

    at: AwareDatetime
    text: str


class Question(Received):
    """What somebody wants to know of the agent before they answer."""

    id: str
    by: Actor
    at: AwareDatetime
    text: str
    replies: tuple[AgentReply, ...] = Field(default=(), description="The agent's, after this question; oldest first.")


class Handoff(Received):
    """One ask and its whole life."""

    id: str
    state: HandoffState
    revision: int = Field(ge=1)
    digest: Digest = Field(description="Of what would be decided now: the action, the candidates, or the question.")
    agent: str
    run: str
    ask: Ask = Field(description="As the agent asked it; `revisions` has later edits.")
    opened_at: AwareDatetime
    expires_at: AwareDatetime
    silence: str = Field(description="What happens if nobody answers, in a sentence.")
    url: str = Field(description="The card's page in the web console.")
    token: str | None = Field(default=None, description="Reads this one handoff; given to its own agent only.")
    revisions: tuple[Revision, ...] = ()
    questions: tuple[Question, ...] = Field(
        default=(), description="What people asked the agent meanwhile; answer with `POST /v1/handoffs/{id}/reply`."
    )
    crowded: str | None = Field(
        default=None,
        description="Set when it is shown among others in a digest, because you ask more than people read.",
    )
    votes: tuple[Vote, ...] = Field(default=(), description="Of this revision, where it takes more than one person.")
    code: str | None = Field(
        default=None, description="Two digits that a yes must repeat as its `code`; told to people only."
    )
    brake: Braked | None = Field(default=None, description="What holds it: it cannot be answered, or not be claimed.")
    left_s: int | None = Field(default=None, description="Of one on hold: the seconds it gets back once it is resumed.")
    decision: Decision | None = None
    delivered: Delivered | None = Field(default=None, description="Since when the agent is known to have the decision.")
    unreached: Unreached | None = Field(
        default=None, description="Set when it is decided and the agent does not come for it."
    )
    claim: Claimed | None = None
    outcome: Outcome | None = None
    review: str | None = Field(default=None, description="The handoff that shows what came of this one for review.")
    unknown_since: AwareDatetime | None = Field(
        default=None,
        description="The agent fell silent while it acted on this: since then nobody knows what became of it.",
    )
    question: str | None = Field(default=None, description="The handoff that asks people what became of this one.")
    late_report: Outcome | None = Field(
        default=None, description="What the agent reported after a person had said what became of it; `outcome` stands."
    )
    follows: str | None = Field(
        default=None,
        description="Of a review: the handoff whose result it shows. Of a question what became of one: that one.",
    )


class HandoffPage(Received):
    """A page of a list. `cursor` is unset on the last one."""

    handoffs: tuple[Handoff, ...]
    cursor: str | None = None


class _Reply(Sent):
    revision: StrictInt = Field(ge=1, description="The revision that was read; an older one is refused as stale.")
    digest: Digest | None = Field(default=None, description="If given, it must be the revision's own.")


class _Yes(_Reply):
    code: str | None = Field(
        default=None, max_length=16, description="The card's two digits, where the policy wants them repeated."
    )
    seen: Literal["full"] | None = Field(
        default=None, description="All of the card was opened; for what the policy calls critical, a yes needs it."
    )


class Approve(_Yes):
    """Yes."""

    kind: Literal["approve"] = "approve"
    reason: str | None = Field(default=None, max_length=4_000)
    grant: StrictInt | None = Field(
        default=None,
        ge=0,
        le=100,
        description="And do not ask again: which of the card's offers, counted from 0. Only beside this very yes.",
    )


class Edit(_Yes):
    """Change the arguments; with `approve`, and say yes to the changed ones in the same step."""

    kind: Literal["edit"] = "edit"
    args: JsonObject
    approve: StrictBool = True
    reason: str | None = Field(default=None, max_length=4_000)


class Reject(_Reply):
    """No; for a choice, none of these; for an input, no answer."""

    kind: Literal["reject"] = "reject"
    reason: str | None = Field(default=None, max_length=4_000)


class Choose(_Yes):
    """This candidate."""

    kind: Literal["choose"] = "choose"
    choice: str = Field(min_length=1, max_length=128)
    reason: str | None = Field(default=None, max_length=4_000)


class Reply(_Yes):
    """This answer."""

    kind: Literal["answer"] = "answer"
    answer: JsonValue


class Reassign(_Reply):
    """Ask somebody else: they may answer too, and are told. It stays open, and its time goes on."""

    kind: Literal["reassign"] = "reassign"
    to: Line = Field(
        description="An e-mail address, or a platform's id: `slack:U024BE7LH`, `slack:T012AB3C4/U024BE7LH`."
    )
    note: str | None = Field(default=None, max_length=2_000)


class AskAgent(_Reply):
    """Ask the agent for more information. It stays open, and its time goes on."""

    kind: Literal["more_info"] = "more_info"
    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


Deciding = Approve | Edit | Reject | Choose | Reply
"""The answers that decide; the others leave it open."""

Answer = Annotated[Deciding | Reassign | AskAgent, Field(discriminator="kind")]


class ReplyRequest(Sent):
    """The agent answers what somebody asked it; the card shows it below the question."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]


class ClaimRequest(Sent):
    """Exchange a decision for the one permit to act on it."""

    digest: Digest = Field(description="The decision's.")
    claimant: str = Field(
        min_length=1, max_length=128, description="Names this attempt; repeating it returns the same permit."
    )


class Permit(Received):
    """Leave to act, once, on exactly `payload`."""

    handoff: str
    revision: int
    digest: Digest = Field(description="SHA-256 of `payload`'s UTF-8 bytes.")
    payload: str = Field(description="The exact RFC 8785 JSON that was decided; run with this, not with your own copy.")
    claimant: str
    claimed_at: AwareDatetime


class OutcomeReport(Sent):
    """What came of an action."""

    status: Literal["executed", "failed", "undone", "undo_failed"]
    claimant: str | None = Field(default=None, max_length=128, description="As in the claim, if there was one.")
    result: JsonValue = None
    error: str | None = Field(default=None, max_length=8_000)


class WithdrawRequest(Sent):
    """The agent takes its ask back."""

    reason: str | None = Field(default=None, max_length=4_000)
