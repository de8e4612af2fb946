"""Fixtures of stories on the surface `paper`."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.board import Board
from tests.flows.paper_house import replica
from tests.servers import Live


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    """Where the cards are."""
    async with Board("ops", "dev", "oncall").serving() as serving:
        yield serving


@pytest.fixture
async def here(settings: Settings, board: Board) -> AsyncIterator[Live]:
    """A service that posts there."""
    async with replica(settings, board) as running:
        yield running
