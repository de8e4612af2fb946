"""What a typed message asks of the brake, if anything. Pure: no clock, no store, no platform.

A stop that is read too often is a nuisance, and a resume that is read too often is dangerous: where a text could be
either a command or talk, stop and pause are read sooner than resume and abort.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from bot.brake.lists import ADDRESSED, ALL, APART, BECAUSE, BEFORE_A_NAME, FILLERS, FREE, STEER, Action

Where = Literal["channel", "thread", "bot"]
"""In a channel, in a run's own thread, or to the bot: a mention, a direct message, a slash command."""

LONGEST: Final = 60
"""Characters of a phrase."""

_HEAD: Final = 200
"""Characters that are read: normalising all of a long text can take a second."""

_LEEWAY: Final = 32
"""Characters that a beginning may have more than a longer one, whose end is written as one: `:exclamation:`, `が`."""

# Default_Ignorable_Code_Point and control characters, as ranges.
# Source: DerivedCoreProperties.txt of Unicode 16, https://www.unicode.org/Public/16.0.0/ucd/, read 2026-11.
_UNSEEN: Final = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_UNSEEN_RE: Final = re.compile(f"[{_UNSEEN}]+")
# Three of them quote all that follows.
_QUOTES_RE: Final = re.compile(rf"(?:[\s{_UNSEEN}]*(?:>>>[\s\S]*|>[^\n]*(?:\n|$)))*")
_BLANK_RE: Final = re.compile(rf"[\s¡{_UNSEEN}]*")
_SHOUT_RE: Final = re.compile("(?:[!❗❕]|:(?:heavy_|grey_)?exclamation(?:_mark)?:|:bangbang:)+")
_WORDLESS_RE: Final = re.compile(r"(?::[\w+-]+:|\W)*+")
_WIDE_MARK: Final = "\uff01"
_APOSTROPHES: Final = str.maketrans("\u2018\u2019\u02bc\u00b4", "''''")

# What sets words apart. A dot, a dash and a colon do so before a space only: "stop.py", "stop-gap".
_MARK: Final = r"(?:[,;!。、\u2013\u2014]|\.{2,}|[.~〜](?=\W|$)|:(?= |$)|-+(?= |$))"
# A colon may begin the name of an emoji as well.
_GAP_RE: Final = re.compile(rf"(?::(?![\w+-]+:))?(?: ?{_MARK})* ?")
_AFTER_NAME_RE: Final = re.compile(r"(?P<mark> ?[,:、] ?)| ?を ?| |(?=[\u3041-\u9fff])")

_UNSPACED_RE: Final = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
# What follows a phrase without a space and makes another word of it: 待ってます, ストップウォッチ, 停止中.
_GOES_ON_RE: Final = re.compile(r"[\u3041-\u30fa\u30fc-\u30ff中了的吗嗎过過]")

