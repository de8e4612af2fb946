"""Many handoffs on one page: rows that are shown in full are answered together, each on its own terms."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from adapters.web.pages import Notice, Pages
from bot.cards import digest
from bot.errors import BadRequest, StoreUnavailable
from bot.handoff import Digest
from bot.ports import Desk, Row, RowOutcome, Session

ROWS: Final = 10
_ROW_RE: Final = re.compile(r"(hf_[A-Za-z0-9_-]{1,97}):([1-9][0-9]{0,8}):([0-9a-f]{64})")
_KINDS: Final = frozenset({"approve", "reject"})


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one row that was answered, for the page."""

    id: str
    counted: bool
    sentence: str


class Together:
    """The page `/digest`."""

    def __init__(self, desk: Desk, pages: Pages, clock: Callable[[], datetime]) -> None:
        """Show what the desk has."""
        self._desk = desk
        self._pages = pages
        self._clock = clock

    async def show(
        self,
        session: Session,
        cursor: str | None,
        *,
        notice: Notice | None = None,
        outcomes: Sequence[RowOutcome] = (),
        answer_id: str = "",
        status: int = 200,
    ) -> web.Response:
        """A page of them, the most urgent first; with a cursor that is none of ours the first one."""
        try:
            waiting = await self._desk.inbox(cursor, limit=ROWS)
        except BadRequest:
            cursor, waiting = None, await self._desk.inbox(limit=ROWS)
        more = max(0, waiting.total - len(waiting.handoffs))
        view = digest(
            Digest("web", tuple(waiting.handoffs), more),
            now=self._clock(),
            conflict=lambda each: self._desk.conflict(each, session.person),
        )
        told = tuple(Told(each.row.handoff, each.counted, each.sentence) for each in outcomes)
        page = self._pages.together(
            view,
            session,
            told=told,
            notice=notice,
            answer_id=answer_id or _fresh(),
            cursor=cursor or "",
            following=waiting.cursor or "",
        )
        return web.Response(text=page, status=status, content_type="text/html", charset="utf-8")

    async def take(self, posted: Any, session: Session, cursor: str | None) -> web.Response:
        """Answer exactly the rows that were ticked, or the one whose button was pressed; then show the page again."""
        answer_id = str(posted.get("answer_id") or _fresh())
        try:
            kind, rows = _read(posted)
            outcomes = await self._desk.answer_shown(
                rows, "approve" if kind == "approve" else "reject", session.person, answer_id=f"digest:{answer_id}"
            )
        except BadRequest as error:
            return await self.show(session, cursor, notice=Notice(error.detail), status=error.status)
        except StoreUnavailable as error:
            text = "The store did not confirm all of it. Press again in a moment: each can only count once."
            return await self.show(session, cursor, notice=Notice(text), answer_id=answer_id, status=error.status)
        return await self.show(session, cursor, outcomes=outcomes)


def _fresh() -> str:
    return secrets.token_urlsafe(16)


def _read(posted: Any) -> tuple[str, tuple[Row, ...]]:
    """What was pressed, on which rows as they were shown.

    Raises:
        BadRequest: Nothing was ticked, or it is none of our forms.
    """
    kind, _, only = str(posted.get("kind", "")).partition(" ")
    given = [only] if only else [str(each) for each in posted.getall("row", ())]
    found = [_ROW_RE.fullmatch(each) for each in given]
    if kind not in _KINDS or not all(found) or len(given) > ROWS:
        raise BadRequest("This page is not as it was sent; open it again, and press there.")
    if not given:
        raise BadRequest("Nothing was ticked, so nothing was answered.")
    return kind, tuple(Row(each[1], int(each[2]), each[3]) for each in found if each)
