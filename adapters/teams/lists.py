"""Lists for Teams: what waits, what is stopped, grants, runs, what can be typed; and short things said. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from adapters.teams.cards import BANDS, Cards, Head
from adapters.teams.controls import Control, Link, Press, Row
from adapters.teams.digests import Entry
from adapters.teams.fit import BUTTON, Json, fits_message
from adapters.teams.texts import Fact, blocks, link, ours, title
from bot.cards import GrantLine, moment, reading, summary, visible
from bot.cards.listing import (
    BrakeLine,
    HelpLine,
    PendingLine,
    RunLine,
    SettingLine,
    about,
    about_run,
    beginning,
    given_by,
    more_in_console,
    standing,
    teller,
    waiting,
)
from bot.cards.rich import Line, Piece, Quote, bold, clip, code, joined, line, plain
from bot.handoff import Handoff, Told

_MOST: Final = 20
_MOST_STANDING: Final = 10
_FEW: Final = 5
"""Of what is not waiting on one person's overview."""
_TITLE_CHARS: Final = 200
_FACT_CHARS: Final = 300
_SENTENCE_CHARS: Final = 900
_TOLD_CHARS: Final = 500
_NOTICE_CHARS: Final = 3_000


class Lists:
    """Makes lists, with the same templates as the cards; as much of each as fits, the rest counted."""

    def __init__(self, cards: Cards) -> None:
        """Use the templates of the cards."""
        self._cards = cards

    def pending(self, lines: Sequence[PendingLine]) -> Json:
        """Cards that wait, most urgent first as they come."""
        return self._list(waiting(lines), [_entry(each) for each in lines[:_MOST]], of=len(lines))

    def grants(self, lines: Sequence[GrantLine]) -> Json:
        """Grants that stand, each with the button that ends it."""
        return self._list(standing(lines), [_granted(each) for each in lines[:_MOST_STANDING]], of=len(lines))

    def brakes(self, lines: Sequence[BrakeLine]) -> Json:
        """Brakes that are on, each with the button that lifts it."""
        heading = "What is stopped" if lines else "Nothing is stopped"
        entries = [_braked(each) for each in lines[:_MOST_STANDING]]
        return self._list(heading, entries, look="warning" if lines else "good", of=len(lines))

    def home(
        self,
        brakes: Sequence[BrakeLine],
        pending: Sequence[PendingLine],
        runs: Sequence[RunLine],
        grants: Sequence[GrantLine],
        settings: Sequence[SettingLine],
    ) -> Json:
        """All there is for one person: what is stopped, what waits for them, runs, grants, and what they can set."""
        parts = (
            ("What is stopped", [_braked(each) for each in brakes], _FEW),
            ("What waits for you" if brakes else "", [_entry(each) for each in pending], _MOST),
            ("Runs", [_run(each) for each in runs], _FEW),
            ("Let run without being asked again", [_granted(each) for each in grants], _FEW),
        )
        console = (Fact(link(f"{self._cards.console}/", "Open the console"), is_ours=True),)
        for most in range(_MOST, -1, -1):
            entries = [each for heading, made, few in parts for each in _part(heading, made, min(most, few))]
            entries += _part("What you are told and asked", [_setting(each) for each in settings], len(settings))
            card = self._made(Head(waiting(pending), "accent"), entries, console)
            if fits_message(card):
                return card
        raise AssertionError("headings always fit")

    def said(self, words: Line) -> Json:
        """A line of our own, with names and texts of others in it."""
        return self._made(None, [Entry(blocks(joined((words,))))])

    def help(self, heading: str, lines: Sequence[HelpLine]) -> Json:
        """What can be typed."""
        pieces = joined([line(code(each.typed), f"  {each.meaning}") for each in lines])
        return self._made(Head(plain(heading, _TITLE_CHARS), "accent"), [Entry(blocks(pieces))])

    def notice(self, told: Told) -> tuple[str, Json]:
        """What people are told without being asked, and its text for notifications."""
        who, text = teller(told), clip(visible(told.text), _NOTICE_CHARS)
        facts = (
            Fact(plain(f"Notice from {who}", _FACT_CHARS)),
            Fact(ours(moment(told.at), told.at), is_ours=True),
        )
        made = self._made(None, [Entry(blocks((Quote(text),)), facts)])
        return title(f"{who}: {text}", _TOLD_CHARS), made

    def brief(self, handoff: Handoff, *, now: datetime, url: str | None, lead: str = "") -> tuple[str, Json]:
        """One handoff in a few lines for one person, and its text for notifications; `lead` says why it is shown."""
        short = summary(handoff, now=now)
        pieces: list[Piece] = [line(lead)] if lead else []
        pieces += [Quote(clip(short.title.text, 2 * _SENTENCE_CHARS)), line(code(short.gate))]
        if short.verdict:
            pieces.append(line(bold(clip(short.verdict.sentence, _FACT_CHARS))))
            pieces += [Quote(clip(short.verdict.reason, _TOLD_CHARS))] if short.verdict.reason else []
        if handoff.outcome and handoff.outcome.error is not None:
            pieces.append(Quote(clip(visible(handoff.outcome.error), _TOLD_CHARS)))
        ends = short.verdict.at if short.verdict else short.expires_at
        until = moment(ends) if short.verdict else f"until {moment(ends)}, {short.left} left"
        facts = [Fact(plain(reading.who_asks(short), _FACT_CHARS)), Fact(ours(until, ends), is_ours=True)]
        facts += [Fact(link(url, "Open the card"), is_ours=True)] if url else []
        facts.append(Fact(link(self._cards.page(handoff.id), "Open in the console"), is_ours=True))
        heading = f"{beginning(short) if not short.verdict else ''}{short.headline}"
        look = BANDS.get(short.lamp, "attention" if short.hazard else "accent")
        made = self._made(Head(plain(heading, _TITLE_CHARS), look), [Entry(blocks(joined(pieces)), tuple(facts))])
        return title(" ".join(filter(None, (lead, f"{heading}:", short.title.text))), _TOLD_CHARS), made

    def _list(self, heading: str, entries: Sequence[Entry], *, look: str = "accent", of: int) -> Json:
        for shown in range(len(entries), -1, -1):
            more = more_in_console(of - shown)
            facts = (
                (Fact(more), Fact(link(f"{self._cards.console}/", "Open the console"), is_ours=True)) if more else ()
            )
            made = self._made(Head(heading, look), entries[:shown], facts)
            if fits_message(made):
                return made
        raise AssertionError("a heading always fits")

    def _made(self, head: Head | None, entries: Sequence[Entry], facts: Sequence[Fact] = ()) -> Json:
        return self._cards.render("list", head=head, entries=tuple(entries), facts=facts, rows=(), forms=())


