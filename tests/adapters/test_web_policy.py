"""The policy's page over HTTP: what stands, in words; an action tried; a changed file replayed. It changes nothing."""

import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, FormData, web
from aiohttp.test_utils import TestServer

from adapters.web import WebConsole
from andon import wire
from bot.handoff import State
from bot.policies import Standing
from bot.policy import read
from tests.adapters.test_web_http import Browser
from tests.fakes.desk import EMAIL, MIRA, NOON, MemoryDesk, MemorySignIn, handoff

POLICY = """
confidence_floor: 0.5
caps: {burst: 20}
roles: {finance: [ana@example.com, "slack:S0614TZR7"]}
defaults: {timeout: 30m, approvers: ["role:finance"]}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: drops, tool: drop, do: deny, reason: "Ask <b>Ana</b>."}
  - {name: notes, tool: note, do: sample, fraction: 0.1}
  - name: pays
    tool: pay
    gate: bank
    when: args.amount > 500
    do: ask
    stages: [{approvers: [ana@example.com]}, {approvers: ["role:finance"], quorum: 2}]
    not_requester: true
    remind: [10m]
    escalate: [{after: 20m, to: ["slack:#ops"], mention: [ana@example.com]}]
    step_up: number
  - name: mail
    tool: send_email
    do: ask
    grants: [{label: the same, same: [to]}]
    ramp: {ask: 5, review: 5, sample: 0.1}
"""


@pytest.fixture
def desk() -> MemoryDesk:
    asked = handoff(EMAIL)
    no = wire.Rejected(by=MIRA, at=NOON, revision=1, reason="Wrong <i>Alice</i>", message_for_agent="x")
    found = MemoryDesk(handoff(EMAIL, id="hf_" + "n" * 22, state=State.DECIDED, decision=no), asked)
    policy = read(POLICY, "policy.yaml")
    found.standing = Standing(policy.policy, (*policy.warnings, "policy.yaml:1:1: <look>"), "the file is gone")
    return found


@pytest.fixture
async def mira(desk: MemoryDesk) -> AsyncIterator[Browser]:
    book = MemorySignIn()
    app = web.Application(client_max_size=2 * 1024 * 1024)
    app.add_routes(
        WebConsole(desk, book, public_url="http://127.0.0.1:8080", templates=None, clock=lambda: NOON).routes()
    )
    async with TestServer(app) as server, ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http, str(server.make_url("")).rstrip("/"))
        await browser.post("/sign-in", {"token": book.link(MIRA)})
        yield browser


async def page(mira: Browser) -> str:
    async with mira.http.get(f"{mira.url}/policy") as response:
        assert response.status == 200
        return await response.text()


def words(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


async def csrf(mira: Browser) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(mira))
    assert found
    return found[1]


async def explained(mira: Browser, action: Any) -> tuple[int, str]:
    given = action if isinstance(action, str) else json.dumps(action)
    response, text = await mira.post("/policy", {"try": "explain", "csrf": await csrf(mira), "action": given})
    return response.status, text


async def replayed(mira: Browser, text: str = "", *, file: bytes | None = None) -> tuple[int, str]:
    form = FormData({"try": "replay", "csrf": await csrf(mira), "text": text, "days": "30"})
    form.add_field("file", file or b"", filename="new.yaml" if file is not None else "")
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with mira.http.post(f"{mira.url}/policy", data=form, headers=headers) as response:
        return response.status, await response.text()


