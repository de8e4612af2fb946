"""`python -m bot policy …`: for the people who write a policy. It reads files; only `replay` reads the store."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from andon import wire
from bot import replay_cli, risk
from bot.app.surfaces import reach_of
from bot.cards import term_in_words
from bot.config import load_settings
from bot.errors import ConfigError, faults_in
from bot.handoff import Risk
from bot.policy import (
    Difference,
    Example,
    Policy,
    Reach,
    Read,
    Scorer,
    compare,
    explain,
    needs,
    question_of,
    read,
    run_examples,
    schema,
    seconds,
    situation_of,
    text_of,
)
from bot.rehearsal import DAYS

_FINE, _FAILED = 0, 1
_MAX_ROWS: Final = 200
_NAMED: Final = 6
_MOST_DAYS: Final = 400


def run(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Run one of the policy commands; returns 0 fine, 1 failed. `parser.error` is for wrong usage."""
    commands: dict[str, Callable[[argparse.ArgumentParser, list[str]], int]] = {
        "check": _check,
        "explain": _explain,
        "test": _test,
        "diff": _diff,
        "replay": _replay,
        "schema": _schema,
    }
    if not words or words[0] not in commands:
        parser.error(f"say what to do with a policy: {', '.join(commands)}")
    return commands[words[0]](parser, words[1:])


def policy_notes(path: Path | None, reach: Reach) -> list[str]:
    """What `check` says of the policy that the settings name, and of what it is to reach people by.

    Raises:
        ConfigError: It cannot be used, or is not there.
    """
    if path is None:
        return ["policy: none, so everything is asked and any signed-in person may answer"]
    if not path.exists():
        raise ConfigError([f"there is no policy file {path}, so everything is asked; mend ANDON_POLICY"])
    found = _looked_over(path, reach)
    return [
        f"policy: {len(found.policy.rules)} rules, version {found.policy.version}",
        *(f"warning: {each}" for each in found.warnings),
        *(f"note: {each}" for each in found.notes),
    ]


def _looked_over(path: Path, reach: Reach) -> Read:
    """Read a file, and look up its scorer, its surfaces and who tells who is on call.

    Raises:
        ConfigError: With every fault.
    """
    found = read(text_of(path), path.name, reach=reach)
    if faults := risk.faults(found.policy.risk):
        raise ConfigError(faults)
    return found


