"""What an ask must be before it is opened, and the decisions that need no person. Pure."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from andon import wire
from bot import coaching, tracing
from bot.access import Principal
from bot.cards import check_schema
from bot.errors import REUSED, Fault, IdempotencyKeyReused, InvalidBody, RunStopped, TooLarge, TooMany
from bot.handoff import PAYLOAD_BYTES, Handoff, Route, State, ask_payload
from bot.policy import CHECKPOINT, Routed
from bot.store import Doc, NewHandoff, Opened

_SERVICE: Final = wire.Actor(kind="service", id="andon", name="Andon")


def decided_at_once(
    ask: wire.Confirmation | wire.Choice | wire.Input,
    routed: Routed,
    digest: str,
    *,
    surfaces: Collection[str],
    at: datetime,
) -> wire.Decision | None:
    """The decision that needs no person: the policy's, or that no surface can show the card."""
    version = routed.route.policy
    rule = wire.Actor(kind="policy", id=version, name=f"policy {version}")
    if routed.do == "allow" and routed.grant and isinstance(ask, wire.Confirmation) and ask.action:
        giver = routed.grant.by.name if routed.grant.by else "somebody"
        return wire.Approved(
            by=wire.Actor(kind="grant", id=routed.grant.id, name=f"grant by {giver}"),
            at=at,
            revision=1,
            digest=digest,
            args=ask.action.args,
            grant=routed.grant.id,
            policy=version,
            message_for_agent=coaching.covered(giver),
        )
    if routed.do == "deny":
        reason = routed.reason or "the policy refuses whatever no rule names."
        is_done = isinstance(ask, wire.Confirmation) and ask.timing == "after"
        return wire.Rejected(
            by=rule,
            at=at,
            revision=1,
            reason=reason,
            policy=version,
            message_for_agent=coaching.denied(version, reason, after=is_done),
        )
    wanted = {place.surface for place in routed.route.to}
    reaches = bool(wanted.intersection(surfaces))
    # What must be looked at afterwards may not run where nobody could.
    if (
        routed.do in {"allow", "notify", "review"}
        and isinstance(ask, wire.Confirmation)
        and (reaches or routed.do != "review")
    ):
        return wire.Approved(
            by=rule,
            at=at,
            revision=1,
            digest=digest,
            args=ask.action.args if ask.action else {},
            policy=version,
            message_for_agent=coaching.reviewed(version) if routed.do == "review" else coaching.allowed(version),
        )
    if not reaches:
        reason = (
            f"it was addressed to {', '.join(sorted(wanted))}, and this service has only {', '.join(sorted(surfaces))}."
        )
        return undeliverable(reason, policy=version, revision=1, at=at)
    return None


def undeliverable(reason: str, *, policy: str, revision: int, at: datetime) -> wire.Undeliverable:
    """The decision that no place can show the card."""
    return wire.Undeliverable(
        by=_SERVICE,
        at=at,
        revision=revision,
        reason=reason,
        policy=policy,
        message_for_agent=coaching.undeliverable(reason),
    )


def check_opened(opened: Opened, agent: Principal) -> None:
    """Raise why the store opened nothing, where asking once more would not help.

    Raises:
        IdempotencyKeyReused: The key came with another ask before.
        RunStopped: Somebody pulled the cord.
        TooMany: The agent asks too fast, or has too many open.
    """
    match opened.word:
        case "reused":
            raise IdempotencyKeyReused(REUSED)
        case "braked":
            assert opened.brake  # noqa: S101  # the script always tells it
            raise RunStopped(coaching.stopped(opened.brake), brake=opened.brake)
        case "too_fast":
            msg = f"{agent.name} asks faster than {agent.limits.per_minute} a minute; people cannot follow"
            raise TooMany(msg, retry_after_s=max(1, -(-opened.number // 1000)))
        case "too_many":
            msg = f"{agent.name} has {opened.number} handoffs open, its limit; wait for answers, or withdraw some"
            raise TooMany(msg, retry_after_s=30)


NOWHERE: Final = Route(policy="none", timeout_s=0, on_timeout="deny", to=())
"""Of an ask that is not routed yet."""


def unopened(ask: wire.Confirmation | wire.Choice | wire.Input, route: Route = NOWHERE, *, at: datetime) -> Handoff:
    """An ask of nobody's that is in no store: only the policy is asked about it. It is of the trace at hand."""
    return Handoff(
        id="",
        agent="",
        run="",
        run_name="",
        requester=None,
        state=State.DECIDED,
        revision=1,
        digest="",
        ask=ask,
        payload="",
        route=route,
        opened_at=at,
        expires_at=at,
        trace=tracing.current(),
    )


def new_handoff(asked: Handoff, routed: Routed, decision: wire.Decision | None, fingerprint: str) -> NewHandoff:
    """What the store is to write: an ask as it is routed, and what the policy decided alone."""
    return NewHandoff(
        id=asked.id,
        agent=asked.agent,
        run=asked.run,
        digest=asked.digest,
        fingerprint=fingerprint,
        doc=Doc(
            ask=asked.ask,
            payload=asked.payload,
            route=routed.route,
            run_name=asked.run_name,
            requester=asked.requester,
            owner=asked.owner,
            trace=asked.trace,
        ),
        decision=decision,
        allowed=asked.digest if isinstance(decision, wire.Approved) else "",
        grant=routed.grant.id if routed.grant else "",
        drawn=routed.drawn,
    )


def told_late(handoff: Handoff) -> tuple[str, str]:
    """For operators: about what, and what an agent did that people would have been asked about before."""
    said = (
        f"{handoff.agent} did what policy {handoff.route.policy} asks people before, and asked afterwards, at the gate "
        f"{handoff.ask.gate}. It was told to undo it; where that may be, the rule says `after: true`."
    )
    rule = handoff.route.policy.rpartition("/")[2]
    return f"after:{handoff.agent}:{rule}", said


def check_gate(ask: wire.Confirmation | wire.Choice | wire.Input) -> None:
    """The gate of checkpoints is the service's own: rules that let a run go on must let no action pass.

    Raises:
        InvalidBody: An agent names it.
    """
    if ask.gate == CHECKPOINT:
        msg = f"the gate `{CHECKPOINT}` is the service's own: the policy asks at checkpoints there; name another"
        raise InvalidBody(msg, faults=[Fault("gate", msg)])


def check_schemas(ask: wire.Confirmation | wire.Choice | wire.Input) -> None:
    """Look over the ask's JSON Schema.

    Raises:
        InvalidBody: It is none, or cannot be used safely.
    """
    if isinstance(ask, wire.Input):
        where, schema = "answer_schema", ask.answer_schema
    elif isinstance(ask, wire.Confirmation) and ask.action and ask.action.schema_:
        where, schema = "action.schema", ask.action.schema_
    else:
        return
    if faults := check_schema(schema):
        detail = f"`{where}` is no JSON Schema that can be used: {faults[0].detail}"
        raise InvalidBody(detail, faults=[replace(f, field=f"{where}.{f.field}".rstrip(".")) for f in faults])


def payload_of(ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """Canonical JSON of what is to be decided.

    Raises:
        InvalidBody: There is none.
        TooLarge: It is over 64 KiB.
    """
    try:
        payload = ask_payload(ask)
    except ValueError as error:
        msg = f"the arguments have no canonical JSON: {error}"
        raise InvalidBody(msg) from error
    if len(payload.encode()) > PAYLOAD_BYTES:
        size = len(payload.encode())
        msg = f"the canonical arguments take {size} bytes, over {PAYLOAD_BYTES}; pass a reference to the data instead"
        raise TooLarge(msg)
    return payload
