"""Talking with the bot: what waits, one card in short, words for an agent; and who learns nothing."""

import asyncio
import copy
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import Handoff, State
from tests.adapters.talkers import AGE, EMAIL, RUN, House, talkers
from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.people import Person

Json = dict[str, Any]
GONE = "There is no such card for you."


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with talkers() as made:
        yield made


async def _mention(house: House, by: Person, text: str, channel: Channel | None = None) -> Message:
    """Call the bot; what it says for everybody is below the message."""
    return await by.say(channel or house.ops, f"{house.cloud.bot().mention} {text}")


async def _ask(person: Person, text: str) -> str:
    """Write to the bot directly; what it said last."""
    await person.dm(text)
    return next(message.shown for message in reversed(person.dms) if message.bot_id)


def _named(house: House, what: str, **given: Any) -> Handoff:
    return house.ask({**EMAIL, "what": what}, **given)


# --- being polite -----------------------------------------------------------------------------------


async def test_help_is_given_below_the_mention_and_nowhere_else(house: House) -> None:
    asked = await _mention(house, house.ana, "help")

    (reply,) = house.replies(asked)
    assert reply.startswith("What you can ask me")
    assert "@andon pending" in reply
    assert len(house.cloud.cards(house.ops)) == 1


async def test_an_unknown_word_gets_the_nearest_known_one(house: House) -> None:
    assert (await _ask(house.ana, "pendign")).startswith("Did you mean “pending”?")
    assert (await _ask(house.ana, "make me a sandwich")).startswith("I do not know that word")


async def test_a_command_is_answered_to_the_person_alone(house: House) -> None:
    await house.ana.command("/andon", "help", channel=house.ops)

    assert house.cloud.cards(house.ops) == []
    assert "/andon pending here" in house.ana.told[0]


async def test_a_command_is_answered_where_it_was_typed_even_where_the_bot_is_not(house: House) -> None:
    elsewhere = house.cloud.channel("elsewhere", [house.ana], bot=False)

    said = await house.ana.command("/andon", "help", channel=elsewhere)

    assert "/andon pending" in said.shown
    assert said.reply
    assert said.reply.channel is elsewhere
    assert house.ana.dms == []


async def test_a_mention_is_answered_once_however_often_it_comes(house: House) -> None:
    """Slack tells of a mention twice, and of everything again when an answer was late."""
    asked = await _mention(house, house.ana, "help")
    await house.again(asked)

    assert len(house.replies(asked)) == 1


async def test_a_direct_message_is_answered_once(house: House) -> None:
    message = await house.ana.dm("help")
    await house.again(message)

    assert len([message for message in house.ana.dms if message.bot_id]) == 1


async def test_an_answer_that_broke_halfway_is_given_when_the_event_comes_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(team: str) -> None:
        raise StoreUnavailable(f"nothing is known of {team}")

    monkeypatch.setattr(house.parts.installs, "bot", nobody)
    house.cloud.retry_scale = 1.0
    await house.ana.dm("help")
    assert not [message for message in house.ana.dms if message.bot_id]

    monkeypatch.undo()
    await house.again(house.ana.dms[0])

    await house.cloud.wait_for_card(house.ana, "pending")


async def test_many_who_ask_at_once_are_all_answered_in_turn(house: House) -> None:
    """Slack takes one message a second into a channel, and short bursts; who comes later waits and is not forgotten."""
    house.cloud.rate_limits.on = True
    asked = await asyncio.gather(*(_mention(house, house.ana, "help") for _ in range(6)))

    for message in asked:
        await house.cloud.wait_for_card(house.ops, "What you can ask me", thread=message, within_s=15)


