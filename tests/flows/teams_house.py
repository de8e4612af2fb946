"""A team in Teams, its people and the whole service: what the stories about Teams are told with.

At the end of every story all that the app has shown is searched for what would call somebody, open an address that is
not ours, or load a picture (`live_marks`), and the stand-in must not have been sent anything that Teams would not take.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from bot.config import Settings
from bot.outbox import Pace
from tests.adapters.surface import HOUR_PACE
from tests.fakes.teams import Channel, Conversation, Delivery, Message, Outcome, Person, TeamsCloud, payloads
from tests.fakes.teams.cards import CARD, actions, elements
from tests.fakes.teams.doors import size_utf16
from tests.fakes.teams.outcomes import apply
from tests.flows.paper_house import settled
from tests.people import Agent, Json
from tests.servers import Live, live, until

MESSAGES: Final = "https://teams.microsoft.com/l/message"
"""Where links to cards lead."""
_UNTAKEN: Final = ("BadSyntax", "Bad Argument", "MessageSizeTooBig", "was answered with")
_SAFE_BYTES: Final = 80 * 1024
_HIDDEN: Final = re.compile(r"[\u00ad\u034f\u061c\u115f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff]")
_LIVE: Final = re.compile(
    r"!?\[[^\]]*\]\(([^)]*)\)|(?<!\w)([a-z][a-z0-9+.-]*://[^\s)]+)|\b(www\.[^\s)]+)", re.IGNORECASE
)
_AT: Final = re.compile(r"<at>.*?</at>")


def settings_for(settings: Settings, cloud: TeamsCloud, **changes: Any) -> Settings:
    """Those of a service that serves this tenant."""
    given: dict[str, Any] = {
        "teams_app_id": cloud.app_id,
        "teams_app_password": SecretStr(cloud.app_password),
        "teams_tenant_id": cloud.home.id,
        "teams_openid_metadata_url": cloud.metadata_url,
        "teams_login_url": cloud.login_url,
    }
    return settings.model_copy(update=given | changes)


def people_of(cloud: TeamsCloud) -> tuple[Channel, Person, Person]:
    """A channel of a team, and two full members of it."""
    mira = cloud.person("Mira", email="mira@example.com")
    ana = cloud.person("Ana", email="ana@example.com")
    return cloud.team("Ops", [mira, ana], channels=["deploys"]).channel("deploys"), mira, ana


@dataclass
class House:
    """A tenant with a channel, two full members of it, and the service."""

    cloud: TeamsCloud
    ops: Channel
    mira: Person
    ana: Person
    live: Live = field(repr=False)

    @property
    def agent(self) -> Agent:
        return self.live.agent

    def place(self, where: Conversation | None = None, *, thread: Message | None = None) -> Json:
        place = {"surface": "teams", "channel": (where or self.ops).id}
        return place | ({"thread": thread.id} if thread else {})

    def person(self, person: Person) -> Json:
        """The chat with one person."""
        return {"surface": "teams", "person": person.email}

    async def ask(self, **changes: Any) -> Json:
        """Ask to send an e-mail, in the channel unless told otherwise."""
        return await self.agent.ask(**{"to": [self.place()], **changes})

    async def card(self, asked: Json, where: Conversation | None = None) -> Message:
        """The card of a handoff, as soon as it is there."""

        async def there() -> bool:
            return bool(self.cards(asked, where))

        posts = [m.shown for each in self.cloud.conversations.values() for m in self.cloud.posts(each)]
        await until(there, what=f"a card of {asked['id']}; there were {posts}, and {self.cloud.errors}")
        return self.cards(asked, where)[0]

    def cards(self, asked: Json, where: Conversation | None = None) -> list[Message]:
        """All cards of a handoff, in one conversation or anywhere."""
        return cards_of(self.cloud, asked, where)

    async def asked_card(self, **changes: Any) -> tuple[Json, Message]:
        """Ask, wait for the card, and until the service knows where it is: before that a press is answered in words."""
        asked = await self.ask(**changes)
        card = await self.card(asked)
        await self.until_settled()
        return asked, card

    async def state(self, asked: Json) -> str:
        return str((await self.agent.look(asked["id"]))["state"])

    async def until_settled(self) -> None:
        """Everything that happened is shown."""
        await settled(self.live)

    async def plant(self, where: Conversation) -> Message:
        """A message of the bot somewhere, which is nobody's card."""
        message = Message(where, where.next_id(self.cloud.clock.now()), None, {"type": "message", "text": "Hello"})
        where.messages.append(message)
        return message

    def last(self, kind: str) -> Delivery:
        """The last activity of this kind that was sent to the service."""
        return next(each for each in reversed(self.cloud.deliveries) if each.kind == kind)


