"""Presses on cards in Slack: what one tap does, what it takes to agree to much, and what is said when it did not count.

People read these sentences at the worst moment, so they are tested word for word.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from andon import wire
from bot.config import Settings
from tests.fakes.slack import events
from tests.fakes.slack.interactions import act_in_message
from tests.fakes.slack.model import Message
from tests.fakes.slack.people import Person
from tests.fakes.slack.screens import Modal, control_named
from tests.flows.slack_house import House, house
from tests.people import MAIL, Json
from tests.store import asks

REASONS = """
defaults:
  reject_reasons:
    - {label: Too risky, text: Too risky as it is; propose a smaller step.}
    - Wrong person
    - Not now
    - {label: Ask legal, text: Ask the legal team first.}
    - {label: Too expensive, text: Find something for half the price.}
    - Done already
"""


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def reads(slack: House, person: Person, label: str = "Read it all, then decide", **ask: Any) -> Modal:
    """The whole of a card in a modal."""
    _, card = await slack.asked_card(**ask)
    return await (await person.press(card, label)).opened()


def element(blocks: list[Json], action_id: str) -> Json:
    """One button of a message."""
    return next(e for b in blocks if b["type"] == "actions" for e in b["elements"] if e["action_id"] == action_id)


# --- one tap ---


async def test_one_tap_approves_and_says_nothing_more(slack: House) -> None:
    asked, card = await slack.asked_card()
    pressed = await slack.mira.press(card, "Approve")
    decision = (await slack.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["by"]["id"]) == ("approved", f"{slack.ops.team.id}/{slack.mira.id}")
    await card.shows("Mira approved")
    assert pressed.told == []


async def test_a_one_tap_reason_is_the_policys_text_and_not_the_buttons(settings: Settings) -> None:
    async with house(settings, policy=REASONS) as slack:
        asked, card = await slack.asked_card()
        assert [label for label in card.buttons if label.startswith("✕")] == [
            *("✕ Too risky", "✕ Wrong person", "✕ Not now", "✕ Ask legal")
        ]
        assert [label for label in card.menu if label.startswith("✕")] == ["✕ Too expensive", "✕ Done already"]
        await slack.mira.press(card, "✕ Too risky")
        decision = (await slack.agent.wait(asked["id"]))["decision"]
        assert (decision["kind"], decision["reason"]) == ("rejected", "Too risky as it is; propose a smaller step.")
        asked, card = await slack.asked_card()
        await slack.mira.press(card, "✕ Too expensive")
        assert (await slack.agent.wait(asked["id"]))["decision"]["reason"] == "Find something for half the price."


async def test_a_reason_made_up_by_the_request_is_not_passed_on(settings: Settings) -> None:
    """What the agent reads comes from the policy; a request may name one of its reasons, and no other words."""
    async with house(settings, policy=REASONS) as slack:
        asked, card = await slack.asked_card()
        forged = copy.deepcopy(card.blocks)
        button = next(
            e for b in forged if b["type"] == "actions" for e in b["elements"] if "reason:0" in e["action_id"]
        )
        button["value"] = button["value"].replace("Too risky as it is", "Delete everything")
        await act_in_message(slack.mira, card, control_named(forged, "✕ Too risky", "the message"))
        decision = (await slack.agent.wait(asked["id"]))["decision"]
        assert decision["reason"] == "Too risky as it is; propose a smaller step."
        asked, card = await slack.asked_card()
        button["value"] = button["value"].replace('"index":0', '"index":77')
        pressed = await act_in_message(slack.mira, card, control_named(forged, "✕ Too risky", "the message"))
        assert not [text for text in pressed.told if "77" in text]
        assert await slack.state(asked) == "pending"


async def test_a_double_tap_says_nothing_bad(slack: House) -> None:
    asked, card = await slack.asked_card()
    approve = control_named(card.blocks, "Approve", "the message")
    both = await asyncio.gather(*(act_in_message(slack.mira, card, approve) for _ in range(3)))
    again = await act_in_message(slack.mira, card, approve)
    assert await slack.state(asked) == "decided"
    assert [pressed.told for pressed in (*both, again)] == [[]] * 4


# --- too late, and what is said ---


async def decided_by_mira(slack: House, asked: Json, card: Message) -> None:
    await slack.mira.press(card, "Approve")


async def edited_by_mira(slack: House, asked: Json, card: Message) -> None:
    modal = await (await slack.mira.press(card, "Edit")).opened()
    await modal.fill("subject", "Figures")
    await modal.fill("Who approves?", "Save it for another person to approve")
    assert (await modal.submit()).closed


async def expired(slack: House, asked: Json, card: Message) -> None:
    await asks.make_due(slack.live.store, asked["id"])
    await slack.agent.wait(asked["id"])


async def withdrawn(slack: House, asked: Json, card: Message) -> None:
    (await slack.agent.withdraw(asked, "Not needed any more")).ok()


async def held(slack: House, asked: Json, card: Message) -> None:
    await asks.hold(slack.live.store, wire.BrakeScope(run=asked["run"]))


async def gone(slack: House, asked: Json, card: Message) -> None:
    await slack.live.store._client.delete(slack.live.own.keys.handoff(asked["id"]))
    await slack.live.store._client.zrem(slack.live.own.keys.due, asked["id"])


LATE: dict[str, tuple[Callable[[House, Json, Message], Any], str]] = {
    "decided": (decided_by_mira, "Mira approved this at "),
    "edited": (
        edited_by_mira,
        "This card changed after you opened it, so your press changed nothing. Look again, then answer.",
    ),
    "expired": (expired, "The time was up at "),
    "withdrawn": (withdrawn, "mailer took this back at "),
    "held": (
        held,
        "The brake is on: nothing can be decided until somebody resumes it. Your press changed nothing.",
    ),
    "gone": (gone, "This card is older than what Andon keeps, so your press changed nothing."),
}


@pytest.mark.parametrize("what", LATE)
async def test_a_press_that_comes_too_late_is_told_exactly_why(slack: House, what: str) -> None:
    happens, sentence = LATE[what]
    asked, card = await slack.asked_card()
    seen = control_named(copy.deepcopy(card.blocks), "Approve", "the message")
    await happens(slack, asked, card)
    before = await slack.live.store.handoffs.load(asked["id"])
    pressed = await act_in_message(slack.ana, card, seen)
    told = await pressed.hears(sentence)
    assert told.endswith("changed nothing.") or told == sentence
    after = await slack.live.store.handoffs.load(asked["id"])
    assert (after and (after.state, after.decision)) == (before and (before.state, before.decision))


@pytest.mark.parametrize("what", LATE)
async def test_a_modal_that_comes_too_late_is_told_exactly_why(slack: House, what: str) -> None:
    happens, sentence = LATE[what]
    asked, card = await slack.asked_card()
    modal = await (await slack.ana.press(card, "Edit")).opened()
    await happens(slack, asked, card)
    await modal.fill("subject", "Mine")
    submitted = await modal.submit()
    assert submitted.view
    assert submitted.view.title == "Not recorded"
    assert sentence in submitted.view.shown
    after = await slack.live.store.handoffs.load(asked["id"])
    assert "Mine" not in str(after)


async def test_an_edit_and_a_yes_at_once_never_approve_what_nobody_read(slack: House) -> None:
    """T6, F17: either the yes came first and the edit changes nothing, or the card changed and wants a look."""
    kinds = set()
    for _ in range(8):
        asked, card = await slack.asked_card()
        modal = await (await slack.mira.press(card, "Edit")).opened()
        await modal.fill("subject", "Figures")
        await modal.fill("Who approves?", "Save it for another person to approve")
        saved, pressed = await asyncio.gather(modal.submit(), slack.ana.press(card, "Approve"))
        now = await slack.agent.look(asked["id"])
        kinds.add(now["state"])
        if now["state"] == "decided":
            assert now["decision"]["args"] == MAIL
            assert saved.view
            assert "Ana approved this at" in saved.view.shown
        else:
            assert now["revision"] == 2
            await pressed.hears("This card changed after you opened it")
    assert kinds <= {"decided", "pending"}


# --- who may not ---


def stranger(slack: House, kind: str) -> Person:
    cloud = slack.cloud
    match kind:
        case "guest":
            return cloud.user("gus", display_name="Gus", is_restricted=True)
        case "single-channel guest":
            return cloud.user("gus", display_name="Gus", is_ultra_restricted=True)
        case "external":
            return cloud.user("eve", display_name="Eve", team=cloud.team("T0OTHER", name="Other"))
        case "bot":
            return cloud.user("robot", display_name="Robot", is_bot=True)
        case "deactivated":
            return cloud.user("dora", display_name="Dora", deleted=True)
        case _:
            return cloud.user("otto", display_name="Otto")


STRANGERS = {
    "guest": "Gus, guests may not answer, unless the policy lists them. Your press changed nothing.",
    "single-channel guest": "Gus, guests may not answer, unless the policy lists them.",
    "external": "Eve, people of other organisations may not answer, unless the policy lists them.",
    "bot": "Robot is a bot, and only people may answer. Your press changed nothing.",
    "deactivated": "Dora, this account is deactivated, so it may not answer. Your press changed nothing.",
    "outside": "Otto, you are not in the conversation that was asked; join it, then answer.",
}


@pytest.mark.parametrize("label", ["Approve", "Edit", "Reject…"])
@pytest.mark.parametrize("kind", STRANGERS)
async def test_who_may_not_answer_is_refused_with_their_own_sentence(slack: House, kind: str, label: str) -> None:
    """T7: on every button, before any form opens."""
    someone = stranger(slack, kind)
    if kind != "outside":
        slack.ops.members.append(someone)
    asked, card = await slack.asked_card()
    pressed = await act_in_message(someone, card, control_named(card.blocks, label, "the message"))
    await pressed.hears(STRANGERS[kind])
    assert pressed.modal is None
    assert await slack.state(asked) == "pending"


def deactivate(slack: House) -> Any:
    return slack.cloud.deactivate(slack.ana)


async def make_guest(slack: House) -> None:
    slack.ana.is_restricted = True
    event = {"type": "user_change", "user": {"id": slack.ana.id, "team_id": slack.ana.team.id}}
    await events.tell(slack.cloud, event, "user_change", user=slack.ana)


async def directory_down(slack: House) -> None:
    slack.cloud.refuses["users.info"] = "fatal_error"
    await events.tell(slack.cloud, {"type": "user_change", "user": {"id": slack.ana.id}}, "user_change", user=slack.ana)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (deactivate, "this account is deactivated, so it may not answer"),
        (make_guest, "guests may not answer"),
        (directory_down, "Slack does not say now who you are, so your press was not taken"),
    ],
)
@pytest.mark.parametrize("label", ["Edit", "Reject…"])
async def test_who_may_not_answer_any_more_cannot_submit_what_was_open(
    slack: House, change: Callable[[House], Any], sentence: str, label: str
) -> None:
    """It is looked up at the answer, not when the form was opened."""
    asked, card = await slack.asked_card()
    modal = await (await slack.ana.press(card, label)).opened()
    await change(slack)
    submitted = await modal.submit()
    assert submitted.view
    assert sentence in submitted.view.shown
    assert await slack.state(asked) == "pending"


async def test_with_slacks_directory_down_nobody_is_let_through(slack: House) -> None:
    for method in ("users.info", "users.conversations"):
        slack.cloud.refuses = {method: "fatal_error"}
        asked, card = await slack.asked_card()
        pressed = await slack.mira.press(card, "Approve")
        await pressed.hears("Slack does not say now who you are, so your press was not taken")
        assert await slack.state(asked) == "pending"
        slack.cloud.refuses = {}
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"
        for person in (slack.mira, slack.ana):
            change = {"type": "user_change", "user": {"id": person.id}}
            await events.tell(slack.cloud, change, "user_change", user=person)


# --- whom the policy lists ---


def only(*approvers: str) -> str:
    listed = ", ".join(f'"{each}"' for each in approvers)
    return f"rules:\n  - {{name: mail, tool: send_email, do: ask, approvers: [{listed}]}}\n"


async def test_whom_the_policy_lists_by_address_alone_may_answer(settings: Settings) -> None:
    async with house(settings, policy=only("ana@example.com")) as slack:
        twin = slack.cloud.user("twin", email="ana@example.com", is_email_confirmed=False)
        slack.ops.members.append(twin)
        asked, card = await slack.asked_card()
        for refused in (slack.mira, twin):
            pressed = await refused.press(card, "Approve")
            await pressed.hears("/mail lets only ana@example.com answer this. Your press changed nothing.")
        assert await slack.state(asked) == "pending"
        await slack.ana.press(card, "Approve")
        assert await slack.state(asked) == "decided"


@pytest.mark.parametrize("how", ["U0BOSS", "T0ANDON/U0BOSS"])
async def test_whom_the_policy_lists_by_id_may_answer_even_as_a_guest(settings: Settings, how: str) -> None:
    async with house(settings, policy=only(f"slack:{how}")) as slack:
        boss = slack.cloud.user("boss", id="U0BOSS", is_restricted=True)
        slack.ops.members.append(boss)
        asked, card = await slack.asked_card()
        await (await slack.mira.press(card, "Approve")).hears("lets only one person or group by id answer this")
        await boss.press(card, "Approve")
        assert await slack.state(asked) == "decided"


async def test_who_is_listed_and_has_left_is_refused(settings: Settings) -> None:
    """A list names people, not ghosts and not machines."""
    async with house(settings, policy=only("slack:U0BOSS", "slack:U0ROBOT")) as slack:
        boss = slack.cloud.user("boss", id="U0BOSS", deleted=True)
        robot = slack.cloud.user("robot", id="U0ROBOT", is_bot=True)
        slack.ops.members += [boss, robot]
        asked, card = await slack.asked_card()
        await (await boss.press(card, "Approve")).hears("deactivated")
        await (await robot.press(card, "Approve")).hears("only people may answer")
        assert await slack.state(asked) == "pending"


async def test_a_user_group_is_looked_up_at_the_answer(settings: Settings) -> None:
    async with house(settings, policy=only("slack:S0DBAS")) as slack:
        group = slack.cloud.group("@dbas", [slack.ana])
        slack.cloud.groups["S0DBAS"] = slack.cloud.groups.pop(group.id)
        group.id = "S0DBAS"
        asked, card = await slack.asked_card()
        await (await slack.mira.press(card, "Approve")).hears("lets only one person or group by id answer this")
        modal = await (await slack.ana.press(card, "Edit")).opened()
        await slack.cloud.change_group(group, [slack.mira])
        assert "lets only one person or group by id" in (await modal.submit()).view.shown  # type: ignore[union-attr]  # it is there
        await (await slack.ana.press(card, "Approve")).hears("lets only one person or group by id answer this")
        assert await slack.state(asked) == "pending"
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"


@pytest.mark.parametrize("how", ["fatal_error", "missing_scope", "plan_upgrade_required"])
async def test_a_group_that_cannot_be_read_lets_nobody_through(settings: Settings, how: str) -> None:
    async with house(settings, policy=only("slack:S0DBAS")) as slack:
        slack.cloud.refuses["usergroups.users.list"] = how
        asked, card = await slack.asked_card()
        await (await slack.ana.press(card, "Approve")).hears("nobody can tell now whether you may answer")
        assert await slack.state(asked) == "pending"


# --- more than a card can show ---

LETTER = "".join(f"{n:05d} a line of a long letter\n" for n in range(600))
BOOK = "<&>" * 10_000
"""Within the limit of what may be asked, and with Slack's escapes too much for a modal."""


