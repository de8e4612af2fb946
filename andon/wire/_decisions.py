"""The outcomes a handoff can have, each its own type."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue

from andon.wire._models import Digest, JsonObject, Received


class Actor(Received):
    """Who did it: a person, a grant of theirs, the policy, silence (a timeout), the agent, or the service itself."""

    kind: Literal["person", "policy", "grant", "silence", "agent", "service"]
    id: str = Field(description="Unique on its surface, e.g. an e-mail address or a platform's user id.")
    name: str = Field(description="As people know them.")
    surface: str | None = Field(default=None, description="Where a person acted: `web`, `slack`, `teams`, `api`.")
    email: str | None = Field(default=None, description="A person's e-mail address, where the surface vouches for it.")

    def __str__(self) -> str:
        """As people know them."""
        return self.name


class Vote(Received):
    """One person's yes or no, where it takes several."""

    by: Actor
    at: AwareDatetime
    stage: int = Field(ge=1, description="The step of the approval, counted from 1.")
    kind: Literal["yes", "no"] = "yes"


class _Decision(Received):
    by: Actor
    at: AwareDatetime
    revision: int = Field(ge=1, description="The revision of the ask that was decided.")
    message_for_agent: str = Field(description="One or two sentences written for a language model to read.")
    policy: str = Field(default="none", description="Version of the policy in force, and its rule.")
    votes: tuple[Vote, ...] | None = Field(
        default=None,
        description="Where it took more than one person: all who agreed on it, `by` as the last of them.",
    )


class Approved(_Decision):
    """Go ahead with exactly these arguments, after a claim."""

    kind: Literal["approved"] = "approved"
    digest: Digest
    args: JsonObject
    reason: str | None = Field(default=None, description="The person's remark, if any.")
    grant: str | None = Field(default=None, description="The grant that this yes gave, or that it comes from.")
    grant_covers: str | None = Field(default=None, description="What the grant that this yes gave covers, in words.")


class Edited(_Decision):
    """Go ahead, with the arguments as a person changed them."""

    kind: Literal["edited"] = "edited"
    digest: Digest
    args: JsonObject
    reason: str | None = None
    grant: str | None = Field(default=None, description="The grant that this yes gave.")
    grant_covers: str | None = Field(default=None, description="What that grant covers, in words.")


class Rejected(_Decision):
    """Do not."""

    kind: Literal["rejected"] = "rejected"
    reason: str = Field(min_length=1)


class Chosen(_Decision):
    """This candidate."""

    kind: Literal["chosen"] = "chosen"
    digest: Digest
    choice: str = Field(description="The candidate's id.")
    reason: str | None = None


class Answered(_Decision):
    """This answer, valid against the ask's schema."""

    kind: Literal["answered"] = "answered"
    digest: Digest
    answer: JsonValue


class Expired(_Decision):
    """Nobody answered in time. This is not a person's no."""

    kind: Literal["expired"] = "expired"


class Withdrawn(_Decision):
    """The agent took the ask back."""

    kind: Literal["withdrawn"] = "withdrawn"
    reason: str | None = None


class Aborted(_Decision):
    """Somebody ended the run before this was decided."""

    kind: Literal["aborted"] = "aborted"
    reason: str | None = None


class Undeliverable(_Decision):
    """The question never reached anybody."""

    kind: Literal["undeliverable"] = "undeliverable"
    reason: str = Field(min_length=1)


Decision = Annotated[
    Approved | Edited | Rejected | Chosen | Answered | Expired | Withdrawn | Aborted | Undeliverable,
    Field(discriminator="kind"),
]
