"""The console over HTTP: asking somebody else, asking the agent, and answering several together."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from andon import wire
from bot.handoff import Aside, Route, Rung, State
from tests.adapters.test_web_http import Browser, Clock
from tests.fakes.desk import EMAIL, FLIGHT, MIRA, NOON, MemoryDesk, MemorySignIn, handoff

MAIL_ID, OTHER_ID, HAZARD_ID, FLIGHT_ID = ("hf_" + letter * 22 for letter in "abcd")
SMALL: dict[str, Any] = {
    **EMAIL,
    "reversible": True,
    "action": {"tool": "send_email", "args": {"to": "alice@x.com", "subject": "Report"}},
}


@pytest.fixture
async def desk() -> AsyncIterator[MemoryDesk]:
    made = MemoryDesk(
        handoff(SMALL, id=MAIL_ID),
        handoff({**SMALL, "what": "Send another"}, id=OTHER_ID, minutes=31),
        handoff({**SMALL, "what": "Send for ever", "reversible": False}, id=HAZARD_ID, minutes=32),
        handoff(FLIGHT, id=FLIGHT_ID, minutes=33),
        clock=Clock(),
    )
    yield made
    made.close()


@pytest.fixture
async def mira(desk: MemoryDesk) -> AsyncIterator[Browser]:
    book = MemorySignIn()
    console = WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=Clock())
    app = web.Application()
    app.add_routes(console.routes())
    async with TestServer(app) as server, ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, str(server.make_url("")).rstrip("/"))
        await browser.post("/sign-in", {"token": book.link(MIRA)})
        yield browser


async def rows(mira: Browser) -> tuple[dict[str, str], list[str]]:
    """The hidden fields of the page, and the values of the boxes that can be ticked."""
    _, page = await mira.get("/digest")
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.split("<main")[1]))
    return {n: unescape(v) for n, v in hidden.items()}, re.findall(r'name="row" value="([^"]+)"', page)


async def test_somebody_else_is_asked(mira: Browser, desk: MemoryDesk) -> None:
    form = await mira.form(f"/handoffs/{MAIL_ID}")
    given = {**form, "kind": "reassign", "to": "bob@example.com", "note": "You know <b>Alice</b>"}
    response, _ = await mira.post(f"/handoffs/{MAIL_ID}/answer", given)
    assert response.status == 303
    (_, answer, by) = desk.answers[-1]
    assert isinstance(answer, wire.Reassign)
    assert (answer.to, answer.note, by.id) == ("bob@example.com", "You know <b>Alice</b>", "mira@example.com")
    _, page = await mira.get(f"/handoffs/{MAIL_ID}")
    assert "Mira asked bob@example.com to answer this." in page
    assert "You know &lt;b&gt;Alice&lt;/b&gt;" in page
    assert desk.all[MAIL_ID].state is State.PENDING


async def test_the_agent_is_asked_and_its_reply_is_shown(mira: Browser, desk: MemoryDesk) -> None:
    form = await mira.form(f"/handoffs/{MAIL_ID}")
    response, _ = await mira.post(
        f"/handoffs/{MAIL_ID}/answer", {**form, "kind": "more_info", "question": "Which budget?"}
    )
    assert response.status == 303
    _, page = await mira.get(f"/handoffs/{MAIL_ID}")
    assert "Mira asked the agent (waiting for the agent):" in page
    asked = desk.all[MAIL_ID]
    reply = Aside("2", "replied", NOON, text="<script>alert(1)</script>\u202e")
    desk.put(replace(asked, asides=(*asked.asides, reply)))
    _, page = await mira.get(f"/handoffs/{MAIL_ID}")
    assert "assistant replied:" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "waiting for the agent" not in page


async def test_an_empty_question_is_told_and_nothing_typed_is_lost(mira: Browser, desk: MemoryDesk) -> None:
    form = await mira.form(f"/handoffs/{MAIL_ID}")
    given = {**form, "kind": "more_info", "question": " ", "note": "kept"}
    response, page = await mira.post(f"/handoffs/{MAIL_ID}/answer", given)
    assert response.status == 422
    assert "cannot be read" in page
    assert "kept" in page
    assert desk.answers == []


async def test_the_inbox_marks_what_people_were_called_about(mira: Browser, desk: MemoryDesk) -> None:
    asked = desk.all[MAIL_ID]
    desk.put(replace(asked, asides=(Aside("1", "reminded", NOON),)))
    other = desk.all[OTHER_ID]
    route = Route("p/r", 1860, "deny", (), escalate=(Rung(60, (), ("boss@example.com",)),))
    desk.put(replace(other, route=route, rungs=1, asides=(Aside("rung-1", "escalated", NOON, rung=1),)))
    _, page = await mira.get("/")
    assert page.count("Reminded") == 1
    assert page.count("Escalated") == 1
    _, page = await mira.get(f"/handoffs/{OTHER_ID}")
    assert "nobody has answered. boss@example.com may answer now too." in page


async def test_only_what_is_shown_in_full_can_be_ticked(mira: Browser) -> None:
    _, ticked = await rows(mira)
    assert [each.partition(":")[0] for each in ticked] == [MAIL_ID, OTHER_ID]
    _, page = await mira.get("/digest")
    assert "It cannot be undone." in page
    assert "It needs more than a yes or a no." in page


@pytest.mark.parametrize("requester, ticked", [("ana@example.com", True), ("Ana", False), (None, False)])
async def test_a_row_that_keeps_no_requester_from_saying_yes_is_opened_first(
    mira: Browser, desk: MemoryDesk, requester: str | None, *, ticked: bool
) -> None:
    """The card says that nobody is named; a row does not."""
    route = Route("p/r", 1860, "deny", (), not_requester=True)
    desk.put(replace(desk.all[MAIL_ID], route=route, requester=requester))
    _, boxes = await rows(mira)
    assert (MAIL_ID in {each.partition(":")[0] for each in boxes}) is ticked
    _, page = await mira.get("/digest")
    assert ("Nobody is named as requester." in page) is not ticked
    _, page = await mira.get(f"/handoffs/{MAIL_ID}")
    assert ("Nobody is named as requester, so that nobody is kept from saying yes for that." in page) is not ticked


async def test_those_that_are_ticked_are_answered_and_each_says_what_became_of_it(
    mira: Browser, desk: MemoryDesk
) -> None:
    """One changed after the page was sent: it is skipped, and the other is approved."""
    hidden, ticked = await rows(mira)
    changed = desk.all[OTHER_ID]
    desk.put(replace(changed, revision=2, digest="0" * 64))
    status, page = await post_all(mira, {**hidden, "kind": "approve"}, ticked)
    assert status == 200
    assert [each[0] for each in desk.answers] == [MAIL_ID]
    assert "Approved." in page
    assert "changed after it was shown" in page
    assert desk.all[OTHER_ID].state is State.PENDING


async def test_a_row_has_its_own_buttons(mira: Browser, desk: MemoryDesk) -> None:
    hidden, ticked = await rows(mira)
    await post_all(mira, {**hidden, "kind": f"reject {ticked[1]}"}, ticked)
    assert [(each[0], each[1].kind) for each in desk.answers] == [(OTHER_ID, "reject")]


@pytest.mark.parametrize("which", [HAZARD_ID, FLIGHT_ID])
async def test_a_forged_row_is_not_answered(mira: Browser, desk: MemoryDesk, which: str) -> None:
    """Whoever writes the form themselves gets no further: the desk looks at each row again."""
    hidden, _ = await rows(mira)
    row = desk.all[which]
    _, page = await post_all(mira, {**hidden, "kind": "approve"}, [f"{row.id}:{row.revision}:{row.digest}"])
    assert desk.answers == []
    assert "Open it on its own." in page


@pytest.mark.parametrize("row", ["x", f"{MAIL_ID}:0:{'0' * 64}", f"{MAIL_ID}:1:zz", "<script>:1:" + "0" * 64])
async def test_a_row_that_is_none_of_ours_is_refused(mira: Browser, desk: MemoryDesk, row: str) -> None:
    hidden, _ = await rows(mira)
    status, page = await post_all(mira, {**hidden, "kind": "approve"}, [row])
    assert status == 400
    assert "<script>" not in page.split("<main")[1]
    assert desk.answers == []


async def test_there_are_pages_of_ten_and_a_press_stays_on_its_own(mira: Browser, desk: MemoryDesk) -> None:
    for number in range(21):
        desk.put(handoff({**SMALL, "what": f"Later {number}"}, id=f"hf_{number:022}", minutes=60 + number))
    _, page = await mira.get("/digest")
    assert "25 asks wait for an answer" in page
    assert "15 more wait on other pages." in page
    assert "The most urgent" not in page
    pages = [page]
    while following := re.search(r'href="(/digest\?cursor=[^"]+)">Less urgent', pages[-1]):
        pages.append((await mira.get(unescape(following[1])))[1])
    shown = [re.findall(r'<li id="(hf_[^"]+)"', each) for each in pages]
    assert [len(each) for each in shown] == [10, 10, 5]
    assert sorted(id for each in shown for id in each) == sorted(desk.all)
    assert all('<a class="button" href="/digest">The most urgent</a>' in each for each in pages[1:])

    address = unescape(re.findall(r'<form method="post" action="(/digest[^"]*)"', pages[2])[0])
    hidden, _ = await rows(mira)
    ticked = re.findall(r'name="row" value="([^"]+)"', pages[2])
    status, page = await post_all(mira, {**hidden, "kind": "approve"}, ticked[:2], to=address)
    assert (status, page.count("Approved.")) == (200, 2)
    assert re.findall(r'<li id="(hf_[^"]+)"', page) == shown[2][2:]
    status, page = await post_all(mira, {**hidden, "kind": "approve", "answer_id": "other"}, ticked[2:], to=address)
    assert page.count("Approved.") == 3
    assert "20 asks wait for an answer" in page
    assert "20 more wait on other pages." in page


@pytest.mark.parametrize("cursor", ["x", "-1.hf", "9" * 20, "%00"])
async def test_a_cursor_that_is_none_of_ours_is_the_first_page(mira: Browser, desk: MemoryDesk, cursor: str) -> None:
    """What was answered must be told, wherever the form came from."""
    response, page = await mira.get(f"/digest?cursor={cursor}")
    assert response.status == 200
    assert f'<li id="{MAIL_ID}">' in page
    hidden, ticked = await rows(mira)
    status, page = await post_all(mira, {**hidden, "kind": "approve"}, ticked, to=f"/digest?cursor={cursor}")
    assert (status, page.count("Approved.")) == (200, 2)


async def test_nothing_ticked_is_told(mira: Browser, desk: MemoryDesk) -> None:
    hidden, _ = await rows(mira)
    status, page = await post_all(mira, {**hidden, "kind": "approve"}, [])
    assert status == 400
    assert "Nothing was ticked" in page


async def test_a_press_from_elsewhere_answers_nothing(mira: Browser, desk: MemoryDesk) -> None:
    hidden, ticked = await rows(mira)
    status, _ = await post_all(mira, {**hidden, "csrf": "other", "kind": "approve"}, ticked)
    assert status == 403
    sent = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    status, _ = await post_all(mira, {**hidden, "kind": "approve"}, ticked, **sent)
    assert status == 403
    assert desk.answers == []


async def post_all(
    mira: Browser, form: dict[str, str], ticked: list[str], *, to: str = "/digest", **headers: str
) -> tuple[int, str]:
    """A form in which one name stands several times."""
    sent = headers or {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    data = [*form.items(), *(("row", each) for each in ticked)]
    async with mira.http.post(f"{mira.url}{to}", data=data, headers=sent, allow_redirects=False) as response:
        return response.status, await response.text()


async def test_a_row_that_is_not_for_whoever_reads_it_says_so(mira: Browser, desk: MemoryDesk) -> None:
    route = Route("0123456789ab/mail", 1800, "deny", (), not_requester=True)
    desk.put(handoff(SMALL, id=MAIL_ID, route=route, requester="mira@example.com"))
    _, boxes = await rows(mira)
    assert [box.partition(":")[0] for box in boxes] == [OTHER_ID]
    assert "You asked for it, so another person must say yes. You may say no." in (await mira.get("/digest"))[1]
