"""Cards in Slack from the first post to the last word: one each, in step, in order, and never more than text."""

import asyncio
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from tests.adapters.surface import HOUR_PACE
from tests.fakes.slack.methods import METHODS, Call
from tests.fakes.slack.model import Message
from tests.flows.slack_house import House, check, house, people_of, settings_for, workspace
from tests.people import MAIL, Agent, Json
from tests.servers import SECRET, ServiceProcess, live, until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


@pytest.fixture
async def calm(settings: Settings) -> AsyncIterator[House]:
    """At the pace that Slack wants."""
    async with house(settings, calm=True) as running:
        yield running


# --- where they go ---


@pytest.mark.parametrize(
    "where", ["#ops", "OPS", "id", "team and id", "person", "team and person", "Mira@example.com", "thread"]
)
async def test_a_card_goes_where_the_ask_says(slack: House, where: str) -> None:
    said = await slack.mira.say(slack.ops, "What about the report?")
    place: Json = {
        "#ops": {"channel": "#ops"},
        "OPS": {"channel": "OPS"},
        "id": {"channel": slack.ops.id},
        "team and id": {"channel": f"{slack.ops.team.id}/{slack.ops.id}"},
        "person": {"person": slack.mira.id},
        "team and person": {"person": f"{slack.ops.team.id}/{slack.mira.id}"},
        "Mira@example.com": {"person": "mira@example.com"},
        "thread": {"channel": slack.ops.id, "thread": said.ts},
    }[where]
    asked, card = await slack.asked_card(to=[{"surface": "slack", **place}])
    assert card.channel is (slack.mira.direct if "person" in place else slack.ops)
    assert card.thread_ts == (said.ts if "thread" in place else None)
    pressed = await slack.mira.press(card, "Approve")
    assert pressed.told == [] or card.channel.kind == "im"
    assert (await slack.agent.wait(asked["id"]))["decision"]["by"]["name"] == "Mira"
    await card.shows("Approved")
    assert card.buttons == []


async def test_all_copies_settle_after_one_press(slack: House) -> None:
    dev = slack.cloud.channel("#dev", members=[slack.ana], bot=True)
    places = [slack.place(), slack.place(dev), {"surface": "slack", "person": "ana@example.com"}, slack.place()]
    asked = await slack.ask(to=places)
    cards = [await slack.card(asked, where) for where in (slack.ops, dev, slack.ana.direct)]
    await slack.ana.press(cards[2], "Approve")
    for card in cards:
        await card.shows("Approved")
        assert card.buttons == []
    assert len(slack.cards(asked)) == 3


async def test_two_people_press_on_two_copies_at_once(slack: House) -> None:
    """F15: one decision; who came second is told whose it is, and every copy says the same."""
    dev = slack.cloud.channel("#dev", members=[slack.ana], bot=True)
    for _ in range(8):
        asked = await slack.ask(to=[slack.place(), slack.place(dev)])
        one, two = await slack.card(asked, slack.ops), await slack.card(asked, dev)
        first, second = await asyncio.gather(slack.mira.press(one, "Approve"), slack.ana.press(two, "Approve"))
        by = (await slack.agent.wait(asked["id"]))["decision"]["by"]["name"]
        late = second if by == "Mira" else first
        await late.hears(f"{by} approved this at")
        won = first if by == "Mira" else second
        assert not [text for text in won.told if "changed nothing" in text]
        for card in (one, two):
            await card.shows(f"{by} approved")


async def test_slack_and_the_console_at_once(slack: House) -> None:
    """T27: two surfaces, one handoff."""
    for _ in range(8):
        asked, card = await slack.asked_card()
        pressed, answered = await asyncio.gather(
            slack.ana.press(card, "Approve"), slack.live.person.reject(asked, "Not today")
        )
        decision = (await slack.agent.wait(asked["id"]))["decision"]
        if decision["kind"] == "approved":
            assert answered.problem == "already-decided"
        else:
            await pressed.hears("mira rejected this at")
        await card.shows("Ana approved" if decision["kind"] == "approved" else "Not today")


# --- once ---


class QuickProcess(ServiceProcess):
    module = "tests.fakes.quick_service"


