"""What silence decides. Pure."""

from datetime import datetime
from typing import Final

from andon import wire
from bot import coaching
from bot.answers import yes_verdict
from bot.handoff import Handoff
from bot.store import Verdict

SILENCE: Final = wire.Actor(kind="silence", id="silence", name="nobody")


def silence_verdict(handoff: Handoff, *, at: datetime, fault: str = "") -> Verdict:
    """What silence decides; with a `fault` of the store it approves nothing."""
    policy, revision = handoff.route.policy, handoff.revision
    approves = handoff.route.on_timeout == "approve"
    if approves and not fault:
        return yes_verdict(handoff, SILENCE, coaching.approved_by_silence(), at=at)
    after = isinstance(handoff.ask, wire.Confirmation) and handoff.ask.timing == "after"
    sentence = coaching.expired_unsafely(fault) if approves and not after else coaching.expired(handoff.ask)
    return Verdict(wire.Expired(by=SILENCE, at=at, revision=revision, policy=policy, message_for_agent=sentence))
