"""People and what they do: press, choose, write, ask. Each verb reaches the app as Slack would send it."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.fakes.slack import events, interactions
from tests.fakes.slack.kit import Control
from tests.fakes.slack.model import Channel, Message, User
from tests.fakes.slack.screens import Home, Modal, chosen, control_named

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
PRESSED: Final = ("button", "overflow", "icon_button")
_MENTION: Final = re.compile(r"<@([UW][A-Z0-9]+)>")


def as_typed(text: str) -> list[Json]:
    """The rich_text block that Slack's client makes of what somebody types."""
    parts: list[Json] = []
    for n, piece in enumerate(_MENTION.split(text)):
        if n % 2:
            parts.append({"type": "user", "user_id": piece})
        elif piece:
            parts.append({"type": "text", "text": piece})
    section = {"type": "rich_text_section", "elements": parts}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


@dataclass(eq=False)
class Person(User):
    """Somebody who uses Slack."""

    cloud: "SlackCloud" = field(init=False, repr=False)

    # --- in channels -----------------------------------------------------------------------------

    async def say(self, channel: Channel, text: str, *, thread: Message | None = None) -> Message:
        """Write a message; it has been delivered, or has failed to be, when this returns."""
        assert self in channel.members, f"{self.name} is not in {channel.name}"
        message = Message(
            channel=channel,
            ts=channel.next_ts(self.cloud.clock.now()),
            user=self,
            text=text,
            blocks=as_typed(text),
            thread_ts=(thread.thread_ts or thread.ts) if thread else None,
        )
        channel.messages.append(message)
        await events.message_posted(self.cloud, message)
        return message

    async def edit(self, message: Message, text: str) -> None:
        """Change one's own message."""
        assert message.user is self, "only one's own message can be edited"
        before = message.as_json()
        message.change(text, as_typed(text), f"{self.cloud.clock.now():.6f}")
        await events.message_changed(self.cloud, message, before)

    async def delete(self, message: Message) -> None:
        """Delete one's own message."""
        assert message.user is self, "only one's own message can be deleted"
        before = message.as_json()
        message.is_deleted = True
        await events.message_deleted(self.cloud, message, before)

    async def react(self, message: Message, name: str) -> None:
        """Put an emoji on a message."""
        users = message.reactions.setdefault(name, [])
        if self.id not in users:
            users.append(self.id)
            await events.reaction_added(self.cloud, message, self, name)

    # --- with the bot alone ----------------------------------------------------------------------

    @property
    def direct(self) -> Channel:
        """The direct conversation with the bot."""
        return self.cloud.conversation(self)

    @property
    def dms(self) -> list[Message]:
        """All that was said in it, by either."""
        return [message for message in self.direct.messages if not message.is_deleted]

    async def dm(self, text: str, *, thread: Message | None = None) -> Message:
        """Write to the bot."""
        return await self.say(self.direct, text, thread=thread)

    # --- on cards --------------------------------------------------------------------------------

    async def press(self, card: Message, label: str) -> interactions.Outcome:
        """Press a button, or choose from an overflow menu.

        Returns:
            What came of it, after a moment in which the first of it could arrive.

        Raises:
            AssertionError: There is no such button; it says which there are.
        """
        return await interactions.act_in_message(self, card, self._control(card, label, PRESSED))

    async def select(self, card: Message, label: str, *, option: Any) -> interactions.Outcome:
        """Choose in a select, a date picker, radio buttons or checkboxes, named by placeholder or action_id."""
        control = self._control(card, label)
        return await interactions.act_in_message(self, card, control, await chosen(self, card, control, option))

    async def search(self, card: Message, label: str, typed: str) -> list[str]:
        """Type into an external select: the labels of what the app offers."""
        options = await interactions.suggest(self, card, self._control(card, label), typed)
        return [str(option["text"]["text"]) for option in options]

    def _control(self, card: Message, label: str, kinds: tuple[str, ...] = ()) -> Control:
        assert card.seen_by in {None, self}, f"{self.name} does not see this message"
        assert self in card.channel.members, f"{self.name} is not in {card.channel.name}"
        assert not card.is_deleted, "the message was deleted"
        return control_named(card.blocks, label, "the message", kinds)

    # --- elsewhere -------------------------------------------------------------------------------

    async def command(self, name: str, text: str = "", *, channel: Channel | None = None) -> interactions.Outcome:
        """Send a slash command and wait for its reply: `text`, `shown`, `reply`, or a `modal`."""
        return await interactions.command(self, name, text, channel or self.direct)

    async def shortcut(self, callback_id: str, message: Message | None = None) -> interactions.Outcome:
        """Use a shortcut on a message, or a global one."""
        return await interactions.shortcut(self, callback_id, message)

    @property
    def modal(self) -> Modal | None:
        """The modal on top, if any is open."""
        return Modal(self, self.stack[-1]) if self.stack else None

    @property
    def home(self) -> Home | None:
        """The Home tab, if the app has published one."""
        view = self.cloud.homes.get(self.id)
        return Home(self, view) if view else None

    async def open_home(self) -> Home:
        """Open the Home tab and wait until the app has published it anew, or a moment has passed."""
        await interactions.open_home(self)
        home = self.home
        assert home, "the app has published no Home tab"
        return home

    @property
    def told(self) -> list[str]:
        """Everything ephemeral that this person was shown."""
        return self.cloud.told(self)
