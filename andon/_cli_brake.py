"""`andon stop`, `pause`, `resume`, `abort`, `steer` and `brakes`: the cord, for people at a terminal."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from andon import wire
from andon._cli_people import GIVE_ONE
from andon._cli_run import UsageFault, tell
from andon._cli_text import at, duration, harmless, line
from andon._client import Andon
from andon._errors import AndonError, KeyRefused
from andon._places import place
from andon._scopes import as_arguments

__all__ = ["brake", "brakes"]

_DONE: Final = {"stop": "stopped", "pause": "paused", "abort": "ended", "steer": "told"}
_MOST: Final = 20
"""Actions in flight that a receipt names."""


async def brake(andon: Andon, options: argparse.Namespace) -> int:
    """Pull or lift a brake, and say what that did."""
    order = wire.WideBrake(action=options.command, text=options.text, scope=_scope(options))
    try:
        receipt = await andon.api.brake(order, idempotency_key=uuid4().hex)
    except KeyRefused as error:
        raise _understood(error) from error
    if options.json:
        print(harmless(receipt.model_dump_json(exclude_none=True)))
        return 0
    for text in _told(order, receipt, datetime.now(UTC)):
        print(line(text))
    return 0


async def brakes(andon: Andon, options: argparse.Namespace) -> int:
    """List the brakes that are on."""
    try:
        found = (await andon.api.brakes()).brakes
    except KeyRefused as error:
        raise _understood(error) from error
    now = datetime.now(UTC)
    for each in found:
        if options.json:
            print(harmless(each.model_dump_json(exclude_none=True)))
            continue
        ago = duration((now - each.at).total_seconds())
        print(line(f"{each.action:<5}  {ago:>6}  {as_arguments(each.scope)}  {_since(each)}"))
    if not found and not options.json:
        tell("nothing is held")
    return 0


def _scope(options: argparse.Namespace) -> wire.BrakeScope:
    if options.run is not None:
        if not options.run.startswith("run_"):
            raise UsageFault(f"{options.run!r} is no run; its id begins with run_")
        return wire.BrakeScope(run=options.run)
    if options.agent is not None:
        return wire.BrakeScope(agent=options.agent)
    if options.channel is not None:
        try:
            return wire.BrakeScope(conversation=place(options.channel))
        except ValueError as error:
            raise UsageFault(f"--channel {options.channel}: write SURFACE:CHANNEL, such as slack:C0123ABCD") from error
    return wire.BrakeScope(everything=True)


def _understood(error: KeyRefused) -> Exception:
    if error.name == "forbidden":
        return UsageFault(f"that key is an agent's, and the brake takes a person's. {GIVE_ONE}")
    return AndonError(str(error)) if error.name == "not-an-approver" else error


def _told(order: wire.WideBrake, receipt: wire.BrakeReceipt, now: datetime) -> Iterator[str]:
    """Say what it did, what it could not stop, and how to go on."""
    it, stands = as_arguments(receipt.scope), receipt.brake
    match receipt.did:
        case "pulled":
            ended = "ended" if order.action == "abort" else "on hold"
            yield f"{_DONE[order.action]} {it}: {_count(receipt.held, 'ask')} {ended}"
        case "stands" if stands and stands.action == "abort":
            yield f"{it} was ended for good, {_since(stands)}{'; nobody was told' * (order.action == 'steer')}"
        case "stands" if stands and order.action == "steer":
            yield f"told {it}, which reads it once it goes on: {_DONE[stands.action]} {_since(stands)}"
        case "stands" if stands:
            yield f"{it} is {_DONE[stands.action]} already, {_since(stands)}; {_count(receipt.held, 'ask')} on hold"
        case "lifted":
            yield f"resumed {it}: {_count(receipt.held, 'ask')} waiting again"
        case "off":
            yield f"nothing of its own held {it}"
        case _:
            yield f"nothing changed: {it} was resumed since, or something newer holds it"
    yield from _missed(receipt)
    yield from _flying(receipt, now)
    for other in receipt.still:
        yield f"still {_DONE[other.action]} {_since(other)}; lift that with: andon resume {as_arguments(other.scope)}"
    if receipt.did in {"pulled", "stands"} and stands and stands.action in {"stop", "pause"}:
        yield f"resume with: andon resume {it}"
    if receipt.did == "pulled" and order.action == "steer" and not receipt.still:
        yield "it goes on as soon as its agent has read that"


def _since(brake: wire.Braked) -> str:
    return f"by {brake.by.name} at {at(brake)}{f': {brake.text}' if brake.text else ''}"


def _missed(receipt: wire.BrakeReceipt) -> Iterator[str]:
    """Say where a channel was named in a way in which no run names it."""
    if receipt.scope.conversation and not receipt.runs and receipt.did in {"pulled", "stands", "off"}:
        yield "no run that asks anything names the channel just so; to runs, #ops and C0123ABCD are two channels"


def _flying(receipt: wire.BrakeReceipt, now: datetime) -> Iterator[str]:
    if receipt.did not in {"pulled", "stands"}:
        return
    if not receipt.in_flight:
        yield "no action in flight"
        return
    many = "or more " if len(receipt.in_flight) == _MOST else ""
    yield f"{_count(len(receipt.in_flight), 'action', many)} in flight, claimed before; nothing can recall that:"
    for each in receipt.in_flight:
        ago = duration((now - each.claimed_at).total_seconds())
        yield f"  {each.handoff}  {each.what}  (claimed {ago} ago, in {each.run})"


def _count(number: int, what: str, many: str = "") -> str:
    return f"{number} {many}{what}" if number == 1 else f"{number} {many}{what}s"
