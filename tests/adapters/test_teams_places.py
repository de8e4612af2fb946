"""Where on Teams a place is, what the bot remembers of places, and what an operator reads where it cannot go."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.teams.errors import Unreachable
from adapters.teams.references import Reference
from andon import wire
from tests.adapters.teams_plumbing import Parts, config, plumbing
from tests.fakes.teams import Person, Team, TeamsCloud, payloads


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with TeamsCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


@pytest.fixture
async def mira(parts: Parts) -> Person:
    return parts.cloud.person("Mira Holm")


@pytest.fixture
async def ops(parts: Parts, mira: Person) -> Team:
    team = parts.cloud.team("Site Operations", [mira], channels=["Alerts"])
    await parts.cloud.announce()
    return team


async def find(parts: Parts, **place: Any) -> Reference:
    return await parts.places.find(wire.Place(surface="teams", **place))


# --- channels ---


async def test_a_channel_is_found_in_every_way_that_people_name_it(parts: Parts, ops: Team) -> None:
    alerts = ops.channel("Alerts")
    link = alerts.id.replace(":", "%3A").replace("@", "%40")

    for said in (
        alerts.id,
        "Site Operations/Alerts",
        "site operations/#alerts",
        f"{ops.id}/Alerts",
        f"{ops.group_id}/Alerts",
        f"https://teams.microsoft.com/l/channel/{link}/Alerts?groupId={ops.group_id}&tenantId=x",
    ):
        found = await find(parts, channel=said)
        assert (found.conversation, found.kind, found.team) == (alerts.id, "channel", ops.id), said
        assert (found.tenant, found.service_url) == (parts.cloud.home.id, parts.cloud.service_url)
    assert parts.cloud.calls["channels"] <= 2


async def test_a_team_alone_is_its_general_channel(parts: Parts, ops: Team) -> None:
    assert (await find(parts, channel="Site Operations")).conversation == ops.id
    assert (await find(parts, channel="Site Operations/General")).conversation == ops.id


async def test_a_thread_is_kept_in_a_channel_alone(parts: Parts, ops: Team) -> None:
    assert (await find(parts, channel=ops.id, thread="1700000000000")).id == f"{ops.id};messageid=1700000000000"
    assert (await find(parts, channel=f"{ops.id};messageid=17")).thread == "17"
    chat = parts.cloud.chat(parts.cloud.person("Ana"))
    await parts.cloud.install(chat)
    assert (await find(parts, channel=chat.id, thread="17")).thread == ""


async def test_a_channel_that_was_made_just_now_is_found(parts: Parts, ops: Team) -> None:
    await find(parts, channel="Site Operations/Alerts")
    parts.cloud.channel(ops, "Nights")  # of which the bot did not hear
    parts.now.at += 16

    assert (await find(parts, channel="Site Operations/Nights")).conversation == ops.channel("Nights").id


async def test_a_renamed_channel_is_found_by_its_new_name(parts: Parts, ops: Team) -> None:
    await find(parts, channel="Site Operations/Alerts")
    await parts.cloud.rename(ops.channel("Alerts"), "Alarms")

    assert (await find(parts, channel="Site Operations/Alarms")).conversation == ops.channel("Alarms").id
    with pytest.raises(Unreachable):
        await find(parts, channel="Site Operations/Alerts")


@pytest.mark.parametrize(
    "place, code, said",
    [
        ({"channel": "Elsewhere/Alerts"}, "no_team", "Site Operations"),
        ({"channel": "Site Operations/Nowhere"}, "no_channel", "'Nowhere'"),
        ({"channel": "19:unknown@thread.tacv2"}, "not_installed", "Add to a team or chat"),
        ({"channel": "19:unknown@thread.v2"}, "not_installed", "the group chat"),
        ({"channel": "x", "thread": "<evil>"}, "no_thread", "1700000000000"),
        ({"person": "mira"}, "nobody", "e-mail address"),
        ({"person": "zoe@contoso.example"}, "nobody", "let them add Andon"),
        ({"person": "3f3d1cea-7a18-41af-872b-cfbbd5140984"}, "nobody", "let them add Andon"),
        ({}, "no_place", "TEAMS_CHANNEL"),
    ],
)
async def test_a_place_that_is_not_there_leads_to_a_sentence_that_helps(
    parts: Parts, ops: Team, place: dict[str, str], code: str, said: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        await find(parts, **place)

    assert caught.value.code == code
    assert said in str(caught.value)


async def test_two_teams_of_one_name_are_told_apart_by_their_ids(parts: Parts, ops: Team) -> None:
    other = parts.cloud.team("Site Operations")
    await parts.cloud.install(other)

    with pytest.raises(Unreachable, match=ops.id) as caught:
        await find(parts, channel="Site Operations")

    assert other.id in str(caught.value)


async def test_cards_without_a_place_go_to_the_channel_of_the_settings() -> None:
    async with TeamsCloud().serving() as cloud, plumbing(cloud, config(cloud, channel="Ops/Alerts")) as parts:
        team = cloud.team("Ops", [cloud.person("Mira")], channels=["Alerts"])
        await cloud.announce()

        assert (await find(parts)).conversation == team.channel("Alerts").id


async def test_what_people_call_a_place(parts: Parts, mira: Person, ops: Team) -> None:
    alerts = await find(parts, channel=ops.channel("Alerts").id)

    assert await parts.places.name(alerts) == "Site Operations / Alerts"
    assert "Site Operations/Alerts" in await parts.places.ways(alerts)
    await parts.cloud.install(mira.direct)
    assert await parts.places.name(await find(parts, person=mira.aad)) == "a personal chat"


# --- people ---


async def test_a_person_is_found_by_address_or_id_and_written_to(parts: Parts, mira: Person, ops: Team) -> None:
    """Teams takes no e-mail addresses: the bot knows people by the rosters of its teams."""
    found = await find(parts, person=mira.email)
    for said in (mira.email.upper(), mira.aad, f"{parts.cloud.home.id}/{mira.aad}"):
        assert await find(parts, person=said) == found
    assert (found.conversation, found.kind, found.person) == (mira.direct.id, "personal", mira.aad)
    assert parts.cloud.calls["create"] == 1

    await parts.connector.send(found, {"type": "message", "text": "hello"})

    assert [message.text for message in mira.dms] == ["hello"]


async def test_a_person_who_signs_in_with_another_name_is_found(parts: Parts, ops: Team) -> None:
    ana = parts.cloud.person("Ana Sousa", upn="a.sousa@contoso.example")
    await parts.cloud.join(ops, ana)

    assert (await find(parts, person=ana.email)).conversation == ana.direct.id


async def test_a_person_in_no_team_is_found_by_their_own_installation(parts: Parts) -> None:
    solo = parts.cloud.person("Solo")
    await parts.cloud.install(solo.direct)

    assert (await find(parts, person=solo.email)).conversation == solo.direct.id
    assert parts.cloud.calls["create"] == 0


async def test_a_guest_with_a_members_address_does_not_get_their_cards(parts: Parts, ops: Team) -> None:
    """The address is what the guest's own organisation says."""
    cloud = parts.cloud
    thief = cloud.person("Thief", tenant=cloud.tenant("Fabrikam"), guest=True, email="boss@contoso.example")
    await cloud.join(ops, thief)

    with pytest.raises(Unreachable):
        await find(parts, person="boss@contoso.example")


