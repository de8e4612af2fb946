"""Calls to the Bot Connector: errors that say what to do, a pace that all processes keep, and tries again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.teams.errors import NoAccess, TeamsDown, TeamsFailed, Unreachable
from adapters.teams.references import Reference
from bot.errors import TooMany
from tests.adapters.teams_plumbing import Parts, config, plumbing
from tests.fakes.teams import Team, TeamsCloud

HELLO: dict[str, Any] = {"type": "message", "text": "hello"}


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def parts(cloud: TeamsCloud) -> AsyncIterator[Parts]:
    async with plumbing(cloud) as made:
        yield made


@pytest.fixture
async def ops(parts: Parts) -> Team:
    """A team that the bot knows."""
    cloud = parts.cloud
    team = cloud.team("Operations", [cloud.person("Mira Holm")], channels=["Alerts"])
    await cloud.announce()
    return team


async def at(parts: Parts, team: Team) -> Reference:
    found = await parts.references.find(team.id)
    assert found
    return found


# --- messages ---


async def test_a_message_is_posted_changed_and_taken_away(parts: Parts, ops: Team) -> None:
    here = await at(parts, ops)

    id = await parts.connector.send(here, HELLO)
    await parts.connector.update(here, id, {"type": "message", "text": "changed"})

    (message,) = parts.cloud.posts(ops.general)
    assert (message.id, [each.text for each in message.versions]) == (id, ["hello", "changed"])
    await parts.connector.delete(here, id)
    assert parts.cloud.posts(ops.general) == []


async def test_a_reply_goes_into_its_thread(parts: Parts, ops: Team) -> None:
    here = await at(parts, ops)
    root = await parts.connector.send(here, HELLO)

    await parts.connector.send(here.in_thread(root), {"type": "message", "text": "below"})

    (post, reply) = parts.cloud.posts(ops.general)
    assert post.replies == [reply]
    assert reply.thread == root


async def test_a_token_is_asked_for_once_and_shared(parts: Parts, ops: Team) -> None:
    here = await at(parts, ops)

    await asyncio.gather(*(parts.connector.send(here, {"type": "message", "text": str(n)}) for n in range(5)))

    assert parts.cloud.calls["token"] == 1


async def test_a_token_that_teams_refuses_is_replaced(parts: Parts, ops: Team) -> None:
    """A secret may be rotated, and tokens taken back, at any moment."""
    here = await at(parts, ops)
    await parts.connector.send(here, HELLO)
    parts.cloud.bearers.clear()

    await parts.connector.send(here, HELLO)

    assert len(parts.cloud.posts(ops.general)) == 2
    assert parts.cloud.calls["token"] == 2


# --- tried again ---


@pytest.mark.parametrize("code", ["PreconditionFailed", "BadGateway", "GatewayTimeout", "Throttled"])
async def test_what_teams_asks_to_try_again_is_tried_again(parts: Parts, ops: Team, code: str) -> None:
    here = await at(parts, ops)
    parts.cloud.refuse("send", code, times=2)

    await parts.connector.send(here, HELLO)

    assert len(parts.cloud.posts(ops.general)) == 1
    assert parts.cloud.calls["send"] == 3


async def test_it_is_not_tried_for_ever(parts: Parts, ops: Team) -> None:
    here = await at(parts, ops)
    parts.cloud.refuse("send", "BadGateway", times=100)

    with pytest.raises(TeamsDown) as caught:
        await parts.connector.send(here, HELLO)

    assert caught.value.code == "BadGateway"
    assert parts.cloud.calls["send"] == 4


async def test_a_long_rest_is_told_and_kept(parts: Parts, ops: Team) -> None:
    """Asking sooner would make it longer."""
    here = await at(parts, ops)
    parts.cloud.refuse("send", "Throttled", retry_after_s=30)

    with pytest.raises(TooMany) as caught:
        await parts.connector.send(here, HELLO)
    with pytest.raises(TooMany):
        await parts.connector.send(here, HELLO)

    assert caught.value.retry_after_s == 30
    assert parts.cloud.calls["send"] == 1
    parts.cloud.clock.advance(31)
    await parts.connector.send(here, HELLO)


async def test_a_lost_connection_is_told_and_not_tried_again(parts: Parts, ops: Team) -> None:
    """The message may be there: the outbox looks for it first."""
    here = await at(parts, ops)
    parts.cloud.loses_replies = 1

    with pytest.raises(TeamsDown) as caught:
        await parts.connector.send(here, HELLO)

    assert caught.value.code == "connection"
    assert len(parts.cloud.posts(ops.general)) == 1


async def test_a_teams_that_does_not_answer_is_given_up(
    parts: Parts, ops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await at(parts, ops)
    monkeypatch.setattr("adapters.teams.connector.TIMEOUT_S", 0.05)
    parts.cloud.hangs = True

    with pytest.raises(TeamsDown) as caught:
        await parts.connector.send(here, HELLO)

    assert caught.value.code == "timeout"


# --- pace ---


@pytest.fixture
def quick(cloud: TeamsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits pass at once, on the clock that everybody goes by."""

    async def sleep(seconds: float) -> None:
        cloud.clock.advance(seconds)

    monkeypatch.setattr("bot.turns.sleep", sleep)


