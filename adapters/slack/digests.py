"""Digests: many handoffs as rows of one message; and presses for all rows that it shows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from adapters.slack.address import Address
from adapters.slack.cards import Cards, Fact, Message, Press
from adapters.slack.fit import HEADER, fits_message
from adapters.slack.inbound import Payload
from adapters.slack.markup import link, mrkdwn
from adapters.slack.people import People
from adapters.slack.presses import ACTION, around_row
from adapters.slack.saying import Listener
from adapters.slack.whisper import Whisper
from bot.cards import DigestRow, DigestView, digest, reading, skipped, why_not
from bot.cards.rich import Piece, plain
from bot.errors import BadRequest, BotError, NotAnApprover
from bot.handoff import Digest
from bot.ports import Desk, Row

SHOWN: Final = f"{ACTION}shown:"
_MOST_ROWS: Final = 10
_ROW_RE: Final = re.compile(r"([A-Za-z0-9_-]{1,100}):([1-9][0-9]{0,8}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _RowBlocks:
    """One handoff on it."""

    id: str
    pieces: tuple[Piece, ...]
    controls_id: str
    controls: tuple[Press, ...]


@dataclass(frozen=True, slots=True)
class _All:
    """A press for all that is shown, which asks once more."""

    press: Press
    title: str
    text: str
    yes: str


class DigestCards:
    """Makes the messages. No I/O, no clock."""

    def __init__(self, cards: Cards) -> None:
        """Use the same templates and the same console."""
        self._cards = cards

    def message(self, value: Digest, *, now: datetime) -> Message:
        """The digest as it stands."""
        view = digest(value, now=now)
        for limit in reading.DIGEST_ROOMS:
            answerable = tuple(row for row in view.together if reading.is_on_row(row, limit))
            blocks = self._blocks(view, answerable, limit)
            if fits_message(blocks) or limit == reading.DIGEST_ROOMS[-1]:
                titles = "; ".join(row.title.text for row in view.rows if row.verdict is None)
                text = mrkdwn(f"{view.headline}: {' '.join(titles.split())}", 1_000)
                return Message(text, blocks, whole=bool(answerable))
        raise AssertionError("the last room takes everything")

    def _blocks(self, view: DigestView, answerable: Sequence[DigestRow], limit: int) -> list[dict[str, Any]]:
        made = self._cards.templates.render(
            "digest",
            id=view.id,
            header=plain(view.headline, HEADER),
            rows=tuple(self._row(row, row in answerable, limit) for row in view.rows),
            more=(
                Fact(f"and {view.waiting:,} more. "),
                Fact(link(self._cards.page("").removesuffix("/handoffs/") + "/digest", "See all"), is_markup=True),
            )
            if view.waiting
            else (),
            all=_all(answerable),
        )
        return list(made)

    def _row(self, row: DigestRow, answerable: bool, limit: int) -> _RowBlocks:  # noqa: FBT001  # of the same row
        pieces = reading.row_of_digest(row, limit, answerable=answerable)
        if row.verdict:
            return _RowBlocks(row.id, pieces, "", ())
        opened = (
            Press(f"{ACTION}read", "Open")
            if row.kind == "confirmation"
            else Press(f"{ACTION}console:{row.id[-20:]}", "Open", url=self._cards.page(row.id))
        )
        yes_no = (Press(f"{ACTION}approve", "Approve", style="primary"), Press(f"{ACTION}reject", "Reject…"))
        presses = (*(yes_no if answerable else ()), opened)
        return _RowBlocks(row.id, pieces, around_row(row.id, row.revision, row.digest), presses)


def _all(rows: Sequence[DigestRow]) -> tuple[_All, ...]:
    """Presses for exactly these rows, at exactly these revisions."""
    if len(rows) < 2:  # noqa: PLR2004  # one has its own buttons
        return ()
    value = ",".join(f"{row.id}:{row.revision}:{row.digest}" for row in rows)
    asks = f"{len(rows)} asks"
    return (
        _All(
            Press(f"{SHOWN}approve", f"Approve the {len(rows)} shown", value),
            f"Approve {asks}?",
            "Exactly the rows that this message shows in full. What changed since is skipped.",
            f"Approve {asks}",
        ),
        _All(
            Press(f"{SHOWN}reject", f"Reject the {len(rows)} shown", value),
            f"Reject {asks}?",
            "Exactly the rows that this message shows in full. What changed since is skipped.",
            f"Reject {asks}",
        ),
    )


class RowAnswers:
    """Takes presses for all that a digest shows."""

    def __init__(self, desk: Desk, *, people: People, whisper: Whisper, clock: Callable[[], datetime]) -> None:
        """Tell people by `whisper` what did not count."""
        self._desk = desk
        self._people = people
        self._whisper = whisper
        self._clock = clock

    async def pressed(self, payload: Payload, team: str) -> None:
        """Approve or reject what was shown, each row on its own; and say what was skipped."""
        user, container = payload["user"], payload.get("container") or {}
        channel = str((payload.get("channel") or {}).get("id") or container.get("channel_id") or "")
        ts = str(container.get("message_ts") or "")
        response_url = str(payload.get("response_url") or "") or None
        listener = Listener(team, str(user["id"]), channel or None, None, response_url)
        try:
            action = payload["actions"][0]
            kind, rows = _read(action)
            person = await self._people.person(team, str(user["id"]), channel=channel, user_team=user.get("team_id"))
            if person.refusal:
                raise NotAnApprover(person.refusal, handoff=rows[0].handoff)
            answer_id = f"slack:{Address(team, channel, ts).text}:{user['id']}:{action.get('action_ts')}"
            outcomes = await self._desk.answer_shown(
                rows, kind, person.actor, answer_id=answer_id, standing=person.standing
            )
        except BotError as error:
            if told := why_not(error, surface="slack", user=str(user["id"]), now=self._clock()):
                await self._whisper.tell(listener, told)
            return
        if told := skipped(kind, outcomes):
            await self._whisper.tell(listener, told)


def _read(action: dict[str, Any]) -> tuple[Literal["approve", "reject"], tuple[Row, ...]]:
    """What was shown when it was pressed.

    Raises:
        BadRequest: It is none of ours.
    """
    kind = str(action.get("action_id", "")).removeprefix(SHOWN)
    parts = [_ROW_RE.fullmatch(each) for each in str(action.get("value") or "").split(",")]
    rows = tuple(Row(found[1], int(found[2]), found[3]) for found in parts if found)
    if kind not in {"approve", "reject"} or not 0 < len(parts) <= _MOST_ROWS or len(rows) < len(parts):
        raise _unreadable()
    return ("approve" if kind == "approve" else "reject"), rows


def _unreadable() -> BadRequest:
    return BadRequest("this press is none that a digest of ours can send; open the message again and press there")
