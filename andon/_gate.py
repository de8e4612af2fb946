"""The gate decorator: ask, claim, run with exactly the approved arguments, report. What was approved is what runs."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from pydantic import ValidationError

from andon import wire
from andon._asking import ask
from andon._brake import GOODBYE_S
from andon._decisions import Approved, Decision, Edited
from andon._errors import AndonError, InvalidRequest, PermitMismatch, refused
from andon._handoff import Handoff
from andon._json import shown_result, shown_text
from andon._line import Line
from andon._signature import Arguments, Signature
from andon._watching import UndoResult, Watching, prepare

__all__ = ["Gate", "Gated", "Risks", "What"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Risks = Sequence[str] | Callable[..., Sequence[str]]
"""What could go wrong: the same for every call, or made from the call's arguments, passed by name."""

What = str | Callable[..., str] | None
"""What will be done: a `str.format` template on the arguments, a function of them, or None for the call itself."""

SHOWN_CHARS = 80

_log = logging.getLogger("andon")


class Gated(Protocol[P, R_co]):
    """A function behind a gate: called as before, with `why=` as well.

    The type system cannot add a keyword to a parameter list, so a call that gives `why` has its result checked and its
    other arguments not; they are, when it runs.
    """

    @overload
    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    async def __call__(self, *args: Any, why: str, **kwargs: Any) -> R_co: ...


class Gate:
    """Puts a function behind a gate. Made by `Run.gate`."""

    def __init__(
        self,
        line: Line,
        make: Callable[..., wire.Confirmation],
        *,
        risks: Risks,
        what: What,
        why: str | None,
        tool: str | None,
        undo: UndoResult | None,
        watching: Watching,
    ) -> None:
        self._undo = undo
        self._watching = watching
        self._line = line
        self._make = make
        self._risks = risks
        self._what = what
        self._why = why
        self._tool = tool

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Gated[P, R]:
        """Return `function` behind this gate."""
        if not inspect.iscoroutinefunction(function):
            name = getattr(function, "__qualname__", type(function).__qualname__)
            raise TypeError(f"{name} is not an `async def`; a gate waits for a person, so what it guards is async")
        signature = Signature(function)
        if "why" in signature.signature.parameters:
            raise TypeError(f"{signature.name}: `why` is the gate's own argument; give yours another name")

        @functools.wraps(function)
        async def gated(*args: Any, why: str | None = None, **kwargs: Any) -> R:
            reason = why or self._why
            if not reason:
                raise TypeError(f"{signature.name}() needs why=…: the person who decides is told what it is good for")
            return await self._pass(function, signature, signature.bind(args, kwargs), reason)

        # Frameworks that show tools to a model read these: the model is to say why, too.
        added = inspect.Parameter("why", inspect.Parameter.KEYWORD_ONLY, annotation=str)
        if self._why is not None:
            added = added.replace(default=self._why)
        parameters = [*signature.signature.parameters.values(), added]
        gated.__signature__ = signature.signature.replace(parameters=parameters)  # type: ignore[attr-defined] # read by inspect
        gated.__annotations__ = {**function.__annotations__, "why": str}
        return cast("Gated[P, R]", gated)

    async def _pass(
        self, function: Callable[..., Awaitable[R]], signature: Signature, arguments: Arguments, why: str
    ) -> R:
        tool = self._tool or signature.name
        asked = self._make(
            what=_what(self._what, signature, arguments),
            why=why,
            risks=tuple(self._risks(**arguments) if callable(self._risks) else self._risks),
            action=wire.Action(tool=tool, args=signature.write(arguments), schema_=signature.schema),
        )
        handoff, decision, permit = await ask(self._line, asked, claims=_allows)
        if permit is None:
            raise refused(decision)
        if permit.tool != tool:
            raise PermitMismatch(f"{handoff.id}: the permit is for {permit.tool}, not {tool}; nothing was run")
        try:
            approved = signature.read(permit.args)
        except ValidationError as error:
            await _tell(handoff, error=f"Nothing was run: the approved arguments do not fit {tool}: {error}")
            raise
        try:
            result: R = await signature.call(function, approved)
        except Exception as error:
            await _tell(handoff, error=f"{type(error).__name__}: {error}")
            raise
        except BaseException as error:
            # Cancelled, or the process ends: no time for a service that does not answer.
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await _tell(handoff, error=f"{type(error).__name__}: it may have been done in part")
            raise
        await _tell(handoff, result=result)
        if review := handoff.latest.review:
            self._watching.add(review, prepare(self._undo, result, approved), result)
        return result


def _allows(decision: Decision) -> bool:
    return isinstance(decision, Approved | Edited)


async def _tell(handoff: Handoff, *, result: object = None, error: str | None = None) -> None:
    """Report, if it can be done: what happened has happened, and the caller must learn of that, not of this."""
    try:
        if error is not None:
            await handoff.report("failed", error=error)
            return
        try:
            await handoff.report("executed", result=shown_result(result))
        except InvalidRequest:
            # JSON, but beyond the service's limits, such as whole numbers over 2**53.
            await handoff.report("executed", result=shown_text(result))
    except AndonError as fault:
        _log.warning("handoff.unreported id=%s cause=%s", handoff.id, type(fault).__name__)


def _what(what: What, signature: Signature, arguments: Arguments) -> str:
    if what is None:
        return f"{signature.name}({', '.join(f'{name}={_short(value)}' for name, value in arguments.items())})"
    return what(**arguments) if callable(what) else what.format(**arguments)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
