"""A policy read aloud: every rule as sentences, for people who do not write it. Pure."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from andon import wire
from bot.cards import (
    grant_in_words,
    lasting,
    listed,
    people_in_words,
    places_in_words,
    rung_in_words,
    stages_in_words,
)
from bot.policies import Standing
from bot.policy import Policy, Rule
from bot.policy._file import BrakeTerms, Defaults
from bot.policy._terms import Ramp, Rung
from bot.ports import PolicyWords, RuleWords

_DOES: Final = {
    "allow": "It runs.",
    "notify": "It runs, and people are told.",
    "sample": "It runs, and some of it is shown afterwards.",
    "review": "It runs, and what came of it is shown for review.",
    "ask": "A person is asked first.",
    "deny": "It is refused.",
}
_STEPS: Final = {
    "number": "A yes repeats the two digits on the card.",
    "critical": "A yes repeats the two digits on the card, by two people who opened all of it.",
}
_NOES: Final = {"any": "One no ends it.", "quorum": "It takes as many to say no as to say yes."}
_BRAKES: Final = {"stop": "stops", "pause": "pauses", "resume": "resumes", "abort": "ends"}
_HANDED_ON: Final = {
    "listed": "It can be handed on to those alone who may answer anyway.",
    "anyone": "It can be handed on to anyone, who then answers in the place of whoever asked them.",
}


def policy_in_words(standing: Standing) -> PolicyWords:
    """The policy that stands now, as people read it."""
    policy = standing.policy
    return PolicyWords(
        version=policy.version,
        rules=tuple(RuleWords(rule.name, rule.do, matches(rule), tuple(says(rule))) for rule in policy.rules),
        otherwise=RuleWords("defaults", policy.defaults.do, "", tuple(says(policy.defaults))),
        besides=tuple(_besides(policy)),
        warnings=standing.warnings,
        trouble=standing.trouble,
    )


def matches(rule: Rule) -> str:
    """What a rule is about: `send_email, of the agent mailer, when args.amount > 500`."""
    parts = ["any action" if "*" in rule.tool else " or ".join(rule.tool)]
    for word, globs in (("at the gate", rule.gate), ("of the agent", rule.agent)):
        if "*" not in globs:
            parts.append(f"{word} {' or '.join(globs)}")
    if rule.checkpoint:
        parts.append(f"after the checkpoint {' or '.join(rule.checkpoint)}")
    if rule.labels:
        parts.append(f"in runs with {' and '.join(f'{name}={value}' for name, value in rule.labels.items())}")
    if rule.when:
        parts.append(f"when {' '.join(rule.when.split())}")
    return ", ".join(parts)


def says(rule: Rule | Defaults) -> Iterator[str]:
    """What it does, and on which terms; terms that it leaves open are those of the defaults."""
    if isinstance(rule, Rule) and rule.fraction is not None:
        yield f"It runs, and {rule.fraction:.0%} of it is shown afterwards."
    else:
        yield _DOES[rule.do]
    if isinstance(rule, Rule) and rule.reason:
        yield f"The agent reads: “{rule.reason}”"
    yield from chain(_who(rule), _how_long(rule), _how(rule))
    if rule.ramp:
        yield _ramp(rule.ramp)


def _who(rule: Rule | Defaults) -> Iterator[str]:
    if rule.stages:
        yield f"One after the other: {stages_in_words([(each.quorum, each.approvers) for each in rule.stages])}."
    if rule.approvers:
        yield f"Only {people_in_words(rule.approvers)} may answer."
    if rule.quorum:
        yield f"{rule.quorum} people must say yes." if rule.quorum > 1 else "One yes is enough."
    if rule.not_requester is not None:
        yield (
            "Who asked for it, owns the agent or edited it last may say no, and not yes."
            if rule.not_requester
            else "Who asked for it, owns the agent or edited it last may say yes as well."
        )
    if rule.reject:
        yield _NOES[rule.reject]
    if rule.reassign:
        yield _HANDED_ON[rule.reassign]
    if isinstance(rule, Rule) and rule.after:
        yield "An agent may also act first, and ask afterwards."


def _how_long(rule: Rule | Defaults) -> Iterator[str]:
    if rule.timeout:
        yield f"It waits for {lasting(rule.timeout)} at most."
    if rule.on_timeout == "approve":
        yield "Silence is a yes for what can be undone, where the ask says so too."
    elif rule.on_timeout == "deny":
        yield "Silence is a no."
    if rule.remind is not None:
        times = listed([lasting(each) for each in rule.remind])
        yield f"People are reminded after {times}." if times else "Nobody is reminded."
    yield from (_rung(each) for each in rule.escalate or ())
    if rule.escalate == ():
        yield "It goes to nobody else, however long nobody answers."


def _how(rule: Rule | Defaults) -> Iterator[str]:
    if rule.to:
        yield f"Cards go to {places_in_words(_places(rule.to))}."
    if rule.step_up:
        yield _STEPS[rule.step_up]
    for offer in rule.grants or ():
        yield grant_in_words(offer.label, offer.scope, offer.life)
    if rule.grants == ():
        yield "A yes covers nothing else."
    if rule.no_grants is not None:
        yield "Nothing is granted in advance." if rule.no_grants else "Something may be granted in advance."
    if rule.reject_reasons is not None:
        reasons = listed([f"“{each.label}”" for each in rule.reject_reasons])
        yield f"One tap says no: {reasons}." if reasons else "No button says why not."


def _besides(policy: Policy) -> Iterator[str]:
    """What holds for every action, and who is who."""
    for role, names in policy.roles.items():
        yield f"The role {role}: {people_in_words(names)}."
    for person, who in policy.people.items():
        yield f"{person}: {listed(who.ids)}, one person."
    if policy.confidence_floor is not None:
        yield f"Below a confidence of {policy.confidence_floor:.0%}, whatever would run is asked about first."
    if policy.escalate_on_failure is not None:
        yield f"After {policy.escalate_on_failure} failures in a run, whatever would run is asked about first."
    if policy.risk:
        yield f"How risky an action is, {policy.risk.url or f'the scorer “{policy.risk.name}”'} says of each."
    yield from _brake(policy.brake)
    caps = policy.caps
    if caps.cards_per_approver_hour:
        yield f"At most {caps.cards_per_approver_hour} cards go to one person within an hour."
    if caps.open_per_agent:
        yield f"At most {caps.open_per_agent} asks of one agent are shown one by one."
    if caps.burst:
        yield f"{caps.burst} asks of one agent within {lasting(caps.burst_within)} are gathered."


def _brake(terms: BrakeTerms) -> Iterator[str]:
    if terms.resume:
        yield f"Only {people_in_words(terms.resume)} may resume or end a run that somebody stopped."
    for action, phrases in terms.words.items():
        if phrases:
            words = " or ".join(f"“{each}”" for each in phrases)
            yield f"Typed in a message, {words} {_BRAKES[action]} too."


def _rung(rung: Rung) -> str:
    return rung_in_words(rung.after, _places(rung.to), rung.approvers or (), rung.mention or ())


def _places(places: tuple[wire.Place, ...]) -> list[str]:
    return [":".join(filter(None, (each.surface, each.channel or each.person))) for each in places]


def _ramp(ramp: Ramp) -> str:
    then = f", the next {ramp.review} reviewed" if ramp.review else ""
    last = "all others run" if ramp.sample is None else f"of all others {ramp.sample:.0%} are reviewed"
    whose = " and ".join(ramp.per)
    return f"The first {ramp.ask} of each {whose} are asked about{then}, {last}; what cannot be undone is always asked."
