"""Cards for Teams: whatever is asked, they fit; whatever is missing, nobody agrees to it unread."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.teams.cards import Cards, For, summary_text
from adapters.teams.carried import Pressed, carried, pressed
from adapters.teams.fit import CARD_BYTES, MESSAGE_TEXT, fits_message, size
from adapters.teams.sheets import Sheet, Sheets
from adapters.teams.texts import Run, blocks, link, ours, pages, runs, title, when
from andon import wire
from bot.cards import card, moment, visible
from bot.cards.rich import Bullets, Code, Line, Quote, Words, length
from bot.errors import BadRequest, InvalidAnswer
from bot.handoff import Handoff, Reason, Route, State
from tests.fakes.desk import BUDGET, DRAFT, EMAIL, FLIGHT, NOON, handoff
from tests.fakes.teams.cards import Action, actions, check, words
from tests.unit.test_slack_cards import ARGS, CONFIRMATIONS, LIES, LONG, PROSE, TEXT, called

Json = dict[str, Any]
CARDS = Cards(None, console="https://andon.example")
SHEETS = Sheets(CARDS)
LATER = NOON + timedelta(minutes=3)


def message(shown: Handoff, minutes: float = 1, **whom: Any) -> Json:
    made = CARDS.message(shown, now=NOON + timedelta(minutes=minutes), whom=For(**whom)).card
    fits(made)
    return made


def fits(made: Json) -> None:
    """Would a client show it, and the service take it?"""
    check(made)
    assert size(made) <= CARD_BYTES


def does(made: Json) -> list[str]:
    """What can be pressed on it, hidden forms included."""
    return [each.source["data"]["andon"]["do"] for each in actions(made) if "data" in each.source]


def data_of(made: Json, do: str) -> Json:
    """What the first press of a kind sends."""
    return dict(data_all(made, do)[0])


def plain(text: str) -> str:
    """A text as it is on a card, its spaces as they were."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def shown_as(text: str) -> str:
    """A text as every line of it is shown: an empty one is a space."""
    return "\n".join(part or " " for part in visible(text).replace("\t", "    ").split("\n"))


def is_shown(value: Any, text: str) -> bool:
    """Is all of a value in the text, as it stands or as JSON?"""
    if isinstance(value, str):
        return shown_as(value) in text if value else "(empty)" in text
    for dumped in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=2)):
        if shown_as(dumped) in text:
            return True
    # A mail inside an argument is laid out part by part.
    return (
        isinstance(value, dict) and {"to", "subject"} <= value.keys() and all(is_shown(v, text) for v in value.values())
    )


def all_pages(first: Sheet, turn: Any) -> list[Sheet]:
    """Every page of a sheet, each as its button before it asks for it."""
    found = [first]
    while "turn" in (there := does(found[-1].card)) and len(found) < first.pages:
        asked = [each for each in actions(found[-1].card) if each.title.startswith("Go on")]
        assert there.count("turn") >= 1
        found.append(turn(pressed(asked[0].source["data"]).page))
    return found


def read_whole(asked: Handoff) -> tuple[str, Json]:
    """All that a dialog shows, and its last page."""
    found = all_pages(SHEETS.read(asked, now=NOON), lambda page: SHEETS.read(asked, now=NOON, page=page))
    for each in found:
        fits(each.card)
    for each in found[:-1]:
        assert "approve" not in does(each.card)
    return "\n".join(plain(words(part)) for each in found for part in reading_of(each.card)), found[-1].card


def reading_of(made: Json) -> list[Json]:
    """What there is to read on a sheet."""
    return [{"body": [each]} for each in made["body"] if each.get("id") == "reading"]


def part(made: Json, name: str) -> Json:
    return {"body": [each for each in made["body"] if each.get("id") == name]}


