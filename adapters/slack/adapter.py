"""The surface `slack` as the core sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.slack.config import SlackConfig
from bot.ports import Adapter, Desk, Shelf


@asynccontextmanager
async def slack(config: SlackConfig, desk: Desk, shelf: Shelf) -> AsyncIterator[Adapter]:
    """Open the surface."""
    raise NotImplementedError
    yield
