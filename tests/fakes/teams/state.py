"""Everything that the fake knows: tenants and who is in them, and the ways to set them up."""

import base64
import hashlib
import itertools
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.fakes.clock import Clock
from tests.fakes.teams.model import Channel, Conversation, Effect, Team, Tenant
from tests.fakes.teams.people import Person
from tests.fakes.teams.throttles import Throttles
from tests.fakes.teams.tokens import Tokens

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud

Json = dict[str, Any]
_NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class State:
    """Tenants, people, teams, chats, and the registration of the bot."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.throttles = Throttles(self.clock)
        self._ids = itertools.count(1)
        self.app_id = self.new_guid()
        self.app_password = "a~secret.of-the-app"
        self.app_name = "Andon"
        self.endpoint = ""
        """The bot's messaging endpoint: where activities are sent."""
        self.tokens = Tokens(self.clock, self.app_id)
        self.tenants: dict[str, Tenant] = {}
        self.people: dict[str, Person] = {}
        """By the id that they have for this bot, 29:…"""
        self.teams: dict[str, Team] = {}
        self.conversations: dict[str, Conversation] = {}
        self.effects: list[Effect] = []
        self.home = self.tenant("Contoso", domain="contoso.example")
        """The tenant that the bot is registered in."""

    @property
    def bot_id(self) -> str:
        """The bot's id in conversations."""
        return f"28:{self.app_id}"

    def new_guid(self) -> str:
        """An id of the directory's shape."""
        return str(uuid.uuid5(_NAMES, f"teams/{next(self._ids)}"))

    def _opaque(self, length: int) -> str:
        digest = hashlib.sha512(f"teams/{next(self._ids)}".encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().replace("=", "")[:length]

    # --- who -------------------------------------------------------------------------------------

    def tenant(self, name: str, *, domain: str = "") -> Tenant:
        """A new tenant."""
        tenant = Tenant(self.new_guid(), name, domain or f"{name.lower()}.example")
        self.tenants[tenant.id] = tenant
        return tenant

    def person(
        self,
        name: str,
        *,
        email: str | None = None,
        tenant: Tenant | None = None,
        guest: bool = False,
        upn: str | None = None,
        aad: str | None = None,
    ) -> Person:
        """A new person.

        Args:
            name: As they are called.
            email: In rosters only; by default made of the name. Empty: they have none.
            tenant: Their home; by default the bot's. Of another one they are guests, or else strangers.
            guest: Was this person invited into the bot's tenant?
            upn: What they sign in with; by default the e-mail address, or its #EXT# form.
            aad: Their id in the directory. Empty: an anonymous participant of a meeting.
        """
        home = tenant or self.home
        email = email if email is not None else f"{name.lower().replace(' ', '.')}@{home.domain}"
        invited = f"{email.replace('@', '_')}#EXT#@{self.home.domain}"
        person = Person(
            id=f"29:1{self._opaque(60)}",
            name=name,
            tenant=home,
            email=email,
            upn=upn or (invited if guest else email),
            aad=self.new_guid() if aad is None else aad,
            is_guest=guest,
        )
        person.cloud = self._cloud()
        self.people[person.id] = person
        return person

    def _cloud(self) -> "TeamsCloud":
        raise NotImplementedError

    # --- where -----------------------------------------------------------------------------------

    def team(
        self,
        name: str,
        members: Sequence[Person] = (),
        *,
        channels: Sequence[str] = (),
        installed: bool = True,
        rsc: bool = False,
        tenant: Tenant | None = None,
    ) -> Team:
        """A new team with a channel General and others, and the app in it unless told otherwise."""
        id = f"19:{self._opaque(40)}@thread.tacv2"
        team = Team(id, name, self.new_guid(), tenant or self.home, list(members), installed, rsc)
        self.teams[id] = team
        for each in ("General", *channels):
            self.channel(team, each)
        return team

    def channel(self, team: Team, name: str, *, private: Sequence[Person] | None = None) -> Channel:
        """A new channel of a team; `private` are the only people in it."""
        id = f"19:{self._opaque(32)}@thread.tacv2" if team.channels else team.id
        channel = Channel(
            id, "channel", team.tenant, list(private or ()), name, team=team, is_private=private is not None
        )
        team.channels.append(channel)
        self.conversations[id] = channel
        return channel

    def chat(self, *people: Person, name: str = "", installed: bool = True, rsc: bool = False) -> Conversation:
        """A new group chat, with the app in it unless told otherwise."""
        id = f"19:{self._opaque(32).lower()}@thread.v2"
        chat = Conversation(id, "groupChat", self.home, list(people), name, installed, rsc)
        self.conversations[id] = chat
        return chat

    def personal(self, person: Person, *, installed: bool | None = None) -> Conversation:
        """The chat of one person with the bot, made when it is not there yet; at first without the app."""
        found = next(
            (c for c in self.conversations.values() if c.kind == "personal" and c.members == [person]),
            None,
        )
        if found is None:
            id = f"a:1{self._opaque(70)}"
            found = Conversation(id, "personal", self.home, [person], is_installed=False)
            self.conversations[id] = found
        if installed is not None:
            found.is_installed = installed
        return found

    def may_reach(self, person: Person) -> bool:
        """May the bot write to this person: is the app there for them, or in a team of theirs?"""
        if self.personal(person).is_installed:
            return True
        return any(team.is_installed and person in team.members for team in self.teams.values())

    def where(self, id: str) -> Conversation | None:
        """The conversation of an id, with or without a thread."""
        return self.conversations.get(id.partition(";")[0])
