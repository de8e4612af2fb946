"""The terms of a policy in words: for the page that reads a policy aloud, and for whoever tries an action. Pure."""

import json
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, TypeAdapter

from andon import wire
from bot.cards.sentences import lasting

_NAMED: Final = {"role": "the role {}", "on_call": "whoever is on call for {}", "person": "{}"}
_GRANT: Final = {"run": "in one run", "agent": "for one agent", "requester": "for one requester"}


def people_in_words(names: Sequence[str]) -> str:
    """Approvers as a policy names them, without its prefixes."""
    told = []
    for name in names:
        kind, _, rest = name.partition(":")
        told.append("the requester" if name == "requester" else _NAMED.get(kind, name).format(rest))
    return listed(told)


def places_in_words(places: Sequence[str]) -> str:
    """Places as a policy has them: `slack:#ops` is `#ops on slack`."""
    parts = [place.partition(":") for place in places]
    return listed([f"{where} on {surface}" if where else surface for surface, _, where in parts])


def stages_in_words(stages: Sequence[tuple[int, Sequence[str]]]) -> str:
    """Stages of an approval, each with how many must say yes, and of whom."""
    return "; then ".join(f"{quorum} of {people_in_words(names)}" for quorum, names in stages)


def rung_in_words(after_s: int, to: Sequence[str], approvers: Sequence[str], mention: Sequence[str]) -> str:
    """What happens when nobody has answered for so long."""
    does = [
        *([f"it also goes to {places_in_words(to)}"] if to else []),
        *([f"{people_in_words(approvers)} may answer too"] if approvers else []),
        *([f"it calls {people_in_words(mention)} by name"] if mention else []),
    ]
    return f"Without an answer for {lasting(after_s)}, {listed(does)}."


def grant_in_words(label: str, scope: str, life_s: int) -> str:
    """What a yes may cover besides."""
    return f"A yes may cover “{label}” {_GRANT[scope]}, for {lasting(life_s)}."


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[1:] else []), *parts[-1:]])


class _Stage(BaseModel):
    approvers: tuple[str, ...]
    quorum: int


class _Rung(BaseModel):
    after_s: int
    to: tuple[str, ...]
    approvers: tuple[str, ...]
    mention: tuple[str, ...]


class _Grant(BaseModel):
    label: str
    scope: Literal["run", "agent", "requester"]
    life_s: int


_STAGES: Final = TypeAdapter(tuple[_Stage, ...])
_RUNGS: Final = TypeAdapter(tuple[_Rung, ...])
_GRANTS: Final = TypeAdapter(tuple[_Grant, ...])


def term_in_words(term: wire.PolicyTerm) -> str:
    """One term of an explanation as people read it; what has no parts stands as it is."""
    value = term.value
    match term.name:
        case "stages" if value:
            return stages_in_words([(each.quorum, each.approvers) for each in _STAGES.validate_python(value)])
        case "escalate" if value:
            rungs = _RUNGS.validate_python(value)
            return " ".join(rung_in_words(each.after_s, each.to, each.approvers, each.mention) for each in rungs)
        case "grants" if value:
            grants = _GRANTS.validate_python(value)
            return " ".join(grant_in_words(each.label, each.scope, each.life_s) for each in grants)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