def _part(heading: str, made: Sequence[Entry], most: int) -> list[Entry]:
    """One part of an overview; the first has no heading but the card's own."""
    few = made[:most]
    head = [Entry(blocks((line(bold(heading)),)))] if heading and made else []
    more = more_in_console(len(made) - len(few))
    return [*head, *few, *([Entry(blocks((line(more),)))] if more else [])]


def _entry(each: PendingLine) -> Entry:
    short = each.summary
    until = ours(f"until {moment(short.expires_at)}, {short.left} left", short.expires_at)
    opens: tuple[Control, ...] = (Link("Open", each.permalink or each.url),)
    if each.permalink:
        opens = (*opens, Link("Open in the console", each.url))
    text = line(bold(beginning(short)), bold(plain(short.title.text, _TITLE_CHARS)))
    facts = (Fact(plain(about(each), _FACT_CHARS)), Fact(until, is_ours=True))
    return Entry(blocks((text,)), facts, (Row(opens),))


def _granted(each: GrantLine) -> Entry:
    """One grant: all that it covers, who gave it, and the button that ends it."""
    end = Press("End it", {"andon": {"do": "end-grant", "id": each.id}}, look="destructive")
    until = Fact(ours(f"until {moment(each.until)}", each.until), is_ours=True)
    return Entry(blocks((line(each.covers),)), (Fact(plain(given_by(each), 600)), until), (Row((end,)),))


def _braked(each: BrakeLine) -> Entry:
    """One brake: what it holds, and the button that lifts it."""
    facts = (Fact(plain(each.where, _FACT_CHARS)),) if each.where else ()
    text = blocks((line(clip(each.sentence, _SENTENCE_CHARS)),))
    return Entry(text, facts, (Row((_lift(f"Resume {each.what}", each.epoch),)),))


def _run(each: RunLine) -> Entry:
    since = Fact(ours(f"since {moment(each.started_at)}", each.started_at), is_ours=True)
    return Entry(blocks((line(clip(about_run(each), _SENTENCE_CHARS)),)), (since,))


def _setting(each: SettingLine) -> Entry:
    """One setting, with a button for each value; a card that is out of date changes no other by its press."""
    taps = tuple(
        Press(
            plain(f"✓ {label}" if value == each.value else label, BUTTON),
            {"andon": {"do": "setting", "id": f"{each.key}-{value}"}},
        )
        for value, label in each.options
    )
    return Entry(blocks((line(each.label),)), rows=(Row(taps),))


def _lift(label: str, epoch: int) -> Press:
    return Press(plain(label, BUTTON), {"andon": {"do": "lift", "epoch": epoch}})
