"""What stands in an element: as `view.state.values` carries it, as a person reads it, and whether it may be sent."""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tests.fakes.slack.kit.reading import option_named

Json = dict[str, Any]

_FIELD: Final = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
_LISTS: Final = ("selected_options", "selected_users", "selected_channels", "selected_conversations")


def holds_value(element: Mapping[str, Any]) -> bool:
    """Does this element appear in `state.values`?"""
    return element["type"] in _FIELD


def at_first(element: Mapping[str, Any]) -> Json:
    """What stands in an element before anybody has touched it."""
    name, initial = _FIELD[element["type"]]
    return {"type": element["type"], name: element.get(initial, [] if name in _LISTS else None)}


def filled(element: Mapping[str, Any], value: Any) -> Json:
    """What stands in an element after a person has put `value` there.

    Args:
        element: The element.
        value: Text, a number, a date, an id or somebody with an `id`, the label of an option, or a list of these.
            None or an empty list empties the element.

    Raises:
        AssertionError: An option that is not offered.
    """
    kind = element["type"]
    name, _ = _FIELD[kind]
    if name in _LISTS:
        many = [] if value is None else [value] if isinstance(value, str) else list(value)
        return {"type": kind, name: [_one(element, name, item) for item in many]}
    if value is None or value == "":
        return {"type": kind, name: None}
    return {"type": kind, name: _one(element, name, value)}


def _one(element: Mapping[str, Any], name: str, value: Any) -> Any:
    if name.startswith("selected_option"):
        return value if isinstance(value, dict) else option_named(element, str(value))
    if name == "selected_date_time":
        return int(value.timestamp()) if isinstance(value, dt.datetime) else int(value)
    if name == "rich_text_value":
        section = {"type": "rich_text_section", "elements": [{"type": "text", "text": str(value)}]}
        return {"type": "rich_text", "elements": [section]}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.strftime("%H:%M")
    return getattr(value, "id", None) or str(value)


def readable(state: Json) -> Any:
    """What a person sees in an element: text, the label of what is chosen, a list of labels, or None."""
    value = next(item for name, item in state.items() if name != "type")
    if isinstance(value, list):
        return [item["text"]["text"] if isinstance(item, dict) else item for item in value]
    if isinstance(value, dict) and "text" in value:
        return value["text"]["text"]
    return value


def complaint(block: Mapping[str, Any], state: Json) -> str | None:
    """What Slack's own client says before it sends a view that is not ready, or None."""
    element = block["element"]
    value = next(item for name, item in state.items() if name != "type")
    if value in (None, "", []):
        return None if block.get("optional") else "Please complete this required field."
    match element["type"]:
        case "plain_text_input":
            if len(value) > element.get("max_length", 3000):
                return f"This field can't be longer than {element.get('max_length', 3000)} characters."
            if len(value) < element.get("min_length", 0):
                return f"This field must be at least {element['min_length']} characters long."
        case "number_input":
            return _number_complaint(element, value)
        case "email_text_input" if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            return "Please enter a valid email address."
        case "url_text_input" if not re.match(r"https?://\S+", value):
            return "Please enter a valid URL."
        case _:
            pass
    return None


def _number_complaint(element: Mapping[str, Any], value: str) -> str | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return "Please enter a number."
    if not element["is_decimal_allowed"] and number != number.to_integral_value():
        return "Please enter a whole number."
    if "min_value" in element and number < Decimal(element["min_value"]):
        return f"Please enter a number that is at least {element['min_value']}."
    if "max_value" in element and number > Decimal(element["max_value"]):
        return f"Please enter a number that is at most {element['max_value']}."
    return None
