"""The console over HTTP: what guards it, and what a person is told."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from adapters.web.pages import Form
from andon import wire
from bot.errors import Fault, InvalidAnswer
from bot.handoff import Reason, Route, State
from bot.ports import Adapter, CardRef
from tests.fakes.desk import ANA, BUDGET, EMAIL, FLIGHT, MIRA, NOON, RUN, MemoryDesk, MemorySignIn, a_run, handoff

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
EMAIL_ID, FLIGHT_ID, BUDGET_ID, LONG_ID, ENDED_ID = ("hf_" + letter * 22 for letter in "abcde")


class Clock:
    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now


class Browser:
    """What a browser does over HTTP: cookies, forms with all their fields, the headers that browsers add."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def get(self, path: str, **given: Any) -> tuple[ClientResponse, str]:
        async with self.http.get(f"{self.url}{path}", allow_redirects=False, **given) as response:
            return response, await response.text()

    async def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[ClientResponse, str]:
        sent = headers or {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        async with self.http.post(f"{self.url}{path}", data=form, headers=sent, allow_redirects=False) as response:
            return response, await response.text()

    async def form(self, path: str) -> dict[str, str]:
        """The hidden inputs of a card's form, and the text fields as they stand."""
        _, page = await self.get(path)
        found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.split("<main")[1]))
        found |= dict(re.findall(r'<input id="field-\d+" name="([^"]+)" value="([^"]*)"', page))
        found |= dict(re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL))
        found |= dict(re.findall(r'<input type="radio" name="([^"]+)" value="([^"]*)" checked>', page))
        return {name: unescape(value) for name, value in found.items()}

    async def press(self, handoff_id: str, kind: str, *, page: str = "", **typed: str) -> tuple[ClientResponse, str]:
        form = await self.form(f"/handoffs/{handoff_id}{page}")
        return await self.post(f"/handoffs/{handoff_id}/answer", {**form, "kind": kind, **typed})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> MemoryDesk:
    asked = handoff(EMAIL)
    assert asked.action
    decision = wire.Approved(
        by=ANA, at=NOON, revision=1, digest=asked.digest, args=asked.action.args, message_for_agent="Go on."
    )
    long = {**EMAIL, "action": {"tool": "run", "args": {"script": "x" * 9_000}}}
    return MemoryDesk(
        handoff(EMAIL, id=EMAIL_ID),
        handoff(FLIGHT, id=FLIGHT_ID, minutes=5),
        handoff(BUDGET, id=BUDGET_ID),
        handoff(long, id=LONG_ID),
        handoff(EMAIL, id=ENDED_ID, state=State.DECIDED, decision=decision),
        clock=clock,
    )


@pytest.fixture
def book() -> MemorySignIn:
    return MemorySignIn()


@pytest.fixture
async def url(desk: MemoryDesk, book: MemorySignIn, clock: Clock) -> AsyncIterator[str]:
    console = WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=clock)
    app = web.Application()
    app.add_routes(console.routes())
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
        desk.close()


@pytest.fixture
async def stranger(url: str) -> AsyncIterator[Browser]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        yield Browser(http, url)


@pytest.fixture
async def mira(url: str, book: MemorySignIn) -> AsyncIterator[Browser]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, url)
        await browser.post("/sign-in", {"token": book.link(MIRA)})
        yield browser


GETS = ("/", "/history", f"/handoffs/{EMAIL_ID}", f"/handoffs/{ENDED_ID}", "/handoffs/hf_none", "/sign-in", "/live")


@pytest.mark.parametrize("path", [*GETS, "/static/x/console.css", "/static/x/none.css"])
@pytest.mark.parametrize("signed_in", [True, False])
async def test_every_response_carries_the_headers(mira: Browser, stranger: Browser, path: str, signed_in: bool) -> None:
    async with (mira if signed_in else stranger).http.get(f"{mira.url}{path}") as response:
        assert response.headers["Content-Security-Policy"] == CSP
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"


async def test_static_files_may_be_kept_under_the_address_of_their_content(mira: Browser) -> None:
    _, page = await mira.get("/")
    addresses = re.findall(r'"(/static/[^"]+)"', page)
    assert len(set(addresses)) == 3
    for address in addresses:
        response, _ = await mira.get(address)
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Security-Policy"] == CSP


