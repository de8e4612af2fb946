"""How the Bot Connector says no.

Source: Status codes from bot conversational APIs,
https://learn.microsoft.com/microsoftteams/platform/bots/build-conversational-capability, read 2026-11.
"""

from typing import Any, Final

Json = dict[str, Any]

STATUSES: Final = {
    "BadSyntax": 400,
    "Bad Argument": 400,
    "Unauthorized": 401,
    "BotNotRegistered": 401,
    "BotDisabledByAdmin": 403,
    "BotNotInConversationRoster": 403,
    "ConversationBlockedByUser": 403,
    "ForbiddenOperationException": 403,
    "MessageWritesBlocked": 403,
    "NotEnoughPermissions": 403,
    "ActivityNotFoundInConversation": 404,
    "ConversationNotFound": 404,
    "MemberNotFoundInConversation": 404,
    "PreconditionFailed": 412,
    "MessageSizeTooBig": 413,
    "Throttled": 429,
    "ServiceError": 500,
    "BadGateway": 502,
    "ServiceUnavailable": 503,
    "GatewayTimeout": 504,
}


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: str, message: str = "", *, retry_after_s: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message or code
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        return STATUSES[self.code]

    @property
    def body(self) -> Json:
        if self.code == "MessageWritesBlocked":  # this one comes from a service further back, in its own form
            inner = (
                '{\r\n  "subCode": "MessageWritesBlocked",\r\n  "details": "Thread is blocked from message writes."}'
            )
            return {"errorCode": 209, "message": inner}
        return {"error": {"code": self.code, "message": self.message}}
