"""Who somebody on Slack is, and what they belong to, at the time of their answer. Whatever Slack does not tell is a no.

What Slack told is kept for at most a minute, and dropped at once when Slack says that it changed (`forget`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.calls import SlackFailed, Unreachable
from adapters.slack.installs import Bot, Installs
from adapters.slack.memory import Memory
from andon import wire
from bot.errors import BotError, DirectoryDown
from bot.ports import Standing
from bot.talk import Person

FRESH_S: Final = 60.0
_MOMENT_S: Final = 1.0
_SLACKBOT: Final = "USLACKBOT"
_PAGE: Final = 999
_UNKNOWN: Final = frozenset({"user_not_found", "user_not_visible"})

log = logging.getLogger("andon")


class People:
    """The people of all workspaces; the port `Directory`."""

    def __init__(self, api: Api, installs: Installs, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask through `api`."""
        self._api = api
        self._installs = installs
        self._users: Memory[tuple[str, str], Mapping[str, Any]] = Memory(
            self._ask_user, life_s=FRESH_S, is_no=_is_unknown, clock=clock
        )
        self._channels: Memory[tuple[str, str], frozenset[str]] = Memory(
            self._ask_channels, life_s=FRESH_S, clock=clock
        )
        self._direct: Memory[tuple[str, str], str] = Memory(self._ask_direct, life_s=FRESH_S, clock=clock)
        self._groups: Memory[tuple[str, str], frozenset[str]] = Memory(self._ask_group, life_s=FRESH_S, clock=clock)

    async def person(self, team: str, user: str, *, channel: str | None, user_team: str | None = None) -> Person:
        """Who this is, and what they are where they act.

        Args:
            team: The workspace that the app acts in.
            user: The person's id.
            channel: Where the card is that they answer; None when it is nowhere on Slack, and nobody is in there.
            user_team: The person's own workspace, where the request tells.

        Raises:
            DirectoryDown: Slack does not tell now; nobody may answer.
        """
        try:
            bot = await self._installs.bot(team)
            try:
                info = await self._users.get((team, user))
            except Unreachable as error:
                if _is_unknown(error):
                    return _nobody(bot, user)
                raise
            home, is_external = _home(info, bot, user_team)
            standing: Standing
            if is_external:
                standing = "external"
            elif info.get("is_restricted") or info.get("is_ultra_restricted"):
                standing = "guest"
            elif await self._is_in(team, user, channel):
                standing = "member"
            else:
                standing = "outside"
        except BotError as error:
            raise _down(f"who {user} is", error) from error
        actor = _actor(info, f"{home}/{user}", user, trusted=not is_external)
        return Person(actor, standing, _refusal(info, actor.name))

    async def soon(self, team: str, user: str, *, channel: str | None, user_team: str | None) -> Person:
        """The same for who stops an agent, within a moment.

        When Slack is slow, or does not tell, whoever is of this workspace by Slack's own event counts as a guest of it,
        called by their id.

        Raises:
            DirectoryDown: Slack does not even tell that.
        """
        try:
            asking = self.person(team, user, channel=channel, user_team=user_team)
            return await asyncio.wait_for(asking, _MOMENT_S)
        except (DirectoryDown, TimeoutError) as error:
            try:
                bot = await self._installs.bot(team)
            except BotError:
                bot = None
            if bot is None or user_team != bot.team:
                raise _down(f"who {user} is", error) from error
        id = f"{bot.enterprise or bot.team}/{user}"
        return Person(wire.Actor(kind="person", id=id, name=user, surface="slack"), "guest", "")

    async def name(self, team: str, user: str) -> str:
        """What somebody is called, and nothing more: by one call. Whom Slack does not know keeps the id.

        Raises:
            DirectoryDown: Slack does not tell now.
        """
        try:
            return _called(await self._users.get((team, user)), user)
        except BotError as error:
            if _is_unknown(error):
                return user
            raise _down(f"what {user} is called", error) from error

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        """Is this person in that user group now, or was a minute ago? A group that is not there has nobody in it.

        Raises:
            DirectoryDown: Slack does not tell.
        """
        home, _, user = person.id.rpartition("/")
        if person.surface != "slack" or person.kind != "person" or not home:
            return False
        try:
            for team in await self._installs.teams():
                bot = await self._installs.bot(team)
                if home in {team, bot.enterprise} and user in await self._groups.get((team, group)):
                    return True
        except SlackFailed as error:
            if error.code == "plan_upgrade_required":
                detail = (
                    f"the policy lets the Slack user group {group} answer, but this workspace's plan has no user "
                    "groups; list people in the policy instead"
                )
                raise DirectoryDown(detail) from error
            raise _down(f"who is in the group {group}", error) from error
        except BotError as error:
            raise _down(f"who is in the group {group}", error) from error
        return False

    async def channels(self, team: str, user: str) -> frozenset[str]:
        """The channels that this person is in and the app knows of.

        Raises:
            DirectoryDown: Slack does not tell.
        """
        try:
            return await self._channels.get((team, user))
        except BotError as error:
            raise _down(f"where {user} is", error) from error

    async def user_by_email(self, team: str, email: str) -> str:
        """The id of the person who has this address.

        Raises:
            Unreachable: Nobody in the workspace has.
            BotError: As `Api.call`.
        """
        told = await self._api.call(team, "users.lookupByEmail", email=email)
        return str(told["user"]["id"])

    def forget(self, team: str, user: str) -> None:
        """Something about this person changed. In whichever workspace: a change in one is told to one."""
        for memory in (self._users, self._channels, self._direct):
            memory.forget(lambda key: key[1] == user)
        log.info("slack.person_changed team=%s user=%s", team, user)

    def forget_group(self, team: str, group: str) -> None:
        """Members of this user group changed."""
        self._groups.forget(lambda key: key[1] == group)
        log.info("slack.group_changed team=%s group=%s", team, group)

    # --- asking ----------------------------------------------------------------------------------

    async def _ask_user(self, key: tuple[str, str]) -> Mapping[str, Any]:
        team, user = key
        info = (await self._api.call(team, "users.info", user=user)).get("user")
        if not isinstance(info, Mapping) or info.get("id") != user:
            raise SlackFailed(f"Slack's answer is not about {user}", method="users.info", code="unreadable")
        return info

    async def _ask_channels(self, key: tuple[str, str]) -> frozenset[str]:
        """By the person, not by the channel.

        Most people are in fewer channels than a big channel has people: one call, where `conversations.members` may
        take dozens.
        """
        team, user = key
        types = "public_channel,private_channel"
        pages = self._api.pages(team, "users.conversations", "channels", user=user, types=types, limit=_PAGE)
        return frozenset([str(channel["id"]) async for channel in pages])

    async def _ask_direct(self, key: tuple[str, str]) -> str:
        """The direct conversation of the app and a person. To look at it would need one more scope, `im:read`."""
        team, user = key
        return str((await self._api.call(team, "conversations.open", users=user))["channel"]["id"])

    async def _ask_group(self, key: tuple[str, str]) -> frozenset[str]:
        team, group = key
        try:
            told = await self._api.call(team, "usergroups.users.list", usergroup=group)
        except SlackFailed as error:
            if error.code != "no_such_subteam":
                raise
            log.warning("slack.no_such_group team=%s group=%s", team, group)
            return frozenset()
        return frozenset(str(user) for user in told.get("users") or ())

    async def _is_in(self, team: str, user: str, channel: str | None) -> bool:
        if channel is None:
            return False
        if channel.startswith("D"):
            return await self._direct.get((team, user)) == channel
        return channel in await self._channels.get((team, user))


