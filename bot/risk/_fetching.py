"""What `curl`, `wget` and their like do, told from their options. Pure."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from bot.risk._paths import written_path
from bot.risk._question import HIGH, MEDIUM, SERIOUS, Finding, quoted
from bot.risk._words import Word

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_METHOD: Final = re.compile(r"(?:-X|--request|--method)[\s=]?(\w+)")
_TELLING: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), score, says)
    for pattern, score, says in (
        (
            r"(?-i:(?:^|\s)-[a-zA-Z]*[dF](?:\s|$|\S)|(?:^|\s)-T)|(?:^|\s)--(?:data|form|json|upload-file|post-|body-)",
            SERIOUS,
            "sends data to the network",
        ),
        (
            r"(?-i:(?:^|\s)-T)|(?:^|\s)--(?:upload-file|post-file|body-file)|(?:^|[\s=]|-d|-F)@[\w./~-]",
            HIGH,
            "sends the content of a file to the network",
        ),
        (
            r"(?-i:(?:^|\s)-[a-zA-Z]*k[a-zA-Z]*(?:\s|$))|--insecure|--no-check-certificate",
            SERIOUS,
            "does not check whom it talks to",
        ),
        (r"(?-i:(?:^|\s)-K)|(?:^|\s)--config\b", SERIOUS, "reads its options from a file"),
        (
            r"169\.254\.169\.254|metadata\.google|metadata\.azure",
            HIGH,
            "asks the cloud's metadata service, which gives out credentials",
        ),
        (
            r"\b(?:Authorization|Cookie|X-Api-Key)\s*:|(?-i:(?:^|\s)-u)|(?:^|\s)--user\b",
            SERIOUS,
            "sends credentials",
        ),
        (r"--use-askpass|--proxy-command|--exec\b", HIGH, "runs another program"),
    )
)
_WRITES: Final = frozenset({"-o", "--output", "--output-document"})


def fetch(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What there is to say of it; it fetches at least."""
    texts = [each.text for each in rest]
    said = " ".join(texts)
    yield Finding(MEDIUM, f"{quoted(name)} fetches something from the network.")
    for pattern, score, does in _TELLING:
        if pattern.search(said):
            yield Finding(score, f"{quoted(name)} {does}.")
    if (method := _METHOD.search(said)) and method[1].upper() not in _READS:
        deletes = method[1].upper() == "DELETE"
        yield Finding(
            HIGH if deletes else SERIOUS,
            f"{quoted(name)} {'deletes' if deletes else 'changes'} something over the network.",
        )
    for text, following in pairwise(texts):
        if text in _WRITES or (text == "-O" and name == "wget"):
            yield from written_path(following)
