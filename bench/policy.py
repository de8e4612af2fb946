"""What the policy costs per ask: a file of 200 rules as a large team writes it, and the worst that it can meet."""

import json
import statistics
import time
from collections.abc import Mapping
from typing import Any, Final

from andon import wire
from bench.targets import TEXT
from bot.policy import Policy, Situation, needs, parse, route

RULES: Final = 200
TARGET_US: Final = 100.0
"""For one ask, what must be gathered for it included."""

_RUN: Final = f"run_{'r' * 22}"
_PLACE: Final = (wire.Place(surface="web"),)
_AREAS: Final = ("mail", "calendar", "crm", "billing", "files", "sql", "deploy", "dns", "iam", "hr")


def large(rules: int = RULES) -> Policy:
    """A file with rules of every kind, in the mixture of those that people write: most name a tool."""
    written: list[dict[str, Any]] = []
    for number in range(rules - 10):
        area = _AREAS[number % len(_AREAS)]
        rule: dict[str, Any] = {"name": f"r{number}", "do": ("ask", "allow", "notify", "review")[number % 4]}
        match number % 5:
            case 0:
                rule["tool"] = f"{area}.read_{number}_*"
            case 1:
                rule |= {"tool": [f"{area}.write_{number}", f"{area}.change_{number}"], "timeout": "30m"}
            case 2:
                rule |= {"tool": f"{area}.send_{number}", "when": f"args.amount > {number} && risk > 0.3"}
            case 3:
                rule |= {"tool": f"{area}.*", "gate": f"gate_{number}", "agent": f"agent-{number}-*"}
            case _:
                rule |= {"tool": f"{area}.del*_{number}", "labels": {"env": "prod"}, "approvers": ["ana@example.com"]}
        written.append(rule)
    for number in range(10):
        domain = f"@partner{number}.example.com"
        written.append(
            {
                "name": f"last{number}",
                "when": f"has(args.to) && args.to.endsWith('{domain}') && risk > 0.{number}",
                "do": "ask",
                "quorum": 2,
                "approvers": ["ana@example.com", "slack:S0614TZR7"],
                "to": ["slack:#ops"],
            }
        )
    return parse(json.dumps({"rules": written, "defaults": {"approvers": ["ops@example.com"], "timeout": "1h"}}))


def asks() -> Mapping[str, wire.Confirmation | wire.Choice]:
    """What is measured, by name."""
    args = {"to": "alice@example.com", "subject": "Report", "amount": 10, "body": TEXT}
    return {
        "rule by exact tool": _confirmation("calendar.write_1", args),
        "rule by prefix": _confirmation("sql.read_5_x", args),
        "condition on the arguments": _confirmation("crm.send_2", args),
        "no rule: all conditions tried": _confirmation("unknown.tool", args),
        "choice of 500, one tool, no condition": _choice("calendar.write_1"),
        "choice of 500, ten conditions": _choice("unknown.tool"),
    }


def _choice(tool: str) -> wire.Choice:
    candidates = [
        wire.Candidate(id=f"c{number}", label=f"l{number}", action=wire.Action(tool=tool, args={"n": number}))
        for number in range(500)
    ]
    return wire.Choice(gate="pick", run=_RUN, question="Which?", candidates=tuple(candidates))


def _confirmation(tool: str, args: Mapping[str, Any]) -> wire.Confirmation:
    return wire.Confirmation(
        gate="act", run=_RUN, what="w", why="y", risks=("r",), action=wire.Action(tool=tool, args=dict(args))
    )


def measure(rounds: int = 300) -> dict[str, float]:
    """Microseconds for one ask, what must be gathered for it included; the median of `rounds`."""
    policy = large()
    return {name: _median_us(policy, ask, rounds) for name, ask in asks().items()}


def _median_us(policy: Policy, ask: wire.Confirmation | wire.Choice, rounds: int) -> float:
    situation = Situation(ask=ask, handoff=f"hf_{'h' * 22}", agent="mailer", to=_PLACE)
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        needs(policy, situation)
        route(policy, situation)
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e6


def lines(figures: Mapping[str, float]) -> list[str]:
    """The figures as a person reads them, beside the target."""
    return [
        f"{f'policy of {RULES} rules, {name}, µs':58}{figure:>9,.1f}   {'target ' if 'choice' not in name else ''}"
        f"{TARGET_US if 'choice' not in name else '':>5}"
        for name, figure in figures.items()
    ]


if __name__ == "__main__":
    print("\n".join(lines(measure())))
