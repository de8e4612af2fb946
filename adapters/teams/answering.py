"""What a press means as an answer, as the wire has it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from adapters.teams import reading
from adapters.teams.carried import Pressed
from andon import wire
from bot.cards import card
from bot.errors import Fault, InvalidAnswer, StaleRevision
from bot.handoff import Handoff

AGREEING: Final = frozenset({"approve", "edit", "choose", "answer"})
ANSWERING: Final = AGREEING | {"reject", "reason", "ask-else", "ask-agent"}


def answer(handoff: Handoff, press: Pressed, *, tenant: str, is_shown: bool, now: datetime) -> wire.Answer:
    """The answer that a press gives.

    Args:
        handoff: As it stands.
        press: As it came.
        tenant: Of the conversation: where somebody who is picked is known.
        is_shown: Is all that could be agreed to on the card itself?
        now: The time of the press.

    Raises:
        StaleRevision: The form was made for another revision.
        InvalidAnswer: It is none that this card takes, or agrees to what was not shown.
    """
    if press.revision != handoff.revision and not handoff.decision:
        raise StaleRevision("The card has changed.", handoff=handoff.id)
    if press.do in AGREEING and not press.save and not (press.full or is_shown):
        raise InvalidAnswer("Part of this card was not shown: open it in full first.", handoff=handoff.id)
    try:
        return _made(handoff, press, tenant, now)
    except ValidationError as error:
        faults = [Fault(str(each["loc"][0]) if each["loc"] else "", each["msg"]) for each in error.errors()]
        raise InvalidAnswer("The answer cannot be read.", handoff=handoff.id, faults=faults) from error


def _made(handoff: Handoff, press: Pressed, tenant: str, now: datetime) -> wire.Answer:
    given: Mapping[str, Any] = {"revision": press.revision, "digest": press.digest}
    remarked = {**given, "reason": reading.remark(press)}
    agreed = {"code": reading.code(press), "seen": "full" if press.full else None}
    match press.do:
        case "approve":
            return wire.Approve.model_validate({**remarked, **agreed, "grant": press.index})
        case "reject":
            return wire.Reject.model_validate(remarked)
        case "reason":
            return wire.Reject.model_validate({**given, "reason": _reason(handoff, press)})
        case "edit":
            args = reading.arguments(handoff, card(handoff, now=now).form, press)
            approve = not handoff.route.not_requester and not press.save
            return wire.Edit.model_validate({**remarked, **agreed, "args": args, "approve": approve})
        case "choose" if isinstance(handoff.ask, wire.Choice) and (chosen := _chosen(handoff.ask, press)):
            return wire.Choose.model_validate({**remarked, **agreed, "choice": chosen})
        case "answer" if isinstance(handoff.ask, wire.Input):
            reply = reading.reply(handoff.ask.answer_schema, press)
            return wire.Reply.model_validate({**given, **agreed, "answer": reply})
        case "ask-agent" | "ask-else":
            return _for_others(handoff, press, given, tenant)
    raise InvalidAnswer("This card does not take that answer.", handoff=handoff.id)


def _chosen(ask: wire.Choice, press: Pressed) -> str:
    """The id of the candidate; empty: there is none at that place."""
    index = reading.candidate(press)
    return ask.candidates[index].id if index is not None and 0 <= index < len(ask.candidates) else ""


def _for_others(handoff: Handoff, press: Pressed, given: Mapping[str, Any], tenant: str) -> wire.Answer:
    """What leaves it open: somebody else is asked, or the agent."""
    if press.do == "ask-agent":
        return wire.AskAgent.model_validate({**given, "question": reading.question(press)})
    if not (to := reading.somebody(press, tenant)):
        msg = "Pick somebody, or type their address."
        raise InvalidAnswer(msg, handoff=handoff.id, faults=[Fault("to", msg)])
    return wire.Reassign.model_validate({**given, "to": to, "note": reading.note(press)})


def _reason(handoff: Handoff, press: Pressed) -> str:
    """The text of a one-tap reason, from the policy and not from the button."""
    reasons = handoff.route.reasons
    if press.index is None or not 0 <= press.index < len(reasons):
        raise InvalidAnswer("That reason is not on this card any more; look at it again.", handoff=handoff.id)
    return reasons[press.index].text
