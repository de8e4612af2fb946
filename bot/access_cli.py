"""`python -m bot keys` and `python -m bot sign-in`: who may come in."""

import argparse
import asyncio
import json
import sys
from typing import Final

from andon import wire
from bot.access import KeyKind, agent_name, person
from bot.app.local import known_url, local_person, sign_in_url
from bot.app.store import open_store
from bot.config import load_settings
from bot.exits import FAILED, FINE
from bot.store import Limits

_MOST: Final = 10_000_000

KEYS_HELP: Final = """usage: python -m bot keys create (--agent NAME | --person EMAIL | --admin NAME)
                                 [--owner EMAIL] [--per-minute N] [--burst N] [--open N] [--json]
       python -m bot keys list [--json]
       python -m bot keys revoke ID

  Make, list and end API keys. A key is shown once, when it is made; only its hash is kept.
  An agent's key asks and can never answer. A person's key answers as that person. An admin's key says where callbacks
  go, and can do nothing else.

  --agent NAME     make an agent's key
  --person EMAIL   make a person's key
  --admin NAME     make an admin's key
  --owner EMAIL    whose agent it is: where the policy says `not_requester`, they may say no to it, and not yes
  --per-minute N   asks a minute in the long run (default: 60)
  --burst N        asks at once (default: 20)
  --open N         asks open at a time (default: 50)
  --json           print JSON: {"key": "..."}

examples:
  python -m bot keys create --agent mailer
  python -m bot keys create --person ana@example.com --json
"""

SIGN_IN_HELP: Final = """usage: python -m bot sign-in [--person EMAIL] [--admin]

  Print a link that signs one person in to the web console, once, within 15 minutes.

  --person EMAIL   whom it signs in (default: you, the local user)
  --admin          also let them set up where callbacks go, on the page Endpoints

examples:
  python -m bot sign-in
  python -m bot sign-in --person ana@example.com
"""


def keys(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Make, list or end keys."""
    if not words or words[0] not in {"create", "list", "revoke"}:
        parser.error("say what to do with keys: create, list or revoke")
    action, rest = words[0], words[1:]
    if action == "create":
        parser.add_argument("--agent")
        parser.add_argument("--person")
        parser.add_argument("--admin")
        parser.add_argument("--owner")
        for name, standard in (("--per-minute", 60), ("--burst", 20), ("--open", 50)):
            parser.add_argument(name, type=_positive, default=standard)
    if action == "revoke":
        parser.add_argument("id")
    if action != "revoke":
        parser.add_argument("--json", action="store_true")
    given = parser.parse_args(rest)
    if action == "create" and sum(map(bool, (given.agent, given.person, given.admin))) != 1:
        parser.error("say whose key: --agent NAME, --person EMAIL or --admin NAME")
    if action == "create" and given.owner and not given.agent:
        parser.error("--owner says whose agent it is; it goes with --agent NAME")
    work = {"create": _create_key, "list": _list_keys, "revoke": _revoke_key}[action]
    return asyncio.run(work(given))


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
        msg = f"{text!r} is no limit: it takes a whole number from 1 to {_MOST}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


async def _create_key(given: argparse.Namespace) -> int:
    limits = Limits(per_minute=given.per_minute, burst=given.burst, open=given.open)
    kind: KeyKind = "person" if given.person else "admin" if given.admin else "agent"
    name = person(given.person).id if given.person else agent_name(given.admin or given.agent)
    owner = person(given.owner).id if given.owner else ""
    async with open_store(load_settings(), start=False) as opened:
        key = await opened.access.create_key(kind, name, limits, owner=owner)
    if given.json:
        print(json.dumps({"key": key, "kind": kind, "name": name}))
    else:
        print(key)
        print("This is the only time that it is shown; keep it in the environment as ANDON_KEY.", file=sys.stderr)
    return FINE


async def _list_keys(given: argparse.Namespace) -> int:
    async with open_store(load_settings(), start=False) as opened:
        found = await opened.access.keys()
    if given.json:
        fields = ("key_id", "kind", "name", "owner", "created", "last_used")
        print(json.dumps([{name: getattr(key, name) for name in fields} for key in found]))
    elif not found:
        print("There are no keys; make one: python -m bot keys create --agent NAME")
    else:
        print(f"{'ID':<10}{'KIND':<8}{'NAME':<32}{'CREATED':<27}{'LAST USED':<27}OWNER")
        for key in found:
            used = key.last_used or "never"
            line = f"{key.key_id:<10}{key.kind:<8}{key.name:<32}{key.created:<27}{used:<27}{key.owner}"
            print(line.rstrip())
    return FINE


async def _revoke_key(given: argparse.Namespace) -> int:
    async with open_store(load_settings(), start=False) as opened:
        if await opened.access.revoke_key(given.id):
            print(f"{given.id} is revoked.")
            return FINE
    print(f"andon: there is no key {given.id}; python -m bot keys list shows them", file=sys.stderr)
    return FAILED


def sign_in(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Print a link that signs somebody in."""
    parser.add_argument("--person")
    parser.add_argument("--admin", action="store_true")
    given = parser.parse_args(words)
    return asyncio.run(_signing_in(person(given.person) if given.person else local_person(), admin=given.admin))


async def _signing_in(who: wire.Actor, *, admin: bool) -> int:
    settings = load_settings()
    async with open_store(settings, start=False) as opened:
        link = await opened.access.create_link(who, admin=admin)
    print(sign_in_url(known_url(settings), link))
    return FINE
