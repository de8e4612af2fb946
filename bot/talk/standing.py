"""What people want to be told and asked, once and for all, kept on a surface's shelf by the id of the person."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.cards.listing import SettingLine
from bot.errors import BadRequest
from bot.handoff import Handoff
from bot.ports import Shelf

_KEPT: Final = timedelta(days=400)
_RENEWED: Final = timedelta(days=30)
_FAILURES: Final = frozenset({"failed", "undo_failed"})


class Settings(BaseModel):
    """One person's own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outcomes: Literal["failures", "all", "none"] = "failures"
    """Of what they decided: which ends they are told of in a direct message."""
    twice: bool = False
    """Are they asked again before their yes to what cannot be undone?"""

    def tells(self, status: str) -> bool:
        """Do they want to be told of an end like this?"""
        return self.outcomes == "all" or (self.outcomes == "failures" and status in _FAILURES)

    def lines(self) -> tuple[SettingLine, ...]:
        """As they are shown."""
        return (
            SettingLine(
                "outcomes",
                "Send me a direct message when what I decided is done",
                self.outcomes,
                (("failures", "Only if it failed"), ("all", "Always"), ("none", "Never")),
            ),
            SettingLine(
                "twice",
                "Before I approve what cannot be undone, ask me again",
                "on" if self.twice else "off",
                (("off", "No"), ("on", "Yes")),
            ),
        )


class Standings:
    """Keeps settings; they last as long as somebody uses them."""

    def __init__(self, shelf: Shelf) -> None:
        """On this shelf."""
        self._shelf = shelf

    async def load(self, person: str) -> Settings:
        """What this person wants.

        Raises:
            StoreUnavailable: Not known now.
        """
        name = _name(person)
        kept = await self._shelf.load(name)
        if kept is None:
            return Settings()
        if await self._shelf.once(f"renewed:{name}", _RENEWED):
            await self._shelf.save(name, kept, _KEPT)
        try:
            return Settings.model_validate_json(kept)
        except ValidationError:
            return Settings()  # of a newer version of us

    async def save(self, person: str, settings: Settings) -> None:
        """Keep it.

        Raises:
            StoreUnavailable: It may not be kept; again is safe.
        """
        await self._shelf.save(_name(person), settings.model_dump_json(), _KEPT)

    async def choose(self, person: str, key: str, value: str) -> Settings:
        """Change one setting.

        Raises:
            BadRequest: There is no such setting, or it has no such value.
            StoreUnavailable: It may not be kept; again is safe.
        """
        now = await self.load(person)
        values: Mapping[str, str] = {line.key: line.value for line in now.lines()}
        if key not in values:
            raise BadRequest("this is no setting of ours; open your settings again")
        if not any(value == option for line in now.lines() if line.key == key for option, _ in line.options):
            raise BadRequest("this setting has no such value; open your settings again")
        given = {**values, key: value}
        changed = Settings.model_validate({**given, "twice": given["twice"] == "on"})
        await self.save(person, changed)
        return changed


def is_final(handoff: Handoff) -> bool:
    """Is it what somebody may want to be asked about again: something is done, and cannot be undone?"""
    return not handoff.ask.reversible and handoff.action is not None


def _name(person: str) -> str:
    return f"standing:{person}"
