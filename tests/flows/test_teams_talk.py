"""People who talk to the bot in Teams: to it alone, in a channel by its name, where it was just added."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.flow import Flow
from tests.fakes.teams import Conversation, Message, Person
from tests.flows.teams_cord import GREETING, brakes, message_of, plain, posts, run_in, said, send, told_of, with_consent
from tests.flows.teams_house import House, house, told_below
from tests.people import Json


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


async def asks(teams: House, person: Person, text: str, containing: str) -> Message:
    """Ask the bot in the chat with it; what it says back."""
    await person.dm(text)
    return await said(teams, containing, person)


def private_chat(teams: House, *people: Person, name: str = "Secret") -> Conversation:
    return teams.cloud.chat(*people, name=name)


# --- how it is called ---


async def test_help_is_given_below_the_mention(teams: House) -> None:
    word = await teams.ana.say(teams.ops, "help", mention=True)
    told = plain(await told_below(word, "What you can ask me"))
    assert "@Andon pending what waits in this channel" in told
    assert "@Andon stop every agent that works in this channel; stop <agent>: that one" in told
    assert len(posts(teams)) == 1


@pytest.mark.parametrize("text", ["", "help", "Hi!", "?", "\n"])
async def test_in_the_chat_with_it_no_mention_is_needed(teams: House, text: str) -> None:
    await send(teams, message_of(teams, teams.ana, text, teams.ana.direct))
    told = plain(await said(teams, "What you can ask me", teams.ana))
    assert "pending what waits for you" in told
    assert "@Andon" not in told


@pytest.mark.parametrize("text", ["<at>Andon</at>&nbsp;help", "<at>Andon</at> help ", "help <at>Andon</at>"])
async def test_a_mention_in_the_chat_with_it_changes_nothing(teams: House, text: str) -> None:
    mention = {"type": "mention", "mentioned": {"id": teams.cloud.bot_id, "name": "Andon"}, "text": "<at>Andon</at>"}
    await send(teams, message_of(teams, teams.ana, text, teams.ana.direct, entities=[mention]))
    await said(teams, "What you can ask me", teams.ana)


async def test_an_unknown_word_gets_the_nearest_known_one(teams: House) -> None:
    await asks(teams, teams.ana, "pendign", "Did you mean “pending”?")
    await asks(teams, teams.ana, "what is the weather like?", "I do not know that word")


async def test_talk_that_does_not_mention_it_is_left_alone(teams: House) -> None:
    """Although all of it comes, where the owner consented."""
    for text in ("help", "pending", "Andon, help", "home"):
        await teams.ana.say(teams.ops, text)
    other = {"type": "mention", "mentioned": {"id": teams.mira.id, "name": "Mira"}, "text": "<at>Mira</at>"}
    await send(teams, message_of(teams, teams.ana, "<at>Mira</at> help", entities=[other]))
    await teams.until_settled()
    assert posts(teams) == []


async def test_a_mention_is_answered_once_however_often_it_comes(teams: House) -> None:
    word = await teams.ana.say(teams.ops, "help", mention=True)
    await told_below(word, "What you can ask me")
    await send(teams, told_of(teams, word), times=3)
    await teams.until_settled()
    assert len(posts(teams)) == 1


@pytest.mark.parametrize("change", [{"role": "bot"}, {"id": "28:another"}])
async def test_a_bot_is_not_answered(teams: House, change: Json) -> None:
    words = message_of(teams, teams.ana, "help", teams.ana.direct)
    words["from"] |= change
    await send(teams, words)
    await teams.until_settled()
    assert posts(teams, teams.ana.direct) == []


async def test_people_of_another_organisation_are_not_answered(teams: House) -> None:
    eve = teams.cloud.person("Eve", tenant=teams.cloud.tenant("Fabrikam"))
    teams.ops.team.members.append(eve)
    await eve.say(teams.ops, "pending", mention=True)
    await teams.until_settled()
    assert posts(teams) == []


async def test_it_says_once_what_it_is_there_for_where_it_is_added(teams: House) -> None:
    chat = private_chat(teams, teams.mira, teams.ana, name="Release")
    await teams.cloud.install(chat)
    told = plain(await said(teams, GREETING, chat))
    assert "@Andon stop every agent that works in this chat" in told
    await teams.cloud.install(chat)
    await teams.until_settled()
    assert len(teams.cloud.posts(chat)) == 1
    alone = plain(await said(teams, GREETING, teams.ana))
    assert "show <id or link>" in alone
    assert "@Andon" not in alone


async def test_a_removal_is_no_reason_to_say_anything(teams: House) -> None:
    chat = private_chat(teams, teams.mira)
    await teams.cloud.tell_installed(chat, removed=True)
    await teams.until_settled()
    assert teams.cloud.posts(chat) == []


# --- what waits ---


async def test_pending_lists_what_i_can_see(teams: House) -> None:
    secret = private_chat(teams, teams.mira)
    await teams.cloud.install(secret)
    await teams.ask(what="Drop the table orders")
    await teams.ask(what="Sell the house", to=[teams.place(secret)])
    await teams.ask(what="Call the doctor", to=[teams.person(teams.ana)])
    told = plain(await asks(teams, teams.ana, "pending", "2 waiting"))
    assert "Drop the table orders" in told
    assert "mailer · send_email · Ops / deploys" in told
    assert "Call the doctor" in told
    assert "Sell the house" not in told
    told = plain(await asks(teams, teams.mira, "pending", "2 waiting"))
    assert "Sell the house" in told
    assert "Secret" in told
    assert "Call the doctor" not in told


async def test_a_card_that_is_known_is_linked(teams: House) -> None:
    _, card = await teams.asked_card()
    told = await asks(teams, teams.ana, "pending", "1 waiting")
    opens = [each for each in _links(told) if each.startswith("https://teams.microsoft.com/")]
    conversation = teams.ops.id.replace(":", "%3A").replace("@", "%40")
    tenant = teams.cloud.home.id
    assert opens == [
        f"https://teams.microsoft.com/l/message/{conversation}/{card.id}?tenantId={tenant}&parentMessageId={card.id}"
    ]
    shown = await asks(teams, teams.ana, f"show {opens[0]}", "Open the card")
    assert "Send this e-mail to alice@example.com" in plain(shown)


def _links(message: Message) -> list[str]:
    def actions(source: Any) -> list[str]:
        if isinstance(source, dict):
            own = [source["url"]] if source.get("type") == "Action.OpenUrl" else []
            return own + [url for each in source.values() for url in actions(each)]
        return [url for each in source for url in actions(each)] if isinstance(source, list) else []

    return actions(message.card)


async def test_nothing_waits(teams: House) -> None:
    await asks(teams, teams.ana, "pending", "Nothing waits for you.")
    word = await teams.ana.say(teams.ops, "pending", mention=True)
    await told_below(word, "Nothing waits in this channel.")


async def test_a_mention_lists_this_channel_for_everybody_there(teams: House) -> None:
    await teams.ask(what="Drop the table orders")
    await teams.ask(what="Call the doctor", to=[teams.person(teams.ana)])
    word = await teams.ana.say(teams.ops, "pending", mention=True)
    told = plain(await told_below(word, "1 waiting"))
    assert "Drop the table orders" in told
    assert "Call the doctor" not in told


async def test_my_own_list_is_never_shown_to_the_channel(teams: House) -> None:
    await teams.ask(what="Call the doctor", to=[teams.person(teams.ana)])
    await teams.ana.say(teams.ops, "pending mine", mention=True)
    await said(teams, "1 waiting", teams.ana)
    await teams.until_settled()
    assert posts(teams) == []


async def test_where_i_cannot_be_told_alone_nothing_of_it_is_said(settings: Settings) -> None:
    async with house(settings) as teams:
        otto = teams.cloud.person("Otto", email="otto@example.com")
        chat = private_chat(teams, teams.mira, otto, name="Release")
        await teams.cloud.install(chat)
        await teams.ask(what="Drop the table orders", to=[teams.place(chat)])
        await otto.say(chat, "pending mine", mention=True)
        told = plain(await said(teams, "Otto, that is for you alone, and I cannot write to you", chat))
        assert "add me for yourself under Apps" in told
        assert not any("waiting" in each for each in posts(teams, chat))


async def test_titles_are_literal(teams: House) -> None:
    """The house's own check finds what would be live; this is what it looks like."""
    await teams.ask(what="**Hi** [x](https://evil.example) <at>everyone</at> {{DATE(2020-01-01T00:00:00Z)}}")
    told = await asks(teams, teams.ana, "pending", "1 waiting")
    assert "**Hi** [x](https://evil.example) <at>everyone</at>" in plain(told)


