"""What a text is to a reader: told from its name and content, plain when in doubt, and never changed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards.characters import visible
from bot.cards.layout import is_mail, language, mail_order
from bot.cards.rows import row, rows

DIFF = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old\n+new\n same\n"


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("command", "rm -rf /", "shell"),
        ("cmd", "ls", "shell"),
        ("script", "set -e\nmake", "shell"),
        ("command", ["rm", "-rf", "/"], "argv"),
        ("argv", ["ls"], "argv"),
        ("argv", [1, 2], "json"),
        ("sql", "anything at all", "sql"),
        ("query", "  -- all of it\nDELETE FROM t", "sql"),
        ("query", "with x as (select 1) select * from x", "sql"),
        ("query", "how many orders are there?", ""),
        ("query", "selected works", ""),
        ("patch", DIFF, "diff"),
        ("body", DIFF, "diff"),
        ("body", "- a list\n+ of things", ""),
        ("code", "import os\nos.remove('x')", "code"),
        ("code", "AB-12", ""),
        ("data", '{"a": 1}', "json"),
        ("data", "{not json", ""),
        ("data", "[" * 99_000, ""),
        ("data", {"a": {"b": 1}}, "json"),
        ("command", "", ""),
        ("command", 5, ""),
        ("note", "just words", ""),
    ],
)
def test_a_text_is_what_its_name_and_content_say(name: str, value: Any, expected: str) -> None:
    assert language(name, value) == expected


def test_a_short_command_is_a_block_and_a_short_text_a_line() -> None:
    assert (row("command", "rm -rf /", None).kind, row("note", "rm -rf /", None).kind) == ("block", "line")


def test_a_mail_reads_as_mail() -> None:
    args: dict[str, Any] = {"body": "Hi,\n\nbye", "importance": 1, "subject": "S", "cc": ["c@x.com"], "to": "a@x.com"}
    assert [(each.name, each.language) for each in rows(args, None)] == [
        ("to", ""),
        ("cc", ""),
        ("subject", ""),
        ("body", "text"),
        ("importance", ""),
    ]
    assert is_mail({"To": "a", "Subject": "", "Body": ""})
    others: list[dict[str, Any]] = [
        {"to": "a", "subject": "b"},
        {"to": 1, "subject": "b", "body": "c"},
        {"subject": "b", "body": "c"},
    ]
    assert not any(map(is_mail, others))


def test_the_markup_of_a_mail_is_shown_as_it_is() -> None:
    args: dict[str, Any] = {"to": "a@x.com", "subject": "S", "body": "<html><body>Hi</body></html>"}
    assert rows(args, None)[2].language == ""


def test_a_mail_inside_an_argument_is_laid_out_when_all_of_it_fits() -> None:
    mail: dict[str, Any] = {"subject": "S", "to": ["a@x.com"], "body": "Hi,\nbye", "draft": True}
    shown = row("message", mail, None)
    assert [each.name for each in shown.parts] == ["to", "subject", "body", "draft"]
    assert '"draft": true' in shown.text
    cut = row("message", mail, 10)
    assert (cut.parts, cut.cut > 0) == ((), True)


NAMES = st.sampled_from(["to", "subject", "body", "command", "sql", "argv", "message"]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_layout_changes_no_text_and_loses_no_argument(args: dict[str, Any]) -> None:
    shown = rows(args, None)
    assert len(shown) == len(args)
    assert sorted(mail_order(args)) == sorted(args)
    assert all(each.cut == 0 for each in shown)
    texts = [each.text for each in shown]
    assert all(visible(value) in texts for value in args.values() if isinstance(value, str) and value)
