"""How the fake says no: by Slack's own names of errors."""

from typing import Any


class Refused(Exception):
    """A call that is answered with `ok: false`.

    Args:
        error: Slack's name of the error, such as `channel_not_found`.
        messages: What `response_metadata.messages` says about it.
        retry_after_s: With `ratelimited`: the header Retry-After.
        extra: Further fields of the answer, such as `needed` and `provided`.
    """

    def __init__(
        self, error: str, *, messages: list[str] | None = None, retry_after_s: int | None = None, **extra: Any
    ) -> None:
        super().__init__(error, *(messages or ()))
        self.error = error
        self.messages = messages or []
        self.retry_after_s = retry_after_s
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The answer as it is sent."""
        answer: dict[str, Any] = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": self.messages}
        return answer
