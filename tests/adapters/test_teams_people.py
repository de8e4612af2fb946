"""Who somebody on Teams is, at the time of their answer. Whatever Teams does not tell is a no."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.teams.people import Person as Known
from adapters.teams.references import Reference
from andon import wire
from bot.errors import DirectoryDown
from tests.adapters.teams_plumbing import Parts, plumbing
from tests.fakes.teams import Conversation, Person, Team, TeamsCloud, payloads


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with TeamsCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


@pytest.fixture
async def mira(parts: Parts) -> Person:
    return parts.cloud.person("Mira Holm")


@pytest.fixture
async def ops(parts: Parts, mira: Person) -> Team:
    team = parts.cloud.team("Operations", [mira], channels=["Alerts"])
    await parts.cloud.announce()
    return team


async def who(parts: Parts, person: Person, where: Conversation, **changed: Any) -> Known:
    """Who a press of theirs is by."""
    activity = payloads.activity(parts.cloud, "invoke", where, person)
    activity["from"] |= changed
    return await parts.people.person(activity)


# --- who ---


async def test_a_member_is_known_by_tenant_and_directory_id(parts: Parts, mira: Person, ops: Team) -> None:
    known = await who(parts, mira, ops.general)

    assert known.actor.id == f"{parts.cloud.home.id}/{mira.aad}"
    assert (known.actor.name, known.actor.surface, known.actor.email) == ("Mira Holm", "teams", mira.email)
    assert (known.standing, known.refusal, known.account) == ("member", "", mira.id)


async def test_what_an_activity_says_of_name_and_address_is_not_believed(parts: Parts, mira: Person, ops: Team) -> None:
    known = await who(parts, mira, ops.general, name="The CEO", email="ceo@contoso.example")

    assert (known.actor.name, known.actor.email) == ("Mira Holm", mira.email)


async def test_a_guest_is_known_by_their_home_and_their_address_is_not_believed(parts: Parts, ops: Team) -> None:
    """Their own organisation may write any address there, one of ours too."""
    cloud = parts.cloud
    fabrikam = cloud.tenant("Fabrikam")
    guest = cloud.person("Gus", tenant=fabrikam, guest=True, email="mira.holm@contoso.example")
    await cloud.join(ops, guest)

    known = await who(parts, guest, ops.general)

    assert known.standing == "guest"
    assert known.actor.id == f"{fabrikam.id}/{guest.aad}"
    assert known.actor.email is None


async def test_somebody_of_another_organisation_is_external(parts: Parts, ops: Team) -> None:
    cloud = parts.cloud
    stranger = cloud.person("Sam", tenant=cloud.tenant("Fabrikam"))
    await cloud.join(ops, stranger)

    known = await who(parts, stranger, ops.general)

    assert (known.standing, known.actor.email) == ("external", None)


async def test_a_guest_of_our_own_tenant_is_no_member(parts: Parts, ops: Team) -> None:
    """The role says it, or the name that they sign in with; either is enough."""
    cloud = parts.cloud
    one = cloud.person("One", guest=True, upn="one@contoso.example")
    two = cloud.person("Two", upn="two_fabrikam.example#EXT#@contoso.example")
    await cloud.join(ops, one, two)

    assert [(await who(parts, each, ops.general)).standing for each in (one, two)] == ["guest", "guest"]


async def test_somebody_who_is_not_in_the_conversation_is_outside(parts: Parts, mira: Person, ops: Team) -> None:
    await parts.cloud.leave(ops, mira)

    known = await who(parts, mira, ops.general)

    assert known.standing == "outside"
    assert known.actor.email is None


async def test_whoever_left_unseen_is_a_member_for_a_minute_at_most(parts: Parts, mira: Person, ops: Team) -> None:
    assert (await who(parts, mira, ops.general)).standing == "member"
    await parts.cloud.leave(ops, mira, silently=True)
    parts.now.at += 59
    assert (await who(parts, mira, ops.general)).standing == "member"

    parts.now.at += 2

    assert (await who(parts, mira, ops.general)).standing == "outside"


async def test_whoever_is_not_signed_in_may_never_answer(parts: Parts, ops: Team) -> None:
    nobody = parts.cloud.person("Visitor", aad="")
    await parts.cloud.join(ops, nobody)

    known = await who(parts, nobody, ops.general)

    assert known.refusal
    assert known.standing == "external"


async def test_a_chat_that_the_bot_does_not_know_has_nobody_in_it(parts: Parts, mira: Person) -> None:
    chat = parts.cloud.chat(mira)

    assert (await who(parts, mira, chat)).standing == "outside"


async def test_the_card_may_be_elsewhere(parts: Parts, mira: Person, ops: Team) -> None:
    """A dialog is opened in one place, and answers what was asked in another."""
    ana = parts.cloud.person("Ana")
    chat = parts.cloud.chat(mira, ana)
    await parts.cloud.install(chat)
    activity = payloads.activity(parts.cloud, "invoke", chat, ana)
    where = await parts.references.find(ops.id)

    assert (await parts.people.person(activity)).standing == "member"
    assert (await parts.people.person(activity, where=where)).standing == "outside"


@pytest.mark.parametrize("code", ["ServiceError", "ServiceUnavailable", "Throttled", "BotNotRegistered"])
async def test_when_teams_does_not_tell_nobody_is_let_through(parts: Parts, mira: Person, ops: Team, code: str) -> None:
    parts.cloud.refuse("member", code, times=10, retry_after_s=30)

    with pytest.raises(DirectoryDown):
        await who(parts, mira, ops.general)


async def test_a_failure_is_not_remembered(parts: Parts, mira: Person, ops: Team) -> None:
    parts.cloud.refuse("member", "ServiceError")
    with pytest.raises(DirectoryDown):
        await who(parts, mira, ops.general)

    assert (await who(parts, mira, ops.general)).standing == "member"


async def test_a_roster_that_speaks_of_somebody_else_is_not_believed(
    parts: Parts, mira: Person, ops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(mira), "in_roster", {"id": mira.id, "aadObjectId": "somebody-else", "name": "X"})

    with pytest.raises(DirectoryDown):
        await who(parts, mira, ops.general)
    actor = wire.Actor(kind="person", id=f"{parts.cloud.home.id}/{mira.aad}", name="Mira", surface="teams")
    assert not await parts.people.belongs(actor, ops.id)


async def test_whom_the_roster_calls_anonymous_is_no_member(
    parts: Parts, mira: Person, ops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(mira), "in_roster", mira.in_roster | {"userRole": "anonymous"})

    known = await who(parts, mira, ops.general)

    assert (known.standing, known.actor.email) == ("external", None)


async def test_many_presses_at_once_ask_once(parts: Parts, mira: Person, ops: Team) -> None:
    for _ in range(10):
        await who(parts, mira, ops.general)

    assert parts.cloud.calls["member"] == 1


# --- groups ---


async def test_members_of_a_team_or_a_channel_belong_to_it(parts: Parts, mira: Person, ops: Team) -> None:
    cloud = parts.cloud
    ana = cloud.person("Ana")
    private = cloud.channel(ops, "Board", private=[ana])
    by_mira, by_ana = (await who(parts, mira, ops.general)).actor, None
    await cloud.join(ops, ana)
    by_ana = (await who(parts, ana, ops.general)).actor

    assert await parts.people.belongs(by_mira, ops.id)
    assert await parts.people.belongs(by_mira, ops.group_id)
    assert await parts.people.belongs(by_mira, ops.channel("Alerts").id)
    assert await parts.people.belongs(by_ana, private.id)
    assert not await parts.people.belongs(by_mira, private.id)


async def test_members_of_a_group_chat_belong_to_it(parts: Parts, mira: Person, ops: Team) -> None:
    chat = parts.cloud.chat(mira, parts.cloud.person("Ana"))
    await parts.cloud.install(chat)

    assert await parts.people.belongs((await who(parts, mira, ops.general)).actor, chat.id)


async def test_what_is_no_group_has_nobody_in_it(parts: Parts, mira: Person, ops: Team) -> None:
    """The policy's other entries are people: their ids come here too."""
    actor = (await who(parts, mira, ops.general)).actor
    await parts.cloud.install(mira.direct)

    for group in (
        mira.direct.id,
        mira.aad,
        actor.id,
        "19:nowhere@thread.tacv2",
        ops.general.id.upper(),
        "a:1234",
        "",
        "x",
    ):
        assert not await parts.people.belongs(actor, group)


