"""Forms in Teams: what nobody touched comes back as the very same value, and faults stand where they belong."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.teams import reading
from adapters.teams.cards import Cards, For
from adapters.teams.carried import Pressed, carried, pressed
from adapters.teams.forms import whole_text
from adapters.teams.sheets import Sheets
from bot.cards import card, check
from bot.errors import Fault, InvalidAnswer
from bot.handoff import Handoff, Route
from tests.fakes.desk import BUDGET, DRAFT, EMAIL, NOON, handoff
from tests.fakes.teams.cards import actions, filled, input_named, inputs
from tests.golden.test_slack_cards import WIDE
from tests.unit.test_slack_forms import ARGS, SCHEMAS, acting

Json = dict[str, Any]
CARDS = Cards(None, console="https://andon.example")
SHEETS = Sheets(CARDS)


def edit(shown: Handoff, *, last: bool = True) -> Json:
    """The dialog of an edit, at its last page, where its form is."""
    first = SHEETS.edit(shown, now=NOON)
    return SHEETS.edit(shown, now=NOON, page=first.pages - 1).card if last else first.card


def sent(made: Json, do: str, typed: dict[str, str] | None = None, *, sends_empty: bool = False) -> Pressed:
    """What Teams sends for a press: every input that is not empty, untouched unless it is named by its label."""
    given = {input_named(made, name)["id"]: text for name, text in (typed or {}).items()}
    action = next(each for each in actions(made) if each.source.get("data", {}).get("andon", {}).get("do") == do)
    data, complaints = filled(action, given)
    assert not complaints
    kept = {name: value for name, value in data.items() if sends_empty or value != ""}
    if sends_empty:
        kept |= {each["id"]: "" for each in inputs(made) if each["id"] not in kept}
    return pressed(json.loads(json.dumps(kept)))


def trimmed(press: Pressed) -> Pressed:
    """As a client might send it: texts trimmed, line ends as CR LF, and nothing for a text of blanks."""
    changed = {name: text.strip().replace("\r\n", "\n").replace("\n", "\r\n") for name, text in press.inputs.items()}
    return Pressed(
        press.do, press.handoff, press.revision, press.digest, full=press.full, whole=press.whole,
        inputs={name: text for name, text in changed.items() if text},
    )  # fmt: skip


def arguments(shown: Handoff, press: Pressed) -> Json:
    return reading.arguments(shown, card(shown, now=NOON, full=True).form, press)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SCHEMAS), ARGS)
@example({}, {"body": "one\r\ntwo\r\n", "cc": None, "tags": [], "deep": {"x": {"y": 1.0}}, "note": " padded "})
@example({}, {"a": 1e300, "b": 1.0, "c": -0.0})
def test_a_form_that_nobody_touched_gives_the_very_same_arguments(schema: Json, args: Json) -> None:
    shown = acting(schema, **args)
    if not args:
        return
    made = edit(shown)
    for press in (sent(made, "edit"), sent(made, "edit", sends_empty=True), trimmed(sent(made, "edit"))):
        assert press.full
        assert json.dumps(arguments(shown, press)) == json.dumps(args)


def test_a_small_form_is_on_the_card_and_gives_the_same_arguments() -> None:
    shown = handoff(EMAIL)
    made = CARDS.message(shown, now=NOON).card
    assert {f"field-{index}" for index in range(7)} <= {each["id"] for each in inputs(made)}
    assert shown.action
    assert arguments(shown, sent(made, "edit")) == shown.action.args


def test_the_form_of_an_edit_has_an_input_for_each_type() -> None:
    shown = handoff({**BUDGET, "answer_schema": WIDE})
    made = SHEETS.answer(shown, now=NOON).card
    kinds = {each["label"].removesuffix(" (required)"): each for each in inputs(made)}
    assert {name: each["type"].removeprefix("Input.") for name, each in kinds.items()} == {
        "name": "Text", "essay": "Text", "count": "Number", "ratio": "Number", "sure": "ChoiceSet", "size": "ChoiceSet",
        "day": "Date", "at": "Text", "tags": "Text", "deep": "Text",
    }  # fmt: skip
    assert kinds["essay"]["isMultiline"]
    assert not kinds["name"]["isMultiline"]
    assert kinds["sure"]["style"] == "expanded"
    assert not [each for each in inputs(made) if each.get("isRequired") or "regex" in each or "min" in each]


def test_a_change_is_read_with_its_type() -> None:
    shown = handoff(EMAIL)
    menu = input_named(edit(shown), "track_opens")
    yes = next(each["value"] for each in menu["choices"] if each["title"] == "Yes")
    press = sent(
        edit(shown),
        "edit",
        {
            "to (required)": "bob@x.com",
            "priority": "3",
            "track_opens": yes,
            "attachments": "a.pdf\nb.pdf",
            "cc": "c@x.com",
        },
    )
    made = arguments(shown, press)
    assert shown.action
    assert made == {
        **shown.action.args,
        "to": "bob@x.com",
        "priority": 3,
        "track_opens": True,
        "attachments": ["a.pdf", "b.pdf"],
        "cc": "c@x.com",
    }
    assert list(made) == list(shown.action.args)


def test_what_was_emptied_is_emptied_although_clients_leave_it_out() -> None:
    shown = acting({"properties": {"note": {"type": ["string", "null"]}, "n": {"type": "integer"}}}, note="x", n=1)
    assert arguments(shown, sent(edit(shown), "edit", {"note": ""})) == {"note": None, "n": 1}
    assert arguments(shown, sent(edit(shown), "edit", {"note": ""}, sends_empty=True)) == {"note": None, "n": 1}


def test_a_form_of_which_nothing_arrives_empties_nothing() -> None:
    shown = handoff(EMAIL)
    with pytest.raises(InvalidAnswer, match="Nothing of the form arrived"):
        arguments(shown, pressed(carried(shown, "edit")))


def test_a_text_that_is_too_long_for_a_field_is_shown_and_keeps_its_value() -> None:
    long = "A line.\n" * 1_100
    shown = acting({}, n=1, body=long)
    made = edit(shown)
    assert "too long to edit here" in json.dumps(made)
    assert "https://andon.example/handoffs/" in json.dumps(made)
    assert arguments(shown, sent(made, "edit", {"n": "2"})) == {"n": 2, "body": long}


def test_more_fields_than_a_form_holds_are_edited_as_json() -> None:
    shown = acting({}, **{f"a{index}": index for index in range(60)})
    changed = {f"a{index}": index + 1 for index in range(60)}
    press = sent(edit(shown), "edit", {"All of it, as JSON": json.dumps(changed)})
    assert press.whole
    assert arguments(shown, press) == changed
    for wrong in ("{", "[1]", '{"a": 1, "a": 2}', '"x"'):
        with pytest.raises(InvalidAnswer):
            arguments(shown, sent(edit(shown), "edit", {"All of it, as JSON": wrong}))


def test_json_of_the_whole_value_hides_nothing() -> None:
    assert "\u202e" not in whole_text({"note": "\u202e"})
    assert json.loads(whole_text({"note": "\u202e"})) == {"note": "\u202e"}


def test_what_no_form_here_holds_is_edited_in_the_console() -> None:
    shown = acting({}, **{f"a{index}": "x" * 900 for index in range(60)})
    made = edit(shown)
    assert not inputs(made)
    assert "https://andon.example/handoffs/" in json.dumps(made)


def test_what_was_not_on_the_card_is_before_the_form_of_an_edit() -> None:
    shown = acting({}, to="a@x.com", body="word " * 3_000 + "LAST")
    first = SHEETS.edit(shown, now=NOON)
    assert first.pages > 1
    assert not inputs(first.card)
    whole = "".join(json.dumps(SHEETS.edit(shown, now=NOON, page=page).card) for page in range(first.pages))
    assert "LAST" in whole


def test_a_remark_a_number_and_the_button_for_another_person() -> None:
    shown = handoff(EMAIL, route=Route("v1", 60, "deny", (), step_up="number"))
    made = edit(shown)
    press = sent(made, "edit", {"Why? (optional)": "  wrong Bob ", "Type the number of this card": "42"})
    assert (reading.remark(press), reading.code(press), press.save) == ("wrong Bob", "42", False)
    assert reading.remark(sent(made, "edit")) is None
    saves = [each.source["data"] for each in actions(made) if each.title == "Save for another to approve"]
    assert pressed(saves[0]).save


def test_a_reason_for_a_no_is_not_taken_for_that_of_an_edit() -> None:
    made = CARDS.message(handoff(EMAIL), now=NOON).card
    typed = {"reason": "too early", "edit-reason": "wrong Bob"}
    for do, text in (("reject", "too early"), ("edit", "wrong Bob")):
        action = next(each for each in actions(made) if each.source.get("verb") == do)
        data, _ = filled(action, typed)
        assert reading.remark(pressed(data)) == text


def test_somebody_is_picked_or_named_by_an_address() -> None:
    made = CARDS.message(handoff(EMAIL), now=NOON).card
    picked = sent(made, "ask-else", {"Whom?": "0b1c", "What should they know? (optional)": " soon "})
    assert (reading.somebody(picked, "t1"), reading.note(picked)) == ("teams:t1/0b1c", "soon")
    typed = sent(made, "ask-else", {"Or their e-mail address": " bob@example.com"})
    assert reading.somebody(typed, "t1") == "bob@example.com"
    assert reading.somebody(sent(made, "ask-else"), "t1") is None
    asked = sent(made, "ask-agent", {"What do you want to know?": " Which budget? "})
    assert reading.question(asked) == "Which budget?"


ANSWER: Json = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0},
        "sure": {"type": "boolean"},
        "size": {"enum": ["S", "M", None]},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["amount", "sure"],
}


def test_an_answer_has_the_types_of_its_schema_wherever_its_form_is() -> None:
    shown = handoff({**BUDGET, "answer_schema": ANSWER})
    for made in (CARDS.message(shown, now=NOON).card, SHEETS.answer(shown, now=NOON).card):
        menu = {name: input_named(made, name)["choices"] for name in ("sure (required)", "size")}
        yes = next(each["value"] for each in menu["sure (required)"] if each["title"] == "Yes")
        medium = next(each["value"] for each in menu["size"] if each["title"] == "M")
        typed = {"amount (required)": "12.5", "sure (required)": yes, "size": medium, "day": "2026-12-01"}
        press = sent(made, "answer", typed)
        assert reading.reply(ANSWER, press) == {"amount": 12.5, "sure": True, "size": "M", "day": "2026-12-01"}
        press = sent(made, "answer", {"amount (required)": "1"})
        assert reading.reply(ANSWER, press) == {"amount": 1}, "what is required is for the schema to say"


def test_a_free_answer_is_a_text() -> None:
    shown = handoff({key: value for key, value in BUDGET.items() if key != "answer_schema"})
    made = CARDS.message(shown, now=NOON).card
    (label,) = [each["label"] for each in inputs(made) if each["id"] == "field-0"]
    press = sent(made, "answer", {label: "About\n€ 100"})
    assert reading.reply({"type": "string", "minLength": 1}, press) == "About\n€ 100"


def test_an_answer_of_many_parts_is_json() -> None:
    schema: Json = {"type": "object", "properties": {f"f{index}": {"type": "string"} for index in range(60)}}
    made = SHEETS.answer(handoff({**BUDGET, "answer_schema": schema}), now=NOON).card
    assert reading.reply(schema, sent(made, "answer", {"All of it, as JSON": '{"f1": "x"}'})) == {"f1": "x"}


def test_faults_stand_at_their_fields_and_all_that_was_typed_is_there_still() -> None:
    shown = handoff(EMAIL)
    view = card(shown, now=NOON, full=True)
    press = sent(edit(shown), "edit", {"to (required)": "nobody", "priority": "9"})
    assert shown.action
    faults = [Fault(f"args.{each.field}", each.detail) for each in check(shown.action.schema_, arguments(shown, press))]
    told = reading.filled(view, press, [*faults, Fault("", "something else " * 50), Fault("unheard.of", "no")])
    assert set(told.errors) == {"field-0", "field-5", ""}
    assert all(len(text) <= 300 for text in told.errors.values())
    for made in (
        SHEETS.edit(shown, now=NOON, filled=told).card,
        CARDS.message(shown, now=NOON, whom=For(filled=told)).card,
    ):
        assert input_named(made, "to (required)")["value"] == "nobody"
        assert input_named(made, "priority")["value"] == 9
        whole = json.dumps(made, ensure_ascii=False)
        assert all(text.partition("\n")[0][:60] in whole for text in told.errors.values())
        again = sent(made, "edit")
        assert again.inputs["field-0"] == "nobody"


def test_a_fault_of_what_is_beside_the_form_stands_there() -> None:
    view = card(handoff(EMAIL, route=Route("v1", 60, "deny", (), step_up="number")), now=NOON, full=True)
    edited = reading.filled(view, Pressed("edit"), [Fault("code", "is not the card's"), Fault("reason", "is too long")])
    assert edited.errors == {"code": "is not the card's", "edit-reason": "is too long"}
    asked = reading.filled(view, Pressed("ask-else"), [Fault("to", "Pick somebody, or type their address.")])
    assert asked.errors == {"address": "Pick somebody, or type their address."}
    whole = reading.filled(view, Pressed("edit", whole=True), [Fault("args.to", "is required")])
    assert whole.errors == {"whole": "to: is required"}


def test_a_fault_of_a_field_that_no_form_here_has_names_it() -> None:
    shown = acting({}, n=1, body="x" * 9_000)
    view = card(shown, now=NOON, full=True)
    told = reading.filled(view, sent(edit(shown), "edit"), [Fault("args.body", "is too long")])
    assert told.errors == {"": "body: is too long"}


def test_what_was_typed_into_one_form_is_not_in_another() -> None:
    told = reading.filled(card(handoff(EMAIL), now=NOON), Pressed("reject", inputs={"reason": "x"}), [Fault("", "no")])
    made = CARDS.message(handoff(EMAIL), now=NOON, whom=For(filled=told)).card
    shown = {each["id"]: each["isVisible"] for each in made["body"] if str(each.get("id")).startswith("form-")}
    assert [name for name, is_open in shown.items() if is_open] == ["form-reject"]
    assert input_named(made, "to (required)")["value"] == "alice@x.com"


def test_nothing_to_edit_is_said() -> None:
    shown = handoff({key: value for key, value in DRAFT.items() if key != "action"})
    with pytest.raises(InvalidAnswer, match="nothing to edit"):
        reading.arguments(shown, (), Pressed("edit"))


def test_a_candidate_is_read_from_the_menu_or_from_the_button() -> None:
    assert reading.candidate(Pressed("look", inputs={"choice": "2"})) == 2
    assert reading.candidate(Pressed("choose", index=1)) == 1
    for odd in ("", "x", "-1", "٣", "9" * 9):
        assert reading.candidate(Pressed("look", inputs={"choice": odd})) is None