@pytest.mark.parametrize("name", ["..%2fconsole.py", "%2e%2e%2fpages.py", "console.py"])
async def test_only_the_static_files_are_served(mira: Browser, name: str) -> None:
    response, _ = await mira.get(f"/static/x/{name}")
    assert response.status == 404


async def test_pages_have_nothing_inline_and_nothing_from_elsewhere(mira: Browser) -> None:
    for path in GETS[:4]:
        _, page = await mira.get(path)
        assert "style=" not in page
        assert not re.search(r"<script(?![^>]* src=)", page)
        assert not re.search(r"\son[a-z]+=", page)
        assert not re.search(r'(?:src|href)="(?!/|#|")', page)


async def test_nobody_sees_a_card_without_signing_in(stranger: Browser) -> None:
    for path in ("/", "/history", f"/handoffs/{EMAIL_ID}"):
        response, page = await stranger.get(path)
        assert response.status == 401
        assert "alice" not in page
        assert "Sign in first" in page
    response, _ = await stranger.get("/live")
    assert response.status == 204


# --- signing in ----------------------------------------------------------------------------------------------------


async def test_looking_at_a_sign_in_link_does_not_spend_it_and_pressing_does(
    stranger: Browser, book: MemorySignIn
) -> None:
    link = book.link(MIRA)
    for _ in range(3):
        response, page = await stranger.get(f"/sign-in?token={link}")
        assert link in page
        assert "Set-Cookie" not in response.headers
    response, _ = await stranger.post("/sign-in", {"token": link})
    assert (response.status, response.headers["Location"]) == (303, "/")
    again, page = await stranger.post("/sign-in", {"token": link})
    assert again.status == 403
    assert "used before" in page


async def test_the_cookie_is_out_of_reach(stranger: Browser, book: MemorySignIn) -> None:
    response, _ = await stranger.post("/sign-in", {"token": book.link(MIRA)})
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("andon=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # plain http on loopback: browsers would drop it


async def test_behind_https_the_cookie_is_bound_to_the_host(desk: MemoryDesk, book: MemorySignIn, clock: Clock) -> None:
    app = web.Application()
    app.add_routes(WebConsole(desk, book, public_url="https://andon.example.com", templates=None, clock=clock).routes())
    async with TestServer(app) as server, ClientSession() as http:
        headers = {"Sec-Fetch-Site": "same-origin"}
        data = {"token": book.link(MIRA)}
        async with http.post(
            server.make_url("/sign-in"), data=data, headers=headers, allow_redirects=False
        ) as response:
            cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-andon=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


async def test_sign_in_fails_five_times_a_minute_at_most(stranger: Browser, clock: Clock) -> None:
    for _ in range(5):
        assert (await stranger.post("/sign-in", {"token": "guess"}))[0].status == 403
    response, page = await stranger.post("/sign-in", {"token": "guess"})
    assert response.status == 429
    assert int(response.headers["Retry-After"]) > 0
    assert "wait" in page
    clock.now += timedelta(minutes=1)
    assert (await stranger.post("/sign-in", {"token": "guess"}))[0].status == 403


async def test_a_good_link_opens_however_often_others_failed_from_the_same_address(
    stranger: Browser, book: MemorySignIn
) -> None:
    for _ in range(9):
        await stranger.post("/sign-in", {"token": "guess"})
    for _ in range(9):
        assert (await stranger.post("/sign-in", {"token": book.link(MIRA)}))[0].status == 303
    assert (await stranger.post("/sign-in", {"token": "guess"}))[0].status == 429


async def test_signing_out_ends_the_session(mira: Browser, book: MemorySignIn) -> None:
    _, page = await mira.get("/")
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    response, _ = await mira.post("/sign-out", {"csrf": found[1]})
    assert response.status == 303
    assert book.sessions == {}
    assert (await mira.get("/"))[0].status == 401


# --- who may post ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers, accepted",
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "SELF"}, True),
        ({"Origin": "http://127.0.0.1:8080"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "SELF"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"X-Nothing": "said"}, False),
    ],
)
@pytest.mark.parametrize("path", [f"/handoffs/{EMAIL_ID}/answer", "/sign-out", "/sign-in"])
async def test_a_press_counts_only_from_our_own_pages(
    mira: Browser, desk: MemoryDesk, book: MemorySignIn, *, headers: dict[str, str], accepted: bool, path: str
) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve", "token": book.link(ANA)}
    sent = {name: mira.url if value == "SELF" else value for name, value in headers.items()}
    response, _ = await mira.post(path, form, **sent)
    assert response.status == (303 if accepted else 403)
    assert bool(desk.answers) == (accepted and path.endswith("answer"))
    assert response.headers["Content-Security-Policy"] == CSP