async def test_a_person_of_the_same_id_in_another_tenant_is_another_person(
    parts: Parts, mira: Person, ops: Team
) -> None:
    actor = (await who(parts, mira, ops.general)).actor
    other = actor.model_copy(update={"id": f"another-tenant/{mira.aad}"})

    assert not await parts.people.belongs(other, ops.id)


async def test_people_of_other_surfaces_belong_to_nothing_here(parts: Parts, mira: Person, ops: Team) -> None:
    actor = (await who(parts, mira, ops.general)).actor

    assert not await parts.people.belongs(actor.model_copy(update={"surface": "slack"}), ops.id)


async def test_a_group_that_teams_does_not_tell_of_lets_nobody_through(parts: Parts, mira: Person, ops: Team) -> None:
    actor = (await who(parts, mira, ops.general)).actor
    parts.cloud.is_down = True
    parts.now.at += 61

    with pytest.raises(DirectoryDown):
        await parts.people.belongs(actor, ops.id)


async def test_whoever_joins_belongs_at_once(parts: Parts, mira: Person, ops: Team) -> None:
    ana = parts.cloud.person("Ana")
    actor = (await who(parts, mira, ops.general)).actor.model_copy(update={"id": f"{parts.cloud.home.id}/{ana.aad}"})
    assert not await parts.people.belongs(actor, ops.id)

    await parts.cloud.join(ops, ana)

    assert await parts.people.belongs(actor, ops.id)


async def test_a_team_that_the_app_left_lets_nobody_through(parts: Parts, mira: Person, ops: Team) -> None:
    actor = (await who(parts, mira, ops.general)).actor
    assert await parts.people.belongs(actor, ops.id)

    await parts.cloud.uninstall(ops)

    assert not await parts.people.belongs(actor, ops.id)


# --- whom a card is refreshed for ---


async def test_the_accounts_of_a_small_conversation_are_listed(parts: Parts, mira: Person, ops: Team) -> None:
    here = await parts.references.find(ops.id)
    assert here

    assert await parts.people.accounts(here, most=60) == [mira.id]


async def test_a_large_conversation_is_not_listed(parts: Parts) -> None:
    team = parts.cloud.team("All", [parts.cloud.person(f"P {number}") for number in range(61)])
    await parts.cloud.announce()
    here = await parts.references.find(team.id)
    assert isinstance(here, Reference)

    assert await parts.people.accounts(here, most=60) is None


async def test_a_roster_for_a_refresh_is_asked_for_once_a_minute(parts: Parts, mira: Person, ops: Team) -> None:
    """Every change of a card wants it."""
    here = await parts.references.find(ops.id)
    assert here
    for _ in range(5):
        await parts.people.accounts(here, most=60)
    assert parts.cloud.calls["members"] == 1

    await parts.cloud.join(ops, parts.cloud.person("Ana"))

    assert len(await parts.people.accounts(here, most=60) or ()) == 2
