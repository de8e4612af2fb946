"""Blocks, the messages and views that they make up, and Slack's limits on each.

Sources: Block Kit reference, https://docs.slack.dev/reference/block-kit, read 2026-05; the models of slack_sdk 3.47.
Not built, and so refused: card, carousel, container, plan, task_card, data_table, video, file.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.fakes.slack.kit.elements import ACCESSORIES, ACTIONS, CONTEXT_ACTIONS, IMAGE, INPUTS
from tests.fakes.slack.kit.rich import RICH_TEXT
from tests.fakes.slack.kit.sheet import Check, Sheet, Surface, chars, choice, flag, listing, shape, typed
from tests.fakes.slack.kit.texts import GROUPS, has_options, offered, options, plain, text
from tests.fakes.slack.refusals import Refused

MESSAGE_TEXT_CHARS: Final = 13_200
"""All text of a message's blocks. An observed figure, not a documented one: above it comes `msg_blocks_too_long`."""
VIEW_BYTES: Final = 250_000

_id: Final[dict[str, Check]] = {"block_id": chars(255)}


def _says_something(sheet: Sheet, block: Any, at: str) -> None:
    if "text" not in block and "fields" not in block:
        sheet.fault("must define either `text` or `fields`", at)


def _own_action_ids(sheet: Sheet, block: Any, at: str) -> None:
    """Two elements of one block may not share an action_id; two blocks may."""
    ids = [item["action_id"] for item in block["elements"] if "action_id" in item]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        sheet.fault(f"action_id {name!r} already exists", f"{at}/elements")


def _one_table(sheet: Sheet, _block: Any, at: str) -> None:
    sheet.tables += 1
    if sheet.tables > 1:
        sheet.fault("only one table is allowed in a message", at)


def _count_input(sheet: Sheet, _block: Any, _at: str) -> None:
    sheet.inputs += 1


_CELL: Final = typed(
    {
        "raw_text": shape({"text": chars(10_000)}),
        "raw_number": shape({"value": lambda _sheet, _value, _at: None}, {"text": chars(10_000)}),
        "rich_text": RICH_TEXT,
    }
)
_COMMON: Final[dict[str, Check]] = {
    "actions": shape({"elements": listing(typed(ACTIONS), 25)}, _id, _own_action_ids),
    "context": shape(
        {"elements": listing(typed({"image": IMAGE, "mrkdwn": text(3000), "plain_text": text(3000)}), 10)}, _id
    ),
    "divider": shape({}, _id),
    "header": shape({"text": plain(150)}, _id),
    "image": shape(
        {"alt_text": chars(2000)},
        {
            **_id,
            "image_url": chars(3000),
            "slack_file": shape({}, {"id": chars(32), "url": chars(3000)}),
            "title": plain(2000),
        },
    ),
    "rich_text": RICH_TEXT,
    "section": shape(
        {},
        {
            **_id,
            "text": text(3000),
            "fields": listing(text(2000), 10),
            "accessory": typed(ACCESSORIES),
            "expand": flag,
        },
        _says_something,
    ),
}
_IN_MESSAGES: Final[dict[str, Check]] = {
    "context_actions": shape({"elements": listing(typed(CONTEXT_ACTIONS), 5)}, _id, _own_action_ids),
    "markdown": shape({"text": chars(12_000)}, _id),
    "table": shape(
        {"rows": listing(listing(_CELL, 20), 100)},
        {
            **_id,
            "column_settings": listing(shape({}, {"align": choice("left", "center", "right"), "is_wrapped": flag}), 20),
        },
        _one_table,
    ),
}
_IN_VIEWS: Final[dict[str, Check]] = {
    "alert": shape({"text": text(3000)}, {**_id, "level": choice("default", "info", "warning", "error", "success")}),
    "input": shape(
        {"label": plain(2000), "element": typed(INPUTS)},
        {**_id, "hint": plain(2000), "optional": flag, "dispatch_action": flag},
        _count_input,
    ),
}
_SURFACES: Final[dict[Surface, tuple[Check, int]]] = {
    "message": (typed({**_COMMON, **_IN_MESSAGES}), 50),
    "modal": (typed({**_COMMON, **_IN_VIEWS}), 100),
    "home": (typed({**_COMMON, **_IN_VIEWS}), 100),
}


