"""What a policy says of an action, and every reason. Pure; it decides nothing, and reads what `route` decided."""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import JsonValue

from andon import wire
from bot.handoff import Risk, Route
from bot.policy._bearing import said, silence
from bot.policy._checkpoints import asked_of
from bot.policy._file import Policy
from bot.policy._meeting import trials
from bot.policy._route import needs, route, stand_in
from bot.policy._rule import Rule
from bot.policy._situation import Situation

_RUN = f"run_{'r' * 22}"
_HERE = (wire.Place(surface="web"),)
_SHOWN = (
    ("to", "to"), ("approvers", "approvers"), ("quorum", "quorum"), ("stages", "stages"),
    ("not_requester", "not_requester"), ("reject", "reject"), ("reassign", "reassign"),
    ("remind", "remind"), ("escalate", "escalate"),
    ("step_up", "step_up"), ("reject_reasons", "reject_reasons"), ("grants", "grants"),
)  # fmt: skip


def explain(policy: Policy, question: wire.PolicyQuestion) -> wire.Explanation:
    """What the policy says of this action, and why."""
    policy, question = asked_of(policy, question)
    return explained(policy, situation_of(policy, question))


def explained(policy: Policy, situation: Situation) -> wire.Explanation:
    """What the policy says in this situation, and why."""
    routed = route(policy, situation)
    return wire.Explanation(
        policy=policy.version,
        rule=routed.rule.name if routed.rule else None,
        do=routed.do,
        reason=routed.reason if routed.do == "deny" else None,
        tried=tuple(
            wire.RuleTried(rule=each.rule, tool=each.tool, matched=each.matched, why=each.why)
            for each in trials(policy, situation)
        ),
        steps=routed.steps,
        terms=tuple(_terms(policy, routed.rule, situation, routed.route)) if routed.do == "ask" else (),
    )


def situation_of(policy: Policy, question: wire.PolicyQuestion) -> Situation:
    """The situation in which this would be asked."""
    situation = Situation(
        ask=_ask(question),
        handoff=question.handoff,
        draw=stand_in(question.handoff),
        agent=question.agent,
        to=_HERE,
        run_name=question.run,
        labels=question.labels,
        requester=question.requester,
        checkpoint=question.checkpoint,
        failures=question.failures,
        risk=None if question.risk is None else Risk(question.risk),
    )
    return replace(situation, trusted=dict.fromkeys(needs(policy, situation).ramps, question.trusted))


def _ask(question: wire.PolicyQuestion) -> wire.Confirmation | wire.Choice | wire.Input:
    action = wire.Action(tool=question.tool, args=question.args) if question.tool else None
    same = {
        "gate": question.gate,
        "run": _RUN,
        "reversible": question.reversible,
        "confidence": question.confidence,
        "timeout_s": question.timeout_s,
        "on_timeout": question.on_timeout,
    }
    if question.kind == "input" or (question.kind == "confirmation" and not action and not question.reversible):
        return wire.Input.model_validate({**same, "question": "example"})
    if question.kind == "choice":
        candidate = wire.Candidate(id="example", label="example", action=action)
        return wire.Choice.model_validate({**same, "question": "example", "candidates": (candidate,)})
    timing = question.timing if action else "after"
    told = {"what": "example", "why": "example", "risks": ("example",), "action": action, "timing": timing}
    return wire.Confirmation.model_validate({**same, **told})


def _terms(policy: Policy, rule: Rule | None, situation: Situation, terms: Route) -> Iterator[wire.PolicyTerm]:
    """The terms, and who said each."""
    asked = situation.ask.timeout_s
    shorter = asked is not None and asked == terms.timeout_s and asked != said(policy, rule, "timeout")
    yield wire.PolicyTerm(
        name="timeout_s", value=terms.timeout_s, source="ask" if shorter else _source(policy, rule, "timeout")
    )
    _, note = silence(policy, rule, situation)
    yield wire.PolicyTerm(
        name="on_timeout", value=terms.on_timeout, source=_source(policy, rule, "on_timeout"), note=note
    )
    for name, field in _SHOWN:
        if name == "quorum" and terms.stages:
            continue  # each stage has its own
        value = _value(terms, name)
        if value or said(policy, rule, field):
            source = _source(policy, rule, field)
            yield wire.PolicyTerm(name=name, value=value, source="ask" if (name, source) == ("to", _UNSAID) else source)


_UNSAID = "built in"


def _source(policy: Policy, rule: Rule | None, name: str) -> str:
    if rule and getattr(rule, name) is not None:
        return f"rule {rule.name}"
    return "defaults" if getattr(policy.defaults, name) is not None else _UNSAID


def _value(terms: Route, name: str) -> JsonValue:  # noqa: C901  # one line a term, read as a table
    """A term as plain JSON."""
    match name:
        case "to":
            return [":".join(filter(None, (each.surface, each.channel or each.person))) for each in terms.to]
        case "approvers":
            return list(terms.approvers)
        case "quorum":
            return terms.quorum
        case "stages":
            return [{"approvers": list(each.approvers), "quorum": each.quorum} for each in terms.stages]
        case "not_requester":
            return terms.not_requester
        case "reassign":
            return terms.reassign
        case "reject":
            return "quorum" if terms.reject_quorum else "any"
        case "remind":
            return list(terms.remind_s)
        case "escalate":
            return [_rung(each.after_s, each.to, each.approvers, each.mention) for each in terms.escalate]
        case "step_up":
            return terms.step_up
        case "reject_reasons":
            return [each.label for each in terms.reasons]
    return [
        {"label": each.label, "same": list(each.same), "scope": each.scope, "life_s": each.life_s}
        for each in terms.offers
    ]


def _rung(after_s: int, to: tuple[wire.Place, ...], approvers: tuple[str, ...], mention: tuple[str, ...]) -> JsonValue:
    return {
        "after_s": after_s,
        "to": [":".join(filter(None, (each.surface, each.channel or each.person))) for each in to],
        "approvers": list(approvers),
        "mention": list(mention),
    }
