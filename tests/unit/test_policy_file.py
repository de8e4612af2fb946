"""The file: where its faults are, and what is refused or warned about because it cannot be meant."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from bot.errors import ConfigError
from bot.policy import Policy, Reach, parse, read, schema
from bot.policy._yaml import Page

FILE = Path(__file__).parents[2] / "docs" / "policy.schema.json"

NAMELESS = """when: '!requester.matches("@|^slack:")'"""

OFFER = "grants: [{label: this one, same: [to]}]"


@pytest.mark.parametrize(
    "text, fault",
    [
        ("rulez: []", "policy:1:1: rulez: there is no such key; did you mean 'rules'?"),
        (
            "rules:\n  - {name: a, do: ask, tols: x}",
            "policy:2:24: rule 'a', rules.0.tols: there is no such key; did you mean 'tool'?",
        ),
        ("defaults: {timout: 1h}", "policy:1:12: defaults.timout: there is no such key; did you mean 'timeout'?"),
        (
            "rules: [{name: a, do: ask, escalate: [{after: 5m, mentio: [requester]}]}]",
            "rules.0.escalate.0.mentio: there is no such key; did you mean 'mention'?",
        ),
        ("people: {ana: {emial: a@x.com}}", "people.ana.emial: there is no such key; did you mean 'email'?"),
        (
            "examples: [{name: a, expect: {approver: [a@x.com]}}]",
            "examples.0.expect.approver: there is no such key; did you mean 'approvers'?",
        ),
        ("defaults: {to: [{surface: slack, chanel: C1}]}", "did you mean 'channel'?"),
        ("defaults:\n  timeout: soon", "policy:2:12: defaults.timeout: 'soon' is not a span of time"),
        (
            "rules:\n  - name: a\n    do: ask\n    do: allow",
            "policy:4:5: the policy cannot be read: 'do' stands there twice",
        ),
        ("a: &a [*a]", "an alias leads back"),
        ("people: {ana: {}}", "says nothing by which to know this person"),
        ("examples: [{name: a, on_timeout: approve, expect: {}}]", "no such ask can be made"),
        ("version: 3", "policy:1:1: version: the version of a policy is its hash; take this key out"),
        ("", "policy: the file is empty; write `rules: []`"),
        ("# nothing yet\n", "policy: the file is empty"),
        ("[a]", "policy: the policy must be a mapping"),
        ("rules: [{name: a, do: aks}]", "do: 'aks' is none of the words that it takes; did you mean 'ask'?"),
        (
            "rules: [{name: a, do: xxxxxx}]",
            "do: 'xxxxxx' is none of the words that it takes; there are allow, ask, deny",
        ),
        ("rules: [{do: ask}]", "policy:1:9: rules.0.name: it is missing"),
        ("rules: [{name: a b, do: ask}]", "'a b' is no name for it: letters, digits"),
        ("rules: {a: b}", "rules: a mapping is not a list; write [one, two]"),
        ("rules:", "rules: nothing is not a list"),
        ("rules: [{name: a, do: ask, tool: []}]", "rules.0.tool: it is empty; name at least one"),
        ("rules: [{name: a, do: ask, labels: {a: 1}}]", "labels.a: 1 is no text; put it in quotes"),
        ("defaults: {timeout: 10d}", "policy:1:21: defaults.timeout: '10d' is longer than 7d, the longest there is"),
        ("defaults: {timeout: 0s}", "'0s' is no time at all"),
        ("defaults: {quorum: two}", "quorum: 'two' is no whole number"),
        ("defaults: {quorum: 99}", "quorum: 99 is too much: 20 at the most"),
        ("defaults: {quorum: 0}", "quorum: 0 is too little: 1 at the least"),
        ("defaults: {not_requester: perhaps}", "not_requester: 'perhaps' is neither true nor false"),
        ("defaults: {ramp: 3}", "ramp: 3 is not a mapping; write {key: value}"),
        ("confidence_floor: high", "confidence_floor: 'high' is no number"),
        ("confidence_floor: 0", "confidence_floor: 0 is too little: it must be more than 0"),
        ("people: {ana: {email: ana}}", "people.ana.email: 'ana' is no e-mail address"),
        ("people: {ana: {slack: ana}}", "'ana' is no person on Slack; write U024BE7LH"),
        ("risk: {url: scorer}", "risk.url: 'scorer' is no address; write https://"),
        ("examples: [{name: a, tool: a b, expect: {}}]", "'a b' is no name: it takes letters"),
        ("examples: [{name: a, args: [1], expect: {}}]", "args: a list is not a mapping"),
    ],
)
def test_a_fault_is_told_with_its_rule_its_place_and_what_was_probably_meant(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert fault in str(caught.value)


def test_what_is_faulty_in_a_list_does_not_make_the_list_too_short() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("defaults: {to: ['#x']}")
    (fault,) = caught.value.faults
    assert fault.startswith("policy:1:17: defaults.to.0.surface: '#x' names no surface; write slack:#ops or web")


MANY = """
peopel: {}
people: {ana: {email: ana}, ben: {email: ben@x.com}}
roles: {dba: [a@x.com], ops: 3, qa: ["role:qb"]}
defaults: {timout: 1h, approvers: ["role:ops", "person:ana", "role:dbb"]}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: typo, tols: x, do: ask, when: args.n >, approvers: ["role:dab"]}
  - {name: late, tool: read_mail, do: ask, timeout: 1h}
  - {name: odd, tool: pay, do: ask, when: amount > 5}
  - {name: two, tool: x, do: ask, approvers: [b@x.com], quorum: 2}
  - {name: reads, tool: y, do: ask, stages: [{approvers: ["person:bob"]}]}
  - {name: held, tool: y, do: hold, escalate: [{after: 5m, mention: ["role:nobody"]}]}
