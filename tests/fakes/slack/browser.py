"""The stand-in in a browser: what somebody sees of it, and what they do there, done by the same verbs as in tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.fakes.slack import interactions
from tests.fakes.slack.interactions import Outcome
from tests.fakes.slack.kit import Control, at_first, controls, filled, holds_value
from tests.fakes.slack.kit.texts import offered
from tests.fakes.slack.model import Channel, Message, View
from tests.fakes.slack.payloads import values_of
from tests.fakes.slack.people import Person

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
_PAGE: Final = Path(__file__).parent / "page"
_KINDS: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def _served(name: str) -> web.Response:
    file = _PAGE / name
    return web.Response(body=file.read_bytes(), content_type=_KINDS[file.suffix], charset="utf-8")


async def page(_cloud: "SlackCloud", _request: web.Request) -> web.Response:
    """The page itself."""
    return _served("index.html")


async def part(_cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Its style and its script."""
    name = request.match_info["name"]
    if name not in {"page.css", "page.js", "blocks.js"}:
        raise web.HTTPNotFound
    return _served(name)


# --- what is seen --------------------------------------------------------------------------------


def _people(cloud: "SlackCloud") -> list[Person]:
    return [user for user in cloud.users.values() if isinstance(user, Person) and user.id != cloud.installer]


def _person(cloud: "SlackCloud", said: str) -> Person:
    for person in _people(cloud):
        if said in {person.id, person.name}:
            return person
    raise web.HTTPNotFound(text=f"nobody is called {said!r}")


def _message(message: Message, me: Person) -> Json:
    bot = message.user.is_bot
    return {
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "channel": message.channel.id,
        "from": message.user.real_name if bot else message.user.shown_name,
        "is_bot": bot,
        "is_ephemeral": message.seen_by is not None,
        "is_edited": message.edited is not None,
        "text": message.text,
        "blocks": message.blocks,
        "files": [file.name for file in message.files],
        "reactions": {name: len(users) for name, users in message.reactions.items()},
        "values": values_of(message.blocks, message.choices.get(me.id, {})),
    }


def _seen_in(cloud: "SlackCloud", channel: Channel, me: Person) -> list[Json]:
    whispered = [m for m in cloud.ephemerals if m.channel is channel and m.seen_by is me]
    there = [m for m in (*channel.messages, *whispered) if not m.is_deleted]
    return [_message(message, me) for message in sorted(there, key=lambda message: message.ts)]


def _view(view: View | None) -> Json | None:
    if view is None:
        return None
    return {
        "id": view.id,
        "hash": view.hash,
        "source": view.source,
        "values": values_of(view.blocks, view.values),
        "has_below": len(view.user.stack) > 1,
    }


def _places(cloud: "SlackCloud", me: Person) -> Iterable[Json]:
    for channel in cloud.channels.values():
        if channel.kind in {"channel", "group"} and me in channel.members:
            yield {"id": channel.id, "name": f"#{channel.name}", "kind": channel.kind}
    yield {"id": me.direct.id, "name": cloud.bot(me.team).real_name, "kind": "im"}
    yield {"id": "home", "name": "Home tab", "kind": "home"}


