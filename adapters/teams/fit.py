"""What Teams takes, measured on what is sent. Pure.

Source: https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages, read 2026-11: a
message of over about 100 KB is refused, counted in UTF-16, and 80 KB are safe. The rest of a message needs some of it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from bot.cards.rich import length

Json = dict[str, Any]

CARD_BYTES: Final = 72_000
"""Of a card as JSON, in UTF-16 or in UTF-8, whichever is longer."""
MESSAGE_TEXT: Final = 12_000
"""Of the text that people read on a message: what is more is read in a dialog, page by page."""
PAGE_TEXT: Final = 14_000
"""Of what is read on one page of a dialog; and all that carries it:"""
PAGE_BYTES: Final = 58_000
BUTTON: Final = 60
"""Of the words on a button: a phone shows two lines of them."""
ACTIONS: Final = 6
"""Of one row of buttons; clients show no more."""
CHOICES: Final = 150
"""Candidates in one menu; more are searched for."""
FOUND: Final = 15
"""Candidates that a search gives at once."""
REFRESHED: Final = 60
"""People for whom a card may be drawn anew when they see it."""


def size(card: Json) -> int:
    """Bytes that a card takes where they are counted most strictly."""
    text = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
    return max(len(text.encode("utf-16-le", "surrogatepass")), len(text.encode("utf-8", "surrogatepass")))


def fits_message(card: Json) -> bool:
    """Does Teams take it, and do people read it in a conversation?"""
    return size(card) <= CARD_BYTES and sum(length(text) for text in texts(card)) <= MESSAGE_TEXT


def texts(value: object) -> Iterator[str]:
    """Every text on a card that people read before they press anything; what a form repeats is not counted again."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "text" and isinstance(inner, str):
                yield inner
            elif name != "data":
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
