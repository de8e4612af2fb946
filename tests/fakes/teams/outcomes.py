"""What came of using a card: the reply to the invoke, for whoever used it, and what else the app then did."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.teams import cards
from tests.fakes.teams.deliveries import Delivery
from tests.fakes.teams.dialogs import Dialog
from tests.fakes.teams.model import Effect, Message
from tests.fakes.teams.refusals import Refused
from tests.fakes.waiting import seen

if TYPE_CHECKING:
    from tests.fakes.teams.people import Person

Json = dict[str, Any]
SAID = "application/vnd.microsoft.activity.message"
FAULT = "application/vnd.microsoft.error"


@dataclass
class Outcome:
    """What the person sees of it."""

    person: "Person"
    delivery: Delivery | None
    """None: the client itself refused to send it."""
    since: int
    """How many effects there were before."""
    failed: bool = False
    """The client shows that something went wrong."""
    view: Json | None = None
    """The card that replaced the old one, for this person alone."""
    said: str = ""
    """What the reply says to this person alone, or why a dialog was closed."""
    dialog: Dialog | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """Complaints of the client itself, by the labels of inputs."""

    @property
    def status(self) -> int:
        """Of the reply: the status code in its body, or of HTTP."""
        if self.delivery is None:
            return 0
        body = self.delivery.ack.body
        inner = body.get("statusCode") if isinstance(body, dict) else None
        return int(inner or self.delivery.ack.status)

    @property
    def effects(self) -> list[Effect]:
        """All that the app has done since."""
        return self.person.cloud.effects[self.since :]

    @property
    def told(self) -> list[str]:
        """What the app has said since to this person alone: in the reply, or in their chat with the bot."""
        chat = self.person.cloud.personal(self.person)
        direct = [e.message.shown for e in self.effects if e.kind == "message" and e.message.conversation is chat]
        return [*([self.said] if self.said else []), *direct]

    @property
    def shown(self) -> str:
        """All that can be read in the new card, if there is one."""
        return cards.words(self.view) if self.view else ""

    async def hears(self, containing: str, *, within_s: float = 5) -> str:
        """Wait until the person has been told this.

        Raises:
            AssertionError: Not in time; it says what they were told instead.
        """
        found = await seen(lambda: [text for text in self.told if containing in text], within_s=within_s)
        assert found, f"not told {containing!r} within {within_s} s, but {self.told!r}, and shown {self.shown!r}"
        return found[0]


def apply(person: "Person", message: Message, delivery: Delivery, since: int, *, about: Json | None = None) -> Outcome:
    """Do what the reply to an invoke says: before this person, and nobody else."""
    outcome = Outcome(person, delivery, since)
    cloud, body = person.cloud, delivery.ack.body
    try:
        if not delivery.ok:
            raise Refused("ServiceError", f"the bot answered {delivery.ack.status} {delivery.ack.error}")  # noqa: TRY301 - all faults end alike
        if about or "task" in str(delivery.kind):
            _apply_task(outcome, message, body, about)
        else:
            _apply_card(outcome, message, body)
    except Refused as refused:
        cloud.errors.append(f"{delivery.kind}: {refused}")
        outcome.failed = True
    return outcome


def _apply_card(outcome: Outcome, message: Message, body: Any) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("statusCode"), int) or "type" not in body:
        raise Refused("BadSyntax", f"no reply of an adaptiveCard/action: {body!r}")
    match body["statusCode"], body["type"]:
        case 200, cards.CARD:
            cards.check(body.get("value"))
            outcome.view = message.views[outcome.person] = body["value"]
        case 200, kind if kind == SAID:
            if not isinstance(body.get("value"), str):
                raise Refused("BadSyntax", f"the message of a reply is a string, not {body.get('value')!r}")
            outcome.said = body["value"]
        case status, kind if kind == FAULT and status >= 400:
            value = body.get("value") or {}
            outcome.failed, outcome.said = True, str(value.get("message", ""))
        case _:
            raise Refused("BadSyntax", f"no reply that a client knows: {body!r}")


def _apply_task(outcome: Outcome, message: Message, body: Any, about: Json | None) -> None:
    if body in (None, "", {}):
        return
    task = body.get("task") if isinstance(body, dict) else None
    if not isinstance(task, dict):
        raise Refused("BadSyntax", f"no reply of a dialog: {body!r}")
    value = task.get("value")
    match task.get("type"):
        case "message":
            if not isinstance(value, str):
                raise Refused("BadSyntax", f"the message of a dialog is a string, not {value!r}")
            outcome.said = value
        case "continue":
            card = ((value or {}).get("card") or {}).get("content") if isinstance(value, dict) else None
            cards.check(card)
            assert isinstance(card, dict)
            assert isinstance(value, dict)
            outcome.dialog = Dialog(outcome.person, message, card, str(value.get("title", "")), about)
        case other:
            raise Refused("BadSyntax", f"a dialog cannot {other!r}")
