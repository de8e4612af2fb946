"""What a card says, as pieces of rich text for any surface: what would run, the agent's words, how it ended. Pure.

The pieces of what would run are made of the canonical arguments alone; no word of the agent's can reach them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from andon import wire
from bot.cards.brakes import scope_in_words
from bot.cards.rich import Bullets, Code, Line, Piece, Quote, Words, bold, clip, code, joined, line, plain
from bot.cards.sentences import moment
from bot.cards.summaries import Summary
from bot.cards.together import DigestRow
from bot.cards.view import Card
from bot.handoff import Handoff

_LANGUAGES = {"shell": "shell", "argv": "command", "sql": "SQL", "json": "JSON", "diff": "diff", "code": "code"}
_ICONS = {"go": "✅", "stop": "⛔", "off": "⌛", "held": "⏸️", "alarm": "🚨"}
_NOBODY = {"silence", "policy", "agent", "service"}
"""Kinds of those who decide and are no person on a surface."""
_MOST_NAMES = 20
_NAME_CHARS = 40
_SENTENCE_CHARS = 900
_MOST_VOTES = 10
_VOTES_CHARS = 300
_ROW_CHARS = 200


class _Prose(Protocol):
    """The agent's text, as a view has it."""

    @property
    def text(self) -> str: ...
    @property
    def cut(self) -> int: ...


class _Row(_Prose, Protocol):
    """One argument, as a view has it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def warning(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def parts(self) -> "Sequence[_Row]": ...


@dataclass(frozen=True, slots=True)
class Room:
    """How much of everything there is place for; None: for all of it."""

    limit: int | None
    """Characters of one argument or of one of the agent's texts."""
    rows: int | None = 100
    """More arguments than this are named and counted, not shown."""
    risks: int | None = 20
    candidates: int | None = 8
    details: int | None = 300
    """Characters of what is said of a candidate."""
    told: int | None = 2_000
    """Characters of a reason, an answer, a result, or what changed in one argument."""
    changes: int | None = 10
    """Arguments whose changes are shown."""


WHOLE: Final = Room(limit=None, rows=None, risks=None, candidates=None, details=None, told=None, changes=None)


ROOMS: Final = (
    *(Room(limit=limit, told=min(limit, 2_000)) for limit in (4_000, 3_000, 2_000, 1_400, 1_000, 700, 450, 300)),
    Room(limit=200, rows=60, candidates=8, details=150, told=300, changes=5),
    Room(limit=120, rows=40, risks=12, candidates=8, details=80, told=200, changes=4),
    Room(limit=80, rows=12, risks=8, candidates=6, details=60, told=150, changes=3),
    Room(limit=60, rows=0, risks=4, candidates=4, details=40, told=80, changes=1),
)
"""From the most that a message may show to what fits on every surface."""


DIGEST_ROOMS: Final = (600, 300, 150, 60)
"""Characters of one argument on a row of a digest: the most that its message takes. What is cut can only be opened."""


def headline(view: Card) -> str:
    """The first line: what is wanted, or what became of it; what cannot be undone says so."""
    named = view.act.tool if view.act else view.gate
    if not view.buttons:
        return f"{_ICONS.get(view.lamp, '⌛')} {view.headline} · {named}"
    match view.kind:
        case _ if view.timing == "unknown":
            wanted = f"Was {named} done? The agent fell silent"
        case "choice":
            wanted = f"Choose one of {len(view.candidates)}"
        case "input":
            wanted = "A question for you"
        case _ if view.timing == "after":
            wanted = f"Done already: keep {named}?" if view.act else "Done already: keep it?"
        case _:
            wanted = f"Approve {named}?"
    return f"⚠️ Cannot be undone · {wanted}" if view.hazard else wanted


def who_asks(view: Summary) -> str:
    """Which agent asks, in which run, and for whom."""
    return " · ".join(filter(None, (view.agent, f"run {view.run}", f"for {view.requester}" if view.requester else "")))


def exactly(view: Card) -> str:
    """What exactly is decided, and on which terms."""
    parts = [f"gate {view.gate}", f"digest {view.digest_short}", f"revision {view.revision}"]
    parts += [f"edited by {view.edits[-1].by}"] if view.edits else []
    parts += [_undo(view), f"confidence {view.confidence}" if view.confidence else "", view.policy]
    parts += [f"may answer: {view.approvers}" if view.approvers else ""]
    return " · ".join(filter(None, parts))


