"""What a person does reaches the app, and what comes of it reaches the person."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.slack import events, payloads
from tests.fakes.slack.deliveries import Delivery
from tests.fakes.slack.grants import ResponseUrl, Trigger
from tests.fakes.slack.kit import Control, check_message, check_options, complaint, controls
from tests.fakes.slack.model import Channel, Effect, Message, View
from tests.fakes.slack.posting import post, whisper
from tests.fakes.slack.refusals import Refused
from tests.fakes.slack.surfaces import close, push_in_answer, replace
from tests.fakes.waiting import seen

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud
    from tests.fakes.slack.people import Person
    from tests.fakes.slack.screens import Modal

Json = dict[str, Any]
MOMENT = "One moment"
"""The title of a modal that says that it is not ready yet; people wait."""
TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(eq=False)
class Outcome:
    """What came of something that a person did. What comes later is in it as well, as it arrives."""

    person: "Person"
    delivery: Delivery | None
    since: int
    """How many effects there had been before."""
    trigger: Trigger | None = None
    failed: bool = False
    """The app did not answer in time, or answered what Slack does not take: the person sees a warning sign."""
    errors: dict[str, str] = field(default_factory=dict)
    """Of a submission: what is said at each field, by its label."""
    closed: bool = False
    """Of a submission: did the modal go away?"""
    view: "Modal | None" = None
    """Of a submission: the modal that the person now sees."""

    @property
    def ok(self) -> bool:
        return not self.failed and not self.errors

    @property
    def effects(self) -> list[Effect]:
        """All that the app has done since."""
        return self.person.cloud.effects[self.since :]

    @property
    def private(self) -> list[Message]:
        """What the app has since said to this person alone: ephemeral, or in their direct conversation."""
        found = []
        for effect in self.effects:
            message = effect.message
            if message is None or message.is_deleted or effect.kind not in {"ephemeral", "message", "update"}:
                continue
            alone = message.channel.kind == "im" and self.person in message.channel.members
            if (message.seen_by is self.person or (alone and message.seen_by is None)) and message not in found:
                found.append(message)
        return [message for message in found if message.bot_id]

    @property
    def told(self) -> list[str]:
        """The texts of `private`."""
        return [message.shown for message in self.private]

    @property
    def modal(self) -> "Modal | None":
        """The modal that the app opened for this, if it has done so."""
        from tests.fakes.slack.screens import Modal

        opened = self.trigger.opened if self.trigger else None
        return Modal(self.person, opened) if opened else None

    @property
    def reply(self) -> Message | None:
        """Of a command: the first message that answers it, to the person alone or in the channel."""
        kinds = {"ephemeral", "message"}
        return next((e.message for e in self.effects if e.kind in kinds and e.message and e.message.bot_id), None)

    @property
    def text(self) -> str:
        """Of a command: the text of the reply, or nothing."""
        return self.reply.text if self.reply else ""

    @property
    def shown(self) -> str:
        """Of a command: all that can be read in the reply, or nothing."""
        return self.reply.shown if self.reply else ""

    async def hears(self, containing: str, *, within_s: float = 5) -> str:
        """Wait until the person has been told this in private.

        Raises:
            AssertionError: Not in time; it says what they were told instead.
        """
        found = await seen(lambda: [text for text in self.told if containing in text], within_s=within_s)
        assert found, f"not told {containing!r} within {within_s} s, but {self.told!r}"
        return found[0]

    async def opened(self, *, within_s: float = 5) -> "Modal":
        """Wait for the modal, and for what it is about if it says that this takes a moment."""
        modal = await seen(lambda: self.modal if self.modal and self.modal.title != MOMENT else None, within_s=within_s)
        assert modal, f"no modal within {within_s} s" if self.modal is None else f"the modal still says {MOMENT!r}"
        return modal


async def _settled(outcome: Outcome, place: Channel | None, *, within_s: float | None = None) -> Outcome:
    """Wait a moment for the first thing that the person, or the place, sees of it."""
    person = outcome.person

    def visible() -> bool:
        return any(effect.user is person or (place and effect.channel is place) for effect in outcome.effects)

    if not outcome.failed:
        await seen(visible, within_s=person.cloud.settle_s if within_s is None else within_s)
    return outcome


def _begin(person: "Person") -> tuple["SlackCloud", int]:
    return person.cloud, len(person.cloud.effects)


async def act_in_message(person: "Person", message: Message, control: Control, value: Json | None = None) -> Outcome:
    """Use a control of a message."""
    cloud, since = _begin(person)
    installation = cloud.installation_of(message)
    if value is not None:
        held = message.choices.setdefault(person.id, {}).setdefault(control.block_id, {})
        held[control.action_id] = value
    trigger = cloud.new_trigger(person, installation.team)
    url = cloud.new_response_url(installation, person, message.channel, message)
    payload = payloads.common(cloud, "block_actions", person, installation.team, installation)
    payload |= payloads.message_place(message, person)
    payload |= {
        "trigger_id": trigger.id,
        "response_url": payloads.response_address(cloud, url),
        "actions": [payloads.action(control, value, f"{cloud.clock.now():.6f}")],
    }
    delivery = await cloud.courier.ask("interaction", payload)
    outcome = Outcome(person, delivery, since, trigger, failed=not delivery.ok)
    return await _settled(outcome, message.channel)


async def act_in_view(person: "Person", view: View, control: Control, value: Json | None = None) -> Outcome:
    """Use a control of a modal or a Home tab."""
    cloud, since = _begin(person)
    if value is not None:
        view.values.setdefault(control.block_id, {})[control.action_id] = value
    trigger = cloud.new_trigger(person, view.team, view if view.kind == "modal" else None)
    payload = payloads.common(cloud, "block_actions", person, person.team, cloud.installed_bot(view.team))
    payload |= payloads.view_place(cloud, view)
    payload |= {
        "trigger_id": trigger.id,
        "actions": [payloads.action(control, value, f"{cloud.clock.now():.6f}")],
    }
    delivery = await cloud.courier.ask("interaction", payload)
    return await _settled(Outcome(person, delivery, since, trigger, failed=not delivery.ok), None)


async def suggest(person: "Person", place: Message | View, control: Control, typed: str) -> list[Json]:
    """Type into an external select: the options that the app offers.

    An app that does not answer, or answers what Slack does not take, offers nothing; `cloud.errors` says so.
    """
    cloud = person.cloud
    if isinstance(place, Message):
        installation = cloud.installation_of(place)
        payload = payloads.common(cloud, "block_suggestion", person, installation.team, installation)
        payload |= payloads.message_place(place, person)
    else:
        installation = cloud.installed_bot(place.team)
        payload = payloads.common(cloud, "block_suggestion", person, person.team, installation)
        payload |= payloads.view_place(cloud, place)
    payload |= {"block_id": control.block_id, "action_id": control.action_id, "value": typed}
    delivery = await cloud.courier.ask("options", payload)
    options: list[Json] = []
    try:
        if not delivery.ok:
            raise Refused("options_not_loaded")  # noqa: TRY301 - both ways to fail end alike
        options = check_options(delivery.ack_body)
    except Refused as refused:
        cloud.errors.append(f"block_suggestion: {refused}")
    cloud.suggested[person.id, control.block_id, control.action_id] = options
    return options


async def submit(person: "Person", view: View) -> Outcome:
    """Submit a modal. What Slack's own client refuses is not sent."""
    cloud, since = _begin(person)
    assert view.is_open, "the modal is closed"
    assert "submit" in view.source or "input" in {b["type"] for b in view.blocks}, "the modal has no submit button"
    values = payloads.values_of(view.blocks, view.values)
    labels = {block["block_id"]: block["label"]["text"] for block in view.blocks if block["type"] == "input"}
    complaints = {
        control.label: said
        for control in controls(view.blocks)
        if control.block["type"] == "input" and control.action_id in values.get(control.block_id, {})
        if (said := complaint(control.block, values[control.block_id][control.action_id]))
    }
    if complaints:
        return Outcome(person, None, since, errors=complaints)
    trigger = cloud.new_trigger(person, view.team, view)
    payload = payloads.common(cloud, "view_submission", person, person.team, cloud.installed_bot(view.team))
    payload |= {"view": payloads.view_json(cloud, view), "trigger_id": trigger.id, "response_urls": []}
    delivery = await cloud.courier.ask("interaction", payload)
    outcome = Outcome(person, delivery, since, trigger, failed=not delivery.ok)
    if delivery.ok:
        try:
            _obey(outcome, view, delivery.ack_body, labels)
        except Refused as refused:
            cloud.errors.append(f"view_submission: {refused}")
            outcome.failed = True
    outcome.view = person.modal
    outcome.closed = not view.is_open
    return outcome


