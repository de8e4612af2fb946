"""Every card, sheet and list for Teams as JSON, compared with the files in `teams/`, and checked as Teams would.

After a change that is meant, write the files anew, read the difference, and commit it:

    UPDATE_GOLDEN=1 make test ARGS=tests/golden
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.teams.cards import Cards, For, Message
from adapters.teams.digests import DigestCards
from adapters.teams.fit import CARD_BYTES, size
from adapters.teams.forms import Filled
from adapters.teams.lists import Lists
from adapters.teams.sheets import Sheet, Sheets
from bot.cards import GrantLine, grant_line, summary
from bot.cards.listing import HelpLine
from bot.cards.rich import code, line
from bot.handoff import Handoff, Told
from bot.talk import Settings
from tests.fakes.desk import BUDGET, EMAIL, FLIGHT, NOON, RUN, handoff
from tests.fakes.teams.cards import check
from tests.fakes.votes import staged
from tests.golden.test_slack_brakes import BRAKES
from tests.golden.test_slack_brakes import hostile as hostile_brakes
from tests.golden.test_slack_cards import (
    FEEDBACK,
    GATHERED,
    HOSTILE,
    HOSTILE_TEXT,
    HUGE,
    LONG,
    MANY,
    MESSAGES,
    RUNS,
    WIDE,
    acting,
    numbered,
)
from tests.golden.test_slack_cards import lines as waiting
from tests.golden.test_slack_grants import hostile as hostile_grant
from tests.golden.test_web_grants import asked, granted

GOLDEN = Path(__file__).parent / "teams"
NOW = NOON + timedelta(minutes=1)
CARDS = Cards(None, console="https://andon.example/")
SHEETS = Sheets(CARDS)
LISTS = Lists(CARDS)
Json = dict[str, Any]

WRONG = Filled(
    "edit",
    {"field-0": "bob@x.com", "field-5": "many", "edit-reason": "Wrong person"},
    {"field-5": "must be a whole number, such as 12", "": "one more thing"},
)
BUDGET_WIDE = {**BUDGET, "answer_schema": WIDE}


def only(**whom: Any) -> Json:
    """What one card for one person has beside the card for everybody: its first line, and all that can be pressed."""
    body = CARDS.message(handoff(EMAIL), now=NOW, whom=For(**whom)).card
    shown = [each for each in body["body"] if each.get("id") not in {"act", "words"}]
    return {**body, "body": shown}


SHEET: dict[str, Callable[[], Sheet]] = {
    "sheet-read": lambda: SHEETS.read(handoff(LONG), now=NOW, page=1),
    "sheet-read-first": lambda: SHEETS.read(handoff(LONG), now=NOW),
    "sheet-read-many": lambda: SHEETS.read(handoff(MANY), now=NOW),
    "sheet-read-hostile": lambda: SHEETS.read(handoff(HOSTILE), now=NOW),
    "sheet-read-console": lambda: SHEETS.read(handoff(acting(**{f"a{at}": "w\n" * 9_000 for at in range(6)})), now=NOW),
    "sheet-read-after": lambda: SHEETS.read(MESSAGES["after-long"], now=NOW, page=1),
    "sheet-read-number": lambda: SHEETS.read(staged(), now=NOW),
    "sheet-read-conflict": lambda: SHEETS.read(handoff(EMAIL), now=NOW, conflict="you asked for it"),
    "sheet-again": lambda: SHEETS.read(handoff(EMAIL), now=NOW, in_place=True),
    "sheet-edit": lambda: SHEETS.edit(handoff(EMAIL), now=NOW),
    "sheet-edit-wrong": lambda: SHEETS.edit(handoff(EMAIL), now=NOW, filled=WRONG),
    "sheet-edit-cut": lambda: SHEETS.edit(handoff(LONG), now=NOW, page=9),
    "sheet-edit-json": lambda: SHEETS.edit(handoff(MANY), now=NOW, page=9),
    "sheet-edit-long-text": lambda: SHEETS.edit(handoff(HUGE), now=NOW, page=99),
    "sheet-edit-hostile": lambda: SHEETS.edit(handoff(HOSTILE), now=NOW),
    "sheet-edit-number": lambda: SHEETS.edit(numbered(EMAIL), now=NOW),
    "sheet-edit-for-another": lambda: SHEETS.edit(staged(), now=NOW, page=9),
    "sheet-answer": lambda: SHEETS.answer(handoff(BUDGET_WIDE), now=NOW),
    "sheet-answer-json": lambda: SHEETS.answer(handoff({**BUDGET, "answer_schema": FEEDBACK}), now=NOW),
    "sheet-answer-number": lambda: SHEETS.answer(numbered(BUDGET), now=NOW),
    "sheet-look": lambda: SHEETS.look(handoff(FLIGHT), 0, now=NOW),
    "sheet-look-number": lambda: SHEETS.look(numbered(FLIGHT), 1, now=NOW),
    "sheet-look-hostile": lambda: SHEETS.look(MESSAGES["choice-hostile"], 0, now=NOW),
    "sheet-grant": lambda: SHEETS.grant(asked(), 0, now=NOW),
    "sheet-grant-hostile": lambda: SHEETS.grant(hostile_grant(), 0, now=NOW),
    "sheet-note": lambda: SHEETS.note("Not recorded", "Mira approved this, so your press changed nothing. [x](y)"),
}
HELP = (HelpLine("stop", "stop the runs of this conversation"), HelpLine("help", "this"))
NOTICE = Told(NOON, "assistant", RUN, "weekly-report", HOSTILE_TEXT)


def grants(handoff: Handoff) -> list[GrantLine]:
    """Those that a card offers, as if they were given."""
    return [grant_line(each) for each in granted(handoff)]


LIST: dict[str, Callable[[], Json]] = {
    "list-pending": lambda: LISTS.pending(waiting(4)),
    "list-pending-none": lambda: LISTS.pending([]),
    "list-grants": lambda: LISTS.grants(grants(asked())),
    "list-grants-hostile": lambda: LISTS.grants(grants(hostile_grant())),
    "list-brakes": lambda: LISTS.brakes(BRAKES),
    "list-brakes-hostile": lambda: LISTS.brakes(hostile_brakes()),
    "list-brakes-none": lambda: LISTS.brakes([]),
    "home": lambda: LISTS.home(BRAKES, waiting(7), RUNS, grants(asked()), Settings(twice=True).lines()),
    "home-hostile": lambda: LISTS.home(hostile_brakes(), [], RUNS, grants(hostile_grant()), []),
    "home-none": lambda: LISTS.home([], [], [], [], Settings().lines()),
    "said": lambda: LISTS.said(line("Ana said: ", code("{{DATE(2026-01-01T00:00:00Z)}} "), HOSTILE_TEXT[:99])),
    "help": lambda: LISTS.help("What you can say", HELP),
    "notice-hostile": lambda: LISTS.notice(NOTICE)[1],
    "brief": lambda: LISTS.brief(MESSAGES["failed"], now=NOW, url=None, lead="What you decided could not be done.")[1],
    "brief-hostile": lambda: LISTS.brief(MESSAGES["open-hostile"], now=NOW, url="https://teams.example/m")[1],
    "digest-hostile": lambda: DigestCards(CARDS).message(GATHERED, now=NOW).card,
    "for-conflict": lambda: only(conflict="you asked for it"),
    "for-stranger": lambda: only(
        may_answer=False, refused="Only dba-oncall may answer this.", refresh=["29:1", "29:2"]
    ),
    "for-wrong": lambda: only(filled=WRONG),
}
NAMES = [*MESSAGES, *SHEET, *LIST]


def made(name: str) -> Json:
    if name in MESSAGES:
        return CARDS.message(MESSAGES[name], now=NOW).card
    return SHEET[name]().card if name in SHEET else LIST[name]()


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_as_it_did(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(made(name), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(NAMES)


def check_card(card: Json) -> None:
    """Would a client show it, and the service take it?"""
    check(card)
    assert size(card) <= CARD_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_teams_takes_it(name: str) -> None:
    check_card(made(name))


def markdown(value: Any) -> Iterator[str]:
    """Every text that a client reads as Markdown."""
    if isinstance(value, dict):
        if value.get("type") == "TextBlock":
            yield value["text"]
        for inner in value.values():
            yield from markdown(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from markdown(inner)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_anybody_wrote_is_in_markdown_or_hidden(name: str) -> None:
    """Markdown is for times and for links to the console and to our own messages; all else is literal text."""
    whole = json.dumps(made(name), ensure_ascii=False)
    for hidden in "\u202e\u2069\u200b\u3164":
        assert hidden not in whole
    for text in markdown(made(name)):
        assert "evil" not in text
        assert "channel" not in text
        assert "](" not in text.replace("](https://andon.example/", "").replace("](https://teams.example/", "")


@pytest.mark.parametrize("name", MESSAGES)
def test_the_text_for_notifications_begins_with_what_it_is_and_has_no_link(name: str) -> None:
    message: Message = CARDS.message(MESSAGES[name], now=NOW)
    assert message.summary.startswith(summary(MESSAGES[name], now=NOW).headline)
    assert len(message.summary) <= 700
    assert not any(each in message.summary for each in ("<", "://", "](", "\n"))


AGAIN = ["unreached", "unreached-hostile"]
CLOSED = [name for name, shown in MESSAGES.items() if shown.decision and name not in AGAIN]


@pytest.mark.parametrize("name", [*CLOSED, "late"])
def test_what_cannot_be_answered_has_no_buttons_and_a_closed_card_says_when(name: str) -> None:
    whole = json.dumps(made(name))
    assert "Action." not in whole
    assert "{{DATE(" in whole


@pytest.mark.parametrize("name", AGAIN)
def test_what_did_not_arrive_can_only_be_sent_again(name: str) -> None:
    (row,) = [each for each in made(name)["body"] if each["type"] == "ActionSet"]
    assert [each["data"]["andon"]["do"] for each in row["actions"]] == ["again"]


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("held")])
def test_what_is_on_hold_can_only_be_resumed(name: str) -> None:
    (row,) = [each for each in made(name)["body"] if each["type"] == "ActionSet"]
    assert [each["data"]["andon"]["do"] for each in row["actions"]] == ["resume"]


def test_whoever_may_not_answer_sees_no_button_that_answers() -> None:
    actions = [each for part in made("for-stranger")["body"] if part["type"] == "ActionSet" for each in part["actions"]]
    assert [each["verb"] for each in actions] == ["stop"]
    assert "Input." not in json.dumps(made("for-stranger"))
    assert made("for-stranger")["refresh"]["userIds"] == ["29:1", "29:2"]


def test_a_form_with_a_fault_is_open_and_has_what_was_typed_and_what_is_wrong() -> None:
    (form,) = [each for each in made("for-wrong")["body"] if each.get("id") == "form-edit"]
    assert form["isVisible"]
    inputs = {each["id"]: each for each in form["items"] if "label" in each}
    assert inputs["field-0"]["value"] == "bob@x.com"
    assert (inputs["field-5"]["type"], inputs["field-5"]["value"]) == ("Input.Text", "many")
    after = form["items"][form["items"].index(inputs["field-5"]) + 1]
    assert "must be a whole number" in after["inlines"][0]["text"]


def test_teams_takes_however_many_there_are() -> None:
    many = [replace(each, epoch=number) for number, each in enumerate(hostile_brakes() * 40)]
    given = [replace(each, id=f"gr_{at:022d}") for at in range(40) for each in grants(hostile_grant())]
    home = LISTS.home(many, waiting(200), [*RUNS] * 60, given, Settings().lines())
    for card in (LISTS.brakes(many), LISTS.grants(given), LISTS.pending(waiting(200)), home):
        check_card(card)
        assert "more in the console" in json.dumps(card)


def every_text(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") in {"TextRun", "TextBlock"}:
            yield value["text"]
        for inner in value.values():
            yield from every_text(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from every_text(inner)


@pytest.mark.parametrize("name", NAMES)
def test_no_line_ends_inside_of_a_text(name: str) -> None:
    """To some clients it is a space, and then two lines of a command are one."""
    assert not [text for text in every_text(made(name)) if "\n" in text]
