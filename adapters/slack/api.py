"""Calls to Slack's Web API on behalf of one workspace: with its token, at Slack's pace, and with errors that help."""

import json
import logging
import math
import time
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import aiohttp

from adapters.slack.calls import Caller, NoAccess, Refused, SlackFailed, Unreachable, why
from adapters.slack.installs import Installs
from adapters.slack.pace import Pace, patience_s
from adapters.slack.tokens import NAME
from bot.errors import BotError, TooMany
from bot.ports import Desk, Shelf
from bot.turns import Turns

__all__ = ["Api", "NoAccess", "SlackFailed", "Unreachable"]

_PACED: Final = "chat.postMessage"
_EVERY: Final = timedelta(seconds=1)
_BURST: Final = 3
"""One message a second and channel, and short bursts over it.

Source: Rate limits, https://docs.slack.dev/apis/web-api/rate-limits, read 2026-05.
"""
_LATE_S: Final = 30.0
"""How long a rest is remembered after its end, so that turns from before it do not count."""
_ALERT_S: Final = 3600.0
_MOST_PAGES: Final = 1000
_NAMES: Final = 10_000

_NEEDS_TEAM: Final = frozenset(
    {"conversations.list", "usergroups.list", "usergroups.users.list", "users.conversations"}
)
"""Methods that an organisation-wide token must tell the workspace."""

log = logging.getLogger("andon")


class Api:
    """Slack's Web API."""

    def __init__(
        self,
        installs: Installs,
        shelf: Shelf,
        desk: Desk,
        *,
        url: str,
        http: aiohttp.ClientSession,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Call at `url`, through `http`."""
        self._installs = installs
        self._turns = Turns(shelf, clock=clock)
        self._desk = desk
        self._caller = Caller(url, http)
        self._clock = clock
        self._pace = Pace(clock=clock)
        self._rests: dict[tuple[str, str, str], float] = {}
        self._alerted: dict[tuple[str, str], float] = {}
        self._names: dict[tuple[str, str], str] = {}

    async def call(self, team: str, method: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Call one method for one workspace; arguments that are None are left out.

        A message is posted in its turn: one a second for each channel, in the order of asking, shared by all
        processes. Up to a second of waiting is slept here. With more to wait, the turn is kept for the same message
        (known by its metadata, else by all of it) and `TooMany` says when to come for it; so a long queue blocks
        nobody, and who comes later gets a later turn. What is done in the `background` lets others go first.

        Raises:
            Unreachable: It can never arrive there; nothing was done.
            TooMany: Not before `retry_after_s`: our pace, or Slack's wish; nothing was done.
            NoAccess: A token or a scope is missing; operators were told. Nothing was done.
            SlackFailed: Anything else. With the codes `timeout`, `connection` and `http_…` it may have been done.
        """
        rest = (team, method, str(arguments.get("channel")) if method == _PACED else "")
        self._mind_rest(rest)
        await self._give_way(team, method)
        if method == _PACED:
            await self._turn(team, arguments, rested_until=self._rests.get(rest, 0.0))
        try:
            return await self._called(team, method, arguments)
        except TooMany as error:
            now = self._clock()
            self._rests = {each: until for each, until in self._rests.items() if until > now - _LATE_S}
            self._rests[rest] = now + error.retry_after_s
            log.warning("slack.limited team=%s method=%s seconds=%d", team, method, error.retry_after_s)
            raise

    async def pages(self, team: str, method: str, key: str, /, **arguments: Any) -> AsyncIterator[Any]:
        """Every item of a list that comes in pages, as `key` of each answer; raises as `call`."""
        cursor = None
        for _ in range(_MOST_PAGES):
            told = await self.call(team, method, **arguments, cursor=cursor)
            for item in told.get(key) or ():
                yield item
            following = (told.get("response_metadata") or {}).get("next_cursor") or None
            if following is None or following == cursor:
                return
            cursor = following

    def named(self, team: str, channel: str, name: str) -> None:
        """Remember what people call a channel, for the sentences of errors."""
        if len(self._names) >= _NAMES:
            self._names.clear()
        self._names[team, channel] = name

    async def _called(self, team: str, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            token = await self._installs.token(team)
            given = arguments
            if method in _NEEDS_TEAM and (await self._installs.bot(team)).is_enterprise_install:
                given = {"team_id": team, **arguments}
            try:
                return (await self._caller(method, token, given)).data
            except Refused as refused:
                if refused.code != "token_expired" or not await self._installs.renew(team, token):
                    raise await self._why(team, refused, arguments) from refused
            try:
                return (await self._caller(method, await self._installs.token(team), given)).data
            except Refused as refused:
                raise await self._why(team, refused, arguments) from refused
        except NoAccess as error:
            await self._alert(team, error)
            raise

    async def _why(self, team: str, refused: Refused, arguments: Mapping[str, Any]) -> BotError:
        try:
            app = (await self._installs.bot(team)).name
        except BotError:
            app = NAME
        channel = str(arguments.get("channel") or arguments.get("channel_id") or "")
        user = str(arguments.get("user") or arguments.get("users") or arguments.get("email") or "")
        remedy = await self._installs.remedy(team)
        return why(refused, app=app, channel=self._names.get((team, channel), channel), user=user, remedy=remedy)

    async def _alert(self, team: str, error: NoAccess) -> None:
        """Tell operators, once an hour for each fault."""
        fault, now = (team, str(error)), self._clock()
        if now - self._alerted.get(fault, -_ALERT_S) < _ALERT_S:
            return
        self._alerted = {each: at for each, at in self._alerted.items() if now - at < _ALERT_S}
        self._alerted[fault] = now
        await self._desk.alert(f"slack:{team}:{error.code}", str(error))

    # --- pace ------------------------------------------------------------------------------------

    def _mind_rest(self, rest: tuple[str, str, str]) -> None:
        """Slack said how long to let be; calling sooner makes it longer."""
        left_s = self._rests.get(rest, 0.0) - self._clock()
        if left_s > 0:
            raise TooMany(f"Slack wants {left_s:.0f} s more rest before {rest[1]}", retry_after_s=math.ceil(left_s))

    async def _give_way(self, team: str, method: str) -> None:
        """Go at once, or, in the background, when enough is left for people who press."""
        waited_s, most_s = 0.0, patience_s() or 0.0
        while (wait_s := self._pace.wait_s(team, method)) > 0:
            if waited_s + wait_s > most_s:
                detail = f"people who answer may need {method} in the next {wait_s:.0f} s"
                raise TooMany(detail, retry_after_s=math.ceil(wait_s))
            await sleep(wait_s)
            waited_s += wait_s

    async def _turn(self, team: str, arguments: Mapping[str, Any], *, rested_until: float) -> None:
        channel = str(arguments.get("channel"))
        await self._turns.take(
            f"post:{team}:{channel}",
            _ticket(team, channel, arguments),
            every=_EVERY,
            burst=_BURST,
            where=channel,
            rested_until=rested_until,
        )


def _ticket(team: str, channel: str, arguments: Mapping[str, Any]) -> str:
    """Which message this is. The metadata of a card stays as it is while the card itself counts minutes down."""
    message = arguments.get("metadata") or arguments
    told = json.dumps([team, channel, arguments.get("thread_ts"), message], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()
