"""Conditions: what is refused when they are read, and what they come to when they are tried."""

from typing import Any

import pytest

from bot.errors import ConfigError
from bot.policy import parse, route
from bot.policy._conditions import LOOPED, About, Condition, Faulty
from tests.policies import about, confirmation
from tests.timing import cpu_s

_NESTED = "args.a.all(x, args.b.exists(y, x == y))"


@pytest.mark.parametrize(
    "source, says, place",
    [
        ("args.x >", "it ends where something should follow", (1, 9)),
        ("args.x > 3 &&& true", "'&' cannot be read", (1, 14)),
        ("\n  args.x >\n  ) 3", "')' makes no sense here", (3, 3)),
        ("'unterminated", "cannot be read", (1, 1)),
        ("", "it ends where something should follow", (1, 1)),
        ("tol == 'x'", "there is no variable 'tol'; did you mean 'tool'?", (1, 1)),
        ("risk > 0.5 &&\n foo > 1", "there is no variable 'foo'; there are agent, args,", (2, 2)),
        ("args.l.all(x, x > 1) && x > 2", "there is no variable 'x'", (1, 25)),
        ("args.to.endWith('x')", "there is no function 'endWith'; did you mean 'endsWith'?", (1, 9)),
        ("now() > timestamp('2020-01-01T00:00:00Z')", "there is no function 'now'", (1, 1)),
        ("true", "it is the same for every action", (1, 1)),
        ("1 < 2", "it is the same for every action", (1, 1)),
        ("[1, 2].all(y, y > 0)", "it is the same for every action", (1, 1)),
        ("tool == 'a' || true", "`true` beside `||` is no condition", (1, 16)),
        ("false && tool == 'a'", "`false` beside `&&` is no condition", (1, 1)),
        ("tool", "must give true or false", (1, 1)),
        ("args.amount + 1", "must give true or false", (1, 1)),
        ("risk > 0.5 ? 1 : 2", "must give true or false", (1, 1)),
        ("size(args)", "must give true or false", (1, 1)),
        (_NESTED, "`exists` within `all` could take very long", (1, 22)),
        ("args.l.map(x, args.l).size() > 1", "`map` could take very long; say what you look for with `exists`", (1, 8)),
        ("(args.l + args.l).all(x, x > 1)", "`all` over a sum of lists could take very long", (1, 19)),
        ("tool.matches(args.x)", "`matches` takes a pattern in quotes", (1, 6)),
        ("tool.matches('(')", "is no pattern that can be used: unclosed group", (1, 14)),
        ("tool.matches('(a{100}){100}{100}')", "exceeds size limit", (1, 14)),
        ("(" * 200 + "reversible" + ")" * 200, "it is no CEL", None),
    ],
)
def test_a_condition_with_a_fault_is_refused_with_line_and_column(
    source: str, says: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(Faulty) as caught:
        Condition(source)
    assert says in caught.value.why
    assert "\n" not in caught.value.why
    if place:
        assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    "source",
    [
        "args.dry_run",
        "has(args.x)",
        "risk > 0.5 ? true : false",
        "args.flag == true && risk > 0.1",
        "args.l.filter(x, x > 1).size() > 3",
        "args.a.all(x, ['@x.com', '@y.com'].exists(y, x.endsWith(y)))",
        "type(args.x) == string",
        "args.n in [1, 2] // why",
        'tool.matches("^a+$") && labels["env"] == "prod"',
        "args.when > timestamp('2020-01-01T00:00:00Z')",
        "!reversible",
        "labels.exists(name, name == 'env')",
    ],
)
def test_conditions_that_people_write_are_taken(source: str) -> None:
    assert Condition(source).variables


YAML = """
rules:
  - name: plain
    when: args.x >
    do: ask
  - {name: flow, when: "risk > 0.5 && bad", do: ask}
  - name: block
    when: |
      risk > 0.5 &&
        bad == 1
    do: ask
"""


def test_a_fault_in_a_condition_is_told_with_its_rule_and_its_place_in_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(YAML)
    assert [fault.partition(": ")[0] for fault in caught.value.faults] == ["policy:4:19", "policy:6:39", "policy:10:9"]
    assert "rule 'plain', rules.0.when: line 1, column 9: it is no CEL" in caught.value.faults[0]
    assert "rule 'block', rules.2.when: line 2, column 3: there is no variable 'bad'" in caught.value.faults[2]


