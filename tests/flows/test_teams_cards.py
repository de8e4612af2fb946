"""Cards in Teams: where they go, that each stays true whatever fails, and what is said below them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.store.outbox import Outbox
from tests.fakes.teams import Message, Person, TeamsCloud
from tests.fakes.teams.cards import actions
from tests.flows.teams_house import House, button, house, late, told_below
from tests.flows.test_ladder import let_pass
from tests.flows.test_slack_cards import hostile
from tests.people import MAIL, Json
from tests.servers import until

MINUTE = timedelta(minutes=1)
HOSTILE = (
    "![x](https://evil.example/x.png) [y](https://evil.example) <at>everyone</at> {{DATE(2026-01-01T00:00:00Z)}} "
    "www.evil.example https://evil.example **b** `c` ```f``` <b>x</b> \u202eevil\u202c \u200bzero\u2060 \ufeff"
)


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


# --- where ---


async def test_a_card_goes_to_a_channel_a_thread_a_group_chat_and_a_person(teams: House) -> None:
    chat = teams.cloud.chat(teams.mira, teams.ana, name="Trip")
    await teams.cloud.install(chat)
    await teams.cloud.install(teams.ana.direct)
    root = await teams.mira.say(teams.ops, "About the trip")
    places = [teams.place(), teams.place(thread=root), teams.place(chat), teams.person(teams.ana)]
    asked = await teams.ask(to=places)

    async def there() -> bool:
        return len(teams.cards(asked)) == len(places)

    await until(there)
    assert {(card.conversation.kind, card.thread) for card in teams.cards(asked)} == {
        ("channel", None),
        ("channel", root.id),
        ("groupChat", None),
        ("personal", None),
    }
    card = next(card for card in teams.cards(asked) if card.conversation is teams.ana.direct)
    await teams.ana.press(card, "Approve")
    for each in teams.cards(asked):
        await each.shows("Ana approved")
        assert "Approve" not in each.buttons


async def test_two_people_press_on_two_copies_at_once(teams: House) -> None:
    chat = teams.cloud.chat(teams.mira, teams.ana, name="Trip")
    await teams.cloud.install(chat)
    for _ in range(4):
        asked = await teams.ask(to=[teams.place(), teams.place(chat)])
        first, second = await teams.card(asked, teams.ops), await teams.card(asked, chat)
        outcomes = await asyncio.gather(
            late(teams.mira, first, button(first.card or {}, "Approve")),
            late(teams.ana, second, button(second.card or {}, "Reject")),
        )
        by = (await teams.agent.look(asked["id"]))["decision"]["by"]["name"]
        loser = outcomes[1] if by == "Mira" else outcomes[0]
        assert f"{by} " in loser.said
        assert "so your press changed nothing." in loser.said
        for card in (first, second):
            await card.shows("Mira approved" if by == "Mira" else "Ana rejected")


async def test_where_the_app_is_not_installed_operators_and_the_agent_learn_what_to_do(teams: House) -> None:
    otto = teams.cloud.person("Otto")
    asked = await teams.ask(to=[teams.person(otto)])
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert decision["kind"] == "undeliverable"
    assert "Andon meets nobody on Teams who is otto@contoso.example" in decision["reason"]
    notices = (await teams.live.store.runs.notices(5))[0]
    assert "Teams, otto@contoso.example: Andon meets nobody on Teams" in notices.text


async def test_what_cannot_be_reached_goes_to_the_channel_of_the_settings_which_says_so(settings: Settings) -> None:
    async with house(settings, teams_channel="Ops/deploys") as teams:
        asked = await teams.agent.ask(to=[{"surface": "teams", "channel": "19:gone@thread.tacv2"}])
        card = await teams.card(asked)
        assert card.conversation is teams.ops
        explained = await told_below(card, "This card is here because its own place cannot be reached.")
        assert "Andon is not installed in the channel 19:gone@thread.tacv2" in explained.shown
        await teams.mira.press(card, "Approve")
        assert await teams.state(asked) == "decided"


async def test_what_is_for_one_person_alone_is_shown_in_no_channel(settings: Settings) -> None:
    async with house(settings, teams_channel="Ops/deploys") as teams:
        otto = teams.cloud.person("Otto")
        asked = await teams.ask(to=[teams.person(otto)])
        assert (await teams.agent.wait(asked["id"]))["decision"]["kind"] == "undeliverable"
        assert teams.cards(asked) == []


async def test_a_place_that_is_not_named_is_the_channel_of_the_settings(settings: Settings) -> None:
    async with house(settings, teams_channel="Ops/deploys") as teams:
        asked = await teams.agent.ask()
        assert (await teams.card(asked)).conversation is teams.ops


# --- whatever fails ---


async def test_a_card_whose_post_was_answered_by_nobody_is_kept_true_once_somebody_sees_it(teams: House) -> None:
    """Teams lets no bot look for its messages, so a second card is posted; the first one tells where it is."""
    teams.cloud.loses_replies = 1
    asked = await teams.ask()

    async def twice() -> bool:
        return len(teams.cards(asked)) == 2

    await until(twice)
    await teams.until_settled()
    stray, known = teams.cards(asked)
    await teams.ana.look(stray)
    await teams.mira.press(known, "Approve")
    await known.shows("Mira approved")
    await stray.shows("Mira approved")
    assert "Approve" not in stray.buttons


async def test_a_card_whose_address_was_not_kept_is_found(teams: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store did not confirm that it knows where the card is: it is not posted a second time."""
    save, failures = Outbox.save_card, [1]

    async def fails_once(self: Outbox, *given: Any) -> Any:
        if failures:
            failures.pop()
            raise RuntimeError("killed between the post and the note of it")
        return await save(self, *given)

    monkeypatch.setattr(Outbox, "save_card", fails_once)
    asked = await teams.ask()
    await teams.until_settled()
    assert len(teams.cards(asked)) == 1
    await teams.mira.press(teams.cards(asked)[0], "Approve")
    await teams.cards(asked)[0].shows("Mira approved")