@pytest.mark.parametrize("csrf", ["", "wrong", None])
@pytest.mark.parametrize("path", [f"/handoffs/{EMAIL_ID}/answer", "/sign-out"])
async def test_a_press_counts_only_with_the_sessions_own_token(
    mira: Browser, desk: MemoryDesk, book: MemorySignIn, csrf: str | None, path: str
) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve"}
    form = {**form, "csrf": csrf} if csrf is not None else {k: v for k, v in form.items() if k != "csrf"}
    response, _ = await mira.post(path, form)
    assert response.status == 403
    assert desk.answers == []
    assert book.sessions


async def test_the_token_of_another_session_does_not_count(mira: Browser, desk: MemoryDesk, book: MemorySignIn) -> None:
    other = await book.begin(book.link(ANA))
    assert other
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve", "csrf": book.sessions[other].csrf}
    assert (await mira.post(f"/handoffs/{EMAIL_ID}/answer", form))[0].status == 403
    assert desk.answers == []


async def test_following_every_link_with_a_session_changes_nothing(
    mira: Browser, desk: MemoryDesk, book: MemorySignIn
) -> None:
    desk.bound = [a_run()]
    before, seen, todo = dict(desk.all), set[str](), ["/", "/history", f"/sign-in?token={book.link(ANA)}"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        response, page = await mira.get(path)
        assert response.status == 200, path
        todo += [unescape(link) for link in re.findall(r'(?:href|action)="(/[^"]*)"', page)]
        todo = [path for path in todo if not path.endswith(("/answer", "/brake", "/brakes/order", "/sign-out"))]
    presses = (
        f"/handoffs/{EMAIL_ID}/answer?kind=approve",
        f"/runs/{RUN}/brake?action=stop",
        "/brakes/order",
        "/sign-out",
    )
    for path in presses:
        assert (await mira.get(path))[0].status == 405
    assert len(seen) > 12
    assert f"/runs/{RUN}" in seen
    assert desk.all == before
    assert desk.answers == []
    assert desk.braking.orders == []
    assert len(book.links) == 1
    assert len(book.sessions) == 1


# --- answering -------------------------------------------------------------------------------------


async def test_approving_names_the_revision_and_digest_that_were_read(mira: Browser, desk: MemoryDesk) -> None:
    response, _ = await mira.press(EMAIL_ID, "approve", reason=" fine ")
    assert (response.status, response.headers["Location"]) == (303, f"/handoffs/{EMAIL_ID}")
    ((_, answer, by),) = desk.answers
    assert answer == wire.Approve(revision=1, digest=desk.all[ENDED_ID].digest, reason="fine")
    assert by == MIRA


async def test_a_double_press_is_one_answer(mira: Browser, desk: MemoryDesk) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve"}
    for _ in range(2):
        response, _ = await mira.post(f"/handoffs/{EMAIL_ID}/answer", form)
        assert response.status == 303
    assert len(desk.answers) == 1


async def test_an_edit_keeps_the_types_of_what_nobody_touched(mira: Browser, desk: MemoryDesk) -> None:
    response, _ = await mira.press(EMAIL_ID, "edit-approve", page="?edit=1", **{"field-0": "bob@x.com"})
    assert response.status == 303
    (answer,) = [answer for _, answer, _ in desk.answers]
    assert isinstance(answer, wire.Edit)
    assert answer.approve
    assert answer.args == {**EMAIL["action"]["args"], "to": "bob@x.com"}


async def test_an_invalid_edit_is_told_beside_its_field_and_loses_nothing(mira: Browser, desk: MemoryDesk) -> None:
    typed = {"field-0": "not an address", "field-2": "", "field-5": "high", "reason": "because <b>"}
    response, page = await mira.press(EMAIL_ID, "edit-approve", page="?edit=1", **typed)
    assert response.status == 422
    assert "must be a whole number, such as 12" in page
    assert 'value="not an address"' in page
    assert 'value="high"' in page
    assert "because &lt;b&gt;" in page
    response, page = await mira.press(EMAIL_ID, "edit-approve", page="?edit=1", **{**typed, "field-5": "9"})
    for said in ("must be an e-mail address", "must not be empty", "must be at most 5"):
        assert said in page
    assert desk.answers == []


async def test_saving_a_revision_leaves_the_approval_to_somebody_else(mira: Browser, desk: MemoryDesk) -> None:
    response, _ = await mira.press(EMAIL_ID, "edit-save", page="?edit=1", **{"field-2": "Report, corrected"})
    assert response.status == 303
    assert (desk.all[EMAIL_ID].state, desk.all[EMAIL_ID].revision) == (State.PENDING, 2)
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    assert "<del>Report</del>" in page
    assert "<ins>Report, corrected</ins>" in page


async def test_saving_without_a_change_is_said_to_change_nothing(mira: Browser) -> None:
    response, page = await mira.press(EMAIL_ID, "edit-save", page="?edit=1")
    assert response.status == 422
    assert "Nothing was changed" in page


async def test_a_candidate_is_chosen_or_none_is(mira: Browser, desk: MemoryDesk) -> None:
    response, page = await mira.press(FLIGHT_ID, "choose", choice="")
    assert (response.status, "Pick one first." in page) == (422, True)
    response, page = await mira.press(FLIGHT_ID, "choose", choice="made-up", reason="this one")
    assert response.status == 422
    assert "this one" in page
    response, _ = await mira.press(FLIGHT_ID, "choose", choice="lh1166")
    assert response.status == 303
    (answer,) = [answer for _, answer, _ in desk.answers]
    assert isinstance(answer, wire.Choose)
    assert answer.choice == "lh1166"


async def test_a_typed_answer_is_checked_and_taken(mira: Browser, desk: MemoryDesk) -> None:
    response, page = await mira.press(BUDGET_ID, "answer", **{"field-0": "-3", "field-1": '"EUR"'})
    assert (response.status, "must be at least 0" in page, 'value="-3"' in page) == (422, True, True)
    response, _ = await mira.press(BUDGET_ID, "answer", **{"field-0": "250.5", "field-1": '"EUR"'})
    assert response.status == 303
    (answer,) = [answer for _, answer, _ in desk.answers]
    assert isinstance(answer, wire.Reply)
    assert answer.answer == {"amount": 250.5, "currency": "EUR"}


async def test_a_late_press_is_told_who_decided_and_keeps_what_was_typed(mira: Browser, desk: MemoryDesk) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "reject", "reason": "my long reasons"}
    decision = desk.all[ENDED_ID].decision
    desk.all[EMAIL_ID] = replace(desk.all[EMAIL_ID], state=State.DECIDED, decision=decision)
    response, page = await mira.post(f"/handoffs/{EMAIL_ID}/answer", form)
    assert response.status == 409
    assert "Ana approved this at 22 Nov 2026, 12:00 UTC, so your press changed nothing." in page
    assert "my long reasons" in page
    assert 'value="approve"' not in page


