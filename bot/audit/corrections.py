"""The learning export: what a person changed or refused, with what the agent had proposed. Pure."""

from andon import wire
from bot.handoff import Handoff


def correction(handoff: Handoff) -> wire.Correction | None:
    """What a person corrected here; None where nobody did."""
    decision, ask = handoff.decision, handoff.ask
    if handoff.settles or not isinstance(decision, wire.Edited | wire.Rejected) or decision.by.kind != "person":
        return None
    action = ask.action if isinstance(ask, wire.Confirmation) else None
    return wire.Correction(
        handoff=handoff.id,
        at=decision.at,
        agent=handoff.agent,
        gate=ask.gate,
        kind=decision.kind,
        what=ask.what if isinstance(ask, wire.Confirmation) else ask.question,
        why=ask.why,
        tool=action.tool if action else None,
        proposed=action.args if action else None,
        corrected=decision.args if isinstance(decision, wire.Edited) else None,
        reason=decision.reason,
        by=decision.by,
    )
