"""A decision reaches the agent's endpoint, signed, in the face of what receivers do."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.config import Settings
from bot.outbox import Schedule
from tests.fakes.receiver import receiver
from tests.people import Admin, Json
from tests.servers import Live, live

QUICK = Schedule(
    pauses=tuple(timedelta(milliseconds=ms) for ms in (1, 5, 30)),
    lease=timedelta(milliseconds=600),
    taken_over=timedelta(milliseconds=300),
    idle=timedelta(milliseconds=100),
)


@pytest.fixture
def allowing(settings: Settings) -> Settings:
    """Receivers of the tests are on loopback, which nobody may send to unless it is allowed by name."""
    return settings.model_copy(update={"callback_allow": "127.0.0.1,localhost"})


@pytest.fixture
async def house(allowing: Settings) -> AsyncIterator[Live]:
    async with live(allowing, schedule=QUICK) as running:
        yield running


@pytest.fixture
async def admin(house: Live) -> Admin:
    return await house.new_admin()


async def decided(house: Live) -> Json:
    """A handoff that Mira said yes to."""
    return (await house.person.approve(await house.agent.ask())).ok()


async def test_a_decision_is_posted_with_a_signature_that_the_package_accepts(house: Live, admin: Admin) -> None:
    async with receiver() as hook:
        endpoint = await admin.endpoint(hook.url)
        asked = await decided(house)
        (request,) = await hook.got(1)
    request.verify(endpoint["secret"])
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.json["type"] == "handoff.decided"
    assert request.json["timestamp"] == asked["decision"]["at"]
    data = request.data
    mine = await house.agent.look(asked["id"])
    for name in ("agent", "run", "state", "revision", "digest", "token", "url"):
        assert data[name] == mine[name], name
    assert (data["handoff"], data["gate"], data["kind"]) == (asked["id"], "send_email", "confirmation")
    wanted = {**asked["decision"]}
    del wanted["args"]
    assert data["decision"] == wanted, "arguments are read from the handoff, never sent"
