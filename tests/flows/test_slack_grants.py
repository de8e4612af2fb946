"""Approve, and don't ask again, from Slack: the card, the modal, the lists, and who may."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.people import Person
from tests.fakes.slack.screens import Modal
from tests.flows.slack_house import House, house
from tests.flows.test_slack_presses import BOOK, LETTER, shared, submission
from tests.people import MAIL, Json
from tests.servers import until

POLICY = """
rules:
  - name: mail
    tool: send_email
    do: ask
    grants:
      - {label: the same recipient, same: [to], scope: run}
      - {label: any mail, scope: agent, life: 10m}
  - {name: pay, tool: pay, do: ask, no_grants: true}
"""
MENU = "Approve, and don't ask again…"


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, policy=POLICY) as running:
        yield running


async def grants(slack: House) -> list[Json]:
    found: list[Json] = (await slack.agent.call("GET", "/v1/grants")).ok()["grants"]
    return found


async def pick(who: Person, card: Message, option: str = "1 h: the same recipient") -> Modal:
    """Pick from the menu; the modal that opens."""
    await who.select(card, MENU, option=option)
    assert who.modal
    return who.modal


async def give(slack: House, who: Person, where: Channel | None = None) -> Json:
    """Approve with a grant; returns the handoff."""
    asked = await slack.ask(to=[slack.place(where)])
    modal = await pick(who, await slack.card(asked, where))
    assert not (await modal.submit()).failed
    await slack.until_settled()
    return await slack.agent.look(asked["id"])


async def test_a_grant_is_read_in_full_before_it_is_given(slack: House) -> None:
    asked, card = await slack.asked_card()
    modal = await pick(slack.mira, card)
    assert await slack.state(asked) == "pending", "a menu decides nothing"
    assert "send_email with to = alice@example.com, in this run" in modal.shown
    assert "For 1 h from your yes on" in modal.shown
    assert MAIL["body"] in modal.shown, "and all that is approved now"
    assert modal.submit_label == "Approve and grant"

    assert (await modal.submit()).closed
    decided = await slack.agent.look(asked["id"])
    (grant,) = await grants(slack)
    assert decided["decision"]["grant"] == grant["id"]
    assert grant["by"]["email"] == "mira@example.com"

    again = await slack.ask(action={"tool": "send_email", "args": {**MAIL, "body": "More"}})
    assert again["decision"]["by"]["name"] == "grant by Mira"


async def test_closing_the_modal_gives_nothing(slack: House) -> None:
    asked, card = await slack.asked_card()
    await (await pick(slack.mira, card)).close()
    assert await slack.state(asked) == "pending"
    assert await grants(slack) == []


async def test_approve_alone_gives_none(slack: House) -> None:
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Approve")
    assert (await slack.agent.look(asked["id"]))["decision"]["kind"] == "approved"
    assert await grants(slack) == []


async def test_where_no_grants_are_the_card_has_no_such_menu(slack: House) -> None:
    _, card = await slack.asked_card(action={"tool": "pay", "args": {"eur": 5}})
    with pytest.raises(AssertionError, match="don't ask again"):
        await slack.mira.select(card, MENU, option="1 h: the same recipient")


async def test_what_does_not_fit_the_card_is_opened_in_full_before_a_grant_is_given(slack: House) -> None:
    """There is no one-tap yes on such a card, and the menu leads to the same whole as "Read it all" does."""
    asked, card = await slack.asked_card(action={"tool": "send_email", "args": {**MAIL, "body": LETTER}})
    assert "Approve" not in card.buttons
    modal = await pick(slack.mira, card)
    assert all(part in modal.shown for part in LETTER.split("\n"))
    assert "send_email with to = alice@example.com, in this run" in modal.shown
    assert await slack.state(asked) == "pending"
    assert (await modal.submit()).closed
    assert (await slack.agent.look(asked["id"]))["decision"]["grant"] == (await grants(slack))[0]["id"]


async def test_a_grant_for_what_is_in_a_file_waits_until_somebody_says_that_they_read_it(slack: House) -> None:
    args = {**MAIL, "body": BOOK, "postscript": BOOK}
    asked, card = await slack.asked_card(action={"tool": "send_email", "args": args})
    modal = await pick(slack.mira, card)
    file = await shared(card)
    assert (file.content or b"").decode().count(BOOK) == 2
    assert "send_email with to = alice@example.com, in this run" in modal.shown
    assert "Before you agree" in (await modal.submit()).errors
    forged = {"type": "view_submission", **submission(slack, modal)}
    assert "Read the whole first" in str((await slack.send(forged)).body)
    assert await grants(slack) == []
    await modal.fill("Before you agree", [f"I have read the whole in the file {file.name}"])
    assert (await modal.submit()).closed
    assert await slack.state(asked) == "decided"
    assert len(await grants(slack)) == 1


async def test_an_offer_with_more_words_than_can_be_read_is_on_no_card(slack: House) -> None:
    _, card = await slack.asked_card(action={"tool": "send_email", "args": {**MAIL, "to": "a" * 400, "body": LETTER}})
    with pytest.raises(AssertionError, match="the same recipient"):
        await slack.mira.select(card, MENU, option="1 h: the same recipient")
    await (await pick(slack.mira, card, "10 min: any mail")).close()


async def test_who_may_not_approve_may_not_grant(settings: Settings) -> None:
    policy = POLICY.replace("tool: send_email\n", "tool: send_email\n    approvers: [ana@example.com]\n")
    async with house(settings, policy=policy) as slack:
        asked, card = await slack.asked_card()
        await slack.mira.select(card, MENU, option="1 h: the same recipient")
        assert slack.mira.modal is None
        assert await slack.state(asked) == "pending"
        await give(slack, slack.ana)
        assert len(await grants(slack)) == 1


async def test_who_was_only_asked_besides_may_approve_and_not_grant(settings: Settings) -> None:
    policy = POLICY.replace(
        "tool: send_email\n", "tool: send_email\n    approvers: [ana@example.com]\n    reassign: anyone\n"
    )
    async with house(settings, policy=policy) as slack:
        asked, card = await slack.asked_card()
        ana = await slack.live.new_person("ana@example.com")
        handed = await ana.answer(asked, {"kind": "reassign", "to": "mira@example.com"})
        handed.ok()
        told = (await (await pick(slack.mira, card)).submit()).view
        assert told
        assert "you may not give a grant" in told.shown
        assert await slack.state(asked) == "pending"
        await told.close_all()
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"
        assert await grants(slack) == []


async def test_a_forged_offer_gives_nothing(slack: House) -> None:
    asked, card = await slack.asked_card()
    await (await pick(slack.mira, card)).submit()
    other, card = await slack.asked_card(action={"tool": "pay", "args": {}})
    forged = slack.last("block_actions")
    forged["actions"][0]["block_id"] = f"andon:answers:{other['id']}:1:{other['digest']}"
    forged["trigger_id"] = "1.1.forged"
    assert (await slack.send(forged)).status == 200
    assert await slack.state(other) == "pending"
    assert len(await grants(slack)) == 1
    assert await slack.state(asked) == "decided"


async def test_the_command_lists_what_i_can_see_and_ends_it(slack: House) -> None:
    await give(slack, slack.mira)
    told = await slack.ana.command("/andon", "grants", channel=slack.ops)
    assert "send_email with to = alice@example.com, in the run weekly-report" in told.shown
    assert 'args.to == "alice@example.com"' in told.shown
    assert "Given by Mira · not used yet" in told.shown

    reply = told.reply
    assert reply
    await slack.ana.press(reply, "End it")
    assert await grants(slack) == []
    assert any("Ended: send_email with to = alice@example.com" in each for each in slack.ana.told)
    (notice,) = await slack.live.store.runs.notices(1)
    assert notice.text.endswith("has ended: Ana ended it.")

    await slack.ana.press(reply, "End it")
    assert any("no such grant for you" in each for each in slack.ana.told)
    none = await slack.ana.command("/andon", "grants", channel=slack.ops)
    assert "No grants stand that you can see." in none.shown
    assert (await slack.ask())["state"] == "pending"


async def test_the_home_tab_has_them_too(slack: House) -> None:
    await give(slack, slack.mira)
    home = await slack.ana.open_home()
    assert "Grants that stand" in home.shown
    assert "send_email with to = alice@example.com" in home.shown
    await home.press("End it")
    assert await grants(slack) == []

    async def gone() -> bool:
        return slack.ana.home is not None and "Grants that stand" not in slack.ana.home.shown

    await until(gone, what="the tab without the grant")


async def test_a_grant_of_a_channel_that_i_am_not_in_is_neither_shown_nor_ended(slack: House) -> None:
    secret = slack.cloud.channel("#secret", members=[slack.mira], private=True, bot=True)
    await give(slack, slack.mira, secret)
    seen = await slack.mira.command("/andon", "grants", channel=slack.ops)
    assert "alice@example.com" in seen.shown
    assert seen.reply
    unseen = await slack.ana.command("/andon", "grants", channel=slack.ops)
    assert "alice@example.com" not in unseen.shown
    assert "alice@example.com" not in (await slack.ana.open_home()).shown

    await slack.mira.press(seen.reply, "End it")
    assert await grants(slack) == []
    stolen = slack.last("block_actions")
    await give(slack, slack.mira, secret)
    (grant,) = await grants(slack)
    stolen["actions"][0]["value"] = grant["id"]
    stolen["user"]["id"] = slack.ana.id
    stolen["trigger_id"] = "1.1.stolen"
    assert (await slack.send(stolen)).status == 200
    assert len(await grants(slack)) == 1, "Ana's press, of her own making, ends nothing that she cannot see"
