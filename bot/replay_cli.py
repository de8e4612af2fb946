"""`python -m bot policy replay`: a changed policy on the history that the store keeps, as a table."""

from collections.abc import Iterator
from typing import Final

from andon import wire
from bot.app.local import known_url
from bot.app.store import open_store
from bot.cards import visible
from bot.config import Settings
from bot.policy import Read
from bot.rehearsal import replay

_COLUMNS: Final = (
    ("HANDOFFS", "handoffs"),
    ("ASKED", "asked_then"),
    ("NOW", "asked_now"),
    ("SAVED", "saved"),
    ("NEW", "newly_asked"),
    ("DENIED", "denied_then"),
    ("NOW", "denied_now"),
    ("MISSED", "missed"),
)
_LISTED: Final = 50


async def replay_file(settings: Settings, changed: Read, *, days: int, as_json: bool) -> int:
    """Print what it would have made of the last days; 1 when it would have missed something."""
    async with open_store(settings, start=False) as opened:
        told = await replay(opened.store, changed, days=days)
    if as_json:
        print(told.model_dump_json(exclude_none=True, indent=2))
    else:
        print("\n".join(lines(told, url=known_url(settings), days=days)))
    return 1 if told.total.missed else 0


def lines(told: wire.Replay, *, url: str, days: int) -> Iterator[str]:
    """The report as a person reads it."""
    span = f"the last {days} days" if days > 1 else "the last day"
    yield f"{told.handoffs} handoffs of {span}, through policy {told.policy}"
    if not told.complete:
        yield f"There are more than {told.handoffs:,} of them: the newest are told of, back to where they end."
    if not told.handoffs:
        yield "Nothing is recorded there; ANDON_STATE or ANDON_REDIS_URL says which store is read."
        return
    if told.rows:
        yield ""
        yield from _table(told)
    yield ""
    yield from _sums(told.total)
    if told.missed:
        yield "\nwould have been missed:"
        yield from (_missed(each, url) for each in told.missed[:_LISTED])
        if told.total.missed > _LISTED:
            yield f"  and {told.total.missed - _LISTED} more; --json lists up to 1,000"
    yield "\nnotes:"
    yield from (f"  {each}" for each in told.notes)


def _table(told: wire.Replay) -> Iterator[str]:
    """One row for each gate and tool, and one for all."""
    total = [] if len(told.rows) == 1 else [told.total]
    names = [_name(row) for row in told.rows] + ["all"] * len(total)
    width = max(map(len, ["GATE, TOOL", *names]))
    yield f"{'GATE, TOOL':<{width}}" + "".join(f"{title:>10}" for title, _ in _COLUMNS)
    for name, row in zip(names, [*told.rows, *total], strict=True):
        yield f"{name:<{width}}" + "".join(f"{getattr(row, field):>10}" for _, field in _COLUMNS)


def _name(row: wire.ReplayRow) -> str:
    return row.gate if row.tool in {None, row.gate} else f"{row.gate}, {row.tool}"


def _sums(total: wire.ReplayRow) -> Iterator[str]:
    asks = "1 ask" if total.saved == 1 else f"{total.saved} asks"
    yield f"{asks} saved, {total.newly_asked} new; {total.asked_then} asked then, {total.asked_now} now"
    if total.let_run:
        yield f"{total.let_run} that the policy refused then would run now"
    if total.unanswered:
        yield f"{total.unanswered} that nobody answered then would run now"
    yield f"{total.missed} that a person rejected or changed would run now without asking"


def _missed(each: wire.Missed, url: str) -> str:
    shown = ", shown after it had run" if each.now == "review" else ""
    said = f"{each.kind} by {each.by}{f': {each.reason}' if each.reason else ''}"
    about = f"{each.gate}, {each.agent}: {each.what}"
    return "\n      ".join((f"  {_line(said)}", _line(about), f"now {each.now} by {each.rule}{shown}", url + each.page))


def _line(text: str) -> str:
    """What people and agents wrote, on one line, with nothing that a terminal would act on."""
    return " ".join(visible(text).split())
