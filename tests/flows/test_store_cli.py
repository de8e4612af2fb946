"""What `python -m bot check` says of the servers behind a URL."""

import asyncio
from pathlib import Path

from tests.faults.topology import node, replicated_pair
from tests.flows.test_service_cli import bot
from tests.servers import SECRET


async def test_check_names_the_primary_and_counts_its_replicas_and_says_what_is_missing(tmp_path: Path) -> None:
    async with (
        replicated_pair(min_replicas_to_write="1") as (primary, replica),
        node(sentinel=f"sentinel monitor main 127.0.0.1 {primary.port} 1") as sentinel,
        node() as alone,
    ):
        urls = f"redis+sentinel://127.0.0.1:{sentinel.port}/main", replica.url, alone.url
        shared = {"ANDON_SECRET": SECRET, "ANDON_DURABILITY": "replicated"}
        good, behind, without = await asyncio.gather(
            *(bot("check", state=tmp_path / str(n), ANDON_REDIS_URL=url, **shared) for n, url in enumerate(urls))
        )
    assert good.code == 0
    where = f"store: 127.0.0.1:{primary.port}, primary of main by its sentinels, 1 replica, durability replicated"
    assert where in good.out
    assert behind.code == without.code == 1
    assert f"name its primary in ANDON_REDIS_URL (127.0.0.1:{primary.port})" in behind.out
    assert "no replica has caught up" in without.out
    assert "CONFIG SET min-replicas-to-write 1" in without.out
