"""What a payment may cost. Pure; it knows no exchange rates, so a number counts the same in every currency."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bot.risk._question import HIGH, MEDIUM, SERIOUS, Finding, quoted

_BANDS: Final = ((10_000, 1.0), (1_000, HIGH), (100, SERIOUS), (0, MEDIUM))
_MINOR: Final = ("cents", "minor", "pence", "amount_cents")


def payment(amount: Any, currency: str, name: str) -> Iterator[Finding]:
    """What there is to say of an amount of money."""
    number = _number(amount)
    if number is None:
        yield Finding(HIGH, f"It is about money, and how much cannot be read: {quoted(str(amount)[:60])}.")
        return
    if any(part in name.casefold() for part in _MINOR):
        number /= 100
    said = quoted(f"{number.normalize():f} {currency}".strip())
    if number < 0:
        yield Finding(HIGH, f"It is about a negative amount: {said}.")
        return
    yield Finding(next(score for least, score in _BANDS if number >= least), f"It moves money: {said}.")


def _number(amount: Any) -> Decimal | None:
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return None
    try:
        number = Decimal(str(amount).strip().removeprefix("+")[:40])
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 18 else None
