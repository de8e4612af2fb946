"""A digest: handoffs as rows of one message, and which of them can be answered there. Pure.

Only what is shown in full on its row can be answered from it, and only what takes one press of one person: all else
is opened on its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards.rows import Prose
from bot.cards.summaries import Verdict
from bot.cards.view import Act, Card, card
from bot.handoff import Digest, Handoff, person_named

ROW_CHARS: Final = 600
"""How much of one handoff a row shows."""

ROW_ARGUMENTS: Final = 20


@dataclass(frozen=True, slots=True)
class DigestRow:
    """One handoff on a digest."""

    id: str
    kind: str
    revision: int
    digest: str
    digest_short: str
    title: Prose
    act: Act | None
    risks: tuple[Prose, ...]
    gate: str
    agent: str
    run: str
    expires_at: datetime
    left: str
    headline: str
    verdict: Verdict | None
    hazard: bool
    alone: str
    """Why it must be opened on its own; empty: it can be answered here."""

    @property
    def is_answerable(self) -> bool:
        """May it be answered from this row, alone or with the others?"""
        return not self.alone


@dataclass(frozen=True, slots=True)
class DigestView:
    """A digest as people see it at one moment."""

    id: str
    rows: tuple[DigestRow, ...]
    waiting: int
    headline: str

    @property
    def together(self) -> tuple[DigestRow, ...]:
        """The rows that "all shown" means, and no others."""
        return tuple(row for row in self.rows if row.is_answerable)


def digest(value: Digest, *, now: datetime, conflict: Callable[[Handoff], str] = lambda _: "") -> DigestView:
    """The view of a digest; `conflict` tells why whoever looks at it may not say yes to one, as for `card`."""
    rows = tuple(digest_row(each, now=now, conflict=conflict(each)) for each in value.rows)
    open_rows = sum(row.verdict is None for row in rows)
    total = open_rows + value.waiting
    headline = f"{total} ask{'s' if total != 1 else ''} wait{'' if total != 1 else 's'} for an answer"
    return DigestView(value.id, rows, value.waiting, headline if total else "All of these have ended")


def digest_row(handoff: Handoff, *, now: datetime, conflict: str = "") -> DigestRow:
    """One row; what does not fit is cut, and then the row can only be opened."""
    view = card(handoff, now=now, limit=ROW_CHARS, conflict=conflict)
    return DigestRow(
        id=view.id,
        kind="review" if view.timing == "after" else view.kind,
        revision=view.revision,
        digest=view.digest,
        digest_short=view.digest_short,
        title=view.title,
        act=view.act,
        risks=view.risks,
        gate=view.gate,
        agent=view.agent,
        run=view.run,
        expires_at=view.expires_at,
        left=view.left,
        headline=view.headline,
        verdict=view.verdict,
        hazard=view.hazard,
        alone=_alone(handoff, view),
    )


def _alone(handoff: Handoff, view: Card) -> str:
    """Why this one is answered on its own card, or cannot be answered."""
    route = handoff.route
    if not view.buttons:
        return view.headline
    if not isinstance(handoff.ask, wire.Confirmation) or handoff.ask.timing != "before":
        return "It needs more than a yes or a no."
    if view.conflict:
        return view.conflict
    if view.hazard:
        return "It cannot be undone."
    if route.step_up:
        return "It takes more care than one press."
    if len(route.steps) > 1 or route.steps[0].quorum > 1:
        return "It takes more than one person."
    if route.not_requester and not person_named(handoff.requester or ""):
        return "Nobody is named as requester."
    rows = view.act.rows if view.act else ()
    told = (view.title, *view.risks)
    characters = sum(len(part.text) for part in told) + sum(len(row.name) + len(row.text) for row in rows)
    is_cut = any(part.cut for part in told) or any(row.cut for row in rows)
    if is_cut or characters > ROW_CHARS or len(rows) > ROW_ARGUMENTS:
        return "It is too long for a list."
    return ""
