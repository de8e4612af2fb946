"""Pure: what must never be read in a log is taken out of a text, whoever wrote it."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[hidden]"

_MOST: Final = 65_536
"""What is longer is cut first: whatever comes then is shown to nobody, and looking through it takes time."""
_SHORTEST: Final = 8
"""A setting shorter than this is not looked for: it would be found in ordinary words."""

_NAMES: Final = (
    r"(?:access_|refresh_|id_|bot_|app_|session_)?token|client_secret|signing_secret|secret|password|passwd|pwd"
    r"|ticket|api_?key|csrf|cookie|signature|sig|code|state"
)

_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # A store's address: all before its last @, because a password may hold a slash or an @.
    (re.compile(r"\b((?:redis|rediss|unix)(?:\+\w+)?://)\S*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,20}://)[^\s/?#]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"((?:proxy-)?authorization[\"']?\s*[:=,]\s*(?:b?[\"'])?)(?:[a-z]+ +)?[^\s\"',}\])]+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer +)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(basic +)[\w+/=-]{16,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\bapk_[\w-]+"), HIDDEN),
    (re.compile(r"\bwhs(?:ec|k)_[\w+/=-]+"), HIDDEN),
    (re.compile(r"\bv1a?,[\w+/=-]{40,}"), HIDDEN),
    (re.compile(r"\bv0=[0-9a-f]{16,}"), HIDDEN),
    (re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[\w.-]+"), HIDDEN),
    (re.compile(r"\bxapp-[\w.-]+"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)*"), HIDDEN),
    # Slack's addresses for answers carry their own right to be used.
    (re.compile(r"/(actions|commands|services|workflows|app)/[A-Z][A-Z0-9]{4,}/\d+/[\w/-]+"), rf"/\1/{HIDDEN}"),
    (re.compile(rf"([?&;](?:{_NAMES})=)[^\s&;\"'<>]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"\b((?:access_token|refresh_token|id_token|client_secret|signing_secret|client_assertion|password|passwd"
            r"|csrf|cookie)[\"']?\s*[=:]\s*(?:b?[\"'])?)[^\s\"'&,;})\]]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # 32 random bytes, as sign-in links, sessions and handoffs' tokens are written.
    (re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{43}(?![\w@-])", re.ASCII), HIDDEN),
    # What was given to a model that refused it may be anybody's words.
    (re.compile(r"(input_value=).*?(?=, input_type=|\n|$)"), rf"\1{HIDDEN}"),
)


class Redaction:
    """Takes out what looks like a secret, and the very secrets that this service was given."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` are those of the settings, in clear."""
        forms = {form for each in secrets if len(each) >= _SHORTEST for form in (each, quote(each), quote_plus(each))}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(form) for form in longest_first)) if longest_first else None

    def clean(self, text: str) -> str:
        """The text without them."""
        text = text[:_MOST]
        if self._known:
            text = self._known.sub(HIDDEN, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text
