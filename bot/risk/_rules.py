"""The scorer that comes with Andon: shell commands, SQL, HTTP requests, mail and payments, read with real parsers.

The score is the highest of its findings. It is honest about what it is: it tells what the action says it does, not
what a program behind it does; what it does not know is in the middle, and what it cannot read is high.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bot.handoff import Risk
from bot.risk._http import http
from bot.risk._mail import mail, said
from bot.risk._names import names
from bot.risk._payments import payment
from bot.risk._question import HIGH, MEDIUM, MOST, SERIOUS, Finding, RiskQuestion, quoted, risk_of
from bot.risk._shell import argv, shell
from bot.risk._sql import sql

_INLINE_CHARS: Final = 256
"""Longer ones are read in a thread, so that the loop does not wait for the parsers."""
_MOST_CHARS: Final = 262_144
_MOST_NODES: Final = 500
_MOST_DEEP: Final = 6
_MOST_TEXTS: Final = 8
"""Commands or statements in one action that are read."""

_SHELL_TOOL: Final = names("shell bash sh zsh terminal exec execute command cmd powershell subprocess console")
_SQL_TOOL: Final = names(
    """
    sql db database postgres postgresql mysql mariadb sqlite bigquery snowflake redshift clickhouse oracle mssql duckdb
    psql warehouse
    """
)
_MAIL_TOOL: Final = names("mail email gmail smtp outlook")
_PAY_TOOL: Final = names("pay payment payments payout transfer refund charge invoice purchase buy order wire billing")
_CHAT_TOOL: Final = names("message post reply comment chat sms tweet")
_SHELL_ARG: Final = names("command cmd commands shell bash sh commandline shellcommand argv")
_SQL_ARG: Final = names("sql query statement statements queries")
_PROGRAM_ARG: Final = names("code source program python javascript expression eval lambda macro formula script")
_AMOUNT_ARG: Final = names("amount total price sum amountcents amountminor cents value")
_MONEY_ARG: Final = names("currency iban account recipient payee card bic swift beneficiary vendor")
_PROGRAM_NAME: Final = ("command", "cmd", "program", "executable", "binary")
_PROGRAM_ARGS: Final = ("args", "arguments", "argv")
_BODY_ARG: Final = ("body", "data", "json", "payload", "content", "form", "files")
_SQL_RE: Final = re.compile(
    r"^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select\b.+\bfrom\b|insert\s+into\b|update\b.+\bset\b|delete\s+from\b|with\b.+\bas\b|"
    r"(?:create|drop|alter|truncate)\s+\w+|grant\b|revoke\b|merge\s+into\b|copy\b.+\b(?:from|to)\b|exec(?:ute)?\s)",
    re.IGNORECASE | re.DOTALL,
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ABOUT: Final = names(
    """
    description timeout timeoutms timeouts cwd workdir workingdirectory directory background runinbackground explanation
    title id limit offset page pagesize database db schema dialect params parameters bindings values env environment
    user reason method verb headers url uri endpoint query querystring followredirects verify proxy encoding format
    name host to cc bcc recipients recipient subject body text message html htmlbody snippet attachments attachment
    files from sender replyto threadid messageid inreplyto label labels currency iban account payee card bic swift
    beneficiary vendor reference note memo date duedate invoice invoiceid orderid customer customerid idempotencykey
    region cluster namespace machine target environmentname stage purpose priority channel
    """
)
"""Names that say something about an action, and are not what it does."""


class Rules:
    """Our own scorer."""

    def __init__(self) -> None:
        """One thread, made when first needed."""
        self._thread: ThreadPoolExecutor | None = None

    async def close(self) -> None:
        """Let the thread go."""
        if self._thread:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def score(self, action: RiskQuestion) -> Risk:
        """The highest finding, and why."""
        if _size(action.args) <= _INLINE_CHARS:
            return judge(action)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="risk")
        return await asyncio.get_running_loop().run_in_executor(self._thread, judge, action)


def judge(action: RiskQuestion) -> Risk:
    """The risk of one action. It never raises."""
    try:
        if _size(action.args) > _MOST_CHARS:
            return Risk(MOST, (f"Its arguments have more than {_MOST_CHARS:,} characters, and are not read.",))
        return risk_of(_Reading(action).findings())
    except Exception as error:  # noqa: BLE001  # whatever a parser meets, the action is gated
        return Risk(MOST, (f"The risk could not be scored: reading it failed with {type(error).__name__}.",))


def _size(value: Any, left: int = _MOST_CHARS + 1) -> int:
    """Characters in all texts of it, counted until there are too many."""
    stack, size = [value], 0
    while stack and size <= left:
        match stack.pop():
            case str() as text:
                size += len(text)
            case Mapping() as inner:
                stack += [*inner.keys(), *inner.values()]
            case list() | tuple() as inner:
                stack += inner
            case _:
                size += 1
    return size


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


class _Reading:
    """One look at one action."""

    def __init__(self, action: RiskQuestion) -> None:
        self._action = action
        self._words = frozenset(word.casefold() for word in _WORDS.findall(action.tool))
        self._texts = 0
        self._nodes = 0
        self._known = False
        self._unread: list[str] = []
        """Names of arguments that no part of this looked at."""

    def findings(self) -> list[Finding]:
        found = list(self._node(self._action.args, 0))
        if not self._known:
            found.append(Finding(MEDIUM, f"Nothing is known of the tool {quoted(self._action.tool)}."))
        elif self._unread:
            found.append(Finding(MEDIUM, f"Nothing is known of its argument {quoted(', '.join(self._unread))}."))
        return found

    def _node(self, args: Mapping[str, Any], depth: int) -> Iterator[Finding]:
        """One mapping of arguments."""
        plain = {_plain(str(name)): value for name, value in args.items()}
        if len(plain) < len(args):
            yield Finding(SERIOUS, "Two of its arguments have names that can hardly be told apart.")
        yield from self._request(plain)
        yield from self._letter(plain, depth)
        yield from self._money(plain)
        joined = self._joined(plain)
        yield from self._read(argv, joined) if joined else ()
        for name, value in args.items():
            if not joined or _plain(str(name)) not in {*_PROGRAM_NAME, *_PROGRAM_ARGS}:
                yield from self._value(str(name), value, depth)

    def _value(  # noqa: C901, PLR0912  # one branch a kind of value
        self, name: str, value: Any, depth: int
    ) -> Iterator[Finding]:
        self._nodes += 1
        plain = _plain(name)
        if self._nodes > _MOST_NODES or depth > _MOST_DEEP:
            yield Finding(HIGH, "It has more arguments, or deeper ones, than are read.")
        elif (commands := self._commands(plain, value)) is not None:
            for text in commands:
                yield from self._read(argv, text) if isinstance(text, list) else self._read(shell, text)
        elif (statements := self._statements(plain, value)) is not None:
            for text in statements:
                yield from self._read(sql, text)
        elif isinstance(value, Mapping):
            if plain in {"env", "environment"} and value:
                yield Finding(SERIOUS, f"It sets environment variables: {quoted(', '.join(map(str, value)))}.")
            yield from self._node(value, depth + 1)
        elif isinstance(value, list | tuple):
            for each in value:
                yield from self._node(each, depth + 1) if isinstance(each, Mapping) else ()
            if plain not in _ABOUT and not all(isinstance(each, Mapping) for each in value):
                self._unread.append(name)
        elif isinstance(value, str) and value.strip():
            if plain in _PROGRAM_ARG:
                yield Finding(SERIOUS, f"Its argument {quoted(name)} is a program, which is not read.")
            elif plain not in _ABOUT:
                self._unread.append(name)

    def _read(self, reading: Callable[[Any], list[Finding]], text: Any) -> Iterator[Finding]:
        self._known = True
        self._texts += 1
        if self._texts > _MOST_TEXTS:
            yield Finding(HIGH, f"It has more than {_MOST_TEXTS} commands or statements, and they are not all read.")
        else:
            yield from reading(text)

    def _joined(self, plain: Mapping[str, Any]) -> list[str]:
        """A program in one argument and its words in another: one command."""
        program = next((plain[name] for name in _PROGRAM_NAME if isinstance(plain.get(name), str)), "")
        words = next((plain[name] for name in _PROGRAM_ARGS if isinstance(plain.get(name), list)), None)
        if not program.strip() or not words or not all(isinstance(each, str) for each in words):
            return []
        return [*program.split(), *words]

    def _commands(self, plain: str, value: Any) -> list[Any] | None:
        """Command lines in an argument, or lists of words; None where it is none."""
        if plain not in _SHELL_ARG and not (
            self._words & _SHELL_TOOL and plain in {"input", "text", "script", "args", "line", "code"}
        ):
            return None
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            return list(value) if plain in {"commands", "cmds"} else [value]
        return None

    def _statements(self, plain: str, value: Any) -> list[str] | None:
        if plain not in _SQL_ARG and not (
            self._words & _SQL_TOOL and plain in {"script", "text", "input", "code", "command"}
        ):
            return None
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else None
        if not texts or not all(isinstance(each, str) for each in texts):
            return None
        meant = plain in {"sql", "statement", "statements"} or self._words & _SQL_TOOL
        return texts if meant or any(_SQL_RE.match(text) for text in texts) else None

    def _request(self, plain: Mapping[str, Any]) -> Iterator[Finding]:
        url = next(
            (plain[name] for name in ("url", "uri", "endpoint", "href", "link") if isinstance(plain.get(name), str)),
            None,
        )
        if url is None:
            return
        self._known = True
        method = next(
            (plain[name] for name in ("method", "verb", "httpmethod") if isinstance(plain.get(name), str)), None
        )
        body = next((plain[name] for name in _BODY_ARG if plain.get(name)), None)
        if method is None:
            verbs = [word.upper() for word in ("delete", "put", "patch", "post") if word in self._words]
            method = verbs[0] if verbs else "POST" if body else "GET"
        yield from http(method, url, plain.get("headers"), body)

    def _letter(self, plain: Mapping[str, Any], depth: int) -> Iterator[Finding]:
        has_body = any(
            isinstance(plain.get(name), str) for name in ("subject", "body", "html", "text", "message", "content")
        )
        to = any(plain.get(name) for name in ("to", "recipients", "recipient", "cc", "bcc"))
        if (to and has_body) or (not depth and self._words & _MAIL_TOOL and (to or has_body)):
            self._known = True
            sends = not self._words & {"draft", "search", "read", "list", "get"}
            found = list(mail(plain, self._action.requester))
            yield from found if sends else (Finding(min(each.score, MEDIUM), each.reason) for each in found)
        elif not depth and has_body and self._words & _CHAT_TOOL:
            self._known = True
            yield Finding(MEDIUM, "It writes to people.")
            yield from said(plain)

    def _money(self, plain: Mapping[str, Any]) -> Iterator[Finding]:
        name = next((each for each in plain if each in _AMOUNT_ARG), "")
        if not name or not (plain.keys() & _MONEY_ARG or self._words & _PAY_TOOL):
            return
        self._known = True
        currency = plain.get("currency")
        yield from payment(plain[name], currency[:8] if isinstance(currency, str) else "", name)