def elements_of(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The interactive elements of a block, in order."""
    found = [block.get("accessory"), block.get("element"), *(block.get("elements") or ())]
    if block.get("type") in {"section", "actions", "input", "context_actions"}:
        yield from (item for item in found if isinstance(item, dict) and item.get("type") != "image")


def _check_blocks(sheet: Sheet, blocks: Any, at: str) -> None:
    each, most = _SURFACES[sheet.surface]
    before = len(sheet.messages)
    listing(each, most, least=0)(sheet, blocks, at)
    if len(sheet.messages) > before:
        return
    for n, block in enumerate(blocks):
        name = block.get("block_id")
        if name in sheet.block_ids and name is not None:
            sheet.fault(f"block_id {name!r} already exists", f"{at}/{n}/block_id")
        sheet.block_ids.add(name)
        sheet.focused += sum(bool(item.get("focus_on_load")) for item in elements_of(block))
    if sheet.focused > 1:
        sheet.fault("only one element may have focus_on_load", at)


def _text_chars(value: Any) -> int:
    if isinstance(value, dict):
        own = sum(len(item) for name, item in value.items() if name == "text" and isinstance(item, str))
        return own + sum(_text_chars(item) for item in value.values())
    return sum(_text_chars(item) for item in value) if isinstance(value, list) else 0


def check_message(blocks: Any) -> None:
    """Refuse blocks that no message may have."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refused("invalid_blocks_format")
    sheet = Sheet("message")
    _check_blocks(sheet, blocks, "/blocks")
    if sheet.messages:
        raise Refused("invalid_blocks", messages=sheet.messages, errors=_bare(sheet.messages))
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > 12_000:
        raise Refused("msg_blocks_too_long")
    if _text_chars(blocks) > MESSAGE_TEXT_CHARS:
        raise Refused("msg_blocks_too_long")


def _bare(messages: list[str]) -> list[str]:
    return [message.removeprefix("[ERROR] ") for message in messages]


_private: Final[dict[str, Check]] = {
    "private_metadata": chars(3000, 0),
    "callback_id": chars(255, 0),
    "external_id": chars(255, 0),
}


def _submits_inputs(sheet: Sheet, view: Any, at: str) -> None:
    if sheet.inputs and "submit" not in view:
        sheet.fault("missing required field: submit (the view has input blocks)", at)


_VIEWS: Final = {
    "modal": shape(
        {"title": plain(24), "blocks": _check_blocks},
        {
            **_private,
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
        },
        _submits_inputs,
    ),
    "home": shape({"blocks": _check_blocks}, _private),
}


def check_view(view: Any, surface: Surface) -> None:
    """Refuse a view that this surface may not have."""
    if not isinstance(view, dict):
        raise Refused("invalid_arguments", messages=["[ERROR] must be an object [json-pointer:/view]"])
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise Refused("view_too_large")
    sheet = Sheet(surface)
    typed({surface: _VIEWS[surface]})(sheet, view, "/view")
    if sheet.messages:
        raise Refused("invalid_arguments", messages=sheet.messages)


def check_options(answer: Any) -> list[dict[str, Any]]:
    """Refuse what a `block_suggestion` may not be answered with.

    Returns:
        The options, those of groups in the order of the groups.
    """
    sheet = Sheet("message")
    shape({}, {"options": options(100, 0), "option_groups": GROUPS}, has_options)(sheet, answer, "")
    if sheet.messages:
        raise Refused("invalid_options", messages=sheet.messages)
    return offered(answer)