async def test_a_press_on_a_changed_card_shows_what_changed(mira: Browser, desk: MemoryDesk) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve"}
    args = {**EMAIL["action"]["args"], "to": "bob@x.com"}
    edit = wire.Revision(revision=2, by=ANA, at=NOON, args=args, digest="0" * 64)
    desk.all[EMAIL_ID] = replace(desk.all[EMAIL_ID], revision=2, digest="0" * 64, revisions=(edit,))
    response, page = await mira.post(f"/handoffs/{EMAIL_ID}/answer", form)
    assert response.status == 409
    assert "This card changed after you opened it" in page
    assert "<del>alice@x.com</del>" in page
    assert "<ins>bob@x.com</ins>" in page
    assert desk.answers == []


async def test_a_press_after_the_time_is_up_is_told_so(mira: Browser, desk: MemoryDesk, clock: Clock) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve"}
    clock.now += timedelta(hours=1)
    response, page = await mira.post(f"/handoffs/{EMAIL_ID}/answer", form)
    assert response.status == 410
    assert "The time was up before your press" in page
    assert desk.answers == []


def test_a_form_that_holds_typed_text_says_so() -> None:
    """The script then never swaps it away."""
    assert Form(reason="x").answering_again
    assert not Form(editing=True).answering_again


async def test_when_the_store_does_not_confirm_the_same_press_can_be_repeated(mira: Browser, desk: MemoryDesk) -> None:
    form = {**await mira.form(f"/handoffs/{EMAIL_ID}"), "kind": "approve", "reason": "kept"}
    desk.is_down = True
    response, page = await mira.post(f"/handoffs/{EMAIL_ID}/answer", form)
    assert response.status == 503
    assert f'name="answer_id" value="{form["answer_id"]}"' in page
    assert "kept</textarea>" in page


