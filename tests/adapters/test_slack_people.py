"""Who may answer on Slack. Each of these tests guards a no; without its guard it is seen to fail."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.people import FRESH_S
from andon import wire
from bot.errors import DirectoryDown
from tests.adapters.plumbing import Parts, plumbing, teach_organisations
from tests.fakes.slack.cloud import SlackCloud
from tests.fakes.slack.people import Person as SlackPerson

HOME = "T0ANDON"


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with SlackCloud().serving() as cloud, plumbing(cloud) as made:
        yield made


def actor(person: SlackPerson, home: str = HOME) -> wire.Actor:
    return wire.Actor(kind="person", id=f"{home}/{person.id}", name=person.name, surface="slack")


async def standing(parts: Parts, person: SlackPerson, channel: str | None, user_team: str | None = None) -> str:
    found = await parts.people.person(HOME, person.id, channel=channel, user_team=user_team)
    return found.refusal or found.standing


# --- standing ---


async def test_a_full_member_in_the_channel_is_a_member(parts: Parts) -> None:
    ana = parts.cloud.user("ana", email="ana@example.com", display_name="Ana B.")
    ops = parts.cloud.channel("#ops", [ana])

    found = await parts.people.person(HOME, ana.id, channel=ops.id)

    assert (found.standing, found.refusal) == ("member", "")
    assert found.actor == wire.Actor(
        kind="person", id=f"{HOME}/{ana.id}", name="Ana B.", surface="slack", email="ana@example.com"
    )


async def test_a_full_member_elsewhere_is_outside(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    parts.cloud.channel("#random", [ana])
    ops = parts.cloud.channel("#ops", [])

    assert await standing(parts, ana, ops.id) == "outside"


async def test_nobody_is_in_a_conversation_that_is_not_on_slack(parts: Parts) -> None:
    assert await standing(parts, parts.cloud.user("ana"), None) == "outside"


async def test_private_channels_count_too(parts: Parts) -> None:
    ana, ben = parts.cloud.user("ana"), parts.cloud.user("ben")
    board = parts.cloud.channel("#board", [ana], private=True)

    assert await standing(parts, ana, board.id) == "member"
    assert await standing(parts, ben, board.id) == "outside"


@pytest.mark.parametrize("restriction", ["is_restricted", "is_ultra_restricted"])
async def test_a_guest_in_the_channel_is_a_guest(parts: Parts, restriction: str) -> None:
    guest = parts.cloud.user("gus", **{restriction: True})  # type: ignore[arg-type]  # a flag of the fake's
    ops = parts.cloud.channel("#ops", [guest])

    assert await standing(parts, guest, ops.id) == "guest"


async def test_somebody_of_another_organisation_is_external(parts: Parts) -> None:
    """Also in a shared channel, also with an address that the policy lists: it is another directory's word."""
    eve = parts.cloud.user("eve", team=parts.cloud.team("T0OTHER"), email="ana@example.com")
    shared = parts.cloud.channel("#shared", [eve], shared=True)

    found = await parts.people.person(HOME, eve.id, channel=shared.id, user_team="T0OTHER")

    assert found.standing == "external"
    assert found.actor.id == f"T0OTHER/{eve.id}"
    assert found.actor.email is None


async def test_the_request_s_own_word_for_another_workspace_is_heard(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])

    assert await standing(parts, ana, ops.id, user_team="T0OTHER") == "external"


async def test_another_workspace_of_our_organisation_is_not_external(monkeypatch: pytest.MonkeyPatch) -> None:
    teach_organisations(monkeypatch)
    async with SlackCloud().serving() as cloud:
        cloud.home.enterprise_id = "E0ACME"
        sister = cloud.team("T0SISTER", enterprise_id="E0ACME")
        ana = cloud.user("ana", team=sister)
        ops = cloud.channel("#ops", [ana])
        async with plumbing(cloud) as parts:
            cloud.installations[HOME].is_org_wide = True  # so that the fake knows her
            found = await parts.people.person(HOME, ana.id, channel=ops.id, user_team="T0SISTER")

    assert found.standing == "member"
    assert found.actor.id == f"E0ACME/{ana.id}"


