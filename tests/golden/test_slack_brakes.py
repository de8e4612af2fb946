"""What Slack shows of brakes, and what it says of them, compared with the files in `brakes/`."""

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
from andon import wire
from bot.cards import pulled, scope_in_words
from bot.cards.listing import BrakeLine, RunLine
from bot.cards.obeyed import Action, Done, plainly, reply
from bot.cards.rich import code
from tests.fakes.desk import MIRA, NOON, RUN, stopped
from tests.fakes.slack.kit import check_message, check_view
from tests.golden.test_slack_cards import HOSTILE_TEXT, texts
from tests.golden.test_slack_cards import lines as waiting

GOLDEN = Path(__file__).parent / "brakes"
NOW = NOON + timedelta(minutes=1)
CARDS = Cards(None, console="https://andon.example/")
LISTS = Lists(CARDS)
HERE = "every run in this channel"
HOW = (code("resume"), " here, or ", code("/andon resume"))
SCOPES = {
    "run": wire.BrakeScope(run=RUN),
    "channel": wire.BrakeScope(conversation=wire.Place(surface="slack", channel="#ops")),
    "agent": wire.BrakeScope(agent="mailer"),
    "all": wire.BrakeScope(everything=True),
}


def brake(scope: str = "channel", action: Any = "stop", *, text: str | None = None, name: str = "Mira") -> wire.Braked:
    by = MIRA.model_copy(update={"name": name})
    return wire.Braked(action=action, scope=SCOPES[scope], by=by, at=NOON, text=text, epoch=7)


def line(each: wire.Braked, where: str = "") -> BrakeLine:
    return BrakeLine(pulled(each), where, scope_in_words(each.scope), each.epoch)


BRAKES = [
    replace(each, epoch=number)
    for number, each in enumerate(
        (
            line(brake("run", text="Not this list."), "weekly-report · mailer"),
            line(brake("channel", "pause"), "#ops"),
            line(brake("agent")),
            line(brake("all")),
        )
    )
]
RUNS = [
    RunLine("weekly-report", "assistant", NOON, "#ops", 2, "held"),
    RunLine("nightly", "assistant", NOON, "#ops", 0, "aborted"),
]


def hostile() -> list[BrakeLine]:
    return [line(brake("run", text=HOSTILE_TEXT, name=HOSTILE_TEXT), "<!channel> \u2028 · mailer")]


def flight(number: int, what: str = "Send this e-mail to alice@x.com") -> wire.InFlight:
    at = NOON + timedelta(minutes=number)
    return wire.InFlight(handoff=f"hf_{number}", run=RUN, what=what, claimant="c", claimed_at=at)


def done(action: Action, did: Any = "pulled", *, by: str = "Ana", what: str = HERE, **more: Any) -> str:
    """The reply as one text."""
    own = {each: more.pop(each) for each in ("still", "note") if each in more}
    given = {"scope": SCOPES["channel"], "brake": brake(), **more}
    receipt = wire.BrakeReceipt(did=did, **given)
    return plainly(reply(Done(action, by, what, (receipt,), HOW, **own)))


def replies() -> dict[str, str]:
    """Every reply there is."""
    many = tuple(flight(number) for number in range(5))
    still = (("weekly-report", brake("run", text="Not this list.")), ("nightly", brake("all")))
    return {
        "stop": done("stop", held=3),
        "stop, nothing waits": done("stop"),
        "stop, one under way": done("stop", held=1, in_flight=many[:1]),
        "stop, many under way": done("stop", held=1_200, in_flight=many),
        "stop, hostile": done("stop", by=HOSTILE_TEXT, in_flight=(flight(1, HOSTILE_TEXT),)),
        "stop, a question": done("stop", held=1, note="If it was your answer, press Answer."),
        "pause": done("pause", held=2),
        "steer": done("steer", what="this run", in_flight=many[:1]),
        "steer while it is stopped": done("steer", "stands", held=1),
        "stopped already": done("stop", "stands", held=3),
        "paused already": done("pause", "stands", brake=brake(action="pause")),
        "resume": done("resume", "lifted", held=3),
        "resume, one waits": done("resume", "lifted", held=1),
        "resume, nothing waits": done("resume", "lifted"),
        "resume, something else holds it": done("resume", "lifted", still=still),
        "nothing to resume": done("resume", "off", brake=None),
        "an old stop": done("stop", "old", brake=None),
        "an old resume": done("resume", "old"),
        "abort": done("abort", held=2, in_flight=many[:1]),
        "abort, nothing waits": done("abort"),
    }


MADE: dict[str, Callable[[], Any]] = {
    "replies": replies,
    "list": lambda: LISTS.brakes(BRAKES),
    "list-hostile": lambda: LISTS.brakes(hostile()),
    "home": lambda: LISTS.home(waiting(1), RUNS, brakes=BRAKES),
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


def test_slack_takes_all_of_it_however_much_there_is() -> None:
    check_message(MADE["list"]())
    check_message(LISTS.brakes([replace(each, epoch=number) for number, each in enumerate(hostile() * 40)]))
    check_view(MADE["home"](), "home")
    many = [replace(each, epoch=number) for number, each in enumerate(BRAKES * 20)]
    check_view(LISTS.home(waiting(200), RUNS * 40, brakes=many), "home")


@pytest.mark.parametrize("name", MADE)
def test_nothing_that_anybody_wrote_is_in_markup_or_hidden(name: str) -> None:
    whole = json.dumps(MADE[name](), ensure_ascii=False)
    assert not [each for each in "\u202e\u2069\u200b\u3164\u2028" if each in whole]
    for text in texts(MADE[name](), "mrkdwn"):
        assert "<" not in text.replace("<!date^", "").replace("<https://andon.example/", "").replace(
            "<https://slack", ""
        )


@pytest.mark.parametrize(
    "scope, label",
    [
        ("run", "Resume this run"),
        ("channel", "Resume every run in its conversation"),
        ("agent", "Resume all that mailer does"),
        ("all", "Resume every agent"),
    ],
)
def test_the_button_on_a_card_says_all_that_it_lets_go_on(scope: str, label: str) -> None:
    held = replace(stopped(), brake=brake(scope))
    (actions,) = [block for block in CARDS.message(held, now=NOW).blocks if block["type"] == "actions"]
    assert [each["text"]["text"] for each in actions["elements"]] == [label]


def test_a_run_that_another_one_started_says_which_is_resumed() -> None:
    child = replace(stopped(), run="run_" + "c" * 22)
    (actions,) = [block for block in CARDS.message(child, now=NOW).blocks if block["type"] == "actions"]
    assert actions["elements"][0]["text"]["text"] == "Resume the run that started it"
