"""People and what they do: write, press, fill in, react. Each verb reaches the bot as Teams would send it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.teams import cards, payloads
from tests.fakes.teams.model import Channel, Conversation, Message, Tenant

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud
    from tests.fakes.teams.dialogs import Dialog
    from tests.fakes.teams.outcomes import Outcome

Json = dict[str, Any]


@dataclass(eq=False)
class Person:
    """Somebody who uses Teams."""

    id: str
    """29:…, theirs for this bot."""
    name: str
    tenant: Tenant
    """Their home."""
    email: str
    upn: str
    aad: str
    is_guest: bool = False
    cloud: "TeamsCloud" = field(init=False, repr=False)

    @property
    def as_account(self) -> Json:
        """As activities name them: without an e-mail address."""
        told = {"id": self.id, "name": self.name, "aadObjectId": self.aad}
        return {name: value for name, value in told.items() if value}

    @property
    def in_roster(self) -> Json:
        """As rosters name them."""
        given, _, surname = self.name.partition(" ")
        told = {
            "id": self.id,
            "name": self.name,
            "aadObjectId": self.aad,
            "objectId": self.aad,
            "givenName": given,
            "surname": surname,
            "email": self.email,
            "userPrincipalName": self.upn,
            "tenantId": self.tenant.id,
            "userRole": "guest" if self.is_guest else "anonymous" if not self.aad else "user",
        }
        return {name: value for name, value in told.items() if value}

    # --- writing ---------------------------------------------------------------------------------

    @property
    def direct(self) -> Conversation:
        """The chat with the bot alone."""
        return self.cloud.personal(self)

    @property
    def dms(self) -> list[Message]:
        """All that was said in it, by either."""
        return [message for message in self.direct.messages if not message.is_deleted]

    async def say(
        self, where: Conversation, text: str, *, thread: Message | None = None, mention: bool = False
    ) -> Message:
        """Write a message; the bot has it, or does not hear of it, when this returns.

        Args:
            where: The conversation.
            text: What is written; a mention of the bot is put before it.
            thread: In a channel: the post to reply to.
            mention: Is the bot called by name?
        """
        assert self in where.members, f"{self.name} is not in {where.name}"
        text = f"<at>{self.cloud.app_name}</at> {text}" if mention else text
        root = (thread.thread or thread.id) if thread and isinstance(where, Channel) else None
        source = {"type": "message", "text": text}
        message = Message(where, where.next_id(self.cloud.clock.now()), self, source, root)
        where.messages.append(message)
        if where.has_app and (mention or where.hears_all):
            mentions = [payloads.mention_of_bot(self.cloud)] if mention else []
            await self.cloud.courier.send(payloads.message(self.cloud, message, self, mentions))
        return message

    async def dm(self, text: str) -> Message:
        """Write to the bot alone."""
        return await self.say(self.direct, text)

    async def react(self, message: Message, kind: str = "like", *, removed: bool = False) -> None:
        """Put a reaction on a message; only of those on its own does the bot hear."""
        users = message.reactions.setdefault(kind, [])
        if (self in users) is removed:
            users.remove(self) if removed else users.append(self)
            if message.by_bot:
                await self.cloud.courier.send(payloads.reacted(self.cloud, message, self, kind, removed=removed))

    # --- on cards --------------------------------------------------------------------------------

    async def press(self, message: Message, title: str, given: dict[str, str] | None = None) -> "Outcome":
        """Press what is called `title` on the card as this person has it.

        Args:
            message: The message with the card.
            title: Of the action. What only toggles or unfolds is done without the bot.
            given: What was filled in before, by the inputs' ids or labels.

        Raises:
            AssertionError: There is no such button or input; it says which there are.
        """
        card = self._sees(message)
        action = cards.action_named(card, title)
        return await self._use(message, card, action, given or {}, trigger="manual")

    async def press_source(self, message: Message, source: Json, given: dict[str, str] | None = None) -> "Outcome":
        """Press an action as it once was on the card, which may be gone from it by now."""
        return await self._use(
            message, self._sees(message), cards.Action(source, {}, hidden=False), given or {}, "manual"
        )

    async def look(self, message: Message) -> Json:
        """Bring a message into view: the card as this person has it, refreshed if it asks for that.

        A refresh is for those whom the card names, or for all in a conversation of at most sixty.
        """
        card = self._sees(message)
        refresh = (message.card or {}).get("refresh")
        if refresh:
            named = refresh.get("userIds")
            small = len(message.conversation.members) <= self.cloud.refreshes_up_to
            if self.id in named if named else small:
                await self._use(message, card, cards.Action(refresh["action"], {}, hidden=False), {}, "automatic")
        return message.card_for(self)

    async def act_on(self, message: Message, command: str) -> "Outcome":
        """Pick an action of the app's message extension among a message's actions; any message has them."""
        from tests.fakes.teams.outcomes import apply

        assert self in message.conversation.members, f"{self.name} is not in {message.conversation.name}"
        since = len(self.cloud.effects)
        about = payloads.extended(self.cloud, message, command)
        value = {**about, "context": {"theme": "default"}}
        name = "composeExtension/fetchTask"
        sent = await self.cloud.courier.send(payloads.invoke(self.cloud, name, message, self, value))
        return apply(self, message, sent, since, about=about)

    async def submit_dialog(self, dialog: "Dialog", title: str, given: dict[str, str]) -> "Outcome":
        """Press a button of a dialog."""
        from tests.fakes.teams.outcomes import Outcome, apply

        action = cards.action_named(dialog.card, title)
        assert action.kind == "Action.Submit", f"{title!r} is {action.kind}, which does nothing in a dialog"
        data, complaints = cards.filled(action, self._named(dialog.card, given))
        since = len(self.cloud.effects)
        if complaints:
            return Outcome(self, None, since, errors=complaints, dialog=dialog)
        value: Json = {"data": data, "context": {"theme": "default"}}
        name = "task/submit"
        if dialog.about:
            name, value = "composeExtension/submitAction", value | dialog.about
        sent = await self.cloud.courier.send(payloads.invoke(self.cloud, name, dialog.message, self, value))
        return apply(self, dialog.message, sent, since, about=dialog.about)

    def _sees(self, message: Message) -> Json:
        assert self in message.conversation.members, f"{self.name} is not in {message.conversation.name}"
        assert not message.is_deleted, "the message was deleted"
        return message.card_for(self)

    def _named(self, card: Json, given: dict[str, str]) -> dict[str, str]:
        return {str(cards.input_named(card, name)["id"]): value for name, value in given.items()}

    async def _use(
        self, message: Message, card: Json, action: cards.Action, given: dict[str, str], trigger: str
    ) -> "Outcome":
        from tests.fakes.teams.outcomes import Outcome, apply

        since = len(self.cloud.effects)
        assert action.kind != "Action.OpenUrl", f"{action.title!r} only opens {action.source['url']}"
        if action.kind == "Action.ToggleVisibility":
            cards.toggle(card, action)
            return Outcome(self, None, since, view=card)
        if action.kind == "Action.ShowCard":
            return Outcome(self, None, since, view=card)
        values, complaints = cards.filled(action, self._named(card, given))
        if complaints:
            return Outcome(self, None, since, errors=complaints)
        kind = (values.get("msteams") or {}).get("type") if isinstance(values.get("msteams"), dict) else None
        name = "adaptiveCard/action"
        value: Json
        if action.kind == "Action.Submit" and kind == "task/fetch":
            name, value = "task/fetch", {"data": values, "context": {"theme": "default"}}
        elif action.kind == "Action.Submit":
            raise AssertionError(f"{action.title!r} is an Action.Submit that is not a dialog's: it comes as a message")
        else:
            acted: Json = {name: action.source[name] for name in ("id", "verb", "title") if name in action.source}
            value = {"action": {"type": "Action.Execute", **acted, "data": values}, "trigger": trigger}
        sent = await self.cloud.courier.send(payloads.invoke(self.cloud, name, message, self, value))
        return apply(self, message, sent, since)
