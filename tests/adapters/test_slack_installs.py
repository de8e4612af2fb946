"""Where the app is installed: one workspace by a token, many by OAuth, and tokens that end and are renewed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import pytest
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest

from adapters.slack.calls import NoAccess, SlackFailed, Unreachable
from adapters.slack.installs import authorize_url
from adapters.slack.scopes import SCOPES
from adapters.slack.tokens import Record
from tests.adapters.plumbing import Parts, by_oauth, config, plumbing, teach_organisations
from tests.fakes.shelf import MemoryShelf
from tests.fakes.slack.cloud import SlackCloud

pytestmark = pytest.mark.filterwarnings(
    "ignore:BasicAuth is deprecated:DeprecationWarning"  # slack_sdk's way to exchange the code of an installation
)
HOME = "T0ANDON"


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    async with SlackCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def many(cloud: SlackCloud) -> AsyncIterator[Parts]:
    async with plumbing(cloud, by_oauth(cloud)) as parts:
        yield parts


def flow(parts: Parts) -> AsyncOAuthFlow:
    settings = parts.installs.oauth()
    assert settings
    return AsyncOAuthFlow(client=parts.installs.client(), settings=settings)


async def begin(parts: Parts, **query: str) -> tuple[str, str]:
    """Open /slack/install; returns where it leads, and the cookie that it sets."""
    told = await flow(parts).handle_installation(AsyncBoltRequest(body="", query=dict(query)))
    assert told.status == 302
    return told.first_headers()["location"], told.first_headers()["set-cookie"].partition(";")[0]


async def agree(address: str) -> dict[str, str]:
    """Agree on Slack's page; returns what comes back to the app."""
    async with aiohttp.ClientSession() as http, http.get(address, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        back = urlsplit(answer.headers["Location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == "https://andon.example.com/slack/oauth_redirect"
        return dict(parse_qsl(back.query))


async def finish(parts: Parts, back: dict[str, str], cookie: str) -> int:
    request = AsyncBoltRequest(body="", query=back, headers={"cookie": [cookie]})
    return (await flow(parts).handle_callback(request)).status


async def install(parts: Parts, team: str = HOME) -> None:
    """The whole way, as a person takes it."""
    parts.cloud.installs_to = parts.cloud.teams[team]
    address, cookie = await begin(parts)
    assert await finish(parts, await agree(address), cookie) == 200


# --- one workspace ---


async def test_one_workspace_is_known_by_its_token(cloud: SlackCloud) -> None:
    async with plumbing(cloud) as parts:
        bot = await parts.installs.bot(HOME)

        assert (bot.team, bot.team_name, bot.name, bot.user) == (HOME, "Acme", "andon", cloud.bot().id)
        assert set(bot.scopes) == set(cloud.app.scopes)
        assert await parts.installs.teams() == [HOME]
        assert await parts.installs.default_team() == HOME
        assert await parts.installs.token(HOME) == cloud.token
        assert (parts.installs.oauth(), parts.installs.bolt()) == (None, None)


async def test_slack_may_be_down_while_the_service_starts(cloud: SlackCloud) -> None:
    async with plumbing(cloud) as parts:
        cloud.is_down = True
        with pytest.raises(SlackFailed):
            await parts.installs.default_team()
        cloud.is_down = False

        assert await parts.installs.default_team() == HOME


async def test_no_token_goes_to_another_workspace(cloud: SlackCloud) -> None:
    """Least of all the one that happens to be at hand."""
    async with plumbing(cloud) as parts:
        with pytest.raises(NoAccess, match="not installed in the Slack workspace T0OTHER"):
            await parts.installs.token("T0OTHER")
        assert await parts.installs.authorize(enterprise_id=None, team_id="T0OTHER", user_id="U1") is None


async def test_a_request_is_authorized_without_asking_slack(cloud: SlackCloud) -> None:
    async with plumbing(cloud) as parts:
        for _ in range(5):
            found = await parts.installs.authorize(enterprise_id=None, team_id=HOME, user_id="U1")

            assert found
            assert (found.bot_token, found.bot_user_id, found.user_id) == (cloud.token, cloud.bot().id, "U1")
        assert cloud.calls["auth.test"] == 1


# --- many workspaces ---


async def test_people_install_the_app_in_their_workspaces(many: Parts) -> None:
    many.cloud.team("T0OTHER", name="Umbrella")

    await install(many)
    await install(many, "T0OTHER")

    assert await many.installs.teams() == [HOME, "T0OTHER"]
    assert await many.installs.token(HOME) != await many.installs.token("T0OTHER")
    bot = await many.installs.bot("T0OTHER")
    assert (bot.team_name, bot.name, set(bot.scopes)) == ("Umbrella", "andon", set(SCOPES))
    found = await many.installs.authorize(enterprise_id=None, team_id="T0OTHER", user_id="U1")
    assert found
    assert found.bot_token == await many.installs.token("T0OTHER")


async def test_installations_outlive_the_process(many: Parts) -> None:
    await install(many)

    async with plumbing(many.cloud, by_oauth(many.cloud), shelf=many.shelf) as later:
        assert await later.installs.default_team() == HOME
        assert await later.installs.token(HOME) == await many.installs.token(HOME)


async def test_with_no_workspace_the_way_to_install_is_told(many: Parts) -> None:
    with pytest.raises(NoAccess, match=r"install it there: https://andon\.example\.com/slack/install"):
        await many.installs.default_team()


async def test_slack_is_asked_for_exactly_our_scopes(many: Parts) -> None:
    address, _ = await begin(many)

    assert address.startswith(f"{many.cloud.url}/oauth/v2/authorize?")
    asked = parse_qs(urlsplit(address).query)
    assert asked["scope"][0].split(",") == sorted(SCOPES)
    assert "user_scope" not in asked


async def test_an_installation_that_was_not_begun_here_is_refused(many: Parts) -> None:
    """Else somebody could make a person install with a stranger's code."""
    address, _ = await begin(many)
    back = await agree(address)
    back["state"] = "A" * 43

    assert await finish(many, back, "slack-app-oauth-state=" + "A" * 43) == 401
    assert await many.installs.teams() == []


async def test_an_installation_from_another_browser_is_refused(many: Parts) -> None:
    address, _ = await begin(many)

    assert await finish(many, await agree(address), "slack-app-oauth-state=other") == 400
    assert await many.installs.teams() == []


async def test_a_mark_of_installation_works_once(many: Parts) -> None:
    address, cookie = await begin(many)
    assert await finish(many, await agree(address), cookie) == 200
    await many.installs.forget(HOME)

    assert await finish(many, await agree(address), cookie) == 401
    assert await many.installs.teams() == []


async def test_a_mark_of_installation_works_for_ten_minutes(many: Parts) -> None:
    address, cookie = await begin(many)
    back = await agree(address)
    many.cloud.clock.advance(600)

    assert await finish(many, back, cookie) == 401


@pytest.mark.parametrize("state", ["", "../../x", "a" * 5000, "é" * 43])
async def test_a_mark_of_another_shape_is_never_looked_up(many: Parts, state: str) -> None:
    settings = many.installs.oauth()
    assert settings
    assert await settings.state_store.async_consume(await settings.state_store.async_issue())
    many.shelf.is_down = True  # looking it up would raise

    assert not await settings.state_store.async_consume(state)


async def test_who_declines_installs_nothing(many: Parts) -> None:
    many.cloud.declines = True
    address, cookie = await begin(many)

    assert await finish(many, await agree(address), cookie) == 200
    assert await many.installs.teams() == []


async def test_a_removed_app_has_no_token_any_more(many: Parts) -> None:
    await install(many)

    await many.installs.forget(HOME)

    assert await many.installs.teams() == []
    with pytest.raises(NoAccess):
        await many.installs.token(HOME)


async def test_forgetting_one_workspace_leaves_the_others(many: Parts) -> None:
    many.cloud.team("T0OTHER")
    await install(many)
    await install(many, "T0OTHER")

    await many.installs.forget("T0OTHER")

    assert await many.installs.teams() == [HOME]


async def test_a_token_beside_the_client_id_serves_its_own_workspace(cloud: SlackCloud) -> None:
    cloud.team("T0OTHER")
    own = config(cloud)
    given = by_oauth(cloud)
    given = type(given)(**{**{name: getattr(given, name) for name in given.__slots__}, "bot_token": own.bot_token})
    async with plumbing(cloud, given) as parts:
        await install(parts, "T0OTHER")

        assert await parts.installs.teams() == [HOME, "T0OTHER"]
        assert await parts.installs.token(HOME) == cloud.token


async def test_no_token_is_in_the_log(many: Parts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    await install(many)
    await many.api.call(HOME, "users.info", user=many.cloud.user("ana").id)

    assert await many.installs.token(HOME) not in caplog.text
    assert many.cloud.app.client_secret not in caplog.text


@pytest.mark.parametrize(
    "api, page",
    [
        ("https://slack.com/api", "https://slack.com/oauth/v2/authorize"),
        ("https://slack-gov.com/api", "https://slack-gov.com/oauth/v2/authorize"),
        ("http://127.0.0.1:8081/api", "http://127.0.0.1:8081/oauth/v2/authorize"),
    ],
)
def test_people_agree_on_the_host_of_the_api(api: str, page: str) -> None:
    assert authorize_url(api) == page


# --- organisations ---


@pytest.fixture
async def org(cloud: SlackCloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parts]:
    """Installed once, for all of an organisation."""
    teach_organisations(monkeypatch)
    cloud.home.enterprise_id = "E0ACME"
    cloud.team("T0SISTER", name="Sister", enterprise_id="E0ACME")
    cloud.team("T0OTHER", name="Umbrella")
    async with plumbing(cloud, by_oauth(cloud)) as parts:
        address, cookie = await begin(parts)
        back = await agree(address)
        cloud.installations[HOME].is_org_wide = True
        assert await finish(parts, back, cookie) == 200
        yield parts


async def test_one_installation_serves_all_workspaces_of_an_organisation(org: Parts) -> None:
    assert await org.installs.teams() == [HOME, "T0SISTER"]
    assert await org.installs.token(HOME) == await org.installs.token("T0SISTER")
    assert (await org.installs.bot("T0SISTER")).is_enterprise_install
    with pytest.raises(NoAccess):
        await org.installs.token("T0OTHER")


@pytest.mark.parametrize("team", [HOME, "T0SISTER", None])
async def test_requests_of_an_organisation_are_authorized(org: Parts, team: str | None) -> None:
    found = await org.installs.authorize(enterprise_id="E0ACME", team_id=team, user_id="W1")

    assert found
    assert found.bot_token == await org.installs.token(HOME)


async def test_another_organisation_is_not(org: Parts) -> None:
    assert await org.installs.authorize(enterprise_id="E0OTHER", team_id="T0OTHER", user_id="W1") is None
    assert await org.installs.authorize(enterprise_id="E0OTHER", team_id=None, user_id="W1") is None
    assert await org.installs.authorize(enterprise_id=None, team_id=None, user_id="W1") is None


async def test_an_organisation_s_token_says_which_workspace_it_means(org: Parts) -> None:
    sister = org.cloud.teams["T0SISTER"]
    ana = org.cloud.user("ana", id="W0ANA", team=sister)
    ops = org.cloud.channel("#ops", [ana], team=sister)

    assert await org.people.channels("T0SISTER", "W0ANA") == {ops.id}
    found = await org.people.person("T0SISTER", "W0ANA", channel=ops.id, user_team="T0SISTER")
    assert (found.standing, found.actor.id) == ("member", "E0ACME/W0ANA")


async def test_an_organisation_that_removes_the_app_is_forgotten(org: Parts) -> None:
    await org.installs.forget("E0ACME")

    assert await org.installs.teams() == []


# --- tokens that end ---


@pytest.fixture
async def rotating(cloud: SlackCloud) -> AsyncIterator[Parts]:
    cloud.app.rotates = True
    async with plumbing(cloud, by_oauth(cloud)) as parts:
        await install(parts)
        yield parts


async def works(parts: Parts) -> bool:
    """Does the token open the door?"""
    await parts.api.call(HOME, "users.info", user=parts.cloud.bot().id)
    return True


async def test_a_token_is_renewed_before_it_ends(rotating: Parts) -> None:
    first = await rotating.installs.token(HOME)
    rotating.cloud.clock.advance(9 * 60 * 60)
    assert await rotating.installs.token(HOME) == first
    rotating.cloud.clock.advance(2 * 60 * 60)

    assert await rotating.installs.token(HOME) != first
    assert await works(rotating)
    rotating.cloud.clock.advance(11 * 60 * 60)
    assert await works(rotating)


async def test_a_token_that_ended_while_the_service_was_away_is_renewed(rotating: Parts) -> None:
    rotating.cloud.clock.advance(24 * 60 * 60)

    assert await works(rotating)


async def test_fifty_calls_at_once_renew_once(rotating: Parts) -> None:
    """A refresh token works once; the second use of one would lose the installation."""
    rotating.cloud.clock.advance(13 * 60 * 60)
    before = rotating.cloud.calls["oauth.v2.access"]

    tokens = await asyncio.gather(*(rotating.installs.token(HOME) for _ in range(50)))

    assert len(set(tokens)) == 1
    assert rotating.cloud.calls["oauth.v2.access"] == before + 1
    assert await works(rotating)


async def test_two_processes_renew_once(rotating: Parts) -> None:
    rotating.cloud.clock.advance(11 * 60 * 60)
    before = rotating.cloud.calls["oauth.v2.access"]
    async with plumbing(rotating.cloud, by_oauth(rotating.cloud), shelf=rotating.shelf) as other:
        await asyncio.gather(*(parts.installs.token(HOME) for parts in (rotating, other) * 10))

        assert rotating.cloud.calls["oauth.v2.access"] == before + 1
        assert await works(rotating)
        assert await works(other)


async def test_a_renewal_that_fails_while_the_token_still_works_harms_nobody(rotating: Parts) -> None:
    rotating.cloud.clock.advance(11 * 60 * 60)
    rotating.cloud.refuses["oauth.v2.access"] = "fatal_error"
    assert await works(rotating)

    rotating.cloud.refuses.clear()
    rotating.cloud.clock.advance(2 * 60 * 60)
    assert await works(rotating)


async def test_a_renewal_that_slack_refuses_for_good_says_how_to_mend_it(rotating: Parts) -> None:
    rotating.cloud.refresh_tokens.clear()
    rotating.cloud.clock.advance(13 * 60 * 60)

    with pytest.raises(NoAccess, match=r"invalid_refresh_token; install it there: https://andon\.example\.com"):
        await works(rotating)
    assert rotating.desk.alerts


async def test_a_slack_that_is_down_loses_no_installation(rotating: Parts) -> None:
    rotating.cloud.clock.advance(13 * 60 * 60)
    rotating.cloud.is_down = True
    with pytest.raises(SlackFailed):
        await works(rotating)
    rotating.cloud.is_down = False

    assert await works(rotating)


async def test_a_token_that_slack_calls_expired_is_renewed_at_once(rotating: Parts) -> None:
    """Whatever our clock says."""
    for token in rotating.cloud.tokens.values():
        token.expires_at = 1.0

    assert await works(rotating)


async def test_what_the_shelf_holds_may_come_from_another_version(cloud: SlackCloud) -> None:
    shelf = MemoryShelf(cloud.clock.now)
    shelf.lasts |= {"install:none:T0BAD": "{", "install:none:T0ODD": '{"team": 1}', "else": "x"}
    shelf.lasts["install:none:T0NEW"] = '{"team": "T0NEW", "user": "U1", "token": "xoxb-1", "from_the_future": 1}'
    async with plumbing(cloud, by_oauth(cloud), shelf=shelf) as parts:
        assert await parts.installs.teams() == ["T0NEW"]


async def test_several_workspaces_are_named_when_one_must_be_chosen(many: Parts) -> None:
    many.cloud.team("T0OTHER", name="Umbrella")
    await install(many)
    await install(many, "T0OTHER")

    with pytest.raises(Unreachable, match=r"one of Acme \(T0ANDON\), Umbrella \(T0OTHER\)"):
        await many.installs.default_team()


def test_nothing_here_is_shown_by_accident() -> None:
    """A record that is printed shows no token."""
    shown = repr(Record(team="T1", user="U1", token="xoxb-secret", refresh_token="xoxe-secret"))

    assert "secret" not in shown