def _file(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Path:
    name: str | None = given.file or os.environ.get("ANDON_POLICY")
    if not name:
        parser.error("name a file, or set ANDON_POLICY")
    return Path(name)


# --- check ---------------------------------------------------------------------------------------


def _check(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.add_argument("file", nargs="?")
    parser.add_argument("--strict", action="store_true")
    given = parser.parse_args(words)
    try:
        found = _looked_over(_file(parser, given), reach_of())
    except ConfigError as error:
        for fault in error.faults:
            print(f"fault: {fault}")
        print(f"{len(error.faults)} fault{'' if len(error.faults) == 1 else 's'}")
        return _FAILED
    for warning in found.warnings:
        print(f"warning: {warning}")
    for note in found.notes:
        print(f"note: {note}")
    policy, many = found.policy, len(found.warnings)
    print(f"policy: {len(policy.rules)} rules, {len(policy.examples)} examples, version {policy.version}")
    print(f"{many} warning{'' if many == 1 else 's'}" if many else "all fine")
    return _FAILED if many and given.strict else _FINE


# --- explain -------------------------------------------------------------------------------------


def _explain(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.add_argument("file", nargs="?")
    for name in ("ask", "tool", "gate", "agent", "kind", "timing", "run", "checkpoint", "requester", "timeout"):
        parser.add_argument(f"--{name}")
    for name in ("arg", "label"):
        parser.add_argument(f"--{name}", action="append", default=[])
    for name in ("confidence", "risk"):
        parser.add_argument(f"--{name}", type=float)
    for name in ("failures", "trusted"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--reversible", action="store_true", default=None)
    parser.add_argument("--on-timeout", dest="on_timeout")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    policy = read(text_of(_file(parser, given))).policy
    question = _question(parser, given)
    if question.risk is None and question.tool and needs(policy, situation_of(policy, question)).risk:
        scored = _score(
            policy,
            question.tool,
            question.args,
            gate=question.gate,
            agent=question.agent,
            reversible=question.reversible,
            requester=question.requester,
        )
        question = question.model_copy(update={"risk": scored.score})
        if not given.json:
            print(f"risk {scored.score:g}: {' '.join(scored.reasons) or 'no reason'}")
    told = explain(policy, question)
    print(told.model_dump_json(exclude_none=True, indent=2) if given.json else "\n".join(_lines(told)))
    return _FINE


def _question(parser: argparse.ArgumentParser, given: argparse.Namespace) -> wire.PolicyQuestion:
    body = _body(parser, given.ask) if given.ask else {}
    for name in (
        *("tool", "gate", "agent", "kind", "timing", "run", "checkpoint", "requester", "on_timeout"),
        *("confidence", "risk", "failures", "trusted", "reversible"),
    ):
        if (value := getattr(given, name)) is not None:
            body[name] = value
    if given.timeout is not None:
        try:
            body["timeout_s"] = seconds(given.timeout)
        except ValueError as error:
            parser.error(f"--timeout: {error}")
    for name, flag, value in (("args", "arg", _json_or_text), ("labels", "label", str)):
        if pairs := getattr(given, flag):
            there = body.get(name)
            body[name] = {**(there if isinstance(there, dict) else {}), **_pairs(parser, f"--{flag}", pairs, value)}
    try:
        return wire.PolicyQuestion.model_validate(body)
    except ValidationError as error:
        found = faults_in(error, wire.PolicyQuestion.model_fields)
        parser.error("; ".join(": ".join(filter(None, (each.field, each.detail))) for each in found))


def _body(parser: argparse.ArgumentParser, name: str) -> dict[str, Any]:
    """A JSON object from a file, or from standard input."""
    try:
        body = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"--ask {name}: {error}")
    if not isinstance(body, dict):
        parser.error(f"--ask {name}: it is no JSON object")
    return body


def _pairs(
    parser: argparse.ArgumentParser, flag: str, given: Sequence[str], value: Callable[[str], Any]
) -> dict[str, Any]:
    found = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not name or not equals:
            parser.error(f"{flag} takes NAME=VALUE, and not {each!r}")
        found[name] = value(text)
    return found


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _score(policy: Policy, tool: str, args: Mapping[str, Any], **about: Any) -> Risk:
    """What the policy's scorer says, as the service would ask it."""
    question = risk.RiskQuestion(tool=tool, args=args, **about)

    async def score() -> Risk:
        scoring = risk.Scoring()
        try:
            return await scoring.score(policy.risk or Scorer(), question)
        finally:
            await scoring.close()

    return asyncio.run(score())


def _lines(told: wire.Explanation) -> Iterator[str]:
    """An explanation as a person reads it."""
    yield f"{told.do}, by {f'rule {told.rule}' if told.rule else 'the defaults'} of policy {told.policy}"
    if told.reason:
        yield f"the agent reads: {told.reason}"
    yield "\nrules:"
    for each in told.tried:
        yield f"  {'+' if each.matched else '-'} {each.rule}: {each.why}"
    if not any(each.matched for each in told.tried):
        yield "  no rule matches, so the defaults hold"
    yield "\nsteps:"
    yield from (f"  {step}" for step in told.steps)
    if told.terms:
        yield "\nterms:"
    for term in told.terms:
        yield f"  {term.name + ':':16}{term_in_words(term)}  ({term.source}{'; ' + term.note if term.note else ''})"


# --- test ----------------------------------------------------------------------------------------


def _test(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.add_argument("file", nargs="?")
    path = _file(parser, parser.parse_args(words))
    policy = read(text_of(path), path.name).policy

    def score(example: Example) -> Risk | None:
        question = situation_of(policy, question_of(example))
        if not example.tool or not needs(policy, question).risk:
            return None
        return _score(
            policy,
            example.tool,
            example.args,
            gate=example.gate,
            agent=example.agent,
            reversible=example.reversible,
            requester=example.requester,
        )

    found = run_examples(policy, score)
    for each in found:
        print(f"{'FAIL' if each.differs else 'ok'}  {each.name}: {each.said}")
        for differs in each.differs:
            print(f"      {differs}")
        if each.differs:
            print(*(f"      | {step}" for step in each.steps), sep="\n")
    failed = sum(bool(each.differs) for each in found)
    print(f"{len(found)} examples, {failed} failed" if found else "there are no examples; write some under `examples:`")
    return _FINE if found and not failed else _FAILED


# --- diff ----------------------------------------------------------------------------------------


def _diff(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allow-looser", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    found = compare(*(read(text_of(path), path.name).policy for path in (given.old, given.new)))
    if given.json:
        differences = [asdict(each) for each in found.differences]
        print(json.dumps({"differences": differences, "tried": found.tried, "complete": found.complete}, indent=2))
    else:
        for way in ("looser", "tighter", "different"):
            rows = list(_grouped(each for each in found.differences if each.way == way))
            if rows:
                print(f"{way}:", *rows[:_MAX_ROWS], sep="\n  ")
            if rows[_MAX_ROWS:]:
                print(f"  and {len(rows) - _MAX_ROWS} more")
        if not found.complete:
            print("looser: not all actions could be tried, so this list may not be whole")
        print(f"{found.tried} actions tried; {'something' if found.is_looser else 'nothing'} becomes looser")
    return _FAILED if found.is_looser and not given.allow_looser else _FINE


def _grouped(found: Iterable[Difference]) -> Iterator[str]:
    """One line for what changes alike at several places."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in found:
        places.setdefault((each.says, each.when), []).append(each.about)
    for (says, when), abouts in places.items():
        more = f" and {len(abouts) - _NAMED} more" if len(abouts) > _NAMED else ""
        yield f"{', '.join(abouts[:_NAMED])}{more}: {says}{f' [{when}]' if when else ''}"


# --- replay --------------------------------------------------------------------------------------


def _replay(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.add_argument("new", type=Path)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    if not 1 <= given.days <= _MOST_DAYS:
        parser.error(f"--days takes 1 to {_MOST_DAYS}")
    changed = read(text_of(given.new), given.new.name)
    return asyncio.run(replay_cli.replay_file(load_settings(), changed, days=given.days, as_json=given.json))


# --- schema --------------------------------------------------------------------------------------


def _schema(parser: argparse.ArgumentParser, words: list[str]) -> int:
    parser.parse_args(words)
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return _FINE
