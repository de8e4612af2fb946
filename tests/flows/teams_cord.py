"""Verbs of the stories about the brake in Teams."""

import asyncio
import json
from typing import Any

from tests.fakes.teams import Conversation, Message, Person, TeamsCloud, payloads
from tests.flows import teams_house
from tests.flows.teams_house import House
from tests.people import Agent, Json
from tests.servers import until

GREETING = "Agents ask here"
DENIED = "it takes somebody who may approve for it"
STOP_SIGN = "1f6d1_stopsign"


async def run_in(teams: House, place: Json | None = None, agent: Agent | None = None, **more: Any) -> str:
    """Start a run that is bound to a place, the channel unless told otherwise; the agent asks in it from now on."""
    agent = agent or teams.agent
    body = {"name": "weekly-report", "conversation": place or teams.place(), **more}
    agent._run = str((await agent.call("POST", "/v1/runs", body)).ok()["id"])
    return agent._run


async def brakes(teams: House) -> list[Json]:
    found: list[Json] = (await teams.live.person.call("GET", "/v1/brakes")).ok()["brakes"]
    return found


async def scopes(teams: House) -> list[Json]:
    """What is stopped: each scope, by what was done to it."""
    return [{each["action"]: {k: v for k, v in each["scope"].items() if v}} for each in await brakes(teams)]


async def said(teams: House, containing: str, where: Conversation | Person | None = None) -> Message:
    """What the bot says in a conversation."""
    return await teams.cloud.wait_for_post(where or teams.ops, containing)


def posts(teams: House, where: Conversation | None = None) -> list[str]:
    """All that the bot has posted in a conversation, the channel unless told otherwise, that is no card."""
    there = teams.cloud.posts(where or teams.ops)
    return [plain(m) for m in there if '"handoff"' not in json.dumps(m.source) and GREETING not in m.shown]


def plain(message: Message) -> str:
    """All that can be read in a message, with its spaces as they are typed."""
    return teams_house.plain(message.shown)


async def quiet(teams: House) -> None:
    """Nothing was stopped, and nobody was told anything."""
    await teams.until_settled()
    assert await brakes(teams) == []
    assert posts(teams) == []
    assert [posts(teams, each.direct) for each in (teams.ana, teams.mira)] == [[], []]


def with_consent(cloud: TeamsCloud) -> None:
    """The team's owner consented that the app reads every message, and people have added the app for themselves."""
    for team in cloud.teams.values():
        team.rsc = True
        for person in team.members:
            cloud.personal(person, installed=True)


async def becomes(teams: House, asked: Json, state: str) -> None:
    async def it_is() -> bool:
        return await teams.state(asked) == state

    await until(it_is, what=f"{asked['id']} is {state}")


async def state_of(teams: House, run: str) -> str:
    return str((await teams.agent.call("GET", f"/v1/runs/{run}")).ok()["state"])


def told_of(teams: House, message: Message) -> Json:
    """The activity that told of a message, to send it again."""
    found = next(each.activity for each in teams.cloud.deliveries if each.activity.get("id") == message.id)
    copied: Json = json.loads(json.dumps(found))
    return copied


async def send(teams: House, activity: Json, *, times: int = 1) -> None:
    """Send an activity, as Teams sends one again, perhaps several times at once."""
    deliveries = await asyncio.gather(*(teams.cloud.courier.send(activity) for _ in range(times)))
    assert all(each.ok for each in deliveries)


async def unheard(teams: House, by: Person, text: str, *, thread: Message | None = None) -> Json:
    """Somebody says something, and the activity that tells of it is not delivered now."""
    endpoint, teams.cloud.endpoint, teams.cloud.retries = teams.cloud.endpoint, "http://127.0.0.1:9/", False
    message = await by.say(teams.ops, text, thread=thread)
    teams.cloud.endpoint, teams.cloud.retries = endpoint, True
    teams.cloud.errors.clear()
    return told_of(teams, message)


def message_of(teams: House, by: Person, text: str, where: Conversation | None = None, **changes: Any) -> Json:
    """An activity that tells of a message, changed."""
    where = where or teams.ops
    source = {"type": "message", "text": text}
    message = Message(where, where.next_id(teams.cloud.clock.now()), by, source)
    where.messages.append(message)
    return payloads.message(teams.cloud, message, by, []) | changes
