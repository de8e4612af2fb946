"""Adaptive Cards as a client has them: what can be read, pressed and filled in, and what it would not show at all.

Source: Adaptive Cards schema 1.5, https://adaptivecards.io/explorer, read 2026-11.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.fakes.teams.refusals import Refused

Json = dict[str, Any]
CARD: Final = "application/vnd.microsoft.card.adaptive"

_ELEMENTS: Final = {
    "ActionSet",
    "Column",
    "ColumnSet",
    "Container",
    "FactSet",
    "Image",
    "ImageSet",
    "Input.ChoiceSet",
    "Input.Date",
    "Input.Number",
    "Input.Text",
    "Input.Time",
    "Input.Toggle",
    "RichTextBlock",
    "Table",
    "TableCell",
    "TableRow",
    "TextBlock",
}
_ACTIONS: Final = {"Action.Execute", "Action.OpenUrl", "Action.ShowCard", "Action.Submit", "Action.ToggleVisibility"}
_VERSIONS: Final = {"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}
_REFRESHED: Final = 60
_MOST_ACTIONS: Final = 6


@dataclass(frozen=True, eq=False)
class Action:
    """Something that can be pressed."""

    source: Json
    card: Json
    """The card that it belongs to: the message's, or one that was unfolded in it."""
    hidden: bool
    above: tuple[Json, ...] = ()
    """The cards around that one."""

    @property
    def title(self) -> str:
        return str(self.source.get("title", ""))

    @property
    def kind(self) -> str:
        return str(self.source["type"])


# --- walking ---


def children(element: Json) -> Iterator[Json]:
    """The elements directly inside of one."""
    for name in ("body", "items", "columns", "rows", "cells"):
        yield from element.get(name) or ()


def elements(card: Json, *, hidden: bool = False) -> Iterator[tuple[Json, bool]]:
    """Every element in reading order, and whether it is hidden now."""
    for child in children(card):
        is_hidden = hidden or child.get("isVisible") is False
        yield child, is_hidden
        yield from elements(child, hidden=is_hidden)


def actions(card: Json, *, hidden: bool = False, above: tuple[Json, ...] = ()) -> list[Action]:
    """Everything that can be pressed, in reading order; what is folded away, or hidden, too."""
    found: list[Action] = []

    def add(source: Json, is_hidden: bool) -> None:
        found.append(Action(source, card, is_hidden or source.get("isVisible") is False, above))
        if source["type"] == "Action.ShowCard":
            found.extend(actions(source["card"], hidden=is_hidden, above=(*above, card)))

    for element, is_hidden in elements(card, hidden=hidden):
        for source in (
            *(element.get("actions") or ()),
            *([element["selectAction"]] if "selectAction" in element else ()),
        ):
            add(source, is_hidden)
    for source in card.get("actions") or ():
        add(source, hidden)
    return found


def inputs(card: Json) -> list[Json]:
    """Its inputs, hidden ones too, but not those of cards folded away in it."""
    return [element for element, _ in elements(card) if str(element.get("type", "")).startswith("Input.")]


# --- reading ---


def words(card: Json, *, hidden: bool = False) -> str:
    """All that can be read, a line for each piece; with `hidden`, what is not visible now and what is folded away."""
    lines = []
    for element, is_hidden in elements(card):
        if is_hidden and not hidden:
            continue
        lines += _said(element)
    for action in actions(card):
        if not action.hidden or hidden:
            if action.title and (action.card is card or hidden):
                lines.append(action.title)
            if action.kind == "Action.ShowCard" and hidden:
                lines.append(words(action.source["card"], hidden=True))
    return "\n".join(line for line in lines if line)


def _said(element: Json) -> list[str]:
    match element.get("type"):
        case "TextBlock":
            return [str(element.get("text", ""))]
        case "RichTextBlock":
            return [
                "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in element["inlines"])
            ]
        case "FactSet":
            return [f"{fact['title']} {fact['value']}" for fact in element["facts"]]
        case "Image":
            return [str(element.get("altText", ""))]
        case "Input.Toggle":
            return [str(element.get("label", "")), str(element.get("title", "")), str(element.get("errorMessage", ""))]
        case "Input.ChoiceSet":
            titles = [str(choice["title"]) for choice in element.get("choices") or ()]
            return [str(element.get("label", "")), str(element.get("placeholder", "")), *titles]
        case str(kind) if kind.startswith("Input."):
            return [str(element.get(name) or "") for name in ("label", "placeholder", "value")]
    return []


# --- pressing ---


def action_named(card: Json, title: str) -> Action:
    """What is called this and can be pressed now; else what is folded away.

    Raises:
        AssertionError: There is none; it says what there is.
    """
    found = sorted((each for each in actions(card) if each.title == title), key=lambda each: each.hidden)
    titles = [each.title for each in actions(card) if not each.hidden]
    assert found, f"nothing to press is called {title!r}; there are {titles!r}"
    return found[0]


