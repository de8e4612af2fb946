"""Presses on cards in Teams: what one does, what it takes to agree to much, and what is said when it did not count.

People read these sentences at the worst moment, so they are tested word for word: they are those of every surface.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from andon import wire
from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.store.outbox import Outbox
from tests.fakes.teams import Message, Person, TeamsCloud, payloads
from tests.flows.teams_house import House, button, house, late
from tests.people import MAIL, Json
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
    await teams.live.store._client.delete(teams.live.own.keys.handoff(asked["id"]))
    await teams.live.store._client.zrem(teams.live.own.keys.due, asked["id"])


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
    "guest": "Gus, guests may not answer, unless the policy lists them. Your press changed nothing.",
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


@pytest.mark.parametrize("do", ["refresh", "back", "open", "look", "stop", "again", "read", "search"])
async def test_nothing_of_a_card_is_shown_or_stopped_where_it_is_not(teams: House, do: str) -> None:
    """T7: a press that a client made up, by somebody who is not in the card's conversation."""
    flights = [{"id": "tp571", "label": "TP 571"}, {"id": "lh1166", "label": "LH 1166"}]
    asked = await teams.agent.choose(*flights, to=[teams.place()])
    await teams.card(asked)
    zed = teams.cloud.person("Zed", email="zed@example.com")
    elsewhere = teams.cloud.chat(zed)
    await teams.cloud.install(elsewhere)
    other = await teams.plant(elsewhere)
    own = {"do": do, "handoff": asked["id"], "revision": 1, "digest": asked["digest"], "index": 1, "sheet": "read"}
    name, value = "adaptiveCard/action", {"action": {"verb": do, "data": {"andon": own}}, "trigger": "manual"}
    if do == "read":
        name, value = "task/fetch", {"data": {"andon": {**own, "do": "open"}}}
    if do == "search":
        name, value = "application/search", {"dataset": f"andon:{asked['id']}", "queryText": ""}
    sent = await teams.cloud.courier.send(payloads.invoke(teams.cloud, name, other, zed, value))
    told = json.dumps(sent.ack.body)
    assert not [each for each in ("TP 571", "LH 1166", "Which flight") if each in told]
    assert do == "search" or "This card is not one of ours any more" in told
    assert await teams.state(asked) == "pending"


@pytest.mark.parametrize("changed", [{"digest": "0" * 64}, {"revision": 2}, {"digest": "0" * 64, "full": True}])
async def test_a_yes_to_something_else_than_what_stands_is_refused(teams: House, changed: Json) -> None:
    """What a button carries comes back from the client, which may have changed it."""
    asked, card = await teams.asked_card()
    forged = button(card.card or {}, "Approve")
    forged["data"]["andon"] |= changed
    pressed = await late(teams.mira, card, forged)
    assert "changed" in pressed.said
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
    await teams.cloud.wait_for_post(guest, "guests may not answer")
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


# --- several people ---


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
