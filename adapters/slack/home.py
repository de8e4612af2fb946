"""The Home tab: what is stopped, what waits for one person, the runs of their channels, what they want to be told."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.ground import SlackGround
from adapters.slack.lists import Lists, setting_chosen
from adapters.slack.pace import background
from adapters.slack.presses import ACTION
from adapters.slack.standing import Standings
from bot.errors import BotError, StoreUnavailable, TooMany
from bot.handoff import Handoff
from bot.ports import Shelf
from bot.talk import Seen, Talk, Viewer

log = logging.getLogger("andon.slack")

_WATCHED: Final = timedelta(hours=1)
_PACE: Final = timedelta(seconds=5)
_OPEN: Final = "home:open"
_MOST: Final = 500
_TRIES: Final = 3
_AT_ONCE: Final = 4
_MOST_NEWS: Final = 50
_AGAIN_S: Final = 30.0
_LONGEST_S: Final = 60.0


class Home:
    """Publishes Home tabs; those that were opened within the hour follow what changes."""

    def __init__(
        self,
        shelf: Shelf,
        api: Api,
        *,
        ground: SlackGround,
        seen: Seen,
        talking: Talk,
        standings: Standings,
        lists: Lists,
        clock: Callable[[], datetime],
    ) -> None:
        """Look things up with `seen`."""
        self._shelf = shelf
        self._api = api
        self._ground = ground
        self._seen = seen
        self._talking = talking
        self._standings = standings
        self._lists = lists
        self._clock = clock
        self._news: dict[str, dict[str, Handoff | None]] = {}
        """What each person who looks on has not been shown, by its id; None for whatever there is."""
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def opened(self, team: str, user: str) -> None:
        """Show it to whoever opened it, and keep it in step for an hour. What cannot be shown now is shown later.

        Raises:
            StoreUnavailable: The same event again is safe.
        """
        await self._watch(f"{team}/{user}")
        await self._soon(team, user)

    async def refresh(self, team: str, user: str) -> None:
        """Show it as it is now; whoever presses goes first.

        Raises:
            DirectoryDown: Slack does not tell what this person may see.
            StoreUnavailable, TooMany, NoAccess, SlackFailed: It stays as it was.
        """
        with background():
            await self._refresh(team, user)

    async def _refresh(self, team: str, user: str) -> None:
        viewer = await self._ground.viewer(team, user)
        if viewer.person.refusal or viewer.person.standing == "external":
            return
        found = await self._talking.overview(viewer)
        settings = (await self._standings.load(team, user)).lines()
        view = self._lists.home(found.waiting, found.runs, settings, found.grants, found.brakes)
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
        await self._soon(team, user)

    async def changed(self, handoff: Handoff) -> None:
        """Something about a handoff changed: those who look on and may see it are shown it, each at most every 5 s.

        It returns at once: who may see it is looked up, and shown, later.

        Raises:
            StoreUnavailable: It is not known who looks on.
        """
        for person in await self._watchers():
            self._follow(person, handoff)

    async def close(self) -> None:
        """Show nothing more."""
        tasks = list(self._followed.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- later ---

    async def _soon(self, team: str, user: str) -> None:
        """Show it now, or when Slack lets it through."""
        try:
            await self.refresh(team, user)
        except StoreUnavailable:
            raise
        except BotError as error:
            log.info("slack.home_waits user=%s detail=%s", user, error)
            self._follow(f"{team}/{user}", None, after_s=_rest_s(error))

    def _follow(self, person: str, handoff: Handoff | None, *, after_s: float = 0.0) -> None:
        """Show a change, or whatever there is, when there is time, with all that changes until then."""
        news = self._news.setdefault(person, {})
        news["" if handoff is None or len(news) >= _MOST_NEWS else handoff.id] = handoff
        if person not in self._followed:
            self._followed[person] = asyncio.create_task(self._keep_up(person, after_s), name="slack home")

    async def _keep_up(self, person: str, after_s: float) -> None:
        tries = 0
        try:
            with background():
                await asyncio.sleep(after_s)
                while news := self._news.pop(person, None):
                    try:
                        await self._show(person, news)
                    except BotError as error:
                        log.info("slack.home_waits user=%s detail=%s", person, error)
                        tries += 1
                        if tries >= _TRIES:
                            return  # it stays as it was
                        self._news.setdefault(person, {})[""] = None
                        await asyncio.sleep(_rest_s(error))
        except Exception as error:
            log.exception("slack.home_failed user=%s error=%s", person, type(error).__name__)
        finally:
            self._news.pop(person, None)
            self._followed.pop(person, None)

    async def _show(self, person: str, news: Mapping[str, Handoff | None]) -> None:
        """Show the tab anew, if this person may see any of what changed and no other process is about to."""
        team, _, user = person.partition("/")
        changed = [each for each in news.values() if each]
        async with self._gate:
            if len(changed) == len(news):
                viewer = await self._ground.viewer(team, user)
                if not await self._sees_any(viewer, changed):
                    return
        taken, wait = await self._shelf.turn(f"home:{person}", every=_PACE, longest=_PACE)
        if not taken:
            return
        await asyncio.sleep(wait.total_seconds())
        self._news.pop(person, None)  # it is shown with the rest
        async with self._gate:
            await self.refresh(team, user)

    async def _sees_any(self, viewer: Viewer, news: Sequence[Handoff]) -> bool:
        for handoff in news:
            if await self._seen.sees(viewer, handoff):
                return True
        return False

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


def _rest_s(error: BotError) -> float:
    """When to try again."""
    why = error if isinstance(error, TooMany) else error.__cause__
    return min(why.retry_after_s, _LONGEST_S) if isinstance(why, TooMany) else _AGAIN_S