@pytest.mark.parametrize("do, expected", [("ask", "ask"), ("deny", "deny"), ("allow", "deny"), ("notify", "deny")])
@pytest.mark.parametrize(
    "args",
    [
        {},
        {"amount": "ten"},
        {"amount": None},
        {"amount": [1]},
        {"amount": "\ud800"},
    ],
)
def test_what_cannot_be_told_asks_and_never_lets_things_run(do: str, expected: str, args: dict[str, Any]) -> None:
    text = f"{{defaults: {{do: deny}}, rules: [{{name: a, when: args.amount < 10, do: {do}, reason: because}}]}}"
    assert route(parse(text), about(confirmation(args=args))).do == expected


def test_risk_and_confidence_that_nobody_told_are_the_worst() -> None:
    text = "rules: [{name: a, when: 'risk < 1.0', do: allow}, {name: b, when: 'confidence > 0.0', do: allow}]"
    assert route(parse(text), about(confirmation())).do == "ask"


def test_more_than_a_loop_may_go_through_cannot_be_told() -> None:
    condition = Condition("args.l.all(x, x > 0)")
    assert condition.holds(_about({"l": [1] * (LOOPED - 2)}))
    with pytest.raises(Faulty, match="goes through lists"):
        condition.holds(_about({"l": [1] * LOOPED}))
    with pytest.raises(Faulty, match="goes through lists"):
        condition.holds(_about({"l": [1], "deep": {"a": [[1] * LOOPED]}}))


@pytest.mark.parametrize(
    "source",
    [
        "args.l.all(x, size(args.l) > 0)",
        "args.l.exists(x, x in args.l && x < 0)",
        "args.l.all(x, [" + ",".join(["'q'"] * 20) + "].all(y, size(args.l) > 0 && y != string(x)))",
        "args.l.all(x, !string(x).matches('^(a+)+$'))",
        "args.l.filter(x, size(args.l) > 0).filter(x, x > 5).size() > 0",
    ],
)
def test_the_dearest_conditions_that_are_taken_end_soon(source: str) -> None:
    """Unbounded, the first of these took 20 s over 30,000 entries, which fit in 64 KiB."""
    condition = Condition(source)
    values = _about({"l": list(range(LOOPED - 2))})
    assert cpu_s(lambda: condition.holds(values), times=1) < 3


def _about(args: dict[str, Any]) -> About:
    return About({"args": args, "risk": 1.0})


@pytest.mark.parametrize(
    "source",
    [
        "args.l.exists(x, args.b.matches('a+b'))",
        "args.l.exists(x, args.b.contains('a'))",
        "args.l.all(x, x != '' && args.b.contains(x))",
        "['a', 'b'].exists(x, args.b.matches('a'))",
        "args.l.exists(x, args.a.b.matches('a'))",
        "args.l.exists(x, args['b'].contains('a'))",
        "args.l.exists(x, x != '' && string(args.b).contains('a'))",
        "args.l.exists(x, (args.b).matches('a'))",
        "args.l.exists(x, args.b.startsWith(x))",
        "args.l.exists(x, labels['a'].contains(x))",
        "args.l.exists(x, tool.contains(x))",
    ],
)
def test_a_loop_does_not_look_at_another_argument_each_time(source: str) -> None:
    with pytest.raises(Faulty, match="each time"):
        Condition(source)


@pytest.mark.parametrize(
    "source",
    [
        "args.b.contains('a') && args.l.exists(x, x.contains('b'))",
        "args.l.exists(x, x.matches('^a'))",
        "args.l.exists(x, ['a', 'b'].exists(y, x.contains(y)))",
        "args.l.exists(x, x.args == 'a')",
        "args.l.filter(x, x.kind == 'a').exists(x, x.n > 3)",
    ],
)
def test_a_loop_looks_at_what_it_goes_through(source: str) -> None:
    Condition(source)


@pytest.mark.parametrize("source", ["args.l.exists(x, x == args.b)", "args.l.exists(x, size(args.b) < x)"])
def test_a_loop_that_reads_a_long_text_each_time_gives_up(source: str) -> None:
    condition = Condition(source)
    variables = {"args": {"l": [1] * 400, "b": "y" * 60_000}, "tool": "", "labels": {}, "run": "", "requester": ""}

    def gives_up() -> None:
        with pytest.raises(Faulty, match="too much of both"):
            condition.holds(About(variables))

    assert cpu_s(gives_up) < 0.01
    assert condition.holds(About({**variables, "args": {"l": [1], "b": "y"}})) is False
