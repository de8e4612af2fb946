"""Where on Slack a place is: channels by id or name, people by id or e-mail address."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.slack.api import Api
from adapters.slack.calls import Unreachable
from adapters.slack.installs import Installs
from adapters.slack.memory import Memory
from adapters.slack.people import People
from andon import wire
from bot.errors import BotError

_KEEP_S: Final = 600.0
_SOON_S: Final = 15.0
"""A name that is not known is looked for again, this often: the channel may be new."""
_PAGE: Final = 999
_PROMPT_S: Final = 1.0
"""So long whoever is in a hurry waits for a channel's name; then the one of before counts."""
_ADDRESS_RE: Final = re.compile(r"(?:(?P<team>[TE][A-Z0-9]{2,20})/)?(?P<rest>.+)", re.DOTALL)
_CHANNEL_RE: Final = re.compile(r"[CGD][A-Z0-9]{4,20}")
_USER_RE: Final = re.compile(r"[UW][A-Z0-9]{4,20}")
_NAME_RE: Final = re.compile(r"#?[^\s#<>@/,&]{1,80}")
_EMAIL_RE: Final = re.compile(r"[^\s@<>,]{1,64}@[^\s@<>,]{1,255}")
_TS_RE: Final = re.compile(r"\d{1,12}\.\d{1,6}")


@dataclass(frozen=True, slots=True)
class Spot:
    """A conversation on Slack, or a thread in it."""

    team: str
    channel: str
    thread: str | None = None

    @property
    def address(self) -> str:
        """`T…/C…`."""
        return f"{self.team}/{self.channel}"