async def test_two_processes_together_never_meet_a_throttle(parts: Parts, ops: Team, quick: None) -> None:
    """7 in a second, 8 in two, 60 in half a minute: the fake counts as Teams does."""
    here, cloud = await at(parts, ops), parts.cloud
    async with plumbing(cloud, shelf=parts.shelf) as other:
        left = [f"card {number:02d}" for number in range(40)]
        for _ in range(60):
            again = []
            for number, text in enumerate(left):
                sender = (parts, other)[number % 2].connector
                try:
                    await sender.send(here, {"type": "message", "text": text, "channelData": {"andon": text}})
                except TooMany:
                    again.append(text)
            left = again
            cloud.clock.advance(1.0)
            if not left:
                break

    assert [message.text for message in cloud.posts(ops.general)] == [f"card {number:02d}" for number in range(40)]
    assert [error for error in cloud.errors if "Throttled" in error] == []


async def test_one_busy_conversation_holds_up_no_other(parts: Parts, ops: Team, quick: None) -> None:
    here = await at(parts, ops)
    other = replace(here, conversation=ops.channel("Alerts").id)
    for number in range(20):
        try:
            await parts.connector.send(here, {"type": "message", "text": str(number)})
        except TooMany:
            break

    await parts.connector.send(other, HELLO)

    assert len(parts.cloud.posts(ops.channel("Alerts"))) == 1


# --- errors ---


async def test_a_team_without_the_app_says_how_to_add_it(parts: Parts, ops: Team) -> None:
    here = await at(parts, ops)
    ops.is_installed = False

    with pytest.raises(Unreachable) as caught:
        await parts.connector.send(here, HELLO)

    assert caught.value.code == "BotNotInConversationRoster"
    assert "Andon is not installed in the channel" in str(caught.value)
    assert "Add to a team or chat" in str(caught.value)


async def test_a_person_without_the_app_leads_to_a_clear_sentence(parts: Parts, ops: Team) -> None:
    stranger = parts.cloud.person("Zoe")
    here = await at(parts, ops)

    with pytest.raises(Unreachable) as caught:
        await parts.connector.begin_chat(here, stranger.id, person=stranger.aad)

    assert caught.value.code == "ForbiddenOperationException"
    assert "Andon is not installed for this person" in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "ActivityNotFoundInConversation",
        "BotDisabledByAdmin",
        "BotNotInConversationRoster",
        "ConversationBlockedByUser",
        "ConversationNotFound",
        "MessageSizeTooBig",
        "MessageWritesBlocked",
        "NotEnoughPermissions",
    ],
)
async def test_every_place_that_cannot_be_reached_has_a_sentence(parts: Parts, ops: Team, code: str) -> None:
    """An operator reads it on the handoff, and knows what to do."""
    here = await at(parts, ops)
    parts.cloud.refuse("update", code)

    with pytest.raises(Unreachable) as caught:
        await parts.connector.update(here, "1", HELLO)

    assert caught.value.code == code
    assert "{" not in str(caught.value)


async def test_a_secret_that_is_wrong_is_told_to_operators_once(cloud: TeamsCloud) -> None:
    async with plumbing(cloud, config(cloud, app_password="another")) as parts:
        team = cloud.team("Operations", [cloud.person("Mira")])
        await cloud.announce()
        for _ in range(2):
            with pytest.raises(NoAccess, match="TEAMS_APP_PASSWORD"):
                await parts.connector.send(await at(parts, team), HELLO)

        assert [name for name, _ in parts.desk.alerts] == ["teams:AADSTS7000215"]
        assert cloud.calls["token"] == 1


async def test_what_is_wrong_with_a_message_is_told_in_teams_own_words(parts: Parts, ops: Team) -> None:
    with pytest.raises(TeamsFailed) as caught:
        await parts.connector.send(await at(parts, ops), {"type": "message"})

    assert caught.value.code == "BadSyntax"


# --- where calls go ---


async def test_a_region_that_moved_is_found_by_what_came_last(parts: Parts, ops: Team) -> None:
    """A channel that only cards go to sends nothing that would refresh its own reference."""
    cloud, here = parts.cloud, await at(parts, ops)
    chat = cloud.chat(cloud.person("Ana"), name="Night shift")
    cloud.move("amer")
    await cloud.install(chat)

    await parts.connector.send(here, HELLO)

    assert len(cloud.posts(ops.general)) == 1
    assert (await at(parts, ops)).service_url == cloud.service_url


async def test_a_reference_to_elsewhere_is_not_followed(parts: Parts, ops: Team) -> None:
    here = replace(await at(parts, ops), service_url="http://169.254.169.254/")

    with pytest.raises(Unreachable):
        await parts.connector.send(here, HELLO)

    assert parts.cloud.calls["token"] == 0


# --- who is there ---


async def test_a_roster_comes_in_pages(parts: Parts) -> None:
    cloud = parts.cloud
    cloud.page_size = 3
    team = cloud.team("Large", [cloud.person(f"Person {number}") for number in range(10)])
    await cloud.announce()

    found = [each["name"] async for each in parts.connector.members(await at(parts, team))]

    assert found == [f"Person {number}" for number in range(10)]
    assert cloud.calls["members"] == 4


async def test_one_person_is_found_by_every_name_of_theirs(parts: Parts) -> None:
    cloud = parts.cloud
    guest = cloud.person("Gus", tenant=cloud.tenant("Fabrikam"), guest=True)
    team = cloud.team("Operations", [guest])
    await cloud.announce()
    here = await at(parts, team)

    for name in (guest.id, guest.aad, guest.upn):
        found = await parts.connector.member(here, name)
        assert found
        assert found["aadObjectId"] == guest.aad
    assert await parts.connector.member(here, "nobody@contoso.example") is None
