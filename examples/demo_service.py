"""The service of the demonstration: a process of its own, on a state folder of its own."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

__all__ = ["Service", "ServiceFailed"]

ROOT = Path(__file__).parent.parent
PERSON = "demo@example.com"
"""For whom the agent works."""
START_S = 30
STOP_S = 15
LOG_LINES = 15
# A demonstration must not write to the store that this shell is set up for. Slack is different: who has set up a
# channel for it wants to see the cards there.
ELSEWHERE = ("ANDON_", "TEAMS_")
KEPT = ("ANDON_PORT", "ANDON_PUBLIC_URL")

_SIGN_IN = re.compile(r"https?://\S+/sign-in\?\S+")
_LISTENS = re.compile(r"listens on (https?://\S+)")


class ServiceFailed(Exception):
    """The service did not start; the message has its last words."""


class Service:
    """Runs `python -m bot serve` within `async with`.

    Attributes:
        url: Where it listens.
        sign_in: The link that signs a person in to the console.
        slack_channel: The channel that has the cards; empty when Slack is not set up.
    """

    slack_channel = os.environ.get("SLACK_CHANNEL", "") if os.environ.get("SLACK_BOT_TOKEN") else ""

    def __init__(self, state: Path, policy: Path | None = None) -> None:
        """`policy` is the file to serve under; None: everything is asked."""
        self._policy = policy
        self.url = ""
        self.sign_in = ""
        self._state = state
        self._log = state / "service.log"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        if os.environ.get("SLACK_BOT_TOKEN") and not self.slack_channel:
            raise ServiceFailed(
                "SLACK_BOT_TOKEN is set; set SLACK_CHANNEL too, to the channel that is to have the cards"
            )
        for folder in (self._state.parent, self._state):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "serve"),
                cwd=self._state,
                env=self._env(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is ours to act on: the agent takes its asks back first.
                start_new_session=True,
            )
        try:
            await self._ready(self._process)
            if self._policy:  # it may let only the person answer whom the agent works for
                self.sign_in = (await self._say("sign-in", "--person", PERSON)).strip()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def person_key(self, email: str) -> str:
        """Make a key with which to answer as a person."""
        key: str = json.loads(await self._say("keys", "create", "--person", email, "--json"))["key"]
        return key

    async def _say(self, *words: str) -> str:
        """Run a command beside the service; returns what it printed."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *words),
            cwd=self._state,
            env=self._env(),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await command.communicate()
        if command.returncode:
            raise ServiceFailed(f"`python -m bot {' '.join(words[:2])}` ended with {command.returncode}")
        return out.decode()

    def _env(self) -> Mapping[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(ELSEWHERE) or name in KEPT}
        if not self.slack_channel:
            env = {name: value for name, value in env.items() if not name.startswith("SLACK_")}
        path = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
        env = {"ANDON_PORT": "0", **env, "ANDON_STATE": str(self._state), "PYTHONPATH": path}
        return {**env, "ANDON_POLICY": str(self._policy)} if self._policy else env

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it has said where it listens and how to sign in."""
        try:
            async with asyncio.timeout(START_S):
                while not (self.url and self.sign_in):
                    if process.returncode is not None:
                        raise ServiceFailed(f"the service ended with {process.returncode}:\n{self._last_words()}")
                    await asyncio.sleep(0.05)
                    said = self._log.read_text(encoding="utf-8", errors="replace")
                    if listens := _LISTENS.search(said):
                        self.url = listens[1]
                    if sign_in := _SIGN_IN.search(said):
                        self.sign_in = sign_in[0]
        except TimeoutError as error:
            raise ServiceFailed(f"the service was not ready within {START_S} s:\n{self._last_words()}") from error

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
