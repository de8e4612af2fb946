"""What people type is a command where they mean one, and nowhere else."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bot.brake.lists import ADDRESSED, ALL, APART, BEFORE_A_NAME, FILLERS, FREE, STEER, Action
from bot.brake.words import LONGEST, Typed, Vocabulary, Where
from tests.timing import cpu_s

CORPUS = yaml.safe_load(Path(__file__).with_name("brake_sentences.yaml").read_text(encoding="utf-8"))
AGENTS: list[str] = CORPUS["agents"]
PLACES: tuple[Where, ...] = get_args(Where)
WORDS = Vocabulary()

EVERYWHERE = [(action, phrase) for lists in (FREE, APART) for action, phrases in lists.items() for phrase in phrases]
TO_THE_BOT = [(action, phrase) for action, phrases in ADDRESSED.items() for phrase in phrases]


def sentences() -> Iterator[tuple[Where, str, Typed | None]]:
    for group in CORPUS["groups"]:
        action, _, target = group["reads"].partition(" ")
        for said in group["said"]:
            typed, text = said if isinstance(said, list) else (said, "")
            yield group["where"], typed, None if action == "none" else Typed(action, target, text)


def test_people_are_understood_every_time_and_talk_is_never_a_command() -> None:
    wrong = [
        (where, typed, expected, read)
        for where, typed, expected in sentences()
        if (read := WORDS.read(typed, where, agents=AGENTS)) != expected
    ]
    assert wrong == []


def test_the_sentences_are_many_and_about_half_are_commands() -> None:
    told = [(where, typed) for where, typed, _ in sentences()]
    commands = sum(expected is not None for _, _, expected in sentences())
    assert len(told) == len(set(told)) >= 350
    assert 0.4 < commands / len(told) < 0.6


# --- the lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("typed", ["{}", "{}!", " {}。\n", "*{}*", "{} please", "!{}"])
def test_every_phrase_says_its_action_in_every_place(where: Where, typed: str) -> None:
    wrong = [
        (action, phrase)
        for action, phrase in EVERYWHERE
        for text in (typed.format(phrase), typed.format(phrase.upper()), typed.format(decomposed(phrase)))
        if WORDS.read(text, where) != Typed(action)
    ]
    assert wrong == []


def test_words_that_people_say_to_one_another_count_where_they_are_said_to_the_bot() -> None:
    for action, phrase in TO_THE_BOT:
        assert WORDS.read(phrase, "channel") is None
        assert [WORDS.read(phrase, "thread"), WORDS.read(phrase, "bot"), WORDS.read(f"!{phrase}", "channel")] == [
            Typed(action)
        ] * 3


@pytest.mark.parametrize("where", PLACES)
def test_a_question_is_no_command(where: Where) -> None:
    for _, phrase in EVERYWHERE + TO_THE_BOT:
        for typed in (f"{phrase}?", f"{phrase} ?", f"{phrase}！？", f"¿{phrase}?"):  # noqa: RUF001  wide marks
            assert WORDS.read(typed, where) is None, typed


@pytest.mark.parametrize("where", PLACES)
def test_everything_can_be_said_in_every_language(where: Where) -> None:
    for word in ALL:
        for action in ("stop", "pause", "resume", "abort"):
            assert WORDS.read(f"{action} {word}", where) == Typed(action, "all")
    assert WORDS.read("everything, stop", where) is None or where != "channel"


def test_a_resume_never_takes_more_words_than_a_target() -> None:
    for phrase in FREE["resume"] + ADDRESSED["resume"]:
        for where in PLACES:
            for rest in (" with Bob", ", but with Bob", " mailer with Bob", "! with Bob"):
                assert WORDS.read(f"{phrase}{rest}", where, agents=AGENTS) is None, phrase


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


# --- what is handed on ---------------------------------------------------------------------------


@given(st.text())
@example(" and  that\n\n> 5 m² of ﬁne \u200bprint")
def test_the_words_for_an_agent_are_as_typed(text: str) -> None:
    typed = f"x{text}".strip()
    assert WORDS.read(f"Wait, {typed}", "thread") == Typed("steer", "", typed)
    assert WORDS.read(f"\u200bＳＴＯＰ…  {typed} \n", "thread") == Typed("stop", "", typed)  # noqa: RUF001  wide letters


def test_of_two_names_the_one_as_typed_is_meant() -> None:
    for agents in (["mailer", "Mailer"], ["Mailer", "mailer"]):
        assert WORDS.read("stop Mailer", "channel", agents=agents) == Typed("stop", "Mailer")
        assert WORDS.read("mailer, stop", "channel", agents=agents) == Typed("stop", "mailer")


def test_the_longest_name_is_meant() -> None:
    agents = ["mail", "mail-2", "mail-2.eu"]
    assert WORDS.read("stop mail-2.", "channel", agents=agents) == Typed("stop", "mail-2")
    assert WORDS.read("mail-2.eu: stop", "channel", agents=agents) == Typed("stop", "mail-2.eu")
    assert WORDS.read("stop mail-3", "channel", agents=agents) is None


# --- nothing else is a command -------------------------------------------------------------------


def peeled(words: list[str]) -> str:
    """The alternatives as a pattern, without the marks, as `in_the_lists` leaves them away."""
    plain = sorted({unmarked(word) for word in words} - {""}, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, plain))})"


def unmarked(text: str) -> str:
    seen = "".join(each for each in text if unicodedata.category(each) not in {"Cf", "Mn"} or each in "\u0301\u0302")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(re.sub(r"[,.;:!¡。、~〜*_@‘’❗-]", " ", folded).split())  # noqa: RUF001  as people type them


PHRASES = peeled([phrase for _, phrase in EVERYWHERE])
TARGETS = peeled([*ALL, *AGENTS])
EXTRA = f"(?:{peeled(list(FILLERS))}| )*"
LEADS = f"(?:{peeled(list(BEFORE_A_NAME))} ?)?"
COMMAND_RE = re.compile(rf"{EXTRA}(?:{TARGETS} ?を? ?{EXTRA})?(?:{PHRASES} ?{EXTRA})+(?:{LEADS}{TARGETS})?{EXTRA}")


def in_the_lists(text: str) -> bool:
    lines = text.splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith(">")):
        del lines[0]
    return COMMAND_RE.fullmatch(unmarked(" ".join(lines))) is not None


PIECES = st.sampled_from(
    [phrase for _, phrase in EVERYWHERE + TO_THE_BOT]
    + [*ALL, *AGENTS, *FILLERS, *BEFORE_A_NAME, *STEER, "don't", "by my desk", "ping", "s", "x", "?", "\u200b", "\n> "]
    + list(" \n!.,:;-…。、！*_`>\"'") * 4  # noqa: RUF001  as people type them
)


@given(st.lists(PIECES, max_size=7).map("".join) | st.lists(PIECES, max_size=5).map(" ".join) | st.text())
@example("stop")
@example("Mailer, please stop!")
@example("> quoted\nstop")
def test_in_a_channel_only_a_whole_message_from_the_lists_is_a_command(text: str) -> None:
    read = WORDS.read(text, "channel", agents=AGENTS)
    if read and not text.lstrip(" \n\u200b¡*_").startswith(("!", "\uff01", ">")):
        assert in_the_lists(text), read
        assert read.text == ""


@given(st.text() | st.lists(PIECES, max_size=9).map("".join), st.sampled_from(PLACES))
@example("\ud800 stop \udfff", "thread")
@example("stop⩴x", "thread")
def test_whatever_is_typed_is_read(text: str, where: Where) -> None:
    read = WORDS.read(text, where, agents=AGENTS)
    if read:
        assert read.text == read.text.strip()
        assert read.text in text
        assert bool(read.text) >= (read.action == "steer")
        assert not (read.action == "resume" and read.text)


@pytest.mark.parametrize(
    "part",
    ["a", " ", "\n", "stop ", "stop", "wait, ", "!", "> \n", ">", "`", "*", "*a", "_", "停", "请", "please ", "\u200b",
     "\u0315\u0300", "\u200ba", "-", ".", ": ", "🛑", "ﷺ", "mailer, ", "all ", "¡", "> a\n\u200b", "```"],
)  # fmt: skip
@pytest.mark.parametrize("where", PLACES)
def test_a_very_long_message_costs_next_to_nothing(part: str, where: Where) -> None:
    for begins in ("", "stop, ", "!", "mailer, ", "> a\n", "```a"):
        text = (begins + part * 40_000)[:40_000]
        assert cpu_s(lambda text=text: WORDS.read(text, where, agents=AGENTS)) < 0.005  # type: ignore[misc]


# --- what an operator adds -----------------------------------------------------------------------


def test_an_operator_adds_words_of_a_language() -> None:
    words = Vocabulary({"stop": ["Стоп", "멈춰"], "pause": ("подожди",), "resume": ["продолжай"], "steer": ["tell it"]})
    assert words.read("стоп!", "channel") == Typed("stop")
    assert words.read("Стоп mailer", "channel", agents=AGENTS) == Typed("stop", "mailer")
    assert words.read("멈춰", "channel") == Typed("stop")
    assert words.read("подожди, не тот список", "thread") == Typed("steer", "", "не тот список")
    assert words.read("продолжай", "channel") == Typed("resume")
    assert words.read("продолжай без Bob", "thread") is None
    assert words.read("tell it to use EUR", "bot") == Typed("steer", "", "to use EUR")
    assert WORDS.read("стоп", "channel") is None
    assert words.read("stop", "channel") == Typed("stop")


def test_one_character_that_begins_other_words_must_be_set_apart() -> None:
    words = Vocabulary({"pause": ["等"]})
    assert words.read("等。", "channel") == Typed("pause")
    assert words.read("等，改成 Bob", "thread") == Typed("steer", "", "改成 Bob")  # noqa: RUF001  a wide comma
    assert words.read("等级改成 3", "thread") is None


@pytest.mark.parametrize(
    "action, phrase, says",
    [
        ("stop", "", "stop: '' is empty"),
        ("stop", " \u200b ", "is empty"),
        ("stop", "x" * (LONGEST + 1), f"has {LONGEST + 1} characters; {LONGEST} are the most"),
        ("resume", "Stop!", "resume: 'Stop!' says 'stop' already; choose another phrase"),
        ("resume", "stop waiting", "says 'stop' already"),
        ("stop", "wait", "says 'pause' already"),
        ("stop", "stop all", "says 'stop all' already"),
        ("abort", "go on", "says 'resume' already"),
        ("pause", "!hm", "is no command by itself"),
        ("pause", "`hm`", "is no command by itself"),
        ("pause", "> hm", "is no command by itself"),
        ("pause", "hm?", "is no command by itself"),
        ("pause", "please", "is no command by itself"),
        ("pause", "everything", "is no command by itself"),
        ("brake", "hm", "'brake' is no action; use one of stop, pause, steer, resume, abort"),
    ],
)
def test_a_phrase_that_cannot_be_used_is_refused(action: str, phrase: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Vocabulary({action: [phrase]})


@pytest.mark.parametrize("action, other", [("stop", "resume"), ("resume", "stop"), ("pause", "abort")])
def test_one_phrase_says_one_thing(action: Action, other: Action) -> None:
    with pytest.raises(ValueError, match="already"):
        Vocabulary({action: ["genug"], other: ["GENUG!"]})
    with pytest.raises(ValueError, match="already"):
        Vocabulary({"stop": ["genug"], "abort": ["genug davon"]})
    with pytest.raises(ValueError, match="already"):
        Vocabulary({"abort": ["genug davon"], "stop": ["genug"]})


def test_a_text_is_no_list_of_phrases() -> None:
    with pytest.raises(ValueError, match=r"'basta' is one text; write a list of phrases"):
        Vocabulary({"stop": "basta"})
