"""Fixtures on real parts: a real Valkey, the real service, real HTTP. Nothing reads the developer's environment."""

import asyncio
import inspect
import itertools
import logging
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest

from bot.config import Settings
from bot.errors import ConfigError
from bot.store import Store, connect
from bot.store.embedded import server_binary
from tests.people import Agent, Person
from tests.servers import DATABASES, SECRET, SHARDS, Live, ServiceProcess, Valkey, lasting_keys, live

for _name in [name for name in os.environ if name.startswith(("ANDON_", "SLACK_", "TEAMS_"))]:
    if _name != "ANDON_TEST_SHARDS":  # is for the tests, and for their workers
        del os.environ[_name]  # at import, so that no fixture of any scope can see them

if SHARDS > 1:  # a whole run with as many shards; see tests/servers.py
    os.environ["ANDON_SHARDS"] = str(SHARDS)
    assert Store.__init__.__kwdefaults__
    Store.__init__.__kwdefaults__["shards"] = SHARDS

# A shell's background job ignores Ctrl-C, and so would what the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a red run is red again. HYPOTHESIS_PROFILE=explore looks further.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


_WHOLE: Final = ("adapters", "browser", "flows", "packaging")
"""Folders of tests on whole processes and browsers, whose deadlines a busy machine may miss."""

_SAFETY: Final = re.compile(r"race|guard|once|twice|forged|kill|stop|brake|token|sign", re.IGNORECASE)
"""In the name of a test or of its file: it is about safety, and one failure in a hundred runs is a failure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let some tests be tried once more; the summary names each that needed it. See docs/decisions/0012."""
    for item in items:
        if item.path.parent.name in _WHOLE and not _SAFETY.search(item.nodeid):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` file and no state folder but the test's own."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))


@pytest.fixture(autouse=True)
def logs_are_on() -> Iterator[None]:
    """Commands that run in the tests' own process may switch logging off, as they may at the end of theirs."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True)
def no_task_left(request: pytest.FixtureRequest) -> None:
    """An asynchronous test fails when it leaves a task behind."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("tasks_at_end")


@pytest.fixture
async def tasks_at_end() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left: set[asyncio.Task[Any]] = set()
    for _ in range(50):  # what was cancelled or closed just now needs a few turns of the loop to be gone
        left = {task for task in asyncio.all_tasks() - before if not task.done()} - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"the test left tasks behind: {', '.join(sorted(repr(task) for task in left))}")


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One server for all tests of this process: quick, because it leaves syncing to the system."""
    try:
        binary = server_binary()
    except ConfigError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    server = Valkey(binary)
    try:
        yield server
    finally:
        server.close()


_databases = itertools.count(1)


@pytest.fixture
async def redis_url(valkey: Valkey) -> AsyncIterator[str]:
    """An empty database of its own, for services that share a store; checked for leaks at the end."""
    url = valkey.url(1 + next(_databases) % (DATABASES - 1))
    yield url
    client = connect(url)
    left = await lasting_keys(client, "*")
    await client.flushdb()
    await client.aclose()
    assert not left, f"keys without a lifetime: {left}"


_namespaces = itertools.count(1)


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    """A store in a namespace of its own; the test fails if it leaves a key that would live for ever."""
    client = connect(valkey.url(), shards=SHARDS)
    ns = f"t{next(_namespaces)}"
    async with Store(client, ns=ns) as opened:
        await opened.settle_shards(grow=True)
        yield opened
        left = []
        for shard in opened.shards:
            pattern = f"{{{shard.keys.ns}}}:*"
            left += await lasting_keys(client, pattern)
            names = [name async for name in client.scan_iter(match=pattern, count=1000)]
            if names:
                await client.unlink(*names)
    assert not left, f"keys without a lifetime: {left}"


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """The settings of `service`; a test may change them with `model_copy` and run `live` itself."""
    return Settings.model_validate({"port": 0, "state": tmp_path / "state", "redis_url": redis_url, "secret": SECRET})


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Live]:
    """The whole service in this process, on a free port, over a real store."""
    async with live(settings) as running:
        yield running


@pytest.fixture
async def agent(service: Live) -> Agent:
    """The agent `mailer`."""
    return service.agent


@pytest.fixture
async def mira(service: Live) -> Person:
    """The person `mira@example.com`."""
    return service.person


@pytest.fixture
async def subprocess_service(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """`python -m bot serve` with its embedded store, as a process that a test may kill and start again."""
    process = ServiceProcess(tmp_path / "state")
    try:
        await process.start()
        yield process
    finally:
        await process.close()


@pytest.fixture
async def services(redis_url: str, tmp_path: Path) -> AsyncIterator[list[ServiceProcess]]:
    """Two processes of the service on one store."""
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET}
    processes = [ServiceProcess(tmp_path / f"state{n}", shared) for n in (1, 2)]
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield processes
    finally:
        for process in processes:
            await process.close()
