"""The buttons in Teams that stop a run, that lift a brake, and that end a grant."""

from adapters.teams.answers import Presser
from adapters.teams.carried import Pressed
from adapters.teams.cord import Replies, soon
from adapters.teams.ground import TeamsGround
from adapters.teams.people import People
from adapters.teams.replying import Json, with_words
from adapters.teams.saying import Listener
from adapters.teams.spoken import said_at
from adapters.teams.whose import Whose
from bot import talk
from bot.cards.obeyed import Action, plainly, reply
from bot.cards.rich import code
from bot.ports import Desk
from bot.talk import Grants, Wish


class Brakes:
    """Takes presses; the reply to each is a sentence for whoever pressed."""

    def __init__(
        self,
        desk: Desk,
        brakes: talk.Brakes,
        grants: Grants,
        *,
        ground: TeamsGround,
        people: People,
        whose: Whose,
        replies: Replies,
    ) -> None:
        """Which somebody may know of, and what a press does, is known to `brakes` and `grants`."""
        self._desk = desk
        self._brakes = brakes
        self._grants = grants
        self._ground = ground
        self._people = people
        self._whose = whose
        self._replies = replies

    async def pressed(self, press: Pressed, presser: Presser) -> Json:
        """Resume on a card that is on hold, or “Stop this run” on one that waits; and say so below it.

        Raises:
            NotAnApprover, DirectoryDown, BadRequest, Gone: They may not, or it is not known; nothing was done.
            StoreUnavailable: Nothing was confirmed; the same press again is safe.
        """
        handoff = await self._desk.look(press.handoff)
        await self._whose.check(handoff, presser.address)
        asked: Action = "resume" if press.do == "resume" else "stop"
        find = self._people.person(presser.activity) if asked == "resume" else soon(self._people, presser.activity)
        person = await find
        self._brakes.check(person, asked)
        wish = Wish(_id(presser), asked, person, said_at=said_at(presser.activity))
        if asked == "resume":
            done = await self._brakes.resume(handoff, press.epoch, wish)
        else:
            done = await self._brakes.stop(handoff, wish, (code("resume"), " or presses Resume on the card"))
        await self._replies.say(done, Listener.of(presser.activity), once=wish.id)
        return with_words(plainly(reply(done)))

    async def lifted(self, press: Pressed, presser: Presser) -> Json:
        """Resume was pressed on a list: lift that very brake."""
        viewing = self._ground.viewer(presser.activity)
        told = await self._brakes.lift(viewing, str(press.epoch), id=_id(presser), said_at=said_at(presser.activity))
        return with_words(told)

    async def ended(self, press: Pressed, presser: Presser) -> Json:
        """End a grant."""
        return with_words(await self._grants.end(self._ground.viewer(presser.activity), press.id))


def _id(presser: Presser) -> str:
    """The same press again is the same wish; the surface's name is put before it."""
    return presser.answer_id.partition(":")[2]
