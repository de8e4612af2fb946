"""What a yes takes besides a press, on every surface: the card's number, and for what is critical all of it opened."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot import tally
from bot.config import Settings
from tests.adapters.web_surface import WebSurface, web_surface
from tests.fakes.desk import EMAIL, handoff
from tests.fakes.slack.people import Person
from tests.flows.slack_house import House, house
from tests.people import Caller, Json
from tests.servers import Live, live, until

NUMBER = "rules: [{name: mail, do: ask, step_up: number}]"
CRITICAL = "rules: [{name: mail, do: ask, step_up: critical}]"


def other(code: str) -> str:
    return "10" if code != "10" else "11"


@pytest.fixture
async def service(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Live]:
    """A service with the policy that the test names."""
    path = tmp_path / "policy.yaml"
    path.write_text(getattr(request, "param", NUMBER))
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


async def code_of(service: Live, asked: Json) -> str:
    """As a person reads it."""
    return str((await service.person.look(asked["id"]))["code"])


def test_every_revision_has_a_number_of_two_digits_of_its_own() -> None:
    one = handoff(EMAIL)
    assert tally.number(one) == "", "nobody asked for it"
    one = replace(one, route=replace(one.route, step_up="number"))
    numbers = [tally.number(replace(one, revision=n)) for n in range(1, 2_000)]
    assert tally.number(one) == numbers[0], "it is the same at every look"
    assert set(numbers) == {str(n) for n in range(10, 100)}


# --- the API ---


async def test_a_yes_repeats_the_number(service: Live) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    assert "code" not in await service.agent.look(asked["id"]), "the agent need not know it"
    bare = await service.person.approve(asked)
    assert (bare.status, bare.problem, bare.body["errors"][0]["field"]) == (422, "invalid-answer", "code")
    wrong = await service.person.approve(asked, code=other(code))
    assert wrong.body["errors"] == [{"field": "code", "detail": "that is not the card's number; 2 more tries"}]
    assert (await service.agent.look(asked["id"]))["state"] == "pending"
    assert (await service.person.approve(asked, code=code)).ok()["decision"]["kind"] == "approved"


async def test_a_no_needs_no_number(service: Live) -> None:
    asked = await service.agent.ask()
    assert (await service.person.reject(asked)).ok()["decision"]["kind"] == "rejected"


async def test_an_edit_that_approves_needs_it_and_one_for_others_does_not(service: Live) -> None:
    asked = await service.agent.ask()
    args = {"to": "bob@example.com", "subject": "s", "body": "b"}
    assert (await service.person.edit(asked, args)).problem == "invalid-answer"
    before = await code_of(service, asked)
    saved = (await service.person.edit(asked, args, approve=False)).ok()
    after = await code_of(service, asked)
    said = await service.person.approve(saved, code=after)
    assert said.ok()["decision"]["kind"] == "edited", (before, after)


async def test_a_choice_and_an_answer_need_it_too(service: Live) -> None:
    asked = await service.agent.choose({"id": "a", "label": "A"}, {"id": "b", "label": "B"})
    assert (await service.person.pick(asked, "a")).problem == "invalid-answer"
    picked = {"kind": "choose", "choice": "a", "code": await code_of(service, asked)}
    assert (await service.person.answer(asked, picked)).status == 200
    asked = await service.agent.ask_for()
    assert (await service.person.say(asked, "40")).problem == "invalid-answer"
    said = {"kind": "answer", "answer": "40", "code": await code_of(service, asked)}
    assert (await service.person.answer(asked, said)).status == 200


async def test_after_three_wrong_numbers_a_person_waits_a_minute(service: Live) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    told = [
        (await service.person.approve(asked, code=other(code))).body["errors"][0]["detail"].partition("; ")[2]
        for _ in range(3)
    ]
    assert told == ["2 more tries", "one more try", "wait a minute before the next try"]
    waits = await service.person.approve(asked, code=code)
    assert waits.problem == "invalid-answer"
    assert "three wrong numbers: wait" in waits.body["detail"]
    assert (await (await service.new_person("ana@example.com")).approve(asked, code=code)).status == 200


@pytest.mark.parametrize("service", [CRITICAL], indirect=True)
async def test_what_is_critical_takes_two_who_each_opened_all_of_it(service: Live) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    ana = await service.new_person("ana@example.com")
    unseen = await service.person.approve(asked, code=code)
    assert unseen.body["errors"][0]["field"] == "seen"
    assert (await service.person.approve(asked, seen="full")).body["errors"][0]["field"] == "code"
    first = (await service.person.approve(asked, code=code, seen="full")).ok()
    assert (first["state"], len(first["votes"])) == ("pending", 1)
    twice = await service.person.approve(asked, code=code, seen="full")
    assert (twice.status, twice.problem) == (409, "already-voted")
    assert twice.body["detail"].endswith("one more person is needed.")
    decided = (await ana.approve(asked, code=code, seen="full")).ok()["decision"]
    assert [vote["by"]["id"] for vote in decided["votes"]] == ["mira@example.com", "ana@example.com"]


# --- the console ---


@pytest.fixture
async def console(service: Live) -> AsyncIterator[WebSurface]:
    async with web_surface() as opened:
        await opened.attach(service)
        yield opened


async def press(console: WebSurface, asked: Json, *, full: bool = False, by: str = "mira", **typed: str) -> str:
    """Approve in the console, on the page that shows all of it or on the plain one; returns what is said then."""
    form = await console._form(asked, by, "?full=1" if full else "")
    sent: Mapping[str, str] = {**form, "kind": "approve", **typed}
    return (await console._send(asked, by, dict(sent))).private


async def test_the_console_has_a_field_for_the_number(service: Live, console: WebSurface) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    assert f"The number of this card is {code}" in await console.text(asked)
    assert "Type the two digits that the card shows" in await press(console, asked)
    assert "That is not the card's number; 2 more tries" in await press(console, asked, code=other(code))
    assert (await service.agent.look(asked["id"]))["state"] == "pending"
    assert await press(console, asked, code=code) == ""
    assert (await service.agent.look(asked["id"]))["decision"]["kind"] == "approved"


@pytest.mark.parametrize("service", [CRITICAL], indirect=True)
async def test_the_console_wants_all_of_it_opened(service: Live, console: WebSurface) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    assert "approve" not in await console.can(asked)
    assert "open it in full first" in await press(console, asked, code=code)
    assert await press(console, asked, code=code, full=True) == ""
    text = await console.text(asked)
    assert "Any full member, 1 of 2 said yes: mira. One more person is needed." in text
    assert "you said yes already" in await press(console, asked, code=code, full=True)
    assert await press(console, asked, code=code, full=True, by="ana") == ""
    assert "mira and ana approved this" in await console.text(asked)


# --- Slack ---


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, policy=NUMBER) as opened:
        yield opened


async def test_slack_asks_for_the_number_in_a_window_that_shows_it_again(slack: House) -> None:
    asked, card = await slack.asked_card()
    code = str((await slack.live.person.look(asked["id"]))["code"])
    assert f"The number of this card: {code}" in card.shown
    assert "Approve" not in card.buttons
    modal = await (await slack.mira.press(card, "Read it all, then decide")).opened()
    assert "alice@example.com" in modal.shown
    await modal.fill("Type the number of this card", other(code))
    wrong = await modal.submit()
    assert wrong.errors == {"Type the number of this card": "that is not the card's number; 2 more tries"}
    assert await slack.state(asked) == "pending"
    await modal.fill("Type the number of this card", code)
    assert (await modal.submit()).closed
    assert (await slack.agent.look(asked["id"]))["decision"]["kind"] == "approved"


async def test_a_forged_tap_is_no_yes_to_what_takes_a_number(slack: House) -> None:
    """The button is not on the card; a payload of one's own opens the window, and nothing more."""
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Read it all, then decide")
    payload = slack.last("block_actions")
    payload["actions"][0]["action_id"] = "andon:approve"
    await slack.send(payload)
    assert await slack.state(asked) == "pending"


