"""Somebody who talks to the bot, and what a platform tells of its conversations. Values and protocols only."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from andon import wire
from bot.ports import Standing


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as far as an answer of theirs goes."""

    actor: wire.Actor
    standing: Standing
    refusal: str
    """Why they may never answer, listed or not: a sentence for them. Empty when nothing of that kind is known."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who asks what there is."""

    home: str
    """The workspace or tenant whose installation they ask."""
    user: str
    """Their id there."""
    person: Person
    direct: str = ""
    """The room where they ask, if it is theirs and the bot's alone."""

    @property
    def is_member(self) -> bool:
        """A full member of the workspace, whether or not in one conversation or another."""
        return self.person.standing in {"member", "outside"}


@dataclass(frozen=True, slots=True)
class Pointed:
    """Messages that a link leads to: one, then the one at the top of its thread."""

    room: str
    messages: tuple[str, ...]


class Ground(Protocol):
    """What a platform tells of its conversations. A room is one of them, by a key that no other has.

    Whatever asks the platform raises `DirectoryDown` when it does not tell.
    """

    surface: str
    """As a place names it: `slack`."""
    platform: str
    """As people call it: `Slack`."""

    def background(self) -> AbstractContextManager[None]:
        """What is done inside is in no hurry, and lets those go first who press and answer."""
        ...

    async def room(self, place: wire.Place) -> str | None:
        """The room that a place names; None when it cannot be found now."""
        ...

    async def ways(self, room: str) -> tuple[str, ...]:
        """Every way in which a place may name this room; it takes no longer than a moment."""
        ...

    async def name(self, room: str) -> str:
        """What people call it; its id when the platform does not tell."""
        ...

    def is_direct(self, room: str) -> bool:
        """Is it a conversation with the bot alone?"""
        ...

    async def is_in(self, viewer: Viewer, room: str) -> bool:
        """Is this person in a room?"""
        ...

    async def shared(self, viewer: Viewer) -> Sequence[str]:
        """Rooms that this person may share with the bot, in no order: `is_in` knows."""
        ...

    def named(self, viewer: Viewer) -> frozenset[str]:
        """The ids by which a place may name this person."""
        ...

    def address(self, room: str, message: str) -> str:
        """Where a message is, as a `CardRef` has it."""
        ...

    def thread(self, room: str, message: str) -> str:
        """Where the thread below a message is, for what the shelf keeps of it."""
        ...

    async def link(self, room: str, message: str) -> str | None:
        """A link to a message; None: not known."""
        ...

    def pointed(self, viewer: Viewer, text: str) -> Pointed | None:
        """The messages that a link in a text leads to; None: there is no such link."""
        ...

    async def marked(self, room: str, message: str) -> str | None:
        """The handoff whose card a message says that it is, while the store does not know; None: it is none."""
        ...
