"""The brake on pages: a run's own page, the page of all brakes, and the buttons of a card. It decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web

from adapters.web.pages import Cord, Form, Notice, Pages, Viewer
from andon import wire
from bot.cards import ReceiptView, RunView, brake_line, card, flights, named_runs, receipt_view, run_view, summary
from bot.errors import BadRequest, Gone, NotAnApprover, StoreUnavailable
from bot.handoff import OPEN, Handoff
from bot.ports import BrakeOrder, Desk, Session

_EVERYTHING: Final = wire.BrakeScope(everything=True)
_MOST_SHOWN: Final = 100
_RECENT: Final = 20
_TYPED: Final = ("action", "text", "agent", "about")


@dataclass(frozen=True, slots=True)
class _Reply:
    """What is told on the page that answers a press."""

    receipt: ReceiptView | None = None
    notice: Notice | None = None
    status: int = 200
    cord: Cord = field(default_factory=Cord)


_Show = Callable[[Session, _Reply], Awaitable[web.Response]]


class BrakePages:
    """The pages `/runs/{id}` and `/brakes`, and what their buttons do."""

    def __init__(self, desk: Desk, pages: Pages, clock: Callable[[], datetime]) -> None:
        """Show what the desk has."""
        self._desk = desk
        self._pages = pages
        self._clock = clock

    async def look(self, run_id: str) -> RunView | None:
        """The run of a card with what holds it; None when it is gone, or cannot be read now."""
        try:
            return await self._look(run_id)
        except (Gone, StoreUnavailable):
            return None

    # --- pages ---

    async def show_run(self, run_id: str, session: Session, told: _Reply | None = None) -> web.Response:
        """One run: who it is, what holds it, what it asks; raises `Gone`."""
        told = told or _Reply()
        view, now = await self._look(run_id), self._clock()
        handoffs = await self._desk.asks(run_id, limit=_MOST_SHOWN)
        ended = [each for each in handoffs if not (each.state in OPEN or each.is_in_flight)]
        page = self._pages.run(
            view,
            session,
            waiting=[summary(each, now=now) for each in handoffs if each.state in OPEN],
            recent=[summary(each, now=now) for each in ended[:_RECENT]],
            flights=flights(handoffs),
            is_cut=len(handoffs) >= _MOST_SHOWN,
            cord=told.cord,
            receipt=told.receipt,
            notice=told.notice,
        )
        return _html(page, told.status)

    async def show_all(self, session: Session, told: _Reply | None = None) -> web.Response:
        """Every brake that is on."""
        told = told or _Reply()
        standing, agents = await asyncio.gather(self._desk.braking.standing(), self._desk.agents())
        shown = standing[:_MOST_SHOWN]
        runs = await self._runs(*named_runs(shown))
        page = self._pages.brakes(
            [brake_line(each, runs.get(each.scope.run or "")) for each in shown],
            session,
            more=len(standing) - len(shown),
            agents=agents,
            everything=_EVERYTHING.model_dump_json(exclude_none=True),
            cord=told.cord,
            receipt=told.receipt,
            notice=told.notice,
        )
        return _html(page, told.status)

    async def _show_card(self, handoff: Handoff, session: Session, told: _Reply, *, full: bool) -> web.Response:
        view = card(handoff, now=self._clock(), full=full)
        its_run = await self.look(handoff.run)
        page = self._pages.card(
            *(view, session),
            form=Form(),
            notice=told.notice,
            full=full,
            its_run=its_run,
            cord=told.cord,
            receipt=told.receipt,
        )
        return _html(page, told.status)

    # --- presses ---

    async def take_run(self, run_id: str, posted: Mapping[str, object], session: Session) -> web.Response:
        """A press on the brake of one run, on its own page or on a card; the answer is that page, as it is then."""
        given = _texts(posted)

        async def show(session: Session, told: _Reply) -> web.Response:
            if not given.get("card"):
                return await self.show_run(run_id, session, told)
            handoff = await self._desk.look(given["card"])
            return await self._show_card(handoff, session, told, full=given.get("full") == "1")

        return await self._take(given, {"run": run_id}, session, show, to=f"/runs/{run_id}/brake")

    async def take_any(self, posted: Mapping[str, object], session: Session) -> web.Response:
        """A press on the page of all brakes."""
        given = _texts(posted)
        scope = {"agent": given["agent"]} if given.get("agent") else given.get("scope", "")
        return await self._take(given, scope, session, self.show_all, to="/brakes/order")

    async def _take(
        self, given: Mapping[str, str], scope: object, session: Session, show: _Show, *, to: str
    ) -> web.Response:
        """Obey, and show the page with what was done; or why nothing was, with all that was typed."""
        fresh = Cord()
        cord = Cord(given.get("order_id") or fresh.order_id, *(given.get(each, "") for each in _TYPED))
        try:
            order = _order(given, scope, cord, session.person)
            receipt = await self._desk.braking.obey(order)
            standing = await self._desk.braking.standing()
            viewer = Viewer(session.person, session.csrf, session.admin, brakes=len(standing))
            return await show(viewer, _Reply(receipt=receipt_view(receipt, order.action, standing)))
        except (BadRequest, Gone) as error:
            return await show(session, _Reply(notice=Notice(error.detail), status=error.status, cord=cord))
        except NotAnApprover as error:
            notice = Notice(f"{error.detail} Your press changed nothing.")
            return await show(session, _Reply(notice=notice, status=error.status, cord=cord))
        except StoreUnavailable as error:
            form = {**given, "order_id": cord.order_id, "csrf": session.csrf}
            return _html(self._pages.again(form, to, session), error.status)

    # --- reading ---

    async def _look(self, run_id: str) -> RunView:
        run = await self._desk.run(run_id)
        standing = await self._desk.braking.standing() if run.brake else ()
        return run_view(run, standing, await self._runs(*named_runs([run.brake] if run.brake else [])))

    async def _runs(self, *ids: str) -> dict[str, wire.Run | None]:
        return dict(zip(ids, await asyncio.gather(*(self._run(each) for each in ids)), strict=True))

    async def _run(self, run_id: str) -> wire.Run | None:
        try:
            return await self._desk.run(run_id)
        except Gone:
            return None


def _order(given: Mapping[str, str], scope: object, cord: Cord, by: wire.Actor) -> BrakeOrder:
    """The press as an order. Pressed twice it is one; another button, or other words, are another.

    Raises:
        BadRequest: Something that it needs was not typed or picked, or it is none of our forms.
    """
    if cord.about == "agent" and not cord.agent:
        raise BadRequest("Pick an agent first.")
    if cord.action == "steer" and not cord.text.strip():
        raise BadRequest("Say first what the agent should know.")
    epoch = given.get("epoch", "")
    try:
        brake = wire.WideBrake(
            action=cord.action,  # type: ignore[arg-type]  # checked here
            text=cord.text.strip() or None,
            epoch=int(epoch) if epoch else None,
            scope=wire.BrakeScope.model_validate_json(scope) if isinstance(scope, str) else scope,  # type: ignore[arg-type]  # likewise
        )
    except ValueError as error:
        raise BadRequest("This page is not as it was sent; open it again, and press there.") from error
    return BrakeOrder(
        id=f"web:{cord.order_id}:{by.id}:{brake.model_dump_json()}",
        scope=brake.scope,
        action=brake.action,
        by=by,
        text=brake.text,
        epoch=brake.epoch,
    )


def _texts(posted: Mapping[str, object]) -> dict[str, str]:
    return {name: value.replace("\r\n", "\n") for name, value in posted.items() if isinstance(value, str)}


def _html(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
