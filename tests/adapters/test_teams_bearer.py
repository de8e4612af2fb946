"""The token of our own calls: one for all, fetched early, and a sentence for each way to get none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.teams.bearer import _REMEDIES
from adapters.teams.config import TeamsConfig
from adapters.teams.errors import NoAccess, TeamsDown
from tests.adapters.teams_plumbing import Parts, config, plumbing
from tests.fakes.teams import TeamsCloud
from tests.servers import until


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def parts(cloud: TeamsCloud) -> AsyncIterator[Parts]:
    async with plumbing(cloud) as made:
        yield made


async def test_many_who_want_one_at_once_ask_once(parts: Parts) -> None:
    parts.cloud.door_faults.slow_s["token"] = 0.05

    tokens = await asyncio.gather(*(parts.bearer.get() for _ in range(20)))

    assert len(set(tokens)) == 1
    assert parts.cloud.calls["token"] == 1


async def test_a_new_one_is_fetched_early_and_nobody_waits_for_it(parts: Parts) -> None:
    cloud = parts.cloud
    first = await parts.bearer.get()
    parts.now.at += 1900
    cloud.door_faults.hangs.add("token")

    assert await parts.bearer.get() == first

    cloud.door_faults.hangs.clear()

    async def another() -> bool:
        return await parts.bearer.get() != first

    await until(another, what="the next token is used")
    assert cloud.calls["token"] == 2


async def test_a_directory_that_is_away_does_no_harm_while_a_token_is_good(parts: Parts) -> None:
    first = await parts.bearer.get()
    parts.now.at += 1900
    parts.cloud.door_faults.modes["token"] = "down"

    assert [await parts.bearer.get() for _ in range(5)] == [first] * 5

    async def tried() -> bool:
        return parts.cloud.calls["token"] == 2

    await until(tried, what="the directory was asked, once")


async def test_a_token_that_ends_is_not_used(parts: Parts) -> None:
    first = await parts.bearer.get()
    parts.now.at += 3545

    assert await parts.bearer.get() != first


@pytest.mark.parametrize("mode", ["down", "garbage", "empty", "odd", "reset"])
async def test_a_directory_that_fails_is_asked_again_after_a_rest(parts: Parts, mode: str) -> None:
    parts.cloud.door_faults.modes["token"] = mode
    for _ in range(3):
        with pytest.raises(TeamsDown):
            await parts.bearer.get()
    assert parts.cloud.calls["token"] == 1
    del parts.cloud.door_faults.modes["token"]
    parts.now.at += 3

    assert await parts.bearer.get()


@pytest.mark.parametrize(
    "changed, code, said",
    [
        ({"app_password": "wrong"}, "AADSTS7000215", "TEAMS_APP_PASSWORD"),
        ({"app_id": "00000000-0000-0000-0000-000000000000"}, "AADSTS700016", "TEAMS_APP_ID"),
        ({"tenant": "nowhere.example"}, "AADSTS90002", "TEAMS_TENANT_ID"),
    ],
)
async def test_a_wrong_setting_is_named(cloud: TeamsCloud, changed: dict[str, str], code: str, said: str) -> None:
    async with plumbing(cloud, config(cloud, **changed)) as parts:
        with pytest.raises(NoAccess) as caught:
            await parts.bearer.get()

    assert caught.value.code == code
    assert said in str(caught.value)
    assert cloud.app_password not in str(caught.value)


async def test_a_secret_that_has_expired_is_named(parts: Parts) -> None:
    parts.cloud.secret_expired = True

    with pytest.raises(NoAccess, match="expired; make a new one"):
        await parts.bearer.get()


def test_every_remedy_names_a_setting_or_who_can_help() -> None:
    assert all("TEAMS_" in each or "app" in each for each in _REMEDIES.values())


def test_the_secret_is_never_shown() -> None:
    given = TeamsConfig(app_id="a", app_password="the-secret", tenant="t")

    assert "the-secret" not in repr(given)


def test_another_cloud_has_another_scope() -> None:
    given = TeamsConfig(app_id="a", app_password="b", tenant="t", login_url="https://login.microsoftonline.us")

    assert given.scope == "https://api.botframework.us/.default"


@pytest.mark.parametrize(
    "url, may",
    [
        ("https://smba.trafficmanager.net/emea/", True),
        ("http://smba.trafficmanager.net/emea/", False),
        ("http://127.0.0.1:9000/emea/", False),
        ("https://user@smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net/?x=1", False),
        ("https://smba.trafficmanager.net/#x", False),
        ("https:///emea/", False),
        ("https://[::1", False),
        ("https://x:99999/", False),
        ("ftp://smba.trafficmanager.net/", False),
        ("", False),
    ],
)
def test_calls_go_over_tls(url: str, may: bool) -> None:
    assert TeamsConfig(app_id="a", app_password="b", tenant="t").may_be_served_from(url) is may


def test_on_this_machine_calls_may_go_to_a_stand_in() -> None:
    given = TeamsConfig(app_id="a", app_password="b", tenant="t", metadata_url="http://127.0.0.1:9/x")

    assert given.may_be_served_from("http://127.0.0.1:9/emea/")
    assert not given.may_be_served_from("http://10.0.0.1:9/emea/")
