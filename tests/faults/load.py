"""Agents and people at work, all of it written down: what runs while something breaks."""

import asyncio

import aiohttp

from tests.faults.history import WatchedAgent, WatchedPerson
from tests.people import Json

_BREATH_S = 0.02


async def work(agent: WatchedAgent, person: WatchedPerson, done: asyncio.Event, *, name: str = "w") -> None:
    """One ask after the other, to its end. What nobody confirmed is let be: it may have happened."""
    number = 0
    while not done.is_set():
        number += 1
        try:
            await _one(agent, person, f"{name}-{number}")
        except aiohttp.ClientError:
            await asyncio.sleep(_BREATH_S)


async def _one(agent: WatchedAgent, person: WatchedPerson, key: str) -> None:
    opened = await agent.open(await agent.confirmation(), key=key)
    if opened.status != 201:
        await asyncio.sleep(_BREATH_S)
        return
    asked: Json = opened.body
    answered = await person.answer(asked, {"kind": "approve"}, key=f"{key}-yes")
    if answered.status != 200:
        return
    claimed = await agent.claim(answered.body, claimant=key)
    if claimed.status != 200:
        return
    agent.execute(claimed.body)
    await agent.report(asked, "executed", claimant=key)