async def test_a_reply_lost_after_the_post_leaves_one_card(slack: House) -> None:
    slack.cloud.loses_replies, slack.cloud.loses_replies_of = 3, "chat.postMessage"
    asked = [await slack.ask() for _ in range(3)]
    for each in asked:
        card = await slack.card(each)
        await slack.mira.press(card, "Approve")
        await card.shows("Approved")
    await slack.until_settled()
    assert [len(slack.cards(each)) for each in asked] == [1, 1, 1]
    assert slack.cloud.calls["conversations.history"] >= 3


async def test_a_reply_lost_in_a_thread_leaves_one_card(slack: House) -> None:
    said = await slack.mira.say(slack.ops, "What about the report?")
    slack.cloud.loses_replies, slack.cloud.loses_replies_of = 1, "chat.postMessage"
    asked, card = await slack.asked_card(to=[{**slack.place(), "thread": said.ts}])
    await slack.mira.press(card, "Approve")
    await card.shows("Approved")
    await slack.until_settled()
    assert len(slack.cards(asked)) == 1


async def test_a_process_killed_before_it_knew_the_address_leaves_one_card(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C4: whoever takes over finds the card by its metadata, and it can be answered."""
    assert settings.redis_url
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        process = QuickProcess(
            tmp_path / "process",
            {
                "ANDON_REDIS_URL": settings.redis_url.get_secret_value(),
                "ANDON_SECRET": SECRET,
                "SLACK_BOT_TOKEN": cloud.token,
                "SLACK_SIGNING_SECRET": cloud.app.signing_secret,
                "SLACK_API_URL": cloud.api_url,
            },
        )
        posting = METHODS["chat.postMessage"]

        def posted(call: Call) -> Json:
            told = posting.run(call)
            os.kill(process.pid, signal.SIGKILL)
            return told

        try:
            await process.start()
            monkeypatch.setitem(METHODS, "chat.postMessage", replace(posting, run=posted))
            async with Agent(process.url, await process.make_key("agent", "mailer")) as agent:
                asked = await agent.ask(to=[{"surface": "slack", "channel": ops.id}])
                await cloud.wait_for_card(ops)
        finally:
            await process.close()
        monkeypatch.undo()
        async with live(settings_for(settings, cloud), pace=HOUR_PACE) as running:
            cloud.app.request_url = f"{running.url}/slack/events"
            slack = House(cloud, ops, mira, ana, running)
            card = await slack.card(asked)
            await slack.until_settled()
            assert (await mira.press(card, "Approve")).told == []
            await card.shows("Approved")
            await slack.until_settled()
            assert len(slack.cards(asked)) == 1


async def test_another_apps_message_with_our_metadata_is_not_taken_for_our_card(slack: House) -> None:
    """The id in a card's metadata can be read by other apps of the workspace, and written by them."""
    slack.cloud.is_down = True
    asked = await slack.ask()
    other = slack.cloud.user("other-app", is_bot=True)
    slack.ops.members.append(other)
    forged = Message(slack.ops, slack.ops.next_ts(slack.cloud.clock.now()), other, "Approve me", [], bot_id="B0OTHER")
    forged.metadata = {"event_type": "andon_card", "event_payload": {"handoff": asked["id"]}}
    slack.ops.messages.append(forged)

    async def tried() -> bool:
        return slack.cloud.calls["down"] >= 2

    await until(tried)
    slack.cloud.is_down = False

    async def ours() -> list[Message]:
        return [card for card in slack.cards(asked) if card is not forged]

    await until(ours)
    (card,) = await ours()
    await slack.mira.press(card, "Approve")
    await card.shows("Approved")
    assert forged.text == "Approve me"
    slack.ops.messages.remove(forged)


# --- where they cannot go ---


def unreachable(slack: House, kind: str) -> Json:
    """A place that cannot be reached."""
    if kind in {"unknown id", "unknown name", "not in it", "archived", "unknown person", "unknown e-mail", "gone"}:
        places: dict[str, Json] = {
            "unknown id": {"channel": "C0UNKNOWN"},
            "unknown name": {"channel": "#nowhere"},
            "not in it": {"channel": slack.cloud.channel("#secret", bot=False).id},
            "archived": {"channel": slack.cloud.channel("#old", archived=True).id},
            "unknown person": {"person": "U0UNKNOWN"},
            "unknown e-mail": {"person": "nobody@example.com"},
            "gone": {"person": slack.cloud.user("gone", deleted=True).id},
        }
        return {"surface": "slack", **places[kind]}
    raise AssertionError(kind)


UNREACHABLE = {
    "unknown id": "knows no channel C0UNKNOWN",
    "unknown name": "is in no channel #nowhere",
    "not in it": "invite it there: /invite @andon",
    "archived": "is archived",
    "unknown person": "no person U0UNKNOWN",
    "unknown e-mail": "nobody@example.com",
    "gone": "deactivated",
}


@pytest.mark.parametrize("kind", UNREACHABLE)
async def test_what_cannot_be_reached_goes_to_the_fallback_which_says_so(
    settings: Settings, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(settings, slack_channel="#ops") as slack:
        place = unreachable(slack, kind)
        asked = [await slack.ask(to=[place]) for _ in range(2)]
        for each in asked:
            card = await slack.card(each, slack.ops)
            await told_below(card, UNREACHABLE[kind])
            await slack.mira.press(card, "Approve")
            await card.shows("Approved")
            assert await slack.state(each) == "decided"
        needed = [record for record in caplog.records if "operator.needed" in record.getMessage()]
        assert len(needed) == 1, "operators are told once, not for every card"
        assert UNREACHABLE[kind] in needed[0].getMessage()
        assert needed[0].levelno == logging.ERROR
        (notice,) = await slack.live.store.runs.notices(20)
        assert UNREACHABLE[kind] in notice.text


async def told_below(card: Message, containing: str, *, within_s: float = 5) -> Message:
    """The reply below a card that says this."""

    async def there() -> bool:
        return any(containing in reply.text or containing in reply.shown for reply in card.replies)

    await until(there, within_s=within_s, what=f"{containing!r} below the card: {[r.shown for r in card.replies]}")
    return next(reply for reply in card.replies if containing in reply.text or containing in reply.shown)


async def test_many_that_cannot_be_reached_are_all_explained(settings: Settings) -> None:
    """The explanations wait for their turn in the channel like the cards do."""
    async with house(settings, slack_channel="#ops", calm=True) as slack:
        asked = [await slack.ask(to=[unreachable(slack, "unknown id")]) for _ in range(4)]
        for each in asked:
            await told_below(await slack.card(each, slack.ops), "knows no channel C0UNKNOWN", within_s=10)


@pytest.mark.parametrize("kind", UNREACHABLE)
async def test_without_a_fallback_the_agent_is_told_why(slack: House, kind: str) -> None:
    asked = await slack.ask(to=[unreachable(slack, kind)])
    decision = (await slack.agent.wait(asked["id"]))["decision"]
    assert decision["kind"] == "undeliverable"
    assert UNREACHABLE[kind] in decision["reason"]
    assert slack.cloud.cards(slack.ops) == []


async def test_a_card_of_which_one_place_can_be_reached_is_delivered(slack: House) -> None:
    asked, card = await slack.asked_card(to=[unreachable(slack, "unknown id"), slack.place()])
    await slack.until_settled()
    assert await slack.state(asked) == "pending"
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"


async def test_a_fallback_that_is_no_better_is_told_to_operators_too(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(settings, slack_channel="#elsewhere") as slack:
        asked = await slack.ask(to=[unreachable(slack, "archived")])
        assert (await slack.agent.wait(asked["id"]))["decision"]["kind"] == "undeliverable"
        told = [record.getMessage() for record in caplog.records if "operator.needed" in record.getMessage()]
        assert len(told) == 2
        assert "SLACK_CHANNEL" in told[1]


@pytest.mark.parametrize("how", ["revoked", "wrong", "scope"])
async def test_a_token_that_does_not_work_loses_nothing(
    slack: House, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F11: the cards wait; operators are told once; when the token works again they appear."""
    _, first = await slack.asked_card()
    token = slack.cloud.tokens[slack.cloud.token]
    scopes = list(token.installation.scopes)
    if how == "revoked":
        token.is_revoked = True
    elif how == "wrong":
        del slack.cloud.tokens[slack.cloud.token]
    else:
        token.installation.scopes.remove("chat:write")
    asked = [await slack.ask() for _ in range(3)]
    before = slack.cloud.calls.total()

    async def tried() -> bool:
        return slack.cloud.calls.total() > before + 60  # more often than a card that fails by itself is tried

    await until(tried)
    assert {await slack.state(each) for each in asked} == {"pending"}
    token.is_revoked = False
    token.installation.scopes[:] = scopes
    slack.cloud.tokens[slack.cloud.token] = token
    for each in asked:
        await slack.card(each)
    needed = [record.getMessage() for record in caplog.records if "operator.needed" in record.getMessage()]
    assert len(needed) == 1
    assert "SLACK_BOT_TOKEN" in needed[0] or "chat:write" in needed[0]
    await slack.mira.press(first, "Approve")
    await first.shows("Approved")


async def test_an_outage_of_posting_alone_loses_nothing(slack: House) -> None:
    """F11: Slack's parts fail one at a time; that the others work does not make it the card's fault."""
    slack.cloud.refuses["chat.postMessage"] = "fatal_error"
    asked = await slack.ask()

    async def tried() -> bool:
        return slack.cloud.calls["chat.postMessage"] > 20

    await until(tried)
    slack.cloud.refuses.clear()
    await slack.card(asked)


# --- at Slack's pace ---


async def test_slacks_wish_for_rest_is_honoured(calm: House) -> None:
    """A 429 names the seconds; nobody calls before they are over."""
    calm.cloud.rate_limits.burst = 1
    asked = [await calm.ask() for _ in range(3)]
    for each in asked:
        await calm.card(each)
    refused = len([error for error in calm.cloud.errors if "ratelimited" in error])
    assert refused <= 4, "calling again too soon makes it longer"
    assert len(calm.cloud.cards(calm.ops)) == 3


async def test_many_cards_come_one_a_second_in_order_and_hold_up_nobody_else(calm: House) -> None:
    dev = calm.cloud.channel("#dev", members=[calm.ana], bot=True)
    asked = [await calm.ask() for _ in range(8)]
    other, _ = await calm.asked_card(to=[calm.place(dev)])
    assert len(calm.cloud.cards(calm.ops)) <= 4
    cards = [await calm.card(each) for each in asked]
    times = [float(card.ts) for card in cards]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times == sorted(times), "in the order of asking"
    assert all(0.7 < gap < 2.5 for gap in gaps[3:]), gaps
    assert len(calm.cards(other)) == 1
    assert not [error for error in calm.cloud.errors if "ratelimited" in error]


# --- afterwards ---


async def decided(slack: House, **changes: Any) -> tuple[Json, Message, Json]:
    """A card that mira approved, and the permit for it."""
    asked, card = await slack.asked_card(**changes)
    await slack.mira.press(card, "Approve")
    now = await slack.agent.wait(asked["id"])
    return now, card, (await slack.agent.claim(now)).ok()


async def test_what_was_done_is_on_the_card(slack: House) -> None:
    asked, card, permit = await decided(slack)
    await card.shows("Delivered")
    await slack.agent.report(asked, "executed", claimant=permit["claimant"], result="message 17")
    await card.shows("message 17")
    await slack.until_settled()
    assert card.replies == []


async def test_what_failed_is_told_below_the_card_once(slack: House) -> None:
    asked, card, permit = await decided(slack)
    await slack.agent.report(asked, "failed", claimant=permit["claimant"], error="550 no such user <!here>")
    reply = await told_below(card, "550 no such user")
    assert not reply.is_broadcast
    await card.shows("Failed")
    await slack.until_settled()
    assert len(card.replies) == 1
    assert len([dm for dm in slack.mira.dms if "could not be done" in dm.shown]) == 1, "who decided it is told too"


async def test_a_long_result_is_below_the_card_and_a_very_long_one_in_a_file(slack: House) -> None:
    asked, card, permit = await decided(slack)
    await slack.agent.report(asked, "executed", claimant=permit["claimant"], result="word " * 400)
    await told_below(card, "word word")
    asked, card, permit = await decided(slack)
    result = "".join(f"line {n}\n" for n in range(2_000))
    (await slack.agent.report(asked, "executed", claimant=permit["claimant"], result=result)).ok()
    reply = await told_below(card, "is in the file")
    shared = [file for message in card.replies for file in message.files]
    assert len(shared) == 1
    assert shared[0].content
    assert shared[0].content.decode() == result
    assert shared[0].name in reply.shown


async def test_an_undo_that_failed_alarms_the_channel_once(slack: House) -> None:
    asked = await slack.agent.review(to=[slack.place()])
    card = await slack.card(asked)
    await (await (await slack.mira.press(card, "Undo it")).opened()).submit()
    await slack.agent.report(await slack.agent.wait(asked["id"]), "undo_failed", error="it was sent on already")
    reply = await told_below(card, "it was sent on already")
    assert reply.is_broadcast
    assert "@Mira" in reply.shown
    await slack.until_settled()
    assert len([r for r in card.replies if r.is_broadcast]) == 1


async def test_two_replicas_tell_it_once(settings: Settings) -> None:
    """Both bring the card up to date; the story below it is told by one."""
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        first, second = (
            settings_for(settings, cloud, state=settings.state / name, slack_channel=None) for name in ("one", "two")
        )
        async with live(first, pace=HOUR_PACE) as one, live(second, pace=HOUR_PACE) as two:
            cloud.app.request_url = f"{two.url}/slack/events"
            slack = House(cloud, ops, mira, ana, one)
            for _ in range(3):
                asked, card, permit = await decided(slack)
                for key in ("a", "b"):
                    await slack.agent.report(asked, "failed", claimant=permit["claimant"], error=f"no {key[:0]}luck")
                await told_below(card, "no luck")
                await slack.until_settled()
                assert len(card.replies) == 1
                assert len(slack.cards(asked)) == 1
        check(cloud, one.url, two.url)


# --- notices ---


async def notify(slack: House, text: str, *to: Json) -> None:
    path = f"/v1/runs/{await slack.agent.run()}/notices"
    assert (await slack.agent.call("POST", path, {"text": text, "to": list(to)})).status == 202


async def test_a_notice_appears_once_and_literally(slack: House) -> None:
    await notify(
        slack, "Nightly sync <!channel> finished, see <https://evil.example|here> ```x``` \u202egnp", slack.place()
    )
    told = await slack.cloud.wait_for_card(slack.ops, "Nightly sync")
    assert "<!channel>" in told.shown
    assert "weekly-report" in told.shown
    await slack.until_settled()
    assert len(slack.cloud.cards(slack.ops)) == 1


async def test_a_notice_whose_reply_was_lost_is_at_most_told_twice(slack: House) -> None:
    slack.cloud.loses_replies, slack.cloud.loses_replies_of = 1, "chat.postMessage"
    await notify(slack, "Nightly sync finished", slack.place())
    await slack.cloud.wait_for_card(slack.ops, "Nightly sync")
    await slack.until_settled()
    assert len(slack.cloud.cards(slack.ops)) <= 2


async def test_a_notice_that_cannot_be_delivered_goes_to_the_fallback(settings: Settings) -> None:
    async with house(settings, slack_channel="#ops") as slack:
        await notify(slack, "Nightly sync finished", unreachable(slack, "not in it"))
        await slack.cloud.wait_for_card(slack.ops, "Nightly sync")


# --- hostile texts ---

EVIL = (
    "<!channel> <!here|x> <@U0001STAND> <!subteam^S123|@all> <https://evil.example|click> https://evil.example "
    "@channel @here *bold* _it_ ~no~ `c` ```fence``` :tada: &lt;!channel&gt; \u202eevil\u202c \u200bzero\u2060 \ufeff"
)


def hostile(text: str) -> list[Json]:
    """Every kind of ask, with this in each field that an agent writes."""
    args = {"to": text, text[:60].replace("\n", " "): text, "list": [text, {"deep": text}], "long": f"{text}\n" * 30}
    schema = {"type": "object", "properties": {"to": {"type": "string", "title": text, "description": text}}}
    action = {"tool": "send_email", "args": args, "schema": schema}
    said: Json = {"why": text, "risks": [text, f"{text} 2"]}
    mail = {"tool": "send_email", "args": {**MAIL, "subject": text, "body": f"<h1>{text}</h1>\n{text}"}}
    sql = {"tool": "sql.execute", "args": {"sql": f"DROP TABLE x; -- {text}"}}
    shell = {"tool": "shell", "args": {"command": f"echo '{text}'", "argv": ["rm", text]}}
    answer = {"type": "object", "properties": {"a": {"type": "string", "enum": [text, "b"], "title": text}}}
    candidates = [{"id": f"c{n}", "label": f"{n} {text}", "details": text, "action": action} for n in range(3)]
    return [
        {"kind": "confirmation", "what": text, "action": action, **said},
        {"kind": "confirmation", "what": text, "action": mail, "reversible": False, **said},
        {"kind": "confirmation", "what": text, "action": sql, **said},
        {"kind": "confirmation", "what": text, "action": shell, **said},
        {"kind": "confirmation", "what": text, "timing": "after", "action": action, "result": text, **said},
        {"kind": "choice", "question": text, "candidates": candidates, "why": text},
        {"kind": "input", "question": text, "why": text, "answer_schema": answer},
        {"kind": "input", "question": text, "why": text},
    ]


async def test_hostile_text_stays_text_wherever_it_goes(slack: House) -> None:
    """T3, T4: in cards, forms, briefs, stories, notices and alarms; also the name of whoever presses."""
    eve = slack.cloud.user("eve", display_name=EVIL[:80], real_name=EVIL[:80])
    guest = slack.cloud.user("guest", display_name=EVIL[:80], is_restricted=True)
    slack.ops.members += [eve, guest]
    slack.cloud.rate_limits.off()
    started = (await slack.agent.call("POST", "/v1/runs", {"name": EVIL[:100], "requester": EVIL[:100]})).ok()
    for ask in hostile(EVIL):
        body = {"gate": "send_email", "run": started["id"], "to": [slack.place()], "timeout_s": 600, **ask}
        asked = (await slack.agent.open(body)).ok()
        card = await slack.card(asked)
        await (await guest.press(card, card.buttons[0])).hears("guests of this workspace") if card.buttons else None
        await answer_it(slack, eve, asked, card)
        late = [label for label in card.versions[0].buttons if label != "Open in the console"]
        now = await slack.agent.wait(asked["id"], revision=2)
        if now["decision"]["kind"] in {"approved", "edited", "chosen"} and ask.get("timing") != "after":
            permit = (await slack.agent.claim(now)).ok()
            await slack.agent.report(now, "failed", claimant=permit["claimant"], error=f"{EVIL}\n" * 20)
        elif ask.get("timing") == "after":
            await slack.agent.report(now, "undo_failed", error=EVIL)
        assert late or ask["kind"] == "choice"
    await notify(slack, EVIL * 20, slack.place())
    await slack.cloud.wait_for_card(slack.ops, "Notice from")
    await eve.open_home()
    await eve.dm("pending")
    await slack.until_settled()
    assert not live_problem(slack)


def live_problem(slack: House) -> list[str]:
    """The stand-in refused nothing."""
    return [error for error in slack.cloud.errors if not error.startswith("chat.postEphemeral: user_not")]


async def answer_it(slack: House, by: Any, asked: Json, card: Message) -> None:
    """Answer, with hostile words where words are taken."""
    match asked["ask"]["kind"] if "ask" in asked else asked["kind"]:
        case "choice":
            menu = next(name for name in ("Choose…", "Search and choose…") if name in card.shown)
            options = await by.search(card, menu, "1") if menu[0] == "S" else card_options(card)
            picked = await by.select(card, menu, option=options[1])
            modal = await picked.opened()
            await modal.fill("Anything to add?", EVIL)
        case "input":
            modal = await (await by.press(card, "Answer")).opened()
            label = next(iter(modal.fields))
            if modal.raw.blocks[-1]["element"]["type"] == "plain_text_input":
                await modal.fill(label, EVIL)
        case _ if "Undo it" in card.buttons:
            modal = await (await by.press(card, "Undo it")).opened()
            await modal.fill("Why?", EVIL)
        case _ if "Approve" in card.buttons:
            modal = await (await by.press(card, "Edit")).opened()
            await modal.fill("Why?", EVIL)
        case _:
            modal = await (await by.press(card, "Read it all, then decide")).opened()
    submitted = await modal.submit()
    assert submitted.closed, (submitted.errors, submitted.view and submitted.view.shown)


def card_options(card: Message) -> list[str]:
    block = next(block for block in card.blocks if block["type"] == "actions")
    return [option["text"]["text"] for option in block["elements"][0]["options"]]
