"""Small libraries in C that stand between a server and its disk or its clock; compiled where the tests run."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_HERE: Final = Path(__file__).parent / "shims"


def shim(name: str, folder: Path) -> Path:
    """The library `name`, built into a folder; skips the test where there is no compiler, and fails in CI."""
    compiler = shutil.which("cc")
    if sys.platform != "linux":
        pytest.skip("libraries are put before a server's own on Linux only")
    if compiler is None:
        why = "no C compiler found; `make compiler` installs one on Debian"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    library = folder / f"{name}.so"
    command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library), str(_HERE / f"{name}.c"), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return library


class SyncLog:
    """What was safe on the disk, as `sync.c` saw it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "synced"
        self.environment = {"LD_PRELOAD": str(shim("sync", folder)), "SYNC_LOG": str(self._log)}

    def safe(self) -> dict[str, int]:
        """Bytes of each file that a power cut leaves."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return {path: int(size) for size, _, path in (line.partition(" ") for line in lines)}

    def cut(self, folder: Path) -> int:
        """The power is cut: take what was never synced off the append-only files; returns how many bytes that is."""
        safe, lost = self.safe(), 0
        for path in folder.rglob("*.incr.aof"):
            left = safe.get(str(path), 0)
            lost += path.stat().st_size - left
            os.truncate(path, left)
        return lost


class Clock:
    """The wall clock of the processes that are started with this environment."""

    def __init__(self, folder: Path, name: str = "clock") -> None:
        self._file = folder / name
        self._file.write_bytes(struct.pack("=qq", 0, 0))
        self.environment = {"LD_PRELOAD": str(shim("clock", folder)), "CLOCK_FILE": str(self._file)}

    def move(self, seconds: float) -> None:
        """Put it so far from the machine's, and let it go on."""
        self._write(round(seconds * 1_000_000), 0)

    def stop_at(self, ms: int) -> None:
        """Let it stand at an instant, in Unix ms."""
        self._write(0, ms * 1_000)

    def _write(self, moved: int, stopped: int) -> None:
        with self._file.open("r+b") as file:
            file.write(struct.pack("=qq", moved, stopped))
