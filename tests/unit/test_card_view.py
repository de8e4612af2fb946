"""The card: the service's own block first, nothing hidden, and only what can be pressed now."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import wire
from bot.cards import Card, card, silence, summary, too_late
from bot.cards.rows import differences
from bot.cards.view import NO_POLICY
from bot.handoff import Handoff, Reason, Route, State
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, MIRA, NOON, handoff

SILENCE = wire.Actor(kind="silence", id="silence", name="Silence")
Json = dict[str, Any]


def email(**args: Any) -> Json:
    return {**EMAIL, "action": {"tool": "send_email", "args": args, "schema": {}}}


def look(shown: Handoff, **given_: Any) -> Card:
    return card(shown, now=NOON + timedelta(minutes=1), **given_)


def kinds(shown: Card) -> list[str]:
    return [button.kind for button in shown.buttons]


def decided(ask: Json, kind: type[Any], **more: Any) -> Handoff:
    asked = handoff(ask)
    given_ = {"by": MIRA, "at": NOON + timedelta(minutes=2, seconds=5), "revision": 1, "message_for_agent": "…", **more}
    return replace(asked, state=State.DECIDED, decision=kind(**given_))


def approved(**more: Any) -> Handoff:
    asked = handoff(EMAIL)
    assert asked.action
    return decided(EMAIL, wire.Approved, digest=asked.digest, args=asked.action.args, **more)


def test_arguments_are_rows_laid_out_by_what_they_are() -> None:
    shown = look(handoff(email(to="a@x.com", body="one\ntwo", n=2, none=None, deep={"a": [1]}, tags=["x"], blank="")))
    assert shown.act
    assert [(row.name, row.kind, row.text) for row in shown.act.rows] == [
        ("to", "line", "a@x.com"),
        ("body", "block", "one\ntwo"),
        ("n", "line", "2"),
        ("none", "line", "null"),
        ("deep", "json", '{\n  "a": [\n    1\n  ]\n}'),
        ("tags", "line", '["x"]'),
        ("blank", "line", "(empty)"),
    ]


def test_what_is_too_long_is_cut_with_a_count_and_cannot_be_agreed_to() -> None:
    long = handoff(email(body="x" * 10_000))
    shown = look(long)
    assert shown.act
    assert shown.act.rows[0].cut == 6_000
    assert shown.missing == 6_000
    assert kinds(shown) == ["edit", "reject"]

    whole = look(long, full=True)
    assert not whole.missing
    assert kinds(whole) == ["approve", "edit", "reject"]


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=200), max_size=5), st.integers(1, 100))
def test_every_argument_is_whole_on_the_card_or_there_is_no_approve(args: dict[str, str], limit: int) -> None:
    shown = look(handoff(email(**args)), limit=limit)
    assert shown.act
    can_approve = shown.may("approve") is not None
    assert can_approve == (not shown.missing)
    if can_approve:
        assert all(row.cut == 0 for row in shown.act.rows)
        assert len(shown.act.rows) == len(args)


def test_long_candidates_are_cut_and_cannot_be_chosen_before_they_were_opened() -> None:
    candidates = [{"id": "a", "label": "A", "details": "y" * 5_000}, {"id": "b", "label": "B"}]
    long = handoff({**FLIGHT, "candidates": candidates})
    assert kinds(look(long)) == ["reject"]
    assert kinds(look(long, full=True)) == ["choose", "reject"]


@pytest.mark.parametrize("changed", [{"why": "x" * 5_000}, {"risks": ["x", "y" * 5_000]}, {"what": "x" * 5_000}])
def test_an_agents_long_words_are_cut_too_and_are_read_before_anybody_agrees(changed: Json) -> None:
    shown = look(handoff({**EMAIL, **changed}))
    assert (shown.is_cut, shown.missing) == (True, 1_000)
    assert kinds(shown) == ["edit", "reject"]
    assert kinds(look(handoff({**EMAIL, **changed}), full=True)) == ["approve", "edit", "reject"]
    assert not look(handoff(EMAIL)).is_cut


def test_a_long_result_is_read_before_it_is_kept() -> None:
    long = handoff({**DRAFT, "result": "x" * 5_000})
    assert kinds(look(long)) == ["reject"]
    assert kinds(look(long, full=True)) == ["approve", "reject"]


def test_a_list_has_the_same_words_as_the_card() -> None:
    long = handoff({**EMAIL, "what": "x" * 5_000})
    line = summary(long, now=NOON)
    assert (len(line.title.text), line.headline, line.hazard) == (300, "Waiting for a person", True)


def test_hidden_characters_are_visible_in_every_text_of_the_card() -> None:
    sneaky = "a\u202eb"
    ask = {**email(**{sneaky: sneaky, "deep": {sneaky: [sneaky]}}), "what": sneaky, "why": sneaky, "risks": [sneaky]}
    shown = look(handoff(ask, run_name=sneaky, requester=sneaky))
    read = [getattr(shown, field.name) for field in fields(shown) if field.name != "form"]
    read += [(each.label, each.text, each.help, each.options) for each in shown.form]
    assert "⟦U+202E⟧" in str(read)
    assert "\u202e" not in str(read)
    assert "\\u202e" not in str(read)


@pytest.mark.parametrize(
    "args",
    [
        {"to": {"name": ["p\u0430ypal.com"]}},
        {"to": {"p\u0430y": 1, "deep": {"a": [1]}}},
        {"p\u0430y": "x"},
        {"body": "A long text\n" * 40 + "ends with p\u0430ypal.com"},
        {"body": "x " * 3_000 + "p\u0430ypal.com"},
        {"tags": ["\U0001d41alice"]},
    ],
)
def test_look_alike_letters_are_warned_of_wherever_they_are(args: Json) -> None:
    shown = look(handoff(email(**args)))
    assert shown.act
    assert "look" in shown.act.rows[0].warning


def test_candidates_that_look_alike_are_warned_of() -> None:
    labels = {"a": "Pay Bob", "b": "Pay B\u043eb"}
    ask = {**FLIGHT, "candidates": [{"id": each, "label": label} for each, label in labels.items()]}
    assert [each.warning for each in look(handoff(ask)).candidates] == [
        "",
        "mixes look-alike letters: Cyrillic and Latin",
    ]


def test_names_of_arguments_that_differ_by_a_space_look_different() -> None:
    args: Json = {"to": "a", "to ": "b", "": "c"}
    shown = look(handoff(email(**args)))
    assert shown.act
    assert [row.name for row in shown.act.rows] == ["to", "to⟦U+0020⟧", "⟦empty⟧"]
    assert [field.label for field in look(handoff(email(**{"to": "a", "to ": "b"}))).form] == ["to", "to⟦U+0020⟧"]


def test_look_alike_letters_are_warned_of() -> None:
    shown = look(handoff(email(to="p\u0430ypal.com")))
    assert shown.act
    assert shown.act.rows[0].warning == "mixes look-alike letters: Cyrillic and Latin"


@pytest.mark.parametrize(
    "ask, expected",
    [
        (EMAIL, [("approve", "Approve"), ("edit", "Edit"), ("reject", "Reject")]),
        (DRAFT, [("approve", "Keep it"), ("reject", "Undo it")]),
        (FLIGHT, [("choose", "Choose this one"), ("reject", "None of these")]),
        (BUDGET, [("answer", "Answer"), ("reject", "Do not answer")]),
        (email(), [("approve", "Approve"), ("reject", "Reject")]),
    ],
)
def test_each_ask_has_its_own_buttons(ask: Json, expected: list[tuple[str, str]]) -> None:
    assert [(button.kind, button.label) for button in look(handoff(ask)).buttons] == expected


@pytest.mark.parametrize("state", [State.HELD, State.DECIDED, State.CLAIMED, State.CLOSED])
def test_a_card_that_is_not_pending_has_no_buttons(state: State) -> None:
    assert look(handoff(EMAIL, state=state)).buttons == ()


def test_a_card_whose_time_is_up_has_no_buttons_even_before_the_expiry_is_recorded() -> None:
    late = card(handoff(EMAIL, minutes=1), now=NOON + timedelta(minutes=1))
    assert (late.buttons, late.headline, late.lamp) == ((), "The time is up", "off")
    barely = card(handoff(EMAIL, minutes=1), now=NOON + timedelta(seconds=59.5))
    assert barely.left_s == 1
    assert barely.buttons


@pytest.mark.parametrize(
    "shown, lamp, headline",
    [
        (handoff(EMAIL), "waiting", "Waiting for a person"),
        (handoff(EMAIL, state=State.HELD), "held", "On hold: stopped"),
        (approved(), "go", "Approved"),
        (decided(EMAIL, wire.Rejected, reason="no"), "stop", "Rejected"),
        (decided(EMAIL, wire.Expired, by=SILENCE), "off", "Nobody answered"),
        (decided(EMAIL, wire.Withdrawn), "off", "Taken back"),
        (decided(EMAIL, wire.Undeliverable, reason="gone"), "off", "Never delivered"),
        (replace(approved(), outcome=wire.Outcome(status="executed", at=NOON)), "go", "Done"),
        (replace(approved(), outcome=wire.Outcome(status="failed", at=NOON)), "alarm", "Failed"),
        (replace(approved(), outcome=wire.Outcome(status="undo_failed", at=NOON)), "alarm", "The undo failed"),
    ],
)
def test_colour_and_headline_follow_the_truth(shown: Handoff, lamp: str, headline: str) -> None:
    seen = look(shown)
    assert (seen.lamp, seen.headline) == (lamp, headline)


def test_the_verdict_says_who_when_and_how_long() -> None:
    seen = look(approved(reason="fine"))
    assert seen.verdict
    assert (seen.verdict.sentence, seen.verdict.took) == ("Mira approved this", "2 min 5 s")
    assert (seen.verdict.reason, seen.verdict.surface) == ("fine", "web")


def test_delivered_and_done_are_steps_with_the_result() -> None:
    closed = replace(
        approved(),
        state=State.CLOSED,
        claim=wire.Claimed(claimant="c", at=NOON),
        outcome=wire.Outcome(status="executed", at=NOON, result={"id": 7}),
    )
    delivered, done = look(closed).steps
    assert (delivered.headline, done.headline, done.good) == ("Delivered", "Done", True)
    assert done.result
    assert done.result.text == '{"id": 7}'


def test_an_error_is_shown_as_the_agent_told_it() -> None:
    failed = replace(approved(), outcome=wire.Outcome(status="failed", at=NOON, error="timeout\u200b"))
    (step,) = look(failed).steps
    assert not step.good
    assert step.result
    assert (step.result.name, step.result.text) == ("error", "timeout⟦U+200B⟧")


def test_an_edited_card_shows_the_final_arguments_and_what_changed() -> None:
    asked = handoff(email(to="alice@x.com", body="one\ntwo\nthree", n=1, gone=True))
    args: Json = {"to": "bob@x.com", "body": "one\n2\nthree", "n": 1, "cc": "c@x.com"}
    edit = wire.Revision(revision=2, by=ANA, at=NOON, args=args, digest="0" * 64)
    seen = look(replace(asked, revision=2, revisions=(edit,)))
    assert seen.act
    assert [row.text for row in seen.act.rows] == ["bob@x.com", "one\n2\nthree", "1", "c@x.com"]
    assert [(each.name, each.kind) for each in seen.diff] == [
        ("to", "changed"),
        ("body", "changed"),
        ("gone", "removed"),
        ("cc", "added"),
    ]
    assert [(line.mark, line.text) for line in seen.diff[1].lines] == [
        (" ", "one"),
        ("-", "two"),
        ("+", "2"),
        (" ", "three"),
    ]
    assert [(each.revision, each.by) for each in seen.edits] == [(2, "Ana")]
    assert look(replace(asked, revision=2, revisions=(edit,)), since=2).diff == ()


def test_a_number_that_becomes_a_text_is_a_change() -> None:
    assert [each.kind for each in differences({"n": 1, "b": True}, {"n": "1", "b": 1})] == ["changed", "changed"]


def test_a_far_away_change_shows_only_its_surroundings() -> None:
    before = "\n".join(map(str, range(100)))
    (change,) = differences({"t": before}, {"t": before.replace("50", "fifty")})
    assert [line.mark for line in change.lines] == ["…", " ", " ", "-", "+", " ", " ", "…"]


def test_a_chosen_candidate_is_marked() -> None:
    seen = look(decided(FLIGHT, wire.Chosen, digest="0" * 64, choice="lh1166"))
    assert [each.id for each in seen.candidates if each.chosen] == ["lh1166"]
    assert seen.verdict
    assert seen.verdict.sentence == "Mira chose LH 1166, Sunday 14:20"


def test_an_answer_is_shown_whole() -> None:
    seen = look(decided(BUDGET, wire.Answered, digest="0" * 64, answer={"amount": 5, "currency": "EUR"}))
    assert seen.verdict
    assert seen.verdict.answer
    assert seen.verdict.answer.text == '{"amount": 5, "currency": "EUR"}'


def test_only_what_would_run_and_cannot_be_undone_is_a_hazard() -> None:
    hazards = [look(handoff(ask)).hazard for ask in (EMAIL, {**EMAIL, "reversible": True}, DRAFT, FLIGHT, BUDGET)]
    assert hazards == [True, False, False, False, False]
    assert look(handoff({**FLIGHT, "reversible": False})).hazard


def test_the_digest_is_the_revisions_own_and_short_enough_to_compare() -> None:
    shown = look(handoff(EMAIL))
    assert (len(shown.digest), shown.digest_short) == (64, shown.digest[:12])


def test_without_a_policy_the_card_says_so() -> None:
    assert look(handoff(EMAIL)).policy == NO_POLICY
    ruled = handoff(EMAIL, route=Route("v3/mail", 60, "deny", ()))
    assert look(ruled).policy == "Policy: v3/mail"


def test_a_card_says_who_alone_may_answer_and_offers_the_policy_s_reasons() -> None:
    assert (look(handoff(EMAIL)).approvers, look(handoff(EMAIL)).reasons) == ("", ())
    route = Route("v3/mail", 60, "deny", (), ("ana@example.com", "slack:S1"), (Reason("No\u202e", "Not now."),))
    shown = look(handoff(EMAIL, route=route))
    assert shown.approvers == "ana@example.com and one person or group by id"
    assert shown.reasons == (Reason("No⟦U+202E⟧", "Not now."),)


def test_a_card_that_cannot_be_rejected_now_offers_no_reason() -> None:
    route = Route("v3/mail", 60, "deny", (), (), (Reason("No", "No."),))
    assert look(handoff(EMAIL, route=route, state=State.HELD)).reasons == ()
    assert look(handoff(EMAIL, route=route, minutes=1)).reasons == ()
    assert look(replace(approved(), route=route)).reasons == ()


@pytest.mark.parametrize(
    "ask, sentence",
    [
        (EMAIL, "nothing is done."),
        ({**EMAIL, "reversible": True, "on_timeout": "approve"}, "it goes ahead: silence approves this."),
        (DRAFT, "what was done is to be undone."),
        ({**DRAFT, "on_timeout": "approve"}, "what was done stands."),
        (FLIGHT, "nothing is chosen and nothing is done."),
        (BUDGET, "the agent gets no answer."),
    ],
)
def test_every_ask_says_what_silence_means(ask: Json, sentence: str) -> None:
    parsed = wire.parse_ask(ask)
    assert silence(parsed, NOON, parsed.on_timeout) == f"If nobody answers by 22 Nov 2026, 12:00 UTC, {sentence}"


@pytest.mark.parametrize(
    "shown, told",
    [
        (approved(), "Mira approved this at 22 Nov 2026, 12:02 UTC, so your press changed nothing."),
        (
            decided(EMAIL, wire.Rejected, reason="no"),
            "Mira rejected this at 22 Nov 2026, 12:02 UTC, so your press changed nothing.",
        ),
        (
            decided(EMAIL, wire.Expired, by=SILENCE),
            "The time was up at 22 Nov 2026, 12:02 UTC, so your press changed nothing.",
        ),
        (
            decided(FLIGHT, wire.Chosen, digest="0" * 64, choice="tp571"),
            "Mira chose at 22 Nov 2026, 12:02 UTC, so your press changed nothing.",
        ),
        (
            approved(by=SILENCE),
            (
                "Nobody answered until 22 Nov 2026, 12:02 UTC, and for this silence means yes, "
                "so your press changed nothing."
            ),
        ),
    ],
)
def test_a_late_press_is_told_whose_decision_stands(shown: Handoff, told: str) -> None:
    assert shown.decision
    assert too_late(shown.decision) == told
