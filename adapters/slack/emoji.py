"""Emoji in forms: Slack sends them back as `:names:`, so forms show marks in their place. Pure.

A mark is that of a hidden character, `⟦U+1F44D⟧`. Only emoji that the text had come back from marks.
Source: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element and threads about what it
sends, read 2026-11; which characters Slack has names for is written nowhere, so all pictures are taken for such.
"""

import re
from typing import Final

_PICTURES: Final = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf"
    "\u2934\u2935\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_MARK: Final = re.compile("⟦U\\+([0-9A-F]{4,5})⟧")


def has_emoji(text: str) -> bool:
    """Would Slack write some of it otherwise?"""
    return bool(_PICTURES.search(text))


def without_emoji(text: str) -> str:
    """The text for a form."""
    return _PICTURES.sub(lambda found: f"⟦U+{ord(found[0]):04X}⟧", text)


def with_emoji(text: str, shown: str) -> str:
    """What a person made of `without_emoji(shown)`."""

    def back(found: re.Match[str]) -> str:
        picture = chr(int(found[1], 16))
        return picture if picture in shown and has_emoji(picture) else found[0]

    return _MARK.sub(back, text)


def legend(text: str) -> str:
    """What the marks stand for, for the hint beside the field; empty when there are none."""
    pictures = list(dict.fromkeys(_PICTURES.findall(text)))
    return ", ".join(f"⟦U+{ord(each):04X}⟧ stands for {each}" for each in pictures[:8])