@settings(max_examples=80, deadline=None)
@given(CONFIRMATIONS, st.booleans())
def test_every_argument_is_whole_on_the_card_or_nobody_can_say_yes_to_it(ask: Json, hazard: bool) -> None:
    asked = handoff({**ask, "reversible": not hazard})
    made = message(asked)
    assert [each.get("id") for each in made["body"][:2]] == [None, "act"]
    assert ("approve" in does(made)) != ("open" in does(made) and "read" in str(data_of(made, "open")))
    if "approve" in does(made):
        text = plain(words(part(made, "act")))
        assert all(is_shown(value, text) for value in ask["action"]["args"].values())
        said = plain(words(made))
        assert all(shown_as(each) in said for each in (ask["what"], ask["why"]))
        bulleted = said.replace(" ⏎ ", "\n")
        assert all(visible(each).replace("\t", "    ") in bulleted for each in ask["risks"])
    else:
        text, last = read_whole(asked)
        if "approve" in does(last):
            # A long line goes on on the next one, and on the next page.
            flat = text.replace("\n", "")
            assert all(is_shown(value, text) or is_flat(value, flat) for value in ask["action"]["args"].values())
            assert data_of(last, "approve")["andon"]["full"] is True
        else:
            assert "console" in json.dumps(last)


def is_flat(value: Any, flat: str) -> bool:
    """The same where lines are cut."""
    dumped = (
        [value] if isinstance(value, str) else [json.dumps(value, ensure_ascii=False, indent=at) for at in (None, 2)]
    )
    return any(shown_as(text).replace("\n", "") in flat for text in dumped) or (
        isinstance(value, dict) and all(is_flat(v, flat) for v in value.values())
    )


@settings(max_examples=60, deadline=None)
@given(CONFIRMATIONS, PROSE, st.sampled_from(["rejected", "edited", "failed"]))
def test_whatever_became_of_it_the_update_fits_and_has_no_buttons(ask: Json, text: str, ending: str) -> None:
    asked = handoff(ask)
    who = wire.Actor(kind="person", id="t1/u1", name=text[:3_000], surface="teams")
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
    assert actions(message(ended)) == []


@settings(max_examples=30, deadline=None)
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
    made = message(asked)
    assert "choose" not in does(made)
    assert "look" in does(made)
    seen = all_pages(SHEETS.look(asked, 0, now=NOON), lambda page: SHEETS.look(asked, 0, now=NOON, page=page))
    text = "".join(plain(words(each)) for sheet in seen for each in reading_of(sheet.card)).replace("\n", "")
    assert shown_as(candidates[0]["details"] or ".").replace("\n", "") in text or "console" in json.dumps(seen[-1].card)
    assert pressed(data_of(seen[-1].card, "choose")).index == 0
    assert CARDS.options(asked, "", now=NOON)[0]["value"] == "0"


@settings(max_examples=40, deadline=None)
@given(PROSE, LONG)
def test_a_question_always_fits(question: str, why: str) -> None:
    asked = handoff({**BUDGET, "question": question, "why": why})
    made = message(asked)
    assert "answer" in does(made) or data_of(made, "open")["andon"]["sheet"] == "answer"
    fits(SHEETS.answer(asked, now=NOON).card)


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
    people = [f"29:{'x' * 90}{index}" for index in range(90)]
    for shown in (asked, replace(asked, revision=2, revisions=(edit,))):
        assert len(message(shown, refresh=people)["refresh"]["userIds"]) == 60
        for page in range(3):
            fits(SHEETS.edit(shown, now=NOON, page=page).card)
            fits(SHEETS.read(shown, now=NOON, page=page).card)
    candidates = [{"id": f"c{index}", "label": f"{index}{dark[:290]}", "details": dark[:200]} for index in range(500)]
    message(handoff({**FLIGHT, "question": dark, "candidates": candidates}))
    after = handoff({**DRAFT, "result": {"text": dark}, "risks": [dark]})
    message(after)
    done = wire.Approved(by=called(dark), at=LATER, revision=1, digest="0" * 64, args={}, message_for_agent=dark)
    outcome = wire.Outcome(status="executed", at=LATER, result={"to": "a", "subject": "b", "body": dark})
    message(replace(after, state=State.CLOSED, decision=done, outcome=outcome))


def test_no_narrative_changes_what_would_run_or_what_can_be_pressed() -> None:
    """Two hundred stories, one action block, and it is the first text of the card; and the same buttons."""
    made = [message(handoff({**EMAIL, "what": lie, "why": lie, "risks": [lie]})) for lie in LIES]
    assert len({json.dumps(each["body"][:2]) for each in made}) == 1
    assert "alice@x.com" in json.dumps(made[0]["body"][1])

    def pressable(each: Action) -> str:
        source = {**each.source, "data": {**each.source["data"]}} if "data" in each.source else each.source
        if "data" in source:
            source["data"]["andon"] = {**source["data"]["andon"], "digest": ""}
        return json.dumps(source)

    assert len({tuple(pressable(each) for each in actions(one)) for one in made}) == 1


