"""What can go wrong between us and Microsoft's cloud, sorted by what can be done about it."""

from bot.errors import BotError, SurfaceDown, Undeliverable


class TeamsFailed(BotError):
    """Teams did not do it, for a reason that may pass."""

    slug, title, status = "teams-failed", "Teams did not do it", 502

    def __init__(self, detail: str, *, code: str, call: str = "") -> None:
        """Keep Teams' word for what is wrong; `timeout`, `connection`, `unreadable` and `http_503` are ours."""
        super().__init__(detail)
        self.code = code
        self.call = call


class TeamsDown(TeamsFailed, SurfaceDown):
    """It did not answer, or failed by itself."""


class Unreachable(Undeliverable):
    """It can never arrive there; `code` is Teams' word for why, and the sentence says what to do."""

    def __init__(self, detail: str, *, code: str) -> None:
        """Keep the sentence and the word."""
        super().__init__(detail)
        self.code = code


class NoAccess(SurfaceDown):
    """The bot gets no token, or Teams does not take it; the sentence says which setting to mend."""

    slug, title, status = "teams-no-access", "Teams does not let the app in", 502

    def __init__(self, detail: str, *, code: str) -> None:
        """Keep the sentence, and the directory's word."""
        super().__init__(detail)
        self.code = code
