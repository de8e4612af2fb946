"""“Ask the agent about this”: a person's words, with the message they are about, left for the run it belongs to."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.cards import Cards, Group, Option
from adapters.slack.fit import OPTION, OPTIONS, TITLE, Json
from adapters.slack.inputs import Input, block
from adapters.slack.markup import mrkdwn
from adapters.slack.modals import Modals
from adapters.slack.naming import names
from adapters.slack.pace import background
from adapters.slack.people import People
from adapters.slack.places import Places
from adapters.slack.presses import ACTION
from adapters.slack.saying import Saying
from adapters.slack.words import typed
from bot import talk
from bot.cards import visible
from bot.cards.rich import Quote, bold, clip, joined, length, line, plain
from bot.errors import BotError
from bot.ports import Shelf
from bot.talk import CHOOSE, DOWN, EMPTY, NOBODY, NOT_OFFERED, Choice, Person, Quoted

log = logging.getLogger("andon.slack")

CALLBACK: Final = f"{ACTION}ask"
_TOLD: Final = timedelta(days=1)
_QUOTE_CHARS: Final = 1_500
_LINE_CHARS: Final = 3_000
_NAME_CHARS: Final = 80
_METADATA_CHARS: Final = 3_000
_MOST_RUNS: Final = 20
_ID: Final = "ask"


@dataclass(frozen=True, slots=True)
class _About:
    """The message that somebody picked."""

    team: str
    user: str
    user_team: str | None
    channel: str
    ts: str
    thread: str
    """The message at its top, which is the message itself where there is no thread yet."""
    by: str
    """Who wrote it; empty for a bot."""
    text: str
    """As Slack sends it."""


class Asking:
    """Opens the modal, and takes what was filled in."""

    def __init__(
        self,
        shelf: Shelf,
        api: Api,
        *,
        people: People,
        places: Places,
        talking: talk.Asking,
        saying: Saying,
        cards: Cards,
        modals: Modals,
    ) -> None:
        """Find whom to ask, and leave words for them, by `talking`."""
        self._shelf = shelf
        self._api = api
        self._people = people
        self._places = places
        self._asking = talking
        self._saying = saying
        self._cards = cards
        self._modals = modals

    async def asked(self, payload: Mapping[str, Any], team: str) -> None:
        """The shortcut was picked: open a modal while the trigger lives, then look up whom to ask."""
        waits = self._modals.note("One moment", "Looking for the agent that this is about…")
        try:
            opened = await self._api.call(team, "views.open", trigger_id=str(payload["trigger_id"]), view=waits)
            with background():
                view = await self._form(_about(payload, team))
            await self._api.call(team, "views.update", view_id=str(opened["view"]["id"]), view=view)
        except BotError as error:
            log.warning("slack.ask_not_opened user=%s detail=%s", payload["user"]["id"], error)

    async def ask_submitted(self, payload: Mapping[str, Any], team: str) -> Mapping[str, Any]:
        """Leave the words for the agent, say in the thread that they were asked, and show here what came of it."""
        view = payload["view"]
        own = json.loads(str(view["private_metadata"]))
        user = payload["user"]
        values = (view.get("state") or {}).get("values") or {}
        text = _given(values, "text").strip()
        run_id = _given(values, "run") or (own["runs"][0] if len(own["runs"]) == 1 else "")
        if not text:
            return {"response_action": "errors", "errors": {block("text", _ID): EMPTY}}
        if run_id not in own["runs"]:
            return {"response_action": "errors", "errors": {block("run", _ID): NOT_OFFERED}}
        try:
            person = await self._person(team, str(user["id"]), user.get("team_id"), own["channel"])
        except BotError as error:
            log.warning("slack.ask_failed user=%s detail=%s", user["id"], error)
            return self._told("Not sent", DOWN)
        if refusal := self._asking.refusal(person, "channel"):
            return self._told("Not sent", refusal)
        about = Quoted(own["author"], own["quote"])
        sent = await self._asking.send(run_id, text, about, person, steer_id=f"slack:{view['id']}")
        if not sent.is_sent:
            return self._told("Not sent", sent.told)
        is_shown = await self._announce(team, own, person, text, str(view["id"]))
        return self._told("Sent", sent.told if is_shown else f"{sent.told} It could not be shown in the channel.")

    async def _person(self, team: str, user: str, user_team: str | None, channel: str) -> Person:
        return await self._people.person(team, user, channel=channel, user_team=user_team)

    async def _announce(self, team: str, own: Mapping[str, Any], person: Person, text: str, view_id: str) -> bool:
        """Let the others see it, below the message; once."""
        once = f"asked:{view_id}"
        if not await self._shelf.once(once, _TOLD):
            return True
        said = mrkdwn(f"{visible(person.actor.name)} asks the agent: {visible(text)}", _LINE_CHARS)
        blocks = [_literal(f"{visible(person.actor.name)} asks the agent: ", clip(visible(text), _LINE_CHARS - 100))]
        if await self._saying.say(team, own["channel"], said, blocks, thread=own["thread"]):
            return True
        await self._shelf.forget(once)
        return False

    # --- the modal ---

    async def _form(self, about: _About) -> Json:
        try:
            person = await self._person(about.team, about.user, about.user_team, about.channel)
            if refusal := self._asking.refusal(person, "channel"):
                return self._modals.note("Ask the agent", refusal)
            choices = await self._asking.choices(f"{about.team}/{about.channel}", about.ts, about.thread)
            quoted = await self._quote(about)
        except BotError as error:
            log.warning("slack.ask_not_found user=%s detail=%s", about.user, error)
            return self._modals.note("Ask the agent", DOWN)
        if not choices:
            return self._modals.note("Ask the agent", NOBODY.format("channel"))
        return self._view(about, choices, quoted)

    async def _quote(self, about: _About) -> Quoted:
        """The message as people read it."""
        text = typed(about.text, await names(self._people, self._places, about.team, about.text))
        author = await self._people.name(about.team, about.by) if about.by else "a bot"
        return Quoted(visible(author)[:_NAME_CHARS], text)

    def _view(self, about: _About, choices: Sequence[Choice], quoted: Quoted) -> Json:
        one = choices[0] if len(choices) == 1 else None
        quote = visible(clip(quoted.text, _QUOTE_CHARS))
        named = (bold(one.called), " reads this at its next step.") if one else (CHOOSE,)
        parts: list[Group | Input] = [Group("whom", joined((line(*named),)))]
        if quote:
            parts.append(Group("quote", joined((line(f"About what {quoted.author} wrote:"), Quote(quote)))))
        if one is None:
            options = tuple(Option(plain(each.called, OPTION), each.run) for each in choices[:OPTIONS])
            parts.append(Input(block("run", _ID), "Which agent?", "select", options=options, is_optional=False))
        parts.append(Input(block("text", _ID), "Your words", "text", is_optional=False, is_multiline=True))
        rendered = self._cards.templates.render(
            "modal",
            callback=CALLBACK,
            title=plain("Ask the agent", TITLE),
            submit="Send",
            metadata=_metadata(about, choices, quoted),
            parts=tuple(parts),
            id=_ID,
        )
        return dict(rendered)

    def _told(self, title: str, text: str) -> Mapping[str, Any]:
        return {"response_action": "update", "view": self._modals.note(title, text)}


def _about(payload: Mapping[str, Any], team: str) -> _About:
    message, user = payload.get("message") or {}, payload["user"]
    ts = str(message.get("ts") or payload.get("message_ts") or "")
    channel = str((payload.get("channel") or {}).get("id") or "")
    return _About(
        team=team,
        user=str(user["id"]),
        user_team=user.get("team_id"),
        channel=channel,
        ts=ts,
        thread=str(message.get("thread_ts") or ts),
        by="" if message.get("bot_id") else str(message.get("user") or ""),
        text=str(message.get("text") or ""),
    )


def _metadata(about: _About, choices: Sequence[Choice], quoted: Quoted) -> str:
    """What the submission must know: the quote is shortened until all of it fits."""
    own: dict[str, Any] = {
        "channel": about.channel,
        "ts": about.ts,
        "thread": about.thread,
        "runs": [each.run for each in choices],
        "author": quoted.author,
        "quote": "",
    }
    left = _METADATA_CHARS - length(json.dumps(own)) - 100
    own["quote"] = clip(quoted.text, min(_QUOTE_CHARS, left // 2))
    text = json.dumps(own, ensure_ascii=False)
    return text if len(text) <= _METADATA_CHARS else json.dumps({**own, "quote": ""})


def _given(values: Mapping[str, Any], name: str) -> str:
    for state in (values.get(block(name, _ID)) or {}).values():
        return str(state.get("value") or (state.get("selected_option") or {}).get("value") or "")
    return ""


def _literal(lead: str, text: str) -> Json:
    """A person's words as they are: nothing in them calls anybody or becomes a link."""
    said = [{"type": "text", "text": lead, "style": {"bold": True}}, {"type": "text", "text": text}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": said}]}