# --- what is ignored --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"bot_id": "B1"},
        {"bot_profile": {"id": "B1"}},
        {"subtype": "message_changed", "hidden": True},
        {"subtype": "bot_message"},
        {"subtype": "file_share"},
        {"edited": {"user": "U1", "ts": "1.2"}},
        {"user": None},
        {"user": "USLACKBOT"},
    ],
)
async def test_what_no_person_just_said_is_not_answered(house: House, other: Json) -> None:
    """A bot that answers bots answers itself in the end."""
    asked = await house.ana.say(house.ops, "hello")
    plain = {"type": "app_mention", "channel": house.ops.id, "user": house.ana.id, "ts": asked.ts}
    event = {**plain, "text": f"{house.cloud.bot().mention} help", **other}

    await house.talk.mentioned(event, house.ops.team.id)
    await house.talk.messaged({**event, "channel": house.ana.direct.id}, house.ops.team.id)

    assert house.cloud.calls["chat.postMessage"] == house.cloud.calls["chat.postEphemeral"] == 0


async def test_the_bots_own_messages_are_not_answered(house: House) -> None:
    await house.parts.api.call(
        house.ops.team.id, "chat.postMessage", channel=house.ana.direct.id, text=f"{house.cloud.bot().mention} help"
    )
    await house.ana.dm("help")

    assert house.cloud.calls["chat.postMessage"] == 2


async def test_an_edited_mention_is_not_answered_again(house: House) -> None:
    asked = await _mention(house, house.ana, "help")

    await house.ana.edit(asked, f"{house.cloud.bot().mention} pending")

    assert len(house.replies(asked)) == 1


async def test_people_of_another_organisation_are_not_answered(house: House) -> None:
    _named(house, "the plan")

    asked = await _mention(house, house.stranger, "pending")

    assert house.replies(asked) == []
    assert house.cloud.told(house.stranger) == []


async def test_a_command_of_another_organisation_is_refused_politely(house: House) -> None:
    _named(house, "the plan")
    form = {"user_id": house.stranger.id, "channel_id": house.ops.id, "text": "pending", "command": "/andon"}

    await house.talk.command(form, house.ops.team.id)

    assert house.cloud.told(house.stranger) == ["I talk with people of this workspace only."]


# --- what waits -------------------------------------------------------------------------------------


async def test_pending_lists_what_i_can_see_most_urgent_first(house: House) -> None:
    _named(house, "the later one", minutes=90)
    _named(house, "the sooner one", minutes=5)

    said = await _ask(house.ana, "pending")

    assert said.startswith("2 waiting")
    assert said.index("the sooner one") < said.index("the later one")
    assert "assistant" in said
    assert "#ops" in said
    assert "5 min left" in said
    links = [block["accessory"]["url"] for block in house.ana.dms[-1].blocks if "accessory" in block]
    assert links == [f"https://andon.example.com/handoffs/hf_{number:022d}" for number in (2, 1)]


async def test_a_card_that_is_known_is_linked(house: House) -> None:
    made = _named(house, "the plan")
    card = await house.post(made)
    await house.seen.posted(made.id, f"{house.ops.team.id}/{house.ops.id}", card.ts)

    await _ask(house.ana, "pending")

    link = f"https://acme.slack.com/archives/{house.ops.id}/p{card.ts.replace('.', '')}"
    assert house.ana.dms[-1].blocks[1]["accessory"]["url"] == link


async def test_what_i_was_asked_in_person_waits_for_me_and_for_nobody_else(house: House) -> None:
    for number, person in enumerate(("ana@example.com", house.ana.id, f"{house.ops.team.id}/{house.ana.id}")):
        made = house.ask({**EMAIL, "what": f"personal {number}"}, wire.Place(surface="slack", person=person))
        assert made.route.to[0].person == person

    mine, hers = await _ask(house.ana, "pending"), await _ask(house.mira, "pending")

    assert mine.count("personal") == 3
    assert "direct message" in mine
    assert "personal" not in hers