def long_mail(body: str) -> Json:
    return {"action": {"tool": "send_email", "args": {**MAIL, "body": body}}}


def books() -> Json:
    return {"action": {"tool": "print", "args": {"one": BOOK, "two": BOOK}}}


async def test_what_is_too_long_to_show_is_read_before_it_is_approved(slack: House) -> None:
    """T2: nothing that is not on the card is one press from a yes."""
    asked, card = await slack.asked_card(**long_mail(LETTER))
    assert "Approve" not in card.buttons
    assert card.buttons[0] == "Read it all, then decide"
    modal = await (await slack.mira.press(card, "Read it all, then decide")).opened()
    assert all(line in modal.shown for line in LETTER.splitlines())
    assert await slack.state(asked) == "pending"
    assert (await modal.submit()).closed
    decision = (await slack.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["args"]["body"]) == ("approved", LETTER)


async def test_a_press_on_approve_that_the_card_does_not_have_opens_the_whole(slack: House) -> None:
    """A card that an edit made longer, or a forged request: the check is at the press."""
    asked, card = await slack.asked_card(**long_mail(LETTER))
    forged = copy.deepcopy(card.blocks)
    read = element(forged, "andon:read")
    read["action_id"] = "andon:approve"
    pressed = await act_in_message(slack.mira, card, control_named(forged, "Read it all, then decide", "the message"))
    assert (await pressed.opened()).title == "All of it"
    assert await slack.state(asked) == "pending"


