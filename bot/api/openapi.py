"""The OpenAPI 3.1 document, made from the table of calls and the wire models."""

from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from andon import wire
from bot.api.calls import CALLS, Call

_RUN = {"type": "string", "pattern": "^run_[A-Za-z0-9_-]{22,64}$"}
_HANDOFF = {"type": "string", "pattern": "^hf_[A-Za-z0-9_-]{22,64}$"}
_TRUST = {"type": "string", "pattern": "^tr_[0-9a-f]{24}$"}
_ENDPOINT = {"type": "string", "pattern": "^ep_[A-Za-z0-9_-]{22}$"}
_DELIVERY = {"type": "string", "pattern": "^cb_[A-Za-z0-9_-]{22}$"}
_IN_PATHS: Final[dict[str, dict[str, Any]]] = {
    "run": _RUN,
    "id": _HANDOFF,
    "key": _TRUST,
    "endpoint": _ENDPOINT,
    "delivery": _DELIVERY,
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_TEXTS = {"events": "text/event-stream", "corrections": "application/jsonl", "metrics": "text/plain"}
_OBJECTS = {"policy_schema": "application/schema+json"}
"""Of what is JSON of another kind."""
_WHY = {
    400: "The request cannot be read.",
    401: "No valid key.",
    403: "This key may not do that.",
    404: "There is no such thing for this key.",
    408: "The body did not arrive in time.",
    409: "The state has moved on; `type` says how.",
    410: "The time is up.",
    413: "Too large.",
    415: "Not JSON, or not what else this call takes.",
    422: "The body is not what this call takes; `errors` has every fault.",
    429: "Too many; wait as long as `Retry-After` says, in seconds.",
    503: "The store did not confirm; the same call again is safe.",
}


@cache
def document(version: str, url: str) -> dict[str, Any]:
    """The whole document."""
    schemas, refs = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Andon",
            "version": version,
            "description": "Ask a person before acting. See docs/wire-protocol.md for what a schema cannot say.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key: apk_…"}},
        },
    }


def _models() -> dict[Any, JsonSchemaMode]:
    models: dict[Any, JsonSchemaMode] = {wire.Problem: "serialization"}
    for call in CALLS:
        if call.body is not None:
            models[call.body] = "validation"
        for model in call.success.values():
            if model is not None:
                models[model] = "serialization"
    return models


def _schemas() -> tuple[dict[str, Any], dict[Any, dict[str, Any]]]:
    inputs = [(str(i), mode, TypeAdapter(model)) for i, (model, mode) in enumerate(_models().items())]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    refs = {model: found[(str(i), mode)] for i, (model, mode) in enumerate(_models().items())}
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas, refs


def _operation(call: Call, refs: dict[Any, dict[str, Any]]) -> dict[str, Any]:  # noqa: C901  # a part each
    operation: dict[str, Any] = {"operationId": call.name, "summary": call.summary, "responses": {}}
    parameters: list[dict[str, Any]] = []
    for name, schema in _IN_PATHS.items():
        if f"{{{name}}}" in call.path:
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in call.query.items()]
    if call.idempotent:
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "schema": schema})
    if call.name == "events":
        schema = {"type": "string", "pattern": r"^[0-9]{1,19}-[0-9]{1,19}$"}
        parameters.append({"name": "Last-Event-ID", "in": "header", "schema": schema})
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None or call.media:
        schema = {"type": "string"} if call.body is None else refs[call.body]
        media = call.media or "application/json"
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    for status, model in call.success.items():
        response: dict[str, Any] = {"description": "As asked." if status == 200 else "Done."}  # noqa: PLR2004
        if model is not None:
            response["content"] = {"application/json": {"schema": refs[model]}}
        elif call.name in _TEXTS:
            response["content"] = {_TEXTS[call.name]: {"schema": {"type": "string"}}}
        else:
            media = _OBJECTS.get(call.name, "application/json")
            response["content"] = {media: {"schema": {"type": "object"}}}
        operation["responses"][str(status)] = response
    for status in _errors(call):
        operation["responses"][str(status)] = {"description": _WHY[status], "content": _PROBLEM}
    operation["responses"]["default"] = {"description": "A problem document.", "content": _PROBLEM}
    operation["security"] = [] if call.who == "anyone" else [{"key": []}]
    return operation


def _errors(call: Call) -> list[int]:
    errors = set(call.errors)
    if call.who != "anyone":
        errors |= {400, 401, 403, 429, 503}
    if call.body is not None or call.media:
        errors |= {408, 413, 415, 422}
    return sorted(errors)
