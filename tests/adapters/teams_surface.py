"""Teams, driven as people drive it: cards pressed and filled in, over signed requests from the stand-in."""

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bot.config import Settings
from tests.adapters.surface import Told
from tests.fakes.teams import Message, Outcome, Person, TeamsCloud
from tests.fakes.teams.cards import actions, elements
from tests.people import Json
from tests.servers import Live, until

_KINDS = {
    "Approve": "approve",
    "Keep it": "approve",
    "Edit…": "edit",
    "Reject…": "reject",
    "Undo it…": "reject",
    "None of these…": "reject",
    "Do not answer…": "reject",
    "Look at it, then choose…": "choose",
    "Answer…": "answer",
}


@dataclass
class _Seen:
    """A card as somebody saw it, who has not looked again."""

    message: Message
    card: Json


class TeamsSurface:
    """A channel of a team with the bot, two full members, and a guest, who is the stranger."""

    name = "teams"
    can_be_down = True

    def __init__(self, cloud: TeamsCloud) -> None:
        self.cloud = cloud
        elsewhere = cloud.tenant("Fabrikam")
        self.people: dict[str, Person] = {
            "mira": cloud.person("Mira", email="mira@example.com"),
            "ana": cloud.person("Ana", email="ana@example.com"),
            "stranger": cloud.person("Gus", tenant=elsewhere, guest=True),
        }
        team = cloud.team("Ops", list(self.people.values()), channels=["deploys"])
        self.ops = team.channel("deploys")
        self.place: Json = {"surface": "teams", "channel": self.ops.id}

    def settings(self, settings: Settings) -> Settings:
        changed: dict[str, Any] = {
            "teams_app_id": self.cloud.app_id,
            "teams_app_password": SecretStr(self.cloud.app_password),
            "teams_tenant_id": self.cloud.home.id,
            "teams_openid_metadata_url": self.cloud.metadata_url,
            "teams_login_url": self.cloud.login_url,
        }
        return settings.model_copy(update=changed)

    async def attach(self, service: Live) -> None:
        self.cloud.endpoint = f"{service.url}/api/messages"
        await self.cloud.announce()

    def card(self, asked: Json) -> Message | None:
        """The message that is this handoff's card."""
        mark = f"card:{asked['id']}"
        posts = self.cloud.posts(self.ops)
        return next((m for m in posts if (m.source.get("channelData") or {}).get("andon") == mark), None)

    async def wait_for(self, asked: Json) -> Message:
        async def there() -> bool:
            return self.card(asked) is not None

        await until(there, what=f"the card is in the channel; {self.cloud.errors}")
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
        return frozenset(_KINDS[title] for title in card.buttons if title in _KINDS) if card else frozenset()

    async def remember(self, asked: Json, *, by: str = "mira") -> object:
        message = await self.wait_for(asked)
        return _Seen(message, copy.deepcopy(await self.people[by].look(message)))

    async def approve(self, asked: Json, *, by: str = "mira") -> Told:
        return await self._press(await self._buttons(asked), "Approve", by)

    async def approve_from(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, _Seen)
        return await self._press(card, "Approve", by)

    async def send_again(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, _Seen)
        return await self._press(card, "Try again", by)

    async def reject(self, asked: Json, reason: str = "", *, by: str = "mira") -> Told:
        titles = {"Reject", "Undo it", "None of these", "Do not answer"}
        return await self._fill(asked, titles, {"reason": reason} if reason else {}, by)

    async def edit(self, asked: Json, changes: Mapping[str, str], *, save: bool = False, by: str = "mira") -> Told:
        title = "Save for another to approve" if save else "Approve with changes"
        return await self._fill(asked, {title}, dict(changes), by)

    async def choose(self, asked: Json, label: str, *, by: str = "mira") -> Told:
        message, person = await self.wait_for(asked), self.people[by]
        looked = await person.press(message, "Look at it, then choose…", {"choice": _choice(message, label)})
        assert "Choose this one?" in looked.shown, looked
        return await self._told(await person.press(message, "Choose this one"))

    async def answer(self, asked: Json, fields: Mapping[str, str], *, by: str = "mira") -> Told:
        return await self._fill(asked, {"Answer"}, dict(fields), by)

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        self.cloud.is_down = True
        try:
            yield
        finally:
            self.cloud.is_down = False

    # --- presses ---

    async def _buttons(self, asked: Json) -> _Seen:
        """The card for everybody: whose buttons are there for whoever has not looked yet."""
        message = await self.wait_for(asked)
        return _Seen(message, copy.deepcopy(message.card or {}))

    async def _press(self, card: _Seen, title: str, by: str) -> Told:
        source = next(each.source for each in actions(card.card) if each.title in {title, "Keep it"})
        return await self._told(await self.people[by].press_source(card.message, source))

    async def _fill(self, asked: Json, titles: set[str], given: dict[str, str], by: str) -> Told:
        message, person = await self.wait_for(asked), self.people[by]
        card = await person.look(message)
        title = next(each.title for each in actions(card) if each.title in titles)
        named = {_label(card, name): _value(card, name, value) for name, value in given.items()}
        return await self._told(await person.press(message, title, named))

    async def _told(self, outcome: Outcome) -> Told:
        assert not outcome.failed, outcome.delivery
        return Told(" ".join(outcome.told), _errors(outcome.view), lambda: " ".join(outcome.told))


def _label(card: Json, name: str) -> str:
    """The label of an input: as it is, or with what it says of being required."""
    labels = [str(each.get("label")) for each, _ in elements(card) if str(each.get("type")).startswith("Input.")]
    return next((label for label in labels if label in {name, f"{name} (required)"}), name)


def _value(card: Json, name: str, value: str) -> str:
    """What a menu submits for an entry; else what was typed."""
    label = _label(card, name)
    for each, _ in elements(card):
        if each.get("label") == label and each.get("choices"):
            return next((str(c["value"]) for c in each["choices"] if c["title"] == value), value)
    return value


def _choice(message: Message, label: str) -> str:
    assert message.card
    menu = next(each for each, _ in elements(message.card) if each.get("id") == "choice")
    return next(str(each["value"]) for each in menu["choices"] if each["title"] == label)


def _errors(card: Json | None) -> dict[str, str]:
    """Faults beside the inputs of a card, by the labels of these."""
    found: dict[str, str] = {}
    label = ""
    for each, _ in elements(card or {}):
        if str(each.get("type")).startswith("Input."):
            label = str(each.get("label")).removesuffix(" (required)")
        elif each.get("type") == "RichTextBlock":
            text = "".join(str(run.get("text", "")) for run in each["inlines"])
            if text.startswith("⚠ "):
                found[label] = text.removeprefix("⚠ ")
    return found


@asynccontextmanager
async def teams_surface() -> AsyncIterator[TeamsSurface]:
    """A tenant with its people."""
    async with TeamsCloud().serving() as cloud:
        yield TeamsSurface(cloud)
        wrong = [each for each in cloud.errors if "BadSyntax" in each or "Bad Argument" in each or "TooBig" in each]
        assert not wrong, wrong
