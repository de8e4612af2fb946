"""The service's command line: `python -m bot`."""

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from andon import wire
from bot import (
    backup_cli,
    endpoints_cli,
    grants_cli,
    logs,
    manifest_cli,
    policy_cli,
    policy_help,
    tracing,
    trust_cli,
)
from bot.access import KeyKind, agent_name, person
from bot.app import (
    VERSION,
    check_slack,
    check_teams,
    known_url,
    local_person,
    open_store,
    reach_of,
    service,
    sign_in_url,
)
from bot.cards.view import NO_POLICY
from bot.config import Settings, load_settings, unknown_settings
from bot.errors import BadRequest, BotError, ConfigError, StoreUnavailable
from bot.idle import allow_many_files
from bot.store import Limits

_FINE, _FAILED, _WRONG = 0, 1, 2
_MOST: Final = 10_000_000

_TOP: Final = """usage: python -m bot COMMAND [options]

  Run Andon: agents ask over HTTP, people answer in chat or in the browser.

  serve     take asks and show them
  check     look over settings, store and policy; list every fault
  policy    check, explain, test and compare policy files
  keys      create, list and revoke the keys of agents and people
  trust     list trust ramps, and let them start over
  endpoints say where callbacks go, and replay what could not be delivered
  grants    list and end what people let run without being asked again
  sign-in   print a one-time link to the web console
  manifest  write the app package for Microsoft Teams
  backup    write all that the embedded store holds into a file
  restore   put a backup back

examples:
  python -m bot serve --port 8080
  python -m bot keys create --agent mailer
"""

_SERVE: Final = """usage: python -m bot serve [--host ADDRESS] [--port N]

  Take asks over HTTP and show them in the web console.

  --host ADDRESS   listen on this address (default: 127.0.0.1, or ANDON_HOST)
  --port N         listen on this port; 0 picks one (default: 8080, or ANDON_PORT)

examples:
  python -m bot check        # settings, store and policy, then exit
  python -m bot serve --port 8080
"""

_CHECK: Final = """usage: python -m bot check

  Look over settings, store, permissions, policy and, when they are set up, Slack (tokens, scopes, the way in, the
  default channel) and Teams (the app's token, signing keys, the way in, where it is installed). List every fault at
  once, and exit: 0 fine, 1 not.

examples:
  python -m bot check
  ANDON_REDIS_URL=redis://localhost:6379 python -m bot check
"""

_KEYS: Final = """usage: python -m bot keys create (--agent NAME | --person EMAIL | --admin NAME)
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

_SIGN_IN: Final = """usage: python -m bot sign-in [--person EMAIL] [--admin]

  Print a link that signs one person in to the web console, once, within 15 minutes.

  --person EMAIL   whom it signs in (default: you, the local user)
  --admin          also let them set up where callbacks go, on the page Endpoints

examples:
  python -m bot sign-in
  python -m bot sign-in --person ana@example.com
