"""The service with the surface `paper`, as a process that a test may kill."""

import asyncio
import os
import signal
import sys

from bot.app.service import service
from bot.config import load_settings
from tests.adapters.paper import QUICK, paper


async def serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load_settings(port=int(sys.argv[sys.argv.index("--port") + 1]))
    async with service(settings, adapters={"paper": paper(os.environ["BOARD_URL"])}, pace=QUICK) as running:
        print(f"Andon listens on {running.url}", flush=True)  # noqa: T201  # as `python -m bot serve` does
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
