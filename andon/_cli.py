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

if TYPE_CHECKING:
    from andon._cli_run import Ending

__all__ = ["main"]

FAILED, USAGE, REJECTED, EXPIRED, STOPPED, UNREACHABLE = 1, 2, 3, 4, 5, 6
PATIENCE = timedelta(seconds=10)
"""How long a command tries to reach the service. Waiting for a person outlasts any outage."""

EXIT_CODES = """
exit codes:
  3 rejected, withdrawn or not delivered   4 nobody answered in time   5 stopped
  6 service unreachable   2 wrong usage   1 anything else that went wrong"""

MAIN = """usage: andon COMMAND …

  Ask a person before something happens, and go on with the answer.

  run       run a command, after a person has approved it
  ask       ask a question, print the answer
  choose    ask which one, print its id
  pending   list what waits for an answer
  show      show one ask in full
  answer    answer one, with a person's key

environment:
  ANDON_URL, ANDON_KEY   the service and a key (default: the local service's, from its state folder)

examples:
  andon run --why "The disk is full" --risk "Logs are gone for good" -- rm -rf /var/log/old
  andon ask "Which version do we release?"
"""

RUN = f"""usage: andon run --why TEXT --risk TEXT [options] -- COMMAND …

  Show a person the exact command, its folder and its environment changes, and run it only after approval:
  as edited, if it was edited.

  --why TEXT        what it is good for (required)
  --risk TEXT       what could go wrong (required; repeat it for more)
  --what TEXT       what it does, in words (default: the command itself)
  --env NAME=VALUE  set a variable for it (repeat it for more); NAME=VALUE before COMMAND does the same
  --reversible      it can be undone (default: it cannot); where the policy lets it run first and has people look at it
                    afterwards, this does not wait for them, and undoes nothing
  --timeout TIME    wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --gate NAME       the name of the point where this stops (default: shell)
  --quiet           do not say where it waits and who approved; what was edited, and what went wrong, is said
  --json            end with one line of JSON on standard error, its last, because standard output is the command's:
                    handoff, url, decision, by, reason, ran (the command as it ran, or null), review (where people look
                    at it afterwards, or null), exit_code, error

  The exit code is the command's own, 128 more than its signal if one killed it.
{EXIT_CODES}

examples:
  andon run --why "The disk is full" --risk "Logs are gone for good" -- rm -rf /var/log/old
  andon run --why "Release 1.4" --risk "Everybody gets it" --timeout 2h -- sh -c 'make release && make announce'
"""

ASK = f"""usage: andon ask QUESTION [options]

  Ask a person a question and print the answer: a text as it is, all else as JSON.

  --type TYPE     text, int, number, bool or date (default: text)
  --schema JSON   the JSON Schema of the answer, instead of a type
  --why TEXT      what you need it for
  --risk TEXT     what a wrong answer could do (repeat it for more)
  --timeout TIME  wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --json          print the whole decision as JSON
{EXIT_CODES}

examples:
  andon ask "Which version do we release?"
  andon ask "How many seats?" --type int --timeout 30m
"""

CHOOSE = f"""usage: andon choose QUESTION CANDIDATE … [options]

  Ask a person which one, and print its id. A candidate is ID=LABEL, or a label, whose number is then its id.

  --why TEXT      what you need it for
  --risk TEXT     what a wrong choice could do (repeat it for more)
  --timeout TIME  wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --json          print the whole decision as JSON
{EXIT_CODES}

examples:
  andon choose "Where do we deploy?" eu=Frankfurt us=Oregon
  andon choose "Which one?" "The red one" "The blue one"
"""

PENDING = """usage: andon pending [options]

  List what waits for an answer, most urgent first.

  --gate NAME      only of this gate (default: all)
  --key-file FILE  read the key from here (default: ANDON_KEY, or the local agent's)
  --json           one handoff as JSON a line

examples:
  andon pending
  andon pending --gate shell --json
"""

SHOW = """usage: andon show ID [options]

  Show one ask in full, with the digest of what would be approved.

  --key-file FILE  read the key from here (default: ANDON_KEY, or the local agent's)
  --json           the handoff as JSON

examples:
  andon show hf_7Q2
  andon show hf_7Q2 --json
"""

ANSWER = """usage: andon answer ID approve [options]
       andon answer ID reject [REASON] [options]
       andon answer ID edit JSON | choose CANDIDATE | answer VALUE [options]

  Answer as the person whose key this is. An approval names what it approves: with --digest, or by looking at it
  and typing y. `edit` takes all the arguments, changed, and approves them.

  --digest DIGEST  what you saw: 8 or more characters of the digest
  --reason TEXT    a remark
  --key-file FILE  read the person's key from here (default: ANDON_KEY)
  --json           print the handoff as JSON

examples:
  andon answer hf_7Q2 approve --digest 601734c9
  andon answer hf_7Q2 reject "Not before the audit"
"""

HELP = {"run": RUN, "ask": ASK, "choose": CHOOSE, "pending": PENDING, "show": SHOW, "answer": ANSWER}

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

    from andon import _cli_ask, _cli_people, _cli_run
    from andon._cli_text import for_terminal, said
    from andon._client import Andon
    from andon._errors import AndonError, Refused

    people = {"pending": _cli_people.pending, "show": _cli_people.show, "answer": _cli_people.answer}
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
        text = said(error.decision) if isinstance(error, Refused) else for_terminal(str(error))
        ending.error = f"{text}; nothing was run" if options.command == "run" else text
        _cli_run.tell(ending.error)
        return _code(error)
    except ValidationError as error:
        for fault in error.errors():
            ending.error = for_terminal(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
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
        case errors.Stopped() | errors.ClaimRefused(name="handoff-held"):
            return STOPPED
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
    for people in (pending, show, answer):
        people.add_argument("--key-file")
    for scripted in (run, ask, choose, pending, show, answer):
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


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is blank; a person reads it before deciding, so write a sentence")
    return text
