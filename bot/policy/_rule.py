"""One rule of the policy file: what it matches, and what it says."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from bot.policy._conditions import Condition, Faulty
from bot.policy._situation import Situation
from bot.policy._terms import Terms

Do = Literal["allow", "notify", "sample", "review", "ask", "deny"]
"""From the loosest to the strictest."""

LOOSE: Final = frozenset({"allow", "notify", "sample", "review"})
"""What runs, unless something else wants a person asked."""
STRICTNESS: Final[Mapping[str, int]] = {"allow": 0, "notify": 1, "sample": 2, "review": 3, "ask": 4, "deny": 5}


def _globs(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Glob = Annotated[str, Field(min_length=1, max_length=128)]
Globs = Annotated[
    tuple[_Glob, ...],
    BeforeValidator(_globs, json_schema_input_type=_Glob | Annotated[list[_Glob], Field(min_length=1)]),
    Field(min_length=1),
]


class Rule(Terms):
    """One rule: what it matches, and what it says. The first match wins."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Stands in each decision.")
    tool: Globs = Field(default=("*",), description="Globs; one of them must match the tool.")
    gate: Globs = Field(default=("*",), description="Globs; one of them must match where the agent stopped.")
    agent: Globs = Field(default=("*",), description="Globs; one of them must match who asks.")
    checkpoint: Globs | None = Field(
        default=None, description="The run's latest checkpoint, by name; unset: any or none."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that the run must have, by value.")
    when: str | None = Field(default=None, max_length=4_000, description="A condition in CEL.")
    do: Do = Field(
        description="`allow`: it runs. `notify`: and people are told. `sample`: a fraction is reviewed. `review`: all "
        "of it is. `ask`: a person is asked first. `deny`: it is refused."
    )
    fraction: float | None = Field(
        default=None, ge=0, le=1, description="For `sample`: this share is shown afterwards."
    )
    reason: str | None = Field(default=None, min_length=1, description="For `deny`: what the agent reads.")

    after: bool = Field(
        default=False,
        description="Where it asks: may an agent also act first and ask afterwards (`timing: after`)?",
    )

    @cached_property
    def condition(self) -> Condition | None:
        """`when`, compiled.

        Raises:
            Faulty: It cannot be used; a rule that was read has none of these.
        """
        return None if self.when is None else Condition(self.when)

    @cached_property
    def _looks_at_checkpoint(self) -> bool:
        return self.checkpoint is not None or (self.condition is not None and "checkpoint" in self.condition.variables)

    def waits(self, situation: Situation) -> bool:
        """Does it look at a checkpoint from which nobody has let the run go on?"""
        return not situation.passed and self._looks_at_checkpoint

    @model_validator(mode="after")
    def _says_what_it_must(self) -> Self:
        if self.do == "deny" and not self.reason:
            msg = "`do: deny` needs a `reason`: the agent reads it"
            raise ValueError(msg)
        if self.do == "deny" and self.after:
            msg = "`after: true` lets people be asked afterwards, and `do: deny` asks nobody; keep one"
            raise ValueError(msg)
        if (self.do == "sample") != (self.fraction is not None):
            msg = "`fraction` goes with `do: sample`, which needs it: 0.1 shows one in ten"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _condition_compiles(self) -> Self:
        if self.when is not None:
            try:
                self.__dict__["condition"] = Condition(self.when)
            except Faulty as error:
                raise WrongCondition(error) from error
        return self


class WrongCondition(ValueError):
    """A rule's condition cannot be used."""

    def __init__(self, fault: Faulty) -> None:
        super().__init__(f"`when`, {fault}")
        self.fault = fault
