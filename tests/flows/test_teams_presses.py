"""Presses on cards in Teams: what one does, what it takes to agree to much, and what is said when it did not count.

People read these sentences at the worst moment, so they are tested word for word: they are those of every surface.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from andon import wire
from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.store.outbox import Outbox
from tests.fakes.teams import Message, Person, TeamsCloud, payloads
from tests.fakes.teams.cards import actions, elements
from tests.flows.teams_house import House, button, house, late
from tests.people import MAIL, Json
from tests.servers import until
from tests.store import asks

REASONS = """
defaults:
  reject_reasons:
    - {label: Too risky, text: Too risky as it is; propose a smaller step.}
    - Wrong person
"""


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def test_one_press_approves_and_the_reply_is_the_card_as_it_then_stands(teams: House) -> None:
    asked, card = await teams.asked_card()
    pressed = await teams.mira.press(card, "Approve")
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["by"]["id"]) == ("approved", f"{teams.cloud.home.id}/{teams.mira.aad}")
    assert decision["by"]["email"] == "mira@example.com"
    assert "Mira approved" in pressed.shown, "whoever pressed sees it in the reply"
    assert pressed.told == []
    await card.shows("Mira approved")
    assert "Approve" not in card.buttons, "and then everybody"


async def test_what_is_repeated_by_teams_is_one_answer(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Approve")
    before = await teams.agent.look(asked["id"])
    again = await teams.cloud.redeliver_last("adaptiveCard/action")
    assert again.acks[-1].body["type"] == "application/vnd.microsoft.card.adaptive"
    assert await teams.agent.look(asked["id"]) == before


async def test_a_one_tap_reason_is_the_policys_text_and_not_the_buttons(settings: Settings) -> None:
    async with house(settings, policy=REASONS) as teams:
        asked, card = await teams.asked_card()
        await teams.mira.press(card, "✕ Too risky")
        decision = (await teams.agent.wait(asked["id"]))["decision"]
        assert (decision["kind"], decision["reason"]) == ("rejected", "Too risky as it is; propose a smaller step.")
        asked, card = await teams.asked_card()
        forged = button(card.card or {}, "✕ Too risky")
        forged["data"]["andon"]["index"] = 77
        pressed = await late(teams.mira, card, forged)
        assert "That reason is not on this card any more" in pressed.said
        assert await teams.state(asked) == "pending"


async def test_a_double_press_says_nothing_bad(teams: House) -> None:
    asked, card = await teams.asked_card()
    approve = button(card.card or {}, "Approve")
    both = await asyncio.gather(*(late(teams.mira, card, approve) for _ in range(3)))
    again = await late(teams.mira, card, approve)
    assert await teams.state(asked) == "decided"
    assert [pressed.told for pressed in (*both, again)] == [[]] * 4
    assert all("Mira approved" in pressed.shown for pressed in (*both, again))


# --- too late, and what is said ---


async def decided_by_mira(teams: House, asked: Json, card: Message) -> None:
    await teams.mira.press(card, "Approve")


async def edited_by_mira(teams: House, asked: Json, card: Message) -> None:
    edited = await teams.mira.press(card, "Save for another to approve", {"subject (required)": "Figures"})
    assert "Figures" in edited.shown


async def expired(teams: House, asked: Json, card: Message) -> None:
    await asks.make_due(teams.live.store, asked["id"])
    await teams.agent.wait(asked["id"])


async def withdrawn(teams: House, asked: Json, card: Message) -> None:
    (await teams.agent.withdraw(asked, "Not needed any more")).ok()


async def held(teams: House, asked: Json, card: Message) -> None:
    await asks.hold(teams.live.store, wire.BrakeScope(run=asked["run"]))


async def gone(teams: House, asked: Json, card: Message) -> None:
    await teams.live.store._client.delete(teams.live.store.keys.handoff(asked["id"]))
    await teams.live.store._client.zrem(teams.live.store.keys.due, asked["id"])


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


@pytest.mark.parametrize("title", ["Approve", "Approve with changes", "Reject"])
@pytest.mark.parametrize("what", LATE)
async def test_a_press_that_comes_too_late_is_told_exactly_why(teams: House, what: str, title: str) -> None:
    happens, sentence = LATE[what]
    asked, card = await teams.asked_card()
    seen = button(card.card or {}, title)
    if title == "Approve with changes":
        seen["data"] |= {"field-0": "eve@example.com", "field-1": "Mine", "field-2": "x"}
    await happens(teams, asked, card)
    before = await teams.live.store.handoffs.load(asked["id"])
    pressed = await late(teams.ana, card, seen)
    assert sentence in pressed.said
    assert pressed.said.endswith("changed nothing.") or pressed.said == sentence
    after = await teams.live.store.handoffs.load(asked["id"])
    assert (after and (after.state, after.decision)) == (before and (before.state, before.decision))
    assert "Mine" not in str(after)


async def test_an_edit_and_a_yes_at_once_never_approve_what_nobody_read(teams: House) -> None:
    """T6, F17: either the yes came first and the edit changes nothing, or the card changed and wants a look."""
    for _ in range(6):
        asked, card = await teams.asked_card()
        save = teams.mira.press(card, "Save for another to approve", {"subject (required)": "Figures"})
        saved, pressed = await asyncio.gather(save, teams.ana.press(card, "Approve"))
        now = await teams.agent.look(asked["id"])
        if now["state"] == "decided":
            assert now["decision"]["args"] == MAIL
            assert "Ana approved this at" in saved.said
        else:
            assert now["revision"] == 2
            assert "This card changed after you opened it" in pressed.said


# --- who may not ---


def stranger(teams: House, kind: str) -> Person:
    cloud = teams.cloud
    match kind:
        case "guest":
            return cloud.person("Gus", tenant=cloud.tenant("Fabrikam"), guest=True)
        case "external":
            return cloud.person("Eve", tenant=cloud.tenant("Fabrikam"))
        case "anonymous":
            return cloud.person("Nobody", aad="")
        case _:
            return cloud.person("Otto")


STRANGERS = {
    "guest": "Gus, guests of this workspace may not answer, unless the policy lists them. Your press changed nothing.",
    "external": "Eve, people of other organisations may not answer, unless the policy lists them.",
    "anonymous": "You are not signed in to an organisation here, so you may not answer. Your press changed nothing.",
    "outside": "Otto, you are not in the conversation that was asked; join it, then answer.",
}


@pytest.mark.parametrize("title", ["Approve", "Approve with changes", "Reject"])
@pytest.mark.parametrize("kind", STRANGERS)
async def test_who_may_not_answer_is_refused_with_their_own_sentence(teams: House, kind: str, title: str) -> None:
    """T7: on every button; it is looked up at the press."""
    someone = stranger(teams, kind)
    teams.ops.team.members.append(someone)
    asked, card = await teams.asked_card()
    seen = button(card.card or {}, title)
    if kind == "outside":
        await teams.cloud.leave(teams.ops.team, someone)
    pressed = await late(someone, card, seen)
    assert STRANGERS[kind] in pressed.said
    assert await teams.state(asked) == "pending"


async def test_each_sees_the_buttons_that_they_may_press(settings: Settings) -> None:
    """A card that is looked at is drawn anew for whoever looks; who may not answer gets no buttons, and is told why."""
    async with house(settings, policy=only("ana@example.com")) as teams:
        asked, card = await teams.asked_card()
        assert "Approve" in card.buttons, "whoever's client asks for nothing can still answer"
        await teams.mira.look(card)
        await teams.ana.look(card)
        assert "Approve" not in card.buttons_for(teams.mira)
        assert "lets only ana@example.com answer this" in card.shown_to(teams.mira)
        assert "Approve" in card.buttons_for(teams.ana)
        await teams.ana.press(card, "Approve")
        assert await teams.state(asked) == "decided"


async def test_in_a_large_conversation_the_card_is_for_everybody(settings: Settings) -> None:
    """Teams draws a card anew for sixty people at most."""
    async with house(settings) as teams:
        teams.ops.team.members += [teams.cloud.person(f"P{number}") for number in range(60)]
        _, card = await teams.asked_card()
        assert "refresh" not in (card.card or {})
        assert "Approve" in card.buttons


def only(*approvers: str) -> str:
    listed = ", ".join(f'"{each}"' for each in approvers)
    return f"rules:\n  - {{name: mail, tool: send_email, do: ask, approvers: [{listed}]}}\n"


async def test_whom_the_policy_lists_by_address_or_id_may_answer(settings: Settings) -> None:
    boss = "11111111-2222-4333-8444-555555555555"
    async with house(settings, policy=only("ana@example.com", f"teams:{boss}")) as teams:
        twin = teams.cloud.person("Twin", email="ana@example.com", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
        chief = teams.cloud.person("Chief", aad=boss)
        teams.ops.team.members += [twin, chief]
        asked, card = await teams.asked_card()
        for refused in (teams.mira, twin):
            pressed = await late(refused, card, button(card.card or {}, "Approve"))
            assert "Your press changed nothing." in pressed.said
        assert await teams.state(asked) == "pending"
        await late(chief, card, button(card.card or {}, "Approve"))
        assert await teams.state(asked) == "decided"


DBAS = "22222222-2222-4333-8444-555555555555"


def _with_dbas(cloud: TeamsCloud) -> None:
    """A team of its own, of which Ana is."""
    ana = next(person for person in cloud.people.values() if person.name == "Ana")
    cloud.team("DBAs", [ana]).group_id = DBAS


async def test_a_teams_members_are_looked_up_at_the_answer(settings: Settings) -> None:
    async with house(settings, policy=only(f"teams:{DBAS}"), prepare=_with_dbas) as teams:
        asked, card = await teams.asked_card()
        refused = await late(teams.mira, card, button(card.card or {}, "Approve"))
        assert "Your press changed nothing." in refused.said
        await late(teams.ana, card, button(card.card or {}, "Approve"))
        assert await teams.state(asked) == "decided"


async def test_with_the_roster_down_nobody_is_let_through(teams: House) -> None:
    asked, card = await teams.asked_card()
    teams.cloud.refuse("member", "ServiceError", times=20)
    pressed = await teams.mira.press(card, "Approve")
    assert pressed.said == ("Teams does not say now who you are, so your press was not taken. Press again in a minute.")
    assert await teams.state(asked) == "pending"


async def test_with_the_store_away_the_press_says_so_and_counts_once_when_it_is_back(
    teams: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, card = await teams.asked_card()

    async def away(*_: object) -> None:
        raise StoreUnavailable("not confirmed")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "card_at", away)
        pressed = await teams.mira.press(card, "Approve")
    assert pressed.said == ("Andon could not record this: its store is away. Press again in a moment; it counts once.")
    assert await teams.state(asked) == "pending"
    await teams.cloud.redeliver_last("adaptiveCard/action")
    assert await teams.state(asked) == "decided"


# --- where the press comes from ---


async def test_a_press_from_a_conversation_that_has_no_such_card_is_refused(teams: House) -> None:
    """T7: who may answer depends on the conversation, so it must have the card."""
    asked, card = await teams.asked_card()
    elsewhere = teams.cloud.chat(teams.mira, teams.ana)
    await teams.cloud.install(elsewhere)
    forged = button(card.card or {}, "Approve")
    other = await teams.plant(elsewhere)
    pressed = await late(teams.mira, other, forged)
    assert pressed.said == "This card is not one of ours any more; open it again. Your press changed nothing."
    assert await teams.state(asked) == "pending"


async def test_a_card_whose_address_is_not_stored_yet_can_be_answered(
    teams: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, card = await teams.asked_card()

    async def unknown(*_: object) -> None:
        return None

    monkeypatch.setattr(Outbox, "card_at", unknown)
    await teams.mira.press(card, "Approve")
    assert await teams.state(asked) == "decided"


async def test_what_is_none_of_ours_is_refused(teams: House) -> None:
    asked, card = await teams.asked_card()
    for data in ({}, {"andon": 7}, {"andon": {"do": "approve"}}, {"andon": {"do": "fly", "handoff": asked["id"]}}):
        pressed = await late(teams.mira, card, {"type": "Action.Execute", "title": "x", "data": data})
        assert "This press is none that a card of ours can send" in pressed.said
    assert await teams.state(asked) == "pending"


# --- forms ---


async def test_what_is_wrong_with_an_edit_stands_beside_its_field_with_what_was_typed(teams: House) -> None:
    asked, card = await teams.asked_card()
    typed = {"to (required)": "b", "subject (required)": "Figures"}
    pressed = await teams.mira.press(card, "Approve with changes", typed)
    assert "Figures" in str(pressed.view), "nothing typed is lost"
    assert "⚠" in pressed.shown
    assert await teams.state(asked) == "pending"
    mended = await teams.mira.press(card, "Approve with changes", {"to (required)": "bob@example.com"})
    assert "Mira approved" in mended.shown
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert decision["args"] == {**MAIL, "to": "bob@example.com", "subject": "Figures"}


async def test_a_form_that_nobody_touched_changes_nothing(teams: House) -> None:
    odd = {"to": " alice@example.com ", "subject": "a\tb", "body": "one\r\ntwo\n\n\n\u200b"}
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in odd}}
    asked, card = await teams.asked_card(action={"tool": "send_email", "args": odd, "schema": schema})
    await teams.mira.press(card, "Approve with changes")
    assert (await teams.agent.wait(asked["id"]))["decision"]["args"] == odd


LETTER = "".join(f"{n:05d} a line of a long letter\n" for n in range(600))


def long_mail(body: str) -> Json:
    return {"action": {"tool": "send_email", "args": {**MAIL, "body": body}}}


async def test_what_is_too_long_to_show_is_read_in_a_dialog_before_it_is_approved(teams: House) -> None:
    """T2: nothing that is not on the card is one press from a yes."""
    asked, card = await teams.asked_card(**long_mail(LETTER))
    assert "Approve" not in card.buttons
    opened = await teams.mira.press(card, "Read it all, then decide")
    assert opened.dialog
    shown, dialog = opened.dialog.shown, opened.dialog
    while turn := next((each for each in dialog.buttons if each.startswith("Go on reading")), None):
        assert "Approve" not in dialog.buttons, "before the last page nobody agrees"
        turned = await dialog.submit(turn)
        assert turned.dialog
        dialog = turned.dialog
        shown += dialog.shown
    assert all(line in shown for line in LETTER.replace(" ", " ").splitlines())
    assert await teams.state(asked) == "pending"
    await dialog.submit("Approve")
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["args"]["body"]) == ("approved", LETTER)


async def test_a_press_on_approve_that_the_card_does_not_have_approves_nothing(teams: House) -> None:
    """A card that an edit made longer, or a forged request: the check is at the press."""
    asked, card = await teams.asked_card(**long_mail(LETTER))
    forged = button(card.card or {}, "Read it all, then decide")
    forged |= {"type": "Action.Execute", "data": {"andon": {**forged["data"]["andon"], "do": "approve"}}}
    pressed = await late(teams.mira, card, forged)
    assert "Part of this card was not shown: open it in full first." in pressed.said
    assert await teams.state(asked) == "pending"


@pytest.mark.parametrize("do", ["edit", "approve"])
async def test_nothing_that_was_not_shown_is_agreed_to_by_a_form_either(teams: House, do: str) -> None:
    asked, card = await teams.asked_card(**long_mail(LETTER))
    forged = button(card.card or {}, "Read it all, then decide")
    data = {
        "andon": {**forged["data"]["andon"], "do": do},
        "field-0": "bob@example.com",
        "field-1": "x",
        "field-2": "y",
    }
    pressed = await late(teams.mira, card, {"type": "Action.Execute", "title": "x", "data": data})
    assert "Part of this card was not shown: open it in full first." in f"{pressed.said}{pressed.view}"
    assert await teams.state(asked) == "pending"


async def test_a_dialog_that_comes_too_late_closes_with_the_reason(teams: House) -> None:
    asked, card = await teams.asked_card(**long_mail(LETTER))
    opened = await teams.ana.press(card, "Read it all, then decide")
    assert opened.dialog
    dialog = opened.dialog
    while turn := next((each for each in dialog.buttons if each.startswith("Go on reading")), None):
        turned = await dialog.submit(turn)
        assert turned.dialog
        dialog = turned.dialog
    (await teams.agent.withdraw(asked, "Not needed any more")).ok()
    closed = await dialog.submit("Approve")
    assert "mailer took this back at " in closed.said
    again = await late(teams.ana, card, {**button(card.versions[0].card or {}, "Read it all, then decide")})
    assert "mailer took this back at " in again.said


async def test_somebody_else_is_asked_and_the_agent_is_asked(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Ask the agent", {"What do you want to know?": "Which figures?"})
    await card.shows("Mira asked the agent")
    nobody = await teams.mira.press(card, "Ask")
    assert "Pick somebody, or type their address." in nobody.shown, nobody.shown[-600:]
    await teams.mira.press(card, "Ask", {"Or their e-mail address": "ana@example.com"})
    await card.shows("Mira asked ana@example.com")

    async def called() -> bool:
        return any(teams.ana.id in reply.mentions for reply in card.replies)

    await until(called, what=f"Ana is called below: {[each.source for each in card.replies]}")
    assert await teams.state(asked) == "pending"


async def test_a_question_that_teams_repeats_is_asked_once(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Ask the agent", {"What do you want to know?": "Which figures?"})
    for _ in range(2):
        await teams.cloud.redeliver_last("adaptiveCard/action")
    handoff = await teams.live.store.handoffs.load(asked["id"])
    assert handoff
    assert [aside.kind for aside in handoff.asides] == ["questioned"]


async def test_a_grant_goes_with_a_yes_that_was_read(settings: Settings) -> None:
    policy = """
