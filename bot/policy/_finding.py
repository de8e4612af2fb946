"""What is found about a policy while it is looked over. Values only."""

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where in the file: the keys and places that lead there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a policy, and where in it."""

    fault: bool
    path: Path
    says: str
    is_note: bool = False
    """True of many a good file: worth knowing, and no warning."""