def times(view: Card) -> tuple[tuple[str, datetime | None], ...]:
    """Sentences about time, each with the moment in it that a surface may show in the reader's own zone."""
    if view.verdict:
        stands = view.verdict
        decided = (f"{stands.headline} {moment(stands.at)}, after {stands.took}", stands.at)
        steps = ((f"{step.headline}{' since' if step.lasts else ''} {moment(step.at)}", step.at) for step in view.steps)
        return (decided, *steps)
    if view.state == "held":
        return ((f"{view.left} left once it goes on", None),)
    return ((view.silence if view.buttons else f"Until {moment(view.expires_at)}", view.expires_at),)


def candidates_for(handoff: Handoff, query: str) -> list[int]:
    """Places of the candidates that hold every word of the query, those whose label begins with it first."""
    wanted = query.casefold().split()
    ranked: list[tuple[int, int]] = []
    for index, each in enumerate(handoff.ask.candidates if isinstance(handoff.ask, wire.Choice) else ()):
        label, rest = each.label.casefold(), f"{each.id} {each.details}".casefold()
        if all(word in label or word in rest for word in wanted):
            rank = 0 if label.startswith(" ".join(wanted)) else 1 if all(word in label for word in wanted) else 2
            ranked.append((rank, index))
    return [index for _, index in sorted(ranked)]


def resuming(handoff: Handoff, brake: wire.Braked) -> str:
    """What lifting the brake that holds a handoff lets go on: `Resume this run`."""
    scope = brake.scope
    return f"Resume {scope_in_words(scope) if scope.run in {None, handoff.run} else 'the run that started it'}"


def act(view: Card, room: Room) -> tuple[Piece, ...]:
    """What would run, or has run."""
    if view.act is None:
        return ()
    verb = {"after": "has run", "unknown": "may have run"}.get(view.timing, "wants to run")
    return joined((line(bold(view.agent), f" {verb} ", code(view.act.tool)), *_rows(view.act.rows, room)))


def question(view: Card) -> tuple[Piece, ...]:
    """What is asked, where nothing runs: the first block of a card without an action."""
    verb = "says" if view.timing == "after" else "asks"
    return joined((line(bold(view.agent), f" {verb}"), *_prose(view.title)))


def bearings(view: Card, room: Room) -> tuple[Piece, ...]:
    """Andon's own reading of it: how risky it is, and why somebody is asked."""
    own = view.bearings
    if own is None:
        return ()
    told = [_fitting(reason, room.told) for reason in own.reasons[: room.risks]]
    because = [_fitting(sentence, room.told) for sentence in own.because]
    named = line(bold("Andon's own reading"), *((f" · {own.headline}",) if own.headline else ()))
    made: list[Piece] = [named, *([Bullets(tuple(told))] if told else [])]
    made += _more(len(own.reasons) - len(told), "reasons")
    made += [line(bold("It is asked because")), Bullets(tuple(because))] if because else []
    return joined(made)


def words(view: Card, room: Room) -> tuple[Piece, ...]:
    """The agent's own words, called that; empty when it said nothing more than its question."""
    said: list[Piece] = [*_prose(view.title)] if view.act else []
    if view.why.text:
        said += [line(bold("Why")), *_prose(view.why)]
    if view.risks:
        shown = view.risks[: room.risks]
        said += [
            line(bold("What could go wrong")),
            Bullets(tuple(f"{risk.text}{f'… ({risk.cut:,} more characters)' if risk.cut else ''}" for risk in shown)),
            *_more(len(view.risks) - len(shown), "risks"),
        ]
    return joined((line(bold("The agent says")), *said)) if said else ()


def asides(view: Card, room: Room) -> tuple[Piece, ...]:
    """What happened around it while it waited, the latest of it where there is much."""
    most = room.risks
    shown = view.asides[-most:] if most else view.asides
    made: list[Piece] = [*_more(len(view.asides) - len(shown), "earlier")]
    for each in shown:
        made.append(line(clip(each.sentence, _SENTENCE_CHARS)))
        made += [Quote(clip(each.words.text, room.told))] if each.words and room.told else []
        made += [Quote(each.words.text)] if each.words and not room.told else []
    return joined(made)


