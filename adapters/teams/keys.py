"""Microsoft's signing keys: fetched beside the work, kept for a day, and fetched anew when one is not known.

However many requests come with keys that nobody knows, the key server is asked once in ten seconds. While it is away,
the keys of before count for three more days.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from bot.errors import SurfaceDown, Unauthenticated

log = logging.getLogger("andon.teams")

FRESH_S: Final = 24 * 3600.0
STALE_S: Final = 4 * 24 * 3600.0
AGAIN_S: Final = 10.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)
_MOST_BYTES: Final = 1024 * 1024
_MIN_BITS: Final = 2048


class KeysDown(SurfaceDown):
    """There are no keys to check a token with."""

    slug, title, status = "teams-keys-down", "Microsoft's signing keys cannot be had", 503


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, and the channels that it may speak for."""

    public: RSAPublicKey
    endorsements: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Fetched:
    issuer: str
    keys: Mapping[str, SigningKey]
    at: float


class Keys:
    """The keys that the metadata's address leads to."""

    def __init__(
        self, metadata_url: str, http: aiohttp.ClientSession, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is fetched before the first request."""
        self._url = metadata_url
        self._http = http
        self._clock = clock
        self._known: _Fetched | None = None
        self._tried_at = -AGAIN_S
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> tuple[SigningKey, str]:
        """The key of this id, and the issuer that it signs for.

        Raises:
            Unauthenticated: Microsoft has no such key.
            KeysDown: There are none to look among.
        """
        known = self._still_good()
        if known is None:
            await self._fetch()
            known = self._still_good()
            if known is None:
                raise KeysDown(f"no signing keys can be had from {self._url}; see the log")
        elif self._clock() - known.at >= FRESH_S and self._may_try():
            self._begin()  # whoever is here does not wait for it
        if kid not in known.keys and self._may_try_or_joins():
            await self._fetch()
            known = self._still_good() or known
        if kid not in known.keys:
            raise Unauthenticated("the token's key is none of Microsoft's")
        return known.keys[kid], known.issuer

    async def close(self) -> None:
        """Fetch no more."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _still_good(self) -> _Fetched | None:
        known = self._known
        return known if known and self._clock() - known.at < STALE_S else None

    def _may_try(self) -> bool:
        return self._clock() - self._tried_at >= AGAIN_S

    def _may_try_or_joins(self) -> bool:
        return self._fetching is not None or self._may_try()

    async def _fetch(self) -> None:
        """Wait for the fetch that is under way, or for a new one if it may be tried; failures are in the log."""
        if self._fetching is None and self._may_try():
            self._begin()
        if self._fetching:
            await asyncio.shield(self._fetching)  # who gives up must not end it for the others

    def _begin(self) -> None:
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._get(), name="teams signing keys")

    async def _get(self) -> None:
        at = self._clock()
        try:
            told = await self._json(self._url)
            issuer, address = told.get("issuer"), told.get("jwks_uri")
            if not isinstance(issuer, str) or not isinstance(address, str) or not issuer:
                raise ValueError("the metadata names no issuer or no keys")  # noqa: TRY301  # all faults end alike
            keys = _read((await self._json(address)).get("keys"))
            if not keys:
                raise ValueError("there is no key in the key set")  # noqa: TRY301  # as above
            self._known = _Fetched(issuer, keys, at)
            log.info("teams.keys_fetched count=%d", len(keys))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.warning("teams.keys_failed url=%s error=%s detail=%s", self._url, type(error).__name__, error)
        finally:
            self._fetching = None

    async def _json(self, url: str) -> Mapping[str, Any]:
        body = bytearray()
        async with self._http.get(url, timeout=_TIMEOUT) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError(f"{url} answers with more than {_MOST_BYTES} bytes")
        told = json.loads(body)
        if not isinstance(told, Mapping):
            raise ValueError(f"{url} answers with something that is no object")  # noqa: TRY004  # one kind for all faults
        return told


def _read(listed: object) -> Mapping[str, SigningKey]:
    """The RSA keys for signing that can be read; others are somebody else's, or newer than us."""
    found = {}
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, Mapping) or not isinstance(each.get("kid"), str) or each.get("kty") != "RSA":
            continue
        try:
            public = RSAAlgorithm.from_jwk(dict(each))
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        endorsed = each.get("endorsements")
        channels = frozenset(str(channel) for channel in endorsed) if isinstance(endorsed, list) else frozenset[str]()
        if isinstance(public, RSAPublicKey) and public.key_size >= _MIN_BITS:
            found[each["kid"]] = SigningKey(public, channels)
    return found
