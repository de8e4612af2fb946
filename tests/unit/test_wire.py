"""What an agent and a person may send: every fault is named, and nothing is guessed."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from andon import wire
from andon.wire._asks import NO_RISKS

RUN = f"run_{'r' * 22}"
CONFIRMATION: dict[str, Any] = {
    "kind": "confirmation",
    "gate": "send_email",
    "run": RUN,
    "what": "Send it",
    "why": "She asked",
    "risks": ["It cannot be unsent"],
    "action": {"tool": "send_email", "args": {"to": "alice"}},
}
CHOICE: dict[str, Any] = {
    "kind": "choice",
    "gate": "flight",
    "run": RUN,
    "question": "Which?",
    "candidates": [{"id": "a", "label": "A"}, {"id": "b", "label": "B"}],
}
INPUT: dict[str, Any] = {"kind": "input", "gate": "budget", "run": RUN, "question": "How much?"}
_ANSWER: TypeAdapter[wire.Answer] = TypeAdapter(wire.Answer)


def faults(ask: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and sentence of each fault."""
    with pytest.raises(ValidationError) as caught:
        wire.parse_ask(ask)
    return [(".".join(str(part) for part in e["loc"][1:]), e["msg"]) for e in caught.value.errors()]


@pytest.mark.parametrize("ask", [CONFIRMATION, CHOICE, INPUT])
def test_the_smallest_ask_of_each_kind_is_fine(ask: dict[str, Any]) -> None:
    parsed = wire.parse_ask(ask)
    assert parsed.kind == ask["kind"]
    assert (parsed.reversible, parsed.on_timeout) == (False, "deny")


@pytest.mark.parametrize("risks", [[], None])
def test_a_confirmation_without_risks_is_refused_with_the_reason(risks: list[str] | None) -> None:
    """People who are shown only the benefit approve without reading."""
    ask = (
        {**CONFIRMATION, "risks": risks}
        if risks is not None
        else {k: v for k, v in CONFIRMATION.items() if k != "risks"}
    )
    ((field, sentence),) = faults(ask)
    assert field == ""
    assert NO_RISKS in sentence
    assert "what could go wrong" in sentence
    assert "because" in sentence


def test_what_is_done_already_needs_neither_risks_nor_action() -> None:
    ask = {name: value for name, value in CONFIRMATION.items() if name not in {"risks", "action"}}
    assert wire.parse_ask({**ask, "timing": "after", "reversible": True, "result": {"id": 7}}).kind == "confirmation"


@pytest.mark.parametrize(
    "ask, change, field, says",
    [
        (CONFIRMATION, {"action": None}, "", "needs `action`"),
        (CONFIRMATION, {"result": 1}, "", "goes with `timing: after`"),
        (CONFIRMATION, {"on_timeout": "approve"}, "", "needs `reversible: true`"),
        (CONFIRMATION, {"recipient": "x"}, "recipient", "not permitted"),
        (CONFIRMATION, {"action": {"tool": "t", "argz": {}}}, "action.argz", "not permitted"),
        (CONFIRMATION, {"what": "  "}, "what", "at least 1 character"),
        (CONFIRMATION, {"what": "x" * 32_769}, "what", "at most 32768"),
        (CONFIRMATION, {"risks": [""]}, "risks.0", "at least 1 character"),
        (CONFIRMATION, {"risks": ["r"] * 21}, "risks", "at most 20"),
        (CONFIRMATION, {"gate": "send e-mail"}, "gate", "pattern"),
        (CONFIRMATION, {"gate": "sеnd"}, "gate", "pattern"),  # noqa: RUF001  # a Cyrillic letter: two names that look alike
        (CONFIRMATION, {"run": "run_short"}, "run", "pattern"),
        (CONFIRMATION, {"confidence": 1.1}, "confidence", "less than or equal to 1"),
        (CONFIRMATION, {"timeout_s": 0}, "timeout_s", "greater than or equal to 1"),
        (CONFIRMATION, {"timeout_s": 604_801}, "timeout_s", "less than or equal to 604800"),
        (CONFIRMATION, {"to": [{"surface": "Web"}]}, "to.0.surface", "pattern"),
        (CHOICE, {"candidates": []}, "candidates", "at least 1 item"),
        (CHOICE, {"candidates": [{"id": "a", "label": "A"}, {"id": "A", "label": "B"}]}, "", "look alike"),
        (CHOICE, {"candidates": [{"id": "a", "label": "A"}, {"id": "b", "label": "a"}]}, "", "look alike"),
        (CHOICE, {"on_timeout": "approve", "reversible": True}, "", "silence cannot choose"),
        (INPUT, {"on_timeout": "approve", "reversible": True}, "", "silence cannot answer"),
        (INPUT, {"answer_schema": "string"}, "answer_schema", "valid dictionary"),
    ],
)
def test_a_fault_is_told_with_its_field(ask: dict[str, Any], change: dict[str, Any], field: str, says: str) -> None:
    found = faults({**ask, **change})
    assert [name for name, _ in found] == [field]
    assert says in found[0][1]