async def test_a_card_that_somebody_deleted_is_posted_anew(teams: House) -> None:
    asked, card = await teams.asked_card()
    card.is_deleted = True
    await teams.mira.press(await anew(teams, asked, card), "Save for another to approve", {"subject (required)": "New"})
    assert await teams.state(asked) == "pending"


async def anew(teams: House, asked: Json, card: Message) -> Message:
    (await teams.live.person.call("POST", f"/v1/handoffs/{asked['id']}/answer", edit(asked))).ok()

    async def there() -> bool:
        return teams.cards(asked) not in ([], [card])

    await until(there)
    return teams.cards(asked)[0]


def edit(asked: Json) -> Json:
    given = {"revision": asked["revision"], "digest": asked["digest"]}
    return {"kind": "edit", "args": {**MAIL, "subject": "Figures"}, "approve": False, **given}


async def test_teams_wish_for_rest_is_honoured(teams: House) -> None:
    teams.cloud.refuse("send", "Throttled", times=2, retry_after_s=1)
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Approve")
    await card.shows("Mira approved")
    assert len(teams.cards(asked)) == 1


async def test_a_card_of_any_length_can_be_posted_and_changed(teams: House) -> None:
    """The update never fails for length."""
    body = "\u4e2d<&>\n" * 4_000
    asked, card = await teams.asked_card(action={"tool": "send_email", "args": {**MAIL, "body": body}})
    (await teams.live.person.approve(asked)).ok()
    await card.shows("Approved")


# --- what is said below ---


async def test_a_reminder_calls_whom_the_policy_names_and_nobody_else(settings: Settings) -> None:
    policy = """
defaults:
  timeout: 1h
  approvers: [mira@example.com, elsewhere@example.com]
  remind: [10m]
"""
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card(timeout_s=3600, what=f"Send this: {HOSTILE}")
        await let_pass(teams.live.store, asked, 10 * MINUTE)
        reminder = await told_below(card, "Reminder: nobody has answered for 10 min")
        assert reminder.mentions == [teams.mira.id]
        assert "elsewhere@example.com" in reminder.shown, "who is not there is named in plain words"
        await teams.until_settled()
        assert len([reply for reply in card.replies if "Reminder" in reply.shown]) == 1


async def test_in_a_chat_what_is_said_names_the_card(settings: Settings) -> None:
    policy = "defaults: {timeout: 1h, remind: [10m]}"
    async with house(settings, policy=policy) as teams:
        await teams.cloud.install(teams.ana.direct)
        asked = await teams.ask(to=[teams.person(teams.ana)], timeout_s=3600)
        await teams.card(asked)
        await let_pass(teams.live.store, asked, 10 * MINUTE)
        reminder = await teams.cloud.wait_for_post(teams.ana, "About: Send this e-mail to alice@example.com")
        assert "Reminder: nobody has answered for 10 min" in reminder.shown


