"""Answers people who talk to the bot: in a channel, in a direct message, by the command."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from adapters.slack import words
from adapters.slack.brief import brief
from adapters.slack.cards import Cards
from adapters.slack.fit import Json
from adapters.slack.ground import SlackGround
from adapters.slack.installs import Installs
from adapters.slack.lists import Lists
from adapters.slack.markup import mrkdwn
from adapters.slack.saying import Listener, Saying
from adapters.slack.threads import Threads, is_by_person
from bot import talk
from bot.talk import Granted, Helped, Overview, Place, Said, Shown, Stopped, Waits

ASKING: Final = "To say something to an agent, use “Ask the agent about this” in the menu of a message."
_TEXT_CHARS: Final = 3_000
_MEMBERS: Final = "I talk with people of this workspace only."


class Talk:
    """Takes one message or command at a time; the same message again is answered once."""

    def __init__(
        self,
        talking: talk.Talk,
        *,
        ground: SlackGround,
        threads: Threads,
        saying: Saying,
        installs: Installs,
        cards: Cards,
        lists: Lists,
        clock: Callable[[], datetime],
    ) -> None:
        """Say what `talking` finds; answers to cards are for `threads`."""
        self._talking = talking
        self._ground = ground
        self._threads = threads
        self._saying = saying
        self._installs = installs
        self._cards = cards
        self._lists = lists
        self._clock = clock

    async def mentioned(self, event: Mapping[str, Any], team: str) -> None:
        """Somebody called the bot in a channel: answer below. What only they may know is shown to them alone."""
        if not _is_said(event) or await self._threads.replied(event, team):
            return
        channel, ts = str(event["channel"]), str(event["ts"])
        listener = Listener(team, str(event["user"]), channel, str(event.get("thread_ts") or ts))
        async with self._talking.once(f"talk:{team}/{channel}/{ts}") as is_first:
            if not is_first:
                return
            bot = await self._installs.bot(team)
            text = words.typed(words.addressed(str(event.get("text") or ""), bot.user), {})
            place = Place(f"@{bot.name} ", f"{team}/{channel}", asks_here=True)
            said = await self._answer(text, listener, place, _user_team(event))
            if said is None:
                return
            shown, blocks = self._shown(said)
            if said.is_private:
                # Below a message that has no replies yet nobody would see it.
                thread = event.get("thread_ts")
                alone = Listener(team, listener.user, channel, str(thread) if thread else None)
                await self._saying.tell(alone, shown, blocks)
            else:
                await self._saying.say(team, channel, shown, blocks, thread=listener.thread)

    async def messaged(self, event: Mapping[str, Any], team: str) -> None:
        """Somebody wrote to the bot directly: answer there."""
        if not _is_said(event):
            return
        channel, ts = str(event["channel"]), str(event["ts"])
        thread = str(event["thread_ts"]) if event.get("thread_ts") else None
        listener = Listener(team, str(event["user"]), channel, thread)
        async with self._talking.once(f"talk:{team}/{channel}/{ts}") as is_first:
            if not is_first:
                return
            bot = await self._installs.bot(team)
            text = words.typed(words.addressed(str(event.get("text") or ""), bot.user), {})
            said = await self._answer(text, listener, Place("", None), _user_team(event))
            if said:
                await self._saying.say(team, channel, *self._shown(said), thread=thread)

    async def command(self, payload: Mapping[str, Any], team: str) -> None:
        """`/andon` was typed: answer, to this person alone."""
        channel = str(payload.get("channel_id") or "")
        url = str(payload.get("response_url") or "") or None
        listener = Listener(team, str(payload["user_id"]), channel or None, response_url=url)
        here = None if channel.startswith("D") else f"{team}/{channel}"
        place = Place(f"{payload.get('command') or '/andon'} ", here)
        said = await self._answer(words.typed(str(payload.get("text") or ""), {}), listener, place, None)
        await self._saying.tell(listener, *self._shown(said or Said(_MEMBERS)))

    # --- what to say ---

    async def _answer(self, text: str, listener: Listener, place: Place, user_team: str | None) -> Said | None:
        viewing = self._ground.viewer(listener.team, listener.user, channel=listener.channel, user_team=user_team)
        return await self._talking.answer(text, viewing, place)

    def _shown(self, said: Said) -> tuple[str, list[Json] | None]:
        text = mrkdwn(said.text, _TEXT_CHARS)
        match said.body:
            case Waits(lines=waiting) | Overview(waiting=waiting):
                return text, self._lists.pending(waiting) if waiting else None
            case Granted(lines=granted):
                return text, self._lists.grants(granted)
            case Stopped(lines=stopped):
                return text, self._lists.brakes(stopped)
            case Helped(title=title, lines=typed):
                return text, self._lists.help(title, typed)
            case Shown(handoff=handoff, link=link):
                told = brief(self._cards, handoff, now=self._clock(), permalink=link)
                return told.text, told.blocks
            case None:
                return text, None


def _is_said(event: Mapping[str, Any]) -> bool:
    """Did a person say this just now, to whoever reads it?"""
    return is_by_person(event) and not event.get("subtype")


def _user_team(event: Mapping[str, Any]) -> str | None:
    found = event.get("user_team") or event.get("source_team") or event.get("team")
    return str(found) if found else None