_Kind = Literal["free", "apart", "addressed"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, as a person typed it."""

    action: Action
    target: str = ""
    """Nothing: what the place means; `all`: everything; else the name of an agent."""
    text: str = ""
    """Why (stop, abort), or the words for the agent (steer); as typed."""


class Vocabulary:
    """The words that are commands: those of `bot.brake.lists`, and what an operator adds.

    Args:
        more: Further phrases by action. They count as a whole message, and at the beginning of one.

    Raises:
        ValueError: A phrase cannot be used; the message says which, and why.
    """

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        self._phrases: dict[str, tuple[Action, _Kind]] = {}
        for kind, lists in _BUILT_IN.items():
            for action, phrases in lists.items():
                for phrase in phrases:
                    for spelt in _spellings(phrase):
                        self._phrases[_plain(spelt)] = action, _kind(spelt, kind)
        self._all = {_plain(word): "all" for word in ALL}
        # Shorter ones first, so that one that begins with another is seen whatever their order.
        for action, phrase in sorted(_added(more or {}), key=lambda each: len(each[1])):
            self._add(action, phrase)

    def read(self, text: str, where: Where, *, agents: Collection[str] = ()) -> Typed | None:
        """The command that a message is, or None.

        Args:
            text: As typed, without a platform's escapes, and without the mention of the bot.
            where: Where it was typed.
            agents: The names that may be targets.
        """
        words = _own_words(text)
        if words[:1] in {"!", _WIDE_MARK}:
            words, where = words.lstrip(f"!{_WIDE_MARK} "), "bot"
        head = _plain(words[:_HEAD])
        # Of two names that differ in case alone, the one as typed comes last and stays.
        spelt = sorted(agents, key=lambda name: name in words[:_HEAD])
        names = {_plain(name): name for name in spelt} | self._all
        return self._said(words, where, names) or self._called(words, head, where, names)

    def _said(self, words: str, where: Where, names: Mapping[str, str]) -> Typed | None:
        """`stop`, `please stop mailer`, `stop, this is the wrong list`."""
        head = _plain(words[:_HEAD])
        begun = self._begun(head, 0, where) or self._begun(head, _past_fillers(head, 0), where)
        if begun is None:
            return None
        action, end = begun
        target, at = _target(head, end, where, names)
        at = _past_fillers(head, at)
        if head[at : at + 1] == "?":
            return None
        rest = _rest(words, head[:at])
        if action == "steer":
            return Typed(action, target, rest) if rest and where == "bot" else None
        if not rest:
            return Typed(action, target)
        if where == "channel":
            return self._again(action, target, rest) if len(rest) < len(words) else None
        if action == "resume":
            return None
        if action == "pause":
            return self._paused(target, rest, where)
        return Typed(action, target, rest)

    def _again(self, action: Action, target: str, rest: str) -> Typed | None:
        """`Stop! Halt!`, `Wait, wait, stop!`: a message of such words alone is one command, and a stop if one is."""
        more = self._said(rest.lstrip("¡"), "channel", {}) if len(rest) <= LONGEST else None
        if more is None or more.target or {action, more.action} - {"stop", "pause"}:
            return None
        return Typed("stop" if "stop" in {action, more.action} else "pause", target)

    def _paused(self, target: str, rest: str, where: Where) -> Typed:
        """What a pause is with more words: an instruction, unless they are a smile, or a stop."""
        if len(rest) < _HEAD and _WORDLESS_RE.fullmatch(rest):
            return Typed("pause", target)
        begun = self._begun(_plain(rest[:_HEAD]), 0, where)
        return Typed("stop" if begun and begun[0] == "stop" else "steer", target, rest)

    def _called(self, words: str, head: str, where: Where, names: Mapping[str, str]) -> Typed | None:
        """`mailer, stop`; without a comma it must be the whole message, and a stop or a pause."""
        start = next(len(lead) for lead in ("hey @", "hey ", "@", "") if head.startswith(lead))
        for name in names:
            after = _AFTER_NAME_RE.match(head, start + len(name)) if head.startswith(name, start) else None
            if after is None or (after["mark"] and name in self._all and " " not in name):
                continue  # "TODO: stop the old job", "All, please wait"
            said = self._said(_rest(words, head[: after.end()]), where if after["mark"] else "channel", {})
            if said and (after["mark"] or said.action in {"stop", "pause"}):
                return replace(said, target=names[name])
        return None

    def _begun(self, head: str, start: int, where: Where) -> tuple[Action, int] | None:
        """The longest phrase that stands at `start`, and where it ends."""
        for end in range(min(len(head), start + LONGEST), start, -1):
            found = self._phrases.get(head[start:end])
            if found is None or (where == "channel" and found[1] == "addressed") or not _ends(head, end, found[1]):
                continue
            return found[0], _past_repeats(head, head[start:end], end, found[1])
        return None

    def _add(self, action: Action, phrase: str) -> None:
        plain = _plain(phrase).rstrip(" .!。,;~")
        if not plain:
            raise ValueError(f"brake words, {action}: {phrase!r} is empty")
        if len(plain) > LONGEST:
            raise ValueError(f"brake words, {action}: {phrase!r} has {len(plain)} characters; {LONGEST} are the most")
        said = self.read(phrase, "bot")
        if said and (said.action != action or said.target):
            says = f"{said.action} {said.target}".strip()
            raise ValueError(f"brake words, {action}: {phrase!r} says {says!r} already; choose another phrase")
        if set(plain) & set("?!`>") or plain in self._all or _past_fillers(plain, 0) == len(plain):
            raise ValueError(f"brake words, {action}: {phrase!r} is no command by itself; write plain words")
        self._phrases[plain] = action, _kind(plain, "free")


_BUILT_IN: Final[Mapping[_Kind, Mapping[Action, Sequence[str]]]] = {
    "free": {**FREE, "steer": STEER},
    "apart": APART,
    "addressed": ADDRESSED,
}


def _spellings(phrase: str) -> Iterator[str]:
    """As listed, with other marks for its comma, and with the character that "please" in Japanese may have."""
    yield phrase
    yield phrase.replace("ください", "下さい")
    for mark in "!.":
        yield phrase.replace(",", mark)


def _added(more: Mapping[str, Sequence[str]]) -> Iterator[tuple[Action, str]]:
    known: dict[str, Action] = {action: action for action in get_args(Action)}
    for name, phrases in more.items():
        if name not in known:
            raise ValueError(f"brake words: {name!r} is no action; use one of {', '.join(known)}")
        if isinstance(phrases, str):
            raise ValueError(f"brake words, {name}: {phrases!r} is one text; write a list of phrases")  # noqa: TRY004  a setting's value
        yield from ((known[name], phrase) for phrase in phrases)


def _plain(text: str) -> str:
    """One form for all ways to write the same: NFKC, small letters, single spaces, nothing unseen."""
    seen = _UNSEEN_RE.sub("", text).translate(_APOSTROPHES)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(_SHOUT_RE.sub("!", folded).split())


def _own_words(text: str) -> str:
    """The text from where the person's own words begin: after quoted lines and a block of code, and set in no style."""
    own = _after(_BLANK_RE, _after(_QUOTES_RE, text))
    if own.startswith("```"):
        own = _after(_BLANK_RE, own[3:].partition("```")[2])
    for mark in ("**", "*", "__", "_", "*"):
        inner, closed, rest = own[len(mark) :].partition(mark) if own.startswith(mark) else ("", "", "")
        if closed and not inner[:1].isspace():
            own = inner + rest
    return own.rstrip()


def _after(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return text[found.end() :] if found else text


def _rest(words: str, read: str) -> str:
    """What follows the part that reads `read`, as typed."""
    read, found = read.rstrip(), -1
    for end in range(min(len(words), _HEAD) + 1):
        plain = _plain(words[:end])
        if plain == read:
            found = end
        elif found >= 0 or len(plain) > len(read) + _LEEWAY:
            break
    return words[found:].strip() if found >= 0 else words


def _kind(phrase: str, kind: _Kind) -> _Kind:
    """A single character of a script without spaces begins too many other words."""
    return "apart" if kind == "free" and len(phrase) == 1 and _UNSPACED_RE.match(phrase) else kind


def _ends(head: str, end: int, kind: _Kind) -> bool:
    """Is a phrase over at `end`, rather than the beginning of a longer word or, unless it is free, of a sentence?"""
    gap = _gap(head, end)
    if end == len(head) or head[gap : gap + 1] == "?":
        return True
    if kind != "free":
        return bool(head[end:gap].strip()) or _past_fillers(head, gap) > gap
    if _UNSPACED_RE.match(head, end - 1):
        return not _GOES_ON_RE.match(head, end)
    return gap > end or not head[end - 1].isalnum()


def _past_repeats(head: str, phrase: str, end: int, kind: _Kind) -> int:
    """Where a phrase ends that is said again and again."""
    while head.startswith(phrase, again := _gap(head, end)) and _ends(head, again + len(phrase), kind):
        end = again + len(phrase)
    return end


def _gap(head: str, at: int) -> int:
    """Where the space and the punctuation end that begin at `at`."""
    found = _GAP_RE.match(head, at)
    return found.end() if found else at


def _past_fillers(head: str, at: int) -> int:
    for word in _FILLERS:
        end = at + len(word)
        if head.startswith(word, at) and _ends(head, end, "free"):
            return _past_fillers(head, _gap(head, end))
    return at


def _target(head: str, end: int, where: Where, names: Mapping[str, str]) -> tuple[str, int]:
    """The target that follows a phrase, and where the rest begins; there is none in "stop all those mails"."""
    at = _past_fillers(head, _gap(head, end))
    is_apart = bool(head[end:at].strip())
    starts = [at, *(at + len(lead) for lead in BEFORE_A_NAME if head.startswith(lead, at))]
    for name in names:
        for start in starts:
            after = start + len(name)
            rest = _gap(head, after)
            if not head.startswith(name, start):
                continue
            if rest == len(head) or head[after] == "?":
                return names[name], rest
            if is_apart:  # "wait, research: done?"
                continue
            spaced = rest > after and (head.startswith(_BECAUSE, rest) or (where == "bot" and names[name] != "all"))
            if spaced or head[after:rest].strip() or _past_fillers(head, rest) > rest:
                return names[name], rest
    return "", at


_FILLERS: Final = tuple(_plain(word) for word in FILLERS)
_BECAUSE: Final = tuple(f"{_plain(word)} " for word in BECAUSE)
