"""A dialog (a task module, as it was once called): a card in a window of its own, before one person."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.teams import cards

if TYPE_CHECKING:
    from tests.fakes.teams.model import Message
    from tests.fakes.teams.outcomes import Outcome
    from tests.fakes.teams.people import Person

Json = dict[str, Any]


@dataclass(eq=False)
class Dialog:
    """An open dialog."""

    person: "Person"
    message: "Message"
    card: Json
    title: str
    about: Json | None = None
    """Of a message extension: the message that it was opened for, as Teams tells of it."""

    @property
    def shown(self) -> str:
        """All that can be read in it."""
        return cards.words(self.card)

    @property
    def buttons(self) -> list[str]:
        """The titles of what can be pressed."""
        return [each.title for each in cards.actions(self.card) if not each.hidden]

    async def submit(self, title: str, given: dict[str, str] | None = None) -> "Outcome":
        """Press a button in it, with what was filled in by the inputs' ids or labels."""
        return await self.person.submit_dialog(self, title, given or {})
