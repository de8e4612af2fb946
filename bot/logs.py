"""What the service logs: one line a fact, as text or as JSON, without secrets and without line breaks of others."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from bot.redaction import Redaction

Form = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

VALUE_CHARS: Final = 2_000
"""Of one value of a line: what is longer is cut, and says so."""

_TRACEBACK_CHARS: Final = 16_000
_OTHERS: Final = logging.INFO
"""The lowest level of packages that we use: at their debug level some log whole requests, an ask's arguments too."""
_OF_OTHERS: Final = ("andon.slack.bolt",)
"""Loggers under our name that a package writes to."""
_EVENT: Final = re.compile(r"[a-z][a-z_]*\.[a-z_%]+(?= |$)")
_FIELD: Final = re.compile(r" ([a-z][a-z_]*)=(?=%)")
_PLACEHOLDER: Final = re.compile(r"%(?:%|[-#0 +]*(?:\d+)?(?:\.\d+)?[diouxXeEfFgGcrsa])")
_RESERVED: Final = frozenset({"time", "level", "logger", "event", "message", "trace", "traceback"})


def set_up(
    *,
    form: Form = "text",
    level: Level = "info",
    secrets: Collection[str] = (),
    trace: Callable[[], str] = str,
    to: TextIO | None = None,
) -> None:
    """Let everything that is logged in this process go through one handler.

    Args:
        form: Lines for people, or one JSON object a line.
        level: Of our own lines; those of other packages begin at `info`.
        secrets: What is never shown, in clear: the service's own settings.
        trace: The id of the trace that the current work belongs to; empty: none.
        to: Where to (standard error).
    """
    handler = _Handler(to or sys.stderr)
    redaction = Redaction(secrets)
    handler.setFormatter(_Json(redaction, trace) if form == "json" else _Text(redaction, trace))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    lowest = getattr(logging, level.upper())
    root.setLevel(max(lowest, _OTHERS))
    logging.getLogger("andon").setLevel(lowest)
    for name in _OF_OTHERS:
        logging.getLogger(name).setLevel(max(lowest, _OTHERS))
    server = logging.getLogger("aiohttp.server")
    if _without_content not in server.filters:
        server.addFilter(_without_content)
    logging.captureWarnings(capture=True)


def _without_content(record: logging.LogRecord) -> bool:
    """What aiohttp says of a malformed request quotes it, keys included: keep the kind of error only."""
    if record.exc_info and record.exc_info[0]:
        record.msg, record.args = "http.malformed error=%s", (record.exc_info[0].__name__,)
        record.exc_info = record.exc_text = None
    return True


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; a record that cannot be written is named, and not shown."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        kind = sys.exc_info()[0]
        sys.stderr.write(f"log.unwritable logger={record.name} error={kind.__name__ if kind else ''}\n")


class _Lines(logging.Formatter):
    """What both forms share. Everything is cleaned once it is text, so that no way round leads past it."""

    def __init__(self, redaction: Redaction, trace: Callable[[], str]) -> None:
        super().__init__()
        self._redaction = redaction
        self._trace = trace

    def _said(self, record: logging.LogRecord) -> str:
        return self._clean(_filled(str(record.msg), record.args))

    def _clean(self, text: str) -> str:
        """Cut, without secrets, on one line. It is cleaned before it is cut: half a secret looks like none."""
        return one_line(_cut(self._redaction.clean(text)))

    def _traceback(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info or record.exc_info[1] is None:
            return [self._clean(record.stack_info)] if record.stack_info else []
        text = self._redaction.clean("".join(traceback.format_exception(record.exc_info[1])))
        return [one_line(line) for line in text[-_TRACEBACK_CHARS:].splitlines()]


class _Text(_Lines):
    """`time level logger event field=value …`; a traceback follows, each line of it set in."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        head = f"{at:%Y-%m-%d %H:%M:%S},{record.msecs:03.0f} {record.levelname} {record.name} {self._said(record)}"
        if trace := self._trace():
            head += f" trace={trace}"
        return "\n".join([head, *(f"  | {line}" for line in self._traceback(record))])


class _Json(_Lines):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        told = fields(str(record.msg), record.args)
        if told is None:
            line["message"] = self._said(record)
        else:
            line["event"] = self._clean(str(told.pop("")))
            for name, value in told.items():
                line[f"{name}_" if name in _RESERVED else name] = self._value(name, value)
        if trace := self._trace():
            line["trace"] = trace
        if found := self._traceback(record):
            line["traceback"] = "\n".join(found)
        return json.dumps(line, ensure_ascii=False)

    def _value(self, name: str, value: object) -> object:
        if isinstance(value, int | float):
            return value
        return self._clean(f"{name}={value}").partition("=")[2]


def fields(template: str, args: object) -> dict[str, object] | None:
    """A line of ours, `event name=%s …`, as its fields, the event under ""; None when it is another kind of line.

    The names come from the template, so nothing in a value can look like a field.
    """
    if not _EVENT.match(template) or (args and not isinstance(args, tuple)):
        return None
    left = list(args) if isinstance(args, tuple) else []
    pieces = _FIELD.split(template)
    found: dict[str, object] = {}
    for name, piece in zip(("", *pieces[1::2]), pieces[0::2], strict=True):
        count = sum(match != "%%" for match in _PLACEHOLDER.findall(piece))
        mine, left = tuple(left[:count]), left[count:]
        is_number = len(mine) == 1 and type(mine[0]) in {int, float} and _PLACEHOLDER.fullmatch(piece) is not None
        found[name] = mine[0] if is_number else _filled(piece, mine)
    return None if left else found


def _filled(template: str, args: object) -> str:
    if not args or not isinstance(args, tuple | Mapping):
        return template
    try:
        return template % args
    except (TypeError, ValueError, KeyError):
        return f"{template} (its arguments do not fit)"


def one_line(text: str) -> str:
    """Without anything that breaks a line, moves the cursor or turns the reading round: those are shown by number."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}… ({len(text) - VALUE_CHARS} more)"
