"""Forms in Slack: what nobody touched comes back as the very same value, and faults stand where they belong."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.slack import forms
from adapters.slack.cards import Cards
from adapters.slack.emoji import has_emoji
from adapters.slack.inputs import whole_text
from adapters.slack.modals import Modal, Modals
from adapters.slack.presses import sheet
from bot.cards import ABSENT, card, check, fields
from bot.errors import Fault, InvalidAnswer
from bot.handoff import Handoff
from tests.fakes.desk import BUDGET, DRAFT, EMAIL, NOON, handoff
from tests.fakes.slack.kit import at_first, check_view, complaint, filled

Json = dict[str, Any]
MODALS = Modals(Cards(None, console="https://andon.example"))

NASTY = st.text(st.sampled_from("ab \t\r\n\u200b\u202e⟦<&:\U0001f389"), max_size=30)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda each: abs(each) < 2**53 or abs(each) >= 1e21)
    | NASTY
    | st.builds(lambda text, times: text * times, NASTY, st.sampled_from([1, 200]))
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NASTY, inner, max_size=3), max_leaves=8
)
ARGS = st.dictionaries(st.text(st.sampled_from("ab. ⟦"), min_size=1, max_size=4), VALUE, max_size=6) | st.integers(
    38, 80
).map(lambda count: {f"a{index}": index for index in range(count)})
SCHEMAS: list[Json] = [
    {},
    {"properties": {"a": {"enum": ["x", 1, None, "", "x" * 90, "x" * 91]}, "b": {"type": ["string", "null"]}}},
    {"properties": {"a": {"type": "string", "format": "date"}, "b": {"type": "boolean"}}, "required": ["a", "b"]},
    {"properties": {"a": {"enum": list(range(150))}, "b": {"type": "array"}}},
]


def acting(schema: Json, **args: Any) -> Handoff:
    return handoff({**EMAIL, "action": {"tool": "do.it", "args": args, "schema": schema}})


def values(modal: Modal, **changes: Any) -> dict[str, Any]:
    """What Slack sends for a modal: every input, untouched unless it is named by its label."""
    check_view(modal.view, "modal")
    sent: dict[str, Any] = {}
    for block in modal.view["blocks"]:
        if block["type"] == "input":
            element, label = block["element"], block["label"]["text"]
            state = filled(element, changes[label]) if label in changes else at_first(element)
            assert not complaint(block, state), (label, state)
            sent[block["block_id"]] = {element["action_id"]: state}
    return sent


def trimmed(sent: dict[str, Any]) -> dict[str, Any]:
    """As a client might send it: texts trimmed, line ends as CR LF, and nothing for a text of blanks."""
    return {
        block: {
            name: {key: _trimmed(value) if key == "value" and value else value for key, value in state.items()}
            for name, state in states.items()
        }
        for block, states in sent.items()
    }


def _trimmed(text: str) -> str | None:
    return text.strip().replace("\r\n", "\n").replace("\n", "\r\n") or None


def edit(shown: Handoff) -> Modal:
    return MODALS.edit(shown, now=NOON, address="here")


def test_the_form_of_an_edit_begins_with_the_arguments() -> None:
    modal = edit(handoff(EMAIL))
    inputs = {block["label"]["text"]: block["element"] for block in modal.view["blocks"] if block["type"] == "input"}
    assert inputs["to"]["initial_value"] == "alice@x.com"
    assert inputs["body"]["multiline"]
    assert (inputs["priority"]["type"], inputs["priority"]["initial_value"]) == ("number_input", "2")
    assert inputs["track_opens"]["initial_option"]["text"]["text"] == "No"
    assert modal.view["submit"]["text"] == "Approve with changes"


@settings(max_examples=200)
@given(st.sampled_from(SCHEMAS), ARGS)
@example({}, {"body": "one\r\ntwo\r\n", "cc": None, "tags": [], "deep": {"x": {"y": 1.0}}, "note": " padded "})
@example({}, {"a": 1e300, "b": 1.0, "c": -0.0})
def test_a_form_that_nobody_touched_gives_the_very_same_arguments(schema: Json, args: Json) -> None:
    shown = acting(schema, **args)
    if not args:
        return
    modal = edit(shown)
    sent = values(modal)
    form = card(shown, now=NOON, full=True).form
    for given_ in (sent, trimmed(sent)):
        assert json.dumps(forms.arguments(shown, form, given_)) == json.dumps(args)


@pytest.mark.parametrize(
    "note", ["Ship it: 👍", "Status: ✅ for Bob", "Rating ⭐⭐⭐⭐⭐", "I ❤️ it", "Acme™ ©", "👩‍👩‍👧 x"]
)
def test_an_emoji_comes_back_as_it_was_and_an_edit_of_one_is_an_edit(note: str) -> None:
    """Slack sends emoji back as names, so no form has any: it has marks, which its hint explains."""
    shown = acting({}, note=note, n=1)
    form = card(shown, now=NOON, full=True).form
    modal = edit(shown)
    assert not has_emoji(str(values(modal)))
    assert shown.action
    assert forms.arguments(shown, form, values(modal)) == shown.action.args
    assert "stands for" in json.dumps(modal.view, ensure_ascii=False)
    changed = forms.arguments(shown, form, values(modal, note="Ship it: :-1:"))
    assert changed["note"] == "Ship it: :-1:"


def test_the_words_around_an_emoji_can_be_changed() -> None:
    shown = acting({}, note="Thanks 👍 Bob")
    form = card(shown, now=NOON, full=True).form
    sent = values(edit(shown), note="Thanks ⟦U+1F44D⟧ Alice ⟦U+2705⟧")
    assert forms.arguments(shown, form, sent)["note"] == "Thanks 👍 Alice ⟦U+2705⟧", "only what was there comes back"


def test_json_of_the_whole_value_has_no_emoji_either() -> None:
    assert not has_emoji(whole_text({"note": "👍"}))
    assert json.loads(whole_text({"note": "👍"})) == {"note": "👍"}


def test_a_change_is_read_with_its_type() -> None:
    shown = handoff(EMAIL)
    form = card(shown, now=NOON, full=True).form
    sent = values(
        edit(shown), to="bob@x.com", priority="3", track_opens="Yes", attachments="a.pdf\nb.pdf", cc="c@x.com"
    )
    made = forms.arguments(shown, form, sent)
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


def test_a_text_that_is_too_long_for_a_field_is_shown_and_keeps_its_value() -> None:
    long = "A line.\n" * 420
    shown = acting({}, n=1, body=long)
    modal = edit(shown)
    texts = json.dumps(modal.view)
    assert "too long to edit here" in texts
    assert "https://andon.example/handoffs/" in texts
    made = forms.arguments(shown, card(shown, now=NOON, full=True).form, values(modal, n="2"))
    assert made == {"n": 2, "body": long}


def test_more_fields_than_a_form_holds_are_edited_as_json() -> None:
    shown = acting({}, **{f"a{index}": index for index in range(60)})
    modal = edit(shown)
    assert sheet(modal.view).whole
    changed = {f"a{index}": index + 1 for index in range(60)}
    sent = values(modal, **{"All of it, as JSON": json.dumps(changed)})
    assert forms.arguments(shown, (), sent) == changed
    for wrong in ("{", "[1]", '{"a": 1, "a": 2}', '"x"'):
        with pytest.raises(InvalidAnswer):
            forms.arguments(shown, (), values(modal, **{"All of it, as JSON": wrong}))


def test_what_no_form_here_holds_is_edited_in_the_console() -> None:
    modal = edit(acting({}, **{f"a{index}": "x" * 100 for index in range(60)}))
    assert "submit" not in modal.view
    assert "https://andon.example/handoffs/" in json.dumps(modal.view)


def test_what_was_not_on_the_card_is_in_the_modal_of_an_edit() -> None:
    modal = edit(acting({}, to="a@x.com", body="word " * 2_000 + "LAST"))
    assert "LAST" in json.dumps(modal.view)
    known = sheet(modal.view)
    assert known.full
    assert forms.has_read(known, values(modal))


def test_what_was_in_a_file_counts_when_the_box_is_ticked() -> None:
    modal = MODALS.read(acting({}, to="a@x.com", body="\u2028" * 15_000), now=NOON, address="here")
    assert modal.file
    (block,) = [block for block in modal.view["blocks"] if block["type"] == "input"]
    option = block["element"]["options"][0]
    ticked = {block["block_id"]: {"andon:field": {"type": "checkboxes", "selected_options": [option]}}}
    empty = {block["block_id"]: {"andon:field": {"type": "checkboxes", "selected_options": []}}}
    known = sheet(modal.view)
    assert (forms.has_read(known, ticked), forms.has_read(known, empty), forms.has_read(known, {})) == (
        True,
        False,
        False,
    )


def test_a_remark_and_the_box_for_another_person() -> None:
    modal = edit(handoff(EMAIL))
    assert forms.remark(values(modal)) is None
    assert not forms.is_for_another(values(modal))
    sent = values(modal, **{"Why?": "  wrong Bob ", "Who approves?": ["Save it for another person to approve"]})
    assert forms.remark(sent) == "wrong Bob"
    assert forms.is_for_another(sent)


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


def test_an_answer_has_the_types_of_its_schema() -> None:
    modal = MODALS.answer(handoff({**BUDGET, "answer_schema": ANSWER}), now=NOON, address="here")
    sent = values(modal, amount="12.5", sure="Yes", size="M", day="2026-12-01")
    assert forms.reply(ANSWER, sent) == {"amount": 12.5, "sure": True, "size": "M", "day": "2026-12-01"}
    assert forms.reply(ANSWER, values(modal, amount="1", sure="No")) == {"amount": 1, "sure": False}


def test_what_an_answer_needs_begins_with_nothing_chosen() -> None:
    modal = MODALS.answer(handoff({**BUDGET, "answer_schema": ANSWER}), now=NOON, address="here")
    needed = {block["label"]["text"]: block["optional"] for block in modal.view["blocks"] if block["type"] == "input"}
    assert needed == {"amount": False, "sure": False, "size": True, "day": True}
    with pytest.raises(AssertionError, match="complete this required field"):
        values(modal)


def test_a_free_answer_is_a_text() -> None:
    ask = {key: value for key, value in BUDGET.items() if key != "answer_schema"}
    shown = handoff(ask)
    modal = MODALS.answer(shown, now=NOON, address="here")
    sent = values(modal, **{"Your answer": "About\n€ 100"})
    assert forms.reply({"type": "string", "minLength": 1}, sent) == "About\n€ 100"


def test_an_answer_of_many_parts_is_json() -> None:
    schema: Json = {"type": "object", "properties": {f"f{index}": {"type": "string"} for index in range(60)}}
    modal = MODALS.answer(handoff({**BUDGET, "answer_schema": schema}), now=NOON, address="here")
    assert forms.reply(schema, values(modal, **{"All of it, as JSON": '{"f1": "x"}'})) == {"f1": "x"}
    assert forms.reply(schema, values(modal, **{"All of it, as JSON": "[]"})) == []


def test_faults_stand_at_their_fields_and_the_others_at_the_first() -> None:
    shown = handoff(EMAIL)
    view = card(shown, now=NOON, full=True)
    sent = values(edit(shown), to="nobody", priority="9")
    action = shown.action
    assert action
    made = forms.arguments(shown, view.form, sent)
    faults = [Fault(f"args.{each.field}", each.detail) for each in check(action.schema_, made)]
    told = forms.errors(view, [*faults, Fault("", "something else " * 30), Fault("unheard.of", "no")], sent)
    labels = {block["block_id"]: block["label"]["text"] for block in edit(shown).view["blocks"] if "label" in block}
    assert {labels[block] for block in told} == {"to", "priority"}
    assert all(len(text) <= 150 for text in told.values())
    assert forms.errors(view, [Fault("to", "no")], {}) == {}


def test_a_fault_of_a_field_that_the_modal_does_not_have_names_it() -> None:
    shown = acting({}, n=1, body="x" * 3_500)
    view = card(shown, now=NOON, full=True)
    sent = values(edit(shown))
    (told,) = forms.errors(view, [Fault("args.body", "is too long")], sent).values()
    assert told == "body: is too long"


def test_a_wrong_entry_is_a_fault_of_its_field() -> None:
    shown = acting({}, n=1.5, deep={"a": {"b": {"c": [1]}}})
    view = card(shown, now=NOON, full=True)
    sent = values(edit(shown))
    form = view.form
    for block, states in sent.items():
        if block.startswith("andon:in:field-1"):
            states["andon:field"]["value"] = "{"
    with pytest.raises(InvalidAnswer) as found:
        forms.arguments(shown, form, sent)
    assert len(forms.errors(view, found.value.faults, sent)) == 1


def test_values_of_other_blocks_are_not_taken_for_fields() -> None:
    form = fields({"properties": {"a": {"type": "string"}}}, ABSENT)
    state = {"x": {"type": "plain_text_input", "value": "v"}}
    for name in ("field-7", "field--1", "field-x", "other"):
        assert forms.submitted(form, {f"andon:in:{name}:hf_1": state, "field-0": state}) == {}
    assert forms.submitted(form, {"andon:in:field-0:hf_1": state}) == {"a": ["v"]}


def test_nothing_to_edit_is_said() -> None:
    shown = handoff({key: value for key, value in DRAFT.items() if key != "action"})
    with pytest.raises(InvalidAnswer, match="nothing to edit"):
        forms.arguments(shown, (), {})