async def test_what_the_policy_lists_me_for_waits_for_me_wherever_it_is(house: House) -> None:
    made = house.ask({**EMAIL, "what": "listed"}, house.place(house.secret))
    house.desk.put(replace(made, route=replace(made.route, policy="p/1", approvers=("ana@example.com",))))

    said = await _ask(house.ana, "pending")

    assert "listed" in said
    assert "secret" not in said, "the channel that she is not in stays unnamed"


async def test_channels_may_be_named_in_every_way(house: House) -> None:
    for way in (house.ops.id, "#ops", "ops", f"{house.ops.team.id}/{house.ops.id}"):
        house.ask({**EMAIL, "what": f"by {way}"}, wire.Place(surface="slack", channel=way))
    house.ask({**EMAIL, "what": "nowhere"}, wire.Place(surface="slack", channel="#no-such-place"))
    house.ask({**EMAIL, "what": "elsewhere"}, wire.Place(surface="web"))

    said = await _ask(house.ana, "pending")

    assert said.startswith("4 waiting")
    assert "nowhere" not in said
    assert "elsewhere" not in said


async def test_over_twenty_are_counted(house: House) -> None:
    for number in range(25):
        _named(house, f"plan {number}", minutes=10 + number)

    said = await _ask(house.ana, "pending")

    assert said.startswith("25 waiting")
    shown, more = said.count("plan "), re.search(r"… and (\d+) more in the console", said)
    assert more
    assert 10 < shown <= 20
    assert shown + int(more[1]) == 25


async def test_what_is_over_waits_for_nobody_and_what_is_held_still_does(house: House) -> None:
    _named(house, "timed out", minutes=1)
    _named(house, "held", minutes=1, state=State.HELD)
    _named(house, "open", minutes=60)
    house.cloud.clock.advance(120)

    said = await _ask(house.ana, "pending")

    assert "timed out" not in said
    assert "held" in said
    assert "open" in said


async def test_nothing_waits(house: House) -> None:
    assert await _ask(house.ana, "pending") == "Nothing waits for you."
    asked = await _mention(house, house.ana, "pending")
    assert house.replies(asked) == ["Nothing waits in this channel."]


async def test_a_mention_lists_this_channel_for_everybody_there(house: House) -> None:
    _named(house, "in ops")
    house.ask({**EMAIL, "what": "in secret"}, house.place(house.secret))

    asked = await _mention(house, house.mira, "pending")

    (reply,) = house.replies(asked)
    assert "in ops" in reply
    assert "in secret" not in reply


async def test_titles_are_literal(house: House) -> None:
    _named(house, "<!channel> *all* <https://evil.example|ok> \u202e")

    asked = await _mention(house, house.ana, "pending")

    reply = asked.replies[0]
    assert "<!channel>" not in reply.text
    assert "⟦U+202E⟧" in reply.text
    assert reply.blocks[1]["text"]["type"] == "plain_text"


# --- what must stay hidden --------------------------------------------------------------------------


async def test_a_private_channels_cards_are_not_told_to_others(house: House) -> None:
    house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))

    assert "fire" not in await _ask(house.ana, "pending")
    assert "fire" in await _ask(house.mira, "pending")


async def test_what_the_policy_lists_others_for_is_not_told_to_me(house: House) -> None:
    made = house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))
    house.desk.put(replace(made, route=replace(made.route, policy="p/1", approvers=("mira@example.com",))))

    assert await _ask(house.ana, "pending") == "Nothing waits for you."


async def test_a_channels_list_is_for_who_is_in_it(house: House) -> None:
    house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))
    team = house.ops.team.id
    ana, mira = [await house.ground.viewer(team, each.id, channel=house.secret.id) for each in (house.ana, house.mira)]

    assert await house.seen.here(ana, f"{team}/{house.secret.id}") == []
    assert len(await house.seen.here(mira, f"{team}/{house.secret.id}")) == 1


