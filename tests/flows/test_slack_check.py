"""`python -m bot check`, as an operator meets it while setting Slack up: every fault says what to do."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from adapters.slack.check import check
from adapters.slack.config import SlackConfig
from tests.adapters.plumbing import by_oauth, config
from tests.fakes.shelf import MemoryShelf
from tests.fakes.slack.cloud import SlackCloud
from tests.servers import ServiceProcess, bare_environment

TO_GO_ON = ("mend ", "add it", "set ", "copy it", "invite", "open it", "start ", "make one", "run ", "take it out")


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    async with SlackCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def entry(cloud: SlackCloud) -> AsyncIterator[str]:
    """A service that knows the signing secret."""
    async with answering(cloud.app.signing_secret) as url:
        yield url


@asynccontextmanager
async def answering(secret: str, *, status: int = 200) -> AsyncIterator[str]:
    """What stands at the public address."""

    async def take(request: web.Request) -> web.Response:
        body, headers = await request.read(), dict(request.headers)
        if not SignatureVerifier(secret).is_valid_request(body, headers):
            return web.Response(status=401)
        return web.json_response({"challenge": (await request.json())["challenge"]}, status=status)

    app = web.Application()
    app.router.add_post("/slack/events", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def look(given: SlackConfig, *channels: str, shelf: MemoryShelf | None = None) -> tuple[str, str]:
    faults, notes = await check(given, shelf, channels=channels)
    for fault in faults:
        assert any(step in fault for step in TO_GO_ON), f"this fault does not say what to do: {fault}"
    return "\n".join(faults), "\n".join(notes)


async def test_a_surface_that_is_set_up_well(cloud: SlackCloud, entry: str) -> None:
    cloud.channel("#ops", id="C0OPS")
    cloud.app.scopes = [scope for scope in cloud.app.scopes if scope != "reactions:write"]
    cloud.install()

    faults, notes = await look(replace(config(cloud), public_url=entry), "C0OPS")

    assert faults == ""
    assert notes.splitlines() == [
        "slack: andon in Acme (T0ANDON)",
        f"slack: {entry}/slack/events takes Slack's signed requests",
        "slack: cards go to #ops",
    ]


@pytest.mark.parametrize("missing", ["users:read", "chat:write", "im:write"])
async def test_each_missing_scope_is_named_with_what_it_is_for(cloud: SlackCloud, missing: str) -> None:
    cloud.install(scopes=[scope for scope in cloud.app.scopes if scope != missing])

    faults, _ = await look(config(cloud))

    assert f"the app lacks {missing} in T0ANDON (to " in faults
    assert faults.count("the app lacks") == 1
    assert "add it under OAuth & Permissions in the app's settings, then install the app again" in faults


async def test_a_scope_too_many_is_told(cloud: SlackCloud) -> None:
    cloud.install(scopes=[*cloud.app.scopes, "admin.users:write"])

    _, notes = await look(config(cloud))

    assert "the Slack app may also admin.users:write" in notes


@pytest.mark.parametrize("trouble", ["unknown", "revoked", "removed"])
async def test_a_token_that_does_not_work(cloud: SlackCloud, trouble: str) -> None:
    if trouble == "unknown":
        cloud.tokens.clear()
    elif trouble == "revoked":
        cloud.tokens[cloud.token].is_revoked = True
    else:
        cloud.installations["T0ANDON"].is_removed = True

    faults, _ = await look(config(cloud), "#ops")

    assert "mend SLACK_BOT_TOKEN: copy it from the app's OAuth & Permissions page" in faults


async def test_a_slack_that_cannot_be_reached(cloud: SlackCloud) -> None:
    faults, _ = await check(replace(config(cloud), api_url="http://127.0.0.1:9/api"), None, channels=["#ops"])

    assert "Slack cannot be reached for auth.test" in faults[0]


# --- the way in ---


async def test_an_app_token_that_works_needs_no_address(cloud: SlackCloud) -> None:
    faults, notes = await look(replace(config(cloud), app_token=cloud.app.app_token, signing_secret=""))

    assert faults == ""
    assert "Socket Mode, no public address needed" in notes


@pytest.mark.parametrize("trouble", ["unknown", "no scope", "bot token"])
async def test_an_app_token_that_does_not_work(cloud: SlackCloud, trouble: str) -> None:
    token = {"unknown": "xapp-1-nobody", "bot token": cloud.token}.get(trouble, cloud.app.app_token)
    if trouble == "no scope":
        cloud.app.app_token_scopes.clear()

    faults, _ = await look(replace(config(cloud), app_token=token, signing_secret=""))

    assert "SLACK_APP_TOKEN" in faults or "the app lacks connections:write" in faults


async def test_a_service_with_another_signing_secret_is_told(cloud: SlackCloud) -> None:
    async with answering("f" * 32) as url:
        faults, _ = await look(replace(config(cloud), public_url=url))

    assert "refuses requests that are signed with SLACK_SIGNING_SECRET: it runs with another one" in faults


@pytest.mark.parametrize("secret", ["short", "0123456789ABCDEF0123456789ABCDEF", "xoxb-1-2-3"])
async def test_what_is_no_signing_secret(cloud: SlackCloud, secret: str) -> None:
    faults, _ = await look(replace(config(cloud), signing_secret=secret))

    assert "SLACK_SIGNING_SECRET does not look like one" in faults
    assert secret not in faults


async def test_something_else_at_the_public_address_is_told(cloud: SlackCloud) -> None:
    async with answering(cloud.app.signing_secret, status=502) as url:
        faults, _ = await look(replace(config(cloud), public_url=url))

    assert f"{url}/slack/events answers HTTP 502, not as this service does; mend ANDON_PUBLIC_URL" in faults


async def test_a_service_that_does_not_run_yet_is_no_fault(cloud: SlackCloud) -> None:
    """One checks before one starts."""
    faults, notes = await look(replace(config(cloud), public_url="http://127.0.0.1:9"))

    assert faults == ""
    assert "nothing answers at http://127.0.0.1:9/slack/events now" in notes


async def test_an_address_that_slack_cannot_reach_is_told(cloud: SlackCloud) -> None:
    """Before anybody wonders why no press arrives."""
    elsewhere = replace(config(cloud), api_url="http://localhost.invalid/api", public_url="http://127.0.0.1:9")

    _, notes = await check(elsewhere, None, channels=[])

    assert any("only this machine can reach" in note for note in notes)


# --- the default channel ---


async def test_without_a_default_channel_that_is_said(cloud: SlackCloud) -> None:
    _, notes = await look(config(cloud))

    assert "SLACK_CHANNEL is not set" in notes


@pytest.mark.parametrize("said", ["#ops", "ops", "T0ANDON/#ops", "C0OPS", "T0ANDON/C0OPS"])
async def test_the_default_channel_however_it_is_said(cloud: SlackCloud, said: str) -> None:
    cloud.channel("#random")
    cloud.channel("#ops", id="C0OPS")

    faults, notes = await look(config(cloud), said)

    assert faults == ""
    assert "cards go to #ops" in notes


@pytest.mark.parametrize(
    "made, said, says",
    [
        ({"bot": False}, "C0OPS", "andon is not in #ops; invite it there: /invite @andon"),
        ({"bot": False}, "#ops", "Andon is not in #ops; invite it there: /invite @andon"),
        ({"archived": True}, "C0OPS", "#ops is archived; open it again"),
        ({"bot": False, "private": True}, "C0OPS", "knows no channel C0OPS; mend its id"),
        ({}, "C0ELSE", "knows no channel C0ELSE; mend its id"),
        ({}, "T0ELSE/C0OPS", "set T…/C…, for one of the workspaces Acme (T0ANDON)"),
        ({}, "a channel", "which is no channel; set its id, C…, or its name, #ops"),
    ],
)
async def test_a_default_channel_where_no_card_can_go(
    cloud: SlackCloud, made: dict[str, Any], said: str, says: str
) -> None:
    cloud.channel("#ops", id="C0OPS", **made)

    faults, _ = await look(config(cloud), said)

    assert says in faults


async def test_a_default_channel_that_others_see_is_told(cloud: SlackCloud) -> None:
    cloud.channel("#shared", shared=True)

    _, notes = await look(config(cloud), "#shared")

    assert "#shared is shared with another organisation: its people see the cards, and may not answer" in notes


async def test_before_the_first_installation_the_way_to_it_is_told(cloud: SlackCloud) -> None:
    faults, notes = await look(by_oauth(cloud), shelf=MemoryShelf())

    assert faults == ""
    assert "installed in no workspace yet; open https://andon.example.com/slack/install" in notes


async def test_every_installed_workspace_is_tried(cloud: SlackCloud) -> None:
    shelf = MemoryShelf(cloud.clock.now)
    other = cloud.team("T0OTHER", name="Umbrella")
    for team, token in (("T0ANDON", cloud.token), ("T0OTHER", cloud.install(other, scopes=["chat:write"]))):
        shelf.lasts[f"install:none:{team}"] = f'{{"team": "{team}", "user": "U1", "token": "{token}"}}'

    faults, notes = await look(by_oauth(cloud), "#ops", shelf=shelf)

    assert "andon in Acme (T0ANDON)" in notes
    assert "andon in Umbrella (T0OTHER)" in notes
    assert "the app lacks users:read in T0OTHER" in faults
    assert "in T0ANDON" not in faults
    assert "set T…/C…, for one of the workspaces Acme (T0ANDON), Umbrella (T0OTHER)" in faults


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


def settings(cloud: SlackCloud) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": cloud.token,
        "SLACK_SIGNING_SECRET": cloud.app.signing_secret,
        "SLACK_API_URL": cloud.api_url,
        "SLACK_CHANNEL": "#ops",
    }


async def test_the_whole_way_with_the_service_running(cloud: SlackCloud, tmp_path: Path) -> None:
    """The real service takes the signed challenge at its real address."""
    cloud.channel("#ops")
    process = ServiceProcess(tmp_path / "state", settings(cloud))
    await process.start()
    try:
        code, said = await run(process.state, **settings(cloud))
        other = {**settings(cloud), "SLACK_SIGNING_SECRET": "f" * 32}
        wrong_code, wrong = await run(process.state, **other)
    finally:
        await process.close()

    assert code == 0, said
    assert f"slack: {process.url}/slack/events takes Slack's signed requests" in said
    assert "slack: cards go to #ops" in said
    assert wrong_code == 1
    assert "fault: " in wrong
    assert "it runs with another one" in wrong
    assert cloud.token not in said + wrong


async def test_slack_s_faults_stand_beside_the_others(cloud: SlackCloud, tmp_path: Path) -> None:
    """Also when the store is away: all of it at once."""
    cloud.tokens.clear()

    code, said = await run(tmp_path / "state", **settings(cloud), ANDON_REDIS_URL="redis://127.0.0.1:9")

    assert code == 1
    assert "Redis does not answer" in said
    assert "mend SLACK_BOT_TOKEN" in said
    assert said.rstrip().endswith("2 faults")


async def test_what_is_not_set_up_is_not_mentioned(tmp_path: Path) -> None:
    code, said = await run(tmp_path / "state")

    assert code == 0
    assert "slack" not in said.casefold()
