"""Every message, modal and list for Slack as JSON, compared with the files in `slack/`, and checked as Slack would.

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

from adapters.slack.cards import Cards, Message
from adapters.slack.digests import DigestCards
from adapters.slack.lists import Lists
from adapters.slack.modals import Modal, Modals
from andon import wire
from bot.cards import summary
from bot.cards.listing import HelpLine, PendingLine, RunLine, SettingLine
from bot.handoff import Aside, Digest, Handoff, Reason, Risk, Route, Rung, State
from tests.fakes import unknown as silences
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, HEARD, MIRA, NOON, handoff, stopped
from tests.fakes.slack.kit import check_message, check_options, check_view
from tests.fakes.votes import TERMS, agreed, split, staged

GOLDEN = Path(__file__).parent / "slack"
NOW = NOON + timedelta(minutes=1)
LATER = NOON + timedelta(minutes=3)
SILENCE = wire.Actor(kind="silence", id="silence", name="Silence")
AGENT = wire.Actor(kind="agent", id="assistant", name="assistant")
GUEST = wire.Actor(kind="person", id="U0GUEST", name="<!channel> \u202eMira", surface="slack")
CARDS = Cards(None, console="https://andon.example/")
MODALS = Modals(CARDS)
LISTS = Lists(CARDS)
Json = dict[str, Any]

HOSTILE_TEXT = (
    "\"quoted\" 'single' ```fence``` <!channel> <!here> <@U123> <https://evil.example|innocent> *bold* &amp; "
    "{{ 7 * 7 }} https://evil.example \u202e txt.exe\u2069 zero\u200bwidth\u3164filler p\u0430ypal.com\n\n\n\n\nend"
)
HOSTILE: Json = {
    **EMAIL,
    "what": HOSTILE_TEXT,
    "why": HOSTILE_TEXT,
    "risks": [HOSTILE_TEXT],
    "action": {
        "tool": "send_email",
        "args": {HOSTILE_TEXT: HOSTILE_TEXT, "to": "p\u0430ypal.com", "deep": {"<!here>": ["\u202e", 1, None]}},
        "schema": {"properties": {"to": {"description": HOSTILE_TEXT, "title": "<!channel>"}}},
    },
}


def numbered(ask: Json) -> Handoff:
    return handoff(ask, route=Route(**TERMS, step_up="number"))


def acting(**args: Any) -> Json:
    return {**EMAIL, "action": {"tool": "do.it", "args": args, "schema": {}}}


CODE = acting(
    command="rm -rf /srv/old && echo done",
    sql="DELETE FROM orders WHERE created_at < '2024-01-01'",
    patch="--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n",
    config={"replicas": 3, "image": {"name": "web", "tag": "1.2"}},
    payload='{"a": [1, 2]}',
    argv=["tar", "--create", "--file", "a file with spaces.tar", "--gzip", "/srv/www"],
    message={"to": ["bob@x.com"], "cc": [], "subject": "Hello", "body": "Dear Bob,\n\nHi!", "draft": True},
    query="how many orders?",
)
LONG = acting(body="A line of the letter.\n" * 500 + "LAST WORDS")
HUGE = acting(body="\u2028" * 15_000 + "LAST WORDS")
DEEP: Any = "bottom"
for _level in range(30):
    DEEP = {"level": [DEEP, _level]}
FIFTY = acting(**{f"argument_{index}": f"value {index}, " * (index // 5 + 1) for index in range(50)})
MANY = acting(**{f"argument_{index}": f"value {index}" for index in range(200)})
FLIGHTS = [
    {"id": f"f{index}", "label": f"Flight {index}", "details": f"Leaves at {index % 24}:00"} for index in range(150)
]


ARRIVED = wire.Delivered(at=LATER, how="poll")
AWAY = wire.Unreached(since=LATER, why="https://agent.example/andon answered 503 ten times.", again=True)


def decided(ask: Json, kind: type[Any], *, state: State = State.DECIDED, **more: Any) -> Handoff:
    asked = handoff(ask)
    given = {"by": MIRA, "at": LATER, "revision": 1, "message_for_agent": "…", **more}
    return replace(asked, state=state, decision=kind(**given))


def approved(**more: Any) -> Handoff:
    action = handoff(EMAIL).action
    assert action
    return decided(EMAIL, wire.Approved, digest=handoff(EMAIL).digest, args=action.args, reason="Go ahead", **more)


def revised(**more: Any) -> Handoff:
    asked = handoff(EMAIL)
    assert asked.action
    changed = {"to": "bob@x.com", "body": "Dear Bob,\n\nthe report is ready.\n\nBest,\nAna's assistant", "cc": None}
    args = {**asked.action.args, **changed}
    edit = wire.Revision(revision=2, by=ANA, at=LATER, args=args, digest="0" * 64)
    return replace(asked, revision=2, digest="0" * 64, revisions=(edit,), **more)


def edited() -> Handoff:
    asked = revised(state=State.DECIDED)
    args = asked.revisions[-1].args
    verdict = wire.Edited(by=ANA, at=LATER, revision=2, message_for_agent="…", digest="0" * 64, args=args)
    return replace(asked, decision=verdict)


def ended(shown: Handoff, status: str, **more: Any) -> Handoff:
    outcome = wire.Outcome.model_validate({"status": status, "at": LATER, **more})
    return replace(shown, state=State.CLOSED, claim=wire.Claimed(claimant="c", at=LATER), outcome=outcome)


REASONS = tuple(Reason(label, f"{label}, please") for label in ("Too early", "Wrong person", "Wrong tone", "No", "5th"))

RISKY = Route(
    "v3/mail",
    1_800,
    "deny",
    (),
    risk=Risk(0.7, ("It seems to go to a list of people: `all@x.com`.", "It goes to `all@x.com`.")),
    because=("The agent is only 40 % sure.", "In this run 3 actions have failed or were unsure."),
)

RUNGS = (Rung(1_200, (wire.Place(surface="slack", channel="#oncall"),), ("boss@example.com", "slack:S0614TZR7")),)
HOSTILE_WORDS = HOSTILE["what"]
ASIDES = (
    Aside("1", "reminded", LATER),
    Aside("2", "escalated", LATER, rung=1),
    Aside("3", "reassigned", LATER, ANA, to="bob@example.com", text=HOSTILE_WORDS),
    Aside("4", "questioned", LATER, ANA, text="Which budget?"),
    Aside("5", "replied", LATER, text=HOSTILE_WORDS),
)
GATHERED = Digest(
    "dg_1",
    (
        handoff({**EMAIL, "reversible": True}, id="hf_" + "b" * 22),
        handoff({**EMAIL, "reversible": True, "what": "Send another"}, id="hf_" + "c" * 22),
        handoff(EMAIL, id="hf_" + "d" * 22),
        handoff(FLIGHT, id="hf_" + "e" * 22),
        handoff(HOSTILE, id="hf_" + "f" * 22),
    ),
    12,
)

MESSAGES: dict[str, Handoff] = {
    "open-asides-hostile": handoff(
        EMAIL, route=replace(RISKY, escalate=RUNGS, risk=None, because=()), rungs=1, asides=ASIDES
    ),
    "votes-stage": staged(),
    "votes-hostile": staged(name=HOSTILE_TEXT),
    "votes-split": split(),
    "votes-agreed": agreed(),
    "open": handoff({**EMAIL, "reversible": True}),
    "open-hazard": handoff(EMAIL),
    "open-reasons": handoff(EMAIL, route=Route("v3/mail", 1_800, "deny", (), reasons=REASONS)),
    "open-revised": revised(),
    "open-risk": handoff(EMAIL, route=RISKY),
    "open-risk-hostile": revised(route=replace(RISKY, risk=Risk(0.05, (HOSTILE_TEXT,)), because=())),
    "open-risk-long": handoff(LONG, route=replace(RISKY, risk=Risk(1.0, ("Reason. " * 37,) * 9))),
    "open-code": handoff(CODE),
    "open-long": handoff(LONG),
    "open-50-arguments": handoff(FIFTY),
    "open-many": handoff(MANY),
    "open-deep": handoff(acting(deep=DEEP)),
    "open-100000": handoff(acting(to="bob@x.com", body="0123456789" * 10_000)),
    "open-hidden": handoff(acting(to="\u202eb\u043eb@x.com", body="\u200b\u2066" * 2_000 + "end")),
    "open-hostile": handoff(HOSTILE, run_name=HOSTILE_TEXT, requester=HOSTILE_TEXT),
    "open-silence-approves": handoff({**EMAIL, "reversible": True, "on_timeout": "approve"}),
    "after": handoff(DRAFT),
    "after-long": handoff({**DRAFT, "result": "r" * 20_000}),
    "after-nothing-ran": handoff({key: value for key, value in DRAFT.items() if key != "action"}),
    "choice": handoff(FLIGHT),
    "choice-150": handoff({**FLIGHT, "candidates": FLIGHTS}),
    "choice-long": handoff({**FLIGHT, "candidates": [{"id": "a", "label": "A", "details": "y" * 9_000}]}),
    "choice-hostile": handoff(
        {**FLIGHT, "candidates": [{"id": "a", "label": "<!here> \u202e", "details": HOSTILE_TEXT}]}
    ),
    "input": handoff(BUDGET),
    "input-long": handoff({**BUDGET, "why": "w" * 30_000}),
    "held": stopped(),
    "held-hostile": stopped("pause", text=HOSTILE_TEXT, name=HOSTILE_TEXT),
    "held-steered": stopped("steer", text="Wait, change the recipient to Bob."),
    "heard": handoff(EMAIL, heard=HEARD, stops=1),
    "approved-and-stopped": replace(approved(), brake=stopped().brake),
    "late": handoff(EMAIL, minutes=1),
    "approved": approved(),
    "approved-by-silence": approved(by=SILENCE),
    "approved-with-grant": approved(grant=f"gr_{'a' * 22}", grant_covers="send_email with to = alice@x.com, for 1 h"),
    "edited": edited(),
    "rejected": decided(EMAIL, wire.Rejected, reason="Wrong list"),
    "rejected-hostile": decided(HOSTILE, wire.Rejected, reason=HOSTILE_TEXT, by=GUEST),
    "rejected-choice": decided(FLIGHT, wire.Rejected, reason="Too early"),
    "chosen": decided(FLIGHT, wire.Chosen, digest="0" * 64, choice="lh1166"),
    "answered": decided(BUDGET, wire.Answered, digest="0" * 64, answer={"amount": 90, "currency": "EUR"}),
    "expired": decided(EMAIL, wire.Expired, by=SILENCE),
    "withdrawn": decided(EMAIL, wire.Withdrawn, by=AGENT, reason="Not needed any more"),
    "undeliverable": decided(EMAIL, wire.Undeliverable, by=AGENT, reason="No such channel"),
    "delivered": replace(approved(state=State.CLAIMED), claim=wire.Claimed(claimant="c", at=LATER)),
    "arrived": replace(approved(), received=ARRIVED),
    "arrived-no": replace(decided(EMAIL, wire.Rejected, reason="Wrong list"), received=ARRIVED),
    "arrived-answer": replace(
        decided(BUDGET, wire.Answered, digest="0" * 64, answer={"amount": 90, "currency": "EUR"}), received=ARRIVED
    ),
    "arrived-silence": replace(decided(EMAIL, wire.Expired, by=SILENCE), received=ARRIVED),
    "unreached": replace(approved(), missed=AWAY),
    "unreached-hostile": replace(
        decided(HOSTILE, wire.Rejected, reason=HOSTILE_TEXT, by=GUEST),
        missed=AWAY.model_copy(update={"why": HOSTILE_TEXT * 3}),
    ),
    "unreached-no-endpoint": replace(approved(), missed=AWAY.model_copy(update={"again": False})),
    "executed": ended(approved(), "executed", result={"id": "m-1"}),
    "failed": ended(approved(), "failed", error="403 from the mail server <!channel>"),
    "undone": ended(decided(DRAFT, wire.Rejected, reason="Wrong list"), "undone"),
    "undo-failed": ended(decided(DRAFT, wire.Rejected, reason="Wrong list"), "undo_failed", error="gone"),
    "unknown": silences.unknown(EMAIL),
    "unknown-said": silences.said(EMAIL),
    "unknown-question": silences.question(silences.unknown(EMAIL)),
    "unknown-question-hostile": silences.question(silences.unknown(HOSTILE, claimant=HOSTILE_TEXT[:128])),
    "unknown-question-answered": silences.answered(silences.unknown(EMAIL)),
}

ADDRESS = "T1:C1:1795350000.000100"
FEEDBACK: Json = {"type": "object", "properties": {f"f{index}": {"type": "string"} for index in range(60)}}
WIDE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "essay": {"type": "string", "maxLength": 2_000},
        "count": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number"},
        "sure": {"type": "boolean"},
        "size": {"enum": ["S", "M", "L", None, 4]},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "deep": {"type": "object", "properties": {"a": {"type": "array"}}},
    },
    "required": ["name", "sure", "size"],
}
MODAL: dict[str, Callable[[], Modal]] = {
    "modal-ask-else": lambda: MODALS.ask_else(handoff(EMAIL), now=NOW, address=ADDRESS),
    "modal-ask-agent": lambda: MODALS.ask_agent(handoff(EMAIL), now=NOW, address=ADDRESS),
    "read-number": lambda: MODALS.read(staged(), now=NOW, address="T1:C1:1.2"),
    "edit-number": lambda: MODALS.edit(numbered(EMAIL), now=NOW, address="T1:C1:1.2"),
    "edit-for-another": lambda: MODALS.edit(staged(), now=NOW, address="T1:C1:1.2"),
    "choose-number": lambda: MODALS.choose(numbered(FLIGHT), 0, now=NOW, address="T1:C1:1.2"),
    "answer-number": lambda: MODALS.answer(numbered(BUDGET), now=NOW, address="T1:C1:1.2"),
    "modal-read": lambda: MODALS.read(handoff(LONG), now=NOW, address=ADDRESS),
    "modal-read-many": lambda: MODALS.read(handoff(MANY), now=NOW, address=ADDRESS),
    "modal-read-hostile": lambda: MODALS.read(handoff(HOSTILE), now=NOW, address=ADDRESS),
    "modal-read-file": lambda: MODALS.read(handoff(HUGE, minutes=30), now=NOW, address=ADDRESS),
    "modal-read-after": lambda: MODALS.read(MESSAGES["after-long"], now=NOW, address=ADDRESS),
    "modal-read-choice": lambda: MODALS.read(MESSAGES["choice-long"], now=NOW, address=ADDRESS),
    "modal-reject": lambda: MODALS.reject(handoff(EMAIL), now=NOW, address=ADDRESS),
    "modal-reject-choice": lambda: MODALS.reject(handoff(FLIGHT), now=NOW, address=ADDRESS),
    "modal-undo": lambda: MODALS.reject(handoff(DRAFT), now=NOW, address=ADDRESS),
    "modal-edit": lambda: MODALS.edit(handoff(EMAIL), now=NOW, address=ADDRESS),
    "modal-edit-hostile": lambda: MODALS.edit(handoff(HOSTILE), now=NOW, address=ADDRESS),
    "modal-edit-long-text": lambda: MODALS.edit(handoff(acting(n=1, body="x" * 3_500)), now=NOW, address=ADDRESS),
    "modal-edit-cut": lambda: MODALS.edit(handoff(acting(to="a", body="x\n" * 5_000)), now=NOW, address=ADDRESS),
    "modal-edit-json": lambda: MODALS.edit(
        handoff(acting(**{f"a{index}": index for index in range(60)})), now=NOW, address=ADDRESS
    ),
    "modal-edit-console": lambda: MODALS.edit(handoff(MANY), now=NOW, address=ADDRESS),
    "modal-choose": lambda: MODALS.choose(handoff(FLIGHT), 0, now=NOW, address=ADDRESS),
    "modal-choose-hostile": lambda: MODALS.choose(MESSAGES["choice-hostile"], 0, now=NOW, address=ADDRESS),
    "modal-answer": lambda: MODALS.answer(handoff({**BUDGET, "answer_schema": WIDE}), now=NOW, address=ADDRESS),
    "modal-answer-text": lambda: MODALS.answer(
        handoff({key: value for key, value in BUDGET.items() if key != "answer_schema"}), now=NOW, address=ADDRESS
    ),
    "modal-answer-json": lambda: MODALS.answer(
        handoff({**BUDGET, "answer_schema": FEEDBACK}), now=NOW, address=ADDRESS
    ),
    "modal-note": lambda: Modal(MODALS.note("Too late", "Mira approved this, so your press changed nothing.")),
}


def lines(count: int) -> list[PendingLine]:
    asks = [EMAIL, FLIGHT, HOSTILE, DRAFT]
    return [
        PendingLine(
            summary(handoff(asks[index % 4], id=f"hf_{index:022}"), now=NOW),
            "#ops",
            f"https://andon.example/handoffs/hf_{index:022}",
            f"https://slack.example/p{index}" if index % 2 else None,
        )
        for index in range(count)
    ]


RUNS = [RunLine("weekly-report", "assistant", NOON, "#ops", 2), RunLine("<!here>", "bot", NOON, "#<@U1>", 0)]
SETTINGS = [
    SettingLine("remind", "Remind me", "dm", (("dm", "in a direct message"), ("off", "not at all"))),
    SettingLine("person", "You are", "ana@example.com"),
]
LISTED: dict[str, Callable[[], Any]] = {
    "digest-hostile": lambda: DigestCards(CARDS).message(GATHERED, now=NOW).blocks,
    "pending": lambda: LISTS.pending(lines(4)),
    "pending-none": lambda: LISTS.pending([]),
    "home": lambda: LISTS.home(lines(3), RUNS, SETTINGS),
    "home-empty": lambda: LISTS.home([]),
    "help": lambda: LISTS.help("Andon", [HelpLine("stop", "stops the run"), HelpLine("/andon pending", "what waits")]),
    "options": lambda: CARDS.options(MESSAGES["choice-150"], "flight 14", now=NOW),
}


def made(name: str) -> Any:
    if name in MESSAGES:
        message = CARDS.message(MESSAGES[name], now=NOW)
        return {"text": message.text, "whole": message.whole, "blocks": message.blocks}
    if name in MODAL:
        modal = MODAL[name]()
        file = modal.file and {"name": modal.file.name, "starts": modal.file.text[:400], "chars": len(modal.file.text)}
        return {"view": modal.view, "file": file}
    return LISTED[name]()


NAMES = [*MESSAGES, *MODAL, *LISTED]


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_as_it_did(name: str) -> None:
    path, text = GOLDEN / f"{name}.json", json.dumps(made(name), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), "no golden file yet: the top of this file says how to write it"
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", MESSAGES)
def test_slack_takes_every_message(name: str) -> None:
    check_message(made(name)["blocks"])


@pytest.mark.parametrize("name", MODAL)
def test_slack_takes_every_modal(name: str) -> None:
    check_view(made(name)["view"], "modal")


def test_slack_takes_the_lists() -> None:
    check_message(made("pending"))
    check_message(made("help"))
    check_message(LISTS.pending(lines(200)))
    check_view(made("home"), "home")
    check_view(LISTS.home(lines(200), RUNS * 40, SETTINGS * 1), "home")
    check_options(made("options"))


def texts(value: Any, kind: str) -> Iterator[str]:
    """Every text of one type of text object."""
    if isinstance(value, dict):
        if value.get("type") == kind and isinstance(value.get("text"), str):
            yield value["text"]
        for inner in value.values():
            yield from texts(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, kind)


@pytest.mark.parametrize("name", [name for name in NAMES if "hostile" in name] + ["failed", "home", "pending"])
def test_nothing_that_anybody_wrote_is_in_markup(name: str) -> None:
    """Markup is for times and for links to the console and to our own messages; all else is literal text."""
    whole = json.dumps(made(name), ensure_ascii=False)
    for hidden in "\u202e\u2069\u200b\u3164":
        assert hidden not in whole
    for text in texts(made(name), "mrkdwn"):
        rest = text.replace("<!date^", "").replace("<https://andon.example/", "").replace("<https://slack.example/", "")
        assert "<" not in rest
        assert "evil" not in text
        assert "channel" not in text


@pytest.mark.parametrize("name", MESSAGES)
def test_the_text_for_notifications_begins_with_what_it_is_and_pings_nobody(name: str) -> None:
    message: Message = CARDS.message(MESSAGES[name], now=NOW)
    assert message.text.startswith(summary(MESSAGES[name], now=NOW).headline)
    assert len(message.text) <= 3_000
    assert "<" not in message.text


@pytest.mark.parametrize("name", MESSAGES)
def test_an_update_never_takes_away_the_second_block(name: str) -> None:
    """Slack refuses an update in which rich text becomes something else: it stands second in every state."""
    assert [block["type"] for block in made(name)["blocks"][:2]] == ["header", "rich_text"]


AGAIN = ["unreached", "unreached-hostile"]
CLOSED = [name for name, shown in MESSAGES.items() if shown.decision and name not in AGAIN]


@pytest.mark.parametrize("name", [*CLOSED, "late"])
def test_what_cannot_be_answered_has_no_buttons_and_a_closed_card_says_when(name: str) -> None:
    blocks = made(name)["blocks"]
    assert not [block for block in blocks if block["type"] == "actions"]
    assert "<!date^" in json.dumps(blocks)


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("held")])
def test_what_is_on_hold_can_only_be_resumed(name: str) -> None:
    (actions,) = [block for block in made(name)["blocks"] if block["type"] == "actions"]
    assert [each["action_id"] for each in actions["elements"]] == ["andon:resume"]


@pytest.mark.parametrize("name", AGAIN)
def test_what_did_not_arrive_can_only_be_sent_again(name: str) -> None:
    (actions,) = [block for block in made(name)["blocks"] if block["type"] == "actions"]
    assert [each["action_id"] for each in actions["elements"]] == ["andon:again"]


def test_what_is_not_shown_in_full_has_no_one_tap_yes() -> None:
    for name in ("open-long", "open-many", "after-long"):
        actions = [each["action_id"] for each in made(name)["blocks"][-1]["elements"]]
        assert "andon:approve" not in actions
        assert "andon:read" in actions
    assert "LAST WORDS" in json.dumps(made("modal-read"))
    assert made("modal-read")["view"]["submit"]["text"] == "Approve"


def test_what_no_modal_holds_is_in_a_file_that_must_be_said_to_be_read() -> None:
    modal = MODAL["modal-read-file"]()
    assert modal.file
    assert modal.file.name in json.dumps(modal.view)
    assert "LAST WORDS" in modal.file.text
    boxes = [block for block in modal.view["blocks"] if block["type"] == "input"]
    assert [block["optional"] for block in boxes] == [False]
