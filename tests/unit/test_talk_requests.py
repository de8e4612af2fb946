import pytest

from bot.talk.requests import Reference, is_request, reference, request, scope, suggestion


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
        ("home", "home", ""),
        ("dance", "", ""),
    ],
)
def test_a_request_is_read_however_it_is_typed(text: str, verb: str, rest: str) -> None:
    found = request(text)

    assert (found.verb, found.rest) == (verb, rest)


@pytest.mark.parametrize("text, found", [("", ""), ("here", "here"), ("This channel!", "here"), ("mine", "mine")])
def test_a_list_has_a_scope(text: str, found: str) -> None:
    assert scope(text) == found


def test_what_is_no_scope_is_told_apart_from_none() -> None:
    assert scope("cards of Bob") is None


@pytest.mark.parametrize(
    "text, meant",
    [
        ("hf_0000000000000000000042", Reference(id="hf_0000000000000000000042")),
        ("https://andon.example.com/handoffs/hf_AbCdEf", Reference(id="hf_AbCdEf")),
        ("…0042", Reference(end="0042")),
        ("42", None),
        ("the one about Bob", None),
        ("", None),
    ],
)
def test_a_card_is_named_by_id_by_its_end(text: str, meant: Reference | None) -> None:
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
