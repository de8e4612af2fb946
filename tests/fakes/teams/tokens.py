"""The tokens that come with what Teams sends: good ones, and every kind of bad one."""

from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.teams import signing
from tests.fakes.teams.signing import Key

Json = dict[str, Any]
ISSUER: Final = "https://api.botframework.com"
HOUR_S: Final = 3600


class Tokens:
    """Mints them, with the key that is current. Keys are published as long as they are in `published`."""

    def __init__(self, clock: Clock, audience: str) -> None:
        self.clock = clock
        self.audience = audience
        self.key = Key()
        """What signs now."""
        self.published = [self.key]
        """What the key server shows."""

    def rotate(self) -> Key:
        """Sign with a new key from now on; the old one is not published any more. Returns the old one."""
        old = self.key
        self.key = Key()
        self.published = [self.key]
        return old

    def claims(self, service_url: str, **changed: Any) -> Json:
        """What a good token says; a claim that is changed to None is left out."""
        now = int(self.clock.now())
        told: Json = {"iss": ISSUER, "aud": self.audience, "nbf": now - 300, "exp": now + HOUR_S}
        told |= {"serviceurl": service_url} | changed
        return {name: value for name, value in told.items() if value is not None}

    def mint(self, service_url: str, *, key: Key | None = None, header: Json | None = None, **changed: Any) -> str:
        """A token, signed by the current key or another one; `header` replaces parts of its head."""
        key = key or self.key
        head: Json = {"alg": "RS256", "typ": "JWT", "kid": key.kid, "x5t": key.kid} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        return signing.token(head, self.claims(service_url, **changed), key)

    def mint_unsigned(self, service_url: str) -> str:
        """With `alg` none and no signature."""
        return signing.unsigned({"alg": "none", "typ": "JWT", "kid": self.key.kid}, self.claims(service_url))

    def mint_by_public_key(self, service_url: str) -> str:
        """HS256, with the public key as the secret: for verifiers that trust the token's own `alg`."""
        header = {"alg": "HS256", "typ": "JWT", "kid": self.key.kid}
        return signing.token_by_secret(header, self.claims(service_url), self.key.pem)
