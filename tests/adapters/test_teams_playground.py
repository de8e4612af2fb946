"""The Microsoft 365 Agents Playground is not Teams in all it does; what is said here was seen of its version 0.2.28."""

from adapters.teams.references import Reference
from tests.adapters.teams_plumbing import plumbing
from tests.fakes.teams import TeamsCloud, payloads


async def test_who_presses_is_found_by_the_id_that_they_have_for_the_bot() -> None:
    """It answers 404 to the directory's id, and whoever is not found in the conversation may not answer."""
    async with TeamsCloud().serving() as cloud:
        cloud.is_playground = True
        async with plumbing(cloud) as parts:
            alex = cloud.person("Alex Wilber")
            team = cloud.team("My Team", [alex])
            await cloud.announce()
            press = payloads.activity(cloud, "invoke", team.general, alex)

            known = await parts.people.person(press)
            elsewhere = await parts.people.person(press, where=Reference.of(press))

    assert (known.standing, known.actor.name, known.actor.email) == ("member", "Alex Wilber", alex.email)
    assert known.actor.id == f"{cloud.home.id}/{alex.aad}"
    assert elsewhere == known
