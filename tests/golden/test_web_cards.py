"""Every kind of card as HTML, compared with the files in `web/`.

After a change that is meant, write the files anew, read the difference, and commit it:

    UPDATE_GOLDEN=1 make test ARGS=tests/golden
"""

import os
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from adapters.web.pages import Form, Notice, Pages
from andon import wire
from bot.cards import card
from bot.handoff import Handoff, Reason, Risk, Route, State
from bot.ports import Session
from tests.fakes import unknown as silences
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, HEARD, MIRA, NOON, handoff, stopped
from tests.fakes.votes import agreed, split, staged

GOLDEN = Path(__file__).parent / "web"
SESSION = Session(MIRA, "csrf-token")
LATER = NOON + timedelta(minutes=3)

HOSTILE_TEXT = (
    "\"quoted\" 'single' <script>alert(1)</script> <!channel> &amp; {{ 7 * 7 }}\n"
    "[link](javascript:alert(1)) <https://evil.example|innocent>\u202e txt.exe\u2069 "
    "zero\u200bwidth\u3164filler\n\n\n\n\nend"
)
HOSTILE: dict[str, Any] = {
    **EMAIL,
    "what": HOSTILE_TEXT,
    "why": HOSTILE_TEXT,
    "risks": [HOSTILE_TEXT],
    "action": {
        "tool": "send_email",
        "args": {
            HOSTILE_TEXT: HOSTILE_TEXT,
            "to": "p\u0430ypal.com",
            "long": "x" * 9_990 + "LAST WORDS",
            "deep": {"</textarea><script>": ["\u202e", 1, None]},
            'on"click="alert(1)': True,
        },
        "schema": {"properties": {"to": {"description": HOSTILE_TEXT, "title": "<b>From</b>"}}},
    },
}


def approved() -> Handoff:
    asked = handoff(EMAIL)
    assert asked.action
    decision = wire.Approved(
        by=MIRA, at=LATER, revision=1, digest=asked.digest, args=asked.action.args, message_for_agent="Go.", reason="ok"
    )
    return replace(
        asked,
        state=State.CLOSED,
        decision=decision,
        claim=wire.Claimed(claimant="c", at=LATER),
        outcome=wire.Outcome(status="executed", at=LATER, result={"id": "m-1"}),
    )


ARRIVED = wire.Delivered(at=LATER, how="callback")
AWAY = wire.Unreached(since=LATER, why="https://agent.example/andon answered 503 ten times.", again=True)


def decided(done: Handoff) -> Handoff:
    """As it stood before the agent did anything about it."""
    return replace(done, state=State.DECIDED, claim=None, outcome=None)


def granted() -> Handoff:
    done = approved()
    assert done.decision
    given = {"grant": f"gr_{'a' * 22}", "grant_covers": f"send_email with to = {HOSTILE_TEXT}, in this run, for 1 h"}
    return replace(done, decision=done.decision.model_copy(update=given))


def revised() -> Handoff:
    asked = handoff(EMAIL)
    assert asked.action
    args = {
        **asked.action.args,
        "to": "bob@x.com",
        "body": "Dear Bob,\n\nthe report is ready.\n\nBest,\nAna's assistant",
    }
    edit = wire.Revision(revision=2, by=ANA, at=LATER, args=args, digest="0" * 64)
    return replace(asked, revision=2, digest="0" * 64, revisions=(edit,))


def rejected() -> Handoff:
    decision = wire.Rejected(by=ANA, at=LATER, revision=1, reason="Wrong list", message_for_agent="No.")
    outcome = wire.Outcome(status="undo_failed", at=LATER, error="403 from the mail server")
    return replace(handoff(DRAFT), state=State.CLOSED, decision=decision, outcome=outcome)


