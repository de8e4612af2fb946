"""Is this the service's, and from now? One error for every bad input, and nothing is read before it is verified.

Source: Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
read 2026-11: the signature covers `<id>.<timestamp>.<body>`; several signatures are parted by spaces.
"""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from pydantic_core import from_json

from andon._errors import AndonError, NotConfigured
from andon.callbacks._models import Callback, read

try:
    from standardwebhooks.webhooks import Webhook
except ImportError as error:  # pragma: no cover - seen by a test in a process of its own
    raise ImportError('andon.callbacks needs one package more: pip install "andon[callbacks]"') from error

__all__ = ["BODY_BYTES", "Headers", "InvalidCallback", "Secrets", "verify"]

BODY_BYTES: Final = 64 * 1024
"""The service's callbacks are at most a third of this."""

WINDOW: Final = timedelta(seconds=300)

_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
# No full stop: it parts the id from the timestamp. No comma: servers join repeated headers with one.
_ID: Final = re.compile(r"[!-+/-~\-]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURES: Final = re.compile(r"[a-z0-9]+,[A-Za-z0-9+/=]+(?: [a-z0-9]+,[A-Za-z0-9+/=]+){0,15}")
_SIGNATURE_CHARS: Final = 2_048
_SECRET_BYTES: Final = range(24, 65)


class InvalidCallback(AndonError):
    """Not a callback of the service, or one of long ago: answer 401, and do nothing else."""


class HasItems(Protocol):
    """Headers as frameworks have them: a name may come more than once."""

    def items(self) -> Iterable[tuple[str, str]]:
        """All of them."""
        ...


Headers = HasItems | Iterable[tuple[str | bytes, str | bytes]]


def verify(
    headers: Headers, body: bytes, *, secret: str | Sequence[str] | None = None, now: datetime | None = None
) -> Callback:
    """Check that a callback is the service's and was sent within the last 300 seconds, and read it.

    It may have come before: `Seen` tells. What it says is a hint; `callback.resume` reads what stands, and
    the claim is the leave to act.

    Args:
        headers: All of the request's: a mapping of any framework, or pairs.
        body: Exactly as received.
        secret: The endpoint's, or several while it is being rotated; unset: `ANDON_CALLBACK_SECRET`, where
            several are parted by spaces.
        now: The time; unset: this machine's.

    Raises:
        InvalidCallback: It is not to be trusted. Whatever was wrong, this is the only error.
        NotConfigured: There is no secret, or it is none.
        TypeError: `body` is not bytes: text or JSON that was read and written again has other bytes.
    """
    return Secrets(secret).verify(headers, body, now=now)


class Secrets:
    """What callbacks of one endpoint are signed with.

    Raises:
        NotConfigured: There is none, or it cannot be one.
    """

    def __init__(self, secret: str | Sequence[str] | None = None) -> None:
        if secret is None:
            secret = os.environ.get("ANDON_CALLBACK_SECRET", "")
        texts = [part for text in ([secret] if isinstance(secret, str) else secret) for part in text.split()]
        if not texts:
            raise NotConfigured("no secret for callbacks: set ANDON_CALLBACK_SECRET to the endpoint's, `whsec_…`")
        self._signers = [Webhook(_key(text)) for text in texts]

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> Callback:
        """As the function `verify`."""
        webhook_id, text = self.check(headers, body, now=now or datetime.now(UTC))
        try:
            return read(webhook_id, from_json(text))
        except ValueError:
            # Its message may hold what was sent.
            raise InvalidCallback("the body is no callback") from None

    def check(self, headers: Headers, body: bytes, *, now: datetime) -> tuple[str, str]:
        """Check the signature and the time, whatever the body says, and return its id and text."""
        if not isinstance(body, bytes | bytearray | memoryview):
            raise TypeError(f"the body must be the bytes as received, not {type(body).__name__}: they were signed")
        webhook_id, timestamp, signatures = _headers(headers)
        if len(body) > BODY_BYTES:
            raise InvalidCallback("the body is too large")
        try:
            text = bytes(body).decode()
        except UnicodeDecodeError:
            raise InvalidCallback("the body is no UTF-8") from None
        sent = int(timestamp)
        if abs(now.timestamp() - sent) > WINDOW.total_seconds():
            raise InvalidCallback("sent too long ago, or this machine's clock is wrong")
        at = datetime.fromtimestamp(sent, UTC)
        # The texts are compared, so no hostile base64 is ever read; and all of them, so that time tells nothing.
        expected = [signer.sign(webhook_id, at, text) for signer in self._signers]
        found = [hmac.compare_digest(known, given) for known in expected for given in signatures]
        if not any(found):
            raise InvalidCallback("no signature fits a secret")
        return webhook_id, text


def _headers(headers: Headers) -> tuple[str, str, list[str]]:
    """Return id, timestamp and signatures, each of a form that cannot harm."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        key = _text(name).lower()
        if key in _NAMES:
            if key in found:
                raise InvalidCallback(f"{key} came more than once")
            found[key] = _text(value)
    webhook_id, timestamp, signatures = (found.get(name, "") for name in _NAMES)
    if not _ID.fullmatch(webhook_id):
        raise InvalidCallback("webhook-id is missing, or none")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise InvalidCallback("webhook-timestamp is missing, or none")
    if len(signatures) > _SIGNATURE_CHARS or not _SIGNATURES.fullmatch(signatures):
        raise InvalidCallback("webhook-signature is missing, or none")
    return webhook_id, timestamp, signatures.split(" ")


def _text(part: object) -> str:
    if isinstance(part, bytes):
        return part.decode("latin-1")
    return part if isinstance(part, str) else ""


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) not in _SECRET_BYTES:
        # Not shown: it may be a part of one.
        raise NotConfigured("a secret for callbacks is `whsec_` and base64 of 24 to 64 bytes, as the service showed it")
    return key
