"""Grants: a person's standing, scoped and expiring "don't ask again for this"."""

from pydantic import AwareDatetime, Field

from andon.wire._decisions import Actor
from andon.wire._models import JsonObject, Received


class Grant(Received):
    """A grant that stands."""

    id: str
    agent: str
    tool: str
    same: JsonObject = Field(description="Arguments that must be the very same, types included; empty: any arguments.")
    scope: str = Field(description="`run`: this run alone; `agent`: any of its runs; `requester`: those for them.")
    run: str | None = Field(default=None, description="With scope `run`.")
    requester: str | None = Field(default=None, description="With scope `requester`.")
    covers: str = Field(description="In words.")
    condition: str = Field(description="`tool` and `same` as a condition in CEL, over `tool` and `args`.")
    label: str = Field(description="The policy's own words for the offer.")
    policy: str = Field(description="Version and rule of the policy that offered it.")
    handoff: str = Field(description="The yes that gave it.")
    by: Actor
    given_at: AwareDatetime
    until: AwareDatetime
    uses: int = 0
    last_used_at: AwareDatetime | None = None


class GrantList(Received):
    """Grants that stand, the newest first."""

    grants: tuple[Grant, ...]