examples: [{name: a, tol: x, expect: {}}]
"""


def test_every_fault_is_told_at_once_each_in_its_place() -> None:
    """Nobody has to mend one kind of fault to see the next; and none is told that only comes of another."""
    with pytest.raises(ConfigError) as caught:
        parse(MANY)
    found = [fault.removeprefix("policy:") for fault in caught.value.faults]
    assert [each.partition("; ")[0].partition(" and takes")[0] for each in found] == [
        "2:1: peopel: there is no such key",
        "3:23: people.ana.email: 'ana' is no e-mail address",
        "4:30: roles.ops: 3 is not a list",
        "4:38: roles.qa.0: there is no role 'qb'",
        "5:12: defaults.timout: there is no such key",
        "5:62: defaults.approvers.2: there is no role 'dbb'",
        "8:18: rule 'typo', rules.1.tols: there is no such key",
        "8:50: rule 'typo', rules.1.when: line 1, column 9: it is no CEL: it ends where something should follow",
        "8:64: rule 'typo', rules.1.approvers.0: there is no role 'dab'",
        "9:5: rule 'late', rules.2: it never matches: rule 'reads' stands before it",
        "10:43: rule 'odd', rules.3.when: line 1, column 1: there is no variable 'amount'",
        "11:46: rule 'two', rules.4.approvers: 2 must say yes, and only 1 listed could",
        "12:12: rule 'reads', rules.5.name: another rule is called 'reads'",
        "12:59: rule 'reads', rules.5.stages.0.approvers.0: there is no person 'bob'",
        "13:31: rule 'held', rules.6.do: 'hold' is none of the words that it takes",
        "13:70: rule 'held', rules.6.escalate.0.mention.0: there is no role 'nobody'",
        "14:22: examples.0.tol: there is no such key",
    ]


def test_a_file_with_anchors_is_read() -> None:
    text = "defaults: &who {approvers: [a@x.com]}\nrules: [{<<: *who, name: a, do: ask}]"
    assert parse(text).rules[0].approvers == ("a@x.com",)


def test_aliases_that_unfold_to_very_much_are_refused() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)]
    with pytest.raises(ConfigError, match="more than 200000 values"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    "text, says",
    [
        (
            "defaults: {approvers: ['role:dab']}\nroles: {dba: [a@x.com]}",
            "there is no role 'dab'; did you mean role:dba?",
        ),
        ("defaults: {approvers: ['person:ana']}", "there is no person 'ana'; define it under `people`"),
        ("defaults: {escalate: [{after: 5m, mention: ['role:x']}]}", "there is no role 'x'"),
        ("rules: [{name: a, do: ask, stages: [{approvers: ['role:x']}]}]", "there is no role 'x'"),
        ("roles: {a: ['role:b'], b: ['role:a']}", "the role 'a' leads back to itself"),
        ("roles: {a: []}", "an empty list is nobody"),
        ("defaults: {approvers: [a@x.com], quorum: 2}", "2 must say yes, and only 1 listed could"),
        (
            "people: {a: {email: a@x.com, slack: U1}}\ndefaults: {approvers: [a@x.com, 'slack:U1'], quorum: 2}",
            "2 must say yes, and only 1 listed could",
        ),
        ("defaults: {approvers: [a@x.com]}\nrules: [{name: r, do: ask, quorum: 2}]", "rule 'r'"),
        ("defaults: {approvers: [a@x.com], step_up: critical}", "2 must say yes, and only 1 listed could"),
        ("rules: [{name: a, do: ask, stages: [{approvers: [a@x.com], quorum: 2}]}]", "stages.0: 2 must say yes"),
        ("defaults: {approvers: [requester], not_requester: true}", "(the requester does not count: `not_requester`)"),
        ("defaults: {on_timeout: approve, step_up: number}", "beside `step_up: number`"),
        ("defaults: {on_timeout: approve, quorum: 2}", "beside `quorum: 2`"),
        (
            "defaults: {on_timeout: approve}\nrules: [{name: a, do: ask, stages: [{approvers: [a@x.com]}]}]",
            "beside `stages`",
        ),
        (
            "people: {a: {email: a@x.com, slack: U1}, b: {email: b@x.com, slack: T1/U1}}",
            "people.b: slack:T1/U1 is 'a' already, and two people would have one vote",
        ),
        ("people: {a: {email: A@x.com}, b: {email: a@X.com, teams: t1}}", "people.b: a@x.com is 'a' already"),
        ("people: {a: {teams: t1}, b: {email: b@x.com, teams: t1}}", "people.b: teams:t1 is 'a' already"),
        ("rules: [{name: a, do: allow, tool: x, ramp: {ask: 2}}]", "a ramp loosens what is asked"),
        (
            "rules: [{name: a, tool: 'x*', do: allow}, {name: b, tool: xy, do: deny, reason: no}]",
            "it never matches: rule 'a' stands before it and takes all of it, so what should be refused is not",
        ),
        (
            "rules: [{name: a, tool: x, when: risk < 0.5, do: allow}, {name: b, tool: x, when: risk < 0.5, do: ask}]",
            "so what should be asked about is not",
        ),
        ("rules: [{name: a, tool: '**', do: allow}, {name: b, tool: 'x*', do: ask}]", "it never matches: rule 'a'"),
        ("rules: [{name: a, tool: '?*', do: allow}, {name: b, tool: 'x[yz]', do: ask}]", "it never matches: rule 'a'"),
    ],
)
def test_what_could_not_do_what_it_says_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("rules: [{name: a, tool: x, do: ask}, {name: b, tool: x, do: allow}]", "it never matches: rule 'a'"),
        (
            "defaults: {stages: [{approvers: [a@x.com]}], escalate: [{after: 5m, approvers: [b@x.com]}]}",
            "defaults.escalate.0.approvers: beside `stages` these may say yes in the one stage",
        ),
        ("rules: [{name: a, do: allow}]", "`do: allow` for any tool"),
        ("rules: [{name: a, do: notify, agent: b}]", "`do: notify` for any tool of these agents"),
        ("rules: [{name: a, tool: '**', do: allow}]", "`do: allow` for any tool,"),
        ("rules: [{name: a, tool: '?*', do: allow}]", "`do: allow` for any tool,"),
        ("rules: [{name: a, tool: '[a-z]*', do: allow}]", "`do: allow` for any tool,"),
        ("rules: [{name: a, tool: ['[a-m]*', '[n-z]*'], do: allow}]", "`do: allow` for any tool,"),
        ("rules: [{name: a, tool: '*.*', do: allow}]", "`do: allow` for any tool,"),
        ("rules: [{name: a, tool: '[!x]*', do: allow}]", "`do: allow` for nearly any tool,"),
        (
            "rules: [{name: a, when: reversible, do: allow}]",
            "for any tool by no more than the agent's own word (`reversible`)",
        ),
        ("rules: [{name: a, tool: '**', labels: {trusted: 'yes'}, do: allow}]", "the agent's own word (`labels`)"),
        ("rules: [{name: a, when: requester == 'ana@x.com', do: notify}]", "the agent's own word (`requester`)"),
        ("rules: [{name: a, gate: mail, checkpoint: p, do: allow}]", "the agent's own word (`checkpoint`, `gate`)"),
        ("rules: [{name: a, when: run == 'x' && failures < 1, do: allow}]", "the agent's own word (`failures`, `run`)"),
        ("rules: [{name: a, tool: '?*', do: ask, on_timeout: approve}]", "for any tool at any gate"),
        ("defaults: {on_timeout: approve}", "wherever no rule says otherwise"),
        ("rules: [{name: a, do: ask, on_timeout: approve}]", "for any tool at any gate"),
        ("rules: [{name: a, tool: x, do: ask, on_timeout: approve, timeout: 2m}]", "after less than 5 minutes"),
        (
            "rules: [{name: a, tool: x, do: ask, on_timeout: approve, when: '!reversible'}]",
            "silence never means yes here",
        ),
        (
            "rules: [{name: a, tool: x, do: ask, on_timeout: approve}]\nexamples: [{name: e, tool: x, expect: {}}]",
            "silence never means yes here",
        ),
        ("defaults: {timeout: 20s}", "nobody can answer within 20 s"),
        ("defaults: {timeout: 7d}", "older than three days"),
        ("defaults: {timeout: 1h, remind: [2h]}", "it is over already"),
        (
            "defaults: {timeout: 1h}\nrules: [{name: a, do: ask, escalate: [{after: 1h, to: ['slack:C1']}]}]",
            "over already",
        ),
        ("defaults: {approvers: [a@x.com, requester], not_requester: true}", "`requester` is listed"),
        ("rules: [{name: a, tool: x, do: ask, not_requester: true}]", "rules.0.not_requester: a run need not name"),
        ("defaults: {not_requester: true}", "defaults.not_requester: a run need not name"),
        (
            "defaults: {do: deny, not_requester: true}\nrules: [{name: a, tool: x, do: review}]",
            "defaults.not_requester: a run need not name",
        ),
        (
            "rules: [{name: a, tool: x, when: 'requester != \"\"', do: ask, not_requester: true}]",
            "rules.0.not_requester: a run need not name",
        ),
        (
            f"rules: [{{name: a, tool: y, {NAMELESS}, do: ask}}, {{name: b, tool: x, do: ask, not_requester: true}}]",
            "rules.1.not_requester: a run need not name",
        ),
        (
            f"rules: [{{name: a, {NAMELESS}, do: ask}}, {{name: b, gate: checkpoint, do: ask, not_requester: true}}]",
            "rules.1.not_requester: a run need not name",
        ),
        (
            (
                "defaults: {not_requester: true}\n"
                f"rules: [{{name: a, tool: x, do: ask}}, {{name: b, {NAMELESS}, do: ask}}]"
            ),
            "defaults.not_requester: a run need not name",
        ),
        ("rules: [{name: a, tool: x, when: confidence > 0.9, do: allow}]", "confidence alone lets this run"),
        (
            "rules: [{name: a, tool: x, when: confidence >= 0.9 && failures < 1, do: allow}]",
            "confidence alone lets this run",
        ),
        (
            "rules: [{name: a, tool: x, when: confidence >= 0.9 || reversible, do: allow}]",
            "confidence alone lets this run",
        ),
        (
            "rules: [{name: a, tool: x, when: confidence >= 0.9 || args.n < 5, do: allow}]",
            "confidence alone lets this run",
        ),
        (
            "rules: [{name: a, tool: x, when: confidence > 0.9 && labels.tried == 'yes', do: allow}]",
            "confidence alone lets this run",
        ),
        ("confidence_floor: 0.5\nrules: [{name: a, do: allow}]", "confidence alone lets this run"),
        ("rules: [{name: a, tool: x, when: reversible == false, do: sample, fraction: 0.1}]", "all of it is asked"),
        (
            "rules: [{name: a, tool: x, do: review}]\nexamples: [{name: e, tool: x, expect: {}}]",
            "all of it is asked",
        ),
        ("rules: [{name: a, tool: b, do: ask, grants: [{label: any, scope: agent}]}]", "any arguments of the tool"),
        (
            f"rules: [{{name: a, tool: b, do: ask, step_up: number, {OFFER}}}]",
            "ever offers these, because of `step_up: n",
        ),
        (f"rules: [{{name: a, tool: b, do: ask, quorum: 2, {OFFER}}}]", "ever offers these, because of `quorum: 2`"),
        (
            f"defaults: {{quorum: 2}}\nrules: [{{name: a, do: ask, {OFFER}}}]",
            "rules.0.grants: no card ever offers these",
        ),
        (f"defaults: {{no_grants: true}}\nrules: [{{name: a, do: ask, {OFFER}}}]", "because of `no_grants`"),
        (
            f"rules: [{{name: a, do: ask, stages: [{{approvers: [a@x.com]}}, {{approvers: [b@x.com]}}], {OFFER}}}]",
            "because of `stages`",
        ),
        (f"defaults: {{step_up: critical, {OFFER}}}", "defaults.grants: no card ever offers these"),
        (
            f"rules: [{{name: a, tool: b, do: allow, {OFFER}}}]",
            "a card offers grants only where the rule says `do: ask`",
        ),
        ("rules: [{name: a, tool: b, do: ask, reason: why}]", "rules.0.reason: the agent reads it only where"),
        (
            "rules: [{name: a, tool: b, do: deny, reason: no, timeout: 1h, approvers: [a@x.com]}]",
            "nobody is asked about what is refused, so this says nothing: `timeout`, `approvers`",
        ),
    ],
)
def test_what_is_likely_not_meant_is_warned_about(text: str, says: str) -> None:
    warnings = read(text, "p.yaml").warnings
    assert any(says in warning for warning in warnings), warnings
    assert all(warning.startswith("p.yaml:") for warning in warnings)


UNREACHED = """
roles: {dba: ["slack:S1", "teams:t1", ana@x.com]}
defaults: {to: ["slak:#ops", web], approvers: ["role:dba", "on_call:sre"]}
rules:
  - name: a
    do: ask
    escalate: [{after: 5m, to: ["slack:#ops", "slak:#more"], mention: ["on_call:lead"]}]
