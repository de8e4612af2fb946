"""What people typed, read out of the way in which Teams writes it. Pure."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

Json = Mapping[str, Any]

_AT_RE: Final = re.compile(r"<at(?:\s[^<>]*)?>(.*?)</at>", re.DOTALL | re.IGNORECASE)
_QUOTED_RE: Final = re.compile(r"<quoted\b[^<>]*/?>", re.IGNORECASE)
_REPLY_RE: Final = re.compile(r"<blockquote\b[^<>]*schema\.skype\.com/Reply[^<>]*>", re.IGNORECASE)
_ITEM_RE: Final = re.compile(r"""\bitemid=["'](\d{1,20})["']""", re.IGNORECASE)
_CODE_RE: Final = re.compile(r"([0-9a-f]{2,6}(?:-[0-9a-f]{2,6})*)(?:_[a-z0-9-]*)?", re.IGNORECASE)
# Source: Deep link to a chat message or channel,
# https://learn.microsoft.com/microsoftteams/platform/concepts/build-and-test/deep-link-teams, read 2026-11.
_LINK_RE: Final = re.compile(r"/l/message/([^/\s]+)/(\d{1,20})(?:\?(\S*))?")
_HIDDEN_RE: Final = re.compile(r"<(attachment|blockquote)\b[^<>]*>.*?</\1>", re.DOTALL | re.IGNORECASE)
_BREAK_RE: Final = re.compile(r"<br\b[^<>]*>|</(?:p|div|li|h[1-6]|tr)>", re.IGNORECASE)
_TAG_RE: Final = re.compile(r"<[^<>]*>")
_MENTION: Final = "\0"


def is_called(activity: Json) -> bool:
    """Is the bot mentioned in a message?"""
    return any(_mentions(activity))


def addressed(activity: Json) -> str:
    """What was said to the bot, wherever in the text it is called: what follows, or else what came before.

    Without a mention of the bot: all of it. Others who are mentioned stand there as `@Ana`.
    """
    before, called, after = _read(activity).partition(_MENTION)
    after = after.replace(_MENTION, " ").strip(" \t\r\n,:")
    return (after or before.strip()) if called else before.strip()


def typed(activity: Json) -> str:
    """All that was typed but the mentions of the bot. Others who are mentioned stand there as `@Ana`."""
    return " ".join(_read(activity).split(_MENTION)).strip()


def quoted(activity: Json) -> str | None:
    """The id of the message that this one replies to in a chat, where there are no threads; None: it quotes none."""
    for each in _parts(activity, "entities"):
        told = each.get("quotedReply")
        if each.get("type") == "quotedReply" and isinstance(told, Mapping) and told.get("messageId"):
            return str(told["messageId"])
    for each in _parts(activity, "attachments"):
        content = each.get("content")
        if each.get("contentType") == "text/html" and isinstance(content, str):
            found = _REPLY_RE.search(content)
            item = _ITEM_RE.search(found[0]) if found else None
            if item:
                return item[1]
    return None


def from_html(content: str) -> str:
    """A message as people read it, from the HTML that Teams makes of it."""
    text = _HIDDEN_RE.sub("", content)
    text = _TAG_RE.sub("", _BREAK_RE.sub("\n", text))
    lines = (" ".join(each.split()) for each in html.unescape(text).split("\n"))
    return "\n".join(each for each in lines if each)


def has_files(activity: Json) -> bool:
    """Is there more in it than text? The text as HTML is with every message."""
    return any(each.get("contentType") != "text/html" for each in _parts(activity, "attachments"))


def is_by_person(activity: Json) -> bool:
    """Did a person just write it, or react? Not a bot, and no change to what was written before."""
    sender = activity.get("from") or {}
    data = activity.get("channelData") or {}
    by_machine = sender.get("role") in {"bot", "skill"} or str(sender.get("id") or "").startswith("28:")
    return not by_machine and data.get("eventType") not in {"editMessage", "undeleteMessage", "softDeleteMessage"}


def sign(kind: str) -> str:
    """A reaction as the sign that people see: `1f6d1_stopsign` is 🛑; what has a name alone is `:like:`."""
    found = _CODE_RE.fullmatch(kind)
    try:
        return "".join(chr(int(part, 16)) for part in found[1].split("-")) if found else f":{kind}:"
    except ValueError:
        return f":{kind}:"


def link(text: str) -> tuple[str, str, str] | None:
    """The conversation, the message and the top of its thread that a link in the text leads to."""
    found = _LINK_RE.search(text)
    if found is None:
        return None
    above = parse_qs(found[3] or "").get("parentMessageId", [found[2]])[0]
    return unquote(found[1]), found[2], above


def _read(activity: Json) -> str:
    """The text as it was typed, with a mark where the bot is mentioned."""
    text = str(activity.get("text") or "")
    for mention in _mentions(activity):
        text = text.replace(mention, _MENTION) if mention else text
    text = _QUOTED_RE.sub(" ", _AT_RE.sub(lambda found: f"@{found[1]}", text))
    return html.unescape(text).replace("\u00a0", " ")


def _mentions(activity: Json) -> Iterator[str]:
    """The texts of the mentions of the bot."""
    bot = str((activity.get("recipient") or {}).get("id") or "")
    for each in _parts(activity, "entities"):
        mentioned = each.get("mentioned")
        if each.get("type") == "mention" and isinstance(mentioned, Mapping) and mentioned.get("id") == bot:
            yield str(each.get("text") or "")


def _parts(activity: Json, name: str) -> Iterator[Json]:
    found = activity.get(name)
    yield from (each for each in found if isinstance(each, Mapping)) if isinstance(found, list) else ()
