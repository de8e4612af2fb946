"""Every fault of a file at once, each in its place and in our words: also of the parts behind a faulty one. Pure.

What is faulty is taken out and the rest is read again, so that nobody has to mend one kind of fault to see the next.
What is taken out goes whole, so that no fault is told that only comes of that.
"""

import inspect
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import ODD_NAME, plainly
from bot.policy._conditions import Condition, Faulty
from bot.policy._file import Policy
from bot.policy._finding import Path
from bot.policy._overlook import look_over, undefined
from bot.policy._rule import WrongCondition
from bot.policy._yaml import Page, Place

_PASSES: Final = 3
"""The faulty parts are out after one; a part of theirs that the rest needs may take another."""
_ANY_GROUP: Final = ("slack:S0",)
"""In the place of a role that cannot be read: nobody knows how many it is."""


_ODD: Final = {
    "name": "is no name for it: letters, digits, `_`, `.` and `-` make one, 64 at the most",
    "tool": ODD_NAME,
    "gate": ODD_NAME,
    "agent": ODD_NAME,
    "same": "is no argument's name: letters, digits, `_`, `.` and `-` make one",
    "label": "is not one line; leave control characters out",
    "surface": "names no surface; write slack:#ops or web, or {surface: slack, channel: '#ops'}",
    "email": "is no e-mail address",
    "slack": "is no person on Slack; write U024BE7LH or T012AB3C4/U024BE7LH",
    "url": "is no address; write https://…",
}
"""What is said of a text that is not written as its key wants."""


def every_fault(name: str, page: Page, version: str) -> list[str]:
    """The faults of a file that cannot be taken, in its order."""
    data: dict[str, Any] = {**page.data, "version": version}
    rules = data.get("rules")
    numbers = list(range(len(rules))) if isinstance(rules, list) else []
    found: list[_Told] = []
    for _ in range(_PASSES):
        try:
            policy = Policy.model_validate(data)
        except ValidationError as error:
            errors = [each for each in error.errors() if not _is_echo(each, error.errors())]
            found += [_fault(page, each, _as_written(tuple(each["loc"]), numbers)) for each in errors]
            data, numbers = _without(data, numbers, errors)
        else:
            found += [_of(page, _as_written(each.path, numbers), each.says) for each in look_over(policy) if each.fault]
            break
    found += _left_out(page, set(range(len(rules))) - set(numbers) if isinstance(rules, list) else set(), found)
    unique = dict.fromkeys(found)
    return [told(name, at, says) for at, _, says in sorted(unique, key=lambda each: each[0] or (0, 0))]


def told(name: str, at: Place | None, says: str) -> str:
    """A sentence with its place before it."""
    return f"{name}:{at[0]}:{at[1]}: {says}" if at else f"{name}: {says}"


def about(page: Page, path: Sequence[str | int], says: str) -> str:
    """The rule's name or the field, before what is said about it."""
    where = ".".join(map(str, path))
    rule = _rule(page, path)
    return f"rule {rule!r}, {where}: {says}" if rule else f"{where}: {says}" if where else says


_Told = tuple[Place | None, Path, str]


def _of(page: Page, path: Path, says: str, at: Place | None = None) -> _Told:
    return at or page.at(path), path, about(page, path, says)


def _rule(page: Page, path: Sequence[str | int]) -> str:
    """Which rule, by its name, or else by its place."""
    if len(path) < 2 or path[0] != "rules" or not isinstance(path[1], int):  # noqa: PLR2004  # `rules`, and which
        return ""
    try:
        name = page.data["rules"][path[1]]["name"]
    except (LookupError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _as_written(path: Path, numbers: Sequence[int]) -> Path:
    """The path in the file, of which some rules may be taken out."""
    if len(path) > 1 and path[0] == "rules" and isinstance(path[1], int):
        return ("rules", numbers[path[1]], *path[2:])
    return path


# --- one fault -------------------------------------------------------------------------------------


def _is_echo(error: ErrorDetails, others: Iterable[ErrorDetails]) -> bool:
    """A list is called too short only because what stands in it is faulty."""
    path = error["loc"]
    return error["type"] == "too_short" and any(
        len(each["loc"]) > len(path) and each["loc"][: len(path)] == path for each in others
    )


def _fault(page: Page, error: ErrorDetails, path: Path) -> _Told:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, WrongCondition):
        return _condition(page, path, str(error["input"].get("when", "")), cause.fault)
    if error["type"] == "extra_forbidden":
        known = _known(Policy, path[:-1]) - {"version"}
        return _of(page, path, plainly(error, known=known, odd=_ODD), page.key_at(path))
    return _of(page, path, plainly(error, odd=_ODD))


def _condition(page: Page, path: Path, source: str, fault: Faulty) -> _Told:
    path = (*path, "when")
    at = page.within(path, source, fault.line, fault.column) if fault.line else None
    return _of(page, path, str(fault), at)


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


# --- the rest ----------------------------------------------------------------------------------------


def _without(
    data: Mapping[str, Any], numbers: Sequence[int], errors: Iterable[ErrorDetails]
) -> tuple[dict[str, Any], list[int]]:
    """The file without what is faulty, and the numbers of the rules that are left."""
    left: dict[Any, Any] = dict(data)
    out = set[int]()
    for path in (each["loc"] for each in errors):
        top = path[0]
        inner = left.get(str(top))
        if top == "rules" and len(path) > 1 and isinstance(path[1], int):
            out.add(path[1])
        elif top in {"people", "roles"} and len(path) > 1 and isinstance(inner, dict):
            stand_in = {"teams": f"faulty-{path[1]}"} if top == "people" else _ANY_GROUP
            left[top] = {**inner, path[1]: stand_in}
        elif top == "defaults" and len(path) > 1 and isinstance(inner, dict):
            left[top] = {key: value for key, value in inner.items() if key != path[1]}
        else:
            left.pop(top, None)
    if isinstance(left.get("rules"), list):
        left["rules"] = [each for number, each in enumerate(left["rules"]) if number not in out]
    return left, [number for place, number in enumerate(numbers) if place not in out]


def _left_out(page: Page, numbers: Iterable[int], found: Iterable[_Told]) -> Iterator[_Told]:
    """What can be told of rules that were taken out: their conditions, and who is not defined."""
    told_of = {path for _, path, _ in found}
    for number in sorted(numbers):
        rule, path = page.data["rules"][number], ("rules", number)
        if not isinstance(rule, dict):
            continue
        when = rule.get("when")
        if isinstance(when, str) and (*path, "when") not in told_of:
            try:
                Condition(when)
            except Faulty as fault:
                yield _condition(page, path, when, fault)
        for where, names in _lists(path, rule):
            found_there = undefined(names, where, roles=_names(page, "roles"), people=_names(page, "people"))
            yield from (_of(page, each.path, each.says) for each in found_there)


def _names(page: Page, key: str) -> frozenset[str] | None:
    """The names that are defined; None: that cannot be told."""
    value = page.data.get(key, {})
    return frozenset(map(str, value)) if isinstance(value, dict) else None


def _lists(path: Path, value: Any) -> Iterator[tuple[Path, list[str]]]:
    """Every list of people in a part of the file, whatever else is wrong with it."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _lists((*path, number), each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in {"approvers", "mention"} and isinstance(each, list):
                yield (*path, key), [name if isinstance(name, str) else "" for name in each]
            elif key in {"stages", "escalate"}:
                yield from _lists((*path, key), each)
