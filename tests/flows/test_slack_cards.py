"""Cards in Slack from the first post to the last word: one each, in step, and never more than text."""

import asyncio
import copy
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from tests.adapters.surface import HOUR_PACE
from tests.fakes.slack import SlackCloud
from tests.fakes.slack.interactions import act_in_message
from tests.fakes.slack.methods import METHODS, Call
from tests.fakes.slack.model import Message
from tests.fakes.slack.screens import control_named
from tests.flows.slack_house import House, check, house, people_of, settings_for, told_below, workspace
from tests.people import MAIL, Agent, Json
from tests.servers import SECRET, ServiceProcess, live, until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


# --- in step ---


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
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        async with killed_once_posted(settings, cloud, tmp_path, monkeypatch) as agent:
            asked = await agent.ask(to=[{"surface": "slack", "channel": ops.id}])
            await cloud.wait_for_card(ops)
        async with live(settings_for(settings, cloud), pace=HOUR_PACE) as running:
            cloud.app.request_url = f"{running.url}/slack/events"
            slack = House(cloud, ops, mira, ana, running)
            card = await slack.card(asked)
            await slack.until_settled()
            assert (await mira.press(card, "Approve")).told == []
            await card.shows("Approved")
            await slack.until_settled()
            assert len(slack.cards(asked)) == 1


async def test_a_process_killed_before_it_knew_that_a_notice_was_told_leaves_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        async with killed_once_posted(settings, cloud, tmp_path, monkeypatch) as agent:
            told = {"text": "Nightly sync finished", "to": [{"surface": "slack", "channel": ops.id}]}
            await agent.call("POST", f"/v1/runs/{await agent.run()}/notices", told)
            await cloud.wait_for_card(ops)
        async with live(settings_for(settings, cloud), pace=HOUR_PACE) as running:
            await House(cloud, ops, mira, ana, running).until_settled()
            assert len(cloud.cards(ops)) == 1


@asynccontextmanager
async def killed_once_posted(
    settings: Settings, cloud: SlackCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agent]:
    """A service that dies when Slack has its first message, and before it hears so."""
    assert settings.redis_url
    given = {
        "ANDON_REDIS_URL": settings.redis_url.get_secret_value(),
        "ANDON_SECRET": SECRET,
        "SLACK_BOT_TOKEN": cloud.token,
        "SLACK_SIGNING_SECRET": cloud.app.signing_secret,
        "SLACK_API_URL": cloud.api_url,
    }
    process = QuickProcess(tmp_path / "process", given)
    posting = METHODS["chat.postMessage"]

    def posted(call: Call) -> Json:
        told = posting.run(call)
        os.kill(process.pid, signal.SIGKILL)
        return told

    try:
        await process.start()
        monkeypatch.setitem(METHODS, "chat.postMessage", replace(posting, run=posted))
        async with Agent(process.url, await process.make_key("agent", "mailer")) as agent:
            yield agent
    finally:
        await process.close()
        monkeypatch.undo()


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
    assert not [error for error in slack.cloud.errors if "cant_update" in error], "it was not even tried"
    slack.ops.messages.remove(forged)


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
    await slack.cloud.wait_for_card(slack.mira, "could not be done")
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


async def test_a_notice_appears_once_and_literally(slack: House) -> None:
    text = "Nightly sync <!channel> finished, see <https://evil.example|here> ```x``` \u202egnp"
    await slack.notify(text, slack.place())
    told = await slack.cloud.wait_for_card(slack.ops, "Nightly sync")
    assert "<!channel>" in told.shown
    assert "weekly-report" in told.shown
    await slack.until_settled()
    assert len(slack.cloud.cards(slack.ops)) == 1


async def test_a_notice_whose_reply_was_lost_is_at_most_told_twice(slack: House) -> None:
    slack.cloud.loses_replies, slack.cloud.loses_replies_of = 1, "chat.postMessage"
    await slack.notify("Nightly sync finished", slack.place())
    await slack.cloud.wait_for_card(slack.ops, "Nightly sync")
    await slack.until_settled()
    assert len(slack.cloud.cards(slack.ops)) <= 2


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
        {
            "kind": "confirmation",
            "what": text,
            "timing": "after",
            "reversible": True,
            "action": action,
            "result": text,
            **said,
        },
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
        await (await guest.press(card, card.buttons[0])).hears("guests may not answer") if card.buttons else None
        seen = copy.deepcopy(card.blocks)
        await answer_it(slack, eve, asked, card)
        if "Reject…" in card.versions[0].buttons:
            late = await act_in_message(slack.ana, card, control_named(seen, "Reject…", "the message"))
            await late.hears("so your press changed nothing")
        now = await slack.agent.wait(asked["id"], revision=2)
        if now["decision"]["kind"] in {"approved", "edited", "chosen"} and ask.get("timing") != "after":
            permit = (await slack.agent.claim(now)).ok()
            await slack.agent.report(now, "failed", claimant=permit["claimant"], error=f"{EVIL}\n" * 20)
        elif ask.get("timing") == "after":
            await slack.agent.report(now, "undo_failed", error=EVIL)
    await slack.notify(EVIL * 20, slack.place())
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