def cards_of(cloud: TeamsCloud, asked: Json, where: Conversation | None = None) -> list[Message]:
    """The messages that are this handoff's cards."""
    places = [where] if where else list(cloud.conversations.values())
    return [m for place in places for m in cloud.posts(place) if asked["id"] in json.dumps(m.source) and m.card]


async def told_below(card: Message, containing: str, *, within_s: float = 5) -> Message:
    """The reply below a card that says this."""

    async def there() -> bool:
        return any(containing in plain(reply.shown) for reply in card.replies)

    await until(there, within_s=within_s, what=f"{containing!r} below the card: {[r.shown for r in card.replies]}")
    return next(reply for reply in card.replies if containing in plain(reply.shown))


def plain(shown: str) -> str:
    """What can be read, with its spaces as they are typed."""
    return shown.replace("\u00a0", " ").replace("  ", " ")


@asynccontextmanager
async def house(
    settings: Settings,
    *,
    policy: str = "",
    pace: Pace = HOUR_PACE,
    may_be_refused: tuple[str, ...] = (),
    prepare: Callable[[TeamsCloud], None] = lambda _: None,
    **changes: Any,
) -> AsyncIterator[House]:
    """The whole thing.

    Args:
        settings: Of the service without Teams.
        policy: The policy file's text.
        pace: The outbox's.
        may_be_refused: What the stand-in may find wrong with what it is sent.
        prepare: Sets up more before the bot hears where it is installed.
        changes: Other settings.
    """
    if policy:
        path = Path(settings.state).parent / "policy.yaml"
        path.write_text(policy)
        changes["policy"] = path
    async with TeamsCloud().serving() as cloud:
        ops, mira, ana = people_of(cloud)
        prepare(cloud)
        async with live(settings_for(settings, cloud, **changes), pace=pace) as running:
            cloud.endpoint = f"{running.url}/api/messages"
            await cloud.announce()
            yield House(cloud, ops, mira, ana, running)
            check(cloud, running.url, MESSAGES, may_be_refused=may_be_refused)


def check(cloud: TeamsCloud, *urls: str, may_be_refused: tuple[str, ...] = ()) -> None:
    """Nothing that was shown calls or leads anybody anywhere, or is too long; nothing that was sent was malformed."""
    found = list(live_marks(cloud, urls))
    assert not found, found
    assert cloud.largest_bytes <= _SAFE_BYTES
    wrong = [e for e in cloud.errors if any(w in e for w in _UNTAKEN) and not any(m in e for m in may_be_refused)]
    assert not wrong, wrong


def live_marks(cloud: TeamsCloud, urls: Sequence[str]) -> Iterator[str]:
    """All in what the app has shown that would call somebody, open an address that is not ours, or hides itself.

    People are called in one place: below a card, by a message that names each of them as a mention.
    """
    for what, source in _everything(cloud):
        if size_utf16(source) > _SAFE_BYTES:
            yield f"{what}: {size_utf16(source):,} bytes"
        called = [each["text"] for each in source.get("entities") or () if each.get("type") == "mention"]
        if called and not source.get("replyToId") and what == "card":
            yield f"{what} calls {called}"
        for name in ("text", "summary"):
            yield from (f"{what} {name}: {mark}" for mark in _marks(str(source.get(name) or ""), urls, called))
        for card in _cards_in(source):
            yield from (f"{what}: {mark}" for mark in _marks_of(card, urls))


