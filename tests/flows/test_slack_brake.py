"""The cord in Slack: whoever sees an agent at work stops it with a word, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.config import Settings
from tests.fakes.slack import SlackCloud
from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.people import Person
from tests.flows.slack_house import House, house, told_below
from tests.people import Agent, Json
from tests.servers import until

DENIED = "it takes somebody who may approve for it"


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def run_in(slack: House, place: Json | None = None, agent: Agent | None = None, **more: Any) -> str:
    """Start a run that is bound to a place, the channel unless told otherwise; the agent asks in it from now on."""
    agent = agent or slack.agent
    body = {"name": "weekly-report", "conversation": place or slack.place(), **more}
    agent._run = str((await agent.call("POST", "/v1/runs", body)).ok()["id"])
    return agent._run


async def brakes(slack: House) -> list[Json]:
    found: list[Json] = (await slack.live.person.call("GET", "/v1/brakes")).ok()["brakes"]
    return found


async def scopes(slack: House) -> list[Json]:
    """What is stopped, as (action, scope)."""
    return [{each["action"]: {k: v for k, v in each["scope"].items() if v}} for each in await brakes(slack)]


async def said(slack: House, containing: str, where: Channel | None = None) -> Message:
    """What the bot says in a channel."""
    return await slack.cloud.wait_for_card(where or slack.ops, containing)


def posts(slack: House) -> list[str]:
    """All that the bot has posted in the channel that is no card."""
    return [m.shown for m in slack.cloud.cards(slack.ops) if (m.metadata or {}).get("event_type") != "andon_card"]


async def quiet(slack: House) -> None:
    """Nothing was stopped, and nobody was told anything."""
    await slack.until_settled()
    assert await brakes(slack) == []
    assert posts(slack) == []
    assert slack.cloud.ephemerals == []


async def becomes(slack: House, asked: Json, state: str) -> None:
    async def it_is() -> bool:
        return await slack.state(asked) == state

    await until(it_is, what=f"{asked['id']} is {state}")


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
    root = _message(slack, builder, "Build 7 runs", bot_id="B0BUILD")
    await slack.mira.say(slack.ops, "stop", thread=root)
    await slack.mira.say(slack.ops, "!resume", thread=root)
    await slack.until_settled()
    assert await brakes(slack) == []


def _message(slack: House, by: Person, text: str, **more: Any) -> Message:
    """Something that somebody else has posted."""
    made = Message(channel=slack.ops, ts=slack.ops.next_ts(slack.cloud.clock.now()), user=by, text=text, blocks=[])
    for name, value in more.items():
        setattr(made, name, value)
    slack.ops.messages.append(made)
    return made


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
    assert "`stop mailer`" in told or "stop mailer" in told
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


# --- emoji, buttons ---


@pytest.mark.parametrize("emoji, verb", [("octagonal_sign", "stopped"), ("double_vertical_bar", "paused")])
async def test_a_sign_on_a_card_stops_its_run(slack: House, emoji: str, verb: str) -> None:
    run = await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.react(card, emoji)
    await told_below(card, f"Ana {verb} this run.")
    assert [each["scope"]["run"] for each in await brakes(slack)] == [run]


@pytest.mark.parametrize("emoji", ["no_entry", "thumbsdown", "eyes", "x"])
async def test_other_signs_say_something_else(slack: House, emoji: str) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.react(card, emoji)
    await quiet(slack)


async def test_a_sign_on_what_is_no_card_stops_nothing(slack: House) -> None:
    await run_in(slack)
    about = await slack.mira.say(slack.ops, "Who broke it?")
    await slack.ana.react(about, "octagonal_sign")
    await quiet(slack)


async def test_the_menu_of_a_card_stops_its_run_and_the_button_lets_it_go_on(slack: House) -> None:
    await run_in(slack)
    asked, card = await slack.asked_card()
    assert card.menu[-1] == "Stop this run"
    await slack.ana.press(card, "Stop this run")
    told = await told_below(card, "Ana stopped this run.")
    assert "types resume in this thread, or presses Resume on the card" in told.shown
    await card.shows("On hold: stopped")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await becomes(slack, asked, "pending")
    await card.shows("Approve send_email?")


async def test_a_stale_resume_lifts_nothing_newer(slack: House) -> None:
    """The card was on Mira's screen when Ana stopped more."""
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    url, slack.cloud.app.request_url = slack.cloud.app.request_url, "http://127.0.0.1:9/"
    await slack.mira.press(card, "Resume this run")
    slack.cloud.app.request_url = url
    stale = slack.last("block_actions")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await slack.ana.say(slack.ops, "stop", thread=card)
    await told_below(card, "Ana stopped this run.")
    await card.shows("Resume this run")
    assert (await slack.send(stale)).status == 200
    await _whispered(slack, "Something else holds it now.")
    assert len(await brakes(slack)) == 1


async def test_a_resume_after_it_went_on_says_so(slack: House) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    url, slack.cloud.app.request_url = slack.cloud.app.request_url, "http://127.0.0.1:9/"
    await slack.ana.press(card, "Resume this run")
    slack.cloud.app.request_url = url
    stale = slack.last("block_actions")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await slack.send(stale)
    await _whispered(slack, "This is not on hold any more. Your press changed nothing.")


