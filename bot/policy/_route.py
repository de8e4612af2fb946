"""From a situation to a route. Pure. An ask may make the policy's terms stricter, never looser."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote

from andon import wire
from bot.altering import altered
from bot.handoff import Route
from bot.policy._bearing import bearing, together
from bot.policy._file import Policy
from bot.policy._index import Entry
from bot.policy._meeting import actions, met
from bot.policy._rule import LOOSE, STRICTNESS, Do, Rule
from bot.policy._situation import Grant, Situation
from bot.policy._terms import Ramp
from bot.scope import covers, is_within

APART: Final = "Nobody may decide about all of these candidates: ask about each of them by itself."
_SAMPLES: Final = 2**32


@dataclass(frozen=True, slots=True)
class Routed:
    """What the policy says: the terms; a person is asked (`ask`), or it is decided at once.

    `allow`: silently. `notify`: and shown. `review`: and what comes of it is shown for review. `deny`: with the reason.
    """

    do: Literal["allow", "notify", "review", "ask", "deny"]
    route: Route
    reason: str | None = None
    grant: Grant | None = None
    """What allowed it, when a grant did; with `ask`, the one that covers it and was not enough."""
    rule: Rule | None = None
    """The rule whose terms these are; None: the defaults."""
    steps: tuple[str, ...] = ()
    """How it came to this, one sentence each, for those who write policies."""
    late: bool = False
    """It is refused because it is done already, and people are asked before it."""
    drawn: bool | None = None
    """Is it of a sample? None: of none that has a share."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be gathered before the policy can be asked about this ask."""

    risk: bool
    ramps: tuple[str, ...]
    """Keys of the trust ramps that it may meet."""
    grants: bool
    """None stands where nothing offers any."""
    draws: bool
    """Whether it is of a sample."""
    run: bool
    """How its run stands: failures so far, and the latest checkpoint."""


def needs(policy: Policy, situation: Situation) -> Needs:
    """Look only at what rules for this tool, gate and agent look at."""
    tools = dict.fromkeys(tool for tool, _ in actions(situation.ask))
    found = list(
        dict.fromkeys(entry for tool in tools for entry in policy.index.met(tool) if _may_fit(entry, situation))
    )
    looks = frozenset[str]().union(*(entry.condition.variables for entry in found if entry.condition))
    ramps = [(entry.rule.name, ramp) for entry in found if (ramp := _ramp_of(policy, entry.rule))]
    if policy.defaults.ramp and policy.defaults.do == "ask":
        ramps.append((_DEFAULT, policy.defaults.ramp))
    return Needs(
        risk=policy.risk is not None or "risk" in looks,
        ramps=tuple(dict.fromkeys(ramp_key(name, ramp, situation) for name, ramp in ramps)),
        grants=isinstance(situation.ask, wire.Confirmation)
        and situation.ask.timing == "before"
        and any(each.grants for each in (policy.defaults, *(entry.rule for entry in found))),
        draws=any(entry.rule.do == "sample" for entry in found) or any(ramp.sample for _, ramp in ramps),
        run=policy.escalate_on_failure is not None
        or bool(looks & {"failures", "checkpoint"})
        or any(entry.checkpoint is not None for entry in found),
    )


def _may_fit(entry: Entry, situation: Situation) -> bool:
    """Does it match, whatever the checkpoint, which is not known yet?"""
    return (
        (entry.gate is None or bool(entry.gate(situation.ask.gate)))
        and (entry.agent is None or bool(entry.agent(situation.agent)))
        and all(situation.labels.get(name) == value for name, value in entry.labels.items())
    )


def route(policy: Policy, situation: Situation) -> Routed:
    """Find the first rule that matches, and the terms that hold.

    A choice is looked at once for every tool that its candidates would run, and the strictest rule holds: what is
    refused as a confirmation, or is for some people alone to answer, is not to be had by a choice. Only those may
    answer it whom every rule with `approvers` lists; when that is nobody, it is refused. Choices and inputs need a
    person's answer, so whatever runs them alone asks. What runs nothing has no tool, and only rules for any tool match
    it.

    Then, in this order: grown trust may loosen what a rule asks about, and a standing grant may allow it; a low
    confidence, failures in the run, and that it cannot be undone make it an ask again. Nothing outweighs those three:
    neither trust nor a grant. A rule's own `allow` and `notify` are no review, and hold for what cannot be undone.

    What is done already (timing `after`) is shown to be reviewed or is let stand; it needs no second review. Where
    people would have been asked before, it is refused, so that the agent undoes it: asking afterwards is not up to it.
    Only `after: true` on the rule leaves it that, and so does a service that was given no policy.

    While nobody has let the run go on from its checkpoint, no rule that looks at it lets anything run, whether of its
    own, by trust, by a grant or by silence; nor is anything looser than it will be then.

    Silence approves only where the ask is reversible and both the rule and the ask say so, and the ask waits as long as
    the rule says.
    """
    said = _route(policy, situation)
    if situation.passed:
        return said
    then = _route(policy, replace(situation, passed=True))
    return max((said, then), key=lambda each: STRICTNESS[each.do])


