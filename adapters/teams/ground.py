"""What Teams tells of its conversations, for those who look things up for people.

A room is `<tenant>/<conversation>`. A message in a channel is `<top of its thread>/<id>`, or the top's id alone.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote

from adapters.teams import words
from adapters.teams.address import Address
from adapters.teams.people import People
from adapters.teams.places import Places
from adapters.teams.references import Reference, References
from andon import wire
from bot.errors import BotError, StoreUnavailable
from bot.talk import Pointed, Viewer


class TeamsGround:
    """The `Ground` of `bot.talk`."""

    surface = "teams"
    platform = "Teams"

    def __init__(self, *, references: References, people: People, places: Places) -> None:
        """The bot knows the conversations that it has a reference to."""
        self._references = references
        self._people = people
        self._places = places

    async def viewer(self, activity: Mapping[str, Any]) -> Viewer:
        """Who sent an activity, seen from the conversation where they did.

        Raises:
            DirectoryDown: Teams does not tell who they are.
        """
        person = await self._people.person(activity)
        where = Reference.of(activity)
        aad = str(activity["from"].get("aadObjectId") or "")
        return Viewer(where.tenant, aad, person, room_of(where) if where.kind == "personal" else "")

    def background(self) -> AbstractContextManager[None]:
        """See `Ground`: Teams counts what is asked of each conversation alone."""
        return nullcontext()

    async def room(self, place: wire.Place) -> str | None:
        """See `Ground`."""
        try:
            return room_of(await self._places.find(place))
        except StoreUnavailable:
            raise
        except BotError:
            return None

    async def ways(self, room: str) -> tuple[str, ...]:
        """See `Ground`."""
        at = await self._at(room)
        return await self._places.ways(at) if at else (_split(room)[1],)

    async def name(self, room: str) -> str:
        """See `Ground`."""
        at = await self._at(room)
        return await self._places.name(at) if at else _split(room)[1]

    def is_direct(self, room: str) -> bool:
        """See `Ground`."""
        return not _split(room)[1].startswith("19:")

    async def is_in(self, viewer: Viewer, room: str) -> bool:
        """See `Ground`."""
        at = await self._at(room) or await self._found(room)
        if at is None or at.tenant != viewer.home or not viewer.user:
            return False
        if at.kind == "personal":
            return at.person == viewer.user
        return await self._people.named(at, viewer.user) is not None

    async def shared(self, viewer: Viewer) -> Sequence[str]:
        """See `Ground`."""
        known = await self._places.everywhere()
        theirs = [at for at in known if at.kind != "personal" or at.person == viewer.user]
        return [room_of(at) for at in theirs if at.tenant == viewer.home]

    def named(self, viewer: Viewer) -> frozenset[str]:
        """See `Ground`."""
        return frozenset({viewer.user, f"{viewer.home}/{viewer.user}"} if viewer.user else ())

    def address(self, room: str, message: str) -> str:
        """See `Ground`."""
        tenant, conversation = _split(room)
        above, _, id = message.rpartition("/")
        if is_channel(conversation):
            conversation = f"{conversation};messageid={above or id}"
        return Address(tenant, conversation, id).text

    def thread(self, room: str, message: str) -> str:
        """See `Ground`."""
        return self.address(room, message).rpartition("/")[0]

    async def link(self, room: str, message: str) -> str | None:
        """See `Ground`."""
        tenant, conversation = _split(room)
        above, _, id = message.rpartition("/")
        url = f"https://teams.microsoft.com/l/message/{quote(conversation, safe='')}/{id}"
        if is_channel(conversation):
            return f"{url}?tenantId={tenant}&parentMessageId={above or id}"
        if conversation.startswith("19:"):
            return f"{url}?context=%7B%22contextType%22%3A%22chat%22%7D"
        return None  # no link leads into the chat of a person and a bot

    def pointed(self, viewer: Viewer, text: str) -> Pointed | None:
        """See `Ground`."""
        found = words.link(text)
        if found is None:
            return None
        conversation, id, above = found
        return Pointed(f"{viewer.home}/{conversation}", tuple(dict.fromkeys((f"{above}/{id}", above))))

    async def marked(self, room: str, message: str) -> str | None:  # noqa: ARG002  # of any message
        """See `Ground`: Teams lets no bot read a message."""
        return None

    async def _found(self, room: str) -> Reference | None:
        """A channel from which nothing has come yet."""
        try:
            return await self._places.find(wire.Place(surface=self.surface, channel=_split(room)[1]))
        except StoreUnavailable:
            raise
        except BotError:
            return None

    async def _at(self, room: str) -> Reference | None:
        return await self._references.find(_split(room)[1])


def room_of(at: Reference) -> str:
    """The room of a conversation."""
    return f"{at.tenant}/{at.conversation}"


def placed(at: Address) -> tuple[str, str]:
    """The room and the message of an address, as `TeamsGround` names them."""
    above = at.conversation.partition(";messageid=")[2]
    return f"{at.tenant}/{at.channel}", f"{above}/{at.activity}" if above else at.activity


def is_channel(conversation: str) -> bool:
    """Is it one, by its id? It has threads then."""
    return "@thread.tacv2" in conversation or "@thread.skype" in conversation


def _split(room: str) -> tuple[str, str]:
    tenant, _, conversation = room.partition("/")
    return tenant, conversation
