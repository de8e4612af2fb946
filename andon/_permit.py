"""The permit to act, and the check that its bytes are the decided ones. Pure."""

import hashlib
import hmac
import json
from typing import Any

from pydantic import JsonValue, ValidationError

from andon import wire
from andon._errors import PermitMismatch

__all__ = ["Permit", "read_permit"]


class Permit(wire.Permit):
    """Leave to act, once, on exactly what was decided."""

    @property
    def decided(self) -> dict[str, JsonValue]:
        """What was decided, read from the permit's own bytes: `{"tool", "args"}`, `{"choice"}` or `{"answer"}`."""
        decided: dict[str, JsonValue] = json.loads(self.payload)
        return decided

    @property
    def tool(self) -> str:
        """The tool to run."""
        return str(self.decided["tool"])

    @property
    def args(self) -> dict[str, Any]:
        """The arguments to run it with; use these, not your own copy."""
        args: dict[str, Any] = self.decided["args"]  # type: ignore[assignment] # an action's args are an object
        return args


def read_permit(content: bytes, *, handoff: str, digest: str, claimant: str) -> Permit:
    """Read a permit, and trust it only if it is for this decision and its bytes have the decided digest.

    Raises:
        PermitMismatch: They have not. Run nothing.
    """
    try:
        permit = Permit.model_validate_json(content)
        hashed = hashlib.sha256(permit.payload.encode()).hexdigest()
    except (ValidationError, UnicodeEncodeError) as error:
        raise PermitMismatch(f"{handoff}: the service's answer to the claim is no permit; nothing was run") from error
    for what, got, wanted in (
        ("handoff", permit.handoff, handoff),
        ("claimant", permit.claimant, claimant),
        ("digest", permit.digest, digest),
        ("SHA-256 of the payload", hashed, digest),
    ):
        if not hmac.compare_digest(got.encode(), wanted.encode()):
            raise PermitMismatch(f"{handoff}: the permit's {what} is {got}, not {wanted}; nothing was run")
    return permit