async def seen(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Everything that the page draws, for one person and one place."""
    people = _people(cloud)
    if not people:
        raise web.HTTPNotFound(text="there is nobody here yet")
    me = _person(cloud, request.query.get("as") or people[0].id)
    places = list(_places(cloud, me))
    wanted = request.query.get("place", "").removeprefix("#")
    here = next((p for p in places if wanted in {p["id"], p["name"].removeprefix("#")}), places[0])
    channel = cloud.channels.get(here["id"])
    names = {user.id: user.shown_name or user.real_name for user in cloud.users.values()}
    names |= {item.id: item.name for item in cloud.channels.values()}
    names |= {group.id: group.handle for group in cloud.groups.values()}
    return web.json_response(
        {
            "team": cloud.home.name,
            "people": [{"id": person.id, "name": person.name} for person in people],
            "me": {"id": me.id, "name": me.name},
            "places": places,
            "place": here,
            "commands": sorted(cloud.app.commands),
            "shortcuts": sorted(cloud.app.shortcuts),
            "names": names,
            "messages": _seen_in(cloud, channel, me) if channel else [],
            "home": _view(cloud.homes.get(me.id)),
            "modal": _view(me.stack[-1] if me.stack else None),
        }
    )


# --- what is done --------------------------------------------------------------------------------


class _Deed:
    """One thing that somebody did on the page."""

    def __init__(self, cloud: "SlackCloud", said: Json) -> None:
        self.cloud = cloud
        self.said = said
        self.me = _person(cloud, said["as"])

    def place(self) -> Message | View:
        """The message or the view in which it was done."""
        if "view" in self.said:
            view = self.cloud.views.get(self.said["view"])
            if view is None or view.user is not self.me:
                raise web.HTTPGone(text="the view is gone")
            return view
        channel = self.cloud.channels[self.said["channel"]]
        there = [*channel.messages, *(m for m in self.cloud.ephemerals if m.seen_by is self.me)]
        found = next((m for m in there if m.ts == self.said["ts"] and m.channel is channel and not m.is_deleted), None)
        if found is None:
            raise web.HTTPGone(text="the message is gone")
        return found

    def control(self, place: Message | View) -> Control:
        """The control that was used, with the chosen option of an overflow menu."""
        for item in controls(place.blocks):
            same = (item.block_id, item.action_id) == (self.said["block_id"], self.said["action_id"])
            if same and (item.option is None or item.option["value"] == self.said.get("value")):
                return item
        raise web.HTTPGone(text="the control is gone")

    def held(self, control: Control, raw: Any) -> Json:
        """What stands in an element, from what the page says: text, or the values of options."""
        if not control.kind.endswith("_select") and control.kind not in {"radio_buttons", "checkboxes"}:
            return filled(control.element, raw)
        if "users" in control.kind or "channels" in control.kind or "conversations" in control.kind:
            return filled(control.element, raw or None)
        key = (self.me.id, control.block_id, control.action_id)
        first = next((v for n, v in at_first(control.element).items() if n != "type"), None)
        already = first if isinstance(first, list) else [first] if first else []
        known = {
            item["value"]: item for item in [*already, *offered(control.element), *self.cloud.suggested.get(key, [])]
        }
        if isinstance(raw, list):
            return filled(control.element, [known[value] for value in raw])
        return filled(control.element, known[raw] if raw else None)

    async def act(self) -> Outcome:
        """Use a control."""
        place = self.place()
        control = self.control(place)
        value = self.held(control, self.said.get("value")) if holds_value(control.element) else None
        if isinstance(place, Message):
            return await interactions.act_in_message(self.me, place, control, value)
        return await interactions.act_in_view(self.me, place, control, value)

    async def submit(self) -> Outcome:
        """Submit a modal with all that stands in it."""
        view = self.place()
        assert isinstance(view, View)
        if not view.is_open:
            raise web.HTTPGone(text="the modal is closed")
        for control in controls(view.blocks):
            row = self.said["values"].get(control.block_id, {})
            if holds_value(control.element) and control.action_id in row:
                held = self.held(control, row[control.action_id])
                view.values.setdefault(control.block_id, {})[control.action_id] = held
        return await interactions.submit(self.me, view)

    async def close(self) -> Outcome:
        """Close a modal."""
        view = self.place()
        assert isinstance(view, View)
        return await interactions.dismiss(self.me, view)

    async def say(self) -> Outcome | None:
        """Write a message or a command."""
        channel, text = self.cloud.channels[self.said["channel"]], self.said["text"]
        name, _, rest = text.partition(" ")
        if name in self.cloud.app.commands:
            return await self.me.command(name, rest, channel=channel)
        thread = channel.find(self.said.get("thread_ts") or "")
        typed = text.replace(f"@{self.cloud.app.name}", self.cloud.bot(channel.team).mention)
        await self.me.say(channel, typed, thread=thread)
        return None

    async def shortcut(self) -> Outcome:
        """Use a shortcut on a message."""
        place = self.place()
        return await self.me.shortcut(self.said["callback_id"], place if isinstance(place, Message) else None)


async def suggest(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """What an external select offers."""
    deed = _Deed(cloud, await request.json())
    place = deed.place()
    return web.json_response(await interactions.suggest(deed.me, place, deed.control(place), deed.said["typed"]))


async def do(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Do something, and say whether the app took it."""
    deed = _Deed(cloud, await request.json())
    match request.match_info["verb"]:
        case "act":
            outcome: Outcome | None = await deed.act()
        case "submit":
            outcome = await deed.submit()
        case "close":
            outcome = await deed.close()
        case "say":
            outcome = await deed.say()
        case "shortcut":
            outcome = await deed.shortcut()
        case "home":
            await interactions.open_home(deed.me)
            outcome = None
        case _:
            raise web.HTTPNotFound
    failed = outcome is not None and outcome.failed
    return web.json_response(
        {"failed": interactions.TROUBLE if failed else "", "errors": outcome.errors if outcome else {}}
    )