def _everything(cloud: TeamsCloud) -> Iterator[tuple[str, Json]]:
    for conversation in cloud.conversations.values():
        for message in conversation.messages:
            if message.by_bot:
                what = "card" if message.card and "refresh" in message.card else "message"
                for version in message.versions:
                    source = {"text": version.text, "summary": version.summary, "attachments": version.attachments}
                    yield what, {**message.source, **source}
    for delivery in cloud.deliveries:
        for ack in delivery.acks:
            if isinstance(ack.body, dict):
                yield f"reply to {delivery.kind}", ack.body


def _cards_in(source: object) -> Iterator[Json]:
    if isinstance(source, dict):
        if source.get("type") == "AdaptiveCard":
            yield source
        elif source.get("type") == CARD or source.get("contentType") == CARD or "task" in source:
            for inner in source.values():
                yield from _cards_in(inner)
        else:
            for name in ("attachments", "value", "card", "content"):
                yield from _cards_in(source.get(name))
        if source.get("type") in {"application/vnd.microsoft.activity.message", "message"} and isinstance(
            source.get("value"), str
        ):
            yield {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": source["value"]}]}
    elif isinstance(source, list):
        for inner in source:
            yield from _cards_in(inner)


def _marks_of(card: Json, urls: Sequence[str]) -> Iterator[str]:
    called = [each["text"] for each in (card.get("msteams") or {}).get("entities") or ()]
    for element, _ in elements(card):
        if element.get("type") in {"Image", "ImageSet", "Media", "FactSet"} or "backgroundImage" in element:
            yield str(element)
        yield from (
            f"{element.get('type')} {mark}" for text in _live_texts(element) for mark in _marks(text, urls, called)
        )
        for run in element.get("inlines") or ():
            yield from _marks_of_run(run if isinstance(run, dict) else {"text": run})
    for action in actions(card):
        yield from _marks(action.title, urls, called)
        if action.kind == "Action.OpenUrl" and not _is_ours(action.source["url"], urls):
            yield str(action.source)
    for name in ("fallbackText", "speak"):
        yield from _marks(str(card.get(name) or ""), urls, called)


def _live_texts(element: Json) -> Iterator[str]:
    """What of an element some client reads as Markdown."""
    if element.get("type") != "RichTextBlock":
        names = ("text", "title", "label", "placeholder", "errorMessage", "fallbackText")
        yield from (element[name] for name in names if isinstance(element.get(name), str))
        yield from (str(choice["title"]) for choice in element.get("choices") or ())


def _marks_of_run(run: Json) -> Iterator[str]:
    text = str(run.get("text", ""))
    if "selectAction" in run or re.search(r"\{\{\s*(DATE|TIME)", text, re.IGNORECASE):
        yield str(run)
    yield from (f"hidden {each!r} in {text[:80]!r}" for each in _HIDDEN.findall(text))


def _marks(text: str, urls: Sequence[str], called: Sequence[str]) -> Iterator[str]:
    """What is live in Markdown."""
    for found in _LIVE.finditer(text):
        address = next(each for each in found.groups() if each is not None)
        if found[0].startswith("!") or not _is_ours(address, urls):
            yield found[0]
    yield from (each for each in _AT.findall(text) if each not in called)
    yield from (f"hidden {each!r}" for each in _HIDDEN.findall(text))


def _is_ours(address: str, urls: Sequence[str]) -> bool:
    return any(address == url or address.startswith(f"{url}/") for url in urls)


# --- presses ---


def button(card: Mapping[str, Any], title: str) -> Json:
    """The source of what is called this on a card, as it is now: to press it later, or changed."""
    copied: Json = json.loads(json.dumps(next(a.source for a in actions(dict(card)) if a.title == title)))
    return copied


async def late(person: Person, card: Message, source: Json) -> Outcome:
    """Press what somebody saw before the card changed, or before they left; or what nobody ever saw."""
    name, value = "adaptiveCard/action", {"action": source, "trigger": "manual"}
    if source["type"] == "Action.Submit":
        name, value = "task/fetch", {"data": source["data"], "context": {"theme": "default"}}
    since = len(person.cloud.effects)
    sent = await person.cloud.courier.send(payloads.invoke(person.cloud, name, card, person, value))
    return apply(person, card, sent, since)
