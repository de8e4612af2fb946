"""What a press on the brake did, in sentences for whoever pressed. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from andon import wire
from bot.cards.brakes import pulled, scope_in_words
from bot.cards.runs import Flight, flight, place_in_words

_MOST_FLIGHTS: Final = 20
"""A receipt names no more of them."""
_LATER: Final = "Resume lets it go on, with the time that is left."


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """What a press did."""

    headline: str
    lines: tuple[str, ...]
    flights: tuple[Flight, ...] = ()
    """Claimed before the press: they cannot be recalled."""
    flying: str = ""
    """How many those are, in a sentence; empty: none."""


def receipt_view(receipt: wire.BrakeReceipt, action: str, standing: Collection[wire.Braked]) -> ReceiptView:
    """A receipt for whoever ordered `action`; `standing` are the brakes that are on now, after it."""
    brake, scope = receipt.brake, receipt.scope
    is_on = action == "abort" or any(each.scope == scope for each in standing)
    match receipt.did:
        case "stands" if brake and brake.action == "abort":
            words = ("Nobody was told.",) if action == "steer" else ()
            return ReceiptView("It has ended", (pulled(brake), *words), *_flying(receipt))
        case "pulled" | "stands" if not is_on and action == "steer":
            return ReceiptView("The agent is told", ("It has read your words already, or somebody resumed it.",))
        case "pulled" | "stands" if not is_on:  # the same order again, from a page that was left and come back to
            return ReceiptView("Nothing holds it now", ("This press counted once, and was lifted since.",))
        case "pulled":
            headline, lines = _pulled(receipt, action)
            return ReceiptView(headline, lines, *_flying(receipt))
        case "stands" if brake:
            words = ("Your words wait for the agent.",) if action == "steer" else ()
            return ReceiptView("It was on already", (pulled(brake), *words), *_flying(receipt))
        case "lifted":
            still = tuple(_still(scope, each) for each in receipt.still)
            again = (_waits_again(receipt.held),) if receipt.held or not still else ()
            return ReceiptView(f"Resumed: {_named(scope)}", (*still, *again))
        case "old" if brake:
            return ReceiptView("Nothing was lifted", ("Something newer stands:", pulled(brake)))
    return ReceiptView("Nothing was changed", ("It had been resumed already.",))


def _pulled(receipt: wire.BrakeReceipt, action: str) -> tuple[str, tuple[str, ...]]:
    named, held = _named(receipt.scope), receipt.held
    asks = f"{held:,} ask{'' if held == 1 else 's'}"
    if action == "abort":
        ended = f"{asks} ended with it." if held else "Nothing was open in it."
        return f"Ended: {named}", (ended, "It can never go on.")
    holds = f"{asks} {'is' if held == 1 else 'are'} on hold, and nothing new can begin."
    first = holds if held else "Nothing was open; nothing new can begin."
    if action == "steer":
        return "The agent is told", (first, "It goes on by itself once the agent has read your words.")
    return f"{'Paused' if action == 'pause' else 'Stopped'}: {named}", (first, _LATER)


def _flying(receipt: wire.BrakeReceipt) -> tuple[tuple[Flight, ...], str]:
    count = len(receipt.in_flight)
    if not count:
        return (), ""
    more = " or more" if count >= _MOST_FLIGHTS else ""
    many = f"{count}{more} actions are" if count > 1 else "1 action is"
    told = f"{many} in flight: claimed before, and no stop recalls what was claimed."
    return tuple(flight(each) for each in receipt.in_flight), told


def _still(scope: wire.BrakeScope, brake: wire.Braked) -> str:
    if scope.run is not None or brake.scope.everything:
        return f"It is still held: {pulled(brake)}"
    return f"Part of it is still held: {pulled(brake, 'one run' if brake.scope.run else '')}"


def _waits_again(held: int) -> str:
    if not held:
        return "Nothing waits for an answer."
    return f"{held:,} asks wait again." if held > 1 else "1 ask waits again."


def _named(scope: wire.BrakeScope) -> str:
    if scope.conversation is not None:
        return f"every run in {place_in_words(scope.conversation)}"
    return "everything" if scope.everything is not None else scope_in_words(scope)
