"""What the people and channels are called that a text on Slack names by their ids."""

from typing import Final

from adapters.slack import words
from adapters.slack.pace import background
from adapters.slack.people import People
from adapters.slack.places import Places
from bot.errors import DirectoryDown

_MOST: Final = 20


async def names(people: People, places: Places, team: str, text: str) -> dict[str, str]:
    """For `words.typed`: by `@U…` and `#C…`. Who is not found keeps the id, and so does all after the first 20.

    It costs a call for each: ask first whether the author may say anything at all.
    """
    found: dict[str, str] = {}
    with background(patience_s=0):
        for named in sorted(words.named(text))[:_MOST]:
            try:
                found[named] = await _name(people, places, team, named)
            except DirectoryDown:
                continue
    return found


async def _name(people: People, places: Places, team: str, named: str) -> str:
    if named.startswith("#"):
        return (await places.name(team, named[1:])).removeprefix("#")
    return await people.name(team, named[1:])
