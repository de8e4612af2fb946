"""TLS to one server, to sentinels and to a Cluster: by the authority that is named, and by no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from bot.store import Store, StoreFault, topology
from tests.fakes.certificates import make_certificates
from tests.fakes.proxy import proxy
from tests.faults.topology import Node, free_port, node
from tests.servers import until
from tests.store import asks

_HANDSHAKE = b"\x16"
"""The first byte of a connection with TLS."""


async def works(url: str) -> None:
    async with Store(topology(url)) as store:
        assert [each.detail for each in await store.faults(embedded=False) if each.fatal] == []
        await asks.opened(store)
        assert await store.described()


async def refusal(url: str) -> str:
    """Why the start is refused."""
    async with Store(topology(url)) as store:
        found: list[StoreFault] = [each for each in await store.faults(embedded=False) if each.fatal]
    (fault,) = found
    return fault.detail.lower()


@asynccontextmanager
async def either(plain: int, tls: int) -> AsyncIterator[int]:
    """A port that leads who speaks TLS to one port, and who does not, as the sentinel beside it, to the other."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_writer = None
        try:
            first = await reader.read(1)
            there, there_writer = await asyncio.open_connection("127.0.0.1", tls if first == _HANDSHAKE else plain)
            there_writer.write(first)
            pumps = [asyncio.create_task(pump(reader, there_writer)), asyncio.create_task(pump(there, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for end in (writer, there_writer):
                if end is not None:
                    end.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_one_server(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with node() as server, proxy(server.port, tls=certificates.server) as tls:
        there = f"rediss://127.0.0.1:{tls.port}/0"
        await works(f"{there}?ssl_ca_certs={certificates.authority}")
        assert "certificate verify failed" in await refusal(there)
        assert "does not answer" in await refusal(f"redis://127.0.0.1:{tls.port}/0")


async def test_sentinels_and_the_primary_that_they_name(tmp_path: Path) -> None:
    """Each end has an authority of its own here, so that one that nobody checked would be noticed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    watch, data = make_certificates(tmp_path / "a"), make_certificates(tmp_path / "b")
    both = tmp_path / "both.pem"
    both.write_bytes(watch.authority.read_bytes() + data.authority.read_bytes())
    async with AsyncExitStack() as stack:
        primary = await stack.enter_async_context(node())
        tls = await stack.enter_async_context(proxy(primary.port, tls=data.server))
        port = await stack.enter_async_context(either(primary.port, tls.port))
        lines = f"sentinel monitor main 127.0.0.1 {port} 1"
        sentinel = await stack.enter_async_context(node(sentinel=lines))
        guard = await stack.enter_async_context(proxy(sentinel.port, tls=watch.server))
        there = f"rediss+sentinel://127.0.0.1:{guard.port}/main"
        await works(f"{there}?ssl_ca_certs={both}")
        for authority in (watch.authority, data.authority):
            assert "certificate verify failed" in await refusal(f"{there}?ssl_ca_certs={authority}")


@pytest.fixture
async def whole_cluster(tmp_path: Path) -> AsyncIterator[tuple[Node, str, Path]]:
    """A Cluster of one node that names its port with TLS; the node, its URL, and the authority."""
    certificates, port = make_certificates(tmp_path), free_port()
    async with (
        proxy(port, tls=certificates.server) as tls,
        node(
            port=str(port),
            cluster_enabled="yes",
            cluster_port=str(free_port()),
            cluster_announce_ip="127.0.0.1",
            cluster_announce_port=str(tls.port),
        ) as only,
    ):
        await only.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

        async def is_whole() -> bool:
            return "cluster_state:ok" in str(await only.call("CLUSTER", "INFO"))

        await until(is_whole)
        yield only, f"rediss+cluster://127.0.0.1:{tls.port}", certificates.authority


async def test_a_cluster_and_the_owner_that_it_names(whole_cluster: tuple[Node, str, Path]) -> None:
    only, url, authority = whole_cluster
    await works(f"{url}?ssl_ca_certs={authority}")
    ((_, _, (_, named, *_)),) = await only.call("CLUSTER", "SLOTS")
    assert url.endswith(f":{named}"), "what is named is reached with TLS alone"
    assert "certificate verify failed" in await refusal(url)
