"""What silence decides. Pure."""

from datetime import datetime
from typing import Final

from andon import wire
from bot import coaching, consent
from bot.answers import yes_verdict
from bot.handoff import Handoff
from bot.store import Verdict

SILENCE: Final = wire.Actor(kind="silence", id="silence", name="nobody")


def silence_verdict(handoff: Handoff, *, at: datetime, fault: str = "") -> Verdict:
    """What silence decides; with a `fault` of the store, or a doubt that people were silent, it approves nothing."""
    policy, revision = handoff.route.policy, handoff.revision
    sentence = coaching.expired(handoff.ask)
    if handoff.route.on_timeout == "approve":
        why = f"{fault}, so somebody may have tried to say no" if fault else consent.doubt(handoff)
        if not why:
            return yes_verdict(handoff, SILENCE, coaching.approved_by_silence(), at=at)
        sentence = coaching.expired_unheard(handoff.ask, why)
    return Verdict(wire.Expired(by=SILENCE, at=at, revision=revision, policy=policy, message_for_agent=sentence))