def _home(info: Mapping[str, Any], bot: Bot, user_team: str | None) -> tuple[str, bool]:
    """The organisation, else the workspace, that the person's id belongs to, and whether that is another than ours.

    Source: Understanding Slack Connect, https://docs.slack.dev/apis/slack-connect, read 2026-05: people of another
    organisation have its team_id, and `is_stranger` while no channel is shared with them.
    """
    profile = info.get("profile") or {}
    own = str(info.get("team_id") or profile.get("team") or "")
    enterprise = str((info.get("enterprise_user") or {}).get("enterprise_id") or "")
    same_org = bool(bot.enterprise) and enterprise == bot.enterprise
    same_team = own == bot.team and user_team in {None, "", bot.team}
    is_external = bool(info.get("is_stranger")) or not (same_org or same_team)
    if is_external:
        return enterprise or (own if own != bot.team else "") or user_team or "elsewhere", True
    return bot.enterprise or bot.team, False


def _is_unknown(error: Exception) -> bool:
    return isinstance(error, Unreachable) and error.code in _UNKNOWN


def _called(info: Mapping[str, Any], user: str) -> str:
    profile = info.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), info.get("real_name"), info.get("name"))
    return next((str(each).strip() for each in names if each and str(each).strip()), user)


def _actor(info: Mapping[str, Any], id: str, user: str, *, trusted: bool) -> wire.Actor:
    profile = info.get("profile") or {}
    # Slack says of some people whether they confirmed their address, and leaves the field out for others. Left out is
    # unconfirmed: an address that the policy lists is a permission, and these people can be listed by their id.
    email = str(profile.get("email") or "") if trusted and info.get("is_email_confirmed") is True else ""
    return wire.Actor(kind="person", id=id, name=_called(info, user), surface="slack", email=email or None)


def _refusal(info: Mapping[str, Any], name: str) -> str:
    if info.get("deleted"):
        return f"{name}, this account is deactivated, so it may not answer."
    is_bot = any(info.get(each) for each in ("is_bot", "is_workflow_bot", "is_connector_bot"))
    if is_bot or info.get("id") == _SLACKBOT:
        return f"{name} is a bot, and only people may answer."
    return ""


def _nobody(bot: Bot, user: str) -> Person:
    actor = wire.Actor(kind="person", id=f"{bot.enterprise or bot.team}/{user}", name=user, surface="slack")
    return Person(actor, "external", f"Slack does not tell the app who {user} is, so this account may not answer.")


def _down(what: str, error: Exception) -> DirectoryDown:
    return DirectoryDown(f"Slack does not tell now {what}, so nobody is let through: {error}; try again in a minute")
