"""Says below a card what happened around it, once; and calls people, but only those whom the policy names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.teams.address import Address
from adapters.teams.cards import Cards
from adapters.teams.people import People
from adapters.teams.posts import Posts, message
from adapters.teams.references import Reference
from adapters.teams.texts import Fact, blocks, link
from andon import wire
from bot.cards import Said, Story, said, stories_of, summary, visible
from bot.cards.rich import Code, Piece, Quote, bold, chunks, clip, line
from bot.errors import DirectoryDown
from bot.handoff import Aside, Handoff

_KEPT: Final = timedelta(days=38)
_WORDS_CHARS: Final = 4_000
_TEXT_CHARS: Final = 300
_TITLE_CHARS: Final = 200
_CHUNK, _CHUNKS = 4_000, 2
_EMAIL_RE: Final = re.compile(r"[^@\s:/]+@[^@\s:/]+")
_ID_RE: Final = re.compile(r"teams:(?:(?P<tenant>[0-9a-f-]{36})/)?(?P<id>[0-9a-f-]{36})", re.IGNORECASE)
_NAMED_RE: Final = re.compile(r"[^\w .'-]")


@dataclass(frozen=True, slots=True)
class _Called:
    """Whom a message calls: mentions, and names of those who cannot be mentioned there."""

    text: str
    entities: tuple[dict[str, Any], ...]
    others: tuple[str, ...]


class Below:
    """Replies in the threads of cards; in chats, which have none, messages that name what they are about."""

    def __init__(self, posts: Posts, *, people: People, cards: Cards) -> None:
        """Say it by `posts`."""
        self._posts = posts
        self._people = people
        self._cards = cards

    async def say(self, at: Address, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say it, once.

        Raises:
            TooMany, Unreachable, NoAccess, TeamsFailed: It was not said, and the next try says it.
        """
        where = await self._posts.where(at)
        told = said(handoff, aside)
        called = await self._called(where, _listed(told, handoff, aside, place))
        pieces: list[Piece] = [line(" ".join(filter(None, (*called.others, told.sentence))))]
        pieces += [Quote(clip(told.words.text, _WORDS_CHARS))] if told.words else []
        activity = self._activity(where, handoff, pieces, called, told.sentence, mark=f"below:{at.text}:{aside.id}")
        await self._posts.once(f"below:{at.text}:{aside.id}", where, activity, kept=_KEPT)

    async def tell(self, at: Address, handoff: Handoff) -> None:
        """Tell what the card is too small for, once each; raises as `say`."""
        for story in stories_of(handoff):
            where = await self._posts.where(at)
            mark = f"{story.name}:{at.text}"
            await self._posts.once(mark, where, await self._story(where, handoff, story, mark), kept=_KEPT)

    async def explain(self, at: Address, handoff: Handoff, why: str) -> None:
        """Say why the card is where it is; what cannot be said is lost."""
        where = await self._posts.where(at)
        pieces = [line(f"This card is here because its own place cannot be reached. {why}")]
        nobody = _Called("", (), ())
        await self._posts.say(where, self._activity(where, handoff, pieces, nobody, "", mark=f"why:{at.text}"))

    async def _story(self, where: Reference, handoff: Handoff, story: Story, mark: str) -> dict[str, Any]:
        by = story.calls
        called = await self._called(where, [f"teams:{by.id}"] if by and by.surface == "teams" else [])
        shown = visible(story.text)
        pieces: list[Piece] = [line(bold(" ".join(filter(None, (*called.others, story.headline)))))]
        parts = list(chunks(shown, _CHUNK))
        pieces += [Code(part) for part in parts[:_CHUNKS]]
        if len(parts) > _CHUNKS:
            pieces.append(line(f"The whole, {len(shown):,} characters, is in the console."))
        return self._activity(where, handoff, pieces, called, f"{story.headline} {shown}"[:_TEXT_CHARS], mark=mark)

    def _activity(
        self,
        where: Reference,
        handoff: Handoff,
        pieces: Sequence[Piece],
        called: _Called,
        told: str,
        *,
        mark: str,
    ) -> dict[str, Any]:
        about: list[Piece] = []
        if where.kind != "channel":
            about = [line("About: ", clip(_one_line(handoff), _TITLE_CHARS))]
        card = self._cards.render(
            "below",
            calls=called.text,
            entities=list(called.entities),
            blocks=blocks([*pieces, *about]),
            facts=(Fact(link(self._cards.page(handoff.id), "Open in the console"), is_ours=True),),
        )
        return message(card, told or "Andon says something about a card.", mark=mark)

    async def _called(self, where: Reference, listed: Sequence[str]) -> _Called:
        """Mentions of those who are there; whoever is not is named in plain words."""
        mentions: list[str] = []
        entities: list[dict[str, Any]] = []
        others: list[str] = []
        for entry in listed:
            found = _ID_RE.fullmatch(entry)
            who = found["id"] if found else entry if _EMAIL_RE.fullmatch(entry) else ""
            try:
                person = await self._people.named(where, who) if who else None
            except DirectoryDown:
                person = None
            if person is None or not person.account:
                others.append(clip(entry, _TEXT_CHARS))
                continue
            name = _NAMED_RE.sub("", person.actor.name).strip() or "you"
            text = f"<at>{name}</at>"
            mentions.append(text)
            entities.append({"type": "mention", "text": text, "mentioned": {"id": person.account, "name": name}})
        return _Called(" ".join(mentions), tuple(entities), tuple(others))


def _listed(told: Said, handoff: Handoff, aside: Aside, place: wire.Place) -> Sequence[str]:
    """Whom it calls here: an escalation to other places calls its people there, and not where it came from."""
    if aside.kind != "escalated" or not 0 < aside.rung <= len(handoff.route.escalate):
        return told.called
    to = handoff.route.escalate[aside.rung - 1].to
    return told.called if not to or place in to else ()


def _one_line(handoff: Handoff) -> str:
    return " ".join(summary(handoff, now=handoff.opened_at).title.text.split())
