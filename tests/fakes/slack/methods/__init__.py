"""The methods of the Web API that the fake knows."""

from typing import Final

from tests.fakes.slack.methods import chat, conversations, directory, files, oauth, views
from tests.fakes.slack.methods.call import Call, Method, checked

METHODS: Final[dict[str, Method]] = {
    **chat.METHODS,
    **conversations.METHODS,
    **directory.METHODS,
    **files.METHODS,
    **oauth.METHODS,
    **views.METHODS,
}

__all__ = ["METHODS", "Call", "Method", "checked"]