"""


class _Usage(Exception):
    """Wrong words on the command line."""


class _Parser(argparse.ArgumentParser):
    """Shows help that we wrote, and ends with 2 and one clear sentence on wrong usage."""

    def __init__(self, text: str) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self._text = text
        self.add_argument("-h", "--help", action="store_true")

    def format_help(self) -> str:
        return self._text

    def error(self, message: str) -> NoReturn:
        raise _Usage(message)


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: C901  # one line an error, read as a table
    """Run one command; returns 0 fine, 1 failed, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_TOP, end="")
        return _FINE if words else _WRONG
    if words[0] == "--version":
        print(VERSION)
        return _FINE
    command, rest = words[0], words[1:]
    known: dict[str, tuple[str, Callable[[_Parser, list[str]], int]]] = {
        "serve": (_SERVE, _serve),
        "check": (_CHECK, _check),
        "policy": (policy_help.text_for(rest), policy_cli.run),
        "keys": (_KEYS, _keys),
        "endpoints": (endpoints_cli.HELP, endpoints_cli.run),
        "grants": (grants_cli.HELP, _grants),
        "trust": (trust_cli.HELP, _trust),
        "sign-in": (_SIGN_IN, _sign_in),
        "manifest": (manifest_cli.HELP, _manifest),
        "backup": (backup_cli.BACKUP_HELP, _backup),
        "restore": (backup_cli.RESTORE_HELP, _restore),
    }
    if command not in known:
        print(f"andon: there is no command {command!r}; python -m bot --help lists them", file=sys.stderr)
        return _WRONG
    text, run = known[command]
    if "-h" in rest or "--help" in rest:
        print(text, end="")
        return _FINE
    try:
        return run(_Parser(text), rest)
    except _Usage as error:
        usage = text.partition("\n\n")[0]
        print(f"andon: {error}\n\n{usage}", file=sys.stderr)
        return _WRONG
    except ConfigError as error:
        for fault in error.faults:
            print(f"andon: {fault}", file=sys.stderr)
        return _FAILED
    except BadRequest as error:
        print(f"andon: {error}", file=sys.stderr)
        return _WRONG
    except BotError as error:
        print(f"andon: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return 130


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where there is one."""
    try:
        import uvloop  # optional
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def _serve(parser: _Parser, words: list[str]) -> int:
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(words)
    settings = load_settings(host=given.host, port=given.port)
    logs.set_up(form=settings.log, level=settings.log_level, secrets=settings.secrets, trace=tracing.current_id)
    return _run(_serving(settings))


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
    return _FINE


def _check(parser: _Parser, words: list[str]) -> int:
    parser.parse_args(words)
    logging.disable(logging.WARNING)  # the list below says it all
    return _run(_checking())


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
    return _FAILED if faults else _FINE


def _keys(parser: _Parser, words: list[str]) -> int:
    if not words or words[0] not in {"create", "list", "revoke"}:
        raise _Usage("say what to do with keys: create, list or revoke")
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
        raise _Usage("say whose key: --agent NAME, --person EMAIL or --admin NAME")
    if action == "create" and given.owner and not given.agent:
        raise _Usage("--owner says whose agent it is; it goes with --agent NAME")
    work = {"create": _create_key, "list": _list_keys, "revoke": _revoke_key}[action]
    return _run(work(given))


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
    return _FINE


async def _list_keys(given: argparse.Namespace) -> int:
    async with open_store(load_settings(), start=False) as opened:
        keys = await opened.access.keys()
    if given.json:
        fields = ("key_id", "kind", "name", "owner", "created", "last_used")
        print(json.dumps([{name: getattr(key, name) for name in fields} for key in keys]))
    elif not keys:
        print("There are no keys; make one: python -m bot keys create --agent NAME")
    else:
        print(f"{'ID':<10}{'KIND':<8}{'NAME':<32}{'CREATED':<27}{'LAST USED':<27}OWNER")
        for key in keys:
            used = key.last_used or "never"
            line = f"{key.key_id:<10}{key.kind:<8}{key.name:<32}{key.created:<27}{used:<27}{key.owner}"
            print(line.rstrip())
    return _FINE


async def _revoke_key(given: argparse.Namespace) -> int:
    async with open_store(load_settings(), start=False) as opened:
        if await opened.access.revoke_key(given.id):
            print(f"{given.id} is revoked.")
            return _FINE
    print(f"andon: there is no key {given.id}; python -m bot keys list shows them", file=sys.stderr)
    return _FAILED


def _grants(parser: _Parser, words: list[str]) -> int:
    if not words or words[0] not in {"list", "revoke"}:
        raise _Usage("say what to do with grants: list or revoke")
    if words[0] == "revoke":
        parser.add_argument("id")
        return _run(grants_cli.revoke_grant(load_settings(), parser.parse_args(words[1:]).id))
    parser.add_argument("--agent")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words[1:])
    return _run(grants_cli.list_grants(load_settings(), given.agent, as_json=given.json))


def _trust(parser: _Parser, words: list[str]) -> int:
    if not words or words[0] not in {"list", "reset"}:
        raise _Usage("say what to do with trust: list or reset")
    if words[0] == "reset":
        parser.add_argument("key")
        return _run(trust_cli.reset_trust(load_settings(), parser.parse_args(words[1:]).key))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words[1:])
    return _run(trust_cli.list_trust(load_settings(), as_json=given.json))


def _manifest(parser: _Parser, words: list[str]) -> int:
    parser.add_argument("--teams", type=Path)
    parser.add_argument("--name")
    parser.add_argument("--version")
    parser.add_argument("--id", dest="app_id")
    parser.add_argument("--developer")
    parser.add_argument("--mentions-only", action="store_true")
    given = vars(parser.parse_args(words))
    given.pop("help")
    file = given.pop("teams")
    if not file:
        raise _Usage("say where to write it: --teams FILE")
    return manifest_cli.write_teams(load_settings(), file, **given)


def _backup(parser: _Parser, words: list[str]) -> int:
    parser.add_argument("file", type=Path)
    return _run(backup_cli.backup(load_settings(), parser.parse_args(words).file))


def _restore(parser: _Parser, words: list[str]) -> int:
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--replace", action="store_true")
    parser.add_argument("--done", action="store_true")
    given = parser.parse_args(words)
    if bool(given.file) == given.done:
        raise _Usage("name the backup: restore FILE; or, where Redis' own tools restored it: restore --done")
    if given.done:
        return _run(backup_cli.hold_everything(load_settings()))
    return _run(backup_cli.restore(load_settings(), given.file, replace=given.replace))


def _sign_in(parser: _Parser, words: list[str]) -> int:
    parser.add_argument("--person")
    parser.add_argument("--admin", action="store_true")
    given = parser.parse_args(words)
    return _run(_signing_in(person(given.person) if given.person else local_person(), admin=given.admin))


async def _signing_in(who: wire.Actor, *, admin: bool) -> int:
    settings = load_settings()
    async with open_store(settings, start=False) as opened:
        link = await opened.access.create_link(who, admin=admin)
    print(sign_in_url(known_url(settings), link))
    return _FINE


if __name__ == "__main__":
    sys.exit(main())