def votes(view: Card) -> tuple[Piece, ...]:
    """Who said yes or no so far and who is still needed, and the number that a yes must repeat."""
    said = [line(clip(text, _VOTES_CHARS)) for text in view.votes[:_MOST_VOTES]]
    said += [line("The number of this card: ", code(view.code))] if view.code else []
    return joined(said)


def brake(view: Card) -> tuple[Piece, ...]:
    """Who stopped it, and what that means for who answers."""
    return joined([line(clip(text, _VOTES_CHARS)) for text in view.brake])


def result(view: Card, room: Room) -> tuple[Piece, ...]:
    """What came of what was done already."""
    return joined((line(bold("What came of it")), *_rows((view.result,), room))) if view.result else ()


def candidates(view: Card, room: Room) -> tuple[Piece, ...]:
    """What there is to choose from; once somebody chose, that one alone."""
    taken = tuple(each for each in view.candidates if each.chosen) or view.candidates
    shown = taken[: room.candidates]
    made: list[Piece] = []
    for each in shown:
        mark = " ✓ chosen" if each.chosen else ""
        made.append(line(bold(_fitting(each.label, room.told)), "  ", code(each.id), mark))
        made += [line(f"⚠ {each.warning}")] if each.warning else []
        text = each.details.text if room.details is None else clip(each.details.text, room.details)
        made += [Quote(text)] if text else []
        made += [_cut(each.details.cut)] if each.details.cut else []
        if each.act:
            made += [line("Choosing it runs ", code(each.act.tool)), *_rows(each.act.rows, room)]
    made += _more(len(taken) - len(shown), "candidates")
    return joined(made)


def verdict(view: Card, room: Room) -> tuple[Piece, ...]:
    """Who decided what, why, and how far the agent is with it."""
    if view.verdict is None:
        return ()
    stands = view.verdict
    where = "" if stands.surface in _NOBODY else f" ({stands.surface})"
    made: list[Piece] = [line(bold(_fitting(stands.sentence, _SENTENCE_CHARS)), where)]
    made += [Quote(_fitting(stands.reason, room.told))] if stands.reason else []
    made += _rows((stands.answer,), room, room.told) if stands.answer else []
    made += [line(_fitting(stands.granted, _SENTENCE_CHARS))] if stands.granted else []
    for step in view.steps:
        made.append(line(bold(step.headline), f" · {step.sentence}"))
        made += _rows((step.result,), room, room.told) if step.result else []
    return joined(made)


def changes(view: Card, room: Room) -> tuple[Piece, ...]:
    """What an edit made of the arguments."""
    shown = view.diff[: room.changes]
    made: list[Piece] = []
    for each in shown:
        made.append(line(bold(_fitting(each.name, room.told)), f" {each.kind}"))
        if each.lines:
            made.append(Code(_fitting("\n".join(f"{part.mark} {part.text}" for part in each.lines), room.told)))
            continue
        made += [Code(_fitting(_marked("-", each.before), room.told))] if each.kind != "added" else []
        made += [Code(_fitting(_marked("+", each.after), room.told))] if each.kind != "removed" else []
    made += _more(len(view.diff) - len(shown), "changes")
    return joined((line(bold("What changed")), *made)) if made else ()


def whole(view: Card, *, index: int | None = None) -> tuple[Piece, ...]:
    """All that is agreed to, and all that is said for and against it; `index` names one candidate."""
    if index is not None:
        view = replace(view, candidates=view.candidates[index : index + 1])
    first = act(view, WHOLE) or question(view)
    return joined((*first, *candidates(view, WHOLE), *result(view, WHOLE), *bearings(view, WHOLE), *words(view, WHOLE)))


def written(view: Card, pieces: Sequence[Piece]) -> str:
    """The same pieces as a text file. What comes from anybody else is indented, so that it cannot pass for ours."""
    made = [f"Andon · gate {view.gate} · handoff {view.id} · revision {view.revision}", f"digest {view.digest}", ""]
    for piece in pieces:
        match piece:
            case Line(words=parts):
                made += ["", *"".join(part.text for part in parts).split("\n")]
            case Bullets(texts=texts):
                made += ["    - " + text.replace("\n", "\n      ") for text in texts]
            case _:
                made += [f"    {part}" for part in piece.text.split("\n")]
    return "\n".join(made) + "\n"


