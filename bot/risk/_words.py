"""Words of a shell command, with quotes taken off as a shell does it. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_BRACES: Final = re.compile(r"\{[^{}\s]*(?:,|\.\.)")
_PARAMETER: Final = re.compile(r"\$\{?[!#]?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word."""

    text: str
    """Without its quotes; what is expanded when it runs stands as it is written."""
    dynamic: bool = False
    """It has a variable or a substitution, so that it is only known when it runs."""
    spread: bool = False
    """It has an unquoted glob or brace expansion."""
    escaped: bool = False
    """It is written with `$'…'`, whose escapes may stand for anything."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of variables in it."""
        return tuple(_PARAMETER.findall(self.text)) if self.dynamic else ()


def word(raw: str) -> Word:  # noqa: C901, PLR0912  # the states of a shell's quotes
    """Take the quotes off one word."""
    out: list[str] = []
    dynamic = spread = escaped = False
    quote, i = "", 0
    while i < len(raw):
        char = raw[i]
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                out.append(char)
        elif char == "\\":
            following = raw[i + 1 : i + 2]
            if quote == '"' and following not in {'"', "\\", "$", "`", "\n", ""}:
                out.append(char)
            elif following not in {"\n", ""}:
                out.append(following)
                i += 1
            else:
                i += 1
        elif char == '"':
            quote = "" if quote else '"'
        elif char == "'" and not quote:
            quote = "'"
        elif char == "$" and not quote and raw[i + 1 : i + 2] in {"'", '"'}:
            escaped = True
        elif char == "`" or (char == "$" and re.match(r"[\w{(@*#?!$-]", raw[i + 1 : i + 2] or " ")):
            dynamic = True
            out.append(char)
        else:
            if (not quote and char in "*?[") or (
                not quote and char == "{" and re.match(r"\{[^{}\s]*(?:,|\.\.)", raw[i:])
            ):
                spread = True
            out.append(char)
        i += 1
    return Word("".join(out), dynamic, spread, escaped)


def substitutions(text: str) -> int:
    """How many substitutions begin in this text outside single quotes; a pair of backticks is one."""
    opened = ticks = i = 0
    quote = ""
    while i < len(text):
        char = text[i]
        if quote == "'":
            quote = "" if char == "'" else quote
        elif char == "\\":
            i += 1
        elif char == '"':
            quote = "" if quote else '"'
        elif char == "'" and not quote:
            quote = "'"
        elif char == "`":
            ticks += 1
        elif text.startswith("$(", i) or (not quote and text.startswith(("<(", ">("), i)):
            opened += 1
        i += 1
    return opened + (ticks + 1) // 2
