"""F12: platforms deliver twice, late, and in another order. All that people pressed and typed comes again, shuffled.

The stop comes again after the resume, and must stop nothing: it is the same word of the same person, and it is over.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from bot.config import Settings
from bot.shelf import SealedShelf
from bot.store.brakes import Brakes
from tests.flows import cord, slack_house, teams_cord, teams_house
from tests.flows.teams_cord import with_consent
from tests.people import Json

SEEDS = (1, 2)


async def shuffled(deliveries: Sequence[Any], again: Callable[[Any], Awaitable[object]], seed: int) -> int:
    """Send each of them one to five times more, in any order, some at once; returns how many that were."""
    dice = random.Random(seed)
    copies = [delivery for delivery in deliveries for _ in range(dice.randint(1, 5))]
    dice.shuffle(copies)
    while copies:
        batch = [copies.pop() for _ in range(min(len(copies), dice.randint(1, 4)))]
        await asyncio.gather(*(again(delivery) for delivery in batch))
    return len(deliveries)


async def in_slack(slack: slack_house.House) -> list[Json]:
    """Two presses, a stop and a resume."""
    await cord.run_in(slack)
    yes, yes_card = await slack.asked_card()
    no, _ = await slack.asked_card(what="Send another")
    await slack.mira.press(yes_card, "Approve")
    await slack.agent.wait(yes["id"])
    waits = await slack.ask(what="Send a third")
    await slack.ana.say(slack.ops, "stop")
    await cord.said(slack, "Ana stopped every run in this channel.")
    await slack.mira.say(slack.ops, "resume")
    await cord.said(slack, "Mira resumed every run in this channel.")
    await cord.becomes(slack, no, "pending")
    await slack.mira.press(await slack.card(no), "Approve")
    await slack.agent.wait(no["id"])
    await slack.until_settled()
    return [yes, no, waits]


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_slack_delivers_again_and_out_of_order_changes_nothing(settings: Settings, seed: int) -> None:
    async with slack_house.house(settings) as slack:
        asked = await in_slack(slack)
        before = [await slack.agent.look(each["id"]) for each in asked]
        said = cord.posts(slack)
        assert await shuffled(list(slack.cloud.deliveries), slack.cloud.courier.again, seed) >= 4
        await slack.until_settled()
        assert [await slack.agent.look(each["id"]) for each in asked] == before
        assert await cord.brakes(slack) == [], "the old stop stopped nothing"
        assert cord.posts(slack) == said, "nothing is said twice"


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_teams_delivers_again_and_out_of_order_changes_nothing(settings: Settings, seed: int) -> None:
    async with teams_house.house(settings, prepare=with_consent) as teams:
        await teams_cord.run_in(teams)
        yes, card = await teams.asked_card()
        waits, _ = await teams.asked_card(what="Send another")
        await teams.mira.press(card, "Approve")
        await teams.agent.wait(yes["id"])
        await teams.ana.say(teams.ops, "stop")
        await teams_cord.said(teams, "Ana stopped every run in this channel.")
        await teams.mira.say(teams.ops, "resume")
        await teams_cord.said(teams, "Mira resumed every run in this channel.")
        await teams.until_settled()
        before = [await teams.agent.look(each["id"]) for each in (yes, waits)]
        said = teams_cord.posts(teams)
        assert await shuffled(list(teams.cloud.deliveries), teams.cloud.courier.once, seed) >= 3
        await teams.until_settled()
        assert [await teams.agent.look(each["id"]) for each in (yes, waits)] == before
        assert await teams_cord.brakes(teams) == [], "the old stop stopped nothing"
        assert teams_cord.posts(teams) == said, "nothing is said twice"


async def test_without_what_remembers_them_an_old_stop_would_stop_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch of this guard: take out that an event is known, that an order is, and when it was said."""
    obey = Brakes.obey

    async def forgetful(self: Brakes, order: Any, *rest: Any) -> Any:
        fresh = {"id": f"{order.id}:{random.random()}", "said_at": None}
        return await obey(self, type(order)(**{**{n: getattr(order, n) for n in order.__slots__}, **fresh}), *rest)

    async def always(*_: object) -> bool:
        return True

    async with slack_house.house(settings) as slack:
        await in_slack(slack)
        monkeypatch.setattr(Brakes, "obey", forgetful)
        monkeypatch.setattr(SealedShelf, "once", always)
        monkeypatch.setattr(SealedShelf, "load", lambda *_: asyncio.sleep(0, None))
        (stop,) = [each for each in slack.cloud.deliveries if each.payload.get("event", {}).get("text") == "stop"]
        await slack.cloud.courier.again(stop)
        assert len(await cord.brakes(slack)) == 1