async def test_a_list_for_the_channel_names_no_other_channel(house: House) -> None:
    """A card may be in two channels; those who read the list are in one of them."""
    both = (house.place(house.secret), house.place(house.ops))
    house.ask({**EMAIL, "what": "in both"}, *both)

    asked = await _mention(house, house.mira, "pending")

    (reply,) = house.replies(asked)
    assert "in both" in reply
    assert "#ops" in reply
    assert "secret" not in reply


async def test_a_deactivated_account_is_told_nothing(house: House) -> None:
    _named(house, "in ops")
    listed = house.ask({**EMAIL, "what": "listed"}, house.place(house.secret))
    approvers = (f"slack:{house.ana.id}",)
    house.desk.put(replace(listed, route=replace(listed.route, policy="p/1", approvers=approvers)))
    house.ana.deleted = True

    asked = await _mention(house, house.ana, "pending")
    viewer = await house.ground.viewer(house.ops.team.id, house.ana.id, channel=house.ops.id)

    assert house.replies(asked) == []
    (told,) = house.cloud.told(house.ana)
    assert "this account is deactivated" in told
    assert await house.seen.mine(viewer) == []


async def test_my_own_list_is_never_shown_to_the_channel(house: House) -> None:
    """What waits for Mira holds cards of a private channel; the others of #ops are not in there."""
    house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))

    asked = await _mention(house, house.mira, "pending mine")

    assert house.replies(asked) == []
    assert "fire everybody" in house.mira.told[0]
    assert house.ana.told == []


async def test_a_guest_sees_only_the_channels_they_are_in(house: House) -> None:
    _named(house, "in ops")
    listed = house.ask({**EMAIL, "what": "listed elsewhere"}, house.place(house.secret))
    approvers = (f"slack:{house.guest.id}",)
    house.desk.put(replace(listed, route=replace(listed.route, policy="p/1", approvers=approvers)))

    said = await _ask(house.guest, "pending")

    assert "in ops" in said
    assert "listed elsewhere" not in said
    assert await _ask(house.guest, f"show {listed.id}") == GONE


async def test_somebody_who_left_the_channel_sees_nothing_of_it(house: House) -> None:
    made = _named(house, "in ops")
    house.ops.members.remove(house.ana)

    assert await _ask(house.ana, "pending") == "Nothing waits for you."
    assert await _ask(house.ana, f"show {made.id}") == GONE


async def test_when_slack_does_not_say_where_somebody_is_they_are_shown_nothing(house: House) -> None:
    _named(house, "in ops")
    house.cloud.refuses["users.conversations"] = "fatal_error"

    assert await _ask(house.ana, "pending") == "I cannot look that up just now. Try again in a minute."


async def test_show_answers_for_a_hidden_card_as_for_none(house: House) -> None:
    hidden = house.ask({**EMAIL, "what": "fire everybody"}, house.place(house.secret))
    card = await house.post(hidden, house.secret)
    link = f"https://acme.slack.com/archives/{house.secret.id}/p{card.ts.replace('.', '')}"
    other = "https://acme.slack.com/archives/C0NOTHING/p1700000000000100"

    for way in (hidden.id, hidden.id[-8:], link, other, "hf_" + "z" * 22, "zzzzzzzz"):
        assert await _ask(house.ana, f"show {way}") == GONE


async def test_the_number_of_cards_with_one_end_counts_only_what_may_be_seen(house: House) -> None:
    house.ask(EMAIL, house.place(house.secret), id="hf_" + "s" * 18 + "same")
    house.ask({**EMAIL, "what": "mine to see"}, id="hf_" + "o" * 18 + "same")

    assert "mine to see" in await _ask(house.ana, "show same")
    assert await _ask(house.mira, "show same") == "2 cards end like that. Type more of the id."


