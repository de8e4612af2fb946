"""Block Kit as the fake knows it: what is allowed, what it says to a reader, what can be pressed in it."""

from tests.fakes.slack.kit.blocks import check_message, check_options, check_view
from tests.fakes.slack.kit.reading import Control, controls, names_of, option_named, plain_words, words
from tests.fakes.slack.kit.values import at_first, complaint, filled, holds_value, readable

__all__ = [
    "Control",
    "at_first",
    "check_message",
    "check_options",
    "check_view",
    "complaint",
    "controls",
    "filled",
    "holds_value",
    "names_of",
    "option_named",
    "plain_words",
    "readable",
    "words",
]