FORM = Form(answer_id="answer-id")
EDITING = replace(FORM, editing=True)
LISTED = Route(
    policy="0123456789ab/mail",
    timeout_s=1800,
    on_timeout="deny",
    to=(),
    approvers=("ana@example.com", "slack:U024BE7LH", "slack:S0614TZR7"),
    reasons=(Reason("Wrong person", "This is not the Alice I meant: look her up."), Reason("Not now", "Not now")),
)
WRONG = replace(EDITING, typed={"to": "nobody"}, errors={"to": ("must be an e-mail address",)}, reason="why not")
RISKY = replace(
    LISTED,
    risk=Risk(0.7, ("It seems to go to a list of people: `all@x.com`.", "It goes to `all@x.com`.")),
    because=("The agent is only 40 % sure.", "In this run 3 actions have failed or were unsure."),
)
HOSTILE_RISK = replace(RISKY, risk=Risk(0.05, (HOSTILE_TEXT,)), because=())
CARDS: dict[str, tuple[Handoff, Form, Notice | None, bool]] = {
    "confirmation": (handoff(EMAIL), FORM, None, False),
    "confirmation-edit": (handoff(EMAIL), EDITING, None, False),
    "confirmation-edit-wrong": (handoff(EMAIL), WRONG, Notice("Some fields need another look."), False),
    "confirmation-revised": (revised(), FORM, None, False),
    "confirmation-done": (approved(), FORM, None, False),
    "confirmation-granted": (granted(), FORM, None, False),
    "confirmation-listed": (handoff(EMAIL, route=LISTED), FORM, None, False),
    "choice-listed": (handoff(FLIGHT, route=LISTED), FORM, None, False),
    "choice": (handoff(FLIGHT), FORM, None, False),
    "input": (handoff(BUDGET), FORM, None, False),
    "review": (handoff(DRAFT), FORM, None, False),
    "review-undo-failed": (rejected(), FORM, None, False),
    "confirmation-risk": (handoff(EMAIL, route=RISKY), FORM, None, False),
    "hostile-risk": (handoff(EMAIL, route=HOSTILE_RISK), FORM, None, False),
    "votes-stage": (staged(), FORM, None, False),
    "votes-stage-full": (staged(), replace(FORM, code_error="that is not the card's number"), None, True),
    "votes-hostile": (staged(name=HOSTILE_TEXT), FORM, None, False),
    "votes-split": (split(), FORM, None, False),
    "votes-agreed": (agreed(), FORM, None, False),
    "held": (stopped(), FORM, None, False),
    "held-hostile": (stopped("pause", text=HOSTILE_TEXT, name=HOSTILE_TEXT), FORM, None, False),
    "held-steered": (stopped("steer", text="Wait, change the recipient to Bob."), FORM, None, False),
    "heard": (handoff(EMAIL, heard=HEARD, stops=1), FORM, None, False),
    "arrived": (replace(decided(approved()), received=ARRIVED), FORM, None, False),
    "unreached": (replace(decided(approved()), missed=AWAY), FORM, None, False),
    "unreached-hostile": (
        replace(decided(approved()), missed=AWAY.model_copy(update={"why": HOSTILE_TEXT})),
        FORM,
        Notice("Sent again to 1 endpoint.", good=True),
        True,
    ),
    "approved-and-stopped": (replace(approved(), brake=stopped().brake), FORM, None, False),
    "unknown": (silences.unknown(EMAIL), FORM, None, False),
    "unknown-said": (silences.said(EMAIL), FORM, None, False),
    "unknown-question": (silences.question(silences.unknown(EMAIL)), FORM, None, False),
    "unknown-question-answered": (silences.answered(silences.unknown(EMAIL)), FORM, None, False),
    "expired-in-view": (handoff(EMAIL, minutes=1), FORM, Notice("Too late.", typed=(("to", "<i>"),)), False),
    "hostile": (handoff(HOSTILE, run_name=HOSTILE_TEXT, requester=HOSTILE_TEXT), FORM, None, False),
    "hostile-full": (handoff(HOSTILE), FORM, None, True),
    "hostile-edit": (handoff(HOSTILE), EDITING, None, False),
}


def render(name: str) -> str:
    shown, form, notice, full = CARDS[name]
    pages = Pages(None)
    view = card(shown, now=NOON + timedelta(minutes=1), full=full)
    return pages.card(view, SESSION, form=form, notice=notice, full=full).replace(pages.version, "VERSION")


@pytest.mark.parametrize("name", CARDS)
def test_a_card_looks_as_it_did(name: str) -> None:
    path, page = GOLDEN / f"{name}.html", render(name)
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert path.is_file(), "no golden file yet: the top of this file says how to write it"
    assert page == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.html")} == set(CARDS)


class Elements(HTMLParser):
    """The elements and attributes that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("name", ["hostile", "hostile-full", "hostile-edit", "hostile-risk"])
def test_no_agents_text_becomes_markup(name: str) -> None:
    page, tame = Elements(render(name)), Elements(render("confirmation-edit" if "edit" in name else "confirmation"))
    assert page.tags.count("script") == 1
    allowed = {
        *tame.tags,
        "dl",
        "small",
        "h3",
        "details",
        "summary",
        "textarea",
        "input",
        "select",
        "option",
        "fieldset",
    }
    assert set(page.tags) <= allowed
    assert not {name for name in page.attributes if name.startswith("on")}
    for hidden in "\u202e\u2069\u200b\u3164":
        assert hidden not in render(name)


def test_what_would_run_comes_before_every_word_of_the_agent() -> None:
    """Whatever the agent says, the first block of the card is the same to the byte."""
    lies = [
        {**EMAIL, "what": lie, "why": lie, "risks": [lie]} for lie in ("Nothing happens", "</article>" * 9, "x" * 9_000)
    ]
    pages = Pages(None)
    first = set()
    for ask in lies:
        page = pages.card(card(handoff(ask), now=NOON, full=True), SESSION, form=FORM, notice=None, full=True)
        head, _, rest = page.partition('<section class="words"')
        assert rest
        first.add(head[head.index('<h1 id="title"') :].partition('<p class="missing"')[0])
    assert len(first) == 1
    assert "alice@x.com" in first.pop()


def test_the_end_of_a_long_text_shows_only_when_all_of_it_is_opened() -> None:
    assert "LAST WORDS" not in render("hostile")
    assert 'value="approve"' not in render("hostile")
    assert "LAST WORDS" in render("hostile-full")
    assert 'value="approve"' in render("hostile-full")
