"""Runs the examples that stand in a policy file. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from andon import wire
from bot.handoff import Risk, person_named
from bot.policy._checkpoints import asked_of
from bot.policy._explain import explained, situation_of
from bot.policy._file import Example, Policy
from bot.policy._route import Routed, route

Score = Callable[[Example], Risk | None]
"""Tells how risky an example's action is, where the example does not say."""


@dataclass(frozen=True, slots=True)
class Tested:
    """How an example ended: what differs from what it expects; nothing: it is fine."""

    name: str
    differs: tuple[str, ...]
    said: str
    """What the policy says, in a word or two."""
    steps: tuple[str, ...] = ()


def run_examples(policy: Policy, score: Score | None = None) -> list[Tested]:
    """Try every example of the file on its own policy."""
    return [_run(policy, example, score) for example in policy.examples]


def question_of(example: Example) -> wire.PolicyQuestion:
    """An example as a question to a policy."""
    return wire.PolicyQuestion(
        tool=None if example.kind == "input" else example.tool,
        args=example.args,
        gate=example.gate,
        agent=example.agent,
        kind=example.kind,
        labels=example.labels,
        checkpoint=example.checkpoint,
        requester=example.requester,
        reversible=example.reversible,
        confidence=example.confidence,
        risk=example.risk,
        failures=example.failures,
        trusted=example.trusted,
        timeout_s=example.timeout,
        on_timeout=example.on_timeout,
    )


def _run(policy: Policy, example: Example, score: Score | None) -> Tested:
    policy, question = asked_of(policy, question_of(example))
    situation = situation_of(policy, question)
    if example.risk is None and score:
        situation = replace(situation, risk=score(example))
    routed = route(policy, situation)
    met = routed.rule.name if routed.rule else "default"
    steps = tuple(f"{each.rule}: {each.why}" for each in explained(policy, situation).tried)
    return Tested(
        example.name, tuple(_differences(policy, example, routed)), f"{routed.do} by {met}", (*steps, *routed.steps)
    )


def _differences(policy: Policy, example: Example, routed: Routed) -> Iterator[str]:
    want, terms = example.expect, routed.route
    met = routed.rule.name if routed.rule else "default"
    sampled = want.do == "sample" and routed.rule is not None and routed.rule.do == "sample"
    if want.do and want.do != routed.do and not (sampled and routed.do in {"allow", "review"}):
        yield f"do is {routed.do}, not {want.do}"
    if want.rule and want.rule != met:
        yield f"the rule is {met}, not {want.rule}"
    if want.approvers is not None:
        requester = person_named(example.requester).casefold() or "requester"
        wanted = {requester if name == "requester" else name.casefold() for name in policy.who(want.approvers)}
        found = {name.casefold() for stage in terms.steps for name in stage.approvers}
        if wanted != found:
            yield f"approvers are {_list(found)}, not {_list(wanted)}"
    quorum = sum(stage.quorum for stage in terms.steps)
    if want.quorum is not None and want.quorum != quorum:
        yield f"quorum is {quorum}, not {want.quorum}"
    if want.timeout is not None and want.timeout != terms.timeout_s:
        yield f"timeout is {terms.timeout_s} s, not {want.timeout} s"
    if want.on_timeout and want.on_timeout != terms.on_timeout:
        yield f"on_timeout is {terms.on_timeout}, not {want.on_timeout}"


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "any full member"
