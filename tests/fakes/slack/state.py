"""Everything that the fake knows: workspaces and who is in them, and the ways to set them up."""

import itertools
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.fakes.clock import Clock
from tests.fakes.slack.app import App, Installation, Token
from tests.fakes.slack.grants import RESPONSE_URL_S, TOKEN_S, TRIGGER_S, ResponseUrl, Trigger
from tests.fakes.slack.model import Channel, Effect, File, Group, Message, Team, User, View
from tests.fakes.slack.people import Person
from tests.fakes.slack.rates import Rates

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]


class State:
    """Workspaces, people, channels and the app."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rate_limits = Rates(self.clock)
        self.app = App()
        self.teams: dict[str, Team] = {}
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        """Published Home tabs, by user."""
        self.ephemerals: list[Message] = []
        self.effects: list[Effect] = []
        self.installations: dict[str, Installation] = {}
        """By team."""
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Installation] = {}
        self.codes: dict[str, tuple[Installation, str]] = {}
        """OAuth codes not yet exchanged, each with the address that it was given to."""
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self._bots: dict[str, User] = {}
        self._ids = itertools.count(1)
        self.home = self.team("T0ANDON", name="Acme")
        """The workspace that is there from the start, with the app installed."""
        self.token = self.install(self.home)
        """The bot token of `home`."""

    def new_id(self, prefix: str) -> str:
        """An id of Slack's shape."""
        return f"{prefix}0{next(self._ids):04d}STAND"

    # --- who and where ---------------------------------------------------------------------------

    def team(
        self, id: str, *, name: str = "", domain: str = "", enterprise_id: str | None = None, paid: bool = True
    ) -> Team:
        """A workspace; the same one when it is named again."""
        if id not in self.teams:
            called = name or id
            domain = domain or called.lower().replace(" ", "-")
            self.teams[id] = Team(id, called, domain, enterprise_id, f"{called} Org" if enterprise_id else "", paid)
        return self.teams[id]

    def user(
        self,
        name: str,
        *,
        email: str | None = None,
        id: str | None = None,
        team: Team | None = None,
        real_name: str | None = None,
        display_name: str | None = None,
        is_email_confirmed: bool = True,
        is_bot: bool = False,
        deleted: bool = False,
        is_restricted: bool = False,
        is_ultra_restricted: bool = False,
    ) -> Person:
        """A new person. A team other than the channel's makes them a stranger from Slack Connect."""
        person = Person(
            id=id or self.new_id("U"),
            team=team or self.home,
            name=name,
            real_name=real_name if real_name is not None else name.title(),
            display_name=display_name if display_name is not None else name,
            email=email,
            is_email_confirmed=is_email_confirmed,
            is_bot=is_bot,
            deleted=deleted,
            is_restricted=is_restricted,
            is_ultra_restricted=is_ultra_restricted,
        )
        person.cloud = self._cloud()
        self.users[person.id] = person
        return person

    def _cloud(self) -> "SlackCloud":
        raise NotImplementedError

    def bot(self, team: Team | None = None) -> User:
        """The app's bot user in a workspace."""
        team = team or self.home
        if team.id not in self._bots:
            user = User(self.new_id("U"), team, self.app.name, self.app.name.title(), "", is_bot=True)
            self._bots[team.id] = self.users[user.id] = user
        return self._bots[team.id]

    def group(self, handle: str, members: Sequence[User], *, team: Team | None = None) -> Group:
        """A new user group."""
        group = Group(self.new_id("S"), team or self.home, handle.removeprefix("@"), handle, list(members))
        self.groups[group.id] = group
        return group

    def channel(
        self,
        name: str,
        members: Sequence[User] = (),
        *,
        bot: bool = True,
        private: bool = False,
        archived: bool = False,
        shared: bool = False,
        id: str | None = None,
        team: Team | None = None,
    ) -> Channel:
        """A new channel, with the bot in it unless told otherwise."""
        team = team or self.home
        there = [*members, *([self.bot(team)] if bot else [])]
        kind = "group" if private else "channel"
        channel = Channel(
            id or self.new_id("C"),
            team,
            name.removeprefix("#"),
            kind,
            there,
            is_archived=archived,
            is_ext_shared=shared,
        )
        self.channels[channel.id] = channel
        return channel

    def conversation(self, *people: User, team: Team | None = None) -> Channel:
        """The direct conversation of the bot with these people, made when it is not there yet."""
        team = team or people[0].team
        there = {self.bot(team), *people}
        for channel in self.channels.values():
            if channel.kind in {"im", "mpim"} and set(channel.members) == there:
                return channel
        kind = "im" if len(people) == 1 else "mpim"
        id = self.new_id("D" if kind == "im" else "C")
        channel = Channel(id, team, id if kind == "im" else f"mpdm-{id.lower()}", kind, [*people, self.bot(team)])
        self.channels[id] = channel
        return channel

    def find_channel(self, said: str, installation: Installation) -> Channel | None:
        """A channel by id, or by name as chat.postMessage still allows; None also when the bot may not know of it."""
        for channel in self.channels.values():
            if said not in {channel.id, f"#{channel.name}"}:
                continue
            if installation.bot in channel.members:
                return channel
            if channel.kind == "channel" and installation.covers(channel.team):
                return channel
        return None

    # --- the app ---------------------------------------------------------------------------------

    def install(self, team: Team | None = None, *, scopes: Sequence[str] | None = None, org_wide: bool = False) -> str:
        """Install the app, or install it again with other scopes.

        Returns:
            A bot token; with token rotation one that ends after twelve hours.
        """
        installation = self.installed(team or self.home, scopes=scopes, org_wide=org_wide)
        return self.new_token(installation)[0]

    def installed(self, team: Team, *, scopes: Sequence[str] | None = None, org_wide: bool = False) -> Installation:
        """The installation in a workspace, made or brought up to date."""
        granted = list(self.app.scopes if scopes is None else scopes)
        installation = self.installations.get(team.id)
        if installation is None or installation.is_removed:
            installation = Installation(team, self.bot(team), self.new_id("B"), granted, org_wide)
            self.installations[team.id] = installation
        installation.scopes = granted
        return installation

    def new_token(self, installation: Installation) -> tuple[str, str | None]:
        """A bot token, and with token rotation the token that refreshes it."""
        if not self.app.rotates:
            for token in self.tokens.values():
                if token.installation is installation and token.expires_at is None and not token.is_revoked:
                    return token.value, None
            # Known in advance, so that a stand-in that was started again takes the token of before.
            value = f"xoxb-{installation.team.id}-{len(self.tokens) + 1:04d}"
            self.tokens[value] = Token(value, installation)
            return value, None
        value = f"xoxe.xoxb-1-{secrets.token_hex(20)}"
        refresh = f"xoxe-1-{secrets.token_hex(20)}"
        self.tokens[value] = Token(value, installation, self.clock.now() + TOKEN_S)
        self.refresh_tokens[refresh] = installation
        return value, refresh

    def bot_ids(self) -> dict[str, Installation]:
        """Where the app is installed, by the id of its bot user."""
        return {item.bot.id: item for item in self.installations.values() if not item.is_removed}

    def installation_for(self, user: User) -> Installation | None:
        """The installation that serves a person's workspace."""
        return next((item for item in self.bot_ids().values() if item.covers(user.team)), None)

    # --- what lets the app answer ----------------------------------------------------------------

    def new_trigger(self, user: User, team: Team, view: View | None = None) -> Trigger:
        """Begin the three seconds in which the app may open a modal."""
        id = f"{next(self._ids)}.{team.id}.{secrets.token_hex(16)}"
        self.triggers[id] = Trigger(id, user, team, self.clock.now() + TRIGGER_S, view)
        return self.triggers[id]

    def new_response_url(
        self, installation: Installation, user: User, channel: Channel, message: Message | None = None
    ) -> ResponseUrl:
        """Begin the thirty minutes in which the app may answer five times."""
        url = ResponseUrl(
            secrets.token_hex(12), installation, user, channel, self.clock.now() + RESPONSE_URL_S, message
        )
        self.response_urls[url.secret] = url
        return url
