"""The brake in the console over HTTP: what is ordered, what is told, and what is refused without loss."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from andon import wire
from bot.errors import Gone
from bot.handoff import Change, State
from tests.adapters.test_web_http import EMAIL_ID, Browser
from tests.fakes.desk import ANA, EMAIL, MIRA, NOON, RUN, MemoryDesk, MemorySignIn, a_run, handoff

CARD = f"/handoffs/{EMAIL_ID}"
PAGE = f"/runs/{RUN}"
PRESS = f"{PAGE}/brake"
OTHER = "run_" + "o" * 22
THIS_RUN = wire.BrakeScope(run=RUN)
ALL = wire.BrakeScope(everything=True)


@pytest.fixture
def desk() -> MemoryDesk:
    made = MemoryDesk(handoff(EMAIL, id=EMAIL_ID), clock=lambda: NOON + timedelta(minutes=1))
    made.bound = [a_run(), a_run(id=OTHER, agent="calendar", name="invitations")]
    return made


@pytest.fixture
def book() -> MemorySignIn:
    return MemorySignIn()


@pytest.fixture
async def mira(desk: MemoryDesk, book: MemorySignIn) -> AsyncIterator[Browser]:
    console = WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=desk.clock)
    app = web.Application()
    app.add_routes(console.routes())
    async with TestServer(app) as server, ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, str(server.make_url("")).rstrip("/"))
        await browser.post("/sign-in", {"token": book.link(MIRA)})
        yield browser
        desk.close()


async def form(mira: Browser, page: str, form_id: str = "") -> dict[str, str]:
    """The hidden inputs of one form, or of the first that has a button with this value."""
    _, text = await mira.get(page)
    found = re.findall(r'<form method="post" action="([^"]+)"([^>]*)>(.*?)</form>', text.split("<main")[1], re.DOTALL)
    inner = next(body for _, more, body in found if f'id="{form_id}"' in more or (not form_id and "order_id" in body))
    return {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', inner)
    }


async def pull(mira: Browser, action: str, text: str = "", page: str = PAGE) -> tuple[int, str]:
    forms = {"steer": "tell-form", "abort": "end-form", "resume": "resume-form"}
    sent = await form(mira, page, forms.get(action, "stop-form"))
    response, told = await mira.post(PRESS, {**sent, "action": action, "text": text})
    return response.status, unescape(re.sub(r"[ \n]+", " ", told))


# --- pulling and lifting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["stop", "pause", "steer", "abort"])
async def test_a_press_is_one_order_of_the_person_for_this_run(mira: Browser, desk: MemoryDesk, action: str) -> None:
    status, page = await pull(mira, action, "  Not this list ")
    assert status == 200
    (order,) = desk.braking.orders
    assert (order.scope, order.action, order.by, order.text) == (THIS_RUN, action, MIRA, "Not this list")
    assert (order.said_at, order.epoch) == (None, None)
    assert 'id="receipt"' in page
    assert f'data-here="{PAGE}"' in page


async def test_a_stop_on_a_card_answers_with_that_card(mira: Browser, desk: MemoryDesk) -> None:
    sent = await form(mira, f"{CARD}?full=1", "stop-form")
    response, page = await mira.post(PRESS, {**sent, "action": "stop", "text": ""})
    assert response.status == 200
    assert f'data-here="{CARD}?full=1"' in page
    assert "Stopped: this run" in page
    assert desk.braking.orders[0].text is None
    response, _ = await mira.post(PRESS, {**sent, "action": "stop", "card": "hf_none"})
    assert response.status == 404


async def test_the_same_press_twice_is_one_order_and_any_other_is_another(mira: Browser, desk: MemoryDesk) -> None:
    """A page that is left and come back to has the ids that it had."""
    sent = {**await form(mira, PAGE, "stop-form"), "action": "pause", "text": "first"}
    for _ in range(2):
        assert (await mira.post(PRESS, sent))[0].status == 200
    assert len(desk.braking.orders) == 1
    await mira.post(PRESS, {**sent, "action": "stop"})
    await mira.post(PRESS, {**sent, "text": "second"})
    await mira.post(f"/runs/{OTHER}/brake", sent)
    ids = {order.id for order in desk.braking.orders}
    assert len(ids) == len(desk.braking.orders) == 4
    response, _ = await mira.post(PRESS, {name: value for name, value in sent.items() if name != "order_id"})
    assert response.status == 200
    assert len(desk.braking.orders) == 5


async def test_every_page_has_an_order_id_of_its_own(mira: Browser) -> None:
    assert len({(await form(mira, PAGE, "stop-form"))["order_id"] for _ in range(3)}) == 3


async def test_a_resume_names_the_brake_that_was_seen(mira: Browser, desk: MemoryDesk) -> None:
    await pull(mira, "stop", "why <b>")
    _, page = await mira.get(CARD)
    assert 'id="resume"' in page
    assert 'id="stop"' not in page
    seen = await form(mira, PAGE, "resume-form")
    desk.braking.on[THIS_RUN.model_dump_json()] = desk.braking.on[THIS_RUN.model_dump_json()].model_copy(
        update={"epoch": 7, "by": ANA, "text": "Again"}
    )
    response, page = await mira.post(PRESS, {**seen, "action": "resume"})
    assert response.status == 200
    assert "Nothing was lifted" in page
    assert "Ana stopped this run at 22 Nov 2026, 12:00 UTC: Again" in page
    status, page = await pull(mira, "resume")
    assert (status, "Resumed: this run" in page) == (200, True)
    assert [order.epoch for order in desk.braking.orders] == [None, 1, 7]
    assert 'id="stop"' in page


@pytest.mark.parametrize("action", ["resume", "abort"])
async def test_whoever_may_not_is_told_kindly_and_loses_nothing(mira: Browser, desk: MemoryDesk, action: str) -> None:
    await pull(mira, "pause")
    desk.braking.may_lift = False
    status, page = await pull(mira, action, "my long reasons")
    assert status == 403
    assert "Mira, it takes somebody who may approve for it" in page
    assert "Your press changed nothing." in page
    assert len(desk.braking.orders) == 1
    if action == "abort":
        assert 'value="my long reasons"' in page
        assert '<details id="end" open>' in page


async def test_a_card_tells_a_refusal_too(mira: Browser, desk: MemoryDesk) -> None:
    await pull(mira, "stop")
    desk.braking.may_lift = False
    sent = await form(mira, CARD, "resume-form")
    response, page = await mira.post(PRESS, {**sent, "action": "resume"})
    assert response.status == 403
    assert "it takes somebody who may approve for it" in page
    assert f'data-here="{CARD}"' in page


async def test_words_for_the_agent_are_needed_and_kept(mira: Browser, desk: MemoryDesk) -> None:
    status, page = await pull(mira, "steer", "  ")
    assert status == 400
    assert "Say first what the agent should know." in page
    assert '<details id="tell" open>' in page
    status, page = await pull(mira, "steer", "wait,\r\nchange it to Bob")
    assert status == 200
    assert desk.braking.orders[0].text == "wait,\nchange it to Bob"
    assert "“" not in page.partition('id="receipt"')[2].partition("</div>")[0]


async def test_a_press_that_came_again_after_the_resume_says_so(mira: Browser, desk: MemoryDesk) -> None:
    """Its reply is that of the first one: only what is on now tells that nothing holds it."""
    sent = {**await form(mira, PAGE, "stop-form"), "action": "stop", "text": ""}
    await mira.post(PRESS, sent)
    await pull(mira, "resume")
    _, page = await mira.post(PRESS, sent)
    assert "Nothing holds it now" in page
    assert "Stopped" not in page.split("<main")[1]


async def test_what_is_in_flight_is_named_and_cannot_be_recalled(mira: Browser, desk: MemoryDesk) -> None:
    flight = wire.InFlight(handoff=EMAIL_ID, run=RUN, what="Pay <b>Bob</b>", claimant="worker-3", claimed_at=NOON)
    desk.braking.in_flight = (flight,)
    _, page = await pull(mira, "stop")
    assert "1 action is in flight: claimed before, and no stop recalls what was claimed." in page
    assert f'<a href="/handoffs/{EMAIL_ID}">Pay <b>Bob</b></a>, claimed by <code>worker-3</code>' in page
    claimed = wire.Claimed(claimant="worker-3", at=NOON)
    desk.put(replace(desk.all[EMAIL_ID], state=State.CLAIMED, claim=claimed))
    _, page = await mira.get(PAGE)
    assert "In flight" in page
    assert page.count(f'href="/handoffs/{EMAIL_ID}"') == 1


async def test_what_was_aborted_has_no_buttons_any_more(mira: Browser, desk: MemoryDesk) -> None:
    status, page = await pull(mira, "abort", "Wrong customer")
    assert (status, "Ended: this run" in page) == (200, True)
    _, page = await mira.get(PAGE)
    assert "Wrong customer" in page
    assert not re.search(r'name="action"', page)


# --- who may press, and where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PRESS, "/brakes/order"])
async def test_a_press_from_elsewhere_pulls_nothing(mira: Browser, desk: MemoryDesk, path: str) -> None:
    sent = {**await form(mira, PAGE, "stop-form"), "action": "stop", "scope": ALL.model_dump_json(exclude_none=True)}
    assert (await mira.post(path, sent, Origin="https://evil.example"))[0].status == 403
    assert (await mira.post(path, {**sent, "csrf": "guessed"}))[0].status == 403
    assert (await mira.post(path, {name: value for name, value in sent.items() if name != "csrf"}))[0].status == 403
    async with ClientSession() as http:
        assert (await Browser(http, mira.url).post(path, sent))[0].status == 401
    assert desk.braking.orders == []


async def test_nobody_sees_runs_or_brakes_without_signing_in(mira: Browser) -> None:
    async with ClientSession() as http:
        for path in (PAGE, "/brakes"):
            response, page = await Browser(http, mira.url).get(path)
            assert response.status == 401
            assert "weekly-report" not in page


@pytest.mark.parametrize(
    "changed",
    [
        {"action": "explode"},
        {"action": ""},
        {"action": "resume", "epoch": "x"},
        {"action": "resume", "epoch": "-1"},
        {"action": "stop", "epoch": "1"},
    ],
)
async def test_a_tampered_press_gets_a_page_and_pulls_nothing(
    mira: Browser, desk: MemoryDesk, changed: dict[str, str]
) -> None:
    sent = {**await form(mira, PAGE, "stop-form"), "text": "", **changed}
    response, page = await mira.post(PRESS, sent)
    assert response.status == 400
    assert "This page is not as it was sent" in page
    response, page = await mira.post("/brakes/order", {**sent, "scope": '{"run":"run_x"}'})
    assert response.status == 400
    assert desk.braking.orders == []


@pytest.mark.parametrize("scope", ["", "nonsense", "{}", '{"everything":false}', '{"agent":"a b"}', "[1]", "null"])
async def test_a_scope_that_is_none_pulls_nothing(mira: Browser, desk: MemoryDesk, scope: str) -> None:
    sent = {**await form(mira, "/brakes", "everything-form"), "action": "stop", "text": "", "scope": scope}
    response, _ = await mira.post("/brakes/order", sent)
    assert response.status == 400
    assert desk.braking.orders == []


@pytest.mark.parametrize("run", ["run_none", "run_" + "x" * 22])
async def test_an_unknown_run_is_a_page_that_says_so(mira: Browser, desk: MemoryDesk, run: str) -> None:
    sent = {**await form(mira, PAGE, "stop-form"), "action": "explode"}
    for response, page in (await mira.get(f"/runs/{run}"), await mira.post(f"/runs/{run}/brake", sent)):
        assert response.status == 404
        assert "There is no" in page
    assert desk.braking.orders == []


async def test_when_the_store_does_not_confirm_the_same_press_is_one_press_away(
    mira: Browser, desk: MemoryDesk
) -> None:
    sent = {**await form(mira, CARD, "stop-form"), "action": "stop", "text": 'why "now" <b>'}
    desk.braking.is_down = True
    response, page = await mira.post(PRESS, sent)
    assert response.status == 503
    assert "it can only count once" in page
    again = {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page)}
    assert again == sent
    desk.braking.is_down = False
    to = re.findall(r'<form method="post" action="([^"]+)">\s*<input type="hidden" name="csrf"[^>]*>\s*<input', page)
    assert to == [PRESS]
    response, page = await mira.post(PRESS, again)
    assert response.status == 200
    assert f'data-here="{CARD}"' in page
    assert len(desk.braking.orders) == 1


# --- pages -----------------------------------------------------------------------------------------------------------


async def test_a_run_s_page_says_what_it_is_and_what_it_asks(mira: Browser, desk: MemoryDesk) -> None:
    parent = "run_" + "p" * 22
    desk.bound[0] = a_run(parent=parent, labels={"<b>team": "finance\u202e"})
    desk.put(replace(handoff(EMAIL, id="hf_" + "z" * 22), run=OTHER))
    response, page = await mira.get(PAGE)
    assert response.status == 200
    said = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.split("<main")[1])))
    for part in (
        "Not held",
        "assistant",
        "ana@example.com",
        "#ops in slack",
        "version 3",
        "<b>team",
        "finance ⟦U+202E⟧",
    ):
        assert part in said
    assert f'href="/runs/{parent}"' in page
    assert f'href="/handoffs/{EMAIL_ID}"' in page
    assert "z" * 22 not in page
    _, page = await mira.get(CARD)
    assert f'<a href="{PAGE}" id="to-run">' in page


async def test_a_card_whose_run_is_gone_has_no_brake(mira: Browser, desk: MemoryDesk) -> None:
    desk.bound = []
    _, page = await mira.get(CARD)
    assert "/runs/" not in page
    assert 'value="approve"' in page


async def test_a_card_that_is_over_leads_to_its_run_and_has_no_brake(mira: Browser, desk: MemoryDesk) -> None:
    outcome = wire.Outcome(status="executed", at=NOON)
    decision = wire.Rejected(by=ANA, at=NOON, revision=1, reason="No", message_for_agent="No.")
    desk.put(replace(desk.all[EMAIL_ID], state=State.CLOSED, decision=decision, outcome=outcome))
    _, page = await mira.get(CARD)
    assert f'href="{PAGE}"' in page
    assert 'name="action"' not in page


async def test_what_holds_a_run_from_elsewhere_is_lifted_there(mira: Browser, desk: MemoryDesk) -> None:
    held = wire.Braked(action="stop", scope=wire.BrakeScope(agent="assistant"), by=ANA, at=NOON, epoch=4)
    desk.braking.on["agent"] = held
    desk.bound[0] = a_run(brake=held, state="held")
    desk.run = lambda run_id: _found(desk, run_id)  # type: ignore[method-assign]  # a run that a wide brake holds
    _, page = await mira.get(CARD)
    assert 'Held by a brake on all that assistant does: <a href="/brakes">it is lifted there</a>' in page
    assert 'id="resume"' not in page
    assert 'id="stop"' in page
    assert 'id="pause"' not in page


async def _found(desk: MemoryDesk, run_id: str) -> wire.Run:
    return next(each for each in desk.bound if each.id == run_id)


async def test_all_brakes_are_listed_and_resumed_one_by_one(mira: Browser, desk: MemoryDesk) -> None:
    _, page = await mira.get("/brakes")
    assert "No brake is on." in page
    assert 'class="count on"' not in page
    await pull(mira, "steer", "change it to <b>Bob</b>")
    sent = await form(mira, "/brakes", "agent-form")
    response, page = await mira.post("/brakes/order", {**sent, "agent": "calendar", "action": "stop", "text": "odd"})
    assert response.status == 200
    assert "Stopped: all that calendar does" in page
    assert desk.braking.orders[1].scope == wire.BrakeScope(agent="calendar")
    _, page = await mira.get("/brakes")
    assert "Told something: the run weekly-report of assistant" in page
    assert "change it to &lt;b&gt;Bob&lt;/b&gt;" in page
    assert "It ends by itself once the agent has read that." in page
    assert f'href="{PAGE}"' in page
    hidden = re.search(r'<li id="brake-2">.*?</li>', page, re.DOTALL)
    assert hidden
    resume = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', hidden[0]))
    resume = {name: unescape(value) for name, value in resume.items()}
    assert resume["epoch"] == "2"
    _, page = await mira.post("/brakes/order", {**resume, "action": "resume"})
    assert "Resumed: all that calendar does" in page
    assert [each.scope for each in await desk.braking.standing()] == [THIS_RUN]


async def test_a_brake_of_a_run_that_is_gone_is_listed(mira: Browser, desk: MemoryDesk) -> None:
    await pull(mira, "stop")
    desk.bound = []
    _, page = await mira.get("/brakes")
    assert "Stopped: a run that is gone" in page
    assert f'href="{PAGE}"' not in page


async def test_to_resume_a_run_that_is_gone_is_told_on_the_page(mira: Browser, desk: MemoryDesk) -> None:
    sent = {**await form(mira, "/brakes", "everything-form"), "scope": f'{{"run":"{RUN}"}}', "action": "resume"}

    async def gone(*_: object, **__: object) -> None:
        raise Gone(f"there is no run {RUN}")

    desk.braking.obey = gone  # type: ignore[method-assign,assignment]  # the run has gone since
    response, page = await mira.post("/brakes/order", sent)
    assert response.status == 404
    assert f"there is no run {RUN}" in page
    assert "Stop an agent" in page


async def test_everything_is_stopped_after_a_second_look_and_why_is_kept_when_refused(
    mira: Browser, desk: MemoryDesk
) -> None:
    _, page = await mira.get("/brakes")
    before, _, inside = page.partition('<details id="everything">')
    assert "Stop every agent now" in inside
    assert "Stop every agent now" not in before
    sent = await form(mira, "/brakes", "everything-form")
    _, page = await mira.post("/brakes/order", {**sent, "action": "stop", "text": "fire"})
    assert "Stopped: everything" in page
    assert (desk.braking.orders[0].scope, desk.braking.orders[0].text) == (ALL, "fire")
    desk.braking.may_lift = False
    resume = await form(mira, "/brakes")
    response, page = await mira.post("/brakes/order", {**resume, "action": "resume"})
    assert response.status == 403
    assert "it takes somebody who may approve for it" in page
    assert len(await desk.braking.standing()) == 1


async def test_an_agent_is_picked_first_and_what_was_typed_stays(mira: Browser, desk: MemoryDesk) -> None:
    sent = await form(mira, "/brakes", "agent-form")
    response, page = await mira.post("/brakes/order", {**sent, "agent": "", "action": "stop", "text": "odd mails"})
    assert response.status == 400
    assert "Pick an agent first." in page
    assert page.count('value="odd mails"') == 1
    assert desk.braking.orders == []
    assert re.findall(r'<option value="(\w+)"', page) == ["assistant", "calendar"]


async def test_every_page_tells_how_many_brakes_are_on(mira: Browser) -> None:
    await pull(mira, "stop")
    for path in ("/", "/history", "/grants", "/trust", "/policy", "/digest", "/brakes", CARD, PAGE):
        _, page = await mira.get(path)
        assert 'Brakes <span class="count on" aria-label="1 on">1</span>' in page, path


async def test_the_inbox_says_what_is_on_hold_and_counts_no_time_down(mira: Browser, desk: MemoryDesk) -> None:
    _, page = await mira.get("/")
    assert "On hold" not in page
    assert "data-left" in page
    desk.put(replace(desk.all[EMAIL_ID], state=State.HELD, left_s=600.0))
    _, page = await mira.get("/")
    assert '<span class="badge held">On hold</span> <span>10 min left</span>' in page
    assert "One of these is on hold: nobody can answer before it goes on." in page
    assert 'class="tower held"' in page
    assert "data-left" not in page


async def test_open_pages_hear_of_a_brake_and_of_their_run(mira: Browser, desk: MemoryDesk) -> None:
    async with mira.http.get(f"{mira.url}/live") as response:
        await response.content.readuntil(b"\n\n")
        for queue in desk._watchers:
            queue.put_nowait(Change("1-0", "braked", "", " * ", RUN, "", 0, "secret words"))
        told = await response.content.readuntil(b"\n\n")
    assert b'"event": "braked"' in told
    assert RUN.encode() in told
    assert b"secret" not in told
