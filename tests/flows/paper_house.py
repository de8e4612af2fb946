"""A service with the surface `paper` on a fake board: started as often as a test likes, and waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.config import Settings
from bot.outbox import Pace
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board
from tests.servers import Live, live, until

OPS, DEV, NOWHERE = ({"surface": "paper", "channel": name} for name in ("ops", "dev", "nowhere"))
"""Places; there is no board of the last name."""


@asynccontextmanager
async def replica(settings: Settings, board: Board, name: str = "first", pace: Pace = QUICK) -> AsyncIterator[Live]:
    """One of the services on a store, with a state folder of its own."""
    apart = settings.model_copy(update={"state": settings.state / name})
    async with live(apart, adapters={"paper": paper(board.url)}, pace=pace) as running:
        yield running


async def settled(here: Live, *, within_s: float = 60) -> None:
    """Everything that happened is shown and told, or let be."""

    async def nothing_left() -> bool:
        unread = () if await here.store.endpoints.all() else (b"callbacks",)
        for shard in here.store.shards:
            info = await here.store._client.xinfo_groups(shard.keys.events)
            newest = await shard.feed.last_id()
            if not all(
                g["pending"] == 0 and (g["name"] in unread or g["last-delivered-id"].decode() == newest) for g in info
            ):
                return False
        return True

    await until(nothing_left, within_s=within_s, what="the outbox is empty")