async def test_what_failed_is_told_below_the_card_once(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Approve")
    decided = await teams.agent.wait(asked["id"])
    permit = (await teams.agent.claim(decided)).ok()
    await teams.agent.report(decided, "failed", claimant=permit["claimant"], error=f"no such host\n{HOSTILE}")
    await told_below(card, "Failed: send_email")
    await teams.until_settled()
    assert len([reply for reply in card.replies if "no such host" in reply.shown]) == 1


async def test_whoever_decided_hears_in_their_chat_that_it_came_to_nothing(teams: House) -> None:
    await teams.cloud.install(teams.mira.direct)
    for status in ("failed", "executed"):
        asked, card = await teams.asked_card()
        await teams.mira.press(card, "Approve")
        decided = await teams.agent.wait(asked["id"])
        permit = (await teams.agent.claim(decided)).ok()
        error = {"error": "no such host"} if status == "failed" else {"result": "sent"}
        await teams.agent.report(decided, status, claimant=permit["claimant"], **error)
        await card.shows("no such host" if status == "failed" else "Done")
        await teams.until_settled()
        if status == "failed":
            await teams.cloud.wait_for_post(teams.mira, "What you decided could not be done.")
        told = [message.shown for message in teams.mira.dms if "What you decided" in message.shown]
        assert len(told) == 1, "of what went well nobody needs to hear"


async def test_an_undo_that_failed_calls_whoever_wanted_it(teams: House) -> None:
    asked = await teams.agent.review(to=[teams.place()])
    card = await teams.card(asked)
    await teams.mira.press(card, "Undo it", {"Why? (optional)": "The wrong template"})
    decided = await teams.agent.wait(asked["id"])
    assert decided["decision"]["reason"] == "The wrong template"
    await teams.agent.report(decided, "undo_failed", error="it is gone")
    alarm = await told_below(card, "The undo failed")
    assert alarm.mentions == [teams.mira.id]


# --- notices and digests ---


async def test_a_notice_appears_once_and_literally(teams: House) -> None:
    path = f"/v1/runs/{await teams.agent.run()}/notices"
    assert (await teams.agent.call("POST", path, {"text": HOSTILE * 5, "to": [teams.place()]})).status == 202
    await teams.cloud.wait_for_post(teams.ops, "Notice from")
    await teams.until_settled()
    assert len(teams.cloud.posts(teams.ops)) == 1


DIGESTS = "caps: {burst: 2, burst_within: 1h}\n"


async def small_asks(teams: House, count: int) -> list[Json]:
    made = []
    for number in range(count):
        action = {"tool": "send_email", "args": {"subject": f"Report {number}"}}
        made.append(await teams.ask(what=f"Send e-mail {number}", reversible=True, action=action))
    return made


async def the_digest(teams: House, waiting: int) -> Message:
    await teams.until_settled()
    return await teams.cloud.wait_for_post(teams.ops, f"{waiting} asks wait for an answer")


async def test_a_digest_is_answered_row_by_row_and_all_at_once(settings: Settings) -> None:
    async with house(settings, policy=DIGESTS) as teams:
        made = await small_asks(teams, 5)
        digest = await the_digest(teams, 3)
        first = next(each for each in actions(digest.card or {}) if each.title == "Reject")
        pressed = await late(teams.mira, digest, first.source)
        assert pressed.said == "Recorded. This message shows it in a moment."
        assert await teams.state(made[2]) == "decided"
        await digest.shows("2 asks wait for an answer")
        both = await teams.ana.press(digest, "Approve 2 asks")
        assert both.said == "Approved 2 asks."
        assert [await teams.state(each) for each in made] == [*["pending"] * 2, *["decided"] * 3]
        await digest.shows("All of these have ended")


async def test_all_shown_means_what_was_shown_and_no_stranger_answers_it(settings: Settings) -> None:
    async with house(settings, policy=DIGESTS) as teams:
        guest = teams.cloud.person("Gus", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
        teams.ops.team.members.append(guest)
        made = await small_asks(teams, 4)
        digest = await the_digest(teams, 2)
        seen = button(digest.card or {}, "Approve 2 asks")
        refused = await late(guest, digest, seen)
        assert refused.said.startswith("Approved 0 of 2. Skipped:")
        assert "guests may not answer" in refused.said
        (await teams.live.person.approve(made[2])).ok()
        skipped = await late(teams.ana, digest, seen)
        assert skipped.said.startswith("Approved 1 of 2. Skipped:")
        assert await teams.state(made[3]) == "decided"


async def test_who_left_answers_nothing_of_a_list_from_elsewhere(settings: Settings) -> None:
    """T7: what a button carries is the client's word; who may answer depends on where the rows were to go."""
    async with house(settings, policy=DIGESTS) as teams:
        zed = teams.cloud.person("Zed", email="zed@example.com")
        elsewhere = teams.cloud.chat(zed)
        await teams.cloud.install(elsewhere)
        other = await teams.plant(elsewhere)
        made = await small_asks(teams, 4)
        seen = button((await the_digest(teams, 2)).card or {}, "Approve 2 asks")
        refused = await late(zed, other, seen)
        assert refused.said == "This card is not one of ours any more; open it again. Your press changed nothing."
        assert [await teams.state(each) for each in made] == ["pending"] * 4


# --- hostile texts ---


async def test_hostile_text_stays_text_wherever_it_goes(settings: Settings) -> None:
    """T3, T4: in cards, forms, dialogs, stories, notices and alarms; also the name of whoever presses."""
    async with house(settings) as teams:
        eve = teams.cloud.person(HOSTILE[:80], email="eve@example.com")
        guest = teams.cloud.person(HOSTILE[80:160], tenant=teams.cloud.tenant("Fabrikam"), guest=True)
        teams.ops.team.members += [eve, guest]
        run = (await teams.agent.call("POST", "/v1/runs", {"name": HOSTILE[:100], "requester": HOSTILE[:100]})).ok()
        for ask in hostile(HOSTILE):
            body = {"gate": "send_email", "run": run["id"], "to": [teams.place()], "timeout_s": 600, **ask}
            asked = (await teams.agent.open(body)).ok()
            card = await teams.card(asked)
            await guest.look(card)
            no = next(each.source for each in actions(card.card or {}) if each.title in NOES)
            assert "guests may not answer" in (await late(guest, card, no)).said
            await answer_it(teams, eve, asked, card)
            assert "so your press changed nothing" in (await late(teams.ana, card, no)).said
            now = await teams.agent.wait(asked["id"], revision=2)
            if now["decision"]["kind"] in {"approved", "edited", "chosen"} and ask.get("timing") != "after":
                permit = (await teams.agent.claim(now)).ok()
                await teams.agent.report(now, "failed", claimant=permit["claimant"], error=f"{HOSTILE}\n" * 20)
            elif ask.get("timing") == "after":
                await teams.agent.report(now, "undo_failed", error=HOSTILE)
        await teams.until_settled()


NOES = {"Reject", "Undo it", "None of these", "Do not answer"}


async def answer_it(teams: House, by: Person, asked: Json, card: Message) -> None:
    """Answer, with hostile words where words are taken."""
    titles = [each.title for each in actions(card.card_for(by))]
    if "Look at it, then choose…" in titles:
        looked = await by.press(card, "Look at it, then choose…", {"choice": "1"})
        done = await by.press(card, "Choose this one", {"Anything to add? (optional)": HOSTILE})
        assert looked.view
    elif "Answer" in titles:
        menu = next(each for each in (card.card or {})["body"] if each.get("id") == "form-answer")["items"][0]
        done = await by.press(card, "Answer", {menu["id"]: "0" if menu.get("choices") else HOSTILE})
    elif "Undo it" in titles:
        done = await by.press(card, "Undo it", {"Why? (optional)": HOSTILE})
    else:
        done = await by.press(card, "Reject", {"Why? (optional)": HOSTILE})
    assert not done.failed, done.delivery
    assert (await teams.agent.look(asked["id"]))["state"] == "decided", (done.said, done.shown[-800:])


def test_the_checker_sees_what_is_live(tmp_path: Path) -> None:
    """It would be no use if it saw nothing."""
    from tests.flows.teams_house import live_marks

    cloud = TeamsCloud()
    mira = cloud.person("Mira")
    chat = cloud.chat(mira)
    bad = [
        {"type": "TextBlock", "text": "[x](https://evil.example)"},
        {"type": "TextBlock", "text": "see https://evil.example"},
        {"type": "TextBlock", "text": "<at>everyone</at>"},
        {"type": "Image", "url": "https://evil.example/x.png"},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "a\u202eb"}]},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "{{DATE(2026-01-01)}}"}]},
        {"type": "Input.Text", "id": "x", "label": "www.evil.example"},
        {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "x", "url": "https://evil.example"}]},
    ]
    for each in bad:
        card = {"type": "AdaptiveCard", "version": "1.5", "body": [each]}
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        source = {"type": "message", "attachments": [attachment]}
        chat.messages[:] = [Message(chat, "1", None, source)]
        assert list(live_marks(cloud, ["http://ours.example"])), each
