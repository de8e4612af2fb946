"""`python -m bot trust`: how far trust has grown, and letting it start over."""

import argparse
import asyncio
import sys
from typing import Final

from andon import wire
from bot import policy
from bot.app.local import local_person
from bot.app.store import open_store
from bot.cards import moment
from bot.config import Settings, load_settings
from bot.errors import Gone
from bot.trust import TrustBook

HELP: Final = """usage: python -m bot trust list [--json]
       python -m bot trust reset KEY

  List the trust ramps that have moved: how often what they cover ended well since it last did not, and what happens
  to the next one. Let one start over: what it covers is asked about again.

  --json   print JSON, as GET /v1/trust does

examples:
  python -m bot trust list
  python -m bot trust reset tr_0123456789abcdef01234567
"""


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """List trust ramps, or let one start over."""
    if not words or words[0] not in {"list", "reset"}:
        parser.error("say what to do with trust: list or reset")
    if words[0] == "reset":
        parser.add_argument("key")
        return asyncio.run(reset_trust(load_settings(), parser.parse_args(words[1:]).key))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words[1:])
    return asyncio.run(list_trust(load_settings(), as_json=given.json))


async def list_trust(settings: Settings, *, as_json: bool) -> int:
    """Print them."""
    rules = policy.load(settings.policy)
    async with open_store(settings, start=False) as opened:
        found = await TrustBook(opened.store, lambda: rules).all()
    if as_json:
        print(wire.TrustList(ramps=tuple(found)).model_dump_json(exclude_none=True))
        return 0
    if not found:
        print("No trust ramp has moved yet; rules with `ramp:` make them, and what ends well moves them.")
    for each in found:
        print(f"{each.key}  rule {each.rule}\n  {_whose(each)}\n  {_stage(each)}{_reset(each)}")
    return 0


async def reset_trust(settings: Settings, key: str) -> int:
    """Let one start over, as the local user."""
    rules = policy.load(settings.policy)
    async with open_store(settings, start=False) as opened:
        try:
            ramp = await TrustBook(opened.store, lambda: rules).reset(key, local_person().id)
        except Gone:
            print(f"andon: there is no trust ramp {key}; python -m bot trust list shows them", file=sys.stderr)
            return 1
    print(f"{key} starts over: {_whose(ramp)}, rule {ramp.rule}.")
    return 0


def _whose(ramp: wire.Trust) -> str:
    named = (("agent", ramp.agent), ("tool", ramp.tool), ("requester", ramp.requester))
    return ", ".join(f"{name} {value or '-'}" for name, value in named if value is not None)


def _stage(ramp: wire.Trust) -> str:
    if ramp.stage is None:
        return f"{ramp.good} ended well; the policy has no such ramp any more"
    until = f" until {ramp.next_stage_at}" if ramp.next_stage_at else ""
    return f"{ramp.good} ended well; the next one is {ramp.stage}{until}"


def _reset(ramp: wire.Trust) -> str:
    if ramp.reset_at is None:
        return ""
    return f"\n  started over {moment(ramp.reset_at)}: {ramp.reset_why} ({ramp.reset_by})"
