"""The whole policy file: its rules, defaults, who is who, triggers, caps, examples. Reading it is `_loading`."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from andon import wire
from bot.brake.words import Vocabulary
from bot.policy._index import Index
from bot.policy._rule import Do, Rule
from bot.policy._terms import Names, Part, Seconds, Terms


class Defaults(Terms):
    """What no rule names, and the terms that rules leave open."""

    do: Literal["ask", "deny"] = "ask"


class Scorer(Part):
    """Who tells how risky an action is."""

    name: str = Field(default="rules", description="An entry point of the group `andon.scorers`; `rules` is ours.")
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$", description="Or an HTTP address that is asked.")
    timeout: Seconds = 2


class Caps(Part):
    """How much a person may be asked."""

    cards_per_approver_hour: int | None = Field(default=None, ge=1, le=10_000)
    open_per_agent: int | None = Field(default=None, ge=1, le=100_000)
    burst: int | None = Field(
        default=None, ge=2, le=10_000, description="So many asks of one agent within `burst_within`."
    )
    burst_within: Seconds = 60


class BrakeTerms(Part):
    """Who may lift a brake, and what pulls it. Whoever sees a run may stop it."""

    resume: Names = Field(
        default=(), description="Who may resume or end a run; unset: whoever may answer for it, else the defaults'."
    )
    words: dict[Literal["stop", "pause", "resume", "abort"], tuple[str, ...]] = Field(
        default_factory=dict, description="What people type, beside the words that are built in."
    )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words, ready to read with."""
        return Vocabulary({str(action): phrases for action, phrases in self.words.items()})

    @model_validator(mode="after")
    def _words_are_usable(self) -> Self:
        _ = self.vocabulary
        return self


class Who(Part):
    """One person on several surfaces: whoever votes as one of these votes as all of them."""

    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    slack: str | None = Field(default=None, pattern=r"^([TE][A-Z0-9]+/)?[UW][A-Z0-9]+$")
    teams: str | None = Field(default=None, min_length=1, max_length=200)

    @property
    def ids(self) -> tuple[str, ...]:
        """What they are listed by: an e-mail address, `slack:…`, `teams:…`."""
        slack, teams = (f"slack:{self.slack}" if self.slack else "", f"teams:{self.teams}" if self.teams else "")
        return tuple(each for each in ((self.email or "").casefold(), slack, teams) if each)

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if not self.ids:
            msg = "says nothing by which to know this person; give `email`, `slack` or `teams`"
            raise ValueError(msg)
        return self


class Expect(Part):
    """What an example must come to; what is left out is not compared."""

    do: Do | None = None
    rule: str | None = None
    approvers: tuple[str, ...] | None = None
    quorum: int | None = None
    timeout: Seconds | None = None
    on_timeout: Literal["deny", "approve"] | None = None


class Example(Part):
    """An action and what the policy must say of it; `python -m bot policy test` runs these."""

    name: str = Field(min_length=1, max_length=200)
    tool: wire.Name | None = None
    args: wire.JsonObject = Field(default_factory=dict)
    gate: wire.Name = "test"
    agent: wire.Name = "agent"
    kind: Literal["confirmation", "choice", "input"] = "confirmation"
    labels: dict[str, str] = Field(default_factory=dict)
    checkpoint: str = ""
    requester: str = ""
    reversible: bool = False
    confidence: float | None = Field(default=None, ge=0, le=1)
    risk: float | None = Field(default=None, ge=0, le=1, description="Unset: the scorer is asked.")
    failures: int = Field(default=0, ge=0)
    trusted: int = Field(default=0, ge=0, description="Good ends so far, for a trust ramp.")
    timeout: Seconds | None = None
    on_timeout: Literal["deny", "approve"] = "deny"
    expect: Expect

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.on_timeout == "approve" and (not self.reversible or self.kind != "confirmation"):
            msg = "no such ask can be made: `on_timeout: approve` needs `reversible: true` and is for confirmations"
            raise ValueError(msg)
        return self


class Policy(Part):
    """A whole policy. `version` names it in every decision: "none" when there is no file."""

    people: dict[str, Who] = Field(default_factory=dict)
    roles: dict[str, Names] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    confidence_floor: float | None = Field(
        default=None, gt=0, le=1, description="Below it whatever a rule allows, notifies, samples or reviews is asked."
    )
    escalate_on_failure: int | None = Field(
        default=None, ge=1, le=1_000, description="After so many failures in a run, likewise."
    )
    risk: Scorer | None = None
    caps: Caps = Caps()
    brake: BrakeTerms = BrakeTerms()
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()
    version: str = "none"

    @property
    def index(self) -> Index:
        """The rules, by what they match."""
        if self._indexed.rules is not self.rules:
            self.__dict__["_indexed"] = Index(self.rules)  # a copy has the rules of its own
        return self._indexed

    @cached_property
    def _indexed(self) -> Index:
        return Index(self.rules)

    @property
    def known_people(self) -> dict[str, tuple[str, ...]]:
        """The people of the file and what each is listed by."""
        return {name: who.ids for name, who in self.people.items()}

    def who(self, names: Names) -> tuple[str, ...]:
        """Names of the file as what they stand for: roles as their members, people as their addresses and ids.

        `requester` and `on_call:…` stay as they are, and so does what the file does not define: that is nobody.
        """
        return tuple(dict.fromkeys(self._who(names, frozenset())))

    def _who(self, names: Names, above: frozenset[str]) -> Iterator[str]:
        for name in names:
            kind, _, rest = name.partition(":")
            if kind == "role" and rest in self.roles and rest not in above:
                yield from self._who(self.roles[rest], above | {rest})
            elif kind == "person" and rest in self.people:
                yield from self.people[rest].ids
            else:
                yield name
