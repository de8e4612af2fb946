"""`python -m bot serve`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any, Final

from bot import logs, tracing
from bot.app.service import service
from bot.cards.view import NO_POLICY
from bot.config import Settings, load_settings, unknown_settings
from bot.exits import FINE
from bot.idle import allow_many_files

HELP: Final = """usage: python -m bot serve [--host ADDRESS] [--port N]

  Take asks over HTTP and show them in the web console.

  --host ADDRESS   listen on this address (default: 127.0.0.1, or ANDON_HOST)
  --port N         listen on this port; 0 picks one (default: 8080, or ANDON_PORT)

examples:
  python -m bot check        # settings, store and policy, then exit
  python -m bot serve --port 8080
"""


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Serve until somebody stops it."""
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(words)
    settings = load_settings(host=given.host, port=given.port)
    logs.set_up(form=settings.log, level=settings.log_level, secrets=settings.secrets, trace=tracing.current_id)
    return _run(_serving(settings))


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where there is one."""
    try:
        import uvloop  # optional
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def _serving(settings: Settings) -> int:
    allow_many_files()
    os.umask(0o077)  # what the service and its store write is for this user alone
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    for name in unknown_settings():
        logging.getLogger("andon").warning("settings.unknown name=%s", name)
    gc.collect()
    gc.freeze()  # what was imported stays; looking through it again and again took an eighth of the service's time
    gc.set_threshold(20_000, 20, 50)
    async with service(settings) as running:
        lines = [f"Andon listens on {running.url}"]
        if settings.policy is None:
            lines.append(NO_POLICY)
        elif not settings.policy.exists():
            lines.append(f"There is no policy file {settings.policy}. {NO_POLICY}")
        if running.sign_in:
            lines.append(f"Sign in to the console (once, within 15 minutes): {running.sign_in}")
            lines.append(f"Agents of this user find the address and their key in {settings.state}")
        if running.agent_key:
            lines.append(f"  for others: export ANDON_URL={running.url} ANDON_KEY={running.agent_key}")
        print("\n".join([*lines, ""]), end="", flush=True)  # at once: who waits for the first line may read them all
        await stop.wait()
        print("Stopping: finishing what was taken.", flush=True)
    return FINE