rules:
  - {name: mail, tool: send_email, do: ask, grants: [{label: This address, life: 1h, same: [to]}]}
"""
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card()
        offered = next(title for title in card_titles(card) if title.startswith("1 h"))
        opened = await teams.mira.press(card, offered)
        assert "You would approve this, and don't ask again" in opened.shown
        granted = await teams.mira.press(card, "Approve and grant")
        assert "Mira approved" in granted.shown
        decision = (await teams.agent.wait(asked["id"]))["decision"]
        assert decision["grant"]


def card_titles(card: Message) -> list[str]:

    return [each.title for each in actions(card.card or {})]


# --- candidates ---


async def search(teams: House, by: Person, card: Message, query: str, source: str = "") -> list[str]:
    """Type into the menu of a choice."""
    menu = next(each for each, _ in elements(card.card or {}) if each.get("id") == "choice")
    dataset = source or menu["choices.data"]["dataset"]
    value = {"queryText": query, "queryOptions": {"skip": 0, "top": 15}, "dataset": dataset}
    sent = await teams.cloud.courier.send(payloads.invoke(teams.cloud, "application/search", card, by, value))
    assert sent.ack.body["type"] == "application/vnd.microsoft.search.searchResponse"
    return [each["title"] for each in sent.ack.body["value"]["results"]]


async def test_one_of_very_many_candidates_is_found_by_typing_and_read_before_it_is_chosen(teams: House) -> None:
    flights = [{"id": f"f{n}", "label": f"Flight {n:03d}", "details": f"Gate {n}"} for n in range(200)]
    asked = await teams.agent.choose(*flights, to=[teams.place()])
    card = await teams.card(asked)
    found = await search(teams, teams.mira, card, "flight 17")
    assert found[:10] == [f"Flight {n}" for n in range(170, 180)]
    assert len(found) <= 15
    elsewhere = await teams.plant(teams.cloud.chat(teams.mira))
    elsewhere.versions[:] = card.versions
    assert await search(teams, teams.mira, elsewhere, "flight") == [], "it is told only where its card is"
    forged = button(card.card or {}, "Look at it, then choose…")
    forged["data"]["choice"] = "171"
    looked = await late(teams.mira, card, forged)
    assert "Gate 171" in looked.shown
    chosen = await late(teams.mira, card, button(looked.view or {}, "Choose this one"))
    assert "Mira chose Flight 171" in chosen.shown
    assert (await teams.agent.wait(asked["id"]))["decision"]["choice"] == "f171"


async def test_nothing_is_chosen_before_it_is_picked_and_looked_at(teams: House) -> None:
    flights = [{"id": f"f{n}", "label": f"Flight {n}"} for n in range(3)]
    asked = await teams.agent.choose(*flights, to=[teams.place()])
    card = await teams.card(asked)
    nothing = await teams.mira.press(card, "Look at it, then choose…")
    assert "Pick one first." in nothing.shown
    back = await teams.mira.press(card, "Look at it, then choose…", {"choice": "1"})
    assert "Choose this one?" in back.shown
    assert "Look at it, then choose…" in (await teams.mira.press(card, "Back")).shown
    assert await teams.state(asked) == "pending"


# --- slowness ---


async def test_what_takes_longer_than_teams_waits_is_recorded_all_the_same(teams: House) -> None:
    asked, card = await teams.asked_card()
    teams.cloud.slow_s = 3.0
    pressed = await teams.mira.press(card, "Approve")
    teams.cloud.slow_s = 0.0
    assert (
        pressed.said
        == "This takes its time. If the card does not show your answer in a minute, press again: it counts once."
    )
    assert (await teams.agent.wait(asked["id"]))["decision"]["kind"] == "approved"
    await card.shows("Mira approved")


async def test_whoever_waited_in_vain_is_told_in_their_chat(teams: House) -> None:
    guest = teams.cloud.person("Gus", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(guest)
    await teams.cloud.install(guest.direct)
    asked, card = await teams.asked_card()
    teams.cloud.slow_s = 3.0
    pressed = await late(guest, card, button(card.card or {}, "Approve"))
    teams.cloud.slow_s = 0.0
    assert pressed.said.startswith("This takes its time.")
    await teams.cloud.wait_for_post(guest, "guests of this workspace may not answer")
    assert await teams.state(asked) == "pending"


async def test_whoever_it_is_for_cannot_say_yes_where_the_policy_wants_another(settings: Settings) -> None:
    """T8: known by their id on Teams; their own view says so, and has no yes."""
    policy = "rules:\n  - {name: mail, tool: send_email, do: ask, not_requester: true}\n"
    async with house(settings, policy=policy) as teams:
        mira = f"teams:{teams.cloud.home.id}/{teams.mira.aad}"
        run = (await teams.agent.call("POST", "/v1/runs", {"name": "mail", "requester": mira})).ok()
        asked, card = await teams.asked_card(run=run["id"])
        await teams.mira.look(card)
        assert "Approve" not in card.buttons_for(teams.mira)
        assert "You asked for it, so another person must say yes. You may say no." in card.shown_to(teams.mira)
        pressed = await late(teams.mira, card, button(card.card or {}, "Approve"))
        assert "you asked for it" in pressed.said
        assert await teams.state(asked) == "pending"
        await teams.ana.press(card, "Approve")
        assert await teams.state(asked) == "decided"


# --- several people, and more care ---


async def test_a_vote_is_shown_to_whoever_gave_it_and_counts_once(settings: Settings) -> None:
    policy = "rules:\n  - {name: mail, tool: send_email, do: ask, quorum: 2}\n"
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card()
        first = await teams.mira.press(card, "Approve")
        assert "Mira" in first.shown
        again = await late(teams.mira, card, button(card.versions[0].card or {}, "Approve"))
        assert "Your press changed nothing." in again.said
        assert await teams.state(asked) == "pending"
        await card.shows("Mira")
        await teams.ana.press(card, "Approve")
        assert await teams.state(asked) == "decided"


async def test_what_takes_more_care_is_read_and_its_number_typed(settings: Settings) -> None:
    policy = "rules:\n  - {name: mail, tool: send_email, do: ask, step_up: number}\n"
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card()
        assert "Approve" not in card.buttons
        opened = await teams.mira.press(card, "Read it all, then decide")
        assert opened.dialog
        wrong = await opened.dialog.submit("Approve", {"code": "xx"})
        assert wrong.dialog
        assert "⚠" in wrong.dialog.shown
        assert await teams.state(asked) == "pending"
        number = re.search(r"The card says (\d\d)", wrong.dialog.shown)
        assert number
        done = await wrong.dialog.submit("Approve", {"code": number[1]})
        assert done.dialog is None, (done.said, done.dialog and done.dialog.shown)
        assert await teams.state(asked) == "decided"
