"""Policies and asks of every kind, made up: what the properties of the policy are tried on."""

from typing import Any

from hypothesis import strategies as st

from andon import wire
from bot.policy import Policy, Situation

RUN = f"run_{'r' * 22}"
WEB = (wire.Place(surface="web"),)
TOOLS = ("send_email", "send_sms", "read_file", "pay", "drop_table")
GATES = ("mail", "money", "other")
AGENTS = ("mailer", "nightly-1")

# Most rules match most asks, so that more than one could hold.
_globs = st.sampled_from([["*"], ["*"], ["send_*", "pay"], ["*_table", "r?ad_*"], ["[ps]*"], [*TOOLS[:4]]])
_gates = st.sampled_from([["*"], ["*"], ["*"], ["m*"], ["mail", "money"]])
_agents = st.sampled_from([["*"], ["*"], ["*"], ["nightly-*"], ["mailer", "other"]])
_spans = st.sampled_from(["45s", "10m", "1h", "2h", "7d"])
_people = st.lists(
    st.sampled_from(["ana@example.com", "bob@example.com", "slack:U1", "role:ops", "requester", "on_call:pay"]),
    min_size=1,
    max_size=3,
    unique=True,
)
_conditions = st.sampled_from(
    [
        "args.amount > 10",
        "reversible",
        "!reversible",
        "risk > 0.5",
        "failures > 1",
        "labels.env == 'prod'",
        "args.to.all(to, to.endsWith('@example.com'))",
        "tool.startsWith('send') && has(args.to)",
    ]
)
_stages = st.lists(st.fixed_dictionaries({"approvers": _people, "quorum": st.integers(1, 3)}), min_size=1, max_size=2)
_ramps = st.fixed_dictionaries(
    {"ask": st.integers(1, 3), "review": st.integers(0, 2)}, optional={"sample": st.sampled_from([0, 0.5, 1])}
)
_who = st.one_of(
    st.fixed_dictionaries({}, optional={"approvers": _people, "quorum": st.integers(1, 3)}),
    st.fixed_dictionaries({"stages": _stages}),
)
_granting: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"no_grants": st.booleans()}),
    st.fixed_dictionaries(
        {
            "grants": st.lists(
                st.fixed_dictionaries(
                    {"label": st.just("it")},
                    optional={
                        "same": st.sampled_from([["amount"], ["to"], []]),
                        "scope": st.sampled_from(["run", "agent", "requester"]),
                        "life": _spans,
                    },
                ),
                min_size=1,
                max_size=2,
            )
        }
    ),
)
_terms = st.builds(
    lambda who, granting, rest: {**who, **granting, **rest},
    _who,
    _granting,
    st.fixed_dictionaries(
        {},
        optional={
            "timeout": _spans,
            "on_timeout": st.sampled_from(["approve", "approve", "deny"]),
            "not_requester": st.booleans(),
            "reject": st.sampled_from(["any", "quorum"]),
            "reassign": st.sampled_from(["listed", "anyone"]),
            "to": st.just(["slack:C1"]),
            "remind": st.lists(_spans, max_size=2),
            "escalate": st.lists(st.fixed_dictionaries({"after": _spans, "approvers": _people}), max_size=2),
            "step_up": st.sampled_from(["number", "critical"]),
            "ramp": _ramps,
        },
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """One rule, but for its name."""
    do = draw(st.sampled_from(["allow", "notify", "sample", "review", "ask", "deny"]))
    rule: dict[str, Any] = {
        "do": do,
        "tool": draw(_globs),
        "gate": draw(_gates),
        "agent": draw(_agents),
        **draw(_terms),
    }
    if draw(st.booleans()):
        rule["when"] = draw(_conditions)
    if draw(st.integers(0, 5)) == 5:
        rule["labels"] = {"env": draw(st.sampled_from(["prod", "test"]))}
    if draw(st.integers(0, 5)) == 5:
        rule["checkpoint"] = draw(st.sampled_from(["planned", "p*", "*"]))
    if do == "sample":
        rule["fraction"] = draw(st.sampled_from([0, 0.5, 1]))
    if do == "deny":
        rule["reason"] = "because"
    elif draw(st.integers(0, 2)) == 2:
        rule["after"] = True
    return rule


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy, also such as no file may have: what must hold, holds however it came to be."""
    written = [{"name": f"r{number}", **rule} for number, rule in enumerate(draw(st.lists(rules(), max_size=6)))]
    return Policy.model_validate(
        {
            "rules": written,
            "defaults": {"do": draw(st.sampled_from(["ask", "deny"])), **draw(_terms)},
            "roles": {"ops": ["ops@example.com"]},
            "confidence_floor": draw(st.sampled_from([0.5, 0.5, None])),
            "escalate_on_failure": draw(st.sampled_from([2, 2, None])),
            "version": "v",
        }
    )


def confirmation(**changes: Any) -> wire.Confirmation:
    """One ask; also such as the wire refuses."""
    action = wire.Action(tool=changes.pop("tool", "send_email"), args=changes.pop("args", {}))
    made = wire.Confirmation(gate="mail", run=RUN, what="w", why="y", risks=("r",), action=action)
    return made.model_copy(update=changes)


def choice(*tools: str, args: dict[str, Any] | None = None) -> wire.Choice:
    """A choice among actions."""
    candidates = [
        wire.Candidate(id=f"c{number}", label=f"l{number}", action=wire.Action(tool=tool, args=args or {}))
        for number, tool in enumerate(tools)
    ]
    return wire.Choice(gate="mail", run=RUN, question="Which?", candidates=tuple(candidates))


def about(ask: wire.Confirmation | wire.Choice | wire.Input, **changes: Any) -> Situation:
    """The situation of an ask."""
    return Situation(**{"ask": ask, "handoff": f"hf_{'h' * 22}", "agent": "mailer", "to": WEB, **changes})


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """One ask, and what is known around it."""
    reversible = draw(st.booleans())
    ask = confirmation(
        tool=draw(st.sampled_from(TOOLS)),
        args=draw(st.sampled_from([{}, {"amount": 5}, {"amount": 50}, {"to": ["a@example.com"]}, {"to": 3}])),
        gate=draw(st.sampled_from(GATES)),
        reversible=reversible,
        on_timeout="approve",
        timing=draw(st.sampled_from(["before", "before", "after"])),
    )
    return about(
        ask,
        agent=draw(st.sampled_from(AGENTS)),
        labels=draw(st.sampled_from([{}, {"env": "prod"}, {"env": "test"}])),
        checkpoint=draw(st.sampled_from(["", "planned", "done"])),
        failures=draw(st.integers(0, 3)),
        requester=draw(st.sampled_from(["", "Ana@example.com"])),
        handoff=f"hf_{draw(st.integers(0, 20))}",
    )
