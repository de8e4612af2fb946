"""The demonstration and the example, run as a reader of the README would."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from andon import Andon, wire
from tests.servers import ROOT, ServiceProcess, bare_environment, until

PIPE = asyncio.subprocess.PIPE


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where temporary files go; nothing may be left there. Short, because a socket's path may not be long."""
    with tempfile.TemporaryDirectory(prefix="andon-") as folder:
        yield Path(folder)
        left = list(Path(folder).iterdir())
    assert not left


async def test_the_demonstration_plays_itself(temporary: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo", "--auto"),
        cwd=ROOT,
        env=bare_environment(TMPDIR=str(temporary)),
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(100):
        out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    assert "every result is as answered" in out.decode()
    assert "waiting for a person" not in err.decode(), "nobody is to press what the demonstration presses itself"


async def test_the_demonstration_shows_its_first_card_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    """Five seconds are promised; a loaded test machine gets more."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo"),
        cwd=ROOT,
        env=bare_environment(ANDON_STATE=str(tmp_path)),
        stdout=PIPE,
        stderr=PIPE,
    )
    state = tmp_path / "demo"

    async def waits() -> bool:
        assert demo.returncode is None
        if not (state / "url").exists() or not (state / "agent.key").exists():
            return False
        url, key = ((state / name).read_text().strip() for name in ("url", "agent.key"))
        async with Andon(url, key) as andon:
            return bool((await andon.api.page(state="pending")).handoffs)

    await until(waits, within_s=30, what="the first card waits")
    demo.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    assert "/sign-in?token=" in out.decode()
    assert out.decode().endswith("Stopped.\n")


async def test_the_example_sends_what_was_approved(subprocess_service: ServiceProcess) -> None:
    example = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.email_agent"),
        cwd=ROOT,
        env=bare_environment(ANDON_STATE=str(subprocess_service.state)),
        stdout=PIPE,
        stderr=PIPE,
    )
    key = await subprocess_service.make_key("person", "mira@example.com")
    async with Andon(subprocess_service.url, key) as mira:

        async def waits() -> bool:
            return bool((await mira.api.page(state="pending")).handoffs)

        await until(waits, within_s=20, what="the e-mail's card waits")
        (card,) = (await mira.api.page(state="pending")).handoffs
        await mira.api.answer(card.id, wire.Approve(revision=1, digest=card.digest), idempotency_key="yes")
    async with asyncio.timeout(30):
        out, err = await example.communicate()
    assert example.returncode == 0, err.decode()
    assert out.decode() == "sent 'Report' to alice@example.com\n"


async def test_the_demonstration_serves_under_a_policy_as_whom_its_agent_works_for(tmp_path: Path) -> None:
    """Whoever copies an example can answer what it asks, also where only the requester may."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo", "--policy", "examples/policies/personal-assistant.yaml"),
        cwd=ROOT,
        env=bare_environment(ANDON_STATE=str(tmp_path)),
        stdout=PIPE,
        stderr=PIPE,
    )
    assert demo.stdout
    link, state = "", tmp_path / "demo"
    async with asyncio.timeout(60):
        while "/sign-in?token=" not in link:
            link = (await demo.stdout.readline()).decode()
            assert link, "it has ended"
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        origin, _, token = link.strip().partition("/sign-in?token=")
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with http.post(f"{origin}/sign-in", data={"token": token}, headers=headers) as signed_in:
            assert "demo@example.com" in await signed_in.text()
        async with http.get(f"{origin}/policy") as page:
            assert "never-for-good" in await page.text()
        async with Andon(origin, (state / "agent.key").read_text().strip()) as andon:

            async def waits() -> bool:
                return bool((await andon.api.page(state="pending")).handoffs)

            await until(waits, within_s=30, what="the first card waits")
            (card,) = (await andon.api.page(state="pending")).handoffs
        async with http.get(f"{origin}/handoffs/{card.id}") as page:
            assert "Only demo@example.com may answer." in await page.text()
    demo.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await demo.communicate()
    assert demo.returncode == 0
