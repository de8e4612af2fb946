"""The service with a quick outbox, as a process that a test may kill."""

import asyncio
import signal
import sys

from bot.app.service import service
from bot.config import load_settings
from tests.adapters.paper import QUICK


async def serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with service(load_settings(port=int(sys.argv[sys.argv.index("--port") + 1])), pace=QUICK) as running:
        print(f"Andon listens on {running.url}", flush=True)  # noqa: T201  # as `python -m bot serve` does
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
