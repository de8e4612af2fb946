"""What blocks say to a reader, and what can be pressed, chosen and written in them."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.fakes.slack.kit.blocks import elements_of
from tests.fakes.slack.kit.texts import offered

Blocks = list[dict[str, Any]]
_TOKEN: Final = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")


@dataclass(frozen=True)
class Control:
    """One element that a person can use.

    Attributes:
        block: The block that it stands in.
        element: The element itself.
        label: What a person calls it: its own text, its block's label, or its placeholder.
        option: In an overflow menu or a select: the option meant.
    """

    block: Mapping[str, Any]
    element: Mapping[str, Any]
    label: str
    option: Mapping[str, Any] | None = None

    @property
    def block_id(self) -> str:
        return str(self.block["block_id"])

    @property
    def action_id(self) -> str:
        return str(self.element["action_id"])

    @property
    def kind(self) -> str:
        return str(self.element["type"])


def plain_words(text: str, names: Mapping[str, str] | None = None) -> str:
    """Markup as a person reads it: mentions by name, links by label, dates by their fallback, entities resolved."""
    known = names or {}

    def token(found: re.Match[str]) -> str:
        what, label = found[1], found[2]
        if what.startswith("!date^"):
            return label or what
        if what[0] in "@#":
            return what[0] + known.get(what[1:], label or what[1:])
        if what.startswith("!"):
            return label or "@" + what[1:].split("^")[0]
        return label or what

    return html.unescape(_TOKEN.sub(token, text))


def _text(item: Mapping[str, Any] | None, names: Mapping[str, str]) -> str:
    if not item:
        return ""
    return plain_words(item["text"], names) if item.get("type") == "mrkdwn" else str(item["text"])


def _name(names: Mapping[str, str], id: str) -> str:
    return names.get(id, id)


def _rich(element: Mapping[str, Any], names: Mapping[str, str]) -> str:
    match element["type"]:
        case "text":
            return str(element["text"])
        case "link":
            return str(element.get("text") or element["url"])
        case "user":
            return "@" + _name(names, element["user_id"])
        case "usergroup":
            return "@" + _name(names, element["usergroup_id"])
        case "channel":
            return "#" + _name(names, element["channel_id"])
        case "broadcast":
            return f"@{element['range']}"
        case "emoji":
            return f":{element['name']}:"
        case "date":
            return str(element.get("fallback") or element["timestamp"])
        case "rich_text_list":
            return "\n".join(_rich(item, names) for item in element["elements"])
        case _:
            return "".join(_rich(item, names) for item in element.get("elements", ()))


def _element_words(element: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    if element["type"] in {"mrkdwn", "plain_text"}:
        yield _text(element, names)
    elif element["type"] == "image":
        yield str(element["alt_text"])
    elif element["type"] in {"checkboxes", "radio_buttons"}:
        for option in element["options"]:
            yield _text(option["text"], names)
            yield _text(option.get("description"), names)
    elif "text" in element:
        yield _text(element["text"], names)
    elif "placeholder" in element:
        yield _text(element["placeholder"], names)


def _block_words(block: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    match block["type"]:
        case "rich_text":
            yield from (_rich(element, names) for element in block["elements"])
        case "markdown":
            yield str(block["text"])
        case "table":
            for row in block["rows"]:
                yield " | ".join(str(cell.get("text") or cell.get("value") or _rich(cell, names)) for cell in row)
        case "image":
            yield from (_text(block.get("title"), names), str(block["alt_text"]))
        case _:
            yield _text(block.get("text") or block.get("label"), names)
            yield from (_text(field, names) for field in block.get("fields", ()))
            for element in (block.get("accessory"), block.get("element"), *block.get("elements", ())):
                if element:
                    yield from _element_words(element, names)
            yield _text(block.get("hint"), names)


def words(blocks: Blocks, names: Mapping[str, str] | None = None) -> str:
    """All readable text of the blocks in order, one line for each piece."""
    return "\n".join(line for block in blocks for line in _block_words(block, names or {}) if line)


def controls(blocks: Blocks) -> Iterator[Control]:
    """Everything that can be used, in order; an overflow menu once for each of its options."""
    for block in blocks:
        for element in elements_of(block):
            label = _label(block, element)
            if element["type"] == "overflow":
                yield from (Control(block, element, item["text"]["text"], item) for item in element["options"])
            else:
                yield Control(block, element, label)


def _label(block: Mapping[str, Any], element: Mapping[str, Any]) -> str:
    if block["type"] == "input":
        return str(block["label"]["text"])
    if "text" in element:
        return str(element["text"]["text"])
    if block["type"] == "section" and "text" in block:
        return plain_words(block["text"]["text"])
    return str(element.get("placeholder", {}).get("text") or element["action_id"])


def names_of(control: Control) -> set[str]:
    """All that a person may call a control by: label, placeholder, and for tests its action_id."""
    placeholder = control.element.get("placeholder", {}).get("text", "")
    return {control.label, placeholder, control.action_id} - {""}


def option_named(element: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The option that reads so.

    Raises:
        AssertionError: There is none; it says which there are.
    """
    choices = offered(element)
    for item in choices:
        if item["text"]["text"] == label:
            return dict(item)
    raise AssertionError(f"no option {label!r}; there are {[item['text']['text'] for item in choices]}")
