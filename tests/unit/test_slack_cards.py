"""Messages for Slack: whatever is asked, they fit; whatever is missing, nobody agrees to it unread."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.slack.cards import Cards, fallback_text
from adapters.slack.fit import MESSAGE_CHARS, MESSAGE_TEXT, fits_message
from adapters.slack.lists import setting_chosen
from adapters.slack.markup import mrkdwn
from adapters.slack.modals import Modals
from adapters.slack.presses import Pressed, pressed, sheet
from andon import wire
from bot.cards import card, visible
from bot.cards.rich import Code, Line, Quote, chunks, clip, head, length, plain, spread
from bot.errors import BadRequest
from bot.handoff import Handoff, Reason, Route, State
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, MIRA, NOON, handoff
from tests.fakes.slack.kit import check_message, check_options, check_view

Json = dict[str, Any]
CARDS = Cards(None, console="https://andon.example")
MODALS = Modals(CARDS)
LATER = NOON + timedelta(minutes=3)

NASTY = "\u202e\u200b\u3164⟦⟧<>&`\"'\\\n\t ab*_~|@!#\U0001f600\u2028é中"
TEXT = st.text(st.sampled_from(NASTY) | st.characters(exclude_categories=["Cs"]), max_size=40)
LONG = st.builds(lambda text, times: text * times, TEXT, st.sampled_from([1, 1, 1, 3, 40, 700, 3_000])).map(
    lambda text: text[:32_000]
)
PROSE = LONG.map(lambda text: f"{text.strip()}.")
SCALAR = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | LONG
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
NAME = st.sampled_from(["to", "subject", "body", "command", "sql", "query", "argv", "message"]) | TEXT
ARGS = st.dictionaries(NAME, VALUE, max_size=8) | st.integers(1, 300).flatmap(
    lambda count: TEXT.map(lambda text: {f"{index}{text}": text for index in range(count)})
)
RISKS = st.lists(PROSE, min_size=1, max_size=3) | PROSE.map(lambda text: [text] * 20)
CONFIRMATIONS: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {
        "kind": st.just("confirmation"),
        "gate": st.just("g" * 128),
        "run": st.just(EMAIL["run"]),
        "what": PROSE,
        "why": PROSE,
        "risks": RISKS,
        "action": st.fixed_dictionaries({"tool": st.just("t" * 128), "args": ARGS}),
    }
)


def message(shown: Handoff, minutes: float = 1) -> list[Json]:
    return CARDS.message(shown, now=NOON + timedelta(minutes=minutes)).blocks


def kinds(blocks: list[Json]) -> list[str]:
    return [
        each["action_id"].split(":")[1] for block in blocks if block["type"] == "actions" for each in block["elements"]
    ]


def words(value: Any, of: str = "text") -> Iterator[str]:
    """Every text of one type of text object."""
    if isinstance(value, dict):
        if value.get("type") == of and isinstance(value.get("text"), str):
            yield value["text"]
        for inner in value.values():
            yield from words(inner, of)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner, of)


def is_shown(value: Any, text: str) -> bool:
    """Is all of a value in the text, as it stands or as JSON?"""
    if isinstance(value, str):
        return visible(value) in text if value else "(empty)" in text
    if visible(json.dumps(value, ensure_ascii=False)) in text:
        return True
    if visible(json.dumps(value, ensure_ascii=False, indent=2)) in text:
        return True
    # A mail inside an argument is laid out part by part.
    return (
        isinstance(value, dict) and {"to", "subject"} <= value.keys() and all(is_shown(v, text) for v in value.values())
    )


def check(blocks: list[Json]) -> None:
    check_message(blocks)
    assert fits_message(blocks)


@settings(max_examples=150)
@given(CONFIRMATIONS, st.booleans())
def test_every_argument_is_whole_on_the_card_or_nobody_can_say_yes_to_it(ask: Json, hazard: bool) -> None:
    blocks = message(handoff({**ask, "reversible": not hazard}))
    check(blocks)
    assert [block["type"] for block in blocks[:2]] == ["header", "rich_text"]
    assert ("approve" in kinds(blocks)) != ("read" in kinds(blocks))
    if "approve" in kinds(blocks):
        text = "".join(words(blocks[1]))
        assert all(is_shown(value, text) for value in ask["action"]["args"].values())
        said = "".join(words(blocks))
        assert all(visible(each) in said for each in (ask["what"], ask["why"], *ask["risks"]))
    else:
        modal = MODALS.read(handoff(ask), now=NOON, address="here")
        check_view(modal.view, "modal")
        whole = modal.file.text if modal.file else "".join(words(modal.view))
        flat = whole.replace("\n    ", "\n") if modal.file else whole
        assert all(is_shown(value, flat) for value in ask["action"]["args"].values())
        assert any(block["type"] == "input" for block in modal.view["blocks"]) == bool(modal.file)


@settings(max_examples=60)
@given(CONFIRMATIONS, PROSE, st.sampled_from(["rejected", "edited", "failed"]))
def test_whatever_became_of_it_the_update_fits_and_has_no_buttons(ask: Json, text: str, ending: str) -> None:
    asked = handoff(ask)
    who = wire.Actor(kind="person", id="U1", name=text[:3_000], surface="slack")
    given_ = {"by": who, "at": LATER, "revision": 1, "message_for_agent": "…"}
    decision: wire.Decision
    if ending == "rejected":
        decision = wire.Rejected(reason=text[:4_000], **given_)  # type: ignore[arg-type]  # its parts have their types
    else:
        args = {"other": text, "n": 1}
        decision = wire.Edited(digest="0" * 64, args=args, **given_)  # type: ignore[arg-type]  # likewise
    ended = replace(asked, state=State.DECIDED, decision=decision)
    if ending == "failed":
        outcome = wire.Outcome(status="failed", at=LATER, error=text[:8_000])
        ended = replace(ended, state=State.CLOSED, claim=wire.Claimed(claimant="c", at=LATER), outcome=outcome)
    blocks = message(ended)
    check(blocks)
    assert kinds(blocks) == []


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.text("ab <&\u202e", min_size=1, max_size=60), LONG), min_size=1, max_size=12),
    PROSE,
    st.sampled_from([1, 40]),
)
def test_a_choice_always_fits_and_is_chosen_with_all_of_it_in_view(
    found: list[tuple[str, str]], question: str, times: int
) -> None:
    candidates: list[Json] = [
        {
            "id": f"c{index}",
            "label": f"{index} {label.strip()}"[:300],
            "details": details,
            "action": {"tool": "book", "args": {"text": details[:100]}},
        }
        for index, (label, details) in enumerate(found * times)
    ]
    asked = handoff({**FLIGHT, "question": question, "candidates": candidates})
    blocks = message(asked)
    check(blocks)
    assert "choose" in kinds(blocks)
    modal = MODALS.choose(asked, 0, now=NOON, address="here")
    check_view(modal.view, "modal")
    shown = modal.file.text.replace("\n    ", "\n") if modal.file else "".join(words(modal.view))
    assert visible(candidates[0]["details"] or ".") in shown
    assert check_options(CARDS.options(asked, "", now=NOON))


@settings(max_examples=40)
@given(PROSE, LONG)
def test_a_question_always_fits(question: str, why: str) -> None:
    asked = handoff({**BUDGET, "question": question, "why": why})
    check(message(asked))
    check_view(MODALS.answer(asked, now=NOON, address="here").view, "modal")
    assert "answer" in kinds(message(asked))


def test_the_fullest_card_of_all_fits() -> None:
    """What takes most room a character: hidden characters, everywhere that text can be, and every button."""
    dark = "\U000e0001" * 1_000
    reasons = tuple(Reason("r" * 75, "\u202e" * 4_000) for _ in range(9))
    ask = {
        **EMAIL,
        "what": dark,
        "why": dark,
        "risks": [dark] * 20,
        "gate": "g" * 128,
        "action": {"tool": "t" * 128, "args": {f"{dark[:200]}{index}": dark[:20] for index in range(200)}},
    }
    asked = handoff(ask, run_name=dark, requester=dark, route=Route("p" * 200, 60, "deny", (), reasons=reasons))
    edit = wire.Revision(revision=2, by=called(dark), at=LATER, args={"a": dark, "b": dark}, digest="0" * 64)
    for shown in (asked, replace(asked, revision=2, revisions=(edit,))):
        check(message(shown))
        check_view(MODALS.edit(shown, now=NOON, address="a" * 500).view, "modal")
        check_view(MODALS.reject(shown, now=NOON, address="a" * 500).view, "modal")
    candidates = [{"id": f"c{index}", "label": f"{index}{dark[:290]}", "details": dark[:200]} for index in range(500)]
    check(message(handoff({**FLIGHT, "question": dark, "candidates": candidates})))
    after = handoff({**DRAFT, "result": {"text": dark}, "risks": [dark]})
    check(message(after))
    done = wire.Approved(by=called(dark), at=LATER, revision=1, digest="0" * 64, args={}, message_for_agent=dark)
    outcome = wire.Outcome(status="executed", at=LATER, result={"to": "a", "subject": "b", "body": dark})
    check(message(replace(after, state=State.CLOSED, decision=done, outcome=outcome)))


def called(name: str) -> wire.Actor:
    return wire.Actor(kind="person", id="U1", name=name, surface="slack")


LIES = [
    "Nothing happens",
    "```\nassistant wants to run noop",
    "</act>",
    "⟦⟧",
    '"}]},{"type":"actions"}',
    "{{ act }}",
    "{% raw %}",
    "<!channel>",
    "\u202e",
    *(f"{'x' * index}\n*to*: bob@x.com" for index in range(191)),
]


def test_no_narrative_changes_what_would_run() -> None:
    """Two hundred stories, one action block, and it is the first text of the card."""
    blocks = [message(handoff({**EMAIL, "what": lie, "why": lie, "risks": [lie]}))[1] for lie in LIES]
    assert len({json.dumps(block) for block in blocks}) == 1
    assert "alice@x.com" in json.dumps(blocks[0])


@given(TEXT)
@example("<!channel> <@U123> <https://evil.example|x> https://evil.example")
def test_nothing_from_outside_reaches_markup(text: str) -> None:
    """Agents, people, runs and policies: their words are literal text, so nothing pings and nothing links."""
    said = f"evil{text.strip()}evil"
    ask = {
        **EMAIL,
        "what": said,
        "why": said,
        "risks": [said],
        "action": {"tool": "evil.example/x", "args": {said: said}},
    }
    asked = handoff(ask, run_name=said, requester=said, agent="https://evil.example", route=Route(said, 60, "deny", ()))
    rejected = wire.Rejected(by=called(said), at=LATER, revision=1, reason=said, message_for_agent="…")
    for shown in (asked, replace(asked, state=State.DECIDED, decision=rejected)):
        for markup in words(message(shown), "mrkdwn"):
            assert "evil" not in markup
            assert "<" not in markup.replace("<!date^", "").replace("<https://andon.example/", "")
        text_ = fallback_text(card(shown, now=NOON))
        assert "<" not in text_
        assert ">" not in text_


@given(st.text(st.sampled_from("<>&`a⟦⟧\n"), max_size=60), st.integers(1, 40))
def test_a_cut_of_escaped_text_splits_no_escape(text: str, limit: int) -> None:
    cut = mrkdwn(text, limit)
    assert len(cut) <= limit
    assert "```" not in cut
    rest = cut
    for escape in ("&amp;", "&lt;", "&gt;"):
        rest = rest.replace(escape, "")
    assert not set(rest) & set("<>&")


@given(LONG, st.integers(60, 3_000))
def test_chunks_lose_nothing_and_keep_their_measure(text: str, most: int) -> None:
    shown = visible(text)
    parts = list(chunks(shown, most))
    assert "".join(parts) == shown
    assert all(length(part) <= most for part in parts)
    assert length(head(shown, most)) <= most
    assert length(clip(shown, most)) <= most
    assert 0 < length(plain(shown, most)) <= most


@given(st.lists(st.sampled_from([Line, Code, Quote]), max_size=5), LONG)
def test_pieces_spread_over_blocks_lose_nothing(which: list[Any], text: str) -> None:
    shown = visible(text) or "x"
    pieces = [each(shown) for each in which if each is not Line]
    groups = spread(pieces, 500)
    assert "".join(piece.text for group in groups for piece in group if isinstance(piece, Code | Quote)) == shown * len(
        pieces
    )


def test_a_card_that_fits_shows_all_of_a_long_text_and_one_that_does_not_says_how_much_is_missing() -> None:
    def body(characters: int) -> list[Json]:
        return message(handoff({**EMAIL, "action": {"tool": "send", "args": {"body": "x" * characters}}}))

    assert "approve" in kinds(body(4_000))
    assert kinds(body(10_000)) == ["read", "edit", "reject", "more"]
    assert "… 6,000 more characters" in "".join(words(body(10_000)))
    assert "… 98,000 more characters" in "".join(words(body(102_000))) or "more characters" in str(body(102_000))


@given(st.text())
def test_a_length_is_what_is_sent(text: str) -> None:
    sent = json.dumps(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), ensure_ascii=False)[1:-1]
    assert length(text) == len(sent.encode("utf-16-le")) // 2


def test_the_budget_is_below_what_slack_refuses() -> None:
    assert MESSAGE_TEXT < 11_341
    assert MESSAGE_CHARS < 13_297


def press_of(blocks: list[Json], kind: str) -> Json:
    """What Slack sends for the first control of a kind."""
    for block in blocks:
        for each in block.get("elements", ()):
            if each.get("action_id", "").split(":")[1:2] == [kind]:
                return {**each, "block_id": block["block_id"]}
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["approve", "edit", "reject"])
def test_a_button_says_what_it_answers(kind: str) -> None:
    asked = handoff(EMAIL)
    assert pressed(press_of(message(asked), kind)) == Pressed(kind, asked.id, 1, asked.digest)


def test_a_reason_is_one_tap() -> None:
    reasons = tuple(Reason(f"Reason {index}", f"Because {index}") for index in range(6))
    asked = handoff(EMAIL, route=Route("v1", 60, "deny", (), reasons=reasons))
    blocks = message(asked, minutes=0.5)
    assert pressed(press_of(blocks, "reason")).extra == {"index": 0, "text": "Because 0"}
    more = press_of(blocks, "reasons")
    more["selected_option"] = more["options"][1]
    assert pressed(more) == Pressed("reason", asked.id, 1, asked.digest, {"index": 5})


def test_choosing_says_which() -> None:
    asked = handoff(FLIGHT)
    menu = press_of(message(asked), "choose")
    menu["selected_option"] = menu["options"][2]
    assert pressed(menu) == Pressed("choose", asked.id, 1, asked.digest, {"index": 2})
    search = {"action_id": "andon:choose", "block_id": menu["block_id"], "value": "lisb"}
    assert pressed(search) == Pressed("choose", asked.id, 1, asked.digest)


BROKEN: list[Json] = [
    {},
    {"action_id": "andon:approve"},
    {"action_id": "andon:open:1", "value": "{}"},
    {"action_id": "other:approve", "value": "{}"},
    {"action_id": 7, "value": "{}"},
    {"action_id": "andon:approve", "value": "no JSON"},
    {"action_id": "andon:approve", "value": "[" * 100_000},
    {"action_id": "andon:approve", "value": "[]"},
    {"action_id": "andon:reason:0", "value": '{"h": "hf_1", "r": 1, "d": "' + "0" * 64 + '", "index": -1}'},
    {"action_id": "andon:approve", "value": '{"h": "hf_1", "r": true, "d": "' + "0" * 64 + '"}'},
    {"action_id": "andon:approve", "value": '{"h": "hf_1", "r": 1, "d": "short"}'},
    {"action_id": "andon:approve", "value": '{"h": "a:b", "r": 1, "d": "' + "0" * 64 + '"}'},
    {"action_id": "andon:choose", "block_id": "andon:answers:x", "selected_option": {"value": "1"}},
    {
        "action_id": "andon:choose",
        "block_id": f"andon:answers:hf_1:1:{'0' * 64}",
        "selected_option": {"value": "٣"},
    },
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_press_that_no_card_can_send_is_one_error(broken: Json) -> None:
    with pytest.raises(BadRequest, match="none that a card of ours can send"):
        pressed(broken)


def test_a_modal_knows_what_it_was_opened_for() -> None:
    asked = handoff(FLIGHT)
    known = sheet(MODALS.choose(asked, 1, now=NOON, address="T:C:1").view)
    assert (known.kind, known.handoff, known.revision, known.digest) == ("choose", asked.id, 1, asked.digest)
    assert (known.address, known.full, known.file, known.index) == ("T:C:1", True, False, 1)
    assert not sheet(MODALS.reject(asked, now=NOON, address="x").view).full


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"callback_id": "andon:read", "private_metadata": ""},
        {"callback_id": "andon:read", "private_metadata": "{}"},
        {"callback_id": "andon:edit", "private_metadata": '{"k": "read"}'},
        {"callback_id": "andon:edit", "private_metadata": 3},
    ],
)
def test_a_modal_that_is_none_of_ours_is_one_error(broken: Json) -> None:
    with pytest.raises(BadRequest):
        sheet(broken)


def test_an_address_that_is_too_long_is_refused_before_anything_is_shown() -> None:
    with pytest.raises(ValueError, match="address"):
        MODALS.reject(handoff(EMAIL), now=NOON, address="x" * 3_000)


def test_a_search_finds_labels_first_and_at_most_a_hundred() -> None:
    candidates = [{"id": f"f{index}", "label": f"Flight {index}", "details": "to Lisbon"} for index in range(300)]
    candidates.append({"id": "last", "label": "Lisbon by train", "details": ""})
    asked = handoff({**FLIGHT, "candidates": candidates})

    def found(query: str) -> list[str]:
        return [each["value"] for each in CARDS.options(asked, query, now=NOON)["options"]]

    assert len(found("")) == 100
    assert found("lisbon")[0] == "300"
    assert found("29 flight") == ["29", *map(str, [129, 229, *range(290, 300)])]
    assert found("nothing like it") == []


def test_a_setting_says_its_key_and_its_value() -> None:
    chosen = {"action_id": "andon:setting:remind", "selected_option": {"value": "dm"}}
    assert setting_chosen(chosen) == ("remind", "dm")
    with pytest.raises(BadRequest):
        setting_chosen({"action_id": "andon:setting:remind"})
    with pytest.raises(BadRequest):
        setting_chosen({"action_id": "andon:approve", "selected_option": {"value": "dm"}})


def test_an_edit_names_its_author_and_a_decision_its_time() -> None:
    asked = handoff(EMAIL)
    assert asked.action
    edit = wire.Revision(revision=2, by=ANA, at=LATER, args={**asked.action.args, "to": "b@x.com"}, digest="0" * 64)
    text = json.dumps(message(replace(asked, revision=2, digest="0" * 64, revisions=(edit,))), ensure_ascii=False)
    assert "edited by Ana" in text
    assert "- alice@x.com" in text
    decision = wire.Rejected(by=MIRA, at=LATER, revision=1, reason="no", message_for_agent="…")
    text = json.dumps(message(replace(asked, state=State.DECIDED, decision=decision)), ensure_ascii=False)
    assert "Mira rejected this" in text
    assert f"<!date^{int(LATER.timestamp())}^" in text
    assert "after 3 min" in text


def test_a_card_that_changed_is_not_taken_for_the_one_that_was_shown_whole() -> None:
    """One tap is enough only for what was on the card as it stands."""
    cards = Cards(None, console="https://andon.example")
    short = handoff(EMAIL)
    assert cards.message(short, now=NOON).whole
    assert cards.is_whole(short, now=NOON)
    long = handoff({**EMAIL, "action": {**EMAIL["action"], "args": {"body": "x" * 50_000}}})
    assert long.id == short.id
    assert not cards.is_whole(long, now=NOON)