def is_summarised(view: Card, room: Room) -> bool:
    """Is something only counted that the view itself does not call missing?"""
    rows = view.act.rows if view.act else ()
    return (room.rows is not None and len(rows) > room.rows) or (
        room.risks is not None and len(view.risks) > room.risks
    )


def row_of_digest(row: DigestRow, limit: int, *, answerable: bool) -> tuple[Piece, ...]:
    """One handoff on a digest; `answerable` where it can be answered there, so that all of it is shown."""
    pieces: list[Piece] = [line(bold(clip(row.title.text, limit if answerable else _ROW_CHARS)))]
    if row.verdict:
        return joined((*pieces, line(clip(row.verdict.sentence, _ROW_CHARS))))
    if row.act:
        pieces += [line("runs ", code(row.act.tool)), *_row_pieces(row.act.rows, limit)]
    pieces += [line("Risk: ", clip(risk.text, limit)) for risk in row.risks] if answerable else []
    exact = f"{row.agent} · gate {row.gate} · {row.left} left · digest {row.digest_short}"
    pieces.append(line(plain(exact, _ROW_CHARS)))
    pieces += [line(clip(row.alone, _ROW_CHARS))] if row.alone else []
    return joined(pieces)


def is_on_row(row: DigestRow, limit: int) -> bool:
    """Is all of it on its row?"""
    parts = [
        row.title.text,
        *(risk.text for risk in row.risks),
        *(each.text for each in (row.act.rows if row.act else ())),
    ]
    return all(len(part) <= limit for part in parts)


def _row_pieces(rows: Sequence[_Row], limit: int) -> list[Piece]:
    """Arguments on a row of a digest; what is too much is named and counted."""
    if not rows:
        return [line("It takes no arguments.")]
    if len(rows) > _MOST_NAMES:
        return _named(rows)
    return [piece for each in rows for piece in _row(each, each.name, limit)]


def _rows(rows: Sequence[_Row], room: Room, most: int | None = None) -> list[Piece]:
    if not rows:
        return [line("It takes no arguments.")]
    if room.rows is not None and len(rows) > room.rows:
        return _named(rows)
    return [piece for each in rows for piece in _row(each, each.name, most)]


def _row(row: _Row, name: str, most: int | None) -> Iterator[Piece]:
    """One argument; `most` shortens what nobody is asked to agree to."""
    if row.parts and most is None:
        yield line(bold(name), " (mail)")
        for part in row.parts:
            yield from _row(part, f"{name} → {part.name}", most)
    elif row.kind == "line":
        yield line(bold(name), ": ", _fitting(row.text, most))
    else:
        spoken = _LANGUAGES.get(row.language, "")
        yield line(bold(name), f" ({spoken})" if spoken else ":")
        text = _fitting(row.text, most)
        yield Quote(text) if row.language == "text" else Code(text)
    if row.cut:
        yield _cut(row.cut)
    if row.warning:
        yield line(f"⚠ {name[:80]} {row.warning}")


def _named(rows: Sequence[_Row]) -> list[Piece]:
    """Arguments by name and number, for when they are too many to show."""
    characters = sum(len(row.text) + row.cut for row in rows)
    names = ", ".join(plain(row.name, _NAME_CHARS) for row in rows[:_MOST_NAMES])
    return [
        line(bold(f"{len(rows):,} arguments, {characters:,} characters"), ": too much for a card, open the whole."),
        line(f"{names}{f' … and {len(rows) - _MOST_NAMES:,} more' if len(rows) > _MOST_NAMES else ''}"),
    ]


def _prose(part: _Prose) -> list[Piece]:
    return [Quote(part.text), *([_cut(part.cut)] if part.cut else [])]


def _cut(count: int) -> Line:
    return line(Words(f"… {count:,} more characters: open the whole", "italic"))


def _more(count: int, what: str) -> list[Piece]:
    return [line(Words(f"… and {count:,} more {what}", "italic"))] if count > 0 else []


def _fitting(text: str, most: int | None) -> str:
    return text if most is None else clip(text, most)


def _marked(mark: str, text: str) -> str:
    return "\n".join(f"{mark} {part}" for part in text.split("\n"))


def _undo(view: Card) -> str:
    if view.reversible:
        return "can be undone"
    return "cannot be undone" if view.hazard else ""