async def test_a_request_in_the_chat_is_no_answer_to_a_question_there(teams: House) -> None:
    asked = await teams.agent.ask_for("How much?", reply_in_thread=True, to=[teams.person(teams.ana)])
    await teams.card(asked, teams.ana.direct)
    await asks(teams, teams.ana, "pending", "1 waiting")
    await asks(teams, teams.ana, "help", "What you can ask me")
    assert await teams.state(asked) == "pending"
    await teams.ana.dm("500")
    assert (await teams.agent.wait(asked["id"]))["decision"]["answer"] == "500"


async def test_somebody_who_left_sees_nothing_of_it(teams: House) -> None:
    await teams.ask()
    await asks(teams, teams.ana, "pending", "1 waiting")
    await teams.cloud.leave(teams.ops.team, teams.ana)
    await asks(teams, teams.ana, "pending", "Nothing waits for you.")


async def test_when_teams_does_not_say_who_somebody_is_they_are_shown_nothing(teams: House) -> None:
    await teams.ask()
    teams.cloud.refuse("member", "ServiceError", times=50)
    await asks(teams, teams.ana, "pending", "I cannot look that up just now. Try again in a minute.")


async def test_an_answer_that_broke_halfway_is_given_when_the_message_comes_again(
    teams: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("it is away")

    await teams.ask()
    with monkeypatch.context() as patch:
        patch.setattr(Flow, "inbox", away)
        await asks(teams, teams.ana, "pending", "I cannot look that up just now.")
    await asks(teams, teams.ana, "pending", "1 waiting")


# --- one card ---


@pytest.mark.parametrize("way", ["{id}", "…{end}", "{url}"])
async def test_show_finds_a_card_by_any_name(teams: House, way: str) -> None:
    asked = await teams.ask()
    text = way.format(id=asked["id"], end=asked["id"][-6:], url=f"{teams.live.url}/handoffs/{asked['id']}")
    told = plain(await asks(teams, teams.ana, f"show {text}", "Open in the console"))
    assert "Send this e-mail to alice@example.com" in told


async def test_show_answers_for_a_hidden_card_as_for_none(teams: House) -> None:
    secret = private_chat(teams, teams.mira)
    await teams.cloud.install(secret)
    asked = await teams.ask(to=[teams.place(secret)])
    await asks(teams, teams.ana, f"show {asked['id']}", "There is no such card for you.")
    await asks(teams, teams.ana, "show hf_doesnotexist", "There is no such card for you.")
    await asks(teams, teams.mira, f"show {asked['id']}", "Send this e-mail")


async def test_show_tells_of_what_was_decided(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Approve")
    await teams.agent.wait(asked["id"])
    told = plain(await asks(teams, teams.ana, f"show {asked['id'][-8:]}", "Open in the console"))
    assert "Mira" in told


async def test_show_without_a_name_says_how_it_goes(teams: House) -> None:
    await asks(teams, teams.ana, "show", "This is how “show” goes")


# --- grants, home ---


GRANTED = """
rules:
  - {name: mail, tool: send_email, do: ask, grants: [{label: This address, life: 1h, same: [to]}]}
"""


async def test_a_grant_is_listed_for_who_sees_its_card_and_ended_there(settings: Settings) -> None:
    async with house(settings, policy=GRANTED, prepare=with_consent) as teams:
        _, card = await teams.asked_card()
        await teams.mira.press(card, "1 h: This address")
        await teams.mira.press(card, "Approve and grant")
        listed = await asks(teams, teams.ana, "grants", "1 grant stands")
        assert "send_email with to = alice@example.com" in plain(listed)
        outcome = await teams.ana.press(listed, "End it")
        assert outcome.said.endswith("It is asked about again from now on.")
        again = await teams.ana.press(listed, "End it")
        assert "There is no such grant for you" in again.said
        otto = teams.cloud.person("Otto")
        teams.cloud.personal(otto, installed=True)
        await asks(teams, otto, "grants", "No grants stand that you can see.")


async def test_home_is_an_overview_of_all_that_concerns_me(teams: House) -> None:
    await run_in(teams)
    await teams.ask(what="Drop the table orders")
    told = plain(await asks(teams, teams.ana, "home", "1 waiting for a person"))
    assert "Drop the table orders" in told
    assert "weekly-report · mailer · Ops / deploys · 1 waiting" in told
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    told = plain(await asks(teams, teams.ana, "home", "What is stopped"))
    assert "Mira stopped every run in its conversation" in told
    assert len(await brakes(teams)) == 1


async def test_home_in_a_channel_is_told_to_me_alone(teams: House) -> None:
    await teams.ask()
    await teams.ana.say(teams.ops, "home", mention=True)
    await said(teams, "1 waiting for a person", teams.ana)
    assert posts(teams) == []


async def test_an_overview_with_nothing_in_it_says_so(teams: House) -> None:
    await asks(teams, teams.ana, "home", "Nothing waits for you")
    await asks(teams, teams.ana, "grants", "No grants stand that you can see.")
    await asks(teams, teams.ana, "brakes", "Nothing is stopped that you can see.")
