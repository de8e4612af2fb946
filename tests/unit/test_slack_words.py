import pytest

from adapters.slack.words import addressed, is_request, link, typed, without_mention


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
        ("https://a.slack.com/archives/C0OPS/p1700000000000100", ("C0OPS", "1700000000.000100")),
        (
            "https://a.slack.com/archives/C0OPS/p1700000000000200?thread_ts=1700000000.000100&cid=C0OPS",
            ("C0OPS", "1700000000.000200", "1700000000.000100"),
        ),
        ("https://andon.example.com/handoffs/hf_AbCdEf", None),
    ],
)
def test_a_link_leads_to_a_message_and_its_thread(text: str, meant: tuple[str, ...] | None) -> None:
    assert link(text) == meant


def test_a_link_to_a_card_is_a_request() -> None:
    assert is_request("show https://a.slack.com/archives/C0OPS/p1700000000000100")
