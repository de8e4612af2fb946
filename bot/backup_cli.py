"""`python -m bot backup` and `restore`: all that the embedded store holds, in one file, and back again."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from andon import wire
from bot.app.local import local_person, write_private
from bot.app.store import open_store
from bot.app.version import VERSION
from bot.brake.order import BrakeOrder
from bot.config import Settings, load_settings
from bot.errors import BadRequest, BotError, ConfigError
from bot.store import EmbeddedStore, Store

BACKUP_HELP: Final = """usage: python -m bot backup FILE

  Write all that the embedded store holds, at one moment, and its secret, into a file that only you can read. The
  service may run meanwhile. With ANDON_REDIS_URL, back that Redis up with its own tools, and keep ANDON_SECRET.

examples:
  python -m bot backup andon-2026-11-22.tar.gz
  python -m bot restore andon-2026-11-22.tar.gz
"""

RESTORE_HELP: Final = """usage: python -m bot restore FILE [--replace]
       python -m bot restore --done

  Put a backup into the state folder, with the service stopped. Afterwards everything is on hold, and approvals that
  nobody had acted on cannot be acted on any more: what happened after the backup is not in it. Look, then resume.

  --replace   move the store that is there aside, and put the backup in its place
  --done      you restored the Redis of ANDON_REDIS_URL with its own tools: put everything on hold, as above

examples:
  python -m bot restore andon-2026-11-22.tar.gz
  andon resume --everything     # once you have looked
"""

_FORM: Final = 1
_DATA, _SECRET, _ABOUT = "snapshot.rdb", "secret", "about.json"


def run_backup(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Write everything into a file."""
    parser.add_argument("file", type=Path)
    return asyncio.run(backup(load_settings(), parser.parse_args(words).file))


def run_restore(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Put a backup back, or say that it was done."""
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--replace", action="store_true")
    parser.add_argument("--done", action="store_true")
    given = parser.parse_args(words)
    if bool(given.file) == given.done:
        parser.error("name the backup: restore FILE; or, where Redis' own tools restored it: restore --done")
    if given.done:
        return asyncio.run(hold_everything(load_settings()))
    return asyncio.run(restore(load_settings(), given.file, replace=given.replace))


async def backup(settings: Settings, file: Path) -> int:
    """Write one.

    Raises:
        ConfigError: The store is not the embedded one.
        StoreUnavailable: It could not write its snapshot.
        BadRequest: The file is there already, or cannot be written.
    """
    _check_embedded(settings, "backup")
    async with open_store(settings, start=False):
        data = await EmbeddedStore(settings.state).snapshot()
        try:
            about = {
                "form": _FORM,
                "version": VERSION,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "sha256": _sha256(data),
            }
            size = _write(file, data, settings, about)
        finally:
            data.unlink()
    print(f"{file}: {size:,} bytes, of {about['at']}. It opens every key: keep it as you keep one.")
    return 0


async def restore(settings: Settings, file: Path, *, replace: bool) -> int:
    """Put one back.

    Raises:
        ConfigError: The store is not the embedded one, or another secret is set.
        BadRequest: It is no backup, is damaged, or there is a store already; nothing was changed.
        StateFolderBusy: The service runs.
    """
    _check_embedded(settings, "restore")
    with tempfile.TemporaryDirectory(prefix="andon-restore-") as folder:
        about = _unpack(file, Path(folder))
        aside = _make_room(settings.state, replace=replace)
        try:
            await EmbeddedStore(settings.state).take_over(Path(folder) / _DATA)
        except BotError:
            if aside:
                shutil.rmtree(settings.state / "store", ignore_errors=True)
                (aside / "store").rename(settings.state / "store")
            raise
        secret = Path(folder) / _SECRET
        if secret.exists() and settings.secret is None:
            write_private(settings.state / _SECRET, secret.read_text(encoding="ascii").strip())
    if aside:
        print(f"What was there is in {aside}.")
    print(f"Restored the backup of {about['at']} (Andon {about['version']}).")
    return await hold_everything(settings, str(about["at"]))


async def hold_everything(settings: Settings, at: str = "") -> int:
    """After a restore: nothing is claimed until somebody has looked."""
    async with open_store(settings, start=False) as opened:
        outdated = await opened.store.restored.outdate()
        await _stop(opened.store, at)
    print(f"Everything is on hold, and {outdated} approvals that nobody had acted on cannot be acted on any more.")
    print("Look at what happened since; then lift it in the console, or with: andon resume --everything")
    return 0


async def _stop(store: Store, at: str) -> None:
    text = f"The store was restored from a backup{f' of {at}' if at else ''}: what happened since is not in it."
    scope = wire.BrakeScope(everything=True)
    order = BrakeOrder(f"restored:{datetime.now(UTC).isoformat()}", scope, "stop", local_person(), text)
    await store.brakes.obey(order, None)


def _check_embedded(settings: Settings, what: str) -> None:
    if settings.redis_url is not None:
        msg = (
            f"{what} is for the embedded store, and ANDON_REDIS_URL names another: use that Redis' own tools, "
            "as docs/deployment.md says"
        )
        raise ConfigError([msg])


def _write(file: Path, data: Path, settings: Settings, about: dict[str, object]) -> int:
    """Write it whole or not at all; returns its size in bytes."""
    if file.exists():
        msg = f"{file} is there already; name another file"
        raise BadRequest(msg)
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        with (
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
            tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar,
            tempfile.TemporaryDirectory() as folder,
        ):
            notes = Path(folder) / _ABOUT
            notes.write_text(json.dumps(about), encoding="utf-8")
            tar.add(notes, _ABOUT)
            tar.add(data, _DATA)
            if settings.secret is None:
                tar.add(settings.state / _SECRET, _SECRET)
        part.replace(file)
        return file.stat().st_size
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}"
        raise BadRequest(msg) from error
    finally:
        part.unlink(missing_ok=True)


def _unpack(file: Path, folder: Path) -> dict[str, object]:
    """Its parts, in a folder; only whole backups get through."""
    try:
        with tarfile.open(file, mode="r:gz") as tar:
            for name in (_ABOUT, _DATA, _SECRET):
                member = tar.extractfile(name) if name in tar.getnames() else None
                if member:
                    with (folder / name).open("wb") as out:
                        shutil.copyfileobj(member, out)
        about: dict[str, object] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["form"] != _FORM:
            msg = f"{file} was written by Andon {about['version']}, in a form that this version does not read"
            raise BadRequest(msg)
        whole = about["sha256"] == _sha256(folder / _DATA)
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError) as error:
        msg = f"{file} is no backup of Andon, or is damaged ({type(error).__name__}); nothing was changed"
        raise BadRequest(msg) from error
    if not whole:
        msg = f"{file} is damaged: its data is not what was written; nothing was changed"
        raise BadRequest(msg)
    return about


def _make_room(state: Path, *, replace: bool) -> Path | None:
    """Move a store that is there aside; returns where it is."""
    store = state / "store"
    if not store.exists() or not any(store.iterdir()):
        return None
    if not replace:
        msg = f"there is a store in {store}; with --replace it is moved aside and the backup takes its place"
        raise BadRequest(msg)
    EmbeddedStore(state).check_free()
    aside = state / f"before-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    aside.mkdir(mode=0o700)
    store.rename(aside / "store")
    if (state / _SECRET).exists():
        shutil.copy2(state / _SECRET, aside / _SECRET)
    return aside


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