async def test_what_was_not_shown_in_full_cannot_be_approved(mira: Browser, desk: MemoryDesk) -> None:
    _, page = await mira.get(f"/handoffs/{LONG_ID}")
    assert "5,000 characters are not shown" in page
    assert 'value="approve"' not in page
    response, page = await mira.press(LONG_ID, "approve")
    assert response.status == 422
    assert "open it in full first" in page

    _, page = await mira.get(f"/handoffs/{LONG_ID}?full=1")
    assert "x" * 9_000 in page
    response, _ = await mira.press(LONG_ID, "approve", page="?full=1")
    assert response.status == 303


async def test_candidates_with_labels_that_look_alike_can_be_told_apart(mira: Browser, desk: MemoryDesk) -> None:
    labels = {"first": "Pay Bob", "second": "Pay B\u043eb"}
    candidates = [{"id": each, "label": label} for each, label in labels.items()]
    desk.all[FLIGHT_ID] = handoff({**FLIGHT, "candidates": candidates}, id=FLIGHT_ID)
    _, page = await mira.get(f"/handoffs/{FLIGHT_ID}")
    assert re.findall(r"<option [^>]*>(.*?)</option>", page)[1:] == ["Pay Bob (first)", "Pay B\u043eb (second)"]
    assert page.count('<span class="warning">mixes look-alike letters: Cyrillic and Latin</span>') == 1


async def test_only_our_own_marks_look_like_ours(mira: Browser, desk: MemoryDesk) -> None:
    desk.all[EMAIL_ID] = handoff({**EMAIL, "why": "⟦U+200B⟧ ⟦9 blank lines⟧ \u200b"}, id=EMAIL_ID)
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    marks = re.findall(r'<span class="hidden-character"[^>]*>(.*?)</span>', page)
    assert marks == ["⟦U+27E6⟧", "⟦U+27E6⟧", "⟦U+200B⟧"]


LONG = "fine. " * 1_000 + "BUT IT DELETES ALL CUSTOMERS"


@pytest.mark.parametrize(
    "changed", [{"what": LONG}, {"why": LONG}, {"risks": [LONG]}, {"action": {"tool": "run", "args": {"x": LONG}}}]
)
async def test_nor_can_it_be_approved_by_way_of_an_edit(
    mira: Browser, desk: MemoryDesk, changed: dict[str, Any]
) -> None:
    desk.all[LONG_ID] = handoff({**EMAIL, **changed}, id=LONG_ID)
    _, page = await mira.get(f"/handoffs/{LONG_ID}")
    assert 'value="approve"' not in page
    _, page = await mira.get(f"/handoffs/{LONG_ID}?edit=1")
    assert 'value="edit-approve"' not in page
    assert f"/handoffs/{LONG_ID}?edit=1&amp;full=1" in page
    field = "field-0" if "action" in changed else "field-2"
    response, page = await mira.press(LONG_ID, "edit-approve", page="?edit=1", **{field: "new"})
    assert response.status == 422
    assert "open it in full first" in page
    assert desk.answers == []

    _, page = await mira.get(f"/handoffs/{LONG_ID}?edit=1&full=1")
    assert 'value="edit-approve"' in page
    assert page.count("BUT IT DELETES ALL CUSTOMERS") == 1
    response, _ = await mira.press(LONG_ID, "edit-approve", page="?edit=1&full=1", **{field: "new"})
    assert response.status == 303


async def test_somebody_else_may_still_be_asked_to_approve_an_edit(mira: Browser, desk: MemoryDesk) -> None:
    response, _ = await mira.press(LONG_ID, "edit-save", page="?edit=1", **{"field-0": "new"})
    assert response.status == 303


@pytest.mark.parametrize("kind", ["", "approve-all", "choose", "answer"])
async def test_an_answer_that_the_card_does_not_take_changes_nothing(
    mira: Browser, desk: MemoryDesk, kind: str
) -> None:
    response, _ = await mira.press(EMAIL_ID, kind, choice="x")
    assert response.status == 422
    assert desk.answers == []


