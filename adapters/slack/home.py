"""The Home tab: what waits for one person, the runs of their channels, what they want to be told and asked."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.granting import Granting
from adapters.slack.lists import Lists, setting_chosen
from adapters.slack.presses import ACTION
from adapters.slack.standing import Standings, lines
from adapters.slack.waiting import Waiting
from bot.errors import BotError, StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Shelf

log = logging.getLogger("andon.slack")

_WATCHED: Final = timedelta(hours=1)
_PACE: Final = timedelta(seconds=5)
_OPEN: Final = "home:open"
_MOST: Final = 500
_TRIES: Final = 3


class Home:
    """Publishes Home tabs; those that were opened within the hour follow what changes."""

    def __init__(
        self,
        shelf: Shelf,
        api: Api,
        *,
        waiting: Waiting,
        standings: Standings,
        lists: Lists,
        granting: Granting,
        clock: Callable[[], datetime],
    ) -> None:
        """Look things up with `waiting`."""
        self._shelf = shelf
        self._api = api
        self._waiting = waiting
        self._standings = standings
        self._lists = lists
        self._granting = granting
        self._clock = clock
        self._later: set[asyncio.Task[None]] = set()

    async def opened(self, team: str, user: str) -> None:
        """Show it to whoever opened it, and keep it in step for an hour.

        Raises:
            DirectoryDown: Slack does not tell what this person may see; the same event again is safe.
            StoreUnavailable: Likewise.
        """
        await self._watch(f"{team}/{user}")
        await self.refresh(team, user)

    async def refresh(self, team: str, user: str) -> None:
        """Show it as it is now."""
        viewer = await self._waiting.viewer(team, user)
        if viewer.person.refusal or viewer.person.standing == "external":
            return
        view = self._lists.home(
            await self._waiting.mine(viewer),
            await self._waiting.runs(viewer),
            lines(await self._standings.load(team, user)),
            await self._granting.seen(viewer),
        )
        await self._api.call(team, "views.publish", user_id=user, view=view)

    async def pressed(self, payload: Mapping[str, Any], team: str) -> None:
        """A setting was picked; presses of links need nothing.

        Raises:
            BadRequest: It is no setting of ours.
        """
        action, user = payload["actions"][0], str(payload["user"]["id"])
        if not str(action.get("action_id", "")).startswith(f"{ACTION}setting:"):
            return
        key, value = setting_chosen(action)
        await self._standings.choose(team, user, key, value)
        await self.refresh(team, user)

    async def changed(self, handoff: Handoff) -> None:
        """Something about a handoff changed: show it to those who look on and may see it, each at most every 5 s.

        It returns at once; what is due later is shown later. A tab that cannot be shown now stays as it was.
        """
        try:
            watchers = await self._watchers()
        except StoreUnavailable:
            return
        for person in watchers:
            team, _, user = person.partition("/")
            try:
                viewer = await self._waiting.viewer(team, user)
                if not await self._waiting.sees(viewer, handoff):
                    continue
                taken, wait = await self._shelf.turn(f"home:{person}", every=_PACE, longest=_PACE)
            except BotError as error:
                log.info("slack.home_waits user=%s detail=%s", user, error)
                continue
            if taken:
                task = asyncio.create_task(self._show(team, user, wait), name="slack home")
                self._later.add(task)
                task.add_done_callback(self._later.discard)

    async def close(self) -> None:
        """Show nothing more."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    async def _show(self, team: str, user: str, wait: timedelta) -> None:
        await asyncio.sleep(wait.total_seconds())
        try:
            await self.refresh(team, user)
        except BotError as error:
            log.info("slack.home_waits user=%s detail=%s", user, error)

    # --- who looks on ---

    async def _watch(self, person: str) -> None:
        """Note that somebody looks. Two at once may overwrite each other, so it is looked at again."""
        now = self._clock().timestamp()
        for _ in range(_TRIES):
            people = await self._people()
            if people.get(person, 0.0) >= now:
                return
            people[person] = now
            latest = dict(sorted(people.items(), key=lambda each: each[1])[-_MOST:])
            await self._shelf.save(_OPEN, json.dumps(latest), _WATCHED)

    async def _watchers(self) -> list[str]:
        since = (self._clock() - _WATCHED).timestamp()
        return [person for person, at in (await self._people()).items() if at >= since]

    async def _people(self) -> dict[str, float]:
        kept = await self._shelf.load(_OPEN)
        found = json.loads(kept) if kept else {}
        return {str(person): float(at) for person, at in found.items()}
