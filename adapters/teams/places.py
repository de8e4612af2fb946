"""Where on Teams a place is: conversations by id, link or name, people by their e-mail address or id."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from adapters.teams.connector import Connector
from adapters.teams.errors import Unreachable
from adapters.teams.people import People, Person
from adapters.teams.references import Reference, References, Team
from andon import wire
from bot.errors import BotError, StoreUnavailable
from bot.memory import Memory

_KEEP_S: Final = 600.0
_SOON_S: Final = 15.0
"""A name that is not known is looked for again, this often: the channel may be new."""
_PROMPT_S: Final = 1.0
"""So long whoever is in a hurry waits for a channel's name; then the one of before counts."""
_MOST_CHATS: Final = 500
_AT_ONCE: Final = 20
"""So many personal chats are looked through for an address that no team's roster has, so many at a time."""
_GENERAL: Final = "General"
_ID_RE: Final = re.compile(r"(19:[^\s/;]{1,200}@[a-z0-9.]{1,40}|a:[A-Za-z0-9_-]{1,200})(;messageid=\d{1,20})?")
_THREAD_RE: Final = re.compile(r"\d{1,20}")
_GUID_RE: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL_RE: Final = re.compile(r"[^\s@<>,]{1,64}@[^\s@<>,]{1,255}")
_ADD: Final = "Apps, Manage your apps, Andon, Add to a team or chat"

Json = Mapping[str, Any]


