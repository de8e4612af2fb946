"""Words and reactions to the brake, as Teams tells of them; what they mean and come to is found by `bot.talk`."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from adapters.teams import spoken
from adapters.teams.ground import TeamsGround, room_of
from adapters.teams.lists import Lists
from adapters.teams.people import People, Person
from adapters.teams.references import Reference
from adapters.teams.saying import Listener, Saying, Words
from adapters.teams.spoken import Spoken
from andon import wire
from bot import talk
from bot.cards.obeyed import Done, Sentence, plainly, reply
from bot.cards.rich import code
from bot.errors import DirectoryDown
from bot.ports import Desk, Shelf
from bot.talk import Orders, Targets, Viewer

log = logging.getLogger("andon.teams")

_PROMPT_S: Final = 1.0
"""So long a stop waits for Teams to say who says it."""
_SAID_FOR: Final = timedelta(days=2)


class Replies:
    """Says what came of words to the brake, each once."""

    def __init__(self, shelf: Shelf, *, lists: Lists, saying: Saying) -> None:
        """The shelf knows what was said, and where."""
        self._shelf = shelf
        self._lists = lists
        self._saying = saying

    async def say(self, done: Done, to: Listener, *, once: str) -> None:
        """Say it where they are, below their words or the card; `once` names the words.

        Raises:
            StoreUnavailable: It is not known whether it was said; again is safe.
        """
        if not await self._shelf.once(f"cord:{once}", _SAID_FOR):
            return
        told = reply(done)
        words = Words(plainly(told), self._lists.said(told))
        if done.is_for_all and await self._saying.say(to.where, words, mark=f"cord:{once}"):
            if to.where.thread:  # what people say below that is for the bot
                await self._shelf.save(_spoke(to.where), "", _SAID_FOR)
            return
        await self._saying.tell(to, words, mark=f"cord:{once}", is_secret=False)

    async def spoke(self, where: Reference) -> bool:
        """Did it say something in this thread?"""
        return await self._shelf.load(_spoke(where)) is not None


class Hall:
    """The `Hall` of `bot.talk`: Teams, for those who speak to the brake."""

    platform = "Teams"

    def __init__(self, *, people: People, ground: TeamsGround, saying: Saying, replies: Replies) -> None:
        """Say what came of it by `replies`."""
        self._people = people
        self._ground = ground
        self._saying = saying
        self._replies = replies

    async def person(self, said: Spoken) -> Person:
        """See `Hall`."""
        return await self._people.person(said.activity)

    async def soon(self, said: Spoken) -> Person:
        """See `Hall`."""
        return await soon(self._people, said.activity)

    async def viewer(self, said: Spoken) -> Viewer:
        """See `Hall`."""
        return await self._ground.viewer(said.activity)

    def alone(self, said: Spoken, person: talk.Person) -> Viewer:
        """See `Hall`."""
        return Viewer(said.where.tenant, said.user, person, said.room)

    async def named(self, said: Spoken) -> str:
        """See `Hall`: Teams sends the names."""
        return said.typed

    async def is_for_other_app(self, said: Spoken) -> bool:  # noqa: ARG002  # of any message
        """See `Hall`: Teams does not tell whose message a thread hangs from."""
        return False

    async def tell(self, said: Spoken, text: str, *, is_secret: bool = False) -> None:
        """See `Hall`."""
        words = self._saying.words(text)
        await self._saying.tell(Listener.of(said.activity), words, mark=f"told:{said.id}", is_secret=is_secret)

    async def reply(self, said: Spoken, done: Done) -> None:
        """See `Hall`."""
        await self._replies.say(done, Listener.of(said.activity), once=said.id)

    def how(self, said: Spoken, target: str, *, is_own: bool) -> Sentence:
        """See `Hall`: where it is not known that all messages come, only one that mentions the bot surely does."""
        call = "" if said.is_direct or said.is_plain else f"@{said.bot} "
        if target:
            return (code(f"{call}resume {target}"),)
        if is_own and said.noun == "chat":
            return (code(f"{call}resume"), " in reply to the card")
        return (code(f"{call}resume"), " in this thread" if is_own else " here")


class Cord:
    """Takes one activity at a time; the same again is done and answered once."""

    def __init__(
        self,
        desk: Desk,
        hall: Hall,
        *,
        replies: Replies,
        targets: Targets,
        orders: Orders,
    ) -> None:
        """Obey at the desk."""
        self._replies = replies
        self._cord = talk.Cord(desk, hall, targets=targets, orders=orders)

    async def said(self, activity: Mapping[str, Any]) -> bool:
        """A message: was it words to the brake, so that it means nothing else?

        Raises:
            StoreUnavailable: It may be done or not; the same activity again is safe.
        """
        found = spoken.message(activity)
        if found is None or not self._cord.may_be(found.typed):
            return False
        if found.thread and found.where.thread and await self._replies.spoke(found.where):
            found = replace(found, below="us")
        return await self._cord.heed(found)

    async def reacted(self, activity: Mapping[str, Any]) -> None:
        """A reaction to a card: the words for stop and pause that are signs count as if they were typed below it.

        Raises:
            StoreUnavailable: It may be done or not; the same activity again is safe.
        """
        for found in spoken.reactions(activity):
            await self._cord.signed(found)

    async def untaken(self, activity: Mapping[str, Any]) -> None:
        """The store is away, so that an activity was not looked at: whoever meant the brake is told, once.

        Teams may send it again; it is taken then.
        """
        if activity["type"] == "message":
            if found := spoken.message(activity):
                await self._cord.untaken(found)
            return
        for sign in spoken.reactions(activity):
            await self._cord.untaken(sign, is_sign=True)


async def soon(people: People, activity: Mapping[str, Any]) -> Person:
    """Who sent a verified activity, for who stops an agent, within a moment.

    When Teams is slow, or does not tell, whoever is signed in to an organisation counts as a guest, called as the
    activity calls them. In a channel that is shared with other organisations nobody does.

    Raises:
        DirectoryDown: Teams does not even tell that.
    """
    try:
        return await asyncio.wait_for(people.person(activity), _PROMPT_S)
    except (DirectoryDown, TimeoutError) as error:
        sender, where = activity["from"], Reference.of(activity)
        aad = str(sender.get("aadObjectId") or "")
        channel = (activity.get("channelData") or {}).get("channel") or {}
        if not aad or str(channel.get("type") or "").casefold() == "shared":
            raise DirectoryDown(f"Teams does not tell now who this is: {error}; try again in a minute") from error
        log.info("teams.taken_at_its_word user=%s conversation=%s", aad, where.conversation)
        name = str(sender.get("name") or aad)
        actor = wire.Actor(kind="person", id=f"{where.tenant}/{aad}", name=name, surface="teams")
        return Person(actor, "guest", "", str(sender.get("id") or ""))


def _spoke(where: Reference) -> str:
    return f"spoke:{room_of(where)}/{where.thread}"