async def test_slack_shows_votes_as_they_come_and_takes_what_is_critical_from_the_whole(settings: Settings) -> None:
    async with house(settings, policy=CRITICAL) as slack:
        asked, _ = await slack.asked_card()
        code = str((await slack.live.person.look(asked["id"]))["code"])

        async def yes(by: Person) -> None:
            found = await slack.card(asked)
            modal = await (await by.press(found, "Read it all, then decide")).opened()
            await modal.fill("Type the number of this card", code)
            assert (await modal.submit()).closed

        await yes(slack.mira)

        async def shown() -> bool:
            return (
                "Any full member, 1 of 2 said yes: Mira. One more person is needed." in (await slack.card(asked)).shown
            )

        await until(shown, what="the card says who said yes")
        modal = await (await slack.mira.press(await slack.card(asked), "Read it all, then decide")).opened()
        await modal.fill("Type the number of this card", code)
        again = await modal.submit()
        assert again.view
        assert "Mira, you said yes already" in again.view.shown
        await yes(slack.ana)
        assert (await slack.agent.wait(asked["id"]))["decision"]["kind"] == "approved"


async def test_a_vote_in_the_console_and_one_in_slack_are_of_one_person(settings: Settings) -> None:
    async with house(settings, policy="rules: [{name: mail, do: ask, quorum: 2}]") as slack:
        asked, card = await slack.asked_card()
        assert (await slack.live.person.approve(asked)).ok()["state"] == "pending", "mira@example.com, with a key"
        pressed = await slack.mira.press(card, "Approve")
        await pressed.hears("one more person is needed")
        assert await slack.state(asked) == "pending"
        await slack.ana.press(await slack.card(asked), "Approve")
        decision = (await slack.agent.wait(asked["id"]))["decision"]
        assert [vote["by"]["surface"] for vote in decision["votes"]] == ["api", "slack"]


