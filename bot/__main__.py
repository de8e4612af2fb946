"""The service's command line: `python -m bot`. Each command is imported when it is called, with what it needs."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from bot.app.version import VERSION
from bot.errors import BadRequest, BotError, ConfigError
from bot.exits import FAILED, FINE, WRONG

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


_Command = tuple[str, Callable[[argparse.ArgumentParser, list[str]], int]]
"""Its help, and what does it."""


def _serve(_: list[str]) -> _Command:
    from bot.serve_cli import HELP, run

    return HELP, run


def _check(_: list[str]) -> _Command:
    from bot.check_cli import HELP, run

    return HELP, run


def _keys(_: list[str]) -> _Command:
    from bot.access_cli import KEYS_HELP, keys

    return KEYS_HELP, keys


def _endpoints(_: list[str]) -> _Command:
    from bot.endpoints_cli import HELP, run

    return HELP, run


def _grants(_: list[str]) -> _Command:
    from bot.grants_cli import HELP, run

    return HELP, run


def _trust(_: list[str]) -> _Command:
    from bot.trust_cli import HELP, run

    return HELP, run


def _sign_in(_: list[str]) -> _Command:
    from bot.access_cli import SIGN_IN_HELP, sign_in

    return SIGN_IN_HELP, sign_in


def _manifest(_: list[str]) -> _Command:
    from bot.manifest_cli import HELP, run

    return HELP, run


def _backup(_: list[str]) -> _Command:
    from bot.backup_cli import BACKUP_HELP, run_backup

    return BACKUP_HELP, run_backup


def _restore(_: list[str]) -> _Command:
    from bot.backup_cli import RESTORE_HELP, run_restore

    return RESTORE_HELP, run_restore


def _policy(words: list[str]) -> _Command:
    from bot.policy_cli import run
    from bot.policy_help import text_for

    return text_for(words), run


_COMMANDS: Final[Mapping[str, Callable[[list[str]], _Command]]] = {
    "serve": _serve,
    "check": _check,
    "policy": _policy,
    "keys": _keys,
    "endpoints": _endpoints,
    "grants": _grants,
    "trust": _trust,
    "sign-in": _sign_in,
    "manifest": _manifest,
    "backup": _backup,
    "restore": _restore,
}


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: C901  # one line an error, read as a table
    """Run one command; returns 0 fine, 1 failed, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_TOP, end="")
        return FINE if words else WRONG
    if words[0] == "--version":
        print(VERSION)
        return FINE
    command, rest = words[0], words[1:]
    if command not in _COMMANDS:
        print(f"andon: there is no command {command!r}; python -m bot --help lists them", file=sys.stderr)
        return WRONG
    text, run = _COMMANDS[command](rest)
    if "-h" in rest or "--help" in rest:
        print(text, end="")
        return FINE
    try:
        return run(_Parser(text), rest)
    except _Usage as error:
        usage = text.partition("\n\n")[0]
        print(f"andon: {error}\n\n{usage}", file=sys.stderr)
        return WRONG
    except ConfigError as error:
        for fault in error.faults:
            print(f"andon: {fault}", file=sys.stderr)
        return FAILED
    except BadRequest as error:
        print(f"andon: {error}", file=sys.stderr)
        return WRONG
    except BotError as error:
        print(f"andon: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
