"""`andon pending`, `show` and `answer`: for the people who decide, from a terminal."""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from andon import wire
from andon._cli_run import UsageFault, tell
from andon._cli_text import card, duration, harmless, line, said
from andon._client import Andon
from andon._errors import AndonError, NotFound

__all__ = ["GIVE_ONE", "answer", "pending", "person_key", "show"]

GIVE_ONE = (
    "Give a person's, with ANDON_KEY or --key-file "
    "(beside the service, `python -m bot keys create --person EMAIL` makes one)"
)
NO_AGENTS = f"an agent's key can never answer. {GIVE_ONE}"
DIGEST_CHARS = 8
PAGE = "100"


def person_key(options: argparse.Namespace) -> str | None:
    """Return the key to read or answer with: from the file, or the environment.

    Raises:
        UsageFault: It takes a person's, and there is none: the local agent's key cannot do it.
    """
    if options.key_file is not None:
        try:
            return Path(options.key_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageFault(f"--key-file {options.key_file}: {error.strerror}") from error
    key = os.environ.get("ANDON_KEY")
    if options.command == "answer" and not key:
        raise UsageFault(f"answering needs a person's key; {NO_AGENTS}")
    if options.command not in {"pending", "show"} and not key:
        raise UsageFault(f"the brake takes a person's key. {GIVE_ONE}")
    return key


async def pending(andon: Andon, options: argparse.Namespace) -> int:
    """List what waits for an answer, most urgent first."""
    query = {"state": "pending", "limit": PAGE} | ({} if options.gate is None else {"gate": options.gate})
    found: list[wire.Handoff] = []
    while True:
        page = await andon.api.page(**query)
        found += page.handoffs
        if page.cursor is None:
            break
        query["cursor"] = page.cursor
    if options.json:
        for handoff in found:
            print(harmless(handoff.model_dump_json(by_alias=True)))
        return 0
    now = datetime.now(UTC)
    for handoff in found:
        ask = handoff.ask
        what = ask.what if isinstance(ask, wire.Confirmation) else ask.question
        left = duration((handoff.expires_at - now).total_seconds())
        print(f"{handoff.id}  {left:>6} left  {line(f'{handoff.agent}/{ask.gate}: {what}')}")
    if not found:
        tell("nothing waits for an answer")
    return 0


async def show(andon: Andon, options: argparse.Namespace) -> int:
    """Print one card in full."""
    handoff = await andon.api.read(options.id)
    print(harmless(handoff.model_dump_json(by_alias=True)) if options.json else card(handoff, datetime.now(UTC)))
    return 0


async def answer(andon: Andon, options: argparse.Namespace) -> int:
    """Answer as the person whose key this is, and say what stands."""
    try:
        handoff = await andon.api.read(options.id)
    except NotFound as error:
        raise AndonError(f"{error}; and if that is an agent's key: {NO_AGENTS}") from error
    if handoff.token is not None:
        # The service gives it to the asking agent alone.
        raise UsageFault(f"that key is an agent's, and {NO_AGENTS}")
    made = _answer(handoff, options, _seen_digest(handoff, options))
    after = await andon.api.answer(handoff.id, made, idempotency_key=uuid4().hex)
    if options.json:
        print(harmless(after.model_dump_json(by_alias=True)))
    elif after.decision is not None:
        print(said(after.decision))
    return 0


def _seen_digest(handoff: wire.Handoff, options: argparse.Namespace) -> str | None:
    """Return the digest of what the person has seen; an approval without one is refused here."""
    given = options.digest
    if given is not None:
        if len(given) < DIGEST_CHARS:
            raise UsageFault(f"--digest {given}: give at least {DIGEST_CHARS} characters of it")
        if not handoff.digest.startswith(given.lower()):
            raise AndonError(f"{handoff.id} has the digest {handoff.digest}, not {given}: it changed; look again")
        return handoff.digest
    if options.answer != "approve":
        return None
    if not sys.stdin.isatty():
        raise UsageFault(f"say what you approve: --digest {handoff.digest[:12]} (andon show {handoff.id} shows it)")
    print(card(handoff, datetime.now(UTC)), file=sys.stderr)
    print("Approve exactly this? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise AndonError("not approved; it still waits")
    return handoff.digest


def _answer(handoff: wire.Handoff, options: argparse.Namespace, digest: str | None) -> wire.Answer:
    seen: dict[str, Any] = {"revision": handoff.revision, "digest": digest}
    value: str | None = options.value
    match options.answer:
        case "approve":
            return wire.Approve(**seen, reason=options.reason or value)
        case "reject":
            return wire.Reject(**seen, reason=options.reason or value)
        case "choose":
            return wire.Choose(**seen, choice=_given(value, "a candidate's id"), reason=options.reason)
        case "edit":
            args = _json(_given(value, "the arguments as a JSON object"))
            if not isinstance(args, dict):
                raise UsageFault('the arguments are a JSON object, such as \'{"to": "bob@example.com"}\'')
            return wire.Edit(**seen, args=args, reason=options.reason)
        case _:
            text = _given(value, "the answer")
            ask = handoff.ask
            a_text = isinstance(ask, wire.Input) and ask.answer_schema.get("type") == "string"
            return wire.Reply(**seen, answer=text if a_text else _json(text))


def _given(value: str | None, what: str) -> str:
    if value is None:
        raise UsageFault(f"give {what}")
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageFault(f"{text!r} is not JSON: {error}; a text in JSON has quotes of its own") from error
