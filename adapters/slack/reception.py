"""Takes what comes in to whoever knows what to do with it."""

import contextlib
from collections.abc import Mapping
from typing import Any, Final

from adapters.slack.again import Again
from adapters.slack.answers import Answers
from adapters.slack.asking import CALLBACK as ASK
from adapters.slack.asking import Asking
from adapters.slack.brakes import LIFT, RESUME, Brakes
from adapters.slack.cards import AGAIN, STOP
from adapters.slack.cord import Cord
from adapters.slack.digests import SHOWN, RowAnswers
from adapters.slack.granting import END, Granting
from adapters.slack.home import Home
from adapters.slack.inbound import Payload, Reply
from adapters.slack.installs import Installs
from adapters.slack.people import People
from adapters.slack.presses import ACTION
from adapters.slack.talk import Talk
from adapters.slack.threads import Threads
from bot.errors import BadRequest, BotError

_CARDS: Final = tuple(
    f"{ACTION}{kind}"
    for kind in (
        "approve",
        "read",
        "edit",
        "reject",
        "reason",
        "choose",
        "answer",
        "grant",
        "more",
        "ask-else",
        "ask-agent",
    )
)


class Reception:
    """The `Inbox` of the surface."""

    def __init__(
        self,
        installs: Installs,
        people: People,
        *,
        answers: Answers,
        rows: RowAnswers,
        talk: Talk,
        asking: Asking,
        threads: Threads,
        home: Home,
        granting: Granting,
        cord: Cord,
        brakes: Brakes,
        again: Again,
    ) -> None:
        """Know everybody."""
        self._installs = installs
        self._people = people
        self._answers = answers
        self._rows = rows
        self._talk = talk
        self._asking = asking
        self._threads = threads
        self._home = home
        self._granting = granting
        self._cord = cord
        self._brakes = brakes
        self._again = again

    async def pressed(self, payload: Payload) -> None:
        """On a card or on the Home tab; a link's own press needs nothing."""
        action_id = str(payload["actions"][0].get("action_id", ""))
        team = await self._team(payload)
        if action_id == RESUME or _stops(payload["actions"][0]):
            await self._brakes.pressed(payload, team)
        elif action_id == AGAIN:
            await self._again.pressed(payload, team)
        elif action_id.startswith(LIFT):
            await self._brakes.lifted(payload, team)
            await self._show_anew(payload, team)
        elif action_id.startswith(SHOWN):
            await self._rows.pressed(payload, team)
        elif action_id.startswith(_CARDS):
            await self._answers.pressed(payload, team)
        elif action_id.startswith(END):
            await self._granting.pressed(payload, team)
            await self._show_anew(payload, team)
        else:
            await self._home.pressed(payload, team)

    async def _show_anew(self, payload: Payload, team: str) -> None:
        """The Home tab, where the press was there."""
        if "view" in payload:
            await self._home.refresh(team, str(payload["user"]["id"]))

    async def submitted(self, payload: Payload) -> Reply:
        """A modal of a card, or one of the conversation.

        Raises:
            BadRequest: Neither.
        """
        team = await self._team(payload)
        callback = str(payload["view"].get("callback_id", ""))
        if callback.startswith(_CARDS):
            return await self._answers.submitted(payload, team)
        if callback == ASK:
            return await self._asking.ask_submitted(payload, team)
        raise BadRequest("this form is none of ours")

    async def still_working(self, payload: Payload) -> Reply:  # noqa: ARG002  # the same for every modal
        """The store takes its time."""
        return self._answers.still_working()

    async def caught_up(self, payload: Payload, reply: Reply) -> None:
        """It is done."""
        await self._answers.caught_up(payload, await self._team(payload), reply)

    async def searched(self, payload: Payload) -> Reply:
        """Candidates."""
        return await self._answers.searched(payload)

    async def command(self, payload: Payload) -> None:
        """`/andon`."""
        team = await self._team(payload)
        if not await self._cord.command(payload, team):
            await self._talk.command(payload, team)

    async def shortcut(self, payload: Payload) -> None:
        """Ask the agent about this."""
        await self._asking.asked(payload, await self._team(payload))

    async def happened(self, payload: Payload) -> None:
        """An event."""
        event: dict[str, Any] = payload["event"]
        team = await self._team(payload)
        match event.get("type"):
            case "app_mention" | "message":
                await self._said(payload, event, team)
            case "reaction_added":
                await self._cord.reacted(payload, team)
            case "app_home_opened" if event.get("tab") == "home":
                await self._home.opened(team, str(event["user"]))
            case "user_change":
                self._people.forget(team, str(event["user"]["id"]))
            case "subteam_members_changed":
                self._people.forget_group(team, str(event["subteam_id"]))
            case "app_uninstalled":
                await self._installs.forget(_own_team(payload))
            case "tokens_revoked" if (event.get("tokens") or {}).get("bot"):
                await self._installs.forget(_own_team(payload))

    async def _said(self, payload: Payload, event: dict[str, Any], team: str) -> None:
        """Words to the brake come first; then answers to a question above them; then what people ask the bot."""
        if await self._cord.said(payload, team):
            return
        if event["type"] == "app_mention":
            await self._talk.mentioned(event, team)
        elif not await self._threads.replied(event, team) and event.get("channel_type") == "im":
            await self._talk.messaged(event, team)

    async def untaken(self, payload: Payload) -> None:
        """Whoever wanted something stopped is told that it was not."""
        if payload["event"].get("type") in {"app_mention", "message", "reaction_added"}:
            with contextlib.suppress(BotError):  # it is not even known for whom the app would speak
                await self._cord.untaken(payload, await self._team(payload))

    async def _team(self, payload: Payload) -> str:
        """The workspace whose installation this is about: of a card in a shared channel, ours and not the presser's."""
        named = payload.get("team_id") or (payload.get("team") or {}).get("id")
        known = await self._installs.teams()
        if named in known:
            return str(named)
        for each in payload.get("authorizations") or ():
            if each.get("team_id") in known:
                return str(each["team_id"])
        return await self._installs.default_team() if len(known) == 1 else str(named or "")


def _stops(action: Mapping[str, Any]) -> bool:
    """Is it “Stop this run” of a card's last menu?"""
    option = action.get("selected_option")
    return (
        action.get("action_id") == f"{ACTION}more" and isinstance(option, Mapping) and option.get("value") == str(STOP)
    )


def _own_team(payload: Payload) -> str:
    """Where the app was removed. Two events tell it, and at the second the workspace is not known any more."""
    return str(payload.get("team_id") or payload.get("enterprise_id") or "")
