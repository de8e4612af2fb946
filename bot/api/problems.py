"""Errors as problem documents (RFC 9457)."""

import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientPayloadError, web
from pydantic import TypeAdapter, ValidationError

from andon import wire
from bot.errors import AlreadyDecided, BadRequest, BotError, Fault, InvalidBody, RunStopped, TooMany

log = logging.getLogger("andon.api")

CONTENT_TYPE = "application/problem+json"
_DECISION: TypeAdapter[wire.Decision] = TypeAdapter(wire.Decision)
_KIND_TAGS = {"confirmation", "choice", "input", "approve", "edit", "reject", "choose", "answer"}


def problem(error: BotError, *, reference: str | None = None) -> web.Response:
    """A response for one of our errors."""
    body: dict[str, Any] = {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    headers: dict[str, str] = {}
    if error.handoff:
        body["handoff"] = error.handoff
    if isinstance(error, BadRequest) and error.faults:
        body["errors"] = [{"field": fault.field, "detail": fault.detail} for fault in error.faults]
        body["field"] = error.faults[0].field
    if isinstance(error, AlreadyDecided):
        body["decision"] = _DECISION.dump_python(error.decision, mode="json", exclude_none=True)
    if isinstance(error, RunStopped):
        body["brake"] = error.brake.model_dump(mode="json", exclude_none=True)
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:  # noqa: PLR2004  # RFC 9110 wants the scheme named
        headers["WWW-Authenticate"] = 'Bearer realm="andon"'
    if reference:
        body["reference"] = reference
    return web.Response(
        text=json.dumps(body, ensure_ascii=False), status=error.status, content_type=CONTENT_TYPE, headers=headers
    )


def body_fault(error: ValidationError) -> InvalidBody:
    """A pydantic error as ours: every fault with its field, in words."""
    faults = []
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        loc = list(entry["loc"])
        if loc and loc[0] in _KIND_TAGS:
            loc = loc[1:]
        field = ".".join("schema" if part == "schema_" else str(part) for part in loc)
        detail = str(entry["msg"]).removeprefix("Value error, ")
        if entry["type"] == "extra_forbidden":
            detail = f"there is no field `{field}` here; leave it out, or see /openapi.json for the right name"
        elif entry["type"] == "missing":
            detail = f"`{field}` is missing"
        elif entry["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            field = "kind"
        faults.append(Fault(field, detail))
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    detail = f"{first.field}: {first.detail}{more}" if first.field else f"{first.detail}{more}"
    return InvalidBody(detail, faults=faults)


class _Internal(BotError):
    slug, title, status = "internal", "Something went wrong here", 500


class _Http(BotError):
    """A refusal by the HTTP layer: no such address, wrong method, body too large."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.slug = reason.lower().replace(" ", "-")  # type: ignore[misc]  # one class for every HTTP reason
        self.title = reason  # type: ignore[misc]  # likewise
        self.status = status  # type: ignore[misc]  # likewise


async def set_headers(_: web.Request, response: web.StreamResponse) -> None:
    """On every response: answers hold tokens and arguments, which no cache may keep and no browser may guess at."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers["Server"] = "Andon"


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every error into a problem document; an unforeseen one is logged with a reference and tells nothing else."""
    try:
        return await handler(request)
    except BotError as error:
        if error.status >= 500:  # noqa: PLR2004  # ours or the store's
            log.warning("api.unavailable path=%s error=%s", request.path, error.slug)
        return problem(error)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  # redirects pass
            raise
        detail = {
            404: f"there is nothing at {request.path[:200]}; /openapi.json lists what there is",
            405: f"{request.method} does not go with {request.path[:200]}; /openapi.json lists what does",
            413: "the body is too large",
        }.get(error.status, error.reason)
        response = problem(_Http(error.status, error.reason, detail))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except (ConnectionError, ClientPayloadError):
        return problem(
            _Http(400, "Bad Request", "the connection broke before the request was whole")
        )  # nobody reads it
    except Exception:
        reference = secrets.token_hex(8)
        log.exception("api.failed reference=%s method=%s path=%s", reference, request.method, request.path)
        detail = "this is a fault of the service, not of the request; tell the operator the reference"
        return problem(_Internal(detail), reference=reference)
