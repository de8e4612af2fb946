"""Several clients of one namespace, each with connections of its own, as several service processes have."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bot.store import Store, connect
from tests.servers import Valkey
from tests.store import asks

CLIENTS = 5


@pytest.fixture
async def stores(store: Store, valkey: Valkey) -> AsyncIterator[list[Store]]:
    """The test's namespace through five clients."""
    await asks.start_run(store)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Store(connect(valkey.url()), ns=store.keys.ns)) for _ in range(CLIENTS)]
