"""`andon ask` and `andon choose`: a question from a shell script."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from andon._cli_run import UsageFault, labels, tell
from andon._cli_text import as_json, for_terminal, harmless, interruption, said
from andon._client import Andon
from andon._decisions import Answered, Chosen
from andon._errors import Steered, Stopped, refused

__all__ = ["TYPES", "ask", "choose"]

TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
}


async def ask(andon: Andon, options: argparse.Namespace) -> int:
    """Ask a question and print the answer: a text as it is, all else as JSON."""
    schema = TYPES[options.type] if options.schema is None else _object(options.schema, "--schema")
    await _put(andon, options, {"kind": "input", "gate": "ask", "answer_schema": schema})
    return 0


async def choose(andon: Andon, options: argparse.Namespace) -> int:
    """Ask which one and print its id."""
    candidates = _candidates(options.candidates)
    await _put(andon, options, {"kind": "choice", "gate": "choose", "candidates": candidates})
    return 0


async def _put(andon: Andon, options: argparse.Namespace, fields: dict[str, Any]) -> None:
    asked = {
        **fields,
        "question": options.question,
        "why": options.why or "",
        "risks": options.risk,
        "timeout_s": options.timeout,
    }
    async with andon.run("andon " + options.command, labels=labels()) as job:
        try:
            handoff = await job.open(asked)
            if handoff.decision is None:
                tell(f"waiting for a person: {handoff.url}")
            decision = await handoff.attend()
        except (Stopped, Steered) as error:
            if options.json:
                print(as_json(interruption(error)))
            raise
        if options.json:
            print(harmless(decision.model_dump_json(exclude={"candidate"})))
        if not isinstance(decision, Answered | Chosen):
            raise refused(decision)
        # The claim tells people that their answer arrived, and refuses if somebody pulled the cord meanwhile.
        permit = await handoff.claim()
        tell(said(decision))
        if not options.json:
            answer = decision.choice if isinstance(decision, Chosen) else permit.decided["answer"]
            print(for_terminal(answer) if isinstance(answer, str) else as_json(answer))


def _candidates(given: Sequence[str]) -> list[dict[str, str]]:
    """Read `id=label` or `label`, whose number from 1 on is then its id."""
    made = []
    for number, text in enumerate(given, start=1):
        id_, found, label = text.partition("=")
        if found and not (id_.strip() and label.strip()):
            raise UsageFault(f"{text!r} is half a candidate: write ID=LABEL, or a label")
        made.append({"id": id_, "label": label} if found else {"id": str(number), "label": text})
    return made


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageFault(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageFault(f"{name} is not a JSON object")
    return value
