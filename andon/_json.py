"""From Python values to the JSON that travels. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

__all__ = ["plain", "plain_object", "shown_result", "shown_text"]

# The service takes texts of up to 32 KiB; a character has up to four bytes.
RESULT_CHARS = 8_000


def plain(value: object) -> JsonValue:
    """Return `value` as plain JSON values; models, dates, sets and the like as pydantic writes them.

    Raises:
        ValueError: It holds NaN, an infinity, or text that is no Unicode, which two readers could take differently.
        TypeError: It holds something that is no data.
    """
    try:
        made: JsonValue = to_jsonable_python(value, inf_nan_mode="constants")
    except PydanticSerializationError as error:
        raise TypeError(f"not JSON: {error}") from error
    json.dumps(made, allow_nan=False, ensure_ascii=False).encode()
    return made


def plain_object(value: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return a mapping as a JSON object; raises as `plain`."""
    made = plain(dict(value))
    if not isinstance(made, dict):  # pragma: no cover - a dict becomes a dict
        raise TypeError("not a JSON object")
    return made


def shown_result(value: object) -> JsonValue:
    """Return a result as JSON if it is JSON and not long; else its text, cut with a count. Never fails."""
    try:
        made = plain(value)
        text = json.dumps(made, ensure_ascii=False)
    except (ValueError, TypeError):
        return shown_text(value)
    return made if len(text) <= RESULT_CHARS else shown_text(text)


def shown_text(value: object) -> str:
    """Return a value's text, cut with a count if it is long."""
    text = str(value).encode("utf-8", "replace").decode()
    if len(text) <= RESULT_CHARS:
        return text
    return f"{text[:RESULT_CHARS]}… ({len(text) - RESULT_CHARS} more characters)"
