"""Where the bot can write: a reference for each conversation, kept for good and refreshed by everything that arrives.

References are our own JSON: the Bot Framework's drops the tenant. Whatever is in one comes from an activity whose
token named the address that calls go to; nothing else makes or moves one.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, Self, cast

from adapters.teams.tokens import tenant_of
from bot.ports import Shelf

log = logging.getLogger("andon.teams")

Kind = Literal["personal", "groupChat", "channel"]
_KINDS: Final = frozenset({"personal", "groupChat", "channel"})
_ENDS: Final = frozenset({"teamDeleted", "teamHardDeleted"})
_THREAD: Final = ";messageid="
_AT: Final = "conversation:"
_TEAM: Final = "team:"
_SERVICE: Final = "service:"
_PERSON: Final = "person:"


@dataclass(frozen=True, slots=True)
class Reference:
    """A conversation, or a thread in one."""

    tenant: str
    service_url: str
    bot: str
    """The bot's id in it: 28:…"""
    conversation: str
    """Its id, without a thread."""
    kind: Kind
    team: str = ""
    """Of a channel: the id of its team."""
    person: str = ""
    """Of a personal chat: the person's id in the directory."""
    name: str = ""
    """What people call it, where Teams told."""
    thread: str = ""
    """The id of the message that a thread hangs from; never kept."""

    @property
    def id(self) -> str:
        """The conversation as calls name it, with the thread."""
        return f"{self.conversation}{_THREAD}{self.thread}" if self.thread else self.conversation

    def in_thread(self, thread: str | None) -> "Reference":
        """The same conversation, in this thread; only channels have any."""
        return replace(self, thread=thread if thread and self.kind == "channel" else "")

    @classmethod
    def of(cls, activity: Mapping[str, Any]) -> Self:
        """The conversation, and the thread, that a verified activity came from."""
        conversation = activity["conversation"]
        id, _, thread = str(conversation["id"]).partition(_THREAD)
        data = activity.get("channelData") or {}
        channel = data.get("channel") or {}
        team = str((data.get("team") or {}).get("id") or data.get("teamsTeamId") or "")
        kind = conversation.get("conversationType")
        if kind not in _KINDS:
            kind = "channel" if team else "groupChat" if id.startswith("19:") else "personal"
        found = cls(
            tenant=tenant_of(activity),
            service_url=str(activity["serviceUrl"]),
            bot=str(activity["recipient"]["id"]),
            conversation=id,
            kind=cast("Kind", kind),
            team=team,
            name=str(conversation.get("name") or (channel.get("name") if channel.get("id") == id else "") or ""),
            thread=thread,
        )
        person = str(activity["from"].get("aadObjectId") or "") if found.kind == "personal" else ""
        return replace(found, person=person)

    @property
    def text(self) -> str:
        """As it is kept."""
        return json.dumps({name: value for name, value in asdict(self).items() if value and name != "thread"})

    @classmethod
    def read(cls, text: str) -> Self:
        """What `text` gives; what a newer version has added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


@dataclass(frozen=True, slots=True)
class Team:
    """A team that the app is in."""

    id: str
    name: str
    group: str
    """Its id in the directory."""
    tenant: str
    service_url: str
    bot: str

    @property
    def general(self) -> Reference:
        """Its channel General, whose roster is the team's."""
        return self.channel(self.id, f"{self.name} / General" if self.name else "")

    def channel(self, id: str, name: str) -> Reference:
        """A channel of it."""
        return Reference(self.tenant, self.service_url, self.bot, id, "channel", team=self.id, name=name)