def _route(policy: Policy, situation: Situation) -> Routed:
    found = met(policy, situation)
    rule = max(found, key=lambda each: (STRICTNESS[_says(policy, each)], _is_restricted(policy, each)))
    way = _Way(policy, situation, rule)
    way.start()
    terms = bearing(policy, rule, situation)
    apart = False
    if len(found) > 1:
        terms, apart = together(terms, [bearing(policy, each, situation) for each in found])
    way.trust()
    way.answer_needed()
    way.grant(terms)
    lets_it_run = way.do in LOOSE
    way.draw()
    way.tighten()
    late = way.done_already()
    if way.do == "ask" and (lets_it_run or way.doubt()):
        terms = altered(terms, offers=())  # no grant would spare this: the card must not promise it
    reason = rule.reason if rule else None
    if late:
        reason = f"{f'rule {rule.name}' if rule else 'the policy'} asks people before this, not after."
    if apart and way.do != "deny":
        reason = APART
        way.to("deny", "nobody may decide about all candidates together")
    terms = altered(
        terms, because=tuple(way.because), ramp=way.ramp, told=way.do == "notify", review=way.do == "review"
    )
    return Routed(way.settled(), terms, reason, way.granted, rule, tuple(way.steps), late=late, drawn=way.drawn)


_DEFAULT: Final = "default"