async def test_the_page_reads_every_rule_aloud(mira: Browser, desk: MemoryDesk) -> None:
    text = words(await page(mira))
    assert f"Version {desk.standing.policy.version} is in force, with 5 rules." in text
    for sentence in (
        "the file is gone",
        "policy.yaml:1:1: <look>",
        "read_* It runs.",
        "The agent reads: “Ask <b>Ana</b>.”",
        "It runs, and 10% of it is shown afterwards.",
        "pay, at the gate bank, when args.amount > 500 A person is asked first.",
        "One after the other: 1 of ana@example.com; then 2 of the role finance.",
        "Who asked for it, owns the agent or edited it last may say no, and not yes.",
        "People are reminded after 10 min.",
        "Without an answer for 20 min, it also goes to #ops on slack and it calls ana@example.com by name.",
        "A yes repeats the two digits on the card.",
        "A yes may cover “the same” in one run, for 1 h.",
        "The first 5 of each agent and tool are asked about, the next 5 reviewed, of all others 10% are reviewed;",
        "Whatever no rule is about A person is asked first. Only the role finance may answer.",
        "It waits for 30 min at most.",
        "The role finance: ana@example.com and slack:S0614TZR7.",
        "Below a confidence of 50%, whatever would run is asked about first.",
        "20 asks of one agent within 1 min are gathered.",
    ):
        assert sentence in text, sentence


async def test_no_policy_is_said_in_a_sentence(mira: Browser, desk: MemoryDesk) -> None:
    desk.standing = Standing(read("{}").policy.model_copy(update={"version": "none"}))
    assert "No policy file is in force: everything is asked" in words(await page(mira))


async def test_an_action_is_explained_with_its_rule_and_every_reason(mira: Browser) -> None:
    status, text = await explained(mira, {"tool": "pay", "gate": "bank", "args": {"amount": 900}})
    assert status == 200
    for sentence in (
        "ask , by rule pays",
        "✕ reads : its tool read_* does not match pay",
        "✓ pays : its condition holds: args.amount > 500",
        "timeout_s 1800 (defaults)",
        "step_up number (rule pays)",
    ):
        assert sentence in words(text), sentence
    assert "900" in text, "what was typed stays"
    _, text = await explained(mira, {"tool": "drop"})
    assert "Ask &lt;b&gt;Ana&lt;/b&gt;." in text


@pytest.mark.parametrize(
    "typed, says",
    [
        ("{", "It is not JSON"),
        ("[]", "It is no JSON object"),
        ("[" * 100_000, "over 64 KiB"),
        ("[" * 60_000, "It is not JSON"),
        ('{"tol": "x"}', "tol: there is no such key; did you mean 'tool'?"),
        ('{"tol": "x", "confidence": 2.0}', "confidence: 2.0 is too much: 1 at the most"),
        ('{"tool": "x", "on_timeout": "approve"}', "needs `reversible: true`"),
        ('{"tool": "<script>"}', "tool: "),
        ("", "It is not JSON"),
    ],
)
async def test_what_is_no_action_is_told_and_kept(mira: Browser, typed: str, says: str) -> None:
    status, text = await explained(mira, typed)
    assert status == 422
    assert says in words(text)
    assert html.escape(typed[:50]).replace("&#x27;", "'").replace("&quot;", "&#34;") in text
    assert "<script>" not in text


@pytest.mark.parametrize("chosen", [True, False], ids=["file", "text"])
async def test_a_changed_file_shows_what_it_would_have_missed(mira: Browser, *, chosen: bool) -> None:
    text = "rules: [{name: mail, tool: send_email, do: allow}]"
    status, found = await replayed(mira, "" if chosen else text, file=text.encode() if chosen else None)
    assert status == 200
    said = words(found)
    assert "2 handoffs of the last 30 days" in said
    assert "2 asks saved · 0 new · 1 rejection or edit would have been missed" in said
    assert "rejected by Mira, “Wrong <i>Alice</i>”; now allow by mail" in said
    assert f'href="/handoffs/hf_{"n" * 22}"' in found
    assert "<i>Alice" not in found
    assert text in html.unescape(found), "so that it can be changed and tried again"


async def test_the_file_in_force_would_miss_nothing(mira: Browser) -> None:
    _, text = await replayed(mira, POLICY)
    assert "0 rejections and edits would have been missed" in words(text)
    assert 'id="missed"' not in text


