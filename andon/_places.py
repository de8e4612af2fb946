"""How a short text names a place where a card goes. Pure."""

import re

from andon.wire import Place

__all__ = ["Where", "place"]

Where = Place | str
"""A place, or its short form: `"slack:#ops"`, `"#ops"`."""

_SURFACE = re.compile(r"([a-z][a-z0-9_-]{0,31}):(.+)", re.DOTALL)


def place(where: Where) -> Place:
    """Read a place.

    | text | means |
    | --- | --- |
    | `"slack:#ops"`, `"teams:19:…@thread.tacv2"` | that channel on that surface: what follows the first colon |
    | `"#ops"` | the channel `#ops` in the web console |
    | `"slack:"` | no channel: ValueError; say `Place(surface="slack")` for a surface's own inbox |

    A thread or a person needs a `Place`.
    """
    if isinstance(where, Place):
        return where
    named = _SURFACE.fullmatch(where)
    if named:
        return Place(surface=named[1], channel=named[2])
    if not where.strip() or where.endswith(":"):
        raise ValueError(f"{where!r} names no channel; write '#ops', 'slack:#ops', or a Place")
    return Place(surface="web", channel=where)
