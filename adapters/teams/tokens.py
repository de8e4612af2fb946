"""Is a request from Teams, and from people who may act? Every bad token is refused alike."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import jwt

from adapters.teams.config import TeamsConfig
from adapters.teams.keys import Keys
from bot.errors import Unauthenticated

log = logging.getLogger("andon.teams")

CHANNEL: Final = "msteams"
_ALGORITHM: Final = "RS256"
_LEEWAY_S: Final = 300
"""As Microsoft's own packages have it."""
_TOKEN_CHARS: Final = 16_384


class Verifier:
    """Checks the token of each request.

    Source: Authenticate requests from the Bot Connector service to your bot,
    https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication, read 2026-11.
    """

    def __init__(self, config: TeamsConfig, keys: Keys) -> None:
        """Check against Microsoft's keys."""
        self._config = config
        self._keys = keys

    async def verify(self, authorization: str | None) -> "Claims":
        """Read the `Authorization` header: whose signature it bears, and what it says.

        Raises:
            Unauthenticated: It is no valid token for this bot. One error for every bad one; the log says which.
            KeysDown: There are no keys to check it with.
        """
        if self._config.allow_anonymous:
            return Claims(None, frozenset())
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.casefold() != "bearer" or not token or len(token) > _TOKEN_CHARS or not token.isascii():
            raise _no("there is no bearer token")
        try:
            head = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise _no("it is no token") from error
        kid = head.get("kid")
        if head.get("alg") != _ALGORITHM or not isinstance(kid, str) or not kid:
            raise _no("it is not signed as Microsoft signs")
        try:
            key, issuer = await self._keys.find(kid)
        except Unauthenticated as error:
            raise _no(str(error)) from error
        try:
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[_ALGORITHM],
                audience=self._config.app_id,
                issuer=issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud"], "strict_aud": True},
            )
        except jwt.PyJWTError as error:
            raise _no(f"{type(error).__name__}: {error}") from error
        service_url = claims.get("serviceurl")
        return Claims(service_url if isinstance(service_url, str) else None, key.endorsements)

    def bind(self, claims: "Claims", activity: Mapping[str, Any]) -> None:
        """Is this the activity that the token was made for, and from a tenant whose people may act?

        Raises:
            Unauthenticated: No; one error for all of it.
        """
        service_url = str(activity.get("serviceUrl") or "")
        if not self._config.may_be_served_from(service_url):
            raise _no(f"calls may not go to {service_url[:200]!r}")
        if self._config.allow_anonymous:
            return
        if claims.service_url is None or claims.service_url != service_url:
            raise _no("its serviceurl is missing, or not the activity's")
        if activity.get("channelId") != CHANNEL or CHANNEL not in claims.endorsements:
            raise _no("its key does not speak for Teams, or the activity is not from there")
        if tenant_of(activity).casefold() not in self._config.tenants:
            raise _no(f"people of the tenant {tenant_of(activity)[:60]!r} may not act; see TEAMS_ALLOWED_TENANTS")


class Claims:
    """What a token says that is needed later; None and nothing where none is asked for."""

    __slots__ = ("endorsements", "service_url")

    def __init__(self, service_url: str | None, endorsements: frozenset[str]) -> None:
        """Keep them."""
        self.service_url = service_url
        self.endorsements = endorsements


def tenant_of(activity: Mapping[str, Any]) -> str:
    """The tenant that an activity comes from; empty when it names none, or two."""
    data, conversation = activity.get("channelData"), activity.get("conversation")
    tenant = data.get("tenant") if isinstance(data, Mapping) else None
    named = tenant.get("id") if isinstance(tenant, Mapping) else None
    also = conversation.get("tenantId") if isinstance(conversation, Mapping) else None
    found = {str(each) for each in (named, also) if each}
    return found.pop() if len(found) == 1 else ""


def _no(why: str) -> Unauthenticated:
    log.warning("teams.refused why=%s", why)
    return Unauthenticated("the token is missing, wrong, or for something else")
