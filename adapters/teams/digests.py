"""Digests: many handoffs as rows of one card. No I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.teams.cards import Cards, Head, Message
from adapters.teams.carried import carried, carried_rows
from adapters.teams.controls import Control, Form, Link, Note, Press, Row, fetch, toggle
from adapters.teams.fit import Json, fits_message
from adapters.teams.texts import Block, Fact, blocks, link, title
from bot.cards import DigestRow, DigestView, digest, reading
from bot.cards.rich import plain
from bot.handoff import Digest

_SUMMARY_CHARS: Final = 500
_SURE: Final = "Exactly the rows that this card shows in full. What changed since is skipped."


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on a list: its text, facts, and buttons."""

    blocks: tuple[Block, ...]
    facts: tuple[Fact, ...] = ()
    rows: tuple[Row, ...] = ()


class DigestCards:
    """Makes the cards of digests."""

    def __init__(self, cards: Cards) -> None:
        """Use the same templates and the same console."""
        self._cards = cards

    def message(self, value: Digest, *, now: datetime) -> Message:
        """The digest as it stands."""
        view = digest(value, now=now)
        for limit in reading.DIGEST_ROOMS:
            answerable = tuple(row for row in view.together if reading.is_on_row(row, limit))
            made = self._card(view, answerable, limit)
            if fits_message(made) or limit == reading.DIGEST_ROOMS[-1]:
                titles = "; ".join(row.title.text for row in view.rows if row.verdict is None)
                return Message(f"{view.headline}: {title(titles, _SUMMARY_CHARS)}", made, whole=bool(answerable))
        raise AssertionError("the last room takes everything")

    def _card(self, view: DigestView, answerable: Sequence[DigestRow], limit: int) -> Json:
        both, forms = _together(answerable)
        facts = (
            Fact(f"and {view.waiting:,} more."),
            Fact(link(f"{self._cards.console}/digest", "See all"), is_ours=True),
        )
        return self._cards.render(
            "list",
            head=Head(plain(view.headline, 200), "accent" if any(not row.verdict for row in view.rows) else "emphasis"),
            entries=tuple(self._entry(row, row in answerable, limit) for row in view.rows),
            facts=facts if view.waiting else (),
            rows=both,
            forms=forms,
        )

    def _entry(self, row: DigestRow, answerable: bool, limit: int) -> Entry:  # noqa: FBT001  # of the same row
        text = blocks(reading.row_of_digest(row, limit, answerable=answerable))
        if row.verdict:
            return Entry(text)
        taps: list[Control] = []
        if answerable:
            taps.append(Press("Approve", carried(row, "approve"), look="positive"))
            taps.append(Press("Reject", carried(row, "reject")))
        taps.append(
            fetch(row, "Open", "read") if row.kind == "confirmation" else Link("Open", self._cards.page(row.id))
        )
        return Entry(text, rows=(Row(tuple(taps)),))


def _together(rows: Sequence[DigestRow]) -> tuple[tuple[Row, ...], tuple[Form, ...]]:
    """Buttons for exactly these rows, at exactly these revisions; each asks once more."""
    if len(rows) < 2:  # noqa: PLR2004  # one has its own buttons
        return (), ()
    asks = f"{len(rows)} asks"
    yes = Press(f"Approve {asks}", carried_rows(tuple(rows), "approve-shown"), look="positive")
    no = Press(f"Reject {asks}", carried_rows(tuple(rows), "reject-shown"), look="destructive")
    sure = Note((Fact(_SURE),))
    forms = (Form("form-approve", (sure, Row((yes,)))), Form("form-reject", (sure, Row((no,)))))
    toggles = (
        toggle(f"Approve the {len(rows)} shown…", "form-approve", hides=("form-reject",)),
        toggle(f"Reject the {len(rows)} shown…", "form-reject", hides=("form-approve",)),
    )
    return (Row(toggles),), forms