@dataclass(slots=True)
class _Way:
    """From what a rule says to what happens, step by step."""

    policy: Policy
    situation: Situation
    rule: Rule | None
    do: Do = "ask"
    ramp: str = ""
    granted: Grant | None = None
    drawn: bool | None = None
    because: list[str] = field(default_factory=list)
    """For the card."""
    steps: list[str] = field(default_factory=list)
    """For those who write policies."""

    def to(self, do: Do, why: str) -> None:
        """Go on with `do`."""
        self.steps.append(f"{why}: {do}")
        self.do = do

    @property
    def waits(self) -> bool:
        """Is the rule about a checkpoint from which the run may not go on yet?"""
        return self.rule is not None and self.rule.waits(self.situation)

    @property
    def is_confirmed_before(self) -> bool:
        """Is it one yes to one action that did not happen yet?"""
        ask = self.situation.ask
        return isinstance(ask, wire.Confirmation) and ask.timing == "before"

    def start(self) -> None:
        """What the rule says."""
        self.to(_says(self.policy, self.rule), f"rule {self.rule.name}" if self.rule else "no rule matches; defaults")

    def trust(self) -> None:
        """From asking to reviewing to samples, as trust grew."""
        rule = self.rule
        ramp = _ramp_of(self.policy, rule) if rule else self.policy.defaults.ramp if self.do == "ask" else None
        if ramp is None or not self.is_confirmed_before:
            return
        self.ramp = ramp_key(rule.name if rule else _DEFAULT, ramp, self.situation)
        if self.waits:
            return
        good = self.situation.trusted.get(self.ramp, 0)
        if good < ramp.ask:
            self.because.append(f"Trust is still growing: {good} of {ramp.ask} ended well.")
            self.steps.append(f"trust ramp, {good} of {ramp.ask} ended well: still ask")
        elif not self.situation.ask.reversible:
            self.because.append("It cannot be undone, so trust does not spare asking.")
            self.steps.append(f"trust ramp, {good} ended well, but it is not marked reversible: still ask")
        elif good < ramp.ask + ramp.review or ramp.sample is None:
            self.to("review" if good < ramp.ask + ramp.review else "allow", f"trust ramp, {good} ended well")
        else:
            self._draw(ramp.sample, f"trust ramp, {good} ended well, ")

    def answer_needed(self) -> None:
        """Only a person can choose or answer."""
        if self.do in LOOSE and not isinstance(self.situation.ask, wire.Confirmation):
            self.to("ask", "only a person can answer it")

    def grant(self, terms: Route) -> None:
        """The grant that covers this, if the terms as they are now would offer it."""
        action = self.situation.ask.action if isinstance(self.situation.ask, wire.Confirmation) else None
        if self.do != "ask" or action is None or self.waits:
            return
        for grant in self.situation.grants:
            within = is_within(terms.offers, grant.same, grant.scope, grant.age_s)
            here = grant.gate is None or grant.gate == self.situation.ask.gate
            if within and here and grant.tool == action.tool and covers(grant.same, action.args):
                self.granted = grant
                self.to("allow", f"grant {grant.id} covers it")
                return

    def draw(self) -> None:
        """Is it one of the sample?"""
        if self.do == "sample":
            if self.is_confirmed_before and not self.situation.ask.reversible:
                self._cannot_be_undone()
            else:
                self._draw((self.rule.fraction if self.rule else None) or 0.0)

    def _draw(self, share: float, why: str = "") -> None:
        drawn = is_sampled(self.situation.draw, share)
        self.drawn = drawn if share else None
        self.to("review" if drawn else "allow", f"{why}{'' if drawn else 'not '}drawn in the sample of {share:g}")

    def tighten(self) -> None:
        """What makes a person be asked although rule, trust or a grant would let it run."""
        if self.do not in LOOSE:
            return
        if doubt := self.doubt():
            for_the_card, why = doubt
            self.because.append(for_the_card)
            self.to("ask", why)
        elif self.do == "review" and not self.situation.ask.reversible:
            self._cannot_be_undone()

    def doubt(self) -> tuple[str, str] | None:
        """Low confidence, or failures: why it is asked whatever lets it run, for the card and for who writes policies.

        None: neither.
        """
        policy, ask, failures = self.policy, self.situation.ask, self.situation.failures
        floor = policy.confidence_floor
        if floor is not None and ask.confidence is None and not ask.reversible:
            return (
                "The agent does not say how sure it is, and it cannot be undone.",
                f"no confidence is told, the floor is {floor:g}, and it is not marked reversible",
            )
        if floor is not None and ask.confidence is not None and ask.confidence < floor:
            return (
                f"The agent is only {round(ask.confidence * 100)} % sure.",
                f"confidence {ask.confidence:g} is below the floor {floor:g}",
            )
        if policy.escalate_on_failure is not None and failures >= policy.escalate_on_failure:
            return (
                f"In this run {failures} actions have failed or were unsure.",
                f"{failures} failures in the run, and {policy.escalate_on_failure} are too many",
            )
        return None

    def done_already(self) -> bool:
        """What is done already is shown for review, or is refused because people are asked before it (true)."""
        ask = self.situation.ask
        if not isinstance(ask, wire.Confirmation) or ask.timing == "before":
            return False
        if self.do == "review":
            self.to("ask", "it is done already, and its card is the review")
        elif self.do == "ask" and self.policy.version != "none" and not self._may_ask_after:
            self.to("deny", "it is done already, and people are asked before")
            return True
        return False

    @property
    def _may_ask_after(self) -> bool:
        return self.rule is not None and self.rule.after and not self.waits

    def _cannot_be_undone(self) -> None:
        self.because.append("It cannot be undone, so it is asked about before and not after.")
        self.to("ask", "it is not marked reversible, so no review after it would help")

    def settled(self) -> Literal["allow", "notify", "review", "ask", "deny"]:
        """What happens."""
        assert self.do != "sample"  # noqa: S101  # it was drawn
        return self.do


def _says(policy: Policy, rule: Rule | None) -> Do:
    return rule.do if rule else policy.defaults.do


def _is_restricted(policy: Policy, rule: Rule | None) -> bool:
    terms = (rule, policy.defaults)
    return any(each and (each.approvers or each.stages) for each in terms)


def _ramp_of(policy: Policy, rule: Rule) -> Ramp | None:
    return (rule.ramp or policy.defaults.ramp) if rule.do == "ask" else None


def ramp_key(rule: str, ramp: Ramp, situation: Situation) -> str:
    """Whose trust it is: one text for each rule, and each agent, tool or requester that it tells apart."""
    tools = sorted({tool for tool, _ in actions(situation.ask) if tool})
    # The requester is the agent's own word: it must not be able to look like another part.
    parts = {"agent": situation.agent, "tool": ",".join(tools), "requester": quote(situation.requester, safe="@+ ")}
    return "|".join([rule, *(f"{name}={parts[name]}" for name in ramp.per)])


def is_sampled(draw: float | None, fraction: float) -> bool:
    """Is what drew this one of the sample? The same draw always is, or never."""
    return (draw or 0.0) < fraction


def stand_in(handoff: str) -> float:
    """A draw for those who only try a policy: the same for the same id, and nobody's secret."""
    return int.from_bytes(hashlib.sha256(f"sample/v1\0{handoff}".encode()).digest()[:4]) / _SAMPLES
