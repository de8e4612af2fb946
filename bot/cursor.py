"""Where a list goes on: an opaque text for the caller, a number and an id for the store."""

from bot.errors import BadRequest


def parse_cursor(cursor: str | None) -> tuple[int, str] | None:
    """Where a list goes on.

    Raises:
        BadRequest: It is not one of ours.
    """
    if cursor is None:
        return None
    number, _, handoff_id = cursor.partition(".")
    if not number.isascii() or not number.isdigit() or len(number) > 15:  # noqa: PLR2004  # ms until the year 33658
        msg = f"cursor {cursor[:40]!r} is none of ours; pass on the `cursor` of the page before, or none"
        raise BadRequest(msg)
    return int(number), handoff_id


def make_cursor(place: tuple[int, str] | None) -> str | None:
    """The reverse of `parse_cursor`."""
    return None if place is None else f"{place[0]}.{place[1]}"
