"""The words in which Block Kit's rules are written: shapes, lengths and choices, with pointers to what is wrong."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Surface = Literal["message", "modal", "home"]


@dataclass
class Sheet:
    """What is known while one set of blocks is checked."""

    surface: Surface
    messages: list[str] = field(default_factory=list)
    block_ids: set[str] = field(default_factory=set)
    inputs: int = 0
    focused: int = 0
    tables: int = 0

    def fault(self, what: str, at: str) -> None:
        """Note a fault in the form in which Slack answers it."""
        self.messages.append(f"[ERROR] {what} [json-pointer:{at}]")


Check = Callable[[Sheet, Any, str], None]
"""Looks at a value, which stands at a JSON pointer, and notes its faults."""


def chars(most: int, least: int = 1, pattern: str = "") -> Check:
    """A string of so many characters."""

    def check(sheet: Sheet, value: Any, at: str) -> None:
        if not isinstance(value, str):
            sheet.fault("must be a string", at)
        elif len(value) > most:
            sheet.fault(f"must be less than {most + 1} characters", at)
        elif len(value) < least:
            sheet.fault(f"must be more than {least - 1} characters", at)
        elif pattern and not re.fullmatch(pattern, value):
            sheet.fault("does not match the required pattern", at)

    return check


def choice(*allowed: str) -> Check:
    """One of these words."""

    def check(sheet: Sheet, value: Any, at: str) -> None:
        if value not in allowed:
            sheet.fault(f"must be one of: {', '.join(allowed)}", at)

    return check


def flag(sheet: Sheet, value: Any, at: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        sheet.fault("must be a boolean", at)


def whole(least: int, most: int) -> Check:
    """A whole number between these, both included."""

    def check(sheet: Sheet, value: Any, at: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            sheet.fault("must be an integer", at)
        elif not least <= value <= most:
            sheet.fault(f"must be between {least} and {most}", at)

    return check


def anything(sheet: Sheet, value: Any, at: str) -> None:
    """Not looked into."""


def listing(each: Check, most: int, least: int = 1) -> Check:
    """An array of so many of these."""

    def check(sheet: Sheet, value: Any, at: str) -> None:
        if not isinstance(value, list):
            sheet.fault("must be an array", at)
            return
        if len(value) > most:
            sheet.fault(f"no more than {most} items allowed", at)
        if len(value) < least:
            sheet.fault(f"must have at least {least} items", at)
        for n, item in enumerate(value):
            each(sheet, item, f"{at}/{n}")

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *also: Check) -> Check:
    """An object with these fields and no others.

    Args:
        required: Fields that must be there.
        optional: Fields that may be there. `type` always may: whoever chose this shape has looked at it.
        also: Rules that need more than one field. They run only on an object whose fields are right.
    """
    known = {"type": anything, **(optional or {}), **required}

    def check(sheet: Sheet, value: Any, at: str) -> None:
        if not isinstance(value, dict):
            sheet.fault("must be an object", at)
            return
        before = len(sheet.messages)
        for name in required:
            if name not in value:
                sheet.fault(f"missing required field: {name}", at)
        for name, item in value.items():
            if name in known:
                known[name](sheet, item, f"{at}/{name}")
            else:
                sheet.fault(f"invalid additional property: {name}", at)
        if len(sheet.messages) == before:
            for rule in also:
                rule(sheet, value, at)

    return check


def typed(shapes: Mapping[str, Check]) -> Check:
    """An object whose `type` chooses its shape."""

    def check(sheet: Sheet, value: Any, at: str) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            sheet.fault("must be an object", at)
        elif kind is None:
            sheet.fault("missing required field: type", at)
        elif not isinstance(kind, str) or kind not in shapes:
            sheet.fault(f"unsupported type: {kind}", f"{at}/type")
        else:
            shapes[kind](sheet, value, at)

    return check
