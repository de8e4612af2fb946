"""A Slack workspace, its people and the whole service: what the stories about Slack are told with.

At the end of every story all that the app has shown is searched for what would call somebody or open an address that
is not ours (`live_marks`), and the stand-in must not have been sent anything that Slack would not take.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from bot.config import Settings
from bot.outbox import Pace
from tests.adapters.surface import HOUR_PACE
from tests.fakes.slack import SlackCloud
from tests.fakes.slack.deliveries import Ack
from tests.fakes.slack.model import Channel, Message, View
from tests.fakes.slack.people import Person
from tests.fakes.slack.signing import sign
from tests.flows.paper_house import settled
from tests.people import Agent, Json
from tests.servers import Live, live, until

_UNTAKEN: Final = ("invalid_blocks", "invalid_arguments", "too_l", "block_mismatch", "no_text", "invalid_errors")
_HIDDEN: Final = re.compile(r"[\u00ad\u034f\u061c\u115f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff]")
_DATE: Final = re.compile(r"<!date\^\d+\^[^<>|]*\|[^<>]*>")
_CALLING: Final = {"user", "usergroup", "broadcast", "link", "channel", "team"}


def settings_for(settings: Settings, cloud: SlackCloud, **changes: Any) -> Settings:
    """Those of a service that serves this workspace over HTTP."""
    given: dict[str, Any] = {
        "slack_bot_token": SecretStr(cloud.token),
        "slack_signing_secret": SecretStr(cloud.app.signing_secret),
        "slack_api_url": cloud.api_url.rstrip("/"),
    }
    return settings.model_copy(update=given | changes)


@dataclass
class House:
    """A workspace with a channel, two full members of it, and the service."""

    cloud: SlackCloud
    ops: Channel
    mira: Person
    ana: Person
    live: Live = field(repr=False)

    @property
    def agent(self) -> Agent:
        return self.live.agent

    def place(self, channel: Channel | None = None) -> Json:
        return {"surface": "slack", "channel": (channel or self.ops).id}

    async def ask(self, **changes: Any) -> Json:
        """Ask to send an e-mail, in the channel unless told otherwise."""
        return await self.agent.ask(**{"to": [self.place()], **changes})

    async def card(self, asked: Json, where: Channel | None = None) -> Message:
        """The card of a handoff, as soon as it is there."""

        async def there() -> bool:
            return bool(self.cards(asked, where))

        await until(there, what=f"a card of {asked['id']}; there were {[m.shown for m in self.cloud.cards(self.ops)]}")
        return self.cards(asked, where)[0]

    def cards(self, asked: Json, where: Channel | None = None) -> list[Message]:
        """All cards of a handoff, in one channel or anywhere."""
        places = [where] if where else list(self.cloud.channels.values())
        return [m for place in places for m in self.cloud.cards(place) if _is_about(m, asked["id"])]

    async def asked_card(self, **changes: Any) -> tuple[Json, Message]:
        """Ask, and wait for the card."""
        asked = await self.ask(**changes)
        return asked, await self.card(asked)

    async def notify(self, text: str, *to: Json) -> None:
        """Tell people something, of whom nothing is asked."""
        path = f"/v1/runs/{await self.agent.run()}/notices"
        assert (await self.agent.call("POST", path, {"text": text, "to": list(to)})).status == 202

    async def state(self, asked: Json) -> str:
        return str((await self.agent.look(asked["id"]))["state"])

    async def until_settled(self) -> None:
        """Everything that happened is shown."""
        await settled(self.live)

    # --- as Slack itself ---

    async def send(
        self, payload: Any, *, signed_with: str | None = None, at: float | None = None, **headers: str
    ) -> Ack:
        """Send an interaction of one's own making, signed as Slack signs, to the service."""
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return await self.send_raw(body, signed_with=signed_with, at=at, **headers)

    async def send_raw(
        self,
        body: bytes,
        *,
        content_type: str = "application/x-www-form-urlencoded",
        signed_with: str | None = None,
        at: float | None = None,
        **headers: str,
    ) -> Ack:
        """Send any bytes; `headers` replace what Slack would send."""
        stamp = int(time.time() if at is None else at)
        secret = self.cloud.app.signing_secret if signed_with is None else signed_with
        sent = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": sign(secret, stamp, body),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.cloud.courier.post(body, {name: value for name, value in sent.items() if value != "-"})

    def last(self, kind: str) -> Json:
        """The last payload of this kind that was sent to the service, to send it changed."""
        found = next(each for each in reversed(self.cloud.deliveries) if kind in {each.kind, each.name})
        copied: Json = json.loads(json.dumps(found.payload))
        return copied


def _is_about(message: Message, handoff_id: str) -> bool:
    payload: Mapping[str, Any] = (message.metadata or {}).get("event_payload") or {}
    return payload.get("handoff") == handoff_id


async def told_below(card: Message, containing: str, *, within_s: float = 5) -> Message:
    """The reply below a card that says this."""

    async def there() -> bool:
        return any(containing in reply.text or containing in reply.shown for reply in card.replies)

    await until(there, within_s=within_s, what=f"{containing!r} below the card: {[r.shown for r in card.replies]}")
    return next(reply for reply in card.replies if containing in reply.text or containing in reply.shown)


