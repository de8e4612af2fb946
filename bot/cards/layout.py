"""What a value is to a reader: a command, SQL, JSON, a diff, a mail. Pure; it changes no character of a text.

It says which kind of block a text gets, told from its name and its content, and takes it for plain text when in doubt.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import JsonValue

Language = Literal["", "text", "shell", "argv", "sql", "json", "diff", "code"]
"""`text` is prose; `argv` a command as a list, quoted as a shell has it; `""` a text of no known kind."""

_SHELL_NAMES: Final = frozenset({"command", "cmd", "script", "shell", "bash", "command_line", "commandline"})
_ARGV_NAMES: Final = frozenset({"argv", "command", "cmd"})
_SQL_NAMES: Final = frozenset({"sql", "query", "statement"})
_CODE_NAMES: Final = frozenset({"code", "source", "program"})
_SQL_RE: Final = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:select|insert\s+into|update|delete\s+from|with|create|drop|alter|truncate|grant|revoke|"
    r"merge|begin|explain|vacuum|replace\s+into)\b",
    re.IGNORECASE,
)
_DIFF_RE: Final = re.compile(r"^@@ -\d{1,9}(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})? @@", re.MULTILINE)
_TO: Final = ("from", "to", "cc", "bcc", "reply_to", "subject")
_BODIES: Final = ("body", "text", "message", "content")
_MOST_PARSED: Final = 100_000
_MARKUP_RE: Final = re.compile(r"<(?:!doctype|html|body|div|p|table)\b", re.IGNORECASE)


def language(name: str, value: JsonValue) -> Language:
    """What one named value is."""
    called = _plain(name)
    if isinstance(value, list) and value and called in _ARGV_NAMES and all(isinstance(each, str) for each in value):
        return "argv"
    if isinstance(value, dict | list):
        return "json"
    if not isinstance(value, str) or not value.strip():
        return ""
    if _DIFF_RE.search(value):
        return "diff"
    if called in _SHELL_NAMES:
        return "shell"
    if called in _SQL_NAMES and (called == "sql" or _SQL_RE.match(value)):
        return "sql"
    if called in _CODE_NAMES and "\n" in value:
        return "code"
    return "json" if _is_json(value) else ""


def is_mail(value: Mapping[str, JsonValue]) -> bool:
    """Has it whom it is for, a subject, and a body?"""
    names = {_plain(name): inner for name, inner in value.items()}
    return (
        isinstance(names.get("to"), str | list)
        and isinstance(names.get("subject"), str)
        and any(isinstance(names.get(body), str) for body in _BODIES)
    )


def mail_order(value: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """The names of a mail as mail is read: the head, the body, then whatever else it has."""
    ranks = {name: rank for rank, name in enumerate((*_TO, *_BODIES))}
    return tuple(sorted(value, key=lambda name: ranks.get(_plain(name), len(ranks))))


def is_body(name: str, value: JsonValue) -> bool:
    """Is this the body of a mail, to be read as text?"""
    return _plain(name) in _BODIES and isinstance(value, str) and not _MARKUP_RE.search(value)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")


def _is_json(text: str) -> bool:
    """An object or a list that was given as text."""
    if len(text) > _MOST_PARSED or text.strip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
