"""The cord in Teams without words: reactions to cards, buttons, lists."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.teams import Message, Person
from tests.flows.teams_cord import DENIED, STOP_SIGN, becomes, brakes, plain, quiet, run_in, said, scopes, with_consent
from tests.flows.teams_house import House, button, house, late, told_below


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


# --- reactions ---


@pytest.mark.parametrize("sign, verb", [(STOP_SIGN, "stopped"), ("1f6d1", "stopped"), ("23f8_pausebutton", "paused")])
async def test_a_sign_on_a_card_stops_its_run(teams: House, sign: str, verb: str) -> None:
    run = await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.react(card, sign)
    told = await told_below(card, f"Ana {verb} this run.")
    assert "types @Andon resume in this thread" in plain(told)
    assert [each["scope"]["run"] for each in await brakes(teams)] == [run]


@pytest.mark.parametrize("sign", ["like", "angry", "heart", "sad", "1f440_eyes", "2705_whiteheavycheckmark", "zz_", ""])
async def test_other_reactions_say_something_else(teams: House, sign: str) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.react(card, sign)
    await quiet(teams)


async def test_a_reaction_that_is_taken_away_says_nothing(teams: House) -> None:
    run = await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.react(card, STOP_SIGN)
    await told_below(card, "Ana stopped this run.")
    await card.shows("Resume this run")
    await teams.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await teams.ana.react(card, STOP_SIGN, removed=True)
    await teams.until_settled()
    assert await brakes(teams) == []
    assert (await teams.agent.call("GET", f"/v1/runs/{run}")).ok()["state"] == "running"


async def test_a_sign_on_what_is_no_card_stops_nothing(teams: House) -> None:
    await run_in(teams)
    await teams.ana.say(teams.ops, "help", mention=True)
    told = await said(teams, "What you can ask me")
    await teams.ana.react(told, STOP_SIGN)
    await teams.until_settled()
    assert await brakes(teams) == []


async def test_a_sign_on_a_card_in_a_thread_is_about_that_card(teams: House) -> None:
    root = await teams.mira.say(teams.ops, "Please send the weekly report")
    await run_in(teams, teams.place(thread=root))
    asked = await teams.ask(to=[teams.place(thread=root)])
    card = await teams.card(asked)
    await run_in(teams, teams.place(thread=root), name="another")
    await teams.ana.react(card, STOP_SIGN)
    await told_below(root, "Ana stopped this run.")
    assert await scopes(teams) == [{"stop": {"run": asked["run"]}}]


async def test_a_sign_in_a_personal_chat_stops_the_run(teams: House) -> None:
    asked = await teams.ask(to=[teams.person(teams.ana)])
    card = await teams.card(asked, teams.ana.direct)
    await teams.ana.react(card, STOP_SIGN)
    await said(teams, "Ana stopped this run.", teams.ana)
    await becomes(teams, asked, "held")


# --- buttons of cards ---


async def test_a_button_of_a_card_stops_its_run_and_another_lets_it_go_on(teams: House) -> None:
    await run_in(teams)
    asked, card = await teams.asked_card()
    outcome = await teams.ana.press(card, "Stop this run")
    assert "Ana stopped this run. 1 ask is on hold." in outcome.said
    told = await told_below(card, "Ana stopped this run.")
    assert "types resume or presses Resume on the card" in plain(told)
    await card.shows("On hold: stopped")
    await teams.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await becomes(teams, asked, "pending")
    await card.shows("Approve send_email?")


async def test_a_press_that_teams_sends_again_is_one_stop_and_one_reply(teams: House) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.press(card, "Stop this run")
    await told_below(card, "Ana stopped this run.")
    await card.shows("Resume this run")
    await teams.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await teams.cloud.redeliver_last("adaptiveCard/action")
    stop = next(each for each in teams.cloud.deliveries if each.kind == "adaptiveCard/action")
    await teams.cloud.courier.once(stop)
    await teams.until_settled()
    assert await brakes(teams) == []
    assert sum("stopped this run" in each.shown for each in card.replies) == 1


async def test_a_stale_resume_lifts_nothing_newer(teams: House) -> None:
    """The card was on Mira's screen when Ana stopped more."""
    await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    stale = button(card.card_for(teams.mira), "Resume this run")
    await teams.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await teams.ana.say(teams.ops, "stop", thread=card)
    await told_below(card, "Ana stopped this run.")
    await card.shows("Resume this run")
    assert "Something else holds it now." in (await late(teams.mira, card, stale)).said
    assert len(await brakes(teams)) == 1


