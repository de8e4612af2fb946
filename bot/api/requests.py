"""What every call reads of a request, strictly: who sends it, its body, its query; and how it is answered."""

import asyncio
import hashlib
import re
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from bot.access import Access, Principal
from bot.api.calls import BY_NAME, CALLS, MAY, WHOSE, Call, Who
from bot.api.problems import body_fault
from bot.api.strict import parse
from bot.errors import BadRequest, BotError, Forbidden, TooLarge

BODY_S: Final = 20.0
"""How long a body may take to arrive."""

_IDEMPOTENCY_KEY: Final = re.compile(r"^[!-~]{1,255}$")
_YAML: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"})
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    call.name: TypeAdapter(call.body) for call in CALLS if call.body is not None
}


class _UnsupportedMediaType(BotError):
    slug, title, status = "unsupported-media-type", "The body is of another kind", 415


class _TooSlow(BotError):
    slug, title, status = "request-timeout", "The request took too long", 408


class Callers:
    """Knows who calls by the key that they send."""

    def __init__(self, access: Access) -> None:
        """By the keys of `access`."""
        self._access = access

    async def known(self, request: web.Request, who: Who) -> Principal:
        """Whose key it is, if such may call.

        Raises:
            Unauthenticated: It is no key of ours.
            Forbidden: It is of another kind.
        """
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        principal = await self._access.authenticate(key.strip() if scheme.lower() == "bearer" else "")
        if principal.kind not in MAY[who]:
            raise Forbidden(WHOSE["admin" if principal.kind == "admin" else who])
        return principal


def json_of(model: BaseModel, status: int = 200) -> web.Response:
    """A model as the body of an answer."""
    return web.Response(
        body=model.model_dump_json(by_alias=True, exclude_none=True).encode(),
        status=status,
        content_type="application/json",
    )


async def body_of(request: web.Request, name: str, **limits: int) -> Any:
    """The body as the model that the table has for this call; `limits` as `parse` takes them.

    Raises:
        InvalidBody, BadRequest, TooLarge: It does not fit.
        BotError: It is of another kind, or took too long to arrive.
    """
    call: Call = BY_NAME[name]
    if request.content_type != "application/json":
        msg = f"the body is {request.content_type}; send `Content-Type: application/json`"
        raise _UnsupportedMediaType(msg)
    value = parse(await _whole(request), limit=call.body_limit, **limits)
    try:
        return _ADAPTERS[name].validate_python(value)
    except ValidationError as error:
        raise body_fault(error) from error


async def yaml_of(request: web.Request, name: str) -> str:
    """The body's text, which somebody else reads as YAML; raises as `body_of`."""
    if request.content_type not in _YAML:
        msg = f"the body is {request.content_type}; send `Content-Type: application/yaml`"
        raise _UnsupportedMediaType(msg)
    body = await _whole(request)
    if len(body) > BY_NAME[name].body_limit:
        raise TooLarge(f"the body is {len(body)} bytes, over {BY_NAME[name].body_limit}")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error


async def _whole(request: web.Request) -> bytes:
    if request.content.is_eof():  # it is all here: there is nothing to wait for
        return await request.read()
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        msg = f"the body did not arrive within {BODY_S:.0f} s"
        raise _TooSlow(msg) from None


async def fingerprint_of(request: web.Request) -> str:
    """Tells whether two requests with one Idempotency-Key are the same."""
    return hashlib.sha256(await request.read()).hexdigest()[:32]


def query_of(request: web.Request, name: str) -> dict[str, str]:
    """The query, checked against the call's table.

    Raises:
        BadRequest: A parameter is unknown, given twice, or out of its range.
    """
    known = BY_NAME[name].query
    found: dict[str, str] = {}
    for key, value in request.query.items():
        if key not in known:
            msg = f"there is no query parameter `{key[:40]}` here; known: {', '.join(known)}"
            raise BadRequest(msg)
        if key in found:
            raise BadRequest(f"the query parameter `{key}` is given twice")
        _check_query(key, value, known[key])
        found[key] = value
    return found


def _check_query(key: str, value: str, schema: Any) -> None:
    bad = False
    if schema["type"] in {"integer", "number"}:
        pattern = r"\d{1,10}" if schema["type"] == "integer" else r"\d{1,4}(\.\d{1,9})?"
        bad = (
            re.fullmatch(pattern, value, re.ASCII) is None or not schema["minimum"] <= float(value) <= schema["maximum"]
        )
        wants = f"{schema['type']} from {schema['minimum']} to {schema['maximum']}"
    elif "enum" in schema:
        bad, wants = value not in schema["enum"], f"one of {', '.join(schema['enum'])}"
    else:
        bad, wants = not 1 <= len(value) <= schema["maxLength"], f"1 to {schema['maxLength']} characters"
    if bad:
        raise BadRequest(f"`{key}` is {value[:40]!r}; it takes {wants}")


def idempotency_key(request: web.Request) -> str | None:
    """What tells a second try of one call from a second call; None: the caller gave nothing."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        raise BadRequest("Idempotency-Key takes 1 to 255 visible ASCII characters")
    return key