def input_named(card: Json, name: str) -> Json:
    """The input of this id or label.

    Raises:
        AssertionError: There is none; it says which there are.
    """
    there = [each for part in cards_in(card) for each in inputs(part)]
    found = [each for each in there if name in {each["id"], each.get("label"), each.get("placeholder")}]
    assert found, f"no input is called {name!r}; there are {[each.get('label') or each['id'] for each in there]!r}"
    return found[0]


def cards_in(card: Json) -> list[Json]:
    """The card, and those folded away in it."""
    return [card, *(each.source["card"] for each in actions(card) if each.kind == "Action.ShowCard")]


def filled(action: Action, given: dict[str, str]) -> tuple[Json, dict[str, str]]:
    """The data that a press sends, with the inputs merged in; and the client's complaints, by label or id."""
    data = action.source.get("data")
    values: Json = dict(data) if isinstance(data, dict) else {}
    complaints: dict[str, str] = {}
    if action.source.get("associatedInputs") == "none":
        return values, complaints
    for part in (*action.above, action.card):
        for each in inputs(part):
            value = given.get(each["id"], each.get("value"))
            if each["type"] == "Input.Toggle":
                value = value if value is not None else each.get("valueOff", "false")
            is_menu = each["type"] == "Input.ChoiceSet" and "choices.data" not in each  # else it is searched
            if is_menu and value is not None and not each.get("isMultiSelect"):
                known = {choice["value"] for choice in each.get("choices") or ()}
                value = value if value in known else None
            name = str(each.get("label") or each["id"])
            if each.get("isRequired") and value in {None, ""}:
                complaints[name] = str(each.get("errorMessage", "required"))
            if each["type"] == "Input.Text" and len(str(value or "")) > int(each.get("maxLength", 1 << 30)):
                complaints[name] = "too long"
            if value is not None:
                values[each["id"]] = value
    return values, complaints


def toggle(card: Json, action: Action) -> None:
    """Show and hide, as the client does by itself."""
    by_id = {element.get("id"): element for element, _ in elements(card)}
    for target in action.source["targetElements"]:
        id = target if isinstance(target, str) else target["elementId"]
        now = by_id[id].get("isVisible", True)
        by_id[id]["isVisible"] = not now if isinstance(target, str) else target.get("isVisible", not now)


# --- checking ---


def check(card: Any) -> None:
    """Would a client show it?

    Raises:
        Refused: No, and why.
    """
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        raise Refused("BadSyntax", "the attachment's content is no AdaptiveCard")
    if card.get("version") not in _VERSIONS:
        raise Refused("BadSyntax", f"version {card.get('version')!r} of a card")
    _check_refresh(card)
    for part in cards_in(card):
        _check_elements(part)
        _check_actions(part)
    ids = [element["id"] for part in cards_in(card) for element, _ in elements(part) if "id" in element]
    if doubled := sorted({id for id in ids if ids.count(id) > 1}):
        raise Refused("BadSyntax", f"ids that are used twice: {doubled}")


def _check_refresh(card: Json) -> None:
    refresh = card.get("refresh")
    if refresh is None:
        return
    users = refresh.get("userIds") or []
    if len(users) > _REFRESHED:
        raise Refused("BadSyntax", f"refresh.userIds has {len(users)} users")
    if refresh.get("action", {}).get("type") != "Action.Execute":
        raise Refused("BadSyntax", "refresh.action must be an Action.Execute")


def _check_elements(card: Json) -> None:
    for element, _ in elements(card):
        if element.get("type", "Column") not in _ELEMENTS and not _is_part(element):
            raise Refused("BadSyntax", f"an element of type {element.get('type')!r}")
        if str(element.get("type")).startswith("Input.") and "id" not in element:
            raise Refused("BadSyntax", "an input without an id")


def _is_part(element: Json) -> bool:
    """Rows and cells of a table need not name their type."""
    return "type" not in element and ("cells" in element or "items" in element)


def _check_actions(card: Json) -> None:
    sets = [element.get("actions") for element, _ in elements(card) if element.get("type") == "ActionSet"]
    for listed in (card.get("actions"), *sets):
        if listed and len([each for each in listed if each.get("mode") != "secondary"]) > _MOST_ACTIONS:
            raise Refused("BadSyntax", f"{len(listed)} actions side by side")
    ids = {element.get("id") for element, _ in elements(card)}
    for action in actions(card):
        if action.kind not in _ACTIONS:
            raise Refused("BadSyntax", f"an action of type {action.kind!r}")
        if action.kind == "Action.ToggleVisibility" and action.card is card:
            for target in action.source["targetElements"]:
                if (target if isinstance(target, str) else target["elementId"]) not in ids:
                    raise Refused("BadSyntax", f"nothing to toggle is called {target!r}")
