"""On Slack: people are reminded, others are asked, the agent is asked; and what is too much comes in one message."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.config import Settings
from tests.fakes.slack.model import Channel, Message
from tests.flows.slack_house import House, house
from tests.flows.test_ladder import let_pass
from tests.people import MAIL, Json
from tests.servers import until

MINUTE = timedelta(minutes=1)
LADDER = """
defaults:
  timeout: 1h
  approvers: [mira@example.com, "slack:S0614TZR7"]
  reassign: anyone
  remind: [10m]
  escalate:
    - after: 20m
      to: ["slack:#oncall"]
      approvers: [ana@example.com]
      mention: [ana@example.com, nobody@example.com]
"""


@pytest.fixture
async def ladder(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, policy=LADDER) as made:
        yield made


@pytest.fixture
async def home(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as made:
        yield made


@pytest.fixture
async def busy(settings: Settings) -> AsyncIterator[House]:
    """More than two asks an hour of one agent are gathered."""
    async with house(settings, policy="caps: {burst: 2, burst_within: 1h}") as made:
        yield made


async def reply(card: Message, containing: str) -> Message:
    async def there() -> bool:
        return any(containing in each.shown for each in card.replies)

    await until(there, what=f"{containing!r} below the card, where there is {[each.shown for each in card.replies]}")
    return next(each for each in card.replies if containing in each.shown)


def called(message: Message) -> list[str]:
    """Ids of people and groups that a message calls."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(str(value[name]) for name in ("user_id", "usergroup_id") if name in value)
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(message.blocks)
    return found


async def test_a_reminder_calls_those_whom_the_policy_lists_in_the_thread_and_the_channel(ladder: House) -> None:
    asked, card = await ladder.asked_card(timeout_s=3600, what="<!channel> <@U0EVIL> @here please")
    await let_pass(ladder.live.store, asked, 10 * MINUTE)
    reminder = await reply(card, "Reminder: nobody has answered for 10 min")
    assert called(reminder) == [ladder.mira.id, "S0614TZR7"]
    assert reminder.is_broadcast
    await ladder.until_settled()
    assert "Reminder: nobody has answered" in card.shown
    assert len([each for each in card.replies if "Reminder" in each.shown]) == 1


async def test_an_escalation_brings_the_card_elsewhere_and_all_copies_end_together(ladder: House) -> None:
    """Ana could not answer; after twenty minutes she is called elsewhere, and her answer settles both."""
    oncall = ladder.cloud.channel("#oncall", members=[ladder.ana], bot=True)
    asked, card = await ladder.asked_card(timeout_s=3600)
    await let_pass(ladder.live.store, asked, 20 * MINUTE)
    there = await ladder.card(asked, oncall)
    said = await reply(there, "Escalated to #oncall after 20 min")
    assert called(said) == [ladder.ana.id]
    assert "nobody@example.com" in said.shown, "who is not on Slack is named, and calls nobody"
    at_home = await reply(card, "Escalated to #oncall")
    assert called(at_home) == []
    assert not at_home.is_broadcast

    await ladder.ana.press(there, "Approve")
    await there.shows("Ana approved this")
    await card.shows("Ana approved this")
    assert (card.buttons, there.buttons) == ([], [])


async def test_somebody_else_is_asked_from_the_card(ladder: House) -> None:
    """Bob gets the card in a direct message, may answer, and the thread says who asked him."""
    bob = ladder.cloud.user("bob", email="bob@example.com", display_name="Bob")
    ladder.ops.members.append(bob)
    asked, card = await ladder.asked_card()
    opened = await ladder.mira.press(card, "Ask somebody else…")
    assert opened.modal
    await opened.modal.fill("Whom?", bob)
    await opened.modal.fill("What should they know?", "You know <!here> Alice")
    assert (await opened.modal.submit()).closed

    said = await reply(card, "asked bob@example.com to answer this")
    assert called(said) == [bob.id]
    assert "You know <!here> Alice" in said.shown
    own = await ladder.card(asked, bob.direct)
    await bob.press(own, "Approve")
    await card.shows("Bob approved this")


async def test_who_may_not_answer_opens_no_form_and_asks_nobody(ladder: House) -> None:
    asked, card = await ladder.asked_card()
    opened = await ladder.ana.press(card, "Ask somebody else…")
    assert opened.modal is None
    assert "lets only" in ladder.ana.told[-1]
    assert (await ladder.live.store.handoffs.load(asked["id"])).added == ()  # type: ignore[union-attr]  # it is there


async def test_nobody_picked_is_told_in_the_form(home: House) -> None:
    _, card = await home.asked_card()
    opened = await home.mira.press(card, "Ask somebody else…")
    assert opened.modal
    outcome = await opened.modal.submit()
    assert not outcome.closed, outcome
    assert "Pick somebody" in str(outcome.errors or (outcome.view and outcome.view.shown)), outcome


