"""The version before this one, as a process: unpacked from an archive, with its own code, scripts and templates."""

import tarfile
from pathlib import Path

from tests.faults.record_previous import ARCHIVE
from tests.servers import ServiceProcess


def unpack(folder: Path) -> Path:
    """The previous version's code."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


class PaperProcess(ServiceProcess):
    """The service with the surface `paper`; of this version, or of the one whose code is in `code`."""

    module = "tests.fakes.paper_service"

    def run_version(self, code: Path | None) -> None:
        """From the next start on: this version (None), or that one."""
        if code is None:
            self.settings.pop("PYTHONPATH", None)
        else:
            self.settings["PYTHONPATH"] = str(code)
