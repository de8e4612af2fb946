"""Calls to the Bot Connector: in their turn, tried again where Teams says so, and with errors that help."""

import logging
import math
import random
import time
from asyncio import sleep, timeout
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote

import aiohttp

from adapters.teams.bearer import Bearer
from adapters.teams.config import TeamsConfig
from adapters.teams.errors import NoAccess, TeamsDown, TeamsFailed, Unreachable
from adapters.teams.pace import Pace
from adapters.teams.references import Reference, References, Team
from adapters.teams.refusals import code_of, why
from bot.errors import BotError, TooMany
from bot.ports import Shelf

log = logging.getLogger("andon.teams")

TIMEOUT_S: Final = 10.0
_TRIES: Final = 4
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0
_REST_S: Final = 5
"""How long to rest when Teams says that it was too much and not for how long."""
_PAGE: Final = 500
_MOST_PAGES: Final = 400
_AGAIN: Final = frozenset(
    {
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Source: Optimize your bot with rate limiting in Teams,
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit, read 2026-11.
"""
_LEFT: Final = frozenset({"BotNotInConversationRoster", "ConversationNotFound"})
"""The app was removed, and nothing was told of it, or not yet."""
_ALERT_S: Final = 3600.0

Json = Mapping[str, Any]


class Alarm(Protocol):
    """What the connector needs of the desk."""

    async def alert(self, about: str, text: str) -> None:
        """Tell operators."""
        ...


class Connector:
    """The Bot Connector, for the conversations that the bot has a reference to."""

    def __init__(
        self,
        config: TeamsConfig,
        bearer: Bearer,
        references: References,
        shelf: Shelf,
        desk: Alarm,
        *,
        http: aiohttp.ClientSession,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Call through `http`; `jitter` gives a number from 0 to 1."""
        self._config = config
        self._bearer = bearer
        self._references = references
        self._desk = desk
        self._http = http
        self._clock = clock
        self._jitter = jitter
        self._pace = Pace(shelf, clock=clock)
        self._alerted: dict[str, float] = {}

    # --- messages ---

    async def send(self, to: Reference, activity: Json, *, is_paced: bool = True) -> str:
        """Post an activity into a conversation, or into the thread that the reference names; returns its id.

        A message is posted in its turn, which all processes share. Up to a second of waiting is slept here; with
        more to wait the turn is kept for the same activity, and `TooMany` says when to come for it. What is not
        `is_paced` goes at once: turns are in the store, which may be away.

        Raises:
            Unreachable: It can never arrive there; nothing was done.
            TooMany: Not before `retry_after_s`: our pace, or Teams' wish; nothing was done.
            NoAccess: The bot gets no token; operators were told. Nothing was done.
            TeamsFailed: Anything else. With the codes `timeout`, `connection` and `http_5…` it may have been done.
        """
        if is_paced:
            await self._pace.take("send", to.conversation, activity, where=_where(to))
        told = await self._call("POST", to, f"/v3/conversations/{_part(to.id)}/activities", activity, paced="send")
        return str(told.get("id") or "")

    async def update(self, to: Reference, activity_id: str, activity: Json) -> None:
        """Let a message of the bot say something else; raises as `send`."""
        await self._pace.take("update", to.conversation, activity, where=_where(to))
        path = f"/v3/conversations/{_part(to.id)}/activities/{_part(activity_id)}"
        await self._call("PUT", to, path, {**activity, "id": activity_id}, paced="update")

    async def delete(self, to: Reference, activity_id: str) -> None:
        """Take a message of the bot away; raises as `send`."""
        await self._call("DELETE", to, f"/v3/conversations/{_part(to.id)}/activities/{_part(activity_id)}")

    async def begin_chat(self, near: Reference | Team, member: str, *, person: str) -> Reference:
        """The chat with somebody whom the bot met elsewhere, begun now if it is not there; it is remembered.

        Args:
            near: A conversation or a team of the same tenant.
            member: The person's id for this bot, 29:…
            person: Their id in the directory.

        Raises:
            Unreachable: The app is not installed for them.
            BotError: As `send`.
        """
        at = Reference(near.tenant, near.service_url, near.bot, "", "personal", person=person)
        body = {
            "bot": {"id": near.bot},
            "isGroup": False,
            "members": [{"id": member}],
            "tenantId": near.tenant,
            "channelData": {"tenant": {"id": near.tenant}},
        }
        await self._pace.take("create", f"{near.tenant}/{person}", body, where="a new chat")
        told = await self._call("POST", at, "/v3/conversations", body, paced="create")
        if not told.get("id"):
            raise _unreadable("POST")
        found = Reference(near.tenant, near.service_url, near.bot, str(told["id"]), "personal", person=person)
        await self._references.keep(found)
        return found

    # --- who is there ---

    async def members(self, of: Reference) -> AsyncIterator[Json]:
        """Everybody in a conversation, as the roster has them; raises as `send`."""
        following = None
        for _ in range(_MOST_PAGES):
            asked = f"?pageSize={_PAGE}" + (f"&continuationToken={_part(following)}" if following else "")
            told = await self._call("GET", of, f"/v3/conversations/{_part(of.conversation)}/pagedmembers{asked}")
            for each in told.get("members") or ():
                yield each
            following, before = told.get("continuationToken") or None, following
            if following is None or following == before:
                return

    async def member(self, of: Reference, who: str) -> Json | None:
        """One person of a conversation: by the id for this bot, the directory's, or the name that they sign in with.

        None: nobody of that name is there, or the app itself is not; raises as `send`.
        """
        try:
            return await self._call("GET", of, f"/v3/conversations/{_part(of.conversation)}/members/{_part(who)}")
        except (TeamsFailed, Unreachable) as error:
            if error.code in {"MemberNotFoundInConversation", "http_404", *_LEFT}:
                return None
            raise

    async def team(self, team: Team) -> Json:
        """What a team is called, and how many are in it; raises as `send`."""
        return await self._call("GET", team.general, f"/v3/teams/{_part(team.id)}")

    async def channels(self, team: Team) -> Sequence[Json]:
        """A team's channels; General, which is the first, has no name of its own. Raises as `send`.

        None at all, where the app is not any more.
        """
        try:
            told = await self._call("GET", team.general, f"/v3/teams/{_part(team.id)}/conversations")
        except Unreachable as error:
            if error.code in _LEFT:
                return ()
            raise
        return list(told.get("conversations") or ())

    # --- calling ---

    async def _call(self, method: str, at: Reference, path: str, body: Json | None = None, *, paced: str = "") -> Json:
        """Call where the reference says; should that be out of date, where Teams was last heard from."""
        try:
            try:
                return await self._tried(method, at, at.service_url, path, body, paced=paced)
            except (Unreachable, TeamsFailed) as error:
                latest = await self._references.service_url(at.tenant)
                if error.code not in {"ConversationNotFound", "connection"} or latest in {"", at.service_url}:
                    raise
                told = await self._tried(method, at, latest, path, body, paced=paced)
                await self._references.moved(at, latest)
                return told
        except NoAccess as error:
            await self._alert(error)
            raise

    async def _tried(
        self, method: str, at: Reference, service_url: str, path: str, body: Json | None, *, paced: str
    ) -> Json:
        """Call, and again after a while where that may help."""
        if not self._config.may_be_served_from(service_url):
            raise Unreachable(f"{_where(at)} is at an address that calls may not go to", code="service_url")
        is_new_token = False
        for number in range(_TRIES):
            token = await self._bearer.get()
            status, told, after = await self._once(method, f"{service_url.rstrip('/')}{path}", body, token)
            if status < HTTPStatus.BAD_REQUEST:
                return told
            if status == HTTPStatus.UNAUTHORIZED and not is_new_token:
                self._bearer.refused(token)
                is_new_token = True
                continue
            step_s = min(_FIRST_PAUSE_S * 2**number, _LONGEST_PAUSE_S)
            pause_s = after + step_s * self._jitter() if after else step_s * (0.5 + self._jitter())
            if status not in _AGAIN or number == _TRIES - 1 or after > _LONGEST_PAUSE_S:
                raise self._refusal(method, at, status, told, after, paced=paced)
            log.info("teams.again status=%d call=%s seconds=%.1f", status, method, pause_s)
            await sleep(pause_s)
        raise self._refusal(method, at, HTTPStatus.UNAUTHORIZED, {}, 0.0, paced=paced)

    async def _once(self, method: str, url: str, body: Json | None, token: str) -> tuple[int, Json, float]:
        """The status, the body, and after how many seconds Teams wants to be asked again."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                timeout(TIMEOUT_S),
                self._http.request(method, url, json=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
                after = _seconds(answer.headers.get("Retry-After"))
                try:
                    told = await answer.json(content_type=None)
                except ValueError:
                    told = None
        except TimeoutError as error:
            raise TeamsDown(f"Teams did not answer within {TIMEOUT_S:.0f} s", code="timeout", call=method) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = f"Teams cannot be reached: {type(error).__name__}: {error}"
            raise TeamsDown(detail, code="connection", call=method) from error
        return status, told if isinstance(told, Mapping) else {}, after

    def _refusal(self, method: str, at: Reference, status: int, told: Json, after: float, *, paced: str) -> BotError:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = math.ceil(after) or _REST_S
            if paced:
                self._pace.rest(paced, at.conversation, seconds)
            log.warning("teams.limited call=%s conversation=%s seconds=%d", method, at.conversation, seconds)
            return TooMany(f"Teams wants {seconds} s of rest before {_where(at)}", retry_after_s=seconds)
        return why(code_of(told), status, told, call=method, where=_where(at), kind=at.kind)

    async def _alert(self, error: NoAccess) -> None:
        """Tell operators, once an hour for each fault."""
        now = self._clock()
        if now - self._alerted.get(error.code, -_ALERT_S) >= _ALERT_S:
            self._alerted[error.code] = now
            await self._desk.alert(f"teams:{error.code}", str(error))


def _where(at: Reference) -> str:
    """As people know it, for the sentences of errors."""
    if at.kind == "personal":
        return "this person's chat with Andon"
    kind = "the channel" if at.kind == "channel" else "the group chat"
    return f"{kind} {at.name}" if at.name else f"{kind} {at.conversation}"


def _part(text: str) -> str:
    return quote(text, safe="")


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0


def _unreadable(call: str) -> TeamsFailed:
    return TeamsFailed("what came back is not from the Bot Connector", code="unreadable", call=call)
