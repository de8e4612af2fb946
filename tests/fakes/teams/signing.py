"""JSON Web Tokens and keys, written from RFC 7515, 7517 and 7519 and from nobody's library."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Json = dict[str, Any]


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(part: Json) -> str:
    """A header or a set of claims as a part of a token."""
    return b64(json.dumps(part, separators=(",", ":")).encode())


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(eq=False)
class Key:
    """An RSA key of Microsoft's, and the channels that it may speak for."""

    endorsements: list[str] | None = field(default_factory=lambda: ["msteams"])
    kid: str = field(default_factory=lambda: secrets.token_urlsafe(20))

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        """The secret half, made when it is first needed."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwk(self) -> Json:
        """As the key server publishes it."""
        public = self.private.public_key().public_numbers()
        told: Json = {"kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, "alg": "RS256"}
        told |= {"n": _number(public.n), "e": _number(public.e)}
        return told if self.endorsements is None else told | {"endorsements": self.endorsements}

    @property
    def pem(self) -> bytes:
        """The public half as text, which some verifiers can be made to take for a shared secret."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        """RS256."""
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def token(header: Json, claims: Json, key: Key) -> str:
    """A token that this key signed."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def token_by_secret(header: Json, claims: Json, secret: bytes) -> str:
    """A token with a shared secret's signature: HS256."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def unsigned(header: Json, claims: Json) -> str:
    """A token that ends where the signature would begin."""
    return f"{encoded(header)}.{encoded(claims)}."
