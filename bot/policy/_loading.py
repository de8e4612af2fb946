"""Reads a policy: every fault at once, each with its rule, its line and its column. Pure, but for `load`."""

import hashlib
import inspect
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import ConfigError
from bot.policy._conditions import did_you_mean
from bot.policy._file import Policy
from bot.policy._overlook import look_over
from bot.policy._reach import Reach, out_of_reach
from bot.policy._rule import WrongCondition
from bot.policy._yaml import Page, Place, Unreadable

_NAME: Final = "policy"


@dataclass(frozen=True, slots=True)
class Read:
    """A policy that can be used, and what its writer should look at."""

    policy: Policy
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What is worth knowing and needs no mending."""


def read(text: str, name: str = _NAME, *, reach: Reach | None = None) -> Read:
    """Read a policy, and look it over.

    Args:
        text: YAML.
        name: What faults and warnings begin with: the file's name, say.
        reach: What people are reached by where the policy is to hold; without it, nothing is said of that.

    Raises:
        ConfigError: With every fault: where, and what to write instead.
    """
    try:
        page = Page(text)
    except Unreadable as error:
        raise ConfigError([_told(name, error.at, "the policy cannot be read: " + error.why)]) from error
    data = page.data
    if not isinstance(data, dict) or "version" in data:
        why = "the policy must be a mapping with `rules` and `defaults`, and no `version`: that is its hash"
        raise ConfigError([_told(name, page.key_at(("version",)) if isinstance(data, dict) else None, why)])
    try:
        policy = Policy.model_validate({**data, "version": hashlib.sha256(text.encode()).hexdigest()[:12]})
    except ValidationError as error:
        raise ConfigError([_fault(name, page, each) for each in error.errors()]) from error
    findings = [*look_over(policy), *(out_of_reach(policy, reach) if reach else ())]
    told = {each: _told(name, page.at(each.path), _about(page, each.path, each.says)) for each in findings}
    if faults := [says for each, says in told.items() if each.fault]:
        raise ConfigError(faults)
    return Read(
        policy,
        warnings=tuple(says for each, says in told.items() if not each.is_note),
        notes=tuple(says for each, says in told.items() if each.is_note),
    )


def parse(text: str) -> Policy:
    """Read a policy.

    Raises:
        ConfigError: With every fault: where, and what to write instead.
    """
    return read(text).policy


def load(path: Path | None) -> Policy:
    """Read the policy file; without one, everything is asked.

    Raises:
        ConfigError: It cannot be read, or has faults.
    """
    if path is None:
        return Policy()
    return parse(text_of(path))


def text_of(path: Path) -> str:
    """What a policy file says.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot read the policy file {path}: {error}; see ANDON_POLICY"]) from error


def _told(name: str, at: Place | None, says: str) -> str:
    return f"{name}:{at[0]}:{at[1]}: {says}" if at else f"{name}: {says}"


def _about(page: Page, path: Sequence[str | int], says: str) -> str:
    """The rule's name or the field, before what is said about it."""
    where = ".".join(map(str, path))
    rule = _rule(page, path)
    return f"rule {rule!r}, {where}: {says}" if rule else f"{where}: {says}" if where else says


def _rule(page: Page, path: Sequence[str | int]) -> str:
    """Which rule, by its name, or else by its place."""
    if len(path) < 2 or path[0] != "rules" or not isinstance(path[1], int):  # noqa: PLR2004  # `rules`, and which
        return ""
    try:
        name = page.data["rules"][path[1]]["name"]
    except (LookupError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _fault(name: str, page: Page, error: ErrorDetails) -> str:
    path, says = tuple(error["loc"]), error["msg"].removeprefix("Value error, ")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, WrongCondition):
        path, fault = (*path, "when"), cause.fault
        at = page.within(path, str(error["input"].get("when", "")), fault.line, fault.column) if fault.line else None
        return _told(name, at or page.at(path), _about(page, path, str(fault)))
    if error["type"] == "extra_forbidden":
        known = frozenset(_known(Policy, path[:-1]) - {"version"})
        return _told(
            name, page.key_at(path), _about(page, path, f"there is no such key{did_you_mean(str(path[-1]), known)}")
        )
    return _told(name, page.at(path), _about(page, path, says))


def _known(model: type[BaseModel], path: Sequence[str | int]) -> set[str]:
    """The keys that may stand where a path leads."""
    for step in path:
        field = model.model_fields.get(str(step))
        if field is None:
            continue
        inner = list(_models(field.annotation))
        if not inner:
            return set()
        model = inner[0]
    return {field.alias or name for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation is made of."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for each in typing.get_args(annotation):
        yield from _models(each)
