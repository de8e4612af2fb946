"""A handoff as a message for Slack: the most of it that Slack takes, at any moment of its life. No I/O, no clock."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from adapters.slack.fit import BUTTON, HEADER, OPTION, OPTIONS, Json, fits_message
from adapters.slack.markup import date_token, link, mrkdwn
from adapters.slack.presses import ACTION, around, carried
from bot.cards import Card, JsonTemplates, Offered, card, moment, offers, reading
from bot.cards.reading import ROOMS, Room
from bot.cards.rich import Piece, plain
from bot.handoff import Handoff, State

_REMEMBERED: Final = 1_024
"""Cards of which it is known whether they show everything; presses come soon after."""
FALLBACK_CHARS: Final = 3_000
"""An update with a longer top-level text than 4,000 is refused."""
_FRAME_CHARS: Final = 400
_ONE_TAP_REASONS: Final = 4
_MOST_OVERFLOW: Final = 5
_FACT_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """What to post, or to put in the place of what was posted."""

    text: str
    """For notifications and screen readers; escaped."""
    blocks: list[Json]
    whole: bool
    """Is everything that would be agreed to on it? Only then it has a one-tap yes."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that make one block."""

    name: str
    pieces: tuple[Piece, ...]
    kind: Literal["group"] = "group"


@dataclass(frozen=True, slots=True)
class Fact:
    """A short text of the card's frame; markup in it is ours."""

    text: str
    is_markup: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a menu."""

    label: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button."""

    action: str
    label: str
    value: str = ""
    style: Literal["", "primary", "danger"] = ""
    url: str = ""
    kind: Literal["press"] = "press"


@dataclass(frozen=True, slots=True)
class Menu:
    """What did not get a button of its own."""

    action: str
    options: tuple[Option, ...]
    kind: Literal["more"] = "more"


@dataclass(frozen=True, slots=True)
class Pick:
    """A menu of candidates; without options it asks the service for them."""

    action: str
    placeholder: str
    options: tuple[Option, ...] = ()
    kind: Literal["pick"] = "pick"


Control = Press | Menu | Pick

MORE: Final = (Option("Ask somebody else…", "0"), Option("Ask the agent…", "1"), Option("Stop this run", "2"))
"""What a card's last menu offers; none of it decides anything."""
STOP: Final = 2
"""Which of them stops the run."""
RESUME: Final = f"{ACTION}resume"
AGAIN: Final = f"{ACTION}again"


class Cards:
    """Makes messages. It never fails for length: what does not fit is counted, and read before anybody agrees."""

    def __init__(self, templates: Path | None, *, console: str) -> None:
        """Prepare the templates; `console` is the address that people reach the web console at."""
        self.templates = JsonTemplates("slack", templates)
        self._console = console.rstrip("/")
        self._made: OrderedDict[str, tuple[Handoff, bool]] = OrderedDict()

    def is_whole(self, handoff: Handoff, *, now: datetime) -> bool:
        """Is everything that would be agreed to on the card? As it was told of the card when it was made, if it was."""
        made = self._made.get(handoff.id)
        return made[1] if made and made[0] == handoff else self.message(handoff, now=now).whole

    def message(self, handoff: Handoff, *, now: datetime) -> Message:
        """The card of a handoff as it stands."""
        made = self._message(handoff, now)
        self._made[handoff.id] = (handoff, made.whole)
        self._made.move_to_end(handoff.id)
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        return made

    def _message(self, handoff: Handoff, now: datetime) -> Message:
        offered = offers(handoff)
        for room in ROOMS:
            view = card(handoff, now=now, limit=room.limit or 1)
            whole = not view.missing and not reading.is_summarised(view, room)
            for searched in (False, True):
                pressable = (
                    controls(view, offered, whole=whole, searched=searched) or resuming(handoff, view) or again(view)
                )
                blocks = self._blocks(view, room, pressable)
                if fits_message(blocks) or room is ROOMS[-1]:
                    return Message(fallback_text(view), blocks, whole)
                if not view.candidates:
                    break
        raise AssertionError("the last room takes everything")

    def options(self, handoff: Handoff, query: str, *, now: datetime) -> Json:
        """Candidates that hold every word of the query, those whose label begins with it first."""
        view = card(handoff, now=now, limit=OPTION)
        found = choices(view, reading.candidates_for(handoff, query)[:OPTIONS])
        return dict(self.templates.render("options", options=found))

    def page(self, handoff_id: str) -> str:
        """The address of a card in the web console."""
        return f"{self._console}/handoffs/{handoff_id}"

    def _blocks(self, view: Card, room: Room, pressable: Sequence[Control]) -> list[Json]:
        made = self.templates.render(
            "card",
            id=view.id,
            header=plain(reading.headline(view), HEADER),
            groups=groups(view, room),
            facts=self._facts(view),
            controls_id=around(view),
            controls=pressable,
        )
        return list(made)

    def _facts(self, view: Card) -> tuple[tuple[Fact, ...], ...]:
        """The frame of the card: who asks for whom, until when, what silence means, what exactly is decided."""
        return (
            (Fact(plain(reading.who_asks(view), _FACT_CHARS)), *_times(view)),
            (
                Fact(plain(reading.exactly(view), _FACT_CHARS)),
                Fact(link(self.page(view.id), "Open in the console"), is_markup=True),
            ),
        )


