"""What grants look like in Slack, compared with the files in `grants/`, and checked as Slack would."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.cards import Cards
from adapters.slack.lists import Lists
from adapters.slack.modals import Modals
from bot.cards import grant_line
from bot.handoff import Handoff
from bot.scope import Granted
from tests.fakes.desk import NOON
from tests.fakes.slack.kit import check_message, check_view
from tests.golden.test_slack_cards import HOSTILE_TEXT, texts
from tests.golden.test_web_cards import HOSTILE
from tests.golden.test_web_grants import asked, granted

GOLDEN = Path(__file__).parent / "grants"
NOW = NOON + timedelta(minutes=1)
CARDS = Cards(None, console="https://andon.example/")
LISTS = Lists(CARDS)


def hostile() -> Handoff:
    args = {"to": "<!channel> *bold* <https://evil.example|x>\u202e", "subject": HOSTILE_TEXT[:60], "priority": 1}
    short = {**HOSTILE, "action": {"tool": "send_email", "args": args}}
    return asked(short, requester="<!here>", run_name="<!channel>")


def lines(asks: Handoff, name: str = "Mira") -> list[Any]:
    return [grant_line(each) for each in granted(asks, name=name)]


def menu_of_card() -> Any:
    """What grants put on a card; the rest of it has golden files of its own."""
    (controls,) = (each["elements"] for each in CARDS.message(asked(), now=NOW).blocks if each["type"] == "actions")
    assert [each["action_id"] for each in controls][:2] == ["andon:approve", "andon:grant"]
    return controls[1]


MADE: dict[str, Callable[[], Any]] = {
    "slack-card": menu_of_card,
    "slack-modal": lambda: Modals(CARDS).grant(asked(), 0, now=NOW, address="T1/C1/1").view,
    "slack-modal-hostile": lambda: Modals(CARDS).grant(hostile(), 0, now=NOW, address="T1/C1/1").view,
    "slack-list": lambda: LISTS.grants(lines(asked())),
    "slack-list-hostile": lambda: LISTS.grants(lines(hostile(), HOSTILE_TEXT)),
    "slack-home": lambda: LISTS.home([], grants=lines(asked())),
}


@pytest.mark.parametrize("name", MADE)
def test_it_looks_as_it_did(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(MADE[name](), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MADE)


def test_slack_takes_all_of_it() -> None:
    check_message(CARDS.message(asked(), now=NOW).blocks)
    for name in ("slack-list", "slack-list-hostile"):
        check_message(MADE[name]())
    for name in ("slack-modal", "slack-modal-hostile"):
        check_view(MADE[name](), "modal")
    check_view(MADE["slack-home"](), "home")


@pytest.mark.parametrize("asks", [asked, hostile])
def test_slack_takes_however_many_there_are(asks: Callable[[], Handoff]) -> None:
    many = [replace(line, id=f"gr_{number:022d}") for number, line in enumerate(lines(asks()) * 70)]
    check_message(LISTS.grants(many))
    assert "more in the console" in json.dumps(LISTS.grants(many))
    check_view(LISTS.home([], grants=many), "home")


@pytest.mark.parametrize("name", ["slack-modal-hostile", "slack-list-hostile"])
def test_nothing_that_anybody_wrote_is_in_markup(name: str) -> None:
    whole = json.dumps(MADE[name](), ensure_ascii=False)
    assert "\u202e" not in whole
    for text in texts(MADE[name](), "mrkdwn"):
        assert "<" not in text.replace("<!date^", "").replace("<https://andon.example/", "")


def test_what_a_grant_covers_is_whole_wherever_it_is_shown() -> None:
    long = "a" * 200 + "@x.com"
    made = asked({**HOSTILE, "action": {"tool": "send_email", "args": {"to": long}}})
    stands: list[Granted] = granted(made)
    assert long in json.dumps(LISTS.grants([grant_line(stands[0])]))
    assert long in json.dumps(LISTS.home([], grants=[grant_line(stands[0])]))
    assert long in json.dumps(Modals(CARDS).grant(made, 0, now=NOW, address="a").view)
