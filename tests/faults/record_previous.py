"""Pack the version before this one, for tests that run it beside this one.

`python -m tests.faults.record_previous REVISION`, at a release, for the one that it replaces. The archive has the
service and the surface `paper` of that revision.
"""

import lzma
import subprocess
import sys
from pathlib import Path
from typing import Final

ARCHIVE: Final = Path(__file__).parent / "previous.tar.xz"
_PARTS: Final = ("bot", "adapters", "andon", "templates", "tests/adapters/paper.py", "tests/fakes/board.py")
_TOO: Final = ("tests/fakes/paper_service.py", "tests/servers.py", "tests/people.py", "pyproject.toml")


def record(revision: str) -> int:
    """Write the archive; returns its size."""
    command = ("git", "archive", "--format=tar", revision, *_PARTS, *_TOO)
    packed = subprocess.run(command, cwd=ARCHIVE.parents[2], capture_output=True, check=True)
    ARCHIVE.write_bytes(lzma.compress(packed.stdout, preset=9 | lzma.PRESET_EXTREME))
    return ARCHIVE.stat().st_size


if __name__ == "__main__":
    if len(sys.argv) != 2:  # the program and one word
        sys.exit("usage: python -m tests.faults.record_previous REVISION")
    print(f"{ARCHIVE}: {record(sys.argv[1])} bytes")  # noqa: T201  # its answer
