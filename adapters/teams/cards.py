"""A handoff as a card for Teams, an Adaptive Card 1.5: the most of it that fits, at any moment of its life. No I/O.

The data of every button is `{"andon": {"do": …, "handoff": …, "revision": …, "digest": …}}` and what stands in the
inputs, by their names; `adapters.teams.carried` reads it back. What `do` can be, and what goes with it:

    approve      yes; after a dialog with "full": true, and "index" of the grant that goes with it
    reject       no; input `reason`
    reason       no, for the reason at "index" of the policy's
    edit         inputs `field-0`…, or `whole` (JSON) with "whole": true; `edit-reason`, `code`; "save": true saves it
                 for another person to approve
    answer       inputs as of `edit`; `code`
    look         shows the presser one candidate in full: "index", or input `choice`
    choose       yes to the candidate at "index"; inputs `reason`, `code`
    grant        shows the presser all of it with the grant at "index"
    back         shows the presser the card again
    ask-else     somebody else is to answer; inputs `somebody` (an object id), `address`, `note`
    ask-agent    input `question`
    stop         stops the run; `resume`, with "epoch", lets it go on
    again        has the decision sent to the agent again
    refresh      shows the card as it is for whoever looks at it
    open         `task/fetch`: opens a dialog, "sheet": `read`, `edit` or `answer`
    turn         in a dialog or after `look` and `grant`: another "page" of its "sheet"
    approve-shown, reject-shown    on digests: "rows", each with handoff, revision and digest
    end-grant    in lists: "id" of the grant; `lift`: "epoch" of the brake

Times are in the reader's own zone, which clients make of `{{DATE(…)}}` in a `TextBlock` alone: so each stands in a
sentence of ours, without a word of anybody else in it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.teams.carried import carried
from adapters.teams.controls import Press, press, rows
from adapters.teams.fit import BUTTON, FOUND, REFRESHED, Json, fits_message
from adapters.teams.forms import Filled
from adapters.teams.pressable import Pressable, choices, pressable
from adapters.teams.texts import Block, Fact, blocks, link, ours, runs, title
from bot.cards import Card, JsonTemplates, card, reading
from bot.cards.reading import ROOMS, Room
from bot.cards.rich import plain
from bot.handoff import Handoff, State

_REMEMBERED: Final = 1_024
"""Cards of which it is known whether they show everything; presses come soon after."""
_SUMMARY_CHARS: Final = 400
_ABOUT_CHARS: Final = 200
_FACT_CHARS: Final = 1_000
BANDS: Final = {"go": "good", "stop": "attention", "off": "emphasis", "held": "warning", "alarm": "attention"}
"""The look of a card\'s first line by its lamp; what waits has its own."""


@dataclass(frozen=True, slots=True)
class Message:
    """What to post, or to put in the place of what was posted."""

    summary: str
    """For notifications; plain text, and nothing in it that pings or links."""
    card: Json
    whole: bool
    """Is everything that would be agreed to on it? Only then it has a one-tap yes."""


@dataclass(frozen=True, slots=True)
class Group:
    """Text that makes one part of a card."""

    name: str
    blocks: tuple[Block, ...]
    look: str = ""
    """The style of its container."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a card, and its colour."""

    text: str
    look: str


@dataclass(frozen=True, slots=True)
class For:
    """For whom a card is drawn: everybody, or one person who looks at it."""

    may_answer: bool = True
    """Else it has no buttons that answer."""
    conflict: str = ""
    """Why they may say no and not yes (`bot.ports.Desk.conflict`); the card says so."""
    refused: str = ""
    """Why they may not answer, as a sentence for them."""
    refresh: Sequence[str] = field(default_factory=tuple)
    """Whose clients ask for a card of their own when they show this one (`29:…`)."""
    filled: Filled | None = None
    """What they typed that did not count."""


EVERYBODY: Final = For()


