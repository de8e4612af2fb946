"""What people see and are asked of an action whose agent fell silent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from andon import wire
from bot.cards import card, run_view
from bot.cards.listing import RunLine, about_run
from bot.coaching import settled
from bot.handoff import Handoff, Stage
from bot.milestones import milestone_ask
from bot.unknown import DONE, LEAVE, NOT_DONE, outcome_by, question_about, who_is_asked
from tests.fakes.desk import ANA, EMAIL, FLIGHT, MIRA, NOON, RUN, a_run, handoff
from tests.fakes.unknown import SILENT_AT, answered, question, said, unknown

LATER = NOON + timedelta(minutes=9)


def ask(first: Handoff, **run: Any) -> Any:
    """The question about it; None where there is none."""
    return question_about(first, "hf_" + "q" * 22, a_run(**run), silent_since=SILENT_AT)


def test_it_goes_to_whom_it_went_before_and_one_of_them_is_enough() -> None:
    first = unknown(EMAIL)
    terms: dict[str, Any] = {
        "stages": (Stage(("ana@example.com",), 2), Stage(("slack:S1", "ana@example.com"))),
        "step_up": "critical",
        "not_requester": True,
        "reject_quorum": True,
        "review": True,
        "told": True,
        "ramp": "r",
    }
    made = ask(replace(first, route=replace(first.route, **terms)))
    route = made.doc.route
    assert (route.to, route.approvers) == (first.route.to, ("ana@example.com", "slack:S1"))
    assert len(route.steps) == 1
    assert (route.quorum, route.step_up, route.not_requester, route.review, route.told, route.ramp) == (
        *(1, "", False, False, False),
        "",
    )
    assert (route.timeout_s, route.on_timeout) == (7 * 24 * 3600, "deny")
    assert who_is_asked(made) == "ana@example.com and one person or group by id"


def test_where_nobody_is_listed_the_conversation_is_asked() -> None:
    first = unknown(EMAIL)
    assert who_is_asked(ask(replace(first, route=replace(first.route, approvers=())))) == "whoever is in #ops in slack"


def test_it_shows_the_arguments_that_were_claimed() -> None:
    first = unknown(EMAIL)
    assert first.decision
    edited = wire.Edited(
        by=ANA, at=NOON, revision=2, message_for_agent="…", digest="0" * 64, args={"to": "bob@example.com"}
    )
    made = ask(replace(first, decision=edited))
    assert made.doc.about.args == {"to": "bob@example.com"}
    chosen = wire.Chosen(by=ANA, at=NOON, revision=1, message_for_agent="…", digest="0" * 64, choice="tp571")
    flight = replace(handoff(FLIGHT), decision=chosen, claim=first.claim)
    assert ask(flight).doc.about.tool == "book"


def test_nobody_is_asked_about_an_answer_a_candidate_without_an_action_or_a_checkpoint() -> None:
    claim = unknown(EMAIL).claim
    nothing = wire.Chosen(by=ANA, at=NOON, revision=1, message_for_agent="…", digest="0" * 64, choice="lh1166")
    assert ask(replace(handoff(FLIGHT), decision=nothing, claim=claim)) is None
    assert ask(handoff(EMAIL)) is None, "nobody has claimed it"
    asked = milestone_ask("mailer", RUN, "planned")
    assert ask(replace(unknown(EMAIL), ask=asked)) is None


def test_a_long_text_is_cut_in_the_question_and_the_promise_is_named_where_there_is_one() -> None:
    first = unknown({**EMAIL, "what": "x" * 30_000})
    assert len(ask(first).doc.ask.question) < 2_100
    assert "every 30 s" in ask(first, heartbeat_s=30).doc.route.because[1]
    assert "promised" not in ask(first).doc.route.because[1]


@pytest.mark.parametrize("choice, status", [(DONE, "executed"), (NOT_DONE, "failed"), (LEAVE, None)])
def test_a_word_is_an_outcome_or_none(choice: str, status: str | None) -> None:
    decision = wire.Chosen(
        by=MIRA, at=NOON, revision=1, message_for_agent="…", digest="0" * 64, choice=choice, reason="I looked."
    )
    outcome = outcome_by(decision)
    assert (outcome and outcome.status) == status
    if outcome:
        assert outcome.by == MIRA
        assert str(outcome.result or outcome.error).startswith("said by Mira: it was ")
        assert str(outcome.result or outcome.error).endswith("I looked.")
    no = wire.Rejected(by=MIRA, at=NOON, revision=1, message_for_agent="…", reason="?")
    assert outcome_by(no) is None


def test_the_agent_is_told_not_to_do_it_again() -> None:
    """A model that reads "it was not done" must not take it for an order."""
    assert "Do not do it again" in settled("Mira", "It was not done")


def test_the_card_says_that_nobody_knows_and_what_was_said_of_it() -> None:
    view = card(unknown(EMAIL), now=LATER)
    assert (view.lamp, view.headline) == ("alarm", "Unknown: the agent fell silent while doing this")
    assert [step.headline for step in view.steps] == ["Delivered", "Unknown"]
    told = card(said(EMAIL), now=LATER)
    assert told.headline == "Failed"
    assert [step.headline for step in told.steps] == ["Delivered", "Unknown", "Failed", "Reported later: done"]
    assert told.steps[2].sentence == "Mira said that this was not done, after the agent fell silent."


def test_the_question_can_only_be_answered_and_shows_what_may_have_run() -> None:
    view = card(question(unknown(EMAIL)), now=LATER)
    assert view.act
    assert (view.act.tool, view.timing, view.diff) == ("send_email", "unknown", ())
    assert [(button.kind, button.label) for button in view.buttons] == [("choose", "Say so")]
    assert view.silence.endswith("it stays unknown. Silence decides nothing.")
    assert card(answered(unknown(EMAIL)), now=LATER).buttons == ()
    long = card(question(unknown({**EMAIL, "why": "w", "risks": ["r"]})), now=LATER, limit=5)
    assert [button.kind for button in long.buttons] == ["choose"], "however much is cut: it allows nothing"


def test_a_lost_run_says_since_when() -> None:
    view = run_view(a_run(heartbeat_s=30, lost_since=NOON))
    assert (view.lamp, view.headline) == ("alarm", "Lost")
    assert view.lost == "Lost since 22 Nov 2026, 12:00 UTC: nothing was heard of its agent since then."
    brake = wire.Braked(action="stop", scope=wire.BrakeScope(run=RUN), by=MIRA, at=NOON, epoch=1)
    assert run_view(a_run(lost_since=NOON, brake=brake, state="held")).headline == "Lost · On hold: stopped"
    assert run_view(a_run()).lost == ""
    line = RunLine("weekly-report", "mailer", NOON, "#ops", 0, lost_since=NOON)
    assert about_run(line).endswith("nothing waiting · 📡 lost since 22 Nov 2026, 12:00 UTC")
