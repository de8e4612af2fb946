"""A card that is open in a browser follows the decision to its agent by itself."""

from playwright.async_api import expect

from tests.browser.conftest import Reader
from tests.people import Agent
from tests.servers import Live
from tests.store import asks


async def test_an_agent_that_stays_away_is_told_of_and_the_decision_sent_again(
    reader: Reader, service: Live, agent: Agent
) -> None:
    asked = await agent.ask()
    tab = await (await reader(viewport={"width": 390, "height": 844})).card(asked)
    steps = tab.page.locator(".steps")
    await tab.press("Approve")
    await tab.reads("Approved")
    handoff = await asks.look(service.store, asked["id"])
    await service.store.arrivals.unreached(handoff, "https://agent.example/" + "x" * 150 + " said 503", again=True)
    await expect(steps).to_contain_text("Agent not reached since")
    assert await tab.width_beyond() <= 0
    await service.store.arrivals.unreached(handoff, "The endpoint was disabled", again=True)
    await expect(steps).to_contain_text("The endpoint was disabled")
    # The page that answers looks once more by itself; what it told stays, because nothing has changed.
    async with tab.page.expect_response(lambda r: r.url.endswith(asked["id"]) and r.request.method == "GET") as looked:
        await tab.press("Try again")
    await (await looked.value).finished()
    await tab.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await expect(tab.page.locator("#notice")).to_contain_text("it has not come back since")
    await tab.has_no_buttons()
    await agent.look(asked["id"])
    await expect(steps).to_contain_text("Delivered to the agent")
    await expect(tab.button("Try again")).to_have_count(0)
