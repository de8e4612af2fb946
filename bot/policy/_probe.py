"""Actions made up of a condition's own words, to see what it makes of them. Pure: the same words, the same actions."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.policy._words import MACROS, Word

_MADE: Final = 48
_TEXTS: Final = ("tool", "gate", "agent", "run", "requester", "checkpoint")


def made_up(found: tuple[Word, ...], most: int = _MADE) -> Iterator[dict[str, Any]]:
    """Every variable of a condition, at most so many times; the plainest first."""
    values = literals(found)
    paths = dict.fromkeys(path for root, path in reached(found) if root == "args" and path)
    labels = dict.fromkeys(path[0] for root, path in reached(found) if root == "labels" and path)
    numbers = [float(each) for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    texts = ["", *(each for each in values if isinstance(each, str))]
    drawn = random.Random(0)  # noqa: S311  # nobody's secret, and the same each time
    for number in range(most):
        args: dict[str, Any] = {}
        for path in paths:
            place(args, path, values[number % len(values)] if number < len(values) else drawn.choice(values))
        yield {
            **{name: texts[number % len(texts)] if number < len(texts) else drawn.choice(texts) for name in _TEXTS},
            "args": args,
            "labels": {name: drawn.choice(texts) for name in labels},
            "kind": drawn.choice(("confirmation", "choice", "input")),
            "risk": drawn.choice([0.0, 0.5, 1.0, *numbers]),
            "confidence": drawn.choice([0.0, 0.5, 1.0, *numbers]),
            "failures": drawn.choice([0, 1, 5]),
            "reversible": bool(number % 2),
        }


def literals(found: tuple[Word, ...]) -> list[Any]:
    """Values to try: the literals of a condition, their neighbours, and the plainest of each kind."""
    values: list[Any] = [True, 0, "", False, 1]
    for word in found:
        if word.kind == "number":
            number = _number(word.text)
            values += [number - 1, number, number + 1]
        elif word.kind == "text":
            text = word.text.lstrip("rRbB").strip("\"'")
            values += [text, f"{text}x", f"x{text}", [text], {text: 1}]
    values += [[], {}, [1]]
    unique: list[Any] = []
    for value in values:
        if not any(type(value) is type(each) and value == each for each in unique):
            unique.append(value)
    return unique


def _number(text: str) -> int | float:
    plain = text.rstrip("uU")
    try:
        return int(plain, 0)
    except ValueError:
        return float(plain)


def reached(found: tuple[Word, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a condition reaches into: `args.to.name` is ("args", ("to", "name")); the name of a method is left off."""
    for at, word in enumerate(found):
        if word.kind != "name" or word.text not in {"args", "labels"} or (at and found[at - 1].text == "."):
            continue
        path: list[str] = []
        step = at + 1
        while step + 1 < len(found):
            sign, following = found[step], found[step + 1]
            after = found[step + 2].text if step + 2 < len(found) else ""
            if sign.text == "." and following.kind == "name" and after != "(" and following.text not in MACROS:
                path.append(following.text)
                step += 2
            elif sign.text == "[" and following.kind == "text" and after == "]":
                path.append(following.text.strip("\"'"))
                step += 3
            else:
                break
        yield word.text, tuple(path)


def place(args: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Put a value where a path leads."""
    here = args
    for step in path[:-1]:
        inner = here.get(step)
        if not isinstance(inner, dict):
            inner = here[step] = {}
        here = inner
    if not isinstance(here.get(path[-1]), Mapping):
        here[path[-1]] = value