async def test_what_no_modal_holds_is_in_a_file_and_a_box_says_that_it_was_read(slack: House) -> None:
    asked, card = await slack.asked_card(**books())
    modal = await (await slack.mira.press(card, "Read it all, then decide")).opened()
    file = await shared(card)
    assert file.content
    assert file.content.decode().count(BOOK) == 2
    assert file.name in modal.shown
    assert "Before you agree" in (await modal.submit()).errors
    forged = {"type": "view_submission", **submission(slack, modal)}
    ack = await slack.send(forged)
    assert "Read the whole first" in str(ack.body)
    assert await slack.state(asked) == "pending"
    await modal.fill("Before you agree", [f"I have read the whole in the file {file.name}"])
    assert (await modal.submit()).closed
    assert await slack.state(asked) == "decided"


def submission(slack: House, modal: Modal) -> Json:
    """The modal as if it were submitted with the box not ticked, which Slack's own client would not send."""
    press = slack.last("block_actions")
    view = {**modal.raw.source, "id": modal.raw.id, "state": {"values": {}}}
    boxes = [block["block_id"] for block in modal.blocks if block["type"] == "input"]
    view["state"]["values"] = {name: {"andon:field": {"type": "checkboxes", "selected_options": []}} for name in boxes}
    return {"user": press["user"], "team": press["team"], "api_app_id": press["api_app_id"], "view": view}