async def test_only_its_person_is_in_a_direct_message(parts: Parts) -> None:
    ana, ben = parts.cloud.user("ana"), parts.cloud.user("ben")
    direct = parts.cloud.conversation(ana)

    assert await standing(parts, ana, direct.id) == "member"
    assert await standing(parts, ben, direct.id) == "outside"


# --- who may never answer ---


async def test_a_deactivated_account_may_never_answer(parts: Parts) -> None:
    ana = parts.cloud.user("ana", deleted=True)
    ops = parts.cloud.channel("#ops", [ana])

    assert "deactivated" in await standing(parts, ana, ops.id)


async def test_a_bot_may_never_answer(parts: Parts) -> None:
    robot = parts.cloud.user("robot", is_bot=True)
    ops = parts.cloud.channel("#ops", [robot])

    assert "is a bot" in await standing(parts, robot, ops.id)


async def test_slackbot_may_never_answer(parts: Parts) -> None:
    """Slack does not call it a bot."""
    slackbot = parts.cloud.user("slackbot", id="USLACKBOT")
    ops = parts.cloud.channel("#ops", [slackbot])

    assert "is a bot" in await standing(parts, slackbot, ops.id)


async def test_somebody_unknown_may_never_answer(parts: Parts) -> None:
    ops = parts.cloud.channel("#ops", [])

    found = await parts.people.person(HOME, "U0NOBODY", channel=ops.id)

    assert found.standing == "external"
    assert "does not tell the app who U0NOBODY is" in found.refusal


# --- addresses and names ---


async def test_an_address_that_is_not_confirmed_is_not_theirs(parts: Parts) -> None:
    """Anybody can type another's address into a profile; the policy lists people by it."""
    eve = parts.cloud.user("eve", email="ana@example.com", is_email_confirmed=False)
    ops = parts.cloud.channel("#ops", [eve])

    found = await parts.people.person(HOME, eve.id, channel=ops.id)

    assert found.actor.email is None


async def test_people_are_called_as_slack_shows_them(parts: Parts) -> None:
    ana = parts.cloud.user("ana.b", real_name="Ana Banana", display_name="")
    ops = parts.cloud.channel("#ops", [ana])

    assert (await parts.people.person(HOME, ana.id, channel=ops.id)).actor.name == "Ana Banana"


# --- how old an answer may be ---


