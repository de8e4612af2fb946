"""The endpoints of callbacks on pages, for operators: `/endpoints`, and each one's own. It decides nothing."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, get_args

from aiohttp import web
from pydantic import ValidationError

from adapters.web.endpoint_view import EndpointLine, endpoint_line, test_line
from adapters.web.pages import Notice, Pages
from andon import wire
from bot.errors import BadRequest, Conflict, Gone, InvalidBody, TooMany
from bot.ports import CallbackDesk, Desk, Session, Shelf

EVENTS: Final[tuple[str, ...]] = get_args(wire.EventType)

_MOST_SHOWN: Final = 100
_FORM_LIFE: Final = timedelta(hours=12)
"""As long as a session: a form of an older one is refused anyway."""

_SENT_BEFORE: Final = (
    "This form was sent before, so this press changed nothing. A secret is shown only once: if you have not seen it, "
    "give the endpoint a new one on its page."
)


@dataclass(frozen=True, slots=True)
class EndpointForm:
    """What was typed for a new endpoint. `once` names the form: pressed twice it is one."""

    once: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    url: str = ""
    agent: str = "*"
    events: tuple[str, ...] = wire.DEFAULT_EVENTS
    errors: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the field: `url` or `events`."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is told on the page that answers a press; `secret` is shown this once."""

    notice: Notice | None = None
    secret: str = ""
    status: int = 200