async def _whispered(slack: House, containing: str) -> None:
    async def heard() -> bool:
        return any(containing in message.shown for message in slack.cloud.ephemerals)

    await until(heard, what=f"{containing!r} in {[message.shown for message in slack.cloud.ephemerals]}")


async def test_home_shows_what_is_stopped_and_resumes_it(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    home = await slack.ana.open_home()
    assert "What is stopped" in home.shown
    assert "Mira stopped every run in its conversation" in home.shown
    assert "#ops" in home.shown
    assert "on hold" in home.shown
    outcome = await home.press("Resume every run in its conversation")
    await outcome.hears("Ana resumed every run in its conversation (#ops).")

    async def gone() -> bool:
        return slack.ana.home is not None and "What is stopped" not in slack.ana.home.shown

    await until(gone, what="the Home tab shows no brake")
    assert await brakes(slack) == []


async def test_home_shows_nothing_of_channels_that_i_am_not_in(slack: House) -> None:
    secret = slack.cloud.channel("#secret", members=[slack.mira], bot=True, private=True)
    await run_in(slack, slack.place(secret))
    await slack.mira.say(secret, "stop")
    await said(slack, "Mira stopped every run", secret)
    assert "What is stopped" not in (await slack.ana.open_home()).shown
    assert "#secret" in (await slack.mira.open_home()).shown
    assert "Nothing is stopped" in (await slack.ana.command("/andon", "brakes", channel=slack.ops)).shown


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
    await _whispered(slack, "only people of this workspace stop its agents")
    await slack.until_settled()
    assert await brakes(slack) == []
    assert (await slack.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "running"
    assert not [m for m in slack.cloud.cards(shared) if m is not card]


async def test_a_closed_account_stops_nothing(slack: House) -> None:
    await run_in(slack)
    await slack.cloud.deactivate(slack.ana)
    await slack.ana.say(slack.ops, "stop")
    await quiet(slack)


@pytest.mark.parametrize("other", [{"bot_id": "B1"}, {"subtype": "bot_message", "bot_id": "B1"}, {"user": "USLACKBOT"}])
async def test_no_bot_stops_anything(slack: House, other: Json) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "hello")
    await resend(slack, text="stop", **other)
    await quiet(slack)


async def resend(slack: House, **changes: Any) -> None:
    """The last message event again, changed, as another event."""
    event = slack.last("message")
    event["event"] |= {"ts": slack.ops.next_ts(slack.cloud.clock.now()), **changes}
    event["event_id"] = f"Ev{event['event']['ts']}"
    delivery = await slack.cloud.courier.send_event(event)
    assert delivery.ok


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
    assert "`!abort` ends it" in told.text
    assert await slack.state(asked) == "held"
    await slack.mira.say(slack.ops, "!abort", thread=card)
    await told_below(card, "Mira ended this run for good.")


# --- again, late, and when something is away ---


async def test_the_same_message_delivered_again_is_one_stop_and_one_reply(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    (first,) = await brakes(slack)
    event = slack.last("message")
    await asyncio.gather(*(slack.cloud.courier.send_event(event) for _ in range(5)))
    event["event_id"] = "EvANOTHER"
    await asyncio.gather(*(slack.cloud.courier.send_event(event) for _ in range(5)))
    await slack.until_settled()
    assert await brakes(slack) == [first]
    assert len(posts(slack)) == 1


async def test_a_stop_that_comes_after_the_resume_stops_nothing_and_says_so(slack: House) -> None:
    """Slack sends again for minutes; somebody may have resumed meanwhile."""
    await run_in(slack)
    url, slack.cloud.app.request_url = slack.cloud.app.request_url, "http://127.0.0.1:9/"
    slack.cloud.retry_scale = 1_000
    await slack.ana.say(slack.ops, "stop")
    slack.cloud.app.request_url = url
    late = slack.last("message")
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
    url, slack.cloud.app.request_url = slack.cloud.app.request_url, "http://127.0.0.1:9/"
    slack.cloud.retry_scale = 1_000
    await slack.ana.say(slack.ops, "stop")
    slack.cloud.app.request_url = url
    late = slack.last("message")
    younger = await run_in(slack, name="younger")
    await slack.cloud.courier.send_event(late)
    await said(slack, "Ana stopped every run")
    await becomes(slack, asked, "held")
    await card.shows("Ana stopped")
    assert (await slack.agent.call("GET", f"/v1/runs/{younger}")).ok()["state"] == "running"


async def _of_an_old_run(slack: House) -> tuple[Json, Message]:
    await run_in(slack)
    return await slack.asked_card()


async def test_two_apps_in_a_channel_answer_only_for_their_own_runs(settings: Settings, slack: House) -> None:
    """Another service hears every word of the channel too, and has no run there."""
    cloud = SlackCloud()
    async with cloud.serving():
        await run_in(slack)
        other = slack.cloud.user("otherandon", is_bot=True)
        await slack.mira.say(slack.ops, f"{other.mention} stop")
        await quiet(slack)
