"""Who may answer depends on the conversation that has the card, so a press must come from one that has it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.store.outbox import Outbox
from tests.fakes.slack.people import Person
from tests.flows.slack_house import House, house
from tests.people import Json
from tests.servers import until

NOT_OURS = "This card is not one of ours any more; open it again. Your press changed nothing."


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def press_before(slack: House, person: Person | None = None, label: str = "Approve") -> tuple[Json, Json]:
    """A pending handoff, and the payload of a press on its card that was never sent."""
    asked, card = await slack.asked_card()
    url = slack.cloud.app.request_url
    slack.cloud.app.request_url = "http://127.0.0.1:9/"
    await (person or slack.mira).press(card, label)
    slack.cloud.app.request_url = url
    return asked, slack.last("block_actions")


def moved(press: Json, channel: str, ts: str = "") -> Json:
    """The same press, as if the card were somewhere else."""
    press["channel"]["id"] = press["container"]["channel_id"] = channel
    press["container"]["message_ts"] = press["message"]["ts"] = ts or press["message"]["ts"]
    return press


def by(press: Json, person: Person) -> Json:
    return press | {"user": {**press["user"], "id": person.id}}


async def told(slack: House, containing: str) -> None:
    """The person was told it at the press's own address."""

    async def heard() -> bool:
        return any(containing in message.shown for message in slack.cloud.ephemerals)

    await until(heard, what=f"{containing!r} in {[message.shown for message in slack.cloud.ephemerals]}")


def no_address_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def card_at(*_: object) -> None:
        return None

    monkeypatch.setattr(Outbox, "card_at", card_at)


# --- from elsewhere ---


async def test_a_press_in_a_channel_that_has_no_such_card_is_refused(slack: House) -> None:
    """Otto is in #dev, and the card is not."""
    otto = slack.cloud.user("otto", display_name="Otto")
    dev = slack.cloud.channel("#dev", members=[otto], bot=True)
    asked, press = await press_before(slack)
    assert (await slack.send(by(moved(press, dev.id), otto))).status == 200
    await told(slack, NOT_OURS)
    assert await slack.state(asked) == "pending"


async def test_a_press_at_another_handoffs_card_is_refused(slack: House) -> None:
    """Even where both cards are in the same channel."""
    _, other = await slack.asked_card()
    asked, press = await press_before(slack)
    await slack.send(moved(press, slack.ops.id, other.ts))
    await told(slack, NOT_OURS)
    assert await slack.state(asked) == "pending"


async def test_nothing_is_sent_again_for_a_card_that_is_not_there(slack: House) -> None:
    dev = slack.cloud.channel("#dev", members=[slack.mira], bot=True)
    _, press = await press_before(slack)
    press["actions"][0]["action_id"] = "andon:again"
    await slack.send(moved(press, dev.id))
    await told(slack, NOT_OURS)


@pytest.mark.parametrize("label", ["Edit", "Reject…"])
async def test_no_form_opens_for_a_card_that_is_not_there(slack: House, label: str) -> None:
    dev = slack.cloud.channel("#dev", members=[slack.mira], bot=True)
    _, press = await press_before(slack, label=label)
    await slack.send(moved(press, dev.id))
    await told(slack, NOT_OURS)
    assert slack.cloud.calls["views.open"] == 0


async def test_a_press_that_says_no_place_is_refused(slack: House) -> None:
    asked, press = await press_before(slack)
    del press["container"]["message_ts"], press["message"]
    await slack.send(press)
    await told(slack, NOT_OURS)
    assert await slack.state(asked) == "pending"


async def test_a_form_that_names_another_channel_is_not_recorded(slack: House) -> None:
    otto = slack.cloud.user("otto", display_name="Otto")
    dev = slack.cloud.channel("#dev", members=[otto], bot=True)
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()
    named = modal.raw.source["private_metadata"].replace(slack.ops.id, dev.id)
    view = {**modal.raw.source, "id": modal.raw.id, "private_metadata": named, "state": {"values": {}}}
    press = slack.last("block_actions")
    user = {**press["user"], "id": otto.id}
    about = {"user": user, "team": press["team"], "api_app_id": press["api_app_id"], "view": view}
    ack = await slack.send({"type": "view_submission", **about})
    assert NOT_OURS in str(ack.body)
    assert await slack.state(asked) == "pending"


# --- when it is not known, or not yet ---


async def test_while_the_store_is_away_nothing_is_taken(slack: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def card_at(*_: object) -> None:
        raise StoreUnavailable("not confirmed")

    asked, press = await press_before(slack)
    monkeypatch.setattr(Outbox, "card_at", card_at)
    await slack.send(press)
    await told(slack, "Andon could not record this: its store is away.")
    assert await slack.state(asked) == "pending"


async def test_a_press_before_the_address_is_stored_counts_where_it_was_asked(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_address_yet(monkeypatch)
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()
    assert (await modal.submit()).closed
    assert await slack.state(asked) == "decided"
    asked = await slack.ask(to=[{"surface": "slack", "person": "ana@example.com"}])
    card = await slack.card(asked, slack.ana.direct)
    await slack.ana.press(card, "Approve")
    assert await slack.state(asked) == "decided"


@pytest.mark.parametrize("change, state", [({}, "decided"), ({"user": "U0OTHERBOT"}, "pending")])
async def test_a_press_before_the_address_is_stored_counts_on_a_card_that_says_whose_it_is(
    slack: House, monkeypatch: pytest.MonkeyPatch, change: Json, state: str
) -> None:
    """A card may be in another place than it was meant for. What another app posts says nothing."""
    no_address_yet(monkeypatch)
    dev = slack.cloud.channel("#dev", members=[slack.mira], bot=True)
    asked, press = await press_before(slack)
    metadata: Any = {"event_type": "andon_card", "event_payload": {"handoff": asked["id"]}}
    press = moved(press, dev.id)
    press["message"] |= {"metadata": metadata, **change}
    await slack.send(press)

    async def is_taken() -> bool:
        return await slack.state(asked) == state and (state == "decided" or bool(slack.cloud.ephemerals))

    await until(is_taken)


async def test_without_an_address_another_channel_is_still_refused(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_address_yet(monkeypatch)
    dev = slack.cloud.channel("#dev", members=[slack.mira], bot=True)
    asked, press = await press_before(slack)
    await slack.send(moved(press, dev.id))
    await told(slack, NOT_OURS)
    assert await slack.state(asked) == "pending"


async def test_a_card_in_the_channel_of_the_settings_is_ours_before_its_address_is_stored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went there because its own place cannot be reached."""
    async with house(settings, slack_channel="#ops") as slack:
        no_address_yet(monkeypatch)
        gone = slack.cloud.channel("#gone", members=[slack.mira], bot=False)
        asked = await slack.ask(to=[slack.place(gone)])
        card = await slack.card(asked, slack.ops)
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"


async def test_what_was_put_to_one_person_is_not_answered_in_the_channel_of_the_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(settings, slack_channel="#ops") as slack:
        no_address_yet(monkeypatch)
        asked = await slack.ask(to=[{"surface": "slack", "person": "ana@example.com"}])
        card = await slack.card(asked, slack.ana.direct)
        url = slack.cloud.app.request_url
        slack.cloud.app.request_url = "http://127.0.0.1:9/"
        await slack.ana.press(card, "Approve")
        slack.cloud.app.request_url = url
        await slack.send(by(moved(slack.last("block_actions"), slack.ops.id), slack.mira))
        await told(slack, NOT_OURS)
        assert await slack.state(asked) == "pending"
