"""The page that explains the policy: every file on it loads, and says of its examples what it claims."""

import re
from pathlib import Path
from typing import Final

import pytest

from bot.policy import Policy, Rule, read, run_examples, schema
from bot.policy._conditions import LOOPED
from bot.policy._file import Caps, Expect
from bot.policy._terms import _LONGEST_S, DEFAULT_TIMEOUT_S, Terms
from tests.unit.test_example_policies import score

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = (DOCS / "policy.md").read_text(encoding="utf-8")
_FENCED: Final = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS: Final = [match[1] for match in _FENCED.finditer(PAGE)]
ELSEWHERE: Final = [
    pytest.param(match[1], id=f"{path.stem}-{number}")
    for path in sorted(DOCS.glob("*.md"))
    if path.name != "policy.md"
    for number, match in enumerate(_FENCED.finditer(path.read_text(encoding="utf-8")))
]
PATTERNS: Final = (
    "Confirmation gate", "Approval workflow", "Co-pilot", "Escalation on failure", "Sampled review",
    "Out-of-loop notice", "Trust ramp", "Before or after?", "Default-deny or default-approve?",
)  # fmt: skip


@pytest.mark.parametrize("text", BLOCKS)
def test_every_file_on_the_page_loads_without_a_warning_and_its_examples_hold(text: str) -> None:
    found = read(text, "policy.md")
    assert found.warnings == ()
    tested = run_examples(found.policy, score)
    assert tested, "a file that is shown is tried"
    assert [(each.name, each.differs, each.said) for each in tested if each.differs] == []


@pytest.mark.parametrize("text", ELSEWHERE)
def test_every_file_on_other_pages_loads(text: str) -> None:
    assert read(text, "page").policy.rules


@pytest.mark.parametrize("title", PATTERNS)
def test_each_pattern_has_its_own_section_with_a_file(title: str) -> None:
    _, found, section = PAGE.partition(f"\n### {title}\n")
    assert found
    assert _FENCED.search(section.partition("\n### ")[0].partition("\n## ")[0])


@pytest.mark.parametrize(
    "model, apart",
    [(Terms, set()), (Rule, {"name"}), (Caps, set()), (Policy, {"version"}), (Expect, set())],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_no_word_of_the_file_is_missing(model: type[Terms], apart: set[str]) -> None:
    missing = {name for name in model.model_fields if f"`{name}`" not in PAGE and f"`{name}:" not in PAGE}
    assert missing - apart == set()
    assert model.__name__ in {*schema()["$defs"], "Terms", "Policy"}, "the page and the schema are about the same file"


@pytest.mark.parametrize("do", ["allow", "notify", "sample", "review", "ask", "deny"])
def test_each_disposition_has_its_line(do: str) -> None:
    assert f"\n| `{do}` |" in PAGE


@pytest.mark.parametrize("command", ["check", "test", "explain", "diff", "replay", "schema"])
def test_each_tool_has_its_line(command: str) -> None:
    assert f"\n| `python -m bot policy {command}" in PAGE


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    assert f"more than {LOOPED} values" in PAGE
    assert f"at most `{_LONGEST_S // 86_400}d` ({DEFAULT_TIMEOUT_S // 3600} h)" in PAGE


@pytest.mark.parametrize("page", ["operations.md", "slack.md", "agents.md", "../README.md"])
def test_the_other_pages_lead_there(page: str) -> None:
    assert re.search(r"\]\((docs/)?policy\.md", (DOCS / page).read_text(encoding="utf-8"))
