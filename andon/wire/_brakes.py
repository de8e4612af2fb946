"""Brakes: what people do with them, and what is told of them."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StrictInt, ValidationInfo, model_validator

from andon.wire._asks import Place
from andon.wire._decisions import Actor
from andon.wire._models import Line, Name, Prose, Received, Sent, SentBack, is_stored

Conversation = Place
RUN_ID = r"^run_[A-Za-z0-9_-]{22,64}$"


class BrakeScope(SentBack):
    """What a brake holds: exactly one of a run with its child runs, a conversation's runs, an agent's, or all.

    None of them: something that only a newer version knows. It is never sent.
    """

    run: str | None = Field(default=None, pattern=RUN_ID)
    conversation: Conversation | None = Field(
        default=None, description="Every run bound to this channel, and their child runs; needs a `channel`."
    )
    agent: Name | None = None
    everything: Literal[True] | None = None

    @model_validator(mode="after")
    def _check_one(self, info: ValidationInfo) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1 and not (is_stored(info) and not given):
            raise ValueError("name exactly one of run, conversation, agent and everything")
        if self.conversation is not None and self.conversation.channel is None:
            raise ValueError("a conversation is named by its surface and channel")
        return self


class Brake(Sent):
    """What a person does with a run's brake.

    `stop`, `pause` and `steer` hold every ask of the run and refuse every claim; a stop ends what the agent waits for,
    a pause lets it wait, and a steer has words for it and ends once it has heard them. `resume` lifts what holds the
    run itself; `abort` ends the run for good.
    """

    action: Literal["stop", "pause", "steer", "resume", "abort"]
    text: Prose | None = Field(default=None, description="Why; of a steer, the words for the agent, which it needs.")
    epoch: StrictInt | None = Field(
        default=None, ge=1, description="Of `resume`: lift it only if it is still this brake that stands."
    )

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if self.action == "steer" and self.text is None:
            raise ValueError("a steer needs `text`: the words for the agent")
        if self.epoch is not None and self.action != "resume":
            raise ValueError("`epoch` is for `resume` alone")
        return self


class WideBrake(Brake):
    """The same for any scope. A steer is for one run."""

    scope: BrakeScope

    @model_validator(mode="after")
    def _check_steer(self) -> Self:
        if self.action == "steer" and self.scope.run is None:
            raise ValueError("a steer is for one run: name it in `scope.run`")
        return self


class Braked(Received):
    """A brake that is on."""

    action: Literal["stop", "pause", "steer", "abort"]
    scope: BrakeScope
    by: Actor
    at: AwareDatetime = Field(description="Since when: what starts from then on is held too, but for an abort.")
    said_at: AwareDatetime | None = Field(
        default=None, description="When they said it; what started after that and before `at` is not meant."
    )
    text: str | None = Field(default=None, description="Why; of a steer, the words for the agent.")
    epoch: int = Field(description="The number of this pull: each later pull of any brake has a higher one.")
    steer: str | None = Field(default=None, description="Of a steer: the id that the agent acknowledges.")


class BrakeList(Received):
    """Every brake that is on, the latest first; runs that were aborted are not among them."""

    brakes: tuple[Braked, ...]


class InFlight(Received):
    """An action that was claimed before the stop and not reported yet; no stop can recall it."""

    handoff: str
    run: str
    what: str
    claimant: str
    claimed_at: AwareDatetime


class BrakeReceipt(Received):
    """What a call on the brake did."""

    did: Literal["pulled", "stands", "lifted", "off", "old"] = Field(
        description="`stands`: it was on already. `off`: there was nothing to lift. `old`: something newer stands."
    )
    scope: BrakeScope
    brake: Braked | None = Field(default=None, description="What stands there now; of `lifted`, what was lifted.")
    runs: int = Field(default=0, description="Runs with open asks or unclaimed decisions in the scope.")
    held: int = Field(default=0, description="Asks on hold in the scope; of a lift, asks that wait again.")
    in_flight: tuple[InFlight, ...] = Field(default=(), description="At most 20, the oldest claim first.")
    still: tuple[Braked, ...] = Field(
        default=(),
        description="Of a lift or a steer: what else holds the scope or a part of it, at most 20, the latest first.",
    )


class Heard(Sent):
    """The agent has read people's words."""

    steers: Annotated[tuple[Line, ...], Field(min_length=1, max_length=64)]
