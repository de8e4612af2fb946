"""The table of calls: what each takes and answers. The routes and the OpenAPI document are both made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from andon import wire
from bot.handoff import State

BODY: Final = 262_144
CHECKPOINT_BODY: Final = 1_048_576 + 4_096
MAX_WAIT_S: Final = 55
MAX_PAGE: Final = 100

Who = Literal["agent", "person", "either", "reader", "admin", "anyone"]
"""`either`: an agent's or a person's key; `reader`: an agent's or a person's key, or the handoff's own token."""

MAY: Final[Mapping[Who, frozenset[str]]] = {
    "agent": frozenset({"agent"}),
    "person": frozenset({"person"}),
    "either": frozenset({"agent", "person"}),
    "reader": frozenset({"agent", "person"}),
    "admin": frozenset({"admin"}),
}
"""The kinds of keys that a call takes."""

WHOSE: Final[Mapping[Who, str]] = {
    "agent": "this call takes an agent's key; a person's key reads and answers",
    "person": "an agent's key can never answer; a person does, in chat, in the console, or with a person's key",
    "admin": "where callbacks go is for an admin's key, and an admin's key is for nothing else; "
    "make one with `python -m bot keys create --admin NAME`",
}
"""What a caller with a key of another kind is told."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    summary: str
    who: Who
    body: Any = None
    media: str = ""
    """Of a body that is text, and not JSON."""
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    idempotent: bool = False
    success: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    body_limit: int = BODY


_STATES = [state.value for state in State]
_DAYS = {"type": "integer", "minimum": 1, "maximum": 400, "default": 30}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 128}

CALLS: Final[tuple[Call, ...]] = (
    Call(
        "start_run",
        "POST",
        "/v1/runs",
        "Start a run",
        "agent",
        wire.RunStart,
        idempotent=True,
        success={201: wire.Run, 200: wire.Run},
        errors=(404, 409),
    ),
    Call("get_run", "GET", "/v1/runs/{run}", "Look a run up", "either", success={200: wire.Run}, errors=(404,)),
    Call(
        "save_checkpoint",
        "PUT",
        "/v1/runs/{run}/checkpoint",
        "Save where a run stands",
        "agent",
        wire.CheckpointSave,
        idempotent=True,
        success={200: wire.CheckpointReceipt},
        errors=(404, 409),
        body_limit=CHECKPOINT_BODY,
    ),
    Call(
        "get_checkpoint",
        "GET",
        "/v1/runs/{run}/checkpoint",
        "Read the latest checkpoint",
        "agent",
        success={200: wire.Checkpoint},
        errors=(404,),
    ),
    Call(
        "brake",
        "POST",
        "/v1/runs/{run}/brake",
        "Stop, pause, steer, resume or abort a run",
        "person",
        wire.Brake,
        idempotent=True,
        success={200: wire.BrakeReceipt},
        errors=(404,),
    ),
    Call(
        "wide_brake",
        "POST",
        "/v1/brakes",
        "Stop or resume a conversation's runs, an agent's, or all",
        "person",
        wire.WideBrake,
        idempotent=True,
        success={200: wire.BrakeReceipt},
        errors=(404,),
    ),
    Call("list_brakes", "GET", "/v1/brakes", "List the brakes that are on", "person", success={200: wire.BrakeList}),
    Call(
        "heard",
        "POST",
        "/v1/runs/{run}/heard",
        "Acknowledge what people told a run",
        "agent",
        wire.Heard,
        success={200: wire.Run},
        errors=(404,),
    ),
    Call(
        "heartbeat",
        "POST",
        "/v1/runs/{run}/heartbeat",
        "Give a sign of life of a run",
        "agent",
        wire.Heartbeat,
        success={200: wire.HeartbeatReceipt},
        errors=(404,),
    ),
    Call(
        "notify",
        "POST",
        "/v1/runs/{run}/notices",
        "Tell people something without asking",
        "agent",
        wire.Notice,
        idempotent=True,
        success={202: None},
        errors=(404,),
    ),
    Call(
        "open",
        "POST",
        "/v1/handoffs",
        "Open an ask",
        "agent",
        wire.Ask,
        idempotent=True,
        success={201: wire.Handoff, 200: wire.Handoff},
        errors=(404, 409),
    ),
    Call(
        "list_handoffs",
        "GET",
        "/v1/handoffs",
        "List handoffs",
        "either",
        query={
            "state": {"type": "string", "enum": _STATES},
            "gate": _TEXT,
            "agent": _TEXT,
            "run": _TEXT,
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50},
            "cursor": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        success={200: wire.HandoffPage},
    ),
    Call(
        "get_handoff",
        "GET",
        "/v1/handoffs/{id}",
        "Read a handoff, or wait until it changes",
        "reader",
        query={
            "wait": {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0},
            "revision": {"type": "integer", "minimum": 1, "maximum": 2**31},
            "state": {"type": "string", "enum": ["pending", "held"]},
        },
        success={200: wire.Handoff},
        errors=(404,),
    ),
    Call(
        "answer",
        "POST",
        "/v1/handoffs/{id}/answer",
        "Answer as a person",
        "person",
        wire.Answer,
        idempotent=True,
        success={200: wire.Handoff},
        errors=(404, 409, 410),
    ),
    Call(
        "reply",
        "POST",
        "/v1/handoffs/{id}/reply",
        "Answer what a person asked the agent",
        "agent",
        wire.ReplyRequest,
        idempotent=True,
        success={200: wire.Handoff},
        errors=(404, 409, 410),
    ),
    Call(
        "withdraw",
        "POST",
        "/v1/handoffs/{id}/withdraw",
        "Take an ask back",
        "agent",
        wire.WithdrawRequest,
        success={200: wire.Handoff},
        errors=(404, 409),
    ),
    Call(
        "claim",
        "POST",
        "/v1/handoffs/{id}/claim",
        "Exchange a decision for its one permit",
        "agent",
        wire.ClaimRequest,
        success={200: wire.Permit},
        errors=(404, 409),
    ),
    Call(
        "report_outcome",
        "POST",
        "/v1/handoffs/{id}/outcome",
        "Say what came of it",
        "agent",
        wire.OutcomeReport,
        success={200: wire.Handoff},
        errors=(404, 409),
    ),
    Call(
        "list_grants",
        "GET",
        "/v1/grants",
        "The grants that stand",
        "either",
        success={200: wire.GrantList},
    ),
    Call(
        "revoke_grant",
        "DELETE",
        "/v1/grants/{id}",
        "End a grant, at once",
        "either",
        success={200: wire.Grant},
        errors=(404,),
    ),
    Call(
        "list_trust",
        "GET",
        "/v1/trust",
        "How far trust has grown, by rule and what it tells apart",
        "person",
        success={200: wire.TrustList},
    ),
    Call(
        "reset_trust",
        "DELETE",
        "/v1/trust/{key}",
        "Let trust start over",
        "person",
        success={200: wire.Trust},
        errors=(404,),
    ),
    Call(
        "audit_gates",
        "GET",
        "/v1/audit/gates",
        "What people made of each gate's asks",
        "person",
        query={"days": _DAYS},
        success={200: wire.AuditReport},
    ),
    Call(
        "corrections",
        "GET",
        "/v1/corrections",
        "What people changed or refused (JSON Lines)",
        "person",
        query={"days": _DAYS},
        success={200: None},
    ),
    Call(
        "events",
        "GET",
        "/v1/events",
        "Follow all of an agent's runs (server-sent events)",
        "agent",
        success={200: None},
    ),
    Call(
        "create_endpoint",
        "POST",
        "/v1/endpoints",
        "Register where callbacks go",
        "admin",
        wire.EndpointCreate,
        idempotent=True,
        success={201: wire.EndpointCreated},
        errors=(409,),
    ),
    Call(
        "list_endpoints",
        "GET",
        "/v1/endpoints",
        "List where callbacks go",
        "admin",
        success={200: wire.EndpointList},
    ),
    Call(
        "get_endpoint",
        "GET",
        "/v1/endpoints/{endpoint}",
        "Read an endpoint",
        "admin",
        success={200: wire.Endpoint},
        errors=(404,),
    ),
    Call(
        "rotate_endpoint",
        "POST",
        "/v1/endpoints/{endpoint}/rotate",
        "Give an endpoint a new secret",
        "admin",
        idempotent=True,
        success={200: wire.EndpointCreated},
        errors=(404, 409),
    ),
    Call(
        "disable_endpoint",
        "POST",
        "/v1/endpoints/{endpoint}/disable",
        "Send nothing more to an endpoint",
        "admin",
        wire.EndpointDisable,
        success={200: wire.Endpoint},
        errors=(404,),
    ),
    Call(
        "enable_endpoint",
        "POST",
        "/v1/endpoints/{endpoint}/enable",
        "Send to an endpoint again",
        "admin",
        success={200: wire.Endpoint},
        errors=(404,),
    ),
    Call(
        "remove_endpoint",
        "DELETE",
        "/v1/endpoints/{endpoint}",
        "Forget an endpoint and its dead letters",
        "admin",
        success={200: wire.Endpoint},
        errors=(404,),
    ),
    Call(
        "test_endpoint",
        "POST",
        "/v1/endpoints/{endpoint}/test",
        "Send a test callback, once and now",
        "admin",
        success={200: wire.EndpointTest},
        errors=(404,),
    ),
    Call(
        "replay_endpoint",
        "POST",
        "/v1/endpoints/{endpoint}/replay",
        "Send an endpoint's dead letters again",
        "admin",
        success={200: wire.Replayed},
        errors=(404,),
    ),
    Call(
        "list_dead_letters",
        "GET",
        "/v1/dead-letters",
        "List the callbacks that were given up",
        "admin",
        query={
            "endpoint": {"type": "string", "minLength": 1, "maxLength": 128},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
        },
        success={200: wire.DeadLetterList},
        errors=(404,),
    ),
    Call(
        "replay_dead_letter",
        "POST",
        "/v1/dead-letters/{delivery}/replay",
        "Send a dead letter again",
        "admin",
        success={200: wire.Replayed},
        errors=(404,),
    ),
    Call(
        "explain_policy",
        "POST",
        "/v1/policy/explain",
        "Say what the policy says of an action, and why",
        "person",
        wire.PolicyQuestion,
        success={200: wire.Explanation},
    ),
    Call(
        "replay_policy",
        "POST",
        "/v1/policy/replay",
        "Run recorded history through a changed policy",
        "person",
        media="application/yaml",
        query={"days": _DAYS},
        success={200: wire.Replay},
    ),
    Call(
        "policy_schema",
        "GET",
        "/policy.schema.json",
        "The JSON Schema of the policy file, for editors",
        "anyone",
        success={200: None},
    ),
    Call("healthz", "GET", "/healthz", "Does the event loop turn?", "anyone", success={200: None, 503: None}),
    Call("readyz", "GET", "/readyz", "May requests come here?", "anyone", success={200: None, 503: None}),
    Call("metrics", "GET", "/metrics", "Metrics for Prometheus", "anyone", success={200: None}, errors=(401,)),
    Call("openapi", "GET", "/openapi.json", "This document", "anyone", success={200: None}),
)

BY_NAME: Final = {call.name: call for call in CALLS}
