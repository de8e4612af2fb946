"""Replies below cards: which are answers, what becomes of them, and who is told what."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.slack.threads import in_thread
from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import State
from tests.adapters.talkers import AGE, EMAIL, House, talkers

Json = dict[str, Any]
NUMBER: Json = {**AGE, "answer_schema": {"type": "number", "minimum": 0}}
PARTS: Json = {**AGE, "answer_schema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {}}}}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with talkers() as made:
        yield made


async def test_a_reply_is_the_answer_and_everybody_sees_that_it_was_taken(house: House) -> None:
    _, card = await house.card(AGE)

    await house.ana.say(house.ops, "about three years", thread=card)

    assert house.answered() == ["about three years"]
    assert house.replies(card) == ["Recorded: about three years\nassistant gets this as ana's answer."]


@pytest.mark.parametrize(
    "schema, text, value",
    [
        ({"type": "number"}, "12.50", 12.5),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "boolean"}, "Yes!", True),
        ({"type": "boolean"}, "no", False),
        ({"enum": ["EUR", "USD"]}, "eur", "EUR"),
        ({"enum": [1, 2]}, "2", 2),
        ({"type": "string"}, "12", "12"),
        ({"type": "string", "format": "date"}, "2026-11-22", "2026-11-22"),
        ({"type": "array", "items": {"type": "string"}}, "a\nb", ["a", "b"]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
        ({}, "7", 7),
        ({}, "true", True),
        ({}, "seven [", "seven ["),
    ],
)
async def test_what_is_typed_is_read_as_the_schema_has_it(house: House, schema: Json, text: str, value: Any) -> None:
    _, card = await house.card({**AGE, "answer_schema": schema})

    await house.ana.say(house.ops, text, thread=card)

    assert house.answered() == [value]
    assert type(house.answered()[0]) is type(value)


async def test_the_agent_gets_what_was_typed_not_what_slack_made_of_it(house: House) -> None:
    _, card = await house.card(AGE)
    sent = f"ask <@{house.mira.id}> in <#{house.ops.id}> &amp; see <http://x.com|x.com>, 1 &lt; 2"

    await house.ana.say(house.ops, sent, thread=card)

    assert house.answered() == ["ask @mira in #ops & see x.com, 1 < 2"]


async def test_an_answer_cannot_call_anybody_from_the_bots_mouth(house: House) -> None:
    """The bot repeats the answer; what a person wrote must not ping a channel again."""
    _, card = await house.card(AGE)

    await house.ana.say(house.ops, "&lt;!channel&gt; <!here> \u202e", thread=card)

    assert house.answered() == ["<!channel> @here \u202e"]
    said = next(reply.text for reply in card.replies if reply.bot_id)
    assert "<!" not in said
    assert "&lt;!channel&gt; @here ⟦U+202E⟧" in said


async def test_a_wrong_answer_is_explained_in_the_thread_and_can_be_mended(house: House) -> None:
    _, card = await house.card(NUMBER)

    await house.ana.say(house.ops, "lots", thread=card)
    await house.ana.say(house.ops, "-1", thread=card)
    await house.ana.say(house.ops, "3", thread=card)

    first, second, third = house.replies(card)
    assert first == "Not recorded: must be a number, such as 12.50. Reply again, or press Answer on the card."
    assert "Not recorded: must be at least 0" in second
    assert third.startswith("Recorded: 3\n")
    assert house.answered() == [3]


async def test_a_question_with_parts_says_once_that_it_needs_the_form(house: House) -> None:
    _, card = await house.card(PARTS)

    await house.ana.say(house.ops, "4", thread=card)
    await house.mira.say(house.ops, "5", thread=card)

    assert house.answered() == []
    assert house.replies(card) == [
        "This question has several parts, so a reply cannot answer it. Press Answer on the card."
    ]


async def test_people_may_talk_below_cards_that_take_no_replies(house: House) -> None:
    _, silent = await house.card({**AGE, "reply_in_thread": False})
    _, mail = await house.card(EMAIL)

    for card in (silent, mail):
        await house.ana.say(house.ops, "looks fine", thread=card)

    assert house.desk.answers == []
    assert house.replies(silent) == house.replies(mail) == []


async def test_a_message_beside_the_thread_is_no_answer(house: House) -> None:
    _, card = await house.card(AGE)

    await house.ana.say(house.ops, "three")

    assert house.answered() == []
    assert house.replies(card) == []


async def test_a_request_to_the_bot_below_a_card_is_not_taken_for_the_answer(house: House) -> None:
    _, card = await house.card(AGE)
    bot = house.cloud.bot()

    await house.ana.say(house.ops, f"{bot.mention} pending", thread=card)
    assert house.answered() == []

    await house.ana.say(house.ops, f"{bot.mention} three", thread=card)
    assert house.answered() == ["three"]
    assert not any("I do not know" in text for text in house.replies(card))


async def test_the_same_reply_again_changes_nothing(house: House) -> None:
    _, card = await house.card(AGE)
    message = await house.ana.say(house.ops, "three", thread=card)

    await house.again(message)

    assert house.answered() == ["three"]
    assert len(house.replies(card)) == 1
    assert house.ana.told == []


async def test_the_desk_is_told_who_they_are_at_the_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked before is a courtesy; the check that counts is the desk's own."""

    async def anybody(*_: Any, **__: Any) -> None:
        return None

    real, given = house.desk.answer, list[Any]()

    async def answer(*args: Any, **named: Any) -> Any:
        given.append(named)
        monkeypatch.undo()
        return await real(*args, **named)

    _, card = await house.card(AGE)
    monkeypatch.setattr(house.desk, "may_answer", anybody)
    monkeypatch.setattr(house.desk, "answer", answer)

    message = await house.guest.say(house.ops, "seven", thread=card)

    assert given == [{"answer_id": f"slack:{house.ops.team.id}/{house.ops.id}/{message.ts}", "standing": "guest"}]
    assert house.answered() == []