class Places:
    """Finds places, and their names."""

    def __init__(
        self,
        connector: Connector,
        references: References,
        people: People,
        *,
        default: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send what names neither channel nor person to `default`, if there is one."""
        self._connector = connector
        self._references = references
        self._people = people
        self._default = default
        self._clock = clock
        self._listed_at: dict[str, float] = {}
        self._called: dict[str, str] = {}
        """What channels were called when Teams last told."""
        self._channels: Memory[str, Mapping[str, str]] = Memory(self._ask_channels, life_s=_KEEP_S, clock=clock)
        self._addresses: Memory[str, tuple[Reference, Person]] = Memory(
            self._ask_address, life_s=_KEEP_S, is_no=lambda error: isinstance(error, Unreachable), clock=clock
        )

    async def find(self, place: wire.Place) -> Reference:
        """Where this is.

        | a place's | is |
        | --- | --- |
        | `channel` | a conversation's id, `19:…@thread.tacv2`; a link to a channel; `Team/Channel`; a team alone |
        | `thread` | the id of the message that a thread in a channel hangs from |
        | `person` | an e-mail address, or an id in the directory, perhaps with the tenant: `tenant/id` |

        Raises:
            Unreachable: There is no such place, or the app is not there; one sentence says what to do.
            BotError: As the connector's calls.
        """
        if place.thread and not _THREAD_RE.fullmatch(place.thread):
            detail = f"{place.thread!r} is no thread on Teams; name the id of its first message, as 1700000000000"
            raise Unreachable(detail, code="no_thread")
        channel = (place.channel or ("" if place.person else self._default)).strip()
        if channel:
            found = await self._channel(channel)
            return found.in_thread(place.thread or found.thread)
        if place.person:
            return await self._chat(place.person.strip())
        detail = "no channel and no person is named; name one in the ask, or set TEAMS_CHANNEL"
        raise Unreachable(detail, code="no_place")

    async def name(self, at: Reference) -> str:
        """What people call it: `Operations / Alerts`, `a personal chat`; its id when Teams does not tell."""
        if at.kind == "personal":
            return "a personal chat"
        if at.kind == "groupChat":
            return at.name or "a group chat"
        with contextlib.suppress(BotError):
            await self._name_channel(at)
        return self._called.get(at.conversation, at.conversation)

    async def ways(self, at: Reference) -> tuple[str, ...]:
        """Every way in which a place may name this conversation; it takes no longer than a moment.

        Raises:
            BotError: The store does not tell.
        """
        ways = [at.conversation]
        if at.kind == "channel":
            with contextlib.suppress(BotError, TimeoutError):
                await asyncio.wait_for(self._name_channel(at), _PROMPT_S)
            if called := self._called.get(at.conversation):
                team, _, channel = called.partition(" / ")
                ways += [f"{team}/{channel}", f"{team}/#{channel}", *([team] if channel == _GENERAL else [])]
        return tuple(ways)

    async def everywhere(self) -> Sequence[Reference]:
        """Every conversation that the bot knows, and every channel of its teams that Teams tells of now.

        Raises:
            StoreUnavailable: Not known now.
        """
        known = {at.conversation: at for at in await self._references.conversations()}
        for team in await self._references.teams():
            try:
                listed = await self._channels.get(team.id)
            except StoreUnavailable:
                raise
            except BotError:
                continue
            for conversation in listed.values():
                if conversation not in known:
                    known[conversation] = await self._kept(team, conversation)
        return list(known.values())

    async def heard(self, activity: Json) -> None:
        """Drop what a change of a team's channels makes old."""
        if activity.get("type") in {"conversationUpdate", "installationUpdate"}:
            here = Reference.of(activity)
            self._channels.forget(lambda team: team == here.team)
            self._addresses.forget(lambda _: True)

    # --- conversations ---------------------------------------------------------------------------

    async def _channel(self, said: str) -> Reference:
        id = _linked(said)
        if _ID_RE.fullmatch(id):
            return await self._by_id(id)
        if known := await self._references.find(id):  # an emulator's ids look like nothing of Teams'
            return known
        name, slash, channel = id.rpartition("/")
        if slash and (teams := await self._teams_called(name)):
            return await self._in_team(_only(teams, name), channel)
        if teams := await self._teams_called(id):
            return await self._in_team(_only(teams, id), _GENERAL)
        known_teams = ", ".join(sorted(team.name or team.id for team in await self._references.teams()))
        detail = (
            f"Andon is in no team called {name or id!r}, but in {known_teams or 'no team'}; mend the name, or add "
            f"Andon there: {_ADD}"
        )
        raise Unreachable(detail, code="no_team")

    async def _by_id(self, id: str) -> Reference:
        if found := await self._references.find(id):
            return found
        conversation, _, thread = id.partition(";messageid=")
        for team in await self._references.teams():
            if conversation == team.id or conversation in (await self._channels_of(team, conversation)).values():
                return (await self._kept(team, conversation)).in_thread(thread)
        kind = "the group chat" if "@thread.v2" in id else "the chat" if id.startswith("a:") else "the channel"
        detail = f"Andon is not installed in {kind} {conversation}; mend the id, or add Andon there: {_ADD}"
        raise Unreachable(detail, code="not_installed")

    async def _teams_called(self, said: str) -> Sequence[Team]:
        """By name, id, or id in the directory."""
        wanted = said.strip().casefold()
        return [
            team
            for team in await self._references.teams()
            if wanted in {team.name.casefold(), team.id.casefold(), team.group.casefold()}
        ]

    async def _in_team(self, team: Team, said: str) -> Reference:
        name = said.strip().removeprefix("#").casefold()
        if name == _GENERAL.casefold():
            return await self._kept(team, team.id)
        channels = await self._channels_of(team, name)
        if name in channels:
            return await self._kept(team, channels[name])
        detail = f"the team {team.name} has no channel {said!r} that Andon sees; mend the name, or make the channel"
        raise Unreachable(detail[0].upper() + detail[1:], code="no_channel")

    async def _kept(self, team: Team, conversation: str) -> Reference:
        """A channel of a team that the app is in: the bot may write there, whether anything came from there or not."""
        if found := await self._references.find(conversation):
            return found
        made = (
            team.general if conversation == team.id else team.channel(conversation, self._called.get(conversation, ""))
        )
        await self._references.keep(made)
        return made

    async def _channels_of(self, team: Team, wanted: str) -> Mapping[str, str]:
        """A team's channels by name, asked anew when what is wanted is not among them."""
        listed = await self._channels.get(team.id)
        is_known = wanted in listed or wanted in listed.values()
        if not is_known and self._clock() - self._listed_at.get(team.id, 0.0) > _SOON_S:
            self._channels.forget(lambda id: id == team.id)
            listed = await self._channels.get(team.id)
        return listed

    async def _name_channel(self, at: Reference) -> None:
        if at.conversation not in self._called and (team := await self._references.team(at.team)):
            await self._channels_of(team, at.conversation)

    async def _ask_channels(self, id: str) -> Mapping[str, str]:
        self._listed_at[id] = self._clock()
        team = await self._references.team(id)
        if team is None:
            return {}
        found = {}
        for each in await self._connector.channels(team):
            channel, name = str(each.get("id") or ""), str(each.get("name") or _GENERAL)
            found[name.casefold()] = channel
            self._called[channel] = f"{team.name} / {name}"
        return found

    # --- people ----------------------------------------------------------------------------------

    async def _chat(self, said: str) -> Reference:
        """The chat with one person; begun, where Teams lets us, when there is none."""
        person = said.rpartition("/")[2]
        if _GUID_RE.fullmatch(person):
            if found := await self._references.personal(person.casefold()):
                return found
        elif not _EMAIL_RE.fullmatch(said):
            detail = f"{said!r} is nobody on Teams; name a person's e-mail address, or their id in the directory"
            raise Unreachable(detail, code="nobody")
        near, known = await self._addresses.get(person.casefold())
        aad = known.actor.id.rpartition("/")[2]
        if found := await self._references.personal(aad):
            return found
        return await self._connector.begin_chat(near, known.account, person=aad)

    async def _ask_address(self, wanted: str) -> tuple[Reference, Person]:
        """Who has this address or id, and where the bot meets them: it can write to nobody else."""
        teams = [team.general for team in await self._references.teams()]
        for at in teams:
            if found := await self._people.named(at, wanted):
                return at, found
        if "@" in wanted:
            for at in teams:  # the address may not be what they sign in with
                if found := await self._people.by_email(at, wanted):
                    return at, found
            chats = [at for at in await self._references.conversations() if at.person][:_MOST_CHATS]
            for some in (chats[n : n + _AT_ONCE] for n in range(0, len(chats), _AT_ONCE)):
                known = await asyncio.gather(*(self._people.named(at, at.person) for at in some))
                for at, person in zip(some, known, strict=True):
                    if person and (person.actor.email or "").casefold() == wanted:
                        return at, person
        detail = (
            f"Andon meets nobody on Teams who is {wanted}; let them add Andon under Apps, or an administrator install "
            "it for them, or name somebody in a team that has Andon"
        )
        raise Unreachable(detail, code="nobody")


def _only(teams: Sequence[Team], said: str) -> Team:
    if len(teams) > 1:
        ids = ", ".join(team.id for team in teams)
        raise Unreachable(f"There are {len(teams)} teams called {said!r}; name one by its id: {ids}", code="teams")
    return teams[0]


def _linked(said: str) -> str:
    """The conversation's id, where what was said is a link that Teams gives out; else what was said.

    Source: Deep links to a channel, https://learn.microsoft.com/microsoftteams/platform/concepts/build-and-test/deep-link-teams,
    read 2026-11.
    """
    if not said.startswith(("https://", "http://")):
        return said
    parts = [unquote(part) for part in urlsplit(said).path.split("/") if part]
    return next((part for part in parts if _ID_RE.fullmatch(part)), said)
