"""Where cards in Slack go, where they go when they cannot go there, and how fast."""

import itertools
import logging
from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.flows.slack_house import House, house, told_below
from tests.people import Json
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


@pytest.fixture
async def calm(settings: Settings) -> AsyncIterator[House]:
    """At the pace that Slack wants."""
    async with house(settings, calm=True) as running:
        yield running


# --- where they go ---


@pytest.mark.parametrize(
    "where", ["#ops", "OPS", "id", "team and id", "person", "team and person", "Mira@example.com", "thread"]
)
async def test_a_card_goes_where_the_ask_says(slack: House, where: str) -> None:
    said = await slack.mira.say(slack.ops, "What about the report?")
    place: Json = {
        "#ops": {"channel": "#ops"},
        "OPS": {"channel": "OPS"},
        "id": {"channel": slack.ops.id},
        "team and id": {"channel": f"{slack.ops.team.id}/{slack.ops.id}"},
        "person": {"person": slack.mira.id},
        "team and person": {"person": f"{slack.ops.team.id}/{slack.mira.id}"},
        "Mira@example.com": {"person": "mira@example.com"},
        "thread": {"channel": slack.ops.id, "thread": said.ts},
    }[where]
    asked, card = await slack.asked_card(to=[{"surface": "slack", **place}])
    assert card.channel is (slack.mira.direct if "person" in place else slack.ops)
    assert card.thread_ts == (said.ts if "thread" in place else None)
    pressed = await slack.mira.press(card, "Approve")
    assert pressed.told == [] or card.channel.kind == "im"
    assert (await slack.agent.wait(asked["id"]))["decision"]["by"]["name"] == "Mira"
    await card.shows("Approved")
    assert card.buttons == []


# --- where they cannot go ---


def unreachable(slack: House, kind: str) -> Json:
    """A place that cannot be reached."""
    if kind in {"unknown id", "unknown name", "not in it", "archived", "unknown person", "unknown e-mail", "gone"}:
        places: dict[str, Json] = {
            "unknown id": {"channel": "C0UNKNOWN"},
            "unknown name": {"channel": "#nowhere"},
            "not in it": {"channel": slack.cloud.channel("#secret", bot=False).id},
            "archived": {"channel": slack.cloud.channel("#old", archived=True).id},
            "unknown person": {"person": "U0UNKNOWN"},
            "unknown e-mail": {"person": "nobody@example.com"},
            "gone": {"person": slack.cloud.user("gone", deleted=True).id},
        }
        return {"surface": "slack", **places[kind]}
    raise AssertionError(kind)


UNREACHABLE = {
    "unknown id": "knows no channel C0UNKNOWN",
    "unknown name": "is in no channel #nowhere",
    "not in it": "invite it there: /invite @andon",
    "archived": "is archived",
    "unknown person": "no person U0UNKNOWN",
    "unknown e-mail": "nobody@example.com",
    "gone": "deactivated",
}


PEOPLE = ("unknown person", "unknown e-mail", "gone")