@pytest.mark.parametrize(
    "change",
    [
        {"reversible": "no"},
        {"reversible": 1},
        {"confidence": False},
        {"confidence": "0.5"},
        {"timeout_s": "60"},
        {"timeout_s": True},
        {"what": 7},
    ],
)
def test_a_value_of_another_type_is_a_mistake_and_never_guessed(change: dict[str, Any]) -> None:
    """`"reversible": "no"` must not become a flag by some reading of the word."""
    ((field, _),) = faults({**CONFIRMATION, **change})
    assert field in change


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "approve", "revision": "1"},
        {"kind": "approve", "revision": True},
        {"kind": "approve", "revision": 0},
        {"kind": "approve"},
        {"kind": "edit", "revision": 1, "args": {}, "approve": "false"},
        {"kind": "edit", "revision": 1, "args": {}, "approve": 0},
        {"kind": "approve", "revision": 1, "args": {}},
        {"kind": "yes", "revision": 1},
        {"kind": "choose", "revision": 1, "choice": ""},
        {"kind": "approve", "revision": 1, "digest": "abc"},
    ],
)
def test_an_answer_that_could_be_read_two_ways_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _ANSWER.validate_python(answer)


@pytest.mark.parametrize("version", ["0", False, -1])
def test_a_checkpoint_s_version_is_a_number(version: object) -> None:
    with pytest.raises(ValidationError):
        wire.CheckpointSave.model_validate({"name": "n", "if_version": version})


def test_what_the_service_sends_may_grow() -> None:
    """An older agent reads a newer service."""
    assert wire.CheckpointReceipt.model_validate({"run": RUN, "version": 1, "new": True}).version == 1


def test_a_rejection_without_a_reason_cannot_be_built() -> None:
    mira = wire.Actor(kind="person", id="m", name="M")
    with pytest.raises(ValidationError):
        wire.Rejected.model_validate(
            {"by": mira, "at": "2026-01-01T00:00:00Z", "revision": 1, "reason": "", "message_for_agent": "no"}
        )


# --- what is shown after the fact ---


def test_after_needs_something_that_can_be_undone() -> None:
    after = {"kind": "confirmation", "gate": "g", "run": RUN, "timing": "after", "what": "w", "why": "y", "result": 7}
    with pytest.raises(ValidationError, match="needs `reversible: true`"):
        wire.parse_ask(after)
    with pytest.raises(ValidationError, match="needs `reversible: true`"):
        wire.parse_ask({**after, "reversible": False})
    assert wire.parse_ask({**after, "reversible": True}).reversible


def test_what_an_earlier_version_took_is_still_read() -> None:
    """A handoff of last week, from the store or over the API."""
    after = {"kind": "confirmation", "gate": "g", "run": RUN, "timing": "after", "what": "w", "why": "y", "result": 7}
    read = TypeAdapter(wire.Ask).validate_python(after, context=wire.STORED)
    assert (read.kind, read.reversible) == ("confirmation", False)
