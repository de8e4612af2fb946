"""What the command prints: cards as text, and other people's text made harmless. Pure."""

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from andon import wire
from andon._errors import AndonError, Refused, Steered, Stopped
from andon._scopes import in_words

__all__ = [
    "as_json",
    "at",
    "card",
    "duration",
    "for_terminal",
    "harmless",
    "interruption",
    "line",
    "said",
    "said_of",
]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing, or change what their neighbours show.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}
_LABEL_CHARS = 10
_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400


def for_terminal(text: str) -> str:
    """Return text that a terminal only shows: escape sequences and hidden characters by number, as `⟦U+001B⟧`.

    Line breaks and tabs stay. What an agent wrote can neither move the cursor, nor hide, nor reorder anything.
    """
    return "".join(c if c in "\n\t" or not _deceives(c) else f"⟦U+{ord(c):04X}⟧" for c in text)


def line(text: str) -> str:
    """As `for_terminal`, on one line."""
    return for_terminal(" ".join(text.split("\n")))


def as_json(value: object) -> str:
    """Write JSON on one line that a terminal only shows: what deceives is escaped, and reads back as it was."""
    return harmless(json.dumps(value, ensure_ascii=False))


def harmless(written: str) -> str:
    """Escape, in JSON without line breaks, what deceives; it can only be inside of strings."""
    return "".join(_escaped(c) if _deceives(c) else c for c in written)


def duration(seconds: float) -> str:
    """Say how long, roughly, as people do."""
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def said(decision: wire.Decision) -> str:
    """Say a decision in one line: what, who, and why."""
    by = {"silence": "", "grant": f", {decision.by.name}"}.get(decision.by.kind, f" by {decision.by.name}")
    reason = getattr(decision, "reason", None)
    return line(f"{decision.kind}{by}{f': {reason}' if reason else ''}")


def at(brake: wire.Braked) -> str:
    """Say since when."""
    return f"{brake.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def said_of(error: AndonError) -> str:
    """Say why nothing came of it, for whoever typed the command."""
    match error:
        case Refused():
            return said(error.decision)
        case Stopped(brake=brake, handoff=handoff):
            is_over = brake.action == "abort"
            verb = "ended" if is_over else "stopped"
            why = f": {brake.text}" if brake.text else ""
            ask = ""
            if handoff is not None and (is_over or handoff.decision is None):
                ask = "; the ask has ended" if is_over else f"; the ask is on hold: {handoff.url}"
            return line(f"{brake.by.name} {verb} {in_words(brake.scope)} at {at(brake)}{why}{ask}")
        case Steered(steers=steers):
            words = [line(f"{steer.by.name} says: {steer.text}") for steer in steers]
            return "\n".join([*words, "the ask was taken back"])
        case _:
            return for_terminal(str(error))


def interruption(error: AndonError) -> dict[str, Any]:
    """Tell a script of a stop or of people's words; empty: it was neither."""
    match error:
        case Stopped(brake=brake, handoff=handoff):
            told = {"kind": "stopped", "brake": brake.model_dump(mode="json", exclude_none=True)}
            return told | ({} if handoff is None else {"handoff": handoff.id, "url": handoff.url})
        case Steered(steers=steers):
            return {"kind": "steered", "steers": [each.model_dump(mode="json", exclude_none=True) for each in steers]}
        case _:
            return {}


def card(handoff: wire.Handoff, now: datetime) -> str:
    """Lay out a handoff in full; nothing is cut."""
    ask = handoff.ask
    left = f", {duration((handoff.expires_at - now).total_seconds())} left" if handoff.state == "pending" else ""
    rows: list[tuple[str, str]] = []
    if isinstance(ask, wire.Confirmation):
        rows.append(("Done" if ask.timing == "after" else "Will do", ask.what))
    else:
        rows.append(("Question", ask.question))
    rows.append(("Why", ask.why))
    rows += [("Risk", risk) for risk in ask.risks]
    rows += _details(handoff)
    rows += [
        ("Asks", f"{handoff.agent}, at its gate {ask.gate}, in {handoff.run}"),
        ("Undo", "possible" if ask.reversible else "not possible"),
        ("Silence", handoff.silence),
        ("Revision", str(handoff.revision)),
        ("Digest", handoff.digest),
        ("Page", handoff.url),
    ]
    if handoff.decision is not None:
        rows.append(("Decision", f"{said(handoff.decision)} ({handoff.decision.at:%Y-%m-%d %H:%M %Z})"))
    if handoff.outcome is not None:
        rows.append(
            ("Outcome", handoff.outcome.status + (f": {handoff.outcome.error}" if handoff.outcome.error else ""))
        )
    return "\n".join([f"{handoff.id}  {handoff.state}{left}", *(_row(label, text) for label, text in rows if text)])


def _details(handoff: wire.Handoff) -> list[tuple[str, str]]:
    ask = handoff.ask
    match ask:
        case wire.Choice():
            rows = []
            for candidate in ask.candidates:
                rows.append(("Candidate", f"{candidate.id}  {candidate.label}"))
                rows.append(("", candidate.details))
                if candidate.action is not None:
                    rows.append(("", f"runs {candidate.action.tool} {_pretty(candidate.action.args)}"))
            return rows
        case wire.Input():
            return [("Answer", _pretty(ask.answer_schema))]
        case wire.Confirmation():
            rows = []
            if ask.action is not None:
                args = handoff.revisions[-1].args if handoff.revisions else ask.action.args
                rows.append(("Runs", f"{ask.action.tool} {_pretty(args)}"))
            if ask.result is not None:
                rows.append(("Result", ask.result if isinstance(ask.result, str) else _pretty(ask.result)))
            return rows


def _pretty(value: JsonValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _row(label: str, text: str) -> str:
    """Indent every line of a text, so that none of them can pass for a line of ours."""
    first, *others = for_terminal(text).split("\n")
    return "\n".join([f"{label:<{_LABEL_CHARS}}{first}", *(" " * _LABEL_CHARS + other for other in others)])


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2)
    return "".join(f"\\u{unit}" for unit in units.split())


def _deceives(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN or character in _BLANK