class EndpointPages:
    """What operators see of endpoints, and what their buttons do."""

    def __init__(self, callbacks: CallbackDesk, shelf: Shelf, desk: Desk, pages: Pages) -> None:
        """Let `callbacks` do it; the shelf knows which forms were sent."""
        self._callbacks = callbacks
        self._shelf = shelf
        self._desk = desk
        self._pages = pages
        self._presses: Mapping[str, Callable[[str, Mapping[str, str], Session], Awaitable[Said | None]]] = {
            "test": self._test,
            "rotate": self._rotate,
            "disable": self._disable,
            "enable": self._enable,
            "remove": self._remove,
            "replay": self._replay,
        }

    async def show_all(
        self, session: Session, said: Said | None = None, *, form: EndpointForm | None = None
    ) -> web.Response:
        """Every endpoint, and a form for a new one."""
        said = said or Said()
        page = self._pages.endpoints(
            [endpoint_line(each) for each in await self._callbacks.list()],
            session,
            agents=await self._desk.agents(),
            events=EVENTS,
            form=form or EndpointForm(),
            notice=said.notice,
        )
        return _html(page, said.status)

    async def show(self, endpoint_id: str, session: Session, said: Said | None = None) -> web.Response:
        """One endpoint with its dead letters; raises `Gone`."""
        said = said or Said()
        endpoint = endpoint_line(await self._callbacks.show(endpoint_id))
        return await self._one(endpoint, session, said)

    async def _one(self, endpoint: EndpointLine, session: Session, said: Said) -> web.Response:
        dead = await self._callbacks.dead_letters(endpoint.told.id, limit=_MOST_SHOWN)
        once = secrets.token_urlsafe(16)
        page = self._pages.endpoint(endpoint, session, dead=dead, once=once, secret=said.secret, notice=said.notice)
        return _html(page, said.status)

    # --- presses ---

    async def create(self, posted: Mapping[str, object], events: tuple[str, ...], session: Session) -> web.Response:
        """Register one, and show its secret on its page; or the form again with what is wrong in it."""
        given = _texts(posted)
        form = EndpointForm(given.get("once", ""), given.get("url", ""), given.get("agent", "*"), events)
        try:
            if missing := _missing(form):
                again = replace(form, errors=missing)
                return await self.show_all(session, Said(status=InvalidBody.status), form=again)
            new = wire.EndpointCreate.model_validate({"url": form.url, "agent": form.agent, "events": events})
            await self._first(form.once)
            made = await self._callbacks.create(new, session.person.id)
        except ValidationError:
            wrong = "This page is not as it was sent; open it again, and fill it in there."
            return await self.show_all(session, Said(Notice(wrong), status=BadRequest.status))
        except InvalidBody as error:
            why = error.faults[0].detail if error.faults else error.detail
            again = replace(form, once=EndpointForm().once, errors={"url": why})
            return await self.show_all(session, Said(status=error.status), form=again)
        except (Conflict, TooMany) as error:
            return await self.show_all(session, Said(Notice(error.detail), status=error.status))
        text = "It is registered, and callbacks go there from now on."
        return await self._one(endpoint_line(made), session, Said(Notice(text, good=True), made.secret, status=201))

    async def press(
        self, endpoint_id: str, action: str, posted: Mapping[str, object], session: Session
    ) -> web.Response:
        """A button of one endpoint's page; the answer is that page, as it is then. Raises `Gone`."""
        press = self._presses.get(action)
        if press is None:
            raise web.HTTPNotFound
        try:
            said = await press(endpoint_id, _texts(posted), session)
        except Conflict as error:
            said = Said(Notice(error.detail), status=error.status)
        if said is None:
            return web.Response(status=303, headers={"Location": "/endpoints"})
        return await self.show(endpoint_id, session, said)

    async def _test(self, endpoint_id: str, _: Mapping[str, str], __: Session) -> Said:
        line = test_line(await self._callbacks.test(endpoint_id))
        return Said(Notice(line.text, good=line.good))

    async def _rotate(self, endpoint_id: str, given: Mapping[str, str], session: Session) -> Said:
        await self._callbacks.show(endpoint_id)  # raises `Gone` before the form is spent
        await self._first(given.get("once", ""))
        made = await self._callbacks.rotate(endpoint_id, session.person.id)
        return Said(Notice("It has a new secret. The one before signs too for 24 hours.", good=True), made.secret)

    async def _disable(self, endpoint_id: str, given: Mapping[str, str], session: Session) -> Said:
        why = given.get("why", "").strip()[:300] or None
        await self._callbacks.disable(endpoint_id, session.person.id, why)
        return Said(Notice("Nothing is sent there now. What would be sent becomes a dead letter.", good=True))

    async def _enable(self, endpoint_id: str, _: Mapping[str, str], session: Session) -> Said:
        await self._callbacks.enable(endpoint_id, session.person.id)
        return Said(Notice("Callbacks are sent there again. Its dead letters wait until you send them.", good=True))

    async def _remove(self, endpoint_id: str, _: Mapping[str, str], session: Session) -> None:
        await self._callbacks.remove(endpoint_id, session.person.id)

    async def _replay(self, endpoint_id: str, given: Mapping[str, str], session: Session) -> Said:
        if not (delivery := given.get("delivery")):
            replayed = await self._callbacks.replay_all(endpoint_id, session.person.id)
            return Said(Notice(_sent_again(replayed.count), good=True))
        try:
            replayed = await self._callbacks.replay(delivery, session.person.id)
        except Gone:
            await self._callbacks.show(endpoint_id)
            return Said(Notice("That one is no dead letter any more: it is being sent again, or is too old."))
        return Said(Notice(_sent_again(replayed.count), good=True))

    async def _first(self, form: str) -> None:
        """Let each form be sent once: a second secret would take the place of the one that was shown."""
        if not form or not await self._shelf.once(f"endpoints form {form}", _FORM_LIFE):
            raise Conflict(_SENT_BEFORE)


def _missing(form: EndpointForm) -> Mapping[str, str]:
    url = {} if form.url.strip() else {"url": "Say where to send."}
    return url | ({} if form.events else {"events": "Pick what it is told of."})


def _sent_again(count: int) -> str:
    return {0: "There was nothing to send again.", 1: "It is sent again now."}.get(
        count, f"{count:,} are sent again now."
    )


def _texts(posted: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def _html(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