@pytest.mark.parametrize(
    "changed", [{"revision": "9" * 400}, {"revision": "-1"}, {"digest": "zz"}, {"reason": "y" * 4_001}]
)
async def test_a_tampered_form_gets_a_page_and_changes_nothing(
    mira: Browser, desk: MemoryDesk, changed: dict[str, str]
) -> None:
    response, page = await mira.press(EMAIL_ID, "approve", **changed)
    assert response.status in {409, 422}
    assert 'id="notice"' in page
    assert desk.answers == []


async def test_an_unknown_handoff_is_a_page_that_says_so(mira: Browser) -> None:
    response, page = await mira.get("/handoffs/hf_none")
    assert response.status == 404
    assert "There is no such thing" in page


async def test_a_fault_of_ours_is_a_page_with_a_reference_and_no_inside(
    mira: Browser, desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(desk, "inbox", breaks)
    response, page = await mira.get("/")
    assert response.status == 500
    assert "secret inside" not in page
    found = re.search(r"Tell the operator: ([0-9a-f]{8})", page)
    assert found
    assert f"reference={found[1]}" in caplog.text


async def test_the_history_pages_back(mira: Browser, desk: MemoryDesk) -> None:
    ended = desk.all[ENDED_ID]
    for number in range(60):
        desk.all[f"hf_{number:022}"] = replace(ended, id=f"hf_{number:022}")
    _, page = await mira.get("/history")
    (older,) = re.findall(r'href="(/history\?cursor=[^"]+)"', page)
    _, second = await mira.get(older)
    assert (page.count("<tr>"), second.count("<tr>")) == (51, 12)


# --- live ------------------------------------------------------------------------------------------------------------


async def test_a_change_is_told_to_open_pages_and_shutdown_ends_the_stream(mira: Browser, desk: MemoryDesk) -> None:
    async with mira.http.get(f"{mira.url}/live") as response:
        assert response.content_type == "text/event-stream"
        assert b"retry: 1000" in await response.content.readuntil(b"\n\n")
        desk.put(desk.all[EMAIL_ID])
        told = await response.content.readuntil(b"\n\n")
        assert told.startswith(b"event: change\ndata: ")
        assert EMAIL_ID.encode() in told
        assert b"alice" not in told
        desk.close()
        assert await response.content.read() == b""


async def test_a_browser_that_leaves_leaves_no_watcher(mira: Browser, desk: MemoryDesk) -> None:
    async with mira.http.get(f"{mira.url}/live") as response:
        await response.content.readuntil(b"\n\n")
        assert len(desk._watchers) == 1
    for _ in range(100):
        desk.put(desk.all[EMAIL_ID])
        async with mira.http.get(f"{mira.url}/static/x/andon.svg"):
            pass
        if not desk._watchers:
            return
    pytest.fail("the stream of a browser that left is still watched")


async def test_templates_can_be_replaced_file_by_file(
    desk: MemoryDesk, book: MemorySignIn, clock: Clock, tmp_path: Any
) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "sign_in.html.j2").write_text("<title>Ours</title>{{ link }}")
    app = web.Application()
    app.add_routes(WebConsole(desk, book, public_url="http://x", templates=tmp_path, clock=clock).routes())
    async with TestServer(app) as server, ClientSession() as http:
        async with http.get(server.make_url("/sign-in?token=%3Cb%3E")) as response:
            assert await response.text() == "<title>Ours</title>&lt;b&gt;"
        async with http.get(server.make_url("/nothing-here")) as response:
            assert response.status == 404


async def test_a_card_is_never_posted_because_people_read_the_store(desk: MemoryDesk, book: MemorySignIn) -> None:
    console: Adapter = WebConsole(desk, book, public_url="http://x", templates=None)
    shown = desk.all[EMAIL_ID]
    assert (console.name, console.reads_store) == ("web", True)
    ref = await console.post(shown, wire.Place(surface="web"))
    assert ref == CardRef("web", EMAIL_ID)
    await console.update(ref, shown)
    assert desk.all[EMAIL_ID] == shown


# --- reasons that take one tap, and who may answer --------------------------------------------------------------------


def ruled(*approvers: str, reasons: tuple[Reason, ...] = ()) -> Route:
    return Route("v1/mail", 1800, "deny", (), approvers, reasons)


TAPS = (Reason("Wrong person", "This is not the Alice I meant."), Reason("Not now", "Not now"))


