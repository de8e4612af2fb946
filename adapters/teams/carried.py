"""What a button of ours carries, and how it is read back. Pure. `adapters.teams.cards` says what there is.

A button carries which handoff it answers, at which revision, by its digest; Teams puts the inputs of the card beside
that. Whatever does not read as ours raises one error.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue

from bot.cards import Card, DigestRow
from bot.errors import BadRequest
from bot.handoff import Handoff
from bot.ports import Row

KEY: Final = "andon"
"""Under which our own part of the data stands."""

DOES: Final = frozenset(
    {
        "again",
        "answer",
        "approve",
        "approve-shown",
        "ask-agent",
        "ask-else",
        "back",
        "choose",
        "edit",
        "end-grant",
        "grant",
        "lift",
        "look",
        "open",
        "reason",
        "refresh",
        "reject",
        "reject-shown",
        "resume",
        "setting",
        "stop",
        "turn",
    }
)
SHEETS: Final = frozenset({"read", "again", "edit", "answer", "look", "grant"})
_MOST_ROWS: Final = 10
_MOST_TEXT: Final = 40_000
_ID_RE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DIGEST_RE: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pressed:
    """One press: what for, on which card as it then was, and what stood in its inputs.

    A press that is about no handoff (`end-grant`, `lift`, `setting`, `approve-shown`, `reject-shown`) has an empty one.
    """

    do: str
    handoff: str = ""
    revision: int = 0
    digest: str = ""
    index: int | None = None
    """Of `reason`, `look`, `choose`, `grant`, and of `approve` with a grant: which."""
    page: int = 0
    """Of `turn`: which page."""
    sheet: str = ""
    """Of `open` and `turn`: what to read or to fill in."""
    full: bool = False
    """Was everything that is agreed to before the person's eyes?"""
    whole: bool = False
    """Of `edit` and `answer`: the one input is JSON of the whole value."""
    save: bool = False
    """Of `edit`: for another person to approve."""
    id: str = ""
    """Of `end-grant`: the grant; of `setting`: which, and what it shall be, as in `twice-on`."""
    epoch: int | None = None
    """Of `lift` and `resume`: the brake that was told of."""
    rows: tuple[Row, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By name; what was left empty is not there."""


def carried(view: Card | Handoff | DigestRow, do: str, **extra: JsonValue) -> dict[str, JsonValue]:
    """The data of a button."""
    own: dict[str, JsonValue] = {"do": do, "handoff": view.id, "revision": view.revision, "digest": view.digest}
    return {KEY: own | extra}


def carried_rows(rows: tuple[DigestRow, ...], do: str) -> dict[str, JsonValue]:
    """The data of a button that is about all that a digest shows."""
    named: list[JsonValue] = [{"handoff": each.id, "revision": each.revision, "digest": each.digest} for each in rows]
    return {KEY: {"do": do, "rows": named}}


def pressed(data: object) -> Pressed:
    """Read what came back: `value.action.data` of an invoke, or `value.data` of a dialog's.

    Raises:
        BadRequest: It is none that a card of ours can send.
    """
    own = data.get(KEY) if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(own, Mapping):
        raise _unreadable()
    do = own.get("do")
    sheet, grant = own.get("sheet", ""), own.get("id", "")
    if do not in DOES or not (sheet == "" or sheet in SHEETS) or not (grant == "" or _is_id(grant)):
        raise _unreadable()
    handoff, revision, digest = _which(own) if "handoff" in own else ("", 0, "")
    if not handoff and do not in {"approve-shown", "reject-shown", "end-grant", "lift", "setting"}:
        raise _unreadable()
    return Pressed(
        do=str(do),
        handoff=handoff,
        revision=revision,
        digest=digest,
        index=_count(own.get("index")),
        page=_count(own.get("page")) or 0,
        sheet=str(sheet),
        full=own.get("full") is True,
        whole=own.get("whole") is True,
        save=own.get("save") is True,
        id=str(grant),
        epoch=_count(own.get("epoch")),
        rows=_rows(own.get("rows", [])) if str(do).endswith("-shown") else (),
        inputs={name: _text(value) for name, value in data.items() if name not in {KEY, "msteams"}},
    )


def _which(own: Mapping[str, Any]) -> tuple[str, int, str]:
    handoff, revision, digest = own.get("handoff"), _count(own.get("revision")), own.get("digest")
    if _is_id(handoff) and revision and isinstance(digest, str) and _DIGEST_RE.fullmatch(digest):
        return str(handoff), revision, digest
    raise _unreadable()


def _rows(value: object) -> tuple[Row, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_ROWS:
        raise _unreadable()
    if not all(isinstance(each, Mapping) for each in value):
        raise _unreadable()
    return tuple(Row(*_which(each)) for each in value)


def _is_id(text: object) -> bool:
    return isinstance(text, str) and bool(_ID_RE.fullmatch(text))


def _count(number: object) -> int | None:
    if number is None:
        return None
    # Some clients send every number as one with a fraction.
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**12:
        return number
    raise _unreadable()


def _text(value: object) -> str:
    """What stood in an input; some clients send numbers and truth values as such."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | int | float):
        text = json.dumps(value)
    else:
        raise _unreadable()
    if len(text) > _MOST_TEXT:
        raise _unreadable()
    return text


def _unreadable() -> BadRequest:
    return BadRequest("this press is none that a card of ours can send; open the card again and press there")
