"""What Teams sends is done once, remembered before it is acknowledged, and answered in time."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from adapters.teams.inbound import Payload, Reply
from bot.errors import BadRequest, StoreUnavailable
from tests.adapters.teams_plumbing import Parts, plumbing
from tests.fakes.teams import Delivery, Message, Person, Team, TeamsCloud, cards
from tests.servers import until

CARD = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "Send it?"}, {"type": "Input.Text", "id": "why", "label": "Why?"}],
    "actions": [
        {"type": "Action.Execute", "title": "Approve", "verb": "andon", "data": {"andon": {"do": "approve"}}},
        {"type": "Action.Submit", "title": "Details", "data": {"msteams": {"type": "task/fetch"}, "a": 1}},
    ],
}
DONE = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Approved"}]}
DIALOG = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "Input.Text", "id": "to", "label": "To", "value": "alice"}],
    "actions": [{"type": "Action.Submit", "title": "Save", "data": {"andon": {"do": "edit"}}}],
}


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with TeamsCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


@pytest.fixture
async def mira(parts: Parts) -> Person:
    return parts.cloud.person("Mira")


@pytest.fixture
async def ops(parts: Parts, mira: Person) -> Team:
    team = parts.cloud.team("Operations", [mira, parts.cloud.person("Ana")])
    await parts.cloud.announce()
    parts.inbox.came.clear()
    return team


@pytest.fixture
async def card(parts: Parts, ops: Team) -> Message:
    here = await parts.references.find(ops.id)
    assert here
    attachment = {"contentType": cards.CARD, "content": CARD}
    await parts.connector.send(here, {"type": "message", "attachments": [attachment]})
    return parts.cloud.posts(ops.general)[0]


def shows(card: Mapping[str, object]) -> Reply:
    return {"statusCode": 200, "type": cards.CARD, "value": card}


# --- events ---


async def test_a_mention_is_heard_and_plain_talk_is_not(parts: Parts, mira: Person, ops: Team) -> None:
    await mira.say(ops.general, "stop by my desk")
    await mira.say(ops.general, "stop", mention=True)

    (came,) = parts.inbox.came
    assert came["text"] == "<at>Andon</at> stop"
    assert came["entities"][0]["mentioned"]["id"] == parts.cloud.bot_id


async def test_with_consent_everything_is_heard(parts: Parts, mira: Person, ops: Team) -> None:
    ops.rsc = True

    await mira.say(ops.general, "stop")

    assert [came["text"] for came in parts.inbox.came] == ["stop"]


async def test_what_comes_twice_is_done_once(parts: Parts, mira: Person, ops: Team) -> None:
    await mira.say(ops.general, "stop", mention=True)
    again = await parts.cloud.redeliver_last("message")

    assert again.ok
    assert len(parts.inbox.came) == 1


async def test_what_comes_at_two_replicas_at_once_is_done_once(parts: Parts, mira: Person, ops: Team) -> None:
    async with plumbing(parts.cloud, shelf=parts.shelf) as other:
        await mira.say(ops.general, "stop", mention=True)
        await parts.cloud.redeliver_last("message")

        assert len(parts.inbox.came) + len(other.inbox.came) == 1


async def test_what_comes_fifty_times_at_once_is_done_once(
    parts: Parts, mira: Person, ops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mira.say(ops.general, "hello", mention=True)
    parts.inbox.came.clear()
    sent = {**parts.cloud.deliveries[-1].activity, "id": "another"}
    go, came = asyncio.Event(), list[Payload]()

    async def slowly(activity: Payload) -> None:
        came.append(activity)
        await go.wait()

    monkeypatch.setattr(parts.inbox, "said", slowly)
    deliveries = [Delivery(sent) for _ in range(50)]
    sending = [asyncio.create_task(parts.cloud.courier.once(each)) for each in deliveries]

    async def refused() -> bool:
        return sum(task.done() for task in sending) >= 49

    await until(refused, what="those who come while it is done are sent away")
    go.set()
    await asyncio.gather(*sending)

    assert len(came) == 1
    assert sorted({each.ack.status for each in deliveries}) == [200, 503]
    assert (await parts.cloud.courier.send(sent)).ok


async def test_what_the_store_does_not_know_is_not_acknowledged(parts: Parts, mira: Person, ops: Team) -> None:
    parts.shelf.is_down = True
    parts.cloud.retries = False
    await mira.say(ops.general, "stop", mention=True)
    assert parts.cloud.deliveries[-1].ack.status == 503
    assert parts.inbox.kinds() == ["untaken"]

    parts.shelf.is_down = False
    again = await parts.cloud.redeliver_last("message")

    assert again.ok
    assert parts.inbox.kinds() == ["untaken", "message"]


async def test_work_that_failed_is_begun_again_when_it_is_sent_again(parts: Parts, mira: Person, ops: Team) -> None:
    parts.inbox.fault = StoreUnavailable("away")
    parts.cloud.retries = False
    await mira.say(ops.general, "stop", mention=True)
    parts.inbox.fault = None

    assert (await parts.cloud.redeliver_last("message")).ok
    assert parts.inbox.kinds().count("message") == 2


async def test_slow_work_on_an_event_is_acknowledged_and_goes_on(
    parts: Parts, mira: Person, ops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.teams.inbound.ACK_S", 0.05)
    go = asyncio.Event()
    done: list[Payload] = []

    async def slowly(activity: Payload) -> None:
        await go.wait()
        done.append(activity)

    monkeypatch.setattr(parts.inbox, "said", slowly)
    await mira.say(ops.general, "stop", mention=True)
    assert parts.cloud.deliveries[-1].ok
    assert done == []
    go.set()

    async def finished() -> bool:
        return bool(done)

    await until(finished, what="the work goes on")


async def test_people_and_reactions_are_told(parts: Parts, mira: Person, ops: Team, card: Message) -> None:
    await mira.react(card, "like")
    await parts.cloud.join(ops, parts.cloud.person("Bo"))

    assert parts.inbox.kinds() == ["messageReaction", "conversationUpdate"]
    assert parts.inbox.came[0]["replyToId"] == card.id


async def test_an_edited_message_and_other_kinds_are_let_be(parts: Parts, mira: Person, ops: Team) -> None:
    await mira.say(ops.general, "stop", mention=True)
    activity = {**parts.cloud.deliveries[-1].activity, "type": "messageUpdate", "id": "another"}

    assert (await parts.cloud.courier.send(activity)).ok
    assert len(parts.inbox.came) == 1


# --- presses ---


async def test_a_press_carries_its_data_and_inputs_and_is_answered_for_the_presser_alone(
    parts: Parts, mira: Person, card: Message
) -> None:
    parts.inbox.reply = shows(DONE)

    outcome = await mira.press(card, "Approve", {"Why?": "fine"})

    came = parts.inbox.came[-1]
    assert came["value"]["action"]["data"] == {"andon": {"do": "approve"}, "why": "fine"}
    assert (came["value"]["trigger"], came["replyToId"]) == ("manual", card.id)
    assert "Approved" in outcome.shown
    assert "Approved" in card.shown_to(mira)
    assert "Approved" not in card.shown


async def test_an_answer_may_be_a_sentence(parts: Parts, mira: Person, card: Message) -> None:
    """The Bot Framework's own model of it cannot carry a text."""
    parts.inbox.reply = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "not you"}

    outcome = await mira.press(card, "Approve")

    assert outcome.told == ["not you"]
    assert not outcome.failed


