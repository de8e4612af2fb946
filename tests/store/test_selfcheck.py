"""What the start refuses, each on a server that is so; and what a server does not tell."""

import socket
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest
from redis.crc import key_slot

from bot.config import load_settings
from bot.errors import ConfigError, StoreUnavailable
from bot.store import Store, StoreFault, connect, topology
from bot.store.selfcheck import Facts, judge
from bot.store.urls import read_url
from tests.faults.topology import node, replicated_pair
from tests.store import asks

GOOD = Facts(
    info={"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": "1", "role": "master"},
    config={"appendfsync": "always", "hash-max-listpack-value": "4096", "min-replicas-to-write": "1"},
    skew=timedelta(0),
)
REPLICATED = replace(GOOD, replicated=True, info={**GOOD.info, "slave0": "ip=1,port=2,state=online,offset=1,lag=0"})


async def found_at(url: str, *, replicated: bool = False) -> list[StoreFault]:
    async with Store(topology(url, replicated=replicated)) as store:
        return await store.faults(embedded=False)


def fatal(found: list[StoreFault]) -> str:
    """The one fault that stops the start."""
    (fault,) = [each.detail for each in found if each.fatal]
    return fault


def warned(found: list[StoreFault]) -> str:
    """The one fault that does not, and nothing else."""
    (fault,) = found
    assert not fault.fatal
    return fault.detail


def test_a_good_server_has_no_fault() -> None:
    assert judge(GOOD) == []
    assert judge(REPLICATED) == []


# --- on servers that are so ---


async def test_a_replica_is_no_place_to_write_to() -> None:
    async with replicated_pair() as (primary, replica):
        assert f"name its primary in ANDON_REDIS_URL (127.0.0.1:{primary.port})" in fatal(await found_at(replica.url))


async def test_replicated_needs_a_replica_and_a_primary_that_knows_when_it_is_alone() -> None:
    async with node() as alone:
        details = [each.detail for each in await found_at(alone.url, replicated=True) if each.fatal]
        assert "REPLICAOF host port" in details[0]
        assert "CONFIG SET min-replicas-to-write 1" in details[1]
    async with replicated_pair() as (primary, _):
        assert "CONFIG SET min-replicas-to-write 1" in fatal(await found_at(primary.url, replicated=True))
        await primary.call("CONFIG", "SET", "min-replicas-to-write", 1)
        assert await found_at(primary.url, replicated=True) == []
        await primary.call("ACL", "SETUSER", "default", "-config")  # INFO tells it too
        assert await found_at(primary.url, replicated=True) == []


async def test_a_node_of_a_cluster_wants_a_cluster_s_url_and_all_slots() -> None:
    async with node(cluster_enabled="yes") as lone:
        assert "redis+cluster://" in fatal(await found_at(lone.url))
        there = lone.url.replace("redis:", "redis+cluster:")
        found = await found_at(there)
        assert any(each.fatal and "knows no owner of slot" in each.detail for each in found)
        await lone.call("CLUSTER", "ADDSLOTSRANGE", 0, 12_000)
        ns = next(ns for ns in map("n{}".format, range(99)) if key_slot(ns.encode()) <= 12_000)
        async with Store(topology(there), ns=ns, shards=1) as store:
            assert "the Cluster's state is fail" in fatal(await store.faults(embedded=False))


async def test_where_config_is_refused_what_cannot_be_known_is_a_warning() -> None:
    async with node() as managed:
        await managed.call("ACL", "SETUSER", "default", "-config")
        assert "unless it is `always`" in warned(await found_at(managed.url))