"""


def test_surfaces_and_rotas_that_reach_nobody_are_warned_about_once_each() -> None:
    reach = Reach({"web": True, "slack": False}, on_call="no plug-in tells who is on call")
    hence = "no card can go there, and nobody can answer there"
    found = [
        ("3:17: defaults.to.0", f"there is no surface 'slak', so {hence}; did you mean 'slack'?"),
        ("7:33: rule 'a', rules.0.escalate.0.to.0", f"'slack' is not set up, so {hence}; see docs/operations.md"),
        ("2:27: roles.dba.1", f"there is no surface 'teams', so {hence}; there are slack, web"),
        ("3:60: defaults.approvers.1", "no plug-in tells who is on call, so `on_call:` lets nobody through; see docs"),
    ]
    warnings = read(UNREACHED, "p.yaml", reach=reach).warnings
    assert len(warnings) == len(found)
    for warning, (where, says) in zip(warnings, found, strict=True):
        assert warning.startswith(f"p.yaml:{where}: {says}")
        assert warning.endswith("(1 more such place)") == ("teams" not in warning)


def test_what_can_be_reached_is_not_warned_about() -> None:
    everywhere = Reach(dict.fromkeys(("web", "slack", "teams", "slak"), True))
    assert read(UNREACHED, reach=everywhere).warnings == ()
    assert read(UNREACHED).warnings == (), "where nobody knows what there is"


def test_a_floor_that_an_untold_confidence_passes_is_noted_and_no_warning() -> None:
    """There is nothing to mend: what it lets pass can be undone."""
    found = read("confidence_floor: 0.5\nrules: [{name: a, tool: b, do: allow}]", "p.yaml")
    assert found.warnings == ()
    assert found.notes[0].startswith("p.yaml:1:19: confidence_floor: an agent that tells no confidence passes")
    assert read("confidence_floor: 0.5\nrules: [{name: a, tool: b, do: ask}]").notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{name: a, tool: 'read_*', do: allow}, {name: b, tool: 'drop_*', do: deny, reason: no}]",
        "rules: [{name: a, tool: x, when: risk < 0.5, do: allow}, {name: b, tool: x, do: ask}]",
        "rules: [{name: a, tool: x, labels: {env: test}, do: allow}, {name: b, tool: x, do: ask}]",
        "rules: [{name: a, tool: x, agent: b, do: allow}, {name: b, tool: x, do: deny, reason: no}]",
        "rules: [{name: a, tool: x, checkpoint: p, do: allow}, {name: b, tool: x, do: ask}]",
        "rules: [{name: a, tool: 'x?', do: allow}, {name: b, tool: 'x*', do: ask}]",
        "rules: [{name: a, tool: '?*', do: ask}, {name: b, do: ask}]",
        "rules: [{name: a, tool: x, do: ask, on_timeout: approve, timeout: 1h}]",
        "defaults: {approvers: ['slack:S1'], quorum: 3}",
        "defaults: {approvers: ['on_call:x', a@x.com], quorum: 3}",
        "rules: [{name: a, tool: x, when: confidence > 0.9 && reversible, do: allow}]",
        "rules: [{name: a, tool: x, when: reversible, do: allow}]",
        "rules: [{name: a, when: risk < 0.2, do: allow}]",
        "rules: [{name: a, gate: checkpoint, do: notify}]",
        "rules: [{name: a, tool: ['*.read', '*_list', 'get?*', '[ps]*'], do: allow}]",
        "rules: [{name: a, tool: x, when: confidence > 0.9 && args.n < 5, do: allow}]",
        "rules: [{name: a, tool: x, when: confidence > 0.9 && risk < 0.5, do: allow}]",
        f"defaults: {{not_requester: true}}\nrules: [{{name: a, {NAMELESS}, do: deny, reason: no}}]",
        f"rules: [{{name: a, {NAMELESS}, do: ask}}, {{name: b, tool: x, do: ask, not_requester: true}}]",
        "rules: [{name: a, when: 'requester.endsWith(\"@x.com\") && args.n > 5', do: ask, not_requester: true}]",
        "defaults: {do: deny, not_requester: true}\nrules: [{name: a, tool: x, do: allow}]",
        "defaults: {do: deny, not_requester: true}\nrules: [{name: a, tool: x, do: ask, not_requester: false}]",
        "rules: [{name: a, tool: x, do: review}]\nexamples: [{name: e, tool: x, reversible: true, expect: {}}]",
        f"rules: [{{name: a, do: ask, stages: [{{approvers: [a@x.com]}}], {OFFER}}}]",
        f"defaults: {{quorum: 2, {OFFER}}}\nrules: [{{name: a, tool: x, do: ask, quorum: 1}}]",
        f"defaults: {{{OFFER}}}\nrules: [{{name: a, tool: x, do: ask, step_up: number}}]",
        f"defaults: {{no_grants: true}}\nrules: [{{name: a, tool: x, do: ask, no_grants: false, {OFFER}}}]",
    ],
)
def test_what_is_fine_is_not_warned_about(text: str) -> None:
    assert read(text).warnings == ()


def test_the_published_schema_is_the_one_that_the_file_is_read_by() -> None:
    """Written by `python -m bot policy schema > docs/policy.schema.json`."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == schema()


