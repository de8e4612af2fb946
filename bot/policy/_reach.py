"""Whether what a policy names can be reached where it is to hold: surfaces, and who is on call. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.errors import did_you_mean
from bot.policy._file import Policy
from bot.policy._finding import Finding, Path
from bot.policy._overlook import named


@dataclass(frozen=True, slots=True)
class Reach:
    """What people are reached by."""

    surfaces: Mapping[str, bool]
    """Every surface that there is, and whether it is set up."""
    on_call: str = ""
    """Why nobody can tell who is on call; empty: somebody can."""


def out_of_reach(policy: Policy, reach: Reach) -> list[Finding]:
    """One warning for each thing that is not there, where the file names it first."""
    where: dict[str, list[Path]] = {}
    for path, surface in _surfaces(policy):
        if not reach.surfaces.get(surface, False):
            where.setdefault(_no_surface(surface, reach), []).append(path)
    if reach.on_call and (rotas := list(_rotas(policy))):
        where[f"{reach.on_call}, so `on_call:` lets nobody through; see docs/operations.md"] = rotas
    return [Finding(fault=False, path=paths[0], says=why + _more(len(paths) - 1)) for why, paths in where.items()]


def _more(count: int) -> str:
    return f" ({count} more such place{'s' if count > 1 else ''})" if count else ""


def _no_surface(surface: str, reach: Reach) -> str:
    hence = "no card can go there, and nobody can answer there"
    if surface in reach.surfaces:
        return f"{surface!r} is not set up, so {hence}; see docs/operations.md"
    return f"there is no surface {surface!r}, so {hence}{did_you_mean(surface, frozenset(reach.surfaces))}"


def _surfaces(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Where cards go, and where people are known by an id of the surface's own."""
    terms = [
        (("defaults",), policy.defaults),
        *((("rules", number), rule) for number, rule in enumerate(policy.rules)),
    ]
    for path, each in terms:
        yield from (((*path, "to", number), place.surface) for number, place in enumerate(each.to or ()))
        for rung, step in enumerate(each.escalate or ()):
            yield from (
                ((*path, "escalate", rung, "to", number), place.surface) for number, place in enumerate(step.to)
            )
    for path, names in named(policy):
        for number, name in enumerate(names):
            kind, colon, _ = name.partition(":")
            if colon and kind not in {"role", "person", "on_call"}:
                yield (*path, number), kind


def _rotas(policy: Policy) -> Iterator[Path]:
    for path, names in named(policy):
        yield from ((*path, number) for number, name in enumerate(names) if name.startswith("on_call:"))
