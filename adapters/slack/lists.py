"""Lists for Slack: what waits for somebody, what is stopped, their Home tab, what can be typed. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.slack.cards import Cards, Fact, Option, Press
from adapters.slack.fit import BUTTON, OPTION, OPTIONS, SECTION, Json, fits_message
from adapters.slack.markup import date_token, link
from adapters.slack.presses import ACTION
from bot.cards import GrantLine
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
    waiting,
)
from bot.cards.rich import Line, Piece, clip, code, joined, line, plain
from bot.errors import BadRequest

_MOST_IN_MESSAGE: Final = 20
_MOST_AT_HOME: Final = 30
_MOST_RUNS: Final = 20
_MOST_SETTINGS: Final = 8
_MOST_GRANTS: Final = 10
_MOST_BRAKES: Final = 10
_FEW: Final = 5
"""Of the grants and brakes on the Home tab, which has all the rest as well."""
HOME_BLOCKS: Final = 90
"""Of the 100 that Slack takes; the others are headers, and what counts the rest."""
END: Final = f"{ACTION}end-grant:"
"""Begins the action of a button that ends a grant."""
LIFT: Final = f"{ACTION}lift:"
"""Begins the action of a button that lifts a brake."""
_TITLE_CHARS: Final = 200
_FACT_CHARS: Final = 300
_SENTENCE_CHARS: Final = 900


@dataclass(frozen=True, slots=True)
class _Stands:
    """Something that stands, and the button that ends it."""

    id: str
    pieces: tuple[Piece, ...]
    end: Press
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    title: str
    open: Press
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class _Setting:
    key: str
    text: str
    options: tuple[Option, ...]
    chosen: int | None


class Lists:
    """Makes lists, with the same templates as the cards."""

    def __init__(self, cards: Cards) -> None:
        """Use the templates of the cards."""
        self._templates = cards.templates

    def pending(self, lines: Sequence[PendingLine]) -> list[Json]:
        """Cards that wait, most urgent first as they come, as a message; as many as fit, the others counted."""
        blocks = self._pending(lines, _MOST_IN_MESSAGE)
        for most in range(_MOST_IN_MESSAGE - 1, 0, -1):
            if fits_message(blocks):
                break
            blocks = self._pending(lines, most)
        return blocks

    def home(
        self,
        lines: Sequence[PendingLine],
        runs: Sequence[RunLine] = (),
        settings: Sequence[SettingLine] = (),
        grants: Sequence[GrantLine] = (),
        brakes: Sequence[BrakeLine] = (),
    ) -> Json:
        """The Home tab of one person: what is stopped, what waits for them, the runs of their channels, settings."""
        more_runs = len(runs) - _MOST_RUNS
        others = 3 * min(len(brakes), _FEW) + min(len(runs), _MOST_RUNS) + 3 * min(len(grants), _FEW) + len(settings)
        most = min(_MOST_AT_HOME, (HOME_BLOCKS - others) // 2)
        return dict(
            self._templates.render(
                "home",
                brakes=[_braked(each) for each in brakes[:_FEW]],
                more_brakes=more_in_console(len(brakes) - _FEW),
                title=waiting(lines),
                entries=_entries(lines[:most]),
                more=more_in_console(len(lines) - most),
                runs=[_run(each) for each in runs[:_MOST_RUNS]],
                more_runs=f"… and {more_runs:,} more" if more_runs > 0 else "",
                grants=[_granted(each) for each in grants[:_FEW]],
                more_grants=more_in_console(len(grants) - _FEW),
                settings=[_setting(each) for each in settings[:_MOST_SETTINGS]],
            )
        )

    def grants(self, lines: Sequence[GrantLine]) -> list[Json]:
        """Grants that stand, as a message; as many as fit, the others counted."""
        for most in range(min(len(lines), _MOST_GRANTS), 0, -1):
            blocks = self._grants(lines, most)
            if fits_message(blocks):
                return blocks
        return self._grants(lines, 0)

    def brakes(self, lines: Sequence[BrakeLine]) -> list[Json]:
        """Brakes that are on, as a message; as many as fit, the others counted."""
        for most in range(min(len(lines), _MOST_BRAKES), 0, -1):
            blocks = self._brakes(lines, most)
            if fits_message(blocks):
                return blocks
        return self._brakes(lines, 0)

    def said(self, words: Line) -> list[Json]:
        """A line of our own, with names and texts of others in it, as blocks of a message."""
        return list(self._templates.render("said", pieces=joined((words,))))

    def help(self, title: str, lines: Sequence[HelpLine]) -> list[Json]:
        """What can be typed, as blocks of a message."""
        words = joined([line(code(each.typed), f"  {each.meaning}") for each in lines])
        return list(self._templates.render("help", title=plain(title, BUTTON), pieces=words))

    def _grants(self, lines: Sequence[GrantLine], most: int) -> list[Json]:
        title = standing(lines)
        given = {
            "title": title,
            "grants": [_granted(each) for each in lines[:most]],
            "more": more_in_console(len(lines) - most),
        }
        return list(self._templates.render("grants", **given))

    def _brakes(self, lines: Sequence[BrakeLine], most: int) -> list[Json]:
        shown, more = [_braked(each) for each in lines[:most]], more_in_console(len(lines) - most)
        return list(self._templates.render("brakes", brakes=shown, more=more))

    def _pending(self, lines: Sequence[PendingLine], most: int) -> list[Json]:
        given = {"title": waiting(lines), "entries": _entries(lines[:most]), "more": more_in_console(len(lines) - most)}
        return list(self._templates.render("pending", **given))


def setting_chosen(action: Mapping[str, Any]) -> tuple[str, str]:
    """The key and the new value of a setting that somebody chose on their Home tab.

    Raises:
        BadRequest: It is no such press.
    """
    name, option = action.get("action_id"), action.get("selected_option")
    start = f"{ACTION}setting:"
    value = option.get("value") if isinstance(option, Mapping) else None
    if not isinstance(name, str) or not name.startswith(start) or not isinstance(value, str):
        raise BadRequest("this is no setting of ours; open the Home tab again")
    return name.removeprefix(start), value


def _entries(lines: Sequence[PendingLine]) -> tuple[_Entry, ...]:
    return tuple(_entry(each, index) for index, each in enumerate(lines))


def _entry(each: PendingLine, index: int) -> _Entry:
    short = each.summary
    facts = [
        Fact(plain(about(each), _FACT_CHARS)),
        Fact(f"until {date_token(short.expires_at)}, {short.left} left", is_markup=True),
    ]
    facts += [Fact(link(each.url, "console"), is_markup=True)] if each.permalink else []
    return _Entry(
        id=f"{index}:{short.id}",
        title=beginning(short) + plain(short.title.text, _TITLE_CHARS),
        open=Press(f"{ACTION}open:{index}", "Open", url=each.permalink or each.url),
        facts=tuple(facts),
    )


def _braked(each: BrakeLine) -> _Stands:
    """One brake: what it holds, and the button that lifts it."""
    facts = (Fact(plain(each.where, _FACT_CHARS)),) if each.where else ()
    label = plain(f"Resume {each.what}", BUTTON)
    return _Stands(
        id=str(each.epoch),
        pieces=joined((line(clip(each.sentence, _SENTENCE_CHARS)),)),
        end=Press(f"{LIFT}{each.epoch}", label, str(each.epoch)),
        facts=facts,
    )


def _granted(each: GrantLine) -> _Stands:
    """One grant: all that it covers, who gave it, and the button that ends it."""
    until = Fact(f"until {date_token(each.until)}", is_markup=True)
    given = Fact(plain(given_by(each), _FACT_CHARS))
    return _Stands(
        id=each.id,
        pieces=joined((line(each.covers),)),
        end=Press(f"{END}{each.id}", "End it", each.id, "danger"),
        facts=(given, until),
    )


def _run(each: RunLine) -> tuple[Fact, ...]:
    return (
        Fact(plain(about_run(each), _FACT_CHARS)),
        Fact(f"since {date_token(each.started_at)}", is_markup=True),
    )


def _setting(each: SettingLine) -> _Setting:
    options = tuple(Option(plain(label, OPTION), value) for value, label in each.options[:OPTIONS])
    chosen = next((index for index, option in enumerate(options) if option.value == each.value), None)
    text = each.label if options else f"{each.label}: {each.value}"
    return _Setting(each.key, plain(text, SECTION), options, chosen)
