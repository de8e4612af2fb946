"""`python -m bot check`, as an operator meets it while setting Teams up: every fault says what to do."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.teams.check import check
from adapters.teams.config import TeamsConfig
from tests.adapters.teams_plumbing import config, plumbing
from tests.fakes.shelf import MemoryShelf
from tests.fakes.teams import Key, TeamsCloud
from tests.servers import ServiceProcess, bare_environment

TO_GO_ON = (
    "mend ",
    "add it",
    "set ",
    "copy it",
    "make a new one",
    "start ",
    "enable it",
    "consent",
    "let ",
    "check ",
    "upload ",
)


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def entry() -> AsyncIterator[str]:
    """A service that refuses strangers."""
    async with answering(401) as url:
        yield url


@asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    """What stands at the public address."""

    async def take(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        assert (await request.json())["type"] == "message"
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/api/messages", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settled(cloud: TeamsCloud, url: str = "http://127.0.0.1:9", **changes: Any) -> TeamsConfig:
    return config(cloud, public_url=url, on_loopback=True, **changes)


async def look(given: TeamsConfig, shelf: MemoryShelf | None = None) -> tuple[str, str]:
    faults, notes = await check(given, shelf)
    for said in (*faults, *(note for note in notes if note.startswith("warning: "))):
        assert any(word in said for word in (*TO_GO_ON, "is for emulators alone")), said
        assert given.app_password not in said or not given.app_password
    return "\n".join(faults), "\n".join(notes)


async def test_a_surface_that_is_set_up_well(cloud: TeamsCloud) -> None:
    """The real way in, which has heard of the places where the app was added."""
    ana, mira = cloud.person("Ana"), cloud.person("Mira")
    operations = cloud.team("Operations", [ana, mira], channels=["Alerts"])
    finance = cloud.team("Finance", [mira])
    cloud.chat(ana, mira)
    for person in (ana, mira):
        cloud.personal(person, installed=True)
    async with plumbing(cloud) as parts:
        await cloud.announce()
        url = cloud.endpoint.removesuffix("/api/messages")

        faults, notes = await look(settled(cloud, url, channel="Operations/Alerts"), parts.shelf)

    assert faults == ""
    assert notes.splitlines() == [
        f"teams: Microsoft gives the app {cloud.app_id} a token",
        f"teams: {len(cloud.tokens.published)} signing keys at 127.0.0.1",
        f"teams: {url}/api/messages is there, and takes no request without a token",
        "teams: the Azure Bot's messaging endpoint must be that very address",
        f"teams: installed in the team Finance (its members as approvers: teams:{finance.group_id})",
        f"teams: installed in the team Operations (its members as approvers: teams:{operations.group_id})",
        "teams: installed in 1 group chat and 2 personal chats",
        "teams: cards go to Operations / Alerts",
    ]
    assert cloud.effects == []


# --- Microsoft's side ---


async def test_a_wrong_secret_is_told_without_repeating_it(cloud: TeamsCloud) -> None:
    faults, _ = await look(settled(cloud, app_password="its id instead"))

    assert "AADSTS7000215" in faults
    assert "TEAMS_APP_PASSWORD" in faults


async def test_a_secret_that_has_ended_is_told(cloud: TeamsCloud) -> None:
    cloud.secret_expired = True

    faults, _ = await look(settled(cloud))

    assert "AADSTS7000222" in faults
    assert "make a new one" in faults


async def test_an_app_or_a_tenant_that_is_not_there_is_told(cloud: TeamsCloud) -> None:
    no_app, _ = await look(settled(cloud, app_id=cloud.new_guid()))
    no_tenant, _ = await look(settled(cloud, tenant=cloud.new_guid()))

    assert "AADSTS700016" in no_app
    assert "AADSTS90002" in no_tenant


@pytest.mark.parametrize("name, field", [("TEAMS_APP_ID", "app_id"), ("TEAMS_TENANT_ID", "tenant")])
async def test_what_is_no_id_is_told(cloud: TeamsCloud, name: str, field: str) -> None:
    faults, _ = await look(settled(cloud, **{field: "andon.example.com"}))

    assert f"{name} has 'andon.example.com', which is no id: copy it from Microsoft Entra" in faults


async def test_each_further_tenant_must_be_an_id(cloud: TeamsCloud) -> None:
    faults, _ = await look(settled(cloud, allowed_tenants=(cloud.new_guid(), "contoso")))

    assert "TEAMS_ALLOWED_TENANTS has 'contoso', which is no id" in faults
    assert faults.count("TEAMS_ALLOWED_TENANTS") == 1


@pytest.mark.parametrize("door", ["metadata", "keys"])
@pytest.mark.parametrize("mode", ["down", "garbage", "empty", "odd", "reset"])
async def test_signing_keys_that_cannot_be_read_are_told(cloud: TeamsCloud, door: str, mode: str) -> None:
    cloud.door_faults.modes[door] = mode

    faults, notes = await look(settled(cloud))

    assert "TEAMS_OPENID_METADATA_URL" in faults
    assert len(faults.splitlines()) == 1
    assert "signing keys at" not in notes


async def test_keys_that_do_not_speak_for_teams_are_none(cloud: TeamsCloud) -> None:
    """Those of another channel are at such an address too."""
    cloud.tokens.published[:] = [Key(["webchat"])]

    faults, _ = await look(settled(cloud))

    assert "has no key that speaks for Teams" in faults


async def test_a_microsoft_that_cannot_be_reached(cloud: TeamsCloud) -> None:
    nowhere = settled(cloud, metadata_url="http://127.0.0.1:9/metadata", login_url="http://127.0.0.1:9")

    faults, _ = await look(nowhere)

    assert "http://127.0.0.1:9 cannot be reached" in faults
    assert "Microsoft's signing keys cannot be read at http://127.0.0.1:9/metadata" in faults


# --- the way in ---


@pytest.mark.parametrize(
    "status, says",
    [
        (200, "takes requests that nobody signed; start the service again with these settings"),
        (202, "takes requests that nobody signed"),
        (404, "answers HTTP 404: what runs there has no Teams; start the service again"),
        (405, "answers HTTP 405: what runs there has no Teams"),
        (302, "answers HTTP 302, not as this service does; mend ANDON_PUBLIC_URL"),
        (502, "answers HTTP 502, not as this service does; mend ANDON_PUBLIC_URL"),
    ],
)
async def test_something_else_at_the_public_address_is_told(cloud: TeamsCloud, status: int, says: str) -> None:
    async with answering(status) as url:
        faults, _ = await look(settled(cloud, url))

    assert f"{url}/api/messages {says}" in faults


async def test_a_service_that_does_not_run_yet_is_no_fault(cloud: TeamsCloud) -> None:
    """One checks before one starts."""
    faults, notes = await look(settled(cloud))

    assert faults == ""
    assert "nothing answers at http://127.0.0.1:9/api/messages now" in notes


@pytest.mark.parametrize(
    "url, says",
    [
        ("http://127.0.0.1:9", "only this machine can reach http://127.0.0.1:9/api/messages, and Teams cannot"),
        ("http://andon.invalid", "Teams sends requests to https addresses alone"),
    ],
)
async def test_an_address_that_teams_cannot_reach_is_told(cloud: TeamsCloud, url: str, says: str) -> None:
    """Before anybody wonders why no press arrives."""
    _, notes = await look(settled(cloud, url, metadata_url="https://keys.invalid/metadata"))

    assert says in notes


# --- where it is ---


async def test_before_the_first_installation_that_is_told(cloud: TeamsCloud) -> None:
    _, notes = await look(settled(cloud), MemoryShelf())

    assert "Teams has told of no place that has the app; upload the package" in notes


async def test_without_a_store_nothing_is_said_of_places(cloud: TeamsCloud) -> None:
    _, notes = await look(settled(cloud))

    assert "installed" not in notes
    assert "no place that has the app" not in notes


async def test_many_teams_are_not_all_named(cloud: TeamsCloud) -> None:
    for number in range(12):
        cloud.team(f"Team {number:02}")
    cloud.team("\u202eevil")
    async with plumbing(cloud) as parts:
        await cloud.announce()

        _, notes = await look(settled(cloud), parts.shelf)

    assert notes.count("installed in the team ") == 10
    assert "installed in 3 more teams" in notes
    assert "\u202e" not in notes


@pytest.mark.parametrize(
    "channel, says",
    [
        ("Sales", "Andon is in no team called 'Sales', but in Operations; mend the name, or add Andon there"),
        ("Operations/Other", "The team Operations has no channel 'Other' that Andon sees; mend the name"),
        ("19:nobody@thread.tacv2", "Andon is not installed in the channel 19:nobody@thread.tacv2; mend the id"),
    ],
)
async def test_a_default_channel_where_no_card_can_go(cloud: TeamsCloud, channel: str, says: str) -> None:
    cloud.team("Operations")
    async with plumbing(cloud) as parts:
        await cloud.announce()

        faults, notes = await look(settled(cloud, channel=channel), parts.shelf)

    assert f"TEAMS_CHANNEL is {channel!r}: {says}" in faults
    assert "cards go to" not in notes


async def test_a_default_channel_that_the_app_has_left_unheard(cloud: TeamsCloud) -> None:
    """Teams does not always tell, as when the service was down; it lets nobody read who is there, though."""
    team = cloud.team("Operations")
    async with plumbing(cloud) as parts:
        await cloud.announce()
        team.is_installed = False

        faults, _ = await look(settled(cloud, channel="Operations"), parts.shelf)

    assert "TEAMS_CHANNEL is 'Operations': Andon is not installed in" in faults
    assert "add it there" in faults


async def test_without_a_default_channel_that_is_said(cloud: TeamsCloud) -> None:
    _, notes = await look(settled(cloud))

    assert "TEAMS_CHANNEL is not set, so cards that name no place go to the web console alone" in notes


async def test_an_emulator_needs_no_cloud(cloud: TeamsCloud) -> None:
    given = TeamsConfig(app_id="", app_password="", tenant="", allow_anonymous=True, on_loopback=True)

    faults, notes = await look(given, MemoryShelf())

    assert faults == ""
    assert "warning: Teams' requests need no token here; TEAMS_ALLOW_ANONYMOUS is for emulators alone" in notes
    assert not cloud.calls


# --- as it is typed ---


async def run(state: Path, **settings: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "check"),
        cwd=state.parent,
        env=bare_environment(ANDON_STATE=str(state), **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode()


def settings(cloud: TeamsCloud, url: str) -> dict[str, str]:
    return {
        "ANDON_PUBLIC_URL": url,
        "TEAMS_APP_ID": cloud.app_id,
        "TEAMS_APP_PASSWORD": cloud.app_password,
        "TEAMS_TENANT_ID": cloud.home.id,
        "TEAMS_OPENID_METADATA_URL": cloud.metadata_url,
        "TEAMS_LOGIN_URL": cloud.login_url,
    }


async def test_the_command_tries_teams_too(cloud: TeamsCloud, entry: str, tmp_path: Path) -> None:
    code, said = await run(tmp_path / "state", **settings(cloud, entry))
    wrong_code, wrong = await run(tmp_path / "state", **settings(cloud, entry) | {"TEAMS_APP_PASSWORD": "another"})

    assert code == 0, said
    assert f"teams: {entry}/api/messages is there, and takes no request without a token" in said
    assert "Teams has told of no place" in said
    assert wrong_code == 1
    assert "fault: Teams: Microsoft gives the app no token (AADSTS7000215)" in wrong
    assert cloud.app_password not in said + wrong


async def test_the_whole_way_with_the_service_running(cloud: TeamsCloud, tmp_path: Path) -> None:
    """The real service refuses strangers at its real address, and has kept where it was added."""
    cloud.team("Operations", channels=["Alerts"])
    given = {**settings(cloud, ""), "TEAMS_CHANNEL": "Operations/Alerts"}
    process = ServiceProcess(tmp_path / "state", given)
    await process.start()
    try:
        cloud.endpoint = f"{process.url}/api/messages"
        await cloud.announce()
        code, said = await run(process.state, **given)
    finally:
        await process.close()

    assert code == 0, said
    assert f"teams: {process.url}/api/messages is there, and takes no request without a token" in said
    assert "teams: installed in the team Operations (its members as approvers: teams:" in said
    assert "teams: cards go to Operations / Alerts" in said


async def test_settings_that_are_half_there_are_faults(cloud: TeamsCloud, entry: str, tmp_path: Path) -> None:
    given = settings(cloud, entry)
    del given["TEAMS_APP_PASSWORD"], given["TEAMS_TENANT_ID"]

    code, said = await run(tmp_path / "state", **given)

    assert code == 1
    assert "TEAMS_APP_PASSWORD is empty" in said
    assert "TEAMS_TENANT_ID is empty" in said
