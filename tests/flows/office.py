"""The service, an agent of the package, and Mira, who pulls the cord: what stories about the brake are told with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from andon import Andon, Run, Steered, Stopped
from bot.config import Settings
from tests.people import Json
from tests.servers import Live, live, until

POLICY = """
defaults: {do: ask}
rules:
  - {name: shown, gate: review, do: ask, after: true}
  - {name: plans, gate: checkpoint, checkpoint: "plan *", do: ask}
"""


class Office:
    """Where they work."""

    def __init__(self, service: Live, andon: Andon) -> None:
        self.service = service
        self.andon = andon
        self.mira = service.person

    async def brake(self, run: Run | str, action: str, text: str | None = None) -> Json:
        """Pull or lift a run's brake."""
        run = run if isinstance(run, str) else run.id
        body = {"action": action} | ({} if text is None else {"text": text})
        return (await self.mira.call("POST", f"/v1/runs/{run}/brake", body)).ok()

    async def wide(self, action: str, **scope: Any) -> Json:
        """The same for a wider scope."""
        return (await self.mira.call("POST", "/v1/brakes", {"action": action, "scope": scope})).ok()

    async def card(self, count: int = 1) -> Json:
        """The card that waits, once so many do."""

        async def waits() -> bool:
            return len(await self.mira.inbox()) >= count

        await until(waits, what=f"{count} cards wait")
        return (await self.mira.inbox())[0]

    async def state(self, handoff: str) -> str:
        return str((await self.mira.look(handoff))["state"])

    async def comes_to(self, handoff: str, state: str) -> None:
        async def there() -> bool:
            return await self.state(handoff) == state

        await until(there, what=f"{handoff} is {state}")

    async def on(self) -> list[Json]:
        """The brakes that are on."""
        found: list[Json] = (await self.mira.call("GET", "/v1/brakes")).ok()["brakes"]
        return found


@asynccontextmanager
async def open_office(settings: Settings, folder: Path, *, policy: str = POLICY) -> AsyncIterator[Office]:
    """Open it for a test."""
    path = folder / "policy.yaml"
    path.write_text(policy)
    async with (
        live(settings.model_copy(update={"policy": path})) as service,
        Andon(service.url, service.agent.key) as andon,
    ):
        yield Office(service, andon)


async def confirm(run: Run, what: str = "Send it", **more: Any) -> object:
    return await run.confirm(what, why="asked to", risks=["it may be wrong"], tool="send", args={"n": 1}, **more)


async def choose(run: Run) -> object:
    return await run.choose("Which?", ["one", "two"])


async def ask(run: Run) -> object:
    return await run.ask("Which version?")


async def review(run: Run) -> object:
    return await run.review("Made a draft", result="url", undo=lambda: None)


async def gate(run: Run) -> object:
    @run.gate(risks=["it may be wrong"])
    async def send(n: int) -> str:
        return f"sent {n}"

    return await send(1, why="asked to")


async def opened(run: Run) -> object:
    handoff = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
    return await handoff.wait()


async def milestone(run: Run) -> object:
    return await run.checkpoint("plan A")


WAITS: Final[list[Callable[[Run], Awaitable[object]]]] = [confirm, choose, ask, review, gate, opened, milestone]


async def stopped_by(work: Awaitable[object]) -> Stopped:
    """What it raises, soon."""
    async with asyncio.timeout(10):
        with pytest.raises(Stopped) as caught:
            await work
    return caught.value


async def steered_by(work: Awaitable[object]) -> Steered:
    """What it raises, soon."""
    async with asyncio.timeout(10):
        with pytest.raises(Steered) as caught:
            await work
    return caught.value


def task(work: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(work)


def question(run: Run) -> Json:
    return {"kind": "input", "gate": "ask", "question": "What?"}


async def ends(work: asyncio.Task[Any], within_s: float = 0.3) -> bool:
    """Is it over soon?"""
    done, _ = await asyncio.wait([work], timeout=within_s)
    return bool(done)


async def is_pending(office: Office, handoff: str) -> bool:
    return await office.state(handoff) == "pending"


def held_by(run: Run) -> str | None:
    return run.brake.action if run.brake else None