class Places:
    """Finds places, and their names."""

    def __init__(
        self,
        api: Api,
        installs: Installs,
        people: People,
        *,
        default: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send what names neither channel nor person to `default`, if there is one."""
        self._api = api
        self._installs = installs
        self._people = people
        self._default = default
        self._clock = clock
        self._listed_at: dict[str, float] = {}
        self._called: dict[tuple[str, str], str] = {}
        """What channels were called when Slack last told."""
        self._own: Memory[str, Mapping[str, str]] = Memory(self._ask_own, life_s=_KEEP_S, clock=clock)
        self._direct: Memory[tuple[str, str], str] = Memory(self._ask_direct, life_s=_KEEP_S, clock=clock)
        self._names: Memory[tuple[str, str], str] = Memory(
            self._ask_name, life_s=_KEEP_S, is_no=lambda error: isinstance(error, Unreachable), clock=clock
        )

    async def find(self, place: wire.Place) -> Spot:
        """Where this is.

        Args:
            place: Its channel is an id (`C…`, `T…/C…`) or a name (`#ops`); its person an id (`U…`, `T…/U…`) or an
                e-mail address; its thread the `ts` of a message. A channel goes before a person.

        Raises:
            Unreachable: There is no such place, or the app is not there; one sentence says what to do.
            BotError: As `Api.call`.
        """
        if place.thread and not _TS_RE.fullmatch(place.thread):
            detail = f"{place.thread!r} is no thread on Slack; name the ts of its first message, as 1700000000.000100"
            raise Unreachable(detail, code="thread_not_found")
        channel = place.channel or ("" if place.person else self._default)
        if channel:
            team, said = await self._split(channel)
            return Spot(team, await self._channel(team, said), place.thread)
        if place.person:
            team, said = await self._split(place.person)
            return Spot(team, await self._direct.get((team, await self._user(team, said))), place.thread)
        detail = "no channel and no person is named; name one in the ask, or set SLACK_CHANNEL"
        raise Unreachable(detail, code="no_place")

    async def name(self, team: str, channel: str) -> str:
        """What people call it: `#ops`, `a direct message`; its id when Slack does not tell."""
        if channel.startswith("D"):
            return "a direct message"
        try:
            return await self._names.get((team, channel))
        except BotError:
            return channel

    async def ways(self, team: str, channel: str) -> tuple[str, ...]:
        """Every way in which a place may name this channel; it takes no longer than a moment.

        Raises:
            BotError: It is not known which workspaces there are.
        """
        ways = [channel]
        with contextlib.suppress(BotError, TimeoutError):
            if not channel.startswith("D"):
                await asyncio.wait_for(self._names.get((team, channel)), _PROMPT_S)
        if name := self._called.get((team, channel)):
            ways += [f"#{name}", name]
        with_team = [f"{team}/{way}" for way in ways]
        return (*with_team, *(ways if list(await self._installs.teams()) == [team] else ()))

    # --- reading ---------------------------------------------------------------------------------

    async def _split(self, address: str) -> tuple[str, str]:
        """The workspace, named or the only one, and the rest."""
        found = _ADDRESS_RE.fullmatch(address.strip())
        team, rest = (found["team"], found["rest"]) if found else (None, address)
        if team is None:
            return await self._installs.default_team(), rest
        teams = await self._installs.teams()
        if team in teams:
            return team, rest
        for each in teams:
            if (await self._installs.bot(each)).enterprise == team:  # an organisation's person: any of its workspaces
                return each, rest
        choices = f"it is in {', '.join(teams)}" if teams else "it is in none"
        detail = f"Andon is not installed in the Slack workspace {team} of {address!r}; {choices}"
        raise Unreachable(detail, code="team_unknown")

    async def _channel(self, team: str, said: str) -> str:
        if _CHANNEL_RE.fullmatch(said):
            return said
        if not _NAME_RE.fullmatch(said):
            raise Unreachable(f"{said!r} is no channel; name its id, C…, or its name, #ops", code="channel_not_found")
        name = said.removeprefix("#").casefold()
        own = await self._own.get(team)
        if name not in own and self._clock() - self._listed_at.get(team, 0.0) > _SOON_S:
            self._own.forget(lambda key: key == team)
            own = await self._own.get(team)
        if name in own:
            return own[name]
        app = (await self._installs.bot(team)).name
        detail = f"{app} is in no channel #{name}; make it or mend its name, then invite the app there: /invite @{app}"
        raise Unreachable(detail[0].upper() + detail[1:], code="channel_not_found")

    async def _user(self, team: str, said: str) -> str:
        if _USER_RE.fullmatch(said):
            return said
        if _EMAIL_RE.fullmatch(said):
            return await self._people.user_by_email(team, said)
        raise Unreachable(
            f"{said!r} is nobody on Slack; name a person's id, U…, or their e-mail address", code="user_not_found"
        )

    # --- asking ----------------------------------------------------------------------------------

    async def _ask_own(self, team: str) -> Mapping[str, str]:
        """The channels that the app is in, by name.

        It can post in no others, and there are far fewer of them than `conversations.list` would tell page by page.
        """
        self._listed_at[team] = self._clock()
        types = "public_channel,private_channel"
        pages = self._api.pages(
            team, "users.conversations", "channels", types=types, exclude_archived=True, limit=_PAGE
        )
        own = {}
        async for channel in pages:
            name, id = str(channel.get("name") or ""), str(channel["id"])
            own[name.casefold()] = id
            self._know(team, id, name)
        return own

    async def _ask_direct(self, key: tuple[str, str]) -> str:
        team, user = key
        return str((await self._api.call(team, "conversations.open", users=user))["channel"]["id"])

    async def _ask_name(self, key: tuple[str, str]) -> str:
        team, id = key
        channel = (await self._api.call(team, "conversations.info", channel=id)).get("channel") or {}
        if channel.get("is_im"):
            return "a direct message"
        if channel.get("is_mpim"):
            return "a group message"
        return self._know(team, id, str(channel.get("name") or "")) or id

    def _know(self, team: str, id: str, name: str) -> str:
        if not name:
            return ""
        self._names.keep((team, id), f"#{name}")
        self._called[team, id] = name
        self._api.named(team, id, f"#{name}")
        return f"#{name}"
