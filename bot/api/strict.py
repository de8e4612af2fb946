"""Strict JSON: a body that two readers could take differently is refused, and so is one that is too large or too deep.

Source: RFC 8259 section 4 (names should be unique) and RFC 7493 (I-JSON),
https://www.rfc-editor.org/rfc/rfc7493, read 2026-11.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from bot.errors import BadRequest, TooLarge

MAX_DEPTH: Final = 32
MAX_KEYS: Final = 1_000
MAX_STRING: Final = 32_768
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
MAX_INTEGER: Final = 2**53 - 1


def parse(raw: bytes, *, limit: int, max_string: int = MAX_STRING, max_keys: int = MAX_KEYS) -> Any:
    """Read a body of at most `limit` bytes.

    Raises:
        BadRequest: It is not UTF-8, not JSON, or has two readings; the message says which and where.
        TooLarge: It is over the limit, or a part of it is.
    """
    if len(raw) > limit:
        msg = f"the body takes {len(raw)} bytes, over {limit}"
        raise TooLarge(msg)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"the body is not UTF-8: byte {error.start} is {raw[error.start]:#04x}"
        raise BadRequest(msg) from error
    if text.startswith("\ufeff"):
        raise BadRequest("the body begins with a byte-order mark; leave it out")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        msg = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise BadRequest(msg) from error
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text or len(text) > max_string or text.count(":") > max_keys:
        _walk(value, max_string, max_keys)
    return value


def _pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"the key {twice[:80]!r} stands twice in one object; two readers could take different ones"
        raise BadRequest(msg)
    return found


def _constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON; send a number, a string or null"
    raise BadRequest(msg)


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:  # noqa: PLR2004  # a sign and sixteen digits at most
        msg = f"the integer {digits[:40]} is beyond ±(2^53-1), where readers differ; send it as a string"
        raise BadRequest(msg)
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        msg = f"the number {digits[:40]} is beyond the range of a double; send it as a string"
        raise BadRequest(msg)
    return number


def _check_depth(value: Any) -> None:
    """Go down level by level: a level is one list, so that a wide body takes milliseconds."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    if any(isinstance(item, dict | list) for item in level):
        raise BadRequest(_TOO_DEEP)


_TOO_DEEP: Final = f"the body is nested deeper than {MAX_DEPTH} levels"
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _walk(value: Any, max_string: int, max_keys: int) -> None:
    """Look at every string and count the keys."""
    keys = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if len(item) > max_string:
                msg = f"a string has {len(item)} characters, over {max_string}: {item[:40]!r}…"
                raise TooLarge(msg)
            if _SURROGATE.search(item):
                msg = "a string has half of a surrogate pair, which is no character"
                raise BadRequest(msg)
        elif isinstance(item, dict):
            keys += len(item)
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    if keys > max_keys:
        msg = f"the body has {keys} object keys, over {max_keys}"
        raise TooLarge(msg)
