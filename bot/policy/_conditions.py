"""Conditions in CEL, compiled once per load."""

import re
from collections.abc import Mapping
from typing import Any, Final

import cel

VARIABLES: Final = frozenset(
    {
        "tool", "args", "gate", "kind", "risk", "confidence", "failures", "agent", "run", "labels", "requester",
        "reversible", "checkpoint",
    }
)  # fmt: skip


class Faulty(ValueError):
    """A condition that cannot be used: where, and why."""


class Condition:
    """One condition. It holds, or does not; what fails while it is looked at holds for nobody to rely on."""

    def __init__(self, source: str) -> None:
        """Compile it.

        Raises:
            Faulty: It is no CEL, or names a variable that there is not.
        """
        self.source = source
        try:
            self._program = cel.compile(source)
        except (ValueError, SyntaxError, RuntimeError) as error:
            raise Faulty(_where(source, str(error))) from error
        unknown = sorted(set(self._program.variables()) - VARIABLES - _bound(source))
        if unknown:
            raise Faulty(f"there is no variable {unknown[0]!r}; there are {', '.join(sorted(VARIABLES))}")

    @property
    def variables(self) -> frozenset[str]:
        """What it looks at."""
        return frozenset(self._program.variables()) & VARIABLES

    def holds(self, about: Mapping[str, Any]) -> bool:
        """Does it hold?

        Raises:
            Faulty: It cannot be told: an argument that is not there, a comparison of unlike things, no boolean.
        """
        try:
            said = self._program.execute(dict(about))
        except Exception as error:
            raise Faulty(f"{type(error).__name__}: {error}") from error
        if not isinstance(said, bool):
            raise Faulty(f"it gives {said!r}, which is neither true nor false")
        return said


_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")


def _bound(source: str) -> set[str]:
    """Names that comprehensions bind."""
    return set(_MACRO.findall(source))


def _where(source: str, told: str) -> str:
    """The compiler's words, with line and column."""
    first = told.strip().splitlines()[0] if told.strip() else "it is no CEL"
    return f"{first} (in {source!r})" if "line" not in first.lower() and ":" not in first else first
