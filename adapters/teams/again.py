"""“Try again” on a card whose agent was not reached: the decision is sent to it once more."""

from adapters.teams.answers import Presser
from adapters.teams.carried import Pressed
from adapters.teams.people import People
from adapters.teams.replying import Json, with_words
from adapters.teams.whose import Whose
from bot.ports import Desk


class Again:
    """Takes presses. Whoever sees the card may: it changes no decision."""

    def __init__(self, desk: Desk, *, people: People, whose: Whose) -> None:
        """Ask the desk to send."""
        self._desk = desk
        self._people = people
        self._whose = whose

    async def pressed(self, press: Pressed, presser: Presser) -> Json:
        """Send it, and say what came of that.

        Raises:
            DirectoryDown, BadRequest, Gone: It is not known who presses, or on which card; nothing was sent.
            StoreUnavailable: Nothing was confirmed; the same press again is safe.
        """
        handoff = await self._desk.look(press.handoff)
        await self._whose.check(handoff, presser.address)
        person = await self._people.person(presser.activity)
        return with_words(await self._desk.send_again(handoff.id, person.actor))