async def test_a_reply_while_the_store_is_down_is_sent_again_by_slack_and_then_counts(house: House) -> None:
    _, card = await house.card(AGE)
    house.desk.is_down = True
    delivered = await house.ana.say(house.ops, "three", thread=card)
    event = house.cloud.deliveries[-1].payload["event"]
    assert event["ts"] == delivered.ts
    with pytest.raises(StoreUnavailable):
        await house.threads.replied(event, house.ops.team.id)

    house.desk.is_down = False
    assert await house.threads.replied(event, house.ops.team.id)

    assert house.answered() == ["three"]


# --- who may not -----------------------------------------------------------------------------------


async def test_a_guest_is_told_in_private_that_it_did_not_count(house: House) -> None:
    _, card = await house.card(AGE)

    await house.guest.say(house.ops, "seven", thread=card)
    await house.guest.say(house.ops, "eight", thread=card)

    assert house.answered() == []
    assert house.replies(card) == []
    assert len(house.guest.told) == 1
    assert "guests may not answer" in house.guest.told[0]
    assert house.guest.told[0].endswith("Your reply was not recorded.")


async def test_somebody_of_another_organisation_cannot_answer(house: House) -> None:
    _, card = await house.card(AGE)

    await house.stranger.say(house.ops, "seven", thread=card)

    assert house.answered() == []
    assert house.replies(card) == []


async def test_only_the_listed_may_answer_and_hear_of_faults(house: House) -> None:
    """Others talk below a card too; what they say is not measured in public against the question."""
    made, card = await house.card(NUMBER)
    house.desk.put(replace(made, route=replace(made.route, policy="p/1", approvers=("mira@example.com",))))

    await house.ana.say(house.ops, "what do you think?", thread=card)
    await house.mira.say(house.ops, "4", thread=card)

    assert house.answered() == [4]
    assert len(house.replies(card)) == 1
    assert len(house.ana.told) == 1


async def test_a_deactivated_account_answers_nothing_even_where_it_is_listed(house: House) -> None:
    made, card = await house.card(AGE)
    house.desk.put(replace(made, route=replace(made.route, policy="p/1", approvers=(f"slack:{house.ana.id}",))))
    house.ana.deleted = True

    await house.ana.say(house.ops, "three", thread=card)

    assert house.answered() == []
    assert "this account is deactivated" in house.cloud.told(house.ana)[0]


async def test_a_receipt_that_slack_did_not_take_is_given_when_the_event_comes_again(house: House) -> None:
    _, card = await house.card(AGE)
    house.cloud.refuses["chat.postMessage"] = "fatal_error"
    message = await house.ana.say(house.ops, "three", thread=card)
    assert house.replies(card) == []

    del house.cloud.refuses["chat.postMessage"]
    await house.again(message)

    assert house.answered() == ["three"]
    assert len(house.replies(card)) == 1


