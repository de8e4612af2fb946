"""`python -m bot policy …`, as those who write a policy use it."""

import io
import json
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.people import Caller
from tests.servers import Live

GOOD = """
roles: {ops: [ana@example.com, bob@example.com]}
defaults: {approvers: ["role:ops"], timeout: 1h}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: pays, tool: pay, do: ask, quorum: 2}
  - {name: shell, tool: bash, when: risk < 0.5, do: allow}
examples:
  - {name: looking is silent, tool: read_file, expect: {do: allow, rule: reads}}
  - {name: paying takes two, tool: pay, args: {amount: 5}, expect: {do: ask, quorum: 2, approvers: ["role:ops"]}}
  - {name: a listing runs, tool: bash, args: {command: ls -l}, expect: {do: allow}}
  - {name: a wipe is asked, tool: bash, args: {command: "rm -rf /"}, expect: {do: ask}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ANDON_POLICY", raising=False)
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    return path


def say(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["policy", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_check_shows_faults_and_warnings(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "check", file)[:2] == (0, f"policy: 3 rules, 4 examples, version {_version(file)}\nall fine\n")
    file.write_text(GOOD + "\nroless: {}\n")
    code, out, _ = say(capsys, "check", file)
    assert (code, out) == (1, "fault: policy.yaml:14:1: roless: there is no such key; did you mean 'roles'?\n1 fault\n")
    file.write_text("rules: [{name: a, do: allow}]")
    code, out, _ = say(capsys, "check", file)
    assert code == 0
    assert out.startswith("warning: policy.yaml:1:23: rule 'a', rules.0.do: `do: allow` for any tool")
    assert out.endswith("1 warning\n")
    assert say(capsys, "check", file, "--strict")[0] == 1
    file.write_text(GOOD + "\nconfidence_floor: 0.5\n")
    code, out, _ = say(capsys, "check", file, "--strict")
    assert code == 0, "a note is not counted"
    assert out.startswith("note: policy.yaml:14:19: confidence_floor: ")
    assert out.endswith("all fine\n")
    file.write_text('defaults: {to: ["slak:#x", "slack:#x"], approvers: ["on_call:nothing"]}')
    code, out, _ = say(capsys, "check", file, "--strict")
    assert code == 1
    assert "defaults.to.0: there is no surface 'slak', so no card can go there" in out
    assert "defaults.approvers.0: no plug-in tells who is on call" in out
    assert "2 warnings" in out, "whether Slack is set up is told by `bot check` alone"
    file.write_text("risk: {name: nobody}")
    code, out, _ = say(capsys, "check", file)
    assert code == 1
    assert "there is no scorer 'nobody'" in out


def _version(file: Path) -> str:
    from bot.policy import load

    return load(file).version


def test_the_file_is_the_one_that_is_set(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = say(capsys, "check")
    assert (code, err.splitlines()[0]) == (2, "andon: name a file, or set ANDON_POLICY")
    monkeypatch.setenv("ANDON_POLICY", str(file))
    assert say(capsys, "check")[0] == 0
    code, out, _ = say(capsys, "check", file.with_name("none.yaml"))
    assert code == 1
    assert "cannot read the policy file" in out


def test_explain_says_every_reason(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "explain", file, "--tool", "pay", "--arg", "amount=5", "--requester", "eve@example.com")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"ask, by rule pays of policy {_version(file)}"
    assert "  - reads: its tool read_* does not match pay" in lines
    assert "  + pays: all of it matches" in lines
    assert '  approvers:      ["ana@example.com", "bob@example.com"]  (defaults)' in lines
    assert "  quorum:         2  (rule pays)" in lines


def test_explain_asks_the_scorer_where_the_policy_looks_at_the_risk(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = say(capsys, "explain", file, "--tool", "bash", "--arg", "command=rm -rf /")
    assert out.startswith("risk ")
    assert "its condition does not hold: risk < 0.5" in out
    assert say(capsys, "explain", file, "--tool", "bash", "--risk", "0.1")[1].startswith("allow, by rule shell")
    assert not say(capsys, "explain", file, "--tool", "pay")[1].startswith("risk ")


def test_explain_reads_an_action_and_prints_json(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"tool": "pay", "args": {"amount": 1}, "gate": "money"}'))
    code, out, _ = say(capsys, "explain", file, "--ask", "-", "--arg", "amount=2", "--label", "env=prod", "--json")
    assert (code, json.loads(out)["rule"]) == (0, "pays")


@pytest.mark.parametrize(
    "words, says",
    [
        (["--confidence", "2"], "confidence: 2.0 is too much: 1 at the most"),
        (["--arg", "amount"], "--arg takes NAME=VALUE, and not 'amount'"),
        (["--timeout", "soon"], "--timeout: 'soon' is not a span of time"),
        (["--on-timeout", "approve"], "`on_timeout: approve` needs `reversible: true`"),
        (["--ask", "/nowhere.json"], "--ask /nowhere.json: "),
        (["--failures", "many"], "invalid int value: 'many'"),
        (["--tools", "x"], "unrecognized arguments: --tools x"),
    ],
)
def test_wrong_words_are_one_sentence_and_a_two(
    words: list[str], says: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = say(capsys, "explain", file, *words)
    assert (code, out) == (2, "")
    assert says in err.splitlines()[0]
    assert "usage: python -m bot policy explain" in err


def test_test_runs_the_file_s_examples(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "test", file)
    assert (code, out.splitlines()[-1]) == (0, "4 examples, 0 failed")
    file.write_text(GOOD.replace("quorum: 2}\n  - {name: shell", "quorum: 1}\n  - {name: shell"))
    code, out, _ = say(capsys, "test", file)
    assert code == 1
    assert "FAIL  paying takes two: ask by pays\n      quorum is 1, not 2\n      | reads: its tool" in out
    file.write_text("rules: []")
    assert say(capsys, "test", file)[0] == 1


def test_diff_ends_with_one_when_anything_becomes_looser(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = file.with_name("new.yaml")
    new.write_text(GOOD)
    code, out, _ = say(capsys, "diff", file, new)
    assert (code, out.splitlines()[-1].endswith("nothing becomes looser")) == (0, True)
    new.write_text(GOOD.replace("quorum: 2}\n  - {name: shell", "quorum: 1}\n  - {name: shell"))
    code, out, _ = say(capsys, "diff", file, new)
    assert code == 1
    assert out.startswith("looser:\n  example 'paying takes two', pay: 1 must say yes instead of 2 (rule pays)\n")
    assert say(capsys, "diff", file, new, "--allow-looser")[0] == 0
    code, out, _ = say(capsys, "diff", new, file, "--json")
    assert (code, json.loads(out)["differences"][0]["way"]) == (0, "tighter")
    assert say(capsys, "diff", file)[0] == 2


def test_schema_is_the_published_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "schema")
    published = Path(__file__).parents[2] / "docs" / "policy.schema.json"
    assert (code, out) == (0, published.read_text(encoding="utf-8"))


async def test_the_service_serves_the_schema_to_editors_which_have_no_key(
    service: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = say(capsys, "schema")
    async with Caller(service.url) as editor:
        reply = await editor.call("GET", "/policy.schema.json")
        told = (await editor.call("GET", "/openapi.json")).ok()["paths"]["/policy.schema.json"]["get"]
    assert told["security"] == []
    assert list(told["responses"]["200"]["content"]) == ["application/schema+json"]
    assert reply.headers["Content-Type"].startswith("application/schema+json")
    assert reply.ok() == {"$id": f"{service.url}/policy.schema.json", **json.loads(out)}


@pytest.mark.parametrize("command", ["", "check", "explain", "test", "diff", "replay", "schema"])
def test_help_leads_with_the_task_and_ends_with_two_commands(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, *filter(None, [command]), "--help")
    assert code == 0
    assert out.startswith(f"usage: python -m bot policy {command}".strip())
    examples = out.partition("\nexamples:\n")[2].splitlines()
    assert len(examples) == 2
    assert all("python -m bot policy" in each for each in examples)


def test_no_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = say(capsys)
    commands = "check, explain, test, diff, replay, schema"
    assert (code, err.splitlines()[0]) == (2, f"andon: say what to do with a policy: {commands}")
    assert say(capsys, "chekc")[0] == 2