@pytest.mark.parametrize("kind", [kind for kind in UNREACHABLE if kind not in PEOPLE])
async def test_what_cannot_be_reached_goes_to_the_fallback_which_says_so(
    settings: Settings, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(settings, slack_channel="#ops") as slack:
        place = unreachable(slack, kind)
        asked = [await slack.ask(to=[place]) for _ in range(2)]
        for each in asked:
            card = await slack.card(each, slack.ops)
            await told_below(card, UNREACHABLE[kind])
            await slack.mira.press(card, "Approve")
            await card.shows("Approved")
            assert await slack.state(each) == "decided"
        needed = [record for record in caplog.records if "operator.needed" in record.getMessage()]
        assert len(needed) == 1, "operators are told once, not for every card"
        assert UNREACHABLE[kind] in needed[0].getMessage()
        assert needed[0].levelno == logging.ERROR
        (notice,) = await slack.live.store.runs.notices(20)
        assert UNREACHABLE[kind] in notice.text


@pytest.mark.parametrize("kind", PEOPLE)
async def test_what_was_for_one_person_alone_is_shown_in_no_channel(
    settings: Settings, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a slip in an address would show it to everybody there, and let them answer it."""
    async with house(settings, slack_channel="#ops") as slack:
        asked = await slack.ask(to=[unreachable(slack, kind)])
        decided = await slack.live.agent.wait(asked["id"])
        assert decided["decision"]["kind"] == "undeliverable"
        assert UNREACHABLE[kind] in decided["decision"]["reason"]
        assert slack.cloud.cards(slack.ops) == []
        assert any("operator.needed" in record.getMessage() for record in caplog.records)


async def test_many_that_cannot_be_reached_are_all_explained(settings: Settings) -> None:
    """The explanations wait for their turn in the channel like the cards do."""
    async with house(settings, slack_channel="#ops", calm=True) as slack:
        asked = [await slack.ask(to=[unreachable(slack, "unknown id")]) for _ in range(4)]
        for each in asked:
            await told_below(await slack.card(each, slack.ops), "knows no channel C0UNKNOWN", within_s=10)


@pytest.mark.parametrize("kind", UNREACHABLE)
async def test_without_a_fallback_the_agent_is_told_why(slack: House, kind: str) -> None:
    asked = await slack.ask(to=[unreachable(slack, kind)])
    decision = (await slack.agent.wait(asked["id"]))["decision"]
    assert decision["kind"] == "undeliverable"
    assert UNREACHABLE[kind] in decision["reason"]
    assert slack.cloud.cards(slack.ops) == []


async def test_a_card_of_which_one_place_can_be_reached_is_delivered(slack: House) -> None:
    asked, card = await slack.asked_card(to=[unreachable(slack, "unknown id"), slack.place()])
    await slack.until_settled()
    assert await slack.state(asked) == "pending"
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"


async def test_a_fallback_that_is_no_better_is_told_to_operators_too(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(settings, slack_channel="#elsewhere") as slack:
        asked = await slack.ask(to=[unreachable(slack, "archived")])
        assert (await slack.agent.wait(asked["id"]))["decision"]["kind"] == "undeliverable"
        told = [record.getMessage() for record in caplog.records if "operator.needed" in record.getMessage()]
        assert len(told) == 2
        assert "SLACK_CHANNEL" in told[1]


@pytest.mark.parametrize("how", ["revoked", "wrong", "scope"])
async def test_a_token_that_does_not_work_loses_nothing(
    slack: House, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F11: the cards wait; operators are told once; when the token works again they appear."""
    _, first = await slack.asked_card()
    token = slack.cloud.tokens[slack.cloud.token]
    scopes = list(token.installation.scopes)
    if how == "revoked":
        token.is_revoked = True
    elif how == "wrong":
        del slack.cloud.tokens[slack.cloud.token]
    else:
        token.installation.scopes.remove("chat:write")
    asked = [await slack.ask() for _ in range(3)]
    before = slack.cloud.calls.total()

    async def tried() -> bool:
        return slack.cloud.calls.total() > before + 60  # more often than a card that fails by itself is tried

    await until(tried)
    assert {await slack.state(each) for each in asked} == {"pending"}
    token.is_revoked = False
    token.installation.scopes[:] = scopes
    slack.cloud.tokens[slack.cloud.token] = token
    for each in asked:
        await slack.card(each)
    needed = [record.getMessage() for record in caplog.records if "operator.needed" in record.getMessage()]
    assert len(needed) == 1
    assert "SLACK_BOT_TOKEN" in needed[0] or "chat:write" in needed[0]
    await slack.mira.press(first, "Approve")
    await first.shows("Approved")


async def test_an_outage_of_posting_alone_loses_nothing(slack: House) -> None:
    """F11: Slack's parts fail one at a time; that the others work does not make it the card's fault."""
    slack.cloud.refuses["chat.postMessage"] = "fatal_error"
    asked = await slack.ask()

    async def tried() -> bool:
        return slack.cloud.calls["chat.postMessage"] > 20

    await until(tried)
    slack.cloud.refuses.clear()
    await slack.card(asked)


async def test_a_notice_that_cannot_be_delivered_goes_to_the_fallback(settings: Settings) -> None:
    async with house(settings, slack_channel="#ops") as slack:
        await slack.notify("Nightly sync finished", unreachable(slack, "not in it"))
        await slack.cloud.wait_for_card(slack.ops, "Nightly sync")


# --- at Slack's pace ---


async def test_slacks_wish_for_rest_is_honoured(calm: House) -> None:
    """A 429 names the seconds; nobody calls before they are over."""
    calm.cloud.rate_limits.burst = 1
    asked = [await calm.ask() for _ in range(3)]
    for each in asked:
        await calm.card(each)
    refused = len([error for error in calm.cloud.errors if "ratelimited" in error])
    assert refused <= 4, "calling again too soon makes it longer"
    assert len(calm.cloud.cards(calm.ops)) == 3


async def test_many_cards_come_one_a_second_in_order_and_hold_up_nobody_else(calm: House) -> None:
    dev = calm.cloud.channel("#dev", members=[calm.ana], bot=True)
    asked = [await calm.ask() for _ in range(8)]
    other, _ = await calm.asked_card(to=[calm.place(dev)])
    assert len(calm.cloud.cards(calm.ops)) <= 4
    cards = [await calm.card(each) for each in asked]
    times = [float(card.ts) for card in cards]
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(times))]
    moved = [abs(place - sorted(times).index(at)) for place, at in enumerate(times)]
    assert max(moved) <= 1, "in the order of asking, but for those asked within the same few milliseconds"
    assert all(0.7 < gap < 2.5 for gap in gaps[3:]), gaps
    assert len(calm.cards(other)) == 1
    assert not [error for error in calm.cloud.errors if "ratelimited" in error]
