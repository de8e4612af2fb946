"""Signatures as Standard Webhooks has them, through its own package: `whsec_…` secrets, `v1,…` signatures.

Source: Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
read 2026-11.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


class Unsignable(Exception):
    """The secret is none, or the time has no zone. The one error for all that cannot be signed."""


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return secret_of(secrets.token_bytes(_SECRET_BYTES))


def secret_of(data: bytes) -> str:
    """A secret as receivers are told it."""
    return _PREFIX + base64.b64encode(data).decode()


def sign(secrets_: Sequence[str], webhook_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers that go with a body: its id, the time of this try, and a signature by each secret.

    Raises:
        Unsignable: The package would raise one of several errors, or sign another moment than was meant.
    """
    if at.tzinfo is None:
        raise Unsignable("the time of a signature needs a zone")
    if not secrets_:
        raise Unsignable("there is no secret to sign with")
    moment = at.astimezone(UTC)  # the package reads the figures of any other zone as if they were UTC
    try:
        signatures = [Webhook(secret).sign(webhook_id, moment, body.decode()) for secret in secrets_]
    except (ValueError, EmptyWebhookSecretError) as error:  # binascii.Error and UnicodeDecodeError are ValueErrors
        raise Unsignable(f"the secret or the body cannot be used ({type(error).__name__})") from None
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