@asynccontextmanager
async def workspace(*, calm: bool = False) -> AsyncIterator[SlackCloud]:
    """Slack; unless `calm`, turns to post come at once, for stories about something else than pace."""
    with pytest.MonkeyPatch.context() as patch:
        if not calm:
            patch.setattr("adapters.slack.api._EVERY", timedelta(milliseconds=2))
        async with SlackCloud().serving() as cloud:
            cloud.settle_s = 0.3
            if not calm:
                cloud.rate_limits.burst = 1_000
            yield cloud


def people_of(cloud: SlackCloud) -> tuple[Channel, Person, Person]:
    """A channel and two full members of it."""
    mira = cloud.user("mira", email="mira@example.com", display_name="Mira")
    ana = cloud.user("ana", email="ana@example.com", display_name="Ana")
    return cloud.channel("#ops", members=[mira, ana], bot=True), mira, ana


@asynccontextmanager
async def house(
    settings: Settings,
    *,
    policy: str = "",
    pace: Pace = HOUR_PACE,
    socket_mode: bool = False,
    calm: bool = False,
    may_be_refused: tuple[str, ...] = (),
    **changes: Any,
) -> AsyncIterator[House]:
    """The whole thing, over signed HTTP unless told otherwise.

    Args:
        settings: Of the service without Slack.
        policy: The policy file's text.
        pace: The outbox's.
        socket_mode: Let the service connect, instead of being called.
        calm: Let messages go out at the pace that Slack wants.
        may_be_refused: What the stand-in may find wrong with what it is sent.
        changes: Other settings.
    """
    if policy:
        path = Path(settings.state).parent / "policy.yaml"
        path.write_text(policy)
        changes["policy"] = path
    async with workspace(calm=calm) as cloud:
        ops, mira, ana = people_of(cloud)
        if socket_mode:
            cloud.app.socket_mode = True
            changes["slack_app_token"] = SecretStr(cloud.app.app_token)
        async with live(settings_for(settings, cloud, **changes), pace=pace) as running:
            cloud.app.request_url = f"{running.url}/slack/events"
            yield House(cloud, ops, mira, ana, running)
            check(cloud, running.url, may_be_refused=may_be_refused)


def check(cloud: SlackCloud, *urls: str, may_be_refused: tuple[str, ...] = ()) -> None:
    """Nothing that was shown calls or leads anybody anywhere, and nothing that was sent was malformed."""
    found = live_marks(cloud, urls)
    assert not found, found
    wrong = [e for e in cloud.errors if any(w in e for w in _UNTAKEN) and not any(m in e for m in may_be_refused)]
    assert not wrong, wrong


def live_marks(cloud: SlackCloud, urls: Sequence[str]) -> list[str]:
    """All in what the app has shown that would call somebody or open an address that is not ours, or hides itself.

    People are called in one place: in the thread of a card. After an undo that failed, whoever wanted it undone; and
    by a reminder, an escalation or a handing on, whom the policy or a person names.
    """
    own = "|".join(f"{re.escape(url)}/" for url in urls)
    ours = re.compile(rf"<(?:{own}|https://[a-z-]+\.slack\.com/archives/)[^<>|\s]*\|[^<>]*>")
    found: list[str] = []
    for what, text, blocks in _everything(cloud):
        found += [f"{what} text: {mark}" for mark in _marks(text, ours)]
        for node in _nodes(blocks):
            found += [f"{what}: {mark}" for mark in _marks_of(node, ours, may_call="reply" in what)]
    return found


def _marks_of(node: Json, ours: re.Pattern[str], *, may_call: bool) -> Iterator[str]:
    kind = node.get("type")
    calls = kind in _CALLING and not (may_call and kind in {"user", "usergroup"})
    leads = bool(node.get("url")) and not ours.fullmatch(f"<{node['url']}|>")
    if calls or leads or kind in {"markdown", "image", "video"} or node.get("emoji") is True:
        yield str(node)
    if kind == "mrkdwn":
        yield from _marks(str(node["text"]), ours)
    for name in ("text", "initial_value"):
        if isinstance(node.get(name), str):
            yield from (f"hidden {each!r} in {node[name][:80]!r}" for each in _HIDDEN.findall(node[name]))


def _marks(text: str, ours: re.Pattern[str]) -> list[str]:
    left = ours.sub("", _DATE.sub("", text))
    found = re.findall(r"<[^>]{0,60}>?|>|```", left)
    return [*found, *(f"hidden {each!r}" for each in _HIDDEN.findall(text))]


def _everything(cloud: SlackCloud) -> Iterator[tuple[str, str, list[Json]]]:
    for channel in cloud.channels.values():
        for message in channel.messages:
            if message.bot_id:
                is_card = (message.metadata or {}).get("event_type") == "andon_card"
                what = "reply" if message.thread_ts and not is_card else "message"
                yield from ((f"{what} in {channel.name}", each.text, each.blocks) for each in message.versions)
    for message in cloud.ephemerals:
        yield "ephemeral", message.text, message.blocks
    views: list[View] = [*cloud.views.values(), *(each.view for each in cloud.effects if each.view)]
    for view in views:
        source = {name: part for name, part in view.source.items() if name in {"title", "submit", "close"}}
        yield f"view {view.source.get('callback_id')}", "", [*view.blocks, source]


def _nodes(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)