async def test_a_card_that_is_looked_at_is_refreshed_for_that_person(parts: Parts, mira: Person, ops: Team) -> None:
    here = await parts.references.find(ops.id)
    assert here
    refresh = {"action": {"type": "Action.Execute", "verb": "refresh", "data": {"a": 1}}, "userIds": [mira.id]}
    content = {**CARD, "refresh": refresh}
    await parts.connector.send(
        here, {"type": "message", "attachments": [{"contentType": cards.CARD, "content": content}]}
    )
    message = parts.cloud.posts(ops.general)[-1]
    parts.inbox.reply = shows(DONE)

    await mira.look(message)
    await ops.members[1].look(message)

    assert [came["value"]["trigger"] for came in parts.inbox.came] == ["automatic"]
    assert "Approved" in message.shown_to(mira)
    assert "Approved" not in message.shown_to(ops.members[1])


async def test_a_press_that_comes_twice_is_answered_twice(parts: Parts, mira: Person, card: Message) -> None:
    """The first reply may be lost; whoever takes the answer knows it by the activity's id."""
    parts.inbox.reply = shows(DONE)
    await mira.press(card, "Approve")
    again = await parts.cloud.redeliver_last("adaptiveCard/action")

    first, second = parts.inbox.came
    assert first["id"] == second["id"]
    assert again.acks[0].body == again.acks[1].body


async def test_a_press_is_answered_though_the_store_is_away(parts: Parts, mira: Person, card: Message) -> None:
    """It says that it was not recorded, and that is the inbox's to say."""
    parts.inbox.reply = shows(DONE)
    parts.shelf.is_down = True

    assert "Approved" in (await mira.press(card, "Approve")).shown


async def test_a_slow_press_is_answered_in_time_and_caught_up(
    parts: Parts, mira: Person, card: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.teams.inbound.ACK_S", 0.05)
    go = asyncio.Event()

    async def slowly(activity: Payload) -> Reply:
        await go.wait()
        return shows(DONE)

    monkeypatch.setattr(parts.inbox, "pressed", slowly)
    outcome = await mira.press(card, "Approve")
    assert outcome.told == ["a moment"]
    go.set()

    async def caught_up() -> bool:
        return "caught_up" in parts.inbox.kinds() if parts.inbox.came else False

    await until(caught_up, what="the answer is caught up")
    assert parts.inbox.came[-1]["reply"] == shows(DONE)


async def test_a_press_of_no_known_shape_is_met_with_400(parts: Parts, mira: Person, card: Message) -> None:
    parts.inbox.fault = BadRequest("nothing of ours")

    outcome = await mira.press(card, "Approve")

    assert outcome.failed
    assert outcome.status == 400


# --- dialogs ---


async def test_a_dialog_is_opened_and_submitted(parts: Parts, mira: Person, card: Message) -> None:
    content = {"title": "Edit", "card": {"contentType": cards.CARD, "content": DIALOG}}
    parts.inbox.reply = {"task": {"type": "continue", "value": content}}
    opened = await mira.press(card, "Details")
    assert opened.dialog
    assert opened.dialog.title == "Edit"
    parts.inbox.reply = None

    submitted = await opened.dialog.submit("Save", {"To": "bob"})

    assert not submitted.failed
    assert parts.inbox.kinds() == ["task/fetch", "task/submit"]
    assert parts.inbox.came[-1]["value"]["data"] == {"andon": {"do": "edit"}, "to": "bob"}
    assert parts.inbox.came[-1]["replyToId"] == card.id
