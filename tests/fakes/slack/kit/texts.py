"""Text objects, options and confirmations, with Slack's limits on them."""

from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.slack.kit.sheet import Check, Sheet, chars, choice, flag, listing, shape, typed

OPTION_VALUE_CHARS: Final = 150
"""As the documentation and the Python SDK say; @slack/types still says 75."""


def plain(most: int, least: int = 1) -> Check:
    """A plain_text object."""
    return typed({"plain_text": shape({"text": chars(most, least)}, {"emoji": flag})})


def text(most: int) -> Check:
    """A plain_text or mrkdwn object."""
    return typed(
        {
            "plain_text": shape({"text": chars(most)}, {"emoji": flag}),
            "mrkdwn": shape({"text": chars(most)}, {"verbatim": flag}),
        }
    )


CONFIRM: Final = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": choice("primary", "danger")},
)


def option(*, marked: bool = False, url: bool = False) -> Check:
    """An option.

    Args:
        marked: Its texts may be mrkdwn, as those of checkboxes and radio buttons may.
        url: It may carry an address, as those of overflow menus may.
    """
    words = text(75) if marked else plain(75)
    extra: Mapping[str, Check] = {"url": chars(3000)} if url else {}
    return shape({"text": words, "value": chars(OPTION_VALUE_CHARS)}, {"description": words, **extra})


def options(most: int, least: int = 1, *, marked: bool = False, url: bool = False) -> Check:
    """Options, each with a value of its own."""
    one = option(marked=marked, url=url)

    def check(sheet: Sheet, value: Any, at: str) -> None:
        before = len(sheet.messages)
        listing(one, most, least)(sheet, value, at)
        if len(sheet.messages) == before:
            values = [item["value"] for item in value]
            for n, item in enumerate(values):
                if item in values[:n]:
                    sheet.fault(f"duplicate option value: {item}", f"{at}/{n}/value")

    return check


GROUPS: Final = listing(shape({"label": plain(75), "options": options(100)}), 100)


def offered(element: Mapping[str, Any]) -> list[Any]:
    """All options of an element, from its groups as well."""
    grouped = [item for group in element.get("option_groups", ()) for item in group["options"]]
    return [*element.get("options", ()), *grouped]


def initial_is_offered(sheet: Sheet, element: Any, at: str) -> None:
    """What is chosen at first must be among the options, letter for letter."""
    choices = offered(element)
    if "initial_option" in element and element["initial_option"] not in choices:
        sheet.fault("initial_option must be one of the options", f"{at}/initial_option")
    for n, item in enumerate(element.get("initial_options", ())):
        if item not in choices:
            sheet.fault("initial_options must be among the options", f"{at}/initial_options/{n}")


def has_options(sheet: Sheet, element: Any, at: str) -> None:
    """A static select lists options or groups of them, not both."""
    if ("options" in element) == ("option_groups" in element):
        sheet.fault("must define either `options` or `option_groups`", at)
