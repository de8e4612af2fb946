"""Recorded history under another policy: what it would have asked, and which rejections it would have missed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from andon import wire
from bot.handoff import Handoff, Risk, State, ask_payload, digest_of
from bot.policy import Grant, Situation, needs, read, route, rules_at_checkpoints
from bot.policy import parse as policy_of
from bot.replay import MOST_LISTED, replayed

NOON: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIRA: Final = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
SILENCE: Final = wire.Actor(kind="silence", id="silence", name="nobody")
RUN: Final = "run_" + "r" * 22
ASK_ALL: Final = "defaults: {do: ask}"


class History:
    """Handoffs as the service would have recorded them under one policy, a minute apart."""

    def __init__(self, policy: str = ASK_ALL) -> None:
        self.policy = policy_of(policy)
        self.found: list[Handoff] = []

    def ask(
        self,
        end: str = "approved",
        *,
        tool: str = "send_email",
        args: Mapping[str, Any] | None = None,
        outcome: str = "executed",
        by: wire.Actor = MIRA,
        known: Mapping[str, Any] | None = None,
        run: str = RUN,
        **ask: Any,
    ) -> Handoff:
        """One more; `end` says how it was decided when a person was asked, `known` what was known around it."""
        given = {"kind": "confirmation", "gate": "mail", "run": run, "what": "Send it", "why": "w", "risks": ["r"]}
        made = wire.parse_ask({**given, "action": {"tool": tool, "args": dict(args or {"to": "alice"})}, **ask})
        number = len(self.found)
        situation = Situation(made, f"hf_{number}", "mailer", (), run_name="report", **(known or {}))
        rules = rules_at_checkpoints(self.policy) if made.gate == "checkpoint" else self.policy
        assert rules
        routed = route(rules, situation)
        at = NOON + timedelta(minutes=number)
        payload = ask_payload(made)
        handoff = Handoff(
            *(f"hf_{number}", "mailer", run, "report", situation.requester or None, State.DECIDED, 1),
            digest=digest_of(payload),
            ask=made,
            payload=payload,
            route=routed.route,
            opened_at=at,
            expires_at=at + timedelta(hours=1),
            decision=decided(end, by=by, at=at + timedelta(seconds=5)) if routed.do == "ask" else None,
        )
        if routed.do != "ask":
            kind = "rejected" if routed.do == "deny" else "approved"
            who = wire.Actor(kind="grant" if routed.grant else "policy", id="x", name="x")
            handoff = replace(handoff, decision=decided(kind, by=who, at=at))
        if handoff.decision and handoff.decision.kind in {"approved", "edited"}:
            happened = wire.Outcome.model_validate({"status": outcome, "at": at + timedelta(seconds=20)})
            handoff = replace(handoff, state=State.CLOSED, outcome=happened)
        self.found.append(handoff)
        return handoff

    def review(self, first: Handoff, end: str) -> None:
        """What came of it was shown, and a person said this."""
        number = len(self.found)
        at = NOON + timedelta(minutes=number)
        self.found[self.found.index(first)] = replace(first, review=f"hf_{number}")
        shown = first.ask.model_copy(update={"timing": "after", "result": "done"})
        self.found.append(
            replace(
                first,
                id=f"hf_{number}",
                ask=shown,
                follows=first.id,
                opened_at=at,
                decision=decided(end, by=MIRA, at=at + timedelta(seconds=5)),
                outcome=None,
                route=replace(first.route, review=False),
            )
        )

    def under(self, policy: str, *, labels: Mapping[str, Mapping[str, str]] | None = None) -> wire.Replay:
        """All of it through another policy, in no order."""
        return replayed(read(policy), reversed(self.found), since=NOON, until=NOON + timedelta(days=1), labels=labels)


def decided(kind: str, *, by: wire.Actor, at: datetime) -> wire.Decision:
    given: dict[str, Any] = {"by": by, "at": at, "revision": 1, "message_for_agent": "x"}
    match kind:
        case "approved":
            return wire.Approved(**given, digest="0" * 64, args={})
        case "edited":
            return wire.Edited(**given, digest="1" * 64, args={"to": "bob"}, reason="Bob asked")
        case "rejected":
            return wire.Rejected(**given, reason="Wrong Alice")
    return wire.Expired(**{**given, "by": SILENCE})


def figures(row: wire.ReplayRow) -> dict[str, int]:
    """Those that are not nothing."""
    return {name: value for name, value in row.model_dump(exclude={"gate", "tool"}).items() if value}


def test_every_figure_can_be_checked_by_hand() -> None:
    history = History("rules: [{name: reads, tool: read, do: allow}, {name: drops, tool: drop, do: deny, reason: No.}]")
    for end in ("approved", "approved", "rejected", "edited", "expired"):
        history.ask(end)
    history.ask(tool="read")
    history.ask(tool="drop")
    history.ask(tool="pay", gate="bank")
    found = history.under(
        "rules: [{name: mail, tool: send_email, do: allow}, {name: drops, tool: drop, do: notify},"
        " {name: pays, tool: pay, do: deny, reason: No.}]"
    )
    rows = {(row.gate, row.tool): figures(row) for row in found.rows}
    assert rows == {
        ("mail", "send_email"): {"handoffs": 5, "asked_then": 5, "saved": 5, "missed": 2, "unanswered": 1},
        ("mail", "read"): {"handoffs": 1, "asked_now": 1, "newly_asked": 1},
        ("mail", "drop"): {"handoffs": 1, "denied_then": 1, "let_run": 1},
        ("bank", "pay"): {"handoffs": 1, "asked_then": 1, "denied_now": 1},
    }
    assert (found.rows[0].tool, found.handoffs, found.complete) == ("send_email", 8, True)
    assert figures(found.total) == {
        "handoffs": 8,
        "asked_then": 6,
        "asked_now": 1,
        "saved": 5,
        "newly_asked": 1,
        "denied_then": 1,
        "denied_now": 1,
        "let_run": 1,
        "missed": 2,
        "unanswered": 1,
    }


def test_what_would_have_been_missed_is_listed_with_who_said_what_and_where() -> None:
    history = History()
    history.ask("rejected")
    history.ask("edited")
    edited, rejected = history.under("rules: [{name: mail, do: allow}]").missed
    assert (edited.handoff, edited.kind, edited.reason) == ("hf_1", "edited", "Bob asked")
    assert (rejected.handoff, rejected.page) == ("hf_0", "/handoffs/hf_0")
    assert (rejected.kind, rejected.by, rejected.reason) == ("rejected", "Mira", "Wrong Alice")
    assert (rejected.was, rejected.now, rejected.rule) == ("asked", "allow", "mail")
    assert (rejected.agent, rejected.gate, rejected.tool, rejected.what) == ("mailer", "mail", "send_email", "Send it")


@pytest.mark.parametrize("do, missed", [("allow", 1), ("notify", 1), ("review", 1), ("ask", 0), ("deny", 0)])
def test_what_runs_first_is_missed_even_when_it_is_shown_afterwards(do: str, missed: int) -> None:
    history = History()
    history.ask("rejected", reversible=True)
    found = history.under(f"rules: [{{name: mail, do: {do}{', reason: No.' if do == 'deny' else ''}}}]")
    assert (found.total.missed, len(found.missed)) == (missed, missed)


def test_a_rejected_review_is_missed_by_what_shows_nothing_and_not_by_another_review() -> None:
    history = History("rules: [{name: drafts, do: review}]")
    history.review(history.ask(reversible=True), "rejected")
    history.review(history.ask(reversible=True), "approved")
    (missed,) = history.under("rules: [{name: drafts, do: notify}]").missed
    assert (missed.handoff, missed.was, missed.now) == ("hf_0", "reviewed", "notify")
    again = history.under("rules: [{name: drafts, do: review}]")
    assert (again.missed, again.total.handoffs, again.handoffs) == ((), 2, 4)


def test_an_edit_that_somebody_else_approved_is_an_edit() -> None:
    history = History()
    first = history.ask("approved")
    edit = wire.Revision(revision=2, by=MIRA, at=NOON, args={"to": "bob"}, digest="1" * 64)
    history.found[0] = replace(first, revisions=(edit,))
    (missed,) = history.under("rules: [{name: mail, do: allow}]").missed
    assert (missed.kind, missed.by) == ("edited", "Mira")


RAMPED = """
confidence_floor: 0.3
escalate_on_failure: 2
rules:
  - {name: mail, tool: send_email, do: ask, ramp: {ask: 2, review: 2, sample: 0.5}}
  - {name: notes, tool: note, do: sample, fraction: 0.5}
  - {name: shell, tool: run, do: ask, grants: [{label: the same, same: [command], scope: agent}]}
  - {name: risky, tool: sql, when: risk < 0.5, do: allow}
  - {name: steps, gate: checkpoint, when: 'checkpoint == "plan"', do: ask}
