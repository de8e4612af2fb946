"""What can be pressed on a card, as templates take it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from adapters.teams.carried import carried
from adapters.teams.fit import ACTIONS, BUTTON
from adapters.teams.forms import Input
from adapters.teams.texts import Block, Fact
from bot.cards import Card, DigestRow
from bot.cards.rich import plain
from bot.handoff import Handoff

Look = Literal["", "positive", "destructive"]


@dataclass(frozen=True, slots=True)
class Press:
    """A button whose press comes to the service.

    `execute` is answered with a card in its place, `submit` is the same inside a dialog, `fetch` opens a dialog.
    """

    label: str
    data: Mapping[str, JsonValue]
    kind: Literal["execute", "submit", "fetch"] = "execute"
    look: Look = ""
    takes_inputs: bool = False
    is_secondary: bool = False

    @property
    def verb(self) -> str:
        """What it is for, by one word."""
        own = self.data["andon"]
        return str(own["do"]) if isinstance(own, dict) else ""


@dataclass(frozen=True, slots=True)
class Toggle:
    """A button that shows one part of the card, or hides it again, and hides the other ones."""

    label: str
    shows: str
    hides: tuple[str, ...] = ()
    is_secondary: bool = False
    kind: Literal["toggle"] = "toggle"


@dataclass(frozen=True, slots=True)
class Link:
    """A button that opens a page of the console."""

    label: str
    url: str
    is_secondary: bool = False
    kind: Literal["link"] = "link"


Control = Press | Toggle | Link


@dataclass(frozen=True, slots=True)
class Row:
    """Buttons beside one another."""

    controls: tuple[Control, ...]
    kind: Literal["row"] = "row"


@dataclass(frozen=True, slots=True)
class Text:
    """Text between inputs."""

    blocks: tuple[Block, ...]
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class Note:
    """A remark of ours between inputs."""

    facts: tuple[Fact, ...]
    is_error: bool = False
    kind: Literal["note"] = "note"


Part = Text | Note | Input | Row


@dataclass(frozen=True, slots=True)
class Form:
    """Inputs that are shown when somebody wants them, or in whose place something is wrong."""

    id: str
    parts: tuple[Part, ...]
    is_open: bool = False


def press(view: Card | Handoff | DigestRow, label: str, do: str, **extra: JsonValue) -> Press:
    """A button about this very card."""
    return Press(plain(label, BUTTON), carried(view, do, **extra))


def fetch(view: Card | Handoff | DigestRow, label: str, sheet: str, *, look: Look = "") -> Press:
    """A button that opens a dialog."""
    return Press(plain(label, BUTTON), carried(view, "open", sheet=sheet), kind="fetch", look=look)


def toggle(label: str, form: str, *, hides: tuple[str, ...] = (), is_secondary: bool = False) -> Toggle:
    """A button that opens one of the forms of a card."""
    return Toggle(plain(label, BUTTON), form, hides, is_secondary)


def rows(controls: Sequence[Control]) -> tuple[Row, ...]:
    """Buttons in rows that clients show in full."""
    shown = [each for each in controls if not each.is_secondary]
    more = tuple(each for each in controls if each.is_secondary)
    made = [tuple(shown[start : start + ACTIONS]) for start in range(0, len(shown), ACTIONS)] or [()]
    made[-1] = (*made[-1], *more)
    return tuple(Row(each) for each in made if each)