async def test_a_resume_after_it_went_on_says_so(teams: House) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    await teams.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    stale = button(card.card_for(teams.ana), "Resume this run")
    await teams.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    outcome = await late(teams.ana, card, stale)
    assert outcome.said == "This is not on hold any more. Your press changed nothing."


# --- lists ---


async def home(teams: House, person: Person) -> Message:
    await person.dm("home")
    return await said(teams, "Open the console", person)


async def test_home_shows_what_is_stopped_and_resumes_it(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    shown = await home(teams, teams.ana)
    assert "What is stopped" in plain(shown)
    assert "Mira stopped every run in its conversation" in plain(shown)
    assert "Ops / deploys" in plain(shown)
    assert "on hold" in plain(shown)
    outcome = await teams.ana.press(shown, "Resume every run in its conversation")
    assert outcome.said.startswith("Ana resumed every run in its conversation (Ops / deploys).")
    assert await brakes(teams) == []
    again = await teams.ana.press(shown, "Resume every run in its conversation")
    assert again.said == "That brake is not on any more, or holds nothing that you can see."


async def test_home_shows_nothing_of_conversations_that_i_am_not_in(teams: House) -> None:
    secret = teams.cloud.chat(teams.mira, name="Secret")
    await teams.cloud.install(secret)
    await run_in(teams, teams.place(secret))
    await teams.mira.say(secret, "stop", mention=True)
    await said(teams, "Mira stopped every run", secret)
    assert "What is stopped" not in (await home(teams, teams.ana)).shown
    assert "Secret" in (await home(teams, teams.mira)).shown
    await teams.ana.dm("brakes")
    await said(teams, "Nothing is stopped that you can see.", teams.ana)


async def test_nobody_resumes_what_they_do_not_see(teams: House) -> None:
    secret = teams.cloud.chat(teams.mira, name="Secret")
    await teams.cloud.install(secret)
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    shown = await home(teams, teams.ana)
    await run_in(teams, teams.place(secret))
    await teams.mira.say(secret, "stop", mention=True)
    await said(teams, "Mira stopped every run", secret)
    hidden = max(each["epoch"] for each in await brakes(teams))
    source = button(shown.card_for(teams.ana), "Resume every run in its conversation")
    source["data"]["andon"]["epoch"] = hidden
    outcome = await late(teams.ana, shown, source)
    assert outcome.said == "That brake is not on any more, or holds nothing that you can see."
    assert len(await brakes(teams)) == 2


async def test_who_left_sees_their_own_stop_and_does_not_resume_it(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    shown = await home(teams, teams.mira)
    await teams.cloud.leave(teams.ops.team, teams.mira)
    await late(teams.mira, shown, button(shown.card_for(teams.mira), "Resume every run in its conversation"))
    assert len(await brakes(teams)) == 1


async def test_a_guest_sees_what_is_stopped_and_may_not_resume_it(teams: House) -> None:
    gwen = teams.cloud.person("Gwen", tenant=teams.cloud.tenant("Fabrikam"), guest=True)
    teams.ops.team.members.append(gwen)
    teams.cloud.personal(gwen, installed=True)
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop")
    await said(teams, "Mira stopped every run")
    outcome = await gwen.press(await home(teams, gwen), "Resume every run in its conversation")
    assert DENIED in outcome.said
    assert len(await brakes(teams)) == 1


async def test_everything_that_is_stopped_is_known_to_everybody(teams: House) -> None:
    await run_in(teams)
    await teams.mira.say(teams.ops, "stop all")
    await said(teams, "Mira stopped every agent.")
    await teams.ana.dm("brakes")
    listed = await said(teams, "What is stopped", teams.ana)
    outcome = await teams.ana.press(listed, "Resume every agent")
    assert outcome.said.startswith("Ana resumed every agent.")
    assert await brakes(teams) == []


@pytest.mark.parametrize("label", ["Stop this run", "Resume this run"])
async def test_a_press_at_a_place_that_has_no_such_card_does_nothing(teams: House, label: str) -> None:
    await run_in(teams)
    _, card = await teams.asked_card()
    if label.startswith("Resume"):
        await teams.mira.press(card, "Stop this run")
        await card.shows("Resume this run")
    before = await brakes(teams)
    source = button(card.card_for(teams.ana), label)
    await teams.ana.dm("help")
    elsewhere = await said(teams, "What you can ask me", teams.ana)
    outcome = await late(teams.ana, elsewhere, source)
    assert "This card is not one of ours any more" in outcome.said
    assert await brakes(teams) == before
