"""What people ask of the bot in words. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bot.cards import plain_word

VERBS: Final[Mapping[str, str]] = {
    "": "help",
    "?": "help",
    "help": "help",
    "hi": "help",
    "hello": "help",
    "home": "home",
    "grants": "grants",
    "grant": "grants",
    "brakes": "brakes",
    "brake": "brakes",
    "pending": "pending",
    "waiting": "pending",
    "list": "pending",
    "show": "show",
    "open": "show",
}
"""Words that begin a request, and what they ask for."""

_HERE: Final = frozenset({"here", "channel", "this channel", "in this channel", "in here", "chat", "this chat"})
_MINE: Final = frozenset({"mine", "me", "my", "for me"})
_ID_RE: Final = re.compile(r"\bhf_[A-Za-z0-9_-]{4,100}")
_END_RE: Final = re.compile(r"[A-Za-z0-9_-]{4,100}")


@dataclass(frozen=True, slots=True)
class Request:
    """What it asks for, and the rest as it was typed; the verb is empty where the word is not known."""

    verb: str
    rest: str
    word: str
    """The first word, in small letters."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Which handoff somebody means: the whole id, or its end."""

    id: str = ""
    end: str = ""


def request(text: str) -> Request:
    """Read a request; `text` is as people typed it, without the mention of the bot."""
    first, _, rest = text.strip().partition(" ") if " " in text.strip() else (text.strip(), "", "")
    if not rest and len(parts := text.split(maxsplit=1)) > 1:
        first, rest = parts
    word = plain_word(first) or ("?" if first.strip() == "?" else "")
    return Request(VERBS.get(word, ""), rest.strip(), word)


def scope(rest: str) -> str | None:
    """`here`, `mine`, nothing for what says neither, and None for what is no scope."""
    words = plain_word(rest)
    if words in _HERE:
        return "here"
    return "mine" if words in _MINE else "" if not words else None


def suggestion(word: str) -> str:
    """What was probably meant; empty when nothing is close."""
    near = get_close_matches(word, [verb for verb in VERBS if len(verb) > 1], n=1, cutoff=0.7)
    return VERBS[near[0]] if near else ""


def reference(text: str) -> Reference | None:
    """Which handoff is meant, by its id, or by the end of its id; None when it names none."""
    if whole := _ID_RE.search(text):
        return Reference(id=whole[0])
    end = text.strip().strip("….").strip()
    return Reference(end=end) if _END_RE.fullmatch(end) else None


def is_request(text: str, *, has_link: bool = False) -> bool:
    """Is this, addressed to the bot, a request and nothing else? What else it is may be an answer.

    `has_link` says that it holds a link to a message.
    """
    asked = request(text)
    match asked.verb:
        case "help" | "home":
            return bool(asked.word) and not asked.rest
        case "pending":
            return scope(asked.rest) is not None
        case "show":
            return has_link or bool(reference(asked.rest))
        case _:
            return False