async def test_the_agent_is_asked_and_its_reply_stands_below_the_question(home: House) -> None:
    asked, card = await home.asked_card()
    opened = await home.mira.press(card, "Ask the agent…")
    assert opened.modal
    await opened.modal.fill("What do you want to know?", "Which budget is this from?")
    assert (await opened.modal.submit()).closed
    await card.shows("waiting for the agent")
    await reply(card, "Which budget is this from?")

    said = {"text": "Travel <!channel> <@U0EVIL>"}
    (await home.agent.call("POST", f"/v1/handoffs/{asked['id']}/reply", said)).ok()
    below = await reply(card, "Travel <!channel> <@U0EVIL>")
    assert called(below) == []
    assert not below.is_broadcast
    await card.shows("mailer replied:")
    assert card.buttons[0] == "Approve"


# --- digests ---------------------------------------------------------------------------------------


async def asks(home: House, count: int, **changes: Any) -> list[Json]:
    made = []
    for number in range(count):
        action = {"tool": "send_email", "args": {**MAIL, "subject": f"Report {number}"}}
        made.append(
            await home.ask(**{"what": f"Send e-mail {number}", "reversible": True, "action": action, **changes})
        )
    return made


async def digest_of(home: House, channel: Channel) -> Message:
    def found() -> list[Message]:
        return [m for m in channel.messages if m.bot_id and not m.metadata and not m.thread_ts]

    async def there() -> bool:
        return bool(found())

    await until(there, what="a digest")
    await home.until_settled()
    (digest,) = found()
    return digest


async def test_a_digest_is_one_message_and_answers_exactly_what_it_shows(busy: House) -> None:
    """Five rows, one press; the row that somebody decided meanwhile keeps their decision, and the press says so."""
    made = await asks(busy, 7)
    digest = await digest_of(busy, busy.ops)
    assert sum(len(busy.cards(each)) for each in made) == 2
    assert digest.buttons.count("Approve") == 5
    assert digest.buttons[-2:] == ["Approve the 5 shown", "Reject the 5 shown"]
    assert "5 asks wait for an answer" in digest.shown
    assert "Report 6" in digest.shown

    stale = digest.versions[-1].blocks
    (await busy.live.person.reject(made[2], "No")).ok()
    await busy.until_settled()
    shown_now = digest.blocks
    digest.blocks = stale
    await busy.mira.press(digest, "Approve the 5 shown")
    digest.blocks = shown_now

    async def all_decided() -> bool:
        return all([await busy.state(each) == "decided" for each in made[2:]])

    await until(all_decided)
    kinds = [(await busy.agent.look(each["id"]))["decision"]["kind"] for each in made[2:]]
    assert kinds == ["rejected"] + ["approved"] * 4
    await busy.until_settled()
    assert digest.shown.count("Mira approved this") == 4
    assert "mira rejected this" in digest.shown
    assert digest.buttons == []
    assert "Approved 4 of 5" in busy.mira.told[-1]


async def test_a_row_is_answered_on_its_own(busy: House) -> None:
    made = await asks(busy, 4)
    digest = await digest_of(busy, busy.ops)
    await busy.mira.press(digest, "Approve")
    await digest.shows("Mira approved this")
    states = [await busy.state(each) for each in made]
    assert states.count("decided") == 1


async def test_what_cannot_be_undone_is_only_opened(busy: House) -> None:
    await asks(busy, 2)
    await asks(busy, 2, reversible=False)
    digest = await digest_of(busy, busy.ops)
    assert digest.buttons == ["Open", "Open"]
    assert "It cannot be undone." in digest.shown
    opened = await busy.mira.press(digest, "Open")
    assert opened.modal
    assert "send_email" in opened.modal.shown


async def test_a_digest_calls_and_leads_nobody(busy: House) -> None:
    """Hostile words in ten rows; what is shown is searched at the end of every story."""
    hostile = "<!channel> <@U0EVIL> <https://evil.example|here> ```\u202e " + "x" * 5_000
    await asks(busy, 2)
    await asks(busy, 10, what=hostile[:300], action={"tool": "send_email", "args": {"body": hostile, hostile[:60]: 1}})
    digest = await digest_of(busy, busy.ops)
    assert digest.buttons == ["Open"] * 10


async def test_a_digest_of_many_says_how_many_more(busy: House) -> None:
    await asks(busy, 15)
    digest = await digest_of(busy, busy.ops)
    assert "and 3 more" in digest.shown
    assert digest.shown.count("Send e-mail") == 10
