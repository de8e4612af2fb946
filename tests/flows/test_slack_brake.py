"""The cord in Slack: whoever sees an agent at work stops it with a word, and nothing is lost."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.flows.cord import becomes, brakes, message_by, posts, quiet, run_in, said, scopes, told_of
from tests.flows.slack_house import House, house, told_below


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


# --- a word in a channel ---


async def test_a_word_in_the_channel_stops_every_run_that_is_bound_to_it(slack: House) -> None:
    """The whole story: held, no claim, the card says who, and all of it comes back."""
    await run_in(slack)
    waiting, card = await slack.asked_card()
    allowed = await slack.ask(what="Send another")
    await slack.mira.press(await slack.card(allowed), "Approve")
    allowed = await slack.agent.wait(allowed["id"])

    await slack.ana.say(slack.ops, "Stop!")

    told = await said(slack, "Ana stopped every run in this channel.")
    assert "1 ask is on hold." in told.shown
    assert "somebody who may approve for it types resume here, or /andon resume" in told.shown
    assert told.thread_ts is None, "it concerns everybody in the channel"
    assert (await slack.agent.claim(allowed)).problem == "stopped"
    await becomes(slack, waiting, "held")
    await card.shows("Ana stopped every run in its conversation")
    assert [label for label in card.buttons if label != "Open"] == ["Resume every run in its conversation"]

    await slack.mira.say(slack.ops, "resume")

    assert "1 ask waits again." in (await said(slack, "Mira resumed every run in this channel.")).shown
    await becomes(slack, waiting, "pending")
    await card.shows("Approve send_email?")
    assert (await slack.agent.claim(allowed)).status == 200


@pytest.mark.parametrize("way", ["#ops", "ops", "{id}", "{team}/{id}", "{team}/#ops"])
async def test_the_channel_is_the_same_however_a_run_names_it(slack: House, way: str) -> None:
    named = way.format(id=slack.ops.id, team=slack.ops.team.id)
    await run_in(slack, {"surface": "slack", "channel": named})
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run in this channel.")
    assert await scopes(slack) == [{"stop": {"conversation": {"surface": "slack", "channel": named}}}]
    await slack.mira.say(slack.ops, "resume")
    await said(slack, "Mira resumed every run in this channel.")
    assert await brakes(slack) == []


async def test_runs_that_name_the_channel_differently_are_stopped_together(slack: House) -> None:
    runs = [await run_in(slack, {"surface": "slack", "channel": way}) for way in ("#ops", slack.ops.id)]
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run in this channel.")
    states = [(await slack.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] for run in runs]
    assert states == ["held", "held"]
    assert len(posts(slack)) == 1
    await slack.mira.say(slack.ops, "resume")
    await said(slack, "Mira resumed every run in this channel.")
    assert await brakes(slack) == []


async def test_a_card_in_the_channel_is_held_though_its_run_is_bound_elsewhere(slack: House) -> None:
    """Whoever sees a card that is about to do harm does not know where its run is bound."""
    asked, card = await slack.asked_card()
    await slack.mira.say(slack.ops, "stop")
    assert "1 ask is on hold." in (await said(slack, "Mira stopped every run in this channel.")).shown
    assert await scopes(slack) == [{"stop": {"run": asked["run"]}}]
    await card.shows("Mira stopped this run")
    await slack.mira.say(slack.ops, "resume")
    await said(slack, "Mira resumed every run in this channel.")
    await becomes(slack, asked, "pending")


async def test_a_card_of_a_run_that_the_conversation_holds_needs_no_stop_of_its_own(slack: House) -> None:
    """Else it would take two words to let it go on."""
    parent = await run_in(slack)
    await run_in(slack, {"surface": "web"}, parent=parent)
    child = await slack.ask()
    await slack.card(child)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run in this channel.")
    await becomes(slack, child, "held")
    assert await scopes(slack) == [{"stop": {"conversation": slack.place()}}]


async def test_what_is_too_much_to_stop_one_by_one_is_said_to_go_on(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cord", "targets"):
        monkeypatch.setattr(f"bot.talk.{module}.MOST_LOOSE", 2)
    for number in range(3):
        await run_in(slack, {"surface": "web"}, name=f"job-{number}")
        await slack.ask(to=[slack.place()])
    await slack.mira.say(slack.ops, "stop")
    told = await said(slack, "Mira stopped every run in this channel.")
    assert "(1 go on): name their agents, or say “stop all”." in told.shown
    assert len(await brakes(slack)) == 2


async def test_where_no_agent_works_the_same_words_are_talk(slack: House) -> None:
    lunch = slack.cloud.channel("#lunch", members=[slack.mira], bot=True)
    await run_in(slack)
    for text in ("stop", "Stop all!", "wait", "resume", "!stop", "abort"):
        await slack.mira.say(lunch, text)
    await quiet(slack)
    assert slack.cloud.cards(lunch) == []


@pytest.mark.parametrize(
    "text",
    ["stop by my desk", "wait, what?", "can we stop the mailer?", "stop?", "> stop", "please don't stop", "go on"],
)
async def test_talk_in_the_channel_stops_nothing(slack: House, text: str) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, text)
    await quiet(slack)


async def test_a_run_that_starts_while_the_channel_is_stopped_starts_stopped(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    run = await run_in(slack, name="another")
    assert (await slack.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "held"


async def test_a_channel_whose_runs_have_all_ended_can_still_be_resumed(slack: House) -> None:
    run = await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    (await slack.live.person.call("POST", f"/v1/runs/{run}/brake", {"action": "abort"})).ok()
    await slack.mira.say(slack.ops, "resume")
    await said(slack, "Mira resumed every run in this channel.")
    assert await brakes(slack) == []


async def test_what_was_claimed_before_is_named_because_no_stop_recalls_it(slack: House) -> None:
    await run_in(slack)
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Approve")
    (await slack.agent.claim(await slack.agent.wait(asked["id"]))).ok()
    await slack.mira.say(slack.ops, "stop")
    told = (await said(slack, "Mira stopped every run")).shown
    assert "Nothing waits for an answer" in told
    assert "1 action was begun before and cannot be recalled: “Send this e-mail to alice@example.com” (since " in told


async def test_a_second_stop_says_who_was_first(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    await slack.ana.say(slack.ops, "stop")
    await said(slack, "Already stopped by Mira since ")
    assert len(await brakes(slack)) == 1


async def test_a_pause_becomes_a_stop_and_not_the_other_way_round(slack: House) -> None:
    await run_in(slack)
    await slack.ana.say(slack.ops, "hold on")
    await said(slack, "Ana paused every run in this channel.")
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run in this channel.")
    await slack.ana.say(slack.ops, "pause")
    await said(slack, "Already stopped by Mira since ")


# --- names, everything ---


async def test_an_agent_is_stopped_by_its_name(slack: House) -> None:
    other = await slack.live.new_agent("research")
    await run_in(slack)
    elsewhere = await run_in(slack, {"surface": "web"}, name="nightly")
    await run_in(slack, agent=other)
    await slack.ana.say(slack.ops, "mailer, stop")
    told = await said(slack, "Ana stopped all that mailer does.")
    assert "types resume mailer" in told.shown
    assert await scopes(slack) == [{"stop": {"agent": "mailer"}}]
    assert (await slack.agent.call("GET", f"/v1/runs/{elsewhere}")).ok()["state"] == "held"
    assert (await other.call("GET", f"/v1/runs/{other._run}")).ok()["state"] == "running"
    await slack.ana.say(slack.ops, "resume mailer")
    await said(slack, "Ana resumed all that mailer does.")


async def test_stop_all_says_plainly_that_it_is_everything(slack: House) -> None:
    await run_in(slack)
    await slack.ana.say(slack.ops, "stop everything")
    await said(slack, "Ana stopped every agent.")
    assert await scopes(slack) == [{"stop": {"everything": True}}]
    await slack.ana.say(slack.ops, "resume")
    told = await slack.cloud.wait_for_told(slack.ana, "Nothing was on hold here.")
    assert "weekly-report is still on hold: Ana stopped every agent at" in told
    await slack.ana.say(slack.ops, "resume all")
    await said(slack, "Ana resumed every agent.")


# --- in a thread ---


async def test_in_the_thread_of_a_card_it_is_that_run(slack: House) -> None:
    run = await run_in(slack)
    asked, card = await slack.asked_card()
    await run_in(slack, name="another")
    other = await slack.ask(what="Another mail")

    await slack.ana.say(slack.ops, "stop, this is the wrong list", thread=card)

    told = await told_below(card, "Ana stopped this run.")
    assert "types resume in this thread" in told.shown
    assert await scopes(slack) == [{"stop": {"run": run}}]
    await card.shows("Ana stopped this run at")
    await card.shows("this is the wrong list")
    assert card.buttons[-1:] == ["Resume this run"]
    assert await slack.state(other) == "pending"

    await slack.mira.say(slack.ops, "resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    await becomes(slack, asked, "pending")


async def test_in_the_thread_that_a_run_is_bound_to_it_is_that_run(slack: House) -> None:
    root = await slack.mira.say(slack.ops, "Please send the weekly report")
    run = await run_in(slack, {**slack.place(), "thread": root.ts})
    await run_in(slack, name="another")
    await slack.ana.say(slack.ops, "stop", thread=root)
    await told_below(root, "Ana stopped this run.")
    assert await scopes(slack) == [{"stop": {"run": run}}]


async def test_in_a_thread_of_people_a_stop_is_the_channels_and_a_resume_is_talk(slack: House) -> None:
    await run_in(slack)
    root = await slack.mira.say(slack.ops, "The report looks odd")
    await slack.ana.say(slack.ops, "stop", thread=root)
    told = await told_below(root, "Ana stopped every run in this channel.")
    assert "types resume in the channel, or /andon resume" in told.shown
    await slack.mira.say(slack.ops, "continue", thread=root)
    await slack.until_settled()
    assert len(await brakes(slack)) == 1
    assert len(told.channel.messages) == 4, "nobody was told anything"


async def test_below_the_bots_own_words_a_resume_is_the_channels(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    told = await said(slack, "Mira stopped every run")
    await slack.mira.say(slack.ops, "resume", thread=told)
    await told_below(told, "Mira resumed every run in this channel.")


async def test_below_another_apps_message_the_words_are_for_that_app(slack: House) -> None:
    await run_in(slack)
    builder = slack.cloud.user("builder", is_bot=True)
    root = message_by(slack, builder, "Build 7 runs", bot_id="B0BUILD")
    await slack.mira.say(slack.ops, "stop", thread=root)
    await slack.mira.say(slack.ops, "!resume", thread=root)
    await slack.until_settled()
    assert await brakes(slack) == []


@pytest.mark.parametrize("text", ["wait, change the recipient to Bob", "Moment mal, der Empfänger ist Bob"])
async def test_words_for_the_agent_hold_the_run_until_it_has_heard_them(slack: House, text: str) -> None:
    run = await run_in(slack)
    asked, card = await slack.asked_card()
    await slack.ana.say(slack.ops, text, thread=card)
    await told_below(card, "I told the agent. It is on hold until it has read that.")
    await becomes(slack, asked, "held")
    (held,) = await brakes(slack)
    assert (held["action"], held["by"]["name"]) == ("steer", "Ana")
    (await slack.agent.call("POST", f"/v1/runs/{run}/heard", {"steers": [held["steer"]]})).ok()
    await becomes(slack, asked, "pending")
    await told_below(card, f"mailer has heard Ana: “{held['text']}”")
    await slack.until_settled()
    assert sum("has heard" in reply.shown for reply in card.replies) == 1


async def test_an_agent_reads_people_by_their_names(slack: House) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.say(slack.ops, f"wait, ask {slack.mira.mention} &amp; Bob first", thread=card)
    await told_below(card, "I told the agent.")
    (held,) = await brakes(slack)
    assert held["text"].endswith("ask @Mira & Bob first")


async def test_words_that_slack_delivers_again_reach_the_agent_once(slack: House) -> None:
    run = await run_in(slack)
    _, card = await slack.asked_card()
    words = await slack.ana.say(slack.ops, "wait, use the other list", thread=card)
    await told_below(card, "I told the agent.")
    event = told_of(slack, words) | {"event_id": "EvANOTHER"}
    assert (await slack.cloud.courier.send_event(event)).ok
    receipt = (await slack.agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "planned"})).ok()
    assert [each["text"] for each in receipt["steers"]] == ["use the other list"]
    assert sum("I told the agent" in reply.shown for reply in card.replies) == 1


# --- to the bot ---


async def test_a_mention_begins_a_command(slack: House) -> None:
    await run_in(slack)
    await slack.ana.say(slack.ops, f"{slack.cloud.bot().mention} stop, it writes to the wrong people")
    await said(slack, "Ana stopped every run in this channel.")
    (held,) = await brakes(slack)
    assert held["text"] == "it writes to the wrong people"
    assert len(posts(slack)) == 1, "a mention comes as a message too"


async def test_a_mention_in_a_channel_of_one_run_can_steer_it(slack: House) -> None:
    run = await run_in(slack)
    await slack.ana.say(slack.ops, f"{slack.cloud.bot().mention} wait, use the other list")
    await said(slack, "I told the agent.")
    assert await scopes(slack) == [{"steer": {"run": run}}]


async def test_words_that_may_be_for_several_runs_pause_them_all_and_reach_none(slack: House) -> None:
    await run_in(slack)
    await run_in(slack, name="another")
    await slack.ana.say(slack.ops, f"{slack.cloud.bot().mention} wait, use the other list")
    told = await said(slack, "Ana paused every run in this channel.")
    assert "nobody was told your words" in told.shown


async def test_a_mention_where_no_agent_works_names_what_can_be_named(slack: House) -> None:
    lunch = slack.cloud.channel("#lunch", members=[slack.mira], bot=True)
    await run_in(slack)
    await slack.mira.say(lunch, f"{slack.cloud.bot().mention} stop")
    told = await slack.cloud.wait_for_told(slack.mira, "I do not know whom you mean, so nothing was stopped.")
    assert "stop mailer" in told
    await slack.until_settled()
    assert len(slack.mira.told) == 1, "a mention comes as a message too"
    assert await brakes(slack) == []
    await slack.mira.say(lunch, f"{slack.cloud.bot().mention} stop mailer")
    await said(slack, "Mira stopped all that mailer does.", lunch)


async def test_a_bang_works_wherever_people_write(slack: House) -> None:
    await run_in(slack)
    root = await slack.mira.say(slack.ops, "Lunch?")
    await slack.ana.say(slack.ops, "!stop because it is noon", thread=root)
    await told_below(root, "Ana stopped every run in this channel.")
    await slack.mira.say(slack.ops, "!resume", thread=root)
    await told_below(root, "Mira resumed every run in this channel.")


async def test_the_command_stops_what_works_in_the_channel(slack: House) -> None:
    await run_in(slack)
    await slack.ana.command("/andon", "stop", channel=slack.ops)
    await said(slack, "Ana stopped every run in this channel.")
    listed = await slack.ana.command("/andon", "brakes", channel=slack.ops)
    assert "Ana stopped every run in its conversation" in listed.shown
    assert listed.reply
    assert listed.reply.seen_by is slack.ana
    assert listed.reply.buttons == ["Resume every run in its conversation"]
    await slack.ana.command("/andon", "resume", channel=slack.ops)
    await said(slack, "Ana resumed every run in this channel.")
    assert "Nothing is stopped" in (await slack.ana.command("/andon", "brakes", channel=slack.ops)).shown


async def test_the_command_is_answered_where_the_bot_is_not(slack: House) -> None:
    elsewhere = slack.cloud.channel("#elsewhere", members=[slack.ana], bot=False)
    await run_in(slack)
    outcome = await slack.ana.command("/andon", "stop mailer", channel=elsewhere)
    assert "Ana stopped all that mailer does." in outcome.shown


async def test_a_direct_message_stops_what_asks_there(slack: House) -> None:
    asked = await slack.ask(to=[{"surface": "slack", "person": "ana@example.com"}])
    card = await slack.card(asked, slack.ana.direct)
    await slack.ana.dm("stop")
    told = await slack.cloud.wait_for_card(slack.ana, "Ana stopped every run here.")
    assert "types resume here" in told.shown
    await becomes(slack, asked, "held")
    await card.shows("Ana stopped this run")
    await slack.ana.dm("go on")
    await slack.cloud.wait_for_card(slack.ana, "Ana resumed every run here.")
    await becomes(slack, asked, "pending")


async def test_a_direct_message_that_could_mean_anything_stops_nothing(slack: House) -> None:
    await run_in(slack)
    await slack.ana.dm("stop")
    told = await slack.cloud.wait_for_card(slack.ana, "I do not know whom you mean, so nothing was stopped.")
    assert "stop mailer" in told.shown
    assert "stop all" in told.shown
    assert await brakes(slack) == []
    await slack.ana.dm("stop mailer")
    await slack.cloud.wait_for_card(slack.ana, "Ana stopped all that mailer does.")


async def test_an_agent_that_somebody_does_not_see_cannot_be_named(slack: House) -> None:
    secret = slack.cloud.channel("#secret", members=[slack.mira], bot=True, private=True)
    await run_in(slack, slack.place(secret))
    await slack.ana.dm("stop mailer")
    told = await slack.cloud.wait_for_card(slack.ana, "I do not know whom you mean")
    assert "`stop mailer`" not in told.text
    assert await brakes(slack) == []
