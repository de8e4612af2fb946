"""Takes what comes in to whoever knows what to do with it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.teams.answers import Answers, Presser
from adapters.teams.asking import Asking
from adapters.teams.carried import Pressed, pressed
from adapters.teams.cord import Cord
from adapters.teams.inbound import Payload, Reply
from adapters.teams.replying import Json, closing, found, with_words
from adapters.teams.rows import RowAnswers
from adapters.teams.talk import Talk
from adapters.teams.whisper import Whisper
from bot.cards import why_not
from bot.errors import BadRequest, BotError

Hearer = Callable[[Payload], Awaitable[bool]]
"""Looks at what somebody wrote; whether it was meant for it."""

Taker = Callable[[Pressed, Presser], Awaitable[Json]]
"""Takes a press that is not about the answer to a card."""

_SHOWN: Final = frozenset({"approve-shown", "reject-shown"})
_WORKING: Final = "This takes its time. If the card does not show your answer in a minute, press again: it counts once."


class Reception:
    """The `Inbox` of the surface."""

    def __init__(
        self,
        *,
        answers: Answers,
        rows: RowAnswers,
        whisper: Whisper,
        hearers: Sequence[Hearer],
        takers: Mapping[str, Taker],
        asking: Asking,
        cord: Cord,
        talk: Talk,
        clock: Callable[[], datetime],
    ) -> None:
        """Words go to the first of `hearers` that they are meant for; presses in `takers`, by what they do."""
        self._answers = answers
        self._rows = rows
        self._whisper = whisper
        self._hearers = tuple(hearers)
        self._takers = dict(takers)
        self._asking = asking
        self._cord = cord
        self._talk = talk
        self._clock = clock

    async def pressed(self, activity: Payload) -> Reply:
        """On a card, or a card that is looked at."""
        presser = Presser(activity)
        try:
            press = pressed(activity["value"]["action"].get("data"))
            if taker := self._takers.get(press.do):
                return await taker(press, presser)
        except BotError as error:
            return with_words(why_not(error, surface="teams", user=presser.user, now=self._clock()))
        if press.do == "refresh":
            return await self._answers.refreshed(press, presser)
        if press.do in _SHOWN:
            return await self._rows.pressed(press, presser)
        return await self._answers.pressed(press, presser)

    async def opened(self, activity: Payload) -> Reply:
        """A dialog."""
        presser = Presser(activity)
        try:
            press = pressed(activity["value"].get("data"))
        except BadRequest as error:
            return closing(why_not(error, surface="teams", user=presser.user, now=self._clock()))
        return await self._answers.opened(press, presser)

    async def submitted(self, activity: Payload) -> Reply:
        """A button in a dialog."""
        return await self.opened(activity)

    async def asked(self, activity: Payload) -> Reply:
        """Ask the agent about this."""
        return await self._asking.asked(activity)

    async def ask_submitted(self, activity: Payload) -> Reply:
        """The words for it."""
        return await self._asking.submitted(activity)

    async def searched(self, activity: Payload) -> Reply:
        """Candidates."""
        value = activity["value"]
        return await self._answers.searched(value["dataset"], value.get("queryText") or "", Presser(activity))

    async def still_working(self, activity: Payload) -> Reply:
        """The store, or Teams, takes its time."""
        if activity["name"] == "application/search":
            return found([])
        if activity["name"] == "adaptiveCard/action":
            return with_words(_WORKING)
        return closing(_WORKING)

    async def caught_up(self, activity: Payload, reply: Reply) -> None:
        """It is done: whoever pressed is told when it did not count."""
        if told := _words(reply):
            await self._whisper.tell(Presser(activity), told)

    async def said(self, activity: Payload) -> None:
        """Words."""
        for hear in self._hearers:
            if await hear(activity):
                return

    async def reacted(self, activity: Payload) -> None:
        """It may be a sign to the brake."""
        await self._cord.reacted(activity)

    async def happened(self, activity: Payload) -> None:
        """Where the bot is, and who is there, is known by now."""
        await self._talk.happened(activity)

    async def untaken(self, activity: Payload) -> None:
        """Whoever wanted something stopped is told that it was not; Teams sends it again."""
        await self._cord.untaken(activity)


def _words(reply: Reply) -> str:
    """The sentence of a reply that is one."""
    body: Mapping[str, Any] = reply or {}
    task = body.get("task")
    told = task.get("value") if isinstance(task, Mapping) else body.get("value")
    return told if isinstance(told, str) else ""