class Cards:
    """Makes cards. It never fails for length: what does not fit is counted, and read before anybody agrees."""

    def __init__(self, templates: Path | None, *, console: str) -> None:
        """Prepare the templates; `console` is the address that people reach the web console at."""
        self.templates = JsonTemplates("teams", templates, runs=runs)
        self.console = console.rstrip("/")
        self._made: OrderedDict[str, tuple[Handoff, bool]] = OrderedDict()

    def is_whole(self, handoff: Handoff, *, now: datetime) -> bool:
        """Is everything that would be agreed to on the card? As it was told of the card when it was made, if it was."""
        made = self._made.get(handoff.id)
        return made[1] if made and made[0] == handoff else self.message(handoff, now=now).whole

    def message(self, handoff: Handoff, *, now: datetime, whom: For = EVERYBODY) -> Message:
        """The card of a handoff as it stands, for everybody or for one person."""
        made = self._message(handoff, now, whom)
        if replace(whom, refresh=()) != EVERYBODY:
            return made  # it may have room for more than the card that all see
        self._made[handoff.id] = (handoff, made.whole)
        self._made.move_to_end(handoff.id)
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        return made

    def options(self, handoff: Handoff, query: str, *, now: datetime) -> list[Json]:
        """Candidates for somebody who types into the menu of a choice, as the results of a search."""
        view = card(handoff, now=now, limit=BUTTON)
        found = reading.candidates_for(handoff, query)[:FOUND]
        return [{"value": each.value, "title": each.title} for each in choices(view, found)]

    def page(self, handoff_id: str) -> str:
        """The address of a card in the web console."""
        return f"{self.console}/handoffs/{handoff_id}"

    def _message(self, handoff: Handoff, now: datetime, whom: For) -> Message:
        for room in ROOMS:
            view = card(handoff, now=now, limit=room.limit or 1, conflict=whom.conflict)
            whole = not view.missing and not view.must_open and not reading.is_summarised(view, room)
            for is_roomy in (True, False):
                made = self._card(handoff, view, room, whom, whole=whole, is_roomy=is_roomy)
                if fits_message(made) or (room is ROOMS[-1] and not is_roomy):
                    return Message(summary_text(view), made, whole)
        raise AssertionError("the last room takes everything")

    def _card(self, handoff: Handoff, view: Card, room: Room, whom: For, *, whole: bool, is_roomy: bool) -> Json:
        """With room, its forms and menus are on it; without, they open in a dialog and are searched."""
        if not view.buttons:
            made = Pressable(_resuming(handoff, view) or _again(view))
        elif not whom.may_answer:
            made = Pressable((press(view, "Stop this run", "stop"),))
        else:
            made = pressable(view, whom.filled, whole=whole, is_roomy=is_roomy)
        return self.render(
            "card",
            head=head(view),
            groups=groups(view, room),
            facts=self._facts(view),
            refused=plain(told, _FACT_CHARS) if (told := whom.refused or view.conflict) else "",
            pick=made.pick,
            rows=(*rows(made.controls), *made.reasons),
            forms=made.forms,
            refresh=carried(view, "refresh") if whom.refresh else None,
            people=tuple(whom.refresh[:REFRESHED]),
        )

    def render(self, name: str, **given: object) -> Json:
        """A card, with our words for clients that cannot show one."""
        told = f"Andon asks you something that this client cannot show. Look at it at {self.console}"
        return dict(self.templates.render(name, fallback=told, **given))

    def _facts(self, view: Card) -> tuple[Fact, ...]:
        """The frame of the card: who asks for whom, until when, what silence means, what exactly is decided."""
        times = tuple(Fact(ours(text, at), is_ours=True) for text, at in reading.times(view))
        return (
            Fact(plain(reading.who_asks(view), _FACT_CHARS)),
            *times,
            Fact(plain(reading.exactly(view), _FACT_CHARS)),
            Fact(link(self.page(view.id), "Open in the console"), is_ours=True),
        )


def head(view: Card) -> Head:
    """The first line: what is wanted, or what became of it; what cannot be undone looks different."""
    look = ("attention" if view.hazard else "accent") if view.buttons else BANDS.get(view.lamp, "emphasis")
    return Head(plain(reading.headline(view), 200), look)


def summary_text(view: Card) -> str:
    """The card as one line of plain text."""
    hazard = ", cannot be undone" if view.hazard and view.buttons else ""
    about = title(f"({view.agent}, {view.gate}{hazard})", _ABOUT_CHARS)
    return f"{view.headline}: {title(view.title.text, _SUMMARY_CHARS)} {about}"


def groups(view: Card, room: Room) -> tuple[Group, ...]:
    """The parts of text: what would run, or what is asked, is always the first."""
    first = Group("act", blocks(reading.act(view, room) or reading.question(view)))
    others = (
        Group("brake", blocks(reading.brake(view)), "warning"),
        Group("votes", blocks(reading.votes(view)), "accent"),
        Group("candidates", blocks(reading.candidates(view, room))),
        Group("verdict", blocks(reading.verdict(view, room))),
        Group("changes", blocks(reading.changes(view, room))),
        Group("result", blocks(reading.result(view, room))),
        Group("bearings", blocks(reading.bearings(view, room))),
        Group("words", blocks(reading.words(view, room))),
        Group("asides", blocks(reading.asides(view, room))),
    )
    return (first, *(group for group in others if group.blocks))


def _resuming(handoff: Handoff, view: Card) -> tuple[Press, ...]:
    """What lets a handoff on hold go on, and all else that the same brake holds; nothing for any other handoff."""
    if handoff.state is not State.HELD or handoff.brake is None:
        return ()
    return (press(view, reading.resuming(handoff, handoff.brake), "resume", epoch=handoff.brake.epoch),)


def _again(view: Card) -> tuple[Press, ...]:
    """What has the decision sent once more to an agent that was not reached; nothing where there is nothing to send."""
    return (press(view, view.again, "again"),) if view.again else ()
