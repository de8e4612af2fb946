"""What the bot says where it is talked to, or to one person in their own chat with it. What cannot be said is lost."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from adapters.teams.connector import Connector
from adapters.teams.lists import Lists
from adapters.teams.posts import message
from adapters.teams.references import Reference, References
from adapters.teams.texts import title
from bot.cards import visible
from bot.cards.rich import line
from bot.errors import BotError, TooMany

log = logging.getLogger("andon.teams")

_TRIES: Final = 5
_LONGEST_S: Final = 30
_CHARS: Final = 3_000
_SUMMARY_CHARS: Final = 500
_ALONE: Final = (
    "{}, that is for you alone, and I cannot write to you: add me for yourself under Apps, then ask again in our chat."
)


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody, and where they are."""

    where: Reference
    """With the thread."""
    user: str
    """Their id in the directory."""
    account: str
    """Their id for this bot, 29:…"""
    name: str

    @classmethod
    def of(cls, activity: Mapping[str, Any]) -> Self:
        """Who sent an activity."""
        sender = activity["from"]
        user, account = str(sender.get("aadObjectId") or ""), str(sender.get("id") or "")
        return cls(Reference.of(activity), user, account, str(sender.get("name") or "You"))


@dataclass(frozen=True, slots=True)
class Words:
    """A message of ours: its card, and what notifications say."""

    summary: str
    card: Mapping[str, Any]


class Saying:
    """Says one thing at a time."""

    def __init__(self, connector: Connector, references: References, *, lists: Lists) -> None:
        """Say it through `connector`."""
        self._connector = connector
        self._references = references
        self._lists = lists

    def words(self, text: str) -> Words:
        """A sentence of ours, in which there may be names and texts of others."""
        shown = visible(text)[:_CHARS]
        return Words(shown, self._lists.said(line(shown)))

    async def say(self, to: Reference, words: Words, *, mark: str) -> bool:
        """Post it for everybody there, in its turn; returns whether it was posted. The same `mark` is the same."""
        activity = _activity(words, mark)
        try:
            for _ in range(_TRIES):
                try:
                    await self._connector.send(to, activity)
                except TooMany as error:
                    await asyncio.sleep(min(error.retry_after_s, _LONGEST_S))
                else:
                    return True
        except BotError as error:
            log.warning("teams.unsaid conversation=%s detail=%s", to.conversation, error)
        return False

    async def tell(self, to: Listener, words: Words, *, mark: str, is_secret: bool) -> None:
        """Say it to one person in their chat with the bot; where there is none, before all, unless it `is_secret`."""
        if to.where.kind != "personal":
            chat = await self._chat(to)
            if chat and await self.say(chat, words, mark=mark):
                return
            if is_secret:
                words = self.words(_ALONE.format(to.name))
        # No turn is taken: turns are in the store, and that it is away is one of the things to be told.
        try:
            await self._connector.send(to.where, _activity(words, mark), is_paced=False)
        except BotError as error:
            log.warning("teams.untold user=%s detail=%s", to.user, error)

    async def _chat(self, to: Listener) -> Reference | None:
        """Their chat with the bot, begun if that is needed; None: they have not added the app, or it is not known."""
        if not to.user:
            return None
        try:
            found = await self._references.personal(to.user)
            return found or await self._connector.begin_chat(to.where, to.account, person=to.user)
        except BotError as error:
            log.info("teams.no_chat user=%s detail=%s", to.user, error)
            return None


def _activity(words: Words, mark: str) -> dict[str, Any]:
    return message(words.card, title(words.summary, _SUMMARY_CHARS), mark=mark)
