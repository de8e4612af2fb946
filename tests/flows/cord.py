"""Verbs of the stories about the brake in Slack."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.people import Person
from tests.flows.slack_house import House
from tests.people import Agent, Json
from tests.servers import until

DENIED = "it takes somebody who may approve for it"


async def run_in(slack: House, place: Json | None = None, agent: Agent | None = None, **more: Any) -> str:
    """Start a run that is bound to a place, the channel unless told otherwise; the agent asks in it from now on."""
    agent = agent or slack.agent
    body = {"name": "weekly-report", "conversation": place or slack.place(), **more}
    agent._run = str((await agent.call("POST", "/v1/runs", body)).ok()["id"])
    return agent._run


async def brakes(slack: House) -> list[Json]:
    found: list[Json] = (await slack.live.person.call("GET", "/v1/brakes")).ok()["brakes"]
    return found


async def scopes(slack: House) -> list[Json]:
    """What is stopped: each scope, by what was done to it."""
    return [{each["action"]: {k: v for k, v in each["scope"].items() if v}} for each in await brakes(slack)]


async def said(slack: House, containing: str, where: Channel | None = None) -> Message:
    """What the bot says in a channel."""
    return await slack.cloud.wait_for_card(where or slack.ops, containing)


def posts(slack: House) -> list[str]:
    """All that the bot has posted in the channel that is no card."""
    ours = [m for m in slack.cloud.cards(slack.ops) if m.user is slack.cloud.bot()]
    return [m.shown for m in ours if (m.metadata or {}).get("event_type") != "andon_card"]


async def quiet(slack: House) -> None:
    """Nothing was stopped, and nobody was told anything."""
    await slack.until_settled()
    assert await brakes(slack) == []
    assert posts(slack) == []
    assert slack.cloud.ephemerals == []


async def becomes(slack: House, asked: Json, state: str) -> None:
    async def it_is() -> bool:
        return await slack.state(asked) == state

    await until(it_is, what=f"{asked['id']} is {state}")


def message_by(slack: House, by: Person, text: str, **more: Any) -> Message:
    """Something that somebody else has posted."""
    made = Message(channel=slack.ops, ts=slack.ops.next_ts(slack.cloud.clock.now()), user=by, text=text, blocks=[])
    for name, value in more.items():
        setattr(made, name, value)
    slack.ops.messages.append(made)
    return made


@asynccontextmanager
async def cut_off(slack: House) -> AsyncIterator[None]:
    """Nothing of Slack's reaches the service, and what was sent meanwhile is not sent again soon."""
    url, slack.cloud.app.request_url, slack.cloud.retry_scale = slack.cloud.app.request_url, "http://127.0.0.1:9/", 1e6
    yield

    async def tried_again() -> bool:
        return all(each.kind != "event" or len(each.acks) > 1 for each in slack.cloud.deliveries if not each.ok)

    await until(tried_again, what="the retry that comes at once has come")
    slack.cloud.app.request_url = url


def told_of(slack: House, message: Message) -> Json:
    """The event that tells of a message, to send it again."""
    events = [each.payload for each in slack.cloud.deliveries if each.payload.get("event", {}).get("ts") == message.ts]
    found: Json = json.loads(json.dumps(events[0]))
    return found


async def whispered(slack: House, containing: str) -> None:
    async def heard() -> bool:
        return any(containing in message.shown for message in slack.cloud.ephemerals)

    await until(heard, what=f"{containing!r} in {[message.shown for message in slack.cloud.ephemerals]}")


async def resend(slack: House, **changes: Any) -> None:
    """The last message event again, changed, as another event."""
    event = slack.last("message")
    event["event"] |= {"ts": slack.ops.next_ts(slack.cloud.clock.now()), **changes}
    event["event_id"] = f"Ev{event['event']['ts']}"
    delivery = await slack.cloud.courier.send_event(event)
    assert delivery.ok
