"""What a button, a menu or a modal of ours carries, and how it is read back. Pure.

A button carries which handoff it answers, at which revision, by its digest. A menu's options are too small for that,
so the block around it carries the same. Whatever does not read as ours raises one error.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue

from bot.cards import Card
from bot.errors import BadRequest

ACTION: Final = "andon:"
"""Begins every `action_id`, `block_id` and `callback_id` of ours."""

KINDS: Final = frozenset(
    {"again", "answer", "approve", "choose", "edit", "grant", "more", "read", "reason", "reject", "resume"}
)
_VALUE_CHARS: Final = 600
"""Slack takes 2,000; a card has several buttons, and what they carry counts too."""
_METADATA_CHARS: Final = 3_000
_ID_RE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DIGEST_RE: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK_RE: Final = re.compile(r"andon:answers:([A-Za-z0-9_-]{1,100}):([0-9]{1,9}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pressed:
    """One press: what for, on which card as it then was. `extra` is of its kind.

    `reason` has `index` into the card's reject reasons and, where it fitted, its `text`; `choose` has `index` into the
    candidates; `more` has `index` into `cards.MORE`; `resume` has the `epoch` of the brake that the card told of.
    """

    kind: str
    handoff: str
    revision: int
    digest: str
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a modal knows of itself, in its `private_metadata`."""

    kind: str
    """`read`, `edit`, `reject`, `choose` or `answer`."""
    handoff: str
    revision: int
    digest: str
    address: str
    """Where the card is, in the caller's own words."""
    full: bool
    """Was everything that is agreed to before the person's eyes: on the card, in this modal, or in its file?"""
    file: bool = False
    """It was in a file, so that the box "I have read the whole" must be ticked (`forms.has_read`)."""
    index: int | None = None
    """Of `choose`: which candidate."""
    whole: bool = False
    """Of `edit` and `answer`: the one field is JSON of the whole value."""

    def metadata(self) -> str:
        """As `private_metadata`.

        Raises:
            ValueError: The address is too long to carry.
        """
        text = _json(
            {
                "k": self.kind,
                "h": self.handoff,
                "r": self.revision,
                "d": self.digest,
                "a": self.address,
                "f": self.full,
                "x": self.file,
                "i": self.index,
                "w": self.whole,
            }
        )
        if len(text) > _METADATA_CHARS:
            msg = f"the address of a card takes {len(self.address):,} characters, which is too much for a modal"
            raise ValueError(msg)
        return text


def carried(view: Card, **extra: JsonValue) -> str:
    """The value of a button; what is extra is left out when it does not fit."""
    own: dict[str, JsonValue] = {"h": view.id, "r": view.revision, "d": view.digest}
    for name, value in extra.items():
        if len(_json({**own, name: value})) <= _VALUE_CHARS:
            own[name] = value
    return _json(own)


def around(view: Card) -> str:
    """The `block_id` of the block around a card's buttons and menus."""
    return around_row(view.id, view.revision, view.digest)


def around_row(handoff: str, revision: int, digest: str) -> str:
    """The same for a row of a digest, whose buttons carry nothing themselves: there is little room."""
    return f"{ACTION}answers:{handoff}:{revision}:{digest}"


def pressed(action: Mapping[str, Any]) -> Pressed:
    """Read one entry of a `block_actions` payload's `actions`, or the body of a `block_suggestion`.

    Raises:
        BadRequest: It is none that a card of ours can send.
    """
    kind = _kind(action.get("action_id"))
    option = action.get("selected_option")
    if kind not in KINDS:
        raise _unreadable()
    if action.get("value") is None or kind == "choose":
        found = _BLOCK_RE.fullmatch(str(action.get("block_id")))
        if not found:
            raise _unreadable()
        index = option.get("value") if isinstance(option, Mapping) else None
        extra: dict[str, JsonValue] = {} if index is None else {"index": _index(index)}
        return Pressed(kind, found[1], int(found[2]), found[3], extra)
    own = _object(action["value"])
    counts = (own.get("index", 0), own.get("epoch", 0))
    if not all(map(_is_count, counts)) or not isinstance(own.get("text", ""), str):
        raise _unreadable()
    return Pressed(
        kind,
        *_which(own),
        {name: value for name, value in own.items() if name in {"index", "text", "epoch"}},
    )


def sheet(view: Mapping[str, Any]) -> Sheet:
    """Read what a submitted or closed modal knows of itself.

    Raises:
        BadRequest: It is none of ours.
    """
    kind = _kind(view.get("callback_id"))
    own = _object(view.get("private_metadata"))
    index, address = own.get("i"), own.get("a")
    if own.get("k") != kind or not isinstance(address, str) or not (index is None or _is_count(index)):
        raise _unreadable()
    return Sheet(
        kind,
        *_which(own),
        address,
        full=own.get("f") is True,
        file=own.get("x") is True,
        index=index,
        whole=own.get("w") is True,
    )


def _which(own: Mapping[str, Any]) -> tuple[str, int, str]:
    handoff, revision, digest = own.get("h"), own.get("r"), own.get("d")
    if (
        isinstance(handoff, str)
        and _ID_RE.fullmatch(handoff)
        and _is_count(revision)
        and revision
        and isinstance(digest, str)
        and _DIGEST_RE.fullmatch(digest)
    ):
        return handoff, int(str(revision)), digest
    raise _unreadable()


def _kind(name: object) -> str:
    if not isinstance(name, str) or not name.startswith(ACTION):
        raise _unreadable()
    kind = name.removeprefix(ACTION).partition(":")[0]
    return "reason" if kind == "reasons" else kind


def _object(text: object) -> dict[str, Any]:
    try:
        own = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(own, dict):
        raise _unreadable()
    return own


def _index(text: object) -> int:
    if isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) < 6:  # noqa: PLR2004  # no huge numbers
        return int(text)
    raise _unreadable()


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**9


def _json(value: Mapping[str, JsonValue]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _unreadable() -> BadRequest:
    return BadRequest("this press is none that a card of ours can send; open the card again and press there")
