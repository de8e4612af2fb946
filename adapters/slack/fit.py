"""What Slack takes, measured on what is sent; and the search for the most of a card that it takes. Pure.

Sources: https://docs.slack.dev/reference/block-kit, read 2026-11. How much text a message may hold in all is written
nowhere: one of 13,297 characters in a single block was taken and a longer one refused (`msg_blocks_too_long`,
https://github.com/slackapi/bolt-js/issues/2509), and one of many `rich_text` elements was refused at 11,341
(https://github.com/slackapi/bolt-js/issues/2867); so the text and what carries it are both kept well below.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bot.cards.rich import length

Json = dict[str, Any]

MESSAGE_BLOCKS: Final = 45
MESSAGE_TEXT: Final = 9_000
MESSAGE_CHARS: Final = 12_500
"""Of a message's blocks as JSON, text and all that carries it."""

MODAL_BLOCKS: Final = 95
MODAL_BYTES: Final = 200_000
SECTION: Final = 3_000
HEADER: Final = 150
BUTTON: Final = 75
OPTION: Final = 75
OPTIONS: Final = 100
TITLE: Final = 24
LABEL: Final = 150
HINT: Final = 1_000
INPUT: Final = 3_000
"""Characters that a text field can begin with, and take."""

BLOCK_TEXT: Final = 2_800
"""Of one block of rich text, in a modal."""


def fits_message(blocks: Sequence[Json]) -> bool:
    """Does Slack take these as one message?"""
    return (
        len(blocks) <= MESSAGE_BLOCKS
        and sum(length(text) for text in texts(list(blocks))) <= MESSAGE_TEXT
        and len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) <= MESSAGE_CHARS
    )


def fits_modal(blocks: Sequence[Json]) -> bool:
    """Does Slack take these as one modal?"""
    return len(blocks) <= MODAL_BLOCKS and len(json.dumps(blocks)) <= MODAL_BYTES


def texts(value: object) -> Iterator[str]:
    """Every text that a person reads in blocks."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in {"text", "initial_value"} and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