# --- what is remembered ---


async def test_places_are_remembered_by_every_process_and_after_a_restart(parts: Parts, ops: Team) -> None:
    async with plumbing(parts.cloud, shelf=parts.shelf) as other:
        assert (await find(other, channel="Site Operations/Alerts")).conversation == ops.channel("Alerts").id


async def test_a_reference_is_our_own_json(parts: Parts, mira: Person) -> None:
    """The Bot Framework's drops the tenant."""
    await parts.cloud.install(mira.direct)

    found = await parts.references.find(mira.direct.id)

    assert found == Reference(
        parts.cloud.home.id, parts.cloud.service_url, parts.cloud.bot_id, mira.direct.id, "personal", person=mira.aad
    )
    assert Reference.read(found.text) == found


async def test_a_reference_of_a_newer_version_is_read(parts: Parts, mira: Person) -> None:
    await parts.cloud.install(mira.direct)
    name = f"conversation:{mira.direct.id}"
    parts.shelf.lasts[name] = parts.shelf.lasts[name].replace("{", '{"colour": "blue", ', 1)

    assert (await find(parts, person=mira.aad)).conversation == mira.direct.id


async def test_every_activity_refreshes_where_calls_go(parts: Parts, mira: Person, ops: Team) -> None:
    parts.cloud.move("amer")

    await mira.say(ops.general, "hello", mention=True)

    found = await parts.references.find(ops.id)
    assert found
    assert found.service_url == parts.cloud.service_url


async def test_a_place_that_the_app_left_is_forgotten(parts: Parts, mira: Person, ops: Team) -> None:
    await find(parts, channel="Site Operations/Alerts")
    await parts.cloud.install(mira.direct)

    await parts.cloud.uninstall(ops)
    await parts.cloud.uninstall(mira.direct)

    assert await parts.references.teams() == []
    assert await parts.references.conversations() == []
    with pytest.raises(Unreachable):
        await find(parts, channel=ops.id)
    with pytest.raises(Unreachable):
        await find(parts, person=mira.aad)


async def test_an_action_of_a_message_makes_no_place_of_a_chat_that_has_no_app(parts: Parts, mira: Person) -> None:
    aside = parts.cloud.chat(mira, installed=False)
    await mira.act_on(await mira.say(aside, "Between us"), "ask")

    assert await parts.references.find(aside.id) is None


async def test_an_upgrade_of_the_app_forgets_no_place_in_whatever_order_it_is_told(
    parts: Parts, mira: Person, ops: Team
) -> None:
    await parts.cloud.install(mira.direct)
    for where in (ops.general, mira.direct):
        gone = payloads.installed(parts.cloud, where, mira, removed=True)
        await parts.cloud.courier.send(gone | {"action": "remove-upgrade"})

    assert (await find(parts, channel="Site Operations")).conversation == ops.id
    assert (await find(parts, person=mira.aad)).conversation == mira.direct.id


async def test_a_person_who_leaves_takes_no_place_along(parts: Parts, mira: Person, ops: Team) -> None:
    await parts.cloud.leave(ops, mira)

    assert (await find(parts, channel="Site Operations")).conversation == ops.id


async def test_a_team_that_the_app_left_unseen_does_not_hide_people_of_another(
    parts: Parts, mira: Person, ops: Team
) -> None:
    old = parts.cloud.team("Old", [])
    await parts.cloud.install(old)
    old.is_installed = False  # of which the bot did not hear
    ana = parts.cloud.person("Ana Sousa", upn="a.sousa@contoso.example")
    await parts.cloud.join(ops, ana)

    assert (await find(parts, person=ana.email)).conversation == ana.direct.id
    assert (await find(parts, channel=ops.channel("Alerts").id)).team == ops.id


async def test_a_deleted_channel_is_forgotten(parts: Parts, mira: Person, ops: Team) -> None:
    alerts = ops.channel("Alerts")
    await find(parts, channel=alerts.id)
    ops.channels.remove(alerts)
    await parts.cloud.courier.send(payloads.channel_changed(parts.cloud, alerts, mira, "channelDeleted"))

    with pytest.raises(Unreachable):
        await find(parts, channel=alerts.id)
