"""The policy on a page: what stands, what it says of an action, and what a changed file would have made of history."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web
from aiohttp.web import FileField
from pydantic import ValidationError

from adapters.web.pages import Pages
from andon import wire
from bot.errors import BadRequest, InvalidBody, TooLarge, TooMany, faults_in
from bot.ports import Desk, Session

EXAMPLE: Final = """{
  "tool": "send_email",
  "args": {"to": "alice@example.com", "subject": "Report"},
  "reversible": false
}"""
DAYS: Final = (1, 7, 30)
_DAYS: Final = 7
_MOST_ASKED: Final = 65_536


@dataclass(frozen=True, slots=True)
class Tried:
    """What was typed on the page, and what came of it."""

    asked: str = EXAMPLE
    explained: wire.Explanation | None = None
    ask_faults: tuple[str, ...] = ()
    text: str = ""
    days: int = _DAYS
    replayed: wire.Replay | None = None
    file_faults: tuple[str, ...] = ()


class PolicyPage:
    """The page `/policy`. It changes nothing."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        """Show what the desk has."""
        self._desk = desk
        self._pages = pages

    def show(self, session: Session, tried: Tried | None = None, *, status: int = 200) -> web.Response:
        """The policy that stands, with both forms."""
        page = self._pages.policy(self._desk.policy(), session, tried=tried or Tried(), spans=DAYS)
        return web.Response(text=page, status=status, content_type="text/html", charset="utf-8")

    async def take(self, posted: Mapping[str, Any], session: Session) -> web.Response:
        """One of the two forms."""
        return await (self._replay if posted.get("try") == "replay" else self._explain)(posted, session)

    async def _explain(self, posted: Mapping[str, Any], session: Session) -> web.Response:
        """What the policy says of the action that was typed."""
        tried = Tried(asked=str(posted.get("action", "")).replace("\r\n", "\n"))
        try:
            question = _question(tried.asked)
        except BadRequest as error:
            told = tuple(": ".join(filter(None, (each.field, each.detail))) for each in error.faults) or (error.detail,)
            return self.show(session, replace(tried, ask_faults=told), status=422)
        return self.show(session, replace(tried, explained=await self._desk.explain(question)))

    async def _replay(self, posted: Mapping[str, Any], session: Session) -> web.Response:
        """What the file that was given would have made of the last days."""
        days = str(posted.get("days", ""))
        tried = Tried(days=int(days) if days in map(str, DAYS) else _DAYS)
        try:
            tried = replace(tried, text=await _given(posted))
            found = await self._desk.replay(tried.text, days=tried.days)
        except InvalidBody as error:
            told = tuple(each.detail for each in error.faults) or (error.detail,)
            return self.show(session, replace(tried, file_faults=told), status=error.status)
        except (BadRequest, TooLarge, TooMany) as error:
            return self.show(session, replace(tried, file_faults=(error.detail,)), status=error.status)
        return self.show(session, replace(tried, replayed=found))


def _question(text: str) -> wire.PolicyQuestion:
    """The action as it was typed.

    Raises:
        BadRequest: It is no JSON object, or none that the policy can be asked about.
    """
    try:
        if len(text) > _MOST_ASKED:
            raise BadRequest(f"It is over {_MOST_ASKED // 1024} KiB.")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"It is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest('It is no JSON object; write {"tool": "send_email"}, say.')
    try:
        return wire.PolicyQuestion.model_validate(value)
    except ValidationError as error:
        raise BadRequest(
            "It is no action that could be tried.", faults=faults_in(error, wire.PolicyQuestion.model_fields)
        ) from error


async def _given(posted: Mapping[str, Any]) -> str:
    """The file that was chosen, or else the text.

    Raises:
        BadRequest: Neither, or it is not UTF-8.
    """
    file = posted.get("file")
    if isinstance(file, FileField) and file.filename:
        try:
            return (await asyncio.to_thread(file.file.read)).decode()
        except UnicodeDecodeError as error:
            raise BadRequest(f"{file.filename} is not UTF-8.") from error
    text = str(posted.get("text", "")).replace("\r\n", "\n")
    if not text.strip():
        raise BadRequest("Choose a file, or paste its text.")
    return text
