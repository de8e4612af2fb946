"""Answers people who talk to the bot: to it alone, in a channel or chat by its name; and greets where it is added."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.teams import words
from adapters.teams.ground import TeamsGround, room_of
from adapters.teams.home import Home
from adapters.teams.lists import Lists
from adapters.teams.references import Reference
from adapters.teams.saying import Listener, Saying, Words
from bot import talk
from bot.ports import Shelf
from bot.talk import Granted, Helped, Overview, Place, Said, Shown, Stopped, Waits, is_request

ASKING: Final = "To say something to an agent, use “Ask the agent about this” under More actions of a message."
_GREETED: Final = timedelta(days=30)


class Talk:
    """Takes one message at a time; the same message again is answered once."""

    def __init__(
        self,
        talking: talk.Talk,
        shelf: Shelf,
        *,
        ground: TeamsGround,
        home: Home,
        saying: Saying,
        lists: Lists,
        clock: Callable[[], datetime],
    ) -> None:
        """Say what `talking` finds."""
        self._talking = talking
        self._shelf = shelf
        self._ground = ground
        self._home = home
        self._saying = saying
        self._lists = lists
        self._clock = clock

    async def asked(self, activity: Mapping[str, Any]) -> bool:
        """A message that is a request to the bot, and cannot be the answer to a question; was it?"""
        if not _is_to_bot(activity):
            return False
        text = words.addressed(activity)
        if not is_request(text, has_link=words.link(text) is not None):
            return False
        await self._answer(activity, text)
        return True

    async def said(self, activity: Mapping[str, Any]) -> bool:
        """Any message to the bot; was it one?"""
        if not _is_to_bot(activity):
            return False
        await self._answer(activity, words.addressed(activity))
        return True

    async def happened(self, activity: Mapping[str, Any]) -> None:
        """The bot was added somewhere: say once what it is there for."""
        if activity["type"] != "installationUpdate" or activity.get("action") != "add":
            return
        where = Reference.of(activity)
        if await self._shelf.once(f"greeted:{room_of(where)}", _GREETED):
            shown = await self._shown(self._talking.greeting(_place(activity, where)), activity)
            if not await self._saying.say(where, shown, mark=f"greeted:{room_of(where)}"):
                await self._shelf.forget(f"greeted:{room_of(where)}")

    # --- what to say ---

    async def _answer(self, activity: Mapping[str, Any], text: str) -> None:
        """Answer below; what only they may know is said to them alone."""
        where, mark = Reference.of(activity), f"talk:{room_of(Reference.of(activity))}/{activity.get('id')}"
        async with self._talking.once(mark) as is_first:
            if not is_first:
                return
            said = await self._talking.answer(text, self._ground.viewer(activity), _place(activity, where))
            if said is None:
                return
            shown = await self._shown(said, activity)
            if said.is_private:
                await self._saying.tell(Listener.of(activity), shown, mark=mark, is_secret=True)
            else:
                await self._saying.say(where, shown, mark=mark)

    async def _shown(self, said: Said, activity: Mapping[str, Any]) -> Words:
        text = said.text
        match said.body:
            case Shown(handoff=handoff, link=link):
                return Words(*self._lists.brief(handoff, now=self._clock(), url=link))
            case None:
                return self._saying.words(text)
            case Waits(lines=waiting):
                return Words(text, self._lists.pending(waiting))
            case Granted(lines=granted):
                return Words(text, self._lists.grants(granted))
            case Stopped(lines=stopped):
                return Words(text, self._lists.brakes(stopped))
            case Helped(title=title, lines=typed):
                return Words(text, self._lists.help(title, typed))
            case Overview() as found:
                return Words(text, await self._home.card(await self._ground.viewer(activity), found))


def _is_to_bot(activity: Mapping[str, Any]) -> bool:
    """Did a person say this just now, to the bot?"""
    is_direct = Reference.of(activity).kind == "personal"
    return words.is_by_person(activity) and (is_direct or words.is_called(activity))


def _place(activity: Mapping[str, Any], where: Reference) -> Place:
    if where.kind == "personal":
        return Place("", None)
    name = str(activity["recipient"].get("name") or "Andon")
    noun = "channel" if where.kind == "channel" else "chat"
    return Place(f"@{name} ", room_of(where), asks_here=True, noun=noun)