class References:
    """The conversations and teams that the bot knows."""

    def __init__(self, shelf: Shelf) -> None:
        """Keep them on `shelf`."""
        self._shelf = shelf

    async def learn(self, activity: Mapping[str, Any]) -> None:
        """Remember where a verified activity came from, as it is now; or forget it, when it says that the app left.

        Raises:
            StoreUnavailable: It may not be remembered; the same activity again is safe.
        """
        if str(activity.get("name") or "").startswith("composeExtension/"):
            return None  # it is used where people are, and the bot may not be
        found = Reference.of(activity)
        data = activity.get("channelData") or {}
        event = data.get("eventType")
        if _is_farewell(activity, found.bot) or event in _ENDS:
            return await self._forget(found)
        if event == "channelDeleted" and (channel := (data.get("channel") or {}).get("id")):
            await self._shelf.drop_lasting(f"{_AT}{channel}")
        if not found.name and (known := await self.find(found.conversation)):
            found = replace(found, name=known.name)
        await self._keep(f"{_AT}{found.conversation}", found.text)
        await self._keep(f"{_SERVICE}{found.tenant}", found.service_url)
        if found.person:
            await self._keep(f"{_PERSON}{found.person}", found.conversation)
        team = data.get("team") or {}
        if found.team:
            before = await self.team(found.team)
            told = Team(
                found.team,
                str(team.get("name") or (before.name if before else "")),
                str(team.get("aadGroupId") or (before.group if before else "")),
                found.tenant,
                found.service_url,
                found.bot,
            )
            if told != before:
                await self._shelf.save_lasting(f"{_TEAM}{found.team}", json.dumps(asdict(told)))
        return None

    async def find(self, conversation: str) -> Reference | None:
        """The conversation of this id, with or without a thread; None: the bot was never there, or is not any more."""
        id, _, thread = conversation.partition(_THREAD)
        kept = await self._shelf.load_lasting(f"{_AT}{id}")
        return Reference.read(kept).in_thread(thread) if kept else None

    async def personal(self, person: str) -> Reference | None:
        """The chat with a person, by their id in the directory, which is theirs in all the world."""
        conversation = await self._shelf.load_lasting(f"{_PERSON}{person}")
        return await self.find(conversation) if conversation else None

    async def keep(self, reference: Reference) -> None:
        """Remember a conversation that the bot has begun itself, by way of one that it knew."""
        await self._keep(f"{_AT}{reference.conversation}", reference.text)
        if reference.person:
            await self._keep(f"{_PERSON}{reference.person}", reference.conversation)

    async def moved(self, reference: Reference, service_url: str) -> None:
        """Calls for a conversation go elsewhere now, as a later activity of its tenant has told."""
        if await self.find(reference.conversation):
            await self._keep(f"{_AT}{reference.conversation}", replace(reference, service_url=service_url).text)

    async def team(self, id: str) -> Team | None:
        """The team of this id, if the app is in it."""
        kept = await self._shelf.load_lasting(f"{_TEAM}{id}")
        return Team(**json.loads(kept)) if kept else None

    async def teams(self) -> Sequence[Team]:
        """Every team that the app is in."""
        names = [name for name in await self._shelf.lasting() if name.startswith(_TEAM)]
        found = [await self.team(name.removeprefix(_TEAM)) for name in names]
        return [each for each in found if each]

    async def conversations(self) -> Sequence[Reference]:
        """Every conversation that the bot knows."""
        names = [name for name in await self._shelf.lasting() if name.startswith(_AT)]
        found = [await self.find(name.removeprefix(_AT)) for name in names]
        return [each for each in found if each]

    async def service_url(self, tenant: str) -> str:
        """Where calls for this tenant were last told to go; empty: nothing has come from there."""
        return await self._shelf.load_lasting(f"{_SERVICE}{tenant}") or ""

    async def _keep(self, name: str, value: str) -> None:
        if await self._shelf.load_lasting(name) != value:
            await self._shelf.save_lasting(name, value)

    async def _forget(self, gone: Reference) -> None:
        names = [f"{_AT}{gone.conversation}"]
        if gone.person:
            names.append(f"{_PERSON}{gone.person}")
        if gone.team:
            names.append(f"{_TEAM}{gone.team}")
            names += [f"{_AT}{each.conversation}" for each in await self.conversations() if each.team == gone.team]
        for name in dict.fromkeys(names):
            await self._shelf.drop_lasting(name)
        log.info("teams.left conversation=%s team=%s", gone.conversation, gone.team)


def _is_farewell(activity: Mapping[str, Any], bot: str) -> bool:
    """Does it say that the app is not there any more? An upgrade removes it too, and adds it, in either order."""
    if activity.get("type") == "installationUpdate":
        return activity.get("action") == "remove"
    gone = activity.get("membersRemoved") or ()
    return activity.get("type") == "conversationUpdate" and any(each.get("id") == bot for each in gone)
