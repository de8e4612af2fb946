"""The elements that people press, choose and write in."""

from typing import Any, Final

from tests.fakes.slack.kit.rich import RICH_TEXT
from tests.fakes.slack.kit.sheet import Check, Sheet, chars, choice, flag, listing, shape, typed, whole
from tests.fakes.slack.kit.texts import (
    CONFIRM,
    GROUPS,
    has_options,
    initial_is_offered,
    option,
    options,
    plain,
)

_DATE: Final = chars(10, pattern=r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_TIME: Final = chars(5, pattern=r"([01]\d|2[0-3]):[0-5]\d")
_DECIMAL: Final = chars(50, pattern=r"-?\d+(\.\d+)?")

_named: Final[dict[str, Check]] = {"action_id": chars(255)}
_asks: Final[dict[str, Check]] = {**_named, "placeholder": plain(150), "focus_on_load": flag}
_confirms: Final[dict[str, Check]] = {"confirm": CONFIRM}
_dispatches: Final[dict[str, Check]] = {
    "dispatch_action_config": shape(
        {"trigger_actions_on": listing(choice("on_enter_pressed", "on_character_entered"), 2)}
    )
}
_ids: Final = listing(chars(32), 100, least=0)
_many: Final[dict[str, Check]] = {"max_selected_items": whole(1, 1000)}


def _in_order(low: str, high: str) -> Check:
    def check(sheet: Sheet, element: Any, at: str) -> None:
        if low in element and high in element and float(element[low]) > float(element[high]):
            sheet.fault(f"{low} must not be greater than {high}", f"{at}/{low}")

    return check


def _between(sheet: Sheet, element: Any, at: str) -> None:
    value = element.get("initial_value")
    if value is None:
        return
    if not element["is_decimal_allowed"] and "." in value:
        sheet.fault("initial_value must be a whole number", f"{at}/initial_value")
    if not float(element.get("min_value", "-inf")) <= float(value) <= float(element.get("max_value", "inf")):
        sheet.fault("initial_value must be between min_value and max_value", f"{at}/initial_value")


def _writes(least_initial: int = 1) -> dict[str, Check]:
    return {**_asks, **_dispatches, "initial_value": chars(3000, least_initial)}


_SELECTS: Final[dict[str, Check]] = {
    "static_select": shape(
        {},
        {**_asks, **_confirms, "options": options(100), "option_groups": GROUPS, "initial_option": option()},
        has_options,
        initial_is_offered,
    ),
    "external_select": shape(
        {}, {**_asks, **_confirms, "min_query_length": whole(0, 1000), "initial_option": option()}
    ),
    "users_select": shape({}, {**_asks, **_confirms, "initial_user": chars(32)}),
    "channels_select": shape({}, {**_asks, **_confirms, "initial_channel": chars(32), "response_url_enabled": flag}),
    "conversations_select": shape(
        {},
        {
            **_asks,
            **_confirms,
            "initial_conversation": chars(32),
            "default_to_current_conversation": flag,
            "response_url_enabled": flag,
            "filter": shape(
                {},
                {
                    "include": listing(choice("im", "mpim", "private", "public"), 4),
                    "exclude_external_shared_channels": flag,
                    "exclude_bot_users": flag,
                },
            ),
        },
    ),
}
_MULTI: Final[dict[str, Check]] = {
    "multi_static_select": shape(
        {},
        {
            **_asks,
            **_confirms,
            **_many,
            "options": options(100),
            "option_groups": GROUPS,
            "initial_options": listing(option(), 100),
        },
        has_options,
        initial_is_offered,
    ),
    "multi_external_select": shape(
        {},
        {
            **_asks,
            **_confirms,
            **_many,
            "min_query_length": whole(0, 1000),
            "initial_options": listing(option(), 100),
        },
    ),
    "multi_users_select": shape({}, {**_asks, **_confirms, **_many, "initial_users": _ids}),
    "multi_channels_select": shape({}, {**_asks, **_confirms, **_many, "initial_channels": _ids}),
    "multi_conversations_select": shape(
        {},
        {
            **_asks,
            **_confirms,
            **_many,
            "initial_conversations": _ids,
            "default_to_current_conversation": flag,
        },
    ),
}
_CHOICES: Final[dict[str, Check]] = {
    "checkboxes": shape(
        {"options": options(10, marked=True)},
        {**_named, **_confirms, "focus_on_load": flag, "initial_options": listing(option(marked=True), 10)},
        initial_is_offered,
    ),
    "radio_buttons": shape(
        {"options": options(10, marked=True)},
        {**_named, **_confirms, "focus_on_load": flag, "initial_option": option(marked=True)},
        initial_is_offered,
    ),
}
_TIMES: Final[dict[str, Check]] = {
    "datepicker": shape({}, {**_asks, **_confirms, "initial_date": _DATE}),
    "timepicker": shape({}, {**_asks, **_confirms, "initial_time": _TIME, "timezone": chars(100)}),
    "datetimepicker": shape(
        {},
        {**_named, **_confirms, "focus_on_load": flag, "initial_date_time": whole(1_000_000_000, 9_999_999_999)},
    ),
}
_WRITTEN: Final[dict[str, Check]] = {
    "plain_text_input": shape(
        {},
        {
            **_writes(0),
            "multiline": flag,
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
        },
        _in_order("min_length", "max_length"),
    ),
    "number_input": shape(
        {"is_decimal_allowed": flag},
        {**_asks, **_dispatches, "initial_value": _DECIMAL, "min_value": _DECIMAL, "max_value": _DECIMAL},
        _in_order("min_value", "max_value"),
        _between,
    ),
    "email_text_input": shape({}, _writes()),
    "url_text_input": shape({}, _writes()),
    "rich_text_input": shape({}, {**_asks, **_dispatches, "initial_value": typed({"rich_text": RICH_TEXT})}),
    "file_input": shape({}, {**_named, "filetypes": listing(chars(20), 100), "max_files": whole(1, 10)}),
}
IMAGE: Final = shape(
    {"alt_text": chars(2000)},
    {"image_url": chars(3000), "slack_file": shape({}, {"id": chars(32), "url": chars(3000)})},
)
_BUTTON: Final = shape(
    {"text": plain(75)},
    {
        **_named,
        **_confirms,
        "value": chars(2000),
        "url": chars(3000),
        "style": choice("primary", "danger"),
        "accessibility_label": chars(75),
    },
)
_OVERFLOW: Final = shape({"options": options(5, url=True)}, {**_named, **_confirms})
_FEEDBACK: Final = shape({"text": plain(75), "value": chars(2000)}, {"accessibility_label": chars(75)})

ACTIONS: Final[dict[str, Check]] = {"button": _BUTTON, "overflow": _OVERFLOW, **_SELECTS, **_CHOICES, **_TIMES}
"""What an actions block holds."""
ACCESSORIES: Final[dict[str, Check]] = {
    name: check for name, check in {**ACTIONS, **_MULTI, "image": IMAGE}.items() if name != "datetimepicker"
}
"""What stands beside a section."""
INPUTS: Final[dict[str, Check]] = {**_WRITTEN, **_SELECTS, **_MULTI, **_CHOICES, **_TIMES}
"""What an input block asks with."""
CONTEXT_ACTIONS: Final[dict[str, Check]] = {
    "feedback_buttons": shape({"positive_button": _FEEDBACK, "negative_button": _FEEDBACK}, _named),
    "icon_button": shape(
        {"icon": choice("trash"), "text": plain(75)},
        {
            **_named,
            **_confirms,
            "value": chars(2000),
            "accessibility_label": chars(75),
            "visible_to_user_ids": listing(chars(32), 1000),
        },
    ),
}
