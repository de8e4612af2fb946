"""The cord in Teams: whoever sees an agent at work stops it with a word, and nothing is lost."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.flows.teams_cord import (
    becomes,
    brakes,
    message_of,
    plain,
    posts,
    quiet,
    run_in,
    said,
    scopes,
    send,
    state_of,
    with_consent,
)
from tests.flows.teams_house import House, house, told_below


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


# --- a word in a channel ---


async def test_a_word_in_the_channel_stops_every_run_that_is_bound_to_it(teams: House) -> None:
    """The whole story: held, no claim, the card says who, and all of it comes back."""
    await run_in(teams)
    waiting, card = await teams.asked_card()
    allowed = await teams.ask(what="Send another")
    await teams.mira.press(await teams.card(allowed), "Approve")
    allowed = await teams.agent.wait(allowed["id"])

    word = await teams.ana.say(teams.ops, "Stop!")

    told = await told_below(word, "Ana stopped every run in this channel.")
    assert "1 ask is on hold." in told.shown
    assert "somebody who may approve for it types resume here." in plain(told)
    assert (await teams.agent.claim(allowed)).problem == "stopped"
    await becomes(teams, waiting, "held")
    await card.shows("Ana stopped every run in its conversation")
    assert "Resume every run in its conversation" in card.buttons
    assert "Approve" not in card.buttons

    await teams.mira.say(teams.ops, "resume", thread=told)

    assert "1 ask waits again." in (await told_below(word, "Mira resumed every run in this channel.")).shown
    await becomes(teams, waiting, "pending")
    await card.shows("Approve send_email?")
    assert (await teams.agent.claim(allowed)).status == 200


@pytest.mark.parametrize("way", ["{id}", "Ops/deploys", "Ops/#deploys"])
async def test_the_channel_is_the_same_however_a_run_names_it(teams: House, way: str) -> None:
    named = way.format(id=teams.ops.id)
    await run_in(teams, {"surface": "teams", "channel": named})
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run in this channel.")
    assert await scopes(teams) == [{"stop": {"conversation": {"surface": "teams", "channel": named}}}]
    await teams.mira.say(teams.ops, "resume")
    await said(teams, "Mira resumed every run in this channel.")
    assert await brakes(teams) == []


async def test_a_card_in_the_channel_is_held_though_its_run_is_bound_elsewhere(teams: House) -> None:
    """Whoever sees a card that is about to do harm does not know where its run is bound."""
    asked, card = await teams.asked_card()
    await teams.mira.say(teams.ops, "stop")
    assert "1 ask is on hold." in (await said(teams, "Mira stopped every run in this channel.")).shown
    assert await scopes(teams) == [{"stop": {"run": asked["run"]}}]
    await card.shows("Mira stopped this run")
    await teams.mira.say(teams.ops, "resume")
    await said(teams, "Mira resumed every run in this channel.")
    await becomes(teams, asked, "pending")


async def test_another_channel_goes_on(teams: House) -> None:
    """The scope of a word is its channel, with all its threads, and not the team."""
    general = teams.ops.team.general
    run, other = await run_in(teams), await run_in(teams, teams.place(general), name="another")
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run in this channel.")
    assert (await state_of(teams, run), await state_of(teams, other)) == ("held", "running")


async def test_where_no_agent_works_the_same_words_are_talk(teams: House) -> None:
    await run_in(teams, teams.place(teams.ops.team.general))
    for text in ("stop", "Stop all!", "wait", "resume", "!stop", "abort"):
        await teams.mira.say(teams.ops, text)
    await quiet(teams)


@pytest.mark.parametrize(
    "text",
    ["stop by my desk", "wait, what?", "can we stop the mailer?", "stop?", "> stop", "please don't stop", "go on"],
)
async def test_talk_in_the_channel_stops_nothing(teams: House, text: str) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, text)
    await quiet(teams)


async def test_a_run_that_starts_while_the_channel_is_stopped_starts_stopped(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    assert await state_of(teams, await run_in(teams, name="another")) == "held"


async def test_what_was_claimed_before_is_named_because_no_stop_recalls_it(teams: House) -> None:
    await run_in(teams)
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Approve")
    (await teams.agent.claim(await teams.agent.wait(asked["id"]))).ok()
    await teams.mira.say(teams.ops, "stop")
    told = (await said(teams, "Mira stopped every run")).shown
    assert "Nothing waits for an answer" in told
    assert "1 action was begun before and cannot be recalled: “Send this e-mail to alice@example.com” (since " in told


async def test_a_second_stop_says_who_was_first(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    await teams.ana.say(teams.ops, "stop")
    await said(teams, "Already stopped by Mira since ")
    assert len(await brakes(teams)) == 1


async def test_an_agent_is_stopped_by_its_name(teams: House) -> None:
    other = await teams.live.new_agent("research")
    await run_in(teams)
    elsewhere = await run_in(teams, {"surface": "web"}, name="nightly")
    untouched = await run_in(teams, agent=other)
    await teams.ana.say(teams.ops, "mailer, stop")
    told = await said(teams, "Ana stopped all that mailer does.")
    assert "types resume mailer" in plain(told)
    assert await scopes(teams) == [{"stop": {"agent": "mailer"}}]
    assert await state_of(teams, elsewhere) == "held"
    assert (await other.call("GET", f"/v1/runs/{untouched}")).ok()["state"] == "running"
    await teams.ana.say(teams.ops, "resume mailer")
    await said(teams, "Ana resumed all that mailer does.")


async def test_stop_all_says_plainly_that_it_is_everything(teams: House) -> None:
    await run_in(teams)
    await teams.ana.say(teams.ops, "stop everything")
    await said(teams, "Ana stopped every agent.")
    assert await scopes(teams) == [{"stop": {"everything": True}}]
    await teams.ana.say(teams.ops, "resume", mention=True)
    told = await said(teams, "Nothing was on hold here.", teams.ana)
    assert "weekly-report is still on hold: Ana stopped every agent at" in told.shown
    await teams.ana.say(teams.ops, "resume all")
    await said(teams, "Ana resumed every agent.")


# --- in a thread ---


async def test_in_the_thread_of_a_card_it_is_that_run(teams: House) -> None:
    run = await run_in(teams)
    asked, card = await teams.asked_card()
    await run_in(teams, name="another")
    other = await teams.ask(what="Another mail")

    await teams.ana.say(teams.ops, "stop, this is the wrong list", thread=card)

    told = await told_below(card, "Ana stopped this run.")
    assert "types resume in this thread" in plain(told)
    assert await scopes(teams) == [{"stop": {"run": run}}]
    await card.shows("Ana stopped this run at")
    await card.shows("this is the wrong list")
    assert "Resume this run" in card.buttons
    assert await teams.state(other) == "pending"

    await teams.mira.say(teams.ops, "resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    await becomes(teams, asked, "pending")


async def test_in_the_thread_that_a_run_is_bound_to_it_is_that_run(teams: House) -> None:
    root = await teams.mira.say(teams.ops, "Please send the weekly report")
    run = await run_in(teams, teams.place(thread=root))
    await run_in(teams, name="another")
    await teams.ana.say(teams.ops, "stop", thread=root)
    await told_below(root, "Ana stopped this run.")
    assert await scopes(teams) == [{"stop": {"run": run}}]


async def test_in_a_thread_of_people_a_stop_is_the_channels_and_a_resume_is_talk(teams: House) -> None:
    await run_in(teams)
    root = await teams.mira.say(teams.ops, "The report looks odd")
    other = await teams.mira.say(teams.ops, "Lunch?")
    await teams.ana.say(teams.ops, "stop", thread=root)
    await told_below(root, "Ana stopped every run in this channel.")
    await teams.mira.say(teams.ops, "continue", thread=other)
    await teams.until_settled()
    assert len(await brakes(teams)) == 1
    assert len(posts(teams)) == 1


async def test_below_the_bots_own_words_a_resume_is_the_channels(teams: House) -> None:
    """In Teams everybody answers below; there it is said to the bot."""
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    told = await said(teams, "Mira stopped every run")
    await teams.mira.say(teams.ops, "resume", thread=told)
    await said(teams, "Mira resumed every run in this channel.")
    assert await brakes(teams) == []


@pytest.mark.parametrize("text", ["wait, change the recipient to Bob", "Moment mal, der Empfänger ist Bob"])
async def test_words_for_the_agent_hold_the_run_until_it_has_heard_them(teams: House, text: str) -> None:
    run = await run_in(teams)
    asked, card = await teams.asked_card()
    await teams.ana.say(teams.ops, text, thread=card)
    await told_below(card, "I told the agent. It is on hold until it has read that.")
    await becomes(teams, asked, "held")
    (held,) = await brakes(teams)
    assert (held["action"], held["by"]["name"]) == ("steer", "Ana")
    (await teams.agent.call("POST", f"/v1/runs/{run}/heard", {"steers": [held["steer"]]})).ok()
    await becomes(teams, asked, "pending")
    await card.shows(f"The agent has heard Ana: “{held['text']}”")
    await told_below(card, f"mailer has heard Ana: “{held['text']}”")
    await teams.until_settled()
    assert sum("has heard" in reply.shown for reply in card.replies) == 1


async def test_an_agent_reads_people_by_their_names(teams: House) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    mention = {"type": "mention", "mentioned": {"id": teams.mira.id, "name": "Mira"}, "text": "<at>Mira</at>"}
    words = message_of(teams, teams.ana, "wait, ask <at>Mira</at>&nbsp;&amp; Bob first", entities=[mention])
    words["conversation"]["id"] = f"{teams.ops.id};messageid={card.id}"
    await send(teams, words)
    await told_below(card, "I told the agent.")
    (held,) = await brakes(teams)
    assert held["text"].endswith("ask @Mira & Bob first")


async def test_words_that_teams_delivers_again_reach_the_agent_once(teams: House) -> None:
    run = await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.say(teams.ops, "wait, use the other list", thread=card)
    await told_below(card, "I told the agent.")
    await teams.cloud.redeliver_last("message")
    receipt = (await teams.agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "planned"})).ok()
    assert [each["text"] for each in receipt["steers"]] == ["use the other list"]
    assert sum("I told the agent" in reply.shown for reply in card.replies) == 1


async def test_a_bang_works_wherever_people_write(teams: House) -> None:
    await run_in(teams)
    root = await teams.mira.say(teams.ops, "Lunch?")
    await teams.ana.say(teams.ops, "!stop because it is noon", thread=root)
    await told_below(root, "Ana stopped every run in this channel.")
    await teams.mira.say(teams.ops, "!resume", thread=root)
    await told_below(root, "Mira resumed every run in this channel.")


# --- to the bot ---


async def test_without_consent_a_mention_stops_and_a_bare_word_does_not_even_come(settings: Settings) -> None:
    async with house(settings) as teams:
        await run_in(teams)
        await teams.ana.say(teams.ops, "stop")
        assert await brakes(teams) == []
        await teams.ana.say(teams.ops, "stop, it writes to the wrong people", mention=True)
        told = await said(teams, "Ana stopped every run in this channel.")
        assert "types @Andon resume here." in plain(told)
        (held,) = await brakes(teams)
        assert held["text"] == "it writes to the wrong people"
        await teams.mira.say(teams.ops, "resume", mention=True)
        await said(teams, "Mira resumed every run in this channel.")


@pytest.mark.parametrize(
    "text",
    [
        "<at>Andon</at> stop",
        "<at>Andon</at>&nbsp;stop",
        "<at>Andon</at>\u00a0 Stop!\n",
        "stop <at>Andon</at>",
        "hey <at>Andon</at>, stop",
        "<at>Andon</at> <at>Andon</at> stop\r\n",
        '<at id="0">Andon</at> stop',
    ],
)
async def test_however_teams_writes_the_mention_it_is_taken_out(teams: House, text: str) -> None:
    await run_in(teams)
    called = text[text.index("<at") : text.index("</at>") + 5]
    mention = {"type": "mention", "mentioned": {"id": teams.cloud.bot_id, "name": "Andon"}, "text": called}
    await send(teams, message_of(teams, teams.ana, text, entities=[mention]))
    await said(teams, "Ana stopped every run in this channel.")


async def test_a_mention_in_a_channel_of_one_run_can_steer_it(teams: House) -> None:
    run = await run_in(teams)
    await teams.ana.say(teams.ops, "wait, use the other list", mention=True)
    await said(teams, "I told the agent.")
    assert await scopes(teams) == [{"steer": {"run": run}}]


async def test_words_that_may_be_for_several_runs_pause_them_all_and_reach_none(teams: House) -> None:
    await run_in(teams)
    await run_in(teams, name="another")
    await teams.ana.say(teams.ops, "wait, use the other list", mention=True)
    told = await said(teams, "Ana paused every run in this channel.")
    assert "nobody was told your words" in told.shown


async def test_a_mention_where_no_agent_works_names_what_can_be_named_to_whoever_asks_alone(teams: House) -> None:
    await run_in(teams)
    general = teams.ops.team.general
    before = posts(teams, general)
    await teams.mira.say(general, "stop", mention=True)
    told = await said(teams, "I do not know whom you mean, so nothing was stopped.", teams.mira)
    assert "stop mailer" in told.shown
    assert posts(teams, general) == before
    assert await brakes(teams) == []
    await teams.mira.say(general, "stop mailer", mention=True)
    await said(teams, "Mira stopped all that mailer does.", general)


async def test_a_personal_chat_stops_what_asks_there(teams: House) -> None:
    asked = await teams.ask(to=[teams.person(teams.ana)])
    card = await teams.card(asked, teams.ana.direct)
    await teams.ana.dm("stop")
    told = await said(teams, "Ana stopped every run here.", teams.ana)
    assert "types resume here" in plain(told)
    await becomes(teams, asked, "held")
    await card.shows("Ana stopped this run")
    await teams.ana.dm("go on")
    await said(teams, "Ana resumed every run here.", teams.ana)
    await becomes(teams, asked, "pending")


async def test_a_personal_chat_in_which_it_could_mean_anything_stops_nothing(teams: House) -> None:
    await run_in(teams)
    await teams.ana.dm("stop")
    told = await said(teams, "I do not know whom you mean, so nothing was stopped.", teams.ana)
    assert "stop mailer" in told.shown
    assert "stop all" in told.shown
    assert await brakes(teams) == []
    await teams.ana.dm("stop mailer")
    await said(teams, "Ana stopped all that mailer does.", teams.ana)


async def test_an_agent_that_somebody_does_not_see_cannot_be_named(teams: House) -> None:
    secret = teams.cloud.chat(teams.mira, name="Secret")
    await teams.cloud.install(secret)
    await run_in(teams, teams.place(secret))
    await teams.ana.dm("stop mailer")
    told = await said(teams, "I do not know whom you mean", teams.ana)
    assert "stop mailer" not in told.shown
    assert await brakes(teams) == []


# --- in a group chat ---


async def test_a_group_chat_is_one_conversation(teams: House) -> None:
    chat = teams.cloud.chat(teams.mira, teams.ana, name="Release", rsc=True)
    await teams.cloud.install(chat)
    run = await run_in(teams, teams.place(chat))
    asked = await teams.ask(to=[teams.place(chat)])
    await teams.card(asked, chat)
    await teams.ana.say(chat, "stop")
    await said(teams, "Ana stopped every run in this chat.", chat)
    assert await state_of(teams, run) == "held"
    await teams.mira.say(chat, "resume")
    await said(teams, "Mira resumed every run in this chat.", chat)
    await becomes(teams, asked, "pending")


async def test_a_reply_that_quotes_a_card_in_a_chat_is_about_its_run(teams: House) -> None:
    """Chats have no threads: people quote what they answer."""
    chat = teams.cloud.chat(teams.mira, teams.ana, name="Release", rsc=True)
    await teams.cloud.install(chat)
    run = await run_in(teams, teams.place(chat))
    card = await teams.card(await teams.ask(to=[teams.place(chat)]), chat)
    await run_in(teams, teams.place(chat), name="another")
    quote = (
        f'<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="{card.id}"><p>a card</p></blockquote>'
    )
    html = [{"contentType": "text/html", "content": f"{quote}<p>stop</p>"}]
    await send(teams, message_of(teams, teams.ana, "stop", chat, attachments=html))
    told = await said(teams, "Ana stopped this run.", chat)
    assert "types resume in reply to the card" in plain(told)
    assert await scopes(teams) == [{"stop": {"run": run}}]