def _obey(outcome: Outcome, view: View, answer: Any, labels: dict[str, str]) -> None:
    """Do what a submission was answered with."""
    cloud = outcome.person.cloud
    if answer in (None, "", {}):
        close(view)
        return
    if not isinstance(answer, dict):
        raise Refused("invalid_response_action", messages=[f"not an object: {answer!r}"])
    match answer.get("response_action"):
        case "clear":
            close(view, all_of_them=True)
        case "errors":
            errors = answer.get("errors")
            if not isinstance(errors, dict) or not errors or not set(errors) <= set(labels):
                raise Refused("invalid_errors", messages=[f"not fields of the view: {errors!r}"])
            outcome.errors = {labels[block_id]: str(said) for block_id, said in errors.items()}
        case "update":
            replace(cloud, view, answer.get("view") or {})
        case "push":
            push_in_answer(cloud, view, answer.get("view") or {})
        case other:
            raise Refused("invalid_response_action", messages=[f"{other!r}"])


async def dismiss(person: "Person", view: View, *, all_of_them: bool = False) -> Outcome:
    """Close a modal by its close button or, for all of them, by the cross."""
    cloud, since = _begin(person)
    everything = all_of_them or bool(view.source.get("clear_on_close"))
    gone = list(person.stack) if everything else [view]
    told = [item for item in gone if item.source.get("notify_on_close")]
    sent: Delivery | None = None
    close(view, all_of_them=everything)
    for item in reversed(told):
        payload = payloads.common(cloud, "view_closed", person, person.team, cloud.installed_bot(item.team))
        payload |= {"view": payloads.view_json(cloud, item), "is_cleared": everything}
        sent = await cloud.courier.ask("interaction", payload)
    return Outcome(person, sent, since, closed=True, view=person.modal)


