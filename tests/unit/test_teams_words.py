"""What people typed in Teams, read out of the way in which Teams writes it."""

from typing import Any

import pytest

from adapters.teams import spoken
from adapters.teams.words import addressed, from_html, has_files, is_by_person, is_called, link, quoted, sign

BOT = {"id": "28:bot", "name": "Andon"}
MENTION = {"type": "mention", "mentioned": BOT, "text": "<at>Andon</at>"}
ANA = {"type": "mention", "mentioned": {"id": "29:ana", "name": "Ana"}, "text": "<at>Ana</at>"}


def told(text: object, *entities: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "recipient": BOT, "text": text, "entities": list(entities), **more}


@pytest.mark.parametrize(
    "text, entities, said",
    [
        ("stop", [], "stop"),
        ("<at>Andon</at> stop", [MENTION], "stop"),
        ("<at>Andon</at>&nbsp;stop\n", [MENTION], "stop"),
        ("<at>Andon</at>, stop", [MENTION], "stop"),
        ("stop <at>Andon</at>", [MENTION], "stop"),
        ("hey <at>Andon</at> stop", [MENTION], "stop"),
        ("<at>Andon</at><at>Andon</at>: stop", [MENTION, MENTION], "stop"),
        ("<at>Andon</at>", [MENTION], ""),
        ("<at>Andon</at> ask <at>Ana</at> &amp; Bob", [MENTION, ANA], "ask @Ana & Bob"),
        ("<at>Ana</at> stop", [ANA], "@Ana stop"),
        ("1 &lt; 2", [], "1 < 2"),
        ('<quoted messageId="17"/> stop', [], "stop"),
        ("", [], ""),
        (None, [None, 7, {}, {"type": "mention"}, {"type": "mention", "mentioned": 3}], ""),
    ],
)
def test_what_is_said_to_the_bot_is_found_wherever_it_is_called(text: object, entities: list[Any], said: str) -> None:
    assert addressed(told(text, *entities)) == said


def test_only_a_mention_of_the_bot_calls_it() -> None:
    """The words of a mention alone do nothing in Teams, and anybody can type them."""
    assert is_called(told("<at>Andon</at>", MENTION))
    assert not is_called(told("<at>Andon</at> stop"))
    assert not is_called(told("<at>Ana</at> stop", ANA))
    assert not is_called(told("<at>Andon</at>", {**MENTION, "mentioned": {"id": "28:another", "name": "Andon"}}))


@pytest.mark.parametrize(
    "kind, shown",
    [
        ("1f6d1_stopsign", "🛑"),
        ("1f6d1", "🛑"),
        ("23f8-fe0f_pausebutton", "⏸\ufe0f"),
        ("like", ":like:"),
        ("heart", ":heart:"),
        ("ffffff_none", ":ffffff_none:"),
        ("", "::"),
    ],
)
def test_a_reaction_is_the_sign_that_people_see(kind: str, shown: str) -> None:
    assert sign(kind) == shown


REPLY = (
    '<blockquote itemscope="" itemtype="http://schema.skype.com/Reply" itemid="1700000000000">x</blockquote><p>stop</p>'
)


@pytest.mark.parametrize(
    "given, id",
    [
        ({"attachments": [{"contentType": "text/html", "content": REPLY}]}, "1700000000000"),
        ({"entities": [{"type": "quotedReply", "quotedReply": {"messageId": "17"}}]}, "17"),
        ({"attachments": [{"contentType": "text/html", "content": "<blockquote>stop</blockquote>"}]}, None),
        ({"attachments": [{"contentType": "text/html", "content": 7}, None, {}]}, None),
        ({"attachments": "x", "entities": {}}, None),
        ({}, None),
    ],
)
def test_a_reply_in_a_chat_names_what_it_quotes(given: dict[str, Any], id: str | None) -> None:
    assert quoted(given) == id


@pytest.mark.parametrize(
    "content, text",
    [
        ("<p>One</p><p>Two<br/>Three</p>", "One\nTwo\nThree"),
        ("<div>a&nbsp;<b>b</b> &amp; c</div>", "a b & c"),
        (f"{REPLY}<p>so</p>", "stop\nso"),
        ('<attachment id="1">card</attachment><at id="0">Ana</at>, look', "Ana, look"),
        ("1 &lt; 2 &gt; 0", "1 < 2 > 0"),
        ("", ""),
    ],
)
def test_a_message_is_read_as_people_see_it(content: str, text: str) -> None:
    assert from_html(content) == text


def test_a_link_leads_to_a_message_and_its_thread() -> None:
    url = "https://teams.microsoft.com/l/message/19%3Aabc%40thread.tacv2/17?tenantId=t&parentMessageId=16&x=1"
    assert link(f"look: {url} please") == ("19:abc@thread.tacv2", "17", "16")
    assert link("https://teams.microsoft.com/l/message/19:abc@thread.v2/17") == ("19:abc@thread.v2", "17", "17")
    assert link("https://teams.microsoft.com/l/channel/19%3Aabc/General") is None
    assert link("the last one") is None


def test_the_text_as_html_is_no_file() -> None:
    assert not has_files({"attachments": [{"contentType": "text/html", "content": "<p>stop</p>"}]})
    assert has_files({"attachments": [{"contentType": "image/png"}]})
    assert not has_files({})


def test_bots_and_changes_are_no_persons_words() -> None:
    assert is_by_person({"from": {"id": "29:ana"}})
    assert not is_by_person({"from": {"id": "28:another"}})
    assert not is_by_person({"from": {"id": "29:flow", "role": "bot"}})
    assert not is_by_person({"from": {"id": "29:ana"}, "channelData": {"eventType": "editMessage"}})


def test_a_reaction_of_a_bot_is_no_sign() -> None:
    sent = {
        "type": "messageReaction",
        "id": "2",
        "serviceUrl": "https://smba.example",
        "recipient": BOT,
        "replyToId": "1",
        "conversation": {"id": "19:x@thread.v2"},
        "reactionsAdded": [{"type": "1f6d1_stopsign"}],
    }
    assert len(spoken.reactions(sent | {"from": {"id": "29:ana", "aadObjectId": "ana"}})) == 1
    assert spoken.reactions(sent | {"from": {"id": "28:another"}}) == []
