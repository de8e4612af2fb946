"""Takes what comes in to whoever knows what to do with it."""

from typing import Any, Final

from adapters.slack.answers import Answers
from adapters.slack.asking import CALLBACK as ASK
from adapters.slack.asking import Asking
from adapters.slack.digests import SHOWN, RowAnswers
from adapters.slack.granting import END, Granting
from adapters.slack.home import Home
from adapters.slack.inbound import Payload, Reply
from adapters.slack.installs import Installs
from adapters.slack.people import People
from adapters.slack.presses import ACTION
from adapters.slack.talk import Talk
from adapters.slack.threads import Threads
from bot.errors import BadRequest

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

    async def pressed(self, payload: Payload) -> None:
        """On a card or on the Home tab; a link's own press needs nothing."""
        action_id = str(payload["actions"][0].get("action_id", ""))
        team = await self._team(payload)
        if action_id.startswith(SHOWN):
            await self._rows.pressed(payload, team)
        elif action_id.startswith(_CARDS):
            await self._answers.pressed(payload, team)
        elif action_id.startswith(END):
            await self._granting.pressed(payload, team)
            if "view" in payload:
                await self._home.refresh(team, str(payload["user"]["id"]))
        else:
            await self._home.pressed(payload, team)

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
        await self._talk.command(payload, await self._team(payload))

    async def shortcut(self, payload: Payload) -> None:
        """Ask the agent about this."""
        await self._asking.asked(payload, await self._team(payload))

    async def happened(self, payload: Payload) -> None:
        """An event."""
        event: dict[str, Any] = payload["event"]
        team = await self._team(payload)
        match event.get("type"):
            case "app_mention":
                await self._talk.mentioned(event, team)
            case "message" if event.get("channel_type") == "im":
                if not await self._threads.replied(event, team):
                    await self._talk.messaged(event, team)
            case "message":
                await self._threads.replied(event, team)
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


def _own_team(payload: Payload) -> str:
    """Where the app was removed. Two events tell it, and at the second the workspace is not known any more."""
    return str(payload.get("team_id") or payload.get("enterprise_id") or "")
