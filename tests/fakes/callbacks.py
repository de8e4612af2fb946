"""Callbacks as the service signs them, made by hand: the wall clock and plain HMAC, nothing of the verifier's."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER: Final = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
AT: Final = "2026-11-22T20:00:00Z"

MIRA: Final = {"kind": "person", "id": "mira@example.com", "name": "Mira", "surface": "web"}

DECIDED: Final[Mapping[str, Any]] = {
    "type": "handoff.decided",
    "timestamp": AT,
    "data": {
        "handoff": "hf_1",
        "kind": "confirmation",
        "gate": "send_email",
        "run": "run_1",
        "agent": "mailer",
        "state": "decided",
        "revision": 1,
        "digest": "0" * 64,
        "token": "hf_1.token",
        "url": "https://andon.example.com/handoffs/hf_1",
        "decision": {
            "kind": "approved",
            "by": MIRA,
            "at": AT,
            "revision": 1,
            "digest": "0" * 64,
            "reason": "fine",
            "message_for_agent": "Go ahead.",
        },
    },
}


def decided(**decision: Any) -> dict[str, Any]:
    """The callback of another decision."""
    common = {"by": MIRA, "at": AT, "revision": 1, "message_for_agent": "Read this."}
    return {**DECIDED, "data": {**DECIDED["data"], "decision": {**common, **decision}}}


def body(told: Mapping[str, Any] = DECIDED) -> bytes:
    """As it travels."""
    return json.dumps(told).encode()


def signature(content: bytes, *, id: str, at: int, secret: str = SECRET) -> str:
    """One signature of a body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{id}.{at}.".encode() + content, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def signed(content: bytes, *, id: str = "cb_1", at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a body, sent now unless said otherwise."""
    at = int(time.time()) if at is None else at
    return {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(content, id=id, at=at, secret=secret),
    }