@settings(deadline=None)
@given(TEXT)
@example(
    "<at>Mira</at> [x](https://evil.example) ![i](https://evil.example/i.png) www.evil.example "
    "{{DATE(2026-01-01T00:00:00Z)}}"
)
def test_nothing_from_outside_reaches_markdown(text: str) -> None:
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
        made = message(shown)
        assert not [each for each in markdown(made) if "evil" in each]
        assert not [each for each in literal(made) if "{{DATE" in each]
        told = summary_text(card(shown, now=NOON))
        assert not any(each in told for each in ("<", ">", "](", "://", "\n"))


def markdown(value: Any) -> Iterator[str]:
    """Every text that some client may read as Markdown: of text blocks, of entries of menus, of labels."""
    if isinstance(value, dict):
        if value.get("type") == "TextBlock":
            yield value["text"]
        for inner in value.values():
            yield from markdown(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from markdown(inner)


def literal(value: Any) -> Iterator[str]:
    """Every text that is literal."""
    if isinstance(value, dict):
        if value.get("type") == "TextRun":
            yield value["text"]
        for inner in value.values():
            yield from literal(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from literal(inner)


@given(st.text(st.sampled_from("{DATE(}IM) a[]<>/:w."), max_size=60))
@example("www.WWW.evil")
@example("{{{{DATE(2026-01-01T00:00:00Z)}}")
def test_a_title_and_a_run_mean_nothing_to_a_client(text: str) -> None:
    made = title(text)
    assert not any(each in made for each in ("](", "://", "<", ">", "{{"))
    assert "www." not in made.lower()
    assert "".join(run.text for run in runs(text)).replace("\N{NO-BREAK SPACE}", " ") == text
    assert all("{{DATE" not in run.text and "{{TIME" not in run.text for run in runs(text))


@settings(deadline=None)
@given(LONG, st.integers(200, 3_000), st.sampled_from([Code, Quote]))
def test_pages_lose_nothing_and_keep_their_measure(text: str, most: int, kind: Any) -> None:
    shown = visible(text) or "x"
    found = pages(blocks((kind(shown),)), most=most, most_bytes=20_000)
    lines = [line for page in found for block in page for line in block.lines]
    joined = "".join("".join(run.text for run in line) for line in lines)
    whole = "".join(part.replace("\t", "    ") or " " for part in shown.split("\n"))
    assert plain(joined) == whole
    for page in found:
        runs_ = [run.text for block in page for line in block.lines for run in line]
        assert sum(map(length, runs_)) <= most or len(runs_) == 1


def test_what_a_person_reads_of_a_text_keeps_its_lines_and_its_spaces() -> None:
    (block,) = blocks((Code("if x:\n    y = 1\n\n\tz  = 2"),))
    nbsp = "\N{NO-BREAK SPACE}"
    assert [run.text for line in block.lines for run in line] == [
        "if x:", f"{nbsp * 4}y = 1", nbsp, f"{nbsp * 4}z{nbsp * 2}= 2"
    ]  # fmt: skip
    (entry,) = blocks((Bullets(("one\n• two",)),))
    assert "".join(run.text for run in entry.lines[0]) == f"•{nbsp}one ⏎ • two"
    assert len(entry.lines) == 1
    (two,) = blocks((Line((Words("a\nb", "bold"), Words("c"))),))
    assert two.lines == ((Run("a", "bold"),), (Run("b", "bold"), Run("c")))


def test_a_time_is_in_the_readers_own_zone_and_a_link_is_ours() -> None:
    sentence = f"If nobody answers by {moment(LATER)}, nothing is done."
    assert ours(sentence, LATER) == f"If nobody answers by {when(LATER)}, nothing is done\\."
    assert when(LATER) == "{{DATE(2026-11-22T12:03:00Z,SHORT)}}, {{TIME(2026-11-22T12:03:00Z)}}"
    assert ours("2 min left", LATER) == "2 min left"
    assert link("https://x.example/(a)", "Open [it]") == "[Open \\[it\\]](https://x.example/%28a%29)"


def test_a_card_that_fits_shows_all_of_a_long_text_and_one_that_does_not_says_how_much_is_missing() -> None:
    def body(characters: int) -> Json:
        return message(handoff({**EMAIL, "action": {"tool": "send", "args": {"body": "x" * characters}}}))

    assert "approve" in does(body(4_000))
    assert "approve" not in does(body(13_000))
    assert "… 9,000 more characters" in words(body(13_000))
    assert "… 98,000 more characters" in words(body(102_000))


def test_the_budget_is_below_what_teams_refuses() -> None:
    assert CARD_BYTES < 80_000
    assert size({"text": "\u4e2d" * 1_000}) >= 3_000
    assert size({"text": "a" * 1_000}) >= 2_000
    assert not fits_message({"text": "x" * (MESSAGE_TEXT + 1)})


@pytest.mark.parametrize("kind", ["approve", "reject", "edit", "ask-else", "ask-agent", "stop"])
def test_a_button_says_what_it_answers(kind: str) -> None:
    asked = handoff(EMAIL)
    found = pressed(data_of(message(asked), kind))
    assert (found.do, found.handoff, found.revision, found.digest) == (kind, asked.id, 1, asked.digest)


def test_a_reason_is_one_tap() -> None:
    reasons = tuple(Reason(f"Reason {index}", f"Because {index}") for index in range(6))
    asked = handoff(EMAIL, route=Route("v1", 60, "deny", (), reasons=reasons))
    made = message(asked, minutes=0.5)
    taps = [each for each in actions(made) if each.title.startswith("✕")]
    assert [pressed(each.source["data"]).index for each in taps] == list(range(6))
    assert [each.hidden for each in taps] == [False] * 4 + [True] * 2


def test_one_press_never_takes_along_what_stands_in_a_form() -> None:
    made = message(handoff(EMAIL))
    one_tap = [each.source for each in actions(made) if each.source.get("verb") in {"approve", "stop", "reason"}]
    assert {each["associatedInputs"] for each in one_tap} == {"none"}


def test_a_toggle_opens_one_form_and_closes_the_others() -> None:
    made = message(handoff(EMAIL))
    toggles = [each.source["targetElements"] for each in actions(made) if each.kind == "Action.ToggleVisibility"]
    forms = {each["id"] for each in made["body"] if str(each.get("id")).startswith("form-")}
    assert len(toggles) == len(forms) == 4
    for shown, *hidden in toggles:
        assert {shown} | {each["elementId"] for each in hidden} == forms
        assert not any(each["isVisible"] for each in hidden)


def test_what_is_critical_is_opened_first_and_what_takes_a_number_asks_for_it() -> None:
    critical = message(handoff(EMAIL, route=Route("v1", 60, "deny", (), step_up="critical")), minutes=0.1)
    assert "approve" not in does(critical)
    assert [each["andon"]["sheet"] for each in data_all(critical, "open")] == ["read", "edit"]
    numbered = handoff(EMAIL, route=Route("v1", 60, "deny", (), step_up="number"))
    assert "approve" not in does(message(numbered, minutes=0.1))
    sheet = SHEETS.read(numbered, now=NOON)
    assert "code" in {each.get("id") for each in sheet.card["body"]}


def data_all(made: Json, do: str) -> list[Json]:
    return [
        each.source["data"] for each in actions(made) if each.source.get("data", {}).get("andon", {}).get("do") == do
    ]


def test_whoever_may_not_say_yes_is_told_why_and_can_say_no() -> None:
    made = message(handoff(EMAIL), conflict="you asked for it")
    assert "approve" not in does(made)
    assert "reject" in does(made)


BROKEN: list[Any] = [
    None,
    {},
    {"andon": 3},
    {"andon": {"do": "approve"}},
    {"andon": {"do": "dance", "handoff": "hf_1", "revision": 1, "digest": "0" * 64}},
    {"andon": {"do": "approve", "handoff": "a:b", "revision": 1, "digest": "0" * 64}},
    {"andon": {"do": "approve", "handoff": "hf_1", "revision": True, "digest": "0" * 64}},
    {"andon": {"do": "approve", "handoff": "hf_1", "revision": 0, "digest": "0" * 64}},
    {"andon": {"do": "approve", "handoff": "hf_1", "revision": 1, "digest": "short"}},
    {"andon": {"do": "reason", "handoff": "hf_1", "revision": 1, "digest": "0" * 64, "index": -1}},
    {"andon": {"do": "reason", "handoff": "hf_1", "revision": 1, "digest": "0" * 64, "index": "1"}},
    {"andon": {"do": "open", "handoff": "hf_1", "revision": 1, "digest": "0" * 64, "sheet": "../x"}},
    {"andon": {"do": "reject", "handoff": "hf_1", "revision": 1, "digest": "0" * 64}, "reason": ["x"]},
    {"andon": {"do": "reject", "handoff": "hf_1", "revision": 1, "digest": "0" * 64}, "reason": "x" * 50_000},
    {"andon": {"do": "approve-shown", "rows": []}},
    {"andon": {"do": "approve-shown", "rows": [{"handoff": "hf_1"}]}},
    {"andon": {"do": "approve-shown", "rows": "all"}},
    {"andon": {"do": "end-grant", "id": "a b"}},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_press_that_no_card_can_send_is_one_error(broken: Any) -> None:
    with pytest.raises(BadRequest, match="none that a card of ours can send"):
        pressed(broken)


def test_a_press_brings_what_stood_in_the_inputs_whatever_type_a_client_gives_it() -> None:
    asked = handoff(EMAIL)
    data = {**carried(asked, "edit", save=True), "field-5": 3, "field-6": True, "msteams": {"type": "task/submit"}}
    found = pressed(json.loads(json.dumps(data)))
    assert found == Pressed("edit", asked.id, 1, asked.digest, save=True, inputs={"field-5": "3", "field-6": "true"})
    assert pressed({"andon": {"do": "lift", "epoch": 7.0}}).epoch == 7


def test_what_is_none_of_the_candidates_cannot_be_looked_at() -> None:
    with pytest.raises(InvalidAnswer, match="none of the candidates"):
        SHEETS.look(handoff(FLIGHT), 3, now=NOON)
    with pytest.raises(InvalidAnswer, match="does not offer that"):
        SHEETS.grant(handoff(EMAIL), 0, now=NOON)


def test_a_search_finds_labels_first_and_no_more_than_fit() -> None:
    candidates = [{"id": f"f{index}", "label": f"Flight {index}", "details": "to Lisbon"} for index in range(300)]
    candidates.append({"id": "last", "label": "Lisbon by train", "details": ""})
    asked = handoff({**FLIGHT, "candidates": candidates})

    def found(query: str) -> list[str]:
        return [each["value"] for each in CARDS.options(asked, query, now=NOON)]

    assert len(found("")) == 15
    assert found("lisbon")[0] == "300"
    assert found("29 flight") == ["29", *map(str, [129, 229, *range(290, 300)])]
    assert found("nothing like it") == []


def test_a_card_that_changed_is_not_taken_for_the_one_that_was_shown_whole() -> None:
    """One tap is enough only for what was on the card as it stands."""
    cards = Cards(None, console="https://andon.example")
    short = handoff(EMAIL)
    assert cards.message(short, now=NOON).whole
    assert cards.is_whole(short, now=NOON)
    long = handoff({**EMAIL, "action": {**EMAIL["action"], "args": {"body": "x" * 50_000}}})
    assert long.id == short.id
    assert not cards.is_whole(long, now=NOON)


@settings(max_examples=50, deadline=None)
@given(ARGS)
def test_the_same_handoff_makes_the_same_card(args: Json) -> None:
    shown = handoff({**EMAIL, "action": {"tool": "do.it", "args": args}})
    assert message(shown) == message(shown)


def test_what_one_person_was_shown_does_not_say_what_the_card_for_everybody_shows() -> None:
    """A card without buttons has room for more; nobody agrees to what was on that one alone."""
    differing = 0
    for characters in range(2_600, 3_800, 50):
        args = {"a": "x" * 3_900, "b": "y" * 3_900, "c": "z" * characters}
        shown = handoff({**EMAIL, "action": {"tool": "do.it", "args": args}})
        cards = Cards(None, console="https://andon.example")
        theirs = cards.message(shown, now=NOON, whom=For(may_answer=False)).whole
        assert cards.is_whole(shown, now=NOON) == CARDS.message(shown, now=NOON).whole
        differing += theirs != cards.is_whole(shown, now=NOON)
    assert differing