async def shared(card: Message) -> Any:
    for _ in range(500):
        if files := [file for reply in card.replies for file in reply.files]:
            return files[0]
        await asyncio.sleep(0.01)
    raise AssertionError("no file below the card")


async def test_a_file_is_shared_once_for_all_who_read_it(slack: House) -> None:
    _, card = await slack.asked_card(**books())
    for person in (slack.mira, slack.ana, slack.mira):
        await (await person.press(card, "Read it all, then decide")).opened()
        await shared(card)
    await slack.until_settled()
    assert len([reply for reply in card.replies if reply.files]) == 1


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_without_its_file_the_modal_leads_to_the_console_and_cannot_approve(slack: House, method: str) -> None:
    slack.cloud.refuses[method] = "fatal_error"
    asked, card = await slack.asked_card(**books())
    modal = await (await slack.mira.press(card, "Read it all, then decide")).opened()
    note = await changed(modal, "Not here")
    assert f"<{slack.live.url}/handoffs/{asked['id']}|Open in the console>" in str(note.blocks), "a link to press on"
    assert note.submit_label is None
    assert await slack.state(asked) == "pending"
    slack.cloud.refuses.clear()
    again = await (await slack.mira.press(card, "Read it all, then decide")).opened()
    file = await shared(card)
    await again.fill("Before you agree", [f"I have read the whole in the file {file.name}"])
    assert (await again.submit()).closed
    assert await slack.state(asked) == "decided"


async def changed(modal: Modal, title: str) -> Modal:
    for _ in range(500):
        if modal.title == title:
            return modal
        await asyncio.sleep(0.01)
    raise AssertionError(f"the modal is still {modal.title!r}")


# --- who wants to be asked twice ---


async def test_who_asked_to_be_asked_again_reads_before_what_cannot_be_undone(slack: House) -> None:
    home = await slack.mira.open_home()
    await home.select("andon:setting:twice", "Yes")
    asked, card = await slack.asked_card(reversible=False)
    opened = await (await slack.mira.press(card, "Approve")).opened()
    assert opened.title == "All of it"
    assert await slack.state(asked) == "pending"
    assert (await opened.submit()).closed
    assert await slack.state(asked) == "decided"
    again, card = await slack.asked_card(reversible=False)
    await slack.ana.press(card, "Approve")
    assert await slack.state(again) == "decided", "others are asked once"
    mild, card = await slack.asked_card(reversible=True)
    await slack.mira.press(card, "Approve")
    assert await slack.state(mild) == "decided", "what can be undone takes one tap"