# --- the number is for people ---


async def test_whoever_has_the_handoff_s_token_reads_no_number(service: Live) -> None:
    asked = await service.agent.ask()
    async with Caller(service.url, asked["token"]) as bearer:
        read = await bearer.look(asked["id"])
    assert read["state"] == "pending"
    assert "code" not in read, "the token is the agent's too"
    assert await code_of(service, asked)


async def test_nobody_can_work_the_number_out(service: Live) -> None:
    """From all that an agent can read, with the very function that the service uses."""
    told, worked_out = [], []
    for _ in range(6):
        asked = await service.agent.ask()
        kept = await service.store.handoffs.load(asked["id"])
        assert kept
        assert kept.route.draw
        assert kept.route.draw not in str(await service.agent.look(asked["id"]))
        assert kept.route.draw not in str(await service.person.look(asked["id"]))
        told.append(await code_of(service, asked))
        worked_out.append(tally.number(replace(kept, route=replace(kept.route, draw=""))))
    assert told != worked_out, "the number hangs on nothing that is secret"


async def test_a_reply_cannot_hand_the_number_to_a_person(service: Live) -> None:
    asked = await service.agent.ask()
    code = await code_of(service, asked)
    (await service.person.answer(asked, {"kind": "more_info", "question": "What is it?"})).ok()
    text = f"Type {code}, that is {code[0]} {code[1]}; not 1{code}."
    path = f"/v1/handoffs/{asked['id']}/reply"
    assert (await service.agent.call("POST", path, {"text": text}, key="once")).status < 300
    shown = (await service.person.look(asked["id"]))["questions"][0]["replies"][0]["text"]
    assert shown == f"Type ••, that is ••; not 1{code}."
    own = (await service.agent.look(asked["id"]))["questions"][0]["replies"][0]["text"]
    assert own == text, "what is hidden from it would tell it the number"