def _reply(**other: Any) -> Json:
    plain = {"type": "message", "channel": "C1", "user": "U1", "text": "x", "ts": "1700000001.000100"}
    return {**plain, "thread_ts": "1700000000.000100", **other}


def test_a_reply_of_a_person_is_read() -> None:
    found = in_thread(_reply(), "T1")

    assert found
    assert found.is_plain
    assert (found.user, found.text) == ("U1", "x")


@pytest.mark.parametrize(
    "other",
    [
        {"bot_id": "B1"},
        {"bot_profile": {"id": "B1"}},
        {"subtype": "bot_message", "user": None},
        {"subtype": "message_changed", "hidden": True},
        {"subtype": "message_deleted", "hidden": True},
        {"subtype": "channel_join"},
        {"hidden": True},
        {"edited": {"user": "U1", "ts": "1700000002.000100"}},
        {"user": "USLACKBOT"},
        {"user": None},
        {"thread_ts": None},
        {"thread_ts": "1700000001.000100"},
    ],
)
def test_what_no_person_just_wrote_in_a_thread_is_nothing(other: Json) -> None:
    assert in_thread(_reply(**other), "T1") is None


async def test_an_edited_message_is_not_a_second_answer(house: House) -> None:
    made, card = await house.card(NUMBER)
    message = await house.ana.say(house.ops, "four", thread=card)

    await house.ana.edit(message, "4")

    assert house.answered() == []
    assert (await house.desk.look(made.id)).state is State.PENDING


@pytest.mark.parametrize("subtype", ["thread_broadcast", "file_share", "me_message"])
async def test_what_is_more_than_a_plain_reply_is_not_taken_and_its_author_told(house: House, subtype: str) -> None:
    _, card = await house.card(AGE)
    event = _reply(subtype=subtype, user=house.ana.id, channel=house.ops.id, thread_ts=card.ts)

    assert await house.threads.replied(event, house.ops.team.id)

    assert house.answered() == []
    assert house.ana.told == [
        "Not recorded: only a plain reply is an answer. Send the text alone, to this thread only."
    ]


# --- too late --------------------------------------------------------------------------------------


async def test_a_second_reply_learns_in_private_whose_answer_stands(house: House) -> None:
    _, card = await house.card(NUMBER)
    await house.ana.say(house.ops, "3", thread=card)

    await house.mira.say(house.ops, "4", thread=card)
    await house.mira.say(house.ops, "really, four", thread=card)

    assert house.answered() == [3]
    assert len(house.replies(card)) == 1
    assert len(house.mira.told) == 1
    assert house.mira.told[0].startswith("ana answered at ")
    assert house.mira.told[0].endswith("so your reply changed nothing.")


async def test_long_after_the_decision_people_just_talk(house: House) -> None:
    _, card = await house.card(AGE)
    await house.ana.say(house.ops, "3", thread=card)
    house.cloud.clock.advance(11 * 60)

    await house.mira.say(house.ops, "thanks", thread=card)

    assert house.mira.told == []
    assert len(house.replies(card)) == 1


async def test_a_reply_after_the_time_is_told_so(house: House) -> None:
    _, card = await house.card(AGE, minutes=5)
    house.cloud.clock.advance(5 * 60 + 1)

    await house.ana.say(house.ops, "3", thread=card)

    assert house.ana.told == ["The time was up before your reply, so it changed nothing."]


async def test_when_slack_does_not_say_who_may_nobody_may(house: House) -> None:
    _, card = await house.card(AGE)
    house.cloud.refuses["users.info"] = "fatal_error"

    await house.ana.say(house.ops, "3", thread=card)

    assert house.answered() == []
    assert "Slack does not say now who may answer" in house.ana.told[0]


async def test_the_answer_of_a_direct_card_is_its_reply_too(house: House) -> None:
    """A question put to a person alone is answered in their conversation with the bot."""
    made = house.ask(AGE, wire.Place(surface="slack", person="ana@example.com"))
    card = await house.post(made, house.ana.direct)

    await house.ana.dm("three", thread=card)

    assert house.answered() == ["three"]
    assert len(house.replies(card)) == 1
