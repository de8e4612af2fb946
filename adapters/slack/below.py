"""Says in a card's thread what happened around it, once; and calls people, but only those whom the policy names."""

import contextlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from adapters.slack.address import Address
from adapters.slack.api import Api, NoAccess, SlackFailed, Unreachable
from adapters.slack.installs import Installs
from adapters.slack.markup import mrkdwn
from adapters.slack.people import People
from adapters.slack.quiet import QUIET
from andon import wire
from bot.cards import Said, said
from bot.cards.rich import clip
from bot.handoff import Aside, Handoff
from bot.ports import Shelf

_KEPT: Final = timedelta(days=38)
_WORDS_CHARS: Final = 2_500
_TEXT_CHARS: Final = 300
_EMAIL_RE: Final = re.compile(r"[^@\s:/]+@[^@\s:/]+")
_ID_RE: Final = re.compile(r"slack:(?:(?P<team>[TE][A-Z0-9]+)/)?(?P<id>[UWS][A-Z0-9]+)")


class Below:
    """Replies in the threads of cards."""

    def __init__(self, api: Api, shelf: Shelf, *, people: People, installs: Installs) -> None:
        """The shelf knows what was said."""
        self._api = api
        self._shelf = shelf
        self._people = people
        self._installs = installs

    async def say(self, at: Address, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say it, once; a reminder, and whatever calls somebody, is shown in the channel as well.

        Raises:
            TooMany, Unreachable, NoAccess, SlackFailed: It was not said, and the next try says it.
        """
        once = f"below:{at.text}:{aside.id}"
        if not await self._shelf.once(once, _KEPT):
            return
        try:
            await self._say(at, handoff, aside, place)
        except BaseException:
            await self._shelf.forget(once)
            raise

    async def _say(self, at: Address, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        told = said(handoff, aside)
        called = [await self._element(at.team, entry) for entry in _called(told, handoff, aside, place)]
        loud = aside.kind == "reminded" or (aside.kind == "escalated" and bool(called))
        await self._api.call(
            at.team,
            "chat.postMessage",
            channel=at.channel,
            thread_ts=at.ts,
            text=mrkdwn(told.sentence, _TEXT_CHARS),
            blocks=_blocks(told, called),
            reply_broadcast=loud and not at.channel.startswith("D"),
            **QUIET,
        )

    async def _element(self, team: str, entry: str) -> dict[str, Any]:
        """Somebody, so that Slack calls them; who is not to be found there is named in plain words."""
        if found := _ID_RE.fullmatch(entry):
            bot = await self._installs.bot(team)
            if found["team"] in {None, team, bot.enterprise}:
                if found["id"].startswith("S"):
                    return {"type": "usergroup", "usergroup_id": found["id"]}
                return {"type": "user", "user_id": found["id"]}
        elif _EMAIL_RE.fullmatch(entry):
            with contextlib.suppress(Unreachable, NoAccess, SlackFailed):
                return {"type": "user", "user_id": await self._people.user_by_email(team, entry)}
        return {"type": "text", "text": clip(entry, _TEXT_CHARS)}


def _called(told: Said, handoff: Handoff, aside: Aside, place: wire.Place) -> Sequence[str]:
    """Whom it calls here: an escalation to other places calls its people there, and not where it came from."""
    if aside.kind != "escalated" or not 0 < aside.rung <= len(handoff.route.escalate):
        return told.called
    to = handoff.route.escalate[aside.rung - 1].to
    return told.called if not to or place in to else ()


def _blocks(told: Said, called: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    words: list[dict[str, Any]] = []
    for each in called:
        words += [each, {"type": "text", "text": " "}]
    words.append({"type": "text", "text": told.sentence})
    parts: list[dict[str, Any]] = [{"type": "rich_text_section", "elements": words}]
    if told.words:
        text = [{"type": "text", "text": clip(told.words.text, _WORDS_CHARS)}]
        parts.append({"type": "rich_text_quote", "elements": text})
    return [{"type": "rich_text", "elements": parts}]
