"""What somebody may see of Teams' conversations: those that they are in, of the organisation where they ask."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.teams.ground import TeamsGround, room_of
from adapters.teams.references import Reference
from bot.talk import Viewer
from tests.adapters.teams_plumbing import Parts, plumbing
from tests.fakes.teams import Conversation, Person, Team, TeamsCloud, payloads


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as made:
        yield made


@pytest.fixture
def mira(cloud: TeamsCloud) -> Person:
    return cloud.person("Mira")


@pytest.fixture
def ana(cloud: TeamsCloud) -> Person:
    return cloud.person("Ana")


@pytest.fixture
def ops(cloud: TeamsCloud, mira: Person) -> Team:
    return cloud.team("Site Operations", [mira])


@pytest.fixture
async def parts(cloud: TeamsCloud, ops: Team, mira: Person, ana: Person) -> AsyncIterator[Parts]:
    async with plumbing(cloud) as made:
        await cloud.install(ops)
        await cloud.install(mira.direct)
        await cloud.install(ana.direct)
        yield made


def ground_of(parts: Parts) -> TeamsGround:
    return TeamsGround(references=parts.references, people=parts.people, places=parts.places)


async def viewer(parts: Parts, by: Person) -> Viewer:
    return await ground_of(parts).viewer(payloads.activity(parts.cloud, "message", by.direct, by))


async def room(parts: Parts, where: Conversation) -> str:
    at = await parts.references.find(where.id)
    assert at
    return room_of(at)


async def test_a_chat_with_the_bot_is_seen_by_its_person_alone(parts: Parts, mira: Person, ana: Person) -> None:
    ground, hers, other = ground_of(parts), await room(parts, mira.direct), await room(parts, ana.direct)
    seeing = await viewer(parts, mira)

    assert await ground.is_in(seeing, hers)
    assert not await ground.is_in(seeing, other)
    shared = await ground.shared(seeing)
    assert hers in shared
    assert other not in shared


async def test_nobody_sees_the_conversations_of_another_organisation(parts: Parts, mira: Person, ops: Team) -> None:
    """Somebody may be in several; each shows what is there."""
    ground, seeing = ground_of(parts), await viewer(parts, mira)
    there = await room(parts, ops.general)
    elsewhere = replace(seeing, home="another-tenant")

    assert await ground.is_in(seeing, there)
    assert not await ground.is_in(elsewhere, there)
    assert await ground.shared(elsewhere) == []


async def test_whoever_has_no_id_sees_nothing(parts: Parts, mira: Person, ana: Person, ops: Team) -> None:
    ground, nobody = ground_of(parts), replace(await viewer(parts, mira), user="")
    no_ones = Reference.of(payloads.activity(parts.cloud, "message", ana.direct, ana))
    await parts.references.keep(replace(no_ones, person=""))

    assert not await ground.is_in(nobody, await room(parts, ops.general))
    assert not await ground.is_in(nobody, room_of(no_ones))
