"""Which trace the work at hand belongs to: W3C trace context taken in, kept with a handoff, and handed on.

A context is text: the `traceparent`, and on a second line the `tracestate`, if there is one. Nothing here records
anything; `bot.otel` does, where it is set up.
"""

import functools
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, ParamSpec, TypeVar

from bot.handoff import Handoff

_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
_STATE: Final = re.compile(r"[ -~]{1,512}")
_ONLY: Final = 55
"""How long a `traceparent` of version 00 is: it has no more parts."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(slots=True)
class _Work:
    """What is known of the work at hand."""

    context: str
    began_ns: int
    """Unix time at which it came in."""
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    """Names, and when they began and ended."""


@dataclass(slots=True)
class Calling:
    """A call to somebody else's address, while it is made."""

    context: str
    """What is sent along."""
    result: str = ""
    """What came of it: a status, or the name of a fault; set by whoever calls."""


_WORK: ContextVar[_Work | None] = ContextVar("andon_work", default=None)


def read(headers: Mapping[str, str]) -> str:
    """The context that a request brings; empty: none, or one that is not as the W3C has it.

    Source: Trace Context, https://www.w3.org/TR/trace-context/, read 2026-11.
    """
    parent = headers.get("traceparent", "").strip()
    if not _PARENT.fullmatch(parent) or (parent.startswith("00") and len(parent) != _ONLY):
        return ""
    state = headers.get("tracestate", "").strip()
    return f"{parent}\n{state}" if _STATE.fullmatch(state) else parent


def headers(context: str) -> dict[str, str]:
    """What to send along so that whoever is called goes on with this trace; nothing where there is none."""
    parent, _, state = context.partition("\n")
    return {"traceparent": parent, **({"tracestate": state} if state else {})} if parent else {}


def current() -> str:
    """The context of the work at hand; empty: none."""
    work = _WORK.get()
    return work.context if work else ""


def current_id() -> str:
    """The id of its trace, for a line of the log."""
    return current()[3:35]


def began_ns() -> int:
    """When the work at hand came in, Unix time; now, if nobody said."""
    work = _WORK.get()
    return work.began_ns if work else time.time_ns()


def carry(context: str) -> None:
    """From here on, this task works for that context."""
    if context:
        _WORK.set(_Work(context, time.time_ns()))


@contextmanager
def working(context: str) -> Iterator[_Work]:
    """Work for that context until the end of the block."""
    before = _WORK.get()
    work = _Work(context, before.began_ns if before else time.time_ns())
    token = _WORK.set(work)
    try:
        yield work
    finally:
        _WORK.reset(token)


def step(name: str) -> Callable[[Callable[_P, Awaitable[_T]]], Callable[_P, Awaitable[_T]]]:
    """Note how long each call of a function takes, as a step of the work at hand."""

    def around(call: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
        @functools.wraps(call)
        async def noted(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            work, began = _WORK.get(), time.time_ns()
            try:
                return await call(*args, **kwargs)
            finally:
                if work:
                    work.steps.append((name, began, time.time_ns()))

        return noted

    return around


class Traces:
    """Hears of everything that belongs into a handoff's trace. This one records nothing."""

    records = False
    """Are spans made of it?"""

    def opening(self, context: str) -> AbstractContextManager[object]:
        """Around the opening of a handoff, for a caller with this context."""
        return working(context) if context else nullcontext()

    def opened(self, handoff: Handoff) -> None:
        """It is open, or decided at once."""

    def shown(self, handoff: Handoff, surface: str, since: datetime) -> None:
        """Its card was posted; posting began at `since`."""

    def decided(self, handoff: Handoff) -> None:
        """It is decided."""

    def claimed(self, handoff_id: str, handoff: Handoff | None, result: str) -> None:
        """A claim was answered; `handoff` as it was known, if it was."""

    def closed(self, handoff: Handoff, status: str) -> None:
        """An outcome was recorded."""

    def calling(self, context: str, about: Mapping[str, str]) -> AbstractContextManager[Calling]:
        """Around a callback for work with this context; `about` has its attributes."""
        del about
        return nullcontext(Calling(context))

    async def close(self) -> None:
        """Send what is left, but do not wait for long."""
