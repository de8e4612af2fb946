"""The stories of `surface`, on each surface that there is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from bot.store.embedded import server_binary
from tests.adapters.slack_surface import SlackSurface, slack_surface
from tests.adapters.surface import OwnStore, SurfaceContract
from tests.adapters.teams_surface import TeamsSurface, teams_surface
from tests.adapters.web_surface import WebSurface, web_surface
from tests.servers import Valkey


class _Own:
    """A server of one's own, killed and started again."""

    def __init__(self, server: Valkey) -> None:
        self.url = SecretStr(server.url())
        self._server = server

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        self._server.kill()
        try:
            yield
        finally:
            self._server.start()


@pytest.fixture
async def own_valkey() -> AsyncIterator[OwnStore]:
    server = Valkey(server_binary())
    try:
        yield _Own(server)
    finally:
        server.close()


class TestWeb(SurfaceContract):
    @pytest.fixture
    async def surface(self) -> AsyncIterator[WebSurface]:
        async with web_surface() as opened:
            yield opened


class TestSlack(SurfaceContract):
    @pytest.fixture
    async def surface(self) -> AsyncIterator[SlackSurface]:
        async with slack_surface() as opened:
            yield opened


class TestTeams(SurfaceContract):
    @pytest.fixture
    async def surface(self) -> AsyncIterator[TeamsSurface]:
        async with teams_surface() as opened:
            yield opened