@pytest.mark.parametrize("ask", [EMAIL, FLIGHT, BUDGET], ids=["confirmation", "choice", "input"])
async def test_a_reason_rejects_in_one_press(mira: Browser, desk: MemoryDesk, ask: dict[str, Any]) -> None:
    desk.put(handoff(ask, id=EMAIL_ID, route=ruled(reasons=TAPS)))
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    assert re.findall(r'value="(reject-\d)"[^>]*>([^<]+)<', page) == [
        ("reject-0", "Wrong person"),
        ("reject-1", "Not now"),
    ]
    response, _ = await mira.press(EMAIL_ID, "reject-0")
    assert response.status == 303
    ((_, answer, by),) = desk.answers
    assert isinstance(answer, wire.Reject)
    assert (answer.reason, answer.revision, by) == ("This is not the Alice I meant.", 1, MIRA)


async def test_what_was_typed_goes_along_with_the_reason(mira: Browser, desk: MemoryDesk) -> None:
    desk.put(handoff(EMAIL, id=EMAIL_ID, route=ruled(reasons=TAPS)))
    await mira.press(EMAIL_ID, "reject-1", reason=" Ask me on Monday. ")
    ((_, answer, _),) = desk.answers
    assert isinstance(answer, wire.Reject)
    assert answer.reason == "Not now\n\nAsk me on Monday."


@pytest.mark.parametrize("kind", ["reject-2", "reject--1", "reject-", "reject-00", "reject-0x"])
async def test_a_reason_that_the_policy_does_not_have_is_no_answer(mira: Browser, desk: MemoryDesk, kind: str) -> None:
    desk.put(handoff(EMAIL, id=EMAIL_ID, route=ruled(reasons=TAPS)))
    response, page = await mira.press(EMAIL_ID, kind)
    assert response.status == 422
    assert "does not take that answer" in page
    assert desk.answers == []


async def test_a_card_that_was_not_read_in_full_may_still_be_rejected_in_one_press(
    mira: Browser, desk: MemoryDesk
) -> None:
    long = replace(desk.all[LONG_ID], route=ruled(reasons=TAPS))
    desk.put(long)
    assert (await mira.press(LONG_ID, "reject-1"))[0].status == 303


async def test_who_is_not_listed_is_told_by_the_page_and_loses_nothing(mira: Browser, desk: MemoryDesk) -> None:
    desk.put(handoff(EMAIL, id=EMAIL_ID, route=ruled("ana@example.com")))
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    assert "Only ana@example.com may answer." in page
    response, page = await mira.press(EMAIL_ID, "approve", reason="fine by me")
    assert response.status == 403
    said = unescape(page)
    assert "Mira, policy v1/mail lets only ana@example.com answer this. Your press changed nothing." in said
    assert "fine by me" in said
    assert desk.answers == []


async def test_a_closed_card_does_not_say_who_may_answer_it(mira: Browser, desk: MemoryDesk) -> None:
    desk.put(replace(desk.all[ENDED_ID], route=ruled("ana@example.com", reasons=TAPS)))
    _, page = await mira.get(f"/handoffs/{ENDED_ID}")
    assert "may answer." not in page.partition('<footer class="facts">')[0]
    assert "reject-0" not in page


async def test_a_policy_s_reason_is_text_and_never_markup(mira: Browser, desk: MemoryDesk) -> None:
    hostile = Reason('<b>"no"</b>', '"><script>alert(1)</script>')
    desk.put(handoff(EMAIL, id=EMAIL_ID, route=ruled('"<i>"@x.com', reasons=(hostile,))))
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    assert "<b>" not in page
    assert "<i>" not in page.partition("</header>")[2].partition("Only ")[2].partition(" may")[0]
    assert "<script>alert" not in page


# --- what runs without asking ---


def ramp(**changes: Any) -> wire.Trust:
    fields = {
        "key": "tr_" + "0" * 24,
        "rule": "mail",
        "agent": "mailer",
        "requester": "<b>ana</b>",
        "good": 4,
        "stage": "asked",
        "next_stage_at": 10,
        "moved_at": NOON,
        "reset_at": NOON,
        "reset_why": "undo_failed",
        "reset_by": EMAIL_ID,
    }
    return wire.Trust.model_validate({**fields, **changes})


