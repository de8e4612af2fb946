"""One handoff in a few lines, for one person: where it stands, and where all of it is. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.slack.cards import Cards, Fact
from adapters.slack.fit import HEADER, Json
from adapters.slack.markup import date_token, link, mrkdwn
from bot.cards import summary, visible
from bot.cards.rich import Line, Piece, Quote, bold, clip, code, joined, line, plain
from bot.handoff import Handoff

_TITLE_CHARS: Final = 600
_TOLD_CHARS: Final = 500
_FACT_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Brief:
    """A message, and its text for notifications."""

    text: str
    blocks: list[Json]


def brief(cards: Cards, handoff: Handoff, *, now: datetime, permalink: str | None, lead: str = "") -> Brief:
    """The handoff in short; `lead` says why it is shown."""
    short = summary(handoff, now=now)
    asks = [short.agent, f"run {short.run}", f"for {short.requester}" if short.requester else ""]
    pieces: list[Piece] = [line(lead)] if lead else []
    pieces += [
        Quote(clip(short.title.text, _TITLE_CHARS)),
        line(plain(" · ".join(filter(None, asks)), _FACT_CHARS), " · ", code(short.gate)),
    ]
    if short.verdict:
        pieces.append(line(bold(clip(short.verdict.sentence, _FACT_CHARS))))
        pieces += [Quote(clip(short.verdict.reason, _TOLD_CHARS))] if short.verdict.reason else []
    pieces += _result(handoff)
    until = (
        date_token(short.verdict.at) if short.verdict else f"until {date_token(short.expires_at)}, {short.left} left"
    )
    links = [link(permalink, "Open the card")] if permalink else []
    links.append(link(cards.page(handoff.id), "Open in the console"))
    title = f"{'⚠️ Cannot be undone · ' if short.hazard and not short.verdict else ''}{short.headline}"
    blocks = cards.templates.render(
        "brief",
        title=plain(title, HEADER),
        pieces=joined(pieces),
        links=tuple(Fact(each, is_markup=True) for each in (until, *links)),
    )
    text = " ".join(filter(None, (lead, f"{title}:", " ".join(short.title.text.split()))))
    return Brief(mrkdwn(text, _TITLE_CHARS), list(blocks))


def _result(handoff: Handoff) -> list[Line | Quote]:
    if handoff.outcome is None or handoff.outcome.error is None:
        return []
    return [Quote(clip(visible(handoff.outcome.error), _TOLD_CHARS))]
