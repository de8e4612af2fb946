"""Globs beside each other: how many names they match, and whether one takes all that another does. Pure."""

from string import ascii_lowercase
from typing import Final, Literal

from bot.policy._index import matcher

_WILD: Final = frozenset("*?[")
_MADE_UP: Final = tuple(
    tuple(name.format(letter * (2 + number % 7)) for number, letter in enumerate(ascii_lowercase))
    for name in ("{0}", "{0}_{0}", "{0}-{0}", "{0}.{0}")
)
"""Names as tools have them, one for each letter and of many lengths: no glob for some tools matches most of a kind."""


def breadth(globs: tuple[str, ...]) -> Literal["any tool", "nearly any tool", ""]:
    """How these read to whoever names a tool tomorrow; empty: they are for some tools alone."""
    matches = matcher(globs)
    if matches is None:
        return "any tool"
    found = max(sum(bool(matches(name)) for name in kind) for kind in _MADE_UP)
    return (
        "any tool" if found == len(ascii_lowercase) else "nearly any tool" if found * 2 > len(ascii_lowercase) else ""
    )


def contain(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Is every glob of these within one of those?"""
    if "*" in wide:
        return True
    return all(any(_within(glob, each) for each in wide) for glob in narrow)


def _within(glob: str, wide: str) -> bool:
    """For exact names, for `prefix*` and for what takes any name; other globs are within themselves alone."""
    if glob == wide or (glob != "*" and _takes_any(wide)):
        return True
    if not _WILD & set(glob):
        matches = matcher((wide,))
        return matches is None or bool(matches(glob))
    stem = wide.removesuffix("*")
    return wide.endswith("*") and not _WILD & set(stem) and glob.startswith(stem)


def _takes_any(glob: str) -> bool:
    """Does it match every name there is? Only a plain `*` also matches that there is none."""
    return not glob.strip("*?") and "*" in glob and glob.count("?") <= 1