@pytest.mark.parametrize(
    "text, file, status, says",
    [
        ("", None, 400, "Choose a file, or paste its text."),
        ("rules: [{name: a, tol: x, do: ask}]", None, 422, "did you mean 'tool'?"),
        ("", b"\xff\xfe", 400, "new.yaml is not UTF-8."),
        ("rules: [", None, 422, "it is not YAML"),
        ("<b>", None, 422, "must be a mapping"),
    ],
)
async def test_a_file_that_cannot_be_replayed_is_told_and_kept(
    mira: Browser, text: str, file: bytes | None, status: int, says: str
) -> None:
    got, found = await replayed(mira, text, file=file)
    assert got == status
    assert says in words(found)
    assert text in html.unescape(found)


@pytest.mark.parametrize("form", ["explain", "replay"])
async def test_a_form_from_another_session_counts_for_nothing(mira: Browser, form: str) -> None:
    response, _ = await mira.post("/policy", {"try": form, "csrf": "made up", "action": "{}", "text": "rules: []"})
    assert response.status == 403


async def test_who_is_not_signed_in_sees_no_rule(desk: MemoryDesk) -> None:
    app = web.Application()
    console = WebConsole(desk, MemorySignIn(), public_url="http://x", templates=None, clock=lambda: NOON)
    app.add_routes(console.routes())
    async with TestServer(app) as server, ClientSession() as http, http.get(server.make_url("/policy")) as response:
        assert response.status == 401
        assert "finance" not in await response.text()


ALL = """
people: {ada: {email: ada@example.com, slack: U024BE7LH}}
risk: {name: rules}
escalate_on_failure: 2
caps: {cards_per_approver_hour: 5, open_per_agent: 6}
defaults: {approvers: [requester, "person:ada", "on_call:ops"], on_timeout: deny, no_grants: true, reject: quorum}
rules:
  - name: deploys
    tool: [deploy, release]
    agent: builder
    checkpoint: "built*"
    labels: {stage: production}
    do: ask
    to: ["slack:#ops", web]
    reject_reasons: [Not now]
    escalate: [{after: 20m, approvers: ["on_call:ops"]}]
    step_up: critical
    approvers: [person:ada, ben@example.com]
  - {name: scale, tool: scale, do: ask, approvers: [ben@example.com], on_timeout: approve, timeout: 10m}
  - {name: drafts, tool: draft, do: review}
  - name: notes
    tool: note
    do: ask
    after: true
    reassign: anyone
    not_requester: false
    no_grants: false
    reject_reasons: []
"""


async def test_every_other_word_of_a_file_is_read_aloud_too(mira: Browser, desk: MemoryDesk) -> None:
    desk.standing = Standing(read(ALL).policy)
    text = words(await page(mira))
    for sentence in (
        "deploy or release, of the agent builder, after the checkpoint built*, in runs with stage=production",
        "Cards go to #ops on slack and web.",
        "One tap says no: “Not now”.",
        "Without an answer for 20 min, whoever is on call for ops may answer too.",
        "A yes repeats the two digits on the card, by two people who opened all of it.",
        "Only the requester, ada and whoever is on call for ops may answer. It takes as many to say no as to say yes.",
        "Silence is a yes for what can be undone, where the ask says so too.",
        "Silence is a no. Nothing is granted in advance.",
        "It runs, and what came of it is shown for review.",
        "ada: ada@example.com and slack:U024BE7LH, one person.",
        "After 2 failures in a run, whatever would run is asked about first.",
        "How risky an action is, the scorer “rules” says of each.",
        "At most 5 cards go to one person within an hour.",
        "At most 6 asks of one agent are shown one by one.",
        "Who asked for it, owns the agent or edited it last may say yes as well. It can be handed on to anyone,",
        "An agent may also act first, and ask afterwards. Something may be granted in advance. No button says why not.",
    ):
        assert sentence in text, sentence
