"""A reply to a question in Teams, taken as its answer: below the card, in a chat, or to the bot by name."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.config import Settings
from tests.fakes.teams import Message, TeamsCloud, payloads
from tests.flows.teams_cord import message_of, send
from tests.flows.teams_house import House, house, told_below
from tests.people import Json
from tests.servers import until

BUDGET = {"type": "number", "minimum": 1}


def heard(cloud: TeamsCloud) -> None:
    """An owner has consented that the app hears every message of the team."""
    for team in cloud.teams.values():
        team.rsc = True


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=heard) as running:
        yield running


async def question(teams: House, text: str = "What is the most to spend?", **more: Any) -> tuple[Json, Message]:
    more = {"reply_in_thread": True, "to": [teams.place()], **more}
    asked = await teams.agent.ask_for(text, **more)
    return asked, await teams.card(asked)


async def answer_to(teams: House, asked: Json) -> object:
    return (await teams.agent.wait(asked["id"]))["decision"]["answer"]


async def test_a_reply_below_the_card_is_the_answer_and_everybody_sees_that_it_was_taken(teams: House) -> None:
    asked, card = await question(teams, answer_schema=BUDGET)
    await teams.ana.say(teams.ops, "1200", thread=card)
    assert await answer_to(teams, asked) == 1200
    receipt = await told_below(card, "Recorded: 1200")
    assert "gets this as Ana's answer." in receipt.shown
    await card.shows("Ana answered")


async def test_the_same_reply_again_changes_nothing(teams: House) -> None:
    asked, card = await question(teams)
    await teams.ana.say(teams.ops, "Enough", thread=card)
    assert await answer_to(teams, asked) == "Enough"
    await teams.cloud.redeliver_last("message")
    await teams.until_settled()
    assert len([reply for reply in card.replies if "Recorded" in reply.shown]) == 1


async def test_a_message_beside_the_thread_is_no_answer(teams: House) -> None:
    asked, _ = await question(teams)
    await teams.ana.say(teams.ops, "1200")
    assert await teams.state(asked) == "pending"


async def test_people_may_talk_below_cards_that_take_no_replies(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.ana.say(teams.ops, "yes", thread=card)
    assert await teams.state(asked) == "pending"
    assert [reply for reply in card.replies if reply.by_bot] == []


async def test_without_consent_only_a_mention_is_heard(settings: Settings) -> None:
    async with house(settings) as teams:
        asked, card = await question(teams)
        await teams.ana.say(teams.ops, "1200", thread=card)
        assert await teams.state(asked) == "pending"
        await teams.ana.say(teams.ops, "1200 at most", thread=card, mention=True)
        assert await answer_to(teams, asked) == "1200 at most"


async def test_a_question_in_a_thread_is_answered_in_that_thread(teams: House) -> None:
    root = await teams.mira.say(teams.ops, "About the trip")
    asked, card = await question(teams, to=[teams.place(thread=root)])
    assert card.thread == root.id
    await teams.ana.say(teams.ops, "By train", thread=root)
    assert await answer_to(teams, asked) == "By train"


async def test_a_wrong_answer_is_explained_and_can_be_mended(teams: House) -> None:
    asked, card = await question(teams, answer_schema=BUDGET)
    await teams.ana.say(teams.ops, "a lot", thread=card)
    await told_below(card, "Not recorded: ")
    assert await teams.state(asked) == "pending"
    await teams.ana.say(teams.ops, "99", thread=card)
    assert await answer_to(teams, asked) == 99


async def test_a_question_with_parts_says_that_it_needs_the_form(teams: House) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    asked, card = await question(teams, answer_schema=schema)
    await teams.ana.say(teams.ops, "this and that", thread=card)
    await told_below(card, "Press Answer on the card.")
    assert await teams.state(asked) == "pending"


async def test_who_may_not_answer_hears_it_alone_and_once(teams: House) -> None:
    guest = teams.cloud.person("Gus", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(guest)
    await teams.cloud.install(guest.direct)
    asked, card = await question(teams)
    for text in ("1200", "1300"):
        await guest.say(teams.ops, text, thread=card)
    assert await teams.state(asked) == "pending"
    told = [message.shown for message in guest.dms if "not recorded" in message.shown]
    assert len(told) == 1
    assert "guests may not answer" in told[0]
    assert "Your reply was not recorded." in told[0]
    assert [reply for reply in card.replies if reply.by_bot] == []


async def test_who_may_not_answer_hears_that_before_what_is_wrong_with_it(teams: House) -> None:
    guest = teams.cloud.person("Gus", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(guest)
    _, card = await question(teams, answer_schema=BUDGET)
    await guest.say(teams.ops, "a lot", thread=card)
    told = await told_below(card, "guests may not answer")
    assert [reply for reply in card.replies if reply.by_bot] == [told]


async def test_whoever_the_bot_cannot_write_to_hears_it_below_the_card(teams: House) -> None:
    guest = teams.cloud.person("Gus", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(guest)
    _, card = await question(teams)
    await guest.say(teams.ops, "1200", thread=card)
    await told_below(card, "guests may not answer")


async def test_a_second_reply_learns_whose_answer_stands(teams: House) -> None:
    asked, card = await question(teams)
    await teams.ana.say(teams.ops, "By train", thread=card)
    assert await answer_to(teams, asked) == "By train"
    await teams.mira.say(teams.ops, "By plane", thread=card)
    late = await told_below(card, "so your reply changed nothing")
    assert "Ana answered at " in late.shown


async def test_in_a_personal_chat_a_message_is_the_answer(teams: House) -> None:
    await teams.cloud.install(teams.ana.direct)
    asked, card = await question(teams, to=[teams.person(teams.ana)], answer_schema=BUDGET)
    assert card.conversation is teams.ana.direct
    await teams.ana.dm("1200")
    assert await answer_to(teams, asked) == 1200


@pytest.mark.parametrize(
    "text, answer",
    [
        ('<quoted messageId="17"/> blue', "blue"),
        ("<at>Andon</at>&nbsp;blue", "blue"),
        ("red &amp; blue, as <at>Ana</at> said", "red & blue, as @Ana said"),
    ],
)
async def test_the_answer_is_what_was_typed_and_not_how_teams_writes_it(teams: House, text: str, answer: str) -> None:
    await teams.cloud.install(teams.ana.direct)
    asked, _ = await question(teams, "Which colour?", to=[teams.person(teams.ana)])
    words = message_of(teams, teams.ana, text, teams.ana.direct)
    words["entities"] = [payloads.mention_of_bot(teams.cloud)] if "Andon" in text else []
    await send(teams, words)
    assert await answer_to(teams, asked) == answer


@pytest.mark.parametrize("change", [{"role": "bot"}, {"id": "28:another"}])
async def test_what_a_bot_writes_is_no_answer(teams: House, change: Json) -> None:
    await teams.cloud.install(teams.ana.direct)
    asked, _ = await question(teams, to=[teams.person(teams.ana)])
    words = message_of(teams, teams.ana, "1200", teams.ana.direct)
    words["from"] |= change
    await send(teams, words)
    await teams.until_settled()
    assert await teams.state(asked) == "pending"


async def test_in_a_chat_with_two_questions_a_message_answers_neither(teams: House) -> None:
    """Nobody can tell which of them it is meant for."""
    await teams.cloud.install(teams.ana.direct)
    first, _ = await question(teams, to=[teams.person(teams.ana)])
    second, _ = await question(teams, "And where?", to=[teams.person(teams.ana)])
    await teams.ana.dm("1200")
    await teams.cloud.wait_for_post(teams.ana, "Several questions wait here")
    assert [await teams.state(each) for each in (first, second)] == ["pending", "pending"]
    (await teams.agent.withdraw(first)).ok()
    await teams.ana.dm("Berlin")
    assert await answer_to(teams, second) == "Berlin"


async def test_in_a_group_chat_only_words_to_the_bot_are_an_answer(teams: House) -> None:
    chat = teams.cloud.chat(teams.mira, teams.ana, name="Trip", rsc=True)
    await teams.cloud.install(chat)
    asked, _ = await question(teams, to=[teams.place(chat)])
    await teams.ana.say(chat, "what do you think?")
    assert await teams.state(asked) == "pending"
    await teams.ana.say(chat, "By train", mention=True)
    assert await answer_to(teams, asked) == "By train"


async def test_with_the_roster_down_nobody_answers(teams: House) -> None:
    asked, card = await question(teams)
    teams.cloud.refuse("member", "ServiceError", times=20)
    await teams.ana.say(teams.ops, "1200", thread=card)
    await told_below(card, "Teams does not say now who may answer")
    assert await teams.state(asked) == "pending"


async def test_what_was_typed_is_shown_literally(teams: House) -> None:
    evil = "[click](https://evil.example) <at>everyone</at> {{DATE(2026-01-01T00:00:00Z)}} \u202e x"
    asked, card = await question(teams)
    await teams.ana.say(teams.ops, evil, thread=card)
    assert "evil.example" in str(await answer_to(teams, asked))
    await told_below(card, "Recorded: ")

    async def shown() -> bool:
        return "Ana answered" in card.shown

    await until(shown)
