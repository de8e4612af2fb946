"""Whose words to the brake count in Slack, and when: who, answers to questions, again and late."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.config import Settings
from tests.fakes.slack.model import Message
from tests.flows.cord import (
    DENIED,
    becomes,
    brakes,
    cut_off,
    message_by,
    posts,
    quiet,
    resend,
    run_in,
    said,
    told_of,
    whispered,
)
from tests.flows.slack_house import House, house, told_below
from tests.people import Json


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


# --- who ---


async def test_a_guest_may_stop_and_not_resume(slack: House) -> None:
    gwen = slack.cloud.user("gwen", display_name="Gwen", is_restricted=True)
    slack.ops.members.append(gwen)
    await run_in(slack)
    await slack.ask()
    await gwen.say(slack.ops, "stop")
    await said(slack, "Gwen stopped every run in this channel.")
    await gwen.say(slack.ops, "resume")
    await slack.cloud.wait_for_told(gwen, DENIED)
    assert len(await brakes(slack)) == 1


async def test_a_guest_stops_no_more_than_they_see(slack: House) -> None:
    gwen = slack.cloud.user("gwen", display_name="Gwen", is_restricted=True)
    slack.ops.members.append(gwen)
    await run_in(slack)
    await gwen.say(slack.ops, "stop all")
    told = await said(slack, "Gwen stopped every run in this channel.")
    assert "A guest can stop only what works in this conversation." in told.shown
    assert len(await brakes(slack)) == 1
    await gwen.dm("stop all")
    await slack.cloud.wait_for_card(gwen, "A guest can stop only what works in this conversation.")
    assert len(await brakes(slack)) == 1


async def test_nobody_of_another_organisation_stops_anything(slack: House) -> None:
    eve = slack.cloud.user("eve", team=slack.cloud.team("T0OTHER"))
    shared = slack.cloud.channel("#shared", members=[slack.mira, eve], bot=True, shared=True)
    run = await run_in(slack, slack.place(shared))
    asked = await slack.ask(to=[slack.place(shared)])
    card = await slack.card(asked, shared)
    await eve.say(shared, "stop")
    await eve.say(shared, "stop", thread=card)
    await eve.say(shared, f"{slack.cloud.bot().mention} stop")
    await eve.react(card, "octagonal_sign")
    await eve.press(card, "Stop this run")
    await whispered(slack, "only people of this workspace stop its agents")
    await slack.until_settled()
    assert await brakes(slack) == []
    assert (await slack.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "running"
    assert not [m for m in slack.cloud.cards(shared) if m is not card]


async def test_a_closed_account_stops_nothing(slack: House) -> None:
    await run_in(slack)
    await slack.cloud.deactivate(slack.ana)
    await slack.ana.say(slack.ops, "stop")
    await quiet(slack)


@pytest.mark.parametrize(
    "other",
    [{"bot_id": "B1"}, {"subtype": "bot_message", "bot_id": "B1"}, {"user": "USLACKBOT"}, {"subtype": "me_message"}],
)
async def test_what_no_person_says_in_words_stops_nothing(slack: House, other: Json) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "hello")
    await resend(slack, text="stop", **other)
    await quiet(slack)


@pytest.mark.parametrize("change", [{"files": [{"id": "F1"}], "subtype": "file_share"}, {"files": [{"id": "F1"}]}])
async def test_a_message_with_files_is_no_command(slack: House, change: Json) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "hello")
    await resend(slack, text="stop", **change)
    await quiet(slack)


async def test_an_edited_message_is_no_command(slack: House) -> None:
    await run_in(slack)
    message = await slack.mira.say(slack.ops, "hello")
    await slack.mira.edit(message, "stop")
    await resend(slack, text="stop", edited={"user": slack.mira.id, "ts": "1.2"})
    await slack.mira.delete(message)
    await quiet(slack)


async def test_a_reply_that_is_also_sent_to_the_channel_is_a_command(slack: House) -> None:
    run = await run_in(slack)
    _, card = await slack.asked_card()
    await slack.mira.say(slack.ops, "hello", thread=card)
    await resend(slack, text="stop", subtype="thread_broadcast")
    await told_below(card, "Mira stopped this run.")
    assert [each["scope"]["run"] for each in await brakes(slack)] == [run]


async def test_the_policy_says_who_resumes_and_who_ends(settings: Settings) -> None:
    policy = "brake: {resume: [mira@example.com]}\n"
    async with house(settings, policy=policy) as slack:
        await run_in(slack)
        asked, card = await slack.asked_card()
        await slack.ana.say(slack.ops, "stop", thread=card)
        await told_below(card, "Ana stopped this run.")
        await slack.ana.say(slack.ops, "resume", thread=card)
        await slack.cloud.wait_for_told(slack.ana, "lets only mira@example.com")
        await card.shows("Resume this run")
        await slack.ana.press(card, "Resume this run")
        await slack.cloud.wait_for_told(slack.ana, "Your press changed nothing.")
        await slack.ana.say(slack.ops, "abort", thread=card)
        told = await told_below(card, "Ana may not end it, so it is stopped.")
        assert "Already stopped by Ana" in told.shown
        assert len(await brakes(slack)) == 1
        await slack.mira.say(slack.ops, "abort", thread=card)
        assert "1 ask is ended with it." in (await told_below(card, "Mira ended this run for good.")).shown
        assert (await slack.agent.look(asked["id"]))["decision"]["kind"] == "aborted"


async def test_whoever_may_not_end_it_stops_it(settings: Settings) -> None:
    policy = "brake: {resume: [mira@example.com]}\n"
    async with house(settings, policy=policy) as slack:
        run = await run_in(slack)
        await slack.ana.say(slack.ops, "abort")
        told = await said(slack, "Ana stopped every run in this channel.")
        assert "Ana may not end it, so it is stopped." in told.shown
        assert (await slack.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "held"


async def test_whoever_speaks_to_a_run_that_has_ended_is_told_so(slack: House) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.say(slack.ops, "abort", thread=card)
    await told_below(card, "Ana ended this run for good.")
    await slack.mira.say(slack.ops, "stop", thread=card)
    told = await told_below(card, "It never goes on.")
    assert "resume" not in told.shown
    await slack.mira.say(slack.ops, "wait, send it to Bob", thread=card)
    await told_below(card, "Nobody was told: Ana ended this run at ")
    await slack.mira.say(slack.ops, "resume", thread=card)
    await slack.cloud.wait_for_told(slack.mira, "weekly-report has ended: Ana ended this run at ")


async def test_a_resume_that_nothing_needs_is_talk_unless_it_is_said_to_the_bot(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "continue")
    await quiet(slack)
    await slack.mira.say(slack.ops, f"{slack.cloud.bot().mention} resume")
    await slack.cloud.wait_for_told(slack.mira, "Nothing was on hold here.")


# --- a word as an answer ---


async def question(slack: House, **more: Any) -> tuple[Json, Message]:
    asked = await slack.agent.ask_for("Which word?", reply_in_thread=True, to=[slack.place()], **more)
    return asked, await slack.card(asked)


async def test_a_stop_below_a_question_is_a_stop_and_says_how_to_answer(slack: House) -> None:
    await run_in(slack)
    asked, card = await question(slack)
    await slack.mira.say(slack.ops, "stop", thread=card)
    told = await told_below(card, "Mira stopped this run.")
    assert "If it was your answer to the question, press Answer on its card once it goes on." in told.shown
    assert await slack.state(asked) == "held"
    await slack.mira.say(slack.ops, "resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    await card.shows("A question for you")
    modal = await (await slack.mira.press(card, "Answer")).opened()
    await modal.fill("Your answer", "stop")
    await modal.submit()
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "stop"


@pytest.mark.parametrize("text", ["stop after chapter 3", "wait, use the other list", "continue", "stop mailer"])
async def test_more_than_a_bare_stop_below_a_question_is_its_answer(slack: House, text: str) -> None:
    await run_in(slack)
    asked, card = await question(slack)
    await slack.mira.say(slack.ops, text, thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == text
    assert await brakes(slack) == []


async def test_a_word_that_the_question_offers_is_its_answer(slack: House) -> None:
    await run_in(slack)
    asked, card = await question(slack, answer_schema={"enum": ["Stop", "Go"]})
    await slack.mira.say(slack.ops, "stop", thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "Stop"
    assert await brakes(slack) == []


async def test_a_bang_or_a_mention_below_a_question_is_never_its_answer(slack: House) -> None:
    await run_in(slack)
    asked, card = await question(slack, answer_schema={"enum": ["stop", "go"]})
    await slack.mira.say(slack.ops, "!stop", thread=card)
    await told_below(card, "Mira stopped this run.")
    await slack.mira.say(slack.ops, f"{slack.cloud.bot().mention} resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    assert await slack.state(asked) == "pending"


async def test_an_abort_below_a_question_stops_and_ends_nothing(slack: House) -> None:
    """It cannot be undone, and may have been meant as an answer."""
    await run_in(slack)
    asked, card = await question(slack)
    await slack.mira.say(slack.ops, "abort", thread=card)
    told = await told_below(card, "Mira stopped this run.")
    assert "“!abort” ends it" in told.shown
    assert await slack.state(asked) == "held"
    await slack.mira.say(slack.ops, "!abort", thread=card)
    await told_below(card, "Mira ended this run for good.")


# --- again, late, and when something is away ---


async def test_the_same_message_delivered_again_is_one_stop_and_one_reply(slack: House) -> None:
    await run_in(slack)
    event = told_of(slack, await slack.mira.say(slack.ops, "stop"))
    await said(slack, "Mira stopped every run")
    (first,) = await brakes(slack)
    await asyncio.gather(*(slack.cloud.courier.send_event(event) for _ in range(5)))
    event["event_id"] = "EvANOTHER"
    await asyncio.gather(*(slack.cloud.courier.send_event(event) for _ in range(5)))
    await slack.until_settled()
    assert await brakes(slack) == [first]
    assert len(posts(slack)) == 1


async def test_a_stop_that_comes_after_the_resume_stops_nothing_and_says_so(slack: House) -> None:
    """Slack sends again for minutes; somebody may have resumed meanwhile."""
    await run_in(slack)
    async with cut_off(slack):
        late = told_of(slack, await slack.ana.say(slack.ops, "stop"))
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    await slack.mira.say(slack.ops, "resume")
    await said(slack, "Mira resumed every run")
    assert (await slack.cloud.courier.send_event(late)).ok
    await slack.cloud.wait_for_told(slack.ana, "that reached me late, and since you said it")
    assert await brakes(slack) == []
    assert len(posts(slack)) == 2


async def test_a_stop_stops_no_run_that_started_after_it_was_said(slack: House) -> None:
    asked, card = await _of_an_old_run(slack)
    async with cut_off(slack):
        late = told_of(slack, await slack.ana.say(slack.ops, "stop"))
    younger = await run_in(slack, name="younger")
    await slack.cloud.courier.send_event(late)
    await said(slack, "Ana stopped every run")
    await becomes(slack, asked, "held")
    await card.shows("Ana stopped")
    assert (await slack.agent.call("GET", f"/v1/runs/{younger}")).ok()["state"] == "running"


async def _of_an_old_run(slack: House) -> tuple[Json, Message]:
    await run_in(slack)
    return await slack.asked_card()


async def test_two_apps_in_a_channel_answer_only_for_their_own_runs(slack: House) -> None:
    """Another service hears every word of the channel too, and has no run there; it says so in words that we hear."""
    other = slack.cloud.user("otherandon", is_bot=True)
    slack.ops.members.append(other)
    await slack.mira.say(slack.ops, "stop")
    await slack.mira.say(slack.ops, f"{other.mention} stop")
    root = message_by(slack, other, "A card of the other app", bot_id="B0OTHER")
    await slack.mira.say(slack.ops, "stop", thread=root)
    await slack.mira.react(root, "octagonal_sign")
    await quiet(slack)
    await run_in(slack)
    await slack.mira.say(slack.ops, f"{other.mention} stop")
    await slack.mira.say(slack.ops, "stop", thread=root)
    await slack.mira.react(root, "stop_sign")
    await quiet(slack)
