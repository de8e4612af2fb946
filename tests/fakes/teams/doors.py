"""Where keys and tokens come from: OpenID metadata, the key set, and the directory's token endpoint."""

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.fakes.teams import signing

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud

Json = dict[str, Any]
SCOPE: Final = "https://api.botframework.com/.default"
LIFE_S: Final = 3599


async def metadata(cloud: "TeamsCloud", request: web.Request) -> web.StreamResponse:
    """The OpenID configuration of the Bot Framework."""
    told = {
        "issuer": "https://api.botframework.com",
        "authorization_endpoint": "https://invalid.botframework.com",
        "jwks_uri": f"{cloud.url}/v1/.well-known/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }
    return await _served(cloud, request, "metadata", told)


async def keys(cloud: "TeamsCloud", request: web.Request) -> web.StreamResponse:
    """The keys that are published now."""
    return await _served(cloud, request, "keys", {"keys": [key.jwk for key in cloud.tokens.published]})


async def _served(cloud: "TeamsCloud", request: web.Request, name: str, told: Json) -> web.StreamResponse:
    cloud.calls[name] += 1
    faults = cloud.door_faults
    if seconds := faults.slow_s.get(name):
        await asyncio.sleep(seconds)
    while name in faults.hangs and not cloud.is_closing:  # noqa: ASYNC110 - a plain set is what tests change
        await asyncio.sleep(0.01)
    match faults.modes.get(name):
        case "down":
            raise web.HTTPServiceUnavailable(text="service unavailable")
        case "garbage":
            return web.Response(text="<html>not what you want</html>", content_type="text/html")
        case "empty":
            return web.json_response({})
        case "odd":
            strange = [{"kid": 7}, "x", {"kid": "y", "kty": "EC"}, {"kid": "z", "kty": "RSA", "n": 7, "e": [1]}]
            return web.json_response({"jwks_uri": ["x"], "keys": strange})
        case "reset":
            if request.transport:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
    return web.json_response(told)


async def token(cloud: "TeamsCloud", request: web.Request) -> web.StreamResponse:
    """The token endpoint of a tenant: client credentials only."""
    form = await request.post()
    refusal = _refusal(cloud, request.match_info["tenant"], {name: str(value) for name, value in form.items()})
    if refusal and cloud.door_faults.modes.get("token") is None:
        cloud.calls["token"] += 1
        cloud.errors.append(f"token: {refusal[1]['error_description']}")
        return web.json_response(refusal[1], status=refusal[0])
    life_s = cloud.token_life_s
    value = _bearer(cloud, life_s)
    told = {"token_type": "Bearer", "expires_in": life_s, "ext_expires_in": life_s, "access_token": value}
    return await _served(cloud, request, "token", told)


def _bearer(cloud: "TeamsCloud", life_s: int) -> str:
    """An access token; to us it is opaque, to the connector it is what it was given out as."""
    now = cloud.clock.now()
    cloud.bearers_made += 1
    claims = {"aud": "https://api.botframework.com", "appid": cloud.app_id, "exp": int(now + life_s)}
    value = signing.unsigned({"typ": "JWT", "alg": "none"}, claims | {"jti": cloud.bearers_made})
    cloud.bearers[value] = now + life_s
    return value


def _refusal(cloud: "TeamsCloud", tenant: str, form: dict[str, str]) -> tuple[int, Json] | None:
    """Why no token is given, with the directory's own codes.

    Source: Microsoft Entra authentication and authorization error codes,
    https://learn.microsoft.com/entra/identity-platform/reference-error-codes, read 2026-11.
    """

    def no(status: int, error: str, said: str) -> tuple[int, Json]:
        return status, {"error": error, "error_description": f"{said} Trace ID: {cloud.new_guid()}", "error_codes": []}

    if tenant not in cloud.tenants:
        return no(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
    if form.get("grant_type") != "client_credentials":
        return no(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
    if form.get("scope") != SCOPE:
        return no(400, "invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid.")
    if form.get("client_id") != cloud.app_id or tenant != cloud.home.id:
        said = f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found in the directory."
        return no(400, "unauthorized_client", said)
    if form.get("client_secret") != cloud.app_password:
        said = f"AADSTS7000215: Invalid client secret provided for app '{cloud.app_id}'."
        return no(401, "invalid_client", said)
    if cloud.secret_expired:
        said = f"AADSTS7000222: The provided client secret keys for app '{cloud.app_id}' are expired."
        return no(401, "invalid_client", said)
    return None


def size_utf16(body: Json) -> int:
    """How long Teams says an activity is: its text in UTF-16."""
    return len(json.dumps(body, ensure_ascii=False).encode("utf-16-le"))
