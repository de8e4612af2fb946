"""Who somebody on Teams is, and what they belong to, at the time of their answer. Whatever Teams does not tell is a no.

What Teams told is kept for at most a minute, and dropped at once when Teams says that it changed.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.teams.connector import Connector
from adapters.teams.errors import Unreachable
from adapters.teams.references import Reference, References
from andon import wire
from bot import talk
from bot.errors import BotError, DirectoryDown
from bot.memory import Memory
from bot.ports import Standing

log = logging.getLogger("andon.teams")

FRESH_S: Final = 60.0
_SURFACE: Final = "teams"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person(talk.Person):
    """Somebody, as far as an answer of theirs goes."""

    account: str = ""
    """Their id for this bot, 29:…: whom a mention or a card's refresh names."""


class People:
    """The people of all tenants; the port `Directory`.

    Their key is the tenant that they are at home in and their id in the directory: `from.aadObjectId` of a verified
    activity, and the roster's `tenantId`. Their e-mail address is the roster's, and believed of members alone: that of
    a guest is what the guest's own organisation says.
    """

    def __init__(
        self, connector: Connector, references: References, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask through `connector`."""
        self._connector = connector
        self._references = references
        self._members: Memory[tuple[str, str], Json | None] = Memory(self._ask_member, life_s=FRESH_S, clock=clock)
        self._accounts: Memory[tuple[str, int], Sequence[str] | None] = Memory(
            self._ask_accounts, life_s=FRESH_S, clock=clock
        )
        self._groups: Memory[str, Reference | None] = Memory(self._ask_group, life_s=FRESH_S, clock=clock)

    async def person(self, activity: Json, *, where: Reference | None = None) -> Person:
        """Who sent a verified activity, and what they are where the card is.

        Args:
            activity: As it came.
            where: The conversation that has the card; None: the one that the activity came from.

        Raises:
            DirectoryDown: Teams does not tell now; nobody may answer.
        """
        from_, here = activity.get("from") or {}, Reference.of(activity)
        aad, account = str(from_.get("aadObjectId") or ""), str(from_.get("id") or "")
        name = str(from_.get("name") or aad or "somebody")
        if not aad:
            actor = wire.Actor(kind="person", id=f"{here.tenant}/{account}", name=name, surface=_SURFACE)
            detail = "You are not signed in to an organisation here, so you may not answer."
            return Person(actor, "external", detail, account)
        try:
            member = await self._members.get(((where or here).conversation, account or aad))
        except BotError as error:
            raise _down(f"who {name} is", error) from error
        if member is None:
            actor = wire.Actor(kind="person", id=f"{here.tenant}/{aad}", name=name, surface=_SURFACE)
            return Person(actor, "outside", "", account)
        return _person(member, aad, tenant=(where or here).tenant, account=account)

    async def named(self, where: Reference, who: str) -> Person | None:
        """Somebody in a conversation, by the name that they sign in with or an id; None: nobody there has it.

        Raises:
            DirectoryDown: Teams does not tell now.
        """
        try:
            member = await self._members.get((where.conversation, who))
        except BotError as error:
            raise _down(f"who {who} is", error) from error
        aad = _aad(member) if member else ""
        return (
            _person(member, aad, tenant=where.tenant, account=str(member.get("id") or "")) if member and aad else None
        )

    async def by_email(self, where: Reference, email: str) -> Person | None:
        """The member of a conversation who has this address; None: nobody there has.

        Raises:
            DirectoryDown: Teams does not tell now.
        """
        try:
            async for each in self._connector.members(where):
                if str(each.get("email") or "").casefold() == email.casefold() and _aad(each):
                    found = _person(each, _aad(each), tenant=where.tenant, account="")
                    if found.actor.email:
                        return found
        except Unreachable:
            return None  # the app was removed there
        except BotError as error:
            raise _down(f"who {email} is", error) from error
        return None

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        """Is this person in that team or channel or chat now, or was a minute ago?

        Args:
            person: As `person` has them.
            group: The id of a conversation, or a team's id in the directory. One that the app is not in has nobody in
                it, and neither has what is no group at all.

        Raises:
            DirectoryDown: Teams does not tell.
        """
        home, _, aad = person.id.rpartition("/")
        if person.surface != _SURFACE or person.kind != "person" or not home:
            return False
        try:
            found = await self._groups.get(group)
            if found is None:
                return False
            member = await self._members.get((found.conversation, aad))
        except BotError as error:
            raise _down(f"who is in {group}", error) from error
        return member is not None and _aad(member) == aad and _home(member, found.tenant) == home

    async def accounts(self, where: Reference, *, most: int) -> Sequence[str] | None:
        """The ids for this bot of everybody in a conversation; None: there are more than `most`.

        Raises:
            DirectoryDown: Teams does not tell.
        """
        try:
            return await self._accounts.get((where.conversation, most))
        except BotError as error:
            raise _down("who is in this conversation", error) from error

    async def heard(self, activity: Json) -> None:
        """Drop what a change of a conversation's people, or of where the app is, makes old."""
        if activity.get("type") in {"conversationUpdate", "installationUpdate"}:
            self._members.forget(lambda _: True)
            self._accounts.forget(lambda _: True)
            self._groups.forget(lambda _: True)

    # --- asking ----------------------------------------------------------------------------------

    async def _ask_member(self, key: tuple[str, str]) -> Json | None:
        conversation, who = key
        reference = await self._references.find(conversation) or await self._channel(conversation)
        return await self._connector.member(reference, who) if reference else None

    async def _ask_accounts(self, key: tuple[str, int]) -> Sequence[str] | None:
        conversation, most = key
        where = await self._references.find(conversation) or await self._channel(conversation)
        found: list[str] = []
        if where is None:
            return found
        async for each in self._connector.members(where):
            found.append(str(each.get("id") or ""))
            if len(found) > most:
                return None
        return [each for each in found if each]

    async def _ask_group(self, group: str) -> Reference | None:
        if reference := await self._references.find(group) or await self._channel(group):
            return None if reference.kind == "personal" else reference
        for team in await self._references.teams():
            if team.group.casefold() == group.casefold():
                return team.general
        if ":" in group:
            log.warning("teams.no_such_group group=%s", group)
        return None

    async def _channel(self, conversation: str) -> Reference | None:
        """A channel from which nothing has come yet, in a team that the app is in."""
        if not conversation.startswith("19:"):
            return None
        for team in await self._references.teams():
            if team.id == conversation:
                return team.general
            if any(each.get("id") == conversation for each in await self._connector.channels(team)):
                return team.channel(conversation, "")
        return None


def _aad(member: Json) -> str:
    return str(member.get("aadObjectId") or member.get("objectId") or "")


def _home(member: Json, tenant: str) -> str:
    return str(member.get("tenantId") or tenant)


def _person(member: Json, aad: str, *, tenant: str, account: str) -> Person:
    """What a roster says of somebody.

    Raises:
        DirectoryDown: It speaks of somebody else.
    """
    if _aad(member) != aad:
        raise DirectoryDown(f"Teams' answer is not about {aad}, so nobody is let through; try again in a minute")
    home = _home(member, tenant)
    standing: Standing = "member"
    if str(member.get("userRole") or "").casefold() == "guest" or "#EXT#" in str(member.get("userPrincipalName") or ""):
        standing = "guest"
    elif home != tenant or str(member.get("userRole") or "user").casefold() == "anonymous":
        standing = "external"
    email = str(member.get("email") or "") if standing == "member" else ""
    name = str(member.get("name") or "").strip() or aad
    actor = wire.Actor(kind="person", id=f"{home}/{aad}", name=name, surface=_SURFACE, email=email or None)
    return Person(actor, standing, "", str(member.get("id") or account))


def _down(what: str, error: Exception) -> DirectoryDown:
    return DirectoryDown(f"Teams does not tell now {what}, so nobody is let through: {error}; try again in a minute")
