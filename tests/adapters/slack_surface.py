"""Slack, driven as people drive it: buttons pressed, modals filled, over signed requests from the stand-in."""

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bot.config import Settings
from tests.adapters.surface import Told
from tests.fakes.slack import SlackCloud, interactions
from tests.fakes.slack.model import Message
from tests.fakes.slack.people import Person
from tests.fakes.slack.screens import Modal, control_named
from tests.people import Json
from tests.servers import Live, until


@dataclass
class _Seen:
    """A card as somebody saw it, who has not looked again."""

    message: Message
    blocks: list[Json]


class SlackSurface:
    """A channel with the bot, two full members, and a guest, who is the stranger."""

    name = "slack"
    can_be_down = True

    def __init__(self, cloud: SlackCloud) -> None:
        self.cloud = cloud
        self.people: dict[str, Person] = {
            "mira": cloud.user("mira", email="mira@example.com", display_name="Mira"),
            "ana": cloud.user("ana", email="ana@example.com", display_name="Ana"),
            "stranger": cloud.user("guest", is_restricted=True),
        }
        self.ops = cloud.channel("#ops", members=list(self.people.values()), bot=True)
        self.place: Json = {"surface": "slack", "channel": self.ops.id}
        self.token = cloud.install(cloud.home)

    def settings(self, settings: Settings) -> Settings:
        changed: dict[str, Any] = {
            "slack_bot_token": SecretStr(self.token),
            "slack_signing_secret": SecretStr(self.cloud.app.signing_secret),
            "slack_api_url": self.cloud.api_url.rstrip("/"),
        }
        return settings.model_copy(update=changed)

    async def attach(self, service: Live) -> None:
        self.cloud.app.request_url = f"{service.url}/slack/events"

    def card(self, asked: Json) -> Message | None:
        """The message that is this handoff's card."""
        for message in self.cloud.cards(self.ops):
            about = (message.metadata or {}).get("event_payload", {})
            if about.get("handoff") == asked["id"]:
                return message
        return None

    async def wait_for(self, asked: Json) -> Message:
        async def there() -> bool:
            return self.card(asked) is not None

        await until(there, what="the card is in the channel")
        card = self.card(asked)
        assert card
        return card

    async def text(self, asked: Json) -> str:
        card = self.card(asked)
        if card is None:
            return ""
        return "\n".join([card.shown, *(reply.shown for reply in card.replies)])

    async def can(self, asked: Json) -> frozenset[str]:
        card = self.card(asked)
        kinds = {"approve", "edit", "reject", "choose", "answer"}
        names = {_kind(element) for element in _elements(card.blocks)} if card else set()
        return frozenset(kinds & names)

    async def remember(self, asked: Json, *, by: str = "mira") -> object:
        card = await self.wait_for(asked)
        return _Seen(card, copy.deepcopy(card.blocks))

    async def approve(self, asked: Json, *, by: str = "mira") -> Told:
        return await self.approve_from(await self.remember(asked), asked, by=by)

    async def approve_from(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, _Seen)
        return await self._told(await self._press(card, "approve", by))

    async def send_again(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, _Seen)
        return await self._told(await self._press(card, "again", by))

    async def reject(self, asked: Json, reason: str = "", *, by: str = "mira") -> Told:
        modal = await self._modal(asked, "reject", by)
        if reason:
            await modal.fill("Why?", reason)
        return await self._told(await modal.submit())

    async def edit(self, asked: Json, changes: Mapping[str, str], *, save: bool = False, by: str = "mira") -> Told:
        modal = await self._modal(asked, "edit", by)
        for label, value in changes.items():
            await modal.fill(label, value)
        if save:
            await modal.fill("Who approves?", "Save it for another person to approve")
        return await self._told(await modal.submit())

    async def choose(self, asked: Json, label: str, *, by: str = "mira") -> Told:
        card = await self.wait_for(asked)
        picked = await self.people[by].select(card, "Choose…", option=label)
        return await self._told(await (await picked.opened()).submit())

    async def answer(self, asked: Json, fields: Mapping[str, str], *, by: str = "mira") -> Told:
        modal = await self._modal(asked, "answer", by)
        for label, value in fields.items():
            await modal.fill(label, value)
        return await self._told(await modal.submit())

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        self.cloud.is_down = True
        try:
            yield
        finally:
            self.cloud.is_down = False

    # --- presses ---

    async def _press(self, card: _Seen, kind: str, by: str) -> interactions.Outcome:
        label = next(str(e["text"]["text"]) for e in _elements(card.blocks) if _kind(e) == kind)
        control = control_named(card.blocks, label, "the message")
        return await interactions.act_in_message(self.people[by], card.message, control)

    async def _modal(self, asked: Json, kind: str, by: str) -> Modal:
        seen = await self.remember(asked)
        assert isinstance(seen, _Seen)
        return await (await self._press(seen, kind, by)).opened()

    async def _told(self, outcome: interactions.Outcome) -> Told:
        assert not outcome.failed, outcome.delivery
        said = [*outcome.told, *([outcome.view.shown] if outcome.view else [])]
        return Told(" ".join(said), outcome.errors, lambda: " ".join(outcome.told))


def _elements(blocks: list[Json]) -> list[Json]:
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def _kind(element: Json) -> str:
    return str(element["action_id"]).removeprefix("andon:").partition(":")[0]


@asynccontextmanager
async def slack_surface() -> AsyncIterator[SlackSurface]:
    """A workspace with its people."""
    async with SlackCloud().serving() as cloud:
        yield SlackSurface(cloud)
        assert not [error for error in cloud.errors if "invalid" in error or "too_l" in error], cloud.errors
