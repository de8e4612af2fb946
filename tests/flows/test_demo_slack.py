"""The demonstration, played in a channel: over Socket Mode, answered by somebody who only has Slack."""

import asyncio
import signal
import sys
from pathlib import Path

from tests.fakes.slack import SlackCloud
from tests.servers import ROOT, bare_environment, until

PIPE = asyncio.subprocess.PIPE


async def test_the_demonstration_is_played_in_a_channel(tmp_path: Path) -> None:
    async with SlackCloud().serving() as cloud:
        mira = cloud.user("mira", email="mira@example.com", display_name="Mira")
        ops = cloud.channel("#ops", members=[mira], bot=True)
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.demo"),
            cwd=ROOT,
            env=bare_environment(
                ANDON_STATE=str(tmp_path),
                SLACK_BOT_TOKEN=cloud.install(cloud.home),
                SLACK_APP_TOKEN=cloud.app.app_token,
                SLACK_CHANNEL="#ops",
                SLACK_API_URL=cloud.api_url,
            ),
            stdout=PIPE,
            stderr=PIPE,
        )
        assert demo.stdout
        try:
            email = await cloud.wait_for_card(ops, "alice@example.com", within_s=30)

            async def connected() -> bool:
                return bool(cloud.sockets.connections)

            await until(connected, within_s=20, what="the socket is open")
            assert (await mira.press(email, "Approve")).ok
            flight = await cloud.wait_for_card(ops, "Which flight", within_s=20)
            picked = await mira.select(flight, "Choose…", option="BA 953, 10:40 to 11:45, 142 EUR")
            assert (await (await picked.opened()).submit()).closed
            budget = await cloud.wait_for_card(ops, "What is the most you want to spend", within_s=20)
            form = await (await mira.press(budget, "Answer")).opened()
            await form.fill("amount", "180")
            await form.fill("currency", "GBP")
            assert (await form.submit()).closed
            command = await cloud.wait_for_card(ops, "notes.txt", within_s=20)
            assert (await mira.press(command, "Approve")).ok
            draft = await cloud.wait_for_card(ops, "draft", within_s=20)
            no = await (await mira.press(draft, "Undo it")).opened()
            assert (await no.submit()).closed
            async with asyncio.timeout(30):
                said = b""
                while b"That was the day" not in said:
                    said += await demo.stdout.readline()
            await cloud.wait_for_card(ops, "All done for today")
            assert b"Mira wants BA 953" in said
            assert b"at most 180 GBP" in said
            assert b"the draft is gone" in said
        finally:
            demo.send_signal(signal.SIGINT)
            await asyncio.wait_for(demo.communicate(), 30)
        assert demo.returncode == 0
        assert not cloud.errors, cloud.errors