WHOLE = """
people: {ana: {email: ana@example.com, slack: U1}}
roles: {ops: ["person:ana", "slack:S1"]}
risk: {url: "http://localhost:9/score", timeout: 2s}
confidence_floor: 0.5
escalate_on_failure: 2
caps: {cards_per_approver_hour: 20, burst: 5, burst_within: 1m}
defaults: {do: deny, timeout: 1h, approvers: ["role:ops"]}
rules:
  - {name: a, tool: [x, "y*"], gate: g, when: risk < 0.5, do: sample, fraction: 0.1}
  - name: b
    checkpoint: planned
    labels: {env: prod}
    do: ask
    stages: [{approvers: [requester, "on_call:x"], quorum: 1}]
    remind: [5m]
    escalate: [{after: 10m, to: ["slack:#ops", {surface: web}], mention: ["role:ops"]}]
    step_up: number
    reject_reasons: [No, {label: Later, text: Try later.}]
    ramp: {ask: 3, review: 2, sample: 0.5, per: [agent]}
  - {name: c, tool: z, do: ask, grants: [{label: "it", same: [to], scope: run, life: 1h}]}
examples: [{name: e, tool: x, args: {a: 1}, risk: 0.1, reversible: true, expect: {do: sample, rule: a}}]
"""


def test_the_schema_takes_what_is_taken_and_refuses_slips() -> None:
    checks = jsonschema_rs.validator_for(schema())
    assert parse(WHOLE).rules
    assert not [error.message for error in checks.iter_errors(Page(WHOLE).data)]
    for wrong in (
        "rulez: []",
        "rules: [{name: a}]",
        "rules: [{name: a, do: maybe}]",
        "defaults: {timeout: 10}",
        "defaults: {timeout: null}",
        "defaults: {approvers: []}",
        "defaults: {approvers: [ana]}",
        "rules: [{name: a, do: ask, tool: []}]",
        "version: x",
    ):
        assert not checks.is_valid(Page(wrong).data), wrong


def test_a_copy_with_other_rules_is_looked_up_by_those() -> None:
    policy = parse("rules: [{name: a, tool: x, do: allow}]")
    assert policy.index.met("x")
    assert policy.model_copy(update={"rules": ()}).index.met("x") == ()
    assert Policy() == Policy.model_validate({})