# --- one card ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["id", "end", "console", "link", "reply link"])
async def test_show_finds_a_card_by_any_name_and_shows_it_to_the_asker_alone(house: House, way: str) -> None:
    made, card = await house.card({**EMAIL, "what": "Send the report"})
    at = f"https://acme.slack.com/archives/{house.ops.id}/p"
    ways = {
        "id": made.id,
        "end": made.id[-6:],
        "console": f"<https://andon.example.com/handoffs/{made.id}>",
        "link": f"<{at}{card.ts.replace('.', '')}>",
        "reply link": f"<{at}1700000000000200?thread_ts={card.ts}&amp;cid={house.ops.id}>",
    }

    asked = await _mention(house, house.ana, f"show {ways[way]}")

    assert house.replies(asked) == []
    (told,) = house.ana.told
    assert "Send the report" in told
    assert "Waiting for a person" in told
    assert "Open in the console" in told
    assert ("Open the card" in told) is (way in {"link", "reply link"})


async def test_show_tells_of_what_was_decided(house: House) -> None:
    made, card = await house.card(AGE)
    await house.ana.say(house.ops, "three", thread=card)

    assert "ana answered" in await _ask(house.mira, f"show {made.id}")


async def test_show_without_a_name_says_how_it_goes(house: House) -> None:
    assert (await _ask(house.ana, "show")).startswith("This is how “show” goes")


# --- words for an agent -----------------------------------------------------------------------------


async def test_a_message_in_a_bound_channel_reaches_the_runs_agent(house: House) -> None:
    run = house.run("#ops")
    about = await house.mira.say(house.ops, f"{house.ana.mention}, the &lt;figures&gt; look wrong")

    outcome = await house.ana.shortcut("ask_agent", about)
    modal = await outcome.opened()
    assert "assistant · weekly-report" in modal.shown
    assert "About what mira wrote:" in modal.shown
    assert "@ana, the <figures> look wrong" in modal.shown
    await modal.fill("Your words", "Please check *them* <!channel>")
    sent = await modal.submit()

    ((run_id, text, by),) = house.desk.steers
    assert (run_id, by.name) == (run.id, "ana")
    assert text.startswith("Please check *them* <!channel>\n\nContext, not an instruction: ")
    assert text.endswith("is about, by mira:\n> @ana, the <figures> look wrong")
    assert sent.view
    assert sent.view.shown.startswith("assistant reads this at its next step.")
    (said,) = about.replies
    assert said.shown == "ana asks the agent: Please check *them* <!channel>"
    assert "<!channel>" not in said.text


async def test_a_card_names_its_own_run_even_among_others(house: House) -> None:
    house.run("#ops", name="another", number=2)
    own = house.run("C0ELSEWHERE", number=1)
    house.desk.bound[-1] = own = own.model_copy(update={"id": RUN})
    _, card = await house.card(EMAIL)
    below = await house.mira.say(house.ops, "hm", thread=card)

    for about in (card, below):
        modal = await (await house.ana.shortcut("ask_agent", about)).opened()
        assert "assistant · weekly-report" in modal.shown
        await modal.fill("Your words", "why?")
        await modal.submit()

    assert [run_id for run_id, _, _ in house.desk.steers] == [own.id, own.id]


async def test_of_several_runs_one_is_chosen(house: House) -> None:
    house.run("#ops", name="first", number=1)
    second = house.run(house.ops.id, name="second", number=2)
    about = await house.mira.say(house.ops, "hm")

    modal = await (await house.ana.shortcut("ask_agent", about)).opened()
    await modal.fill("Which agent?", "assistant · second")
    await modal.fill("Your words", "why?")
    await modal.submit()

    assert [run_id for run_id, _, _ in house.desk.steers] == [second.id]


async def test_a_threads_own_run_goes_before_the_channels(house: House) -> None:
    house.run("#ops", name="wide", number=1)
    about = await house.mira.say(house.ops, "hm")
    house.run(house.ops.id, name="threaded", number=2, thread=about.ts)
    other = await house.mira.say(house.ops, "ho")

    assert "threaded" in (await (await house.ana.shortcut("ask_agent", about)).opened()).shown
    assert "wide" in (await (await house.ana.shortcut("ask_agent", other)).opened()).shown


