"""What people are told of what came of their words to the brake. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from andon import wire
from bot.cards.brakes import pulled
from bot.cards.characters import visible
from bot.cards.rich import Line, Words, clip, line
from bot.cards.sentences import moment

Action = Literal["stop", "pause", "steer", "resume", "abort"]
Sentence = tuple[str | Words, ...]

_NAMED: Final = 3
"""Actions under way, and brakes that still hold it, that a reply names."""
_MOST: Final = 20
"""Actions under way that a receipt names."""
_NAME_CHARS: Final = 80
_DONE: Final = {"stop": "stopped", "pause": "paused", "steer": "on hold", "abort": "ended", "resume": "resumed"}
_MOST_TELLING: Final = ("pulled", "lifted", "stands", "off", "old")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one command: a receipt for each scope that it was about, at least one."""

    action: Action
    by: str
    what: str
    """What it was about: `every run in this channel`."""
    receipts: tuple[wire.BrakeReceipt, ...]
    how: Sentence = ()
    """How somebody lets it go on."""
    still: tuple[tuple[str, wire.Braked], ...] = ()
    """What holds it all the same, after a resume or beside a steer: each with the name of a run that it holds."""
    note: str = ""
    """Why something else was done than was said."""

    @property
    def first(self) -> wire.BrakeReceipt:
        """The receipt that says most."""
        return min(self.receipts, key=lambda each: _MOST_TELLING.index(each.did))

    @property
    def is_for_all(self) -> bool:
        """Did it change anything, or is it so already? What did nothing is for whoever said it alone."""
        return self.first.did in {"pulled", "lifted", "stands"}


def reply(done: Done) -> Line:
    """What is said back, in a few sentences."""
    parts: list[str | Words] = []
    for sentence in (*_sentences(done), *([(done.note,)] if done.note else [])):
        parts += [*([" "] if parts else []), *sentence]
    return line(*parts)


def plainly(words: Line) -> str:
    """The same without any style, for notifications and private messages; a name of the machine's is in backticks."""
    return "".join(f"`{each.text}`" if each.style == "code" else each.text for each in words.words)


def _sentences(done: Done) -> Iterator[Sentence]:
    by, first = _short(done.by), done.first
    match first.did:
        case "pulled" if done.action == "steer":
            yield ("I told the agent. It is on hold until it has read that.",)
            yield from _still(done)
            yield from _flying(done)
        case "pulled":
            yield (f"{by} {_DONE[done.action]} {done.what}{' for good' if done.action == 'abort' else ''}.",)
            yield from _held(done)
            yield from _flying(done)
            if done.action != "abort":
                yield from _going_on(done)
        case "stands":
            yield from _standing(done)
        case "lifted":
            yield (f"{by} resumed {done.what}.",)
            count = sum(each.held for each in done.receipts)
            if count or not done.still:  # what is held elsewhere waits all the same
                yield (_again(count),)
            yield from _still(done)
        case "off":
            yield ("Nothing was on hold here.",)
            yield from _still(done)
        case "old":
            yield (_old(done.action),)


def _standing(done: Done) -> Iterator[Sentence]:
    brake, is_steer = done.first.brake, done.action == "steer"
    if brake and brake.action == "abort":
        yield (f"{'Nobody was told: ' if is_steer else ''}{pulled(brake)} It never goes on.",)
        yield from _flying(done)
        return
    if is_steer:
        yield ("I told the agent.",)
    yield (_stands(done.action, brake),)
    yield from _held(done)
    yield from _flying(done)
    yield from _going_on(done)


def _stands(action: Action, brake: wire.Braked | None) -> str:
    if brake is None:
        return f"Already {_DONE[action]}."
    return f"Already {_DONE[brake.action]} by {_short(brake.by.name)} since {moment(brake.at)}."


def _held(done: Done) -> Iterator[Sentence]:
    count = sum(each.held for each in done.receipts)
    if done.action == "abort":
        if count:
            yield (f"{_asks(count)} ended with it.",)
        return
    yield (f"{_asks(count)} on hold." if count else "Nothing waits for an answer; nothing new can begin.",)


def _again(count: int) -> str:
    if not count:
        return "Nothing was waiting for an answer."
    return f"{_asks(count).removesuffix(' are').removesuffix(' is')} {'wait' if count > 1 else 'waits'} again."


def _asks(count: int) -> str:
    return "1 ask is" if count == 1 else f"{count:,} asks are"


def _flying(done: Done) -> Iterator[Sentence]:
    """What cannot be called back: which, and since when."""
    flying = {each.handoff: each for receipt in done.receipts for each in receipt.in_flight}
    if not flying:
        return
    some = sorted(flying.values(), key=lambda each: each.claimed_at)
    named = [f"“{_short(each.what)}” (since {moment(each.claimed_at)})" for each in some[:_NAMED]]
    or_more = " or more" if any(len(receipt.in_flight) >= _MOST for receipt in done.receipts) else ""
    more = [f"{len(some) - _NAMED:,}{or_more or ' more'}"] if len(some) > _NAMED else []
    lead = "1 action was" if len(some) == 1 else f"{len(some):,}{or_more} actions were"
    yield (f"{lead} begun before and cannot be recalled: {'; '.join([*named, *more])}.",)


def _going_on(done: Done) -> Iterator[Sentence]:
    if done.how:
        yield ("To let it go on, somebody who may approve for it types ", *done.how, ".")


def _still(done: Done) -> Iterator[Sentence]:
    for run, brake in done.still[:_NAMED]:
        state = "has ended" if brake.action == "abort" else "is still on hold"
        yield (f"{_short(run)} {state}: {pulled(brake)}",)


def _old(action: Action) -> str:
    if action == "resume":
        return "Something newer was stopped since you said that, so nothing was resumed. Look again, then say it again."
    return (
        f"Nothing was {_DONE[action]}: that reached me late, and since you said it somebody has resumed, or the run "
        "has begun. Say it again if you still want it."
    )


def _short(text: str) -> str:
    return clip(visible(" ".join(text.split())), _NAME_CHARS)
