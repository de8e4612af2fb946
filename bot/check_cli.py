"""`python -m bot check`."""

import argparse
import asyncio
import logging
from collections.abc import Iterator
from typing import Final

from bot import endpoints_cli, policy_cli
from bot.app.store import open_store
from bot.app.surfaces import check_slack, check_teams, reach_of
from bot.config import Settings, load_settings, unknown_settings
from bot.errors import BotError, ConfigError, StoreUnavailable
from bot.exits import FAILED, FINE

HELP: Final = """usage: python -m bot check

  Look over settings, store, permissions, policy and, when they are set up, Slack (tokens, scopes, the way in, the
  default channel) and Teams (the app's token, signing keys, the way in, where it is installed). List every fault at
  once, and exit: 0 fine, 1 not.

examples:
  python -m bot check
  ANDON_REDIS_URL=redis://localhost:6379 python -m bot check
"""


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Look everything over."""
    parser.parse_args(words)
    logging.disable(logging.WARNING)  # the list below says it all
    return asyncio.run(_checking())


async def _checking() -> int:
    """Settings first, then what stands on them; every fault of each, in one list."""
    faults: list[str] = [f"{name} is no setting; see docs/operations.md for the names" for name in unknown_settings()]
    try:
        settings = load_settings()
    except ConfigError as error:
        return _tell([*faults, *error.faults], [])
    notes: list[str] = []
    checks = [check for wanted, check in ((settings.slack, check_slack), (settings.teams, check_teams)) if wanted]
    surfaces: list[tuple[list[str], list[str]]] = []
    try:
        notes += policy_cli.policy_notes(settings.policy, reach_of(settings))
    except ConfigError as error:
        faults += error.faults
    notes += _warnings(settings)
    if settings.state.exists() and settings.state.stat().st_mode & 0o077:
        faults.append(f"{settings.state} can be entered by others; run: chmod 700 {settings.state}")
    try:
        async with open_store(settings.model_copy(update={"unsafe_store": True}), start=False) as opened:
            found = await opened.store.faults(embedded=opened.embedded)
            faults += [fault.detail for fault in found if fault.fatal]
            notes += [f"warning: {fault.detail}" for fault in found if not fault.fatal]
            where = f"embedded, in {settings.state}" if opened.embedded else await opened.store.described()
            notes.append(f"store: {where}")
            last, _ = await opened.store.loaded.last()
            if settings.policy and not settings.policy.exists() and last:
                faults.append(f"the service ran with policy {last} before, and its file {settings.policy} is gone")
            notes.append(f"keys: {len(await opened.access.keys())}")
            notes += await endpoints_cli.endpoint_notes(settings, opened)
            surfaces = [await check(settings, opened) for check in checks]
    except ConfigError as error:
        faults += error.faults
    except StoreUnavailable as error:
        faults.append(f"the store does not answer: {error.__cause__ or error}; start it, or mend ANDON_REDIS_URL")
    except BotError as error:
        faults.append(str(error))
    for wrong, told in surfaces or [await check(settings, None) for check in checks]:
        faults += wrong
        notes += told
    return _tell(faults, notes)


def _warnings(settings: Settings) -> Iterator[str]:
    """What is set, allowed, and hardly meant."""
    if not settings.on_loopback and not (settings.public_url or "").startswith("https://"):
        yield f"warning: listening on {settings.host} in clear; put TLS in front and set ANDON_PUBLIC_URL to https://…"
    if settings.failpoint:
        yield f"warning: ANDON_FAILPOINT is set, for tests: the service kills itself at {settings.failpoint}"


def _tell(faults: list[str], notes: list[str]) -> int:
    for note in notes:
        print(note)
    for fault in faults:
        print(f"fault: {fault}")
    print(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}" if faults else "all fine")
    return FAILED if faults else FINE
