"""What an invoke is answered with: plain dicts, as Teams reads them. Pure.

Source: Universal Actions for Adaptive Cards,
https://learn.microsoft.com/adaptive-cards/authoring-cards/universal-action-model, and Use dialogs with bots,
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/task-modules/task-modules-bots, and Typeahead
search in Adaptive Cards, https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/dynamic-search,
read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.teams.texts import linkless
from bot.cards import visible

Json = dict[str, Any]

CARD: Final = "application/vnd.microsoft.card.adaptive"
_MESSAGE: Final = "application/vnd.microsoft.activity.message"
_FAULT: Final = "application/vnd.microsoft.error"
_FOUND: Final = "application/vnd.microsoft.search.searchResponse"
_MOST: Final = 2_000


def with_card(card: Mapping[str, Any]) -> Json:
    """A card in the place of the one that was pressed, for whoever pressed it alone."""
    return {"statusCode": 200, "type": CARD, "value": dict(card)}


def with_words(text: str) -> Json:
    """A sentence for whoever pressed alone; the card stays."""
    return {"statusCode": 200, "type": _MESSAGE, "value": literal(text)}


def with_fault(status: int, text: str) -> Json:
    """It could not be worked on; a refresh then leaves the card as it is."""
    return {"statusCode": status, "type": _FAULT, "value": {"code": str(status), "message": literal(text)}}


def in_dialog(card: Mapping[str, Any], title: str) -> Json:
    """A card in a dialog: the one that opens, or what stands in it next."""
    attachment = {"contentType": CARD, "content": dict(card)}
    return {
        "task": {
            "type": "continue",
            "value": {"title": title, "height": "large", "width": "medium", "card": attachment},
        }
    }


def closing(text: str = "") -> Json | None:
    """Close the dialog, with a sentence if there is something to say."""
    return {"task": {"type": "message", "value": literal(text)}} if text else None


def found(results: Sequence[Mapping[str, Any]]) -> Json:
    """Entries for a menu that asks for them."""
    return {"statusCode": 200, "type": _FOUND, "value": {"results": [dict(each) for each in results]}}


def literal(text: str) -> str:
    """Words in which no client finds a link: names in them are other people's."""
    return linkless(visible(text))[:_MOST]