def fallback_text(view: Card) -> str:
    """The message as one line of escaped text, for notifications and screen readers."""
    hazard = ", cannot be undone" if view.hazard and view.buttons else ""
    start = f"{mrkdwn(view.headline, _FRAME_CHARS)}: "
    end = mrkdwn(f" ({view.agent}, {view.gate}{hazard})", _FRAME_CHARS)
    title = " ".join(view.title.text.split())
    return start + mrkdwn(title, FALLBACK_CHARS - len(start) - len(end)) + end


def groups(view: Card, room: Room) -> tuple[Group, ...]:
    """The blocks of text: what would run, or what is asked, is always the first."""
    first = Group("act", reading.act(view, room) or reading.question(view))
    others = (
        Group("brake", reading.brake(view)),
        Group("votes", reading.votes(view)),
        Group("candidates", reading.candidates(view, room)),
        Group("verdict", reading.verdict(view, room)),
        Group("changes", reading.changes(view, room)),
        Group("result", reading.result(view, room)),
        Group("bearings", reading.bearings(view, room)),
        Group("words", reading.words(view, room)),
        Group("asides", reading.asides(view, room)),
    )
    return (first, *(group for group in others if group.pieces))


def controls(view: Card, offered: Sequence[Offered], *, whole: bool, searched: bool) -> tuple[Control, ...]:
    """What can be pressed now; nothing is one press from a yes before all of it was shown."""
    if not view.buttons:
        return ()
    made: list[Control] = []
    if view.kind == "choice":
        made.append(pick(view, searched=searched))
    elif view.kind == "input":
        made.append(Press(f"{ACTION}answer", "Answer", carried(view), "primary"))
    elif whole and view.one_tap and (yes := view.may("approve")):
        made.append(Press(f"{ACTION}approve", yes.label, carried(view), "danger" if view.hazard else "primary"))
    if not whole or (view.kind == "confirmation" and not view.one_tap):
        first: Literal["", "primary"] = "primary" if view.kind == "confirmation" else ""
        label = "Read it all, then decide" if first else "Read it all"
        made.append(Press(f"{ACTION}read", label, carried(view), first))
    made += _offers(offered)
    if edit := view.may("edit"):
        made.append(Press(f"{ACTION}edit", edit.label, carried(view)))
    if no := view.may("reject"):
        label = "Reject…" if no.label == "Reject" else no.label
        made.append(Press(f"{ACTION}reject", label, carried(view)))
        made += _reasons(view)
    return (*made, Menu(f"{ACTION}more", MORE))


def resuming(handoff: Handoff, view: Card) -> tuple[Control, ...]:
    """What lets a handoff on hold go on, and all else that the same brake holds; nothing for any other handoff."""
    if handoff.state is not State.HELD or handoff.brake is None:
        return ()
    label = plain(reading.resuming(handoff, handoff.brake), BUTTON)
    return (Press(RESUME, label, carried(view, epoch=handoff.brake.epoch)),)


def again(view: Card) -> tuple[Control, ...]:
    """What has the decision sent once more to an agent that was not reached; nothing where there is nothing to send."""
    return (Press(AGAIN, view.again, carried(view)),) if view.again else ()


def _offers(offered: Sequence[Offered]) -> list[Control]:
    """What else a yes may say: a menu that opens all of it, and decides nothing yet."""
    options = tuple(Option(plain(f"{each.life}: {each.label}", OPTION), str(each.index)) for each in offered)
    return [Pick(f"{ACTION}grant", "Approve, and don't ask again…", options)] if options else []


def pick(view: Card, *, searched: bool) -> Pick:
    """The menu of candidates, or a search for them."""
    labels = choices(view, range(len(view.candidates)))
    options = () if searched or len(labels) > OPTIONS else labels
    return Pick(f"{ACTION}choose", "Choose…" if options else "Search and choose…", options)


def choices(view: Card, indexes: Sequence[int]) -> tuple[Option, ...]:
    """Candidates as entries of a menu; each is submitted by its place in the ask."""
    shown = ((index, view.candidates[index]) for index in indexes)
    return tuple(
        Option(plain(each.label, OPTION), str(index), plain(each.details.text, OPTION) if each.details.text else "")
        for index, each in shown
    )


def _reasons(view: Card) -> list[Control]:
    made: list[Control] = [
        Press(
            f"{ACTION}reason:{index}",
            plain(f"✕ {each.label}", BUTTON),
            carried(view, index=index, text=each.text),
        )
        for index, each in enumerate(view.reasons[:_ONE_TAP_REASONS])
    ]
    others = enumerate(view.reasons[_ONE_TAP_REASONS : _ONE_TAP_REASONS + _MOST_OVERFLOW], start=_ONE_TAP_REASONS)
    more = tuple(Option(plain(f"✕ {each.label}", OPTION), str(index)) for index, each in others)
    return [*made, Menu(f"{ACTION}reasons", more)] if more else made


def _times(view: Card) -> tuple[Fact, ...]:
    told = reading.times(view)
    return tuple(
        Fact(mrkdwn(text, _FACT_CHARS).replace(moment(at), date_token(at)), is_markup=True) if at else Fact(text)
        for text, at in told
    )
