import pytest

from adapters.slack.words import (
    Reference,
    addressed,
    is_request,
    reference,
    said,
    scope,
    suggestion,
    typed,
    without_mention,
)


@pytest.mark.parametrize(
    "text, verb, rest",
    [
        ("pending", "pending", ""),
        ("  Pending! ", "pending", ""),
        ("\uff30\uff25\uff2e\uff24\uff29\uff2e\uff27 here", "pending", "here"),
        ("pending\nhere", "pending", "here"),
        ("show hf_AbC-9", "show", "hf_AbC-9"),
        ("show: hf_AbC", "show", "hf_AbC"),
        ("", "help", ""),
        ("?", "help", ""),
        ("help", "help", ""),
        ("dance", "", ""),
    ],
)
def test_a_request_is_read_however_it_is_typed(text: str, verb: str, rest: str) -> None:
    found = said(text)

    assert (found.verb, found.rest) == (verb, rest)


@pytest.mark.parametrize("text, found", [("", ""), ("here", "here"), ("This channel!", "here"), ("mine", "mine")])
def test_a_list_has_a_scope(text: str, found: str) -> None:
    assert scope(text) == found


def test_what_is_no_scope_is_told_apart_from_none() -> None:
    assert scope("cards of Bob") is None


@pytest.mark.parametrize(
    "sent, meant",
    [
        ("plain", "plain"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("<https://x.com|x.com>", "x.com"),
        ("<http://x.com/|x.com>", "x.com"),
        ("<https://x.com/a?b=1&amp;c=2>", "https://x.com/a?b=1&c=2"),
        ("<https://evil.example|the docs>", "the docs (https://evil.example)"),
        ("<mailto:ana@x.com|ana@x.com>", "ana@x.com"),
        ("<tel:+4930123|+4930123>", "+4930123"),
        ("<@U1> and <@U2|bob>", "@Ana and @bob"),
        ("<@U9>", "@U9"),
        ("<#C1|ops>, <#C2|> and <#C2>", "#ops, #plans and #plans"),
        ("<!here> <!channel>", "@here @channel"),
        ("<!subteam^S1|@dba>", "@dba"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("1 &lt; 2", "1 < 2"),
        ("broken <", "broken <"),
    ],
)
def test_text_becomes_what_was_typed(sent: str, meant: str) -> None:
    assert typed(sent, {"@U1": "Ana", "#C2": "plans"}) == meant


def test_a_name_is_not_read_as_markup() -> None:
    """A person may be called anything; what they are called is no escape of Slack's."""
    assert typed("<@U1>", {"@U1": "&lt;!channel&gt;"}) == "@&lt;!channel&gt;"


@pytest.mark.parametrize(
    "text, rest",
    [
        ("<@UBOT> pending", "pending"),
        ("<@UBOT|andon>: pending", "pending"),
        ("<@UBOT><@UBOT> x", "x"),
        ("<@UANA> pending", "<@UANA> pending"),
        ("ask <@UBOT>", "ask <@UBOT>"),
    ],
)
def test_only_a_leading_mention_of_the_bot_goes(text: str, rest: str) -> None:
    assert without_mention(text, "UBOT") == rest


@pytest.mark.parametrize(
    "text, request_", [("hey <@UBOT> pending", "pending"), ("pending <@UBOT>", "pending"), ("pending", "pending")]
)
def test_the_bot_may_be_called_anywhere(text: str, request_: str) -> None:
    assert addressed(text, "UBOT") == request_


@pytest.mark.parametrize(
    "text, meant",
    [
        ("hf_0000000000000000000042", Reference(id="hf_0000000000000000000042")),
        ("https://andon.example.com/handoffs/hf_AbCdEf", Reference(id="hf_AbCdEf")),
        ("https://a.slack.com/archives/C0OPS/p1700000000000100", Reference(channel="C0OPS", ts=("1700000000.000100",))),
        (
            "https://a.slack.com/archives/C0OPS/p1700000000000200?thread_ts=1700000000.000100&cid=C0OPS",
            Reference(channel="C0OPS", ts=("1700000000.000200", "1700000000.000100")),
        ),
        ("…0042", Reference(end="0042")),
        ("42", None),
        ("the one about Bob", None),
        ("", None),
    ],
)
def test_a_card_is_named_by_id_by_its_end_or_by_a_link(text: str, meant: Reference | None) -> None:
    assert reference(text) == meant


@pytest.mark.parametrize("text", ["pending", "pending here", "help", "show 0042"])
def test_a_request_to_the_bot_is_no_answer(text: str) -> None:
    assert is_request(text)


@pytest.mark.parametrize("text", ["500", "show them all of it", "help yourself", "pending approval by Bob", ""])
def test_other_words_to_the_bot_may_be_an_answer(text: str) -> None:
    assert not is_request(text)


def test_a_slip_of_the_finger_is_understood() -> None:
    assert suggestion("pendign") == "pending"
    assert suggestion("shwo") == "show"
    assert suggestion("xyzzy") == ""
