"""What a callback says. Its words are hints: what stands is read anew, and the claim decides."""

from contextlib import suppress

from pydantic import AwareDatetime, Field, SerializeAsAny, ValidationError

from andon import wire
from andon._client import Andon
from andon._decisions import Aborted, Decision
from andon._errors import AndonError
from andon._handoff import Handoff
from andon._run import Run
from andon.callbacks._decisions import read_decision
from andon.wire._models import JsonObject, Received

__all__ = ["BrakeEvent", "Callback", "HandoffEvent", "read"]


class HandoffEvent(Received):
    """What is told of a handoff, as it was when the callback was sent.

    Arguments and candidates are not sent: `Approved.args`, `Edited.args` and `Chosen.candidate` are read from the
    service, and reading them here is an `AttributeError` that says so. So is an answer that is kept secret, and
    whatever of a decision is in `left_out`.
    """

    handoff: str = Field(description="The handoff's id.")
    run: str
    state: str = Field(description="`pending`, `held`, `decided`, `claimed`, `closed`, or what a newer service knows.")
    kind: str | None = Field(default=None, description="What was asked: `confirmation`, `choice` or `input`.")
    gate: str | None = None
    agent: str | None = None
    revision: int | None = None
    digest: str | None = None
    token: str | None = Field(default=None, description="Brings the handoff back: `await callback.resume(andon)`.")
    url: str | None = Field(default=None, description="Where people find the card.")
    decision: SerializeAsAny[Decision | Aborted] | None = Field(
        default=None, description="None while there is none, and where this version cannot read it."
    )
    outcome: wire.Outcome | None = Field(default=None, description="What came of it, without its result.")
    brake: wire.Braked | None = Field(default=None, description="What holds it.")
    question: str | None = Field(default=None, description="Of `handoff.questioned`: the question's id.")
    follows: str | None = Field(default=None, description="Of a review: the handoff whose result it shows.")
    left_out: tuple[str, ...] = Field(default=(), description="What did not fit or is secret, e.g. `decision.answer`.")


class BrakeEvent(Received):
    """What is told of a brake."""

    brake: wire.Braked


class Callback(Received):
    """A callback that was checked.

    Attributes:
        id: The same for each try of one delivery, and for its replay.
        type: What happened, e.g. `handoff.decided` or `brake.braked`.
        timestamp: When it happened.
        data: Of what; a plain JSON object for whatever this version does not know.
    """

    id: str
    type: str
    timestamp: AwareDatetime
    data: SerializeAsAny[HandoffEvent | BrakeEvent | JsonObject]

    @property
    def decision(self) -> Decision | Aborted | None:
        """The decision that the callback tells of."""
        return self.data.decision if isinstance(self.data, HandoffEvent) else None

    async def resume(self, andon: Andon) -> tuple[Run, Handoff]:
        """Read the run and the handoff from the service, to go on in this process.

        What the callback said is left behind: the handoff's own decision stands, and `claim` is the leave to act.

        Raises:
            AndonError: It is about no handoff of this agent, so there is nothing to go on with.
            NotFound: The handoff is gone, or it is another agent's.
        """
        if not isinstance(self.data, HandoffEvent) or not self.data.token:
            raise AndonError(f"{self.type} {self.id} is about no handoff that can be resumed")
        return await andon.resume(self.data.token)


class _Signed(Received):
    """The body, whatever its type."""

    type: str
    timestamp: AwareDatetime
    data: JsonObject


def read(webhook_id: str, body: object) -> Callback:
    """Read what was signed.

    Raises:
        ValueError: It is no callback.
    """
    signed = _Signed.model_validate(body)
    about: HandoffEvent | BrakeEvent | JsonObject = signed.data
    with suppress(ValidationError):  # of a newer service
        if signed.type.startswith("handoff."):
            decision = read_decision(signed.data.get("decision"), handoff=signed.data.get("handoff"))
            about = HandoffEvent.model_validate({**signed.data, "decision": decision}, context=wire.STORED)
        elif signed.type.startswith("brake."):
            about = BrakeEvent.model_validate(signed.data, context=wire.STORED)
    return Callback(id=webhook_id, type=signed.type, timestamp=signed.timestamp, data=about)
