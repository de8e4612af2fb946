"""Where on Slack a place is: whatever an agent may write, found or refused with a sentence."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.oauth.installation_store import Installation

from adapters.slack.calls import SlackFailed, Unreachable
from adapters.slack.places import Spot
from andon import wire
from tests.adapters.plumbing import Parts, by_oauth, plumbing
from tests.fakes.slack.cloud import SlackCloud

HOME = "T0ANDON"


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with SlackCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


def at(**given: str) -> wire.Place:
    return wire.Place.model_validate({"surface": "slack", **given})


async def test_a_channel_by_its_id(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops", id="C0OPS")

    assert await parts.places.find(at(channel="C0OPS")) == Spot(HOME, ops.id)
    assert await parts.places.find(at(channel="T0ANDON/C0OPS")) == Spot(HOME, ops.id)
    assert Spot(HOME, "C0OPS").address == "T0ANDON/C0OPS"


@pytest.mark.parametrize("said", ["#ops", "ops", "#OPS", "T0ANDON/#ops", " #ops "])
async def test_a_channel_by_its_name(parts: Parts, said: str) -> None:
    parts.cloud.channel("#random")
    ops = parts.cloud.channel("#ops")

    assert (await parts.places.find(at(channel=said))).channel == ops.id


async def test_a_private_channel_by_its_name(parts: Parts) -> None:
    board = parts.cloud.channel("#board", private=True)

    assert (await parts.places.find(at(channel="#board"))).channel == board.id


async def test_a_name_among_thousands(parts: Parts) -> None:
    channels = [parts.cloud.channel(f"#c{number}") for number in range(2500)]

    assert (await parts.places.find(at(channel="#c2499"))).channel == channels[-1].id
    asked = parts.cloud.calls["users.conversations"]
    assert (await parts.places.find(at(channel="#c7"))).channel
    assert parts.cloud.calls["users.conversations"] == asked


async def test_a_channel_that_was_made_just_now(parts: Parts) -> None:
    parts.cloud.channel("#random")
    await parts.places.find(at(channel="#random"))
    new = parts.cloud.channel("#new")

    parts.now.at += 20

    assert (await parts.places.find(at(channel="#new"))).channel == new.id


async def test_a_name_that_is_not_there_is_not_looked_for_again_and_again(parts: Parts) -> None:
    for _ in range(5):
        with pytest.raises(Unreachable, match=r"Andon is in no channel #nowhere; .* /invite @andon"):
            await parts.places.find(at(channel="#nowhere"))

    assert parts.cloud.calls["users.conversations"] <= 2


@pytest.mark.parametrize("bot, archived", [(False, False), (True, True)])
async def test_a_channel_where_nothing_can_be_posted_is_not_found_by_name(
    parts: Parts, bot: bool, archived: bool
) -> None:
    parts.cloud.channel("#ops", bot=bot, archived=archived)

    with pytest.raises(Unreachable):
        await parts.places.find(at(channel="#ops"))


async def test_a_thread(parts: Parts) -> None:
    assert (await parts.places.find(at(channel="C0OPS", thread="1700000000.000100"))).thread == "1700000000.000100"


@pytest.mark.parametrize("thread", ["last week", "170", "1700000000.000100; drop", "-1.0"])
async def test_a_thread_that_is_none(parts: Parts, thread: str) -> None:
    with pytest.raises(Unreachable, match="is no thread on Slack"):
        await parts.places.find(at(channel="C0OPS", thread=thread))


async def test_a_person(parts: Parts) -> None:
    ana = parts.cloud.user("ana", email="ana@example.com")
    direct = parts.cloud.conversation(ana)

    for said in (ana.id, f"{HOME}/{ana.id}", "ana@example.com", "Ana@Example.com", f"{HOME}/ana@example.com"):
        assert (await parts.places.find(at(person=said))) == Spot(HOME, direct.id)
    assert parts.cloud.calls["conversations.open"] == 1


async def test_a_channel_goes_before_a_person(parts: Parts) -> None:
    ana = parts.cloud.user("ana")

    assert (await parts.places.find(at(channel="C0OPS", person=ana.id))).channel == "C0OPS"


@pytest.mark.parametrize(
    "person, says",
    [
        ("U0NOBODY", "Slack knows no person U0NOBODY; mend the id"),
        ("nobody@example.com", "Nobody in the Slack workspace has the e-mail address nobody@example.com"),
        ("Ana Banana", "'Ana Banana' is nobody on Slack"),
        ("U1,U2", "is nobody on Slack"),
    ],
)
async def test_a_person_who_is_not_there(parts: Parts, person: str, says: str) -> None:
    with pytest.raises(Unreachable, match=says):
        await parts.places.find(at(person=person))


async def test_a_deactivated_person(parts: Parts) -> None:
    ana = parts.cloud.user("ana", deleted=True)

    with pytest.raises(Unreachable, match="is deactivated in Slack; name another person"):
        await parts.places.find(at(person=ana.id))


@pytest.mark.parametrize("channel", ["<!channel>", "a b", "#", "https://acme.slack.com/archives/C1", "@ana"])
async def test_what_is_no_channel(parts: Parts, channel: str) -> None:
    with pytest.raises(Unreachable):
        await parts.places.find(at(channel=channel))


async def test_nowhere_in_particular(parts: Parts) -> None:
    with pytest.raises(Unreachable, match="set SLACK_CHANNEL"):
        await parts.places.find(at())


async def test_nowhere_in_particular_is_the_default_channel() -> None:
    async with SlackCloud().serving() as cloud, plumbing(cloud, default="#ops") as parts:
        ops = cloud.channel("#ops")

        assert (await parts.places.find(at())).channel == ops.id


async def test_a_workspace_where_the_app_is_not(parts: Parts) -> None:
    with pytest.raises(Unreachable, match=r"not installed in the Slack workspace T0ELSE .* it is in T0ANDON"):
        await parts.places.find(at(channel="T0ELSE/C0OPS"))


async def test_several_workspaces_must_be_told_apart() -> None:
    async with SlackCloud().serving() as cloud, plumbing(cloud, by_oauth(cloud)) as parts:
        for team in (cloud.home, cloud.team("T0OTHER", name="Umbrella")):
            await install(parts, team.id)
        with pytest.raises(Unreachable, match=r"2 Slack workspaces, .* Acme \(T0ANDON\), Umbrella \(T0OTHER\)"):
            await parts.places.find(at(channel="#ops"))
        ops = cloud.channel("#ops", team=cloud.teams["T0OTHER"])

        assert await parts.places.find(at(channel="T0OTHER/#ops")) == Spot("T0OTHER", ops.id)


async def install(parts: Parts, team: str) -> None:
    """As the OAuth flow does at its end."""
    token = parts.cloud.install(parts.cloud.teams[team])
    bot = parts.cloud.installations[team]
    store = parts.installs.bolt()
    assert store
    await store.async_save(
        Installation(
            team_id=team,
            team_name=parts.cloud.teams[team].name,
            bot_token=token,
            bot_id=bot.bot_id,
            bot_user_id=bot.bot.id,
            user_id="U0ADMIN",
        )
    )


async def test_a_slack_that_is_down_is_no_wrong_place(parts: Parts) -> None:
    """It may come back: nothing is undeliverable yet."""
    parts.cloud.is_down = True

    with pytest.raises(SlackFailed):
        await parts.places.find(at(channel="#ops"))


async def test_names(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops")
    ana, ben = parts.cloud.user("ana"), parts.cloud.user("ben")

    assert await parts.places.name(HOME, ops.id) == "#ops"
    assert await parts.places.name(HOME, parts.cloud.conversation(ana).id) == "a direct message"
    assert await parts.places.name(HOME, "C0NOWHERE") == "C0NOWHERE"
    assert await parts.places.name(HOME, ops.id) == "#ops"
    assert parts.cloud.calls["conversations.info"] == 2
    group = parts.cloud.conversation(ana, ben)
    assert await parts.places.name(HOME, group.id) == group.id  # its name would take one more scope


async def test_errors_call_a_channel_by_its_name(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops")
    await parts.places.name(HOME, ops.id)
    ops.is_archived = True

    with pytest.raises(Unreachable, match="#ops is archived"):
        await parts.api.call(HOME, "chat.postMessage", channel=ops.id, text="hello")