async def test_the_inbox_lists_what_ran_without_asking(mira: Browser, desk: MemoryDesk) -> None:
    told = handoff(EMAIL, id="hf_" + "t" * 22, route=Route("v1/telling", 60, "deny", (), told=True))
    assert told.action
    policy = wire.Actor(kind="policy", id="v1/telling", name="policy v1/telling")
    decision = wire.Approved(
        by=policy, at=NOON, revision=1, digest=told.digest, args=told.action.args, message_for_agent="Go on."
    )
    _, before = await mira.get("/")
    assert "Ran without asking" not in before
    desk.put(replace(told, state=State.DECIDED, decision=decision))
    _, page = await mira.get("/")
    assert "Ran without asking" in page
    assert f'href="/handoffs/{told.id}"' in page
    _, shown = await mira.get(f"/handoffs/{told.id}")
    assert "Nobody was asked: policy v1/telling lets this run" in shown
    assert '/answer"' not in shown, "nothing to press"


async def test_trust_is_shown_and_reset(mira: Browser, desk: MemoryDesk) -> None:
    _, empty = await mira.get("/trust")
    assert "No trust has grown yet" in empty
    desk.ramps = [ramp()]
    _, page = await mira.get("/trust")
    assert "agent mailer" in page
    assert "4 of 10" in page
    assert "undo failed" in page
    assert f'href="/handoffs/{EMAIL_ID}"' in page
    assert "<b>ana" not in page
    form = await mira.form("/trust")
    response, _ = await mira.post(f"/trust/{desk.ramps[0].key}/reset", form)
    assert (response.status, response.headers["Location"]) == (303, "/trust")
    assert (desk.ramps[0].good, desk.ramps[0].reset_by) == (0, MIRA.name)
    missing, _ = await mira.post("/trust/tr_none/reset", form)
    assert missing.status == 404


async def test_nobody_resets_trust_from_elsewhere(mira: Browser, stranger: Browser, desk: MemoryDesk) -> None:
    desk.ramps = [ramp()]
    path = f"/trust/{desk.ramps[0].key}/reset"
    form = await mira.form("/trust")
    assert (await stranger.get("/trust"))[0].status == 401
    assert (await stranger.post(path, form))[0].status == 401
    assert (await mira.post(path, {"csrf": "made-up"}))[0].status == 403
    assert (await mira.post(path, form, Origin="https://evil.example"))[0].status == 403
    assert desk.ramps[0].good == 4


MINE = Route("0123456789ab/mail", 1800, "deny", (), not_requester=True)


@pytest.mark.parametrize(
    "ask, handoff_id, hidden",
    [
        (EMAIL, EMAIL_ID, 'value="approve"'),
        (FLIGHT, FLIGHT_ID, 'name="choice"'),
        (BUDGET, BUDGET_ID, 'name="field-0"'),
    ],
)
async def test_who_may_not_say_yes_reads_why_and_has_no_button_for_it(
    mira: Browser, desk: MemoryDesk, ask: dict[str, Any], handoff_id: str, hidden: str
) -> None:
    desk.put(handoff(ask, id=handoff_id, route=MINE))
    assert hidden in (await mira.get(f"/handoffs/{handoff_id}"))[1], "somebody else asked"
    desk.put(handoff(ask, id=handoff_id, route=MINE, requester="mira@example.com"))
    _, page = await mira.get(f"/handoffs/{handoff_id}")
    assert "You asked for it, so another person must say yes. You may say no." in page
    assert hidden not in page
    assert 'id="reassign-form"' not in page, "nor may they have another approve it in their place"
    assert 'value="reject"' in page
    response, _ = await mira.press(handoff_id, "reject")
    assert response.status == 303


async def test_a_wrong_number_is_told_once_beside_its_field_and_without_the_api_s_words(
    mira: Browser, desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put(handoff(EMAIL, id=EMAIL_ID, route=replace(MINE, not_requester=False, step_up="number", draw="d")))

    async def refuse(*_: object, **__: object) -> None:
        raise InvalidAnswer("type the two digits", faults=[Fault("code", "type the two digits")])

    monkeypatch.setattr(desk, "answer", refuse)
    response, page = await mira.press(EMAIL_ID, "approve")
    assert response.status == 422
    assert page.count("ype the two digits") == 1
    assert '<p class="error" id="code-error">Type the two digits</p>' in page
    assert "Nothing was recorded yet." in page


async def test_the_moment_that_silence_decides_is_a_time_of_the_reader(mira: Browser) -> None:
    _, page = await mira.get(f"/handoffs/{EMAIL_ID}")
    said = "22 Nov 2026, 12:30 UTC"
    at = f'<time class="long" datetime="2026-11-22T12:30:00Z" title="{said}">{said}</time>'
    assert f"If nobody answers by {at}, nothing is done." in page