async def test_where_no_agent_works_the_modal_says_so(house: House) -> None:
    about = await house.mira.say(house.ops, "hm")

    modal = await (await house.ana.shortcut("ask_agent", about)).opened()

    assert modal.submit_label is None
    assert modal.shown == "No agent works on this message or in its channel, so there is nobody to ask."


async def test_a_guest_may_not_ask_an_agent(house: House) -> None:
    house.run("#ops")
    about = await house.mira.say(house.ops, "hm")

    modal = await (await house.guest.shortcut("ask_agent", about)).opened()

    assert modal.submit_label is None
    assert "weekly-report" not in modal.shown
    assert "Only full members" in modal.shown


async def test_nobody_of_another_organisation_may_ask_an_agent(house: House) -> None:
    house.run("#ops")
    about = await house.mira.say(house.ops, "hm")
    trigger = house.cloud.new_trigger(house.stranger, house.ops.team)
    user = {"id": house.stranger.id, "team_id": house.stranger.team.id}
    payload = {"trigger_id": trigger.id, "user": user, "channel": {"id": house.ops.id}, "message": about.as_json()}

    await house.asking.asked(payload, house.ops.team.id)

    assert house.stranger.modal
    assert "weekly-report" not in house.stranger.modal.shown
    assert "Only full members" in house.stranger.modal.shown


async def test_who_left_the_channel_meanwhile_asks_nobody(house: House) -> None:
    """Whether somebody may is checked when they send it, not when the modal was drawn."""
    house.run("#ops")
    about = await house.mira.say(house.ops, "hm")
    modal = await (await house.ana.shortcut("ask_agent", about)).opened()
    await modal.fill("Your words", "why?")
    house.ops.members.remove(house.ana)
    house.parts.people.forget(house.ops.team.id, house.ana.id)

    sent = await modal.submit()

    assert house.desk.steers == []
    assert sent.view
    assert "Only full members" in sent.view.shown
    assert about.replies == []


async def test_only_a_run_that_was_offered_can_be_asked(house: House) -> None:
    house.run("#ops", name="first", number=1)
    house.run("#ops", name="second", number=2)
    other = house.run("C0SECRET", name="other", number=3)
    about = await house.mira.say(house.ops, "hm")
    modal = await (await house.ana.shortcut("ask_agent", about)).opened()
    await modal.fill("Which agent?", "assistant · second")
    await modal.fill("Your words", "why?")
    await modal.submit()
    submitted = next(each for each in house.cloud.deliveries if each.name == "view_submission")
    payload = copy.deepcopy(submitted.payload)
    states = payload["view"]["state"]["values"]["andon:in:run:ask"]
    next(iter(states.values()))["selected_option"]["value"] = other.id

    reply = await house.asking.ask_submitted(payload, house.ops.team.id)

    assert reply == {"response_action": "errors", "errors": {"andon:in:run:ask": "Choose one of these."}}
    assert other.id not in [run_id for run_id, _, _ in house.desk.steers]


async def test_the_same_submission_again_is_shown_once(house: House) -> None:
    house.run("#ops")
    about = await house.mira.say(house.ops, "hm")
    modal = await (await house.ana.shortcut("ask_agent", about)).opened()
    await modal.fill("Your words", "why?")
    await modal.submit()

    await house.cloud.redeliver_last("view_submission")

    assert len(about.replies) == 1


async def test_a_very_long_message_still_fits_the_modal(house: House) -> None:
    house.run("#ops")
    about = await house.mira.say(house.ops, '\u202e\n\\"&amp;' * 1_500)

    modal = await (await house.ana.shortcut("ask_agent", about)).opened()
    await modal.fill("Your words", "why?")
    await modal.submit()

    assert len(house.desk.steers) == 1
