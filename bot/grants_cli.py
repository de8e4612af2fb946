"""`python -m bot grants`: list the grants that stand, and end them."""

import argparse
import asyncio
import json
import sys
from typing import Final

from bot.app.local import local_person
from bot.app.store import open_store
from bot.cards import as_grant, grant_line, moment
from bot.config import Settings, load_settings
from bot.errors import Gone
from bot.grants import Grants

HELP: Final = """usage: python -m bot grants list [--agent NAME] [--json]
       python -m bot grants revoke ID

  List the grants that stand, what people gave by “approve, and don't ask again”; end one, at once and everywhere.

  --agent NAME   those of one agent (default: of all)
  --json         print JSON, as GET /v1/grants does

examples:
  python -m bot grants list
  python -m bot grants revoke gr_7Q2…
"""


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """List or end grants."""
    if not words or words[0] not in {"list", "revoke"}:
        parser.error("say what to do with grants: list or revoke")
    if words[0] == "revoke":
        parser.add_argument("id")
        return asyncio.run(revoke_grant(load_settings(), parser.parse_args(words[1:]).id))
    parser.add_argument("--agent")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words[1:])
    return asyncio.run(list_grants(load_settings(), given.agent, as_json=given.json))


async def list_grants(settings: Settings, agent: str | None, *, as_json: bool) -> int:
    """Print them."""
    async with open_store(settings, start=False) as opened:
        found = await Grants(opened.store).listed(agent)
    if as_json:
        print(json.dumps([as_grant(each).model_dump(mode="json", exclude_none=True) for each in found]))
        return 0
    if not found:
        print("No grants stand; people give them on a card, where the policy offers some.")
    for each in map(grant_line, found):
        print(f"{each.id}\n  {each.covers}\n  {each.condition}")
        print(f"  given by {each.by}, {moment(each.at)}; until {moment(each.until)}; {each.used}")
    return 0


async def revoke_grant(settings: Settings, grant_id: str) -> int:
    """End one, as the local user."""
    async with open_store(settings, start=False) as opened:
        try:
            ended = await Grants(opened.store).revoke(grant_id, local_person())
        except Gone:
            print(f"andon: no grant {grant_id} stands; python -m bot grants list shows them", file=sys.stderr)
            return 1
    print(f"{grant_id} has ended: {grant_line(ended).covers}.")
    return 0
