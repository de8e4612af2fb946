"""The web console: an adapter whose surface is our own pages.

It translates and nothing more: a browser's request in, an answer to the desk; a handoff in, a page out.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from adapters.web import live
from adapters.web.answers import Answers
from adapters.web.braking import BrakePages
from adapters.web.endpoints import EndpointPages
from adapters.web.pages import TYPES, Form, Notice, Pages, Viewer
from adapters.web.policy import PolicyPage
from adapters.web.security import HEADERS, Guard, same_token
from adapters.web.together import Together
from andon import wire
from bot.cards import card, grant_line, heard, summary, trust_line
from bot.errors import BotError, Gone, TooMany
from bot.handoff import Aside, Digest, Handoff, Told
from bot.ports import CallbackDesk, CardRef, Desk, Directory, Session, Shelf, SignIn

_log = logging.getLogger(__name__)

_INBOX = 200
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Signed = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]


class WebConsole:
    """The surface `web`: people read the store through it, so no card is ever posted."""

    name = "web"
    reads_store = True
    directory: Directory | None = None

    def __init__(
        self,
        desk: Desk,
        sign_in: SignIn,
        *,
        public_url: str,
        templates: Path | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        callbacks: tuple[CallbackDesk, Shelf] | None = None,
    ) -> None:
        """Build the pages; nothing is served before `routes` are added to an application.

        Without `callbacks` there are no pages about endpoints.
        """
        self._desk = desk
        self._guard = Guard(sign_in, public_url=public_url, clock=clock)
        self._pages = Pages(templates)
        self._clock = clock
        self._brakes = BrakePages(desk, self._pages, clock)
        self._answers = Answers(desk, self._pages, clock, its_run=self._brakes.look)
        self._together = Together(desk, self._pages, clock)
        self._policy_page = PolicyPage(desk, self._pages)
        self._endpoints = EndpointPages(*callbacks, desk, self._pages) if callbacks else None

    def routes(self) -> Sequence[web.RouteDef]:
        """Every address of the console."""
        return [
            web.get("/", self._open(self._for_signed_in(self._inbox))),
            web.get("/history", self._open(self._for_signed_in(self._history))),
            web.get("/grants", self._open(self._for_signed_in(self._grants))),
            web.post("/grants/{id}/end", self._open(self._for_signed_in(self._end_grant))),
            web.get("/handoffs/{id}", self._open(self._for_signed_in(self._card))),
            web.post("/handoffs/{id}/answer", self._open(self._for_signed_in(self._answer))),
            web.post("/handoffs/{id}/again", self._open(self._for_signed_in(self._send_again))),
            web.get("/runs/{id}", self._open(self._for_signed_in(self._run))),
            web.post("/runs/{id}/brake", self._open(self._for_signed_in(self._brake_run))),
            web.get("/brakes", self._open(self._for_signed_in(self._all_brakes))),
            web.post("/brakes/order", self._open(self._for_signed_in(self._brake_any))),
            web.get("/trust", self._open(self._for_signed_in(self._trust))),
            web.post("/trust/{key}/reset", self._open(self._for_signed_in(self._reset_trust))),
            web.get("/policy", self._open(self._for_signed_in(self._policy))),
            web.post("/policy", self._open(self._for_signed_in(self._try_policy))),
            web.get("/digest", self._open(self._for_signed_in(self._digest))),
            web.post("/digest", self._open(self._for_signed_in(self._answer_together))),
            web.get("/live", self._open(self._live), allow_head=False),
            web.get("/sign-in", self._open(self._show_sign_in)),
            web.post("/sign-in", self._open(self._sign_in)),
            web.post("/sign-out", self._open(self._for_signed_in(self._sign_out))),
            web.get("/static/{version}/{name}", self._open(self._static)),
            *(self._endpoint_routes(self._endpoints) if self._endpoints else ()),
        ]

    def _endpoint_routes(self, pages: EndpointPages) -> Sequence[web.RouteDef]:
        async def show_all(_: web.Request, session: Session) -> web.StreamResponse:
            return await pages.show_all(session)

        async def create(request: web.Request, session: Session) -> web.StreamResponse:
            posted = await request.post()
            return await pages.create(posted, tuple(map(str, posted.getall("events", ()))), session)

        async def show(request: web.Request, session: Session) -> web.StreamResponse:
            return await pages.show(request.match_info["id"], session)

        async def press(request: web.Request, session: Session) -> web.StreamResponse:
            found = request.match_info
            return await pages.press(found["id"], found["press"], await request.post(), session)

        return [
            web.get("/endpoints", self._open(self._for_admins(show_all))),
            web.post("/endpoints", self._open(self._for_admins(create))),
            web.get("/endpoints/{id}", self._open(self._for_admins(show))),
            web.post("/endpoints/{id}/{press}", self._open(self._for_admins(press))),
        ]

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:  # noqa: ARG002  # one inbox for all places
        """Nothing to post: the inbox shows what the store has."""
        return CardRef("web", handoff.id)

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """Every handoff has its page."""
        return await self.post(handoff, to)

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Nothing to post: the inbox lists notices."""

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Nothing to post: the card's page shows it, and the inbox marks it."""

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:  # noqa: ARG002  # likewise
        """Nothing to post: `/digest` shows what the store has."""
        return ref or CardRef("web", digest.id)

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        """Nothing to update either: the page reads the store, and `/live` tells it when."""
        del ref, handoff

    # --- pages ---------------------------------------------------------------------------------------

    async def _inbox(self, request: web.Request, session: Session) -> web.StreamResponse:  # noqa: ARG002  # a handler
        now = self._clock()
        cards = [summary(handoff, now=now) for handoff in (await self._desk.inbox()).handoffs]
        notices = [heard(told) for told in await self._desk.notices()]
        told = [summary(handoff, now=now) for handoff in await self._desk.told_lately()]
        return _html(self._pages.inbox(cards, notices, session, told=told, most=_INBOX))

    async def _history(self, request: web.Request, session: Session) -> web.StreamResponse:
        now, cursor = self._clock(), request.query.get("cursor") or None
        handoffs, older = await self._desk.history(cursor)
        cards = [summary(handoff, now=now) for handoff in handoffs]
        return _html(self._pages.history(cards, session, older=older, first=cursor is None))

    async def _card(self, request: web.Request, session: Session) -> web.StreamResponse:
        handoff = await self._desk.look(request.match_info["id"])
        full, editing = request.query.get("full") == "1", request.query.get("edit") == "1"
        view = card(handoff, now=self._clock(), full=full, conflict=self._desk.conflict(handoff, session.person))
        its_run, form = await self._brakes.look(handoff.run), Form(editing=editing)
        return _html(self._pages.card(view, session, form=form, notice=None, full=full, its_run=its_run))

    async def _answer(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._answers.take(request.match_info["id"], await request.post(), session)

    async def _send_again(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._answers.send_again(request.match_info["id"], await request.post(), session)

    async def _run(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._brakes.show_run(request.match_info["id"], session)

    async def _brake_run(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._brakes.take_run(request.match_info["id"], await request.post(), session)

    async def _all_brakes(self, request: web.Request, session: Session) -> web.StreamResponse:  # noqa: ARG002  # a handler
        return await self._brakes.show_all(session)

    async def _brake_any(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._brakes.take_any(await request.post(), session)

    async def _trust(self, request: web.Request, session: Session) -> web.StreamResponse:  # noqa: ARG002  # a handler
        return _html(self._pages.trust([trust_line(ramp) for ramp in await self._desk.trust()], session))

    async def _reset_trust(self, request: web.Request, session: Session) -> web.StreamResponse:
        await self._desk.reset_trust(request.match_info["key"], session.person)
        return _see("/trust")

    async def _grants(self, request: web.Request, session: Session) -> web.StreamResponse:  # noqa: ARG002  # a handler
        return _html(self._pages.grants([grant_line(each) for each in await self._desk.grants()], session))

    async def _end_grant(self, request: web.Request, session: Session) -> web.StreamResponse:
        try:
            await self._desk.end_grant(request.match_info["id"], session.person)
        except Gone:
            lines = [grant_line(each) for each in await self._desk.grants()]
            return _html(self._pages.grants(lines, session, notice=Notice("That grant had ended already.")), 404)
        return _see("/grants")

    async def _policy(self, request: web.Request, session: Session) -> web.StreamResponse:  # noqa: ARG002  # a handler
        return self._policy_page.show(session)

    async def _try_policy(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._policy_page.take(await request.post(), session)

    async def _digest(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._together.show(session, request.query.get("cursor") or None)

    async def _answer_together(self, request: web.Request, session: Session) -> web.StreamResponse:
        return await self._together.take(await request.post(), session, request.query.get("cursor") or None)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if await self._guard.session(request) is None:
            # 204 tells an EventSource to stop trying.
            return web.Response(status=204)
        return await live.stream(request, self._desk, HEADERS)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        body = self._pages.files.get(name)
        if body is None:
            raise web.HTTPNotFound
        kept = request.match_info["version"] == self._pages.version
        return web.Response(
            body=body,
            headers={
                "Content-Type": TYPES[Path(name).suffix],
                "Cache-Control": "public, max-age=31536000, immutable" if kept else "no-store",
            },
        )

    # --- sessions ------------------------------------------------------------------------------------

    async def _show_sign_in(self, request: web.Request) -> web.StreamResponse:
        """Chat programs fetch links to preview them: looking must not spend the link, only the button does."""
        return _html(self._pages.sign_in(request.query.get("token", "")))

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        link = (await request.post()).get("token", "")
        token = await self._guard.begin(request, link if isinstance(link, str) else "")
        if token is None:
            text = "This link was used before, is too old, or was never one of ours."
            hint = "Print a new one where the service runs: python -m bot sign-in"
            return _html(self._pages.message("This link does not open anything", text, None, hint=hint), 403)
        response = _see("/")
        self._guard.keep(response, token)
        return response

    async def _sign_out(self, request: web.Request, session: Session) -> web.StreamResponse:
        if not same_token(str((await request.post()).get("csrf", "")), session):
            raise web.HTTPForbidden
        response = _see("/sign-in")
        await self._guard.end(request, response)
        return response

    # --- what every request goes through ---------------------------------------------------------------

    def _for_signed_in(self, handler: _Signed) -> _Handler:
        async def signed(request: web.Request) -> web.StreamResponse:
            session = await self._guard.session(request)
            if session is None:
                return _html(self._pages.sign_in(""), 401)
            if request.method == "POST" and not same_token(str((await request.post()).get("csrf", "")), session):
                text = "The page you pressed on belongs to another session. Nothing was changed; open it again."
                return _html(self._pages.message("That press did not count", text, session), 403)
            on = await self._desk.braking.standing()
            return await handler(request, Viewer(session.person, session.csrf, session.admin, brakes=len(on)))

        return signed

    def _for_admins(self, handler: _Signed) -> _Handler:
        async def admin(request: web.Request, session: Session) -> web.StreamResponse:
            if session.admin:
                return await handler(request, session)
            text = "Where callbacks go is set up by operators, and your session is not one of theirs."
            hint = "An operator prints a link for one where the service runs: python -m bot sign-in --admin"
            return _html(self._pages.message("This page is for operators", text, session, hint=hint), 403)

        return self._for_signed_in(admin)

    def _open(self, handler: _Handler) -> _Handler:
        """Check where a post comes from, turn errors into pages, and put the headers on whatever comes out."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                if request.method == "POST" and not self._guard.came_from_us(request):
                    text = "It was sent from another site, not from a page of this console. Nothing was changed."
                    response: web.StreamResponse = _html(
                        self._pages.message("That press did not count", text, None), 403
                    )
                else:
                    response = await handler(request)
            except BotError as error:
                response = await self._problem(request, error)
            except web.HTTPException as error:
                response = _html(
                    self._pages.message(error.reason, "There is nothing at this address.", None), error.status
                )
            except Exception:  # noqa: BLE001  # the outermost place of a request: the person gets a page, the log the cause
                reference = secrets.token_hex(4)
                _log.exception("web.failed path=%s reference=%s", request.path, reference)
                text = f"Whether your press counted, the card itself will say. Tell the operator: {reference}"
                response = _html(self._pages.message("Something went wrong here", text, None), 500)
            if not response.prepared:
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
            return response

        return guarded

    async def _problem(self, request: web.Request, error: BotError) -> web.StreamResponse:
        session = await self._guard.session(request) if error.status < 500 else None  # noqa: PLR2004  # the store is fine
        response = _html(self._pages.message(error.title, error.detail, session), error.status)
        if isinstance(error, TooMany):
            response.headers["Retry-After"] = str(error.retry_after_s)
        return response


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _see(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address})