async def command(person: "Person", name: str, text: str, channel: Channel) -> Outcome:
    """Send a slash command, and take its answer: in the ack, or at the response address."""
    cloud, since = _begin(person)
    assert name in cloud.app.commands, f"there is no command {name}; there are {sorted(cloud.app.commands)}"
    installation = cloud.installation_for(person)
    assert installation, f"the app is not installed in {person.team.name}"
    trigger = cloud.new_trigger(person, installation.team)
    url = cloud.new_response_url(installation, person, channel)
    team = person.team
    payload: Json = {
        "token": cloud.app.verification_token,
        "team_id": team.id,
        "team_domain": team.domain,
        **({"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name} if team.enterprise else {}),
        "channel_id": channel.id,
        "channel_name": channel.called,
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": text,
        "api_app_id": cloud.app.id,
        "is_enterprise_install": str(installation.is_org_wide).lower(),
        "response_url": payloads.response_address(cloud, url, "commands"),
        "trigger_id": trigger.id,
    }
    delivery = await cloud.courier.ask("command", payload)
    outcome = Outcome(person, delivery, since, trigger, failed=not delivery.ok)
    if delivery.ok:
        try:
            answer_in_ack(cloud, url, delivery.ack_body)
        except Refused as refused:
            cloud.errors.append(f"{name}: {refused}")
            outcome.failed = True
    return await _settled(outcome, None, within_s=cloud.reply_within_s)


def answer_in_ack(cloud: "SlackCloud", url: ResponseUrl, answer: Any) -> None:
    """Show what a command was answered with in its ack."""
    if answer in (None, "", {}):
        return
    said = {"text": answer} if isinstance(answer, str) else answer
    if not isinstance(said, dict):
        raise Refused("invalid_payload")
    text, blocks = said.get("text") or "", said.get("blocks") or []
    check_message(blocks)
    if not text and not blocks:
        return
    if said.get("response_type") == "in_channel":
        post(cloud, url.channel, url.installation, text, blocks)
    else:
        whisper(cloud, url.channel, url.installation, text, blocks, to=url.user)


async def shortcut(person: "Person", callback_id: str, message: Message | None) -> Outcome:
    """Use a shortcut: one on a message, or a global one."""
    cloud, since = _begin(person)
    assert callback_id in cloud.app.shortcuts, f"there is no shortcut {callback_id!r}"
    installation = cloud.installation_for(person)
    assert installation, f"the app is not installed in {person.team.name}"
    trigger = cloud.new_trigger(person, installation.team)
    kind = "message_action" if message else "shortcut"
    payload = payloads.common(cloud, kind, person, person.team, installation)
    payload |= {"callback_id": callback_id, "trigger_id": trigger.id, "action_ts": f"{cloud.clock.now():.6f}"}
    if message:
        url = cloud.new_response_url(installation, person, message.channel, message)
        payload |= {
            "channel": payloads.channel_json(message.channel),
            "message": message.as_json(),
            "message_ts": message.ts,
            "response_url": payloads.response_address(cloud, url),
        }
    delivery = await cloud.courier.ask("interaction", payload)
    return await _settled(Outcome(person, delivery, since, trigger, failed=not delivery.ok), None)


async def open_home(person: "Person") -> None:
    """Open the Home tab; wait until the app has published it anew, or a moment has passed."""
    cloud, since = _begin(person)
    known = cloud.homes.get(person.id)
    await events.home_opened(cloud, person, payloads.view_json(cloud, known) if known else None)

    def published() -> bool:
        return any(effect.kind == "home" and effect.user is person for effect in cloud.effects[since:])

    await seen(published, within_s=cloud.settle_s if known else cloud.reply_within_s)
