"""Secrets and card numbers in a text, told by their shape. Pure; it names what it found and never repeats it."""

import re
from typing import Final

_SHAPES: Final = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}\b")),
    ("a payment provider's key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}\b")),
    ("a cloud API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a model provider's key", re.compile(r"\bsk-[A-Za-z0-9_-]{20,250}\b")),
    ("a signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{5,4000}\.")),
    (
        "a password",
        re.compile(
            r"\b(?:pass(?:word|wd|code)?|pwd|secret|api[_ -]?key|token|pin)\s*(?:[:=]|is\b)\s*['\"]?[^\s'\"]{4,200}",
            re.IGNORECASE,
        ),
    ),
    ("an IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("a social security number", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
)
_CARD: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


def secrets_in(text: str) -> list[str]:
    """What it seems to hold."""
    found = [name for name, shape in _SHAPES if shape.search(text)]
    if any(_luhn(match[0]) for match in _CARD.finditer(text)):
        found.append("a card number")
    return found


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdecimal()]
    doubled = [each if i % 2 else sum(divmod(each * 2, 10)) for i, each in enumerate(digits, start=len(digits) % 2)]
    return sum(doubled) % 10 == 0 and len(set(digits)) > 1
