"""What people typed, read out of the way in which Slack writes it. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from bot import talk

# Source: Formatting text for app surfaces, https://docs.slack.dev/messaging/formatting-message-text, read 2026-11:
# `&`, `<` and `>` are escaped in what people type, so that a `<` begins what Slack put there.
_TOKEN_RE: Final = re.compile(r"<([^<>]*)>")
_ESCAPE_RE: Final = re.compile(r"&(amp|lt|gt);")
_ESCAPED: Final = {"amp": "&", "lt": "<", "gt": ">"}
_MENTION_RE: Final = re.compile(r"<([@#])([A-Z0-9]{2,})(?:\|[^<>]*)?>")
_ADDRESS_RE: Final = re.compile(r"/archives/([A-Z0-9]+)/p([0-9]{10,})([0-9]{6})(?:\?\S*?thread_ts=([0-9]+\.[0-9]+))?")


def is_request(text: str) -> bool:
    """Is this, addressed to the bot, a request and nothing else? What else it is may be an answer."""
    return talk.is_request(text, has_link=link(text) is not None)


def link(text: str) -> tuple[str, ...] | None:
    """The channel and the message that a link in the text leads to, and the top of its thread where it names one."""
    if found := _ADDRESS_RE.search(text):
        message = f"{found[2]}.{found[3]}"
        return (found[1], message, found[4]) if found[4] else (found[1], message)
    return None


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
