"""Whose words to the brake count in Teams, and when: who, answers to questions, again and late."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.config import Settings
from tests.fakes.teams import Message
from tests.flows.teams_cord import (
    DENIED,
    becomes,
    brakes,
    message_of,
    plain,
    posts,
    quiet,
    run_in,
    said,
    send,
    state_of,
    told_of,
    unheard,
    with_consent,
)
from tests.flows.teams_house import House, house, told_below
from tests.people import Json


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


# --- who ---


async def test_a_guest_may_stop_and_not_resume(teams: House) -> None:
    gwen = teams.cloud.person("Gwen", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(gwen)
    await run_in(teams)
    await teams.ask()
    await gwen.say(teams.ops, "stop")
    await said(teams, "Gwen stopped every run in this channel.")
    await gwen.say(teams.ops, "resume")
    await said(teams, DENIED, gwen)
    assert len(await brakes(teams)) == 1


async def test_a_guest_stops_no_more_than_they_see(teams: House) -> None:
    gwen = teams.cloud.person("Gwen", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(gwen)
    await run_in(teams)
    await gwen.say(teams.ops, "stop all")
    told = await said(teams, "Gwen stopped every run in this channel.")
    assert "A guest can stop only what works in this conversation." in plain(told)
    assert len(await brakes(teams)) == 1


async def test_nobody_of_another_organisation_stops_anything(teams: House) -> None:
    """A channel can be shared with another organisation, whose people are then in its roster."""
    eve = teams.cloud.person("Eve", tenant=teams.cloud.tenant("Fabrikam"))
    teams.ops.team.members.append(eve)
    run = await run_in(teams)
    asked, card = await teams.asked_card()
    await eve.say(teams.ops, "stop")
    await eve.say(teams.ops, "stop", thread=card)
    await eve.say(teams.ops, "stop", mention=True)
    await eve.react(card, "1f6d1_stopsign")
    outcome = await eve.press(card, "Stop this run")
    assert "only people of this organisation stop its agents" in outcome.said
    await teams.until_settled()
    assert await brakes(teams) == []
    assert await state_of(teams, run) == "running"
    assert await teams.state(asked) == "pending"
    assert posts(teams) == []


async def test_somebody_without_an_organisation_stops_nothing(teams: House) -> None:
    """People who join a meeting anonymously write in its chat."""
    await run_in(teams)
    words = message_of(teams, teams.ana, "stop")
    del words["from"]["aadObjectId"]
    await send(teams, words)
    await quiet(teams)


@pytest.mark.parametrize(
    "change",
    [
        {"from": {"id": "28:another", "name": "Another bot", "aadObjectId": "00000000-0000-0000-0000-000000000000"}},
        {"from": {"id": "29:app", "name": "Flow", "role": "bot"}},
        {"type": "messageUpdate"},
        {"type": "messageDelete"},
        {"channelData": {"tenant": {"id": ""}, "eventType": "editMessage"}},
        {"attachments": [{"contentType": "application/vnd.microsoft.teams.file.download.info", "name": "a.txt"}]},
    ],
)
async def test_what_no_person_just_says_in_words_stops_nothing(teams: House, change: Json) -> None:
    await run_in(teams)
    words = message_of(teams, teams.ana, "stop")
    if "channelData" in change:
        change = {"channelData": {**words["channelData"], "eventType": "editMessage"}}
    await send(teams, words | change)
    await quiet(teams)


async def test_an_edited_message_is_no_command(teams: House) -> None:
    await run_in(teams)
    words = told_of(teams, await teams.mira.say(teams.ops, "hello"))
    words |= {"type": "messageUpdate", "text": "stop"}
    words["channelData"]["eventType"] = "editMessage"
    await send(teams, words)
    await quiet(teams)


async def test_the_policy_says_who_resumes_and_who_ends(settings: Settings) -> None:
    policy = "brake: {resume: [mira@example.com]}\n"
    async with house(settings, policy=policy, prepare=with_consent) as teams:
        await run_in(teams)
        asked, card = await teams.asked_card()
        await teams.ana.say(teams.ops, "stop", thread=card)
        await told_below(card, "Ana stopped this run.")
        await teams.ana.say(teams.ops, "resume", thread=card)
        await said(teams, "lets only mira@example.com", teams.ana)
        await card.shows("Resume this run")
        outcome = await teams.ana.press(card, "Resume this run")
        assert "Your press changed nothing." in outcome.said
        await teams.ana.say(teams.ops, "abort", thread=card)
        told = await told_below(card, "Ana may not end it, so it is stopped.")
        assert "Already stopped by Ana" in plain(told)
        assert len(await brakes(teams)) == 1
        await teams.mira.say(teams.ops, "abort", thread=card)
        assert "1 ask is ended with it." in (await told_below(card, "Mira ended this run for good.")).shown
        assert (await teams.agent.look(asked["id"]))["decision"]["kind"] == "aborted"


async def test_a_refusal_is_said_before_all_where_the_app_is_not_added(settings: Settings) -> None:
    """Better than leaving whoever wants to resume without a word."""
    policy = "brake: {resume: [mira@example.com]}\n"
    async with house(settings, policy=policy) as teams:
        chat = teams.cloud.chat(teams.mira, otto := teams.cloud.person("Otto"), name="Release", rsc=True)
        await teams.cloud.install(chat)
        await run_in(teams, teams.place(chat))
        await otto.say(chat, "stop")
        await said(teams, "Otto stopped every run in this chat.", chat)
        await otto.say(chat, "resume")
        await said(teams, "lets only mira@example.com", chat)


async def test_a_resume_that_nothing_needs_is_talk_unless_it_is_said_to_the_bot(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "continue")
    await quiet(teams)
    await teams.mira.say(teams.ops, "resume", mention=True)
    await said(teams, "Nothing was on hold here.", teams.mira)


# --- a word as an answer ---


async def question(teams: House, **more: Any) -> tuple[Json, Message]:
    asked = await teams.agent.ask_for("Which word?", reply_in_thread=True, to=[teams.place()], **more)
    return asked, await teams.card(asked)


async def test_a_stop_below_a_question_is_a_stop_and_says_how_to_answer(teams: House) -> None:
    await run_in(teams)
    asked, card = await question(teams)
    await teams.mira.say(teams.ops, "stop", thread=card)
    told = await told_below(card, "Mira stopped this run.")
    assert "If it was your answer to the question, press Answer on its card once it goes on." in plain(told)
    assert await teams.state(asked) == "held"
    await teams.mira.say(teams.ops, "resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    await becomes(teams, asked, "pending")


@pytest.mark.parametrize("text", ["stop after chapter 3", "wait, use the other list", "continue", "stop mailer"])
async def test_more_than_a_bare_stop_below_a_question_is_its_answer(teams: House, text: str) -> None:
    await run_in(teams)
    asked, card = await question(teams)
    await teams.mira.say(teams.ops, text, thread=card)
    assert (await teams.agent.wait(asked["id"]))["decision"]["answer"] == text
    assert await brakes(teams) == []


async def test_a_word_that_the_question_offers_is_its_answer(teams: House) -> None:
    await run_in(teams)
    asked, card = await question(teams, answer_schema={"enum": ["Stop", "Go"]})
    await teams.mira.say(teams.ops, "stop", thread=card)
    assert (await teams.agent.wait(asked["id"]))["decision"]["answer"] == "Stop"
    assert await brakes(teams) == []


async def test_a_bang_or_a_mention_below_a_question_is_never_its_answer(teams: House) -> None:
    await run_in(teams)
    asked, card = await question(teams, answer_schema={"enum": ["stop", "go"]})
    await teams.mira.say(teams.ops, "!stop", thread=card)
    await told_below(card, "Mira stopped this run.")
    await teams.mira.say(teams.ops, "resume", thread=card, mention=True)
    await told_below(card, "Mira resumed this run.")
    assert await teams.state(asked) == "pending"


async def test_an_abort_below_a_question_stops_and_ends_nothing(teams: House) -> None:
    """It cannot be undone, and may have been meant as an answer."""
    await run_in(teams)
    asked, card = await question(teams)
    await teams.mira.say(teams.ops, "abort", thread=card)
    told = await told_below(card, "Mira stopped this run.")
    assert "“!abort” ends it" in plain(told)
    assert await teams.state(asked) == "held"
    await teams.mira.say(teams.ops, "!abort", thread=card)
    await told_below(card, "Mira ended this run for good.")


async def test_in_a_personal_chat_a_stop_is_a_stop_though_a_question_waits_there(teams: House) -> None:
    asked = await teams.agent.ask_for("Which word?", reply_in_thread=True, to=[teams.person(teams.ana)])
    await teams.card(asked, teams.ana.direct)
    await teams.ana.dm("stop")
    await said(teams, "Ana stopped every run here.", teams.ana)
    await becomes(teams, asked, "held")


# --- again, late, and from the future ---


async def test_the_same_message_delivered_again_is_one_stop_and_one_reply(teams: House) -> None:
    await run_in(teams)
    words = told_of(teams, await teams.mira.say(teams.ops, "stop"))
    await said(teams, "Mira stopped every run")
    (first,) = await brakes(teams)
    await send(teams, words, times=5)
    await teams.until_settled()
    assert await brakes(teams) == [first]
    assert len(posts(teams)) == 1


async def test_a_message_delivered_many_times_at_once_is_one_stop_and_one_reply(teams: House) -> None:
    """Whoever comes second while the first is at it is sent again by Teams."""
    await run_in(teams)
    words = message_of(teams, teams.mira, "stop")
    await send(teams, words, times=5)
    await said(teams, "Mira stopped every run")
    await teams.until_settled()
    assert len(await brakes(teams)) == 1
    assert len(posts(teams)) == 1


async def test_a_stop_that_comes_after_the_resume_stops_nothing_and_says_so(teams: House) -> None:
    """Teams sends again for a while; somebody may have resumed meanwhile."""
    await run_in(teams)
    late = await unheard(teams, teams.ana, "stop")
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    await teams.mira.say(teams.ops, "resume")
    await said(teams, "Mira resumed every run")
    await send(teams, late)
    await said(teams, "that reached me late, and since you said it", teams.ana)
    assert await brakes(teams) == []
    assert len(posts(teams)) == 2


async def test_a_stop_stops_no_run_that_started_after_it_was_said(teams: House) -> None:
    await run_in(teams)
    asked, card = await teams.asked_card()
    late = await unheard(teams, teams.ana, "stop")
    younger = await run_in(teams, name="younger")
    await send(teams, late)
    await said(teams, "Ana stopped every run")
    await becomes(teams, asked, "held")
    await card.shows("Ana stopped")
    assert await state_of(teams, younger) == "running"


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=400)])
async def test_a_stop_from_the_future_is_one_of_now(teams: House, ahead: timedelta) -> None:
    """Else it would outlast a resume, and stop what nobody has thought of yet, whenever it is delivered again."""
    await run_in(teams)
    at = (datetime.now(UTC) + ahead).isoformat().replace("+00:00", "Z")
    await send(teams, message_of(teams, teams.ana, "stop", timestamp=at))
    await said(teams, "Ana stopped every run in this channel.")
    (held,) = await brakes(teams)
    assert datetime.fromisoformat(held["at"]) <= datetime.now(UTC)
    await teams.mira.say(teams.ops, "resume")
    await said(teams, "Mira resumed every run in this channel.")
    late = message_of(teams, teams.ana, "stop", timestamp=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    await send(teams, late)
    await said(teams, "that reached me late", teams.ana)
    assert await brakes(teams) == []


async def test_a_stop_without_a_time_is_one_of_now(teams: House) -> None:
    await run_in(teams)
    words = message_of(teams, teams.ana, "stop")
    del words["timestamp"]
    await send(teams, words)
    await said(teams, "Ana stopped every run in this channel.")
