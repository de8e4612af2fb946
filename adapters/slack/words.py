"""What people typed, read out of the way in which Slack writes it. Pure."""

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

_HERE: Final = frozenset({"here", "channel", "this channel", "in this channel", "in here"})
_MINE: Final = frozenset({"mine", "me", "my", "for me"})
_LEAST_END: Final = 4

# Source: Formatting text for app surfaces, https://docs.slack.dev/messaging/formatting-message-text, read 2026-11:
# `&`, `<` and `>` are escaped in what people type, so that a `<` begins what Slack put there.
_TOKEN_RE: Final = re.compile(r"<([^<>]*)>")
_ESCAPE_RE: Final = re.compile(r"&(amp|lt|gt);")
_ESCAPED: Final = {"amp": "&", "lt": "<", "gt": ">"}
_MENTION_RE: Final = re.compile(r"<([@#])([A-Z0-9]{2,})(?:\|[^<>]*)?>")
_ADDRESS_RE: Final = re.compile(r"/archives/([A-Z0-9]+)/p([0-9]{10,})([0-9]{6})(?:\?\S*?thread_ts=([0-9]+\.[0-9]+))?")
_ID_RE: Final = re.compile(r"\bhf_[A-Za-z0-9_-]{4,100}")
_END_RE: Final = re.compile(r"[A-Za-z0-9_-]{4,100}")


@dataclass(frozen=True, slots=True)
class Said:
    """A request: what it asks for, and the rest as it was typed; the verb is empty where the word is not known."""

    verb: str
    rest: str
    word: str
    """The first word, in small letters."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Which handoff somebody means: the whole id, or its end, or where its card is."""

    id: str = ""
    end: str = ""
    channel: str = ""
    ts: tuple[str, ...] = ()
    """Of the message that the link leads to, then of the thread that it is in."""


def said(text: str) -> Said:
    """Read a request; `text` is as people typed it, without the mention of the bot."""
    first, _, rest = text.strip().partition(" ") if " " in text.strip() else (text.strip(), "", "")
    if not rest and len(parts := text.split(maxsplit=1)) > 1:
        first, rest = parts
    word = plain_word(first) or ("?" if first.strip() == "?" else "")
    return Said(VERBS.get(word, ""), rest.strip(), word)


def scope(rest: str) -> str | None:
    """`here`, `mine`, nothing for what says neither, and None for what is no scope."""
    words = plain_word(rest)
    if words in _HERE:
        return "here"
    return "mine" if words in _MINE else "" if not words else None


def is_request(text: str) -> bool:
    """Is this, addressed to the bot, a request and nothing else? What else it is may be an answer."""
    request = said(text)
    match request.verb:
        case "help":
            return bool(request.word) and not request.rest
        case "pending":
            return scope(request.rest) is not None
        case "show":
            return bool(reference(request.rest))
        case _:
            return False


def suggestion(word: str) -> str:
    """What was probably meant; empty when nothing is close."""
    near = get_close_matches(word, [verb for verb in VERBS if len(verb) > 1], n=1, cutoff=0.7)
    return VERBS[near[0]] if near else ""


def reference(text: str) -> Reference | None:
    """Which handoff is meant, by a link to its card, by its id, or by the end of its id; None when it names none."""
    if found := _ADDRESS_RE.search(text):
        message = f"{found[2]}.{found[3]}"
        return Reference(channel=found[1], ts=(message, found[4]) if found[4] else (message,))
    if whole := _ID_RE.search(text):
        return Reference(id=whole[0])
    end = text.strip().strip("….").strip()
    return Reference(end=end) if _END_RE.fullmatch(end) else None


def without_mention(text: str, bot: str) -> str:
    """The text as Slack sends it, without the mention of the bot that it begins with."""
    return re.sub(rf"\A\s*(?:<@{re.escape(bot)}(?:\|[^<>]*)?>[\s,:]*)+", "", text)


def addressed(text: str, bot: str) -> str:
    """What is said to the bot, wherever in the text it is called: what follows, or else what came before."""
    before, mention, after = re.sub(rf"<@{re.escape(bot)}(?:\|[^<>]*)?>", "\0", text).partition("\0")
    after = after.replace("\0", " ").strip(" \t\n,:")
    return after or before.strip() if mention else text


def named(text: str) -> frozenset[str]:
    """The ids of the people (`@U…`) and channels (`#C…`) that the text names without saying what they are called."""
    return frozenset(f"{kind}{id_}" for kind, id_ in _MENTION_RE.findall(text))


def typed(text: str, names: Mapping[str, str]) -> str:
    """What a person typed, from the text that Slack made of it.

    Args:
        text: As an event has it.
        names: What `named` is called, each with its `@` or `#` as the key has it, such as `{"@U1": "Ana"}`.
    """
    made: list[str] = []
    position = 0
    for found in _TOKEN_RE.finditer(text):
        made += [_unescaped(text[position : found.start()]), _token(found[1], names)]
        position = found.end()
    return "".join([*made, _unescaped(text[position:])])


def _token(inside: str, names: Mapping[str, str]) -> str:
    target, bar, label = inside.partition("|")
    target, label = _unescaped(target), _unescaped(label)
    match target[:1]:
        case "@" | "#":
            return f"{target[0]}{label or names.get(target, target[1:])}"
        case "!":
            return _special(target[1:], label)
        case _ if not bar or not label:
            return target
        case _ if _is_same(target, label):
            return label
        case _:
            return f"{label} ({target})"


def _special(target: str, label: str) -> str:
    kind, _, id_ = target.partition("^")
    if kind == "date" and label:
        return label
    name = label or id_ or kind
    return name if name.startswith("@") else f"@{name}"


def _is_same(url: str, label: str) -> bool:
    """Did Slack make the link out of what was typed?"""
    return url.rstrip("/") in {
        f"{scheme}{label}".rstrip("/") for scheme in ("", "http://", "https://", "mailto:", "tel:")
    }


def _unescaped(text: str) -> str:
    return _ESCAPE_RE.sub(lambda found: _ESCAPED[found[1]], text)
