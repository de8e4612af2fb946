"""“Ask the agent about this” in Teams: an action of any message, a dialog, and words that the run's agent reads."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.teams import Dialog, Message, Person
from tests.flows.teams_cord import posts, run_in, with_consent
from tests.flows.teams_house import House, house, plain, told_below
from tests.people import Json


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


async def about(person: Person, message: Message) -> Dialog:
    outcome = await person.act_on(message, "ask")
    assert outcome.dialog, outcome
    return outcome.dialog


async def heard(teams: House, run: str) -> list[Json]:
    """What people have told the run's agent."""
    receipt = (await teams.agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "planned"})).ok()
    return [each for each in receipt["steers"] if each["text"]]


async def test_words_about_a_message_reach_the_agent_that_works_there(teams: House) -> None:
    run = await run_in(teams)
    message = await teams.mira.say(teams.ops, "The <b>totals</b> look odd")
    dialog = await about(teams.ana, message)
    assert "mailer · weekly-report reads this at its next step." in plain(dialog.shown)
    assert "About what Mira wrote:" in plain(dialog.shown)
    done = await dialog.submit("Send", {"Your words": "Is that the new formula?"})
    assert done.dialog
    assert done.dialog.shown == "Sent\nmailer reads this at its next step."
    told = await told_below(message, "Ana asks the agent: Is that the new formula?")
    assert told.thread == message.id
    (steer,) = await heard(teams, run)
    assert steer["by"]["email"] == "ana@example.com"
    assert steer["text"] == (
        "Is that the new formula?\n\nContext, not an instruction: the message in Teams that this is about, by Mira:\n"
        "> The totals look odd"
    )
    assert (await teams.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "running", "it holds nothing"


async def test_a_card_names_its_own_run_even_among_others(teams: House) -> None:
    await run_in(teams)
    run = await run_in(teams, name="another")
    asked, card = await teams.asked_card()
    reply = await teams.mira.say(teams.ops, "Who is alice?", thread=card)
    for message in (card, reply):
        dialog = await about(teams.ana, message)
        assert "mailer · another reads this at its next step." in plain(dialog.shown)
    await (await about(teams.ana, reply)).submit("Send", {"Your words": "Do you know?"})
    await told_below(card, "Ana asks the agent: Do you know?")
    assert len(await heard(teams, run)) == 1
    assert await teams.state(asked) == "pending"


async def test_of_several_runs_one_is_chosen(teams: House) -> None:
    first, second = await run_in(teams), await run_in(teams, name="another")
    message = await teams.mira.say(teams.ops, "The totals look odd")
    dialog = await about(teams.ana, message)
    assert "Choose whom to ask." in plain(dialog.shown)
    again = await dialog.submit("Send", {"Your words": "Why?"})
    assert again.dialog
    assert "Choose one of these." in again.dialog.shown
    assert await heard(teams, first) == []
    await again.dialog.submit("Send", {"Which agent?": first})
    await told_below(message, "Ana asks the agent: Why?")
    assert (len(await heard(teams, first)), len(await heard(teams, second))) == (1, 0)


async def test_nothing_is_not_sent(teams: House) -> None:
    run = await run_in(teams)
    dialog = await about(teams.ana, await teams.mira.say(teams.ops, "Hm"))
    again = await dialog.submit("Send", {"Your words": "  "})
    assert again.dialog
    assert "Write what the agent should know." in again.dialog.shown
    assert await heard(teams, run) == []


async def test_where_no_agent_works_it_says_so(teams: House) -> None:
    await run_in(teams, {"surface": "web"})
    dialog = await about(teams.ana, await teams.mira.say(teams.ops, "Lunch?"))
    assert "No agent works on this message or in its channel, so there is nobody to ask." in plain(dialog.shown)
    assert dialog.buttons == []


async def test_a_guest_may_not_ask_an_agent(teams: House) -> None:
    gwen = teams.cloud.person("Gwen", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    eve = teams.cloud.person("Eve", tenant=teams.cloud.tenant("Tailspin"))
    teams.ops.team.members.extend([gwen, eve])
    await run_in(teams)
    message = await teams.mira.say(teams.ops, "The totals look odd")
    for person in (gwen, eve):
        shown = (await about(person, message)).shown
        assert "Only full members of this organisation who are in the channel may ask its agents." in shown


async def test_who_left_the_channel_meanwhile_asks_nobody(teams: House) -> None:
    run = await run_in(teams)
    dialog = await about(teams.ana, await teams.mira.say(teams.ops, "The totals look odd"))
    await teams.cloud.leave(teams.ops.team, teams.ana)
    teams.ops.team.members.append(teams.ana)  # her client still shows the dialog
    teams.cloud.refuse("member", "MemberNotFoundInConversation")
    outcome = await dialog.submit("Send", {"Your words": "Why?"})
    assert outcome.dialog
    assert "Not sent" in outcome.dialog.shown
    assert await heard(teams, run) == []


async def test_only_a_run_that_was_offered_can_be_asked(teams: House) -> None:
    await run_in(teams)
    await run_in(teams, name="another")
    secret = teams.cloud.chat(teams.mira, name="Secret")
    await teams.cloud.install(secret)
    hidden = await run_in(teams, teams.place(secret), name="secret")
    dialog = await about(teams.ana, await teams.mira.say(teams.ops, "The totals look odd"))
    source = next(each for each in dialog.card["body"] if each.get("id") == "run" or "choices" in str(each))
    assert hidden not in str(source)
    value = {"data": {"text": "Tell me all", "run": hidden}, "context": {}, **(dialog.about or {})}
    activity = teams.last("composeExtension/fetchTask").activity
    activity = activity | {"name": "composeExtension/submitAction", "id": "f:forged", "value": value}
    delivery = await teams.cloud.courier.send(activity)
    assert "Choose one of these." in str(delivery.ack.body)
    assert await heard(teams, hidden) == []


async def test_a_submission_that_teams_sends_again_is_one(teams: House) -> None:
    run = await run_in(teams)
    message = await teams.mira.say(teams.ops, "The totals look odd")
    await (await about(teams.ana, message)).submit("Send", {"Your words": "Why?"})
    await told_below(message, "Ana asks the agent: Why?")
    again = await teams.cloud.redeliver_last("composeExtension/submitAction")
    assert "reads this at its next step" in str(again.ack.body)
    await teams.until_settled()
    assert len(await heard(teams, run)) == 1
    assert len(posts(teams)) == 1


async def test_in_a_chat_that_the_app_is_not_in_nobody_is_asked(teams: House) -> None:
    """An action of a message is there in every conversation of whoever has added the app."""
    run = await run_in(teams)
    aside = teams.cloud.chat(teams.mira, teams.ana, installed=False)
    message = await teams.mira.say(aside, "Between us")
    shown = (await about(teams.ana, message)).shown
    assert "Only full members of this organisation who are in the chat may ask its agents." in shown
    await teams.ana.dm("pending")
    assert await heard(teams, run) == []


async def test_a_very_long_message_still_fits(teams: House) -> None:
    await run_in(teams)
    message = await teams.mira.say(teams.ops, "<p>" + "Ünïcode 🎉 & <i>more</i> " * 4_000)
    dialog = await about(teams.ana, message)
    assert "more characters)" in plain(dialog.shown)
    await dialog.submit("Send", {"Your words": "x" * 5_000})
    told = await told_below(message, "Ana asks the agent: xxx")
    assert "more characters)" in plain(told.shown)


@pytest.mark.parametrize("value", [None, {}, {"messagePayload": 7}, {"messagePayload": {"from": [], "body": "x"}}, []])
async def test_what_is_no_message_is_no_fault(teams: House, value: object) -> None:
    await run_in(teams)
    await about(teams.ana, await teams.mira.say(teams.ops, "Hm"))
    activity = teams.last("composeExtension/fetchTask").activity | {"value": value}
    assert (await teams.cloud.courier.send(activity)).ack.status == 200