def outward() -> str:
    """An address of this machine that is not loopback's; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


async def test_off_this_machine_a_server_needs_a_password_and_should_have_tls() -> None:
    host = outward()
    async with node(bind=f"127.0.0.1 {host}", protected_mode="no") as server:
        found = await found_at(f"redis://{host}:{server.port}")
        assert "CONFIG SET requirepass PASSWORD" in fatal(found)
        assert "use TLS" in next(each.detail for each in found if not each.fatal)
        assert await found_at(server.url) == []
        await server.call("CONFIG", "SET", "requirepass", "pass/word")
        assert "use TLS" in warned(await found_at(f"redis://:pass%2Fword@{host}:{server.port}"))


async def test_a_wrong_password_and_a_right_one() -> None:
    async with node(requirepass="right") as server:
        for login in ("", ":wrong@", "nobody:right@"):
            url = server.url.replace("//", f"//{login}")
            assert "Redis does not answer" in fatal(await found_at(url))
        async with Store(connect(server.url.replace("//", "//:right@"))) as store:
            await asks.opened(store)


async def test_a_named_user_who_may_do_what_the_service_does_and_no_more() -> None:
    """The commands that docs/operations.md lists for a managed server."""
    async with node() as server:
        rules = ("on", ">secret", "~{andon*", "+@all", "-@admin", "-@dangerous", "+info", "-config")
        await server.call("ACL", "SETUSER", "andon", *rules)
        async with Store(topology(server.url.replace("//", "//andon:secret@"))) as store:
            assert "CONFIG is refused" in warned(await store.faults(embedded=False))
            asked = await asks.opened(store)
            assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"


async def test_sentinels_and_servers_have_passwords_of_their_own() -> None:
    async with node(requirepass="data") as primary:
        lines = f"requirepass watch\nsentinel monitor main 127.0.0.1 {primary.port} 1\nsentinel auth-pass main data"
        async with node(sentinel=lines, password="watch") as sentinel:
            there = f"redis+sentinel://:data@127.0.0.1:{sentinel.port}/main"
            async with Store(topology(f"{there}?sentinel_password=watch")) as store:
                await asks.opened(store)
                assert f"127.0.0.1:{primary.port}, primary of main by its sentinels, 0 replicas" in (
                    await store.described()
                )
            assert "uthentication" in fatal(await found_at(there))


async def test_a_primary_that_no_sentinel_knows_is_named_in_the_fault() -> None:
    async with node() as primary, node(sentinel=f"sentinel monitor main 127.0.0.1 {primary.port} 1") as sentinel:
        detail = fatal(await found_at(f"redis+sentinel://127.0.0.1:{sentinel.port}/other"))
        assert "'other'" in detail
        assert "No such master" in detail


async def test_a_database_can_be_named_behind_sentinels() -> None:
    async with node() as primary, node(sentinel=f"sentinel monitor main 127.0.0.1 {primary.port} 1") as sentinel:
        async with Store(topology(f"redis+sentinel://127.0.0.1:{sentinel.port}/main/3")) as store:
            await asks.opened(store)
        assert "db3" in await primary.call("INFO", "keyspace")


# --- what no server of today is ---


@pytest.mark.parametrize(
    "facts, says",
    [
        (replace(GOOD, info={**GOOD.info, "redis_version": "6.2.1"}), "use Redis 7 or newer"),
        (replace(GOOD, skew=timedelta(seconds=2.1)), "set both by NTP"),
        (replace(GOOD, config={"appendfsync": "no"}), "CONFIG SET appendfsync always"),
        (replace(REPLICATED, config={**GOOD.config, "appendfsync": "no"}), "CONFIG SET appendfsync always"),
        (
            replace(
                REPLICATED,
                config={**GOOD.config, "appendfsync": "everysec"},
                info={**REPLICATED.info, "redis_version": "7.0.15"},
            ),
            "CONFIG SET appendfsync always",
        ),
        (replace(REPLICATED, info={**GOOD.info, "slave0": "ip=1,port=2,state=wait_bgsave"}), "REPLICAOF"),
        (replace(GOOD, addresses=(ip_address("8.8.8.8"),)), "use TLS"),
    ],
)
def test_what_is_unsafe_stops_the_start(facts: Facts, says: str) -> None:
    assert says in fatal(judge(facts))


@pytest.mark.parametrize(
    "facts, says",
    [
        (replace(GOOD, kind="sentinel"), "ANDON_DURABILITY=replicated"),
        (replace(GOOD, addresses=(ip_address("10.0.0.7"),)), "use TLS"),
        (replace(GOOD, config={}), "unless it is `always`"),
    ],
)
def test_what_is_unwise_is_said(facts: Facts, says: str) -> None:
    assert says in warned(judge(facts))


def test_a_second_of_the_disk_is_waited_for_where_waitaof_is_there() -> None:
    assert judge(replace(REPLICATED, config={**GOOD.config, "appendfsync": "everysec"})) == []


# --- addresses ---


@pytest.mark.parametrize(
    "url, kind, hosts, name",
    [
        ("redis://u:p@host:6380/2?socket_keepalive=true", "single", (), ""),
        ("unix:///run/redis.sock?db=3", "single", (), ""),
        ("redis+sentinel://a:1,b,[::1]:5/main", "sentinel", (("a", 1), ("b", 26379), ("::1", 5)), "main"),
        ("rediss+cluster://u:p%40@a:7000,b/", "cluster", (("a", 7000), ("b", 6379)), ""),
    ],
)
def test_every_form_of_address_is_read(url: str, kind: str, hosts: tuple[tuple[str, int], ...], name: str) -> None:
    found = read_url(url)
    assert (found.kind, found.hosts, found.name) == (kind, hosts, name)
    assert found.options.get("password") in {None, "p", "p@"}


@pytest.mark.parametrize(
    "url, says",
    [
        ("redis+sentinel://h:26379", "names no primary"),
        ("redis+sentinel:///main", "names no host"),
        ("redis+sentinel://h/main/first", "the database is a number"),
        ("redis+cluster://h/1", "a Cluster has database 0 alone"),
        ("redis+cluster://h?sentinel_password=PASSWORD", "goes with redis+sentinel://"),
        ("redis+cluster://h:99999", "cannot be read"),
        ("redis://h:PASSWORD", "cannot be read"),
        ("redis://h?colour=green", "no option colour"),
        ("redis://h?socket_timeout=1", "socket_timeout cannot be set"),
        ("redis://:PASS/WORD@h", "%40 %2F %3F %23"),
        ("redis+sentinel://u:PASS@WORD@h/main", "%40 %2F %3F %23"),
    ],
)
def test_an_address_that_cannot_be_used_is_said_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_url(url)
    assert says in str(refused.value)
    assert "PASS" not in str(refused.value)
    assert "WORD" not in str(refused.value)


def test_the_embedded_store_has_no_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_DURABILITY", "replicated")
    with pytest.raises(ConfigError, match="the embedded store has no replica"):
        load_settings()


async def test_a_cluster_that_is_not_there_is_said_with_its_nodes() -> None:
    async with Store(topology("redis+cluster://127.0.0.1:1")) as store:
        assert "127.0.0.1:1" in fatal(await store.faults(embedded=False))
        with pytest.raises(StoreUnavailable):
            await store.described()
