"""What the people and channels are called that a text on Slack names by their ids."""

from typing import Final

from adapters.slack import words
from adapters.slack.people import People
from adapters.slack.places import Places
from bot.errors import DirectoryDown

_MOST: Final = 20


async def names(people: People, places: Places, team: str, channel: str, text: str) -> dict[str, str]:
    """For `words.typed`: by `@U…` and `#C…`. Who is not found keeps the id, and so does all after the first 20."""
    found: dict[str, str] = {}
    for named in sorted(words.named(text))[:_MOST]:
        if named.startswith("#"):
            found[named] = (await places.name(team, named[1:])).removeprefix("#")
            continue
        try:
            person = await people.person(team, named[1:], channel=channel)
        except DirectoryDown:
            continue
        found[named] = person.actor.name
    return found