async def test_who_was_deactivated_is_refused_within_a_minute(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    assert await standing(parts, ana, ops.id) == "member"

    ana.deleted = True
    parts.now.at += FRESH_S - 1
    assert await standing(parts, ana, ops.id) == "member"
    parts.now.at += 1

    assert FRESH_S <= 60
    assert "deactivated" in await standing(parts, ana, ops.id)


async def test_who_was_deactivated_is_refused_at_once_when_slack_says_so(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    assert await standing(parts, ana, ops.id) == "member"

    ana.deleted = True
    parts.people.forget(HOME, ana.id)

    assert "deactivated" in await standing(parts, ana, ops.id)


async def test_who_left_the_channel_is_outside_within_a_minute(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    assert await standing(parts, ana, ops.id) == "member"

    ops.members.remove(ana)
    parts.now.at += FRESH_S

    assert await standing(parts, ana, ops.id) == "outside"


# --- groups ---


async def test_members_of_a_group_belong_to_it(parts: Parts) -> None:
    ana, ben = parts.cloud.user("ana"), parts.cloud.user("ben")
    group = parts.cloud.group("@dba", [ana])

    assert await parts.people.belongs(actor(ana), group.id)
    assert not await parts.people.belongs(actor(ben), group.id)


async def test_who_was_removed_from_a_group_is_out_within_a_minute(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    group = parts.cloud.group("@dba", [ana])
    assert await parts.people.belongs(actor(ana), group.id)

    group.members.remove(ana)
    parts.now.at += FRESH_S

    assert not await parts.people.belongs(actor(ana), group.id)


async def test_who_was_removed_from_a_group_is_out_at_once_when_slack_says_so(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    group = parts.cloud.group("@dba", [ana])
    assert await parts.people.belongs(actor(ana), group.id)

    group.members.remove(ana)
    parts.people.forget_group(HOME, group.id)

    assert not await parts.people.belongs(actor(ana), group.id)


@pytest.mark.parametrize("gone", [True, False])
async def test_nobody_belongs_to_a_group_that_is_not_there(parts: Parts, gone: bool) -> None:
    ana = parts.cloud.user("ana")
    group = parts.cloud.group("@dba", [ana])
    group.disabled = True

    assert not await parts.people.belongs(actor(ana), group.id if gone else "S0NEVER")


async def test_the_same_id_in_another_workspace_belongs_to_nothing_here(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    group = parts.cloud.group("@dba", [ana])

    assert not await parts.people.belongs(actor(ana, home="T0OTHER"), group.id)


async def test_a_person_of_the_console_is_in_no_slack_group(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    group = parts.cloud.group("@dba", [ana])
    web = wire.Actor(kind="person", id=f"{HOME}/{ana.id}", name="ana", surface="web")

    assert not await parts.people.belongs(web, group.id)


async def test_a_plan_without_groups_is_told_clearly(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    parts.cloud.home.paid = False

    with pytest.raises(DirectoryDown, match="plan has no user groups; list people in the policy"):
        await parts.people.belongs(actor(ana), "S0DBA")


async def test_fifty_presses_at_once_ask_for_a_group_once(parts: Parts) -> None:
    """User groups may be asked for twenty times a minute."""
    people = [parts.cloud.user(f"p{number}") for number in range(50)]
    group = parts.cloud.group("@dba", people)

    found = await asyncio.gather(*(parts.people.belongs(actor(each), group.id) for each in people))

    assert all(found)
    assert parts.cloud.calls["usergroups.users.list"] == 1


# --- Slack does not tell ---


@pytest.mark.parametrize("trouble", ["down", "limited", "no scope", "revoked"])
async def test_nobody_is_let_through_while_slack_does_not_tell(parts: Parts, trouble: str) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    group = parts.cloud.group("@dba", [ana])
    await parts.installs.bot(HOME)  # as a service that ran before the trouble
    if trouble == "down":
        parts.cloud.is_down = True
    elif trouble == "limited":
        asked = ("users.info", "users.conversations", "usergroups.users.list")
        parts.cloud.refuses = dict.fromkeys(asked, "ratelimited")
    elif trouble == "no scope":
        parts.cloud.install(scopes=["chat:write"])
    else:
        parts.cloud.tokens[parts.cloud.token].is_revoked = True

    with pytest.raises(DirectoryDown, match="nobody is let through"):
        await parts.people.person(HOME, ana.id, channel=ops.id)
    with pytest.raises(DirectoryDown, match="nobody is let through"):
        await parts.people.belongs(actor(ana), group.id)
    with pytest.raises(DirectoryDown):
        await parts.people.channels(HOME, ana.id)


async def test_membership_that_slack_does_not_tell_is_no_membership(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    parts.cloud.refuses["users.conversations"] = "fatal_error"

    with pytest.raises(DirectoryDown):
        await parts.people.person(HOME, ana.id, channel=ops.id)


async def test_a_failure_is_not_kept(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    ops = parts.cloud.channel("#ops", [ana])
    parts.cloud.is_down = True
    with pytest.raises(DirectoryDown):
        await parts.people.person(HOME, ana.id, channel=ops.id)

    parts.cloud.is_down = False

    assert await standing(parts, ana, ops.id) == "member"


async def test_where_a_person_is_comes_in_pages(parts: Parts) -> None:
    ana = parts.cloud.user("ana")
    there = {parts.cloud.channel(f"#c{number}", [ana]).id for number in range(1200)}
    parts.cloud.channel("#other", [])

    assert await parts.people.channels(HOME, ana.id) == there


async def test_people_are_found_by_address(parts: Parts) -> None:
    ana = parts.cloud.user("ana", email="Ana@example.com")

    assert await parts.people.user_by_email(HOME, "ana@example.com") == ana.id
