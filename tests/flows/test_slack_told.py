"""What runs without asking, in Slack: a card without buttons, posted once, that follows it to its outcome."""

from bot.config import Settings
from tests.flows.slack_house import house
from tests.servers import until

POLICY = "rules: [{name: telling, tool: send_email, do: notify}]\n"


async def test_a_told_card_is_posted_once_and_has_its_outcome(settings: Settings) -> None:
    async with house(settings, policy=POLICY) as here:
        asked, card = await here.asked_card()
        assert asked["decision"]["by"]["kind"] == "policy"
        assert card.buttons == []
        assert "Nobody was asked" in card.shown
        assert "/telling" in card.shown
        assert "send_email" in card.shown
        (await here.agent.claim(asked)).ok()
        (await here.agent.report(asked, "failed", claimant="try-1", error="the server is away")).ok()

        async def ended() -> bool:
            return "the server is away" in here.cards(asked)[0].shown

        await until(ended)
        await here.until_settled()
        assert len(here.cards(asked)) == 1


async def test_a_review_in_slack_is_answered_there(settings: Settings) -> None:
    async with house(settings, policy=POLICY.replace("notify", "review")) as here:
        asked = await here.ask(reversible=True)
        (await here.agent.claim(asked)).ok()
        ended = (await here.agent.report(asked, "executed", claimant="try-1", result="sent to alice")).ok()
        review = await here.agent.look(ended["review"])
        card = await here.card(review)
        assert "sent to alice" in card.shown
        assert here.cards(asked) == []
        await here.mira.press(card, "Keep it")

        async def decided() -> bool:
            return (await here.state(review)) == "decided"

        await until(decided)