"""


def test_the_same_file_changes_nothing() -> None:
    """Whatever loosened or tightened an ask then does so again: trust, failures, confidence, grants, samples, risk."""
    history = History(RAMPED)
    ramp = needs(history.policy, Situation(history.ask().ask, "hf", "mailer", ())).ramps[0]
    for good in (1, 2, 3, 4, 50):
        first = history.ask(known={"trusted": {ramp: good}}, reversible=True)
        if first.route.review:
            history.review(first, "approved")
    for _ in range(8):
        history.ask(tool="note", reversible=True)
    grant = {"id": "gr_1", "tool": "run", "same": {"command": "make"}, "scope": "agent"}
    history.ask(tool="run", args={"command": "make"})
    history.ask(tool="run", args={"command": "make"}, known={"grants": (_grant(grant),)})
    history.ask(tool="sql", args={"query": "SELECT 1"}, known={"risk": Risk(0.1)})
    history.ask(tool="sql", args={"query": "SELECT 1"}, known={"risk": Risk(0.9)})
    history.ask(tool="note", confidence=0.1, reversible=True)
    history.ask(tool="note", known={"failures": 2}, reversible=True)
    history.ask("rejected", gate="checkpoint", tool="checkpoint", args={"name": "plan"}, known={"checkpoint": "plan"})
    found = history.under(RAMPED)
    total = found.total
    assert total.asked_then == total.asked_now > 5
    assert (total.saved, total.newly_asked, total.missed, total.unanswered) == (0, 0, 0, 0)


def _grant(given: Mapping[str, Any]) -> Grant:
    return Grant(**given)


def test_trust_grows_with_the_record_and_starts_over_with_a_rejection() -> None:
    history = History()
    for end in ("approved", "approved", "approved", "rejected", "approved", "approved", "approved"):
        history.ask(end, reversible=True)
    found = history.under("rules: [{name: mail, do: ask, ramp: {ask: 2}}]")
    assert (found.total.saved, found.total.asked_now) == (3, 4)
    assert [each.handoff for each in found.missed] == ["hf_3"]
    assert any("Trust begins at nothing" in note for note in found.notes)


def test_what_ends_later_earns_no_trust_for_what_was_asked_before() -> None:
    history = History()
    for _ in range(3):
        history.ask(reversible=True)
    late = NOON + timedelta(hours=3)
    history.found = [replace(each, outcome=wire.Outcome(status="executed", at=late)) for each in history.found]
    assert history.under("rules: [{name: mail, do: ask, ramp: {ask: 1}}]").total.saved == 0


def test_failures_in_the_run_make_an_ask_again() -> None:
    history = History("rules: [{name: all, do: allow}]")
    for number in range(4):
        history.ask(outcome="failed" if number < 2 else "executed", known={"requester": "ana"})
    history.ask(run="run_" + "s" * 22)
    found = history.under("{escalate_on_failure: 2, rules: [{name: all, do: allow}]}")
    assert (found.total.newly_asked, found.total.asked_now) == (2, 2)


def test_a_grant_that_is_offered_no_more_covers_nothing() -> None:
    history = History(RAMPED)
    given = _grant({"id": "gr_1", "tool": "run", "same": {"command": "make"}, "scope": "agent"})
    history.ask(tool="run", args={"command": "make"}, confidence=0.9, known={"grants": (given,)})
    assert history.under("rules: [{name: shell, tool: run, do: ask}]").total.newly_asked == 1
    narrower = "rules: [{name: shell, tool: run, do: ask, grants: [{label: the same, same: [command], scope: run}]}]"
    assert history.under(narrower).total.newly_asked == 1


def test_which_offer_a_grant_was_of_is_not_recorded_so_all_must_be_offered_still() -> None:
    offers = "{label: a, same: [command], scope: agent}", "{label: b, same: [cwd], scope: run}"
    history = History(f"rules: [{{name: shell, tool: run, do: ask, grants: [{', '.join(offers)}]}}]")
    given = _grant({"id": "gr_1", "tool": "run", "same": {"command": "make"}, "scope": "agent"})
    history.ask(tool="run", args={"command": "make", "cwd": "/"}, known={"grants": (given,)})
    for left, new in ((offers, 0), (offers[:1], 1), (offers[1:], 1)):
        text = f"rules: [{{name: shell, tool: run, do: ask, grants: [{', '.join(left)}]}}]"
        assert history.under(text).total.newly_asked == new


def test_a_scorer_of_one_s_own_hears_nothing_of_the_record() -> None:
    """A file from somebody else must not have the history sent to its address."""
    history = History()
    history.ask(tool="sql", args={"query": "SELECT 1"})
    rules = "rules: [{name: sql, tool: sql, when: risk < 0.5, do: allow}]"
    ours = history.under(rules)
    theirs = history.under(f"{{risk: {{url: 'http://127.0.0.1:1/'}}, {rules}}}")
    assert (ours.total.saved, theirs.total.saved) == (1, 0)
    assert any("is not asked about what was recorded" in note for note in theirs.notes)


def test_a_risk_that_the_card_said_is_the_risk() -> None:
    history = History()
    first = history.ask(tool="sql", args={"query": "SELECT 1"})
    history.found[0] = replace(first, route=replace(first.route, risk=Risk(0.9)))
    assert history.under("rules: [{name: sql, tool: sql, when: risk < 0.5, do: allow}]").total.saved == 0


def test_labels_of_the_run_count_as_long_as_it_is_kept() -> None:
    history = History()
    history.ask()
    rules = "rules: [{name: tests, labels: {stage: test}, do: allow}]"
    assert history.under(rules, labels={RUN: {"stage": "test"}}).total.saved == 1
    assert history.under(rules).total.saved == 0


def test_silence_that_would_be_a_yes_now_is_told() -> None:
    history = History()
    history.ask("expired", reversible=True, on_timeout="approve")
    found = history.under("rules: [{name: mail, do: ask, timeout: 1h, on_timeout: approve}]")
    assert (found.total.saved, found.total.unanswered) == (0, 1)


def test_a_checkpoint_without_a_rule_is_passed() -> None:
    history = History(RAMPED)
    history.ask("rejected", gate="checkpoint", tool="checkpoint", args={"name": "plan"}, known={"checkpoint": "plan"})
    (missed,) = history.under("defaults: {do: deny}").missed
    assert (missed.gate, missed.rule) == ("checkpoint", "no_rule")


def test_choices_and_questions_need_a_person_whatever_the_file_says() -> None:
    history = History()
    given = {"run": RUN, "gate": "flight", "question": "Which?"}
    candidates = [{"id": each, "label": each, "action": {"tool": f"book_{each}", "args": {}}} for each in "ab"]
    for ask in (wire.Choice.model_validate({**given, "candidates": candidates}), wire.Input.model_validate(given)):
        first = history.ask("rejected")
        history.found[-1] = replace(first, ask=ask, payload=ask_payload(ask))
    found = history.under("rules: [{name: all, do: allow}]")
    assert [(row.tool, row.asked_now) for row in found.rows] == [(None, 1), ("book_a, book_b", 1)]
    assert found.missed == ()


def test_the_list_is_cut_and_the_count_is_not() -> None:
    history = History()
    first = history.ask("rejected")
    history.found = [replace(first, id=f"hf_{number}") for number in range(MOST_LISTED + 5)]
    found = history.under("rules: [{name: mail, do: allow}]")
    assert (found.total.missed, len(found.missed)) == (MOST_LISTED + 5, MOST_LISTED)


def test_notes_are_told_as_far_as_the_file_looks_there() -> None:
    assert len(History().under(ASK_ALL).notes) == 1
    assert len(History().under(RAMPED).notes) == 7
