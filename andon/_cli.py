"""The `andon` command: ask before you run, from a shell; and answer, from a terminal."""

import argparse
import asyncio
import logging
import re
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from andon._cli_help import HELP, MAIN

if TYPE_CHECKING:
    from andon._cli_run import Ending

__all__ = ["main"]

FAILED, USAGE, REJECTED, EXPIRED, STOPPED, UNREACHABLE, STEERED = 1, 2, 3, 4, 5, 6, 7
PATIENCE = timedelta(seconds=10)
"""How long a command tries to reach the service. Waiting for a person outlasts any outage."""

_BRAKES = ("stop", "pause", "resume", "abort", "steer")

_TIME = re.compile(r"(\d+)(s|m|h|d|)")
LONGEST_S = 7 * 86_400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows its number; a report must not fail over that.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # TextIOWrapper, unless tests replace it
    logging.basicConfig(format="andon: %(message)s", level=logging.WARNING)
    sys.exit(_main(list(sys.argv[1:] if argv is None else argv)))


def _main(argv: list[str]) -> int:
    given, command = argv, list[str]()
    if argv[:1] == ["run"] and "--" in argv:
        given, command = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    if {"-h", "--help"} & set(given):
        print(HELP.get(given[0], MAIN), end="")
        return 0
    options = _parser().parse_args(given)
    from andon._cli_run import Ending, UsageFault, tell
    from andon._cli_text import as_json

    if options.command == "run" and not command:
        tell("put the command after --, as in: andon run --why … --risk … -- make deploy")
        return USAGE
    ending = Ending()
    try:
        code = _with_signals(_dispatch(options, command, ending))
    except UsageFault as fault:
        tell(str(fault))
        return USAGE
    if options.command == "run" and options.json:
        ending.exit_code = code
        print(as_json(vars(ending)), file=sys.stderr, flush=True)
    return code


def _with_signals(work: Coroutine[None, None, int]) -> int:
    """Run to the end; a signal takes back what waits first, and then counts."""
    received: list[signal.Signals] = []

    async def watched() -> int:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        return 128 + received[0] if received else FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _dispatch(options: argparse.Namespace, command: list[str], ending: "Ending") -> int:
    # Here and not above, so that --help is quick.
    from pydantic import ValidationError

    from andon import _cli_ask, _cli_brake, _cli_people, _cli_run, _cli_text
    from andon._client import Andon
    from andon._errors import AndonError

    people = {
        "pending": _cli_people.pending,
        "show": _cli_people.show,
        "answer": _cli_people.answer,
        "brakes": _cli_brake.brakes,
        **dict.fromkeys(_BRAKES, _cli_brake.brake),
    }
    try:
        key = _cli_people.person_key(options) if options.command in people else None
        async with Andon(key=key, patience=PATIENCE) as andon:
            match options.command:
                case "run":
                    return await _cli_run.run(andon, options, command, ending)
                case "ask":
                    return await _cli_ask.ask(andon, options)
                case "choose":
                    return await _cli_ask.choose(andon, options)
                case name:
                    return await people[name](andon, options)
    except AndonError as error:
        text = _cli_text.said_of(error)
        ending.error = f"{text}; nothing was run" if options.command == "run" else text
        ending.interrupted(error)
        _cli_run.tell(ending.error)
        return _code(error)
    except ValidationError as error:
        for fault in error.errors():
            ending.error = _cli_text.for_terminal(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
            _cli_run.tell(ending.error)
        return USAGE


def _code(error: Exception) -> int:
    from andon import _errors as errors
    from andon._decisions import Expired

    match error:
        case errors.Refused(decision=Expired()):
            return EXPIRED
        case errors.Refused():
            return REJECTED
        case errors.Stopped() | errors.Conflict(name="handoff-held"):
            return STOPPED
        case errors.Steered():
            return STEERED
        case errors.ServiceUnavailable() | errors.NotConfigured() | errors.KeyRefused():
            return UNREACHABLE
        case errors.InvalidRequest():
            return USAGE
        case _:
            return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="andon", usage=_usage(MAIN), allow_abbrev=False, add_help=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", prog="andon")

    def add(name: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, usage=_usage(HELP[name]), allow_abbrev=False, add_help=False)

    run = add("run")
    run.add_argument("--why", type=_text, required=True)
    run.add_argument("--risk", type=_text, action="append", required=True)
    run.add_argument("--what", type=_text)
    run.add_argument("--env", action="append", default=[])
    run.add_argument("--reversible", action="store_true")
    run.add_argument("--gate", default="shell")
    run.add_argument("--quiet", action="store_true")
    run.add_argument("--timeout", type=_time)
    run.add_argument("--heartbeat", type=_heartbeat)

    ask = add("ask")
    ask.add_argument("question", type=_text, metavar="QUESTION")
    one = ask.add_mutually_exclusive_group()
    one.add_argument("--type", choices=("text", "int", "number", "bool", "date"), default="text")
    one.add_argument("--schema")
    choose = add("choose")
    choose.add_argument("question", type=_text, metavar="QUESTION")
    choose.add_argument("candidates", type=_text, nargs="+", metavar="CANDIDATE")
    for asking in (ask, choose):
        asking.add_argument("--why", type=_text)
        asking.add_argument("--risk", type=_text, action="append", default=[])
        asking.add_argument("--timeout", type=_time)

    pending = add("pending")
    pending.add_argument("--gate")
    show = add("show")
    answer = add("answer")
    for one_ask in (show, answer):
        one_ask.add_argument("id")
    answer.add_argument("answer", choices=("approve", "reject", "edit", "choose", "answer"))
    answer.add_argument("value", nargs="?")
    answer.add_argument("--digest")
    answer.add_argument("--reason")
    brakes = [add("brakes")]
    for name in _BRAKES:
        brakes.append(brake := add(name))
        if name == "steer":
            brake.add_argument("run", metavar="RUN")
            brake.add_argument("text", type=_text, metavar="TEXT")
            continue
        scope = brake.add_mutually_exclusive_group(required=True)
        scope.add_argument("run", nargs="?", metavar="RUN")
        scope.add_argument("--agent")
        scope.add_argument("--channel")
        scope.add_argument("--everything", action="store_true")
        brake.add_argument("--why", type=_text, dest="text")

    for people in (pending, show, answer, *brakes):
        people.add_argument("--key-file")
    for scripted in (run, ask, choose, pending, show, answer, *brakes):
        scripted.add_argument("--json", action="store_true")
    return parser


def _usage(text: str) -> str:
    return text.partition("\n\n")[0].removeprefix("usage: ")


def _time(text: str) -> int:
    read = _TIME.fullmatch(text)
    if read is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 30m, 2h or 1d")
    seconds = int(read[1]) * _SECONDS[read[2]]
    if not 1 <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text} is out of range; it takes 1s to 7d")
    return seconds


def _heartbeat(text: str) -> int:
    seconds = _time(text)
    if not 5 <= seconds <= 3_600:  # noqa: PLR2004  # as the protocol has it
        raise argparse.ArgumentTypeError(f"{text} is out of range; it takes 5s to 1h")
    return seconds


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is blank; a person reads it before deciding, so write a sentence")
    return text
